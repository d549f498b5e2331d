"""What history promises of hunts: which names are still looked for in which parts of which logs. A part of `port`.

A hunt begins in the transaction that makes its names findings, and goes back from what had been read of each log just then:
whoever follows the logs counts all that comes after. So the two never count a record twice and leave none out, in whatever
order things happen and whoever dies. How far a hunt is moves in the transaction that stores what it found there.
"""

from __future__ import annotations

from collections.abc import Collection as AnyOf
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from feedsvc.model import Hunt, Sighting, Stretch


@dataclass(frozen=True, slots=True)
class ReadLog:
    """How far a log was read.

    Attributes:
        position: its cursor.
        offset: the same as a number that grows from the log's beginning on.
    """

    source: str
    scope: str
    position: str
    offset: int


class Hunts(Protocol):
    """Hunts, those that are over too."""

    def begin(self, names: AnyOf[str], logs: Sequence[ReadLog], since: datetime, now: datetime) -> int | None:
        """Begin a hunt for names through what was read of logs; its id, or None when nothing was read or no name given.

        The names may have been counted there before: by an earlier hunt, or while another watch had them for findings. A
        client is counted as often as it was before or as it is found now, whichever is more. A hunt that was under way for
        one of the names leaves it to this one.
        """
        ...

    def pending(self) -> tuple[Hunt, ...]:
        """Hunts that are not over, oldest first."""
        ...

    def of(self, name: str) -> tuple[Hunt, ...]:
        """All hunts for a name, oldest first."""
        ...

    def hunted(self, names: AnyOf[str]) -> frozenset[str]:
        """Those of these names that a hunt is still looking for."""
        ...

    def next(self, names: AnyOf[str] | None = None, without: AnyOf[tuple[str, str]] = ()) -> Stretch | None:
        """What is to be searched next; None when all is done.

        Args:
            names: only hunts for any of these.
            without: logs (source and scope) that are to wait.
        """
        ...

    def sight(self, stretch: Stretch, sightings: Sequence[Sighting], now: datetime) -> None:
        """Add what a stretch brought, without what was counted before its hunt began.

        Only of names that its hunts still look for: one that began meanwhile finds the others' clients itself.
        """
        ...

    def move(self, stretch: Stretch, position: str, offset: int, now: datetime) -> None:
        """Record how far a stretch was searched; a hunt that has no other one left is over."""
        ...

    def lose(self, stretch: Stretch, why: str, now: datetime) -> None:
        """Record that a log cannot be searched (on) by any of a stretch's hunts, and why."""
        ...
