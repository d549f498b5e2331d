"""Moments as providers write them, as seconds since 1970 UTC. Pure.

Each function takes what stood in an answer, whatever it is, and gives a whole number of seconds, or the very thing it could
not read: `cof.Rows` then takes a number for one of seconds, counts all else as a time that is none, and keeps the row.
"""

from __future__ import annotations

import email.utils
import math
import re
from datetime import UTC, datetime, timedelta

LARGEST = 2**63 - 1
"""What a database holds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_LONGEST = 64  # characters; no moment has as many
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")
_DAY = re.compile(r"[0-9]{8}")
_UTC = re.compile(r"(?<=[0-9]) ?(?:UTC|GMT|Z)", re.IGNORECASE)


def whole(value: object) -> int | None:
    """Seconds or a count as a whole number that is not negative; None when it is none."""
    if type(value) is not int:  # which `True` is not
        value = _rounded(value)
    return value if value is not None and 0 <= value <= LARGEST else None


def _rounded(value: object) -> int | None:
    try:
        return int(float(value)) if isinstance(value, float | str) else None
    except (ValueError, OverflowError):
        return None


def from_milliseconds(value: object) -> object:
    """A number of milliseconds, as a number or as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    if isinstance(value, int):
        return value // 1000
    try:
        number = float(value)
    except ValueError:
        return value
    return math.floor(number / 1000) if math.isfinite(number) else value


def from_text(value: object) -> object:
    """`2026-11-24T06:52:32Z`, with or without zone (UTC then), seconds, fraction; a date alone; RFC 1123; else as it is.

    A text that is a number is none of these but a number of seconds, and stays as it is.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        return value
    text = value.strip()
    if not text or (_NUMBER.fullmatch(text) and not _DAY.fullmatch(text)):
        # Of a number with 13 digits, as epoch milliseconds have, `fromisoformat` makes the year 1612.
        return value
    moment = _iso(text) or _rfc1123(text)
    if moment is None:
        return value
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _SECOND


def _iso(text: str) -> datetime | None:
    zone = _UTC.search(text)
    if zone is not None and zone.end() == len(text):
        text = text[: zone.start()] + "+00:00"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _rfc1123(text: str) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
