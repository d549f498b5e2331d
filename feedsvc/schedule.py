"""The clock of `serve`: APScheduler says when to look, the run table says what is due.

Each source has windows: the multiples of its `every` since 1970 UTC. A window is due until a run stands for it, so a missed
one is a gap that is seen and filled at the next look, and a second scheduler on the same state does no harm: the table lets
one run a window have. Between two windows a poll that was held up, as its provider lets so many calls pass and no more, is
carried on when it may. APScheduler keeps nothing: its jobs live in memory and only ever ask "is something due?".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from feedsvc import clock
from feedsvc.clock import Clock
from feedsvc.errors import FeedsvcError

log = structlog.get_logger()

_SOON = timedelta(seconds=1)  # a look is not followed by another one sooner


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
    window = clock.window(every, now)
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
        run: polls the source and publishes, for a window or (true) to carry an unfinished poll on; opens its own history,
            since it runs in a thread of its own.
        again: tells when an unfinished poll may be carried on; None when there is none.
    """

    name: str
    every: timedelta
    last: Callable[[], datetime | None]
    run: Callable[[datetime, bool], None]
    again: Callable[[], datetime | None] = lambda: None


def look(job: Job, clock: Clock) -> None:
    """Run a job if something is due.

    One of the three places that catch everything (docs/architecture.md): a job that breaks must not take the schedule with
    it. What broke is logged with its trace, and the window stays open or is closed as failed in the run table.
    """
    try:
        now = clock()
        found = due(job.last(), job.every, now)
        if found is not None:
            if found.missed:
                log.warning("schedule.missed", source=job.name, windows=found.missed, filled_by=found.window.isoformat())
            job.run(found.window, False)
        elif (again := job.again()) is not None and again <= now:
            job.run(now, True)
    except Exception:
        log.exception("schedule.job_broke", source=job.name)


def next_look(job: Job, now: datetime) -> datetime:
    """When to look after a job next: at the next window, or before, when an unfinished poll may be carried on."""
    window = _following(job.every, now)
    again = job.again()
    return window if again is None else min(window, max(again, now + _SOON))


def _following(every: timedelta, now: datetime) -> datetime:
    """The beginning of the next window."""
    return clock.window(every, now) + every


class _Windows(BaseTrigger):  # type: ignore[misc]
    """Fires at the beginning of each window."""

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return _following(self._every, now)


class Schedule:
    """Looks after every job until it is stopped."""

    def __init__(self, jobs: Sequence[Job], clock: Clock) -> None:
        self._clock = clock
        # APScheduler holds a lock while it waits for the jobs at hand: one that asks it for something then waits for ever.
        self._ending = threading.Lock()
        self._ended = False
        workers = ThreadPoolExecutor(max_workers=max(len(jobs), 1))
        self._scheduler = BackgroundScheduler(timezone=UTC, executors={"default": workers})
        for job in jobs:
            self._scheduler.add_job(
                self._look,
                _Windows(job.every),
                args=(job,),
                id=job.name,
                next_run_time=clock(),
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )

    def _look(self, job: Job) -> None:
        look(job, self._clock)
        try:
            at = next_look(job, self._clock())
        except FeedsvcError:
            log.warning("schedule.state_unreadable", source=job.name)  # the next window looks again
            return
        with self._ending:
            if not self._ended:
                self._scheduler.modify_job(job.name, next_run_time=at)

    def start(self) -> None:
        """Look at once, then once a window."""
        self._scheduler.start()

    def stop(self) -> None:
        """Wait for the jobs at hand, then end."""
        with self._ending:
            self._ended = True
        self._scheduler.shutdown(wait=True)
