"""Suricata's events made for tests, in the shape that its documentation and its source give each version."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from feedsvc.names import is_address
from tests.sources.logs.making import Exchange

Event = dict[str, Any]
SERVER = "10.0.0.53"


@dataclass(frozen=True, slots=True)
class Style:
    """How a Suricata is set up.

    Attributes:
        version: of its dns events.
        formats: `detailed`, `grouped` or both; version 1 knows neither.
        requests: whether it logs them.
        client_first: whether an answer has the client as `src_ip`, as from 5.0.1 to 7.
    """

    version: int = 2
    formats: tuple[str, ...] = ("detailed", "grouped")
    requests: bool = True
    client_first: bool = False


STYLES = {
    "v1": Style(1),
    "v1 without requests": Style(1, requests=False),
    "v2": Style(2),
    "v2 of 7": Style(2, client_first=True),
    "v2 without requests": Style(2, requests=False),
    "v2 grouped": Style(2, ("grouped",), client_first=True),
    "v3": Style(3, ("detailed",)),
    "v3 grouped": Style(3, ("grouped",)),
}


def line(event: Event) -> bytes:
    """An event as Suricata writes it: no spaces, slashes escaped."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).replace("/", "\\/").encode() + b"\n"


def stamp(time: float) -> str:
    """A `timestamp`."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")


def frame(kind: str, time: float, client: str, number: int, **more: object) -> Event:
    """What stands in front of every event, as from the client to the server."""
    ends: Event = {"src_ip": client, "src_port": 40000, "dest_ip": SERVER, "dest_port": 53, "proto": "UDP"}
    return {"timestamp": stamp(time), "flow_id": number, "in_iface": "eth0", "event_type": kind, **ends, **more}


def turned(event: Event) -> Event:
    """The same event with the other end first."""
    ends = {"src_ip": "dest_ip", "src_port": "dest_port", "dest_ip": "src_ip", "dest_port": "src_port"}
    return {key: event[ends.get(key, key)] for key in event}


def full(address: str) -> str:
    """An address as Suricata writes it: IPv6 in full."""
    return ipaddress.ip_address(address).exploded


def resource_records(one: Exchange) -> list[Event]:
    """The answers of an exchange, each with the owner that it would have."""
    owner, found = one.query, list[Event]()
    for answer in one.answers:
        if answer.startswith("TXT "):
            found.append({"rrname": owner, "rrtype": "TXT", "ttl": 60, "rdata": answer})
        elif one.qtype not in {"A", "AAAA"}:
            found.append({"rrname": owner, "rrtype": one.qtype, "ttl": 60, "rdata": answer})
        elif is_address(answer):
            kind = "AAAA" if ":" in answer else "A"
            found.append({"rrname": owner, "rrtype": kind, "ttl": 60, "rdata": full(answer)})
        elif "%" not in answer:
            found.append({"rrname": owner, "rrtype": "CNAME", "ttl": 60, "rdata": answer})
            owner = answer
    return found


def _request(one: Exchange, number: int, style: Style) -> Event:
    question = {"rrname": one.query, "rrtype": one.qtype}
    dns: Event = {"type": "query", "id": number % 65536, **question, "tx_id": 0}
    if style.version == 3:
        dns = {"version": 3, "type": "request", "tx_id": 0, "id": number % 65536, "rcode": "NOERROR", "queries": [question]}
    return frame("dns", one.time - 0.02, one.client, number, dns=dns)


def _grouped(answers: Iterable[Event]) -> Event:
    found: dict[str, list[str]] = {}
    for answer in answers:
        found.setdefault(answer["rrtype"], []).append(answer["rdata"])
    return found


def _whole(one: Exchange, number: int, style: Style) -> list[Event]:
    question = {"rrname": one.query, "rrtype": one.qtype}
    head: Event = {"version": 2, "type": "answer"} if style.version == 2 else {"version": 3, "type": "response", "tx_id": 1}
    dns: Event = {**head, "id": number % 65536, "flags": "8180", "qr": True, "rcode": "NOERROR"}
    dns |= question if style.version == 2 else {"queries": [question]}
    answers = resource_records(one)
    if answers and "detailed" in style.formats:
        dns["answers"] = answers
    if answers and "grouped" in style.formats:
        dns["grouped"] = _grouped(answers)
    return [dns]


def _singles(one: Exchange, number: int) -> list[Event]:
    answers = resource_records(one) or [{"rrname": one.query}]
    rcode = "NOERROR" if one.answers else "NXDOMAIN"
    return [{"type": "answer", "id": number % 65536, "rcode": rcode, **answer} for answer in answers]


def events(one: Exchange, number: int, style: Style) -> list[Event]:
    """What Suricata writes of an exchange."""
    answers = _singles(one, number) if style.version == 1 else _whole(one, number, style)
    framed = [frame("dns", one.time, one.client, number, dns=dns) for dns in answers]
    framed = framed if style.client_first else [turned(event) for event in framed]
    return [_request(one, number, style), *framed] if style.requests else framed


def log(exchanges: Iterable[Exchange], style: Style, others: Iterable[Event] = ()) -> bytes:
    """A whole file."""
    made = [event for number, one in enumerate(exchanges, 1) for event in events(one, number, style)]
    return b"".join(map(line, (*made, *others)))
