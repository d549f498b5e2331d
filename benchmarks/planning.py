"""What the planner costs beside the calls that it plans: polls of a provider that answers at once, without a network.

Everything but the network is real: the plan, the pool of threads, what is read of an answer, the cursors of each batch. The
cost of a call must not grow with how many netblocks are watched, nor with how large they are.

Limit: 1 ms a call. Printed besides: what making the plan costs, once a poll, and how much text is stored with an answer.

Usage: python benchmarks/planning.py
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from feedsvc.http import Answer, Client, Request
from feedsvc.model import Batch, End, Observation, Outcome
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources import plan
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll, Provider, Question, Reply, Traits
from tests.sources.pdns.asking import Counted

LIMIT = 0.001  # seconds a call
NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


@dataclass
class Nothing:
    """Stands for an answer that nobody reads."""

    headers: dict[str, str]


class Instant(Client):
    """Answers at once."""

    @contextlib.contextmanager
    def ask(self, request: Request, *, attempts: int | None = None) -> Iterator[Answer]:
        del request, attempts
        yield Nothing({})  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Ready(Provider):
    """Has a name for each question.

    Attributes:
        crowded: netblocks with more addresses have more names than it gives.
        failing: of so many addresses one is not answered in full.
    """

    traits: Traits
    crowded: int = 0
    failing: int = 0

    def request(self, question: Question) -> Request:
        return Request(f"http://127.0.0.1:1/{question.netblock.first}")

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        del answer
        block = question.netblock
        yield Batch((Observation("k3xq.example.net", "A", "198.51.100.7"),))
        if self.failing and block.first % self.failing == 0:
            return Reply(End(Outcome.PARTIAL, "it lacks something"))
        if self.crowded and block.size > self.crowded:
            return Reply(End(Outcome.PARTIAL, "it has more"), limited=True)
        return Reply(End(Outcome.COMPLETE))


@dataclass(frozen=True)
class Case:
    what: str
    provider: Ready
    netblocks: list[Netblock]


def many(count: int, length: int) -> list[Netblock]:
    """Netblocks side by side."""
    size = 1 << (32 - length)
    first = parse_netblock("198.18.0.0").first
    return [Netblock(4, first + number * size, first + (number + 1) * size - 1) for number in range(count)]


def cases() -> list[Case]:
    address, block = Traits("address", concurrency=8), Traits("range", concurrency=8)
    nested = [*many(1, 16), *many(256, 24)]
    return [
        Case("1 netblock, 64 addresses, one by one", Ready(address), many(1, 26)),
        Case("1 netblock, 4,096 addresses, one by one", Ready(address), many(1, 20)),
        Case("the same, every second one lacks something", Ready(address, failing=2), many(1, 20)),
        Case("1,000 netblocks of 4 addresses, one by one", Ready(address), many(1000, 30)),
        Case("10 netblocks, one call each", Ready(block), many(10, 24)),
        Case("1,000 netblocks, one call each", Ready(block), many(1000, 24)),
        Case("10,000 netblocks, one call each", Ready(block), many(10_000, 24)),
        Case("256 netblocks within one, cut in halves", Ready(block, crowded=8), nested),
    ]


def measured(case: Case) -> str:
    with Instant() as http:
        source = PdnsSource("ready", case.provider, http, lambda: NOW)
        marks = {str(one): "2026-11-23T06:00:00.000Z" for one in case.netblocks}
        began = time.perf_counter()
        source.plan(Poll(case.netblocks, marks, NOW))
        planned = time.perf_counter() - began
        began, calls, largest = time.perf_counter(), 0, 0
        for batch in source.read(Poll(case.netblocks, marks, NOW, Counted())):
            texts = [len(cursor.position) for cursor in batch.cursors if cursor.scope == plan.SCOPE]
            calls += len(batch.observations)
            largest = max(largest, *texts, 0)
        each = (time.perf_counter() - began - planned) / calls
    verdict = f"{each * 1000:6.3f} ms a call  {each / LIMIT:5.2f} x the limit"
    return f"{case.what:44} {calls:6,} calls  {verdict}  plan {planned * 1000:7.1f} ms  text {largest / 1024:6.1f} KiB"


def main() -> None:
    for case in cases():
        print(measured(case), flush=True)


if __name__ == "__main__":
    main()
