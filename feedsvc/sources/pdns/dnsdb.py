"""DNSDB of DomainTools (once Farsight), API version 2.

Asks `GET {url}/lookup/rdata/ip/{netblock}` with the key of `api_key_env` in `X-API-Key`. `url` is only needed for another
server than DomainTools' own; `/dnsdb/v2` is put behind it when it has no path.

    Netblocks           yes, as one question: prefixes and ranges, IPv4 and IPv6; a /24 costs one question of the quota
    Time filter         yes: `time_last_after`, from the last complete answer less the overlap, one day unless set
    First / last seen   both, in seconds, by sensors, by zone files or by both; a count
    Cap                 the key's own (`limit` can only lower it), shown as `limited`: the netblock is then asked in halves,
                        down to single addresses, each of which costs a question; `max_calls` ends that
    Not found           200 without rows; 404 is a wrong URL

An answer is framed by SAF, the Streaming API Framing protocol (docs.dnsdb.info/dnsdb-saf-protocol): it is complete only
when its last line says `succeeded`. Quotas are by day (reset 00:00 UTC), by block (expire) and by burst; 503 means too many
connections at once and costs none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import msgspec
from pydantic import Field

from feedsvc.clock import Clock, from_epoch
from feedsvc.config import SourceSettings
from feedsvc.errors import SourceError
from feedsvc.http import Answer, AnswerTooBig, Credentials, HttpError, Request, stay_until
from feedsvc.model import Batch, End, Outcome, Tlp
from feedsvc.names import Netblock
from feedsvc.sources import access
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import after_fault, broken
from feedsvc.sources.port import Provider, Question, Reply, Traits

SERVER = "https://api.dnsdb.info"
PATH = "/dnsdb/v2"
EARLIEST = datetime(2010, 6, 1, tzinfo=UTC)
"""When its sensors began to collect."""

NOT_SAF = "not a line of SAF"

_KEEPALIVE = re.compile(rb"\s*\{\s*\}\s*")
_TERMINATORS = frozenset({"succeeded", "limited", "failed"})
_HINTS: Mapping[int, str] = {
    401: "DNSDB says so of a key that is not for API version 2, and of one whose block quota has expired",
    403: "DNSDB says so of a key that is unknown, and of an address that may not use it",
    404: "that is a wrong URL, not an empty answer: give the server alone, or a path that ends in /dnsdb/v2",
    429: "DNSDB says so when the key's daily, block or burst quota is spent",
    503: "DNSDB says so when a key has too many connections at once; no quota is spent",
}


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
    base = access.base_url(settings, SERVER)
    if urlsplit(base).path == "":
        base += PATH
    traits = Traits(
        reach="range",
        fenced=True,
        earliest=EARLIEST,
        concurrency=options.concurrency,
        max_calls=options.max_calls,
        tlp=access.tlp(settings, Tlp.GREEN),
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
        params = {"limit": str(self.options.limit), "aggr": "t" if self.options.aggr else "f", "swclient": "feedsvc"}
        if question.since is not None:
            params["time_last_after"] = str(int(question.since.timestamp()))
        if question.until is not None:
            # A second more than asked for: whether its fence holds the moment itself is not said.
            params["time_last_before"] = str(int(question.until.timestamp()) + 1)
        return Request(
            f"{self.base}/lookup/rdata/ip/{_value(question.netblock)}",
            params=params,
            headers={"Accept": "application/x-ndjson"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.shown, self.traits.tlp)
        saf = _Saf(rows, answer.shown)
        try:
            yield from saf.read(answer.lines())
        except SourceError:
            yield rows.batch()
            if saf.ended:
                return saf.reply()
            raise
        yield rows.batch()
        return saf.reply()

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        end = after_fault(err, 0)
        if isinstance(err, AnswerTooBig):
            return Reply(replace(end, outcome=Outcome.PARTIAL), limited=True)
        hint = _HINTS.get(err.status or 0)
        if hint is None:
            return None
        end = replace(end, reason=f"{end.reason}; {hint}", retry_after=_stay(err, self.now()))
        return Reply(end, over="day" if err.status == 429 else None, crowded=err.status == 503)


_FULL = End(Outcome.PARTIAL, "has more names than the key may fetch at once")


def _value(piece: Netblock) -> str:
    """As DNSDB writes it in a path: `198.51.100.0,24`, `198.51.100.7`, `2001%3Adb8%3A%3A,64`, `first-last`."""
    text = str(piece).removesuffix("/32" if piece.version == 4 else "/128")
    return quote(text.replace("/", ","), safe=",-")


def _stay(err: SourceError, now: datetime) -> float | None:
    """How long to stay away; a spent quota says so by the moment at which it begins anew, or `n/a`."""
    reset = err.headers.get("x-ratelimit-reset", "") if isinstance(err, HttpError) and err.status == 429 else ""
    if err.retry_after is not None or not re.fullmatch(r"[0-9]{1,10}", reset):
        return err.retry_after
    return stay_until(from_epoch(int(reset)), now)


class _Line(msgspec.Struct):
    """One line of SAF, its row still to be read."""

    cond: Any = None
    msg: Any = None
    obj: msgspec.Raw = msgspec.Raw()


class _Saf:
    """The frame around one answer: takes the rows out, and knows whether the end was reached."""

    def __init__(self, rows: Rows, show: Callable[[bytes | str], str]) -> None:
        self._rows = rows
        self._show = show
        self._decoder = msgspec.json.Decoder(_Line)
        self._cond = ""
        self._msg = ""
        self._fault = ""

    @property
    def ended(self) -> bool:
        """Whether the terminating line came."""
        return self._cond != ""

    def read(self, lines: Iterable[bytes]) -> Iterator[Batch]:
        """Feed the rows of an answer and yield what is full; the rest is left in the rows."""
        for line in lines:
            if line.strip():
                self._read(line)
            if self._rows.full:
                yield self._rows.batch()

    def reply(self) -> Reply:
        """How the answer ended."""
        understood = self._rows.understood
        if self._fault:
            return Reply(broken(f"the answer breaks the protocol: {self._fault}", understood))
        if not self.ended:
            return Reply(broken("the answer was cut off: its last line (SAF) did not come", understood))
        if self._cond == "failed":
            return Reply(broken(f"the server could not finish: {self._msg or 'it does not say why'}", understood))
        return Reply(_FULL, limited=True) if self._cond == "limited" else Reply(self._rows.end())

    def _read(self, line: bytes) -> None:
        frame = self._unframed(line)
        if frame is None:
            self._rows.refuse(NOT_SAF, line)
            self._fault = self._fault or NOT_SAF
            return
        self._step(frame)
        row = bytes(frame.obj)
        if row not in (b"", b"null"):
            self._rows.feed(row)

    def _unframed(self, line: bytes) -> _Line | None:
        try:
            frame = self._decoder.decode(line)
        except (ValueError, RecursionError):  # as in Rows
            return None
        # An empty object keeps the connection alive; one that merely lacks all of SAF would be a row lost.
        return frame if frame != _Line() or _KEEPALIVE.fullmatch(line) else None

    def _step(self, frame: _Line) -> None:
        if self.ended:
            self._fault = self._fault or "it goes on after its last line"
        elif isinstance(frame.cond, str) and frame.cond in _TERMINATORS:
            self._cond, self._msg = frame.cond, self._show(str(frame.msg or ""))
        elif frame.cond not in (None, "begin", "ongoing"):
            self._fault = self._fault or f"unknown cond {self._show(str(frame.cond))}"
