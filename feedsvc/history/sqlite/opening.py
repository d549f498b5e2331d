"""From a path to a connection: refuse what is not ours, make what is not there, bring ours up to date.

Nothing is written to a file before it is known to be ours. Two processes that open a new or an old file at once take turns.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from sqlite_utils import Database

from feedsvc.errors import ForeignState, HistoryError
from feedsvc.history.sqlite.claims import schema_lock
from feedsvc.history.sqlite.engine import BUSY_SECONDS, Engine, Faults
from feedsvc.history.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA
from feedsvc.names import registered_domain

OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables

SMALLEST_PAGE = 512  # bytes; no database that holds anything is smaller (sqlite.org/fileformat.html §1.3.2)

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
    _refuse_other_files(state)
    with Faults(state), ExitStack() as unless_opened:
        connection = _connect(state, read_only=read_only, busy_seconds=busy_seconds)
        unless_opened.callback(connection.close)
        engine = _opened(connection, state, read_only=read_only)
        unless_opened.pop_all()
    return engine


# No descriptor of ours may ever be open on a state file: closing it would drop every lock that SQLite holds on the file in
# this process (POSIX advisory locks belong to process and file, sqlite.org/howtocorrupt.html §2.2), and a writer elsewhere
# would trim the log under our readers. So the file is made under another name, and looked at by its size and by SQLite.


def _make_file(state: Path) -> None:
    """An empty file is a fresh database; one that nobody but us may read, for it knows who asked for what."""
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        if not state.exists():
            _make_empty(state)
    except OSError as err:
        raise HistoryError(f"the state cannot be kept at {state}: {err.strerror}") from err


def _make_empty(state: Path) -> None:
    number, temporary = tempfile.mkstemp(prefix=f".{state.name}-", dir=state.parent)
    os.close(number)
    try:
        with suppress(FileExistsError):  # somebody else came first
            os.link(temporary, state)
    finally:
        Path(temporary).unlink()


def _refuse_other_files(state: Path) -> None:
    # SQLite would take a file of a few bytes for an empty database and write over it; larger ones it refuses itself.
    try:
        size = state.stat().st_size
    except FileNotFoundError as err:
        raise HistoryError(f"there is nothing at {state} yet; say `feedsvc run` first") from err
    except OSError as err:
        raise HistoryError(f"{state} cannot be read: {err.strerror}") from err
    if 0 < size < SMALLEST_PAGE:
        raise ForeignState(f"{state} is no SQLite database; name another file as `state`")


def _connect(state: Path, *, read_only: bool, busy_seconds: float) -> sqlite3.Connection:
    # isolation_level None: no transaction begins that we did not begin. sqlite-utils takes it as it is.
    uri = f"{state.as_uri()}?mode={'ro' if read_only else 'rw'}"
    return sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None)


def _opened(connection: sqlite3.Connection, state: Path, *, read_only: bool) -> Engine:
    db = Database(connection, execute_plugins=False)
    version = _version(db, state)
    if read_only and version < SCHEMA:
        raise HistoryError(f"{state} is empty or as an older feedsvc left it; say `feedsvc run` once to make it ready")
    for setting in _SETTINGS:
        db.execute(setting)
    if not read_only:
        db.conn.create_function("registered_domain", 1, registered_domain, deterministic=True)
        if version < SCHEMA or db.journal_mode != "wal":
            _bring_up_to_date(db, state)
    return Engine(db, state, read_only=read_only)


def _version(db: Database, state: Path) -> int:
    """The number of a file's schema; 0 for an empty file."""
    # In one transaction: half of the answers from before another process made the schema would look foreign.
    with db.atomic():
        application: int = db.execute("PRAGMA application_id").fetchone()[0]
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        tables: int = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == APPLICATION_ID and version <= SCHEMA:
        return version
    if application == APPLICATION_ID:
        raise ForeignState(
            f"{state} was written by a newer feedsvc (schema {version}, this one knows {SCHEMA}); install that one"
        )
    if application or version or tables:
        raise ForeignState(f"{state} belongs to another program; name another file as `state`")
    return 0


def _bring_up_to_date(db: Database, state: Path) -> None:
    """All migrations that are wanting, in one transaction: a process that dies in the middle has done nothing."""
    # The switch to the log does not wait its turn: without the lock one of 170 processes that came together failed.
    with schema_lock(state):
        _version(db, state)  # whoever had the lock before may have been newer than us
        db.enable_wal()
        if db.journal_mode != "wal":
            raise HistoryError(f"{state} cannot keep a write-ahead log there; put it on a local disk")
        db.execute("BEGIN IMMEDIATE")
        MIGRATIONS.apply(db)
        db.commit()
