r"""Sysmon's DNS queries and connections (events 22 and 3): which program on which host asked for which name.

Written by Sysmon (https://learn.microsoft.com/sysinternals/downloads/sysmon) on Windows hosts, from version 10 on for
queries. Switch on in its configuration `DnsQuery` (event 22) and, for connections, `NetworkConnect` (event 3). Whatever
carries the events from the hosts to here, these are read:

    EVTX     the event log's own files, `ElfFile`: of this and any other channel, such as ForwardedEvents
    XML      `<Event>` elements, with or without a root element, in UTF-8 or UTF-16 (`wevtutil qe`, the event viewer)
    JSON     one event a line: `Event.EventData` (evtx_dump), `winlog.event_data` (Winlogbeat, Elastic Agent), one level
             (NXLog, OTRF), `Payload` (EvtxECmd). What Elastic's pipelines have made of it (`dns.question.name`) is ECS, and
             read by the format of that name

All other events are no records and no faults. The time is `UtcTime`, the client the host that wrote the event (`Computer`),
the process its `Image`.

Of event 22 are read the name (`QueryName`) and its answers (`QueryResults`); the asked type is not in it. CNAMEs are marked
(`type:  5 edge.example.net;`) and make the chain, addresses stand as they are, IPv4 bare or as IPv4-mapped IPv6. Windows
puts the addresses of name servers behind those of the asked name, and marks neither: where IPv4 is written as mapped IPv6
and bare as well, what is behind the last mapped one is left out; where it is not, what is behind the first run of addresses
of one IP version. Answers of other types (`type:  16 …`) give nothing, and what follows one that may hold any text is left
out. Nothing escapes a `;` in a name, so answers are not believed at all in which a name stands behind addresses, or anything
that is neither. All but the name servers is told. The last answer of a long list that was cut off is left out.

Of event 3 are read outgoing connections: kind `connection`, `DestinationIp` and, where there is one, `DestinationHostname`.
Mind that Sysmon has the name from a reverse lookup of the address: whoever holds the address says there what he wants, and
no zone has confirmed it. `reverse_names = false` leaves the names out; Sysmon itself can be told not to look
(`<DnsLookup>false</DnsLookup>`). Without a name an event still tells who went to an address that a finding is at.

A program that resolves by itself (browsers with DNS over HTTPS, nslookup) asks Windows nothing, and leaves no event 22.

Follow copies of EVTX files and archived ones (`Archive-Microsoft-Windows-Sysmon%4Operational-*.evtx`), not the one that
Windows is writing: it writes all over it, so that each time it would be taken for a new log. Damaged chunks and events are
told, and the rest is read.

Not verified: ForwardedEvents with rendered texts; at which length `QueryResults` is cut off (no answer that is ended by `;`
is taken to be cut, nor one of a list of less than 255 characters).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from feedsvc.errors import NameRefused
from feedsvc.names import Netblock
from feedsvc.sources import evtx_chunks, sysmon_results, textframes, texts, winevents
from feedsvc.sources.port import BadLine, Line, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import Traces
from feedsvc.sources.winevents import Event
from feedsvc.sources.wiretraces import shipped_traces

MAX_LOST = 8
"""Chunks of one file over which the reader may be lost before the rest of the file is given up."""

_QUERY, _CONNECTION = 22, 3
_MARKS = (b"QueryName", b"DestinationIp", b"DestinationHostname")  # an event without any gives no record
_WIDE_MARKS = tuple(mark.decode().encode("utf-16-le") for mark in _MARKS)
# What stands between events: the file's own header, and what wevtutil and evtx_dump set around them.
_BETWEEN = re.compile(rb"ElfFile\0.*|</?Events\b.*|<\?xml\b.*|Record [0-9]+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Options:
    """Settings.

    Attributes:
        reverse_names: whether the names of connections (event 3) are read, which come from reverse lookups.
    """

    reverse_names: bool = True


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read."""
    return Sysmon(options, zone)


class Sysmon:
    """Sysmon's events: see the module's manual page."""

    def __init__(self, options: Options, zone: tzinfo) -> None:
        self._options = options
        self._zone = zone
        self._reader = evtx_chunks.Reader()

    def parser(self, state: str = "") -> SysmonParser:
        """See `LogFormat`; there is nothing to remember."""
        del state
        return SysmonParser(self._options, self._zone, self._reader)

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: an event may have several lines."""
        found = shipped_traces(netblocks, wanted)
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether it is an event log, XML of events, or JSON of which most is Sysmon's."""
        if head.startswith(evtx_chunks.FILE_MAGIC):
            return True
        text = textframes.octets(head)
        return winevents.is_xml(text) or winevents.leading(text) == "sysmon"

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        """See `Framed`: chunks of an event log, events of XML, or lines."""
        head, blocks = textframes.peek(blocks, 512)
        if evtx_chunks.begins(head, start):
            return evtx_chunks.cut(blocks, start)
        if textframes.octets(head).lstrip().startswith((b"<", b"Record ")):
            return textframes.cut(blocks, start, winevents.EVENTS, winevents.NEXT_EVENT)
        return textframes.cut(blocks, start)


class SysmonParser:
    """Reads the frames of one file."""

    def __init__(self, options: Options, zone: tzinfo, reader: evtx_chunks.Reader) -> None:
        self._options = options
        self._zone = zone
        self._reader = reader
        self._lost = 0

    def state(self) -> str:
        """See `LogParser`: every event says all by itself."""
        return ""

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`."""
        try:
            if evtx_chunks.is_chunk(line):
                return self._chunk(line, offset)
            text = textframes.octets(line).strip()
            if not text or _BETWEEN.fullmatch(text):
                return None
            return self._event(text, offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def _event(self, text: bytes, offset: int) -> LogRecord | None:
        """What an event in JSON or XML says."""
        is_json = text.startswith(b"{")
        if not is_json and not text.startswith(b"<Event"):
            raise Unreadable("no event")
        if not (text.endswith(b"}") if is_json else text.rstrip(b"> \t\r\n").endswith(b"</Event")):
            raise Unreadable("event without its end")
        if not _may_tell(text):
            return None
        return self._record(winevents.from_json(text) if is_json else winevents.from_xml(text), offset)

    def _chunk(self, chunk: bytes, offset: int) -> Parsed:
        """What is said in a chunk of an event log."""
        if not any(mark in chunk for mark in _WIDE_MARKS):
            return None  # a chunk spells each of its words itself
        if self._lost >= MAX_LOST:
            raise Unreadable("chunk that was not tried: there are too many in this file that cannot be read")
        try:
            stored = self._reader.read(chunk)
        except Unreadable:
            self._lost += 1
            raise
        return tuple(found for event in stored if (found := self._stored(event, offset)) is not None)

    def _stored(self, event: evtx_chunks.Stored, offset: int) -> LogRecord | BadLine | None:
        if not event.json:
            return BadLine(offset + event.at, "event that cannot be read", b"")
        if not _may_tell(event.json):
            return None
        try:
            return self._record(winevents.from_json(event.json), offset + event.at)
        except Unreadable as err:
            return BadLine(offset + event.at, str(err), event.json[:SAMPLE])

    def _record(self, event: Event, offset: int) -> LogRecord | None:
        if event.provider and "sysmon" not in event.provider:
            return None
        if event.number == _QUERY:
            return self._query(event, offset)
        return self._connection(event, offset) if event.number == _CONNECTION else None

    def _query(self, event: Event, offset: int) -> LogRecord | None:
        rrname = _name("QueryName", event)
        if not rrname:
            return None
        results = event.get("QueryResults")
        answers = sysmon_results.read(results)
        sample = results[:SAMPLE].encode("utf-8", "replace")
        return LogRecord(
            time=self._time(event),
            client=winevents.client_of(event.computer),
            rrname=rrname,
            rrtype="",
            answers=answers.addresses,
            chain=answers.chain,
            offset=offset,
            unread=tuple(BadLine(offset, fault, sample) for fault in answers.faults),
            process=texts.shown(event.get("Image")),
        )

    def _connection(self, event: Event, offset: int) -> LogRecord | None:
        rrname = _name("DestinationHostname", event) if self._options.reverse_names else ""
        # Of what came in, the destination is the host itself.
        if event.get("Initiated").lower() == "false" or not (rrname or event.get("DestinationIp")):
            return None
        address = sysmon_results.address(event.get("DestinationIp"))
        if address is None:
            raise Unreadable("DestinationIp is no address")
        return LogRecord(
            time=self._time(event),
            client=winevents.client_of(event.computer),
            rrname=rrname,
            rrtype="",
            answers=(address,),
            chain=(),
            offset=offset,
            kind="connection",
            process=texts.shown(event.get("Image")),
        )

    def _time(self, event: Event) -> float:
        own = event.get("UtcTime")
        return winevents.moment(own) if own else winevents.moment(event.time, self._zone if event.local else UTC)


def _may_tell(text: bytes) -> bool:
    return any(mark in text for mark in _MARKS)


def _name(key: str, event: Event) -> str:
    """The canonical name in a value; "" for none, and for an address in its place."""
    spelt = event.get(key)
    if spelt in {"", "-"}:
        return ""
    try:
        return sysmon_results.canonical(spelt)
    except NameRefused as err:
        raise Unreadable(f"{key} is no name: {err}") from err
