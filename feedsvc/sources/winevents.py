"""Windows events as programs hand them on: JSON in the shapes of the common shippers, and XML. Pure.

    {"Event": {"System": {…}, "EventData": {…}}}          evtx_dump and others that keep the shape of the XML; also without
                                                           `Event` around it (Velociraptor)
    {"winlog": {"event_data": {…}}, …}                    Winlogbeat, Elastic Agent; `event_data` alone in Winlogbeat 6
    {"EventID": 22, "SourceName": …, "QueryName": …, …}   one level: NXLog, OTRF's data sets
    {"EventId": 22, "Provider": …, "Payload": "{…}"}      EvtxECmd

Elasticsearch's `_source` around any of them is looked through. What the events mean is each format's own. Which program
wrote a log of JSON events is decided here, so that no two formats claim one file.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree as ET

import msgspec

from feedsvc.sources import heads, readings, textframes, texts
from feedsvc.sources.readings import LATEST, Unreadable
from feedsvc.sources.records import is_name

Writer = Literal["sysmon", "dnsserver", ""]
"""Whose events they are; "" for any other program's."""

EVENTS = re.compile(
    r"\s*+("
    r"<Event[\s>](?s:.)*?(?:</Event\s*>|(?=<Event[\s>]))"
    r"|(?!<Event[\s>])[^\n]+?(?=\n|<Event[\s>])"
    r")"
)
"""Frames of XML: an event, whole or up to where the next one begins, or what stands between events, line by line."""

NEXT_EVENT = re.compile(r"(?=<Event[\s>])")
"""Where the next event begins."""

_SYSMON = "sysmon"
_DNS_QUERY = 22
_DNS_SERVER = "microsoft-windows-dnsserver"
_NUMBERS = ("EventID", "EventId", "event_id")
_PROVIDERS = ("SourceName", "ProviderName", "Provider", "source_name", "provider_name", "Channel", "LogName", "log_name")
_COMPUTERS = ("Hostname", "Computer", "ComputerName", "MachineName", "computer_name", "host")
_TIMES = ("TimeCreated", "@timestamp", "EventTime")
_LOCAL = "EventTime"  # NXLog's, without zone where nobody told it otherwise
_FIRST_EVENT = re.compile(
    rb"<Event(?:\s+xmlns=[\"']http://schemas\.microsoft\.com/win/2004/08/events/event[\"'])?\s*>\s*<System>"
)


class Event(NamedTuple):
    """An event, whichever way it came.

    Attributes:
        provider: or, where that is not said, the channel; in lower case.
        number: the event's ID; -1 where it is none.
        computer: as it is spelt; "" where nobody says.
        time: when it was written, as it is spelt.
        local: whether a time without zone is local, and not UTC.
        data: what the event itself says, by the names that its program gives it.
    """

    provider: str
    number: int
    computer: str
    time: str
    local: bool
    data: Mapping[str, Any]

    def get(self, key: str) -> str:
        """A value as a text; "" when it is not there, or no plain value."""
        return text_of(self.data.get(key))

    @property
    def writer(self) -> Writer:
        """Whose event it is."""
        if self.provider == _DNS_SERVER:
            return "dnsserver" if "QNAME" in self.data else ""
        # What Elastic's pipelines have made of an event has neither any more: that is ECS, and another format's.
        own = "UtcTime" in self.data or (self.number == _DNS_QUERY and "QueryName" in self.data)
        return "sysmon" if own and (_SYSMON in self.provider or not self.provider) else ""


def text_of(value: object) -> str:
    """A plain value as a text."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""


def moment(text: str, zone: tzinfo = UTC) -> float:
    """Epoch seconds of a time in ISO 8601.

    Args:
        zone: of a time that says none.

    Raises:
        Unreadable: it is no time.
    """
    try:
        when = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
        seconds = when.replace(tzinfo=when.tzinfo or zone).timestamp()
    except (ValueError, OverflowError) as err:
        raise Unreadable("time that is none") from err
    if not 0 <= seconds < LATEST:
        raise Unreadable("time that is none")
    return seconds


@functools.lru_cache(maxsize=65536)
def name_of(octets: bytes) -> str:
    """The canonical name of octets without escapes; "" for none, the root, and an address in its place.

    Raises:
        NameRefused: they are no name.
    """
    name = readings.name_of(octets) if octets not in {b"", b"."} else ""
    return name if is_name(name) else ""


def client_of(computer: str) -> str | None:
    """The computer as a client: a canonical address where it is one, else its name as it is spelt."""
    return texts.client_of("" if computer == "-" else computer)


# -- JSON --------------------------------------------------------------------------------------------------------------


def from_json(line: bytes) -> Event:
    """The event of one JSON object.

    Raises:
        Unreadable: it is no JSON, or no event of a shape that is known.
    """
    try:
        whole = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise Unreadable("no JSON") from err
    whole = _dict(whole.get("_source")) or whole if isinstance(whole, dict) else {}
    system = _dict(_dict(whole.get("Event")).get("System")) or _dict(whole.get("System"))
    if system:
        return _of_system(system, _dict(whole.get("Event")) or whole)
    winlog = _dict(whole.get("winlog"))
    if winlog:
        return _of_winlog(winlog, whole)
    return _of_flat(whole)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _of_system(system: dict[str, Any], event: dict[str, Any]) -> Event:
    data = _dict(event.get("EventData")) or _dict(event.get("UserData"))
    return Event(
        provider=(_inner(system.get("Provider"), "Name") or text_of(system.get("Channel"))).lower(),
        number=_number(_inner(system.get("EventID"), "#text", "Value")),
        computer=text_of(system.get("Computer")),
        time=_inner(system.get("TimeCreated"), "SystemTime"),
        local=False,
        data=_named(data),
    )


def _inner(node: object, *keys: str) -> str:
    """A value that may stand in the node itself, in a key of it, or in an attribute of that name."""
    inside = _dict(node)
    attributes = _dict(inside.get("#attributes"))
    values = [node]
    for key in keys:
        values += [inside.get(key), attributes.get(key), inside.get(f"@{key}")]
    return next((text for value in values if (text := text_of(value))), "")


def _named(data: dict[str, Any]) -> dict[str, Any]:
    """Values by their names; some write them as a list of `Data` elements."""
    elements = data.get("Data")
    if not isinstance(elements, list):
        return data
    found: dict[str, Any] = {}
    for element in map(_dict, elements):
        found.setdefault(_inner(element, "Name"), _inner(element, "#text"))
    return found


def _of_winlog(winlog: dict[str, Any], whole: dict[str, Any]) -> Event:
    event, host = _dict(whole.get("event")), _dict(whole.get("host"))
    return Event(
        provider=_first(winlog.get("provider_name"), event.get("provider"), winlog.get("channel")).lower(),
        number=_number(_first(winlog.get("event_id"), event.get("code"))),
        computer=_first(winlog.get("computer_name"), host.get("name"), host.get("hostname")),
        time=_first(whole.get("@timestamp"), event.get("created")),
        local=False,
        data=_dict(winlog.get("event_data")),
    )


def _first(*values: object) -> str:
    """The first of some values that is a text, or a number."""
    for value in values:
        if value is not None and (text := text_of(value)):
            return text
    return ""


def _of_flat(whole: dict[str, Any]) -> Event:
    number = _number(_first(*map(whole.get, _NUMBERS)))
    if number < 0:
        raise Unreadable("no event of a known shape")
    spoken = next((key for key in _TIMES if text_of(whole.get(key))), "")
    host = _dict(whole.get("host"))
    return Event(
        provider=_first(*map(whole.get, _PROVIDERS)).lower(),
        number=number,
        computer=_first(*map(whole.get, _COMPUTERS), host.get("name")),
        time=text_of(whole.get(spoken)),
        local=spoken == _LOCAL,
        data=_dict(whole.get("event_data")) or _payload(whole.get("Payload")) or whole,
    )


def _payload(text: object) -> dict[str, Any]:
    """EvtxECmd's: JSON within JSON."""
    if not isinstance(text, str):
        return {}
    try:
        inside = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return _named(_dict(_dict(inside).get("EventData")))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else -1


# -- XML ---------------------------------------------------------------------------------------------------------------


def from_xml(frame: bytes) -> Event:
    """The event of one `<Event>` element.

    Raises:
        Unreadable: it is not well-formed, or no event.
    """
    try:
        # A document type, which alone could declare entities, cannot stand where an element has begun.
        root = ET.fromstring(frame)  # noqa: S314
    except (ET.ParseError, ValueError) as err:
        raise Unreadable("event that is no well-formed XML") from err
    system = {_local(node): node for node in _children(root, "System")}
    if not system:
        raise Unreadable("event without a System element")
    provider, created = system.get("Provider"), system.get("TimeCreated")
    channel = _text(system.get("Channel"))
    data: dict[str, str] = {}
    for node in _children(root, "EventData"):
        data.setdefault(node.get("Name", ""), _text(node))
    return Event(
        provider=(provider.get("Name", channel) if provider is not None else channel).lower(),
        number=_number(_text(system.get("EventID"))),
        computer=_text(system.get("Computer")),
        time=created.get("SystemTime", "") if created is not None else "",
        local=False,
        data=data,
    )


def _children(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return (node for parent in root if _local(parent) == name for node in parent)


def _local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _text(node: ET.Element | None) -> str:
    return (node.text or "").strip() if node is not None else ""


# -- whose log it is ---------------------------------------------------------------------------------------------------


def is_xml(head: bytes) -> bool:
    """Whether a text begins as Windows events in XML do, or as what programs set before them."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text.startswith((b"<Event", b"<?xml", b"Record ")) and _FIRST_EVENT.search(text) is not None


def leading(head: bytes) -> Writer:
    """Whose events most of the first lines are that are events in JSON; "" when most are none, or two have as many."""
    lines = heads.first_lines(textframes.octets(head))
    found = [event for line in lines if (event := _event_or_none(line)) is not None]
    counts = Counter(event.writer for event in found)
    own, rival = counts["sysmon"], counts["dnsserver"]
    if own == rival or 2 * len(found) < len(lines):
        return ""
    return "sysmon" if own > rival else "dnsserver"


def _event_or_none(line: bytes) -> Event | None:
    if not line.startswith(b"{"):
        return None
    try:
        return from_json(line)
    except Unreadable:
        return None
