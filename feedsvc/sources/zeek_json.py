"""Zeek's JSON, also as those spell it who pass its logs on. Pure.

Zeek writes its dotted names as keys (`id.orig_h`), leaves unset fields out, and does not say which log a line belongs to.
Who passes it on writes `id_orig_h` or an object `id`, null for what is unset, all answers as one text, and the log in
`_path` or `@stream`, or as the only key of an object around the line (`{"dns": {…}}`, Zeek's Kafka plugin with `tag_json`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from feedsvc.sources.json_lines import decode
from feedsvc.sources.port import Kind
from feedsvc.sources.readings import Unreadable
from feedsvc.sources.zeek_said import LOGS, Said, destination, rrtype_of


class _Kind(msgspec.Struct, gc=False):
    """What shows that a JSON line is Zeek's, and of which log."""

    ts: float | str | None = None
    uid: str | None = None
    client: str | None = msgspec.field(name="id.orig_h", default=None)
    client_flat: str | None = msgspec.field(name="id_orig_h", default=None)
    path: str | None = msgspec.field(name="_path", default=None)
    stream: str | None = msgspec.field(name="@stream", default=None)


class _Line(msgspec.Struct, gc=False):
    """What is read of a JSON line. What stands in other logs too, where nobody needs it, may be anything."""

    ts: float | str | None = None
    client: str | None = msgspec.field(name="id.orig_h", default=None)
    client_flat: str | None = msgspec.field(name="id_orig_h", default=None)
    address: str | None = msgspec.field(name="id.resp_h", default=None)
    address_flat: str | None = msgspec.field(name="id_resp_h", default=None)
    ends: Any = msgspec.field(name="id", default=None)
    query: str | None = None
    qtype: Annotated[int, msgspec.Meta(ge=0, le=65535)] | str | None = None
    qtype_name: str | None = None
    answers: list[str | None] | str | None = None
    server_name: Any = None
    host: Any = None
    method: Any = None
    uri: Any = None
    trans_depth: Any = None
    conn_state: Any = None
    path: str | None = msgspec.field(name="_path", default=None)
    stream: str | None = msgspec.field(name="@stream", default=None)


_NOT_ZEEK = "no JSON, or not of the shape that Zeek writes"

_KIND = msgspec.json.Decoder(_Kind)
_LINE = msgspec.json.Decoder(_Line)
_TAGGED = msgspec.json.Decoder(dict[str, msgspec.Raw])


def is_zeek(line: bytes) -> bool:
    """Whether a line is one of any of Zeek's logs."""
    return _shows(line) or _shows(_untagged(line)[1])


def _shows(line: bytes) -> bool:
    found = decode(_KIND, line)
    if found is None:
        return False
    # Who picks fields leaves out the identifier, which nobody reads.
    own = found.uid is not None or found.client is not None or found.client_flat is not None
    return found.path is not None or (found.ts is not None and own)


def read_json(line: bytes) -> Said | None:
    """What a line says; None for one of a log that is not read.

    Raises:
        Unreadable: it is no JSON, or not of Zeek's shape.
    """
    found = decode(_LINE, line)
    if found is None:
        if _is_of_another_log(line):
            return None
        raise Unreadable(_NOT_ZEEK)
    kind = _kind_of(found)
    if kind is None and found.ts is None and found.path is None and found.stream is None:
        found, kind = _read_tagged(line)
    if kind == "dns":
        return _question(found) if found.query is not None else None
    return _connection(found, kind) if kind else None


def _read_tagged(line: bytes) -> tuple[_Line, Kind | None]:
    """A line within an object, and what it tells of; nothing when it is of a log that is not read.

    Raises:
        Unreadable: it is none of Zeek's.
    """
    tag, inner = _untagged(line)
    found = decode(_LINE, inner)
    if found is None or found.ts is None:
        raise Unreadable(_NOT_ZEEK)
    return found, LOGS.get(tag)


def _untagged(line: bytes) -> tuple[str, bytes]:
    """The only key of an object, and the object below it; "" when that is not what it is."""
    found = decode(_TAGGED, line)
    if found is None or len(found) != 1:
        return "", b""
    ((tag, inner),) = found.items()
    return (tag, bytes(inner)) if bytes(inner).startswith(b"{") else ("", b"")


def _is_of_another_log(line: bytes) -> bool:
    """Whether a line that does not have the shape of the logs that are read says of itself that it is none of them."""
    kind = decode(_KIND, line)
    path = None if kind is None else kind.path or kind.stream
    return path is not None and path not in LOGS


def _kind_of(line: _Line) -> Kind | None:
    """What a line tells of, by the log it says it is of or, where it does not say, by its keys."""
    path = line.path or line.stream
    if path is not None:
        return LOGS.get(path)
    if line.query is not None:
        return "dns"
    if line.server_name is not None:
        return "tls"
    # Other logs have a `host` too; it is the one that was seen, not the one that was wanted.
    if line.host is not None and line.trans_depth is not None:
        return "http"
    return "connection" if line.conn_state is not None else None


def _question(line: _Line) -> Said:
    return Said(
        kind="dns",
        time=line.ts if line.ts is not None else "",
        client=_end(line, "orig_h", line.client or line.client_flat),
        name=(line.query or "").encode(),
        rrtype=rrtype_of((line.qtype_name or "").encode(), str(line.qtype).encode()),
        answers=[answer.encode() for answer in _answers(line.answers) if answer is not None],
    )


def _answers(answers: list[str | None] | str | None) -> Sequence[str | None]:
    """One by one; in a text they are parted as in TSV, where a comma within an answer is escaped."""
    return answers.split(",") if isinstance(answers, str) else answers or ()


def _connection(line: _Line, kind: Kind) -> Said:
    address = _end(line, "resp_h", line.address or line.address_flat)
    method, target = (_text(line.method), _text(line.uri)) if kind == "http" else (b"", b"")
    return Said(
        kind=kind,
        time=line.ts if line.ts is not None else "",
        client=_end(line, "orig_h", line.client or line.client_flat),
        name=b"" if kind == "connection" else _text(line.host if kind == "http" else line.server_name),
        rrtype="",
        answers=destination(address, method, target),
    )


def _end(line: _Line, name: str, flat: str | None) -> bytes:
    """One end of the connection, wherever it stands."""
    if flat is not None or not isinstance(line.ends, dict):
        return (flat or "").encode()
    return _text(line.ends.get(name))


def _text(value: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise Unreadable(_NOT_ZEEK)
    return value.encode()
