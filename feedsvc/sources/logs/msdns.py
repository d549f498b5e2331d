r"""Windows DNS Server's debug log, with or without details, and its analytic log as shippers hand it on in JSON.

Written by the DNS role of Windows Server. Who asked for what is in both; the addresses are in the debug log only with
details, in the analytic log always.

Debug log (`dns.log`): switch on in the server's properties, Debug Logging, or with

    Set-DnsServerDiagnostics -SendPackets $true -ReceivePackets $true -UdpPackets $true -TcpPackets $true -Queries $true
        -QuestionTransactions $true -Answers $true -FullPackets $true -LogFilePath D:\dns\dns.log

`FullPackets` is what the dialogue calls Details. It costs the server something, and the file some 2 KB a packet.

Analytic log (Microsoft-Windows-DNSServer/Analytical): shippers that read ETW (Elastic Agent and Filebeat, NXLog's im_etw)
hand it on as JSON. The whole packet is in `PacketData`, in hexadecimal. Read are 256 (a client asked), 257 and 258 (it was
answered), 259 (it was not) and 261 (a server upstream answered). `.etl` files, and EVTX made of them, are not read.

Of a lookup the server may write four packets: asked, asked upstream, answered there, answered. It is told once. What was
sent to a client as an answer (`Snd` and `R`; 257, 258) tells who, what and, where details are, which addresses; as soon as a
log has shown such a packet, no other counts. Where it has none of them, what clients asked (`Rcv`) tells who asked, and what
came from servers upstream (`Rcv` and `R`; 261) which addresses. The first packets of a log are held back until it is clear.
Updates, notifications and what is no packet (`EVENT`, `NOTE`, …) are no records and no faults.

Times of the debug log are local in the `tz` of the source, and as the server's language writes them. A year of four digits
in front is followed by month and day. Else, with `date_order = "auto"`, a date with slashes and a clock of twelve hours has
the month in front, any other the day; a number above twelve proves it wrong or right from there on. Set `date_order` to
"dmy", "mdy" or "ymd" (a year of two digits in front) where that is not so: Australia, India and New Zealand write the day in
front and count hours to twelve. `clock` refuses times of the other kind. A date that cannot be is refused and told.

At its largest size the server begins the file anew, or (`EnableLogFileRollover`) goes on in another: let `path` take in all
of them, and poll more often than that happens. The server keeps the file open: what copies it must not mind. UTF-16, as
PowerShell writes it, is read like any other.

Not verified: how the server prints labels with odd octets (they are taken as they stand), and AAAA addresses in details.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

import msgspec

from feedsvc.errors import NameRefused, SourceError
from feedsvc.names import Netblock
from feedsvc.sources import dnswire, heads, textframes, texts, winevents
from feedsvc.sources.once import Once, Side
from feedsvc.sources.port import BadLine, Line, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.records import is_name
from feedsvc.sources.traces import Traces
from feedsvc.sources.windns_details import Details
from feedsvc.sources.windns_text import Clock, DateOrder, Moments, Packet, is_head, is_remark, name_of, read_packet, type_of
from feedsvc.sources.winevents import Event
from feedsvc.sources.wiretraces import shipped_traces

_SIDES: dict[int, tuple[Side, str]] = {
    256: ("asked", "Source"),
    257: ("answered", "Destination"),
    258: ("answered", "Destination"),
    259: ("asked", "Source"),
    261: ("upstream", ""),
}
_MARK = b"QNAME"
_HEAD_LINES = 3  # of which one shows a header: when the file was begun, when it was begun anew, and what its columns are
_INDENTS = frozenset({b" ", b"\t"})


@dataclass(frozen=True, slots=True)
class Options:
    """Settings.

    Attributes:
        date_order: what stands where in a date of the debug log: `auto`, `mdy`, `dmy` or `ymd`.
        clock: `12` or `24` refuses times of the other kind; `auto` takes both.
    """

    date_order: DateOrder = "auto"
    clock: Clock = "auto"


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read."""
    return MsDns(options, zone)


class MsDns:
    """Windows DNS Server's logs: see the module's manual page."""

    def __init__(self, options: Options, zone: tzinfo) -> None:
        self._options = options
        self._zone = zone

    def parser(self, state: str = "") -> MsDnsParser:
        """See `LogFormat`; the state is a packet that is not whole, what is held back, and the order of days and months."""
        return MsDnsParser(self._options, self._zone, _state_from(state))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: a packet may have several lines."""
        found = shipped_traces(netblocks, wanted)
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether it begins as a debug log does, or most of it is packets with their details, or events of this server."""
        text = textframes.octets(head)
        lines = heads.first_lines(text)
        if any(map(is_head, lines[:_HEAD_LINES])):
            return True
        packets = any(_kind_of(line) == "packet" for line in lines)
        return (packets and heads.mostly(text, lambda line: _kind_of(line) != "")) or winevents.leading(text) == "dnsserver"

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        """See `Framed`: lines, of letters with one or two octets."""
        return textframes.cut(blocks, start)


class _Open(msgspec.Struct):
    """A packet whose details may follow."""

    time: float
    side: Side
    client: str | None
    rrname: str
    rrtype: str
    offset: int
    details: Details


class _State(msgspec.Struct, forbid_unknown_fields=True):
    open: _Open | None = None
    once: str = ""
    learnt: str = ""


def _state_from(state: str) -> _State:
    try:
        return msgspec.json.decode(state, type=_State) if state else _State()
    except (msgspec.MsgspecError, RecursionError) as err:
        raise SourceError(f"what was remembered of a DNS debug log cannot be read: {err}", permanent=True) from err


def _kind_of(line: bytes) -> str:
    """`packet`, `detail`, `remark`, or nothing that this log has."""
    if line[:1] in _INDENTS or Details().begins(line):
        return "detail"
    try:
        packet = read_packet(line)
    except Unreadable:
        return ""
    return "packet" if packet else "remark" if is_remark(line) else ""


class MsDnsParser:
    """Reads the lines of one file."""

    def __init__(self, options: Options, zone: tzinfo, state: _State) -> None:
        self._zone = zone
        self._moments = Moments(zone, options.date_order, options.clock, state.learnt)
        self._once = Once(state.once)
        self._open = state.open

    def state(self) -> str:
        """See `LogParser`."""
        state = _State(self._open, self._once.state(), self._moments.learnt)
        return msgspec.json.encode(state).decode() if state != _State() else ""

    def finish(self) -> Parsed:
        """See `Waiting`."""
        return (*self._close(), *self._once.finish()) or None

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`. Splunk keeps a packet and its details as one: what is several lines is read as such."""
        text = textframes.octets(line)
        if b"\n" not in text:
            return self._line(text, offset)
        found: list[LogRecord | BadLine] = []
        for part in text.splitlines():
            found += self._line(part, offset) or ()
        return tuple(found) or None

    def _line(self, text: bytes, offset: int) -> tuple[LogRecord | BadLine, ...] | None:
        if text[:1] in _INDENTS:
            if self._open is not None:
                self._open.details.take(text)
            return None
        if self._open is not None and self._open.details.begins(text):
            return None
        found: list[LogRecord | BadLine] = [*self._close()]
        try:
            found += self._begin(text, offset)
        except Unreadable as err:
            found.append(BadLine(offset, str(err), text[:SAMPLE]))
        return tuple(found) or None

    def _begin(self, text: bytes, offset: int) -> tuple[LogRecord, ...]:
        """A line that belongs to nothing above it."""
        if text.startswith(b"{"):
            return self._event(text, offset)
        packet = read_packet(text)
        if packet is not None:
            self._open = self._opened(packet, offset)
        elif text and not is_remark(text) and not Details().begins(text):
            raise Unreadable("no line of a DNS debug log")
        return ()

    # -- the debug log -------------------------------------------------------------------------------------------------

    def _opened(self, packet: Packet, offset: int) -> _Open | None:
        side = _side_of(packet)
        if side is None or not packet.query or not self._once.wants(side):
            return None
        try:
            rrname = name_of(packet.name) if packet.name else ""
        except NameRefused as err:
            raise Unreadable(f"query is no name: {err}") from err
        if not rrname:
            return None
        client = None if side == "upstream" else texts.client_of(packet.remote.decode("ascii", "replace"))
        return _Open(self._moments.read(packet.stamp), side, client, rrname, packet.rrtype, offset, Details())

    def _close(self) -> tuple[LogRecord, ...]:
        """The packet that was waited for, if it counts."""
        opened, self._open = self._open, None
        if opened is None:
            return ()
        way = opened.details.way(opened.rrname)
        sample = opened.rrname.encode()[:SAMPLE]
        unread = tuple(BadLine(opened.offset, fault, sample) for fault in way.faults)
        record = LogRecord(
            opened.time, opened.client, opened.rrname, opened.rrtype, way.answers, way.chain, opened.offset, unread
        )
        return self._once.take(opened.side, record) if opened.side != "upstream" or way.answers else ()

    # -- the analytic log ----------------------------------------------------------------------------------------------

    def _event(self, text: bytes, offset: int) -> tuple[LogRecord, ...]:
        if not text.rstrip().endswith(b"}"):
            raise Unreadable("event without its end")
        if _MARK not in text:
            return ()
        event = winevents.from_json(text)
        side, end = _SIDES.get(event.number, (None, "")) if event.writer == "dnsserver" else (None, "")
        if side is None or not self._once.wants(side):
            return ()
        message = _message_of(event)
        if message is None or not is_name(message.rrname):
            return ()
        fault = (BadLine(offset, message.fault, text[:SAMPLE]),) if message.fault else ()
        time = winevents.moment(event.time, self._zone if event.local else UTC)
        client = texts.client_of(event.get(end)) if end else None
        answers, chain = (message.answers, message.chain) if side != "asked" else ((), ())
        record = LogRecord(time, client, message.rrname, message.rrtype, answers, chain, offset, fault)
        return self._once.take(side, record) if side != "upstream" or answers else ()


def _side_of(packet: Packet) -> Side | None:
    """Whose packet it is; None for what the server asks others."""
    if packet.sent:
        return "answered" if packet.response else None
    return "upstream" if packet.response else "asked"


def _message_of(event: Event) -> dnswire.Message | None:
    """The packet of an event; where it has none, what the event itself says of it."""
    data = event.get("PacketData")
    if not data:
        rrname = _asked_name(event.get("QNAME"))
        return (
            dnswire.Message(False, 0, rrname, type_of(event.get("QTYPE")[:16].encode("ascii", "replace")))
            if rrname
            else None
        )
    try:
        packet = bytes.fromhex(data.removeprefix("0x"))
    except ValueError as err:
        raise Unreadable("PacketData that is not hexadecimal") from err
    return dnswire.read(packet)


def _asked_name(spelt: str) -> str:
    try:
        return winevents.name_of(spelt.encode("utf-8", "replace"))
    except NameRefused as err:
        raise Unreadable(f"query is no name: {err}") from err
