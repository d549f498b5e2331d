"""Hunts: who asked for a name before anybody knew it, looked up in what was read of the logs.

A hunt begins in the transaction that makes a name a finding, at the cursors as that transaction finds them: what lies before
them is the hunt's, what comes after is counted by whoever follows the logs. It goes on in steps, each of which stores what
it found together with how far it is; whoever dies, nothing is lost and nothing counted twice. One process hunts at a time,
and goes through a log once for all names that want it at that place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

import structlog

from feedsvc.errors import Busy, SourceError
from feedsvc.history.hunts import ReadLog
from feedsvc.model import Batch, Stretch
from feedsvc.pipeline.parts import Parts
from feedsvc.sources.port import LookingBack

log = structlog.get_logger()


def begin(parts: Parts, names: Collection[str], now: datetime, *, again: bool = False) -> None:
    """Begin a hunt for names, inside the transaction that makes them findings and before it moves a cursor.

    Args:
        again: see `history.hunts.Hunts.begin`.
    """
    if names:
        parts.history.hunts.begin(names, list(_read_logs(parts)), since(parts, now), now, again=again)


def since(parts: Parts, now: datetime) -> datetime:
    """How far back a hunt looks that begins now: no further than clients may be kept."""
    return now - min(parts.limits.hunt_back, parts.limits.keep_clients)


def _read_logs(parts: Parts) -> Iterator[ReadLog]:
    for source in parts.sources:
        if isinstance(source, LookingBack):
            for scope, position in parts.history.facts.cursors(source.name).items():
                yield ReadLog(source.name, scope, position, source.offset_of(position))


def carry_on(parts: Parts, names: Collection[str] | None = None) -> bool:
    """Go on with pending hunts until they are over, or the process is asked to end.

    Args:
        names: only those for any of these.

    Returns:
        False when another process is hunting at this moment, and nothing was done.
    """
    try:
        with parts.history.runs.claim("hunt"):
            _carry_on(parts, names)
    except Busy:
        return False
    return True


def _carry_on(parts: Parts, names: Collection[str] | None) -> None:
    while not parts.stop.is_set() and (stretch := parts.history.hunts.next(names)) is not None:
        try:
            _search(parts, stretch)
        except SourceError as err:
            log.warning("hunt.lost", source=stretch.source, log=stretch.scope, reason=str(err))
            with parts.history.transaction():
                parts.history.hunts.lose(stretch, str(err), parts.clock())


def _search(parts: Parts, stretch: Stretch) -> None:
    source = _source(parts, stretch.source)
    for batch in source.look_back(stretch):
        with parts.history.transaction():
            _store(parts, source, stretch, batch)
        parts.progress(f"hunting in {stretch.source}: {sum(one.left for one in parts.history.hunts.pending())} logs left")
        if parts.stop.is_set():
            return


def _source(parts: Parts, name: str) -> LookingBack:
    for source in parts.sources:
        if source.name == name and isinstance(source, LookingBack):
            return source
    raise SourceError(f"{name}: no source of this name reads logs any more", permanent=True)


def _store(parts: Parts, source: LookingBack, stretch: Stretch, batch: Batch) -> None:
    now = parts.clock()
    parts.history.hunts.sight(stretch.source, [one for one in batch.lookups if one.rrname in stretch.names], now)
    for cursor in batch.cursors:
        parts.history.hunts.move(stretch, cursor.position, source.offset_of(cursor.position), now)
