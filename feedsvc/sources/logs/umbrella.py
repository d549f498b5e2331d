"""Cisco Umbrella's DNS log, the CSV files of its S3 export: who asked for which name.

Written by Cisco Umbrella (https://docs.umbrella.com/deployment-umbrella/docs/dns-log-formats) into a bucket of yours or of
Cisco's; switch on Admin > Log Management. What fetches the files from there is not part of this; they lie as
`dnslogs/YYYY-MM-DD/YYYY-MM-DD-hh-mm-xxxx.csv.gz`, each of them complete.

Read of each line are time (UTC), client, query type and domain: the columns 1 to 9, which are the same in all versions of
the log, with the optional header line or without. Cells that need no quotes may have lost them in other hands. There are no
answers: the log tells who asked for a name that is known otherwise, also that it was blocked. Of the root, of addresses in
the place of names, and of the header, there is no record. Lines of the other logs of Umbrella (proxy, firewall, IP, audit)
are of another shape, and counted as such that cannot be read.

The client is the internal address, which a roaming client has from the network it is in, so that many may have the same.
With `client = "identity"` it is the most granular identity instead: a computer, a user, or a whole network. Where the one
that is asked for is not given, it is the other, and the external address where neither is.

Cisco says that lines are not always in the order of time, nor always in the file of their ten minutes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal

from feedsvc.names import Netblock
from feedsvc.sources import heads, spellings, stamps
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from feedsvc.sources.readings import SAMPLE, Unreadable, address_of
from feedsvc.sources.traces import PRESENTATION, Traces, text_traces

_CELL = rb'"((?>(?:[^"]|"")*))" ?+'
_LINE = re.compile(
    rb'"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})" ?+, ?+'
    + (_CELL + rb", ?+") * 5
    + rb'"(?:([0-9]{1,5}) \(([A-Za-z0-9-]{1,16})\)|)" ?+, ?+'
    + _CELL
    + rb", ?+"
    + _CELL
    + rb"(?:,|\Z)"
)
_HEADER = re.compile(rb'"?(?:timestamp|time|date)\b', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Options:
    """Settings.

    Attributes:
        client: who is taken for the client: `internal-ip`, or the most granular `identity`.
    """

    client: Literal["internal-ip", "identity"] = "internal-ip"


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - Umbrella writes UTC
    """The format, ready to read."""
    return Umbrella(by_identity=options.client == "identity")


class Umbrella:
    """Umbrella's DNS log: see the module's manual page.

    Args:
        by_identity: whether the client is the identity.
    """

    def __init__(self, *, by_identity: bool) -> None:
        self._by_identity = by_identity

    def parser(self, state: str = "") -> UmbrellaParser:  # noqa: ARG002 - every line stands for itself
        """See `LogFormat`."""
        return UmbrellaParser(by_identity=self._by_identity)

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:  # noqa: ARG002
        """See `Scannable`: every line stands for itself, and has no answers."""
        found = text_traces((), wanted, (PRESENTATION,))
        return None if found is None else Traces(found, self.parser, sure=True)

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, have the columns of the DNS log."""
        return heads.mostly(head, lambda line: _match(line) is not None)


class UmbrellaParser:
    """Reads the lines of one file."""

    def __init__(self, *, by_identity: bool) -> None:
        self._by_identity = by_identity
        self._stamps = stamps.Stamps(UTC)

    def state(self) -> str:
        """See `LogParser`: every line stands for itself."""
        return ""

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """See `LogParser`."""
        if not line or _HEADER.match(line):
            return None
        try:
            return self._read(line, offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def _read(self, line: bytes, offset: int) -> LogRecord | None:
        found = _match(line)
        if found is None:
            raise Unreadable("not the columns of Umbrella's DNS log")
        moment, identity, _, internal, external, _, _, rrtype, _, name = found.groups()
        rrname = spellings.question(name) if name else ""
        if not rrname:
            return None
        time = self._stamps.read(moment)
        if time is None:
            raise Unreadable("line without a time")
        return LogRecord(
            time=time,
            client=self._client(internal, identity.replace(b'""', b'"'), external),
            rrname=rrname,
            rrtype=(rrtype or b"").decode(),
            answers=(),
            chain=(),
            offset=offset,
        )

    def _client(self, internal: bytes, identity: bytes, external: bytes) -> str | None:
        known = internal if address_of(internal) else b""
        preferred = (identity, known) if self._by_identity else (known, identity)
        clients = map(spellings.client, (*preferred, external))
        return next((client for client in clients if client), None)


def _match(line: bytes) -> re.Match[bytes] | None:
    """A line of the log, its cells quoted as Umbrella does it, or as others who wrote it again."""
    return _LINE.match(line) or _LINE.match(_quoted(line))


def _quoted(line: bytes) -> bytes:
    """A row of CSV with all of its cells in quotes."""
    try:
        cells = next(csv.reader([line.decode("latin-1")], skipinitialspace=True, strict=True), [])
    except csv.Error:
        return b""
    return ",".join('"{}"'.format(cell.replace('"', '""')) for cell in cells).encode("latin-1")
