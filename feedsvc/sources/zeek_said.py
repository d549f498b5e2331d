r"""What a line of a Zeek log says, whichever way it is written: what TSV and JSON have in common. Pure."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


class Said(NamedTuple):
    """Texts as Zeek spells them, empty where there is nothing."""

    time: bytes | float | str
    client: bytes
    query: bytes
    rrtype: str
    answers: list[bytes]


def unescape(text: bytes) -> bytes:
    r"""The bytes that Zeek spelt `\xNN`, as what they were."""
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(lambda escape: bytes([int(escape.group(1), 16)]), text)


@functools.lru_cache(maxsize=1024)
def rrtype_of(name: bytes, number: bytes) -> str:
    """The type that was asked for, by its name or, where the log has none, its number; "" when it has neither."""
    if name:
        return name.decode("ascii", "backslashreplace")
    if not number.isdigit() or len(number) > 5:
        return ""
    return {1: "A", 28: "AAAA"}.get(int(number), f"TYPE{int(number)}")  # RFC 3597 §5
