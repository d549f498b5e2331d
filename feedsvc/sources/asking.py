"""One poll of a provider: calls out of the plan, answers into it, and the end of each netblock as it is reached."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from feedsvc.clock import Clock, rfc3339
from feedsvc.http import Answer, Client, HttpError, Request
from feedsvc.model import Batch, Cursor, End, Learnt, Outcome
from feedsvc.sources import plan
from feedsvc.sources.calling import Calling, Heard
from feedsvc.sources.endings import COMPLETE, Part, pointless, worst
from feedsvc.sources.plan import Piece, Plan, Target
from feedsvc.sources.port import Budget, Pause, Provider, Reply, Traits

_FULL = "it has more names than the provider gives at once, and cannot be asked about in smaller parts"


@dataclass(frozen=True, slots=True)
class _Caller:
    """A provider, asked by pieces."""

    provider: Provider
    now: Clock

    def request(self, asked: Piece) -> Request:
        return self.provider.request(asked.question)

    def read(self, answer: Answer, asked: Piece) -> Generator[Batch, None, Reply]:
        return self.provider.read(answer, asked.question)

    def refused(self, err: HttpError, asked: Piece) -> Reply | None:
        return self.provider.refused(err, asked.question)

    def quotas(self, headers: Mapping[str, str]) -> Sequence[Learnt]:
        return self.provider.quotas(headers, self.now())


class _Pieces:
    """The queue of a poll: pieces in order, taken call by call; those of a netblock that has cost enough are left out."""

    def __init__(self, pending: Iterable[Piece], targets: Sequence[Target], traits: Traits) -> None:
        self.dear: list[Piece] = []
        self._waiting = deque(pending)
        self._targets = targets
        self._traits = traits
        self._cost = dict.fromkeys(targets, 0)

    @property
    def left(self) -> tuple[Piece, ...]:
        return (*self._waiting, *self.dear)

    def calls(self) -> int:
        return plan.calls(self._waiting, self._traits)

    def put_back(self, asked: Piece) -> None:
        self._waiting.appendleft(asked)

    def put_first(self, pieces: Sequence[Piece]) -> None:
        self._waiting.extendleft(reversed(pieces))

    def take(self) -> Piece | None:
        while self._waiting:
            piece = self._waiting.popleft()
            if not self._affordable(piece):
                self.dear.append(piece)
                continue
            call, left = plan.first_call(piece, self._traits)
            if left is not None:
                self._waiting.appendleft(left)
            return call
        return None

    def _affordable(self, piece: Piece) -> bool:
        """Whether a target that wants this may still have a call; counts it."""
        wanting = [target for target in self._targets if piece.concerns(target)]
        able = [target for target in wanting if self._cost[target] < self._traits.max_calls]
        for target in wanting:
            self._cost[target] += 1
        return bool(able)


class Asking:
    """One poll, from its plan on.

    Attributes:
        finished: whether nothing of the plan is left that asking on may bring.
    """

    def __init__(
        self,
        source: str,
        provider: Provider,
        http: Client,
        planned: Plan,
        budget: Budget,
        *,
        kept: Plan,
        width: int,
        now: Clock,
    ) -> None:
        """Begin.

        Args:
            kept: what is left to be asked of netblocks that are not asked about now.
        """
        self._source = source
        self._kept = kept
        self._traits = provider.traits
        self._budget = budget
        self._now = now
        self._made = planned.made
        self._targets = list(planned.targets)
        self._queue = _Pieces(planned.pending, planned.targets, provider.traits)
        self._doubted: list[tuple[Piece, Part]] = []
        self._stuck: list[tuple[Piece, Part]] = []  # not answered in full, and nothing more to be asked in this poll
        self._fruitful: set[Target] = set()
        self._proven = False
        total = planned.made + plan.calls(planned.pending, provider.traits)
        self._total = total
        self._calling: Calling[Piece] = Calling(
            http, _Caller(provider, now), self._queue, budget, width=width, total=total, now=now
        )

    @property
    def finished(self) -> bool:  # noqa: D102
        return not self._targets

    def batches(self) -> Iterator[Batch]:
        """What comes, with the plan's cursor, the marks and the ends; every target has its end in one of them."""
        if any(not any(piece.concerns(target) for piece in self._queue.left) for target in self._targets):
            # A poll about another netblock answered what this one waited for.
            yield self._reached(Batch())
        for heard in self._calling.heard():
            yield self._batch(heard)
        if self._doubted and self._proven:
            yield self._reached(Batch())
        yield from self._unreached()

    def _batch(self, heard: Heard[Piece]) -> Batch:
        if heard.batch.observations:
            self._fruitful.update(target for target in self._targets if heard.asked.concerns(target))
        if heard.reply is None:
            return heard.batch
        self._settle(heard.asked, heard.reply)
        return self._reached(heard.batch)

    def _settle(self, call: Piece, reply: Reply) -> None:
        left = plan.rest(call, reply, self._traits, self._now())
        if left is not None:
            self._made += 1
            self._queue.put_first(left)
        elif reply.end.doubted:
            self._doubted.append((call, Part(call.about, reply.end)))
        elif reply.end.outcome is Outcome.COMPLETE:
            self._made += 1
            self._proven = True
        else:
            end = replace(reply.end, reason=f"{reply.end.reason}: {_FULL}") if reply.limited else reply.end
            # What an answer lacks, it lacks on its last page too: the next poll begins with the first one.
            again = call if reply.end.trouble else replace(call, page="")
            self._stuck.append((again, Part(call.about, end)))

    def _reached(self, batch: Batch) -> Batch:
        """The batch with the marks and the end of what is answered in full now, and with the plan of what is not."""
        if self._proven:
            self._doubted = []
        waiting = self._waiting()
        done = [target for target in self._targets if not any(piece.concerns(target) for piece in waiting)]
        self._targets = [target for target in self._targets if target not in done]
        marks = [Cursor(self._source, str(one.netblock), rfc3339(one.began)) for one in done]
        kept = Cursor(self._source, plan.SCOPE, plan.to_text(self._left(waiting)))
        scope = tuple(target.netblock for target in done)
        return replace(batch, cursors=(*batch.cursors, *marks, kept), scope=scope, end=COMPLETE if done else None)

    def _left(self, waiting: tuple[Piece, ...]) -> Plan:
        return Plan(
            (*self._targets, *self._kept.targets), (*waiting, *self._kept.pending), self._made if self._targets else 0
        )

    def _waiting(self) -> tuple[Piece, ...]:
        unsure = (piece for piece, _ in (*self._stuck, *self._doubted))
        return plan.joined((*self._calling.under_way, *unsure, *self._queue.left), self._traits)

    def _unreached(self) -> Iterator[Batch]:
        """An end for each target that was not answered in full; those that end alike in one batch.

        Where all that was not answered in full cannot be, the plan ends as well: the next poll asks about the whole netblock
        again. It would ask about a crowded address for ever otherwise, and miss what is new beside it.
        """
        ends: dict[End, list[Target]] = {}
        for target in self._targets:
            ends.setdefault(self._end(target), []).append(target)
        self._targets = [target for target in self._targets if self._is_open(target)]
        kept = Cursor(self._source, plan.SCOPE, plan.to_text(self._left(self._waiting())))
        for end, targets in ends.items():
            yield Batch(cursors=(kept,), scope=tuple(target.netblock for target in targets), end=end)

    def _is_open(self, target: Target) -> bool:
        """Whether asking on may bring what is missing of a target: something was not asked, or its answer failed."""
        failed = (piece for piece, part in self._stuck if part.end.trouble or part.end.stop)
        doubted = (piece for piece, _ in self._doubted)
        missing = (*self._calling.under_way, *self._queue.left, *failed, *doubted)
        return any(piece.concerns(target) for piece in missing)

    def _end(self, target: Target) -> End:
        bad = [part for piece, part in (*self._stuck, *self._doubted) if piece.concerns(target)]
        if bad:
            return worst(bad, self._progress(target), some=self._is_begun(target))
        begun = Outcome.PARTIAL if self._is_begun(target) else Outcome.SKIPPED
        if self._calling.held is not None:
            return self._held(self._calling.held, begun)
        if any(piece.concerns(target) for piece in self._queue.dear):
            return End(begun, f"has cost its {self._traits.max_calls:,} calls of one poll; the next one goes on")
        if not self._stuck and pointless(self._calling.parts):
            # Each answer was to be asked for again in halves, and none of these was any better.
            last = self._calling.parts[-1]
            return End(begun, f"{last.about}: {last.end.reason}; asked no further", trouble=last.end.trouble)
        return End(
            begun,
            "asked no further, as asking on is pointless"
            if begun is Outcome.PARTIAL
            else "not asked, as asking on is pointless",
        )

    def _held(self, pause: Pause, begun: Outcome) -> End:
        """The end of what the budget holds up: how far it came, when it goes on, when it will be done."""
        pending = self._queue.calls()
        done = self._budget.forecast(pending, self._total)
        until = f"; goes on {rfc3339(pause.until)}" + (f", done about {rfc3339(done)}" if done else "")
        return End(begun, f"{pause.why}: {self._made:,} of {self._made + pending:,} calls made{until}", again_at=pause.until)

    def _is_begun(self, target: Target) -> bool:
        """Whether anything of a target was answered, in this poll or before."""
        return target in self._fruitful or self._answered(target) > 0

    def _answered(self, target: Target) -> int:
        """How many of a target's addresses are answered for in full."""
        missing = sum(plan.common(piece.netblock, target.netblock) for piece in plan.distinct(self._waiting()))
        return target.netblock.size - missing

    def _progress(self, target: Target) -> str:
        if target.netblock.size == 1:
            return ""
        return f" ({self._answered(target):,} of {target.netblock.size:,} addresses answered in full)"
