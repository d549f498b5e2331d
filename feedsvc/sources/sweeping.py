"""The sweep: log files searched once, from beginning to end, for names that lead into watched netblocks. Keeps no state.

Memory stays the same however large a file is. What a name must look like is not known here: the caller hands in `wanted`.
Nothing heavy is imported, and no format is loaded before a file with something in it is at hand.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from feedsvc import clock
from feedsvc.errors import SourceError
from feedsvc.model import Match, Observation
from feedsvc.names import Netblock, NetblockMap
from feedsvc.sources.logfile import LogFile, cut, expand, finish, peek, read_line, reason
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import BadLine, Line, LogParser, LogRecord
from feedsvc.sources.records import Refusals, faults, inside, is_name, observations

STDIN = "-"

Wanted = Callable[[Sequence[Observation]], Sequence[Match]]
"""Which of these observations the watches ask for."""

Progress = Callable[[int, int | None], None]
"""Told again and again how many bytes were read, of how many in all (None when a pipe is among them)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One record, one address, one watch; the keys of design §5 in their order.

    Attributes:
        rrname: the name that was asked.
        rdata: the address it led to, inside a netblock.
        chain: the CNAMEs between them; it may be one of these that the watch asked for.
        time_first, time_last: when, RFC 3339 UTC, in milliseconds or, where the log has them, microseconds.
        client: who asked; None when the log does not say.
        offset: where the record begins, in bytes of the uncompressed file.
    """

    watch: str
    rrname: str
    rrtype: str
    rdata: str
    chain: tuple[str, ...]
    time_first: str
    time_last: str
    client: str | None
    file: str
    offset: int
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


def sweep(
    paths: Sequence[str],
    formats: Formats,
    netblocks: Sequence[Netblock],
    wanted: Wanted,
    *,
    report: Report,
    progress: Progress | None = None,
    stdin: IO[bytes] | None = None,
) -> Iterator[Hit]:
    """Search files, folders with all below them, globs, and standard input (`-`), in the order given.

    Args:
        netblocks: those of all watches; an answer outside of them is not shown to `wanted`.
        report: is told of everything that could not be read; the sweep goes on with the rest.
        stdin: what `-` reads; the process's own when None.
    """
    inner = NetblockMap(netblocks)
    files = locate(paths, report)
    for found in search(files, formats, Sought(netblocks), report=report, progress=progress, stdin=stdin):
        yield from _hits_of(found, inner, wanted)


def search(
    files: Sequence[str],
    formats: Formats,
    sought: Sought,
    *,
    report: Report,
    progress: Progress | None = None,
    stdin: IO[bytes] | None = None,
) -> Iterator[Found]:
    """Every record with an answer inside a netblock, or with a sought name as its own or in its chain, in the files' order.

    Args:
        files: paths of files, each read as a whole; `-` is standard input (see `locate`).
        report: is told of everything that could not be read; the search goes on with the rest.
        stdin: what `-` reads; the process's own when None.
    """
    one = _Search(formats, sought, report)
    meter = _Meter(files, progress)
    for file in files:
        try:
            with _opened(file, stdin) as log:
                yield from one.log(log, meter.watch(log, log.blocks()))
        except SourceError as err:
            report(Trouble(file, _without_name(str(err), file)))


class _Search:
    """What stays the same from file to file."""

    def __init__(self, formats: Formats, sought: Sought, report: Report) -> None:
        self._formats = formats
        self._netblocks = NetblockMap(sought.netblocks)
        self._names = frozenset(sought.names)
        self._report = report

    def log(self, log: LogFile, blocks: Iterator[bytes]) -> Iterator[Found]:
        """Records of one file, then what of its lines could not be read."""
        head, blocks = peek(blocks)
        if not head:
            return
        named = self._formats.by_head(head)
        refusals = Refusals()
        try:
            for record in self._told(_records(named.format.parser(), cut(named.format, blocks)), refusals):
                yield Found(record, log.name, named.name)
        finally:
            for refused in refusals.all():
                self._report(Trouble(log.name, refused.reason, refused.count, refused.sample))

    def _told(self, records: Iterator[LogRecord | BadLine], refusals: Refusals) -> Iterator[LogRecord]:
        """Those that tell of something sought."""
        for found in records:
            if isinstance(found, BadLine):
                refusals.add(found)
                continue
            for fault in faults(found):
                refusals.add(fault)
            if self._is_sought(found):
                yield found

    def _is_sought(self, record: LogRecord) -> bool:
        names, netblocks = self._names, self._netblocks
        if names and (record.rrname in names or not names.isdisjoint(record.chain)):
            return True
        return any(address in netblocks for address in record.answers)


def _hits_of(found: Found, netblocks: NetblockMap, wanted: Wanted) -> Iterator[Hit]:
    record = found.record
    if not is_name(record.rrname):
        return
    time = _time_text(record.time)
    for address in inside(record, netblocks):
        seen = tuple(observations(record, address))
        for watch in dict.fromkeys(match.watch for match in wanted(seen)):
            yield Hit(
                watch=watch,
                rrname=record.rrname,
                rrtype=seen[0].rrtype,
                rdata=seen[0].rdata,
                chain=record.chain,
                time_first=time,
                time_last=time,
                client=record.client,
                file=found.file,
                offset=record.offset,
                format=found.format,
            )


def _records(parser: LogParser, lines: Iterator[Line]) -> Iterator[LogRecord | BadLine]:
    for line in lines:
        yield from read_line(parser, line)
    yield from finish(parser)


def _time_text(seconds: float) -> str:
    moment = clock.from_epoch(seconds)
    digits = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")


# -- files -------------------------------------------------------------------------------------------------------------


def locate(paths: Sequence[str], report: Report) -> list[str]:
    """The files that paths name, each once: folders read recursively, globs that no shell expanded, `-` as it is.

    Args:
        report: is told of each path that names no file, and of each folder that cannot be read.
    """
    found: dict[str, None] = {}
    for path in paths:
        files = [STDIN] if path == STDIN else [file for match in expand(path) for file in _files(match, report)]
        if not files:
            report(Trouble(path, "no file there"))
        found.update(dict.fromkeys(files))
    return list(found)


def _files(path: str, report: Report) -> list[str]:
    """A path that was asked for, whatever it is, or the regular files below it when it is a folder."""
    mode = _mode(path, report)
    if mode is None:
        return []
    return list(_below(path, report)) if stat.S_ISDIR(mode) else [path]


def _below(folder: str, report: Report) -> Iterator[str]:
    def tell(err: OSError) -> None:
        report(Trouble(str(err.filename), reason(err)))

    for place, folders, files in os.walk(folder, onerror=tell):
        folders.sort()
        for path in (str(Path(place, file)) for file in sorted(files)):
            mode = _mode(path, report)
            if mode is not None and stat.S_ISREG(mode):
                yield path


def _mode(path: str, report: Report) -> int | None:
    """What kind of file it is; None for none, which is told unless it is a link that leads nowhere."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - one of many
    except FileNotFoundError:
        return None
    except OSError as err:
        report(Trouble(path, reason(err)))
        return None


def _opened(file: str, stdin: IO[bytes] | None) -> AbstractContextManager[LogFile]:
    if file == STDIN:
        return nullcontext(LogFile(stdin or sys.stdin.buffer, STDIN))  # not ours to close
    return LogFile.open(file)


def _without_name(message: str, file: str) -> str:
    return message.removeprefix(f"{file}: ")


class _Meter:
    """Adds up what was read over all files."""

    def __init__(self, files: Sequence[str], progress: Progress | None) -> None:
        self._progress = progress
        self._before = 0
        sizes = [_size(file) for file in files]
        self._total = None if None in sizes else sum(size or 0 for size in sizes)

    def watch(self, log: LogFile, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks, each told."""
        before = self._before
        for block in blocks:
            self._before = before + log.consumed
            if self._progress is not None:
                self._progress(self._before, self._total)
            yield block


def _size(file: str) -> int | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - standard input is no path
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
