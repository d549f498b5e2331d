"""Hunts: names that are looked for in parts of logs, how far each is, and what must not be counted twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection as AnyOf
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from feedsvc.history.hunts import ReadLog
from feedsvc.history.sqlite.engine import Engine, Parameters, Row
from feedsvc.history.sqlite.facts import Facts
from feedsvc.history.sqlite.values import array, micros, moment, moment_or_none, pairs, texts
from feedsvc.model import Hunt, Sighting, Stretch

_HUNT = """
    SELECT id, begun_at, since, (SELECT count(*) FROM hunt_name WHERE hunt = id), logs,
           (SELECT count(*) FROM hunt_log WHERE hunt = id), lost, ended_at
    FROM hunt
"""

_BEGIN = "INSERT INTO hunt (begun_at, since, logs, lost) VALUES (?, ?, ?, '[]')"

_LOG = """
    INSERT INTO hunt_log (source, scope, hunt, start, until, start_offset, until_offset) VALUES (?, ?, ?, '', ?, 0, ?)
"""

_ASKED = "(SELECT value FROM json_each(?))"

_LEAVE = f"""
    DELETE FROM hunt_name
    WHERE name IN {_ASKED} AND hunt IN (SELECT id FROM hunt WHERE ended_at IS NULL)
"""  # noqa: S608 - put together from constants

_LEFT = """
    DELETE FROM hunt_log
    WHERE hunt IN (SELECT id FROM hunt WHERE ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM hunt_name WHERE hunt = id))
"""

_CREDIT = """
    INSERT INTO hunt_credit (rrname, client, source, kind, process, count)
    SELECT rrname, client, source, kind, process, count
    FROM json_each(?) AS asked CROSS JOIN sighting ON sighting.rrname = asked.value
    WHERE source IN (SELECT value FROM json_each(?))
"""

_PENDING_NAMES = """
    SELECT DISTINCT asked.value
    FROM json_each(?) AS asked CROSS JOIN hunt_name ON hunt_name.name = asked.value JOIN hunt ON hunt.id = hunt_name.hunt
    WHERE hunt.ended_at IS NULL
"""

_STILL = """
    SELECT name FROM json_each(?) AS asked CROSS JOIN hunt_name ON hunt_name.name = asked.value
    WHERE hunt IN (SELECT value FROM json_each(?))
"""

# Logs are named by days and hours: the last name is the newest, and what happened yesterday is wanted first.
_NEXT_LOG = """
    SELECT source, scope FROM hunt_log
    WHERE (?1 IS NULL OR hunt IN (SELECT hunt FROM json_each(?1) CROSS JOIN hunt_name ON name = value))
        AND (source, scope) NOT IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?2))
    ORDER BY source, scope DESC LIMIT 1
"""

_PARTS = """
    SELECT hunt, since, start, until, start_offset, until_offset
    FROM hunt_log JOIN hunt ON id = hunt
    WHERE source = ?2 AND scope = ?3
        AND (?1 IS NULL OR hunt IN (SELECT hunt FROM json_each(?1) CROSS JOIN hunt_name ON name = value))
    ORDER BY start_offset, hunt
"""

_MOVE = "UPDATE hunt_log SET start = ?, start_offset = ? WHERE source = ? AND scope = ? AND hunt = ?"

_THROUGH = "DELETE FROM hunt_log WHERE source = ? AND scope = ? AND start_offset >= until_offset"

_END = """
    UPDATE hunt SET ended_at = ?
    WHERE id = ? AND ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM hunt_log WHERE hunt = id)
"""

_SPENT = """
    DELETE FROM hunt_credit WHERE rrname IN (
        SELECT name FROM hunt_name JOIN hunt ON id = hunt WHERE hunt = ? AND ended_at IS NOT NULL
    )
"""

_KEY = "rrname = ? AND client = ? AND source = ? AND kind = ? AND process = ?"


class _Part(NamedTuple):
    """What one hunt has left of a log."""

    hunt: int
    since: int
    start: str
    until: str
    start_offset: int
    until_offset: int


class Hunts:
    """See `feedsvc.history.hunts.Hunts`."""

    def __init__(self, engine: Engine, facts: Facts) -> None:
        self._engine = engine
        self._facts = facts

    def begin(self, names: AnyOf[str], logs: Sequence[ReadLog], since: datetime, now: datetime) -> int | None:
        """Begin a hunt."""
        read = [one for one in logs if one.offset > 0]
        if not names or not read:
            return None
        self._leave(names, now)
        hunt: int = self._engine.write(_BEGIN, [micros(now), micros(since), len(read)]).lastrowid or 0
        self._engine.write_many("INSERT INTO hunt_name (name, hunt) VALUES (?, ?)", [(name, hunt) for name in sorted(names)])
        self._engine.write_many(_LOG, [(one.source, one.scope, hunt, one.position, one.offset) for one in read])
        self._engine.write(_CREDIT, [array(sorted(names)), array(sorted({one.source for one in read}))])
        return hunt

    def _leave(self, names: AnyOf[str], now: datetime) -> None:
        """Take names out of the hunts that are under way for them; one without any other is over."""
        asked = array(sorted(names))
        hunts = [hunt.id for hunt in self.pending()] if self.hunted(names) else []
        self._engine.write(_LEAVE, [asked])
        self._engine.write(_LEFT)
        self._engine.write(f"DELETE FROM hunt_credit WHERE rrname IN {_ASKED}", [asked])  # noqa: S608
        self._end(hunts, now)

    def pending(self) -> tuple[Hunt, ...]:
        """Hunts that are not over."""
        return self._load("WHERE ended_at IS NULL ORDER BY id")

    def of(self, name: str) -> tuple[Hunt, ...]:
        """All hunts for a name."""
        return self._load("WHERE id IN (SELECT hunt FROM hunt_name WHERE name = ?) ORDER BY id", [name])

    def hunted(self, names: AnyOf[str]) -> frozenset[str]:
        """Those of these names that are still looked for."""
        return frozenset(name for (name,) in self._engine.rows(_PENDING_NAMES, [array(sorted(names))]))

    def next(self, names: AnyOf[str] | None = None, without: AnyOf[tuple[str, str]] = ()) -> Stretch | None:
        """What is to be searched next."""
        among = None if names is None else array(sorted(names))
        log = self._engine.row(_NEXT_LOG, [among, pairs(without)])
        if log is None:
            return None
        source, scope = log
        parts = [_Part(*row) for row in self._engine.rows(_PARTS, [among, source, scope])]
        return self._stretch(source, scope, parts)

    def _stretch(self, source: str, scope: str, parts: Sequence[_Part]) -> Stretch:
        """Those that are least far go on together, up to where one of them ends or another one stands."""
        together = [one for one in parts if one.start_offset == parts[0].start_offset]
        ahead = [(one.start_offset, one.start) for one in parts[len(together) :]]
        _, until = min([*ahead, *((one.until_offset, one.until) for one in together)])
        hunts = tuple(one.hunt for one in together)
        position = self._engine.value("SELECT position FROM cursor WHERE source = ? AND scope = ?", [source, scope])
        return Stretch(
            hunts=hunts,
            source=source,
            scope=scope,
            start=parts[0].start,
            until=until,
            now=position or "",
            names=frozenset(self._names(hunts)),
            since=min(one.since for one in together) / 1_000_000,
        )

    def _names(self, hunts: Sequence[int]) -> Iterator[str]:
        asked = "SELECT name FROM hunt_name WHERE hunt IN (SELECT value FROM json_each(?))"
        yield from (name for (name,) in self._engine.rows(asked, [str(list(hunts))]))

    def sight(self, stretch: Stretch, sightings: Sequence[Sighting], now: datetime) -> None:
        """Add what a stretch brought."""
        asked = [array(sorted({one.rrname for one in sightings})), str(list(stretch.hunts))]
        names = {name for (name,) in self._engine.rows(_STILL, asked)}
        wanted = [one for one in sightings if one.rrname in names]
        if self._engine.value("SELECT 1 FROM hunt_credit LIMIT 1"):
            wanted = [new for one in wanted if (new := self._beyond_credit(stretch.source, one))]
        self._facts.sight(stretch.source, wanted, now)

    def _beyond_credit(self, source: str, one: Sighting) -> Sighting | None:
        """What of a sighting was not counted before; None for nothing."""
        key = [one.rrname, one.client, source, one.kind, one.process]
        credit: int = self._engine.value(f"SELECT count FROM hunt_credit WHERE {_KEY}", key) or 0  # noqa: S608
        if not credit:
            return one
        self._engine.write(f"UPDATE hunt_credit SET count = max(count - ?, 0) WHERE {_KEY}", [one.count, *key])  # noqa: S608
        return dataclasses.replace(one, count=one.count - credit) if one.count > credit else None

    def move(self, stretch: Stretch, position: str, offset: int, now: datetime) -> None:
        """Record how far a stretch was searched."""
        log = (stretch.source, stretch.scope)
        self._engine.write_many(_MOVE, [(position, offset, *log, hunt) for hunt in stretch.hunts])
        self._engine.write(_THROUGH, log)
        self._end(stretch.hunts, now)

    def lose(self, stretch: Stretch, why: str, now: datetime) -> None:
        """Record that a log cannot be searched."""
        for hunt in stretch.hunts:
            self._engine.write("UPDATE hunt SET lost = json_insert(lost, '$[#]', ?) WHERE id = ?", [why, hunt])
        gone = [(stretch.source, stretch.scope, hunt) for hunt in stretch.hunts]
        self._engine.write_many("DELETE FROM hunt_log WHERE source = ? AND scope = ? AND hunt = ?", gone)
        self._end(stretch.hunts, now)

    def _end(self, hunts: Sequence[int], now: datetime) -> None:
        self._engine.write_many(_END, [(micros(now), hunt) for hunt in hunts])
        self._engine.write_many(_SPENT, [(hunt,) for hunt in hunts])

    def _load(self, where: str, parameters: Parameters = ()) -> tuple[Hunt, ...]:
        return tuple(_hunt(row) for row in self._engine.rows(f"{_HUNT} {where}", parameters))


def _hunt(row: Row) -> Hunt:
    number, begun_at, since, names, logs, left, lost, ended_at = row
    return Hunt(
        id=number,
        begun_at=moment(begun_at),
        since=moment(since),
        names=names,
        logs=logs,
        left=left,
        lost=texts(lost),
        ended_at=moment_or_none(ended_at),
    )
