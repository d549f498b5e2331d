"""How commands print: JSON on one line a value, text for a person, progress on a terminal; all of it UTF-8."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from feedsvc import clock

PATIENCE = 1.0
"""Seconds before progress is shown: what is quicker needs none."""


def speak_utf8() -> None:
    """Print UTF-8 whatever the locale is; half a character from an argument or a file's name as JSON would escape it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def say(text: str, *, end: str = "\n", at_once: bool = True) -> bool:
    """Print a result.

    Args:
        at_once: else it may wait for what comes after it, of which there must be something.

    Returns:
        Whether somebody still reads. A reader that went away (`feedsvc diff | head -1`) is no failure: what is left to do is
        done, and its results go nowhere.

    Raises:
        OSError: the result cannot be written where it was sent.
    """
    try:
        print(text, end=end, flush=at_once)
    except BrokenPipeError:
        _say_no_more()
        return False
    except OSError:
        _say_no_more()
        raise
    return True


def complain(text: str) -> None:
    """Say on stderr what failed."""
    print(f"feedsvc: {printable(text)}", file=sys.stderr)


def complain_of_lists(held: Sequence[tuple[str, str]]) -> None:
    """Say which block lists stayed as they were, and why."""
    for name, reason in held:
        complain(f"export {name} is held: {reason}")


def _say_no_more() -> None:
    # What is still buffered would fail once more when the process ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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


def whole(text: str) -> str:
    """An argument as text that can be stored: what its bytes were where they are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


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
