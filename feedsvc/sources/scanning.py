"""The lines of a log that hold a trace of what is sought, at the speed at which bytes can be read.

A log goes through one buffer: as much as fits into a processor's cache, the engine over it, and only where it finds
something the line around it is taken out. Files are read, not mapped: a mapped file that another program shortens ends the
process.
What is decompressed is decompressed ahead, by a thread of its own, while the buffer is searched.

Which lines a log has is what `feedsvc.sources.logfile` says; what they mean is not known here.
"""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from feedsvc.errors import SourceError
from feedsvc.names import NetblockMap
from feedsvc.sources.engines import Engine, Presence
from feedsvc.sources.logfile import BOM, MAX_LINE, SAMPLE, cut
from feedsvc.sources.port import Line, LogFormat, LogParser
from feedsvc.sources.readings import address_of
from feedsvc.sources.traces import Delimiting, Settling, Trace

CHUNK = 512 * 1024
"""Bytes searched at a time: they stay in the cache from one pass to the next."""

GULP = 4
"""Blocks that are decompressed ahead at once."""

Fill = Callable[[memoryview], int]
"""Puts the next bytes of a log into a buffer and says how many; 0 at its end."""

_MANY = 65_536  # addresses that are remembered
_LONGEST_ADDRESS = 45  # characters: six groups of four and a dotted quad
_ADDRESS = re.compile(rb"[0-9A-Fa-f:.]*")
_OF_ADDRESS = frozenset(b"0123456789ABCDEFabcdef:.")
_OF_QUAD = frozenset(b"0123456789.")


class Scan:
    """Looks through one log.

    Args:
        traces: what to look for, by the numbers under which `engine` finds it.
        netblocks: those that the traces of addresses are of.
        parser: is shown each line before the next one is looked for, and says whether addresses stand alone.
    """

    def __init__(self, traces: tuple[Trace, ...], engine: Engine, netblocks: NetblockMap, parser: LogParser) -> None:
        self._traces = traces
        self._lengths = [len(trace.text) if trace.address == "begins" else 0 for trace in traces]
        self._engine = engine
        self._netblocks = netblocks
        self._is_watched = functools.lru_cache(maxsize=_MANY)(self._holds)
        self._delimiting = parser if isinstance(parser, Delimiting) else None
        self._buffer = bytearray(MAX_LINE + CHUNK)
        self._view = memoryview(self._buffer)
        self._held = 0  # bytes in the buffer
        self._offset = 0  # of its first

    def lines(self, fill: Fill) -> Iterator[Line]:
        """The lines that hold a trace, and the first one, which may be a header; those that are too long as well."""
        while got := fill(self._view[self._held : self._held + CHUNK]):
            self._held += got
            end = self._buffer.rfind(b"\n", 0, self._held) + 1
            yield from self._found(end)
            self._drop(end)
            if self._held > MAX_LINE:
                yield self._too_long(fill)
        if self._held:
            yield from self._torn()

    def _found(self, end: int) -> Iterator[Line]:
        """The lines in the first bytes of the buffer that are to be parsed; whole ones."""
        if not end:
            return
        done = 0
        if not self._offset:
            done = self._buffer.index(b"\n") + 1
            yield self._line(0, done)
        found = self._engine.find(self._view, self._buffer, end)
        # Most matches of many netblocks are none of these: a text such as `98.51.` stands in other addresses too.
        buffer, lengths, alone = self._buffer, self._lengths, self._stand_alone()
        for at, number in found:
            if at < done or (alone and 0 < lengths[number] <= at and buffer[at - lengths[number]] in _OF_QUAD):
                continue
            if alone and not self._is_inside(at, number):
                continue
            begin = buffer.rfind(b"\n", done, at) + 1 or done
            done = buffer.index(b"\n", at) + 1
            yield self._line(begin, done)
            alone = self._stand_alone()

    def _line(self, begin: int, end: int) -> Line:
        offset, text = self._offset + begin, bytes(self._view[begin : end - 1])
        if not offset and text.startswith(BOM):
            offset, text = len(BOM), text.removeprefix(BOM)
        return offset, text.removesuffix(b"\r"), self._offset + end

    def _torn(self) -> Iterator[Line]:
        """The last line, if it has no end and there is something in it."""
        found = self._engine.find(self._view, self._buffer, self._held)
        alone = self._stand_alone()
        if self._offset and not any(not alone or self._is_inside(at, number) for at, number in found):
            return
        offset, text = self._offset, bytes(self._view[: self._held])
        if not offset and text.startswith(BOM):
            offset, text = len(BOM), text.removeprefix(BOM)
        if text:
            yield offset, text, None

    def _drop(self, count: int) -> None:
        """Let go of the first bytes of the buffer."""
        rest = self._held - count
        self._view[:rest] = self._view[count : self._held]
        self._held = rest
        self._offset += count

    def _too_long(self, fill: Fill) -> Line:
        """Go on behind a line that is longer than lines are read."""
        begin, sample = self._offset, bytes(self._view[:SAMPLE])
        end = 0
        while not end:
            self._drop(self._held)
            self._held = fill(self._view[:CHUNK])
            if not self._held:
                return begin, sample, self._offset
            end = self._buffer.find(b"\n", 0, self._held) + 1
        self._drop(end)
        return begin, sample, self._offset

    def _stand_alone(self) -> bool:
        """Whether addresses do, by what was parsed so far."""
        return self._delimiting is not None and self._delimiting.delimits

    def _is_inside(self, at: int, number: int) -> bool:
        """Whether a match is no address, or what stands around it is one in a netblock."""
        if not self._traces[number].address:
            return True
        begin = at + 1 - (self._lengths[number] or 1)
        while begin and self._buffer[begin - 1] in _OF_ADDRESS and at - begin <= _LONGEST_ADDRESS:
            begin -= 1
        found = _ADDRESS.match(self._buffer, begin, min(self._held, at + _LONGEST_ADDRESS))
        return found is not None and self._is_watched(bytes(found[0]))

    def _holds(self, spelt: bytes) -> bool:
        address = address_of(spelt)
        return address is not None and address in self._netblocks


def frames_with(presence: Presence, form: LogFormat, blocks: Iterator[bytes], parser: LogParser) -> Iterator[Line]:
    """The frames of a log that hold a trace, and those that the parser does not pass by; lines where it is no frames."""
    found: deque[int] = deque()
    settling = parser if isinstance(parser, Settling) else None
    for frame in cut(form, presence.watched(blocks, found)):
        offset, text, following = frame
        while found and found[0] <= offset:
            found.popleft()
        end = offset + len(text) if following is None else following
        if (found and found[0] <= end) or settling is None or not settling.passes_by(text):
            yield frame


# -- bytes -------------------------------------------------------------------------------------------------------------


class Filler:
    """Fills buffers from blocks of any size.

    Args:
        whole: as long as there is room; else from one block: who writes into a pipe may let wait for the next.
    """

    def __init__(self, blocks: Iterator[bytes], *, whole: bool) -> None:
        self._blocks = blocks
        self._whole = whole
        self._rest = memoryview(b"")
        self._fault: SourceError | None = None

    def __call__(self, buffer: memoryview) -> int:
        """See `Fill`.

        Raises:
            SourceError: as the blocks do, after the last one.
        """
        filled = 0
        while filled < len(buffer) and self._more(filled):
            size = min(len(self._rest), len(buffer) - filled)
            buffer[filled : filled + size] = self._rest[:size]
            filled, self._rest = filled + size, self._rest[size:]
        return filled

    def _more(self, filled: int) -> bool:
        """Have something at hand; whether there is anything."""
        if self._rest:
            return True
        if self._fault is not None and not filled:
            raise self._fault
        if self._fault is not None or (filled and not self._whole):
            return False
        try:
            self._rest = memoryview(next(self._blocks, b""))
        except SourceError as err:
            if not filled:
                raise
            self._fault = err  # what could be read comes first
        return bool(self._rest)


def ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, made by a thread of their own while those before them are used.

    Raises:
        SourceError: as the blocks do, after the last one.
    """
    gulps = _Gulps(blocks)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(gulps.take)
        while gulp := coming.result():
            coming = thread.submit(gulps.take)
            yield from gulp


class _Gulps:
    """Takes some blocks at a time, so that threads need not wait for each other at every one."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._fault: SourceError | None = None

    def take(self) -> list[bytes]:
        """The next ones; nothing at the end."""
        if self._fault is not None:
            raise self._fault
        taken: list[bytes] = []
        try:
            taken.extend(islice(self._blocks, GULP))
        except SourceError as err:
            if not taken:
                raise
            self._fault = err  # what could be read comes first
        return taken
