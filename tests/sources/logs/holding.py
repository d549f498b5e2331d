"""What must hold of every format and all bytes: shared by the property tests and by `tests/fuzz/fuzz_logs.py`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from feedsvc.errors import SourceError
from feedsvc.sources.logfile import cut, finish, read_line
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import BadLine, Line, LogFormat, LogRecord
from tests.sources.logs.linewise import assert_sound

Found = list[LogRecord | BadLine]


def check(name: str) -> Callable[[bytes], Found]:
    """A function that reads bytes as a log of a format, and fails when something is not as it must be.

    Nothing but `SourceError` is raised, names are canonical, blocks may end anywhere, frames stand where they say, one
    behind the other, and whoever goes on in the middle of the log with the state that was taken there finds the same. What
    was read is returned.
    """
    own, auto = Formats(name), Formats()

    def read(log: bytes) -> Found:
        with suppress(SourceError):
            auto.by_head(log)
        try:
            form = own.by_head(log).format
            frames = list(cut(form, iter([log])))
            third = len(log) // 3 + 1
            assert list(cut(form, iter([log[:third], log[third : 2 * third], log[2 * third :]]))) == frames
        except SourceError:
            return []
        assert_in_order(frames, log)
        whole = said(form, frames, len(frames))
        assert_sound(whole)
        assert said(form, frames, len(frames) // 2) == whole, "the state does not tell all"
        return whole

    return read


def assert_in_order(frames: list[Line], log: bytes) -> None:
    """Each frame stands at its offset, none reaches into the next one, and only the last may be torn."""
    at = 0
    for offset, text, following in frames:
        assert offset >= at
        assert log.startswith(text, offset)
        at = len(log) if following is None else following
        assert offset + len(text) <= at <= len(log)


def said(form: LogFormat, frames: list[Line], turn: int) -> Found:
    """What frames say when, at one of them, a parser gives way to one that has its state alone.

    Times are left out: lines without a time, or without a year, are of the moment at which they are read.
    """
    parser = form.parser()
    found = [one for line in frames[:turn] for one in read_line(parser, line)]
    parser = form.parser(parser.state())
    found += [one for line in frames[turn:] for one in read_line(parser, line)]
    found += finish(parser)
    return [replace(one, time=0.0) if isinstance(one, LogRecord) else one for one in found]
