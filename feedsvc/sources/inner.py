"""Records of other logs that a log wraps: which format each is of, line by line, and a parser for each place they came from.

What came from one place (a file on a host, an index) is read by one parser as long as it is of one format, so that what
lines say together is understood as it is in the log itself. A line that shows no format by itself belongs to the format of
the lines before it, where a place is told. Parsers are few: the one that was not used for longest gives way, and says first
what it waited for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from feedsvc.errors import PluginError, SourceError
from feedsvc.sources.logfile import cut, finish, read_line
from feedsvc.sources.logs import Formats, NamedFormat
from feedsvc.sources.port import BadLine, LogParser, LogRecord
from feedsvc.sources.readings import SAMPLE

MOST = 64
"""Parsers that are kept."""

_LONGEST_PLACE = 200
_SURROGATE = re.compile("[\ud800-\udfff]")

Found = LogRecord | BadLine


@dataclass(slots=True)
class _Reader:
    named: NamedFormat
    parser: LogParser


class Inner:
    """Reads what one log wraps.

    Args:
        formats: those that it may be of; without the one that wraps.
        state: what `state` said when the log was read to here; "" at its beginning.

    Raises:
        SourceError: the state is none.
    """

    def __init__(self, formats: Formats, state: str = "") -> None:
        self._formats = formats
        self._readers: dict[tuple[str, str], _Reader] = {}  # by place and format; the last used comes last
        self._latest: dict[str, str] = {}  # the format of the last line, by place
        for place, name, inner in _stored(state):
            self._begin(place, name, inner)

    def parse(self, text: bytes, place: str, offset: int) -> tuple[Found, ...]:
        """Read one wrapped record.

        Args:
            text: the record, of several lines maybe.
            place: where it came from; "" when nobody says.
            offset: where what wraps it begins.
        """
        place = _known_as(place)
        name = self._name_of(text, place)
        if not name:
            return (BadLine(offset, "wrapped record that no format fits", text[:SAMPLE]),)
        dropped = self._use(place, name)
        return (*dropped, *_read(self._readers[place, name], text, offset))

    def finish(self) -> tuple[Found, ...]:
        """What all parsers are waiting for, once nothing more will come."""
        return tuple(found for reader in self._readers.values() for found in finish(reader.parser))

    def state(self) -> str:
        """What to remember; "" while nothing was wrapped."""
        if not self._readers:
            return ""
        stored = [(place, name, reader.parser.state()) for (place, name), reader in self._readers.items()]
        return msgspec.json.encode(stored).decode()

    def _name_of(self, text: bytes, place: str) -> str:
        """The format of a record; "" when nothing shows it."""
        latest = self._latest.get(place, "")
        line = text + b"\n"
        if latest and self._readers[place, latest].named.format.recognises(line):
            return latest
        try:
            return self._formats.by_head(line).name
        except SourceError:
            return latest if place else ""

    def _use(self, place: str, name: str) -> tuple[Found, ...]:
        """Have a reader at hand; what one that gives way for it was waiting for."""
        key = place, name
        dropped: tuple[Found, ...] = ()
        if key in self._readers:
            self._readers[key] = self._readers.pop(key)
        else:
            if len(self._readers) >= MOST:
                dropped = self._drop_oldest()
            self._begin(place, name)
        self._latest[place] = name
        return dropped

    def _begin(self, place: str, name: str, state: str = "") -> None:
        try:
            named = self._formats.by_name(name)
        except PluginError as err:
            raise SourceError(f"the remembered format of what this log wraps is gone: {err}", permanent=True) from err
        self._readers[place, name] = _Reader(named, named.format.parser(state))
        self._latest[place] = name

    def _drop_oldest(self) -> tuple[Found, ...]:
        place, name = next(iter(self._readers))
        reader = self._readers.pop((place, name))
        if self._latest.get(place) == name:
            del self._latest[place]
        return finish(reader.parser)


def _known_as(place: str) -> str:
    """A place as it is remembered: as it is told, or by its fingerprint where it is too long, or holds stray octets."""
    if len(place) <= _LONGEST_PLACE and _SURROGATE.search(place) is None:
        return place
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()


def _stored(state: str) -> list[tuple[str, str, str]]:
    try:
        return msgspec.json.decode(state, type=list[tuple[str, str, str]]) if state else []
    except msgspec.MsgspecError as err:
        raise SourceError(f"the remembered state of what this log wraps cannot be read: {err}", permanent=True) from err


def _read(reader: _Reader, text: bytes, offset: int) -> Iterator[Found]:
    try:
        for _, frame, _ in cut(reader.named.format, iter([text + b"\n"])):
            yield from read_line(reader.parser, (offset, frame, offset))
    except SourceError:
        yield BadLine(offset, "wrapped record that cannot be cut into lines", text[:SAMPLE])
