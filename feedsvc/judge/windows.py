"""The spans over which quotas are counted, as they stand at a moment: which day or month it is, and what still counts. Pure.

Two counts run side by side. Ours goes by the calendar in UTC, and nothing that a provider says moves it. The provider's,
what it said to be left, holds until the moment that it named, and begins anew there; without one, it ends with ours.

The machine's clock may step back. A day or month that was begun is then not left again: until it really begins, what was
counted in it and in the one before is counted together. Only when the clock falls back by more than a day is that given up,
and everything counted as of today: nothing is given twice, and no source waits for its clock to catch up.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from feedsvc.model import Span, Spent

DAY = timedelta(days=1)

AHEAD: Mapping[Span, timedelta] = {
    "burst": DAY,
    "day": timedelta(hours=25),  # an hour more, as clocks differ
    "month": timedelta(days=32),
    "block": timedelta(days=36_525),
}
"""How far ahead a span may begin anew, or expire; a provider that says more is mistaken."""


def began(span: Span, resets: int, now: datetime) -> datetime:
    """When the calendar day began in which a moment lies; for any other span, the month.

    Args:
        resets: seconds after 00:00 UTC at which it begins.
    """
    after_midnight = timedelta(seconds=resets)
    midnight = (now - after_midnight).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight if span == "day" else midnight.replace(day=1)) + after_midnight


def following(span: Span, resets: int, now: datetime) -> datetime:
    """When the calendar day or month after the present one begins."""
    start = began(span, resets, now)
    return start + DAY if span == "day" else began(span, resets, start + timedelta(days=32))


def shifted(span: Span, resets_at: datetime, by: int = 1) -> datetime:
    """A moment at which a provider begins to count anew, some days or months later."""
    if span == "day":
        return resets_at + by * DAY
    year, month = divmod(resets_at.year * 12 + resets_at.month - 1 + by, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return resets_at.replace(year=year, month=month + 1, day=min(resets_at.day, last))


def ends(spent: Spent, resets: int, now: datetime) -> datetime:
    """When our count of a calendar day or month ends, be it one that the clock was put back behind."""
    return following(spent.span, resets, max(now, spent.began))


def rolled(spent: Spent, resets: int, now: datetime) -> Spent:
    """A span as it stands now: begun anew where it has to be."""
    if spent.span in {"day", "month"}:
        spent = _of_today(spent, began(spent.span, resets, now), now)
    if spent.resets_at is None:
        return spent
    if spent.resets_at > now + AHEAD[spent.span]:
        return replace(spent, resets_at=None, left=None if spent.span == "burst" else spent.left)
    return _renewed(spent, spent.resets_at, now) if spent.resets_at <= now else spent


def _of_today(spent: Spent, start: datetime, now: datetime) -> Spent:
    """Our own count."""
    if spent.began < start:
        left = None if spent.resets_at is None else spent.left
        return replace(spent, began=start, calls=0, before=spent.calls, left=left)
    if spent.began > now + DAY:
        return replace(spent, began=start, calls=spent.calls + spent.before, before=0)
    return spent


def _renewed(spent: Spent, resets_at: datetime, now: datetime) -> Spent:
    """The provider's count, the end of which has come."""
    if spent.span == "block":
        return replace(spent, left=0, resets_at=None)
    if spent.span == "burst":
        return replace(spent, left=None, resets_at=None)
    while resets_at <= now:
        resets_at = shifted(spent.span, resets_at)
    return replace(spent, left=None if spent.left is None else spent.limit, resets_at=resets_at)
