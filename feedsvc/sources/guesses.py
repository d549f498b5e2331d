"""Rows of a form that is not documented: one a line, an array, or an array within an object; their fields by usual names.

An answer of which no row can be read is a failure, so that a guess that is wrong is told and not taken for silence.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from feedsvc.errors import SourceError
from feedsvc.http import AnswerTooBig
from feedsvc.model import Batch
from feedsvc.names import is_address
from feedsvc.sources import bodies, times
from feedsvc.sources.cof import OTHER_TYPE, Rows
from feedsvc.sources.cof_rows import ADDRESS_TYPES, Said
from feedsvc.sources.complaints import NOTHING, TOTALS, is_trailer, number, plain

_NAME = ("rrname", "hostname", "host", "fqdn", "name", "query", "domain")
_PLACE = ("rdata", "ip", "ipaddress", "address", "answer", "target", "value")
_TYPE = ("rrtype", "type", "recordtype")
_FIRST = ("timefirst", "firstseen", "firsttime", "first")
_LAST = ("timelast", "lastseen", "lasttime", "last")

_OBJECT = re.compile(rb"\s*+\{.*\}\s*", re.DOTALL)
_FEW = 100_000  # rows, of which a tenth must be some
_MORE = ("next", "nextpage", "nextlink", "more", "hasmore", "hasnext", "cursor", "nextcursor", "scroll")
LARGEST = 16 * 1024 * 1024
"""Bytes of an answer that is no row a line, and is held as a whole."""


class Guesses:
    """Reads one answer.

    Attributes:
        torn: whether it ended in the middle of a row.
        astray: whether its last line is no row, as that of an answer that was broken off.
        lacking: how it says that there is more than it gave; "" when it says nothing.
    """

    def __init__(self, rows: Rows, form: str) -> None:
        """Begin.

        Args:
            rows: what takes the rows.
            form: what each should be: "a row of Spamhaus".
        """
        self.torn = False
        self.astray = False
        self.lacking = ""
        self._around: Mapping[str, msgspec.Raw] = {}
        self._by_lines = False
        self._stray = b""
        self._rows = rows
        self._form = form

    def read(self, lines: Iterable[bytes]) -> Generator[Batch, None, None]:
        """Yield what the lines of an answer say.

        Raises:
            SourceError: as the lines do, when what came before was yielded; there are far too many rows for their room; or
                hardly any of many is one.
        """
        try:
            for text, ended in self._texts(line for line in lines if line.strip()):
                self.torn = not self._take(text) and not ended
                self._give_up_on_junk()
                if self._rows.full:
                    yield self._rows.batch()
        except SourceError:
            yield self._rows.batch()
            raise
        self._judge_end()
        yield self._rows.batch()

    def _give_up_on_junk(self) -> None:
        """Look no further where hardly anything is a row: each costs as much time as one that is."""
        seen, understood = self._rows.seen, self._rows.understood
        if seen > _FEW and understood < seen // 10:
            raise SourceError(f"of the first {seen:,} rows of the answer only {understood:,} can be read as {self._form}")

    def _texts(self, lines: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
        """Each row as it came, and whether it was whole or torn off in its middle, should it be no JSON."""
        first = next(lines, b"")
        alone = bodies.members(first)
        if alone is not None and self._within(alone) is None:
            self._by_lines = True
            yield from ((line, line.endswith(b"\n")) for line in itertools.chain((first,), lines))
            return
        text = bytearray(first)
        for line in lines:
            text += line
            if len(text) > LARGEST:
                raise AnswerTooBig(f"the answer is one document of over {LARGEST:,} bytes")
        for row in self._of_document(bytes(text)) if text else ():
            yield bytes(row), True  # a `Raw` is no bytes, whatever its annotations say

    def _of_document(self, text: bytes) -> Sequence[bytes | msgspec.Raw]:
        """The rows of a document; the document itself, to be counted as none, when it has no place for them."""
        array = bodies.rows(text)
        if array is not None:
            return array
        members = bodies.members(text) or {}
        within = self._within(members)
        if within is None:
            return [text]
        self._rows.frame(text)
        self._around = members
        return within

    def _within(self, members: Mapping[str, msgspec.Raw]) -> Sequence[msgspec.Raw] | None:
        """The rows within an object: its array of objects. None when it has none, as a row has none, or tells a fault."""
        arrays = [rows for text in members.values() if (rows := bodies.rows(text)) is not None]
        full = next((rows for rows in arrays if rows and all(bytes(row)[:1] == b"{" for row in rows)), None)
        is_row = not {plain(name) for name in members}.isdisjoint((*_NAME, "error"))
        return full if full or is_row or [] not in arrays else []

    def _judge_end(self) -> None:
        """See how the answer ended, once all of it was read."""
        self.astray = self._by_lines and self._stray != b"" and not is_trailer(self._stray, self._rows.seen - 1)
        told = {plain(name): bytes(value) for name, value in self._around.items()}
        totals = (number(told.get(name, b"")) for name in TOTALS)
        most = max((total for total in totals if total is not None), default=0)
        if most > self._rows.seen:
            self.lacking = f"it counts {most:,} rows and gives {self._rows.seen:,}"
        elif any(told.get(name, b"") not in NOTHING for name in _MORE):
            self.lacking = "it speaks of a next page, which nobody knows how to ask for"

    def _take(self, text: bytes) -> bool:
        """Take a row, whatever its fields are called; returns whether it was JSON at all."""
        found = bodies.one(text, dict[str, Any])
        row = {plain(name): value for name, value in (found or {}).items() if value not in (None, "")}
        name, kind, places = _first(row, _NAME), _first(row, _TYPE), _texts_of(_first(row, _PLACE))
        # Whoever chooses a name can make its row unreadable: that must not make the answer look broken.
        is_named = isinstance(name, str) if found is not None else _OBJECT.fullmatch(text)
        self._stray = b"" if is_named else text
        # An address is what tells a row from a message: nothing else of its form is sure.
        is_row = isinstance(name, str) and any(is_address(side) for side in (name, *places))
        if isinstance(kind, str) and kind.upper() not in ADDRESS_TYPES:
            self._rows.leave_out(OTHER_TYPE, text, understood=is_row)
        elif not is_row:
            self._rows.leave_out(f"not {self._form}", text, understood=False)
        else:
            first, last = times.from_text(_first(row, _FIRST)), times.from_text(_first(row, _LAST))
            self._rows.take(Said(name, places, first, last, count=row.get("count")), text)
        return found is not None


def _texts_of(value: object) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _first(row: Mapping[str, object], names: Sequence[str]) -> object:
    return next((row[name] for name in names if name in row), None)
