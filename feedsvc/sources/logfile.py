"""Log files as lines, whatever their compression, in constant memory.

A log is opened by what it is, never by what it is called: plain, gzip (one member or many), zstd, bzip2 or xz. Lines come
with their offsets in the uncompressed stream. A line is bounded: one that is longer is told, not loaded. Of a damaged file
all that can be read is given before the damage is raised.

Nothing here knows formats, cursors or what lines mean.
"""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, Self

from feedsvc.errors import SourceError
from feedsvc.sources import compression, heads
from feedsvc.sources.port import (
    BadLine,
    Continuing,
    Framed,
    Line,
    LogFormat,
    LogParser,
    LogRecord,
    Parsed,
    Settling,
    Waiting,
)

BLOCK = compression.BLOCK
"""Bytes read, and bytes decompressed, at a time: enough to make system calls cheap, and they stay in the cache."""

MAX_LINE = 1024 * 1024
"""Bytes of a line that is read. The longest honest one, a DNS message of 64 KiB all escaped, has a quarter of that."""

HEAD = 64 * 1024
"""Bytes that show the format of a log."""

SAMPLE = 200
"""Bytes kept of a line that is too long."""

BOM = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which is left out of the first line."""


class LogDamaged(SourceError):
    """A log ends where it should not, or its bytes are not what was written; all that can be read was given before."""


class LogFile:
    """An opened log. A file may be read from any offset, again and side by side; a stream once, from where it is. Closes it.

    Args:
        raw: the log as it lies on the disk, or comes through a pipe.
        name: what to call it in messages.

    Attributes:
        compression: "" for a plain file.
        consumed: bytes of the file itself, compressed as it is, that the latest pass has taken.

    Raises:
        SourceError: it cannot be read, or is compressed in a way that is not.
    """

    def __init__(self, raw: IO[bytes], name: str) -> None:
        self._raw = raw
        self._file = raw.fileno() if isinstance(raw, io.FileIO) and raw.seekable() else None
        self.name = name
        self.consumed = 0
        self._first = self._read_first()
        try:
            self.compression = compression.kind_of(self._first)
        except SourceError as err:
            raise SourceError(f"{name}: {err}", permanent=True) from err

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a file by its path.

        Raises:
            SourceError: it cannot be opened, or see the class.
        """
        try:
            raw = io.FileIO(path)
        except OSError as err:
            raise SourceError(f"{path}: {reason(err)}", permanent=True) from err
        try:
            return cls(raw, path)
        except SourceError:
            raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()

    def status(self) -> os.stat_result:
        """What the system says of the file itself, whatever stands at its path by now."""
        return os.fstat(self._raw.fileno())

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        """The uncompressed bytes from an offset on, a block at a time.

        Raises:
            LogDamaged: after the last byte that can be read.
            SourceError: the system could not read on.
        """
        if not self.compression:
            return self._raw_blocks(start)
        return compression.from_offset(self._expanded(), start)

    @property
    def is_stream(self) -> bool:
        """Whether it can be read once."""
        return self._file is None

    def read_into(self, buffer: memoryview, start: int) -> int:
        """Put bytes from an offset on into a buffer, of a file that is not compressed; how many, 0 at its end.

        Raises:
            SourceError: the system could not read on.
        """
        assert self._file is not None
        try:
            read = os.preadv(self._file, [buffer], start)
        except OSError as err:
            raise SourceError(f"{self.name}: {reason(err)}") from err
        self.consumed = start + read
        return read

    def slice(self, start: int, size: int) -> bytes:
        """Uncompressed bytes from an offset on: `size` of them, or as many as there are."""
        if not self.compression and self._file is not None:
            return self._read(start, size)
        taken = bytearray()
        try:
            for block in self.blocks(start):
                taken += block[: size - len(taken)]
                if len(taken) >= size:
                    break
        except LogDamaged:
            pass  # what there is was asked for
        return bytes(taken)

    def _read_first(self) -> bytes:
        """Enough to show the compression; a pipe may give it a byte at a time."""
        first = b""
        while len(first) < 6 and (more := self._read(len(first))):
            first += more
        return first

    def _read(self, offset: int, size: int = BLOCK) -> bytes:
        """Bytes of the file itself, `size` at most; a stream gives what is next, whatever the offset."""
        try:
            if self._file is not None:
                return os.pread(self._file, size, offset)
            # read1 of a buffered stream, like read of a raw one, returns what is there instead of waiting for all of it.
            read: Callable[[int], bytes | None] = getattr(self._raw, "read1", self._raw.read)
            return read(size) or b""
        except OSError as err:
            raise SourceError(f"{self.name}: {reason(err)}") from err

    def _raw_blocks(self, start: int = 0) -> Iterator[bytes]:
        at = start
        if self._file is None:
            at += len(self._first)
            self.consumed = at
            yield self._first
        while block := self._read(at):
            at += len(block)
            self.consumed = at
            yield block

    def _expanded(self) -> Iterator[bytes]:
        given = 0
        try:
            for block in compression.text_of(self.compression, self._raw_blocks, again=self._file is not None):
                given += len(block)
                yield block
        except compression.DAMAGES as err:
            raise LogDamaged(f"{self.name}: damaged after {given} bytes of text ({err})", permanent=True) from err


def expand(pattern: str) -> list[str]:
    """What a glob matches, sorted; a path that is none, or is there under its literal name, is itself."""
    if not glob.has_magic(pattern) or os.path.lexists(pattern):
        return [pattern]
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - patterns may be absolute


def reason(err: OSError) -> str:
    """What the system says of a failure, in our manner."""
    return (err.strerror or str(err)).lower()


# -- lines -------------------------------------------------------------------------------------------------------------


def peek(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes of a log, up to `HEAD`, with as many lines as formats look at where there are so many; and all blocks.

    Blocks may be small: a pipe gives what is there, and a compressed log may be made of pieces of a line each.

    Raises:
        SourceError: nothing can be read. A log that is damaged behind its first bytes is told so by its blocks.
    """
    taken: list[bytes] = []
    size = ends = 0
    try:
        for block in blocks:
            taken.append(block)
            size += len(block)
            ends += block.count(b"\n")
            if ends > heads.LINES or size >= HEAD:
                break
    except LogDamaged as damage:
        if not taken:
            raise
        blocks = _damaged(damage)
    return b"".join(taken)[:HEAD].removeprefix(BOM), chain(taken, blocks)


def _damaged(damage: LogDamaged) -> Iterator[bytes]:
    yield from ()
    raise damage


def lines(blocks: Iterator[bytes], start: int = 0) -> Iterator[Line]:
    r"""The lines of a log whose blocks begin at the offset `start`; ends are `\n` or `\r\n`, a byte order mark is left out.

    Of a line longer than `MAX_LINE` the beginning alone is kept, and its end is not waited for; `read_line` tells it by its
    offsets.
    """
    offset, rest, dropped = start, b"", 0
    for block in blocks:
        pieces = (rest + block).split(b"\n")
        if offset == 0 and pieces[0].startswith(BOM):
            offset, pieces[0] = len(BOM), pieces[0][len(BOM) :]
        rest = pieces.pop()
        for piece in pieces:
            following = offset + dropped + len(piece) + 1
            text = piece[:SAMPLE] if dropped else piece  # after a gap, only what stands before it is of the line
            yield offset, text[:-1] if text.endswith(b"\r") else text, following
            offset, dropped = following, 0
        if len(rest) > MAX_LINE:
            dropped += len(rest) - SAMPLE
            rest = rest[:SAMPLE]
    if dropped:
        yield offset, rest[:SAMPLE], offset + dropped + len(rest)
    elif rest:
        yield offset, rest, None


def cut(form: LogFormat, blocks: Iterator[bytes], start: int = 0) -> Iterator[Line]:
    """The lines of a log, or the frames where its format is no lines."""
    return form.cut(blocks, start) if isinstance(form, Framed) else lines(blocks, start)


def read_line(parser: LogParser, line: Line) -> tuple[LogRecord | BadLine, ...]:
    """What a parser makes of a line or frame; too long a one it does not get to see."""
    offset, text, following = line
    if following is not None and following - offset > MAX_LINE:
        return (BadLine(offset, f"line longer than {MAX_LINE} bytes", text[:SAMPLE]),)
    return _records(parser.parse(text, offset))


def finish(parser: LogParser) -> tuple[LogRecord | BadLine, ...]:
    """What a parser was waiting for at the end of a log that is at rest."""
    return _records(parser.finish()) if isinstance(parser, Waiting) else ()


def settle(parser: LogParser, quiet: float) -> tuple[LogRecord | BadLine, ...]:
    """What a parser was waiting for that is whole, when nothing was written for so many seconds."""
    return _records(parser.settle(quiet)) if isinstance(parser, Settling) else ()


def carry(parser: LogParser) -> str:
    """What a parser waits for whose log is gone on with in another file; "" when that is nothing."""
    return parser.carry() if isinstance(parser, Continuing) else ""


def _records(parsed: Parsed) -> tuple[LogRecord | BadLine, ...]:
    if parsed is None:
        return ()
    return parsed if isinstance(parsed, tuple) else (parsed,)
