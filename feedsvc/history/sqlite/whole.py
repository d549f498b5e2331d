"""The families of tables as one history over one connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from feedsvc.history.layout import Row
from feedsvc.history.sqlite import portable
from feedsvc.history.sqlite.access import Exports, Partners
from feedsvc.history.sqlite.engine import BUSY_SECONDS, Engine
from feedsvc.history.sqlite.facts import Facts
from feedsvc.history.sqlite.feed import Feed
from feedsvc.history.sqlite.findings import Findings
from feedsvc.history.sqlite.hunts import Hunts
from feedsvc.history.sqlite.opening import open_engine
from feedsvc.history.sqlite.quotas import Quotas
from feedsvc.history.sqlite.runs import Runs


class SqliteHistory:
    """See `feedsvc.history.port.History`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.runs = Runs(engine)
        self.facts = Facts(engine)
        self.findings = Findings(engine)
        self.feed = Feed(engine)
        self.partners = Partners(engine)
        self.exports = Exports(engine)
        self.quotas = Quotas(engine)
        self.hunts = Hunts(engine, self.facts)

    def transaction(self) -> AbstractContextManager[None]:
        """One transaction."""
        return self._engine.transaction()

    def note(self, key: str) -> str | None:
        """A small text."""
        text: str | None = self._engine.value("SELECT text FROM note WHERE key = ?", [key])
        return text

    def keep_note(self, key: str, text: str) -> None:
        """Keep a small text."""
        self._engine.upsert("note", "key", {"key": key, "text": text})

    def is_empty(self) -> bool:
        """Whether nothing was ever stored."""
        return portable.is_empty(self._engine)

    def export_rows(self) -> AbstractContextManager[Iterator[Row]]:
        """Every row of the state."""
        return portable.export_rows(self._engine)

    def import_rows(self, rows: Iterable[Row]) -> None:
        """Store the rows of another state."""
        portable.import_rows(self._engine, rows)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.close()


def open_sqlite(state: Path, *, read_only: bool = False, busy_seconds: float = BUSY_SECONDS) -> SqliteHistory:
    """Open a state file; see `feedsvc.history.open_history`."""
    return SqliteHistory(open_engine(state, read_only=read_only, busy_seconds=busy_seconds))
