"""Zeek's TSV: headers that say how to read the rows below them, and these rows. Pure.

https://docs.zeek.org/en/master/log-formats.html: separators, the words for empty and unset, and the columns are what the
header says, each time it says it. Columns are found by their names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from feedsvc.errors import SourceError
from feedsvc.sources.port import Kind
from feedsvc.sources.readings import Unreadable
from feedsvc.sources.zeek_said import LOGS, Said, destination, rrtype_of, unescape


@dataclass(frozen=True, slots=True)
class Header:
    """What the lines above say of those below: Zeek's defaults until they say anything."""

    separator: bytes = b"\t"
    set_separator: bytes = b","
    empty: bytes = b"(empty)"
    unset: bytes = b"-"
    path: bytes = b""
    fields: tuple[bytes, ...] = ()


class Layout(NamedTuple):
    """A header made ready for its rows: how many columns, and which of them are read (-1: the log does not have it)."""

    kind: Kind
    separator: bytes
    set_separator: bytes
    nothing: frozenset[bytes]
    width: int
    ts: int
    client: int
    name: int
    qtype_name: int
    qtype: int
    answers: int
    address: int
    method: int
    target: int


_NAME_IN: dict[Kind, bytes] = {"dns": b"query", "tls": b"server_name", "http": b"host"}
_ADDRESS = b"id.resp_h"


def header_from(state: str) -> Header:
    """The header that `header_text` wrote.

    Raises:
        SourceError: it did not write this.
    """
    try:
        return msgspec.json.decode(state, type=Header) if state else Header()
    except msgspec.MsgspecError as err:
        raise SourceError(f"the remembered Zeek header cannot be read: {err}", permanent=True) from err


def header_text(header: Header) -> str:
    """A header as text; "" while there was none."""
    return msgspec.json.encode(header).decode() if header != Header() else ""


def next_header(header: Header, line: bytes) -> Header:
    """The header after one more line of it; `#open`, `#close`, `#types` and remarks say nothing that is needed."""
    if line.startswith(b"#separator "):
        # The first line of every header: what an earlier one said is over.
        return Header(separator=unescape(line.removeprefix(b"#separator ")) or b"\t")
    key, *values = line.split(header.separator)
    value = values[0] if values else b""
    match key:
        case b"#set_separator":
            header = replace(header, set_separator=value or header.set_separator)
        case b"#empty_field":
            header = replace(header, empty=value)
        case b"#unset_field":
            header = replace(header, unset=value)
        case b"#path":
            header = replace(header, path=value)
        case b"#fields":
            header = replace(header, fields=tuple(values))
    return header


def layout_of(header: Header) -> Layout | None:
    """None for a log that is not read."""
    kind = _kind_of(header)
    if kind is None or _NAME_IN.get(kind, _ADDRESS) not in header.fields:
        return None
    name = _NAME_IN.get(kind, b"")  # a mere connection has none
    read = (b"ts", b"id.orig_h", name, b"qtype_name", b"qtype", b"answers", _ADDRESS, b"method", b"uri")
    columns = (header.fields.index(name) if name in header.fields else -1 for name in read)
    # b"" stands behind every row, where the columns point to that the log does not have.
    nothing = frozenset({header.unset, header.empty, b""})
    return Layout(kind, header.separator, header.set_separator, nothing, len(header.fields), *columns)


def _kind_of(header: Header) -> Kind | None:
    """What the rows tell of, by the log's path or, where it has none, by its columns."""
    if header.path:
        return LOGS.get(header.path.decode("latin-1"))
    fields = header.fields
    if b"query" in fields:
        return "dns"
    # Other logs have a `host` too; it is the one that was seen, not the one that was wanted.
    if _ADDRESS not in fields:
        return None
    if b"server_name" in fields:
        return "tls"
    return "http" if b"host" in fields else "connection" if b"conn_state" in fields else None


def read_row(line: bytes, layout: Layout) -> Said:
    """What a row says.

    Raises:
        Unreadable: it does not fit its header.
    """
    cells = line.split(layout.separator)
    if len(cells) != layout.width:
        raise Unreadable("not as many columns as #fields names")
    cells.append(b"")
    nothing = layout.nothing
    client, name = cells[layout.client], cells[layout.name]
    rrtype, answers = _answers(cells, layout) if layout.kind == "dns" else ("", _destination(cells, layout))
    return Said(
        kind=layout.kind,
        time=cells[layout.ts],
        client=b"" if client in nothing else client,
        name=b"" if name in nothing else name,
        rrtype=rrtype,
        answers=answers,
    )


def _answers(cells: list[bytes], layout: Layout) -> tuple[str, list[bytes]]:
    name, answers = cells[layout.qtype_name], cells[layout.answers]
    rrtype = rrtype_of(b"" if name in layout.nothing else name, cells[layout.qtype])
    return rrtype, [] if answers in layout.nothing else answers.split(layout.set_separator)


def _destination(cells: list[bytes], layout: Layout) -> list[bytes]:
    address = cells[layout.address]
    if address in layout.nothing:
        return []
    return destination(address, cells[layout.method], unescape(cells[layout.target]))
