"""One log searched from beginning to end for what is sought: only where a trace of it is, wherever that is possible.

What comes out is what parsing every line would give, record by record. How that is so, whatever the format:

- A format that says what a line must hold (`traces.Scannable`) is shown these lines alone, if its lines stand for
  themselves.
- Should one of them hang on lines that were not shown (`Entangled`), the log is read again as a whole from its beginning,
  and what was given is passed by. So it is with formats whose lines never stand for themselves: a log of theirs without any
  trace has nothing to tell, and is not parsed at all.
- All else is parsed line by line: a pipe that cannot be read again, a format that promises nothing.

What is not parsed is not refused either: lines that nobody could understand count only where they hold a trace, or in a log
that is read as a whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice

from feedsvc.errors import SourceError
from feedsvc.names import Netblock, NetblockMap
from feedsvc.sources.engines import Engine, EngineMissing, Presence, engine_for
from feedsvc.sources.logfile import LogFile, cut, finish, peek, read_line
from feedsvc.sources.logs import Formats, NamedFormat
from feedsvc.sources.port import BadLine, Framed, Line, LogParser, LogRecord
from feedsvc.sources.records import Refusals, faults
from feedsvc.sources.scanning import Fill, Filler, Scan, ahead, frames_with
from feedsvc.sources.traces import Entangled, Scannable, Traces


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for.

    Attributes:
        netblocks: an answer that lies in one of them.
        names: canonical names of findings, whose lookups are wanted as well.
    """

    netblocks: Sequence[Netblock]
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One record that tells of something sought, and the file and format it was read by."""

    record: LogRecord
    file: str
    format: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a sweep could not read.

    Attributes:
        lines: how many lines were refused for this reason; 0 when it is the file, or all of it from some place on.
        sample: the first of these lines, escaped and cut to 200 characters.
    """

    file: str
    reason: str
    lines: int = 0
    sample: str = ""


Report = Callable[[Trouble], None]

Tick = Callable[[LogFile], None]
"""Told again and again that a log was read further."""


@dataclass(frozen=True, slots=True)
class _Means:
    """How logs of one format are looked through; `engine` or, for frames and where lines hang together, `presence`."""

    traces: Traces
    engine: Engine | None
    presence: Presence | None


class Searcher:
    """Searches one log after the other for the same.

    Args:
        report: is told of lines that could not be understood.
        every_line: parse every line, so that all of these are told.
    """

    def __init__(self, formats: Formats, sought: Sought, report: Report, *, every_line: bool = False) -> None:
        self._formats = formats
        self._sought = sought
        self._netblocks = NetblockMap(sought.netblocks)
        self._names = frozenset(sought.names)
        self._report = report
        self._every_line = every_line
        self._means: dict[str, _Means | None] = {}

    def file(self, name: str, opened: Callable[[], AbstractContextManager[LogFile]], tick: Tick) -> Iterator[Found]:
        """Records of one file; that it cannot be opened, or not read on, is reported."""
        try:
            with opened() as log:
                yield from self.log(log, tick)
        except SourceError as err:
            self._report(Trouble(name, str(err).removeprefix(f"{name}: ")))

    def log(self, log: LogFile, tick: Tick) -> Iterator[Found]:
        """Records of one log, in its order, then what of its lines could not be read.

        Raises:
            SourceError: it is of no known format, or cannot be read on; what came before was given.
        """
        head, blocks = peek(log.blocks())
        if not head:
            return
        named = self._formats.by_head(head)
        reading = _Reading(log, named, _ticked(log, blocks, tick), tick)
        sieve = _Sieve(self._netblocks, self._names)
        try:
            for record in self._records(reading, sieve):
                yield Found(record, log.name, named.name)
        finally:
            for refused in sieve.refusals.all():
                self._report(Trouble(log.name, refused.reason, refused.count, refused.sample))

    def _records(self, reading: _Reading, sieve: _Sieve) -> Iterator[LogRecord]:
        means = None if self._every_line else self._means_for(reading.named)
        if means is None or (reading.log.is_stream and not means.traces.sure):
            yield from sieve.told(reading.parsed(reading.blocks))
        elif means.presence is None:
            yield from self._apart(reading, means, sieve)
        elif means.traces.apart is not None:
            parser = means.traces.apart()
            frames = frames_with(means.presence, reading.named.format, reading.blocks, parser)
            yield from sieve.told(_read(parser, frames))
        elif means.presence.is_in(reading.blocks):
            yield from sieve.told(reading.parsed(reading.again()))

    def _apart(self, reading: _Reading, means: _Means, sieve: _Sieve) -> Iterator[LogRecord]:
        """Records of a log whose lines stand for themselves, or seem to."""
        assert means.engine is not None
        assert means.traces.apart is not None
        parser = means.traces.apart()
        scan = Scan(means.traces.all, means.engine, self._netblocks, parser)
        try:
            yield from sieve.told(_read(parser, scan.lines(reading.fill())))
        except Entangled:
            given = sieve.given
            sieve.forget()
            yield from islice(sieve.told(reading.parsed(reading.again())), given, None)

    def _means_for(self, named: NamedFormat) -> _Means | None:
        if named.name not in self._means:
            self._means[named.name] = self._make_means(named)
        return self._means[named.name]

    def _make_means(self, named: NamedFormat) -> _Means | None:
        form = named.format
        traces = form.traces(self._sought.netblocks, self._sought.names) if isinstance(form, Scannable) else None
        if traces is None:
            return None
        try:
            if traces.apart is None or isinstance(form, Framed):
                return _Means(traces, None, Presence(traces.all))
            return _Means(traces, engine_for(traces.all), None)
        except EngineMissing as err:
            logging.getLogger(__name__).warning("%s; every line is parsed, which takes ten times as long", err)
            return None


class _Sieve:
    """Lets through what tells of something sought, and counts what could not be read.

    Attributes:
        given: how many records were let through.
    """

    def __init__(self, netblocks: NetblockMap, names: frozenset[str]) -> None:
        self._netblocks = netblocks
        self._names = names
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.refusals = Refusals()
        self.given = 0

    def told(self, records: Iterator[LogRecord | BadLine]) -> Iterator[LogRecord]:
        """Those records that tell of something sought."""
        for found in records:
            if isinstance(found, BadLine):
                self.refusals.add(found)
                continue
            for fault in faults(found):
                self.refusals.add(fault)
            if self._is_sought(found):
                self.given += 1
                yield found

    def _is_sought(self, record: LogRecord) -> bool:
        names, netblocks = self._names, self._netblocks
        if names and (record.rrname in names or not names.isdisjoint(record.chain)):
            return True
        return any(address in netblocks for address in record.answers)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One log that is being read.

    Attributes:
        blocks: from its beginning; of one that can be read once the only ones.
    """

    log: LogFile
    named: NamedFormat
    blocks: Iterator[bytes]
    tick: Tick

    def again(self) -> Iterator[bytes]:
        """Its blocks from the beginning, once more."""
        return _ticked(self.log, self.log.blocks(), self.tick)

    def parsed(self, blocks: Iterator[bytes]) -> Iterator[LogRecord | BadLine]:
        """All that is in it."""
        return _read(self.named.format.parser(), cut(self.named.format, blocks))

    def fill(self) -> Fill:
        """Fills buffers with it, in the way that is fastest for it."""
        if self.log.is_stream:
            return Filler(self.blocks, whole=False)
        if self.log.compression:
            return Filler(_ticked(self.log, ahead(self.log.blocks()), self.tick), whole=True)
        return self._fill_from_file()

    def _fill_from_file(self) -> Fill:
        at = 0

        def fill(buffer: memoryview) -> int:
            nonlocal at
            read = self.log.read_into(buffer, at)
            at += read
            self.tick(self.log)
            return read

        return fill


def _read(parser: LogParser, lines: Iterator[Line]) -> Iterator[LogRecord | BadLine]:
    for line in lines:
        yield from read_line(parser, line)
    yield from finish(parser)


def _ticked(log: LogFile, blocks: Iterator[bytes], tick: Tick) -> Iterator[bytes]:
    for block in blocks:
        tick(log)
        yield block
