"""One log read from a position to its end, in batches of bounded size, each with the position that it leads to.

Which file it is and whether it must be read at all is not decided here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from feedsvc.errors import SourceError
from feedsvc.model import Batch
from feedsvc.sources.identity import Position, Steady, fingerprint
from feedsvc.sources.logfile import LogFile, cut, finish, read_line, settle
from feedsvc.sources.port import Line, LogFormat, LogParser
from feedsvc.sources.records import Tally

BATCH_FACTS = 5_000
"""Observations and sightings with which a batch goes out."""

BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of text with which it goes out, however little they said."""


class Tail:
    """Reads one log after the other into one tally; a batch goes out when it is full, whatever file that happens in.

    Args:
        facts, size: what fills a batch: observations and sightings, bytes of text.
    """

    def __init__(self, tally: Tally, facts: int = BATCH_FACTS, size: int = BATCH_BYTES) -> None:
        self._tally = tally
        self._facts = facts
        self._size = size
        self._taken = 0

    def finish(self, parser: LogParser) -> None:
        """Take what a parser waited for whose log is at rest; it goes out with what is gathered."""
        for found in finish(parser):
            self._tally.add(found)

    def settle(self, parser: LogParser, quiet: float) -> None:
        """Take what is whole in a log to which nothing was written for so many seconds."""
        for found in settle(parser, quiet):
            self._tally.add(found)

    def read(
        self, log: LogFile, scope: str, start: Position, form: LogFormat, parser: LogParser, *, whole: bool
    ) -> Generator[Batch, None, tuple[Position, SourceError | None]]:
        """Read on from a position.

        Args:
            start: where; its place (path and inode) is that of the file at hand.
            whole: the file is not written to any more: a last line without an end is taken as it is.

        Returns:
            The position after the last line, and what ended the pass before the end of the file, if anything did. Moving
            the cursor there is left to the caller: what is not handed out yet goes out with it.
        """
        self._tally.begin(log.name)
        steady = Steady(log, start)
        last: Line | None = None
        handed_out = start.offset - self._taken
        broken: SourceError | None = None
        try:
            for line in cut(form, steady.blocks(), start.offset):
                if line[2] is None and not whole:
                    break
                for found in read_line(parser, line):
                    self._tally.add(found)
                last = line
                if line[0] - handed_out >= self._size or len(self._tally) >= self._facts:
                    handed_out = _end_of(line)
                    self._tally.move(scope, _after(line, start, steady, parser).text())
                    yield self._tally.batch()
        except SourceError as err:
            broken = _naming(log.name, err)
        # Also where nothing was read: what the parser was waiting for is told by now, and not once more by the next poll.
        position = _after(last, start, steady, parser) if last else replace(start, state=parser.state())
        self._taken = position.offset - handed_out
        return position, broken


def _naming(name: str, err: SourceError) -> SourceError:
    """The error with the log's name in front: a format that cuts frames does not know it."""
    if str(err).startswith(f"{name}: "):
        return err
    return type(err)(f"{name}: {err}", permanent=err.permanent)


def _end_of(line: Line) -> int:
    begin, text, following = line
    return begin + len(text) if following is None else following


def _after(line: Line, start: Position, steady: Steady, parser: LogParser) -> Position:
    """The position after a line."""
    offset = _end_of(line)
    return replace(start, offset=offset, head=steady.head(offset), last=fingerprint(line[0], line[1]), state=parser.state())
