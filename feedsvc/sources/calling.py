"""Calls to a provider, several under way at once, each paid for before it is made.

A call is one request. Until one was answered in full, calls are made one after the other, so that a bad key costs one and a
dead server few; then as many at once as the provider allows. A fault that may pass is asked again, as another call, after
growing pauses. Nothing more is asked after a refusal, after three troubles in a row, or when the budget says no.

Which calls, and what their answers are good for, is `polling`'s.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from feedsvc.clock import Clock, monotonic
from feedsvc.errors import SourceError
from feedsvc.http import Answer, Client, HttpError, Request
from feedsvc.model import Batch, Learnt
from feedsvc.sources.endings import Part, after_fault, pointless
from feedsvc.sources.port import Budget, Pause, Reply

SHORT = 5.0
"""Seconds that a poll waits for the budget; a longer pause ends it, and the next one goes on."""

Asked = TypeVar("Asked")
Put_contra = TypeVar("Put_contra", contravariant=True)


class Caller(Protocol[Put_contra]):
    """How something that is asked is written, read, and what its refusal means; see `port.Provider`."""

    def request(self, asked: Put_contra) -> Request:
        """As a request."""
        ...

    def read(self, answer: Answer, asked: Put_contra) -> Generator[Batch, None, Reply]:
        """What an answer says."""
        ...

    def refused(self, err: HttpError, asked: Put_contra) -> Reply | None:
        """What an error means."""
        ...

    def quotas(self, headers: Mapping[str, str]) -> Sequence[Learnt]:
        """What an answer's headers say about quotas."""
        ...


@dataclass(frozen=True, slots=True)
class Heard(Generic[Asked]):
    """A part of what came of a call; the last one, and only it, has the reply."""

    asked: Asked
    batch: Batch
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    batch: Batch
    reply: Reply | None = None
    quotas: Sequence[Learnt] = ()
    transient: bool = False


_Answering = Generator[_Step, None, None]


class Queue(Protocol[Asked]):
    """What is to be asked, in order."""

    def take(self) -> Asked | None:
        """The next call; None when there is none."""
        ...

    def put_back(self, asked: Asked) -> None:
        """A call that was taken and not made: it is the next one again."""
        ...

    def calls(self) -> int:
        """How many there are."""
        ...


class Calling(Generic[Asked]):
    """A round of calls.

    Attributes:
        parts: how each thing that was asked ended, in the order of their ends.
        held: why no more was asked, when the budget said no.
    """

    def __init__(
        self, http: Client, caller: Caller[Asked], queue: Queue[Asked], budget: Budget, *, width: int, total: int, now: Clock
    ) -> None:
        """Make a round that has asked nothing yet.

        Args:
            queue: may be added to while it goes on; what is left in it afterwards was not asked.
            width: calls under way at once.
            total: calls that the whole of it wants, those that an earlier round made included.
            now: what the budget's pauses are compared with.
        """
        self.parts: list[Part] = []
        self.held: Pause | None = None
        self._http = http
        self._caller = caller
        self._queue = queue
        self._budget = budget
        self._width = width
        self._total = total
        self._now = now
        self._proven = False
        self._tries: dict[Asked, int] = {}
        self._again: list[tuple[float, int, Asked]] = []
        self._running: dict[Future[_Step], tuple[Asked, _Answering]] = {}
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="pdns")

    @property
    def under_way(self) -> list[Asked]:
        """What was asked and has no end yet, and what will be asked again."""
        return [asked for asked, _ in self._running.values()] + [asked for _, _, asked in self._again]

    @property
    def over(self) -> bool:
        """Whether nothing more will be asked in this round."""
        return self.held is not None or pointless(self.parts) or self._http.stopping

    def heard(self) -> Iterator[Heard[Asked]]:
        """Make the calls and yield what comes, in the order in which it comes."""
        try:
            self._begin()
            while self._running or (self._again and not self.over):
                for future in self._done():
                    yield self._take(future)
                self._begin()
        finally:
            self._abandon()
        for _, _, asked in sorted(self._again, reverse=True):
            self._queue.put_back(asked)
        self._again = []

    def _done(self) -> Iterable[Future[_Step]]:
        wakes = max(self._again[0][0] - monotonic(), 0.0) if self._again and self._has_room else None
        if self._running:
            return wait(self._running, timeout=wakes, return_when=FIRST_COMPLETED).done
        self._http.pause(wakes or 0.0)
        return ()

    @property
    def _has_room(self) -> bool:
        return len(self._running) < (self._width if self._proven else 1)

    def _begin(self) -> None:
        while self._has_room and not self.over:
            asked = self._next()
            if asked is None:
                return
            if not self._paid():
                self._queue.put_back(asked)
                return
            self._go_on(asked, self._call(asked))

    def _next(self) -> Asked | None:
        if self._again and self._again[0][0] <= monotonic():
            return heapq.heappop(self._again)[2]
        return self._queue.take()

    def _paid(self) -> bool:
        """Whether the budget gave a call; waits for a short pause, and ends the round for a long one."""
        while not self._http.stopping:
            pause = self._budget.spend(self._queue.calls() + 1, self._total)
            if pause is None:
                return True
            seconds = (pause.until - self._now()).total_seconds()
            if seconds > SHORT:
                self.held = pause
                return False
            self._http.pause(max(seconds, 0.01))
        return False

    def _go_on(self, asked: Asked, answer: _Answering) -> None:
        self._running[self._pool.submit(next, answer)] = (asked, answer)

    def _take(self, future: Future[_Step]) -> Heard[Asked]:
        asked, answer = self._running.pop(future)
        step = future.result()
        if step.reply is None:
            self._go_on(asked, answer)
            return Heard(asked, step.batch)
        answer.close()
        self._budget.learn(step.quotas)
        if step.reply.over is not None or step.reply.end.retry_after is not None:
            self._budget.over(step.reply.over, step.reply.end.retry_after)
        if self._asked_again(asked, step, step.reply):
            return Heard(asked, step.batch)
        self._proven = self._proven or not (step.reply.end.trouble or step.reply.end.stop)
        self.parts.append(Part(str(asked), step.reply.end))
        return Heard(asked, step.batch, step.reply)

    def _asked_again(self, asked: Asked, step: _Step, reply: Reply) -> bool:
        if reply.crowded:
            self._width = max(self._width // 2, 1)
        tries = self._tries[asked] = self._tries.get(asked, 0) + 1
        if not (step.transient or reply.crowded) or tries >= self._http.limits.attempts:
            return False
        pause = self._http.pause_before(tries, reply.end.retry_after)
        if pause is None:
            return False
        heapq.heappush(self._again, (monotonic() + pause, self._pushed(), asked))
        return True

    def _pushed(self) -> int:
        """A number that no two calls share, so that equal moments are told apart."""
        return sum(self._tries.values())

    def _call(self, asked: Asked) -> _Answering:
        understood, quotas = 0, tuple[Learnt, ...]()
        try:
            with self._http.ask(self._caller.request(asked), attempts=1) as answer:
                quotas = tuple(self._caller.quotas(answer.headers))
                reading = _Reading(self._caller.read(answer, asked))
                for batch in reading:
                    understood += len(batch.observations)
                    yield _Step(batch)
        except SourceError as err:
            yield self._after(err, asked, understood, quotas)
            return
        yield _Step(Batch(), reading.reply, quotas)

    def _after(self, err: SourceError, asked: Asked, understood: int, quotas: Sequence[Learnt]) -> _Step:
        if not isinstance(err, HttpError):
            return _Step(Batch(), Reply(after_fault(err, understood)), quotas)
        said = self._caller.quotas(err.headers) if err.headers else quotas
        reply = self._caller.refused(err, asked) or Reply(after_fault(err, understood))
        if reply.over is None and err.status == 429:
            reply = replace(reply, over="burst")
        return _Step(Batch(), reply, said, transient=err.transient)

    def _abandon(self) -> None:
        """Let go of what is still under way, when nobody listens any more."""
        for future, (_, answer) in self._running.items():
            future.add_done_callback(functools.partial(_close, answer))
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Reading:
    """The batches of an answer, and the reply that they end with."""

    def __init__(self, batches: Generator[Batch, None, Reply]) -> None:
        self.reply: Reply | None = None
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        self.reply = yield from self._batches


def _close(answer: _Answering, _: Future[_Step]) -> None:
    answer.close()
