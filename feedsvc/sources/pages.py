"""Answers that come in pages, over rows that change meanwhile: where the next page is, and when the pages are a whole. Pure.

Each page is a call of its own, perhaps an hour and a restart after the one before it, so what must be known of the earlier
pages stands in the text that asks for the next one. A page tells how many rows the whole answer has. When a later page tells
another number, rows have come or gone in between, and others may have slipped over the border of two pages unseen: the
answer is begun anew, so many times and no more. It is whole when as many rows came as it was said to have.

That proves what counting can prove. A row that moves without changing the number, from a page not yet read to one that was,
is missed by this answer; it is in the next one.

A server that heeds no place gives the same page for each: what stands for its rows goes along as well. Where each page names
the next one, a server may name one that was read, and so on for ever: `Trail` sees such a circle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

import msgspec

from feedsvc.model import End
from feedsvc.sources.endings import COMPLETE, broken

BEGINNINGS = 3
"""How often an answer is begun before it counts as one that cannot be read whole."""

_MOST = 10**15  # rows of an answer; more is no number of rows
_TRAIL = re.compile(r"([1-9][0-9]{0,8})\.([0-9a-f]{12}|)")
_TEXT = re.compile(r"([1-9][0-9]{0,8})-([0-9]{1,15})-([0-9]{1,15})?-([1-9])-([01])(?:-([0-9a-f]{12}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """Which page of an answer, and what the pages before it said.

    Attributes:
        number: of the page, from 1.
        rows: how many came before it.
        told: how many there are, as the first page said; None on the first page.
        beginning: how often the answer was begun, this time included.
        lacking: whether a page before said that rows are missing from the answer.
        seen: the `fingerprint` of the rows of the page before; "" before the first page.
    """

    number: int = 1
    rows: int = 0
    told: int | None = None
    beginning: int = 1
    lacking: bool = False
    seen: str = ""

    def __str__(self) -> str:
        """As a `Reply` may carry it: `2-100-157-1-0-5d41402abc4b`."""
        told = "" if self.told is None else str(self.told)
        text = f"{self.number}-{self.rows}-{told}-{self.beginning}-{int(self.lacking)}"
        return f"{text}-{self.seen}" if self.seen else text


def place(text: str) -> Place:
    """The place that a text stands for; the first page for one that stands for none."""
    read = _TEXT.fullmatch(text)
    if read is None:
        return Place()
    number, rows, told, beginning, lacking, seen = read.groups()
    return Place(int(number), int(rows), None if told is None else int(told), int(beginning), lacking == "1", seen or "")


@dataclass(frozen=True, slots=True)
class Trail:
    """The way to a page that the page before it named, of which one place is remembered (Brent, BIT 20, 1980).

    A circle is seen before three times as many pages were read as there are until it is closed.

    Attributes:
        number: of the page, from 1.
        mark: what stands for the name of the page whose number was a power of two last; "" before there was one.
    """

    number: int = 1
    mark: str = ""

    def __str__(self) -> str:
        """As a part of a `Reply.page`: `3.5d41402abc4b`; it has no blank, no slash and no hyphen."""
        return f"{self.number}.{self.mark}"

    @classmethod
    def of(cls, text: str) -> Self:
        """The trail that a text stands for; that of the first page for one that stands for none."""
        read = _TRAIL.fullmatch(text)
        return cls() if read is None else cls(int(read[1]), read[2])

    def onward(self, name: str) -> Self | None:
        """The trail to the page that this one names; None when that one was read."""
        mark, number = fingerprint([name.encode("utf-8", "surrogatepass")]), self.number + 1
        if mark == self.mark:
            return None
        return type(self)(number, mark if number & (number - 1) == 0 else self.mark)


def fingerprint(rows: Iterable[bytes | msgspec.Raw]) -> str:
    """What stands for rows: twelve letters that are others for other rows."""
    found = sha256()
    for row in rows:
        found.update(b"%d:" % len(row))
        found.update(row)
    return found.hexdigest()[:12]


def repeated(rows: int) -> End:
    """The end of an answer whose next page is one that was read, after so many rows."""
    return broken("the same rows came again in place of its next page", rows, trouble=False)


def number_of_rows(value: object) -> int | None:
    """How many rows an answer is said to have; None when that is no such number."""
    return value if type(value) is int and 0 <= value < _MOST else None  # which `True` is not


def following(here: Place, rows: int, told: int, seen: str = "") -> Place | End:
    """What comes after a page: the next one, the first one again, or the end of the answer.

    Args:
        here: the page that was read; `lacking` as it is after it.
        rows: that it brought.
        told: how many rows it says the whole answer has.
        seen: their `fingerprint`.
    """
    if rows and seen and seen == here.seen:
        return repeated(here.rows)
    if here.told not in (None, told):
        return _begun_anew(here)
    came = here.rows + rows
    if came >= told:
        return COMPLETE
    if rows == 0:
        return broken(f"its pages ended after {came:,} of {told:,} rows", came, trouble=False)
    return Place(here.number + 1, came, told, here.beginning, here.lacking, seen)


def _begun_anew(here: Place) -> Place | End:
    if here.beginning < BEGINNINGS:
        return Place(beginning=here.beginning + 1)
    return broken(f"its rows changed while its pages were read, {BEGINNINGS} times over", here.rows, trouble=False)
