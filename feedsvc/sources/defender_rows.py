"""Rows of Defender's advanced hunting tables, as its API, its streams and its portals write them: JSON and CSV. Pure.

    {"category": "AdvancedHunting-DeviceNetworkEvents", "properties": {…}}     streams to a storage account
    {"records": [{"category": …, "properties": {…}}, …]}                       streams to an event hub
    {"results": [{…}, …]}, {"Results": [{…}, …]}, {…}                          the API, and rows alone
    Timestamp,DeviceId,DeviceName,ActionType,…                                 CSV of the Defender portal
    "TimeGenerated [UTC]",DeviceName,ActionType,…                              CSV of Log Analytics and Sentinel

Columns are found by their names. A cell of CSV may hold line ends.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

import msgspec

from feedsvc.sources.readings import LATEST, Unreadable
from feedsvc.sources.winevents import text_of

DateOrder = Literal["mdy", "dmy"]
Row = Mapping[str, Any]

ROWS = re.compile(r'(\{[^\n]*+|(?!\{)[^"\n]*+(?>(?:"[^"]*+"[^"\n]*+)*))\n')
"""Frames: a JSON object, which is a line, or a row of CSV, whose quoted cells may hold line ends."""

_LISTS = ("records", "results", "Results")
_TABLES = "AdvancedHunting-"
_TIMES = ("Timestamp", "TimeGenerated")
_ZONED = re.compile(r"(?P<name>Timestamp|TimeGenerated) \[(?P<zone>[^]]{1,32})\]")
_LOCAL = " (local)"
_COLUMNS = frozenset({"ActionType", "RemoteIP", "DeviceName"})
_MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
_CLOCK = re.compile(
    r"(?:(?P<one>[0-9]{1,2})/(?P<two>[0-9]{1,2})/|(?P<month>[A-Z][a-z]{2}) (?P<day>[0-9]{1,2}), )(?P<year>[0-9]{4}),? "
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<part>[0-9]{1,9}))?(?: ?(?P<half>[AaPp])[Mm])?"
)


def from_json(line: bytes) -> Iterator[Row]:
    """The rows of one line.

    Raises:
        Unreadable: it is no JSON object.
    """
    try:
        whole = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise Unreadable("no JSON") from err
    if not isinstance(whole, dict):
        raise Unreadable("no JSON object")
    found = next((whole[key] for key in _LISTS if isinstance(whole.get(key), list)), [whole])
    return (_row_of(one) for one in found if isinstance(one, dict))


def _row_of(record: dict[str, Any]) -> Row:
    properties = record.get("properties")
    return properties if isinstance(properties, dict) else record


def is_json_row(line: bytes) -> bool:
    """Whether a line is a row of one of the tables, or some of them."""
    if not line.startswith(b"{") or b"ActionType" not in line:
        return False
    try:
        whole = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    found = next((whole[key] for key in _LISTS if isinstance(whole.get(key), list)), [whole])
    return bool(found) and all(isinstance(one, dict) and _is_row(one) for one in found)


def _is_row(record: dict[str, Any]) -> bool:
    return text_of(record.get("category")).startswith(_TABLES) or _row_of(record).keys() >= _COLUMNS


def header_of(row: bytes) -> tuple[str, ...]:
    """The columns that a row of CSV names; nothing when it is no header."""
    if b"ActionType" not in row:
        return ()
    try:
        cells = cells_of(row)
    except Unreadable:
        return ()
    return tuple(map(_column, cells)) if {*cells} >= _COLUMNS else ()


def _column(cell: str) -> str:
    """A column's name; the times of Log Analytics say in it whose zone they are in."""
    zoned = _ZONED.fullmatch(cell)
    if zoned is None:
        return cell
    return zoned["name"] if zoned["zone"].upper() == "UTC" else zoned["name"] + _LOCAL


def cells_of(row: bytes) -> list[str]:
    """The cells of one row of CSV.

    Raises:
        Unreadable: it is none, or more than one.
    """
    try:
        rows = list(csv.reader(io.StringIO(row.decode("utf-8", "replace"), newline=""), strict=True))
    except csv.Error as err:
        raise Unreadable("row that is no CSV") from err
    if len(rows) != 1:
        raise Unreadable("row that is no CSV")
    return rows[0]


def from_csv(row: bytes, header: Sequence[str]) -> Row:
    """A row below its header.

    Raises:
        Unreadable: there is no header, or it does not fit.
    """
    if not header:
        raise Unreadable("row without a header above it")
    cells = cells_of(row)
    if len(cells) != len(header):
        raise Unreadable("not as many cells as the header has columns")
    return dict(zip(header, cells, strict=True))


def time_of(row: Row, order: DateOrder, zone: tzinfo) -> float:
    """When a row is of, in epoch seconds.

    Args:
        order: of times that begin with a day or a month.
        zone: of those of which the header says that they are not in UTC.

    Raises:
        Unreadable: it does not say.
    """
    for key, here in ((name + suffix, local) for suffix, local in (("", UTC), (_LOCAL, zone)) for name in _TIMES):
        text = text_of(row.get(key))
        if text:
            return _moment(text, order, here)
    raise Unreadable("row without a time")


def _moment(text: str, order: DateOrder, zone: tzinfo) -> float:
    found = _CLOCK.fullmatch(text.replace("\u202f", " "))
    try:
        when = _spelt_out(found, order) if found else datetime.fromisoformat(text)
        seconds = when.replace(tzinfo=when.tzinfo or zone).timestamp()
    except (ValueError, OverflowError) as err:
        raise Unreadable("time that cannot be read") from err
    if not 0 <= seconds < LATEST:
        raise Unreadable("time that cannot be read")
    return seconds


def _spelt_out(found: re.Match[str], order: DateOrder) -> datetime:
    if found["month"]:
        month, day = _MONTHS.get(found["month"], 0), int(found["day"])
    else:
        month, day = (int(found["one"]), int(found["two"])) if order == "mdy" else (int(found["two"]), int(found["one"]))
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
    part = int((found["part"] or "0")[:6].ljust(6, "0"))
    return datetime(int(found["year"]), month, day, hour, int(found["minute"]), int(found["second"]), part)  # noqa: DTZ001
