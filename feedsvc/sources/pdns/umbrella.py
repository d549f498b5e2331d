"""Umbrella Investigate of Cisco: passive DNS of its resolvers, of single addresses.

Asks `GET {url}/investigate/v2/pdns/ip/{address}`, the latest records first. Access: an API key of Umbrella with the scope
`investigate.investigate:read`, its id as `username_env` and its secret as `password_env`; they bring a token at
`{url}/auth/v2/token` (OAuth 2.0 client credentials, HTTP Basic). `url` is only needed for another server than
`https://api.umbrella.com`.

    Netblocks           no: each address is asked for, so a /24 costs 256 questions a poll and an IPv6 /64 is never asked
    Time filter         from the since-mark on: records come by `lastSeen`, the latest first, and pages are read until they
                        are older than that. Where an answer does not come in that order, all of its pages are read
    First / last seen   both, in milliseconds; no count
    Cap                 `page_size` records a page; `limit` and `offset` lead to 10,000 records of an address. Where it has
                        more, they are asked for by halves of the time, with `maxLastSeen`, down to an hour; if Umbrella does
                        not obey that, the address is partial
    Cost of a /24       256 questions, and one more for each further page
    Passing on          Cisco's terms decide: `green` unless `tlp` says otherwise
    Not found           an empty list; 404 is no record if it knew another address in the same poll
    Quotas              by `tier`, for the whole organisation: 3 questions a second, 12 for tiers 2 and 3; `integration` has
                        2,000 a day besides. 429 says that they came too fast: asked again after a second, a few times.
                        Logins are not counted, 20 a minute are allowed
    Names in front      asked for with `GET {url}/investigate/v2/pdns/domain/{name}`: the hosts whose CNAME is that name

Known from Cisco's OpenAPI description, and not verified on the service itself: the spelling of the parameters, that
`maxLastSeen` takes milliseconds, as the records have it, that `pdns/domain` lists the names that point at one and not those
that it points at, and at what time of day the 2,000 begin anew. `minLastSeen` is not used: if it were read in another unit,
an empty answer would look like no news. A list and a list in `records` are both read, and what `pageInfo` says beside it;
one that cannot be read makes the address partial.
Times are read from the ISO texts, which may lack seconds, where the numbers are none.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, AnswerTooBig, HttpError, Login, Request
from feedsvc.model import Allowance, Batch, End, Outcome, Tlp
from feedsvc.names import NetblockMap, parse_netblock
from feedsvc.sources import access, bodies, oauth, pages, times
from feedsvc.sources.aliases import NO_ALIAS, is_alias
from feedsvc.sources.cof import OTHER_TYPE, Rows
from feedsvc.sources.cof_rows import ADDRESS_TYPES, Said
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

SERVER = "https://api.umbrella.com"
FORM = "a record of Umbrella"
LIST = "a list of records"
NOT_A_RECORD = f"not {FORM}"

_RATES = {"integration": 3, 1: 3, 2: 12, 3: 12}  # calls a second, for an organisation
_A_DAY = 2_000  # calls of the tier `integration`
_PAUSE = 1.0  # seconds after a 429, which comes without a Retry-After
_PLACE = re.compile(r"([0-9]{1,9})(?:-([0-9a-f]{12}))?")
_NOTHING = frozenset({b"", b"null", b"[]", b"{}"})
_EARLIEST = 10**8  # seconds: the year 1973; a number of milliseconds that is earlier is one of seconds

_HINTS: Mapping[int, str] = {
    401: "Umbrella says so of a token that it did not give, and of one that has ended",
    403: "Umbrella says so of a key without the scope investigate.investigate:read, and without a licence for Investigate",
}


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of Umbrella Investigate.

    Attributes:
        tier: of the licence: `"integration"`, 1, 2 or 3; decides how fast and how often it is asked.
        page_size: records of one page, 10,000 at most. More than 500 may be cut down without a word.
        reach: records of one address that its pages lead to.
        concurrency: addresses asked at once.
        max_addresses: netblocks with more addresses are skipped.
        max_calls: questions that one netblock may cost in a poll; the next poll goes on.
        deadline: seconds for one page.
        max_bytes: of one page; a record has some 350.
    """

    tier: Literal["integration", 1, 2, 3] = "integration"
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    reach: Annotated[int, Field(ge=1)] = 10_000
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    max_calls: Annotated[int, Field(ge=1)] = 4096
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one API key; see the folder's docstring.

    Raises:
        OptionFaults: id or secret of the key lack, or a URL that is none.
    """
    base = access.base_url(settings, SERVER)
    traits = Traits(
        reach="address",
        fenced=True,
        concurrency=options.concurrency,
        max_addresses=options.max_addresses,
        max_calls=options.max_calls,
        allowances=_allowances(options),
        tlp=access.tlp(settings, Tlp.GREEN),
        fronts=True,
    )
    return _Umbrella(base, oauth.with_basic(settings, f"{base}/auth/v2/token"), options, now, traits)


def _allowances(options: Options) -> tuple[Allowance, ...]:
    burst = Allowance("burst", _RATES[options.tier], 1.0)
    return (burst, Allowance("day", _A_DAY)) if options.tier == "integration" else (burst,)


_FIELDS = {
    "first_seen": "firstSeen",
    "last_seen": "lastSeen",
    "first_seen_iso": "firstSeenISO",
    "last_seen_iso": "lastSeenISO",
    "page_info": "pageInfo",
}


class _Record(msgspec.Struct, rename=_FIELDS):
    name: Any = None
    rr: Any = None
    type: Any = None
    first_seen: Any = None
    last_seen: Any = None
    first_seen_iso: Any = None
    last_seen_iso: Any = None

    @property
    def span(self) -> tuple[object, object]:
        """When it was seen first and last, in seconds."""
        return _moment(self.first_seen, self.first_seen_iso), _moment(self.last_seen, self.last_seen_iso)


class _PageInfo(msgspec.Struct, rename="camel"):
    total_num_records: bodies.Scalar = None
    limit: bodies.Scalar = None
    has_more_records: bodies.Scalar = None


class _Wrapped(msgspec.Struct, rename=_FIELDS):
    records: msgspec.Raw
    page_info: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class _Umbrella(Provider):
    base: str
    credentials: Login
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        asked = self._request(f"ip/{next(question.netblock.addresses())}", question.page)
        if question.until is None:
            return asked
        return replace(asked, params={**asked.params, "maxLastSeen": str(int(question.until.timestamp()) * 1000)})

    def _request(self, about: str, page: str) -> Request:
        sorting = {"sortby": "lastSeen", "sortorder": "desc"}
        return Request(
            f"{self.base}/investigate/v2/pdns/{about}",
            params={"limit": str(self.options.page_size), "offset": str(_place(page)[0]), **sorting},
            headers={"Accept": "application/json"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        page = _page(answer, rows, self.options, question.page)
        last_seen: list[object] = []
        for raw in page.records:
            last_seen.append(_take(raw, rows))
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        end = rows.end(FORM)
        return Reply(end) if end != COMPLETE else _reply(page, question, last_seen, self.options.reach)

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        end = after_fault(err, 0)
        if err.status == 404:
            reason = f"{self.base}/investigate/v2/pdns/: 404 for each address: is the URL right?"
            return Reply(replace(broken(reason, 0, trouble=False), doubted=True))
        if err.status == 429:
            stay = _PAUSE if end.retry_after is None else end.retry_after
            return Reply(replace(end, retry_after=stay), over="burst", crowded=True)
        hint = "raise max_bytes or lower page_size" if isinstance(err, AnswerTooBig) else _HINTS.get(err.status or 0)
        return Reply(replace(end, reason=f"{end.reason}; {hint}")) if hint else None

    def front_request(self, front: Front) -> Request:
        """The request for the records whose answer is the name."""
        return self._request(f"domain/{quote(front.name, safe='')}", front.page)

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        """The hosts of CNAME records; of other types nothing is wanted."""
        within = NetblockMap([parse_netblock(address) for address in front.rdata])
        rows = Rows(within, self.now(), answer.discretion, self.traits.tlp)
        page = _page(answer, rows, self.options, front.page)
        for raw in page.records:
            _take_alias(raw, rows, front)
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        end = rows.end(FORM)
        return Reply(end) if end != COMPLETE else _following(page, self.options.reach)


# -- pages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Page:
    """What came of one question.

    Attributes:
        end: how many records came until now, those of the pages before included.
        more: whether there may be more of them; None when something stands there that cannot be read.
        seen: what stands for these records.
        repeats: whether they are those of the page before.
    """

    records: Sequence[msgspec.Raw]
    end: int
    more: bool | None
    seen: str = ""
    repeats: bool = False


def _place(page: str) -> tuple[int, str]:
    """How many records are behind us, and what stands for the last page of them; the beginning for what is no place."""
    read = _PLACE.fullmatch(page)
    return (int(read[1]), read[2] or "") if read else (0, "")


def _page(answer: Answer, rows: Rows, options: Options, page: str) -> _Page:
    raw = rows.framed(answer, msgspec.Raw, LIST)
    wrapped = bodies.frame(raw, _Wrapped) or _Wrapped(raw)
    records = bodies.rows_of(answer, wrapped.records, LIST)
    start, before = _place(page)
    end, seen = start + len(records), pages.fingerprint(records)
    if records and seen == before:
        return _Page(records, end, None, repeats=True)
    info = _PageInfo() if bytes(wrapped.page_info) in _NOTHING else bodies.frame(wrapped.page_info, _PageInfo)
    return _Page(records, end, None if info is None else _has_more(len(records), end, options.page_size, info), seen)


def _has_more(given: int, end: int, page_size: int, info: _PageInfo) -> bool:
    """Whether there may be a further page: a full one may be the last, and one that says so is not."""
    total, limit = bodies.number(info.total_num_records), bodies.number(info.limit)
    full = given >= min(page_size, limit or page_size)
    return full or info.has_more_records is True or (total is not None and total > end)


def _reply(page: _Page, question: Question, last_seen: Sequence[object], reach: int) -> Reply:
    moments = [one for one in last_seen if isinstance(one, int)]
    if page.repeats:
        return Reply(pages.repeated(page.end))
    if question.until is not None and any(one > question.until.timestamp() for one in moments):
        return Reply(End(Outcome.PARTIAL, "maxLastSeen is not obeyed, so there is no way to all of its records"))
    if question.since is not None and len(moments) == len(last_seen) and _older(moments, question.since.timestamp()):
        return Reply(COMPLETE)
    return _following(page, reach)


def _older(moments: Sequence[int], since: float) -> bool:
    """Whether what follows these is older: they come the latest first, and the last one is."""
    return bool(moments) and list(moments) == sorted(moments, reverse=True) and moments[-1] < since


def _following(page: _Page, reach: int) -> Reply:
    if page.repeats:
        return Reply(pages.repeated(page.end))
    if page.more is None:
        return Reply(broken("its pageInfo cannot be read, so there may be more", page.end))
    if not page.more:
        return Reply(COMPLETE)
    if not page.records:
        return Reply(broken(f"says that there are more than {page.end:,} records, and gives none", page.end, trouble=False))
    if page.end >= reach:
        return Reply(End(Outcome.PARTIAL, f"has more than the {reach:,} records that can be asked for"), limited=True)
    return Reply(COMPLETE, page=f"{page.end}-{page.seen}")


# -- records -----------------------------------------------------------------------------------------------------------


def _record(raw: msgspec.Raw, rows: Rows) -> _Record | None:
    record = bodies.one(raw, _Record)
    if record is None or not isinstance(record.name, str) or not isinstance(record.rr, str):
        rows.leave_out(NOT_A_RECORD, bytes(raw), understood=False)
        return None
    return record


def _take(raw: msgspec.Raw, rows: Rows) -> object:
    """Take one record; when it was last seen, as it says."""
    record = _record(raw, rows)
    if record is None:
        return None
    first, last = record.span
    if record.type is not None and str(record.type).upper() not in ADDRESS_TYPES:
        rows.leave_out(OTHER_TYPE, bytes(raw), understood=True)
    else:
        rows.take(Said(record.rr, [record.name], first, last), bytes(raw))
    return last


def _take_alias(raw: msgspec.Raw, rows: Rows, front: Front) -> None:
    """Take the host of a CNAME record: `rr`, as `name` is what was asked about."""
    record = _record(raw, rows)
    if record is None:
        return
    if str(record.type).upper() == "CNAME" and is_alias(front, record.rr, record.name):
        rows.take(Said(record.rr, front.rdata, *record.span, chain=(front.name,)), bytes(raw))
    else:
        rows.leave_out(NO_ALIAS, bytes(raw), understood=True)


def _moment(number: object, text: object) -> object:
    """Seconds, out of milliseconds or, where these are none, out of an ISO text."""
    seconds = times.from_milliseconds(number)
    if type(seconds) is not int:
        return number if text is None else times.from_text(text)
    # Cisco's description has seconds in some of its examples.
    return seconds if seconds >= _EARLIEST else number
