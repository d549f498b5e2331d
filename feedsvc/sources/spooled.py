"""A source whose log comes over a socket: what was received is read from its spool as any log is, then removed.

Who listens is another thread or process, see `feedsvc.sources.listening`. A poll is complete when all that was received is
read and it is known that somebody was there to receive: while nobody listens, nobody is connected, or frames were lost since
the last poll, silence proves nothing.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec

from feedsvc.errors import SourceError
from feedsvc.model import Batch, Cursor, End, Outcome, Refused, Sighting
from feedsvc.sources import identity, spool
from feedsvc.sources.following import LogSource
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import Poll
from feedsvc.sources.spool import Glance

_LOST = "lost"
"""The scope of the cursor that says what was told of losses; those of files have an `@`."""


class SpooledSource:
    """A source of kind `log` with `listen`.

    Args:
        name: as configured.
        folder: of the spool.
        where: on what it listens, for messages.
        formats: the one that is sent.
    """

    def __init__(self, name: str, folder: Path, where: str, formats: Formats) -> None:
        self._name = name
        self._folder = folder
        self._where = where
        self._log = LogSource(name, glob.escape(str(folder / spool.CURRENT)) + "*", formats)

    @property
    def name(self) -> str:
        """See `Source`."""
        return self._name

    @property
    def kind(self) -> Literal["log"]:
        """See `Source`."""
        return "log"

    def read(self, poll: Poll) -> Iterator[Batch]:
        """See `LogSource.read`.

        Raises:
            SourceError: a cursor is none that this version wrote.
        """
        told = _told(poll.cursors.get(_LOST, ""))
        positions = {scope: position for scope, position in poll.cursors.items() if scope != _LOST}
        self._remove_read(positions)
        seen = spool.glance(self._folder)
        for batch in self._log.read(replace(poll, cursors=positions)):
            found = replace(batch, sightings=_unfiled(batch.sightings), lookups=_unfiled(batch.lookups))
            yield self._ended(found, found.end, seen, told) if found.end else found

    def _remove_read(self, positions: Mapping[str, str]) -> None:
        """Remove files of which all is stored: the cursors that we were given are."""
        read = {position.inode: position.offset for position in map(identity.parse_position, positions.values())}
        for path in spool.done(self._folder):
            file = next(iter(identity.look(glob.escape(str(path))).files), None)
            if file is not None and read.get(file.inode, -1) >= file.size:
                os.unlink(path)  # noqa: PTH108 - as it was looked at

    def _ended(self, batch: Batch, end: End, seen: Glance, told: Mapping[str, int]) -> Batch:
        """The last batch, with what was lost, and the end that this makes."""
        lost = dict(seen.status.lost) if seen.status else {}
        news = tuple(Refused(why, count, "") for why in lost if (count := lost[why] - told.get(why, 0)) > 0)
        end = self._end(end, seen, news)
        if lost == told:
            return replace(batch, end=end)
        cursor = Cursor(self._name, _LOST, msgspec.json.encode(lost).decode())
        return replace(batch, refused=(*batch.refused, *news), cursors=(*batch.cursors, cursor), end=end)

    def _end(self, end: End, seen: Glance, news: tuple[Refused, ...]) -> End:
        if seen.status is None:
            return End(Outcome.FAILED, f"nothing was received on {self._where} so far; `feedsvc serve` listens there")
        # Who does not speak the protocol is counted; that proves nothing about those who do.
        reasons = [f"lost: {one.reason} ({one.count} times)" for one in news if one.reason.startswith(spool.OF_FRAMES)]
        if not seen.written:
            reasons.append(f"nobody listens on {self._where}; `feedsvc serve` does")
        elif not seen.status.connected:
            reasons.append(f"no server is connected to {self._where}")
        if not reasons:
            return end
        reasons = [end.reason, *reasons] if end.reason else reasons
        return End(Outcome.PARTIAL if end.outcome is Outcome.COMPLETE else end.outcome, "; ".join(reasons))


def _unfiled(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """Sightings without the spool's files, of which nothing is left when somebody looks."""
    return tuple(replace(one, log="") for one in sightings)


def _told(text: str) -> Mapping[str, int]:
    try:
        return msgspec.json.decode(text, type=dict[str, int]) if text else {}
    except msgspec.MsgspecError as err:
        raise SourceError(f"a stored cursor cannot be read ({err}); remove it", permanent=True) from err
