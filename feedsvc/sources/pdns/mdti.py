"""Microsoft Defender Threat Intelligence by Microsoft Graph: passive DNS of single addresses (once PassiveTotal of RiskIQ).

Asks `GET {url}/security/threatIntelligence/hosts/{address}/passiveDnsReverse`. Access: an application registered in your
tenant, its client id as `username_env`, its client secret as `password_env`, and `tenant`; they bring a token at
`https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token` (OAuth 2.0 client credentials). It needs the application
permission `ThreatIntelligence.Read.All` with the consent of an administrator, and the tenant a licence for Defender XDR or
Sentinel; older ones are for Defender TI and its API. `url` is only needed for another server than
`https://graph.microsoft.com`; `/v1.0` is put behind it when it has no path.

    Netblocks           no: each address is asked for, so a /24 costs 256 questions a poll and an IPv6 /64 is never asked
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both; no count
    Cap                 pages of `page_size` records. An answer that has more names its next page, and is complete when it
                        names none. A page on another host, or one that was read, is not asked for: that is partial
    Cost of a /24       256 questions, and one more for each further page
    Passing on          Microsoft's terms decide: `green` unless `tlp` says otherwise
    Not found           404 with an error of Graph's; any other 404, and every one where a `url` of your own is asked, is no
                        record only if the server knew another address in the poll, as a wrong URL is wrong for all
    Quotas              none that is documented for it. 429 says for how long to stay away, and ends the poll
    Names in front      asked for in the same way, by name: the hosts whose CNAME is that name

Which side of a record is the address is seen by the address. Records of other types than A and AAAA are counted and left
out.

Not verified: that `passiveDnsReverse` leaves nothing out without a word, that it takes `$top` (`page_size = 0` does without
it), what it says of an address that it does not know, and, seen in one documented example alone, that of a name it lists
those that point at it and not those that it points at.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import msgspec
from pydantic import Field

from feedsvc.clock import Clock, from_epoch
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, AnswerTooBig, HttpError, Login, Request
from feedsvc.model import Batch, End, Outcome, Tlp
from feedsvc.names import NetblockMap, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import access, bodies, oauth, times
from feedsvc.sources.aliases import NO_ALIAS, is_alias
from feedsvc.sources.cof import OTHER_TYPE, Rows
from feedsvc.sources.cof_rows import ADDRESS_TYPES, Said
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.pages import Trail
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

SERVER = "https://graph.microsoft.com"
PATH = "/v1.0"
TOKENS = "https://login.microsoftonline.com"
FORM = "a record of passive DNS"
LIST = "a list of records of Graph"
NOT_A_RECORD = f"not {FORM}"

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,127}")  # a GUID, or a domain of the tenant
_PAGE = re.compile(r"([0-9]{1,10}) ([0-9a-f.]+) (/[!-~]{1,4095})")  # when it was named, the way to it, its path and query
_FRESH = timedelta(minutes=10)  # a page that was named longer ago may be forgotten, as its place in the list is kept for us
_NO_LINK = frozenset({b"", b"null"})
_LOST = frozenset({400, 404, 410})
_PORTS = {"http": 80, "https": 443}

_HINTS: Mapping[int, str] = {
    401: "Graph says so of a token that is not for it: does scope belong to url?",
    403: "Graph says so of an application without the permission ThreatIntelligence.Read.All and an administrator's consent "
    "to it, and of a tenant without a licence for Defender XDR, Sentinel or Defender TI",
}


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of Microsoft Defender Threat Intelligence.

    Attributes:
        tenant: of the application: its id, or one of its domains.
        token_url: where the token is had, in place of the usual place for the tenant; for other clouds.
        scope: what the token is for; other clouds have others.
        page_size: records of one page; 0 leaves it to Graph.
        concurrency: addresses asked at once.
        max_addresses: netblocks with more addresses are skipped.
        max_calls: questions that one netblock may cost in a poll; the next poll goes on.
        deadline: seconds for one page.
        max_bytes: of one page; a record has some 400.
    """

    tenant: str = ""
    token_url: str = ""
    scope: str = "https://graph.microsoft.com/.default"
    page_size: Annotated[int, Field(ge=0, le=999)] = 500
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    max_calls: Annotated[int, Field(ge=1)] = 4096
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one application; see the folder's docstring.

    Raises:
        OptionFaults: neither tenant nor token_url, id or secret of the application lack, or a URL that is none.
    """
    base = access.base_url(settings, SERVER, PATH)
    traits = Traits(
        reach="address",
        concurrency=options.concurrency,
        max_addresses=options.max_addresses,
        max_calls=options.max_calls,
        tlp=access.tlp(settings, Tlp.GREEN),
        fronts=True,
    )
    login = oauth.with_body(settings, _token_url(options), options.scope)
    return _Mdti(base, login, options, now, base == SERVER + PATH, traits)


def _token_url(options: Options) -> str:
    if options.token_url:
        return access.address("token_url", options.token_url)
    if not _TENANT.fullmatch(options.tenant):
        raise OptionFaults({"tenant": "tenant: give the id of the application's tenant, or one of its domains"})
    return f"{TOKENS}/{options.tenant}/oauth2/v2.0/token"


_FIELDS = {
    "first_seen": "firstSeenDateTime",
    "last_seen": "lastSeenDateTime",
    "type": "recordType",
    "parent": "parentHost",
    "next_link": "@odata.nextLink",
    "count": "@odata.count",
}


class _Record(msgspec.Struct, rename=_FIELDS):
    first_seen: Any = None
    last_seen: Any = None
    type: Any = None
    parent: Any = None
    artifact: Any = None

    @property
    def sides(self) -> tuple[object, object]:
        """What is on either side: the host that a record is listed under, and what was found."""
        return bodies.field(self.parent, "id"), bodies.field(self.artifact, "id")

    @property
    def span(self) -> tuple[object, object]:
        """When it was seen first and last, in seconds."""
        return times.from_text(self.first_seen), times.from_text(self.last_seen)


class _Page(msgspec.Struct, rename=_FIELDS):
    value: msgspec.Raw
    next_link: msgspec.Raw = msgspec.Raw()
    count: bodies.Scalar = None


class _Refusal(msgspec.Struct):
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Mdti(Provider):
    """Attributes are as in `build`; `usual` is whether Microsoft's own server is asked."""

    base: str
    credentials: Login
    options: Options
    now: Clock
    usual: bool
    traits: Traits

    def request(self, question: Question) -> Request:
        return self._request(str(next(question.netblock.addresses())), question.page)

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        page = rows.framed(answer, _Page, LIST)
        for raw in bodies.rows_of(answer, page.value, LIST):
            _take(raw, rows)
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        return self._reply(answer, page, _end(page, rows, question.page), self.request(question), question.page)

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        if question.page and err.status in _LOST:
            return self._lost(err, question.page)
        if err.status == 404:
            return Reply(COMPLETE if self.usual and bodies.one(err.body, _Refusal) is not None else self._doubted(err))
        hint = "raise max_bytes or lower page_size" if isinstance(err, AnswerTooBig) else _HINTS.get(err.status or 0)
        end = after_fault(err, 0)
        return Reply(replace(end, reason=f"{end.reason}; {hint}")) if hint else None

    def front_request(self, front: Front) -> Request:
        """The request for the records that lead to the name."""
        return self._request(front.name, front.page)

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        """The hosts of CNAME records; of other types nothing is wanted."""
        within = NetblockMap([parse_netblock(address) for address in front.rdata])
        rows = Rows(within, self.now(), answer.discretion, self.traits.tlp)
        page = rows.framed(answer, _Page, LIST)
        for raw in bodies.rows_of(answer, page.value, LIST):
            _take_alias(raw, rows, front)
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        return self._reply(answer, page, _end(page, rows, front.page), self.front_request(front), front.page)

    def _request(self, host: str, page: str) -> Request:
        first = Request(
            f"{self.base}/security/threatIntelligence/hosts/{quote(host, safe='')}/passiveDnsReverse",
            params={"$top": str(self.options.page_size)} if self.options.page_size else {},
            headers={"Accept": "application/json"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )
        named = _PAGE.fullmatch(page)
        return replace(first, url=self._at(named[3]), params={}) if named else first

    def _at(self, place: str) -> str:
        scheme, host = urlsplit(self.base)[:2]
        return f"{scheme}://{host}{place}"

    def _reply(self, answer: Answer, page: _Page, end: End, asked: Request, here: str) -> Reply:
        """The end of a page, and where the next one is."""
        if end != COMPLETE:
            return Reply(end)
        if bytes(page.next_link) in _NO_LINK:
            return Reply(COMPLETE)
        link = bodies.one(page.next_link, str)
        place = None if link is None or answer.holds_secret(link) else _on_same_host(asked.url, link)
        named = _PAGE.fullmatch(here)
        onward = (Trail.of(named[2]) if named else Trail()).onward(place or "")
        following = f"{int(self.now().timestamp())} {onward or Trail()} {place}"
        if place is None or not _PAGE.fullmatch(following):
            return Reply(End(Outcome.PARTIAL, "names a next page that is on another host, or none at all"))
        if onward is None or self._at(place) == asked.url:
            return Reply(End(Outcome.PARTIAL, "names the same page as the next one again and again"))
        return Reply(COMPLETE, page=following)

    def _doubted(self, err: HttpError) -> End:
        reason = f"{err}; {self.base}: 404 for each address: is the URL right?"
        return replace(broken(reason, 0, trouble=False), doubted=True)

    def _lost(self, err: HttpError, page: str) -> Reply:
        """What a page that is not there any more means: an old one was forgotten, and all of them are asked for again."""
        named = _PAGE.fullmatch(page)
        stale = named is not None and self.now() - from_epoch(int(named[1])) > _FRESH
        return Reply(End(Outcome.PARTIAL, f"{err}; the page was named by the one before it"), stale=stale)


# -- pages -------------------------------------------------------------------------------------------------------------


def _end(page: _Page, rows: Rows, here: str) -> End:
    """How a page ended as far as it tells; one that is the only one has as many records as are counted."""
    counted, end = bodies.number(page.count) or 0, rows.end(FORM)
    if end != COMPLETE or here or bytes(page.next_link) not in _NO_LINK or counted <= rows.seen:
        return end
    return broken(f"it counts {counted:,} records and gives {rows.seen:,}, without a next page", rows.understood)


def _on_same_host(asked: str, link: str) -> str | None:
    """Path and query of a link; None when it leads to another host, who must not see the token, or is none."""
    try:
        here, there = urlsplit(asked), urlsplit(urljoin(asked, link))
        same = _place(here) == _place(there) and there.username is None
    except ValueError:
        return None
    return f"{there.path}?{there.query}" if same else None


def _place(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


# -- records -----------------------------------------------------------------------------------------------------------


def _record(raw: msgspec.Raw, rows: Rows) -> _Record | None:
    record = bodies.one(raw, _Record)
    if record is None or not all(isinstance(side, str) for side in record.sides):
        rows.leave_out(NOT_A_RECORD, bytes(raw), understood=False)
        return None
    return record


def _take(raw: msgspec.Raw, rows: Rows) -> None:
    """Take one record; which side is the address, `Rows` sees."""
    record = _record(raw, rows)
    if record is None:
        return
    if record.type is not None and str(record.type).upper() not in ADDRESS_TYPES:
        rows.leave_out(OTHER_TYPE, bytes(raw), understood=True)
        return
    listed_under, found = record.sides
    rows.take(Said(found, [listed_under], *record.span), bytes(raw))


def _take_alias(raw: msgspec.Raw, rows: Rows, front: Front) -> None:
    """Take what a CNAME record found; it is listed under the name that it points at."""
    record = _record(raw, rows)
    if record is None:
        return
    listed_under, found = record.sides
    if str(record.type).upper() == "CNAME" and is_alias(front, str(found), str(listed_under)):
        rows.take(Said(found, front.rdata, *record.span, chain=(front.name,)), bytes(raw))
    else:
        rows.leave_out(NO_ALIAS, bytes(raw), understood=True)
