"""How clients and hunts are printed. Who reads this is inside: clients never leave (design §6.8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from feedsvc import clock
from feedsvc.model import Hunt, Sighting

Seen = Sequence[tuple[str, Sighting]]
"""Sightings, each with the source that saw it."""


def as_json(seen: Seen) -> list[Mapping[str, object]]:
    """One object a client and source, over all its ways; `sightings` has each way by itself."""
    return [
        {
            "client": client,
            "source": source,
            "time_first": _second(min(one.time_first for one in ways)),
            "time_last": _second(max(one.time_last for one in ways)),
            "count": sum(one.count for one in ways),
            "kinds": sorted({one.kind for one in ways}),
            "processes": sorted({one.process for one in ways} - {""}),
            "logs": sorted({one.log for one in ways} - {""}),
            "sightings": [_way_json(one) for one in ways],
        }
        for (client, source), ways in _by_client(seen).items()
    ]


def _by_client(seen: Seen) -> Mapping[tuple[str, str], list[Sighting]]:
    found: defaultdict[tuple[str, str], list[Sighting]] = defaultdict(list)
    for source, one in seen:
        found[one.client, source].append(one)
    return found


def _way_json(one: Sighting) -> Mapping[str, object]:
    return {
        "kind": one.kind,
        "process": one.process,
        "log": one.log,
        "time_first": _second(one.time_first),
        "time_last": _second(one.time_last),
        "count": one.count,
    }


def _second(time: int) -> str:
    return clock.rfc3339(clock.from_epoch(time))


def as_text(seen: Seen) -> list[str]:
    """One line a way by which a client came: how often, when, by which program, and where that stands."""
    return [
        f"{one.client} {one.count} times by {one.kind}{f' with {one.process}' if one.process else ''}, "
        f"{_said(one.time_first)} to {_said(one.time_last)}, says {source}{f', last in {one.log}' if one.log else ''}"
        for source, one in seen
    ]


def _said(time: int) -> str:
    return f"{clock.from_epoch(time):%Y-%m-%d %H:%M:%S}"


def hunt_json(one: Hunt) -> Mapping[str, object]:
    """A hunt, as `explain` and `status` show it."""
    return {
        "id": one.id,
        "begun_at": clock.rfc3339(one.begun_at),
        "since": clock.rfc3339(one.since),
        "names": one.names,
        "logs": one.logs,
        "left": one.left,
        "lost": list(one.lost),
        "ended_at": _moment(one.ended_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None


def hunt_text(one: Hunt) -> str:
    """A hunt in one line."""
    names = "1 name" if one.names == 1 else f"{one.names} names"
    stands = f"{one.logs - one.left} of {one.logs} logs done" if one.ended_at is None else f"over, {one.logs} logs"
    lost = f"; not searched: {'; '.join(one.lost)}" if one.lost else ""
    return f"{names} since {one.since:%Y-%m-%d %H:%M:%S UTC}: {stands}{lost}"
