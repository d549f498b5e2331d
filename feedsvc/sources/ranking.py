"""What a parser of a name server's log remembers from line to line: which lines count, and when the last was written.

One lookup may leave several lines: its question, its answer, that it was denied, that it failed. They are ranked, and those
of the best rank that the log has shown so far count, so that each lookup is counted once, and a log that has but one kind of
them is read all the same. Where one lookup leaves two kinds of the same rank, they stand close together, and the first
counts.
"""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from feedsvc.clock import Clock
from feedsvc.errors import SourceError
from feedsvc.sources.readings import Unreadable
from feedsvc.sources.stamps import Stamps

WORST = 9

NEIGHBOURS = 8
"""Lookups counted last whose lines of another kind are known again."""


class _State(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    best: int = WORST
    last: float | None = None
    neighbours: list[tuple[str, str]] = []  # kind and lookup


class Ranking:
    """The memory of one parser.

    Args:
        state: what `state` said when the log was read to here; "" at its beginning.
        zone, year, now: as in `Stamps`.

    Attributes:
        best: the best rank that the log has shown so far.

    Raises:
        SourceError: the state is none.
    """

    def __init__(self, state: str, zone: tzinfo, year: int, now: Clock) -> None:
        found = _state_from(state)
        self.best = found.best
        self._year = year
        self._neighbours = found.neighbours
        self._stamps = Stamps(zone, year, found.last, now)

    def state(self) -> str:
        """What a parser must be given that goes on here."""
        found = _State(self.best, self._stamps.last if self._year else None, self._neighbours)
        return "" if found == _State() else msgspec.json.encode(found).decode()

    @property
    def last(self) -> float | None:
        """When the line was written whose time was read last."""
        return self._stamps.last

    def counts(self, rank: int, kind: str = "", lookup: str = "") -> bool:
        """Whether a line tells of a lookup that no other line has told of.

        Args:
            rank: 0 is the best.
            kind, lookup: what kind of line it is, and of which lookup, where one may leave several kinds of the rank.
        """
        if rank > self.best:
            return False
        self.best = rank
        if not lookup:
            return True
        for neighbour in self._neighbours:
            if neighbour[1] == lookup and neighbour[0] != kind:
                self._neighbours.remove(neighbour)
                return False
        self._neighbours = [*self._neighbours, (kind, lookup)][-NEIGHBOURS:]
        return True

    def time(self, text: bytes) -> float:
        """When a line was written that begins with this text, in epoch seconds.

        Raises:
            Unreadable: it does not say.
        """
        seconds = self._stamps.read(text)
        if seconds is None:
            raise Unreadable("line without a time")
        return seconds


def _state_from(text: str) -> _State:
    try:
        return msgspec.json.decode(text, type=_State) if text else _State()
    except msgspec.MsgspecError as err:
        raise SourceError(f"the remembered state of a log cannot be read: {err}", permanent=True) from err
