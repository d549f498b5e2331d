"""A reader of log sources, as the pipeline is one: stores each batch as a whole, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from feedsvc.model import Batch, Cursor, End, Outcome, Refused
from feedsvc.names import parse_netblock
from feedsvc.sources.following import LogSource
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import Poll
from tests.sources.logs import making
from tests.sources.logs.making import Exchange

LATER = datetime.now(UTC) + timedelta(days=1)
"""A moment at which every file of a test has been at rest for long."""

NETBLOCKS = [parse_netblock(text) for text in making.NETBLOCKS]


@dataclass
class Reader:
    """Polls one source and adds up what it says.

    Attributes:
        seen: how often each (name, address, chain) was observed.
        sighted: how often each (name, client) was sighted.
    """

    path: str
    batch_facts: int = 5000
    batch_bytes: int = 4 * 1024 * 1024
    form: str = "auto"
    cursors: dict[str, str] = field(default_factory=dict)
    seen: Counter[tuple[str, str, tuple[str, ...]]] = field(default_factory=Counter)
    sighted: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)

    def batches(self, now: datetime | None = None) -> Iterator[Batch]:
        """A poll from the stored cursors on."""
        source = LogSource("zeek", self.path, Formats(self.form), batch_facts=self.batch_facts, batch_bytes=self.batch_bytes)
        return source.read(Poll(NETBLOCKS, dict(self.cursors), now or datetime.now(UTC)))

    def store(self, batch: Batch) -> tuple[Cursor, ...]:
        """Store a batch; returns its cursors."""
        for cursor in batch.cursors:
            assert cursor.source == "zeek"
            if cursor.position:
                self.cursors[cursor.scope] = cursor.position
            else:
                self.cursors.pop(cursor.scope, None)
        for one in batch.observations:
            assert one.count is not None
            self.seen[one.rrname, one.rdata, one.chain] += one.count
        for sighting in batch.sightings:
            self.sighted[sighting.rrname, sighting.client] += sighting.count
        self.refused += batch.refused
        return batch.cursors

    def poll(self, now: datetime | None = None) -> End:
        """Poll to the end."""
        *before, last = self.batches(now)
        for batch in (*before, last):
            self.store(batch)
        assert all(batch.end is None for batch in before)
        assert last.end is not None
        assert last.scope == tuple(NETBLOCKS)
        return last.end

    def poll_all(self, now: datetime | None = None) -> None:
        """Poll to the end, which must be a good one."""
        end = self.poll(now)
        assert end == End(Outcome.COMPLETE), end

    def poll_and_die(self, after: int) -> None:
        """Poll, store some batches, and never come back for the rest."""
        for batch in islice(self.batches(), after):
            self.store(batch)

    def names(self) -> Counter[str]:
        """How often each asked name was seen, whatever it led to."""
        found: Counter[str] = Counter()
        for (rrname, _, _), count in self.seen.items():
            found[rrname] += count
        return found


def expected(log: list[Exchange]) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """What the exchanges make anybody see who reads each of them once."""
    found: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    for one in log:
        path = (one.query, *one.chain)
        for address in one.inside:
            for position, name in enumerate(path):
                found[name, address, path[position + 1 :]] += 1
    return found


def once(*names: str) -> dict[str, int]:
    """What `Reader.names` says of names under example.net that were each read once."""
    return {f"{name}.example.net": 1 for name in names}


def sightings(log: list[Exchange]) -> Counter[tuple[str, str]]:
    """How often they make anybody sight each (name, client) who reads each of them once."""
    found: Counter[tuple[str, str]] = Counter()
    for one in log:
        if one.inside:
            found.update({(name, one.client): 1 for name in {one.query, *one.chain}})
    return found
