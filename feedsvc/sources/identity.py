"""Which file is which: how a log is known again after it was renamed, copied, truncated or compressed.

A log is known by its device and inode as long as these hold, and always by its text: a fingerprint of its beginning and one
of the last line that was read. Both must fit, so a new file that was given the inode of an old one, or begins with the same
header, is not taken for it, and a copy or a compressed one is.

Nothing here reads lines or knows formats.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import msgspec

from feedsvc.errors import SourceError
from feedsvc.sources.logfile import LogFile, expand, reason

HEAD = 4096
"""Bytes of the beginning that are fingerprinted: Zeek's header, which many logs share, and a dozen records after it."""


@dataclass(frozen=True, slots=True)
class Print:
    """Fingerprint of a piece of a log: where it begins and how long it is, in bytes of the uncompressed text."""

    start: int
    size: int
    sha256: str


def fingerprint(start: int, text: bytes) -> Print:
    """The fingerprint of a piece of text."""
    return Print(start, len(text), hashlib.sha256(text).hexdigest())


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was read, and all that is needed to know it again: what a cursor of a log source holds.

    Attributes:
        path: where it was when it was last inside the glob.
        inode: device and inode, see `Found`.
        offset: where the next line begins.
        head, last: of its beginning, up to `offset`, and of the last line read.
        format, state: which parser reads it, and what that parser knows.
        rest: the `stamp` of a compressed file that was read to its end: as long as it has it, there is nothing new.
        damage: why that end came too early; "" when it did not.
        stand: where the log is written that goes on after this one, see `stand_of`; "" once one has gone on.
    """

    path: str
    inode: str
    offset: int
    head: Print
    last: Print
    format: str = ""
    state: str = ""
    rest: str = ""
    damage: str = ""
    stand: str = ""

    def text(self) -> str:
        """The position as a cursor's text."""
        return msgspec.json.encode(self).decode()


def nothing_of(file: Found) -> Position:
    """The position at the beginning of a file of which nothing was read yet."""
    nothing = fingerprint(0, b"")
    return Position(file.path, file.inode, 0, head=nothing, last=nothing)


def parse_position(text: str) -> Position:
    """Read a cursor's text.

    Raises:
        SourceError: it is no position that this version wrote.
    """
    try:
        return msgspec.json.decode(text, type=Position)
    except msgspec.MsgspecError as err:
        raise SourceError(
            f"a stored cursor cannot be read ({err}); remove it to read the log again", permanent=True
        ) from err


def stand_of(path: str, others: AbstractSet[str]) -> str:
    """Where a log is, or was before it was rotated, written: `/var/log/dnsmasq.log` for `/var/log/dnsmasq.log.1.gz`.

    Args:
        others: where logs are, or were.
    """
    name = path.rfind("/") + 1
    above = (path[:at] for at in range(name + 1, len(path)) if path[at] in ".-_")
    return next((other for other in above if other in others), path)


# -- files -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file as it was when it was looked at.

    Attributes:
        inode: device and inode, `fd00:1a2b`.
        changed: when it was last written to, nanoseconds since 1970.
    """

    path: str
    inode: str
    size: int
    changed: int

    @property
    def stamp(self) -> str:
        """Changes whenever the file is written to."""
        return f"{self.size}:{self.changed}"


@dataclass(frozen=True, slots=True)
class Look:
    """What a glob shows: regular files, one an inode, and what could not be looked at."""

    files: tuple[Found, ...]
    faults: tuple[str, ...] = ()


def look(pattern: str) -> Look:
    """The files that a path or glob matches, sorted by path. What vanishes meanwhile is no fault."""
    return _look_at(expand(pattern))


def beside(path: str) -> Look:
    """All files in the folder of a path: a file that was renamed is there more likely than not."""
    try:
        return _look_at(sorted(str(found) for found in Path(path).parent.iterdir()))
    except OSError:
        return Look(())


def open_found(file: Found) -> LogFile | None:
    """Open a file that was looked at; None when another one stands at its path by now, or none: the next look sees that.

    Raises:
        SourceError: see `LogFile`.
    """
    try:
        log = LogFile.open(file.path)
    except SourceError as err:
        if isinstance(err.__cause__, FileNotFoundError):
            return None
        raise
    if _inode(log.status()) == file.inode:
        return log
    log.close()
    return None


def is_mount_without_its_disk(folder: str) -> bool:
    """Whether a folder is there and empty, as a mount point is whose file system did not come up."""
    try:
        return not any(Path(folder).iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _look_at(paths: Iterable[str]) -> Look:
    files: dict[str, Found] = {}
    faults: list[str] = []
    for path in paths:
        try:
            path.encode()  # a cursor is UTF-8 text
            status = os.stat(path)  # noqa: PTH116 - one call, many files
        except FileNotFoundError:
            continue
        except UnicodeEncodeError:
            faults.append(f"{path!r}: its name is no UTF-8")
            continue
        except OSError as err:
            faults.append(f"{path}: {reason(err)}")
            continue
        if stat.S_ISREG(status.st_mode):
            inode = _inode(status)
            files.setdefault(inode, Found(path, inode, status.st_size, status.st_mtime_ns))
    return Look(tuple(files.values()), tuple(faults))


def _inode(status: os.stat_result) -> str:
    return f"{status.st_dev:x}:{status.st_ino:x}"


# -- the same log? -----------------------------------------------------------------------------------------------------


class Kinship(Enum):
    """How a file relates to a log that was read before."""

    SAME = auto()
    """It holds all that was read, and perhaps more."""

    SHORT = auto()
    """It begins like it, and ends before the last line that was read: a copy that is being made, or a log cut short."""

    OTHER = auto()
    """It is another log."""


def kinship(file: Found, position: Position) -> Kinship:
    """How a file relates to the log that a position speaks of.

    Raises:
        SourceError: it cannot be read.
    """
    log = open_found(file)
    if log is None:
        return Kinship.SHORT  # replaced at this moment: the next poll decides
    with log:
        return _compare(log, position)


def _compare(log: LogFile, position: Position) -> Kinship:
    if not position.head.size or not _fits(log, position.head):
        return Kinship.OTHER
    if _fits(log, position.last):
        return Kinship.SAME
    last = position.last
    return Kinship.OTHER if len(log.slice(last.start, last.size)) == last.size else Kinship.SHORT


def _fits(log: LogFile, piece: Print) -> bool:
    return fingerprint(piece.start, log.slice(piece.start, piece.size)) == piece


class Steady:
    """The text of a log from a position on, for as long as it is the log that the position speaks of.

    Between two looks at a file, and between two reads, it may be truncated and written to anew. What stands at the old
    offset then is the middle of another text.

    Args:
        position: where to begin, in this file.
    """

    def __init__(self, log: LogFile, position: Position) -> None:
        self._log = log
        self._position = position
        self._start = log.slice(0, position.head.size)

    def blocks(self) -> Iterator[bytes]:
        """The blocks, up to the end or to where the text is another one.

        Raises:
            SourceError: see `LogFile.blocks`.
        """
        seen = self._position.last
        if fingerprint(0, self._start) != self._position.head:
            return
        for block in self._log.blocks(self._position.offset):
            # A compressed file is not written to in its middle, and to look back in one costs as much as to read it.
            if not self._log.compression and not _fits(self._log, seen):
                return
            if len(self._start) < HEAD:
                self._start += block[: HEAD - len(self._start)]
            seen = seen if seen.size else fingerprint(0, self._start)
            yield block

    def head(self, offset: int) -> Print:
        """The fingerprint of the beginning, once this much was read."""
        return fingerprint(0, self._start[:offset])


class Heads:
    """Beginnings of files, each read once: many files can be held against many positions."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}
        self._prints: dict[tuple[str, int], Print] = {}

    def may_be(self, file: Found, position: Position) -> bool:
        """Whether a file begins as the log of a position does; `kinship` has the last word.

        Raises:
            SourceError: the file cannot be read.
        """
        size = position.head.size
        key = (file.inode, size)
        if key not in self._prints:
            self._prints[key] = fingerprint(0, self._text(file)[:size])
        return size > 0 and self._prints[key] == position.head

    def _text(self, file: Found) -> bytes:
        if file.inode not in self._texts:
            log = open_found(file)
            if log is None:
                return b""
            with log:
                self._texts[file.inode] = log.slice(0, HEAD)
        return self._texts[file.inode]
