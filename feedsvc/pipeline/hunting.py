"""Hunts: who asked for a name before anybody knew it, looked up in what was read of the logs.

A hunt begins in the transaction that makes a name a finding, at the cursors as that transaction finds them: what lies before
them is the hunt's, what comes after is counted by whoever follows the logs. It goes on in steps, each of which stores what
it found together with how far it is; whoever dies, nothing is lost and nothing counted twice. One process at a time goes
through a log, once for all names that want it at that place.
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

_TURN = 0.05  # seconds until one looks again whether nobody else hunts


def begin(parts: Parts, names: Collection[str], now: datetime) -> None:
    """Begin a hunt for names, inside the transaction that makes them findings and before it moves a cursor."""
    if names:
        parts.history.hunts.begin(names, list(_read_logs(parts)), since(parts, now), now)


def since(parts: Parts, now: datetime) -> datetime:
    """How far back a hunt looks that begins now: no further than clients may be kept."""
    return now - min(parts.limits.hunt_back, parts.limits.keep_clients)


def _read_logs(parts: Parts) -> Iterator[ReadLog]:
    for source in _looking_back(parts):
        for scope, position in parts.history.facts.cursors(source.name).items():
            yield ReadLog(source.name, scope, position, source.offset_of(position))


def carry_on(parts: Parts, names: Collection[str] | None = None, *, pause: float = 0.0) -> None:
    """Go on with pending hunts until they are over, or the process is asked to end.

    A log that cannot be read at this moment is left for the next time.

    Args:
        names: only those for any of these.
        pause: seconds to leave after each log to whoever else wants to hunt; without, this waits its turn.
    """
    later: set[tuple[str, str]] = set()
    while not parts.stop.is_set():
        try:
            with parts.history.runs.claim("hunt"):
                stretch = parts.history.hunts.next(names, later)
                if stretch is None:
                    return
                if not _is_through(parts, stretch):
                    later.add((stretch.source, stretch.scope))
        except Busy:
            parts.progress("waiting for another process that hunts")
        parts.stop.wait(pause or _TURN)


def _is_through(parts: Parts, stretch: Stretch) -> bool:
    """Search a stretch; whether that is done with, also when what was to be searched is lost for good."""
    try:
        _search(parts, stretch)
    except SourceError as err:
        log.warning("hunt.failed", source=stretch.source, log=stretch.scope, reason=str(err), lost=err.permanent)
        if not err.permanent:
            return False
        with parts.history.transaction():
            parts.history.hunts.lose(stretch, str(err), parts.clock())
    else:
        log.info("hunt.searched", source=stretch.source, log=stretch.scope, names=len(stretch.names))
    return True


def _search(parts: Parts, stretch: Stretch) -> None:
    source = _source(parts, stretch.source)
    for batch in source.look_back(stretch):
        with parts.history.transaction():
            _store(parts, source, stretch, batch)
        parts.progress(f"hunting in {stretch.source}: {sum(one.left for one in parts.history.hunts.pending())} logs left")
        if parts.stop.is_set():
            return


def _source(parts: Parts, name: str) -> LookingBack:
    for source in _looking_back(parts):
        if source.name == name:
            return source
    raise SourceError(f"{name}: no source of this name reads logs any more", permanent=True)


def _store(parts: Parts, source: LookingBack, stretch: Stretch, batch: Batch) -> None:
    now = parts.clock()
    parts.history.hunts.sight(stretch, batch.lookups, now)
    for cursor in batch.cursors:
        parts.history.hunts.move(stretch, cursor.position, source.offset_of(cursor.position), now)


def _looking_back(parts: Parts) -> Iterator[LookingBack]:
    yield from (source for source in parts.sources if isinstance(source, LookingBack))
