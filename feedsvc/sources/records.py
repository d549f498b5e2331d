"""What log records say, as the pipeline counts it: observations, sightings, and what had to be refused. Pure.

Reads no file and knows no format. Every name on the way from the asked name over its CNAMEs leads to the address: each of
them makes an observation, and the client that asked is sighted for each of them, so that "who called it?" has an answer
also for a name that hosts reach only through another one.

Who asked is gathered of every record, also of one that led nowhere: which names are findings is known only to those who
store a batch, and may be known only by that batch. What a batch gathers of it is bounded by the text that it was read from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from feedsvc import names
from feedsvc.model import Batch, Cursor, End, Observation, Refused, Sighting
from feedsvc.names import Address, Netblock, NetblockMap
from feedsvc.sources.port import BadLine, Kind, LogRecord

MAX_WAY = 32
"""Names that are followed from one question. Resolvers give up after 8 to 20; what an attacker can put into one answer (some
three thousand names times two thousand addresses) must not become millions of observations."""

SAMPLE = 200  # characters of a refused line that are shown (see `model.Refused`)
_LIGHT = 8  # so many lookups weigh as much as one observation: most are looked up and forgotten
_REASONS = 32  # refusals told apart within a batch: reasons quote lengths, and lengths are the attacker's


def printable(text: bytes) -> str:
    r"""Bytes of a log as printable ASCII on one line, all else escaped (`\n`, `\xff`): safe to show and to store."""
    return text.decode("latin-1").encode("unicode_escape").decode("ascii")


def inside(record: LogRecord, netblocks: NetblockMap) -> tuple[Address, ...]:
    """The addresses of a record that lie in the netblocks, each once."""
    return tuple(dict.fromkeys(address for address in record.answers if address in netblocks))


def is_name(name: str) -> bool:
    """Whether a canonical name is one: not the "" of a connection without, and no address that somebody asked for."""
    # Asked of every record. No address ends in anything but a digit, unless it has colons, and these are escaped.
    if name[-1:].isdigit() or "\\058" in name:
        return not names.is_address(name.replace("\\058", ":"))
    return name != ""


def way(record: LogRecord) -> tuple[str, ...]:
    """The names from the asked one to the addresses, in order, `MAX_WAY` at most."""
    return tuple(name for name in (record.rrname, *record.chain)[:MAX_WAY] if is_name(name))


def observations(record: LogRecord, address: Address) -> Iterator[Observation]:
    """One observation for each name that led to an address, the asked one first, with the CNAMEs that follow it."""
    path, time, claimed = way(record), int(record.time), record.kind != "dns"
    rrtype, rdata = "A" if address.version == 4 else "AAAA", str(address)
    for position, name in enumerate(path):
        chain = path[position + 1 :]
        yield Observation(name, rrtype, rdata, time_first=time, time_last=time, count=1, chain=chain, claimed=claimed)


def faults(record: LogRecord) -> Iterator[BadLine]:
    """What of a record is left out though the rest of it holds."""
    yield from record.unread
    if len(record.chain) >= MAX_WAY:
        yield BadLine(record.offset, f"more than {MAX_WAY} names in a row of CNAMEs", record.rrname.encode())


class Refusals:
    """What could not be read, counted by reason, with the first sample of each."""

    def __init__(self) -> None:
        self._by_reason: dict[str, Refused] = {}

    def add(self, bad: BadLine) -> None:
        """Count one."""
        known = bad.reason in self._by_reason or len(self._by_reason) < _REASONS
        reason = bad.reason if known else "other reasons"
        old = self._by_reason.get(reason)
        sample = printable(bad.line)[:SAMPLE] if old is None else old.sample
        self._by_reason[reason] = Refused(reason, 1 if old is None else old.count + 1, sample)

    def all(self) -> tuple[Refused, ...]:
        """All reasons, in the order of their first line."""
        return tuple(self._by_reason.values())


class Clients:
    """Who asked for which name: equal ones are one, their times widen, their counts add up."""

    def __init__(self) -> None:
        # Lists, since this runs for every record of a log: a new value for each would take most of the time.
        self._by_key: dict[tuple[str, str, Kind, str], list[Any]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, rrname: str, record: LogRecord, log: str) -> None:
        """Count the client of a record; one without is not counted."""
        if record.client is None:
            return
        key, time = (rrname, record.client, record.kind, record.process), int(record.time)
        known = self._by_key.get(key)
        if known is None:
            self._by_key[key] = [time, time, 1, log]
            return
        known[2] += 1
        known[0] = min(known[0], time)
        if time >= known[1]:
            known[1], known[3] = time, log

    def all(self) -> Iterator[Sighting]:
        """All of them."""
        for (rrname, client, kind, process), (first, last, count, log) in self._by_key.items():
            yield Sighting(rrname, client, first, last, count, kind=kind, process=process, log=log)


class Tally:
    """Gathers what a batch will say: equal observations and sightings are one, their times widen, their counts add up.

    Args:
        source: the source's name, for its cursors.
        netblocks: what lies outside of them is left out.
    """

    def __init__(self, source: str, netblocks: NetblockMap) -> None:
        self._source = source
        self._netblocks = netblocks
        self._log = ""
        self._clear()

    def _clear(self) -> None:
        self._observations: dict[tuple[object, ...], Observation] = {}
        self._sightings = Clients()
        self._lookups = Clients()
        self._refusals = Refusals()
        self._cursors: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._observations) + len(self._sightings) + len(self._lookups) // _LIGHT

    def begin(self, log: str) -> None:
        """What is added from now on stands in this file."""
        self._log = log

    def add(self, found: LogRecord | BadLine) -> None:
        """Count one line of a log."""
        if isinstance(found, BadLine):
            self._refusals.add(found)
            return
        for fault in faults(found):
            self._refusals.add(fault)
        addresses = inside(found, self._netblocks)
        for address in addresses:
            for observation in observations(found, address):
                self._observe(observation)
        if not found.rrname:
            for address in addresses:
                self._sightings.add(str(address), found, self._log)
            return
        clients = self._sightings if addresses else self._lookups
        for name in dict.fromkeys(way(found)):
            clients.add(name, found, self._log)

    def _observe(self, new: Observation) -> None:
        key = (new.rrname, new.rrtype, new.rdata, new.chain, new.claimed)
        old = self._observations.get(key)
        self._observations[key] = new if old is None else _joined_observation(old, new)

    def move(self, scope: str, position: str) -> None:
        """Move a cursor together with what was gathered; "" removes it."""
        self._cursors[scope] = position

    def batch(self, scope: Sequence[Netblock] = (), end: End | None = None) -> Batch:
        """What was gathered since the last batch."""
        batch = Batch(
            observations=tuple(self._observations.values()),
            sightings=tuple(self._sightings.all()),
            lookups=tuple(self._lookups.all()),
            refused=self._refusals.all(),
            cursors=tuple(Cursor(self._source, log, position) for log, position in self._cursors.items()),
            scope=tuple(scope),
            end=end,
        )
        self._clear()
        return batch


def _joined_observation(old: Observation, new: Observation) -> Observation:
    return replace(
        old,
        time_first=min((time for time in (old.time_first, new.time_first) if time is not None), default=None),
        time_last=max((time for time in (old.time_last, new.time_last) if time is not None), default=None),
        count=(old.count or 0) + (new.count or 0),
    )
