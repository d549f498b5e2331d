"""What is due when, and that a job that breaks does not take the schedule with it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from feedsvc.schedule import Due, Job, Schedule, due, look, next_look

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
    run = lambda window, _: windows.append(window)  # noqa: E731
    look(Job("pdns", HOUR, lambda: None, run), lambda: NOON + MINUTE)
    look(Job("pdns", HOUR, lambda: NOON, run), lambda: NOON + MINUTE)
    assert windows == [NOON]


def test_a_job_that_breaks_does_not_take_the_schedule_with_it() -> None:
    def breaks(window: datetime, continuing: bool) -> None:
        raise RuntimeError("the disk is gone")

    with capture_logs() as logs:
        look(Job("pdns", HOUR, lambda: None, breaks), lambda: NOON)
    assert [(said["event"], said["source"]) for said in logs] == [("schedule.job_broke", "pdns")]


def test_the_schedule_looks_at_once_and_again_in_each_window() -> None:
    seen: list[datetime] = []
    twice = threading.Event()

    def run(window: datetime, continuing: bool) -> None:
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


def test_an_unfinished_poll_is_carried_on_when_it_may_and_not_before() -> None:
    turns: list[tuple[datetime, bool]] = []
    job = Job("pdns", HOUR, lambda: NOON, lambda window, on: turns.append((window, on)), lambda: NOON + 5 * MINUTE)
    look(job, lambda: NOON + 4 * MINUTE)
    assert turns == []
    look(job, lambda: NOON + 5 * MINUTE)
    assert turns == [(NOON + 5 * MINUTE, True)]


def test_a_window_that_is_due_comes_before_what_is_unfinished() -> None:
    turns: list[bool] = []
    look(Job("pdns", HOUR, lambda: None, lambda _, on: turns.append(on), lambda: NOON), lambda: NOON + MINUTE)
    assert turns == [False]


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        pytest.param(None, NOON + HOUR, id="nothing is unfinished: the next window"),
        pytest.param(NOON + 9 * MINUTE, NOON + 9 * MINUTE, id="when it may go on"),
        pytest.param(NOON + 3 * HOUR, NOON + HOUR, id="the next window comes first"),
        pytest.param(NOON - HOUR, NOON + timedelta(seconds=1), id="at once, but not without a breath"),
    ],
)
def test_the_next_look_is_when_something_can_be_done(again: datetime | None, expected: datetime) -> None:
    assert next_look(Job("pdns", HOUR, lambda: NOON, lambda *_: None, lambda: again), NOON) == expected


def test_the_schedule_carries_on_between_windows() -> None:
    turns: list[bool] = []
    done = threading.Event()

    def run(window: datetime, continuing: bool) -> None:
        turns.append(continuing)
        if continuing:
            done.set()

    def again() -> datetime | None:
        return None if True in turns else datetime(2026, 1, 1, tzinfo=UTC)

    def last() -> datetime | None:
        return datetime.now(UTC) if turns else None

    schedule = Schedule([Job("pdns", HOUR, last, run, again)], lambda: datetime.now(UTC))
    schedule.start()
    try:
        assert done.wait(30)
    finally:
        schedule.stop()
    assert turns == [False, True]


def test_a_job_at_hand_does_not_keep_the_schedule_from_ending() -> None:
    begun, end = threading.Event(), threading.Event()

    def run(window: datetime, continuing: bool) -> None:
        begun.set()
        assert end.wait(30)

    schedule = Schedule([Job("pdns", HOUR, lambda: None, run)], lambda: datetime.now(UTC))
    schedule.start()
    assert begun.wait(30)
    stopping = threading.Thread(target=schedule.stop)
    stopping.start()
    while not schedule._ended:
        pass
    end.set()
    stopping.join(30)
    assert not stopping.is_alive()
