"""The only place that reads the time.

Everything that decides takes `now` as an argument; what does things is handed a `Clock` once, by the assembly. Times are
aware datetimes in UTC; epoch seconds are kept where a standard has them (COF) or where millions of rows pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Returns the present moment, aware, in UTC."""


def utc_now() -> datetime:
    """The present moment by the system's clock."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds of a clock that never steps back: for deadlines, never for records."""
    return time.monotonic()


def rfc3339(moment: datetime) -> str:
    """`2026-11-24T06:52:32.123Z`: UTC in whole milliseconds, as STIX 2.1 §3.2 and our JSON write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read a time with a zone.

    Raises:
        ValueError: the text is no RFC 3339 time, or has no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)


def from_epoch(seconds: float) -> datetime:
    """The moment at a number of seconds since 1970 UTC."""
    return datetime.fromtimestamp(seconds, UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window(every: timedelta, moment: datetime) -> datetime:
    """Where the window of a schedule begins that a moment lies in: windows are the multiples of `every` since 1970 UTC."""
    return _EPOCH + (moment - _EPOCH) // every * every


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First moment of a calendar day in a zone, and of the next one; a day may have 23 or 25 hours."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)
