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

_MANY = 32768  # of each that are remembered: a day's names of a site
_LONGEST_ADDRESS = 45  # characters: six groups of four and a dotted quad
_LONGEST_HOST = 255

_ADDRESS = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*")
_PLAIN = re.compile(rb"[a-z0-9_.-]{1,253}")
_PORT = re.compile(rb":[0-9]*\Z")
_BRACKETS = re.compile(rb"\[([0-9a-fA-F:.]+)(?:%[^]]*)?\]")
# RFC 9112 §3.2: what is said to a proxy is a whole URL, or host and port; to the server itself a path, or `*`.
_WHOLE_URL = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://|[^/?#*][^/?#]*:[0-9]+\Z")


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


def address_of(octets: bytes) -> names.Address | None:
    """The address that octets spell; None when they are none."""
    return _address(octets) if len(octets) <= _LONGEST_ADDRESS else None


def client_of(octets: bytes) -> str | None:
    """Who asked. What is no address is kept as it is, up to the length of a host's name: a site may write pseudonyms."""
    return _client(octets[:_LONGEST_HOST]) if octets else None


def host_of(octets: bytes) -> str | None:
    """The canonical name that a client said it wanted (SNI, `Host`), its port left out.

    Returns:
        None when it is an address, or nothing.

    Raises:
        NameRefused: it is neither name nor address.
    """
    if len(octets) > _LONGEST_HOST + len(":65535"):
        raise NameRefused("longer than any host's name")
    return _host(octets)


def is_for_proxy(method: bytes, target: bytes) -> bool:
    """Whether an HTTP request was sent to a proxy, whose address is not that of the host it is about."""
    return method == b"CONNECT" or _WHOLE_URL.match(target) is not None


# Nothing is remembered that has no bounds: hence the lengths above.


@functools.lru_cache(maxsize=_MANY)
def _address(octets: bytes) -> names.Address | None:
    if not _ADDRESS.fullmatch(octets):
        return None
    try:
        return names.parse_address(octets.decode("ascii"))
    except NameRefused:
        return None


@functools.lru_cache(maxsize=_MANY)
def _client(octets: bytes) -> str:
    return str(address_of(octets) or printable(octets))


@functools.lru_cache(maxsize=_MANY)
def _host(octets: bytes) -> str | None:
    host = _PORT.sub(b"", octets)
    if host in {b"", b"."} or _BRACKETS.fullmatch(host) or address_of(octets) or address_of(host.removesuffix(b".")):
        return None
    return name_of(host)
