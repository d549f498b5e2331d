"""Files in which is kept what came over a socket, until it was read: written by one process, read by another, bounded.

    current         is being written: what the format begins a file with, and whole frames
    current.000…7   was written before, and is removed by whoever has read and stored it
    status          who is connected, and what was lost so far, by reason
    lock            held by the process that writes

A frame is in a file before anything else is received: of a killed process is lost what the system had not handed over yet.
When there is no room, by the limit or on the disk, frames are lost, and counted. Nothing here reads frames or knows sockets.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from feedsvc.errors import UsageError
from feedsvc.sources.logfile import reason

CURRENT = "current"

TURN = 16 * 1024 * 1024
"""Octets of a file that is not written on."""

AGE = 3600.0
"""Seconds after which a file that holds anything is not written on, so that it can be removed."""

OF_FRAMES = "frame"
"""What the reason of a loss begins with when something of a log is lost."""

FULL = "frame for which the spool had no room"

_STATUS, _LOCK = "status", "lock"
_STATUS_SIZE = 1024  # octets, written in place: they are there when the disk is full
_DIGITS = 12
_TRIES, _BETWEEN_TRIES = 50, 0.01  # seconds


class Status(msgspec.Struct, frozen=True):
    """What the writing process says.

    Attributes:
        connected: programs that are connected, and have shown that they speak the protocol.
        lost: how much was lost since the spool is there, by reason.
    """

    connected: int = 0
    lost: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Glance:
    """How a spool is at a moment.

    Attributes:
        status: None when nobody ever wrote.
        written: whether a process is there that writes.
    """

    status: Status | None
    written: bool


def glance(folder: Path) -> Glance:
    """Look at a spool."""
    try:
        status = msgspec.json.decode((folder / _STATUS).read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        return Glance(None, written=False)
    return Glance(status, written=_is_locked(folder / _LOCK))


def done(folder: Path) -> Iterator[Path]:
    """The files that are not written on."""
    return folder.glob(f"{CURRENT}.*")


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class Spool:
    """The writing side; belongs to one thread once it is open.

    Args:
        preamble: what a file begins with.
        limit: octets of all files together.
        turn, age: when the next file is begun: octets, seconds.
    """

    def __init__(self, folder: Path, preamble: bytes, limit: int, *, turn: int = TURN, age: float = AGE) -> None:
        self._folder = folder
        self._preamble = preamble
        self._limit = limit
        self._turn = min(turn, limit // 4)  # the file that is being written is never removed
        self._age = age
        self._file = self._lock = self._status_file = -1
        self._size = 0  # of the file
        self._others = 0  # octets of the other files
        self._begun = 0.0
        self._lost: dict[str, int] = {}
        self._told = Status()

    def open(self, now: float) -> None:
        """Begin to write; what an earlier process left is kept to be read.

        Args:
            now: seconds of a clock that never steps back; so are all others here.

        Raises:
            UsageError: another process writes here, or nobody can.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _opened(self._folder / _LOCK, os.O_RDONLY)
            _lock(self._lock)
            self._status_file = _opened(self._folder / _STATUS, os.O_RDWR)
            status = glance(self._folder).status
            self._lost = dict(status.lost) if status else {}
            self._write_status(Status(0, dict(self._lost)))
            self._begin(now)
        except BlockingIOError as err:
            self.close()
            raise UsageError(f"another process listens and writes into {self._folder}; stop that one first") from err
        except OSError as err:
            self.close()
            raise UsageError(f"cannot write into {self._folder}: {reason(err)}; let this user write there") from err

    def write(self, frames: bytes, count: int, now: float) -> None:
        """Keep frames, all or none: those for which there is no room are counted as lost."""
        if not count:
            return
        if self._size + self._others + len(frames) > self._limit:
            self.lose(FULL, count)
            return
        try:
            if self._file < 0 or self._size + len(frames) > self._turn:
                self._begin(now)
            self._append(frames)
        except OSError as err:
            self.lose(f"frame that could not be kept: {reason(err)}", count)

    def lose(self, why: str, count: int = 1) -> None:
        """Count what is lost.

        Args:
            why: one of few texts.
        """
        self._lost[why] = self._lost.get(why, 0) + count

    def tend(self, connected: int, now: float) -> None:
        """What is due now and then: see how much is left to be read, begin the next file by age, say how it stands."""
        self._others = sum(_size_of(path) for path in done(self._folder))
        if self._begun + self._age <= now:
            with contextlib.suppress(OSError):  # told when the next frame cannot be kept
                self._begin(now)
        self._tell(connected)

    def close(self) -> None:
        """Write no more."""
        if self._lock >= 0 and self._status_file >= 0:
            self._tell(0)
        for number in (self._file, self._status_file, self._lock):
            if number >= 0:
                os.close(number)
        self._file = self._status_file = self._lock = -1

    # -- files ---------------------------------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        """Write into a new file from now on; one that holds nothing is as good as new."""
        current = self._folder / CURRENT
        self._begun = now
        if self._file >= 0 and self._size <= len(self._preamble):
            return
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = -1, 0
        if _size_of(current) > len(self._preamble):
            self._others += _size_of(current)
            current.rename(self._next())
        current.unlink(missing_ok=True)
        self._file = _opened(current, os.O_WRONLY | os.O_APPEND)
        try:
            self._append(self._preamble)
        except OSError:
            os.close(self._file)
            self._file = -1
            raise

    def _next(self) -> Path:
        numbers = [int(path.suffix[1:]) for path in done(self._folder) if path.suffix[1:].isdecimal()]
        return self._folder / f"{CURRENT}.{max(numbers, default=0) + 1:0{_DIGITS}}"

    def _append(self, octets: bytes) -> None:
        """Write all or nothing: half a frame would spoil those behind it."""
        try:
            written = os.write(self._file, octets)
            while written < len(octets):
                written += os.write(self._file, octets[written:])
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(octets)

    def _tell(self, connected: int) -> None:
        status = Status(connected, dict(self._lost))
        if status != self._told:
            with contextlib.suppress(OSError):
                self._write_status(status)

    def _write_status(self, status: Status) -> None:
        os.pwrite(self._status_file, msgspec.json.encode(status).ljust(_STATUS_SIZE), 0)
        self._told = status


def _lock(number: int) -> None:
    """Take the lock; who looks whether it is held has it for a moment."""
    pause = threading.Event()
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pause.wait(_BETWEEN_TRIES)
    raise BlockingIOError


def _opened(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
