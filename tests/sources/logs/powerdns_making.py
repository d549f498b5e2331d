"""Streams of PowerDNS made for tests, written by Google's protobuf library to the published schema (dnsmessage.proto)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

from tests.sources.logs.making import Exchange

_Field = descriptor_pb2.FieldDescriptorProto
_KINDS = {"u": _Field.TYPE_UINT32, "b": _Field.TYPE_BYTES, "s": _Field.TYPE_STRING, "m": _Field.TYPE_MESSAGE}
_SCHEMA = {
    "RR": "1 name s, 2 type u, 3 class u, 4 ttl u, 5 rdata b, 6 udr u",
    "Response": "1 rcode u, 2 rrs m RR, 3 appliedPolicy s, 4 tags s, 5 queryTimeSec u, 6 queryTimeUsec u",
    "Question": "1 qName s, 2 qType u, 3 qClass u",
    "PBDNSMessage": (
        "1 type u, 2 messageId b, 3 serverIdentity b, 4 socketFamily u, 5 socketProtocol u, 6 from b, 7 to b, 8 inBytes u, "
        "9 timeSec u, 10 timeUsec u, 11 id u, 12 question m Question, 13 response m Response, 14 originalRequestorSubnet b, "
        "15 requestorId s, 18 newlyObservedDomain u, 19 deviceName s, 20 fromPort u, 21 toPort u"
    ),
}
_TYPES = {"A": 1, "AAAA": 28, "CNAME": 5, "TXT": 16, "PTR": 12, "HTTPS": 65}


def _schema() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="dnsmessage.proto", package="tests", syntax="proto2")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field in fields.split(", "):
            number, called, kind, *of = field.split()
            repeated = called in {"rrs", "tags"}
            made = message.field.add(name=called, number=int(number), type=_KINDS[kind], label=3 if repeated else 1)
            if of:
                made.type_name = f".tests.{of[0]}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.PBDNSMessage"))


PBDNSMessage: Any = _schema()
QUERY, RESPONSE, OUTGOING_QUERY, INCOMING_RESPONSE = 1, 2, 3, 4


def message(kind: int, one: Exchange, *, named: bool = True, cnames: bool = True) -> Any:
    """A message about an exchange.

    Args:
        named: whether records have their owners.
        cnames: whether CNAMEs are left in.
    """
    made = PBDNSMessage(type=kind, messageId=bytes(16), to=bytes((10, 0, 0, 53)), id=7)
    setattr(made, "from", ipaddress.ip_address(one.client).packed)
    made.timeSec, made.timeUsec = divmod(round(one.time * 1_000_000), 1_000_000)
    made.question.qName, made.question.qType, made.question.qClass = one.query + ".", _TYPES[one.qtype], 1
    if kind not in {RESPONSE, INCOMING_RESPONSE}:
        return made
    made.response.rcode, owner = 0, one.query
    for answer in one.answers:
        rrtype, rdata = _packed(one, answer)
        if rrtype != 5 or cnames:
            record = made.response.rrs.add(type=rrtype, ttl=60, rdata=rdata)
            setattr(record, "class", 1)
            if named:
                record.name = owner + "."
        owner = answer if rrtype == 5 else owner
    return made


def _packed(one: Exchange, answer: str) -> tuple[int, bytes]:
    if answer in one.chain:
        return 5, f"{answer}.".encode()
    if one.qtype in {"A", "AAAA"} and "%" not in answer:
        try:
            address = ipaddress.ip_address(answer)
        except ValueError:
            pass
        else:
            return (1 if address.version == 4 else 28), address.packed
    return 16, answer.encode()


def frame(made: Any) -> bytes:
    """A message behind its length."""
    text = made if isinstance(made, bytes) else made.SerializeToString()
    return struct.pack("!H", len(text)) + text


def log(exchanges: Iterable[Exchange], *kinds: int) -> bytes:
    """A stream of all exchanges, each by one message of each type in their order."""
    return b"".join(frame(message(kind, one)) for one in exchanges for kind in kinds)
