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
from functools import partial
from pathlib import Path
from typing import IO

from feedsvc import clock
from feedsvc.model import Match, Observation
from feedsvc.names import Netblock, NetblockMap
from feedsvc.sources.logfile import LogFile, expand, reason
from feedsvc.sources.logs import Formats
from feedsvc.sources.records import inside, is_name, observations
from feedsvc.sources.searching import Found, Report, Searcher, Sought, Trouble

__all__ = ["STDIN", "Found", "Hit", "Progress", "Report", "Sought", "Trouble", "Wanted", "locate", "search", "sweep"]

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


def sweep(
    paths: Sequence[str],
    formats: Formats,
    netblocks: Sequence[Netblock],
    wanted: Wanted,
    *,
    report: Report,
    progress: Progress | None = None,
    stdin: IO[bytes] | None = None,
    every_line: bool = False,
    processes: int = 1,
) -> Iterator[Hit]:
    """Search files, folders with all below them, globs, and standard input (`-`), in the order given.

    Args:
        netblocks: those of all watches; an answer outside of them is not shown to `wanted`.
        report: is told of everything that could not be read; the sweep goes on with the rest.
        stdin: what `-` reads; the process's own when None.
        every_line: parse every line, so that all that cannot be understood is told (see `feedsvc.sources.searching`).
        processes: how many may search at once, each a file of its own, where the files are large enough for that.
    """
    inner = NetblockMap(netblocks)
    files = locate(paths, report)
    found_in = search(
        files,
        formats,
        Sought(netblocks),
        report=report,
        progress=progress,
        stdin=stdin,
        every_line=every_line,
        processes=processes,
    )
    for found in found_in:
        yield from _hits_of(found, inner, wanted)


def search(
    files: Sequence[str],
    formats: Formats,
    sought: Sought,
    *,
    report: Report,
    progress: Progress | None = None,
    stdin: IO[bytes] | None = None,
    every_line: bool = False,
    processes: int = 1,
) -> Iterator[Found]:
    """Every record with an answer inside a netblock, or with a sought name as its own or in its chain, in the files' order.

    Args:
        files: paths of files, each read as a whole; `-` is standard input (see `locate`).
        report: is told of everything that could not be read; the search goes on with the rest.
        stdin: what `-` reads; the process's own when None.
        every_line: parse every line, so that all that cannot be understood is told (see `feedsvc.sources.searching`).
        processes: how many may search at once, each a file of its own, where the files are large enough for that.
    """
    meter = _Meter(files, progress)
    if processes > 1 and STDIN not in files:
        from feedsvc.sources import spreading  # noqa: PLC0415 - a single file needs none of this

        if spreading.is_worth(files):
            job = spreading.Job(files, formats, sought, every_line)
            yield from spreading.spread(job, processes, report=report, progress=meter.all_read)
            return
    searcher = Searcher(formats, sought, report, every_line=every_line)
    for file in files:
        yield from searcher.file(file, partial(_opened, file, stdin), meter.tick)
        meter.next()


def _hits_of(found: Found, netblocks: NetblockMap, wanted: Wanted) -> Iterator[Hit]:
    record = found.record
    if not record.rrname or not is_name(record.rrname):
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


class _Meter:
    """Adds up what was read over all files."""

    def __init__(self, files: Sequence[str], progress: Progress | None) -> None:
        self._progress = progress
        self._before = 0
        self._done = 0
        sizes = [_size(file) for file in files]
        self._total = None if None in sizes else sum(size or 0 for size in sizes)

    def tick(self, log: LogFile) -> None:
        """Tell how far all is, while a log is read."""
        self.all_read(self._before + log.consumed)

    def all_read(self, read: int) -> None:
        """Tell that so much of all is read."""
        self._done = max(self._done, read)  # a log may be read once more
        if self._progress is not None:
            self._progress(self._done, self._total)

    def next(self) -> None:
        """The log is done."""
        self._before = self._done


def _size(file: str) -> int | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - standard input is no path
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
