"""Passive DNS of mnemonic, API version 3: open to all, and larger with a key.

Asks `GET {url}/pdns/v3/{address}` for records of the address's own type. `url` is only needed for another server than
mnemonic's. No key is needed; with `api_key_env` it goes into the header `Argus-API-Key`, as mnemonic's own client sends it.

    Netblocks           no: each address is asked for; a netblock in the path is a 404
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both, in milliseconds; a count. A time of 0 is one that was not told, and is left out
    Cap                 1,000 rows a page without a key, 10,000 with one (`page_size`). The number is always sent: without it
                        25 rows come and nothing says so; one that is too large is a 412. Further pages follow by `offset`
                        until as many rows came as `count` says. A row flagged `partialResult`, or a `count` of exactly one
                        full page (by our number, or by a lower one that the answer tells), means that more is there than
                        was given: partial, as nothing narrower can be asked
    Cost of a /24       256 questions a poll, and one more for each further page. Without a key that takes 26 minutes, and a
                        quarter of a day's quota
    Passing on          each row says how far, and that is kept: white or clear, green, amber, red; any other text is taken
                        for amber. `tlp` raises it and never lowers it. Rows that do not say: clear without a key, green with
                        one, where the agreement decides
    Not found           200 with a `count` of 0; 404 is a wrong URL
    Quotas              without a key, 10 questions a minute and 1,000 a day. A spent one is a 402 that says for how long
    Names in front      yes: the names that had this one as their CNAME, a question each

Pages over rows that change: those seen last come first, so a row that is seen again while the pages are turned jumps to the
front. When `count` is another on a later page, the address is asked from its first page again, three times at most, and is
partial then. When it is the same, a row may still have jumped from a page not yet read to one that was: this poll misses it,
and it stands first in the next. Most addresses have one page, and none of this concerns them.

Not verified: what the flag `partialResult` means, as mnemonic's documentation does not mention it. It was seen on answers
that were cut off, and on rows without their first time in answers to questions without a type; neither is taken for whole.
Nor were the quotas of a key.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.errors import SourceError
from feedsvc.http import Answer, Credentials, HttpError, Request
from feedsvc.model import Allowance, Batch, Tlp
from feedsvc.names import NetblockMap, parse_netblock
from feedsvc.sources import access, bodies, pages, times
from feedsvc.sources.aliases import NO_ALIAS, is_alias
from feedsvc.sources.cof import NOT_JSON, OTHER_TYPE, Rows
from feedsvc.sources.cof_rows import Said
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.pages import Place
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

SERVER = "https://api.mnemonic.no"
PATH = "/pdns/v3"
PUBLIC_ROWS, KEYED_ROWS = 1_000, 10_000
PUBLIC_QUOTAS = (Allowance("burst", 10, seconds=60.0), Allowance("day", 1_000))
"""What the documentation allows who has no key: docs.mnemonic.no, "Public API"."""

FORM = "a page of mnemonic's API"
_CAPPED = "it says that there are more rows than it gave (partialResult)"
_FULL = "it has exactly as many rows as may be had at once, so there may be more"
_ADDRESSES = frozenset({"a", "aaaa"})
_SPENT = frozenset({402, 429})
_TLPS: Mapping[str, Tlp] = {"white": Tlp.CLEAR, **{str(tlp): tlp for tlp in Tlp}}
_MINUTE, _DAY = 60.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of mnemonic.

    Attributes:
        page_size: rows of one page; 0 asks for as many as may be had, 1,000 without a key and 10,000 with one.
        concurrency: addresses asked at once.
        max_addresses: netblocks with more addresses are skipped.
        deadline: seconds for one page.
        max_bytes: of one page; one that is longer is not read.
    """

    page_size: Annotated[int, Field(ge=0, le=100_000)] = 0
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider with or without a key; see the folder's docstring.

    Raises:
        OptionFaults: a key that no header can carry, or a URL that is none.
    """
    base = access.base_url(settings, SERVER, PATH)
    keyed = "api_key" in settings.secrets
    traits = Traits(
        reach="address",
        concurrency=options.concurrency,
        max_addresses=options.max_addresses,
        allowances=() if keyed else PUBLIC_QUOTAS,
        tlp=access.tlp(settings, Tlp.GREEN if keyed else Tlp.CLEAR),
        fronts=True,
    )
    return _Mnemonic(
        base=base,
        credentials=access.key(settings, "Argus-API-Key") if keyed else None,
        options=options,
        page_size=options.page_size or (KEYED_ROWS if keyed else PUBLIC_ROWS),
        least=settings.tlp or Tlp.CLEAR,
        now=now,
        traits=traits,
    )


@dataclass(frozen=True, slots=True)
class _Mnemonic(Provider):
    """Attributes are as in `build`; `least` is how closed every observation is at least."""

    base: str
    credentials: Credentials | None
    options: Options
    page_size: int
    least: Tlp
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        address = next(question.netblock.addresses())
        return self._request(str(address), "a" if address.version == 4 else "aaaa", question.page)

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        return (yield from self._read(answer, question.page, rows, self._of_address))

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        end = after_fault(err, 0)
        if err.status == 412:
            return Reply(replace(end, reason=f"{end.reason}; that is said of a page_size that is more than one may have"))
        if err.status == 402:
            wait = _wait(err.body)
            return Reply(replace(end, retry_after=wait, stop=True), over="day" if (wait or 0.0) > _MINUTE else "burst")
        return None

    def front_request(self, front: Front) -> Request:
        return self._request(front.name, "cname", front.page)

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        addresses = NetblockMap([parse_netblock(address) for address in front.rdata])
        rows = Rows(addresses, self.now(), answer.discretion, self.traits.tlp)
        return (yield from self._read(answer, front.page, rows, lambda row: self._of_front(row, front)))

    def _request(self, asked: str, rrtype: str, page: str) -> Request:
        offset = pages.place(page).rows
        return Request(
            f"{self.base}/{quote(asked, safe=':')}",
            params={"limit": str(self.page_size), "offset": str(offset), "rrType": rrtype},
            headers={"Accept": "application/json"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def _read(
        self, answer: Answer, asked: str, rows: Rows, say: Callable[[_Row], Said | str]
    ) -> Generator[Batch, None, Reply]:
        """Read one page; `say` has what a row says, or why it says nothing about the question."""
        here = pages.place(asked)
        page = _page(answer, rows, here)
        lacking = here.lacking
        for sample in page.rows:
            row = bodies.one(sample, _Row)
            said = NOT_JSON if row is None else say(row)
            lacking = lacking or (row is not None and row.is_capped)
            if isinstance(said, str):
                rows.leave_out(said, bytes(sample), understood=row is not None and row.is_known)
            else:
                rows.take(said, bytes(sample))
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        return self._reply(replace(here, lacking=lacking), rows, page)

    def _of_address(self, row: _Row) -> Said | str:
        return self._said(row, (row.answer,)) if row.type in _ADDRESSES else OTHER_TYPE

    def _of_front(self, row: _Row, front: Front) -> Said | str:
        names = isinstance(row.query, str) and isinstance(row.answer, str)
        points = names and row.type == "cname" and is_alias(front, row.query, row.answer)
        return self._said(row, front.rdata, (front.name,)) if points else NO_ALIAS

    def _said(self, row: _Row, rdata: Sequence[object], chain: tuple[str, ...] = ()) -> Said:
        return Said(
            rrname=row.query,
            rdata=rdata,
            time_first=_moment(row.first_seen_timestamp),
            time_last=_moment(row.last_seen_timestamp),
            count=row.times,
            tlp=self._tlp(row.tlp),
            chain=chain,
        )

    def _tlp(self, value: object) -> Tlp | None:
        """How far a row may be passed on; None when it does not say."""
        if value is None:
            return None
        told = _TLPS.get(value.strip().lower(), Tlp.AMBER) if isinstance(value, str) else Tlp.AMBER
        return max(told, self.least, key=lambda tlp: tlp.rank)

    def _reply(self, here: Place, rows: Rows, page: _Page) -> Reply:
        end = rows.end("one of mnemonic's")
        if end == COMPLETE and (page.size or 0) > len(page.rows):
            end = broken(f"the page says that it holds {page.size:,} rows, and holds {len(page.rows):,}", rows.understood)
        after = pages.following(here, rows.seen, page.told, pages.fingerprint(page.rows)) if end == COMPLETE else end
        if isinstance(after, Place):
            return Reply(COMPLETE, page=str(after))
        if after != COMPLETE:
            return Reply(after)
        if here.lacking:
            return _limited(_CAPPED, here.rows + rows.seen)
        if here.number == 1 and rows.seen >= max(page.told, min(self.page_size, page.limit or self.page_size)):
            return _limited(_FULL, rows.seen)
        return Reply(COMPLETE)


class _Row(msgspec.Struct, rename="camel"):
    """One row before any of it is believed."""

    query: Any = None
    answer: Any = None
    rrtype: Any = None
    first_seen_timestamp: Any = None
    last_seen_timestamp: Any = None
    times: Any = None
    tlp: Any = None
    flags: Any = None

    @property
    def type(self) -> str:
        """`a`, `cname` and so on; "" when it is none."""
        return self.rrtype.lower() if isinstance(self.rrtype, str) else ""

    @property
    def is_known(self) -> bool:
        """Whether it is a row at all, whatever it is about."""
        return self.type != "" and isinstance(self.query, str)

    @property
    def is_capped(self) -> bool:
        """Whether it says that its answer is not whole."""
        return isinstance(self.flags, list) and "partialResult" in self.flags


class _Frame(msgspec.Struct, rename="camel"):
    """What stands around the rows of a page."""

    response_code: bodies.Scalar = None
    count: bodies.Scalar = None
    size: bodies.Scalar = None
    offset: bodies.Scalar = None
    limit: bodies.Scalar = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    messages: msgspec.Raw = msgspec.Raw(b"nothing")
    meta_data: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class _Page:
    """The rows of a page, still to be read.

    Attributes:
        size: how many there are on it, as the server says.
        told: how many there are on all pages.
        limit: how many fit on one, as the server says.
    """

    rows: Sequence[msgspec.Raw]
    size: int | None
    told: int
    limit: int | None


def _page(answer: Answer, reading: Rows, here: Place) -> _Page:
    """The page that was asked for.

    Raises:
        SourceError: the answer is another page, or none; an HttpError when it is a refusal inside of a 200.
    """
    frame = reading.framed(answer, _Frame, FORM)
    code = frame.response_code
    if type(code) is int and code != 200:
        raise _refusal(code, frame, answer.shown(bytes(frame.messages)))
    told = pages.number_of_rows(frame.count)
    if code != 200 or told is None:
        raise SourceError("the answer does not say how many rows there are: is the URL right?")
    if frame.offset not in (None, here.rows):
        raise SourceError(f"the answer begins at another row than the {here.rows:,} that was asked for")
    rows = () if bytes(frame.data) == b"null" else bodies.rows_of(answer, frame.data, FORM)
    return _Page(rows, bodies.number(frame.size), told, bodies.number(frame.limit))


def _refusal(code: int, frame: _Frame, said: str) -> HttpError:
    """A refusal that came inside of a 200, as one that came outside of it."""
    return HttpError(
        f"{code}, inside of a 200 (it says: {said})",
        status=code,
        transient=code >= 500,
        permanent=400 <= code < 500 and code not in _SPENT,
        body=b'{"metaData":' + bytes(frame.meta_data) + b"}",
    )


def _moment(value: object) -> object:
    """Seconds; None for the 0 that stands where a time is not told."""
    seconds = times.from_milliseconds(value)
    return None if seconds == 0 else seconds


def _limited(reason: str, rows: int) -> Reply:
    return Reply(broken(reason, rows, trouble=False), limited=True)


class _Refusal(msgspec.Struct, rename="camel"):
    """The part of a refusal that says when it is none any more."""

    meta_data: Any = None


def _wait(body: bytes) -> float | None:
    """Seconds that a spent quota asks us to stay away; None when it does not say."""
    refusal = bodies.one(body, _Refusal)
    said = bodies.field(refusal.meta_data, "millisUntilResourcesAvailable") if refusal else None
    seconds = times.from_milliseconds(said)
    return min(seconds + 1.0, _DAY) if type(seconds) is int and seconds >= 0 else None
