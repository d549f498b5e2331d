"""Windows event logs (EVTX) as chunks, and what is in one: memory is that of a chunk, however large the log.

An EVTX file is a header of 4 KiB and chunks of 64 KiB, each of which can be read by itself. They are read by the `evtx`
package in a process of its own (`feedsvc.sources.evtx_child`), because a chunk that is damaged or made to do so can keep the
package busy for ever. A process that is lost costs the chunk that it was lost over.
"""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from feedsvc.sources.port import Line
from feedsvc.sources.readings import Unreadable

FILE_MAGIC = b"ElfFile\0"
CHUNK_MAGIC = b"ElfChnk\0"

HEADER = 4096
"""Octets before the first chunk."""

CHUNK = 65536

_FIRST_EVENT = 512  # in a chunk
_EVENT_MAGIC = b"**\0\0"
_EVENT = struct.Struct("<4sIQ").unpack_from  # of an event: magic, octets, number
_SMALLEST = 28  # octets of an event without anything in it
_LAST = struct.Struct(
    "<QIII"
)  # of a chunk's header: number of its last event, its own size, where that event and free space begin
_UNUSED = bytes(CHUNK)
_SIZE = struct.Struct(">I")
_PROGRAM = Path(__file__).with_name("evtx_child.py")


class Stored(NamedTuple):
    """One event of a chunk.

    Attributes:
        at: where it begins, in octets from the beginning of the chunk; 0 when that cannot be told.
        json: as the package renders it; "" when it cannot be read.
    """

    at: int
    json: bytes


def is_chunk(frame: bytes) -> bool:
    """Whether a frame is one of these, or the beginning of one."""
    return frame.startswith(CHUNK_MAGIC)


def begins(head: bytes, start: int) -> bool:
    """Whether it is an EVTX file that has these octets at an offset where a frame begins."""
    if start == 0:
        return head.startswith(FILE_MAGIC)
    return (start - HEADER) % CHUNK == 0 and head[:8] in {CHUNK_MAGIC, bytes(8)}


def cut(blocks: Iterator[bytes], start: int) -> Iterator[Line]:
    """The header and the chunks of a file, without those that are not used yet (see `port.Framed`).

    The last chunk in use is given as torn: who writes the file may have something to add to it.
    """
    offset, held, last = start, b"", None
    for block in blocks:
        held += block
        while len(held) >= (size := CHUNK if offset else HEADER):
            frame, held = held[:size], held[size:]
            if last is not None and frame != _UNUSED:
                yield *last, last[0] + len(last[1])
            last = (offset, frame) if frame != _UNUSED else last
            offset += size
    if held.strip(b"\0"):
        if last is not None:
            yield *last, last[0] + len(last[1])
        last = (offset, held)
    if last is not None:
        yield *last, None


class Reader:
    """Reads chunks, one after the other, whichever thread asks. Its process ends with it; a fork of ours has its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._end: weakref.finalize[[subprocess.Popen[bytes], int], Reader] | None = None

    def read(self, chunk: bytes) -> list[Stored]:
        """The events of a chunk, or of the beginning of one.

        Raises:
            Unreadable: the package was lost over it.
        """
        whole = _as_used(chunk.ljust(CHUNK, b"\0"))
        with self._lock:
            try:
                texts = list(_ask(self._running(), whole))
            except (OSError, EOFError) as err:
                self._give_up()
                raise Unreadable("chunk of events that cannot be read") from err
        return _placed(texts, whole)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._process = subprocess.Popen(  # noqa: S603 - our own program, shown no more than a chunk
                [sys.executable, "-I", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._end = weakref.finalize(self, _stop, self._process, self._owner)
        return self._process

    def _give_up(self) -> None:
        if self._end is not None:
            self._end()
        self._process = self._end = None


def _ask(process: subprocess.Popen[bytes], chunk: bytes) -> Iterator[bytes]:
    assert process.stdin is not None
    process.stdin.write(_SIZE.pack(len(chunk)) + chunk)
    process.stdin.flush()
    for _ in range(_number(process)):
        yield _exactly(process, _number(process))


def _number(process: subprocess.Popen[bytes]) -> int:
    (number,) = _SIZE.unpack(_exactly(process, _SIZE.size))
    return int(number)


def _exactly(process: subprocess.Popen[bytes], size: int) -> bytes:
    assert process.stdout is not None
    text = process.stdout.read(size)
    if len(text) < size:
        raise EOFError
    return text


def _stop(process: subprocess.Popen[bytes], owner: int) -> None:
    if owner != os.getpid():
        return  # a fork ends, and whose process this is goes on
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was not written yet will not be read either
                pipe.close()
    process.wait()


def _placed(texts: list[bytes], chunk: bytes) -> list[Stored]:
    """Events with their places: the package gives them in the order in which they stand."""
    places = [place.at for place in _places(chunk)]
    known = len(places) == len(texts)
    return [Stored(places[number] if known else 0, text) for number, text in enumerate(texts)]


class _Place(NamedTuple):
    at: int
    end: int
    number: int


def _places(chunk: bytes) -> Iterator[_Place]:
    """Where events stand, one behind the other; what was in the chunk before it was used anew has other numbers."""
    at, expected = _FIRST_EVENT, None
    while at + _SMALLEST <= len(chunk):
        magic, size, number = _EVENT(chunk, at)
        if magic != _EVENT_MAGIC or size < _SMALLEST or expected not in {None, number}:
            return
        yield _Place(at, at + size, number)
        at, expected = at + size, number + 1


def _as_used(chunk: bytes) -> bytes:
    """A chunk whose header knows of all of its events: who writes it only brings that up to date now and then."""
    last = max(_places(chunk), default=None)
    if last is None or last.end > CHUNK:
        return chunk
    return chunk[:32] + _LAST.pack(last.number, 128, last.at, last.end) + chunk[52:]
