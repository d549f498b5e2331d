"""Lines of JSON as logs hold them: one object each, now and then with bytes that are no UTF-8. Pure."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

_STRAY_BYTE = re.compile("[\udc80-\udcff]")


def decode(decoder: msgspec.json.Decoder[T], line: bytes) -> T | None:
    """What a line holds; None when it is no JSON, or not of the decoder's shape."""
    try:
        return decoder.decode(line)
    except UnicodeDecodeError:
        spelt = _spell_stray_bytes(line)
    except (msgspec.MsgspecError, RecursionError):
        return None
    try:
        return decoder.decode(spelt)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _spell_stray_bytes(line: bytes) -> str:
    r"""A line that is no UTF-8, its stray bytes spelt `\xNN` as the JSON writers of Zeek and Suricata do."""
    text = line.decode("utf-8", "surrogateescape")
    return _STRAY_BYTE.sub(lambda stray: f"\\\\x{ord(stray.group()) - 0xDC00:02x}", text)
