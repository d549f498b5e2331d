"""VirusTotal, API version 3: the resolutions of single addresses.

Asks `GET {url}/ip_addresses/{address}/resolutions` with the key of `api_key_env` in `x-apikey`. `url` is only needed for
another server than `https://www.virustotal.com`; `/api/v3` is put behind it when it has no path.

    Netblocks           no: each address is asked for, so a /24 costs 256 questions a poll and an IPv6 /64 is never asked
    Time filter         no: every poll walks through everything, and history knows what of it is new; `overlap` means
                        nothing here, but with `newest_first`
    First / last seen   one date alone, of the last time the name was resolved: it is the last seen, and there is no first
    Cap                 40 rows a page, and as many pages as there are, by cursors. Pages that end before as many rows came
                        as `count` said are partial, and so are pages whose cursors lead in a circle. An address whose
                        cursor was forgotten is asked from its first page on
    Cost of a /24       256 questions, and one for each further 40 names of an address: at least an hour and half a day's
                        quota of a public key
    Passing on          your contract decides: `green` unless `tlp` says otherwise. By VirusTotal's terms the public key
                        must not be used in commercial products and services, or business workflows
    Not found           200 with an empty list, or 404 with `NotFoundError`. With a `url` of your own the latter is believed
                        only if the server knew another address in the same poll, as a wrong URL is wrong for all
    Quotas              those of the public key: 4 questions a minute, 500 a day (from 00:00 UTC), 15,500 a month. What is
                        left is told by no answer. 429 says which is spent: `QuotaExceededError`, taken for the day's, or
                        `TooManyRequestsError`, the minute's

`newest_first` lets a poll stop at the first page that goes back to before the last complete one. That the newest stand first
is shown by VirusTotal's examples, and not said by its documentation: where it is not so, new names behind old ones are lost.
A page whose own dates are in another order is no place to stop.

Not verified, beside that order: how long a cursor holds; that `count` counts all pages, so that of several pages a shortage
of more than one is believed; that `QuotaExceededError` is never said of the minute's quota, as its description allows.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from pydantic import Field

from feedsvc.clock import Clock, from_epoch
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, Credentials, HttpError, Request, stay_until
from feedsvc.model import Allowance, Batch, End, Outcome, Tlp
from feedsvc.sources import access, bodies
from feedsvc.sources.cof import Rows
from feedsvc.sources.cof_rows import Said
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.pages import Trail
from feedsvc.sources.port import Provider, Question, Reply, Traits

SERVER = "https://www.virustotal.com"
PATH = "/api/v3"
LIMIT = 40
"""Rows of a page, at most."""

FRESH = timedelta(hours=1)
"""A cursor that is refused within this of being given is not one that was forgotten: asking anew would lead there again."""

FORM = "a list of resolutions"
NOT_A_ROW = "not a resolution"

_LONGEST = 4096  # characters of a cursor; those seen have a few hundred
_TEXT = re.compile(r"([0-9]{1,10})/([0-9]{1,12})/([0-9a-f.]+)/(.+)", re.DOTALL)
_CURSOR = re.compile(r"[?&]cursor=([^&#]*)")


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of VirusTotal. The quotas are those of a public key; 0 is none.

    Attributes:
        per_minute: questions in a minute.
        per_day: questions in a day.
        per_month: questions in a month.
        newest_first: whether to believe that rows stand with the newest first, and stop at those older than the last
            complete poll.
        concurrency: addresses asked at once.
        max_addresses: netblocks with more addresses are skipped.
        max_calls: questions that one netblock may cost in a poll; the next poll goes on.
        deadline: seconds for one page.
        max_bytes: of one page; more is none.
    """

    per_minute: Annotated[int, Field(ge=0)] = 4
    per_day: Annotated[int, Field(ge=0)] = 500
    per_month: Annotated[int, Field(ge=0)] = 15_500
    newest_first: bool = False
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    max_calls: Annotated[int, Field(ge=1)] = 4096
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 4 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one key; see the folder's docstring.

    Raises:
        OptionFaults: no key, or a URL that is none.
    """
    base = access.base_url(settings, SERVER, PATH)
    spans = (
        Allowance("burst", options.per_minute, 60.0),
        Allowance("day", options.per_day),
        Allowance("month", options.per_month),
    )
    traits = Traits(
        reach="address",
        concurrency=options.concurrency,
        max_addresses=options.max_addresses,
        max_calls=options.max_calls,
        allowances=tuple(one for one in spans if one.calls),
        tlp=access.tlp(settings, Tlp.GREEN),
    )
    return _VirusTotal(base, access.key(settings, "x-apikey"), options, now, not settings.url, traits)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page, as the text in `Reply.page` has it.

    Attributes:
        cursor: what asks for it; "" asks for the first one.
        rows: how many came on the pages before it.
        given: when the cursor was given; seconds since 1970.
        trail: the way to it.
    """

    cursor: str = ""
    rows: int = 0
    given: int = 0
    trail: Trail = field(default_factory=Trail)

    def __str__(self) -> str:
        return f"{self.given}/{self.rows}/{self.trail}/{self.cursor}"


def _page(text: str) -> _Page:
    """The page that a text stands for; the first one for a text that stands for none."""
    read = _TEXT.fullmatch(text)
    return _Page() if read is None else _Page(read[4], int(read[2]), int(read[1]), Trail.of(read[3]))


class _Attributes(msgspec.Struct):
    host_name: Any = None
    ip_address: Any = None
    date: Any = None


class _Row(msgspec.Struct):
    attributes: _Attributes


class _Meta(msgspec.Struct):
    cursor: bodies.Scalar = None
    count: bodies.Scalar = None


class _Links(msgspec.Struct):
    next: bodies.Scalar = None


class _Body(msgspec.Struct):
    data: msgspec.Raw
    meta: _Meta | None = None
    links: _Links | None = None


class _Refusal(msgspec.Struct):
    error: Any = None


@dataclass(frozen=True, slots=True)
class _VirusTotal(Provider):
    """Attributes are as in `build`; `usual` is whether its own server is asked."""

    base: str
    credentials: Credentials
    options: Options
    now: Clock
    usual: bool
    traits: Traits

    def request(self, question: Question) -> Request:
        address = next(question.netblock.addresses())
        cursor = _page(question.page).cursor
        return Request(
            f"{self.base}/ip_addresses/{address}/resolutions",
            params={"limit": str(LIMIT)} | ({"cursor": cursor} if cursor else {}),
            headers={"Accept": "application/json"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        body = rows.framed(answer, _Body, FORM)
        data = bodies.rows_of(answer, body.data, FORM)
        dates: list[int | None] = []
        for raw in data:
            dates.append(_take(raw, rows))
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        end = rows.end("a resolution")
        if end != COMPLETE:
            return Reply(end)
        if self.options.newest_first and _reaches(question.since, dates):
            return Reply(COMPLETE)
        return self._following(answer, body, len(data), _page(question.page))

    def _following(self, answer: Answer, body: _Body, given: int, asked: _Page) -> Reply:
        """What comes after a page of so many rows: the next one, or the end."""
        came, cursor = asked.rows + given, _cursor(body)
        if cursor is None or answer.holds_secret(cursor):
            return Reply(broken("there is a next page, but no cursor to ask for it with", came))
        if cursor == "":
            return _last(body.meta or _Meta(), asked, given)
        onward = asked.trail.onward(cursor)
        if onward is None:
            return Reply(broken("the next page has the cursor of one that was read", came, trouble=False))
        return Reply(COMPLETE, page=str(_Page(cursor, came, int(self.now().timestamp()), onward)))

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        asked = _page(question.page)
        if asked.cursor and err.status in (400, 404):
            return self._forgotten(err, asked)
        code = _code(err)
        if err.status == 404 and code == "NotFoundError":
            return Reply(COMPLETE if self.usual else self._doubted())
        if err.status == 429 and code == "QuotaExceededError":
            stay = _until_tomorrow(self.now()) if err.retry_after is None else err.retry_after
            return Reply(replace(after_fault(err, 0), retry_after=stay), over="day")
        return None

    def _forgotten(self, err: HttpError, asked: _Page) -> Reply:
        stale = self.now() - from_epoch(asked.given) > FRESH
        return Reply(
            broken(f"{err}; the cursor was given to us by the page before", asked.rows, trouble=not stale), stale=stale
        )

    def _doubted(self) -> End:
        reason = f"{self.base}: 404 for each address: is the URL right?"
        return replace(broken(reason, 0, trouble=False), doubted=True)


def _take(raw: msgspec.Raw, rows: Rows) -> int | None:
    """Take one row; its date."""
    row, sample = bodies.one(raw, _Row), bytes(raw)
    if row is None:
        rows.leave_out(NOT_A_ROW, sample, understood=False)
        return None
    said = row.attributes
    rows.take(Said(said.host_name, [said.ip_address], time_last=said.date), sample)
    return bodies.number(said.date)


def _reaches(since: datetime | None, dates: Sequence[int | None]) -> bool:
    """Whether a page, newest first as far as can be seen, goes back to what the last complete poll has told."""
    known = [date for date in dates if date is not None]
    if since is None or not known or len(known) < len(dates) or known != sorted(known, reverse=True):
        return False
    return known[-1] < since.timestamp()


def _cursor(body: _Body) -> str | None:
    """What asks for the next page; "" when there is none, None when there is one and no way to it."""
    cursor, following = (body.meta or _Meta()).cursor, (body.links or _Links()).next
    if not cursor and not following:
        return ""
    if not cursor and isinstance(following, str):
        found = _CURSOR.search(following)
        cursor = unquote(found[1]) if found else None
    return cursor if isinstance(cursor, str) and 0 < len(cursor) <= _LONGEST else None


def _last(meta: _Meta, asked: _Page, given: int) -> Reply:
    """Whether as many rows came as there are; those that come while pages are turned may be a page's worth."""
    counted, came = bodies.number(meta.count), asked.rows + given
    if counted is not None and counted - came > (LIMIT if asked.cursor else 0):
        reason = f"VirusTotal counts {counted:,} resolutions, and its pages ended after {came:,}"
    elif counted is None and given >= LIMIT:
        reason = "a full page has no next one, and does not say that it is the last"
    else:
        return Reply(COMPLETE)
    return Reply(End(Outcome.PARTIAL, reason), limited=True)


def _code(err: HttpError) -> object:
    """What VirusTotal calls an error."""
    refusal = bodies.one(err.body, _Refusal)
    return None if refusal is None else bodies.field(refusal.error, "code")


def _until_tomorrow(now: datetime) -> float | None:
    """Seconds until 00:00 UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return stay_until(midnight + timedelta(days=1), now)
