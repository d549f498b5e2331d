"""The protobuf stream of PowerDNS Recursor and dnsdist, as it comes over a socket or was written to a file.

Switch on in the Recursor `protobufServer("192.0.2.1:4242")` (Lua), or `logging.protobuf_servers` (YAML, from 5.1 on); leave
A, AAAA and CNAME among its `exportTypes`, as they are unless somebody changed that. In dnsdist add
`addResponseAction(AllRule(), RemoteLogResponseAction(newRemoteLogger("192.0.2.1:4242"), nil, true))`; without that `true` it
leaves CNAMEs out, and of the names on a way the first and the last alone are seen. At that address a source with `listen =
"tcp:192.0.2.1:4242"` takes it. Or a program writes what comes to a file:
`socat -u TCP-LISTEN:4242,reuseaddr OPEN:/var/log/pdns.pb,creat,append`, started again whenever it ends. It takes one
connection: the messages of several, written to one file, would run into each other.

The stream is messages (PBDNSMessage, https://github.com/PowerDNS/dnsmessage), each behind its length in two octets. It has
no beginning and no end. Where it was broken off, the next message is looked for by its first octets; what lies between is
counted as one line that could not be read.

Of a message are read: time (`timeSec`, `timeUsec`), client (`from`), `question`, and of its `response` CNAMEs and addresses,
by their owners. Not read: identities, ports, policies, tags, traces and what else there is.

One lookup may be written four times. What clients were answered (`response`) is read, and nothing else of a log that has any
of it. Of a log that has none, what clients asked (`query`) tells who, and what other servers answered (`incoming-response`,
of an `outgoingProtobufServer`) tells addresses without a client; one that knows a part of a chain of CNAMEs tells that part
alone. Which of the two a log is shows with its first answer, or when a minute and 32 messages have gone by without one. For
a file into which several servers write different things, say by `messages` what to read.

To rotate, rename the file and end the writing program; do not copy and truncate.

Verified with Recursor 4.8 and dnsdist 1.7. Not verified: what later versions add, which is passed over.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal

from feedsvc.errors import NameRefused
from feedsvc.names import Address, Netblock, parse_name
from feedsvc.sources import chains, frames, heads, protobuf
from feedsvc.sources.dnswire import packed_address, type_name
from feedsvc.sources.frames import LOST, Framing
from feedsvc.sources.once import Once, Side
from feedsvc.sources.port import BadLine, Line, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import LATEST, SAMPLE, Unreadable
from feedsvc.sources.records import is_name
from feedsvc.sources.sessions import Frames
from feedsvc.sources.traces import PRESENTATION, Traces, text_traces
from feedsvc.sources.wiretraces import octet_traces

MessageType = Literal["query", "response", "incoming-response"]

# dnsmessage.proto: the fields of PBDNSMessage, of its DNSQuestion, its DNSResponse, and of the DNSRR in that.
_TYPE, _FROM, _SEC, _USEC, _QUESTION, _RESPONSE, _SUBNET = 1, 6, 9, 10, 12, 13, 14
_QNAME, _QTYPE, _QCLASS = 1, 2, 3
_RR = 2
_OWNER, _RRTYPE, _CLASS, _RDATA = 1, 2, 3, 5

_SIDES: Mapping[int, Side] = {1: "asked", 2: "answered", 4: "upstream"}
_NUMBERS: Mapping[MessageType, int] = {"query": 1, "response": 2, "incoming-response": 4}
_IN, _CNAME = 1, 5
_LONGEST_ADDRESS = 16  # octets; what is longer is not remembered
_OCTETS = {1: 4, 28: 16}  # of an address, by the type of its record

Fields = Mapping[int, protobuf.Value]


@dataclass(frozen=True, slots=True)
class Options:
    """What may be set for the stream of PowerDNS.

    Attributes:
        messages: the types to read, such as `["response", "incoming-response"]`, each message of them as a record of its
            own; empty: each lookup once, as said above.
        client: `from`, or `subnet` for the client in front of a proxy that passes it on as EDNS Client Subnet (a Recursor
            behind dnsdist with `useClientSubnet`); an address that was cut to a subnet is taken for one then.
    """

    messages: tuple[MessageType, ...] = ()
    client: Literal["from", "subnet"] = "from"


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - the stream has epoch seconds
    """The format, ready to read."""
    sides = {_NUMBERS[name]: _SIDES[_NUMBERS[name]] for name in options.messages}
    return PowerDns(sides, (_FROM,) if options.client == "from" else (_SUBNET, _FROM))


class PowerDns:
    """The stream of PowerDNS: see the module's manual page.

    Args:
        sides: the message types to read, each message of them; empty to read each lookup once.
        clients: the fields that may hold the client; the first that does counts.
    """

    def __init__(self, sides: Mapping[int, Side], clients: tuple[int, ...]) -> None:
        self._sides = sides
        self._clients = clients

    def parser(self, state: str = "") -> PowerDnsParser:
        """See `LogFormat`."""
        return PowerDnsParser(self._sides or _SIDES, self._clients, Once(state, each=bool(self._sides)))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: which messages count hangs on others."""
        octets, names = octet_traces(netblocks), text_traces((), wanted, (PRESENTATION,))
        return None if octets is None or names is None else Traces((*octets, *names))

    def recognises(self, head: bytes) -> bool:
        """Whether a file begins with messages that are sound."""
        buffer, at, size = bytearray(head), 0, 0
        for _ in range(heads.LINES):
            size = _size(buffer, at)
            if not size or at + size > len(buffer):
                break
            if not _is_sound(head[at : at + size]):
                return False
            at += size
        return at > 0 and size != LOST

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        """See `Framed`."""
        return frames.cut(_FRAMING, blocks, start)

    def session(self) -> Frames:
        """See `Sent`."""
        return Frames(_FRAMING)

    def preamble(self) -> bytes:
        """See `Sent`: the stream has no beginning."""
        return b""


class PowerDnsParser:
    """Reads the messages of one file; remembers which of them count."""

    def __init__(self, sides: Mapping[int, Side], clients: tuple[int, ...], once: Once) -> None:
        self._sides = sides
        self._clients = clients
        self._once = once

    def state(self) -> str:
        """See `LogParser`."""
        return self._once.state()

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`; of a frame as it was cut."""
        try:
            return self._read(_message(line), offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def carry(self) -> str:
        """See `Continuing`."""
        return self._once.carry()

    def finish(self) -> Parsed:
        """See `Waiting`."""
        return self._once.finish()

    def _read(self, message: Fields, offset: int) -> Parsed:
        number = message.get(_TYPE)
        side = self._sides.get(number) if isinstance(number, int) else None
        if side is None or not self._once.wants(side):
            return None
        record = _record(message, side, self._clients if side != "upstream" else (), offset)
        return self._once.take(side, record) if record else None


# -- frames --------------------------------------------------------------------------------------------------------------


def _size(buffer: bytearray, at: int) -> int:
    """Octets of a message: those of PowerDNS begin with their type."""
    if len(buffer) - at < 4:
        return 0
    size = 2 + (buffer[at] << 8 | buffer[at + 1])
    return size if size >= 4 and buffer[at + 2] == _TYPE << 3 and 1 <= buffer[at + 3] <= 4 else LOST


def _is_sound(frame: bytes) -> bool:
    try:
        message = _message(frame)
        question, response = message[_QUESTION], message.get(_RESPONSE, b"")
        return (
            isinstance(question, bytes)
            and isinstance(protobuf.last_of(question)[_QNAME], bytes)
            and isinstance(response, bytes)
            and bool(protobuf.fields(response) or not response)
        )
    except (Unreadable, KeyError):
        return False


def _message(frame: bytes) -> Fields:
    if len(frame) < 2 or len(frame) != 2 + (frame[0] << 8 | frame[1]):
        raise Unreadable("message that is cut short, or none")
    return protobuf.last_of(frame[2:])


# Length, type, and what PowerDNS and dnsdist write next: the message's id, the question, the time, their identity.
_MARK = re.compile(rb"..\x08[\x01-\x04](?:\x12\x10|\x62[^\0]|\x48[\x80-\xff]|\x1a[^\0])", re.DOTALL)
_FRAMING = Framing(_size, _is_sound, _MARK, mark_size=6)


# -- one message ---------------------------------------------------------------------------------------------------------


def _record(message: Fields, side: Side, clients: tuple[int, ...], offset: int) -> LogRecord | None:
    question = protobuf.last_of(_octets(message, _QUESTION))
    number = question.get(_QTYPE)
    if question.get(_QCLASS, _IN) != _IN:
        return None
    try:
        rrname = _name(_octets(question, _QNAME))
    except NameRefused as err:
        raise Unreadable(f"question is no name: {err}") from err
    if not rrname or not is_name(rrname):
        return None
    answers = _Answers(rrname, offset)
    if side != "asked" and _RESPONSE in message:
        answers.read(_octets(message, _RESPONSE))
    way = answers.way()
    return LogRecord(
        time=_time(message),
        client=next((_client(octets) for field in clients if isinstance(octets := message.get(field), bytes)), None),
        rrname=rrname,
        rrtype=type_name(number) if isinstance(number, int) else "",
        answers=way.answers,
        chain=way.chain,
        offset=offset,
        unread=tuple(answers.unread),
    )


class _Answers:
    """The records of one response, by their owners; those of `incoming-response` have none, and go on from each other."""

    def __init__(self, rrname: str, offset: int) -> None:
        self.unread: list[BadLine] = []
        self._rrname = rrname
        self._offset = offset
        self._last = rrname  # where the CNAMEs lead so far
        self._targets: dict[str, str] = {}
        self._addresses: dict[str, list[Address]] = {}

    def read(self, response: bytes) -> None:
        try:
            records = [value for number, value in protobuf.fields(response) if number == _RR and isinstance(value, bytes)]
        except Unreadable as err:
            self._tell(str(err), response)
            return
        for octets in records:
            try:
                self._take(protobuf.last_of(octets))
            except Unreadable as err:
                self._tell(str(err), octets)
            except NameRefused as err:
                self._tell(f"answer that is no name: {err}", octets)

    def way(self) -> chains.Way:
        """Where they lead."""
        if self._addresses and not self._targets and self._rrname not in self._addresses:
            # The server was told to leave CNAMEs out; of the way this much is known.
            self._targets[self._rrname] = next(iter(self._addresses))
        way = chains.follow(self._rrname, self._targets, self._addresses)
        if way.fault:
            self._tell(way.fault, self._rrname.encode())
        return way

    def _take(self, record: Fields) -> None:
        kind = record.get(_RRTYPE)
        if record.get(_CLASS, _IN) != _IN or (kind != _CNAME and kind not in _OCTETS):
            return
        owner = _name(_octets(record, _OWNER)) if _OWNER in record else self._last
        data = _octets(record, _RDATA)
        if kind == _CNAME:
            if target := _name(data):
                self._last = self._targets.setdefault(owner, target)
        elif len(data) == _OCTETS[kind] and (address := packed_address(data)):
            self._addresses.setdefault(owner, []).append(address)
        else:
            raise Unreadable("address of the wrong length")

    def _tell(self, reason: str, sample: bytes) -> None:
        self.unread.append(BadLine(self._offset, reason, sample[:SAMPLE]))


def _octets(message: Fields, field: int) -> bytes:
    value = message.get(field)
    if not isinstance(value, bytes):
        raise Unreadable("message without what it should have")
    return value


def _time(message: Fields) -> float:
    seconds, rest = message.get(_SEC), message.get(_USEC, 0)
    if isinstance(seconds, int) and isinstance(rest, int) and 0 < seconds < LATEST and rest < 1_000_000:
        return seconds + rest / 1_000_000
    raise Unreadable("message without a time")


@functools.lru_cache(maxsize=65536)
def _name(octets: bytes) -> str:
    """The canonical name; "" for the root."""
    try:
        return parse_name(octets.decode("ascii")) if octets != b"." else ""
    except UnicodeDecodeError as err:
        raise NameRefused("not written in ASCII") from err


def _client(octets: bytes) -> str | None:
    return _address(octets) if len(octets) <= _LONGEST_ADDRESS else None


@functools.lru_cache(maxsize=65536)
def _address(octets: bytes) -> str | None:
    address = packed_address(octets)
    return str(address) if address else None
