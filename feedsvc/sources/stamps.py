"""The times at the beginning of lines that daemons and syslog write: with or without zone, with or without year.

Read are epoch seconds (`[1795520066]`), ISO 8601 (`2026-11-24T06:16:05.767+01:00`, also without zone or with slashes), what
BIND writes (`24-Nov-2026 06:16:05.767`), what proxies write (`24/Nov/2026:06:16:05 +0000`) and what syslog writes (`Nov 24
06:16:05`, a year may stand behind the day, or, with the day of the week in front, behind the clock). A line may hold
several, the daemon's own behind that of syslog: the first that says its zone counts, else the last that has a year, else the
last.

A time without zone is local in the zone of the source; of an hour that a clock goes through twice in autumn, the first is
meant. A time without year is of the latest year that does not put it more than a day after the moment of reading. Where the
year of a log's first line is given instead, each further line is of the year that puts it nearest to the line above it, so
that logs of years ago are read right.

Nothing here reads the system's clock: it is handed one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from feedsvc.clock import Clock, utc_now
from feedsvc.plugins import OptionFaults
from feedsvc.sources.readings import LATEST

AHEAD = timedelta(days=1)
"""How far after the moment of reading a time may lie: clocks differ, and so do zones that nobody configured."""

LENGTH = 256
"""Bytes of a line in which its times are looked for."""

_YEARS = 9  # there is a 29th of February in every nine years in a row but those around 1900 and 2100
_MONTHS = {name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_STAMP = re.compile(
    rb"(?<![0-9A-Za-z:.#/-])(?:"
    rb"(?:(?P<iso>[0-9]{4}[-/][01][0-9][-/][0-3][0-9])[T ]"
    rb"|(?P<named>[0-9]{1,2}[-/][A-Za-z]{3}[-/][0-9]{4})[ :]"
    rb"|(?P<weekday>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?P<syslog>[A-Z][a-z]{2} {1,2}[0-9]{1,2}(?P<late> [0-9]{4})?) )"
    rb"(?P<clock>[0-2][0-9]:[0-5][0-9]:[0-6][0-9])(?:[.,](?P<part>[0-9]{1,9}))?(?P<zone>Z| ?[+-][0-9]{2}:?[0-9]{2})?"
    rb"(?(weekday)(?P<last> [0-9]{4}(?![^ \]]))?)"
    rb"|(?:\A|(?<=>))\[?(?P<epoch>[0-9]{9,11}(?:\.[0-9]{1,9})?)\]?(?= |\Z))"
)


@dataclass(frozen=True, slots=True)
class YearOptions:
    """Settings.

    Attributes:
        year: of the first line, for logs without a year that are older than one; 0 has it found out.
    """

    year: int = 0


class Undated:
    """What log formats have in common whose times may say neither zone nor year.

    Args:
        zone: of times that say none.
        year: see `YearOptions`.
        now: asked for the moment of reading, where times have no year.
    """

    def __init__(self, zone: tzinfo, year: int, now: Clock = utc_now) -> None:
        self._zone = zone
        self._year = year
        self._now = now


def check_year(year: int) -> None:
    """Whether an option `year` can be meant.

    Raises:
        OptionFaults: it is neither 0 nor a year in which a log was written.
    """
    if year and not 1970 <= year <= 9998:
        raise OptionFaults({"year": f"year: {year} is no year of a log; 0 has it found out"})


class Stamps:
    """Reads the times of one log, line by line.

    Args:
        zone: of times that say none.
        year: of the log's first line, for times that say none; 0 when it is not known.
        last: the time of the line above, when the reading goes on in the middle of a log.
        now: asked for the moment of reading.

    Attributes:
        last: the time of the line that was read last, in epoch seconds; what a later reading must be given, if `year` is.
    """

    def __init__(self, zone: tzinfo, year: int = 0, last: float | None = None, now: Clock = utc_now) -> None:
        self.last = last
        self._zone = zone
        self._year = year
        self._now = now
        self._known: tuple[tuple[bytes, bytes, bytes | None], float] = ((b"", b"", None), 0.0)

    def read(self, text: bytes) -> float | None:
        """Epoch seconds of the time in the beginning of a line, in whatever spelling; None when there is none."""
        best: re.Match[bytes] | None = None
        for found in _STAMP.finditer(text, 0, LENGTH):
            if found["epoch"] or found["zone"]:
                best = found
                break
            if best is None or _has_year(found) or not _has_year(best):
                best = found
        seconds = self._seconds(best) if best else None
        if seconds is None or not 0 <= seconds < LATEST:
            return None
        self.last = seconds
        return seconds

    def _seconds(self, found: re.Match[bytes]) -> float | None:
        if found["epoch"]:
            return float(found["epoch"])
        part = float(b"0." + found["part"]) if found["part"] else 0.0
        # Many lines are of the same second.
        day = found["iso"] or found["named"] or found["syslog"] + (found["last"] or b"")
        key = (day, found["clock"], found["zone"])
        if key != self._known[0]:
            whole = self._whole(found)
            if whole is None:
                return None
            self._known = (key, whole)
        return self._known[1] + part

    def _whole(self, found: re.Match[bytes]) -> float | None:
        """The moment without its fraction."""
        year, month, day = _date(found)
        if _has_year(found):
            zone = _offset(found["zone"]) if found["zone"] else self._zone
            return _moment((year, month, day), found["clock"], zone)
        candidates = [
            moment
            for candidate in self._years()
            if (moment := _moment((candidate, month, day), found["clock"], self._zone)) is not None
        ]
        if not self._year:
            limit = (self._now() + AHEAD).timestamp()
            return max((moment for moment in candidates if moment <= limit), default=None)
        last = self.last
        return min(candidates, key=lambda moment: 0 if last is None else abs(moment - last), default=None)

    def _years(self) -> Iterator[int]:
        """The years that a time without one may be of."""
        if not self._year:
            this = (self._now() + AHEAD).year + 1  # at the end of December it is next year already elsewhere
            return iter(range(this - _YEARS, this + 1))
        if self.last is None:
            return iter((self._year,))
        year = datetime.fromtimestamp(self.last, UTC).year
        return iter(range(year - 1, year + 2))


def _has_year(found: re.Match[bytes]) -> bool:
    return found["syslog"] is None or found["late"] is not None or found["last"] is not None


def _date(found: re.Match[bytes]) -> tuple[int, int, int]:
    """Year (0 where it says none), month (0 for no such month) and day."""
    if found["iso"]:
        year, month, day = found["iso"].replace(b"/", b"-").split(b"-")
        return int(year), int(month), int(day)
    if found["named"]:
        text = found["named"].replace(b"/", b"-")
        day, month, year = text.split(b"-")
    else:
        month, day, *years = (found["syslog"] + (found["last"] or b"")).split()
        year = years[0] if years else b"0"
    return int(year), _MONTHS.get(month.lower(), 0), int(day)


def _moment(date: tuple[int, int, int], time: bytes, zone: tzinfo) -> float | None:
    """Epoch seconds; None when there is no such moment. A leap second is taken for the one before it."""
    hour, minute, second = int(time[:2]), int(time[3:5]), min(int(time[6:]), 59)
    try:
        return datetime(*date, hour, minute, second, tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None


def _offset(text: bytes) -> tzinfo:
    digits = text.strip(b" Z").replace(b":", b"")
    if not digits:
        return UTC
    minutes = int(digits[1:3]) * 60 + int(digits[3:])
    ahead = timedelta(minutes=min(minutes, 24 * 60 - 1))
    return timezone(-ahead if digits[:1] == b"-" else ahead)
