"""Passive DNS of CIRCL, the CERT of Luxembourg's private sector, version 2; for partners that it has vetted.

Asks `GET {url}/query/{address}` with HTTP Basic of `username_env` and `password_env`, and reads one JSON object a line
(draft-dulaunoy-dnsop-passive-dns-cof). `url` is only needed for another server than CIRCL's own.

    Netblocks           no: each address is asked for, and an IPv6 /64 is never asked; only A (IPv4) or AAAA (IPv6) records
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both, in seconds; a count
    Cap                 the server's own, said in the header `x-dribble-errors`: that address is partial, and as it cannot be
                        asked about in smaller parts it stays so
    Pages               of `page_size` rows, one after the other; `max_calls` ends that till the next poll. A place that
                        leads back to pages that were read, or a line that tells an error, makes the address partial
    Cost of a /24       a /24 costs 256 questions a poll, and one more for each further page
    Names in front      yes: the CNAMEs that point at a name, among all the records of that name
    Passing on          CIRCL restricts it: `green` unless you set `tlp`
    Not found           200 with nothing; 404 is a wrong URL
    Quotas              none that are told; 429 ends the poll for as long as it says

CIRCL resolves what it is asked about unless told not to, which would warn whoever runs the name: the header
`dribble-disable-active-query` that forbids it goes with every question.

In the example on CIRCL's page name and value stand in each other's place, and numbers are texts; its older answers have both
the usual way. Either is read, row by row, and a CNAME as the addresses in the same answer show.

Not verified: how large a page may be, and how long the place of a page holds: a place that is refused (400, 410) is taken
for lost, and the address asked about from its beginning. Whether the pages after an `x-dribble-errors` bring what it says
is missing: they are read, and the address is called partial all the same. Whether pages make a whole of rows that come while
they are read: such a row is in the next poll at the latest.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import quote

from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, Credentials, HttpError, Request
from feedsvc.model import Batch, End, Outcome, Tlp
from feedsvc.plugins import OptionFaults
from feedsvc.sources import access, dribble
from feedsvc.sources.aliases import Aliases
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import COMPLETE, broken
from feedsvc.sources.pages import Trail
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

SERVER = "https://www.circl.lu/pdns"

MOST_PAGES_OF_ALIASES = 20
"""Of the records of one name; what more point at is a host of others."""

_HEADERS = {"Accept": "application/x-ndjson, application/json;q=0.9, */*;q=0.1", **dribble.QUIET}
_CURSOR = re.compile(r"[1-9][0-9]{0,39}")  # pypdns reads it as a number above 0
_PAGE = re.compile(r"([1-9][0-9]{0,39})-([0-9a-f.]+)-([01])")
_LOST = frozenset({400, 410})


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of CIRCL.

    Attributes:
        page_size: rows of one page.
        max_calls: questions that one netblock may cost in a poll; the next poll goes on.
        concurrency: addresses asked at once.
        max_addresses: netblocks with more addresses are skipped.
        deadline: seconds for one page.
        max_bytes: of one page; more of it makes that address partial.
    """

    page_size: Annotated[int, Field(ge=1, le=5000)] = 500
    max_calls: Annotated[int, Field(ge=1)] = 2048
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_addresses: Annotated[int, Field(ge=1)] = 1024
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one login; see the folder's docstring.

    Raises:
        OptionFaults: no login, or a URL that is none.
    """
    credentials = access.login(settings)
    if credentials is None:
        raise OptionFaults({"username_env": "username_env: CIRCL wants a login: set it, and password_env"})
    traits = Traits(
        reach="address",
        concurrency=options.concurrency,
        max_addresses=options.max_addresses,
        max_calls=options.max_calls,
        tlp=access.tlp(settings, Tlp.GREEN),
        fronts=True,
    )
    base = access.base_url(settings, SERVER).removesuffix("/query")
    return _Circl(base, credentials, options, now, traits)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of an answer, and what the pages before it said.

    Attributes:
        cursor: where it begins; "" for the first one.
        trail: the way to it.
        lacking: whether a page before said that rows are missing from the answer.
    """

    cursor: str = ""
    trail: Trail = field(default_factory=Trail)
    lacking: bool = False

    def __str__(self) -> str:
        return f"{self.cursor}-{self.trail}-{int(self.lacking)}"


def _page(text: str) -> _Page:
    read = _PAGE.fullmatch(text)
    return _Page(read[1], Trail.of(read[2]), read[3] == "1") if read else _Page()


@dataclass(frozen=True, slots=True)
class _Circl(Provider):
    base: str
    credentials: Credentials
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        rrtype = "A" if question.netblock.version == 4 else "AAAA"
        return self._query(str(next(question.netblock.addresses())), question.page, {dribble.RRTYPE: rrtype})

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        yield from rows.read(answer.lines())
        return _reply(answer, rows, rows.end(), _page(question.page))

    def front_request(self, front: Front) -> Request:
        # Not CNAMEs alone: the addresses show on which side the name stands.
        return self._query(front.name, front.page, {})

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        here = _page(front.page)
        rows = Aliases(front, self.now(), answer.discretion, self.traits.tlp)
        yield from rows.read(answer.lines())
        reply = _reply(answer, rows, rows.end(), here)
        if reply.page and here.trail.number >= MOST_PAGES_OF_ALIASES:
            reason = f"the name has more records than {MOST_PAGES_OF_ALIASES} pages hold"
            return Reply(End(Outcome.PARTIAL, reason), limited=True)
        return reply

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        if not question.page or err.status not in _LOST:
            return None
        return Reply(End(Outcome.FAILED, f"{err}: the place of the next page is lost", trouble=True), stale=True)

    def _query(self, asked: str, page: str, filters: Mapping[str, str]) -> Request:
        cursor = _page(page).cursor
        place = {dribble.PAGE: cursor} if cursor else {}
        return Request(
            f"{self.base}/query/{quote(asked, safe=':')}",
            headers={**_HEADERS, **filters, dribble.PAGE_SIZE: str(self.options.page_size), **place},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )


def _reply(answer: Answer, rows: Rows, end: End, here: _Page) -> Reply:
    """How a page that was read to its end ended, and where the next one is."""
    if end.outcome is not Outcome.COMPLETE:
        return Reply(end)
    said = dribble.errors(answer)
    lacking = here.lacking or said != ""
    cursor = dribble.cursor(answer)
    if cursor is not None:
        is_place = _CURSOR.fullmatch(cursor) is not None and not answer.holds_secret(cursor)
        onward = here.trail.onward(cursor) if is_place else None
        if onward is None:
            why = f"{dribble.CURSOR}: {answer.shown(cursor)}{', where pages were read' if is_place else ''}"
            return Reply(broken(f"there is a next page that cannot be asked for ({why})", rows.understood, trouble=False))
        return Reply(COMPLETE, page=str(_Page(cursor, onward, lacking)))
    if not lacking:
        return Reply(COMPLETE)
    why = f"{dribble.ERRORS}: {said}" if said else f"as the {dribble.ERRORS} of an earlier page said"
    return Reply(End(Outcome.PARTIAL, f"the server left rows out of the answer ({why})"), limited=True)
