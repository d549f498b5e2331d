"""A netblock asked address by address, where a provider knows no netblocks: what half of all providers need.

Until one answer was complete, addresses are asked one by one, so that a bad key costs one question and a dead server few;
then several are under way at once. Nothing more is asked after a refusal, or when answers keep failing. The netblock is
complete when each of its addresses is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TypeAlias

from feedsvc.model import Batch, End, Outcome
from feedsvc.names import Address, Netblock
from feedsvc.sources.endings import PATIENCE, Part, pointless, together

Answer: TypeAlias = Generator[Batch, None, None]
AskOne: TypeAlias = Callable[[Address], Answer]
"""Answers about one address as a provider does about a netblock: batches, the last one, and only it, with an `end`."""


def ask_each(netblock: Netblock, ask_one: AskOne, *, concurrency: int, max_addresses: int) -> Iterator[Batch]:
    """Ask for every address of a netblock and yield what comes, in the order in which it comes.

    Args:
        concurrency: addresses under way at once; each holds one batch in memory.
        max_addresses: a larger netblock is skipped, with its price as the reason.
    """
    if netblock.size > max_addresses:
        yield Batch(end=End(Outcome.SKIPPED, _price(netblock, max_addresses)))
        return
    asking = _Asking(netblock, ask_one, concurrency)
    try:
        yield from asking.batches()
    finally:
        asking.abandon()
    yield Batch(end=together(asking.parts, netblock.size, "addresses"))


def _price(netblock: Netblock, most: int) -> str:
    size = f"{netblock.size:,}" if netblock.size < 10**9 else f"2^{netblock.size.bit_length() - 1}"
    return (
        f"{netblock} would cost {size} questions a poll, as this provider is asked address by address; the limit is "
        f"{most:,}: watch a smaller netblock, use a provider that knows netblocks, or raise max_addresses"
    )


class _Asking:
    """One netblock being asked.

    Attributes:
        parts: how each answered address ended, in the order of their ends.
    """

    def __init__(self, netblock: Netblock, ask_one: AskOne, concurrency: int) -> None:
        self.parts: list[Part] = []
        self._waiting = netblock.addresses()
        self._ask_one = ask_one
        self._width = concurrency
        self._enough = False
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="pdns")
        self._running: dict[Future[Batch], tuple[Address, Answer]] = {}

    def batches(self) -> Iterator[Batch]:
        """What comes, without the ends of single addresses."""
        self._begin()
        while self._running:
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                yield self._take(future)
            self._begin()

    def _begin(self) -> None:
        width = self._width if any(part.whole for part in self.parts[:PATIENCE]) else 1
        while len(self._running) < width and not self._enough:
            address = next(self._waiting, None)
            if address is None:
                return
            self._go_on(address, self._ask_one(address))

    def _go_on(self, address: Address, answer: Answer) -> None:
        self._running[self._pool.submit(next, answer)] = (address, answer)

    def _take(self, future: Future[Batch]) -> Batch:
        address, answer = self._running.pop(future)
        batch = future.result()
        if batch.end is None:
            self._go_on(address, answer)
        else:
            answer.close()
            self.parts.append(Part(str(address), batch.end))
            self._enough = self._enough or pointless(self.parts)
        return replace(batch, end=None)

    def abandon(self) -> None:
        """Let go of what is still under way, when nobody listens any more."""
        for future, (_, answer) in self._running.items():
            future.add_done_callback(functools.partial(_close, answer))
        self._pool.shutdown(wait=False, cancel_futures=True)


def _close(answer: Answer, _: Future[Batch]) -> None:
    answer.close()
