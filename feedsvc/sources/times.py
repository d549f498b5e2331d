"""Moments as providers write them, as seconds since 1970 UTC. Pure.

Each function takes what stood in an answer, whatever it is, and gives a whole number of seconds, or the very thing it could
not read: `cof.Rows` then counts it as a time that is none, and keeps the row.
"""

from __future__ import annotations

import email.utils
import math
from datetime import UTC, datetime


def from_milliseconds(value: object) -> object:
    """A number of milliseconds, as a number or as a text."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
        return int(number // 1000) if math.isfinite(number) else value
    except (ValueError, OverflowError):
        return value


def from_text(value: object) -> object:
    """`2026-11-24T06:52:32Z`, with or without zone (UTC then), seconds, fraction; a date alone; RFC 1123; else as it is."""
    if not isinstance(value, str) or not value.strip():
        return value
    moment = _iso(value.strip()) or _rfc1123(value.strip())
    if moment is None:
        return value
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _rfc1123(text: str) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
