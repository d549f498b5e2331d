"""A log searched once more, as far as it was read before, for who asked for some names.

Reads what followers read (`sources.following`) in the manner in which they did: the same format, each record in the same
state of its parser, and nothing behind the place where they had stopped. So what is found here is exactly what they would
have counted, had they known the names.

A log whose lines stand for themselves is looked through for traces of the names, and parsed only where there are any
(`sources.scanning`): in one go, for that takes seconds where parsing takes minutes. All else, and a log that was broken off
in, is parsed line by line from where it is; a batch goes out now and then, so that a death costs little.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from feedsvc.errors import PluginError, SourceError
from feedsvc.model import Batch, Stretch
from feedsvc.names import NetblockMap
from feedsvc.sources import identity
from feedsvc.sources.engines import EngineMissing, Presence, engine_for
from feedsvc.sources.identity import Found, Kinship, Position
from feedsvc.sources.logfile import LogDamaged, LogFile, cut, finish, read_line
from feedsvc.sources.logs import Formats, NamedFormat
from feedsvc.sources.port import BadLine, LogParser, LogRecord, Waiting
from feedsvc.sources.records import Tally
from feedsvc.sources.scanning import Filler, Scan, ahead
from feedsvc.sources.traces import Entangled, Scannable, Traces

STEP = 64 * 1024 * 1024
"""Bytes of text after which a batch goes out, however little they said: what is read once more after a death, at most."""

FACTS = 5_000
"""Sightings with which it goes out before."""

MOST = 100_000
"""Sightings that are gathered of a log in one go; of one that has more, batches go out."""

_NOWHERE = NetblockMap(())


def look_back(path: str, formats: Formats, stretch: Stretch, *, step: int = STEP, at_once: bool = True) -> Iterator[Batch]:
    """Search a stretch of a log; see `LookingBack`.

    Args:
        path: the glob of its source.
        step: bytes of text between two batches.
        at_once: go through a log in one go where that is possible.

    Raises:
        SourceError: the log is not there any more, or cannot be searched (on).
    """
    until = identity.parse_position(stretch.until)
    try:
        named = formats.by_name(until.format)
    except PluginError as err:
        raise SourceError(f"{until.path}: {err}", permanent=True) from err
    start = identity.parse_position(stretch.start) if stretch.start else _beginning(until, named)
    file = _find(path, stretch, until)
    if file.changed < stretch.since * 1e9:
        yield _end(stretch)  # nothing in it is young enough
        return
    with _opened(file) as log:
        yield from _Search(log, named, stretch, until, step).batches(start, at_once=at_once)


def _beginning(until: Position, named: NamedFormat) -> Position:
    """The beginning of a log, with what its header said: of a log that was truncated no header is left to be read.

    A parser that waits for the rest of records waits for none there.
    """
    waits = isinstance(named.format.parser(), Waiting)
    return replace(until, offset=0, state="" if waits else until.state)


def _end(stretch: Stretch) -> Batch:
    return _batch(Tally(stretch.source, _NOWHERE), stretch, stretch.until)


def _batch(tally: Tally, stretch: Stretch, position: str) -> Batch:
    tally.move(stretch.scope, position)
    return tally.batch()


# -- where it is -------------------------------------------------------------------------------------------------------


def _find(path: str, stretch: Stretch, until: Position) -> Found:
    """The file that holds what was read of a log, wherever it is by now.

    Raises:
        SourceError: there is none; not for good where nothing at all is to be seen of the source: a disk is missing sooner.
    """
    known = [until]
    if stretch.now:
        known.insert(0, identity.parse_position(stretch.now))
    heads = identity.Heads()
    for file in _candidates(path, known):
        if _is_at_rest_as(file, known[0]) or _is_same(file, until, heads):
            return file
    if not identity.look(path).files:
        raise SourceError(f"{until.path}: no file matches {path}")
    raise SourceError(f"{until.path}: what was read of it is not there any more", permanent=True)


def _candidates(path: str, known: Sequence[Position]) -> Iterator[Found]:
    """Files in the order in which one looks: where it was last, then all of the source, then those beside it."""
    for position in known:
        yield from identity.look(position.path).files
    files = {file.inode: file for file in identity.look(path).files}
    for position in known:
        files.update({file.inode: file for file in identity.beside(position.path).files if file.inode not in files})
    inodes = {position.inode for position in known}
    yield from sorted(files.values(), key=lambda file: (file.inode not in inodes, file.path))


def _is_at_rest_as(file: Found, position: Position) -> bool:
    """Whether a file is the compressed one that was read to its end: to look for that end would be to read it all."""
    return position.rest == file.stamp and position.inode == file.inode


def _is_same(file: Found, until: Position, heads: identity.Heads) -> bool:
    try:
        return heads.may_be(file, until) and identity.kinship(file, until) is Kinship.SAME
    except SourceError:
        return False  # kin to nothing that can be read


def _opened(file: Found) -> LogFile:
    log = identity.open_found(file)
    if log is None:
        raise SourceError(f"{file.path}: was replaced at this moment")
    return log


# -- searching it ------------------------------------------------------------------------------------------------------


class _Unfit(Exception):
    """A log cannot be gone through at once: too much is found in it, or what can be read by its context alone."""


# Remembered from log to log of a hunt: to compile many names takes longer than a log.
_engine = functools.lru_cache(maxsize=2)(engine_for)
_presence = functools.lru_cache(maxsize=2)(Presence)


class _Search:
    """One pass over a stretch."""

    def __init__(self, log: LogFile, named: NamedFormat, stretch: Stretch, until: Position, step: int) -> None:
        self._log = log
        self._form = named.format
        self._stretch = stretch
        self._until = until
        self._step = step
        self._begin()

    def batches(self, start: Position, *, at_once: bool) -> Iterator[Batch]:
        """Who asked, from a position on; the last batch stands at the end of the stretch."""
        if start.offset or not at_once or not self._is_through_at_once():
            self._begin()
            yield from self._step_by_step(start)
        yield self._batch(self._stretch.until)

    def _begin(self) -> None:
        self._tally = Tally(self._stretch.source, _NOWHERE)
        self._tally.begin(self._log.name)

    # -- in one go -----------------------------------------------------------------------------------------------------

    def _is_through_at_once(self) -> bool:
        """Look through the whole stretch, if that can be done by traces."""
        form, names = self._form, sorted(self._stretch.names)
        traces = form.traces((), names) if isinstance(form, Scannable) else None
        try:
            return traces is not None and self._looked_through(traces)
        except (EngineMissing, Entangled, _Unfit):
            return False

    def _looked_through(self, traces: Traces) -> bool:
        parser = traces.apart() if traces.apart else None
        if parser is None:
            return not _presence(traces.all).is_in(self._known_blocks())
        if isinstance(parser, Waiting):
            return False  # whether its last record was taken, only its state can tell
        self._begin()
        for line in Scan(traces.all, _engine(traces.all), _NOWHERE, parser).lines(Filler(self._known_blocks(), whole=True)):
            found = read_line(parser, line)
            if len(self._tally) > MOST or any(isinstance(one, BadLine) for one in found):
                raise _Unfit
            self._add(found)
        return True

    def _known_blocks(self) -> Iterator[bytes]:
        """All of the stretch, or as much as can be read."""
        blocks = self._blocks(0)
        with contextlib.suppress(LogDamaged):  # as it was when it was read; that was told then
            yield from ahead(blocks) if self._log.compression else blocks

    # -- step by step --------------------------------------------------------------------------------------------------

    def _step_by_step(self, start: Position) -> Iterator[Batch]:
        parser = self._form.parser(start.state)
        handed_out = start.offset
        with contextlib.suppress(LogDamaged):
            for line in cut(self._form, self._blocks(start.offset), start.offset):
                self._add(read_line(parser, line))
                offset, _, following = line
                if following is not None and self._is_full(offset - handed_out):
                    handed_out = following
                    yield self._batch(replace(self._until, offset=following, state=parser.state()).text())
        self._finish(parser)

    def _is_full(self, taken: int) -> bool:
        return taken >= self._step or len(self._tally) >= FACTS

    def _batch(self, position: str) -> Batch:
        return _batch(self._tally, self._stretch, position)

    def _finish(self, parser: LogParser) -> None:
        """What the parser waits for, if followers took it: otherwise it is still to come from them."""
        if parser.state() != self._until.state:
            self._add(finish(parser))

    def _blocks(self, start: int) -> Iterator[bytes]:
        """The text up to the end of the stretch."""
        left = self._until.offset - start
        for block in self._log.blocks(start):
            if left <= len(block):
                yield block[:left]
                return
            yield block
            left -= len(block)

    def _add(self, found: Sequence[LogRecord | BadLine]) -> None:
        for one in found:
            if isinstance(one, LogRecord) and self._is_wanted(one):
                self._tally.add(one)

    def _is_wanted(self, record: LogRecord) -> bool:
        names = self._stretch.names
        asked = record.rrname in names or not names.isdisjoint(record.chain)
        return asked and record.time >= self._stretch.since
