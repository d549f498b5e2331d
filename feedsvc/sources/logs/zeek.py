r"""Zeek dns.log, TSV or JSON: who asked for which name, and the whole answer, in one line.

Written by Zeek (https://docs.zeek.org/en/master/logs/dns.html) wherever DNS crosses a sensor; nothing must be switched on.
A file may be TSV, JSON, or one after the other: every line is read for what it is.

TSV is read by its header: separators, the words for empty and unset, and the columns are what `#separator`,
`#set_separator`, `#empty_field`, `#unset_field`, `#path` and `#fields` say, each time they say it. Columns are found by
their names, so that logs with more or fewer of them are read alike. A `#path` other than `dns` is another log: its lines are
no records, and no faults. Lines above the first `#fields` cannot be read and are counted.

JSON takes `id.orig_h` and `id_orig_h`, and times as epoch seconds, epoch milliseconds or ISO 8601 (`json_timestamps`). A
line whose `_path` is not `dns`, or which has no `query`, is no record.

Of a record are read: time (`ts`), client (`id.orig_h`), asked name and type (`query`, `qtype_name`, else `qtype`) and
`answers`. Zeek does not log whose answer each of them is, so CNAME targets and addresses stand in one list: for a question
for A or AAAA, what reads as an address is one, what another record type left there (`TXT 5 hello`, `RRSIG …`) is neither,
and the rest are the CNAME targets in order. Other questions give no address, whatever their answers look like. Bytes that
Zeek escaped (`\x2c`) are the bytes again before anything is made of them.

Zeek rotates by renaming and, with zeekctl, compresses into a folder for each day: let `path` take in both the live file and
these folders (`/opt/zeek/logs/*/dns.*`).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from feedsvc import names
from feedsvc.errors import NameRefused, SourceError
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from feedsvc.sources.records import printable

_LATEST = 253402300800.0  # 9999-12-31T24:00:00Z in epoch seconds: what a datetime can hold ends there
_MILLISECONDS = 1e11  # epoch seconds get there in the year 5138, epoch milliseconds were there in 1973
_SAMPLE = 200  # bytes of a bad line that are kept
_MANY = 65536  # names and addresses remembered: a log asks for the same few thousand again and again

_ADDRESSED = frozenset({"A", "AAAA"})
_NO_NAME = frozenset({b"", b".", b"<Root>"})  # the root, as Zeek's versions write it
_ADDRESS = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*")
_PLAIN = re.compile(rb"[a-z0-9_.-]{1,253}")
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
# Zeek writes names in lower case; what it writes for records of other types begins with a word in upper case or an angle
# bracket (scripts/base/protocols/dns/main.zeek).
_OTHER_TYPE = re.compile(rb"[A-Z][A-Z0-9]*:? |<|NSEC3(?:PARAM)?\Z")
_STRAY_BYTE = re.compile("[\udc80-\udcff]")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """There is nothing to set: the file itself says all that must be known."""


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - nothing to set, and Zeek writes UTC
    """The format, ready to read."""
    return Zeek()


class Zeek:
    """Zeek's logs: see the module's manual page."""

    def parser(self, state: str = "") -> ZeekParser:
        """See `LogFormat`; the state is the header that holds."""
        return ZeekParser(_header_from(state))

    def recognises(self, head: bytes) -> bool:
        """Whether a file begins with a Zeek header, or with a JSON line of any of Zeek's logs."""
        first, _, _ = head.lstrip(b"\r\n").partition(b"\n")
        if first.startswith((b"#separator ", b"#fields\t")):
            return True
        line = _decode(_KIND, first)
        return line is not None and (line.path is not None or (line.ts is not None and line.uid is not None))


class ZeekParser:
    """Reads the lines of one file; remembers the header that holds at the moment."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._layout = _layout_of(header)

    def state(self) -> str:
        """See `LogParser`: the header, or nothing while there was none."""
        return msgspec.json.encode(self._header).decode() if self._header != Header() else ""

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """See `LogParser`."""
        try:
            exchange = self._read(line)
            return _record(exchange, offset) if exchange else None
        except _Unreadable as err:
            return BadLine(offset, str(err), line[:_SAMPLE])

    def _read(self, line: bytes) -> _Exchange | None:
        first = line[:1]
        if first == b"{":
            return _from_json(line)
        if first == b"#":
            self._header = _next_header(self._header, line)
            self._layout = _layout_of(self._header)
            return None
        if not first:
            return None
        if not self._header.fields:
            raise _Unreadable("line without a #fields header above it")
        return _from_row(line, self._layout) if self._layout else None


class _Unreadable(ValueError):
    """A line that cannot be understood; the message is the reason of a `BadLine`."""


class _Exchange(NamedTuple):
    """What a line says, whichever way it is written: texts as Zeek spells them, empty where there is nothing."""

    time: bytes | float | str
    client: bytes
    query: bytes
    rrtype: str
    answers: list[bytes]


# -- TSV ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """What the lines above say of those below: Zeek's defaults until they say anything."""

    separator: bytes = b"\t"
    set_separator: bytes = b","
    empty: bytes = b"(empty)"
    unset: bytes = b"-"
    path: bytes = b""
    fields: tuple[bytes, ...] = ()


class _Layout(NamedTuple):
    """A header made ready for its rows: how many columns, and which of them are read (-1: the log does not have it)."""

    separator: bytes
    set_separator: bytes
    nothing: frozenset[bytes]
    width: int
    ts: int
    client: int
    query: int
    qtype_name: int
    qtype: int
    answers: int


_READ = (b"ts", b"id.orig_h", b"query", b"qtype_name", b"qtype", b"answers")


def _header_from(state: str) -> Header:
    try:
        return msgspec.json.decode(state, type=Header) if state else Header()
    except msgspec.MsgspecError as err:
        raise SourceError(f"the remembered Zeek header cannot be read: {err}", permanent=True) from err


def _next_header(header: Header, line: bytes) -> Header:
    """The header after one more line of it; `#open`, `#close`, `#types` and remarks say nothing that is needed."""
    if line.startswith(b"#separator "):
        # The first line of every header: what an earlier one said is over.
        return Header(separator=_unescape(line.removeprefix(b"#separator ")) or b"\t")
    key, *values = line.split(header.separator)
    value = values[0] if values else b""
    match key:
        case b"#set_separator":
            header = replace(header, set_separator=value or header.set_separator)
        case b"#empty_field":
            header = replace(header, empty=value)
        case b"#unset_field":
            header = replace(header, unset=value)
        case b"#path":
            header = replace(header, path=value)
        case b"#fields":
            header = replace(header, fields=tuple(values))
    return header


def _layout_of(header: Header) -> _Layout | None:
    """None for a log that is no dns.log."""
    fields = header.fields
    if header.path not in {b"", b"dns"} or b"query" not in fields:
        return None
    columns = (fields.index(name) if name in fields else -1 for name in _READ)
    # b"" stands behind every row, where the columns point to that the log does not have.
    nothing = frozenset({header.unset, header.empty, b""})
    return _Layout(header.separator, header.set_separator, nothing, len(fields), *columns)


def _from_row(line: bytes, layout: _Layout) -> _Exchange:
    cells = line.split(layout.separator)
    if len(cells) != layout.width:
        raise _Unreadable("not as many columns as #fields names")
    cells.append(b"")
    nothing = layout.nothing
    client, query, answers = cells[layout.client], cells[layout.query], cells[layout.answers]
    name, number = cells[layout.qtype_name], cells[layout.qtype]
    return _Exchange(
        time=cells[layout.ts],
        client=b"" if client in nothing else client,
        query=b"" if query in nothing else query,
        rrtype=_rrtype(b"" if name in nothing else name, number),
        answers=[] if answers in nothing else answers.split(layout.set_separator),
    )


# -- JSON --------------------------------------------------------------------------------------------------------------


class _Kind(msgspec.Struct, gc=False):
    """What shows that a JSON line is Zeek's, and of which log."""

    ts: float | str | None = None
    uid: str | None = None
    path: str | None = msgspec.field(name="_path", default=None)


class _Line(msgspec.Struct, gc=False):
    """What is read of a JSON line; unset fields are left out by Zeek, null by those who pass its logs on."""

    ts: float | str | None = None
    client: str | None = msgspec.field(name="id.orig_h", default=None)
    client_flat: str | None = msgspec.field(name="id_orig_h", default=None)
    query: str | None = None
    qtype: Annotated[int, msgspec.Meta(ge=0, le=65535)] | str | None = None
    qtype_name: str | None = None
    answers: list[str | None] | None = None
    path: str | None = msgspec.field(name="_path", default=None)


_KIND = msgspec.json.Decoder(_Kind)
_LINE = msgspec.json.Decoder(_Line)


def _decode(decoder: msgspec.json.Decoder[T], line: bytes) -> T | None:
    try:
        return decoder.decode(line)
    except UnicodeDecodeError:
        spelt = _spell_stray_bytes(line)
    except (msgspec.MsgspecError, RecursionError):
        return None
    try:
        return decoder.decode(spelt)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _spell_stray_bytes(line: bytes) -> str:
    r"""A line that is no UTF-8, its stray bytes spelt `\xNN` as Zeek's own JSON writer does."""
    text = line.decode("utf-8", "surrogateescape")
    return _STRAY_BYTE.sub(lambda stray: f"\\\\x{ord(stray.group()) - 0xDC00:02x}", text)


def _from_json(line: bytes) -> _Exchange | None:
    found = _decode(_LINE, line)
    if found is None:
        kind = _decode(_KIND, line)
        if kind is not None and kind.path not in {None, "dns"}:
            return None
        raise _Unreadable("no JSON, or not of the shape that Zeek writes")
    if found.query is None or found.path not in {None, "dns"}:
        return None
    return _Exchange(
        time=found.ts if found.ts is not None else "",
        client=(found.client or found.client_flat or "").encode(),
        query=found.query.encode(),
        rrtype=_rrtype((found.qtype_name or "").encode(), str(found.qtype).encode()),
        answers=[answer.encode() for answer in found.answers or () if answer is not None],
    )


# -- what both mean ----------------------------------------------------------------------------------------------------


def _record(exchange: _Exchange, offset: int) -> LogRecord | None:
    query = _unescape(exchange.query)
    if query in _NO_NAME:
        return None
    try:
        rrname = _name(query)
    except NameRefused as err:
        raise _Unreadable(f"query is no name: {err}") from err
    answers, chain, unread = _split_answers(exchange, offset)
    return LogRecord(
        time=_time(exchange.time),
        client=_client(exchange.client),
        rrname=rrname,
        rrtype=exchange.rrtype,
        answers=answers,
        chain=chain,
        offset=offset,
        unread=unread,
    )


def _split_answers(
    exchange: _Exchange, offset: int
) -> tuple[tuple[names.Address, ...], tuple[str, ...], tuple[BadLine, ...]]:
    """Addresses, CNAME targets, and what is neither though it should be."""
    if not exchange.answers or exchange.rrtype not in _ADDRESSED:
        return (), (), ()
    addresses: list[names.Address] = []
    chain: list[str] = []
    unread: list[BadLine] = []
    for spelt in exchange.answers:
        answer = _unescape(spelt)
        address = _address(answer)
        if address is not None:
            addresses.append(address)
        elif answer not in _NO_NAME and not _OTHER_TYPE.match(answer):
            try:
                chain.append(_name(answer))
            except NameRefused as err:
                unread.append(BadLine(offset, f"answer is neither address nor name: {err}", spelt[:_SAMPLE]))
    return tuple(addresses), tuple(chain), tuple(unread)


def _unescape(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(lambda escape: bytes([int(escape.group(1), 16)]), text)


@functools.lru_cache(maxsize=_MANY)
def _name(octets: bytes) -> str:
    """The canonical name of what Zeek joined from wire labels: octets, not the presentation format of RFC 1035."""
    if _PLAIN.fullmatch(octets):
        return names.parse_name(octets.decode("ascii"))
    return names.encode_labels(octets.removesuffix(b".").split(b"."))


@functools.lru_cache(maxsize=_MANY)
def _address(octets: bytes) -> names.Address | None:
    if not _ADDRESS.fullmatch(octets):
        return None
    try:
        return names.parse_address(octets.decode("ascii"))
    except NameRefused:
        return None


@functools.lru_cache(maxsize=_MANY)
def _client(spelt: bytes) -> str | None:
    """Who asked. What is no address is kept as it is: a site may write pseudonyms there."""
    octets = _unescape(spelt)
    return str(_address(octets) or printable(octets)) if octets else None


@functools.lru_cache(maxsize=1024)
def _rrtype(name: bytes, number: bytes) -> str:
    if name:
        return name.decode("ascii", "backslashreplace")
    if not number.isdigit() or len(number) > 5:
        return ""
    return {1: "A", 28: "AAAA"}.get(int(number), f"TYPE{int(number)}")  # RFC 3597 §5


def _time(value: bytes | float | str) -> float:
    """Epoch seconds of a `ts` in any of Zeek's spellings."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = _iso_time(value)
    if seconds >= _MILLISECONDS:
        seconds /= 1000
    if not 0 <= seconds < _LATEST:
        raise _Unreadable("ts is no time")
    return seconds


def _iso_time(value: bytes | float | str) -> float:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise _Unreadable("ts is no time") from err
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
