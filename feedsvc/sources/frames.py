"""Logs that are no lines, cut into frames whose first octets tell their size.

For `Framed` formats, and for whoever reads such frames from a socket: blocks may come from anywhere, in any size. Memory is
bounded by the largest frame, time by the octets.

A writer may die in the middle of a frame, or the disk lose a piece. Where a frame cannot be, the next mark is looked for:
what only begins a frame, such as the beginning of a stream. A frame in which a mark begins is broken off there, unless it is
sound: a mark may also be a part of what somebody asked for. What was passed over is given as one frame, by its first octets,
so that it is counted: by its size it is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from feedsvc.sources.logfile import MAX_LINE, SAMPLE, LogDamaged
from feedsvc.sources.port import Line

LOST = 1 << 62
"""The size of what can be no frame: it reaches to the next mark."""

_CREDIT = 4 * MAX_LINE
# Octets that may be asked about before as many were cut: frames full of marks, each of which reaches over all that follow,
# would take for ever otherwise.

_NEVER = re.compile(rb"(?!)")

_Frame = tuple[int, bytes, int]


@dataclass(frozen=True, slots=True)
class Framing:
    """How a log is divided.

    Attributes:
        size: octets of the frame that begins at a place in a buffer, with those that tell it; 0 when too few are there to
            tell, `LOST` when it can be no frame.
        sound: whether a frame is one also by what is in it.
        mark: what only begins a frame.
        mark_size: octets of the longest mark.
        largest: octets of the largest frame that may be; a larger one is passed over, up to its end or the next mark.
    """

    size: Callable[[bytearray, int], int]
    sound: Callable[[bytes], bool]
    mark: re.Pattern[bytes]
    mark_size: int
    largest: int = MAX_LINE

    def without_marks(self) -> Framing:
        """The same for a socket, of which nothing gets lost: each frame is given as soon as its last octet is there."""
        return replace(self, mark=_NEVER, mark_size=1)


def cut(framing: Framing, blocks: Iterator[bytes], start: int = 0) -> Iterator[Line]:
    """See `Framed.cut`.

    Raises:
        LogDamaged: the place was lost, and no mark came.
    """
    cutter = Cutter(framing, start)
    for block in blocks:
        yield from cutter.feed(block)
    yield from cutter.end()


class Cutter:
    """Cuts what it is fed.

    Args:
        start: the offset of the first octet, where a frame begins.
    """

    def __init__(self, framing: Framing, start: int = 0) -> None:
        self._framing = framing
        self._ahead = framing.mark_size - 1  # octets behind a frame that show whether a mark begins in it
        self._buffer = bytearray()
        self._offset = start  # of the buffer's first octet
        self._wanted = 1  # octets of the buffer without which nothing new can be told
        self._lost: _Frame | None = None  # what can be no frame, by its first octets
        self._ended = False
        self._credit = _CREDIT

    def feed(self, block: bytes) -> Iterator[Line]:
        """The frames that are whole by now; to be run to its end before the next block is fed."""
        self._buffer += block
        if len(self._buffer) >= self._wanted:
            yield from self._cut()

    def end(self) -> Iterator[Line]:
        """What is left, once nothing more will come: whole frames, then one that is not.

        Raises:
            LogDamaged: no frame begins any more.
        """
        self._ended = True
        yield from self._cut()
        if self._lost:
            raise LogDamaged(f"no frame begins at byte {self._lost[0]}, and none was found behind it", permanent=True)
        if self._buffer:
            yield self._offset, bytes(self._buffer), None

    def _cut(self) -> Iterator[Line]:
        at, self._wanted = 0, 0
        while not self._wanted:
            found = self._found_again(at) if self._lost else self._next(at)
            if found is not None:
                yield found
                at = found[2] - self._offset
        if self._lost:
            at = max(at, len(self._buffer) - self._ahead)
        del self._buffer[:at]
        self._offset += at

    def _next(self, at: int) -> _Frame | None:
        size, there = self._framing.size(self._buffer, at), len(self._buffer) - at
        begin = self._offset + at
        if size > self._framing.largest:
            if there < SAMPLE and not self._ended:
                self._wanted = SAMPLE  # what is shown of it is the same, whatever blocks it comes in
                return None
            self._lost = begin, bytes(self._buffer[at : at + SAMPLE]), begin + size
            return None
        if size and there >= (size if self._ended else size + self._ahead):
            return begin, *self._whole(at, size)
        if self._ended and (mark := self._framing.mark.search(self._buffer, at + 1)):
            return begin, bytes(self._buffer[at : mark.start()]), self._offset + mark.start()
        self._wanted = size + self._ahead if size else there + 1
        return None

    def _whole(self, at: int, size: int) -> tuple[bytes, int]:
        """A frame, and the offset where the next begins: behind it, or at a mark that it took for a part of its own."""
        end = at + size
        mark = self._framing.mark.search(self._buffer, at + 1, end + self._ahead)
        if mark and mark.start() < end and not self._is_sound(at, size):
            end = mark.start()
        self._credit = min(self._credit + end - at, _CREDIT)
        return bytes(self._buffer[at:end]), self._offset + end

    def _is_sound(self, at: int, size: int) -> bool:
        if size > self._credit:
            return False
        self._credit -= size
        return self._framing.sound(bytes(self._buffer[at : at + size]))

    def _found_again(self, at: int) -> _Frame | None:
        """What was passed over, once its end or a mark is there."""
        assert self._lost is not None
        begin, sample, until = self._lost
        mark = self._framing.mark.search(self._buffer, at + (self._offset + at == begin))
        reached = self._offset + (mark.start() if mark else len(self._buffer))
        if mark is None and reached < until:
            self._wanted = 1 + min(len(self._buffer) - at, self._ahead)
            return None
        self._lost = None
        following = min(reached, until)
        return begin, sample[: following - begin], following
