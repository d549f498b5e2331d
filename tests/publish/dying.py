"""A writer that kills itself: `python -m tests.publish.dying FOLDER STEP` writes the second generation of two lists.

The process dies by SIGKILL at the STEP-th moment of the writer's dealings with the disk: in the middle of a file, between
writing and renaming, between renaming and making that safe. It is run by test_lists_killed.py.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from feedsvc.publish.blocklists import domains, rpz
from feedsvc.publish.disk import Disk, File
from feedsvc.publish.lists import Order, Written, write_exports
from tests.making import NOW
from tests.publish.making import listed

FIRST = [f"n{number}.example.net" for number in range(40)]
SECOND = [*FIRST[5:], "new.example.net"]


class DyingDisk(Disk):
    """Dies before the step that it was told."""

    def __init__(self, step: int) -> None:
        self.left = step

    def _step(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def write(self, path: Path, file: File) -> None:
        """Three ways to die: before the file is there, with half of it written, with all of it not yet renamed."""
        self._step()
        if self.left == 0:
            path.write_bytes(file.body[: len(file.body) // 2])
        self._step()
        super().write(path, file)
        self._step()

    def replace(self, source: Path, target: Path) -> None:
        """Dies before the rename or after it."""
        self._step()
        super().replace(source, target)
        self._step()

    def sync(self, folder: Path) -> None:
        """Dies after the folder is safe."""
        super().sync(folder)
        self._step()


def orders(names: list[str]) -> list[Order]:
    """One list with a serial of its own and one without."""
    return [
        Order("domains", "domains", domains.build(domains.Options()), listed(names)),
        Order("zone", "rpz", rpz.build(rpz.Options()), listed(names)),
    ]


def write(folder: Path, names: list[str], *, later: int, disk: Disk) -> tuple[Written, ...]:
    """A generation of both lists."""
    return write_exports(folder, orders(names), NOW + timedelta(seconds=later), disk=disk)


if __name__ == "__main__":
    write(Path(sys.argv[1]), SECOND, later=100, disk=DyingDisk(int(sys.argv[2])))
