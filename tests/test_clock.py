"""Times as they are written and read, and days that have 23 or 25 hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.clock import day_bounds, from_epoch, monotonic, parse_rfc3339, rfc3339, utc_now, window

moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is drawn


def test_now_is_aware_and_in_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_the_monotonic_clock_never_steps_back() -> None:
    assert monotonic() <= monotonic()


def test_times_are_written_in_utc_and_whole_milliseconds() -> None:
    moment = datetime(2026, 11, 24, 7, 52, 32, 123999, tzinfo=ZoneInfo("Europe/Berlin"))
    assert rfc3339(moment) == "2026-11-24T06:52:32.123Z"


@given(moments)
def test_a_written_time_reads_back_to_the_millisecond(moment: datetime) -> None:
    assert parse_rfc3339(rfc3339(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize("text", ["2026-11-24T06:52:32Z", "2026-11-24T07:52:32+01:00", "2026-11-24 06:52:32.000000+00:00"])
def test_a_time_with_any_zone_is_read_as_utc(text: str) -> None:
    assert parse_rfc3339(text) == datetime(2026, 11, 24, 6, 52, 32, tzinfo=UTC)
    assert parse_rfc3339(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-11-24T06:52:32", "2026-11-24", "yesterday", "", "1764000000"])
def test_a_time_without_a_zone_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"time zone|isoformat"):
        parse_rfc3339(text)


def test_epoch_seconds_keep_their_fraction() -> None:
    assert from_epoch(1_700_000_000.25) == datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 11, 24), 24), (date(2026, 3, 29), 23), (date(2026, 10, 25), 25)],
    ids=["plain", "spring", "autumn"],
)
def test_a_day_is_as_long_as_its_zone_makes_it(day: date, hours: int) -> None:
    start, end = day_bounds(day, ZoneInfo("Europe/Berlin"))
    assert end - start == timedelta(hours=hours)
    assert start.astimezone(ZoneInfo("Europe/Berlin")).date() == day


def test_days_follow_each_other_without_a_gap() -> None:
    zone = ZoneInfo("America/New_York")
    days = [day_bounds(date(2026, 10, 30) + timedelta(days=n), zone) for n in range(5)]
    assert [one[1] for one in days[:-1]] == [one[0] for one in days[1:]]


@given(moments, st.timedeltas(timedelta(seconds=1), timedelta(days=30)))
def test_a_moment_lies_in_its_window(moment: datetime, every: timedelta) -> None:
    begins = window(every, moment)
    assert begins <= moment < begins + every
    assert (begins - datetime(1970, 1, 1, tzinfo=UTC)) % every == timedelta(0)
