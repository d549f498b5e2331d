"""Silent Push PADNS (silentpush.com): passive DNS with netblocks, time fences and pages.

Asks `GET {url}/explore/padns/lookup/answer/a/{first address}?netmask=24`, `aaaa` for IPv6, and reads one JSON document a
page (docs.silentpush.com/padns.html). Needs `api_key_env`, sent as `x-api-key`; `url` is another host than
api.silentpush.com, such as https://app.silentpush.com; `/api/v1/merge-api` is put behind it when it has no path.

    Netblocks           yes, as one CIDR prefix. Not verified: Silent Push describes `netmask` for lookups of PTR, and its
                        clients send it for A as well. If it is not heeded, a netblock looks as empty as its first address:
                        compare once by hand, and set `netblocks = "addresses"` to ask for each address alone
    Time filter         yes, both ends of `last_seen`: from the last complete answer less the overlap, one day unless set
    First / last seen   both, in seconds; they are written without a zone. Not verified: that they are in UTC; a count
    Cap                 `limit` rows a page, and as many pages as it takes. An answer whose pages end before the total that
                        it tells is asked for in halves of the netblock, down to single addresses, and these in halves of
                        the time. Not verified: that the total is told; without it an answer is read until a page of
                        nothing, as a server may give less than `limit` without a word
    Cost of a /24       a /24 costs one call, one more for each further page, and one more where names are found and no
                        total is told; 256 with `netblocks = "addresses"`
    Names in front      yes: the CNAMEs that point at a name, by `answer/cname/{name}`, one call a name
    Passing on          as your contract with Silent Push says: `green` here, and `tlp = "amber"` raises it
    Not found           200 without records. Not verified: 404 is believed when something else is known in the same poll
    Quotas              credits a day, whose number is not published: set `daily_quota`. 429 means that calls came too fast

A slow answer becomes a job (help.silentpush.com/docs/job-id-status-1), which is then asked for, each time by a call that
waits up to 20 seconds on the server, five times in a poll; the next poll goes on with it. Records beside a job that still
runs are used, and are not all. A job that the server could not finish is taken for a question that was too large. Not
verified: the form of all this, so records, totals and jobs are looked for within `response` and beside it.

Rows of other types, and addresses outside the netblock, are counted and left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, AnswerTooBig, Credentials, HttpError, Request
from feedsvc.model import Batch, End, Outcome, Tlp
from feedsvc.names import NetblockMap, parse_netblock
from feedsvc.sources import access, bodies, times
from feedsvc.sources.aliases import NO_ALIAS, is_alias
from feedsvc.sources.cof import OTHER_TYPE, Rows
from feedsvc.sources.cof_rows import ADDRESS_TYPES, Said
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.pages import fingerprint, repeated
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

SERVER = "https://api.silentpush.com"
PATH = "/api/v1/merge-api"
NO_ROW = "not a row of Silent Push"
JOBS = 5
"""How often a job is asked for in a poll."""

_JSON = {"Accept": "application/json"}
_WAIT = "20"  # seconds that the server waits for a job before it says that it runs; below the client's own patience
_PAGE = re.compile(r"(?:job:([A-Za-z0-9_-]{1,100}):([0-9]{1,3}):)?([0-9]{1,12})(?:/([0-9a-f]{12}))?")
_JOB = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NO_WORDS = "an error without words"
_NO_ERROR = frozenset({b"", b"null", b"false", b"0", b'""', b"[]", b"{}"})
_DONE = frozenset({"SUCCESS", "SUCCEEDED", "SUCCESSFUL", "COMPLETE", "COMPLETED", "FINISHED", "DONE", "OK"})
_FAILED = frozenset({"FAILURE", "FAILED", "ERROR", "REVOKED", "CANCELLED"})
_REFUSALS = frozenset({401, 403, 429})
_FULL = End(Outcome.PARTIAL, "its pages end before its rows do")


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of Silent Push.

    Attributes:
        netblocks: how a netblock is asked for: as one, by its `netmask`, or by its `addresses`, each alone.
        limit: rows of one page.
        max_calls: calls that one netblock may cost in a poll, pages and jobs included; the next poll goes on.
        max_addresses: netblocks with more are skipped when each address is asked for alone.
        concurrency: calls under way at once.
        deadline: seconds for one answer.
        max_bytes: of one answer; one that is longer is asked for in halves.
    """

    netblocks: Literal["netmask", "addresses"] = "netmask"
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    max_calls: Annotated[int, Field(ge=1)] = 256
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one key; see the folder's docstring.

    Raises:
        OptionFaults: no key, or a URL that is none.
    """
    base = access.base_url(settings, SERVER, PATH)
    traits = Traits(
        reach="netblock" if options.netblocks == "netmask" else "address",
        fenced=True,
        concurrency=options.concurrency,
        max_calls=options.max_calls,
        max_addresses=options.max_addresses,
        tlp=access.tlp(settings, Tlp.GREEN),
        fronts=True,
    )
    return _SilentPush(base, access.key(settings, "x-api-key"), options, now, traits)


@dataclass(frozen=True, slots=True)
class _Page:
    """Where an answer goes on: behind so many rows, and in which job if it is one; its text is `Reply.page`.

    Attributes:
        tries: how often the job was asked for.
        seen: what stands for the rows of the page before.
    """

    skip: int = 0
    job: str = ""
    tries: int = 0
    seen: str = ""

    def __str__(self) -> str:
        job, seen = f"job:{self.job}:{self.tries}:" if self.job else "", f"/{self.seen}" if self.seen else ""
        return f"{job}{self.skip}{seen}"

    @classmethod
    def of(cls, text: str) -> Self:
        """The page that a text stands for; the first one for what stands for none."""
        found = _PAGE.fullmatch(text)
        return cls() if found is None else cls(int(found[3]), found[1] or "", int(found[2] or 0), found[4] or "")


class _Job(msgspec.Struct):
    job_id: bodies.Scalar = None
    status: bodies.Scalar = None


class _Metadata(msgspec.Struct):
    results_total_at_least: bodies.Scalar = None


class _Document(msgspec.Struct):
    """The outside of an answer, or what stands within its `response`: either may hold what is looked for."""

    response: msgspec.Raw = msgspec.Raw()
    records: msgspec.Raw = msgspec.Raw()
    metadata: msgspec.Raw = msgspec.Raw()
    job_status: msgspec.Raw = msgspec.Raw()
    job_id: bodies.Scalar = None
    status: bodies.Scalar = None
    status_code: bodies.Scalar = None
    error: msgspec.Raw = msgspec.Raw()


class _Row(msgspec.Struct):
    """One row before any of it is believed; `rr…` and `time_…` as the Common Output Format has them."""

    query: Any = None
    answer: Any = None
    type: Any = None
    first_seen: Any = None
    last_seen: Any = None
    count: Any = None
    rrname: Any = None
    rdata: Any = None
    rrtype: Any = None
    time_first: Any = None
    time_last: Any = None


@dataclass(frozen=True, slots=True)
class _Found:
    """What an answer holds.

    Attributes:
        records: its rows, still to be read; None when it has no place for them.
        total: how many rows there are at least, over all pages; None when it is not told.
        job: the job that makes the answer, or the rest of it; "" when there is none.
        state: of the job, in capitals.
        code: that the answer gives itself; 200 when it gives none.
        error: in its own words; "" when there is none.
    """

    records: Sequence[msgspec.Raw] | None = None
    total: int | None = None
    job: str = ""
    state: str = ""
    code: int = 200
    error: str = ""


@dataclass(frozen=True, slots=True)
class _SilentPush(Provider):
    base: str
    credentials: Credentials
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        block = question.netblock
        address, _, length = block.cidrs()[0].partition("/")
        params = {} if block.size == 1 else {"netmask": length}
        path = f"answer/{'a' if block.version == 4 else 'aaaa'}/{address}"
        return self._asking(path, {**params, **_fences(question)}, _Page.of(question.page))

    def front_request(self, front: Front) -> Request:
        return self._asking(f"answer/cname/{quote(front.name, safe='')}", {}, _Page.of(front.page))

    def _asking(self, path: str, params: Mapping[str, str], page: _Page) -> Request:
        # The latest first: a row that changes between two pages moves to one that was read, and the next poll has it.
        ours = {"sort": "last_seen/desc", "skip": str(page.skip), "limit": str(self.options.limit), "with_metadata": "1"}
        return Request(
            f"{self.base}/explore/job/{page.job}" if page.job else f"{self.base}/explore/padns/lookup/{path}",
            params={"max_wait": _WAIT} if page.job else {**params, **ours, "max_wait": _WAIT},
            headers=_JSON,
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        return (yield from self._read(answer, rows, _said, question.page))

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        places = NetblockMap([parse_netblock(address) for address in front.rdata])
        rows = Rows(places, self.now(), answer.discretion, self.traits.tlp)
        return (yield from self._read(answer, rows, lambda row: _said_of(front, row), front.page))

    def _read(
        self, answer: Answer, rows: Rows, saying: Callable[[_Row], Said | str], page: str
    ) -> Generator[Batch, None, Reply]:
        body = answer.read()
        found = _found(body)
        _hear(rows, body)
        for raw in (found.records or ()) if found else ():
            row, text = bodies.one(raw, _Row), bytes(raw)  # a `Raw` is no bytes, whatever its annotations say
            said = NO_ROW if row is None else saying(row)
            if isinstance(said, str):
                rows.leave_out(said, text, understood=said != NO_ROW)
            else:
                rows.take(said, text)
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        return self._reply(found, rows, _Page.of(page), answer)

    def _reply(self, found: _Found | None, rows: Rows, page: _Page, answer: Answer) -> Reply:
        if found is None:
            return Reply(broken("the answer is no document of Silent Push: is the URL right?", 0))
        if found.code >= 400 or found.error:
            return _told_fault(found, answer)
        if found.job and not answer.holds_secret(found.job):
            return _of_job(found, page)
        if found.job or found.records is None:
            return Reply(broken("the answer has no place for records: is the URL right?", 0))
        return self._paged(found.records, found.total, rows.end("a row of Silent Push"), page)

    def _paged(self, records: Sequence[msgspec.Raw], total: int | None, end: End, page: _Page) -> Reply:
        """How a page ended whose rows were read."""
        count, seen = len(records), fingerprint(records)
        if count and seen == page.seen:
            return Reply(repeated(page.skip))
        behind = page.skip + count
        # Where no total is told, nothing but a page of nothing proves that it is the last one.
        more = count > 0 if total is None else count >= self.options.limit or total > behind
        if end.outcome is not Outcome.COMPLETE or not more:
            return Reply(end)
        return Reply(COMPLETE, page=str(_Page(behind, seen=seen))) if count else Reply(_FULL, limited=True)

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        page = _Page.of(question.page)
        if isinstance(err, AnswerTooBig):
            return Reply(replace(after_fault(err, 0), outcome=Outcome.PARTIAL), limited=True)
        if err.status == 202:
            found = _found(err.body)
            if found is None or not found.job or self.credentials.hidden.holds_secret(found.job):
                return None
            return _of_job(found, page)
        if err.status == 404 and page.job:
            return Reply(broken("the job that was to bring the answer is gone", 0, trouble=False), stale=True)
        if err.status == 404:
            return Reply(replace(broken(str(err), 0, trouble=False), doubted=True))
        return None


def _fences(question: Question) -> Mapping[str, str]:
    """Both ends of the window, each a second wider, should it not be counted in.

    Never below 1, as a negative number is counted back from now.
    """
    fences = {}
    if question.since is not None:
        fences["last_seen_after"] = str(max(math.floor(question.since.timestamp()) - 1, 1))
    if question.until is not None:
        fences["last_seen_before"] = str(max(math.ceil(question.until.timestamp()), 1))
    return fences


# -- answers ------------------------------------------------------------------------------------------------------------


def _found(body: bytes) -> _Found | None:
    """What an answer holds, wherever it stands; None when it is no JSON document of any known form."""
    outer = bodies.frame(body, _Document)
    if outer is None:
        alone = bodies.rows(body)
        return None if alone is None else _Found(alone)
    within = bodies.frame(outer.response, _Document)
    places = (outer,) if within is None else (within, outer)
    records = _records(outer.response, places)
    job, state = _job(places)
    if records is not None and (not state or state in _DONE):
        job, state = "", ""
    return _Found(
        records=records,
        total=_total(places),
        job=job,
        state=state,
        code=bodies.number(outer.status_code) or 200,
        error=next((bodies.one(one.error, str) or _NO_WORDS for one in places if bytes(one.error) not in _NO_ERROR), ""),
    )


def _hear(rows: Rows, body: bytes) -> None:
    """Hear what the document, or the `response` within it, says is wrong with it."""
    rows.frame(body)
    outer = bodies.frame(body, _Document)
    if outer is not None:
        rows.frame(bytes(outer.response))


def _records(response: msgspec.Raw, places: Sequence[_Document]) -> Sequence[msgspec.Raw] | None:
    for text in (response, *(place.records for place in places)):
        rows = bodies.rows(text)
        if rows is not None:
            return rows
    return None


def _total(places: Sequence[_Document]) -> int | None:
    said = (bodies.frame(place.metadata, _Metadata) for place in places)
    told = (bodies.number(one.results_total_at_least) for one in said if one is not None)
    return max((total for total in told if total is not None), default=None)


def _job(places: Sequence[_Document]) -> tuple[str, str]:
    """The job that makes the answer, and its state in capitals; nothing when there is none that can be asked for."""
    for place in places:
        job = bodies.frame(place.job_status, _Job) or _Job(place.job_id, place.status)
        if isinstance(job.job_id, str) and _JOB.fullmatch(job.job_id):
            return job.job_id, job.status.upper() if isinstance(job.status, str) else ""
    return "", ""


def _of_job(found: _Found, page: _Page) -> Reply:
    """How an answer goes on that a job is making."""
    if found.state in _FAILED:
        return Reply(End(Outcome.PARTIAL, "Silent Push could not finish the job that was to bring the answer"), limited=True)
    tries = page.tries + 1 if page.job else 0
    if tries >= JOBS:
        # A trouble, as the next poll goes on with the page of one, and begins all other answers anew.
        return Reply(broken("Silent Push is still making the answer", 0))
    return Reply(COMPLETE, page=str(_Page(page.skip, found.job, tries, page.seen)))


def _told_fault(found: _Found, answer: Answer) -> Reply:
    """How an answer ended that tells a fault by itself, under the status of an answer."""
    reason = f"Silent Push says {found.code}: {answer.shown(found.error) or 'it does not say why'}"
    end = broken(reason, 0, trouble=found.code >= 500)
    if found.code == 404:
        return Reply(replace(end, doubted=True))
    return Reply(replace(end, stop=found.code in _REFUSALS), over="burst" if found.code == 429 else None)


def _said(row: _Row) -> Said | str:
    name, value, kind = (
        row.rrname if row.query is None else row.query,
        row.rdata if row.answer is None else row.answer,
        row.rrtype if row.type is None else row.type,
    )
    if not isinstance(name, str) or not isinstance(value, str):
        return NO_ROW
    if isinstance(kind, str) and kind.upper() not in ADDRESS_TYPES:
        return OTHER_TYPE
    return Said(name, (value,), *_times(row), count=row.count)


def _said_of(front: Front, row: _Row) -> Said | str:
    if not isinstance(row.query, str) or not isinstance(row.answer, str):
        return NO_ROW
    if not is_alias(front, row.query, row.answer):
        return NO_ALIAS
    return Said(row.query, front.rdata, *_times(row), count=row.count, chain=(front.name,))


def _times(row: _Row) -> tuple[object, object]:
    first = row.time_first if row.first_seen is None else row.first_seen
    last = row.time_last if row.last_seen is None else row.last_seen
    return times.from_text(first), times.from_text(last)
