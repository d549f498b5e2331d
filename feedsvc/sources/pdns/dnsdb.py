"""DNSDB of DomainTools (once Farsight), API version 2.

Asks `GET {url}/lookup/rdata/ip/{netblock}` with the key of `api_key_env` in `X-API-Key`. `url` is only needed for another
server than DomainTools' own; `/dnsdb/v2` is put behind it when it has no path.

    Netblocks           yes, as one question: prefixes and ranges, IPv4 and IPv6
    Time filter         yes, both ends of `time_last`: from the last complete answer less the overlap, one day unless set
    First / last seen   both, in seconds, by sensors, by zone files or by both, and kept apart; a count
    Cap                 the key's own (`limit` can only lower it), shown as `limited`: the netblock is then asked in halves
                        down to single addresses, and these in halves of the time; `max_calls` ends that till the next poll
    Cost of a /24       a /24 costs one question, and more where answers are `limited`
    Names in front      yes: the CNAMEs that point at a name, by one question each
    Passing on          your contract decides; `green` unless you set `tlp` (`amber` keeps it in your organisation and its
                        clients)
    Not found           200 without rows; 404 is a wrong URL
    Quotas              a day's (anew at 00:00 UTC), a block that was bought and expires, or none; and a burst. The key's
                        own are read from every answer and from `/rate_limit`, which costs nothing. 503 says that the key
                        has too many connections at once, and costs nothing either: fewer are made then. 401 "Quota is
                        expired" speaks of the block, and is not taken for a bad key

An answer is framed by SAF, the Streaming API Framing protocol (docs.dnsdb.info/dnsdb-saf-protocol): it is complete only
when its last line says `succeeded`. `offset` is not used: the vendor says that it may miss rows.

Not verified: how a 429 tells a spent burst from a spent day. It is a burst when it says so, or when calls are left of the
day; it is the day or the block when none is left, or when nothing is said. Whether a time fence holds its own second is not
documented (the vendor's `dnstable` counts it in, its manual says "after" and "before"): each is set a second wider. Nor is
it documented that the fences heed the times of a row that zone files alone have seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import msgspec
from pydantic import Field

from feedsvc.clock import Clock, from_epoch
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, Credentials, HttpError, Request, stay_until
from feedsvc.model import Batch, End, Learnt, Span, Tlp
from feedsvc.names import Netblock
from feedsvc.sources import access
from feedsvc.sources.aliases import Aliases
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import after_fault
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits
from feedsvc.sources.saf import Saf

SERVER = "https://api.dnsdb.info"
PATH = "/dnsdb/v2"
MOST_ALIASES = 10_000
"""Names in front of one name that are asked for; what more point at is a host of others."""

_HINTS: Mapping[int, str] = {
    401: "DNSDB says so of a key that is not for API version 2",
    403: "DNSDB says so of a key that is unknown, and of an address that may not use it",
    404: "that is a wrong URL, not an empty answer: give the server alone, or a path that ends in /dnsdb/v2",
    503: "DNSDB says so when a key has too many connections at once; no quota is spent",
}
_SPENT: Mapping[Span, str] = {
    "burst": "too many questions in the key's burst window",
    "day": "the key's questions of the day are spent",
    "block": "the key's block of questions is used up: it needs another one",
}
_LARGEST = 2**63 - 1  # what a database holds
_LAST_SECOND = 253_402_300_799  # of the year 9999, where datetime ends


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of DNSDB.

    Attributes:
        limit: rows of one answer; 0 asks for as many as the key may have.
        aggr: one row for each name and address; false gives one for each span of time as well.
        max_calls: questions that one netblock may cost in a poll when answers are `limited`; the next poll goes on.
        concurrency: questions under way at once.
        deadline: seconds for one answer.
        max_bytes: of one answer; one that is longer is asked for in halves as well.
    """

    limit: Annotated[int, Field(ge=0)] = 0
    aggr: bool = True
    max_calls: Annotated[int, Field(ge=1)] = 256
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    deadline: Annotated[float, Field(gt=0)] = 120.0
    max_bytes: Annotated[int, Field(ge=1)] = 64 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one key; see the folder's docstring.

    Raises:
        OptionFaults: no key, or a URL that is none.
    """
    base = access.base_url(settings, SERVER, PATH)
    traits = Traits(
        reach="range",
        fenced=True,
        concurrency=options.concurrency,
        max_calls=options.max_calls,
        tlp=access.tlp(settings, Tlp.GREEN),
        fronts=True,
    )
    return _Dnsdb(base, access.key(settings, "X-API-Key"), options, now, traits)


@dataclass(frozen=True, slots=True)
class _Dnsdb(Provider):
    base: str
    credentials: Credentials
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        params = {"limit": str(self.options.limit), "aggr": "t" if self.options.aggr else "f", **_fences(question)}
        return self._lookup(f"ip/{_value(question.netblock)}", params)

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        return (yield from Saf(rows, answer.shown).read(answer.lines()))

    def front_request(self, front: Front) -> Request:
        return self._lookup(f"name/{quote(front.name, safe='')}/CNAME", {"limit": str(MOST_ALIASES), "aggr": "t"})

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        rows = Aliases(front, self.now(), answer.discretion, self.traits.tlp)
        return (yield from Saf(rows, answer.shown).read(answer.lines()))

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        end = after_fault(err, 0)
        if err.status == 401 and b"expired" in err.body.lower():
            return Reply(_expired(self.base, end), over="block")
        if err.status == 429:
            return _spent(end, err, self.now())
        hint = _HINTS.get(err.status or 0)
        if hint is None:
            return None
        is_crowd = err.status == 503
        return Reply(replace(end, reason=f"{end.reason}; {hint}"), crowded=is_crowd, free=is_crowd)

    def quotas(self, headers: Mapping[str, str], now: datetime) -> Sequence[Learnt]:
        del now
        return _main_quota(*(headers.get(f"x-ratelimit-{part}") for part in ("limit", "remaining", "reset", "expires")))

    def quota_request(self) -> Request:
        return Request(
            f"{self.base}/rate_limit",
            params={"swclient": "feedsvc"},
            headers={"Accept": "application/json"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=65_536,
        )

    def read_quota(self, body: bytes, now: datetime) -> Sequence[Learnt]:
        del now
        try:
            rate = msgspec.json.decode(body, type=_Told).rate
        except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
            return ()
        return (*_main_quota(rate.limit, rate.remaining, rate.reset, rate.expires), *_burst(rate))

    def _lookup(self, path: str, params: Mapping[str, str]) -> Request:
        return Request(
            f"{self.base}/lookup/rdata/{path}",
            params={**params, "swclient": "feedsvc"},
            headers={"Accept": "application/x-ndjson"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )


# -- questions ----------------------------------------------------------------------------------------------------------


def _value(piece: Netblock) -> str:
    """As DNSDB writes it in a path: `198.51.100.0,24`, `198.51.100.7`, `2001%3Adb8%3A%3A,64`, `first-last`."""
    text = str(piece).removesuffix("/32" if piece.version == 4 else "/128")
    return quote(text.replace("/", ","), safe=",-")


def _fences(question: Question) -> Mapping[str, str]:
    """Both ends of the window on `time_last`, each a second wider than asked for.

    Never 0 or less: 0 would be no fence, and a negative number is counted back from now.
    """
    fences = {}
    if question.since is not None:
        fences["time_last_after"] = str(max(math.floor(question.since.timestamp()) - 1, 1))
    if question.until is not None:
        fences["time_last_before"] = str(max(math.ceil(question.until.timestamp()), 1))
    return fences


# -- quotas -------------------------------------------------------------------------------------------------------------


class _Rate(msgspec.Struct):
    """What `/rate_limit` tells: numbers, `n/a`, `unlimited`, or nothing."""

    limit: Any = None
    remaining: Any = None
    reset: Any = None
    expires: Any = None
    burst_size: Any = None
    burst_window: Any = None


class _Told(msgspec.Struct):
    rate: _Rate


def _main_quota(limit: object, left: object, reset: object, expires: object) -> tuple[Learnt, ...]:
    """The quota of the day or of the block; one without numbers is unlimited."""
    if limit is None and left is None:
        return ()
    resets_at, expires_at = _moment(reset), _moment(expires)
    if resets_at is None and expires_at is not None:
        return (Learnt("block", _number(limit), _number(left), expires_at),)
    return (Learnt("day", _number(limit), _number(left), resets_at),)


def _burst(rate: _Rate) -> tuple[Learnt, ...]:
    calls, seconds = _number(rate.burst_size), _number(rate.burst_window)
    return (Learnt("burst", calls, seconds=float(seconds)),) if calls and seconds else ()


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= _LARGEST else None
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()) else None


def _moment(value: object) -> datetime | None:
    seconds = _number(value)
    return None if seconds is None or seconds > _LAST_SECOND else from_epoch(seconds)


def _expired(base: str, end: End) -> End:
    reason = (
        f"{urlsplit(base).netloc}: 401: the block of calls that was bought for the key has expired: it needs another one; "
        "nothing is wrong with the key itself"
    )
    return replace(end, reason=reason)


def _spent(end: End, err: HttpError, now: datetime) -> Reply:
    """Which quota a 429 means, and until when it is spent."""
    over = _over(err)
    stay = err.retry_after
    if stay is None and over == "day":
        stay = stay_until(_moment(err.headers.get("x-ratelimit-reset")), now)
    return Reply(replace(end, reason=f"{end.reason}; {_SPENT[over]}", retry_after=stay), over=over)


def _over(err: HttpError) -> Span:
    left = _number(err.headers.get("x-ratelimit-remaining"))
    if left or b"burst" in err.body.lower():
        return "burst"
    if left is None and err.retry_after is not None:
        return "burst"
    expires, reset = _moment(err.headers.get("x-ratelimit-expires")), _moment(err.headers.get("x-ratelimit-reset"))
    return "block" if expires is not None and reset is None else "day"
