r"""Defender's DeviceNetworkEvents: names that devices asked for or connected to, by which program, and where that led.

Written by Microsoft Defender for Endpoint
(https://learn.microsoft.com/defender-xdr/advanced-hunting-devicenetworkevents-table) and read as JSON, one object a line, as
it streams to a storage account or an event hub and as its API answers, or as CSV that was exported in the Defender portal,
in Sentinel or in Log Analytics. An export needs the columns Timestamp (or TimeGenerated), DeviceName, ActionType and
RemoteIP; RemoteUrl and AdditionalFields make it worth while, the columns of the initiating process say which program it was.

By ActionType are read

    DnsConnectionInspected                 kind dns: asked name and type, CNAMEs and addresses, out of AdditionalFields
    SslConnectionInspected                 kind tls: `server_name` out of AdditionalFields, at RemoteIP
    HttpConnectionInspected                kind http: `host` out of AdditionalFields, at RemoteIP; a request to a proxy gives
                                           name and client alone
    ConnectionSuccess, ConnectionFailed,   kind connection: the host of RemoteUrl, at RemoteIP; without a host the address
    ConnectionRequest, ConnectionFound     alone (also their AggregatedReport)

What came in (`direction` In, InboundConnectionAccepted), other tables and other actions are no records and no faults, nor
are rows of the others without a name. The client is DeviceName, else LocalIP; the process InitiatingProcessFolderPath with
its file.

RemoteUrl and the names out of connections are what the client said, and weaker than an answer. Behind a proxy RemoteIP is
the proxy's.

Answers are those of Zeek, which Defender has built in: CNAME targets and addresses stand in one list, without owners. For
questions for A and AAAA, and for those whose type is not told, what reads as an address is one, and the rest are CNAME
targets in order.

An answer of the API that is one line of more than 1 MiB has to be taken apart first (`jq -c '.results[]'`).

Times are ISO 8601, or as portals show them (`Sep 28, 2026 10:40:01 AM`); those of Log Analytics (`9/28/2026, 10:40:01.500
AM`) have the month in front unless `date_order` is "dmy", and are in UTC where the header says so, else in the `tz` of the
source. Streams begin a file anew each hour; an export does not change.

Not verified: whether `answers` is always a list (also a text with a list in it, and a text with commas, are read);
DeviceEvents (`DnsQueryResponse`) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

import msgspec

from feedsvc.errors import NameRefused, SourceError
from feedsvc.names import Address, Netblock
from feedsvc.sources import defender_rows, heads, readings, textframes, texts
from feedsvc.sources.defender_rows import DateOrder, Row
from feedsvc.sources.port import BadLine, Kind, Line, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import Traces
from feedsvc.sources.winevents import text_of
from feedsvc.sources.wiretraces import shipped_traces
from feedsvc.sources.zeek_said import unescape

_CONNECTIONS = frozenset(
    f"{action}{report}"
    for action in ("ConnectionSuccess", "ConnectionFailed", "ConnectionRequest", "ConnectionFound")
    for report in ("", "AggregatedReport")
)
_INSPECTED: dict[str, tuple[Kind, str]] = {
    "SslConnectionInspected": ("tls", "server_name"),
    "HttpConnectionInspected": ("http", "host"),
}
_DNS = "DnsConnectionInspected"
_ADDRESSED = frozenset({"A", "AAAA"})
_HOST = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/?#@]*@)?([^/?#]*)", re.DOTALL)
_LONGEST_NAME = 1024  # octets, all of them escaped
_LONGEST_URL = 65536


@dataclass(frozen=True, slots=True)
class Options:
    """Settings.

    Attributes:
        date_order: of times that begin with neither a year nor a letter: `mdy` or `dmy`.
    """

    date_order: DateOrder = "mdy"


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read."""
    return Defender(options, zone)


class Defender:
    """Defender's rows: see the module's manual page."""

    def __init__(self, options: Options, zone: tzinfo) -> None:
        self._options = options
        self._zone = zone

    def parser(self, state: str = "") -> DefenderParser:
        """See `LogFormat`; the state is the columns of a CSV file."""
        try:
            header = msgspec.json.decode(state, type=tuple[str, ...]) if state else ()
        except (msgspec.MsgspecError, RecursionError) as err:
            raise SourceError(f"the remembered columns of Defender's CSV cannot be read: {err}", permanent=True) from err
        return DefenderParser(self._options, self._zone, header)

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: rows are read by their header."""
        found = shipped_traces(netblocks, wanted)
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether it begins with a header of the table, or half of the first lines, or more, are rows of such tables."""
        text = textframes.octets(head)
        first, _, _ = text.lstrip().partition(b"\n")
        return bool(defender_rows.header_of(first.strip())) or heads.mostly(text, defender_rows.is_json_row)

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        """See `Framed`: rows, whose cells may hold line ends."""
        return textframes.cut(blocks, start, defender_rows.ROWS, textframes.AFTER_LINE_END)


class DefenderParser:
    """Reads the rows of one file; remembers the columns that hold at the moment."""

    def __init__(self, options: Options, zone: tzinfo, header: tuple[str, ...]) -> None:
        self._options = options
        self._zone = zone
        self._header = header

    def state(self) -> str:
        """See `LogParser`."""
        return msgspec.json.encode(self._header).decode() if self._header else ""

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`."""
        text = textframes.octets(line)
        found: list[LogRecord | BadLine] = []
        try:
            for row in self._rows(text):
                record = self._record_or_fault(row, text, offset)
                found += [record] if record else []
        except Unreadable as err:
            found.append(BadLine(offset, str(err), text[:SAMPLE]))
        return tuple(found) or None

    def _rows(self, text: bytes) -> Iterator[Row]:
        if text.startswith(b"{"):
            yield from defender_rows.from_json(text)
        elif header := defender_rows.header_of(text):
            self._header = header
        elif text.strip():
            yield defender_rows.from_csv(text, self._header)

    def _record_or_fault(self, row: Row, text: bytes, offset: int) -> LogRecord | BadLine | None:
        try:
            return self._record(row, offset)
        except Unreadable as err:
            return BadLine(offset, str(err), text[:SAMPLE])

    def _record(self, row: Row, offset: int) -> LogRecord | None:
        action = text_of(row.get("ActionType"))
        if action in _CONNECTIONS:
            return self._connection(row, "connection", _host(text_of(row.get("RemoteUrl")), "RemoteUrl"), offset)
        if action != _DNS and action not in _INSPECTED:
            return None
        fields = _fields(row.get("AdditionalFields"))
        if text_of(fields.get("direction")).lower() == "in":
            return None
        if action == _DNS:
            return self._exchange(row, fields, offset)
        kind, key = _INSPECTED[action]
        rrname = _host(text_of(fields.get(key)), key)
        method, target = (text_of(fields.get(name)).encode("utf-8", "replace") for name in ("method", "uri"))
        by_proxy = readings.is_for_proxy(method, target) if kind == "http" else False
        return self._connection(row, kind, rrname, offset, by_proxy=by_proxy)

    def _exchange(self, row: Row, fields: dict[str, Any], offset: int) -> LogRecord | None:
        rrname = _name(text_of(fields.get("query")), "query")
        if not rrname:
            return None
        rrtype = texts.rrtype_of(fields.get("qtype_name")) or texts.rrtype_of(fields.get("qtype"))
        untold = not any(text_of(fields.get(key)) for key in ("qtype_name", "qtype"))
        addresses, chain, unread = _NO_ANSWERS
        if rrtype in _ADDRESSED or untold:
            addresses, chain, unread = _answers(fields.get("answers"), offset)
        if untold and not addresses:
            addresses, chain, unread = _NO_ANSWERS  # these are targets of any type
        return LogRecord(
            time=self._time(row),
            client=_client(row),
            rrname=rrname,
            rrtype=rrtype,
            answers=addresses,
            chain=chain,
            offset=offset,
            unread=unread,
            process=_process(row),
        )

    def _connection(self, row: Row, kind: Kind, rrname: str, offset: int, *, by_proxy: bool = False) -> LogRecord | None:
        address = None if by_proxy else texts.address_of(row.get("RemoteIP"))
        if not rrname and (kind != "connection" or address is None):
            return None
        return LogRecord(
            time=self._time(row),
            client=_client(row),
            rrname=rrname,
            rrtype="",
            answers=(address,) if address else (),
            chain=(),
            offset=offset,
            kind=kind,
            process=_process(row),
        )

    def _time(self, row: Row) -> float:
        return defender_rows.time_of(row, self._options.date_order, self._zone)


def _fields(value: object) -> dict[str, Any]:
    """`AdditionalFields`: an object, or a text with one in it."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or not value.strip():
        return {}
    try:
        found = msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError) as err:
        raise Unreadable("AdditionalFields that are no JSON") from err
    return found if isinstance(found, dict) else {}


def _client(row: Row) -> str | None:
    return texts.client_of(row.get("DeviceName"), row.get("LocalIP"))


def _process(row: Row) -> str:
    folder, file = (text_of(row.get(f"InitiatingProcess{part}")) for part in ("FolderPath", "FileName"))
    return texts.shown(folder if folder.lower().endswith(file.lower()) else file)


def _name(spelt: str, key: str) -> str:
    """A canonical name; "" for none, the root, and an address in its place."""
    if len(spelt) > _LONGEST_NAME:
        raise Unreadable(f"{key} is no name: longer than any name can be written")
    try:
        name = readings.host_of(unescape(spelt.encode("utf-8", "replace"))) if spelt not in {"", "-"} else None
    except NameRefused as err:
        raise Unreadable(f"{key} is no name: {err}") from err
    return name or ""


def _host(url: str, key: str) -> str:
    """The host of what is a name or a URL."""
    found = _HOST.match(url, 0, _LONGEST_URL)
    return _name(found[1] if found else "", key)


_Answers = tuple[tuple[Address, ...], tuple[str, ...], tuple[BadLine, ...]]
_NO_ANSWERS: _Answers = ((), (), ())


def _answers(value: object, offset: int) -> _Answers:
    addresses: dict[Address, None] = {}
    chain: list[str] = []
    unread: list[BadLine] = []
    for spelt in _listed(value):
        address = texts.address_of(spelt)
        if address is not None:
            addresses[address] = None
        elif " " not in spelt:  # as what Zeek writes for records of other types has one
            try:
                chain += [name] if (name := _name(spelt, "answer")) else []
            except Unreadable as err:
                unread.append(BadLine(offset, str(err), spelt.encode("utf-8", "replace")[:SAMPLE]))
    return tuple(addresses), tuple(chain), tuple(unread)


def _listed(value: object) -> list[str]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return []
    if isinstance(value, str):
        value = value.split(",")
    return [text for one in value if isinstance(one, str) and (text := one.strip())] if isinstance(value, list) else []
