"""Facts: how far we looked, what was seen, who asked.

What is asked for many names is asked in one statement over a JSON array: it costs what the batch costs, not what is known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection as AnyOf
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter

from feedsvc.history.port import NameFacts
from feedsvc.history.sqlite import known
from feedsvc.history.sqlite.engine import Engine, Row
from feedsvc.history.sqlite.values import array, micros, moment, second_or_none, tlp
from feedsvc.model import Cursor, Evidence, Observation, Refused, Sighting
from feedsvc.names import registered_domain

_MOVE = """
    INSERT INTO cursor (source, scope, position, moved_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (source, scope) DO UPDATE SET position = excluded.position, moved_at = excluded.moved_at
"""

_COMPLETE = """
    INSERT INTO mark (source, netblock, at) VALUES (?, ?, ?)
    ON CONFLICT (source, netblock) DO UPDATE SET at = excluded.at
"""

_ADD_BASELINE = """
    INSERT INTO baseline (watch, fingerprint, source, netblock, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (watch, fingerprint, source, netblock) DO NOTHING
"""

# Two-argument min and max are null when one side is, hence the crossing.
_STORE = """
    INSERT INTO evidence (rdata, rrname, rrtype, source, time_first, time_last, zone_time_first, zone_time_last, count,
                          seen_first, seen_last, tlp, chain, sensor_id, claimed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (rdata, rrname, rrtype, source) DO UPDATE SET
        time_first = min(coalesce(time_first, excluded.time_first), coalesce(excluded.time_first, time_first)),
        time_last = max(coalesce(time_last, excluded.time_last), coalesce(excluded.time_last, time_last)),
        zone_time_first =
            min(coalesce(zone_time_first, excluded.zone_time_first), coalesce(excluded.zone_time_first, zone_time_first)),
        zone_time_last =
            max(coalesce(zone_time_last, excluded.zone_time_last), coalesce(excluded.zone_time_last, zone_time_last)),
        count = max(coalesce(count, excluded.count), coalesce(excluded.count, count)),
        seen_first = min(seen_first, excluded.seen_first),
        seen_last = max(seen_last, excluded.seen_last),
        tlp = excluded.tlp, chain = excluded.chain, sensor_id = excluded.sensor_id, claimed = excluded.claimed
    WHERE excluded.claimed <= claimed
"""

_NAME_FACTS = """
    SELECT asked.value,
           group_concat(CASE WHEN rrtype IN ('A', 'AAAA') AND NOT claimed THEN rdata END, ' '),
           max(coalesce(1000000 * coalesce(max(time_last, zone_time_last), time_last, zone_time_last), seen_last))
    FROM json_each(?) AS asked CROSS JOIN evidence ON evidence.rrname = asked.value
    GROUP BY asked.key
"""

_DOMAINS = "SELECT name, seen_first FROM json_each(?) AS asked CROSS JOIN domain ON domain.name = asked.value"

_SIGHT = """
    INSERT INTO sighting (rrname, client, source, kind, process, log, time_first, time_last, count, seen_last)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (rrname, client, source, kind, process) DO UPDATE SET
        log = CASE WHEN excluded.time_last >= time_last THEN excluded.log ELSE log END,
        time_first = min(time_first, excluded.time_first),
        time_last = max(time_last, excluded.time_last),
        count = count + excluded.count,
        seen_last = max(seen_last, excluded.seen_last)
"""

# Connections by no name are kept under their address, see `Sighting`. What only clients claim to be there is not.
_SIGHTINGS = """
    SELECT source, ?1, client, time_first, time_last, count, kind, process, log
    FROM sighting
    WHERE rrname = ?1 OR rrname IN (SELECT rdata FROM evidence WHERE rrname = ?1 AND rrtype IN ('A', 'AAAA') AND NOT claimed)
    ORDER BY time_first, client, source, kind, process, rrname
"""

_CLIENTS = """
    SELECT asked.value, count(DISTINCT client)
    FROM json_each(?) AS asked LEFT JOIN sighting ON sighting.rrname = asked.value
    GROUP BY asked.value
"""

_REFUSE = """
    INSERT INTO refusal (run, source, reason, count, sample) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (run, source, reason) DO UPDATE SET count = count + excluded.count
"""

_EVIDENCE = """
    SELECT rrname, rrtype, rdata, source, time_first, time_last, count, seen_first, seen_last, tlp, chain, sensor_id,
           claimed, zone_time_first, zone_time_last,
           min(coalesce(time_first, zone_time_first), coalesce(zone_time_first, time_first)) AS first
    FROM evidence WHERE rrname = ?
    ORDER BY coalesce(1000000 * first, seen_first), rrtype, rdata, source
"""


class Facts:
    """See `feedsvc.history.port.Facts`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cursors(self, source: str) -> Mapping[str, str]:
        """Position by scope."""
        return dict(self._engine.rows("SELECT scope, position FROM cursor WHERE source = ?", [source]))

    def move(self, cursors: Iterable[Cursor], now: datetime) -> None:
        """Store cursors; a position of "" removes one."""
        at = micros(now)
        moved = {(one.source, one.scope): one.position for one in cursors}
        gone = [key for key, position in moved.items() if not position]
        self._engine.write_many("DELETE FROM cursor WHERE source = ? AND scope = ?", gone)
        self._engine.write_many(_MOVE, [(*key, position, at) for key, position in moved.items() if position])

    def marks(self) -> Mapping[tuple[str, str], datetime]:
        """When each (source, netblock) was last read completely."""
        rows = self._engine.rows("SELECT source, netblock, at FROM mark")
        return {(source, netblock): moment(at) for source, netblock, at in rows}

    def complete(self, source: str, netblocks: Iterable[str], now: datetime) -> None:
        """Record what was just read completely."""
        at = micros(now)
        self._engine.write_many(_COMPLETE, [(source, netblock, at) for netblock in netblocks])

    def baselines(self) -> Mapping[tuple[str, str, str, str], datetime]:
        """When each baseline was complete."""
        rows = self._engine.rows("SELECT watch, fingerprint, source, netblock, at FROM baseline")
        return {(watch, fingerprint, source, netblock): moment(at) for watch, fingerprint, source, netblock, at in rows}

    def add_baselines(self, keys: Iterable[tuple[str, str, str, str]], now: datetime) -> None:
        """Record baselines; those already there keep their time."""
        at = micros(now)
        self._engine.write_many(_ADD_BASELINE, [(*key, at) for key in keys])

    def name_facts(self, names: AnyOf[str]) -> Mapping[str, NameFacts]:
        """Facts for each of these names."""
        # Sorted, neighbours lie on one page of the index.
        rows = self._engine.rows(_NAME_FACTS, [array(sorted(names))])
        facts = {name: NameFacts(frozenset((found or "").split()), moment(last)) for name, found, last in rows}
        domains = {name: registered_domain(name) for name in names}
        seen = self._domains_seen({domain for domain in domains.values() if domain})
        return {
            name: dataclasses.replace(facts.get(name, NameFacts()), domain_seen=seen.get(domain or ""))
            for name, domain in domains.items()
        }

    def _domains_seen(self, domains: AnyOf[str]) -> Mapping[str, datetime]:
        return {name: moment(at) for name, at in self._engine.rows(_DOMAINS, [array(sorted(domains))])}

    def store(self, source: str, observations: Sequence[Observation], now: datetime) -> None:
        """Upsert observations and this source's evidence for them."""
        at = micros(now)
        rows = [_evidence_row(source, one, at) for one in known.news(self._engine, source, observations, at)]
        # In the order of the key each page is visited once.
        rows.sort(key=itemgetter(0, 1))
        self._engine.write_many(_STORE, rows)

    def sight(self, source: str, sightings: Sequence[Sighting], now: datetime) -> None:
        """Add sightings to those of the same key."""
        at = micros(now)
        rows = [
            (one.rrname, one.client, source, one.kind, one.process, one.log, one.time_first, one.time_last, one.count, at)
            for one in sightings
        ]
        self._engine.write_many(_SIGHT, rows)

    def forget_clients(self, before: datetime) -> int:
        """Remove sightings that nothing was added to since a moment."""
        return self._engine.write("DELETE FROM sighting WHERE seen_last < ?", [micros(before)]).rowcount

    def refuse(self, run: int, source: str, refused: Sequence[Refused]) -> None:
        """Add refusals of a run."""
        self._engine.write_many(_REFUSE, [(run, source, one.reason, one.count, one.sample) for one in refused])

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """All evidence for a name."""
        return tuple(_evidence(row) for row in self._engine.rows(_EVIDENCE, [name]))

    def sightings(self, name: str) -> tuple[tuple[str, Sighting], ...]:
        """Who asked for a name, or connected to one of its addresses."""
        return tuple((source, Sighting(*rest)) for source, *rest in self._engine.rows(_SIGHTINGS, [name]))

    def clients(self, names: AnyOf[str]) -> Mapping[str, int]:
        """How many clients asked for each of these names."""
        return dict(self._engine.rows(_CLIENTS, [array(sorted(names))]))


def _evidence_row(source: str, one: Observation, at: int) -> Row:
    # The order of the columns in _STORE.
    return (
        one.rdata,
        one.rrname,
        one.rrtype,
        source,
        one.time_first,
        one.time_last,
        one.zone_time_first,
        one.zone_time_last,
        one.count,
        at,
        at,
        known.RANKS[one.tlp],
        " ".join(one.chain),
        one.sensor_id,
        one.claimed,
    )


def _evidence(row: Row) -> Evidence:
    rrname, rrtype, rdata, source, first, last, count, seen_first, seen_last, rank, chain, sensor_id, claimed, *zone = row
    return Evidence(
        rrname=rrname,
        rrtype=rrtype,
        rdata=rdata,
        source=source,
        time_first=second_or_none(first),
        time_last=second_or_none(last),
        count=count,
        seen_first=moment(seen_first),
        seen_last=moment(seen_last),
        tlp=tlp(rank),
        chain=tuple(chain.split()),
        sensor_id=sensor_id,
        claimed=bool(claimed),
        zone_time_first=second_or_none(zone[0]),
        zone_time_last=second_or_none(zone[1]),
    )
