"""Names, addresses, clients and hosts as logs hold them: octets, read once and remembered. Pure.

A log asks for the same few thousand names again and again, so that what was made of an octet string is kept. Octets are what
stood on the wire, with dots between the labels: no presentation format, in which a backslash would mean something.

What needs more than octets (escapes, times, whose answer it is) is each format's own.
"""

from __future__ import annotations

import functools
import re

from feedsvc import names
from feedsvc.errors import NameRefused
from feedsvc.sources.records import printable

LATEST = 253402300800.0
"""9999-12-31T24:00:00Z in epoch seconds: what a datetime can hold ends there."""

SAMPLE = 200
"""Bytes of a bad line that are kept."""

_MANY = 65536  # of each that are remembered

_ADDRESS = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*")
_PLAIN = re.compile(rb"[a-z0-9_.-]{1,253}")


class Unreadable(ValueError):
    """A line that cannot be understood; the message is the reason of a `BadLine`."""


@functools.lru_cache(maxsize=_MANY)
def name_of(octets: bytes) -> str:
    """The canonical name of labels joined by dots.

    Raises:
        NameRefused: they are none.
    """
    if _PLAIN.fullmatch(octets):
        return names.parse_name(octets.decode("ascii"))
    return names.encode_labels(octets.removesuffix(b".").split(b"."))


@functools.lru_cache(maxsize=_MANY)
def address_of(octets: bytes) -> names.Address | None:
    """The address that octets spell; None when they are none."""
    if not _ADDRESS.fullmatch(octets):
        return None
    try:
        return names.parse_address(octets.decode("ascii"))
    except NameRefused:
        return None


@functools.lru_cache(maxsize=_MANY)
def client_of(octets: bytes) -> str | None:
    """Who asked. What is no address is kept as it is: a site may write pseudonyms there."""
    return str(address_of(octets) or printable(octets)) if octets else None
