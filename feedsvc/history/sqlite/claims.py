"""Jobs held by file locks: the system lets go of them when the process dies, however it dies.

`flock` belongs to the open file, so two threads of one process exclude each other too. A child that is forked without exec
inherits the lock and holds it on; our children are started by exec, and Python closes the file there (PEP 446). Lock files
are never removed: between two who open and one who removes, both could hold "the" lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from feedsvc.errors import Busy, HistoryError


def lock_folder(state: Path) -> Path:
    """Where the locks of a state file lie: beside it."""
    return state.with_name(state.name + ".locks")


@contextmanager
def claim(state: Path, job: str) -> Iterator[None]:
    """Hold a job for as long as the block lasts, or raise `Busy` at once."""
    # A job's name may hold any letter, a file's may not.
    name = hashlib.sha256(job.encode()).hexdigest()[:32]
    with _open(lock_folder(state) / name) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            file.seek(0)
            raise Busy(f"{job!r} is at work in process {file.read() or 'unknown'}; wait for it to end") from err
        _sign(file)
        yield


@contextmanager
def schema_lock(state: Path) -> Iterator[None]:
    """Hold the right to make or change the schema; waits for whoever has it."""
    with _open(lock_folder(state) / "schema") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(exist_ok=True)
        return path.open("a+", encoding="ascii")
    except OSError as err:
        raise HistoryError(f"no lock can be kept at {path}: {err.strerror}; let this user write there") from err


def _sign(file: IO[str]) -> None:
    """Leave our number for the message of whoever comes next."""
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
