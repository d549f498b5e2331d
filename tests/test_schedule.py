"""What is due when, and that a job that breaks does not take the schedule with it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from feedsvc.schedule import Due, Job, Schedule, due, look

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        pytest.param(None, NOON + 7 * MINUTE, Due(NOON, 0), id="never polled: the present window"),
        pytest.param(NOON, NOON + 59 * MINUTE, None, id="the present window has its run"),
        pytest.param(NOON, NOON + HOUR, Due(NOON + HOUR, 0), id="the next window began"),
        pytest.param(NOON, NOON + 4 * HOUR, Due(NOON + 4 * HOUR, 3), id="three windows went by"),
        pytest.param(NOON + 5 * MINUTE, NOON + 50 * MINUTE, None, id="a run by hand stands for the window it fell in"),
        pytest.param(NOON + 9000 * HOUR, NOON + MINUTE, Due(NOON, 0), id="the clock stepped back from far ahead"),
    ],
)
def test_the_latest_window_without_a_run_is_due(last: datetime | None, now: datetime, expected: Due | None) -> None:
    assert due(last, HOUR, now) == expected


@given(st.integers(1, 10**6), st.integers(0, 10**9))
def test_a_window_that_was_run_is_not_due_again_before_the_next(every: int, second: int) -> None:
    now = datetime.fromtimestamp(second, UTC)
    found = due(None, timedelta(seconds=every), now)
    assert found is not None
    assert found.window <= now < found.window + timedelta(seconds=every)
    assert due(found.window, timedelta(seconds=every), now) is None


def test_a_job_runs_for_the_window_that_is_due() -> None:
    windows: list[datetime] = []
    look(Job("pdns", HOUR, lambda: None, windows.append), lambda: NOON + MINUTE)
    look(Job("pdns", HOUR, lambda: NOON, windows.append), lambda: NOON + MINUTE)
    assert windows == [NOON]


def test_a_job_that_breaks_does_not_take_the_schedule_with_it() -> None:
    def breaks(window: datetime) -> None:
        raise RuntimeError("the disk is gone")

    with capture_logs() as logs:
        look(Job("pdns", HOUR, lambda: None, breaks), lambda: NOON)
    assert [(said["event"], said["source"]) for said in logs] == [("schedule.job_broke", "pdns")]


def test_the_schedule_looks_at_once_and_again_in_each_window() -> None:
    seen: list[datetime] = []
    twice = threading.Event()

    def run(window: datetime) -> None:
        seen.append(window)
        if len(seen) == 2:
            twice.set()

    schedule = Schedule(
        [Job("log", timedelta(seconds=1), lambda: seen[-1] if seen else None, run)], lambda: datetime.now(UTC)
    )
    schedule.start()
    try:
        assert twice.wait(30)
    finally:
        schedule.stop()
    assert seen[1] - seen[0] >= timedelta(seconds=1)
