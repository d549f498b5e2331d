r"""Suricata's events as eve.json has them, one JSON object a line: what of them is read, and how it is spelt. Pure.

https://docs.suricata.io/en/latest/output/eve/eve-json-format.html. A name is written as the octets of its labels with dots
between them, as UTF-8 where they are UTF-8; where they are not, every octet beyond ASCII is spelt `\xNN` (jsonbuilder.rs),
and a backslash that was there before is not told apart from these.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from feedsvc.errors import NameRefused
from feedsvc.names import Address
from feedsvc.sources.json_lines import decode
from feedsvc.sources.readings import LATEST, Unreadable, address_of, client_of, name_of

NOT_EVE = "no JSON, or not of the shape that Suricata writes"

READ = frozenset({"dns", "tls", "quic", "http"})
"""The kinds of event that are read."""

_PREFIX = 1024  # bytes that syslog may put before an event
_NO_NAME = frozenset({b"", b".", b"<root>"})
_HIGH_OCTET = re.compile(rb"\\x([89a-f][0-9a-f])")
_RRTYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_LONGEST_TYPE = 16  # characters
_SERVER_PORTS = frozenset({53, 853, 5353, 443})  # DNS, over TLS, to a group (mDNS), over HTTPS


class Question(msgspec.Struct, gc=False):
    """A question of a version 3 event."""

    rrname: str | None = None
    rrtype: str | None = None


class Answer(msgspec.Struct, gc=False):
    """A resource record of a `detailed` answer; SOA, SRV and others have objects of their own instead of `rdata`."""

    rrname: str | None = None
    rrtype: str | None = None
    rdata: Any = None


class Dns(msgspec.Struct, gc=False):
    """The `dns` object of any version. `rrname` is the question's in version 2, the answer's owner in version 1."""

    version: Any = None
    type: str | None = None
    id: int | None = None
    rcode: Any = None
    rrname: str | None = None
    rrtype: str | None = None
    rdata: Any = None
    queries: list[Question] | None = None
    answers: list[Answer] | None = None
    grouped: dict[str, list[Any]] | None = None


class Tls(msgspec.Struct, gc=False):
    """The `tls` or `quic` object."""

    sni: str | None = None


class Http(msgspec.Struct, gc=False):
    """The `http` object."""

    hostname: str | None = None
    method: str | None = msgspec.field(name="http_method", default=None)
    url: str | None = None


class Flow(msgspec.Struct, gc=False):
    """Who began the flow, where an event says so."""

    src_ip: str | None = None


class Event(msgspec.Struct, gc=False):
    """What is read of an event."""

    event_type: str | None = None
    timestamp: str | None = None
    flow_id: int | None = None
    src_ip: str | None = None
    src_port: int | None = None
    dest_ip: str | None = None
    dest_port: int | None = None
    direction: Any = None
    flow: Flow | None = None
    dns: Dns | None = None
    tls: Tls | None = None
    quic: Tls | None = None
    http: Http | None = None


class _Kind(msgspec.Struct, gc=False):
    """What an event is that does not have the shape of those that are read."""

    event_type: str | None = None


class _Mark(msgspec.Struct, gc=False):
    """What shows that a line is an event."""

    event_type: str | None = None
    timestamp: str | None = None
    flow_id: int | None = None
    stats: Any = None


# Not strict: who passes events on may write numbers as texts.
_EVENT = msgspec.json.Decoder(Event, strict=False)
_KIND = msgspec.json.Decoder(_Kind)
_MARK = msgspec.json.Decoder(_Mark, strict=False)


def is_event(line: bytes) -> bool:
    """Whether a line is an event of any kind; those of `stats` belong to no flow."""
    found = decode(_MARK, _object_of(line))
    if found is None or not found.event_type or not found.timestamp:
        return False
    return found.flow_id is not None or isinstance(found.stats, dict)


def read_event(line: bytes) -> Event | None:
    """An event; None for one of a kind that is not read, and for an empty line.

    Raises:
        Unreadable: it is none.
    """
    text = _object_of(line)
    found = decode(_EVENT, text)
    if found is not None and found.event_type is not None:
        return found if found.event_type in READ else None
    kind = decode(_KIND, text)
    if not line.strip() or (kind is not None and kind.event_type is not None and kind.event_type not in READ):
        return None
    raise Unreadable(NOT_EVE)


def _object_of(line: bytes) -> bytes:
    """An event without what syslog put before it (`@cee: `)."""
    return line if line[:1] == b"{" else line[max(0, line.find(b"{", 0, _PREFIX)) :]


# -- what its texts mean -----------------------------------------------------------------------------------------------


def octets_of(text: str | None) -> bytes:
    """What stood on the wire."""
    octets = (text or "").encode("utf-8", "surrogatepass")
    if b"\\x" not in octets or not octets.isascii():
        return octets
    raw = _HIGH_OCTET.sub(lambda escape: bytes([int(escape[1], 16)]), octets)
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw
    return octets  # UTF-8 would not have been escaped: this is what the name looks like


def dns_name(text: str | None) -> str:
    """The canonical name of an owner, a question or a target; "" for the root, or when there is none.

    Raises:
        NameRefused: it is none.
    """
    octets = octets_of(text)
    return "" if octets in _NO_NAME else name_of(octets)


def dns_address(rdata: object) -> Address | None:
    """The address in an A or AAAA record; None when there is none."""
    return address_of(rdata.encode("utf-8", "surrogatepass")) if isinstance(rdata, str) else None


def dns_target(rdata: object) -> str:
    """The name that a CNAME record leads to.

    Raises:
        NameRefused: it has none.
    """
    name = dns_name(rdata) if isinstance(rdata, str) else ""
    if not name:
        raise NameRefused("none, or the root")
    return name


def rrtype_of(text: str | None) -> str:
    """A type by its mnemonic, `TYPEn` for one that Suricata knows by number alone, "" for what is none."""
    return _rrtype(text) if text and len(text) <= _LONGEST_TYPE else ""


@functools.lru_cache(maxsize=1024)
def _rrtype(text: str) -> str:
    if text.isascii() and text.isdigit():
        return f"TYPE{int(text)}"  # RFC 3597 §5
    return text.upper() if _RRTYPE.fullmatch(text) else ""


def time_of(event: Event, zone: tzinfo) -> float:
    """Epoch seconds.

    Args:
        zone: of times that do not say theirs; Suricata's do.

    Raises:
        Unreadable: it has no time.
    """
    try:
        moment = datetime.fromisoformat(event.timestamp or "")
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError) as err:
        raise Unreadable("timestamp is no time") from err
    if not 0 <= seconds < LATEST:
        raise Unreadable("timestamp is no time")
    return seconds


def end_of(address: str | None) -> str | None:
    """One end of a flow, canonical."""
    return client_of((address or "").encode("utf-8", "surrogatepass"))


def asker_of(event: Event, *, is_request: bool) -> str | None:
    """Who asked; None when it cannot be told.

    Suricata has written answers with the server as `src_ip` up to 4.1, with the client from 5.0.1 to 7, and again with the
    server in version 3 (its tickets 3340 and 6400): the ports tell, and the direction where they do not.
    """
    from_server, to_server = event.src_port in _SERVER_PORTS, event.dest_port in _SERVER_PORTS
    if from_server != to_server:
        return end_of(event.dest_ip if from_server else event.src_ip)
    if event.flow is not None and event.flow.src_ip:
        return end_of(event.flow.src_ip)
    if event.direction == "to_client":
        return end_of(event.dest_ip)
    return end_of(event.src_ip) if is_request or event.direction == "to_server" else None
