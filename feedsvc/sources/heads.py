"""What the first lines of a log show of its format, for formats that have no magic number. Pure.

A format of text decides on the majority: half of the lines at least must be its own, or it does not claim the file.
"""

from __future__ import annotations

from collections.abc import Callable

LINES = 20
"""Lines that are judged."""


def first_lines(head: bytes) -> list[bytes]:
    """The first lines of a head that say something: no blank ones, no comments (`#`), none that the head's end cuts short.

    A head without any line end is one line: files of a single line need not end it.
    """
    whole, end, torn = head.rpartition(b"\n")
    lines = (line.rstrip(b"\r") for line in (whole if end else torn).split(b"\n"))
    return [line for line in lines if line.strip() and not line.startswith(b"#")][:LINES]


def mostly(head: bytes, fits: Callable[[bytes], bool]) -> bool:
    """Whether half of the first lines, or more, are what `fits` asks for; never when there are none."""
    lines = first_lines(head)
    return bool(lines) and 2 * sum(map(fits, lines)) >= len(lines)
