"""DNS messages as they go over the wire (RFC 1035 §4): what was asked, and to which addresses that leads.

For logs that keep whole messages. Read are the question and, of the answer section, the CNAME, A and AAAA records of class
IN. Their order does not matter: the way from the asked name is followed by their owners, and what it does not lead to is
left out and told. Authority and additional section are passed over.

Messages are hostile. A pointer leads back, and what it leads to ends where it came from (RFC 1035 §4.1.4), so no octet is
looked at twice for one name; nothing calls itself; of a message that is cut or broken all that can be read is given, and the
fault beside it.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Mapping
from typing import NamedTuple

from feedsvc.names import MAX_LABEL, MAX_WIRE, Address, encode_labels
from feedsvc.sources import chains
from feedsvc.sources.readings import Unreadable

MAX_MESSAGE = 65535
"""Octets of a message (RFC 1035 §4.2.2)."""

MAX_JUMPS = 127
"""Pointers in one name: with one for each label, no name needs more."""

_HEADER = struct.Struct("!2xHHH").unpack_from  # flags, questions, answers
_KIND = struct.Struct("!HH").unpack_from  # type and class of a question
_RECORD = struct.Struct("!HH4xH").unpack_from  # type, class, octets of data

_HEADER_SIZE = 12
_RESPONSE, _OPCODE, _RCODE = 0x8000, 0x7800, 0x000F
_POINTER = 0xC0
_IN = 1
_A, _CNAME, _AAAA = 1, 5, 28
_READ = frozenset({_A, _CNAME, _AAAA})
_MANY = 32768  # names remembered: a log asks for the same few thousand again and again

_SIMPLE = re.compile(rb"[a-z0-9_-]*+")

_TYPES = """
    1 A 2 NS 5 CNAME 6 SOA 10 NULL 12 PTR 13 HINFO 15 MX 16 TXT 17 RP 18 AFSDB 24 SIG 25 KEY 28 AAAA 29 LOC 33 SRV 35 NAPTR
    36 KX 37 CERT 39 DNAME 41 OPT 42 APL 43 DS 44 SSHFP 45 IPSECKEY 46 RRSIG 47 NSEC 48 DNSKEY 49 DHCID 50 NSEC3
    51 NSEC3PARAM 52 TLSA 53 SMIMEA 55 HIP 59 CDS 60 CDNSKEY 61 OPENPGPKEY 62 CSYNC 63 ZONEMD 64 SVCB 65 HTTPS 99 SPF
    108 EUI48 109 EUI64 249 TKEY 250 TSIG 251 IXFR 252 AXFR 255 ANY 256 URI 257 CAA
""".split()  # noqa: SIM905 - number and mnemonic side by side
_TYPE_NAMES: Mapping[int, str] = dict(zip(map(int, _TYPES[::2]), _TYPES[1::2], strict=True))


class Message(NamedTuple):
    """A message that asks for a name, or answers somebody who did.

    Attributes:
        response: whether it is an answer, by its own word.
        rcode: of the header: 0 is NOERROR, 3 NXDOMAIN.
        rrname: the asked name, canonical.
        rrtype: the asked type, as `type_name` writes it.
        answers: addresses that the asked name leads to, in the order of the message, each once.
        chain: CNAME targets on the way there, canonical, in order.
        fault: what could not be read, or leads nowhere, though the rest holds: one of few texts, with nothing of the message
            in it; "" for nothing.
    """

    response: bool
    rcode: int
    rrname: str
    rrtype: str
    answers: tuple[Address, ...] = ()
    chain: tuple[str, ...] = ()
    fault: str = ""


def read(message: bytes) -> Message | None:
    """Read a message; None when it asks for no name: no question, the root, a class other than IN, NOTIFY, UPDATE.

    Raises:
        Unreadable: its question cannot be read. What is at fault behind that, `Message.fault` tells.
    """
    if len(message) > MAX_MESSAGE:
        raise Unreadable("message longer than any may be")
    if len(message) < _HEADER_SIZE:
        raise Unreadable("message shorter than its header")
    flags, questions, records = _HEADER(message)
    if flags & _OPCODE or not questions:
        return None
    rrname, at = _asked_name(message)
    if at + 4 > len(message):
        raise Unreadable("message ends within its question")
    number, kind = _KIND(message, at)
    if kind != _IN or not rrname:
        return None
    question = Message(bool(flags & _RESPONSE), flags & _RCODE, rrname, type_name(number))
    if not records:
        return question
    return _Answers(message, rrname).follow(question, _Sections(at + 4, questions - 1, records))


def type_name(number: int) -> str:
    """How a record type is written: its mnemonic, or where it is no common one `TYPE65280` (RFC 3597 §5)."""
    return _TYPE_NAMES.get(number) or f"TYPE{number}"


def packed_address(octets: bytes) -> Address | None:
    """An address as its 4 or 16 octets; IPv4-mapped IPv6 is unwrapped; None for any other number of them."""
    value = int.from_bytes(octets, "big")
    if len(octets) == 4:
        return Address(4, value)
    if len(octets) != 16:
        return None
    return Address(4, value & 0xFFFFFFFF) if value >> 32 == 0xFFFF else Address(6, value)


# -- answers -----------------------------------------------------------------------------------------------------------


class _Sections(NamedTuple):
    """What comes behind the first question: where, how many more questions, and how many answers."""

    at: int
    questions: int
    records: int


class _Answers:
    """The answer section of one message, by the owners of its records."""

    def __init__(self, message: bytes, rrname: str) -> None:
        self._message = message
        self._names = {_HEADER_SIZE: rrname}  # by the place where they begin
        self._targets: dict[str, str] = {}
        self._addresses: dict[str, list[Address]] = {}
        self._fault = ""

    def follow(self, question: Message, sections: _Sections) -> Message:
        """The question with its answers."""
        try:
            self._gather(sections)
        except Unreadable as err:
            self._fault = str(err)
        way = chains.follow(question.rrname, self._targets, self._addresses)
        return question._replace(answers=way.answers, chain=way.chain, fault=self._fault or way.fault)

    def _tell(self, fault: str) -> None:
        self._fault = self._fault or fault

    def _gather(self, sections: _Sections) -> None:
        message, at = self._message, sections.at
        for _ in range(sections.questions):
            at = _after_name(message, at) + 4
        for _ in range(sections.records):
            owner, at = at, _after_name(message, at)
            data = at + 10
            if data > len(message):
                raise Unreadable("message ends within its answers")
            number, kind, size = _RECORD(message, at)
            at = data + size
            if at > len(message):
                raise Unreadable("message ends within its answers")
            if kind == _IN and number in _READ:
                self._take(number, owner, data, at)

    def _take(self, number: int, owner: int, data: int, end: int) -> None:
        name = self._name_at(owner)
        if number == _CNAME:
            self._take_target(name, data, end)
        elif (address := packed_address(self._message[data:end])) and end - data == (4 if number == _A else 16):
            self._addresses.setdefault(name, []).append(address)
        else:
            self._tell("address of the wrong length")

    def _take_target(self, name: str, data: int, end: int) -> None:
        octets, after = _name(self._message, data, end)
        if after != end:
            self._tell("CNAME with more than a name in it")
        elif target := _text(octets):
            self._names[data] = target
            if self._targets.setdefault(name, target) != target:
                self._tell("more than one CNAME of a name")

    def _name_at(self, at: int) -> str:
        message = self._message
        begin = at
        if message[at] >= _POINTER:
            begin = (message[at] & 0x3F) << 8 | message[at + 1]
            name = self._names.get(begin)
            if name is not None:
                return name
        octets, _ = _name(message, at, len(message))
        name = self._names[begin] = _text(octets) or ""
        return name


# -- names -------------------------------------------------------------------------------------------------------------


def _asked_name(message: bytes) -> tuple[str, int]:
    """The name of the first question ("" for the root), and where it ends."""
    end = message.find(0, _HEADER_SIZE, _HEADER_SIZE + MAX_WIRE) + 1
    if end:
        name = _text(message[_HEADER_SIZE:end])
        if name is not None:
            return name, end
    octets, end = _name(message, _HEADER_SIZE, len(message))
    return _text(octets) or "", end


def _after_name(message: bytes, at: int) -> int:
    """Where a name ends that begins here; what it is does not matter."""
    end = len(message)
    while at < end:
        size = message[at]
        if not size:
            return at + 1
        if size >= _POINTER:
            return at + 2
        if size > MAX_LABEL:
            raise Unreadable("label of no known kind")
        at += size + 1
    raise Unreadable("name without an end")


def _name(message: bytes, at: int, end: int) -> tuple[bytes, int]:
    """A name that begins here, without pointers, and where it ends here: behind its first pointer if it has any."""
    parts: list[bytes] = []
    start, after, octets, jumps = at, 0, 1, 0
    while at < end and (size := message[at]):
        if size <= MAX_LABEL:
            octets += size + 1
            parts.append(message[at : at + size + 1])
            at += size + 1
        else:
            after = after or at + 2
            jumps += 1
            # What a pointer leads to ends where the piece began that led there.
            at, end = _led_to(message, at, start, end), start
            start = at
        if octets > MAX_WIRE or jumps > MAX_JUMPS:
            raise Unreadable("name longer than a name may be")
    if at >= end:
        raise Unreadable("name without an end")
    parts.append(b"\0")
    return b"".join(parts), after or at + 1


def _led_to(message: bytes, at: int, start: int, end: int) -> int:
    """Where a pointer leads to that stands in a piece of a name."""
    if message[at] < _POINTER:
        raise Unreadable("label of no known kind")
    target = (message[at] & 0x3F) << 8 | message[at + 1] if at + 1 < end else start
    if target >= start:
        raise Unreadable("pointer that does not lead back")
    return target


@functools.lru_cache(maxsize=_MANY)
def _text(octets: bytes) -> str | None:
    """The canonical text of a name without pointers ("" for the root); None when it does not end where the octets do."""
    labels, at, last = [], 0, len(octets) - 1
    while at < last:
        size = octets[at]
        if size > MAX_LABEL:
            return None
        labels.append(octets[at + 1 : at + 1 + size])
        at += size + 1
    if at > last or octets[last]:
        return None
    if _SIMPLE.fullmatch(b"".join(labels).lower()):
        return b".".join(labels).lower().decode("ascii")
    return encode_labels(labels)
