"""URL filters of TAXII 2.1 (§3.4), read strictly: what is malformed is refused with what to send instead.

`added_after`, `limit` and `next` may stand once each. Match fields are AND-ed, their comma-separated values OR-ed; a field
that an endpoint does not know is ignored, as §3.4.1 allows. Values are checked by their form only: whether an object is
there, and may be seen, is the history's and the reader's matter. Brackets, commas and colons may come raw or %-encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from feedsvc.errors import UsageError
from feedsvc.history.port import VersionFilter

OBJECTS = frozenset({"id", "type", "version", "spec_version"})
"""Match fields of objects and manifest (§5.3, §5.4)."""
OBJECT = frozenset({"version", "spec_version"})
"""Match fields of one object (§5.6)."""
VERSIONS = frozenset({"spec_version"})
"""Match fields of the versions of an object (§5.8)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_PARAMETERS = 64
_MOST_VALUES = 1000

OBJECT_ID = re.compile(r"[a-z0-9-]{3,250}--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""A STIX identifier (STIX 2.1 §2.9)."""

_VERSION_WORDS: Mapping[str, VersionFilter] = {"last": "last", "first": "first", "all": "all"}
_TYPE = re.compile(r"[a-z0-9-]{3,250}")
_SPEC_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_NUMBER = re.compile(r"0*([0-9]{1,4000})")
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+ -])(\d\d):(\d\d))",
    re.ASCII,
)


class Malformed(UsageError):
    """A filter that is none; the message says what to send instead, and repeats nothing of what was sent."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a request asks for, checked by form.

    Attributes:
        after: `added_after` in microseconds since 1970.
        limit: as asked; the server's own limit is not in it.
        next: the token as sent, not yet checked.
        versions, exact_versions: see `feedsvc.history.port.FeedQuery`.
    """

    after: int | None = None
    limit: int | None = None
    next: str | None = None
    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    versions: frozenset[VersionFilter] = frozenset({"last"})
    exact_versions: frozenset[str] = frozenset()
    spec_versions: frozenset[str] = frozenset()

    def matching(self) -> str:
        """The match filters in one canonical text: what a `next` token is bound to. Position and page size are not in it."""
        named = (self.ids, self.types, self.versions, self.exact_versions, self.spec_versions)
        return json.dumps([sorted(values) for values in named])


def parse_filters(query: bytes, fields: frozenset[str]) -> Filters:
    """Read a query string.

    Args:
        query: as it came, %-encoded.
        fields: the match fields that the endpoint knows.

    Raises:
        Malformed: the first filter that is not well formed.
    """
    if not query:
        return Filters()
    given = _once(query, fields)
    read_match = {field: _values(given[f"match[{field}]"], field) for field in fields if f"match[{field}]" in given}
    words, exact = _read_versions(read_match.get("version", ("last",)))
    return Filters(
        after=_read_after(given),
        limit=_read_limit(given),
        next=given.get("next"),
        ids=_checked(read_match.get("id", ()), OBJECT_ID, "match[id] takes STIX identifiers, type--uuid"),
        types=_checked(read_match.get("type", ()), _TYPE, "match[type] takes STIX types, such as indicator"),
        versions=words,
        exact_versions=exact,
        spec_versions=_checked(
            read_match.get("spec_version", ()), _SPEC_VERSION, "match[spec_version] takes versions, such as 2.1"
        ),
    )


def _once(query: bytes, fields: frozenset[str]) -> Mapping[str, str]:
    """The parameters we know, each at most once."""
    known = {"added_after", "limit", "next", *(f"match[{field}]" for field in fields)}
    given: dict[str, str] = {}
    for name, value in _pairs(query):
        if name not in known:
            continue
        if name in given:
            raise Malformed(f"{name} may stand once only")
        given[name] = value
    return given


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as err:
        raise Malformed(f"over {_MOST_PARAMETERS} parameters") from err


def _values(text: str, field: str) -> tuple[str, ...]:
    values = tuple(text.split(","))
    if len(values) > _MOST_VALUES:
        raise Malformed(f"match[{field}] takes up to {_MOST_VALUES} values")
    if len(set(values)) != len(values):
        raise Malformed(f"match[{field}] holds a value twice")
    return values


def _checked(values: tuple[str, ...], form: re.Pattern[str], complaint: str) -> frozenset[str]:
    if not all(form.fullmatch(value) for value in values):
        raise Malformed(complaint)
    return frozenset(values)


def _read_limit(given: Mapping[str, str]) -> int | None:
    if "limit" not in given:
        return None
    digits = _NUMBER.fullmatch(given["limit"])
    if digits is None or int(digits[1]) == 0:
        raise Malformed("limit takes a whole number above 0")
    return int(digits[1])


def _read_after(given: Mapping[str, str]) -> int | None:
    if "added_after" not in given:
        return None
    return parse_moment(given["added_after"], "added_after takes one RFC 3339 time, such as 2026-01-31T12:00:00.000000Z")


def parse_moment(text: str, complaint: str) -> int:
    """An RFC 3339 time as microseconds since 1970, finer digits cut off: what is strictly after it stays the same.

    A space where the offset begins is a plus sign that a client forgot to encode.

    Raises:
        Malformed: with `complaint`; the text is no such time.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise Malformed(complaint)
    day, minute, second, fraction, sign, hours, minutes = found.groups()
    try:
        start = datetime.fromisoformat(f"{day}T{minute}:00+00:00")
    except ValueError as err:
        raise Malformed(complaint) from err
    if int(second) > 60 or (sign and (int(hours) > 23 or int(minutes) > 59)):
        raise Malformed(complaint)
    # In numbers from here on: a leap second rolls over, and no year is left at either end of the calendar.
    micros = (start - EPOCH) // _MICROSECOND + int(second) * 1_000_000 + int((fraction or "")[:6].ljust(6, "0"))
    offset = (int(hours) * 60 + int(minutes)) * 60_000_000 if sign else 0
    return micros + offset if sign == "-" else micros - offset


def write_moment(micros: int) -> str:
    """The TAXII timestamp of a number of microseconds since 1970: six digits and Z (§2)."""
    return (EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _read_versions(values: tuple[str, ...]) -> tuple[frozenset[VersionFilter], frozenset[str]]:
    if "all" in values and len(values) > 1:
        raise Malformed("match[version] takes all alone")
    words = frozenset(_VERSION_WORDS[value] for value in values if value in _VERSION_WORDS)
    exact = [_spellings(value) for value in values if value not in _VERSION_WORDS]
    return words, frozenset().union(*exact)


def _spellings(text: str) -> frozenset[str]:
    """Every precision in which an object may write this moment: clients drop final zeros, objects do not."""
    complaint = "match[version] takes last, first, all or RFC 3339 times"
    try:
        full = write_moment(parse_moment(text, complaint)).removesuffix("Z")
    except OverflowError as err:  # an offset that leaves the calendar
        raise Malformed(complaint) from err
    shortest = max(len(full.rstrip("0.")), len("2026-11-24T06:52:32"))
    return frozenset(f"{full[:end].removesuffix('.')}Z" for end in range(shortest, len(full) + 1))
