"""Findings, and the log of decisions that only grows."""

from __future__ import annotations

import heapq
from collections.abc import Collection as AnyOf
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

from feedsvc.errors import HistoryError
from feedsvc.history.sqlite.engine import Engine, Parameters, Row
from feedsvc.history.sqlite.values import array, micros, micros_or_null, moment, moment_or_none, texts, tlp
from feedsvc.model import Change, Decision, Finding, ListedName, Novelty, Status, Tlp

_SELECT = """
    SELECT name, watch, status, novelty, reason, first_seen, last_seen, provider_first_seen, netblock, rdata, sources,
           confidence, "case", tlp, episode, valid_until, published_at, claimed
    FROM finding
"""

_KEEP = """
    INSERT INTO finding (name, watch, status, novelty, reason, first_seen, last_seen, provider_first_seen, netblock, rdata,
                         sources, confidence, "case", tlp, episode, valid_until, published_at, claimed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (watch, name) DO UPDATE SET
        status = excluded.status, novelty = excluded.novelty, reason = excluded.reason, first_seen = excluded.first_seen,
        last_seen = excluded.last_seen, provider_first_seen = excluded.provider_first_seen, netblock = excluded.netblock,
        rdata = excluded.rdata, sources = excluded.sources, confidence = excluded.confidence, "case" = excluded."case",
        tlp = excluded.tlp, episode = excluded.episode, valid_until = excluded.valid_until,
        published_at = excluded.published_at, claimed = excluded.claimed
"""

_EXTEND = """
    UPDATE finding
    SET first_seen = ?, last_seen = ?, provider_first_seen = ?, rdata = ?, sources = ?, tlp = ?, valid_until = ?
    WHERE watch = ? AND name = ?
"""

_DECISION = "SELECT id, at, actor, verb, watch, name, before, after, reason, undoes FROM decision"

_DECIDE = """
    INSERT INTO decision (id, at, actor, verb, watch, name, before, after, reason, undoes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_NEWEST = "INDEXED BY finding_newest WHERE status = ? ORDER BY first_seen DESC, watch, name LIMIT ?"

# From one netblock to the next by the index: not even those of one netblock are walked through.
_ACTIVE = """
    WITH RECURSIVE found(netblock) AS (
        SELECT min(netblock) FROM finding
        UNION ALL
        SELECT (SELECT min(finding.netblock) FROM finding WHERE finding.netblock > found.netblock)
        FROM found WHERE found.netblock IS NOT NULL
    )
    SELECT netblock, (SELECT max(last_seen) FROM finding WHERE finding.netblock = found.netblock)
    FROM found WHERE netblock IS NOT NULL
"""

_AMONG = """
    SELECT DISTINCT name FROM json_each(?) AS asked CROSS JOIN finding INDEXED BY finding_name ON finding.name = asked.value
    WHERE status <> 'rejected'
"""

_EVERY_WATCH = "*"

_LISTED = """
    SELECT name, watch, confidence, first_seen, valid_until, tlp
    FROM finding INDEXED BY finding_listed
    WHERE status = 'published' AND tlp <= :rank AND confidence >= :confidence
        AND (:every OR watch IN (SELECT value FROM json_each(:watches)))
    ORDER BY name
"""


class Findings:
    """See `feedsvc.history.port.Findings`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, watch: str, names: AnyOf[str]) -> Mapping[str, Finding]:
        """The findings of a watch among these names."""
        among = "WHERE watch = ? AND name IN (SELECT value FROM json_each(?))"
        return {one.name: one for one in self._load(among, [watch, array(names)])}

    def named(self, name: str) -> tuple[Finding, ...]:
        """The findings of a name."""
        return self._load("WHERE name = ? ORDER BY watch", [name])

    def among(self, names: AnyOf[str]) -> frozenset[str]:
        """Those of these names that are findings, and not rejected."""
        return frozenset(name for (name,) in self._engine.rows(_AMONG, [array(sorted(names))]))

    def names(self, watch: str | None = None) -> frozenset[str]:
        """The names of findings that are not rejected."""
        asked = "SELECT name FROM finding WHERE status <> 'rejected' AND (?1 IS NULL OR watch = ?1)"
        return frozenset(name for (name,) in self._engine.stream(asked, [watch]))

    def with_status(self, statuses: AnyOf[Status], watch: str | None = None) -> tuple[Finding, ...]:
        """Findings of these statuses."""
        chosen = "WHERE status IN (SELECT value FROM json_each(:statuses))"
        of_watch = "" if watch is None else " AND watch = :watch"
        order = ' ORDER BY watch, "case", name'
        return self._load(chosen + of_watch + order, {"statuses": array(statuses), "watch": watch})

    def recent(self, statuses: AnyOf[Status], limit: int) -> tuple[Finding, ...]:
        """At most so many findings of these statuses, the newest first."""
        # The index has the newest of one status at its front, not those of several: the few of each are put in order here.
        of_each = (self._load(_NEWEST, [status, limit]) for status in sorted(statuses))
        return tuple(heapq.merge(*of_each, key=_newest_first))[:limit]

    def active(self) -> Mapping[str, datetime]:
        """The latest evidence of the findings of each netblock."""
        return {netblock: moment(at) for netblock, at in self._engine.rows(_ACTIVE)}

    def counts(self) -> Mapping[tuple[str, Status], int]:
        """How many findings each watch has in each status."""
        rows = self._engine.rows("SELECT watch, status, count(*) FROM finding GROUP BY status, watch")
        return {(watch, Status(status)): count for watch, status, count in rows}

    def apply(self, changes: Sequence[Change]) -> tuple[int, ...]:
        """Store each finding and append its decision."""
        if not changes:
            return ()
        with self._engine.whole():
            self._engine.write_many(_KEEP, [_finding_row(change.finding) for change in changes])
            # Nobody else appends while we hold the transaction, and no decision is ever removed.
            last: int = self._engine.value("SELECT coalesce(max(id), 0) FROM decision")
            numbers = tuple(range(last + 1, last + 1 + len(changes)))
            decisions = [_decision_row(number, change.decision) for number, change in zip(numbers, changes, strict=True)]
            self._engine.write_many(_DECIDE, decisions)
        return numbers

    def extend(self, findings: Sequence[Finding]) -> None:
        """Store what new evidence changed."""
        with self._engine.whole():
            touched = self._engine.write_many(_EXTEND, [_extension_row(finding) for finding in findings])
            if findings and touched != len(findings):
                raise HistoryError("a finding can be extended only after it was stored")

    def expiring(self, watch: str, now: datetime) -> tuple[Finding, ...]:
        """Published findings of a watch whose `valid_until` has passed."""
        return self._load(
            "INDEXED BY finding_expiring WHERE status = 'published' AND watch = ? AND valid_until <= ? ORDER BY name",
            [watch, micros(now)],
        )

    def decisions(self, name: str) -> tuple[Decision, ...]:
        """All decisions on a name."""
        return self._decided("WHERE name = ? ORDER BY id", [name])

    def decision(self, number: int) -> Decision | None:
        """One decision by its id."""
        return next(iter(self._decided("WHERE id = ?", [number])), None)

    def decided_between(self, start: datetime, end: datetime) -> tuple[Decision, ...]:
        """Decisions of a span of time."""
        return self._decided("WHERE at >= ? AND at < ? ORDER BY at, id", [micros(start), micros(end)])

    def listed(self, watches: Sequence[str], max_tlp: Tlp, min_confidence: int) -> Iterator[ListedName]:
        """Published names for a list, one row a name."""
        wanted = {
            "rank": max_tlp.rank,
            "confidence": min_confidence,
            "every": _EVERY_WATCH in watches,
            "watches": array(watches),
        }
        for _, rows in groupby(self._engine.stream(_LISTED, wanted), itemgetter(0)):
            yield _listed_name(max(rows, key=_strength))

    def _load(self, where: str, parameters: Parameters) -> tuple[Finding, ...]:
        return tuple(_finding(row) for row in self._engine.rows(f"{_SELECT} {where}", parameters))

    def _decided(self, where: str, parameters: Parameters) -> tuple[Decision, ...]:
        return tuple(_decision(row) for row in self._engine.rows(f"{_DECISION} {where}", parameters))


def _newest_first(one: Finding) -> tuple[timedelta, str, str]:
    return datetime.max.replace(tzinfo=UTC) - one.first_seen, one.watch, one.name


def _strength(row: Row) -> tuple[int, bool, int, str]:
    """Highest confidence first, then longest validity; the watch settles the rest, so that lists are stable."""
    _, watch, confidence, _, valid_until, _ = row
    return confidence, valid_until is None, valid_until or 0, watch


def _listed_name(row: Row) -> ListedName:
    name, watch, confidence, first_seen, valid_until, rank = row
    return ListedName(name, watch, confidence, moment(first_seen), moment_or_none(valid_until), tlp(rank))


def _finding_row(one: Finding) -> Row:
    # The order of the columns in _KEEP.
    return (
        one.name,
        one.watch,
        one.status,
        one.novelty,
        one.reason,
        micros(one.first_seen),
        micros(one.last_seen),
        micros_or_null(one.provider_first_seen),
        one.netblock,
        array(one.rdata),
        array(one.sources),
        one.confidence,
        one.case,
        one.tlp.rank,
        one.episode,
        micros_or_null(one.valid_until),
        micros_or_null(one.published_at),
        one.claimed,
    )


def _extension_row(one: Finding) -> Row:
    # The order of the places in _EXTEND.
    return (
        micros(one.first_seen),
        micros(one.last_seen),
        micros_or_null(one.provider_first_seen),
        array(one.rdata),
        array(one.sources),
        one.tlp.rank,
        micros_or_null(one.valid_until),
        one.watch,
        one.name,
    )


def _finding(row: Row) -> Finding:
    name, watch, status, novelty, reason, first, last, provider_first, netblock, rdata, sources, *rest = row
    confidence, case, rank, episode, valid_until, published_at, claimed = rest
    return Finding(
        name=name,
        watch=watch,
        status=Status(status),
        novelty=Novelty(novelty),
        reason=reason,
        first_seen=moment(first),
        last_seen=moment(last),
        provider_first_seen=moment_or_none(provider_first),
        netblock=netblock,
        rdata=texts(rdata),
        sources=texts(sources),
        confidence=confidence,
        case=case,
        tlp=tlp(rank),
        episode=episode,
        valid_until=moment_or_none(valid_until),
        published_at=moment_or_none(published_at),
        claimed=bool(claimed),
    )


def _decision_row(number: int, one: Decision) -> Row:
    # The order of the columns in _DECIDE.
    return (
        number,
        micros(one.at),
        one.actor,
        one.verb,
        one.watch,
        one.name,
        one.before,
        one.after,
        one.reason,
        one.undoes,
    )


def _decision(row: Row) -> Decision:
    number, at, actor, verb, watch, name, before, after, reason, undoes = row
    return Decision(
        at=moment(at),
        actor=actor,
        verb=verb,
        watch=watch,
        name=name,
        before=None if before is None else Status(before),
        after=Status(after),
        reason=reason,
        id=number,
        undoes=undoes,
    )
