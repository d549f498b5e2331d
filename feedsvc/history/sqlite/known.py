"""Which observations say what evidence does not say already: few of a poll do, and only those need storing.

What a known observation costs is a look at its place in the key: half of what storing it again would cost, and no page is
written for it. That it came once more is news too, but once a day (`LAG`) and not at every poll.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from feedsvc.history.sqlite.engine import Engine, Row
from feedsvc.model import Observation, Tlp

LAG = 86_400_000_000
"""Microseconds that `seen_last` may lie behind the last time that a known observation came."""

FEW = 20
"""So many observations that are alike are looked up together; fewer are stored again without a look."""

ASKED = 100
"""Observations looked up by one statement; SQLite prepares it once."""

RANKS = {level: level.rank for level in Tlp}  # looked up for each row of a batch

# What the rows of a poll differ in, and what most of them have in common: the fewer of the former, the less a row costs.
_SAID = ("rdata", "rrname", "time_first", "time_last", "count")
_SHARED = ("rrtype", "zone_time_first", "zone_time_last", "sensor_id", "chain", "tlp", "claimed", "source", "now", "since")

_PLACE = attrgetter("rdata", "rrname")
_ALIKE = attrgetter(*_SHARED[:7])


def _statement() -> str:
    said = ", ".join(f"({', '.join('?' * len(_SAID))})" for _ in range(ASKED))
    shared = {name: f"?{number}" for number, name in enumerate(_SHARED, len(_SAID) * ASKED + 1)}
    # Where no provider gives a time, ours is the evidence's own and must be right: a time_last that is null is always news.
    return """
        WITH said ({columns}) AS (VALUES {said})
        SELECT rdata, rrname FROM said WHERE NOT EXISTS (
            SELECT 1 FROM evidence AS known
            WHERE known.rdata = said.rdata AND known.rrname = said.rrname
                AND known.rrtype = {rrtype} AND known.source = {source}
                AND (said.time_first IS NULL OR known.time_first <= said.time_first)
                AND known.time_last >= said.time_last
                AND (said.count IS NULL OR known.count >= said.count)
                AND ({zone_time_first} IS NULL OR known.zone_time_first <= {zone_time_first})
                AND ({zone_time_last} IS NULL OR known.zone_time_last >= {zone_time_last})
                AND known.sensor_id IS {sensor_id} AND known.chain = {chain} AND known.tlp = {tlp}
                AND known.claimed <= {claimed}
                AND known.seen_first <= {now} AND known.seen_last > {since}
        )
    """.format(  # noqa: S608 - put together from constants
        columns=", ".join(_SAID), said=said, **shared
    )


_NEWS = _statement()


def news(engine: Engine, source: str, observations: Sequence[Observation], now: int) -> Sequence[Observation]:
    """The observations that storing would change something for, in their order.

    Two of one name and address are both news when one is: what they say adds up in their order.

    Args:
        now: in microseconds.
    """
    places: set[Row] = set()
    for alike in _alike(observations):
        places.update(_unknown(engine, source, alike, now) if len(alike) >= FEW else map(_PLACE, alike))
    return [one for one in observations if _PLACE(one) in places] if places else ()


def _alike(observations: Sequence[Observation]) -> Sequence[Sequence[Observation]]:
    if len(set(map(_ALIKE, observations))) == 1:
        return [observations]
    groups: Mapping[Row, list[Observation]] = defaultdict(list)
    for one in observations:
        groups[_ALIKE(one)].append(one)
    return list(groups.values())


def _unknown(engine: Engine, source: str, alike: Sequence[Observation], now: int) -> Iterator[Row]:
    """Addresses and names of those that evidence does not know as they are."""
    rrtype, zone_time_first, zone_time_last, sensor_id, chain, tlp, claimed = _ALIKE(alike[0])
    said_alike = [rrtype, zone_time_first, zone_time_last, sensor_id, " ".join(chain), RANKS[tlp], claimed]
    shared = [*said_alike, source, now, now - LAG]
    said = _said(alike)
    step = len(_SAID) * ASKED
    for start in range(0, len(said), step):
        yield from engine.rows(_NEWS, said[start : start + step] + shared)


def _said(observations: Sequence[Observation]) -> list[object]:
    """What the rows differ in, as parameters of whole statements: the last row fills up what they leave of the last one."""
    width = len(_SAID)
    values: list[object] = [None] * (width * len(observations))
    for place, column in enumerate(_SAID):
        values[place::width] = map(attrgetter(column), observations)
    return values + values[-width:] * (-len(observations) % ASKED)
