"""One run from end to end, and the only room that knows all stages.

    source ──▶ batch ──▶ absorb: match, compare, store ──▶ settle, expire ──▶ publish approved ──▶ write block lists
               (polling)  (absorbing, one transaction a batch)  (settling)      (publishing)          (exporting)

`reviewing` carries out what a person decides and ends in the same two steps; `reading` answers questions. Everything is
handed in as `Parts`; nothing here builds a plug-in, reads a file of configuration or a clock of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feedsvc.model import Change, Delta, Outcome, SourceOutcome
from feedsvc.pipeline import exporting, polling, publishing, reading
from feedsvc.pipeline.exporting import Exported, Upkeep
from feedsvc.pipeline.parts import Parts
from feedsvc.pipeline.polling import Turn
from feedsvc.sources.port import Source


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did: the delta, and how each block list fared."""

    delta: Delta
    exported: Exported

    @property
    def clean(self) -> bool:
        """Whether every source was complete and every list was written."""
        return all(one.outcome is Outcome.COMPLETE for one in self.delta.sources) and not self.exported.held


def run(parts: Parts, sources: Sequence[Source], turn: Turn | None = None, upkeep: Upkeep | None = None) -> RunResult:
    """Poll these sources once, publish what is approved, write the lists.

    Args:
        turn: what the schedule runs it for; None when a person asked.
        upkeep: of a process that runs again and again: leaves the lists alone while nothing is new. None writes them.
    """
    started = parts.clock()
    upkeep = upkeep or Upkeep()
    try:
        outcomes, changes = _poll(parts, sources, turn)
        exported = Exported()
        if changes or upkeep.is_due():
            exported = exporting.write(parts)
            upkeep.written(exported)
    except BaseException:
        upkeep.doubt()
        raise
    label = started.strftime("%Y%m%dT%H%M%S.%fZ")
    delta = reading.of_changes(parts, label, outcomes, [change.decision for change in changes])
    return RunResult(delta, exported)


def _poll(parts: Parts, sources: Sequence[Source], turn: Turn | None) -> tuple[list[SourceOutcome], list[Change]]:
    outcomes: list[SourceOutcome] = []
    changes: list[Change] = list(release(parts))
    for source in sources:
        if parts.stop.is_set():
            outcomes.append(SourceOutcome(source.name, Outcome.SKIPPED, polling.STOPPED))
            continue
        polled = polling.poll(parts, source, turn)
        outcomes.append(polled.outcome)
        changes += polled.changes
        changes += publishing.publish_approved(parts)
    return outcomes, changes


def release(parts: Parts) -> list[Change]:
    """Publish what an earlier process approved but did not publish, and fill new collections."""
    publishing.enrol(parts)
    return publishing.publish_approved(parts)
