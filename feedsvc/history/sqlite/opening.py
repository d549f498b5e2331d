"""From a path to a connection: refuse what is not ours, make what is not there, bring ours up to date.

Nothing is written to a file before it is known to be ours. Two processes that open a new or an old file at once take turns.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlite_utils import Database

from feedsvc.errors import ForeignState, HistoryError
from feedsvc.history.sqlite.claims import schema_lock
from feedsvc.history.sqlite.engine import BUSY_SECONDS, Engine, Faults
from feedsvc.history.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA
from feedsvc.names import registered_domain

OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables

_SETTINGS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",  # what was committed outlives a power loss
    "PRAGMA cache_size = -16384",  # KiB; one poll of a netblock with its indexes
    "PRAGMA journal_size_limit = 67108864",  # bytes; gives the disk back what one bulk load took
)


def open_engine(state: Path, *, read_only: bool = False, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """Open a state file.

    Args:
        busy_seconds: how long a transaction waits for another writer.

    Raises:
        ForeignState: it belongs to another program, or to a newer feedsvc.
        HistoryError: it cannot be used; or, for `read_only`, it is not there yet.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise HistoryError(f"SQLite {sqlite3.sqlite_version} is too old: Python needs one of 3.37 or newer")
    # The true place: locks lie beside it, and must be the same ones for all who come by another way.
    state = state.resolve()
    if not read_only:
        _make_file(state)
    elif not state.exists():
        raise _nothing_yet(state)
    with Faults(state):
        connection = _connect(state, read_only=read_only, busy_seconds=busy_seconds)
        try:
            return _opened(connection, state, read_only=read_only)
        except BaseException:
            connection.close()
            raise


def _nothing_yet(state: Path) -> HistoryError:
    return HistoryError(f"there is nothing at {state} yet; say `feedsvc run` first")


def _make_file(state: Path) -> None:
    """An empty file is a fresh database; one that nobody but us may read, for it knows who asked for what."""
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(state, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as err:
        raise HistoryError(f"the state cannot be kept at {state}: {err.strerror}") from err


def _connect(state: Path, *, read_only: bool, busy_seconds: float) -> sqlite3.Connection:
    # isolation_level None: no transaction begins that we did not begin. sqlite-utils takes it as it is.
    uri = f"{state.as_uri()}?mode={'ro' if read_only else 'rw'}"
    return sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None)


def _opened(connection: sqlite3.Connection, state: Path, *, read_only: bool) -> Engine:
    db = Database(connection, execute_plugins=False)
    version = _version(db, state)
    if read_only and version == 0:
        raise _nothing_yet(state)
    if read_only and version < SCHEMA:
        raise HistoryError(f"{state} is as an older feedsvc left it; say `feedsvc run` once to bring it up to date")
    for setting in _SETTINGS:
        db.execute(setting)
    if not read_only:
        db.conn.create_function("registered_domain", 1, registered_domain, deterministic=True)
        if version < SCHEMA or db.journal_mode != "wal":
            _bring_up_to_date(db, state)
    return Engine(db, state, read_only=read_only)


def _version(db: Database, state: Path) -> int:
    """The number of a file's schema; 0 for an empty file."""
    application: int = db.execute("PRAGMA application_id").fetchone()[0]
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION_ID and version <= SCHEMA:
        return version
    if application == APPLICATION_ID:
        raise ForeignState(
            f"{state} was written by a newer feedsvc (schema {version}, this one knows {SCHEMA}); install that one"
        )
    if application or version or db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise ForeignState(f"{state} belongs to another program; name another file as `state`")
    return 0


def _bring_up_to_date(db: Database, state: Path) -> None:
    """All migrations that are wanting, in one transaction: a process that dies in the middle has done nothing."""
    with schema_lock(state):
        _version(db, state)  # whoever had the lock before may have been newer than us
        db.enable_wal()
        if db.journal_mode != "wal":
            raise HistoryError(f"{state} cannot keep a write-ahead log there; put it on a local disk")
        db.execute("BEGIN IMMEDIATE")
        MIGRATIONS.apply(db)
        db.commit()
