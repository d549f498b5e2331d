"""A state to a portable file and back: a file is written whole or not at all, and taken whole or not at all.

`-` is standard output or input; a name that ends in `.gz` is compressed. What stands in the file is `portable`'s affair.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import BinaryIO

from feedsvc.clock import rfc3339
from feedsvc.errors import PublishError, UsageError
from feedsvc.history import open_history
from feedsvc.history.layout import Row
from feedsvc.history.port import History
from feedsvc.history.portable import Reader, Writer

STANDARD = "-"
COMPRESSED = ".gz"

_TELL_EVERY = 10_000  # rows
_OF_THE_STATE = ("", "-wal", "-shm", "-journal")  # sqlite.org/tempfiles.html §2

Write = Callable[[bytes], object]
Readline = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Moved:
    """What was exported or imported.

    Attributes:
        exported_at: when, as the file says it.
        counts: the rows of each table.
    """

    exported_at: str
    counts: Mapping[str, int]

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.counts.values())


# -- out ---------------------------------------------------------------------------------------------------------------


def export_file(state: Path, file: str, now: datetime, progress: Callable[[str], None], stop: Event) -> Moved:
    """Write all of a state, as of one moment, while others may go on writing it.

    Args:
        progress: told what is done, now and then.
        stop: set by whoever wants the work to end.

    Returns:
        What was written.

    Raises:
        UsageError: the file is none that may be replaced.
        PublishError: it could not be written, or not to its end; what was there before is still there.
        HistoryError: there is no state, or it cannot be read.
    """
    with closing(open_history(state, read_only=True)) as history, _writing(file), _target(file, state) as write:
        writer = Writer(write, now)
        with history.export_rows() as rows:
            for row in _told(rows, "exporting", progress):
                if stop.is_set():
                    raise PublishError("the history was not exported: feedsvc was asked to end")
                writer.row(row)
        writer.end()
    return Moved(rfc3339(now), writer.counts)


@contextmanager
def _writing(file: str) -> Iterator[None]:
    """Faults of the file as ours."""
    try:
        yield
    except OSError as err:
        where = "standard output" if file == STANDARD else file
        why = err.strerror or err
        raise PublishError(
            f"{where} could not be written: {why}; name a place that has room and that this user may write"
        ) from err


@contextmanager
def _target(file: str, state: Path) -> Iterator[Write]:
    if file == STANDARD:
        # By a writer of our own: what could not be written is not tried again when the process ends.
        with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
            yield out.write
        return
    # The true place: a symbolic link stays one, and what it leads to is replaced.
    path = Path(file).resolve()
    _refuse_the_state(path, state)
    if path.exists() and not path.is_file():
        raise UsageError(f"{file} is no file that can be replaced; name another one, or `-` for standard output")
    with _replacement(path) as write:
        yield write


@contextmanager
def _replacement(path: Path) -> Iterator[Write]:
    """A file that takes the place of another when it is whole and safe on the medium; this user alone may read it."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(number, "wb") as raw:
            with _packed(raw) if path.suffix == COMPRESSED else nullcontext(raw) as out:
                yield out.write
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _packed(raw: BinaryIO) -> gzip.GzipFile:
    # Without name and time: the same lines give the same bytes.
    return gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0)


def _sync(folder: Path) -> None:
    """Make a rename in a folder safe on the medium."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


# -- in ----------------------------------------------------------------------------------------------------------------


def import_file(state: Path, file: str, progress: Callable[[str], None]) -> Moved:
    """Take all of a file into a state that is empty or not there yet, or nothing of it.

    Args:
        progress: told what is done, now and then.

    Returns:
        What was taken.

    Raises:
        UsageError: the state holds something, or the file is none that can be imported; says which line and why.
        HistoryError: the state cannot be used or written.
    """
    with _source(file, state) as readline:
        reader = Reader(readline)
        with _placed(file, reader):
            reader.begin()
        with closing(open_history(state)) as history, history.transaction():
            _refuse_unless_empty(history, state)
            with _placed(file, reader):
                history.import_rows(_told(reader.rows(), "importing", progress))
    return Moved(reader.exported_at, reader.counts)


def _refuse_unless_empty(history: History, state: Path) -> None:
    if not history.is_empty():
        raise UsageError(
            f"{state} holds a history already, and two cannot be joined; name another file as `state`, or move "
            f"{state.name} away with what lies beside it ({state.name}-wal, {state.name}-shm)"
        )


@contextmanager
def _source(file: str, state: Path) -> Iterator[Readline]:
    if file == STANDARD:
        yield _faultless(sys.stdin.buffer.readline)
        return
    path = Path(file)
    _refuse_the_state(path.resolve(), state)
    try:
        raw = path.open("rb")
    except OSError as err:
        raise UsageError(f"{file} cannot be read: {err.strerror}; name a file that `feedsvc history export` wrote") from err
    with raw, gzip.GzipFile(fileobj=raw, mode="rb") if path.suffix == COMPRESSED else nullcontext(raw) as stream:
        yield _faultless(stream.readline)


def _faultless(readline: Readline) -> Readline:
    """The same, with faults of medium and compression as ours."""

    def read(limit: int) -> bytes:
        try:
            return readline(limit)
        except (OSError, EOFError, zlib.error) as err:
            raise UsageError(f"it cannot be read on ({err}); copy it again, or export it again") from err

    return read


@contextmanager
def _placed(file: str, reader: Reader) -> Iterator[None]:
    """Where in the file a fault is, and what became of what was read before."""
    try:
        yield
    except UsageError as err:
        where = "standard input" if file == STANDARD else file
        raise UsageError(f"{where}:{reader.line}: {err}; nothing was imported") from err


# -- both --------------------------------------------------------------------------------------------------------------


# To read the state as a file would drop the locks that SQLite holds on it (see `sqlite.opening`); to write it would lose it.
def _refuse_the_state(path: Path, state: Path) -> None:
    state = state.resolve()
    for suffix in _OF_THE_STATE:
        own = state.with_name(state.name + suffix)
        if path == own or (path.exists() and own.exists() and path.samefile(own)):
            raise UsageError(f"{path} belongs to the state itself; name another file")


def _told(rows: Iterable[Row], doing: str, progress: Callable[[str], None]) -> Iterator[Row]:
    for count, row in enumerate(rows, start=1):
        if count % _TELL_EVERY == 0:
            progress(f"{doing} {row.table}: {count:,} rows")
        yield row
