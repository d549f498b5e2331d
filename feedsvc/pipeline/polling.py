"""One source read from its cursors on: claimed, read batch by batch, absorbed, closed with its outcome.

The only place of the pipeline that may catch everything: whatever a source does, it becomes an outcome of that source, and
the others are polled all the same. What history does is never swallowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from feedsvc import clock
from feedsvc.errors import Busy, SourceError
from feedsvc.history.port import History
from feedsvc.model import Batch, Change, End, Outcome, Refused, Run, SourceOutcome
from feedsvc.names import Netblock
from feedsvc.pipeline import settling
from feedsvc.pipeline.absorbing import absorb
from feedsvc.pipeline.budgeting import LONGEST_STAY_AWAY, Ledger
from feedsvc.pipeline.parts import Parts
from feedsvc.sources.port import Poll, Source

log = structlog.get_logger()

STOPPED = "stopped: the process was asked to end"


@dataclass(frozen=True, slots=True)
class Polled:
    """How a source fared, and what was decided on what it said."""

    outcome: SourceOutcome
    changes: tuple[Change, ...] = ()


def poll(parts: Parts, source: Source, window: datetime | None = None) -> Polled:
    """Read a source once and store what it says.

    Args:
        window: the planned moment this poll stands for; now when a person asked.
    """
    try:
        with parts.history.runs.claim(f"poll/{source.name}"):
            return _poll_claimed(parts, source, window)
    except Busy:
        return Polled(SourceOutcome(source.name, Outcome.SKIPPED, "another process is polling it at this moment"))


def _poll_claimed(parts: Parts, source: Source, window: datetime | None) -> Polled:
    now = parts.clock()
    with parts.history.transaction():
        run = parts.history.runs.begin(f"poll/{source.name}", window or now, now)
    if run is None:
        return Polled(SourceOutcome(source.name, Outcome.SKIPPED, f"its window of {window} was polled already"))
    said = _read(parts, source, run, now)
    outcome = SourceOutcome(source.name, *_summary(said.ends), refused=_merge(said.refused), at=parts.clock())
    last = _close(parts, run, outcome, said)
    log.info("source.polled", source=source.name, outcome=str(outcome.outcome), reason=outcome.reason)
    return Polled(outcome, (*said.changes, *last))


def not_polled(history: History, source: str, window: datetime, reason: str, now: datetime) -> None:
    """Close a window in which a source could not even be asked, so that `status` says why it was not.

    Raises:
        Busy: another process polls the source at this moment.
    """
    with history.runs.claim(f"poll/{source}"), history.transaction():
        run = history.runs.begin(f"poll/{source}", window, now)
        if run is not None:
            history.runs.end(run.id, [SourceOutcome(source, Outcome.FAILED, reason)], now)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a source said, batch after batch, and what was decided on it."""

    changes: list[Change] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def _read(parts: Parts, source: Source, run: Run, now: datetime) -> _Said:
    said = _Said()
    for batch in _batches(parts, source, now):
        with parts.history.transaction():
            said.changes.extend(absorb(parts, source.name, batch, parts.clock()))
            parts.history.facts.refuse(run.id, source.name, batch.refused)
        said.refused.extend(batch.refused)
        said.ends.extend([batch.end] if batch.end else [])
        parts.progress(f"{source.name}: {len(said.ends)} of {len(_netblocks(parts, source))} netblocks")
    return said


def _batches(parts: Parts, source: Source, now: datetime) -> Iterator[Batch]:
    """What the source yields; whatever it raises, and being asked to stop, becomes a last batch with an end."""
    away = _stay_away(parts, source, now)
    if away is not None:
        yield Batch(end=away)
        return
    cursors = parts.history.facts.cursors(source.name)
    try:
        for batch in source.read(Poll(_netblocks(parts, source), cursors, now, Ledger(parts, source.name))):
            yield batch
            if parts.stop.is_set():
                yield Batch(end=End(Outcome.PARTIAL, STOPPED))
                return
    except SourceError as err:
        yield Batch(end=End(Outcome.FAILED, str(err), err.retry_after))
    except Exception as err:
        log.exception("source.broke", source=source.name)
        yield Batch(end=End(Outcome.FAILED, f"broke with {type(err).__name__}; the log has the trace"))


def _netblocks(parts: Parts, source: Source) -> tuple[Netblock, ...]:
    # A log is read once: a line that was passed over for one watch is lost for all.
    return parts.asked if source.kind == "pdns" else parts.matcher.netblocks


def _stay_away(parts: Parts, source: Source, now: datetime) -> End | None:
    until = stays_away_until(parts, source.name, now)
    if until is None:
        return None
    return End(Outcome.SKIPPED, f"the provider asked us to stay away until {clock.rfc3339(until)}")


def stays_away_until(parts: Parts, source: str, now: datetime) -> datetime | None:
    """Until when a provider asked us to leave it alone; None when it did not, or that is over."""
    text = parts.history.note(f"stay-away/{source}")
    until = clock.parse_rfc3339(text) if text else now
    # Further away than anybody can ask for, it was written by a clock that has since stepped back.
    return until if now < until <= now + LONGEST_STAY_AWAY else None


def _close(parts: Parts, run: Run, outcome: SourceOutcome, said: _Said) -> list[Change]:
    now = parts.clock()
    with parts.history.transaction():
        changes = settling.settle(parts, outcome.name, said.changes, now)
        changes += settling.expire(parts, now) if outcome.outcome is Outcome.COMPLETE else []
        parts.history.runs.end(run.id, [outcome], now)
    return changes


def _summary(ends: Sequence[End]) -> tuple[Outcome, str]:
    """The outcome of the whole from those of its parts, and the reasons of what was not complete."""
    if not ends:
        return Outcome.FAILED, "it ended without a word"
    outcomes = {end.outcome for end in ends}
    reasons = Counter(end.reason for end in ends if end.reason and end.outcome is not Outcome.COMPLETE)
    if len(reasons) == 0:
        reasons = Counter(end.reason for end in ends if end.reason)
    text = "; ".join(reason if times == 1 else f"{reason} ({times} times)" for reason, times in reasons.most_common(3))
    if len(outcomes) == 1:
        return outcomes.pop(), text
    if outcomes == {Outcome.FAILED, Outcome.SKIPPED}:
        return Outcome.FAILED, text
    return Outcome.PARTIAL, text


def _merge(refused: Sequence[Refused]) -> tuple[Refused, ...]:
    merged: dict[str, Refused] = {}
    for one in refused:
        known = merged.get(one.reason)
        merged[one.reason] = Refused(one.reason, one.count + known.count, known.sample) if known else one
    return tuple(sorted(merged.values(), key=lambda one: (-one.count, one.reason)))
