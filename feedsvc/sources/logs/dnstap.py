"""dnstap: whole DNS messages in files, as BIND, Unbound, Knot, CoreDNS, dnsdist and others write them.

Switch on what clients were answered; nothing more is needed:

    BIND        `dnstap { client response; };` and `dnstap-output file "/var/log/named/dnstap.bin";`
    Unbound     `dnstap-enable: yes`, `dnstap-log-client-response-messages: yes` and a `dnstap-socket-path`
    dnsdist     `addResponseAction(AllRule(), DnstapLogResponseAction("name", newFrameStreamUnixLogger("/run/dnstap.sock")))`
    CoreDNS     `dnstap /run/dnstap.sock full`; without `full` there are no messages in it

All but BIND write to a socket, and BIND does with `dnstap-output unix "/run/dnstap.sock";`: let a source with `listen =
"unix:/run/dnstap.sock"` take that. `fstrm_capture -t protobuf:dnstap.Dnstap -u /run/dnstap.sock -w /var/log/dnstap.fstrm`
makes files of it. A file is one stream or several, each with an end or without (a server that was killed). Where a frame was
cut short, the next stream is looked for; what lies between is counted as one line that could not be read.

Of a message are read: who asked (`query_address`), when (`response_time`; of a query `query_time`), and of the DNS message
the asked name and type, CNAMEs and addresses, by their owners. Not read: identity, version, ports, zones, policies, and
messages about updates.

One lookup may be written four times. What clients were answered (CLIENT_RESPONSE; AUTH_RESPONSE if they want no recursion;
STUB_RESPONSE, TOOL_RESPONSE) is read, and nothing else of a log that has any of it. Of a log that has none, what clients
asked (CLIENT_QUERY, AUTH_QUERY, …) tells who, and what upstream servers answered (RESOLVER_RESPONSE, FORWARDER_RESPONSE)
tells addresses without a client; one that knows a part of a chain of CNAMEs tells that part alone. Which of the two a log is
shows with its first answer, or when a minute and 32 messages have gone by without one. For a file into which several servers
write that log different things, say by `messages` what to read.

BIND rolls its file itself (`size`, `versions`) or on `rndc dnstap -roll`. For `fstrm_capture`, rename the file and send a
SIGHUP. Do not copy and truncate: the writer goes on behind a hole, in the middle of a stream.

Not verified with the program itself: Knot, CoreDNS, PowerDNS; they are read as dnstap.proto has it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal

from feedsvc.names import Netblock
from feedsvc.sources import dnswire, frames, framestreams, protobuf
from feedsvc.sources.once import Once, Side
from feedsvc.sources.port import BadLine, Line, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import LATEST, SAMPLE, Unreadable
from feedsvc.sources.records import is_name
from feedsvc.sources.sessions import FrameStream
from feedsvc.sources.traces import Traces
from feedsvc.sources.wiretraces import message_traces

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"

MessageType = Literal[
    "auth-query", "auth-response", "client-query", "client-response", "forwarder-response", "resolver-response",
    "stub-query", "stub-response", "tool-query", "tool-response",
]  # fmt: skip

# dnstap.proto: the fields of Dnstap and of Message, and the types of Message that tell of a lookup.
_DNSTAP_MESSAGE, _DNSTAP_TYPE = 14, 15
_IS_MESSAGE = 1
_TYPE, _QUERY_ADDRESS = 1, 4
_QUERY_SEC, _QUERY_NSEC, _QUERY = 8, 9, 10
_RESPONSE_SEC, _RESPONSE_NSEC, _RESPONSE = 12, 13, 14
_SIDES: Mapping[int, Side] = {
    1: "asked", 2: "answered", 4: "upstream", 5: "asked", 6: "answered", 8: "upstream",
    9: "asked", 10: "answered", 11: "asked", 12: "answered",
}  # fmt: skip
_NUMBERS: Mapping[MessageType, int] = {
    "auth-query": 1, "auth-response": 2, "client-query": 5, "client-response": 6, "forwarder-response": 8,
    "resolver-response": 4, "stub-query": 9, "stub-response": 10, "tool-query": 11, "tool-response": 12,
}  # fmt: skip

_LONGEST_ADDRESS = 16  # octets; what is longer is not remembered
_FOREIGN = "foreign "  # before a state: the stream holds something else


@dataclass(frozen=True, slots=True)
class Options:
    """What may be set for dnstap.

    Attributes:
        messages: the types to read, such as `["client-response", "resolver-response"]`, each message of them as a record of
            its own; empty: each lookup once, as said above.
    """

    messages: tuple[MessageType, ...] = ()


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - dnstap has epoch seconds
    """The format, ready to read."""
    return Dnstap({_NUMBERS[name]: _SIDES[_NUMBERS[name]] for name in options.messages})


class Dnstap:
    """dnstap files: see the module's manual page.

    Args:
        sides: the message types to read, each message of them; empty to read each lookup once.
    """

    def __init__(self, sides: Mapping[int, Side]) -> None:
        self._sides = sides

    def parser(self, state: str = "") -> DnstapParser:
        """See `LogFormat`."""
        once = Once(state.removeprefix(_FOREIGN), each=bool(self._sides))
        return DnstapParser(self._sides or _SIDES, once, foreign=state.startswith(_FOREIGN))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: once it shows what the log is, messages stand for themselves."""
        found = message_traces(netblocks, wanted)
        return None if found is None else Traces(found, self.parser, sure=True)

    def recognises(self, head: bytes) -> bool:
        """Whether a file begins with the control frame of a dnstap stream."""
        size = _FRAMING.size(bytearray(head[:8]), 0)
        try:
            control = framestreams.control_of(head[:size])
        except Unreadable:
            return False
        return control.kind in {framestreams.START, framestreams.READY} and CONTENT_TYPE in control.content_types

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        """See `Framed`."""
        return frames.cut(_FRAMING, blocks, start)

    def session(self) -> FrameStream:
        """See `Sent`."""
        return FrameStream(CONTENT_TYPE)

    def preamble(self) -> bytes:
        """See `Sent`."""
        return framestreams.start(CONTENT_TYPE)


class DnstapParser:
    """Reads the frames of one file; remembers what the stream is, and which of the messages count."""

    def __init__(self, sides: Mapping[int, Side], once: Once, *, foreign: bool) -> None:
        self._sides = sides
        self._once = once
        self._foreign = foreign

    def state(self) -> str:
        """See `LogParser`."""
        return _FOREIGN * self._foreign + self._once.state()

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`; of a frame as it was cut."""
        try:
            if framestreams.is_control(line):
                return self._control(line, offset)
            return None if self._foreign else self._read(framestreams.data_of(line), offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def carry(self) -> str:
        """See `Continuing`."""
        return self._once.carry()

    def passes_by(self, frame: bytes) -> bool:
        """See `Settling`."""
        return self._once.settled and not framestreams.is_control(frame)

    def finish(self) -> Parsed:
        """See `Waiting`."""
        return self._once.finish()

    def _control(self, frame: bytes, offset: int) -> BadLine | None:
        control = framestreams.control_of(frame)
        if control.kind != framestreams.START:
            return None
        self._foreign = bool(control.content_types) and CONTENT_TYPE not in control.content_types
        return BadLine(offset, "stream of something else than dnstap", frame[:SAMPLE]) if self._foreign else None

    def _read(self, data: bytes, offset: int) -> Parsed:
        message = _message(data)
        number = message.get(_TYPE)
        side = self._sides.get(number) if isinstance(number, int) else None
        if side is None or not self._once.wants(side):
            return None
        record = _record(message, side, offset)
        return self._once.take(side, record) if record else None


def _is_dnstap(data: bytes) -> bool:
    try:
        return bool(_message(data))
    except Unreadable:
        return False


# Dnstap's fields: identity, version, extra, message, type.
_FRAMING = framestreams.framing(CONTENT_TYPE, firsts=b"\x0a\x12\x1a\x72\x78", sound=_is_dnstap)


# -- one message ---------------------------------------------------------------------------------------------------------


def _message(data: bytes) -> Mapping[int, protobuf.Value]:
    """The fields of the message in a frame; none when it is about something else."""
    outer = protobuf.last_of(data)
    kind, message = outer.get(_DNSTAP_TYPE), outer.get(_DNSTAP_MESSAGE)
    if isinstance(kind, int) and kind != _IS_MESSAGE:
        return {}
    if not isinstance(kind, int) or not isinstance(message, bytes):
        raise Unreadable("no dnstap message")
    return protobuf.last_of(message)


def _record(message: Mapping[int, protobuf.Value], side: Side, offset: int) -> LogRecord | None:
    octets = _octets(message, side)
    found = dnswire.read(octets)
    if found is None or not is_name(found.rrname):
        return None
    client, unread = None, []
    if side != "upstream":
        address = message.get(_QUERY_ADDRESS, b"")
        client = _client(address) if isinstance(address, bytes) else None
        if client is None and address:
            unread.append(BadLine(offset, "client that is no address", octets[:SAMPLE]))
    if found.fault:
        unread.append(BadLine(offset, found.fault, octets[:SAMPLE]))
    return LogRecord(
        time=_time(message, side),
        client=client,
        rrname=found.rrname,
        rrtype=found.rrtype,
        answers=found.answers,
        chain=found.chain,
        offset=offset,
        unread=tuple(unread),
    )


def _octets(message: Mapping[int, protobuf.Value], side: Side) -> bytes:
    """The DNS message; some servers write the query beside the answer, or in its place."""
    query, response = message.get(_QUERY), message.get(_RESPONSE)
    octets = query if side == "asked" or response is None else response
    if not isinstance(octets, bytes):
        raise Unreadable("dnstap message without the DNS message")
    return octets


def _time(message: Mapping[int, protobuf.Value], side: Side) -> float:
    asked, answered = (_QUERY_SEC, _QUERY_NSEC), (_RESPONSE_SEC, _RESPONSE_NSEC)
    for sec, nsec in (asked, answered) if side == "asked" else (answered, asked):
        seconds, rest = message.get(sec, 0), message.get(nsec, 0)
        if isinstance(seconds, int) and isinstance(rest, int) and 0 < seconds < LATEST and rest < 1_000_000_000:
            return seconds + rest / 1_000_000_000
    raise Unreadable("dnstap message without a time")


def _client(octets: bytes) -> str | None:
    return _address(octets) if len(octets) <= _LONGEST_ADDRESS else None


@functools.lru_cache(maxsize=65536)
def _address(octets: bytes) -> str | None:
    address = dnswire.packed_address(octets)
    return str(address) if address else None
