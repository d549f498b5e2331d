"""How everything stands: sources with their last outcome and next run, block lists, partners. Reads, decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feedsvc import clock
from feedsvc.config import SourceSettings
from feedsvc.judge import quota
from feedsvc.model import ExportState, Hunt, Outcome, Partner, Refused, Run
from feedsvc.pipeline import budgeting, exporting, polling
from feedsvc.pipeline.budgeting import Ledger
from feedsvc.pipeline.parts import Parts
from feedsvc.sources import plan
from feedsvc.sources.polling import marks


@dataclass(frozen=True, slots=True)
class PlanStand:
    """What a source has begun to ask and not had answered.

    Attributes:
        calls_left: as far as can be known before they are answered.
        goes_on_at: when the schedule carries it on; None: at the next run.
        done_at: when its last call will be made, as the quota goes; None when nothing holds it up.
    """

    calls_left: int
    goes_on_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class SourceStand:
    """How a source stands.

    Attributes:
        outcome: of the latest run; None when there was none yet.
        last_complete: when any netblock was last read completely.
        next_run: when the schedule would poll it next; never before it was asked to.
        cursor: position by scope.
        quota: how its key's account stands; None for what costs no calls.
        plan: None when everything that was asked was answered.
    """

    name: str
    kind: str
    outcome: Outcome | None
    reason: str
    last_run: datetime | None
    last_complete: datetime | None
    next_run: datetime | None
    cursor: tuple[tuple[str, str], ...]
    quota: quota.Standing | None
    plan: PlanStand | None
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class Stand:
    """How everything stands.

    Attributes:
        hunts: those that are not over.
    """

    sources: tuple[SourceStand, ...]
    exports: tuple[ExportState, ...]
    partners: tuple[Partner, ...]
    hunts: tuple[Hunt, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether each source was complete when it ran last and nothing is held."""
        return all(one.outcome is Outcome.COMPLETE for one in self.sources) and not any(one.held for one in self.exports)


def stand(parts: Parts, sources: Sequence[SourceSettings]) -> Stand:
    """Ask history how everything stands."""
    return Stand(
        sources=tuple(_source(parts, one) for one in sources),
        exports=exporting.states(parts),
        partners=parts.history.partners.all(),
        hunts=parts.history.hunts.pending(),
    )


def _source(parts: Parts, settings: SourceSettings) -> SourceStand:
    latest = parts.history.runs.latest_outcomes().get(settings.name)
    complete = [at for (source, _), at in parts.history.facts.marks().items() if source == settings.name]
    run, fared = latest or (None, None)
    cursors = parts.history.facts.cursors(settings.name)
    ledger = _ledger(parts, settings.name)
    stands = ledger.standing() if ledger else None
    planned = _plan(parts, settings.name, cursors, ledger) if ledger else None
    return SourceStand(
        name=settings.name,
        kind=settings.kind,
        outcome=fared.outcome if fared else None,
        reason=fared.reason if fared else "was never polled",
        last_run=run.started_at if run else None,
        last_complete=max(complete, default=None),
        next_run=_next_run(run, settings, stands, planned, parts.clock()),
        cursor=tuple(sorted(marks(cursors).items())),
        quota=stands,
        plan=planned,
        refused=fared.refused if fared else (),
    )


def _ledger(parts: Parts, source: str) -> Ledger | None:
    billing = parts.billing.get(source)
    return budgeting.ledger(parts.history, billing, parts.clock, person=False) if billing else None


def _plan(parts: Parts, source: str, cursors: Mapping[str, str], ledger: Ledger) -> PlanStand | None:
    kept = plan.from_text(cursors.get(plan.SCOPE, ""))
    left = plan.calls(kept.pending, parts.billing[source].traits)
    if not left:
        return None
    done = ledger.forecast(left, kept.made + left)
    return PlanStand(left, polling.goes_on_at(parts.history, source), done)


def _next_run(
    run: Run | None, settings: SourceSettings, stands: quota.Standing | None, planned: PlanStand | None, now: datetime
) -> datetime | None:
    """When the schedule polls next: at its window or when an unfinished poll goes on; not before it may.

    A run by hand, and one that carries a poll on, stand for the window in which they began.
    """
    if run is None:
        return None
    due = clock.window(settings.every, min(run.window, now)) + settings.every
    if planned is not None and planned.goes_on_at is not None:
        due = min(due, planned.goes_on_at)
    closed = stands.closed_until if stands else None
    return max(due, closed) if closed else due
