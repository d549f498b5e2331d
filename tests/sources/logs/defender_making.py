"""Rows of Defender's DeviceNetworkEvents made for tests, in the shapes in which it hands them out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from tests.sources.logs.making import START, Exchange

Row = Mapping[str, object]

COLUMNS = tuple(
    """
        Timestamp
        DeviceId
        DeviceName
        ActionType
        RemoteIP
        RemotePort
        RemoteUrl
        LocalIP
        LocalPort
        Protocol
        InitiatingProcessFileName
        InitiatingProcessFolderPath
        InitiatingProcessCommandLine
        AdditionalFields
    """.split()  # noqa: SIM905 - as the documentation lists them
)


def iso(time: float) -> str:
    """A time with the seven digits that Defender writes."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def row(action: str = "ConnectionSuccess", *, fields: Row | None = None, **more: object) -> dict[str, object]:
    """One row; `fields` are its AdditionalFields, which Defender writes as a text."""
    return {
        "Timestamp": iso(START),
        "DeviceId": "3f9a1c6e2b8d4f70a5e1c9b3d7f2a6e4c8b0d1f5",
        "DeviceName": "ws-17.corp.example",
        "ActionType": action,
        "RemoteIP": "198.51.100.7",
        "RemotePort": 443,
        "RemoteUrl": None,
        "LocalIP": "10.0.0.17",
        "LocalPort": 52817,
        "Protocol": "Tcp",
        "InitiatingProcessFileName": "updater.exe",
        "InitiatingProcessFolderPath": r"c:\users\jsmith\appdata\roaming\updater.exe",
        "InitiatingProcessCommandLine": 'updater.exe -c "a, b"\r\n-x',
        "AdditionalFields": None if fields is None else json.dumps(fields, separators=(",", ":")),
        **more,
    }


def connection(url: str = "https://k3xq.example.net/path", **more: object) -> dict[str, object]:
    """A connection by name."""
    return row() | {"RemoteUrl": url, **more}


def asked(query: str = "k3xq.example.net", answers: object = ("198.51.100.7",), **more: object) -> dict[str, object]:
    """A DNS exchange that Defender looked into."""
    said = {"direction": "Out", "query": query, "qclass_name": "C_INTERNET", "qtype_name": "A", "rcode_name": "NOERROR"}
    return row("DnsConnectionInspected", fields={**said, "answers": answers, **more}, RemoteIP="10.0.0.53", RemotePort=53)


def exchanged(one: Exchange) -> dict[str, object]:
    """The same of an exchange."""
    found = asked(one.query, list(one.answers), qtype_name=one.qtype)
    return found | {"Timestamp": iso(one.time), "DeviceName": one.client}


def tls(name: str = "k3xq.example.net", **more: object) -> dict[str, object]:
    """A TLS connection that it looked into."""
    return row("SslConnectionInspected", fields={"direction": "Out", "server_name": name, "established": "true", **more})


def http(host: str = "k3xq.example.net", **more: object) -> dict[str, object]:
    """An HTTP request that it looked into."""
    return row("HttpConnectionInspected", fields={"direction": "Out", "host": host, "method": "GET", "uri": "/a", **more})


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\r\n"


def rows_alone(rows: Iterable[Row]) -> bytes:
    """As `jq -c '.results[]'` leaves what the API said."""
    return b"".join(map(_line, rows))


def stream(rows: Iterable[Row]) -> bytes:
    """As Defender streams them to a storage account."""
    common = {"time": iso(START + 60), "tenantId": "7c2f9e1a-4b3d-4e8f-9a61-2d5c8b0f3e17", "operationName": "Publish"}
    return b"".join(
        _line(common | {"category": "AdvancedHunting-DeviceNetworkEvents", "properties": dict(one)}) for one in rows
    )


def hub(rows: Sequence[Row]) -> bytes:
    """As it streams them to an event hub: some at once."""
    records = [{"category": "AdvancedHunting-DeviceNetworkEvents", "properties": dict(one)} for one in rows]
    return b"".join(_line({"records": records[at : at + 3]}) for at in range(0, len(records), 3))


def api(rows: Iterable[Row]) -> bytes:
    """As the API answers."""
    return _line({"schema": [{"name": "Timestamp", "type": "DateTime"}], "results": list(rows)})


def portal(rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> bytes:
    """As the Defender portal exports them."""
    return b"\xef\xbb\xbf" + _csv(columns, ([_cell(one.get(column)) for column in columns] for one in rows))


def sentinel(rows: Iterable[Row]) -> bytes:
    """As Log Analytics and Sentinel export them."""
    columns = ["TimeGenerated [UTC]", *COLUMNS[1:]]
    return _csv(columns, ([_clock(one["Timestamp"]), *(_cell(one.get(column)) for column in COLUMNS[1:])] for one in rows))


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _clock(time: object) -> str:
    moment = datetime.fromisoformat(str(time))
    hour = moment.hour % 12 or 12
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.month}/{moment.day}/{moment.year}, {hour}:{moment:%M:%S}.{moment.microsecond // 1000:03} {half}"


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue().encode()


Writer = Callable[[Sequence[Row]], bytes]
WRITERS: dict[str, Writer] = {writer.__name__: writer for writer in (rows_alone, stream, hub, api, portal, sentinel)}
