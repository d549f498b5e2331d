"""What a poll of a provider would ask and cost, without asking: for `poll --dry-run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feedsvc.http import Request
from feedsvc.judge import quota
from feedsvc.model import End
from feedsvc.names import Netblock
from feedsvc.pipeline import budgeting, polling
from feedsvc.pipeline.parts import Parts
from feedsvc.sources import plan
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Source


@dataclass(frozen=True, slots=True)
class Call:
    """A call that would be made, and what it is about: not every request says so where it may be shown."""

    netblock: Netblock
    request: Request


@dataclass(frozen=True, slots=True)
class Planned:
    """What a poll of one source would do.

    Attributes:
        calls: in the order in which they would be made; pages and parts of answers that are cut come on top.
        waiting: how many more would be left to the next poll, as a netblock may cost no more in one (`max_calls`).
        kept: how many of all these an earlier poll has left.
        fronts: how many more calls would look for names in front of findings, at most.
        skipped: what would not be asked about, and why.
        quota: how the key's account stands before.
        done_at: when the last call would have been made; None when nothing holds it up.
    """

    source: str
    provider: str
    calls: tuple[Call, ...]
    waiting: int
    kept: int
    fronts: int
    skipped: tuple[End, ...]
    quota: quota.Standing
    done_at: datetime | None


def planned(parts: Parts, sources: Sequence[Source]) -> list[Planned]:
    """What polling these sources now would ask; those that cost no calls are left out."""
    return [_planned(parts, source) for source in sources if isinstance(source, PdnsSource)]


def _planned(parts: Parts, source: PdnsSource) -> Planned:
    now = parts.clock()
    billing = parts.billing[source.name]
    wanted = polling.asked(parts, source, polling.Turn(now), now)
    whole = source.foreseen(wanted)
    kept = plan.from_text(wanted.cursors.get(plan.SCOPE, ""))
    calls = tuple(Call(question.netblock, request) for question, request in source.calls(whole))
    ledger = budgeting.ledger(parts.history, billing, parts.clock, person=parts.person)
    return Planned(
        source=source.name,
        provider=billing.provider,
        calls=calls,
        waiting=plan.calls(whole.pending, billing.traits) - len(calls),
        kept=plan.calls(plan.parted(kept, wanted.netblocks)[0].pending, billing.traits),
        fronts=source.fronts(wanted),
        skipped=tuple(end for _, end in source.skipped(wanted.netblocks)),
        quota=ledger.standing(),
        done_at=ledger.forecast(len(calls), whole.made + len(calls)),
    )
