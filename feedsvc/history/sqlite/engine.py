"""One connection: transactions, statements, and what SQLite's errors mean to a person.

The families of tables speak SQL through this and through nothing else, so that two rules hold in one place: who writes
stands inside a transaction, and every fault of SQLite becomes a `HistoryError` that says what to do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlite_utils import Database

from feedsvc.errors import Busy, ForeignState, HistoryError

BUSY_SECONDS = 30.0
"""How long a transaction waits for another writer."""

Parameters = Sequence[Any] | Mapping[str, Any]
Row = tuple[Any, ...]


class Faults:
    """A block in which SQLite's errors become ours; may be entered again and again."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None) -> None:
        # Without a code it is no fault of the state but of our own program: a closed connection, another thread's one.
        if isinstance(err, sqlite3.Error) and hasattr(err, "sqlite_errorcode"):
            raise explained(err, self._state) from err


# What SQLite's primary result codes (sqlite.org/rescode.html) mean to a person, and what to do about it.
_MEANINGS: Mapping[int, tuple[type[HistoryError], str]] = {
    sqlite3.SQLITE_BUSY: (Busy, "another process kept {state} locked; let it end, then try again"),
    sqlite3.SQLITE_NOTADB: (ForeignState, "{state} is no SQLite database; name another file as `state`"),
    sqlite3.SQLITE_CORRUPT: (HistoryError, "{state} is damaged ({err}); stop feedsvc, put the last good copy in its place"),
    sqlite3.SQLITE_FULL: (
        HistoryError,
        "no room is left for {state} ({err}); this step was not stored: make room, try again",
    ),
    sqlite3.SQLITE_READONLY: (HistoryError, "{state} cannot be written ({err}); give this user the file and its directory"),
    sqlite3.SQLITE_CANTOPEN: (HistoryError, "{state} cannot be opened ({err}); give this user the file and its directory"),
    sqlite3.SQLITE_IOERR: (HistoryError, "{state} could not be read or written ({err}); look after its disk"),
}
_ANYTHING_ELSE = (HistoryError, "{state} did not take this: {err}")


def explained(err: sqlite3.Error, state: Path) -> HistoryError:
    """An error of SQLite as one of ours."""
    primary_code = err.sqlite_errorcode & 0xFF  # the rest tells apart what is the same to a person
    kind, message = _MEANINGS.get(primary_code, _ANYTHING_ELSE)
    return kind(message.format(state=state, err=err))


class Engine:
    """A connection to a state file that `opening` has found to be ours and up to date; belongs to one thread."""

    def __init__(self, db: Database, state: Path, *, read_only: bool) -> None:
        self.state = state
        self._db = db
        self._read_only = read_only
        self._faults = Faults(state)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block is stored, or nothing; see `History.transaction`."""
        self.demand_writing()
        # Immediately: a transaction that began by reading could find later that it may not write any more.
        self._begin("IMMEDIATE")
        try:
            yield
            with self._faults:
                self._db.execute("COMMIT")
        finally:
            with self._faults:
                self._db.rollback()  # does nothing after a commit

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """All questions of the block are answered as of the first one, whatever others store meanwhile."""
        self._begin("DEFERRED")
        try:
            yield
        finally:
            with self._faults:
                self._db.rollback()

    def _begin(self, kind: str) -> None:
        if self._db.conn.in_transaction:
            raise RuntimeError("transactions do not nest: a block that is stored with another one belongs into it")
        with self._faults:
            self._db.execute(f"BEGIN {kind}")

    @contextmanager
    def whole(self) -> Iterator[None]:
        """A step of a transaction that leaves nothing behind when it fails, even if the caller catches that."""
        self._demand_transaction()
        with self._faults, self._db.atomic():
            yield

    def demand_writing(self) -> None:
        """Refuse what changes something when this was opened to look only."""
        if self._read_only:
            raise HistoryError(f"{self.state} was opened for reading alone")

    def _demand_transaction(self) -> None:
        # SQLite itself ends a transaction on some errors, so its word counts and not a flag of ours.
        if not self._db.conn.in_transaction:
            raise HistoryError(f"nothing may be written to {self.state} outside a transaction")

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a question."""
        with self._faults:
            return self._db.conn.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a question."""
        with self._faults:
            found: Row | None = self._db.conn.execute(sql, parameters).fetchone()
            return found

    def value(self, sql: str, parameters: Parameters = ()) -> Any:  # noqa: ANN401 - the caller knows its column
        """The first column of the first row of a question; None when there is no row."""
        found = self.row(sql, parameters)
        return found[0] if found else None

    def stream(self, sql: str, parameters: Parameters = ()) -> Generator[Row, None, None]:
        """The rows of a question one by one, all of one moment. Until the last is read the log cannot be trimmed."""
        with self._faults:
            yield from self._db.conn.execute(sql, parameters)

    def write(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Carry out one statement."""
        self._demand_transaction()
        with self._faults:
            return self._db.conn.execute(sql, parameters)

    def write_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Carry out one statement for each of these rows; returns how many it touched."""
        self._demand_transaction()
        with self._faults:
            return self._db.conn.executemany(sql, rows).rowcount

    def upsert(self, table: str, key: str, record: dict[str, Any]) -> None:
        """Store one row over the one with the same key, if there is one."""
        self._demand_transaction()
        with self._faults:
            self._db.table(table).upsert(record, pk=key)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
