"""Documents of the Elastic Common Schema: their fields, nested or dotted or both, and what programs put around them. Pure.

    {"@timestamp": …, "dns": {"question": {"name": …}}}                     as Beats and Agent write them
    {"@timestamp": …, "dns.question.name": …}                               flattened
    {"_index": …, "_id": …, "_source": {…}}                                 Elasticsearch hits, elasticdump
    {"_index": …, "fields": {"@timestamp": […], "dns.question.name": […]}}  hits that were asked for fields

Which documents are read, and whose they are, is decided here; what they say, by the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from feedsvc.sources.json_lines import decode

Document = Mapping[str, Any]

Nature = Literal["names", "elastic", "windows", "raw windows", "other"]
"""What a document is: one that tells of a name; another one of Elastic's shippers; a Windows event of which they made
nothing, with or without what Sysmon or the DNS server say of names; or something else, maybe a log that is only carried."""


class _Hit(msgspec.Struct):
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b""))


_ANY = msgspec.json.Decoder()
_HIT = msgspec.json.Decoder(_Hit)


class Path:
    """Where a field is.

    Args:
        field: its name, `dns.question.name`.
    """

    def __init__(self, field: str) -> None:
        keys = field.split(".")
        # Every way to stop at a dot: the key up to there, and the path of the rest below it.
        self._ways = tuple(
            (".".join(keys[:size]), Path(".".join(keys[size:])) if keys[size:] else None) for size in range(1, len(keys) + 1)
        )

    def of(self, document: Document) -> Any:  # noqa: ANN401 - whatever stands there
        """The value; None when there is none."""
        for key, rest in self._ways:
            value = document.get(key)
            if rest is not None:
                value = rest.of(value) if isinstance(value, dict) else None
            if value is not None:
                return value
        return None

    def text_of(self, document: Document) -> str:
        """The value, or the first of several, as long as it is a text; "" otherwise."""
        value = first(self.of(document))
        return value if isinstance(value, str) else ""


def first(value: object) -> object:
    """A value, or the first of several."""
    if not isinstance(value, list):
        return value
    return value[0] if value else None


class Wrapped(NamedTuple):
    """A document, and where it came from.

    Attributes:
        document: None for a line that is none but belongs there: what `_bulk` wants between documents.
        place: the index of a hit; "" for a document without anything around it.
    """

    document: Document | None
    place: str = ""


NAME = Path("dns.question.name")
SERVER_NAME = Path("tls.client.server_name")
DOMAIN = Path("url.domain")
TIME = Path("@timestamp")

_VERSION = Path("ecs.version")
_DATA_SET = Path("event.dataset")
_WINLOG = Path("winlog.event_id")
_RAW_DATA = tuple(Path(f"winlog.event_data.{name}") for name in ("QueryName", "UtcTime", "QNAME"))
_CARRIED = frozenset({"event_type", "_path", "uid", "query_timestamp", "jsonPayload", "ActionType"})
_ACTIONS = frozenset({"index", "create", "update", "delete"})


def read(line: bytes) -> Wrapped | None:
    """The document of a line; None when it is no JSON object."""
    found = decode(_ANY, line)
    if not isinstance(found, dict):
        return None
    index = found.get("_index")
    index = index if isinstance(index, str) else ""
    for key in ("_source", "fields"):
        inside = found.get(key)
        if isinstance(inside, dict) and ("_index" in found or key == "_source"):
            return Wrapped(inside, index or key)
    if len(found) == 1 and next(iter(found)) in _ACTIONS and isinstance(first(list(found.values())), dict):
        return Wrapped(None)
    return Wrapped(found)


def source_of(line: bytes) -> bytes:
    """The text of what a hit is around, as it was; the line itself when there is nothing around it."""
    found = decode(_HIT, line)
    return (bytes(found.source) if found is not None else b"") or line


def nature_of(document: Document) -> Nature:
    """What a document is."""
    if TIME.of(document) is None:
        return "other"
    windows = _WINLOG.of(document) is not None
    if windows and any(field.of(document) is not None for field in _RAW_DATA):
        return "raw windows"
    if any(field.of(document) is not None for field in (NAME, SERVER_NAME, DOMAIN)):
        return "names"
    if windows:
        return "windows"
    carried = not _CARRIED.isdisjoint(document)
    elastic = _VERSION.of(document) is not None or _DATA_SET.of(document) is not None
    return "elastic" if elastic and not carried else "other"
