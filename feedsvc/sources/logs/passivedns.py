"""passivedns (gamelinux): the log of a sensor, one record of an answer in each line, as text or JSON.

Written by passivedns (https://github.com/gamelinux/passivedns), which sniffs DNS. Run it with `-P 0`. Without that it writes
each answer once a day, whoever asks for it: most clients are not in the log then, and a new name whose CNAME leads to a name
that is known already is written without the addresses, so that nobody sees where it leads.

    1322849924.408856||10.1.1.1||8.8.8.8||IN||www.example.com.||A||198.51.100.7||43200||8

The fields are time, client, server, class, name, type, answer, TTL and count; before 1.0 there was no count, and no fraction
of the time. Other fields (`-f`) and another delimiter (`-d`) can be set below. A line may stand behind a syslog header
(`-y`). JSON (`-j`, `-J`) has `timestamp_s`, `timestamp_ms` (microseconds in truth), `client`, `class`, `query`, `type` and
`answer`.

Each line is a record. Lines of one moment, client and server belong to one message. Behind a CNAME newer versions write the
name that it leads to, older ones the asked name in every line; both are followed: an address line behind CNAME lines tells
of the asked name, with the CNAMEs as the way. CNAME lines without address lines are one record without addresses, which is
told with the next line. Addresses come out of A and AAAA lines alone; lines about errors (`NXDOMAIN`, …) and of other types
tell who asked. The count is not read: a record is one answer. A name with the delimiter in it makes a line that cannot be
read.

On SIGHUP it opens its log again; rotation may rename, or copy and truncate.

Not verified with the program itself, but with its source. JSON without `timestamp_s` (`-f H`) is not read.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

import msgspec

from feedsvc.errors import NameRefused, SourceError
from feedsvc.names import Netblock, parse_name
from feedsvc.plugins import OptionFaults
from feedsvc.sources import heads, json_lines
from feedsvc.sources.chains import MAX_CHAIN
from feedsvc.sources.dnswire import type_name
from feedsvc.sources.port import BadLine, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import LATEST, SAMPLE, Unreadable, address_of, client_of
from feedsvc.sources.records import is_name
from feedsvc.sources.traces import JSON, PRESENTATION, Traces, text_traces

_TIMES = "HSM"  # date and time, seconds, microseconds: one column, the first
_ORDER = "hcwsWpCQLTAltn"  # the others in the order in which passivedns writes them, whatever their order in `-f`
_DEFAULT = "SMcsCQTAtn"
_ADDRESSED = frozenset({"A", "AAAA"})

_MOMENT = 0.01  # seconds between the lines of one message, at most; one that is captured has the same time in all
_SECONDS = re.compile(rb"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_HEADER = re.compile(rb"[^{]{0,200}?passivedns(?:\[[0-9]+\])?: ")
_LONGEST_TYPE = 16  # octets; what is longer is not remembered
_RRTYPE = re.compile(r"[A-Za-z0-9-]+")
_ERROR = re.compile(rb"[A-Z]{3,10}(?:-ERROR-[0-9]+)?")  # NXDOMAIN, UNKNOWN-ERROR-11
_LINE = re.compile(
    rb"(?:[^|{]{0,200}?passivedns(?:\[[0-9]+\])?: )?[0-9]{9,11}(?:\.[0-9]{1,6})?\|\|[0-9a-fA-F.:]+\|\|[0-9a-fA-F.:]+\|\|"
    rb"(?:IN|CH|HS|NONE|ANY|[0-9]+)\|\|[^|]++\|\|[A-Z0-9]+\|\|.*\|\|[0-9]+(?:\|\|[0-9]+)?"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What may be set for passivedns.

    Attributes:
        fields: the letters of its `-f`; Q, T, A and a time (S, or H in the `tz` of the source) are needed.
        delimiter: that of its `-d`.
    """

    fields: str = _DEFAULT
    delimiter: str = "||"


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read.

    Raises:
        OptionFaults: with such fields nothing can be read.
    """
    return PassiveDns(_layout_of(options, zone))


class PassiveDns:
    """The log of passivedns: see the module's manual page."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def parser(self, state: str = "") -> PassiveDnsParser:
        """See `LogFormat`; the state is the way that CNAMEs of the message at hand have led so far."""
        return PassiveDnsParser(self._layout, _way_from(state))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: an answer has several lines."""
        found = text_traces(netblocks, wanted, (JSON, PRESENTATION))
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether most of the first lines are such as passivedns writes."""
        return heads.mostly(head, _is_line)


class PassiveDnsParser:
    """Reads the lines of one file; remembers where the CNAMEs of the message at hand lead."""

    def __init__(self, layout: Layout, way: Way | None) -> None:
        self._layout = layout
        self._way = way

    def state(self) -> str:
        """See `LogParser`."""
        return msgspec.json.encode(self._way).decode() if self._way else ""

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`."""
        if not line or line.startswith(b"#"):
            return None
        try:
            row = _row(line, self._layout)
            return self._take(row, offset) if row else None
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def carry(self) -> str:
        """See `Continuing`."""
        return self.state()

    def finish(self) -> Parsed:
        """See `Waiting`."""
        return self._end()

    def _take(self, row: _Row, offset: int) -> tuple[LogRecord, ...]:
        name = _name(row.query, "query")
        if not name or not is_name(name):
            return ()
        way = self._way if self._way and self._way.leads_through(row, name) else None
        target = _name(row.answer, "answer") if row.rrtype == "CNAME" else ""
        if target and target != name:
            if way and way.goes_on_to(target):
                return ()
            before = self._end()
            self._way = Way(row.ends, row.time, row.client, offset, [name, target])
            return before
        if way and row.rrtype in _ADDRESSED:
            way.told = True
            return (_record(row, way.names[0], tuple(way.names[1:]), offset),)
        return (*self._end(), _record(row, name, (), offset))

    def _end(self) -> tuple[LogRecord, ...]:
        """What CNAMEs say that no address came behind."""
        way, self._way = self._way, None
        return (way.record(),) if way and not way.told else ()


@dataclass(slots=True)
class Way:
    """Where the CNAMEs of one message lead.

    Attributes:
        ends: client and server, as they are written.
        offset: of the first of them.
        names: the asked one, then the targets.
        told: whether there were addresses.
    """

    ends: str
    time: float
    client: str | None
    offset: int
    names: list[str]
    told: bool = False

    def leads_through(self, row: _Row, name: str) -> bool:
        """Whether a line belongs to it: newer versions write the last name there, older ones the first."""
        return row.ends == self.ends and abs(row.time - self.time) < _MOMENT and name in {self.names[0], self.names[-1]}

    def goes_on_to(self, target: str) -> bool:
        """Take one more step; whether there could be one, for the same question may be answered twice in one moment."""
        if self.told or target in self.names or len(self.names) > MAX_CHAIN:
            return False
        self.names.append(target)
        return True

    def record(self) -> LogRecord:
        """What it says without addresses."""
        return LogRecord(self.time, self.client, self.names[0], "CNAME", (), tuple(self.names[1:]), self.offset)


def _way_from(state: str) -> Way | None:
    try:
        return msgspec.json.decode(state, type=Way) if state else None
    except msgspec.MsgspecError as err:
        raise SourceError(f"what was remembered of a log cannot be read: {err}", permanent=True) from err


def _record(row: _Row, name: str, chain: tuple[str, ...], offset: int) -> LogRecord:
    address = address_of(row.answer) if row.rrtype in _ADDRESSED else None
    odd = row.rrtype in _ADDRESSED and address is None and not _ERROR.fullmatch(row.answer)
    return LogRecord(
        time=row.time,
        client=row.client,
        rrname=name,
        rrtype=row.rrtype,
        answers=(address,) if address else (),
        chain=chain,
        offset=offset,
        unread=(BadLine(offset, "answer is no address", row.answer[:SAMPLE]),) if odd else (),
    )


# -- lines ---------------------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """What a line says; `ends` are client and server as they are written."""

    ends: str
    time: float
    client: str | None
    query: bytes
    rrtype: str
    answer: bytes


class Layout(NamedTuple):
    """Where in a line of text the fields are that are read; -1 for those that are not there."""

    delimiter: bytes
    widths: frozenset[int]
    zone: tzinfo | None  # of the time, when it is written as a date
    client: int
    server: int
    kind: int
    query: int
    rrtype: int
    answer: int


def _layout_of(options: Options, zone: tzinfo) -> Layout:
    fields = frozenset(options.fields)
    order = [letter for letter in _ORDER if letter in fields]
    if not fields <= {*_TIMES, *_ORDER} or not fields >= {"Q", "T", "A"} or fields.isdisjoint("HS"):
        raise OptionFaults({"fields": f"fields: {options.fields!r} must be letters of -f, Q, T, A and S (or H) among them"})
    if not options.delimiter.isascii() or not options.delimiter:
        raise OptionFaults({"delimiter": "delimiter: must be ASCII, and something"})
    width = 1 + len(order)
    # Before 1.0 the log ended with the TTL.
    widths = {width, width - 1} if options.fields == _DEFAULT else {width}
    places = (1 + order.index(letter) if letter in fields else -1 for letter in "csCQTA")
    return Layout(options.delimiter.encode(), frozenset(widths), zone if "H" in fields else None, *places)


def _row(line: bytes, layout: Layout) -> _Row | None:
    """What a line says; None when it is about another class than IN."""
    if line.startswith(b"{"):
        return _from_json(line)
    cells = line.split(layout.delimiter)
    time = _time(cells[0], layout.zone)
    if time is None and (header := _HEADER.match(cells[0])):
        if line.startswith(b"{", header.end()):
            return _from_json(line[header.end() :])
        time = _time(cells[0][header.end() :], layout.zone)
    if time is None:
        raise Unreadable("line does not begin with a time")
    if len(cells) not in layout.widths:
        raise Unreadable("not as many fields as there should be")
    cells.append(b"")  # where the places of fields that are not there point to
    if cells[layout.kind] not in {b"IN", b""}:
        return None
    client = cells[layout.client]
    ends = b" ".join((client, cells[layout.server])).decode("latin-1")
    return _Row(ends, time, client_of(client), cells[layout.query], _rrtype(cells[layout.rrtype]), cells[layout.answer])


def _time(text: bytes, zone: tzinfo | None) -> float | None:
    if zone is not None:
        return _local_time(text, zone)
    if not _SECONDS.fullmatch(text):
        return None
    seconds = float(text)
    return seconds if seconds < LATEST else None


def _local_time(text: bytes, zone: tzinfo) -> float | None:
    try:
        moment = datetime.fromisoformat(text.decode("ascii"))
        seconds = moment.replace(tzinfo=moment.tzinfo or zone).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < LATEST else None


class _Json(msgspec.Struct, gc=False):
    """What is read of a line of JSON."""

    query: str
    type: str
    answer: str
    timestamp_s: int
    timestamp_ms: int = 0
    client: str = ""
    server: str = ""
    kind: str = msgspec.field(name="class", default="IN")


_JSON = msgspec.json.Decoder(_Json)


def _from_json(line: bytes) -> _Row | None:
    found = json_lines.decode(_JSON, line)
    if found is None:
        raise Unreadable("no JSON, or not of the shape that passivedns writes")
    time = found.timestamp_s + found.timestamp_ms / 1_000_000
    if not (0 <= found.timestamp_s < LATEST and 0 <= found.timestamp_ms < 1_000_000):
        raise Unreadable("timestamp_s is no time")
    if found.kind != "IN":
        return None
    ends = f"{found.client} {found.server}"
    client, query, answer = found.client.encode(), found.query.encode(), found.answer.encode()
    return _Row(ends, time, client_of(client), query, _rrtype(found.type.encode()), answer)


def _is_line(line: bytes) -> bool:
    if _LINE.fullmatch(line):
        return True
    header = _HEADER.match(line)
    return json_lines.decode(_JSON, line[header.end() :] if header else line) is not None


def _rrtype(text: bytes) -> str:
    """A type by its mnemonic; passivedns writes numbers for those that it does not know."""
    return _known_rrtype(text) if len(text) <= _LONGEST_TYPE else ""


@functools.lru_cache(maxsize=1024)
def _known_rrtype(text: bytes) -> str:
    if text.isdigit() and len(text) <= 5:
        return type_name(int(text))
    found = text.decode("ascii", "replace")
    return found if _RRTYPE.fullmatch(found) else ""


def _name(text: bytes, what: str) -> str:
    """The canonical name; "" for the root."""
    try:
        return _canonical(text)
    except NameRefused as err:
        raise Unreadable(f"{what} is no name: {err}") from err


@functools.lru_cache(maxsize=65536)
def _canonical(text: bytes) -> str:
    try:
        return parse_name(text.decode("ascii")) if text != b"." else ""
    except UnicodeDecodeError as err:
        raise NameRefused("not written in ASCII") from err
