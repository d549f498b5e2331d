"""Opening the state must not drop the locks that this process holds on it (sqlite.org/howtocorrupt.html §2.2)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from feedsvc.history import open_history

WRITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
"""

END = """
connection.execute("ROLLBACK")
connection.close()
"""


def writes_elsewhere(state: Path) -> bool:
    """Whether another process could begin to write at this moment."""
    done = subprocess.run([sys.executable, "-c", WRITE, str(state)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "database is locked" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("read_only", [True, False], ids=["to read", "to write"])
def test_a_second_opening_leaves_the_locks_of_the_first(tmp_path: Path, read_only: bool) -> None:
    state = tmp_path / "state.db"
    first = open_history(state)
    with first.transaction():
        first.keep_note("key", "text")
        open_history(state, read_only=read_only).close()
        assert not writes_elsewhere(state)
    assert writes_elsewhere(state)
    first.close()


@pytest.mark.parametrize("read_only", [True, False], ids=["to read", "to write"])
def test_a_reader_keeps_the_log_that_it_reads_when_the_last_writer_ends(tmp_path: Path, read_only: bool) -> None:
    state = tmp_path / "state.db"
    open_history(state).close()
    reader = open_history(state, read_only=True)
    assert reader.note("key") is None
    open_history(state, read_only=read_only).close()
    subprocess.run([sys.executable, "-c", WRITE + END, str(state)], check=True)
    assert (tmp_path / "state.db-wal").exists()
    assert reader.note("key") is None
    reader.close()
