"""dnstap files made for tests: written by Google's protobuf library, around messages that dnspython packed."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable

import dns.message
import dns.name
import dns.rrset
from dnstap_pb import Dnstap  # type: ignore[import-untyped]

from feedsvc.sources import framestreams
from tests.sources.logs.making import Exchange

BEGIN = framestreams.start(b"protobuf:dnstap.Dnstap")
END = struct.pack("!III", 0, 4, framestreams.STOP)


def query(one: Exchange) -> bytes:
    """What was asked, as a DNS message."""
    return dns.message.make_query(one.query, one.qtype).to_wire()


def response(one: Exchange) -> bytes:
    """What was answered; texts that are no address become TXT records, names the CNAMEs before the addresses."""
    made = dns.message.make_response(dns.message.make_query(one.query, one.qtype))
    owner = dns.name.from_text(one.query)
    for answer in one.answers:
        if answer in one.chain:
            made.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", answer + "."))
            owner = dns.name.from_text(answer)
        elif _is_address(answer) and one.qtype in {"A", "AAAA"}:
            made.answer.append(dns.rrset.from_text(owner, 60, "IN", "AAAA" if ":" in answer else "A", answer))
        else:
            made.answer.append(dns.rrset.from_text(owner, 60, "IN", "TXT", f'"{answer}"'))
    return made.to_wire()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def message(kind: str, one: Exchange, **changes: object) -> bytes:
    """A dnstap message of a type (`CLIENT_RESPONSE`) about an exchange.

    Args:
        changes: values of fields of `Message`; None leaves one out.
    """
    made = Dnstap(identity=b"ns", version=b"tests", type=Dnstap.MESSAGE)
    made.message.type = made.message.Type.Value(kind)
    made.message.query_address = ipaddress.ip_address(one.client).packed
    made.message.response_address = bytes((10, 0, 0, 53))
    seconds, rest = divmod(round(one.time * 1_000_000), 1_000_000)
    side = "query" if kind.endswith("QUERY") else "response"
    setattr(made.message, f"{side}_time_sec", seconds)
    setattr(made.message, f"{side}_time_nsec", rest * 1000)
    setattr(made.message, f"{side}_message", query(one) if side == "query" else response(one))
    for name, value in changes.items():
        if value is None:
            made.message.ClearField(name)
        else:
            setattr(made.message, name, value)
    return bytes(made.SerializeToString())


def without_line_end(name: str) -> bytes:
    """What a client was answered, by a server that does not say who it is; no octet of it is a line end."""
    one = Exchange(f"{name}.example.net", "A", ("198.51.100.7",), ("198.51.100.7",), (), "192.0.2.1", 1793491200)
    changes = {"response_address": b"\xc0\0\2\x35", "response_message": b"\0\0" + response(one)[2:]}
    made = Dnstap.FromString(message("CLIENT_RESPONSE", one, **changes))
    made.ClearField("identity")
    text = bytes(made.SerializeToString())
    assert b"\n" not in text
    return text


def frame(payload: bytes) -> bytes:
    """A data frame."""
    return struct.pack("!I", len(payload)) + payload


def frames(*messages: bytes) -> bytes:
    """A stream of messages, ended."""
    return BEGIN + b"".join(map(frame, messages)) + END


def log(exchanges: Iterable[Exchange], *kinds: str) -> bytes:
    """A stream of all exchanges, each by one message of each type in their order."""
    return frames(*(message(kind, one) for one in exchanges for kind in kinds))
