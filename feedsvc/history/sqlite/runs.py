"""Runs: what was asked when, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from feedsvc.errors import HistoryError
from feedsvc.history.sqlite.claims import claim
from feedsvc.history.sqlite.engine import Engine, Parameters, Row
from feedsvc.history.sqlite.values import micros, moment, moment_or_none
from feedsvc.model import Outcome, Refused, Run, SourceOutcome

INTERRUPTED = "interrupted"

# One row for each refusal, or for each source without any, or for a run without sources: one question, one moment.
_SELECT = """
    SELECT run.id, run.job, run.window, run.started_at, run.ended_at,
           outcome.position, outcome.source, outcome.outcome, outcome.reason,
           refusal.reason, refusal.count, refusal.sample
    FROM run
    LEFT JOIN outcome ON outcome.run = run.id
    LEFT JOIN refusal ON refusal.run = run.id AND refusal.source = outcome.source
"""
_ORDER = " ORDER BY run.started_at, run.id, outcome.position, refusal.count DESC, refusal.reason"
_RUN = slice(0, 5)
_OUTCOME = slice(5, 9)
_REFUSAL = slice(9, 12)

_REFUSE_IN_TOTAL = """
    INSERT INTO refusal (run, source, reason, count, sample) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (run, source, reason) DO UPDATE SET count = max(count, excluded.count)
"""

# One step of the recursion jumps to the next source in the index: as many steps as sources, however many runs.
_LATEST = """
    WITH RECURSIVE each (source) AS (
        SELECT min(source) FROM outcome
        UNION ALL
        SELECT (SELECT min(source) FROM outcome WHERE source > each.source) FROM each WHERE each.source IS NOT NULL
    )
    SELECT source, (SELECT max(run) FROM outcome WHERE outcome.source = each.source) FROM each WHERE source IS NOT NULL
"""


class Runs:
    """See `feedsvc.history.port.Runs`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, job: str) -> AbstractContextManager[None]:
        """Hold a job."""
        self._engine.demand_writing()
        return claim(self._engine.state, job)

    def begin(self, job: str, window: datetime, now: datetime) -> Run | None:
        """Open a row for this window of this job."""
        for (run,) in self._engine.rows("SELECT id FROM run WHERE job = ? AND ended_at IS NULL", [job]):
            self.end(run, [SourceOutcome(job.rpartition("/")[2], Outcome.FAILED, INTERRUPTED)], now)
        added = self._engine.write(
            "INSERT INTO run (job, window, started_at) VALUES (?, ?, ?) ON CONFLICT (job, window) DO NOTHING",
            [job, micros(window), micros(now)],
        )
        if not added.rowcount:
            return None
        assert added.lastrowid is not None
        return Run(added.lastrowid, job, window, now)

    def end(self, run: int, sources: Sequence[SourceOutcome], now: datetime) -> None:
        """Close a row."""
        closed = self._engine.write("UPDATE run SET ended_at = ? WHERE id = ? AND ended_at IS NULL", [micros(now), run])
        if not closed.rowcount:
            raise HistoryError(f"there is no run {run} that has not ended")
        self._engine.write_many(
            "INSERT INTO outcome (run, position, source, outcome, reason) VALUES (?, ?, ?, ?, ?)",
            [(run, position, one.name, one.outcome, one.reason) for position, one in enumerate(sources)],
        )
        self._engine.write_many(
            _REFUSE_IN_TOTAL, [(run, one.name, no.reason, no.count, no.sample) for one in sources for no in one.refused]
        )

    def get(self, run: int) -> Run | None:
        """One run."""
        return next(iter(self._load("WHERE run.id = ?", [run])), None)

    def last(self, job: str) -> Run | None:
        """The job's run with the latest window."""
        latest = "WHERE run.id = (SELECT id FROM run WHERE job = ? ORDER BY window DESC LIMIT 1)"
        return next(iter(self._load(latest, [job])), None)

    def between(self, start: datetime, end: datetime) -> tuple[Run, ...]:
        """Runs that began in this span."""
        return self._load("WHERE run.started_at >= ? AND run.started_at < ?", [micros(start), micros(end)])

    def latest_outcomes(self) -> Mapping[str, tuple[Run, SourceOutcome]]:
        """For each source its latest ended run and how it fared in it."""
        latest: dict[str, int] = dict(self._engine.rows(_LATEST))
        runs = {run: self.get(run) for run in set(latest.values())}
        return {
            source: (run, outcome)
            for source, number in latest.items()
            if (run := runs[number])
            for outcome in run.sources
            if outcome.name == source
        }

    def _load(self, where: str, parameters: Parameters) -> tuple[Run, ...]:
        rows = self._engine.rows(_SELECT + where + _ORDER, parameters)
        return tuple(_run(key, grouped) for key, grouped in groupby(rows, itemgetter(_RUN)))


def _run(key: Row, rows: Iterable[Row]) -> Run:
    number, job, window, started_at, ended_at = key
    grouped = groupby(rows, itemgetter(_OUTCOME))
    sources = tuple(_outcome(outcome, refusals) for outcome, refusals in grouped if outcome[0] is not None)
    return Run(number, job, moment(window), moment(started_at), moment_or_none(ended_at), sources)


def _outcome(key: Row, rows: Iterable[Row]) -> SourceOutcome:
    _, source, outcome, reason = key
    refused = tuple(Refused(*row[_REFUSAL]) for row in rows if row[9] is not None)
    return SourceOutcome(source, Outcome(outcome), reason, refused)
