"""What is looked for in the past: hunts, and the stretches of logs that they have to go through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Hunt:
    """The search of what was read of logs for who asked for some names, before anybody knew them.

    Attributes:
        names: how many it looks for.
        since: records before this moment are left alone.
        logs, left: how many logs it had to go through, and has still to.
        lost: logs that could not be searched, and why.
        ended_at: None while something is left.
    """

    id: int
    begun_at: datetime
    since: datetime
    names: int
    logs: int
    left: int
    lost: tuple[str, ...] = ()
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a log that is to be searched in one go, for the names of one or more hunts.

    Attributes:
        hunts: their ids.
        source, scope: whose cursor the log has, and which.
        start, until: positions as that cursor holds them: where to begin ("": at the beginning), and what was read when the
            first of the hunts began, so that followers count what comes after.
        now: the cursor as it is; "" when it is gone.
        names: canonical.
        since: epoch seconds; records before it are left alone.
    """

    hunts: tuple[int, ...]
    source: str
    scope: str
    start: str
    until: str
    now: str
    names: frozenset[str]
    since: float
