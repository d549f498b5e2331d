"""A log searched once more, as far as it was read before, for who asked for some names.

Reads what followers read (`sources.following`) in the manner in which they did: the same format, each record in the same
state of its parser, and nothing behind the place where they had stopped. So what is found here is exactly what they would
have counted, had they known the names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from feedsvc.errors import PluginError, SourceError
from feedsvc.model import Batch, Stretch
from feedsvc.names import NetblockMap
from feedsvc.sources import identity
from feedsvc.sources.identity import Found, Kinship, Position
from feedsvc.sources.logfile import LogDamaged, LogFile, cut, finish, read_line
from feedsvc.sources.logs import Formats, NamedFormat
from feedsvc.sources.port import BadLine, LogParser, LogRecord, Waiting
from feedsvc.sources.records import Tally

STEP = 64 * 1024 * 1024
"""Bytes of text after which a batch goes out, however little they said: what is read once more after a death, at most."""

FACTS = 5_000
"""Sightings with which it goes out before."""

_NOWHERE = NetblockMap(())


def look_back(path: str, formats: Formats, stretch: Stretch, *, step: int = STEP) -> Iterator[Batch]:
    """Search a stretch of a log; see `LookingBack`.

    Args:
        path: the glob of its source.
        step: bytes of text between two batches.

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
        yield from _Search(log, named, stretch, until, step).batches(start)


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
        SourceError: there is none.
    """
    known = [until]
    if stretch.now:
        known.insert(0, identity.parse_position(stretch.now))
    heads = identity.Heads()
    for file in _candidates(path, known):
        if _is_at_rest_as(file, known[0]) or _is_same(file, until, heads):
            return file
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


class _Search:
    """One pass over a stretch."""

    def __init__(self, log: LogFile, named: NamedFormat, stretch: Stretch, until: Position, step: int) -> None:
        self._log = log
        self._form = named.format
        self._stretch = stretch
        self._until = until
        self._step = step
        self._tally = Tally(stretch.source, _NOWHERE)
        self._tally.begin(log.name)

    def batches(self, start: Position) -> Iterator[Batch]:
        """Who asked, from a position on; the last batch stands at the end of the stretch."""
        parser = self._form.parser(start.state)
        handed_out = start.offset
        try:
            for line in cut(self._form, self._blocks(start.offset), start.offset):
                self._add(read_line(parser, line))
                offset, _, following = line
                if following is not None and self._is_full(offset - handed_out):
                    handed_out = following
                    yield self._batch(replace(self._until, offset=following, state=parser.state()).text())
        except LogDamaged:
            pass  # as it was when it was read; that was told then
        self._finish(parser)
        yield self._batch(self._stretch.until)

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
