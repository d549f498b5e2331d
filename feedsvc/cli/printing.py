"""How commands print: JSON on one line a value, text for a person, progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from feedsvc import clock

PATIENCE = 1.0
"""Seconds before progress is shown: what is quicker needs none."""


def json_text(value: Mapping[str, object] | Sequence[object]) -> str:
    """A value as JSON for people and programs: indented, keys in the order given, UTF-8."""
    import json

    return json.dumps(value, indent=2, ensure_ascii=False)


def table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> str:
    """Columns as wide as they need to be; control characters shown, never sent to the terminal."""
    cells = [tuple(headings), *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)


def printable(text: str) -> str:
    """Text that cannot move a terminal's cursor: names in logs and answers are chosen by attackers."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _unseen(doing: str) -> None:
    del doing


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Progress on stderr when it is a terminal and the work takes longer than `PATIENCE`."""
    if not sys.stderr.isatty():
        yield _unseen
        return
    started = clock.monotonic()
    shown = False

    def show(doing: str) -> None:
        nonlocal shown
        if clock.monotonic() - started >= PATIENCE:
            shown = True
            sys.stderr.write(f"\r\x1b[2K{printable(doing)[:100]}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
