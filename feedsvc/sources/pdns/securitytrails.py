"""SecurityTrails of Recorded Future, API version 1: which names have an address now.

Asks `POST {url}/v1/domains/list` with `{"filter": {"ipv4": "198.51.100.0/24"}}` and the key of `api_key_env` in `APIKEY`.
`url` is only needed for another server than SecurityTrails' own; `/v1` is put behind it when it has no path.

    Netblocks           IPv4 prefixes: whether there is a name. IPv6 prefixes are documented nowhere, see `ipv6_prefixes`
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   neither, and no count: a name is there, or it is not. It was seen when we asked
    Cap                 pages of 100 names, of which the first `max_page` (100) can be had. An address with more names than
                        that is partial, and said so on its first page: no further one is paid for
    Cost of a /24       one question when it is empty, about 20 with one name, 257 with names everywhere, 320 at the worst;
                        and one more for each further page
    Passing on          green, unless `tlp` says otherwise: your contract decides, and `tlp = "amber"` is often what it means
    Not found           200 with a `record_count` of 0; 404 is a wrong URL
    Quotas              by month, told by `/v1/account/usage`; by second, told by a header. A 429 does not say which of them
                        is spent: it counts as that of a second, and as that of a day when it comes again after a pause
    Names in front      yes: the names that have this one as their CNAME now, a question each

Why a netblock costs more than a question: its answer lists names and not the address of each, and a name without its address
is no evidence. The parameter `include_ips` would add addresses, by resolving the names (so says SecurityTrails'
documentation), and whoever runs them would learn that somebody watches: it is always sent as false. So a netblock is asked
about first. When it has no names, that is the answer. When it has few, it is asked in halves, and an empty half is answered
by a question. When it has many (one to eight addresses), its addresses are asked one after the other.

Current state only: a name that came and went between two polls was never there, and one that left does not come back. That a
name is missing proves nothing, and expires nothing before its time. Poll often, or beside a provider that remembers.

Not verified: that a netblock's `record_count` of 0 holds for IPv6 prefixes as well (one of up to 256 addresses is asked
address by address, a larger one is not answered, unless `ipv6_prefixes` says so); whether asking for the usage is free;
whether the filter for CNAMEs wants the exact name; the headers, which were recorded in 2019.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.errors import SourceError
from feedsvc.http import Answer, Credentials, HttpError, Request
from feedsvc.model import Batch, End, Learnt, Outcome, Tlp
from feedsvc.names import Address, Netblock, NetblockMap, parse_netblock
from feedsvc.sources import access, bodies, pages
from feedsvc.sources.cof import Rows
from feedsvc.sources.cof_rows import Said
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.pages import Place
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

SERVER = "https://api.securitytrails.com"
PATH = "/v1"
FORM = "a list of domains"
PAGE = 100
"""Names of one page."""

ONE_BY_ONE = 256
"""A netblock of so many addresses may be asked address by address, as one piece."""

SPARSE = 8
"""A netblock with fewer names than one to so many addresses is asked in halves: that is cheaper then."""

_UNTOLD = End(Outcome.PARTIAL, "the answer about a netblock does not say which address a name has")
_HINTS: Mapping[int, str] = {
    403: "SecurityTrails says so of a bad key, and of what the plan does not include",
    429: "SecurityTrails says so when the month's quota is spent, and when questions come too fast",
}
_OF_USAGE = 65_536  # bytes of the answer about the quota
_AT = re.compile(r"([0-9]{1,3}):([0-9a-f-]+)")


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of SecurityTrails.

    Attributes:
        max_calls: questions that one netblock may cost in a poll; the next poll goes on.
        concurrency: questions under way at once; a key may ask few in a second.
        ipv6_prefixes: an empty answer about an IPv6 prefix is believed. Set it once a prefix was seen to find a name that is
            known to be there.
        deadline: seconds for one page.
        max_bytes: of one page; one that is longer is not read.
    """

    max_calls: Annotated[int, Field(ge=1)] = 1024
    concurrency: Annotated[int, Field(ge=1, le=64)] = 1
    ipv6_prefixes: bool = False
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one key; see the folder's docstring.

    Raises:
        OptionFaults: no key, or a URL that is none.
    """
    base = access.base_url(settings, SERVER, PATH)
    traits = Traits(
        reach="netblock",
        concurrency=options.concurrency,
        max_calls=options.max_calls,
        tlp=access.tlp(settings, Tlp.GREEN),
        fronts=True,
    )
    return _SecurityTrails(base, access.key(settings, "APIKEY"), options, now, traits)


@dataclass(frozen=True, slots=True)
class _At:
    """The address of a netblock that is asked about, counted from 0, and the page of its names."""

    address: int = 0
    place: Place = field(default_factory=Place)

    def __str__(self) -> str:
        return f"{self.address}:{self.place}"

    def within(self, netblock: Netblock) -> Address:
        """The address itself."""
        return Address(netblock.version, netblock.first + self.address)


@dataclass(frozen=True, slots=True)
class _SecurityTrails(Provider):
    base: str
    credentials: Credentials
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        at = self._at(question)
        asked = _text(question.netblock) if at is None else str(at.within(question.netblock))
        return self._list(f"ipv{question.netblock.version}", asked, 1 if at is None else at.place.number)

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        at, netblock = self._at(question), question.netblock
        rows = Rows(netblock, self.now(), answer.discretion, self.traits.tlp)
        listing = _listing(answer, rows, 1 if at is None else at.place.number)
        if at is None:
            end = rows.end()
            return self._about(netblock, listing.count) if end == COMPLETE else Reply(end)
        yield from _told(listing, rows, (str(at.within(netblock)),))
        return _after(at, listing, rows, netblock)

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        hint = _HINTS.get(err.status or 0)
        if hint is None:
            return None
        end = after_fault(err, 0)
        return Reply(replace(end, reason=f"{end.reason}; {hint}"), over="burst" if err.status == 429 else None)

    def quotas(self, headers: Mapping[str, str], now: datetime) -> Sequence[Learnt]:
        del now
        limit = bodies.number(headers.get("x-ratelimit-limit-second"))
        # What is left of a second is out of date when it is read.
        return (Learnt("burst", limit=limit, seconds=1.0),) if limit else ()

    def quota_request(self) -> Request:
        return Request(
            f"{self.base}/account/usage",
            headers=_HEADERS,
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=_OF_USAGE,
        )

    def read_quota(self, body: bytes, now: datetime) -> Sequence[Learnt]:
        del now
        usage = bodies.one(body, _Usage) or _Usage()
        used, allowed = bodies.number(usage.current_monthly_usage), bodies.number(usage.allowed_monthly_usage)
        if used is None or allowed is None:
            return ()
        return (Learnt("month", limit=allowed, left=max(allowed - used, 0)),)

    def front_request(self, front: Front) -> Request:
        return self._list("cname", front.name, pages.place(front.page).number)

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        here = pages.place(front.page)
        addresses = NetblockMap([parse_netblock(address) for address in front.rdata])
        rows = Rows(addresses, self.now(), answer.discretion, self.traits.tlp)
        listing = _listing(answer, rows, here.number)
        yield from _told(listing, rows, front.rdata, (front.name,))
        after = _following(here, listing, rows)
        return Reply(COMPLETE, page=str(after)) if isinstance(after, Place) else Reply(after)

    def _at(self, question: Question) -> _At | None:
        """Which address of the netblock is asked about; None when all of it is, to learn how many names it has."""
        netblock = question.netblock
        read = _AT.fullmatch(question.page)
        if read is not None and int(read[1]) < netblock.size:
            return _At(int(read[1]), pages.place(read[2]))
        if netblock.size == 1 or (netblock.size <= ONE_BY_ONE and not self._understood(netblock)):
            return _At()
        return None

    def _understood(self, netblock: Netblock) -> bool:
        """Whether it is known that SecurityTrails reads such a prefix as one."""
        return netblock.version == 4 or self.options.ipv6_prefixes

    def _about(self, netblock: Netblock, names: int) -> Reply:
        """What the number of a netblock's names makes of the question."""
        if not self._understood(netblock):
            return Reply(broken(_unproven(names), 0, trouble=False))
        if names == 0:
            return Reply(COMPLETE)
        if netblock.size <= ONE_BY_ONE and names * SPARSE >= netblock.size:
            return Reply(COMPLETE, page=str(_At()))
        return Reply(_UNTOLD, limited=True)

    def _list(self, kind: str, asked: str, page: int) -> Request:
        return Request(
            f"{self.base}/domains/list",
            params={"page": str(page), "include_ips": "false"},  # true would have the names resolved
            headers={**_HEADERS, "Content-Type": "application/json"},
            body=msgspec.json.encode({"filter": {kind: asked}}),
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )


_HEADERS = {"Accept": "application/json"}


def _text(netblock: Netblock) -> str:
    """`198.51.100.0/24`, and an address without its length."""
    return str(netblock).removesuffix("/32" if netblock.version == 4 else "/128")


def _unproven(names: int) -> str:
    if names > 0:
        return "it has names, so this prefix was understood: set ipv6_prefixes = true to have it asked in smaller parts"
    return (
        "no names, which proves nothing: SecurityTrails documents IPv4 prefixes alone. Watch IPv6 netblocks of up to "
        f"{ONE_BY_ONE} addresses, or set ipv6_prefixes = true once a prefix was seen to find a name"
    )


class _Usage(msgspec.Struct):
    """The answer about the month's quota."""

    current_monthly_usage: Any = None
    allowed_monthly_usage: Any = None


class _Meta(msgspec.Struct):
    """Which page it is, and how many there are."""

    page: bodies.Scalar = None
    max_page: bodies.Scalar = None
    total_pages: bodies.Scalar = None


class _Answer(msgspec.Struct):
    """A page of names, as it comes."""

    records: msgspec.Raw
    record_count: bodies.Scalar = None
    meta: _Meta | None = None


class _Record(msgspec.Struct):
    """One name; all else that stands beside it is about its owner."""

    hostname: Any = None


@dataclass(frozen=True, slots=True)
class _Listing:
    """A page of names.

    Attributes:
        count: of the names on all pages.
        unreachable: whether there are more pages than can be had.
    """

    records: Sequence[msgspec.Raw]
    count: int
    unreachable: bool


def _listing(answer: Answer, rows: Rows, page: int) -> _Listing:
    """The page that was asked for.

    Raises:
        SourceError: the answer is another page, or none.
    """
    read = rows.framed(answer, _Answer, FORM)
    count = pages.number_of_rows(read.record_count)
    if count is None:
        raise SourceError("the answer does not say how many names there are (record_count): is the URL right?")
    meta = read.meta or _Meta()
    if meta.page not in (None, page):
        raise SourceError(f"the answer is another page than the {page} that was asked for")
    most, total = bodies.number(meta.max_page), bodies.number(meta.total_pages)
    needed = -(-count // PAGE) if total is None else total
    if needed > 1 and not count:
        raise SourceError(f"the answer counts no names on {needed:,} pages")
    records = bodies.rows_of(answer, read.records, FORM)
    if count < len(records):
        raise SourceError(f"the answer counts {count:,} names and lists {len(records):,}")
    return _Listing(records, count, most is not None and needed > most)


def _told(
    listing: _Listing, rows: Rows, addresses: Sequence[str], chain: tuple[str, ...] = ()
) -> Generator[Batch, None, None]:
    """The names of a page, each at all of these addresses."""
    for sample in listing.records:
        record = bodies.one(sample, _Record) or _Record()
        rows.take(Said(record.hostname, addresses, chain=chain), bytes(sample))
        if rows.full:
            yield rows.batch()
    yield rows.batch()


def _following(here: Place, listing: _Listing, rows: Rows) -> Place | End:
    """What comes after a page: the next one, or the end of the list."""
    end = rows.end("about a domain")
    if end != COMPLETE:
        return end
    if listing.unreachable:
        return broken(f"it has {listing.count:,} names, more than its pages lead to", here.rows + rows.seen, trouble=False)
    return pages.following(here, rows.seen, listing.count, pages.fingerprint(listing.records))


def _after(at: _At, listing: _Listing, rows: Rows, netblock: Netblock) -> Reply:
    """What comes after a page of an address: its next one, the next address of the netblock, or the end."""
    after = _following(at.place, listing, rows)
    if isinstance(after, Place):
        return Reply(COMPLETE, page=str(_At(at.address, after)))
    if after == COMPLETE and at.address + 1 < netblock.size:
        return Reply(COMPLETE, page=str(_At(at.address + 1)))
    # In halves, the addresses beside one that is not whole are answered without it.
    return Reply(after, limited=after != COMPLETE and not after.trouble and (netblock.size > 1 or listing.unreachable))
