"""Calls to a provider, several under way at once, each paid for before it is made.

A call is one request. Until one was answered well, calls are made one after the other, so that a bad key costs one and a
dead server few; then as many at once as the provider allows. A fault that may pass is asked again, as another call, after
growing pauses, and keeps its place among those under way meanwhile. Nothing more is asked after a refusal of whatever we
ask, after three troubles in a row, or when the budget says no.

A call that needs another request, as the server sends us to another address of its own or has taken a token back, is paid
for again before that is made. A login costs nothing, and comes before the payment. What is under way when the process is
asked to end is waited for, as it is paid for.

Which calls, and what their answers are good for, is `asking`'s.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from feedsvc.clock import Clock, monotonic
from feedsvc.errors import SourceError
from feedsvc.http import Answer, AskFurther, Client, HttpError, Ready, Request
from feedsvc.model import Batch, End, Learnt
from feedsvc.sources.endings import after_fault, broken
from feedsvc.sources.port import Budget, Pause, Reply

SHORT = 5.0
"""Seconds that a call waits for the budget; a longer pause ends the poll, and the next one goes on."""

PATIENCE = 3
"""So many troubles in a row, and nothing more is asked."""

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


@dataclass(frozen=True, slots=True)
class Heard(Generic[Asked]):
    """A part of what came of a call; the last one, and only it, has the reply."""

    asked: Asked
    batch: Batch
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What one step of reading brought; `passing` when it is a fault that may pass, `unpaid` when the next costs a call."""

    batch: Batch
    reply: Reply | None = None
    quotas: Sequence[Learnt] = ()
    passing: bool = False
    unpaid: bool = False


_UNPAID = _Step(Batch(), unpaid=True)
_Answering = Generator[_Step, None, None]


@dataclass(frozen=True, slots=True)
class _Call(Generic[Asked]):
    """A call under way, and how many could be when it was made."""

    asked: Asked
    answer: _Answering
    width: int


class Calling(Generic[Asked]):
    """A round of calls.

    Attributes:
        held: why no more was asked, when the budget said no.
        stopped_by: what was asked last before asking on was pointless, and how that ended.
        spent: whether the provider said that a quota is spent.
    """

    def __init__(
        self, http: Client, caller: Caller[Asked], queue: Queue[Asked], budget: Budget, *, width: int, made: int, now: Clock
    ) -> None:
        """Make a round that has asked nothing yet.

        Args:
            queue: may be added to while it goes on; what is left in it afterwards was not asked.
            width: calls under way at once.
            made: calls that earlier rounds made for the same plan.
            now: what the budget's pauses are compared with.
        """
        self.held: Pause | None = None
        self.stopped_by: tuple[Asked, End] | None = None
        self.spent = False
        self._http = http
        self._caller = caller
        self._queue = queue
        self._budget = budget
        self._width = width
        self._made = made
        self._now = now
        self._proven = False
        self._troubles = 0
        self._tries: dict[Asked, int] = {}
        self._again: list[tuple[float, int, Asked]] = []
        self._numbers = itertools.count()
        self._running: dict[Future[_Step], _Call[Asked]] = {}
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="pdns")

    @property
    def over(self) -> bool:
        """Whether nothing more will be asked in this round."""
        return self.held is not None or self.stopped_by is not None or self._http.stopping

    @property
    def silenced(self) -> bool:
        """Whether nothing else may be asked either: all of this round being trouble, in the end, says nothing of that."""
        is_hopeless = self.stopped_by is not None and (self.stopped_by[1].stop or not self._proven)
        return self.held is not None or is_hopeless or self._http.stopping

    @property
    def pending(self) -> int:
        """How many calls wait, as far as is known."""
        return self._queue.calls() + len(self._again)

    def heard(self) -> Generator[Heard[Asked], None, None]:
        """Make the calls and yield what comes, in the order in which it comes."""
        try:
            self._begin()
            while self._running or (self._again and not self.over):
                for future in self._done():
                    heard = self._take(future)
                    if heard is not None:
                        yield heard
                    self._begin()  # after each, so that no place stays empty while others are listened to
                self._begin()
        finally:
            self._abandon()
        for _, _, asked in sorted(self._again, reverse=True):
            self._queue.put_back(asked)
        self._again = []

    def _done(self) -> Iterable[Future[_Step]]:
        waits = max(self._again[0][0] - monotonic(), 0.0) if self._again else None
        if not self._running:
            self._http.pause(waits or 0.0)
            return ()
        is_awaited = self._room > 0 and not self.over
        return wait(self._running, timeout=waits if is_awaited else None, return_when=FIRST_COMPLETED).done

    @property
    def _room(self) -> int:
        return (self._width if self._proven else 1) - len(self._running)

    def _begin(self) -> None:
        while not self.over:
            asked = self._next()
            if asked is None:
                return
            answer, is_ready = self._prepared(asked)
            if not self._paid(self._budget.spend if is_ready else self._budget.held_up):
                self._queue.put_back(asked)
                return
            self._go_on(_Call(asked, answer, self._width))

    def _prepared(self, asked: Asked) -> tuple[_Answering, bool]:
        """A call, and whether its first step makes a request that is to be paid for."""
        try:
            request = self._caller.request(asked)
        except SourceError as err:
            return _one_step(self._after(err, asked, 0, ())), False
        ready = self._http.ready(request)
        return self._call(asked, request, ready), ready is not None

    def _next(self) -> Asked | None:
        if self._again and self._room > 0 and self._again[0][0] <= monotonic():
            return heapq.heappop(self._again)[2]
        # A call that will be made again keeps its place: a server that is down is not asked for all the others meanwhile.
        return self._queue.take() if self._room > len(self._again) else None

    def _paid(self, spend: Callable[[int, int], Pause | None]) -> bool:
        """Whether the budget gave a call; waits for a short pause, and ends the round for a long one.

        Args:
            spend: of the budget; or what asks whether it would, before a login that nothing may come of.
        """
        patience = monotonic() + SHORT
        while not self._http.stopping:
            pending = self.pending + 1
            pause = spend(pending, self._made + len(self._running) + pending)
            if pause is None:
                return True
            seconds = max((pause.until - self._now()).total_seconds(), 0.01)
            if monotonic() + seconds > patience:
                self.held = pause
                return False
            self._http.pause(seconds)
        return False

    def _go_on(self, call: _Call[Asked]) -> None:
        self._running[self._pool.submit(next, call.answer)] = call

    def _take(self, future: Future[_Step]) -> Heard[Asked] | None:
        call = self._running.pop(future)
        step = future.result()
        if step.reply is None:
            self._go_on_if_paid(call, step)
            return None if step.unpaid else Heard(call.asked, step.batch)
        call.answer.close()
        self._tell_budget(step.quotas, step.reply)
        if self._asks_again(call, step, step.reply):
            return Heard(call.asked, step.batch)
        self._made += 1
        self._judge(call.asked, step.reply)
        return Heard(call.asked, step.batch, step.reply)

    def _go_on_if_paid(self, call: _Call[Asked], step: _Step) -> None:
        if step.unpaid and (self.over or not self._paid(self._budget.spend)):
            call.answer.close()
            self._queue.put_back(call.asked)
        else:
            self._go_on(call)

    def _tell_budget(self, quotas: Sequence[Learnt], reply: Reply) -> None:
        if reply.free:
            self._budget.give_back()
        if quotas:
            self._budget.learn(quotas)
        if reply.over is not None or reply.end.retry_after is not None:
            self.spent = self.spent or reply.over is not None
            self._budget.over(reply.over, reply.end.retry_after)

    def _asks_again(self, call: _Call[Asked], step: _Step, reply: Reply) -> bool:
        if reply.crowded and call.width == self._width:  # those that were under way with it say no more than it did
            self._width = max(self._width // 2, 1)
        tries = self._tries.pop(call.asked, 0) + 1
        if not (step.passing or reply.crowded):
            return False
        pause = self._http.pause_before(tries, reply.end.retry_after)
        if self._http.stopping:
            pause = 0.0  # no fault of the other side, and no answer either
        elif tries >= self._http.limits.attempts or pause is None:
            return False
        self._tries[call.asked] = tries
        heapq.heappush(self._again, (monotonic() + pause, next(self._numbers), call.asked))
        return True

    def _judge(self, asked: Asked, reply: Reply) -> None:
        """See whether to ask on; what is under way may still end well, and changes nothing about that."""
        if reply.stale:  # asked too late: no fault of either side, and no proof
            return
        self._proven = self._proven or not (reply.end.trouble or reply.end.stop)
        self._troubles = self._troubles + 1 if reply.end.trouble else 0
        if self.stopped_by is None and (reply.end.stop or self._troubles >= PATIENCE):
            self.stopped_by = asked, reply.end

    def _call(self, asked: Asked, request: Request, ready: Ready | None) -> _Answering:
        """Ask and read, step by step; once more for each request that it takes to get an answer, up to a few."""
        for _ in range(self._http.limits.redirects):
            try:
                yield from self._request(asked, request, ready)
            except AskFurther as err:
                request, ready = err.request, None
            else:
                return
        yield from self._request(asked, request, ready, is_last=True)

    def _request(self, asked: Asked, request: Request, ready: Ready | None, *, is_last: bool = False) -> _Answering:
        """Ask and read; the last batch comes with the reply, so that they are stored together.

        Raises:
            AskFurther: another request is needed.
        """
        understood, quotas, last = 0, tuple[Learnt, ...](), Batch()
        try:
            if ready is None:
                ready = self._http.log_in(request)
                yield _UNPAID
            with self._http.once(ready) as answer:
                quotas = tuple(self._caller.quotas(answer.headers))
                reading = _Reading(self._caller.read(answer, asked))
                for batch in reading:
                    if last.observations or last.refused:
                        yield _Step(last)
                    last = Batch(batch.observations, refused=batch.refused)
                    understood += len(batch.observations)
        except SourceError as err:
            if isinstance(err, AskFurther) and not is_last:
                raise
            yield replace(self._after(err, asked, understood, quotas), batch=last)
            return
        yield _Step(last, reading.reply or Reply(broken("the provider stopped without an end", understood)), quotas)

    def _after(self, err: SourceError, asked: Asked, understood: int, quotas: Sequence[Learnt]) -> _Step:
        if not isinstance(err, HttpError):
            return _Step(Batch(), Reply(after_fault(err, understood)), quotas)
        said = self._caller.quotas(err.headers) if err.headers else quotas
        reply = self._caller.refused(err, asked) or Reply(after_fault(err, understood))
        if reply.over is None and err.status == 429:
            reply = replace(reply, over="burst")
        passing = (err.transient or self._http.stopping) and reply.end.trouble and not reply.end.stop and reply.over is None
        return _Step(Batch(), reply, said, passing)

    def _abandon(self) -> None:
        """Let go of what is still under way, when nobody listens any more."""
        for future, call in self._running.items():
            future.add_done_callback(functools.partial(_close, call.answer))
        # What is under way is paid for: nothing that the pool has not begun yet is cancelled.
        self._pool.shutdown(wait=False)


class _Reading:
    """The batches of an answer, and the reply that they end with."""

    def __init__(self, batches: Generator[Batch, None, Reply | None]) -> None:
        self.reply: Reply | None = None
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        self.reply = yield from self._batches


def _one_step(step: _Step) -> _Answering:
    yield step


def _close(answer: _Answering, _: Future[_Step]) -> None:
    answer.close()
