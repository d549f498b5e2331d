"""A provider of tests and its server, for what the planner does whatever the provider: pages, caps, windows, faults.

`Book` is the rest of the world: it stores what a poll yields, batch by batch, and hands it to the next one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from feedsvc.http import Answer, HttpError, Request
from feedsvc.model import Batch, End, Learnt, Observation, Outcome, Span
from feedsvc.names import Address, Netblock, parse_address
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Front, Known, Poll, Provider, Question, Reply, Traits
from tests.sources.conftest import NOW
from tests.sources.pdns.asking import Counted
from tests.standins.server import Call, Standin
from tests.standins.server import Reply as Answered

ADDRESS = Traits("address")
FRONTING = Traits("address", fronts=True)
SPANS: Mapping[str, Span] = {"burst": "burst", "day": "day"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A name at an address, last seen then."""

    name: str
    address: str
    last: int = 1_700_000_000


class Atlas(Standin):
    """Knows who was where, and answers one question a call.

    Attributes:
        cap: rows of an answer; None: all.
        paged: whether the rest of an answer comes in pages; it is `limited` otherwise.
        reach: rows that pages lead to; None: all.
        unknown: the status for where nothing was seen.
        fault: what a question gets in place of its answer; None: its answer.
        asked: every question, in the order in which it came.
        good: those of them that were answered well.
        peak: so many were under way at once.
        together: so many must be under way before one is answered, from the second call on.
    """

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, paged: bool = False) -> None:
        super().__init__()
        self.seen = list(seen)
        self.cap = cap
        self.paged = paged
        self.reach: int | None = None
        self.unknown = 200
        self.headers: Mapping[str, str] = {}
        self.judge: Callable[[str], Answered | None] = lambda _: None
        self.asked: list[str] = []
        self.good: list[str] = []
        self.peak = 0
        self.together: threading.Barrier | None = None
        self._under_way = 0

    def answer(self, call: Call) -> Answered:
        asked = _told(call)
        with self._lock:
            self.asked.append(asked)
            self._under_way += 1
            self.peak = max(self.peak, self._under_way)
            is_first = len(self.asked) == 1
        try:
            if self.together is not None and not is_first:
                self.together.wait(timeout=10)
            return self.judge(asked) or self._answer(call, asked)
        finally:
            with self._lock:
                self._under_way -= 1

    def _answer(self, call: Call, asked: str) -> Answered:
        rows = self._names(call.query["name"]) if "name" in call.query else self._within(call.query)
        begin = int(call.query.get("page") or 0)
        here = rows[begin:] if self.cap is None else rows[begin : begin + self.cap]
        behind = begin + len(here)
        within_reach = self.reach is None or behind < self.reach
        more = behind < len(rows)
        document = {
            "rows": [[one.name, one.address, one.last] for one in here],
            "page": str(behind) if more and self.paged and within_reach else "",
            "limited": more and not (self.paged and within_reach),
        }
        with self._lock:
            self.good.append(asked)
        status = 200 if rows else self.unknown
        return Answered(status, self.headers, [json.dumps(document).encode()])

    def _within(self, query: Mapping[str, str]) -> list[Seen]:
        first, last = parse_address(query["first"]), parse_address(query["last"])
        since, until = int(query.get("since") or 0), int(query.get("until") or 1 << 60)
        return sorted(
            (one for one in self.seen if first <= parse_address(one.address) <= last and since <= one.last < until),
            key=lambda one: (-one.last, one.name),
        )

    def _names(self, name: str) -> list[Seen]:
        return [replace(one, name=f"front.{one.name}") for one in self.seen if one.name == name]


def _told(call: Call) -> str:
    """A question in few words: `198.51.100.4-198.51.100.7 since.. until.. page`."""
    if "name" in call.query:
        return f"{call.query['name']} {call.query.get('page', '')}".rstrip()
    first, last = call.query["first"], call.query["last"]
    about = first if first == last else f"{first}-{last}"
    return " ".join([about, *(f"{key}={call.query[key]}" for key in ("since", "until", "page") if key in call.query)])


@dataclass(frozen=True, slots=True)
class Guide(Provider):
    """The provider that asks an `Atlas`."""

    url: str
    traits: Traits = ADDRESS

    def request(self, question: Question) -> Request:
        block = question.netblock
        ends = {"first": str(Address(block.version, block.first)), "last": str(Address(block.version, block.last))}
        window = {
            key: str(int(moment.timestamp()))
            for key, moment in (("since", question.since), ("until", question.until))
            if moment is not None
        }
        page = {"page": question.page} if question.page else {}
        return Request(f"{self.url}/ask", params={**ends, **window, **page})

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        body = answer.read()
        document: Any = json.loads(body) if body else {"rows": [], "limited": False, "page": ""}
        rows = [_observation(row) for row in document["rows"]]
        for begin in range(0, len(rows), 2):
            yield Batch(tuple(rows[begin : begin + 2]))
        if document["limited"]:
            return Reply(End(Outcome.PARTIAL, "it has more"), limited=True)
        return Reply(COMPLETE, page=document["page"])

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        if err.status == 404:
            return Reply(replace(broken("404: is the URL right?", 0, trouble=False), doubted=True))
        if err.status == 410:
            return Reply(broken("410: the page is gone", 0, trouble=False), stale=True)
        if err.status == 503 and "x-crowded" in err.headers:
            return Reply(after_fault(err, 0), crowded=True)
        if "x-over" in err.headers:
            return Reply(after_fault(err, 0), over=SPANS[err.headers["x-over"]])
        return None

    def quotas(self, headers: Mapping[str, str], now: datetime) -> Sequence[Learnt]:
        return [Learnt("day", left=int(headers["x-left"]))] if "x-left" in headers else []


@dataclass(frozen=True, slots=True)
class FrontGuide(Guide):
    """One that knows names in front of names as well."""

    traits: Traits = FRONTING

    def front_request(self, front: Front) -> Request:
        return Request(f"{self.url}/front", params={"name": front.name, "page": front.page})

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        return (yield from self.read(answer, Question(Netblock(4, 0, 0))))


def _observation(row: list[object]) -> Observation:
    name, address, last = row
    kind = "AAAA" if ":" in str(address) else "A"
    return Observation(str(name), kind, str(address), time_last=last if isinstance(last, int) else None)


@dataclass
class Book:
    """What is stored of a source, and what its polls said.

    Attributes:
        cursors: as stored: a position of "" is none.
        found: (name, address) of every observation.
        ends: of the latest poll, by netblock.
    """

    cursors: dict[str, str] = field(default_factory=dict)
    found: set[tuple[str, str]] = field(default_factory=set)
    ends: dict[str, End] = field(default_factory=dict)
    said: list[End] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    def store(self, batch: Batch) -> None:
        """As the pipeline does, in one transaction."""
        self.batches.append(batch)
        self.found |= {(one.rrname, one.rdata) for one in batch.observations}
        for cursor in batch.cursors:
            self.cursors[cursor.scope] = cursor.position
            if not cursor.position:
                del self.cursors[cursor.scope]
        if batch.end is not None:
            self.said.append(batch.end)
            for netblock in batch.scope:
                assert str(netblock) not in self.ends, f"{netblock} has two ends"
                self.ends[str(netblock)] = batch.end

    def poll(
        self,
        source: PdnsSource,
        netblocks: Sequence[Netblock],
        *,
        budget: Counted | None = None,
        now: datetime = NOW,
        batches: int | None = None,
        continuing: bool = False,
        known: Sequence[Known] = (),
        watched: Sequence[Netblock] = (),
        active: Mapping[str, datetime] | None = None,
    ) -> bool:
        """A poll; whether it came to its end before so many batches were stored."""
        self.ends, self.said, self.batches = {}, [], []
        wanted = Poll(
            netblocks, dict(self.cursors), now, budget or Counted(), active or {}, known, watched, continuing=continuing
        )
        reading = source.read(wanted)
        for number, batch in enumerate(reading):
            if number == batches:
                reading.close()  # type: ignore[attr-defined]
                settle_down()
                return False
            self.store(batch)
        return True


def settle_down() -> None:
    """Wait for what is still under way of a poll that nobody listens to any more."""
    for thread in threading.enumerate():
        if thread.name.startswith("pdns"):
            thread.join(timeout=10)
            assert not thread.is_alive(), "a call is still under way"
