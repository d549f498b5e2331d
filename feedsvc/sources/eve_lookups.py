"""Requests that wait for their answers within one eve.json, so that a lookup is told once and not twice.

Suricata writes a request and its answer as two events, and up to 4.0 one event for each record of an answer. They share
`flow_id` and `id`. A request waits for a while of the log's own time, and no more than so many do: what was not answered by
then is told as a lookup without answers. The order is that of the log, so a clock that was put back makes nobody wait for
ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from feedsvc.errors import SourceError
from feedsvc.sources.port import LogRecord

WINDOW = 10.0
"""Seconds of the log for which a request waits for its answer. Resolvers give up sooner."""

MAX_WAITING = 256
"""Lookups that are remembered at once: those of a tenth of a second of the busiest sensors."""

MAX_ASKED = 4
"""Names asked for under one `id`; more than one is a curiosity."""

MAX_TARGETS = 16
"""CNAMEs that are remembered of one lookup."""

Key = tuple[int, int]


class Asked(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A request."""

    time: float
    client: str | None
    rrname: str
    rrtype: str
    offset: int

    def record(self) -> LogRecord:
        """The lookup as one that nobody answered."""
        return LogRecord(self.time, self.client, self.rrname, self.rrtype, (), (), self.offset)


class Lookup(msgspec.Struct, array_like=True):
    """What is known of one exchange.

    Attributes:
        targets: where CNAMEs led that came as events of their own.
        told: an answer was told; what was asked is kept for those that may follow.
    """

    key: Key
    asked: list[Asked]
    targets: dict[str, str] = msgspec.field(default_factory=dict)
    told: bool = False

    def open(self) -> list[LogRecord]:
        """What is left to tell when nothing more comes."""
        return [] if self.told else [asked.record() for asked in self.asked]


class Lookups:
    """Those of one file, the oldest first.

    Args:
        state: what `text` wrote.

    Raises:
        SourceError: it did not write this.
    """

    def __init__(self, state: str = "") -> None:
        try:
            known = msgspec.json.decode(state, type=list[Lookup]) if state else []
        except (msgspec.MsgspecError, RecursionError) as err:
            raise SourceError(f"the remembered lookups of eve.json cannot be read: {err}", permanent=True) from err
        self._waiting = {lookup.key: lookup for lookup in known if lookup.asked}

    def text(self) -> str:
        """All of them; "" when there are none."""
        return msgspec.json.encode(list(self._waiting.values())).decode() if self._waiting else ""

    def get(self, key: Key | None) -> Lookup | None:
        """The one to which an answer belongs."""
        return None if key is None else self._waiting.get(key)

    def ask(self, key: Key, asked: Sequence[Asked]) -> list[LogRecord]:
        """Let requests wait; a repeated one is the same lookup. Returns those that have to give way."""
        old = self._waiting.get(key)
        known = {(one.rrname, one.rrtype) for one in old.asked} if old else set()
        new = [one for one in asked if (one.rrname, one.rrtype) not in known]
        if old is None or (old.told and new):
            return [*self.put(Lookup(key, new[:MAX_ASKED])), *(one.record() for one in new[MAX_ASKED:])]
        free = MAX_ASKED - len(old.asked)
        old.asked += new[:free]
        return [one.record() for one in new[free:]]

    def put(self, lookup: Lookup) -> list[LogRecord]:
        """Let a lookup wait in place of any other with its key. Returns those that have to give way."""
        self._waiting.pop(lookup.key, None)
        self._waiting[lookup.key] = lookup
        due: list[LogRecord] = []
        while len(self._waiting) > MAX_WAITING:
            due += self._waiting.pop(next(iter(self._waiting))).open()
        return due

    def answered(self, key: Key | None, names: Iterable[str]) -> Lookup | None:
        """Take the requests for these names away; returns the lookup as it was, if it was known."""
        lookup = self.get(key)
        if lookup is None:
            return None
        answered = frozenset(names)
        left = [asked for asked in lookup.asked if asked.rrname not in answered] if answered else []
        if left:
            self._waiting[lookup.key] = Lookup(lookup.key, left, lookup.targets, lookup.told)
        else:
            del self._waiting[lookup.key]
        return lookup

    def before(self, time: float) -> list[LogRecord]:
        """Those that have waited long enough at this moment of the log."""
        due: list[LogRecord] = []
        while self._waiting:
            oldest = next(iter(self._waiting.values()))
            if oldest.asked[0].time + WINDOW >= time:
                break
            del self._waiting[oldest.key]
            due += oldest.open()
        return due

    def rest(self) -> list[LogRecord]:
        """All that have waited, for nothing more will come."""
        due = [record for lookup in self._waiting.values() for record in lookup.open()]
        self._waiting.clear()
        return due
