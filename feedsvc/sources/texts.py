"""Names, types, clients and times as JSON logs hold them: texts in presentation format (RFC 1035 §5.1). Pure.

Values are taken as they come out of a decoder, whatever they are: what is of the wrong kind is as good as nothing, or no
name. Names that stand as octets, without escapes, are read by `feedsvc.sources.readings`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime

from feedsvc import names
from feedsvc.errors import NameRefused
from feedsvc.sources import readings
from feedsvc.sources.readings import LATEST, Unreadable
from feedsvc.sources.records import is_name

NameReader = Callable[[str], str]

_MANY = 65536
_LONGEST_HOST = 255
_LONGEST_ADDRESS = 45  # six groups of four and a dotted quad
_LONGEST_TIME = 40
_LONGEST_SHOWN = 1024
_ODD = re.compile(r"[^\x20-\x7e]")
_MILLISECONDS = 1e11  # epoch seconds get there in the year 5138, epoch milliseconds were there in 1973
_RRTYPE = re.compile(r"[A-Za-z0-9-]{1,16}")
_NUMBERS = {"1": "A", "5": "CNAME", "28": "AAAA"}


@functools.lru_cache(maxsize=_MANY)
def name_of(text: str) -> str:
    """The canonical name; "" for the root, and for an address in the place of a name: nothing to look for.

    Raises:
        NameRefused: it is no name.
    """
    if text == ".":
        return ""
    name = names.parse_name(text)
    return name if is_name(name) else ""


def asked_name(value: object, read: NameReader = name_of) -> str:
    """As `name_of`, for what a record is about; "" when the record does not say.

    Args:
        read: reads the name, as `name_of` does.

    Raises:
        Unreadable: it is no name.
    """
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise Unreadable("query is no text")
    try:
        return read(value)
    except NameRefused as err:
        raise Unreadable(f"query is no name: {err}") from err


def address_of(value: object) -> names.Address | None:
    """The address that a value spells; None when it is none."""
    if not isinstance(value, str) or len(value) > _LONGEST_ADDRESS:
        return None
    return readings.address_of(value.encode("utf-8", "replace"))


def client_of(*values: object) -> str | None:
    """Who asked: the first of these that says anything."""
    for value in values:
        if isinstance(value, str) and 0 < len(value) <= _LONGEST_HOST:
            return readings.client_of(value.encode("utf-8", "replace"))
    return None


def shown(text: str) -> str:
    """A process, safe to show: cut to a bearable length, control characters and what is no ASCII escaped."""
    return _ODD.sub(lambda odd: odd.group().encode("unicode_escape", "surrogatepass").decode("ascii"), text[:_LONGEST_SHOWN])


@functools.lru_cache(maxsize=1024)
def _rrtype(text: str) -> str:
    return _NUMBERS.get(text, text.upper() if _RRTYPE.fullmatch(text) else "")


def rrtype_of(value: object) -> str:
    """A record type by its name, or by its number where that is of an address or a CNAME; "" when it is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return _rrtype(value) if isinstance(value, str) and len(value) <= 16 else ""


def time_of(value: object) -> float:
    """Epoch seconds of a time: ISO 8601, UTC where it says no zone, or a number of seconds or milliseconds.

    Raises:
        Unreadable: it is no time.
    """
    if isinstance(value, str):
        return _time(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _bounded(value)
    raise Unreadable("no time, or none that can be read")


@functools.lru_cache(maxsize=_MANY)
def _time(text: str) -> float:
    if len(text) > _LONGEST_TIME:
        raise Unreadable("no time, or none that can be read")
    try:
        return _bounded(float(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise Unreadable("no time, or none that can be read") from err
    return _bounded(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _bounded(seconds: float) -> float:
    if seconds >= _MILLISECONDS:
        seconds /= 1000
    if not 0 <= seconds < LATEST:
        raise Unreadable("no time, or none that can be read")
    return float(seconds)
