"""Logs of Windows' DNS server made for tests: the debug log with and without details, and events of the analytic log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from feedsvc.errors import NameRefused
from feedsvc.names import Address, parse_address, parse_name, split_labels
from feedsvc.names.spelling import decode_label
from tests.sources.logs.making import Exchange
from tests.sources.logs.windows_making import DNS_SERVER

HEADER = """DNS Server log file creation at 11/1/2026 12:00:00 AM
Log file wrap at 11/1/2026 12:00:00 AM

Message logging key (for packets - other items use a subset of these fields):
\tField #  Information         Values
\t-------  -----------         ------
\t   1     Date
\t   2     Time
\t   3     Thread ID
\t   4     Context
\t   5     Internal packet identifier
\t   6     UDP/TCP indicator
\t   7     Send/Receive indicator
\t   8     Remote IP
\t   9     Xid (hex)
\t  10     Query/Response      R = Response
\t                             blank = Query
\t  11     Opcode              Q = Standard Query
\t                             N = Notify
\t                             U = Update
\t                             ? = Unknown
\t  12     [ Flags (hex)
\t  13     Flags (char codes)  A = Authoritative Answer
\t                             T = Truncated Response
\t                             D = Recursion Desired
\t                             R = Recursion Available
\t  14     ResponseCode ]
\t  15     Question Type
\t  16     Question Name

"""

UPSTREAM = "192.0.2.53"
NAMED = frozenset({"CNAME", "NS", "PTR"})
NUMBERS = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "HTTPS": 65}


@dataclass(frozen=True, slots=True)
class Answer:
    """One record of an answer section; `data` is an address, a name or a text."""

    owner: str
    rrtype: str
    data: str


def octets_of(name: str) -> list[bytes]:
    """The labels of a name, as they stand on the wire; a name may be written with escapes."""
    return [decode_label(label) for label in split_labels(parse_name(name))]


def lengths(name: str, mark: str = "") -> str:
    """A name as the server prints it, one octet a letter."""
    return mark + "".join(f"({len(label)}){label.decode('latin-1')}" for label in octets_of(name)) + "(0)"


def stamp(time: float) -> str:
    """A time as a server in the United States writes it."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment.month}/{moment.day}/{moment.year} {moment.strftime('%I:%M:%S %p').lstrip('0')}"


def packet(
    name: str,
    way: str = "Rcv",
    remote: str = "10.0.0.1",
    *,
    response: bool = False,
    rrtype: str = "A",
    xid: int = 0x1FBA,
    time: str = "11/1/2026 12:00:00 AM",
) -> str:
    """The line of one packet."""
    flags = "R Q [8081   DR  NOERROR]" if response else "  Q [0001   D   NOERROR]"
    return f"{time} 0C1C PACKET  00000005D8F8BC40 UDP {way} {remote:<15} {xid:04x} {flags} {rrtype:<6} {lengths(name)}\n"


def details(
    name: str, answers: Sequence[Answer], *, rrtype: str = "A", count: int | None = None, response: bool = True
) -> str:
    """What stands below it, down to the empty line."""
    kind = "response" if response else "question"
    return (
        f"UDP {kind} info at 00000005D8F8BC40\n  Socket = 696\n  Remote addr 10.0.0.1, port 57613\n"
        "  Time Query=4199, Queued=0, Expire=0\n  Buf length = 0x0fa0 (4000)\n  Msg length = 0x0129 (297)\n  Message:\n"
        f"    XID       0x1fba\n    Flags     0x8180\n      QR        1 (RESPONSE)\n      RCODE     0 (NOERROR)\n"
        f"    QCOUNT    1\n    ACOUNT    {len(answers) if count is None else count}\n    NSCOUNT   1\n    ARCOUNT   1\n"
        f'    QUESTION SECTION:\n    Offset = 0x000c, RR count = 0\n    Name      "{lengths(name)}"\n'
        f"      QTYPE   {rrtype} ({NUMBERS[rrtype]})\n      QCLASS  1\n    ANSWER SECTION:\n"
        + ("".join(_answer(number, one) for number, one in enumerate(answers)) or "      empty\n")
        + "    AUTHORITY SECTION:\n"
        + _answer(0, Answer("example.org", "NS", "ns.example.org"))
        + "    ADDITIONAL SECTION:\n"
        + _answer(0, Answer("ns.example.org", "A", "198.51.100.99"))
        + "\n"
    )


def _answer(number: int, one: Answer) -> str:
    place, owner = (85 + 16 * number) % 0x10000, lengths(one.owner, "[C00C]")
    return (
        f'    Offset = 0x{place:04x}, RR count = {number}\n    Name      "{owner}"\n'
        f"      TYPE   {one.rrtype}  ({NUMBERS[one.rrtype]})\n      CLASS  1\n      TTL    60\n      DLEN   4\n"
        f"      DATA   {lengths(one.data) if one.rrtype in NAMED else one.data}\n"
    )


def answers_of(one: Exchange) -> list[Answer]:
    """The answer section of an exchange: its CNAMEs one after the other, and its addresses at the last."""
    found: list[Answer] = []
    owner = one.query
    for data in one.answers:
        address = _address(data)
        if one.qtype not in {"A", "AAAA"}:
            found.append(Answer(owner, one.qtype, data))
        elif data.startswith("TXT "):
            found.append(Answer(owner, "TXT", data))
        elif address is None:
            found.append(Answer(owner, "CNAME", data))
            owner = data
        else:
            found.append(Answer(owner, "A" if address.version == 4 else "AAAA", data))
    return found


def _address(text: str) -> Address | None:
    try:
        return parse_address(text)
    except NameRefused:
        return None


def exchange(
    one: Exchange, *, detailed: bool = True, asked: bool = True, upstream: bool = True, answered: bool = True
) -> str:
    """All packets of an exchange: asked, asked upstream, answered there, answered."""
    time, xid = stamp(one.time), int(one.time) & 0xFFFF
    said = answers_of(one)
    text = ""
    for wanted, way, remote, response in (
        (asked, "Rcv", one.client, False),
        (upstream, "Snd", UPSTREAM, False),
        (upstream, "Rcv", UPSTREAM, True),
        (answered, "Snd", one.client, True),
    ):
        if wanted:
            text += packet(one.query, way, remote, response=response, rrtype=one.qtype, xid=xid, time=time)
            text += details(one.query, said if response else [], rrtype=one.qtype, response=response) if detailed else "\n"
    return text


def debug_log(
    exchanges: Iterable[Exchange],
    *,
    detailed: bool = True,
    asked: bool = True,
    upstream: bool = True,
    answered: bool = True,
) -> bytes:
    """A whole debug log, with line ends as Windows has them."""
    inside = (exchange(one, detailed=detailed, asked=asked, upstream=upstream, answered=answered) for one in exchanges)
    return (HEADER + "".join(inside)).replace("\n", "\r\n").encode("latin-1")


# -- the analytic log --------------------------------------------------------------------------------------------------


def _wire_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in octets_of(name)) + b"\0"


def message(one: Exchange, *, response: bool) -> bytes:
    """The DNS message of an exchange."""
    said = answers_of(one) if response else []
    flags = 0x8180 if response else 0x0100
    text = b"".join(number.to_bytes(2) for number in (int(one.time) & 0xFFFF, flags, 1, len(said), 0, 0))
    text += _wire_name(one.query) + NUMBERS[one.qtype].to_bytes(2) + b"\0\1"
    for answer in said:
        data = _data(answer)
        text += (
            _wire_name(answer.owner) + NUMBERS[answer.rrtype].to_bytes(2) + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2) + data
        )
    return text


def _data(answer: Answer) -> bytes:
    if answer.rrtype in {"A", "AAAA"}:
        address = parse_address(answer.data)
        return address.value.to_bytes(4 if address.version == 4 else 16)
    if answer.rrtype in NAMED:
        return _wire_name(answer.data)
    text = answer.data.encode("latin-1")[:255]
    return bytes([len(text)]) + text


def event(number: int, one: Exchange, **more: str) -> bytes:
    """An event of the analytic log as Elastic Agent writes it."""
    end = {256: "Source", 257: "Destination", 258: "Destination", 259: "Source", 260: "Destination", 261: "Source"}[number]
    data = {
        "TCP": "0",
        "InterfaceIP": "10.0.0.53",
        end: UPSTREAM if number in {260, 261} else one.client,
        "QNAME": one.query + ".",
        "QTYPE": str(NUMBERS[one.qtype]),
        "XID": str(int(one.time) & 0xFFFF),
        "PacketData": "0x" + message(one, response=number in {257, 258, 261}).hex().upper(),
    }
    winlog = {"provider_guid": "{EB79061A-A566-4698-9119-3ED2807060E7}", "channel": "16", "event_data": data | more}
    time = datetime.fromtimestamp(one.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    about = {"code": str(number), "provider": DNS_SERVER, "kind": "event"}
    return json.dumps({"@timestamp": time, "winlog": winlog, "event": about, "host": {"name": "dc01"}}).encode() + b"\n"


def analytic_log(exchanges: Iterable[Exchange], numbers: Sequence[int] = (256, 260, 261, 257)) -> bytes:
    """A whole analytic log."""
    return b"".join(event(number, one) for one in exchanges for number in numbers)
