r"""What a line of a Zeek log says, whichever way it is written: what TSV and JSON have in common. Pure."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from feedsvc.sources.port import Kind
from feedsvc.sources.readings import is_for_proxy

_LONGEST_TYPE = 64  # bytes that are kept; no type has as many
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


LOGS: dict[str, Kind] = {"dns": "dns", "ssl": "tls", "quic": "tls", "http": "http", "conn": "connection"}
"""The logs that are read, by the path that Zeek gives them, and what they tell of."""


class Said(NamedTuple):
    """Texts as Zeek spells them, empty where there is nothing.

    Attributes:
        name: what was asked for (`query`), or connected to (`server_name`, `host`); conn.log has none.
        rrtype: "" for a connection.
        answers: what stands there; of a connection the address that it went to, nothing when that was a proxy's.
    """

    kind: Kind
    time: bytes | float | str
    client: bytes
    name: bytes
    rrtype: str
    answers: list[bytes]


def destination(address: bytes, method: bytes = b"", target: bytes = b"") -> list[bytes]:
    """What a connection has for answers."""
    return [] if not address or is_for_proxy(method, target) else [address]


def unescape(text: bytes) -> bytes:
    r"""The bytes that Zeek spelt `\xNN`, as what they were."""
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(lambda escape: bytes([int(escape.group(1), 16)]), text)


def rrtype_of(name: bytes, number: bytes) -> str:
    """The type that was asked for, by its name or, where the log has none, its number; "" when it has neither."""
    return _rrtype(name[:_LONGEST_TYPE], number[:_LONGEST_TYPE])


@functools.lru_cache(maxsize=1024)
def _rrtype(name: bytes, number: bytes) -> str:
    if name:
        return name.decode("ascii", "backslashreplace").upper()
    if not number.isdigit() or len(number) > 5:
        return ""
    return {1: "A", 28: "AAAA"}.get(int(number), f"TYPE{int(number)}")  # RFC 3597 §5
