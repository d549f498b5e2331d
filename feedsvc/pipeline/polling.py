"""One source read from its cursors on: claimed, read batch by batch, absorbed, closed with its outcome.

The only place of the pipeline that may catch everything: whatever a source does, it becomes an outcome of that source, and
the others are polled all the same. What history does is never swallowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from feedsvc import clock
from feedsvc.errors import Busy, SourceError
from feedsvc.history.port import History
from feedsvc.model import Batch, Change, End, Outcome, Refused, Run, SourceOutcome, Status
from feedsvc.names import Netblock
from feedsvc.pipeline import budgeting, settling
from feedsvc.pipeline.absorbing import absorb
from feedsvc.pipeline.parts import Parts
from feedsvc.sources.port import Known, Poll, Source

log = structlog.get_logger()

_ALIVE = frozenset({Status.CANDIDATE, Status.HELD, Status.APPROVED, Status.PUBLISHED})
_FRONTED = 1_000  # findings, the newest, that names in front are looked for

STOPPED = "stopped: the process was asked to end"


@dataclass(frozen=True, slots=True)
class Polled:
    """How a source fared, and what was decided on what it said."""

    outcome: SourceOutcome
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """What the schedule polls a source for.

    Attributes:
        window: the planned moment that the poll stands for.
        continuing: an unfinished poll is carried on, and nothing else is asked.
    """

    window: datetime
    continuing: bool = False


def poll(parts: Parts, source: Source, turn: Turn | None = None) -> Polled:
    """Read a source once and store what it says.

    Args:
        turn: None when a person asked.
    """
    try:
        with parts.history.runs.claim(f"poll/{source.name}"):
            return _poll_claimed(parts, source, turn or Turn(parts.clock()))
    except Busy:
        return Polled(SourceOutcome(source.name, Outcome.SKIPPED, "another process is polling it at this moment"))


def _poll_claimed(parts: Parts, source: Source, turn: Turn) -> Polled:
    now = parts.clock()
    with parts.history.transaction():
        run = parts.history.runs.begin(f"poll/{source.name}", turn.window, now)
    if run is None:
        return Polled(SourceOutcome(source.name, Outcome.SKIPPED, f"its window of {turn.window} was polled already"))
    said = _read(parts, source, run, asked(parts, source, turn, now))
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
    done: set[Netblock] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)


def _read(parts: Parts, source: Source, run: Run, wanted: Poll) -> _Said:
    said = _Said()
    for batch in _batches(parts, source, wanted):
        with parts.history.transaction():
            said.changes.extend(absorb(parts, source.name, batch, parts.clock()))
            parts.history.facts.refuse(run.id, source.name, batch.refused)
        said.refused.extend(batch.refused)
        said.ends.extend([batch.end] if batch.end else [])
        said.done.update(batch.scope if batch.end else ())
        parts.progress(f"{source.name}: {len(said.done)} of {len(wanted.netblocks)} netblocks")
    return said


def _batches(parts: Parts, source: Source, wanted: Poll) -> Iterator[Batch]:
    """What the source yields; whatever it raises, and being asked to stop, becomes a last batch with an end.

    A source that pays for what it asks sees for itself that it is asked to stop: what is under way then was paid for, and
    is listened to.
    """
    try:
        for batch in source.read(wanted):
            yield batch
            if parts.stop.is_set() and wanted.budget is None:
                yield Batch(end=End(Outcome.PARTIAL, STOPPED))
                return
    except SourceError as err:
        yield Batch(end=End(Outcome.FAILED, str(err), err.retry_after))
    except Exception as err:
        log.exception("source.broke", source=source.name)
        yield Batch(end=End(Outcome.FAILED, f"broke with {type(err).__name__}; the log has the trace"))


def asked(parts: Parts, source: Source, turn: Turn, now: datetime) -> Poll:
    """What a source is polled for."""
    billing = parts.billing.get(source.name)
    return Poll(
        netblocks=_netblocks(parts, source),
        cursors=parts.history.facts.cursors(source.name),
        now=now,
        budget=budgeting.ledger(parts.history, billing, parts.clock, person=parts.person) if billing else None,
        active=parts.history.findings.active() if billing else {},
        known=_known(parts) if billing else (),
        watched=parts.matcher.netblocks,
        continuing=turn.continuing,
        # Half of the time between two windows tells the next one from a poll by hand after one that was cut short.
        recent=billing.every / 2 if billing else timedelta(0),
    )


def _known(parts: Parts) -> list[Known]:
    return [Known(one.name, one.rdata) for one in parts.history.findings.recent(_ALIVE, _FRONTED)]


def _netblocks(parts: Parts, source: Source) -> tuple[Netblock, ...]:
    # A log is read once: a line that was passed over for one watch is lost for all.
    return parts.asked if source.kind == "pdns" else parts.matcher.netblocks


def goes_on_at(history: History, source: str) -> datetime | None:
    """When an unfinished poll of a source may be carried on; None when there is none that waits for its budget."""
    text = history.note(f"again/{source}")
    return clock.parse_rfc3339(text) if text else None


def _close(parts: Parts, run: Run, outcome: SourceOutcome, said: _Said) -> list[Change]:
    now = parts.clock()
    with parts.history.transaction():
        changes = settling.settle(parts, outcome.name, said.changes, now, finished=outcome.outcome is Outcome.COMPLETE)
        changes += settling.expire(parts, now) if outcome.outcome is Outcome.COMPLETE else []
        parts.history.facts.forget_clients(now - parts.limits.keep_clients)
        again = min((end.again_at for end in said.ends if end.again_at is not None), default=None)
        parts.history.keep_note(f"again/{outcome.name}", clock.rfc3339(again) if again else "")
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
