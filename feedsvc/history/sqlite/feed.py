"""Published objects and the collections they stand in; `pages` puts the questions of readers into SQL.

`date_added` is given here: inside the publishing transaction, and SQLite has but one at a time, so what a reader sees is
never overtaken by an earlier `date_added` that is committed later (design §6.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from feedsvc.clock import parse_rfc3339
from feedsvc.errors import HistoryError
from feedsvc.history.port import FeedPage, FeedQuery, FeedRow
from feedsvc.history.sqlite import pages
from feedsvc.history.sqlite.engine import Engine, Row
from feedsvc.history.sqlite.values import array, micros, pairs, tlp
from feedsvc.model import Collection, StixObject

_MILLISECOND = 1000  # in microseconds: `date_added` moves in whole ones, since some clients cut the rest off
_EVERY_WATCH = "*"

# The bytes of a version that is there already must be the same; if they are not, the update runs into the trigger.
_KEEP = """
    INSERT INTO stix_object (id, version, version_at, type, tlp, watch, name, revoked, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id, version) DO UPDATE SET body = excluded.body WHERE body <> excluded.body
"""

# What of a list of (id, version) the collection lacks, numbered in the list's order.
_ADMIT = """
    INSERT INTO member (collection, date_added, object, type, tlp)
    SELECT :collection, :before + :step * row_number() OVER (ORDER BY min(asked.key)), object.number, object.type, object.tlp
    FROM json_each(:versions) AS asked
    CROSS JOIN stix_object AS object
        ON object.id = json_extract(asked.value, '$[0]') AND object.version = json_extract(asked.value, '$[1]')
    WHERE NOT EXISTS (SELECT 1 FROM member WHERE member.collection = :collection AND member.object = object.number)
    GROUP BY object.number
"""

_RAISE_HIGH_WATER = """
    UPDATE collection
    SET high_water = max(high_water, (SELECT coalesce(max(date_added), 0) FROM member WHERE collection = :collection))
    WHERE number = :collection
"""

# For each of these objects: the lowest marking among the newer versions of every version in the collection.
_SUPERSEDE = """
    UPDATE member SET superseded = found.rank
    FROM (
        SELECT old_member.date_added, min(new_member.tlp) AS rank
        FROM json_each(:ids) AS asked
        CROSS JOIN stix_object AS old ON old.id = asked.value
        CROSS JOIN stix_object AS new ON new.id = old.id AND (new.version_at, new.number) > (old.version_at, old.number)
        CROSS JOIN member AS old_member ON old_member.collection = :collection AND old_member.object = old.number
        CROSS JOIN member AS new_member ON new_member.collection = :collection AND new_member.object = new.number
        GROUP BY old_member.date_added
    ) AS found
    WHERE member.collection = :collection AND member.date_added = found.date_added AND member.superseded <> found.rank
"""

_OBJECT = "SELECT id, type, version, body, tlp, watch, name, revoked FROM stix_object AS object"

_MISSING = f"""
    {_OBJECT} INDEXED BY stix_object_watch
    WHERE watch IS NOT NULL AND tlp <= :rank AND (:every OR watch IN (SELECT value FROM json_each(:watches)))
        AND NOT EXISTS (
            SELECT 1 FROM member JOIN collection ON collection.number = member.collection
            WHERE collection.id = :collection AND member.object = object.number
        )
        AND NOT EXISTS (
            SELECT 1 FROM stix_object AS newer
            WHERE newer.id = object.id AND (newer.version_at, newer.number) > (object.version_at, object.number)
        )
    ORDER BY number
"""  # noqa: S608 - put together from constants

_HAS = """
    SELECT 1 FROM stix_object AS object
    JOIN member ON member.object = object.number
    JOIN collection ON collection.number = member.collection
    WHERE object.id = ? AND collection.id = ? AND member.tlp <= ?
    LIMIT 1
"""


class Feed:
    """See `feedsvc.history.port.Feed`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collection(self, alias: str) -> str | None:
        """The UUID kept for an alias."""
        number: str | None = self._engine.value("SELECT id FROM collection_alias WHERE alias = ?", [alias])
        return number

    def keep_collection(self, alias: str, number: str) -> None:
        """Keep a collection's UUID for ever."""
        self._engine.write("INSERT INTO collection_alias (alias, id) VALUES (?, ?) ON CONFLICT DO NOTHING", [alias, number])
        kept = self.collection(alias)
        if kept != number:
            raise HistoryError(f"collection {alias!r} is known to partners as {kept}; it cannot become {number}")

    def add(self, collection: Collection, objects: Sequence[StixObject], now: datetime) -> None:
        """Add objects to a collection in this order."""
        with self._engine.whole():
            self._keep(objects)
            self._admit(self._number(collection.id), objects, now)

    def _keep(self, objects: Sequence[StixObject]) -> None:
        try:
            self._engine.write_many(_KEEP, [_object_row(one) for one in objects])
        except HistoryError as err:
            changed = self._changed(objects)
            if changed is None:
                raise
            raise HistoryError(f"{changed.id} was published as version {changed.version} with other bytes") from err

    def _changed(self, objects: Sequence[StixObject]) -> StixObject | None:
        """The first of these whose bytes are not those stored for its version."""
        for one in objects:
            stored = self._engine.value("SELECT body FROM stix_object WHERE id = ? AND version = ?", [one.id, one.version])
            if stored not in {None, one.body}:
                return one
        return None

    def _number(self, collection: str) -> int:
        """Our number of a collection, which begins to exist when it is first added to."""
        self._engine.write("INSERT INTO collection (id) VALUES (?) ON CONFLICT (id) DO NOTHING", [collection])
        number: int = self._engine.value("SELECT number FROM collection WHERE id = ?", [collection])
        return number

    def _admit(self, collection: int, objects: Sequence[StixObject], now: datetime) -> None:
        high_water: int = self._engine.value("SELECT high_water FROM collection WHERE number = ?", [collection])
        of_now = micros(now) // _MILLISECOND * _MILLISECOND
        asked = {
            "collection": collection,
            "before": max(of_now - _MILLISECOND, high_water),
            "step": _MILLISECOND,
            "versions": pairs([(one.id, one.version) for one in objects]),
        }
        self._engine.write(_ADMIT, asked)
        self._engine.write(_RAISE_HIGH_WATER, {"collection": collection})
        self._engine.write(_SUPERSEDE, {"collection": collection, "ids": array({one.id for one in objects})})

    def missing(self, collection: Collection) -> tuple[StixObject, ...]:
        """The current version of objects that this collection should hold but does not, oldest first."""
        wanted = {
            "collection": collection.id,
            "rank": collection.max_tlp.rank,
            "every": _EVERY_WATCH in collection.watches,
            "watches": array(collection.watches),
        }
        return tuple(_object(row) for row in self._engine.rows(_MISSING, wanted))

    def current(self, object_id: str) -> StixObject | None:
        """The latest version of an object, in any collection."""
        latest = f"{_OBJECT} WHERE id = ? ORDER BY version_at DESC, number DESC LIMIT 1"
        found = self._engine.row(latest, [object_id])
        return _object(found) if found else None

    def objects(self, query: FeedQuery) -> FeedPage:
        """A page with bodies."""
        return self._page(query, bodies=True)

    def manifest(self, query: FeedQuery) -> FeedPage:
        """The same page without bodies."""
        return self._page(query, bodies=False)

    def _page(self, query: FeedQuery, *, bodies: bool) -> FeedPage:
        question = pages.question(query, bodies=bodies)
        rows = [FeedRow(*row) for row in self._engine.rows(*question)] if question else []
        return FeedPage(tuple(rows[: query.limit]), more=len(rows) > query.limit)

    def has(self, collection: str, object_id: str, max_rank: int) -> bool:
        """Whether a reader so cleared can see any version of an object in a collection."""
        return self._engine.row(_HAS, [object_id, collection, max_rank]) is not None


def _object_row(one: StixObject) -> Row:
    # The order of the columns in _KEEP.
    return (
        one.id,
        one.version,
        micros(parse_rfc3339(one.version)),
        one.type,
        one.tlp.rank,
        one.watch,
        one.name,
        one.revoked,
        one.body,
    )


def _object(row: Row) -> StixObject:
    object_id, kind, version, body, rank, watch, name, revoked = row
    return StixObject(object_id, kind, version, body, tlp(rank), watch, name, bool(revoked))
