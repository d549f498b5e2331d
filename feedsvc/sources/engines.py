"""What finds traces in bytes: the fastest engine there is for so many of them.

A handful of plain texts is found by StringZilla, at the speed of memory; more of them, and patterns, by Hyperscan, all in
one pass. Traces that begin with a rare byte are looked for where that byte is. Both libraries are loaded when the first log
is searched, and an installation without them parses every line.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from feedsvc.sources.traces import Trace

if TYPE_CHECKING:
    from hyperscan import Database

FEW = 24
"""Plain texts up to which each has a pass of its own: more of them are quicker together."""

Place = tuple[int, int]
"""Where the last byte of a match stands, and of which trace it is (its number)."""


class EngineMissing(Exception):
    """There is no engine for this here; the message says why."""


class Engine(Protocol):
    """Finds what it was made for."""

    def find(self, text: memoryview, base: bytearray, end: int) -> list[Place]:
        """The matches in the first `end` bytes of a buffer (`text` is a view of it), by their places.

        A trace that begins at a line's beginning is found at that of the buffer too.
        """
        ...


def engine_for(traces: Sequence[Trace]) -> Engine:
    """The engine for some traces.

    Raises:
        EngineMissing: there is none.
    """
    numbered = list(enumerate(traces))
    plain = [(number, trace) for number, trace in numbered if not trace.rare]
    few = len(plain) <= FEW and all(trace.kind == "literal" for _, trace in plain)
    engines: list[Engine] = [_Literals(plain) if few else _Patterns(plain)] if plain else []
    for byte in sorted({trace.rare for trace in traces if trace.rare}):
        rare = [(number, trace) for number, trace in numbered if trace.rare == byte]
        engines.append(_Where(byte, _Patterns(rare)))
    return engines[0] if len(engines) == 1 else _Several(engines)


class _Several:
    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = engines

    def find(self, text: memoryview, base: bytearray, end: int) -> list[Place]:
        found = [place for engine in self._engines for place in engine.find(text, base, end)]
        found.sort()
        return found


class _Where:
    """Asks an engine only where there is a byte that all it looks for begins with."""

    def __init__(self, byte: bytes, engine: Engine) -> None:
        self._byte = byte
        self._engine = engine

    def find(self, text: memoryview, base: bytearray, end: int) -> list[Place]:
        return self._engine.find(text, base, end) if base.find(self._byte, 0, end) >= 0 else []


class _Literals:
    """A few plain texts, one after the other."""

    def __init__(self, traces: Sequence[tuple[int, Trace]]) -> None:
        try:
            import stringzilla  # noqa: PLC0415 - see the module
        except ImportError as err:
            raise EngineMissing("stringzilla is not installed") from err
        self._find = stringzilla.find
        self._traces = [(number, trace.text) for number, trace in traces]

    def find(self, text: memoryview, base: bytearray, end: int) -> list[Place]:
        del base
        found = [(at, number) for number, wanted in self._traces for at in self._ends(text, wanted, end)]
        if len(self._traces) > 1:
            found.sort()
        return found

    def _ends(self, text: memoryview, wanted: bytes, end: int) -> Iterator[int]:
        last = len(wanted) - 1
        at = self._find(text, wanted, 0, end)
        while at >= 0:
            yield at + last
            at = self._find(text, wanted, at + 1, end)


class _Patterns:
    """Any traces, in one pass."""

    def __init__(self, traces: Sequence[tuple[int, Trace]]) -> None:
        self._database = _database(traces, "HS_MODE_BLOCK")

    def find(self, text: memoryview, base: bytearray, end: int) -> list[Place]:
        del base
        found: list[Place] = []
        add = found.append

        def seen(number: int, start: int, end: int, flags: int, context: object) -> None:  # noqa: ARG001 - as it calls
            add((end - 1, number))

        self._database.scan(text[:end], match_event_handler=seen)  # type: ignore[type-var] # any buffer will do
        found.sort()  # nearly, or wholly, sorted as it comes
        return found


class Presence:
    """Finds traces in a log wherever its blocks and lines end."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._database = _database(list(enumerate(traces)), "HS_MODE_STREAM") if traces else None

    def is_in(self, blocks: Iterator[bytes]) -> bool:
        """Whether there is one; no more blocks are taken than that takes, and all where there is none."""
        found: deque[int] = deque(maxlen=1)
        return any(found for _ in self.watched(blocks, found))

    def watched(self, blocks: Iterator[bytes], found: deque[int]) -> Iterator[bytes]:
        """The same blocks, each after it was searched.

        Args:
            found: gets the offsets at which traces end, in their order.
        """
        if self._database is None:
            yield from blocks
            return
        last = -1

        def seen(number: int, start: int, end: int, flags: int, context: object) -> None:  # noqa: ARG001 - as it calls
            nonlocal last
            if end > last:
                found.append(end)
                last = end

        with self._database.stream(match_event_handler=seen) as stream:
            for block in blocks:
                stream.scan(block)
                yield block


def _database(traces: Sequence[tuple[int, Trace]], mode: Literal["HS_MODE_BLOCK", "HS_MODE_STREAM"]) -> Database:
    try:
        import hyperscan  # noqa: PLC0415 - see the module
    except ImportError as err:
        raise EngineMissing("hyperscan is not installed") from err
    flags = {"literal": 0, "caseless": hyperscan.HS_FLAG_CASELESS, "pattern": hyperscan.HS_FLAG_CASELESS}
    database = hyperscan.Database(mode=getattr(hyperscan, mode))
    try:
        database.compile(
            expressions=[trace.text if trace.kind == "pattern" else re.escape(trace.text) for _, trace in traces],
            ids=[number for number, _ in traces],
            flags=[hyperscan.HS_FLAG_MULTILINE | flags[trace.kind] for _, trace in traces],
        )
    except hyperscan.error as err:
        raise EngineMissing(f"hyperscan cannot look for so much ({err})") from err
    return database
