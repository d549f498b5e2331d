"""Times of lines in every spelling that daemons, proxies and syslog have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.plugins import OptionFaults
from feedsvc.sources.stamps import Stamps, check_year

BERLIN = ZoneInfo("Europe/Berlin")
EARLIEST, LATEST = datetime(1971, 1, 1), datetime(9990, 1, 1)  # noqa: DTZ001 - as hypothesis wants them
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def read(text: str, zone: ZoneInfo | None = None, now: datetime = NOW) -> str | None:
    """What a line's time is, in UTC."""
    seconds = Stamps(zone or UTC, now=lambda: now).read(text.encode())
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24-Nov-2026 06:16:05.767 queries: info: ", "2026-11-24T06:16:05.767000Z"),
        ("04-nov-2026 06:16:05 ", "2026-11-04T06:16:05Z"),
        ("2026-11-24T06:16:05.767Z ", "2026-11-24T06:16:05.767000Z"),
        ("2026-11-24T06:16:05.123456+01:00 host named[1]: ", "2026-11-24T05:16:05.123456Z"),
        ("2026-11-24T06:16:05-0530 host named[1]: ", "2026-11-24T11:46:05Z"),
        ("2026-11-24 06:16:05,5 ", "2026-11-24T06:16:05.500000Z"),
        ("2018/02/22 10:00:00 [INFO]", "2018-02-22T10:00:00Z"),
        ("10.0.0.1 - - [24/Nov/2026:06:16:14 +0100] ", "2026-11-24T05:16:14Z"),
        ("24/Nov/2026:06:16:14", "2026-11-24T06:16:14Z"),
        ("[1795520066] unbound[1:0] ", "2026-11-24T11:34:26Z"),
        ("<30>1795520066.25 host ", "2026-11-24T11:34:26.250000Z"),
        ("<30>1 2026-11-24T06:16:05.5Z host named 1 - - ", "2026-11-24T06:16:05.500000Z"),
        ("Nov 24 06:16:05 host named[1]: ", "2026-11-24T06:16:05Z"),
        ("<30>Nov  4 06:16:05 host named[1]: ", "2026-11-04T06:16:05Z"),
        ("Nov 24 2025 06:16:05.5 host named[1]: ", "2025-11-24T06:16:05.500000Z"),
        ("Tue Nov 24 06:16:07 2020 daemon.info dnsmasq[1]: ", "2020-11-24T06:16:07Z"),
        ("Wed Nov  4 06:16:07 2020", "2020-11-04T06:16:07Z"),
        ("Tue Nov 24 06:16:07 daemon.info dnsmasq[1]: ", "2026-11-24T06:16:07Z"),
        ("Nov 24 06:16:07 2020 dnsmasq[1]: ", "2026-11-24T06:16:07Z"),
        ("Dec 31 23:59:60 host ", "2025-12-31T23:59:59Z"),
    ],
)
def test_every_spelling_is_the_moment_it_means(text: str, moment: str) -> None:
    assert read(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "06:16:05",
        "31-Nov-2026 06:16:05",
        "24-Foo-2026 06:16:05",
        "2026-13-24T06:16:05Z",
        "24-Nov-2026 25:16:05",
        "Nov 31 06:16:05 x",
        "24-Nov-1926 06:16:05",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "host-17955200661795520066",
        "x2026-11-24T06:16:05Z",
        " " * 300 + "2026-11-24T06:16:05Z",
    ],
)
def test_what_is_no_time_or_none_of_a_log_is_none(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Nov 24 06:16:07 ns1 named[1]: 24-Nov-2026 07:16:05.250 client", "2026-11-24T07:16:05.250000Z"),
        ("Nov 24 06:16:07 ns1 named[1]: Nov 24 06:16:05 client", "2026-11-24T06:16:05Z"),
        ("2026-11-24T06:16:07+01:00 ns1 named[1]: 24-Nov-2026 06:16:05.250 client", "2026-11-24T05:16:07Z"),
        ("1483228800 Jan 1 03:00:00 localhost named[1]:", "2017-01-01T00:00:00Z"),
        ("24-Nov-2026 07:16:05 ns1 named[1]: Nov 24 06:16:05 client", "2026-11-24T07:16:05Z"),
    ],
    ids=["with a year", "the last", "with a zone", "epoch", "with a year first"],
)
def test_of_several_times_the_one_that_says_most_counts(text: str, moment: str) -> None:
    assert read(text) == moment


def test_a_time_without_zone_is_local() -> None:
    assert read("24-Nov-2026 06:16:05 ", BERLIN) == "2026-11-24T05:16:05Z"
    assert read("24-Jul-2026 06:16:05 ", BERLIN) == "2026-07-24T04:16:05Z"
    assert read("2026-11-24T06:16:05Z ", BERLIN) == "2026-11-24T06:16:05Z"


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    assert read("25-Oct-2026 02:30:00 ", BERLIN) == "2026-10-25T00:30:00Z"


class TestWithoutYear:
    @pytest.mark.parametrize(
        ("text", "now", "year"),
        [
            ("Nov 24 11:59:59 x", NOW, 2026),
            ("Nov 25 11:59:59 x", NOW, 2026),
            ("Nov 25 12:00:01 x", NOW, 2025),
            ("Dec 31 23:59:59 x", datetime(2027, 1, 1, 0, 5, tzinfo=UTC), 2026),
            ("Jan  1 00:00:10 x", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 2027),
            ("Feb 29 00:00:00 x", NOW, 2024),
        ],
    )
    def test_it_is_of_the_latest_year_that_is_not_to_come(self, text: str, now: datetime, year: int) -> None:
        found = read(text, now=now)
        assert found is not None
        assert found.startswith(str(year))

    def test_the_zone_of_the_source_holds_at_the_turn_of_the_year(self) -> None:
        assert read("Jan  1 00:30:00 x", BERLIN, datetime(2026, 12, 31, 23, 40, tzinfo=UTC)) == "2026-12-31T23:30:00Z"

    def test_a_log_of_years_ago_is_read_by_the_year_of_its_first_line(self) -> None:
        stamps = Stamps(UTC, 2019, now=lambda: NOW)
        texts = [
            b"Nov 30 00:00:00 x",
            b"Dec 31 23:59:59 x",
            b"Jan  1 00:00:00 x",
            b"Dec 31 23:59:58 x",
            b"Feb 29 00:00:00 x",
        ]
        years = [datetime.fromtimestamp(stamps.read(text) or 0, UTC).year for text in texts]
        assert years == [2019, 2019, 2020, 2019, 2020]

    def test_the_time_of_the_last_line_is_enough_to_go_on(self) -> None:
        first = Stamps(UTC, 2019, now=lambda: NOW)
        first.read(b"Jan  1 00:00:00 x")
        first.read(b"Dec 31 00:00:00 x")
        second = Stamps(UTC, 2019, first.last, now=lambda: NOW)
        assert second.read(b"Jan  1 00:00:00 x") == first.read(b"Jan  1 00:00:00 x")

    def test_a_clock_that_steps_back_changes_no_year(self) -> None:
        stamps = Stamps(UTC, 2019, now=lambda: NOW)
        later = stamps.read(b"Nov 30 00:00:00 x")
        earlier = stamps.read(b"Nov 20 00:00:00 x")
        assert later is not None
        assert earlier is not None
        assert later - earlier == timedelta(days=10).total_seconds()


@pytest.mark.parametrize("year", [0, 1970, 2026, 9998])
def test_a_year_of_a_log_is_taken(year: int) -> None:
    check_year(year)


@pytest.mark.parametrize("year", [-1, 26, 1969, 9999])
def test_another_year_is_told(year: int) -> None:
    with pytest.raises(OptionFaults, match=f"year: {year} is no year of a log"):
        check_year(year)


@given(st.binary(max_size=300), st.sampled_from([0, 2019]))
def test_no_bytes_make_it_raise(text: bytes, year: int) -> None:
    seconds = Stamps(BERLIN, year, now=lambda: NOW).read(text)
    assert seconds is None or 0 <= seconds < 253402300800


@given(
    st.datetimes(EARLIEST, LATEST),
    st.sampled_from(
        [
            "%d-%b-%Y %H:%M:%S.%f",
            "%Y-%m-%dT%H:%M:%S.%f",
            "%Y-%m-%d %H:%M:%S,%f",
            "%d/%b/%Y:%H:%M:%S.%f",
            "%b %d %Y %H:%M:%S.%f",
            "%a %b %d %H:%M:%S.%f %Y",
        ]
    ),
)
def test_what_is_written_is_read(moment: datetime, spelling: str) -> None:
    seconds = Stamps(UTC, now=lambda: NOW).read(moment.strftime(spelling).encode())
    assert seconds == pytest.approx(moment.replace(tzinfo=UTC).timestamp(), abs=1e-4)
