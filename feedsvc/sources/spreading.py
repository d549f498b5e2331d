"""Several logs searched by several processes, and what they find in the order of the logs.

Each process takes the next log that nobody has taken, says so, and sends what it finds through a pipe of its own. A pipe is
read when its log's turn has come, and not before: who is ahead waits as soon as the pipe is full, so that memory stays
bounded. Processes are begun anew, not forked: whoever searches may have threads. They end with the search, however it ends,
and by themselves when the process that began them is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess

from feedsvc.sources.logfile import LogFile
from feedsvc.sources.logs import Formats
from feedsvc.sources.searching import Found, Report, Searcher, Sought, Tick, Trouble

WORTH = 256 * 1024 * 1024
"""Bytes of all files from which on several processes are worth their start: a third of a second."""

BATCH = 64
"""What is sent at once."""

_PATIENCE = 0.2  # seconds between two looks at how far all are
_DIED = "the process that searched it died"

Progress = Callable[[int], None]
"""Told how many bytes were read of all files together."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all processes do."""

    files: Sequence[str]
    formats: Formats
    sought: Sought
    every_line: bool


def is_worth(files: Sequence[str], worth: int = WORTH) -> bool:
    """Whether files, none of them a pipe, are many and large enough for several processes."""
    sizes = [_size(file) for file in files]
    return len(files) > 1 and None not in sizes and sum(size or 0 for size in sizes) >= worth


def _size(file: str) -> int | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - one of many
    except OSError:
        return 0  # will be told
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def spread(job: Job, processes: int, *, report: Report, progress: Progress) -> Generator[Found, None, None]:
    """Records of all files, in the order of the files.

    Args:
        processes: how many, at most one for each file.
        report: is told of everything that could not be read, in the order of the files too.
    """
    with closing(_Crew(job, min(processes, len(job.files)))) as crew:
        for number in range(len(job.files)):
            for said in crew.said_of(number, lambda: progress(crew.shared.read)):
                if isinstance(said, Trouble):
                    report(said)
                else:
                    yield said
            progress(crew.shared.read)


class _Shared:
    """What all processes see: which file is the next, and how far each of them is."""

    def __init__(self, context: SpawnContext, count: int) -> None:
        self._taken = context.Value("q", 0)
        self._read = context.RawArray("q", count)
        self._parent = os.getpid()

    @property
    def read(self) -> int:
        """Bytes of files that all have read so far."""
        return sum(self._read)

    def take(self) -> int:
        """The number of a file that nobody has taken."""
        with self._taken.get_lock():
            number = int(self._taken.value)
            self._taken.value = number + 1
        return number

    def counter(self, place: int) -> Tick:
        """Counts what a process reads of its next file.

        Raises:
            BrokenPipeError: when it is told of more, and the process that began this one is gone.
        """
        before = self._read[place]

        def tick(log: LogFile) -> None:
            self._read[place] = max(self._read[place], before + log.consumed)  # a log may be read once more
            if os.getppid() != self._parent:
                raise BrokenPipeError

        return tick


class _Crew:
    """The processes and their pipes."""

    def __init__(self, job: Job, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._files = job.files
        self.shared = _Shared(context, count)
        self._idle: set[Connection] = set()  # has not said yet what it reads
        self._begun: dict[int, Connection] = {}
        self._processes = [self._begin(context, job, place) for place in range(count)]

    def _begin(self, context: SpawnContext, job: Job, place: int) -> SpawnProcess:
        ours, theirs = context.Pipe(duplex=False)
        work = context.Process(target=_work, args=(job, self.shared, place, theirs))
        work.start()
        theirs.close()
        self._idle.add(ours)
        return work

    def said_of(self, number: int, tick: Callable[[], None]) -> Iterator[Found | Trouble]:
        """What there is to say of one file; the files have to be asked about in their order."""
        while number not in self._begun:
            if not self._idle:
                yield Trouble(self._files[number], _DIED)
                return
            self._listen()
            tick()
        pipe = self._begun.pop(number)
        while (said := self._next(pipe, tick)) is not None:
            if not said:
                self._idle.add(pipe)
                return
            yield from said
        yield Trouble(self._files[number], _DIED)

    def _listen(self) -> None:
        """Hear who reads what by now."""
        for pipe in wait(list(self._idle), timeout=_PATIENCE):
            assert isinstance(pipe, Connection)
            self._idle.discard(pipe)
            try:
                self._begun[pipe.recv()] = pipe
            except EOFError:
                pipe.close()

    @staticmethod
    def _next(pipe: Connection, tick: Callable[[], None]) -> list[Found | Trouble] | None:
        """What comes next of a file: nothing at its end, None when nothing more will come."""
        while not pipe.poll(_PATIENCE):
            tick()
        try:
            said: list[Found | Trouble] = pipe.recv()
        except EOFError:
            pipe.close()
            return None
        tick()
        return said

    def close(self) -> None:
        """End all of them."""
        for work in self._processes:
            work.terminate()
        for work in self._processes:
            work.join()
            work.close()
        for pipe in (*self._idle, *self._begun.values()):
            pipe.close()


# -- in a process of its own -------------------------------------------------------------------------------------------


def _work(job: Job, shared: _Shared, place: int, pipe: Connection) -> None:
    """Search one file after the other, as long as there are any."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal it comes to all; the one that began us ends us
    sending = _Sending(pipe)
    searcher = Searcher(job.formats, job.sought, sending.add, every_line=job.every_line)
    try:
        while (number := shared.take()) < len(job.files):
            pipe.send(number)
            file = job.files[number]
            for found in searcher.file(file, partial(LogFile.open, file), shared.counter(place)):
                sending.add(found)
            sending.end()
    except BrokenPipeError:
        pass  # nobody is there any more


class _Sending:
    """Sends what is said in batches; an empty one says that a file is done."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._said: list[Found | Trouble] = []

    def add(self, said: Found | Trouble) -> None:
        self._said.append(said)
        if len(self._said) >= BATCH:
            self._flush()

    def end(self) -> None:
        if self._said:
            self._flush()
        self._pipe.send([])

    def _flush(self) -> None:
        self._pipe.send(self._said)
        self._said = []
