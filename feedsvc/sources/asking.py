"""One poll of a provider: calls out of the plan, answers into it, and the end of each netblock as it is reached.

What is left of the plan is stored with the answer that changed it. An answer of nothing in doubt waits for a proof that the
provider is asked at the right place: a complete one, in this poll or in one before it that the same plan was asked in.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from feedsvc.clock import Clock, rfc3339
from feedsvc.http import Answer, Client, HttpError, Request
from feedsvc.model import Batch, Cursor, End, Learnt, Outcome
from feedsvc.names import Netblock
from feedsvc.sources import cutting, plan
from feedsvc.sources.calling import Calling, Heard
from feedsvc.sources.endings import COMPLETE, Part, worst
from feedsvc.sources.outstanding import Outstanding
from feedsvc.sources.plan import Piece, Plan, Target
from feedsvc.sources.port import Budget, Provider, Reply
from feedsvc.sources.turns import Turns

PROOF = timedelta(days=1)
"""For so long a complete answer proves, in later polls of the same plan, that the provider is asked at the right place."""

BEGINNINGS = 3
"""How often an answer whose pages the provider loses is begun in a poll."""

_FULL = "it has more names than the provider gives at once, and cannot be asked about in smaller parts"
_NOWHERE = "its pages cannot be followed to their end"


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


class _Pages:
    """Which pages were asked for in this poll, so that an answer whose pages lead nowhere comes to an end."""

    def __init__(self) -> None:
        self._seen: dict[Piece, set[str]] = {}
        self._begun: Counter[Piece] = Counter()

    def are_news(self, call: Piece, left: Sequence[Piece]) -> bool:
        """Whether what an answer leads to is worth a call: a page not seen, one of few new beginnings; halves always are."""
        if len(left) > 1:
            return True
        answer, page = replace(call, page="", failures=0), left[0].page
        if not page:
            self._begun[answer] += 1
            return self._begun[answer] < BEGINNINGS
        if not call.page:
            self._seen[answer] = set()
        seen = self._seen.setdefault(answer, {call.page})
        is_new = page not in seen
        seen.add(page)
        return is_new


class Asking:
    """One poll, from its plan on."""

    def __init__(
        self,
        source: str,
        provider: Provider,
        http: Client,
        planned: Plan,
        budget: Budget,
        *,
        kept: Plan,
        renewed: Callable[[Target], Target | None],
        continuing: bool,
        width: int,
        now: Clock,
    ) -> None:
        """Begin.

        Args:
            source: its name.
            planned: what to ask.
            kept: what is left to be asked of netblocks that are not asked about now.
            renewed: tells what is to be asked next about a netblock that was answered in full; None: nothing.
            continuing: whether it is carried on between two windows.
            width: calls under way at once.
        """
        self._source = source
        self._traits = provider.traits
        self._budget = budget
        self._http = http
        self._now = now
        self._ours = dict.fromkeys(planned.targets)
        self._renewed = renewed
        self._answers: list[Piece] = []
        self._made = planned.made
        self._proven_at = planned.proven
        self._proven = planned.proven is not None and abs(now() - planned.proven) <= PROOF
        self._doubted: list[tuple[Piece, Reply]] = []
        self._bad: dict[Target, list[Part]] = {}
        self._fruitful: set[Target] = set()
        self._answered: set[Target] = set()
        self._vain: set[Target] = set()
        self._continuing = continuing
        self._called = False
        self._pages = _Pages()
        self._queue = Turns(planned, self._traits)
        whole = replace(planned, targets=planned.targets + kept.targets, pending=planned.pending + kept.pending)
        self._waiting = Outstanding(whole, self._traits)
        self._calling: Calling[Piece] = Calling(
            http, _Caller(provider, now), self._queue, budget, width=width, made=planned.made, now=now
        )

    @property
    def finished(self) -> bool:
        """Whether all was asked that could be, be it answered in full or not."""
        return not self._calling.silenced and not self._queue.dear

    def batches(self) -> Iterator[Batch]:
        """What comes, with the plan's cursors, the marks and the ends; every netblock asked about has its end in one."""
        with contextlib.closing(self._calling.heard()) as round_of_calls:
            for heard in round_of_calls:
                yield self._batch(heard)
        for call, reply in self._doubted:
            self._failed(call, reply)
        yield from self._unreached()

    def _batch(self, heard: Heard[Piece]) -> Batch:
        if heard.batch.observations:
            self._fruitful.update(self._waiting.concerned(heard.asked))
        if heard.reply is None:
            return heard.batch
        self._note(heard.asked, heard.reply)
        done = self._settle(heard.asked, heard.reply)
        if heard.reply.end.unfit and not self._proven:
            self._queue.give_up(heard.asked)
        elif heard.reply.end.trouble:
            self._queue.postpone(heard.asked)
        renewed = {target.netblock: one for target in done if (one := self._renew(target))}
        ended = [renewed.get(target.netblock, target) for target in done]
        scope = tuple(target.netblock for target in ended if target not in self._ours)
        looked = tuple(target.netblock for target in ended if target in self._ours)
        marks = [target if target.netblock in looked else one for target, one in zip(done, ended, strict=True)]
        end = COMPLETE if scope else None
        return replace(heard.batch, cursors=self._cursors(marks), scope=scope, end=end, looked=looked)

    def _renew(self, target: Target) -> Target | None:
        """What follows on a netblock that was answered in full; it is one of ours while something of it waits.

        What was answered in this very poll counts for it.
        """
        fresh = self._renewed(target) if target in self._ours else None
        self._ours.pop(target, None)
        if fresh is None:
            return None
        news = list(plan.uncovered([fresh], [*self._answers, *self._waiting.group(fresh)], self._traits))
        if self._waiting.begin(fresh, news):
            self._queue.put_last(news)
            self._ours[fresh] = None
        return fresh

    def _cursors(self, done: Iterable[Target] = ()) -> tuple[Cursor, ...]:
        """The marks of netblocks that are answered in full, and what is left of the plan."""
        marks = [Cursor(self._source, str(target.netblock), rfc3339(target.began)) for target in done]
        return (*marks, Cursor(self._source, plan.SCOPE, self._waiting.text(self._made, self._proven_at)))

    # -- an answer ------------------------------------------------------------------------------------------------------

    def _note(self, call: Piece, reply: Reply) -> None:
        """Remember which netblocks something was answered about, and which met nothing but trouble."""
        self._called = True
        if not (reply.end.trouble or reply.end.stop):
            self._answered.update(self._waiting.concerned(call))
        elif reply.over is None:
            self._vain.update(self._waiting.concerned(call))

    def _settle(self, call: Piece, reply: Reply) -> list[Target]:
        """What an answer is good for; returns the netblocks that are answered in full by it."""
        left, end = cutting.rest(call, reply, self._traits, self._now()), reply.end
        if left is not None and self._pages.are_news(call, left):
            self._queue.put_first(self._waiting.news(left))
            done = self._waiting.settle(call, left)
            return done if reply.stale else done + self._proof()
        if reply.limited or (reply.page and end.outcome is Outcome.COMPLETE):
            return self._failed(call, reply, _FULL if reply.limited else _NOWHERE)
        if end.doubted and not self._proven:
            self._doubted.append((call, reply))
            return []
        if end.doubted or end.outcome is Outcome.COMPLETE:
            return self._answer(call) + self._proof(by_another=end.doubted)
        return self._failed(call, reply)

    def _proof(self, *, by_another: bool = False) -> list[Target]:
        """Count an answer, which proves that the provider is asked at the right place.

        Args:
            by_another: it is one that was in doubt until another proved it.

        Returns:
            The netblocks that are answered in full by those that were in doubt till now.
        """
        self._made += 1
        if by_another:
            return []
        self._proven, self._proven_at = True, self._now()
        doubted, self._doubted = self._doubted, []
        self._made += len(doubted)
        return [target for call, _ in doubted for target in self._answer(call)]

    def _answer(self, call: Piece) -> list[Target]:
        """Count a call as answered in full; returns the netblocks of which nothing waits any more."""
        self._answers.append(call)
        return self._waiting.settle(call)

    def _failed(self, call: Piece, reply: Reply, why: str = "") -> list[Target]:
        """Leave a call to the next poll; each netblock that wants it has its part in that."""
        end = _not_whole(reply.end, why) if why else reply.end
        for target in self._waiting.concerned(call):
            about = "" if call.netblock == target.netblock else call.about
            self._bad.setdefault(target, []).append(Part(about, end))
        return self._waiting.settle(call, [_again(call, reply)])

    # -- the end --------------------------------------------------------------------------------------------------------

    def _unreached(self) -> Iterator[Batch]:
        """An end for each netblock that was not answered in full; those that end alike in one batch."""
        if not self._ours:
            return
        goes_on = self._goes_on()
        ends: dict[End, list[Netblock]] = {}
        for target in self._ours:
            ends.setdefault(self._end(target, goes_on), []).append(target.netblock)
        self._remember_failures()
        left = self._cursors()
        for end, netblocks in ends.items():
            yield Batch(cursors=left, scope=tuple(netblocks), end=end)

    def _remember_failures(self) -> None:
        """Count the poll against those netblocks about which every answer was trouble; the next one asks others first."""
        for target in self._ours:
            if target in self._answered or target in self._vain:
                failures = 0 if target in self._answered else target.failures + 1
                self._waiting.replace(target, replace(target, failures=failures))

    def _goes_on(self) -> _GoesOn:
        """When the rest can be asked for, where a quota holds it up, and how far the whole is.

        Who was carried on and got no answer again waits for its next window: a server that says "in ten seconds" every ten
        seconds would be asked without an end, and each call is paid for.
        """
        wanted = plan.concerned(list(self._ours))
        pending = plan.calls((piece for piece in self._waiting if wanted(piece)), self._traits)
        total = self._made + pending
        at = self._calling.held.until if self._calling.held else None
        if self._calling.spent and at is None:
            at = self._budget.forecast(1, total)
        progress = f"{self._made:,} of {total:,} calls made"
        if at is None or (self._continuing and self._called and not self._answered):
            return _GoesOn(progress=progress)
        done = self._budget.forecast(pending, total)
        text = f"; goes on {rfc3339(at)}" + (f", done about {rfc3339(done)}" if done is not None and done > at else "")
        return _GoesOn(at, progress, text)

    def _end(self, target: Target, goes_on: _GoesOn) -> End:
        some = self._is_begun(target)
        if target in self._bad:
            end = worst(self._bad[target], self._progress(target), some=some)
        else:
            why = self._why(target, goes_on)
            end = replace(why, outcome=Outcome.PARTIAL) if some else why
        return replace(end, reason=end.reason + goes_on.text, again_at=goes_on.at)

    def _why(self, target: Target, goes_on: _GoesOn) -> End:
        """Why a netblock of which no call failed was not asked about to its end."""
        if self._calling.held is not None:
            return End(Outcome.SKIPPED, f"{self._calling.held.why}: {goes_on.progress}")
        if self._calling.stopped_by is not None:
            return self._stopped(target, *self._calling.stopped_by)
        if target.netblock in self._queue.dear:
            most = f"{self._traits.max_calls:,} calls of one poll"
            return End(Outcome.SKIPPED, f"has cost its {most}; the next one goes on")
        return End(Outcome.SKIPPED, "not asked to its end, as feedsvc is stopping")

    def _stopped(self, target: Target, call: Piece, end: End) -> End:
        if not call.concerns(target):
            return End(Outcome.SKIPPED, "not asked to its end, as asking on is pointless")
        # It was to be asked for in halves, and so is not among those that failed.
        return replace(end, outcome=Outcome.FAILED, reason=f"{call.about}: {end.reason}; asked no further")

    def _is_begun(self, target: Target) -> bool:
        """Whether anything of a netblock was answered, in this poll or before."""
        return target in self._fruitful or self._waiting.group(target).answered(target) > 0

    def _progress(self, target: Target) -> str:
        size = target.netblock.size
        if size == 1 or not all(part.about for part in self._bad[target]):
            return ""
        return f" ({self._waiting.group(target).answered(target):,} of {size:,} addresses answered in full)"


@dataclass(frozen=True, slots=True)
class _GoesOn:
    """When the rest can be asked for, as far as the quota goes, and the words for that."""

    at: datetime | None = None
    progress: str = ""
    text: str = ""


def _again(call: Piece, reply: Reply) -> Piece:
    """What to ask for in the next poll, where a call was asked for in vain."""
    if reply.over is not None:  # which says nothing of what was asked
        return call
    if reply.end.trouble or reply.end.stop:
        return replace(call, failures=call.failures + 1)
    # What an answer lacks, it lacks on its last page too.
    return replace(call, page="", failures=max(call.failures + 1, plan.IN_VAIN))


def _not_whole(end: End, why: str) -> End:
    """The end of an answer that has a rest which cannot be asked for."""
    outcome = Outcome.PARTIAL if end.outcome is Outcome.COMPLETE else end.outcome
    return replace(end, outcome=outcome, reason=f"{end.reason}: {why}" if end.reason else why)
