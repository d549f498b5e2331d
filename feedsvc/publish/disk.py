"""The few things that the list writer asks of a file system, each of them one step that a dying process can end in.

`Disk` does them for real. Tests hand the writer one that stops the process before any chosen step.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was read: its bytes, and when it was changed, in whole seconds since 1970."""

    body: bytes
    modified: int


class Disk:
    """A folder of files that others fetch."""

    def read(self, path: Path) -> File | None:
        """A file; None when there is none."""
        try:
            with path.open("rb") as file:
                return File(file.read(), int(os.fstat(file.fileno()).st_mtime))
        except FileNotFoundError:
            return None

    def names(self, folder: Path) -> list[str]:
        """What lies in a folder."""
        return [path.name for path in folder.iterdir()]

    def write(self, path: Path, file: File) -> None:
        """A new file with this content and time, safe on the medium when this returns."""
        # Exclusive: a name that exists here, or a symbolic link somebody left, is never written through.
        with path.open("xb") as out:
            out.write(file.body)
            out.flush()
            os.utime(out.fileno(), (file.modified, file.modified))
            os.fsync(out.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Rename over what was there: a reader opens the old file or the new one, never a part."""
        source.replace(target)

    def sync(self, folder: Path) -> None:
        """Make renames in a folder safe on the medium."""
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

    def remove(self, path: Path) -> None:
        """Remove a file; nothing when there is none."""
        path.unlink(missing_ok=True)
