"""Validin (validin.com): the history of its own daily resolution of names, with a small free plan.

Asks `GET {url}/api/axon/ip/dns/history/{address}`, with `/{prefix length}` behind it for a netblock, and reads one JSON
document (docs.validin.com/docs/standard-response). Needs `api_key_env`, sent as `Authorization: Bearer`; `url` is another
host than app.validin.com, as enterprises have one.

    Netblocks           yes, as one CIDR prefix. Not verified: how short it may be, and whether IPv6 prefixes are known
    Time filter         since the last complete answer, less the overlap, by `lookback`, in whole days; one more day is asked
                        for, as days are coarse. Not verified: that it reaches back from the last time that a name was
                        seen. `first_seen` and `last_seen` are not sent: nothing says whether they narrow
                        by the first or by the last time that a name was seen, and the wrong one would hide names that were
                        known before. So a cut answer is asked for in parts of the netblock, never of time
    First / last seen   both, in seconds, rounded by Validin to 6 hours; texts in ISO 8601 are read as well. No count
    Cap                 the plan's own rows an answer: 250 free, 20,000 and more for enterprises; `limit` can only lower it.
                        A cut answer says `limited: true`; the netblock is then asked in halves, down to single addresses.
                        An answer that does not say is not called complete, nor one with fewer rows than it counts
    Cost of a /24       a /24 costs one call, and more when its answer was cut
    Names in front      yes: the rows `CNAME_FOR` of `/api/axon/domain/dns/extra/{name}`, one call a name. Not verified: on
                        which side of such a row the alias stands; the side that is not the asked name is taken
    Passing on          as your contract with Validin says: `green` here, and `tlp = "amber"` raises it
    Not found           200 without records. Not verified: some say it is 404, which is believed when Validin knows something
                        else in the same poll
    Quotas              of the free plan unless set: 10 calls a day and 50 a month (`calls_per_day`, `calls_per_month`, 0 for
                        none). What `/api/profile/usage` says is left counts more. Not verified: its form, and that asking
                        for it costs no call. 429 is taken for a day that is spent

Name and address may stand in either place of a row, and are told apart row by row. Rows of other types (PTR, NS_FOR, NX),
and addresses outside the netblock, are counted and left out. The host api.validin.com of Validin's own pages did not exist
in September 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.errors import NameRefused, SourceError
from feedsvc.http import Answer, AnswerTooBig, Credentials, HttpError, Request
from feedsvc.model import Allowance, Batch, End, Learnt, Outcome, Span, Tlp
from feedsvc.names import NetblockMap, parse_name, parse_netblock
from feedsvc.sources import access, bodies, times
from feedsvc.sources.aliases import NO_ALIAS
from feedsvc.sources.cof import OTHER_TYPE, Rows
from feedsvc.sources.cof_rows import Said
from feedsvc.sources.endings import after_fault, broken
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

SERVER = "https://app.validin.com"
FORM = "a document of Validin"
NO_ROW = "not a row of Validin"

_JSON = {"Accept": "application/json"}
_TYPES = frozenset({"A", "AAAA"})
_KINDS = frozenset({"dom", "ip4", "ip6"})
_DAY = timedelta(days=1)
_FULL = End(Outcome.PARTIAL, "has more names than the plan gives at once")


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of Validin.

    Attributes:
        limit: rows of one answer; 0 leaves it to the plan, which is as many as the key may have.
        calls_per_day: calls that the plan allows in a day; 0 when it does not count days.
        calls_per_month: calls that the plan allows in a month; 0 when it does not count months.
        max_calls: calls that one netblock may cost in a poll when answers are cut; the next poll goes on.
        concurrency: calls under way at once.
        deadline: seconds for one answer.
        max_bytes: of one answer; one that is longer is asked for in halves as well.
    """

    limit: Annotated[int, Field(ge=0)] = 0
    calls_per_day: Annotated[int, Field(ge=0)] = 10
    calls_per_month: Annotated[int, Field(ge=0)] = 50
    max_calls: Annotated[int, Field(ge=1)] = 256
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one key; see the folder's docstring.

    Raises:
        OptionFaults: no key, or a URL that is none.
    """
    traits = Traits(
        reach="netblock",
        concurrency=options.concurrency,
        max_calls=options.max_calls,
        allowances=tuple(_allowances(options)),
        tlp=access.tlp(settings, Tlp.GREEN),
        fronts=True,
    )
    base = access.base_url(settings, SERVER).removesuffix("/api")
    return _Validin(base, access.key(settings, "Authorization", "Bearer "), options, now, traits)


def _allowances(options: Options) -> Iterator[Allowance]:
    if options.calls_per_day:
        yield Allowance("day", options.calls_per_day)
    if options.calls_per_month:
        yield Allowance("month", options.calls_per_month)


class _Document(msgspec.Struct):
    """The outside of every answer."""

    records: msgspec.Raw
    status: bodies.Scalar = None
    limited: bodies.Scalar = None
    records_returned: bodies.Scalar = None


class _Row(msgspec.Struct):
    """One row before any of it is believed, but that it has two sides."""

    key: str
    value: str
    value_type: Any = None
    first_seen: Any = None
    last_seen: Any = None


class _Figures(msgspec.Struct):
    daily: Any = None
    monthly: Any = None


class _Usage(msgspec.Struct):
    """What is left of the quotas."""

    remaining: _Figures


@dataclass(frozen=True, slots=True)
class _Validin(Provider):
    base: str
    credentials: Credentials
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        address, _, length = question.netblock.cidrs()[0].partition("/")
        tail = "" if question.netblock.size == 1 else f"/{length}"
        lookback = {} if question.since is None else {"lookback": str(_days(question.since, self.now()))}
        return self._asking(f"ip/dns/history/{address}{tail}", lookback)

    def front_request(self, front: Front) -> Request:
        return self._asking(f"domain/dns/extra/{quote(front.name, safe='')}", {})

    def _asking(self, path: str, params: Mapping[str, str]) -> Request:
        limit = {"limit": str(self.options.limit)} if self.options.limit else {}
        return Request(
            f"{self.base}/api/axon/{path}",
            params={**params, **limit},
            headers=_JSON,
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        return (yield from _read(answer, rows, _said))

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        places = NetblockMap([parse_netblock(address) for address in front.rdata])
        rows = Rows(places, self.now(), answer.discretion, self.traits.tlp)
        return (yield from _read(answer, rows, lambda kind, row: _said_of(front, kind, row)))

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        if isinstance(err, AnswerTooBig):
            return Reply(replace(after_fault(err, 0), outcome=Outcome.PARTIAL), limited=True)
        if err.status == 404:
            return Reply(replace(broken(str(err), 0, trouble=False), doubted=True))
        if err.status == 429:
            return Reply(after_fault(err, 0), over="day")
        return None

    def quota_request(self) -> Request:
        return Request(
            f"{self.base}/api/profile/usage",
            headers=_JSON,
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=65_536,
        )

    def read_quota(self, body: bytes, now: datetime) -> Sequence[Learnt]:
        del now
        usage = bodies.one(body, _Usage)
        if usage is None:
            return ()
        left: tuple[tuple[Span, int | None], ...] = (
            ("day", bodies.number(usage.remaining.daily)),
            ("month", bodies.number(usage.remaining.monthly)),
        )
        return [Learnt(span, left=calls) for span, calls in left if calls is not None]


def _days(since: datetime, now: datetime) -> int:
    """Whole days that reach back to a moment, and one more."""
    return max(-((since - now) // _DAY), 0) + 1


# -- answers ------------------------------------------------------------------------------------------------------------

_Saying = Callable[[str, _Row], Said | str]
"""What a row of a type says, or why it is left out."""


def _read(answer: Answer, rows: Rows, saying: _Saying) -> Generator[Batch, None, Reply]:
    document = rows.framed(answer, _Document, FORM)
    records = bodies.members(document.records)
    if records is None:
        raise SourceError(f"the answer is not {FORM}: is the URL right? (it has no records by their types)")
    for kind, text in _rows(records):
        row = bodies.one(text, _Row)
        said = NO_ROW if row is None else saying(kind, row)
        if isinstance(said, str):
            rows.leave_out(said, text, understood=row is not None)
        else:
            rows.take(said, text)
        if rows.full:
            yield rows.batch()
    yield rows.batch()
    return _reply(document, rows, answer)


def _rows(records: Mapping[str, msgspec.Raw]) -> Iterator[tuple[str, bytes]]:
    """Every row with its type; what stands in place of an array of rows comes as one row, to be counted."""
    for kind, text in records.items():
        rows = bodies.rows(text)
        for row in [text] if rows is None else rows:
            yield kind.upper(), bytes(row)  # a `Raw` is no bytes, whatever its annotations say


def _said(kind: str, row: _Row) -> Said | str:
    other = isinstance(row.value_type, str) and row.value_type.lower() not in _KINDS
    if other or kind.removesuffix("_FOR") not in _TYPES:
        return OTHER_TYPE
    return Said(row.key, (row.value,), times.from_text(row.first_seen), times.from_text(row.last_seen))


def _said_of(front: Front, kind: str, row: _Row) -> Said | str:
    alias = row.value if _is(row.key, front.name) else row.key
    about = _is(row.key, front.name) or _is(row.value, front.name)
    if kind != "CNAME_FOR" or not about or _is(alias, front.name):
        return NO_ALIAS
    first, last = times.from_text(row.first_seen), times.from_text(row.last_seen)
    return Said(alias, front.rdata, first, last, chain=(front.name,))


def _is(text: str, name: str) -> bool:
    try:
        return parse_name(text) == name
    except NameRefused:
        return False


def _reply(document: _Document, rows: Rows, answer: Answer) -> Reply:
    """How an answer ended."""
    if not isinstance(document.status, str) or document.status.lower() != "finished":
        state = answer.shown(document.status) if isinstance(document.status, str) else "it has no status"
        return Reply(broken(f"Validin did not finish its answer: {state}", rows.understood))
    if document.limited is True:
        return Reply(_FULL, limited=True)
    if document.limited is not False:
        return Reply(broken("the answer does not say whether it is all there is (limited)", rows.understood))
    told, end = bodies.number(document.records_returned), rows.end("a row of Validin")
    if end.outcome is Outcome.COMPLETE and told is not None and told > rows.seen:
        return Reply(broken(f"the answer says that it holds {told:,} rows, and holds {rows.seen:,}", rows.understood))
    return Reply(end)
