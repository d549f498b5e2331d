"""Zeek's JSON, also as those spell it who pass its logs on. Pure.

Zeek writes its dotted names as keys (`id.orig_h`) and leaves unset fields out; shippers write `id_orig_h`, null for what is
unset, and `_path` for the log that a line belongs to.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from feedsvc.sources.json_lines import decode
from feedsvc.sources.readings import Unreadable
from feedsvc.sources.zeek_said import Said, rrtype_of


class _Kind(msgspec.Struct, gc=False):
    """What shows that a JSON line is Zeek's, and of which log."""

    ts: float | str | None = None
    uid: str | None = None
    path: str | None = msgspec.field(name="_path", default=None)


class _Line(msgspec.Struct, gc=False):
    """What is read of a JSON line; unset fields are left out by Zeek, null by those who pass its logs on."""

    ts: float | str | None = None
    client: str | None = msgspec.field(name="id.orig_h", default=None)
    client_flat: str | None = msgspec.field(name="id_orig_h", default=None)
    query: str | None = None
    qtype: Annotated[int, msgspec.Meta(ge=0, le=65535)] | str | None = None
    qtype_name: str | None = None
    answers: list[str | None] | None = None
    path: str | None = msgspec.field(name="_path", default=None)


_KIND = msgspec.json.Decoder(_Kind)
_LINE = msgspec.json.Decoder(_Line)


def is_zeek(line: bytes) -> bool:
    """Whether a line is one of any of Zeek's logs."""
    found = decode(_KIND, line)
    return found is not None and (found.path is not None or (found.ts is not None and found.uid is not None))


def read_json(line: bytes) -> Said | None:
    """What a line says; None for one of another log.

    Raises:
        Unreadable: it is no JSON, or not of Zeek's shape.
    """
    found = decode(_LINE, line)
    if found is None:
        kind = decode(_KIND, line)
        if kind is not None and kind.path not in {None, "dns"}:
            return None
        raise Unreadable("no JSON, or not of the shape that Zeek writes")
    if found.query is None or found.path not in {None, "dns"}:
        return None
    return Said(
        time=found.ts if found.ts is not None else "",
        client=(found.client or found.client_flat or "").encode(),
        query=found.query.encode(),
        rrtype=rrtype_of((found.qtype_name or "").encode(), str(found.qtype).encode()),
        answers=[answer.encode() for answer in found.answers or () if answer is not None],
    )
