"""Windows events made for tests, in the shapes in which programs hand them on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
SYSMON = "Microsoft-Windows-Sysmon"
DNS_SERVER = "Microsoft-Windows-DNSServer"

Data = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is what its program says."""

    number: int
    data: Data
    provider: str = SYSMON
    computer: str = "ws-17.corp.example"
    time: str = "2026-11-01T00:00:01.2500000Z"
    channel: str = field(default="Microsoft-Windows-Sysmon/Operational")


def query(name: str = "k3xq.example.net", results: str = "::ffff:198.51.100.7;", **more: str) -> Event:
    """A query (event 22) of Sysmon."""
    data = {
        "RuleName": "-",
        "UtcTime": "2026-11-01 00:00:00.125",
        "ProcessGuid": "{a57649d1-db54-61ab-775c-dc0100000000}",
        "ProcessId": "2124",
        "QueryName": name,
        "QueryStatus": "0" if results not in {"", "-"} else "9003",
        "QueryResults": results,
        "Image": r"C:\Users\jsmith\AppData\Roaming\updater.exe",
        "User": r"CORP\jsmith",
    }
    return Event(22, data | more)


def connection(name: str = "k3xq.example.net", address: str = "198.51.100.7", **more: str) -> Event:
    """A connection (event 3) of Sysmon."""
    data = {
        "RuleName": "-",
        "UtcTime": "2026-11-01 00:00:00.125",
        "ProcessGuid": "{a57649d1-db54-61ab-775c-dc0100000000}",
        "ProcessId": "2124",
        "Image": r"C:\Users\jsmith\AppData\Roaming\updater.exe",
        "User": r"CORP\jsmith",
        "Protocol": "tcp",
        "Initiated": "true",
        "SourceIsIpv6": "false",
        "SourceIp": "10.0.0.17",
        "SourceHostname": "ws-17.corp.example",
        "SourcePort": "51234",
        "SourcePortName": "-",
        "DestinationIsIpv6": "false",
        "DestinationIp": address,
        "DestinationHostname": name,
        "DestinationPort": "443",
        "DestinationPortName": "https",
    }
    return Event(3, data | more)


def process() -> Event:
    """A process (event 1): neither a query nor a connection."""
    return Event(1, {"UtcTime": "2026-11-01 00:00:00.000", "Image": r"C:\Windows\System32\cmd.exe", "CommandLine": "cmd"})


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def evtx_dump(event: Event) -> bytes:
    """As evtx_dump and the `evtx` package render it."""
    system = {
        "Provider": {"#attributes": {"Name": event.provider, "Guid": "5770385F-C22A-43E0-BF4C-06F5698FFBD9"}},
        "EventID": {"#attributes": {"Qualifiers": 0}, "#text": event.number},
        "Version": 5,
        "TimeCreated": {"#attributes": {"SystemTime": event.time}},
        "EventRecordID": 48607,
        "Correlation": None,
        "Channel": event.channel,
        "Computer": event.computer,
    }
    return _line({"Event": {"#attributes": {"xmlns": NAMESPACE}, "System": system, "EventData": dict(event.data)}})


def velociraptor(event: Event) -> bytes:
    """As Velociraptor's parse_evtx renders it."""
    system = {
        "Provider": {"Name": event.provider},
        "EventID": {"Value": event.number},
        "TimeCreated": {"SystemTime": 1793491201.25},
        "Channel": event.channel,
        "Computer": event.computer,
    }
    return _line({"System": system, "EventData": dict(event.data), "Message": "Dns query:"})


def winlogbeat(event: Event) -> bytes:
    """As Winlogbeat and Elastic Agent write it, before any pipeline."""
    winlog = {
        "provider_name": event.provider,
        "event_id": str(event.number),
        "channel": event.channel,
        "computer_name": event.computer,
        "event_data": dict(event.data),
    }
    common = {"@timestamp": "2026-11-01T00:00:01.250Z", "ecs": {"version": "8.0.0"}, "host": {"name": "collector"}}
    return _line(common | {"event": {"code": str(event.number), "provider": event.provider}, "winlog": winlog})


def winlogbeat6(event: Event) -> bytes:
    """As Winlogbeat wrote it up to version 6."""
    names = {"source_name": event.provider, "log_name": event.channel, "computer_name": event.computer}
    common = {"@timestamp": "2026-11-01T00:00:01.250Z", "event_id": event.number}
    return _line(common | names | {"event_data": dict(event.data), "message": "Dns query:"})


def elasticdump(event: Event) -> bytes:
    """A document of Winlogbeat as Elasticsearch gives it back."""
    return _line({"_index": "winlogbeat-2026.11.01", "_id": "x", "_source": json.loads(winlogbeat(event))})


def flat(event: Event) -> bytes:
    """On one level, as NXLog and OTRF's data sets have it."""
    names = {"SourceName": event.provider, "Channel": event.channel, "Hostname": event.computer}
    common = {"@timestamp": "2026-11-01T00:00:01.250Z", "EventID": event.number, "Message": "Dns query:\r\n"}
    return _line(common | names | dict(event.data))


def evtxecmd(event: Event) -> bytes:
    """As EvtxECmd writes it: JSON within JSON."""
    payload = {"EventData": {"Data": [{"@Name": name, "#text": text} for name, text in event.data.items()]}}
    names = {"Provider": event.provider, "Channel": event.channel, "Computer": event.computer}
    common = {"MapDescription": "DNSEvent (DNS query)", "EventId": event.number, "TimeCreated": event.time}
    return _line(common | names | {"Payload": json.dumps(payload)})


def xml(event: Event) -> bytes:
    """As Windows renders it, on one line."""
    data = "".join(f"<Data Name={quoteattr(name)}>{escape(text)}</Data>" for name, text in event.data.items())
    system = (
        f"<Provider Name={quoteattr(event.provider)} Guid='{{5770385f-c22a-43e0-bf4c-06f5698ffbd9}}'/>"
        f"<EventID>{event.number}</EventID><Version>5</Version><TimeCreated SystemTime={quoteattr(event.time)}/>"
        f"<EventRecordID>48607</EventRecordID><Correlation/><Channel>{escape(event.channel)}</Channel>"
        f"<Computer>{escape(event.computer)}</Computer><Security UserID='S-1-5-18'/>"
    )
    return f"<Event xmlns='{NAMESPACE}'><System>{system}</System><EventData>{data}</EventData></Event>\n".encode()


def laid_out(event: Event) -> bytes:
    """The same over several lines, with a declaration before it, as evtx_dump writes it."""
    text = xml(event).replace(b"><", b">\r\n  <")
    return b'Record 7\r\n<?xml version="1.0" encoding="utf-8"?>\r\n' + text + b"\r\n"


WRITERS: dict[str, Callable[[Event], bytes]] = {
    writer.__name__: writer
    for writer in (
        evtx_dump,
        velociraptor,
        winlogbeat,
        winlogbeat6,
        elasticdump,
        flat,
        evtxecmd,
        xml,
        laid_out,
    )
}


def viewer(*events: Event) -> bytes:
    """An export of the event viewer: one line, one root element."""
    inside = b"".join(xml(event).strip() for event in events)
    return b'<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n<Events>' + inside + b"</Events>"


def utf16(text: bytes, *, big: bool = False) -> bytes:
    """The text as PowerShell writes it into a file."""
    return ("\ufeff" + text.decode()).encode("utf-16-be" if big else "utf-16-le")
