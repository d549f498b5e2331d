"""Hunting beside `serve`: a process of its own, at the lowest priority, whenever there is something to hunt for.

    with Hunter(settings.file, settings.state) as hunter:
        hunter.look()    # now and then

A hunt through a month of logs takes a processor for minutes. In a thread it would take turns with polls, for Python runs one
at a time; as a process the system lets it have what nobody else wants. It ends with whoever started it, at the latest after
the step at hand; killed, it has lost nothing (see `pipeline.hunting`).

Run as a program, with the configuration's path, it is that process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from feedsvc import assemble
from feedsvc.assemble.logging import log_to_stderr
from feedsvc.assemble.stopping import ending
from feedsvc.clock import monotonic
from feedsvc.errors import FeedsvcError, HistoryError
from feedsvc.history import open_history
from feedsvc.pipeline import hunting

log = structlog.get_logger()

LOWEST = 19
"""The least that a process can ask of the system's scheduler (nice(2))."""

PAUSE = 0.2  # seconds between two logs, in which a person's hunt may come first
_REST = 30.0  # seconds after a process that ended without being through: somebody hunts, or something is broken
_GRACE = 10.0  # seconds for an end in order


class Hunter:
    """Starts the process when there is something to hunt for; as a context manager, it ends it.

    Attributes:
        process: the one that was started last; None when it is known to have ended.
    """

    def __init__(self, file: Path, state: Path) -> None:
        self._file = file
        self._state = state
        self.process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def look(self) -> None:
        """See whether there is something to do, and that it is being done."""
        if self._is_running() or monotonic() < self._not_before or not self._is_wanted():
            return
        self._not_before = monotonic() + _REST
        self.process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "feedsvc.assemble.hunting", str(self._file)],
            stdin=subprocess.DEVNULL,
            stdout=2,  # results go to stdout, and this has none
            start_new_session=True,
        )

    def _is_running(self) -> bool:
        if self.process is None:
            return False
        code = self.process.poll()
        if code is None:
            return True
        if code == 0:
            self._not_before = min(self._not_before, monotonic() + 1)
        else:
            log.warning("hunt.ended", code=code)
        self.process = None
        return False

    def _is_wanted(self) -> bool:
        with contextlib.suppress(HistoryError), closing(open_history(self._state, read_only=True)) as history:
            return history.hunts.next() is not None
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def hunt(file: Path) -> None:
    """Go on with all hunts, at the lowest priority, for as long as the calling process lives."""
    log_to_stderr(logging.INFO)
    parent = os.getppid()
    os.nice(LOWEST)
    loaded = assemble.settings(file)
    with ending() as stop:

        def go_with_parent(doing: str) -> None:
            del doing
            if os.getppid() != parent:
                stop.set()

        with assemble.parts(loaded, stop=stop, person=False, progress=go_with_parent) as parts:
            hunting.carry_on(parts, pause=PAUSE)


def main(file: str) -> int:
    """Run as that process; returns its exit code."""
    try:
        hunt(Path(file))
    except FeedsvcError as err:  # a rule that is being edited, a state that is locked: another one begins in its time
        log.warning("hunt.at_fault", reason=str(err))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
