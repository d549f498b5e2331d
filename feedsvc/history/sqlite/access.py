"""Who may read, and how each block list stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from feedsvc.errors import UsageError
from feedsvc.history.sqlite.engine import Engine, Row
from feedsvc.history.sqlite.values import array, micros, micros_or_null, moment, moment_or_none, texts, tlp
from feedsvc.model import ExportState, Partner

_PARTNER = "SELECT name, collections, max_tlp, exports, added_at, last_fetch FROM partner"

_ADD_PARTNER = """
    INSERT INTO partner (name, token_sha256, collections, max_tlp, exports, added_at, last_fetch)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO NOTHING
"""


class Partners:
    """See `feedsvc.history.port.Partners`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, partner: Partner, token_sha256: str) -> None:
        """Add a partner."""
        row = (
            partner.name,
            token_sha256,
            array(partner.collections),
            partner.max_tlp.rank,
            array(partner.exports),
            micros_or_null(partner.added_at),
            micros_or_null(partner.last_fetch),
        )
        if not self._engine.write(_ADD_PARTNER, row).rowcount:
            raise UsageError(f"there is a partner {partner.name!r} already; remove it first, or rotate its token")

    def all(self) -> tuple[Partner, ...]:
        """Every partner."""
        return tuple(_partner(row) for row in self._engine.rows(f"{_PARTNER} ORDER BY name"))

    def by_token(self, token_sha256: str) -> Partner | None:
        """Whose token this is."""
        found = self._engine.row(f"{_PARTNER} WHERE token_sha256 = ?", [token_sha256])
        return _partner(found) if found else None

    def rotate(self, name: str, token_sha256: str) -> None:
        """Replace a partner's token."""
        changed = self._engine.write("UPDATE partner SET token_sha256 = ? WHERE name = ?", [token_sha256, name])
        if not changed.rowcount:
            raise _no_partner(name)

    def remove(self, name: str) -> None:
        """Remove a partner."""
        if not self._engine.write("DELETE FROM partner WHERE name = ?", [name]).rowcount:
            raise _no_partner(name)

    def fetched(self, last: Mapping[str, datetime]) -> None:
        """Record when partners fetched last."""
        self._engine.write_many(
            "UPDATE partner SET last_fetch = max(coalesce(last_fetch, 0), ?) WHERE name = ?",
            [(micros(at), name) for name, at in last.items()],
        )


def _no_partner(name: str) -> UsageError:
    return UsageError(f"there is no partner {name!r}; `feedsvc partner list` shows them")


def _partner(row: Row) -> Partner:
    name, collections, rank, exports, added_at, last_fetch = row
    return Partner(
        name=name,
        collections=texts(collections),
        max_tlp=tlp(rank),
        exports=texts(exports),
        added_at=moment_or_none(added_at),
        last_fetch=moment_or_none(last_fetch),
    )


class Exports:
    """See `feedsvc.history.port.Exports`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> tuple[ExportState, ...]:
        """Every known list."""
        rows = self._engine.rows("SELECT name, format, count, serial, sha256, changed_at, held FROM export ORDER BY name")
        return tuple(_export(row) for row in rows)

    def keep(self, state: ExportState) -> None:
        """Store how a list stands."""
        self._engine.upsert(
            "export",
            "name",
            {
                "name": state.name,
                "format": state.format,
                "count": state.count,
                "serial": state.serial,
                "sha256": state.sha256,
                "changed_at": micros(state.changed_at),
                "held": state.held,
            },
        )


def _export(row: Row) -> ExportState:
    name, format_name, count, serial, sha256, changed_at, held = row
    return ExportState(name, format_name, count, serial, sha256, moment(changed_at), held)
