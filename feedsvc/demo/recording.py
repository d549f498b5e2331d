"""The recorded days, moved in time so that the second one ends now."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Literal

from feedsvc.demo.server import Row

Day = Literal["day-1", "day-2"]

RECORDED_UNTIL = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
"""When the second recorded day ends."""

TIMES = ("time_first", "time_last")


def _text(name: str) -> str:
    return (files("feedsvc.demo") / "data" / name).read_text(encoding="utf-8")


def shift(now: datetime) -> timedelta:
    """What to add to a recorded time so that the second day ended a minute before `now`."""
    return now - timedelta(minutes=1) - RECORDED_UNTIL


def answers(day: Day, by: timedelta) -> list[Row]:
    """What the COF server says on a day."""
    rows: list[Row] = [json.loads(line) for line in _text(f"answers.{day}.ndjson").splitlines()]
    seconds = int(by.total_seconds())
    return [{**row, **{key: int(str(row[key])) + seconds for key in TIMES}} for row in rows]


def zeek_lines(day: Day, by: timedelta) -> str:
    """A day of Zeek's dns.log; the first one begins with the header."""
    return "".join(f"{_moved(line, by)}\n" for line in _text(f"dns.{day}.log").splitlines())


def _moved(line: str, by: timedelta) -> str:
    if line.startswith("#"):
        return line
    time, rest = line.split("\t", 1)
    return f"{float(time) + by.total_seconds():.6f}\t{rest}"
