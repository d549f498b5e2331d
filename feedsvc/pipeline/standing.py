"""How everything stands: sources with their last outcome and next run, block lists, partners. Reads, decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feedsvc.config import SourceSettings
from feedsvc.model import ExportState, Outcome, Partner, Refused
from feedsvc.pipeline import exporting, polling
from feedsvc.pipeline.parts import Parts
from feedsvc.sources.polling import marks


@dataclass(frozen=True, slots=True)
class SourceStand:
    """How a source stands.

    Attributes:
        outcome: of the latest run; None when there was none yet.
        last_complete: when any netblock was last read completely.
        next_run: when the schedule would poll it next; never before it was asked to.
        cursor: position by scope.
        quota: calls left, None when no budget is configured.
    """

    name: str
    kind: str
    outcome: Outcome | None
    reason: str
    last_run: datetime | None
    last_complete: datetime | None
    next_run: datetime | None
    cursor: tuple[tuple[str, str], ...]
    quota: int | None
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class Stand:
    """How everything stands."""

    sources: tuple[SourceStand, ...]
    exports: tuple[ExportState, ...]
    partners: tuple[Partner, ...]

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
    )


def _source(parts: Parts, settings: SourceSettings) -> SourceStand:
    latest = parts.history.runs.latest_outcomes().get(settings.name)
    complete = [at for (source, _), at in parts.history.facts.marks().items() if source == settings.name]
    run, fared = latest or (None, None)
    away = polling.stays_away_until(parts, settings.name, parts.clock())
    due = run.window + settings.every if run else None
    if due and away:
        due = max(due, away)
    return SourceStand(
        name=settings.name,
        kind=settings.kind,
        outcome=fared.outcome if fared else None,
        reason=fared.reason if fared else "was never polled",
        last_run=run.started_at if run else None,
        last_complete=max(complete, default=None),
        next_run=due,
        cursor=tuple(sorted(marks(parts.history.facts.cursors(settings.name)).items())),
        quota=settings.daily_quota,
        refused=fared.refused if fared else (),
    )
