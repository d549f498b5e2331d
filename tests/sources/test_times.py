"""Moments as providers write them: the right second, or the thing as it was, and never an error."""

from __future__ import annotations

import email.utils
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedsvc.model import Observation
from feedsvc.names import parse_netblock
from feedsvc.sources import cof, times
from feedsvc.sources.cof import Rows
from feedsvc.sources.cof_rows import Said

NOW = datetime(2026, 11, 24, 6, 52, 32, tzinfo=UTC)
SECONDS = 1_795_503_152

ZONES = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)
MOMENTS = st.datetimes(datetime.fromisoformat("1900-01-02"), datetime.fromisoformat("2999-12-30"), timezones=ZONES)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
TIMELIKE = st.text("0123456789-+:.,TZ WzGMUTC/janfebNovmonTue", max_size=40) | st.from_regex(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|UTC|[+-]\d\d:?\d\d))?", fullmatch=True
)


def whole(moment: datetime) -> int:
    """Its second, rounded down."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def same(one: object, other: object) -> bool:
    return one is other


# -- texts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T06:52:32Z",
        "2026-11-24T06:52:32z",
        "2026-11-24t06:52:32Z",
        "2026-11-24T06:52:32",
        "2026-11-24 06:52:32",
        "  2026-11-24 06:52:32\n",
        "2026-11-24 06:52:32 UTC",
        "2026-11-24T06:52:32.999999999Z",
        "2026-11-24T06:52:32+00:00",
        "2026-11-24T06:52:32+0000",
        "2026-11-24T08:52:32+02:00",
        "2026-11-24T01:22:32-05:30",
        "20261124T065232Z",
        "Tue, 24 Nov 2026 06:52:32 GMT",
        "Tue, 24 Nov 2026 06:52:32 -0000",
        "Tue, 24 Nov 2026 01:52:32 EST",
        "24 Nov 2026 06:52:32 +0000",
    ],
)
def test_one_moment_in_many_spellings_is_one_second(text: str) -> None:
    assert times.from_text(text) == SECONDS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-24T06:52", SECONDS - 32),
        ("2026-11-24T06:52Z", SECONDS - 32),
        ("2026-11-24", 1_795_478_400),
        ("20261124", 1_795_478_400),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", -1),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799),
    ],
)
def test_what_is_not_said_is_the_beginning_and_fractions_are_cut_off(text: str, seconds: int) -> None:
    assert times.from_text(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "N/A",
        "2026-13-24T06:52:32Z",
        "2026-11-24T25:00:00Z",
        "0000-00-00 00:00:00",
        "UTC",
        "Z",
        "1 Jan 2020 1.2.3.4",
        "1 Jan 2020 10:10:10 +99999999999",
        "1 Jan " + "9" * 50,
        "2026-11-24T06:52:32Z" * 5000,
        "\ud800",
        "2026-11-24\x00",
        True,
        None,
        1_700_000_000,
        1.5,
        b"2026-11-24",
        ["2026-11-24"],
        {"date": "2026-11-24"},
    ],
)
def test_what_is_no_text_of_a_moment_stays_as_it_is(value: object) -> None:
    assert times.from_text(value) is value


@pytest.mark.parametrize("text", ["1700000000", "1612011512345", "1161120120000", "-5", "1700000000.25", "0", "2026"])
def test_a_text_that_is_a_number_is_not_taken_for_a_date(text: str) -> None:
    assert times.from_text(text) == text


@given(MOMENTS)
@example(datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=1))))
def test_every_moment_is_read_from_its_iso_form_to_the_second(moment: datetime) -> None:
    assert times.from_text(moment.isoformat()) == whole(moment)


@given(MOMENTS)
def test_every_moment_without_a_zone_is_one_of_utc(moment: datetime) -> None:
    bare = moment.replace(tzinfo=None)
    for text in (bare.isoformat(), bare.isoformat(" "), bare.isoformat() + "Z", bare.isoformat(" ") + " UTC"):
        assert times.from_text(text) == whole(bare.replace(tzinfo=UTC))


@given(MOMENTS.map(lambda moment: moment.replace(microsecond=0)))
def test_every_moment_is_read_from_its_rfc_1123_form(moment: datetime) -> None:
    assert times.from_text(email.utils.format_datetime(moment)) == whole(moment)


@given(ANYTHING | TIMELIKE)
@example("9999-12-31T23:59:59-23:59")
@example("0001-01-01T00:00:00+23:59")
@example("1 Jan 0001 00:00:00 +2359")
@example("31 Dec 9999 23:59:59 -2359")
def test_a_text_is_read_or_stays_and_nothing_is_raised(value: object) -> None:
    read = times.from_text(value)
    assert same(read, value) or type(read) is int


# -- milliseconds ------------------------------------------------------------------------------------------------------


@given(st.integers(-(10**18), 10**18))
def test_milliseconds_are_seconds_rounded_down(number: int) -> None:
    assert times.from_milliseconds(number) == number // 1000


@given(st.integers(0, 2**52))
def test_milliseconds_may_be_a_text_or_a_fraction(number: int) -> None:
    assert times.from_milliseconds(str(number)) == number // 1000
    assert times.from_milliseconds(float(number)) == number // 1000
    assert times.from_milliseconds(f"{number}.0") == number // 1000


@pytest.mark.parametrize("value", [None, True, False, "", "soon", "nan", "inf", "-inf", math.inf, [], {}, b"1000", "\ud800"])
def test_what_is_no_number_of_milliseconds_stays_as_it_is(value: object) -> None:
    assert times.from_milliseconds(value) is value


@given(ANYTHING)
@example(10**400)
@example(1e308)
@example("1" * 5000)
@example("1e400")
def test_milliseconds_are_read_or_stay_and_nothing_is_raised(value: object) -> None:
    read = times.from_milliseconds(value)
    assert same(read, value) or type(read) is int


# -- and what rows make of it ------------------------------------------------------------------------------------------


def taken(value: object) -> tuple[Observation, int]:
    """The observation of a row with this as its last time, and how many times were counted as none."""
    rows = Rows(parse_netblock("198.51.100.7"), NOW)
    rows.take(Said("k3xq.example.net", ["198.51.100.7"], time_last=value), json.dumps(str(value)).encode())
    batch = rows.batch()
    (observation,) = batch.observations
    return observation, sum(one.count for one in batch.refused if one.reason == cof.NO_TIME)


@given(ANYTHING | TIMELIKE)
def test_no_row_is_lost_by_its_time_and_no_time_is_lost_uncounted(value: object) -> None:
    for read in (times.from_text(value), times.from_milliseconds(value)):
        observation, counted = taken(read)
        assert (observation.time_last is None) == (counted == 1 or read is None)


@pytest.mark.parametrize("value", ["soon", "2026-13-24", "", True, []])
def test_a_time_that_cannot_be_read_is_counted_as_one(value: object) -> None:
    assert taken(times.from_text(value))[1] == 1
    assert taken(times.from_milliseconds(value))[1] == 1


def test_a_time_that_was_not_told_is_not_counted() -> None:
    observation, counted = taken(times.from_text(None))
    assert (observation.time_last, counted) == (None, 0)
