"""A passive DNS provider as a source: its plan carried on, call by call, until it is done or nothing more may be asked.

The position of a netblock's cursor is the moment (RFC 3339) at which its last complete answer *began* to be asked for; the
next one asks from there, less an overlap for data that arrive late. Only a complete answer moves it. What is still to be
asked stands in a cursor of its own (`plan.SCOPE`), and moves in the same transaction as what was answered: a poll that is
interrupted is carried on where it stopped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from feedsvc.clock import Clock, parse_rfc3339
from feedsvc.errors import SourceError
from feedsvc.http import Client, HttpError, Request
from feedsvc.model import Batch, Cursor, End, Learnt, Outcome
from feedsvc.names import Netblock
from feedsvc.sources import plan
from feedsvc.sources.asking import Asking
from feedsvc.sources.fronts import SCOPE as FRONT
from feedsvc.sources.fronts import Fronts
from feedsvc.sources.plan import Plan, Target
from feedsvc.sources.port import Budget, Poll, Provider, Question, Telling
from feedsvc.sources.turns import in_turn

BUSY = timedelta(minutes=1)
"""Who finds every connection of its key in use tries again after it."""


class PdnsSource:
    """A provider with its since-marks; see `sources.port.Source`."""

    kind = "pdns"

    def __init__(
        self,
        name: str,
        provider: Provider,
        http: Client,
        now: Clock,
        *,
        overlap: timedelta | None = None,
        fronts_per_poll: int = 0,
    ) -> None:
        """Join them.

        Args:
            name: as configured.
            overlap: as configured; None leaves it to the provider.
            fronts_per_poll: names of findings that are asked about once the netblocks are done.
        """
        self.name = name
        self.provider = provider
        self._http = http
        self._now = now
        self._overlap = provider.traits.overlap if overlap is None else overlap
        self._fronts = Fronts(name, provider, http, fronts_per_poll, now)

    def read(self, poll: Poll) -> Iterator[Batch]:
        """Carry the plan on, and look for names in front of findings; `cursors` holds marks by netblock, and the plan."""
        assert poll.budget is not None, "a provider is not asked without a ledger"
        with poll.budget.connections(self.provider.traits.concurrency) as width:
            if width == 0:
                yield self._turned_away(poll)
                return
            yield from self._asked(poll, poll.budget, width)

    def _turned_away(self, poll: Poll) -> Batch:
        """What is said where another poll has the key: what this one would ask waits a little, not for a whole window."""
        why = "every connection that the key may have is in use by another poll"
        left = Cursor(self.name, plan.SCOPE, plan.to_text(self.plan(poll)))
        return Batch(
            cursors=(left,), scope=tuple(poll.netblocks), end=End(Outcome.SKIPPED, why, again_at=self._now() + BUSY)
        )

    def _asked(self, poll: Poll, budget: Budget, width: int) -> Iterator[Batch]:
        skipped = [] if poll.continuing else self.skipped(poll.netblocks)
        for netblock, end in skipped:
            yield Batch(scope=(netblock,), end=end)
        planned, kept = plan.parted(self.plan(poll), poll.netblocks)
        if not planned.targets:
            yield from self._nothing(poll, kept, said=bool(skipped))
            return
        self._ask_quotas(budget)
        asking = Asking(
            self.name,
            self.provider,
            self._http,
            planned,
            budget,
            kept=kept,
            renewed=lambda target: self._renewed(target, poll),
            continuing=poll.continuing,
            width=width,
            now=self._now,
        )
        yield from asking.batches()
        if asking.finished:
            yield from self._fronts.batches(poll, budget)

    def _nothing(self, poll: Poll, kept: Plan, *, said: bool) -> Iterator[Batch]:
        """There is nothing to ask about; a plan of netblocks that nobody watches any more is forgotten."""
        text = plan.to_text(kept)
        if text != poll.cursors.get(plan.SCOPE, ""):
            yield Batch(cursors=(Cursor(self.name, plan.SCOPE, text),))
        if not said:
            yield Batch(end=End(Outcome.SKIPPED, "there is nothing to ask about"))

    def plan(self, poll: Poll) -> Plan:
        """What is to be asked, as far as can be known before, and what is left of netblocks that are not; asks nobody."""
        watched = self._askable((*poll.netblocks, *poll.watched))
        kept = plan.pruned(plan.from_text(poll.cursors.get(plan.SCOPE, "")), watched, self.provider.traits)
        whole = kept if poll.continuing else self._begun(kept, poll)
        return plan.ordered(whole, poll.active, self._overlap, poll.now)

    def _begun(self, kept: Plan, poll: Poll) -> Plan:
        """The plan, and what a new window asks: netblocks that are not in it, or of which only what is no use is left."""
        asked = dict.fromkeys(self._askable(poll.netblocks))
        worn = {target.netblock: target for target in plan.worn(kept) if target.netblock in asked}
        going = tuple(target for target in kept.targets if target.netblock not in worn)
        under_way = {target.netblock for target in going}
        news = [self._anew(one, worn.get(one), poll) for one in asked if one not in under_way]
        left = replace(kept, targets=going, made=0, proven=kept.proven if going else None)
        return plan.extended(left, news, self.provider.traits)

    def _renewed(self, target: Target, poll: Poll) -> Target | None:
        """What a new window asks about a netblock, once it is answered in full what an earlier one has begun to ask."""
        if poll.continuing or poll.now - target.began <= poll.recent:
            return None
        return Target(target.netblock, poll.now, since(target.began, self._overlap, poll.now))

    def foreseen(self, poll: Poll) -> Plan:
        """The plan, and what is asked in the same poll once what an earlier one has left is answered; asks nobody."""
        planned, _ = plan.parted(self.plan(poll), poll.netblocks)
        news = [one for target in planned.targets if (one := self._renewed(target, poll))]
        later = plan.uncovered(news, planned.pending, self.provider.traits)
        return replace(planned, pending=(*planned.pending, *later))

    def _anew(self, netblock: Netblock, worn: Target | None, poll: Poll) -> Target:
        mark = worn.began if worn else _mark(poll.cursors.get(str(netblock), ""))
        return Target(netblock, poll.now, since(mark, self._overlap, poll.now), worn.failures if worn else 0)

    def calls(self, planned: Plan) -> Iterator[tuple[Question, Request]]:
        """The calls of one poll of a plan, in their order, as far as they are known before any is answered."""
        for call in in_turn(planned, self.provider.traits):
            yield call.question, self.provider.request(call.question)

    def fronts(self, poll: Poll) -> int:
        """How many names of findings this poll would ask about, at most."""
        return self._fronts.count(poll)

    def skipped(self, netblocks: Sequence[Netblock]) -> list[tuple[Netblock, End]]:
        """Those that are too many addresses for a provider that knows nothing but addresses, and what that would cost."""
        most = self.provider.traits.max_addresses
        return [(one, End(Outcome.SKIPPED, _price(one, most))) for one in netblocks if self._is_too_large(one)]

    def _askable(self, netblocks: Sequence[Netblock]) -> list[Netblock]:
        return [one for one in netblocks if not self._is_too_large(one)]

    def _is_too_large(self, netblock: Netblock) -> bool:
        traits = self.provider.traits
        return traits.reach == "address" and netblock.size > traits.max_addresses

    def _ask_quotas(self, budget: Budget) -> None:
        """Ask a provider that tells its quotas free of charge; what goes wrong there goes wrong again at the first call.

        But for one that wants no questions now: the first call is one as well.
        """
        if not isinstance(self.provider, Telling) or not budget.wants_telling():
            return
        told: Sequence[Learnt] = ()
        try:
            with self._http.ask(self.provider.quota_request(), attempts=1) as answer:
                told = self.provider.read_quota(answer.read(), self._now())
        except SourceError as err:
            is_refused = isinstance(err, HttpError) and err.status == 429
            if is_refused or err.retry_after is not None:
                budget.over("burst" if is_refused else None, err.retry_after)
        if told:
            budget.learn(told)
        else:
            budget.untold()


def marks(cursors: Mapping[str, str]) -> Mapping[str, str]:
    """The cursors that are since-marks of netblocks; the others are the planner's own."""
    return {scope: text for scope, text in cursors.items() if scope != plan.SCOPE and not scope.startswith(FRONT)}


def answered_until(cursors: Mapping[str, str], netblock: str) -> datetime | None:
    """Until when a netblock, as text, is known in full, whenever the last answer of that came; None when it never was."""
    return _mark(cursors.get(netblock, ""))


def since(mark: datetime | None, overlap: timedelta, now: datetime) -> datetime | None:
    """Where to ask from; None, everything, when there is no mark, or none that the overlap can be taken off.

    A mark in the future, left by a clock that has stepped back since, counts as now.
    """
    with contextlib.suppress(OverflowError):
        return None if mark is None else min(mark, now) - overlap
    return None


def _mark(position: str) -> datetime | None:
    with contextlib.suppress(ValueError, OverflowError):
        return parse_rfc3339(position)
    return None


def _price(netblock: Netblock, most: int) -> str:
    size = f"{netblock.size:,}" if netblock.size < 10**9 else f"2^{netblock.size.bit_length() - 1}"
    return (
        f"{netblock} would cost {size} questions a poll, as this provider is asked address by address; the limit is "
        f"{most:,}: watch a smaller netblock, use a provider that knows netblocks, or raise max_addresses"
    )
