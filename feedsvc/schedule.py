"""The clock of `serve`: APScheduler says when to look, the run table says what is due.

Each source has windows: the multiples of its `every` since 1970 UTC. A window is due until a run stands for it, so a missed
one is a gap that is seen and filled at the next look, and a second scheduler on the same state does no harm: the table lets
one run a window have. APScheduler keeps nothing: its jobs live in memory and only ever ask "is something due?".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from feedsvc.clock import Clock

log = structlog.get_logger()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Due:
    """A window that wants a run, and how many before it went by without one."""

    window: datetime
    missed: int


def due(last: datetime | None, every: timedelta, now: datetime) -> Due | None:
    """What is due for a source; None when the present window has its run.

    Args:
        last: the latest window that has a run; that of a run by hand is the moment it began.
    """
    window = _EPOCH + (now - _EPOCH) // every * every
    # A window that is still to come was written by a clock that has since stepped back: it must not silence a source until
    # then. Should the present one have its run already, the run table says so.
    if last is None or last >= window + every:
        return Due(window, missed=0)
    if last >= window:
        return None
    return Due(window, missed=max((window - last) // every - 1, 0))


@dataclass(frozen=True, slots=True)
class Job:
    """One source's place in the schedule.

    Attributes:
        last: tells the latest window of this source that has a run.
        run: polls the source for a window and publishes; opens its own history, since it runs in a thread of its own.
    """

    name: str
    every: timedelta
    last: Callable[[], datetime | None]
    run: Callable[[datetime], None]


def look(job: Job, clock: Clock) -> None:
    """Run a job if something is due.

    One of the three places that catch everything (docs/architecture.md): a job that breaks must not take the schedule with
    it. What broke is logged with its trace, and the window stays open or is closed as failed in the run table.
    """
    try:
        found = due(job.last(), job.every, clock())
        if found is None:
            return
        if found.missed:
            log.warning("schedule.missed", source=job.name, windows=found.missed, filled_by=found.window.isoformat())
        job.run(found.window)
    except Exception:
        log.exception("schedule.job_broke", source=job.name)


class Schedule:
    """Looks after every job until it is stopped."""

    def __init__(self, jobs: Sequence[Job], clock: Clock) -> None:
        workers = ThreadPoolExecutor(max_workers=max(len(jobs), 1))
        self._scheduler = BackgroundScheduler(timezone=UTC, executors={"default": workers})
        for job in jobs:
            self._scheduler.add_job(
                look,
                IntervalTrigger(seconds=job.every.total_seconds(), start_date=_first_look(job, clock()), timezone=UTC),
                args=(job, clock),
                id=job.name,
                next_run_time=clock(),
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )

    def start(self) -> None:
        """Look at once, then once a window."""
        self._scheduler.start()

    def stop(self) -> None:
        """Wait for the jobs at hand, then end."""
        self._scheduler.shutdown(wait=True)


def _first_look(job: Job, now: datetime) -> datetime:
    """The beginning of the next window."""
    return _EPOCH + ((now - _EPOCH) // job.every + 1) * job.every
