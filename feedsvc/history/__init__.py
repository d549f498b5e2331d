"""The state: what was seen, decided and published, and the only room with SQL.

    port        what history promises, whatever engine keeps it
    hunts       what it promises of hunts, as a part of that
    sqlite      the engine that keeps it in one file
    layout      what a whole state consists of: every table and its columns, as values of no engine
    former      what a whole state consisted of before
    portable    a whole state as lines of text
    files       those lines to a file and back, whole or not at all

Whoever needs the state calls `open_history` and talks to the port; no engine is imported before that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedsvc.history.port import History


def open_history(state: Path, *, read_only: bool = False) -> History:
    """Open the state, for the calling thread alone.

    Args:
        state: the state file; it and its directory are made when they are not there.
        read_only: look only, and make nothing; sees what other processes store meanwhile.

    Raises:
        ForeignState: the file belongs to another program, or to a newer feedsvc.
        HistoryError: it cannot be used; or, for `read_only`, it is not there yet.
    """
    from feedsvc.history.sqlite import open_sqlite  # noqa: PLC0415 - the engine takes a tenth of a second to import

    return open_sqlite(state, read_only=read_only)
