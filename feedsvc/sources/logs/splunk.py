r"""Exports of Splunk searches, JSON or CSV: the events within are read by the formats that they are of.

JSON is what the `search/jobs/export` endpoint gives, and Splunk Web's export: one `{"preview":false,…,"result":{…}}` a line,
or `{"results":[…]}`. CSV has a header with a column `_raw`, from Splunk Web, `outputcsv` or `output_mode=csv`; a cell may
hold line ends. Search for events, not for tables: `_raw` is what is read. Rows of a preview are passed by, for they come
again.

Each `_raw` is told apart for itself, as a file of its own would be: an export may hold the events of any number of logs.
`sourcetype`, `source` and `host`, where they are there, say which events belong together, so that what several events say
together (a question and its answer) is understood; for that, export in the order of time (`| sort 0 _time`): Splunk gives
the latest first. An event that shows no format belongs to that of the events before it from the same place; one that no
format fits at all is told.

What Splunk made of the event (`query`, `answer`, …) is not read. Events that mean nothing without the header of their file
(Zeek's TSV, custom Squid columns) are refused: export JSON, or sweep the files.

Times are those of the events; local times are of the zone that is configured. Of logs that leave out the year, or the zone,
Splunk knew more: `time = "splunk"` takes `_time` instead, for records of one event each.

An export is a file that does not change. Raw exports are no Splunk format, but the logs themselves. Not read are
`output_mode=json_rows` and `json_cols`, and cells of CSV over 128 KiB, which are told.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any, Literal

import msgspec

from feedsvc.errors import SourceError
from feedsvc.names import Netblock
from feedsvc.sources import heads, textframes, texts
from feedsvc.sources.inner import Inner
from feedsvc.sources.json_lines import decode
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import BadLine, Line, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import Traces
from feedsvc.sources.wiretraces import shipped_traces

_WRAPPERS = ("splunk",)  # what may not stand in an event again

# A line that begins with a brace is JSON, which has no line ends within; else line ends between quotes belong to the row
# (RFC 4180). A line whose quotes are not in order is a row for itself, so that a lost one costs no more than its own row.
_QUOTED = r'"[^"]*+(?>(?:""[^"]*+)*)'
_CELL = rf'(?:{_QUOTED}"|[^",\n]*+)'
# What a row may still become when more of it is there: its last cell is not closed yet, or its line end is not there.
_UNFINISHED = rf'(?>(?:{_CELL},)*)(?:{_QUOTED}(?>(?:"\r?+)?)|[^",\n]*+)\Z'
_ROW = re.compile(rf"((?=\{{)[^\n]*+|(?>(?:{_CELL},)*){_CELL}\r?+|(?!{_UNFINISHED})[^\n]*+)\n")
_COLUMN = re.compile(r"[A-Za-z0-9_.:{}\- ]*")
_UTC_NAME = re.compile(r" ?(?:UTC|GMT)\Z")
_NO_ROW = "no result of a search"


@dataclass(frozen=True, slots=True)
class Options:
    """Settings.

    Attributes:
        time: whose time is taken: `raw` that of the event, `splunk` that of `_time`.
    """

    time: Literal["raw", "splunk"] = "raw"


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read.

    Args:
        zone: of local times in the events.
    """
    return Splunk(options, Formats(zone=zone, without=_WRAPPERS))


class _State(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    header: tuple[str, ...] = ()
    inner: str = ""


class _Result(msgspec.Struct, gc=False):
    raw: Any = msgspec.field(name="_raw", default=None)
    time: Any = msgspec.field(name="_time", default=None)
    sourcetype: Any = None
    source: Any = None
    host: Any = None


class _Line(_Result, gc=False):
    """A result with what is around it; bare where one object is around all of them."""

    preview: Any = None
    result: _Result | None = None
    results: list[_Result] | None = None
    messages: Any = None


_LINE = msgspec.json.Decoder(_Line)


class Splunk:
    """Exports of searches: see the module's manual page.

    Attributes:
        wraps: see `feedsvc.sources.logs`.
    """

    wraps = True

    def __init__(self, options: Options, inner: Formats) -> None:
        self._options = options
        self._inner = inner

    def parser(self, state: str = "") -> SplunkParser:
        """See `LogFormat`; the state is the header, and the states of the logs within."""
        try:
            stored = msgspec.json.decode(state, type=_State) if state else _State()
        except msgspec.MsgspecError as err:
            raise SourceError(f"the remembered state of a Splunk export cannot be read: {err}", permanent=True) from err
        return SplunkParser(self._options, Inner(self._inner, stored.inner), stored.header)

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: the lines of logs within may hang together."""
        found = shipped_traces(netblocks, wanted)
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether it begins with a header that has `_raw`, or half of the first lines are results."""
        lines = heads.first_lines(textframes.octets(head))
        return bool(lines) and (_header(_cells(lines[0])) != () or heads.mostly(head, _is_result))

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        """See `Framed`: a row of CSV may have several lines."""
        return textframes.cut(blocks, start, _ROW)


def _is_result(line: bytes) -> bool:
    found = decode(_LINE, line)
    if found is None:
        return False
    if found.result is not None:
        return found.preview is not None or found.result.raw is not None
    return found.raw is not None or any(result.raw is not None for result in (found.results or ())[:1])


class SplunkParser:
    """Reads the rows of one export."""

    def __init__(self, options: Options, inner: Inner, header: tuple[str, ...]) -> None:
        self._by_splunk = options.time == "splunk"
        self._inner = inner
        self._header = header

    def state(self) -> str:
        """See `LogParser`."""
        state = _State(self._header, self._inner.state())
        return msgspec.json.encode(state).decode() if state != _State() else ""

    def finish(self) -> Parsed:
        """See `Waiting`: what the logs within were waiting for."""
        return self._inner.finish()

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`."""
        text = textframes.octets(line)
        if not text.strip():
            return None
        try:
            results = _of_json(text) if text.startswith(b"{") else self._of_csv(text)
            return tuple(found for result in results for found in self._events(result, offset))
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def _of_csv(self, row: bytes) -> list[_Result]:
        cells = _cells(row)
        header = _header(cells)
        if header:
            self._header = header
            return []
        if not self._header:
            raise Unreadable("row without a header that has _raw above it")
        if len(cells) != len(self._header):
            raise Unreadable("not as many cells as the header has columns")
        return [_result_of(dict(zip(self._header, cells, strict=True)))]

    def _events(self, result: _Result, offset: int) -> Iterator[LogRecord | BadLine]:
        place = "\n".join(text for text in (result.sourcetype, result.source, result.host) if isinstance(text, str))
        for raw in result.raw if isinstance(result.raw, list) else [result.raw]:
            if not isinstance(raw, str):
                raise Unreadable("result without _raw")
            text = raw.encode("utf-8", "surrogateescape")  # as `_cells` and the decoder of JSON left stray bytes
            for found in self._inner.parse(text, place, offset) if text.strip() else ():
                yield self._timed(found, result, offset)

    def _timed(self, found: LogRecord | BadLine, result: _Result, offset: int) -> LogRecord | BadLine:
        # What an earlier event began is of its time, not of this one's.
        if not self._by_splunk or isinstance(found, BadLine) or found.offset != offset:
            return found
        spelt = result.time
        return replace(found, time=texts.time_of(_UTC_NAME.sub("Z", spelt) if isinstance(spelt, str) else spelt))


def _of_json(line: bytes) -> list[_Result]:
    found = decode(_LINE, line)
    if found is None:
        raise Unreadable(_NO_ROW)
    if found.preview is True:
        return []
    if found.results is not None:
        return found.results
    if found.raw is not None:
        return [found]
    if found.result is None and found.preview is None and found.messages is None:
        raise Unreadable(_NO_ROW)
    return [] if found.result is None else [found.result]


def _cells(row: bytes) -> list[str]:
    try:
        return next(csv.reader([row.decode("utf-8", "surrogateescape")]), [])
    except csv.Error:
        return []


def _header(cells: list[str]) -> tuple[str, ...]:
    """The columns, if cells are nothing but names of columns and `_raw` is one of them."""
    return tuple(cells) if "_raw" in cells and all(map(_COLUMN.fullmatch, cells)) else ()


def _result_of(row: Mapping[str, str]) -> _Result:
    return _Result(row["_raw"], row.get("_time"), row.get("sourcetype"), row.get("source"), row.get("host"))
