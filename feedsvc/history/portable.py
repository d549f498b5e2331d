"""A history as lines of text, for any engine: newline-delimited JSON in UTF-8.

    {"feedsvc-history": 1, "schema": 2, "exported_at": "2026-11-24T06:52:32.123Z"}      the first line
    {"table": "run", "row": {"id": 1, "job": "poll/circl", ...}}                         a row a line, see `layout`
    {"rows": {"run": 1, ...}, "sha256": "..."}                                           the last line

Rows come in an order in which each may refer to those before it. Bytes are base64. The last line has the number of rows of
every table and the SHA-256 of all lines before it, so that a file that was cut or damaged is known as one; it is no proof of
who wrote it.

A reader takes a line as soon as it is there, and says at the end whether the whole was right: what it gave before that must
be stored together or not at all. Files are not opened here, see `files`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType, field, json

from feedsvc.clock import rfc3339
from feedsvc.errors import UsageError
from feedsvc.history import former, layout
from feedsvc.history.layout import Row

FORMAT = 1

KNOWN: Mapping[int, tuple[type[Row], ...]] = {**former.TABLES, layout.SCHEMA: layout.TABLES}
"""The tables of each schema that this version reads."""

LONGEST_LINE = 1 << 26
"""Bytes; more is not held in memory. Rows are a few hundred, bodies of objects some thousand."""

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 §2.3.1
_AGAIN = "copy it again, or export it again"


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    format: int = field(name="feedsvc-history")
    schema: int
    exported_at: str


class _Body(Struct, frozen=True):
    table: str
    row: Row


class _Trailer(Struct, frozen=True):
    rows: dict[str, int]
    sha256: str


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    """What comes after the header: a row has the first two, the last line the others."""

    table: str | UnsetType = UNSET
    row: Raw | UnsetType = UNSET
    rows: dict[str, int] | UnsetType = UNSET
    sha256: str | UnsetType = UNSET


_ENCODER = json.Encoder()
_HEADER = json.Decoder(_Header)
_LINE = json.Decoder(_Line)
_Decoded = TypeVar("_Decoded")


class Writer:
    """Writes one history, line by line.

    Attributes:
        counts: the rows that were written, for each table.
    """

    def __init__(self, write: Callable[[bytes], object], exported_at: datetime) -> None:
        """Write the first line.

        Args:
            write: takes a whole line.
        """
        self._write = write
        self._sum = hashlib.sha256()
        self.counts = {table.table: 0 for table in layout.TABLES}
        self._line(_Header(FORMAT, layout.SCHEMA, rfc3339(exported_at)))

    def row(self, row: Row) -> None:
        """Write a row."""
        self.counts[row.table] += 1
        self._line(_Body(row.table, row))

    def end(self) -> None:
        """Write the last line."""
        self._line(_Trailer(self.counts, self._sum.hexdigest()))

    def _line(self, value: Struct) -> None:
        line = _ENCODER.encode(value) + b"\n"
        self._sum.update(line)
        self._write(line)


class Reader:
    """Reads one history, line by line. Every fault is a `UsageError` that speaks of the line last read.

    Attributes:
        line: the number of that line.
        exported_at: when the history was written, once `begin` was called.
        counts: the rows that were read, for each table.
    """

    def __init__(self, readline: Callable[[int], bytes]) -> None:
        """Read nothing yet.

        Args:
            readline: gives the next line, at most so many bytes of it, and nothing at the end.
        """
        self._readline = readline
        self._sum = hashlib.sha256()
        self._decoders: dict[str, json.Decoder[Row]] = {}
        self.line = 0
        self.exported_at = ""
        self.counts: dict[str, int] = {}

    def begin(self) -> None:
        """Read the first line.

        Raises:
            UsageError: this is no history, or one that this version cannot read.
        """
        text = self._next()
        try:
            header = _HEADER.decode(text)
        except ValueError as err:
            raise UsageError(_no_history(text)) from err
        self._refuse_others(header)
        self._decoders = {table.table: json.Decoder(table) for table in KNOWN[header.schema]}
        self.counts = dict.fromkeys(self._decoders, 0)
        self.exported_at = header.exported_at
        self._sum.update(text)

    def _refuse_others(self, header: _Header) -> None:
        for what, number, known in (("format", header.format, (FORMAT,)), ("schema", header.schema, tuple(KNOWN))):
            if number > max(known):
                newest = f"{what} {number}, this one knows {max(known)}"
                raise UsageError(f"it was written by a newer feedsvc ({newest}); install that one or a newer one here")
            if number not in known:
                raise UsageError(f"there is no {what} {number} (there is {min(known)} to {max(known)}); {_AGAIN}")

    def rows(self) -> Iterator[Row]:
        """Every row, as one of this schema; ends only when the last line says that all before it was right.

        Raises:
            UsageError: a line is no row, or the file was cut, damaged or changed.
        """
        while True:
            text = self._next()
            line = _decoded(_LINE, text)
            if line.sha256 is not UNSET:
                self._end(line)
                return
            yield former.renewed(self._row(line))
            self._sum.update(text)

    def _next(self) -> bytes:
        self.line += 1
        text = self._readline(LONGEST_LINE + 1)
        if len(text) > LONGEST_LINE:
            raise UsageError(f"a line of more than {LONGEST_LINE} bytes is none of ours; {_AGAIN}")
        if not text.endswith(b"\n"):
            raise UsageError(f"it ends before its last line: it was cut; {_AGAIN}")
        return text

    def _row(self, line: _Line) -> Row:
        if line.table is UNSET or line.row is UNSET:
            raise UsageError(f"this line has no table and row; {_AGAIN}")
        decoder = self._decoders.get(line.table)
        if decoder is None:
            raise UsageError(f"there is no table {line.table!a} in a history of this schema; {_AGAIN}")
        self.counts[line.table] += 1
        return _decoded(decoder, line.row)

    def _end(self, line: _Line) -> None:
        if line.sha256 != self._sum.hexdigest():
            raise UsageError(
                f"its lines are not those that were written (their SHA-256 is another): it was damaged; {_AGAIN}"
            )
        if line.rows != self.counts:
            raise UsageError(f"its last line counts other rows than it has; {_AGAIN}")
        if self._readline(1):
            self.line += 1
            raise UsageError(f"something follows its last line; {_AGAIN}")


def _decoded(decoder: json.Decoder[_Decoded], text: bytes | Raw) -> _Decoded:
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as err:  # msgspec's own errors, and text that is no UTF-8, are ValueErrors
        raise UsageError(f"this line is no row of a history ({_shown(str(err))}); {_AGAIN}") from err


def _no_history(text: bytes) -> str:
    if text.startswith(_GZIP_MAGIC):
        return "it is compressed; give it a name that ends in .gz"
    return "it is no history that feedsvc exported; name a file that `feedsvc history export` wrote"


def _shown(text: str) -> str:
    """Without what could move a terminal's cursor: a message of the decoder repeats keys as they are."""
    return text.encode("unicode_escape").decode("ascii")
