"""Names and clients as name servers write them into lines of text. Pure.

Names stand there in presentation format (RFC 1035 §5.1), in which a backslash begins an escape, or as octets that nobody
escaped. They are read as those of JSON logs are (`feedsvc.sources.texts`).
"""

from __future__ import annotations

import functools
import re

from feedsvc import names
from feedsvc.errors import NameRefused
from feedsvc.sources import texts
from feedsvc.sources.readings import Unreadable, address_of, client_of
from feedsvc.sources.records import is_name

ADDRESS = rb"(?:[0-9.]{7,15}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f.:]{1,40})(?:%[0-9A-Za-z_.-]{1,16})?"
"""What may be an address, with the interface of one of the link; no word is."""

_MANY = 32768
_LONGEST_CLIENT = 255
_ZONE_ID = re.compile(rb"%.*", re.DOTALL)


def name_of(spelt: bytes) -> str:
    """The canonical name; "" for the root, and for an address in the place of a name: nothing to look for.

    Raises:
        NameRefused: it is no name.
    """
    try:
        return texts.name_of(spelt.decode())
    except UnicodeDecodeError as err:
        raise NameRefused("bytes that are no UTF-8") from err


def question(spelt: bytes) -> str:
    """As `name_of`, for what a line is about.

    Raises:
        Unreadable: it is no name.
    """
    try:
        return name_of(spelt)
    except NameRefused as err:
        raise Unreadable(f"query is no name: {err}") from err


@functools.lru_cache(maxsize=_MANY)
def name_of_octets(octets: bytes) -> str:
    """As `name_of`, of labels as they stood on the wire, with dots between them."""
    if octets == b".":
        return ""
    name = names.encode_labels(octets.removesuffix(b".").split(b"."))
    return name if is_name(name) else ""


def client(spelt: bytes) -> str | None:
    """Who asked; of an address of the link (`fe80::1%eth0`) the interface is left out. None when nobody is named."""
    if not 0 < len(spelt) <= _LONGEST_CLIENT or spelt == b"-":
        return None
    host = _ZONE_ID.sub(b"", spelt)
    return client_of(host if address_of(host) else spelt)
