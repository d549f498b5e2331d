"""Each lookup once, of servers that write up to four messages about it: asked, asked upstream, answered there, answered.

What a client was answered tells all: who, what, and to which addresses. So when a log has such answers, nothing else of it
counts. But which messages are written is the server's settings, and a log may have none of them. Then two things are left:
what clients asked tells who, and what upstream servers answered tells which addresses.

Which of the two a log is shows with its first answer. What stands above it is held back, so that nothing is told twice; a
log that has shown so much and no answer has none. Should one come all the same, the rest counts no more from there on.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from feedsvc.errors import SourceError
from feedsvc.sources.port import LogRecord

Side = Literal["answered", "asked", "upstream"]
"""What a message tells: what a client was answered, what it asked, or what a server upstream answered."""

ENOUGH = 32
"""Records without an answer to a client among them that show that there are none, when `LONG` lies between them."""

LONG = 60.0
"""Seconds of the log's own time. Servers and clients give up sooner."""

MOST = 4096
"""Names, addresses and faults that are held back."""

_ANSWERS, _NO_ANSWERS = "answers", "no answers"


class Once:
    """Gives the records of one log that count.

    Args:
        state: where an earlier one stopped.
        each: what counts was chosen by the settings, and counts, whatever else there is.

    Raises:
        SourceError: the state is none.
    """

    def __init__(self, state: str = "", *, each: bool = False) -> None:
        self._each = each
        self._held: list[LogRecord] = []
        self._weight = 0
        self._shown = state if state in {_ANSWERS, _NO_ANSWERS} else ""
        if state and not self._shown:
            for record in _records(state):
                self._hold(record)

    def state(self) -> str:
        """What to remember."""
        return self._shown or (msgspec.json.encode(self._held).decode() if self._held else "")

    def carry(self) -> str:
        """What to remember in the log that goes on after this one: what it will write shows by itself."""
        return "" if self._shown else self.state()

    @property
    def settled(self) -> bool:
        """Whether a record counts or not whatever stands above it and behind it."""
        return self._each or self._shown == _ANSWERS

    def wants(self, side: Side) -> bool:
        """Whether a message of this side may count: what does not need not be read."""
        return self._each or side == "answered" or self._shown != _ANSWERS

    def take(self, side: Side, record: LogRecord) -> tuple[LogRecord, ...]:
        """What counts by now, in the order of the log."""
        if self._each:
            return (record,)
        if side == "answered":
            self._shown = _ANSWERS
            self._held = []
            return (record,)
        if self._shown:
            return (record,) if self._shown == _NO_ANSWERS else ()
        self._hold(record)
        span = record.time - self._held[0].time
        if self._weight < MOST and (len(self._held) < ENOUGH or span < LONG):
            return ()
        self._shown = _NO_ANSWERS
        return self.finish()

    def finish(self) -> tuple[LogRecord, ...]:
        """What was held back, once nothing more will come."""
        held, self._held, self._weight = tuple(self._held), [], 0
        return held

    def _hold(self, record: LogRecord) -> None:
        self._held.append(record)
        self._weight += 1 + len(record.answers) + len(record.chain) + len(record.unread)


def _records(state: str) -> list[LogRecord]:
    try:
        return msgspec.json.decode(state, type=list[LogRecord])
    except msgspec.MsgspecError as err:
        raise SourceError(f"what was remembered of a log cannot be read: {err}", permanent=True) from err
