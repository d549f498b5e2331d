"""An answer that was accepted: its headers, and its body as lines that come within deadline and size."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx

from feedsvc.http.discretion import Discretion
from feedsvc.http.faults import AnswerIsMarkup, AnswerTooBig, HttpError
from feedsvc.http.wire import WIRE_ERRORS, Due

_STEP = 65_536  # bytes decompressed at a time, so that a gzip bomb costs no more than this at once
_MEMBERS = 10_000  # of a gzip; those that hold nothing cost time and no room
_FEW, _SHORTEST = 100_000, 8  # lines of an answer, above which they must have so many bytes on the average
_MARK = b"\xef\xbb\xbf"  # of the order of bytes; RFC 8259 §8.1 lets it be ignored
_MARKUP = b"<"  # how HTML and XML begin; no NDJSON does

_Line = TypeVar("_Line", bytes, bytearray)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one answer may go.

    Attributes:
        host: who answers, for messages.
        due: when it must have come to its end.
        deadline: how many seconds it was given.
        discretion: what must not be shown.
    """

    host: str
    due: Due
    deadline: float
    max_bytes: int
    max_line: int
    discretion: Discretion


class Answer:
    """A body under way. Read it once, by `lines` or by `read`.

    Attributes:
        status: 200 or 204, or 201 to a POST.
        headers: their names in lower case.
        discretion: what of it may be shown and kept.
    """

    def __init__(self, response: httpx.Response, bounds: Bounds) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self.discretion = bounds.discretion
        self._bounds = bounds

    def __repr__(self) -> str:
        return f"<Answer {self.status} of {self._bounds.host}>"

    def shown(self, text: bytes | str) -> str:
        """A piece of the answer as it may be shown, without the secrets it was asked with."""
        return self.discretion.shown(text)

    def holds_secret(self, text: str) -> bool:
        """Whether a text of the answer has a secret in it that it was asked with, and so must not be kept."""
        return self.discretion.holds_secret(text)

    def lines(self, longest: int | None = None) -> Iterator[bytes]:
        """Lines as they come, each with its LF; only the last one of a body may lack it. HTML is no lines.

        Args:
            longest: bytes of a line, in place of what the client's limits say.

        Raises:
            HttpError: the stream is cut, too slow, or not decodable; its lines are many and too short to be rows;
                AnswerIsMarkup when it is HTML; AnswerTooBig when it or a line is too big. All complete lines that came
                before were yielded.
        """
        most = self._bounds.max_line if longest is None else longest
        count, size, rest = 0, 0, bytearray()
        for chunk in self._no_markup(self._chunks()):
            begun, end, left = chunk.rpartition(b"\n")
            rest += begun if end else left
            if end:
                lines, rest = bytes(rest).split(b"\n"), bytearray(left)
                count, size = count + len(lines), size + len(chunk)
                self._no_crumbs(count, size)
                for line in lines:
                    yield self._short(line, most) + b"\n"
            self._short(rest, most)
        if rest:
            yield bytes(rest)

    def read(self) -> bytes:
        """The whole body.

        Raises:
            HttpError: as `lines` does, but for HTML.
        """
        found = bytearray()  # not a list of pieces, as a server may send it byte by byte
        for chunk in self._chunks():
            found += chunk
        return bytes(found)

    def beginning(self, size: int) -> bytes:
        """The first bytes of the body, as many as come: for error messages, so it never raises."""
        found = b""
        try:
            for chunk in self._chunks():
                found += chunk
                if len(found) >= size:
                    break
        except HttpError:
            pass
        return found[:size]

    def _short(self, line: _Line, most: int) -> _Line:
        if len(line) > most:
            raise AnswerTooBig(f"{self._bounds.host}: a line of the answer is over {most:,} bytes")
        return line

    def _no_crumbs(self, lines: int, size: int) -> None:
        """A body costs by its lines what it may cost by its bytes, as long as they are of the length of rows."""
        if lines > _FEW and size < lines * _SHORTEST:
            raise HttpError(f"{self._bounds.host}: the answer has {lines:,} lines far too short to be rows")

    def _no_markup(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        begun = False
        for chunk in chunks:
            if not begun and chunk.strip():
                begun = True
                if chunk.lstrip().startswith(_MARKUP):
                    raise AnswerIsMarkup(f"{self._bounds.host}: answer is HTML, not NDJSON: is the URL right?")
            yield chunk

    def _chunks(self) -> Iterator[bytes]:
        room = self._bounds.max_bytes
        for chunk in _unmarked(self._decoded()):
            yield chunk[:room]
            room -= len(chunk)
            if room < 0:
                raise AnswerTooBig(f"{self._bounds.host}: the answer is over {self._bounds.max_bytes:,} bytes")

    def _decoded(self) -> Iterator[bytes]:
        # Not by httpx: it decompresses whatever came at once, several codings deep, and takes a cut gzip for a whole one.
        coding = self.headers.get("content-encoding", "identity").strip().lower()
        if coding in ("", "identity"):
            return self._raw()
        if coding in ("gzip", "x-gzip"):
            return self._gunzipped(self._packed())
        raise HttpError(f"{self._bounds.host}: the answer has a coding that was not asked for: {self.shown(coding)}")

    def _packed(self) -> Iterator[bytes]:
        """What was sent: no gzip is longer than what it becomes, but for one that becomes nothing, over and over."""
        room = self._bounds.max_bytes + _STEP
        for chunk in self._raw():
            room -= len(chunk)
            if room < 0:
                raise AnswerTooBig(f"{self._bounds.host}: the answer is over {self._bounds.max_bytes:,} bytes")
            yield chunk

    def _raw(self) -> Iterator[bytes]:
        try:
            for chunk in self._response.iter_raw():
                with self._bounds.due.paused():
                    yield chunk
        except WIRE_ERRORS as err:
            raise HttpError(self._why_broken(err)) from err

    def _why_broken(self, err: Exception) -> str:
        bounds = self._bounds
        if bounds.due.left <= 0:
            return f"{bounds.host}: the answer took longer than {bounds.deadline:g} s and was given up"
        return f"{bounds.host}: the answer was cut off: {self.shown(str(err)) or type(err).__name__}"

    def _gunzipped(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        inflate, begun, members = zlib.decompressobj(wbits=31), False, 0
        for chunk in chunks:
            while chunk:
                begun = True
                yield self._inflated(inflate, chunk)
                chunk = inflate.unconsumed_tail  # noqa: PLW2901
                if inflate.eof:
                    chunk = inflate.unused_data  # noqa: PLW2901 - RFC 1952 §2.2: members may follow each other
                    inflate, begun, members = zlib.decompressobj(wbits=31), False, members + 1
                if members > _MEMBERS:
                    raise AnswerTooBig(f"{self._bounds.host}: the answer is a gzip of over {_MEMBERS:,} members")
        if begun:
            raise HttpError(f"{self._bounds.host}: the answer was cut off in the middle of its gzip")

    def _inflated(self, inflate: zlib._Decompress, chunk: bytes) -> bytes:
        try:
            return inflate.decompress(chunk, _STEP)
        except zlib.error as err:
            raise HttpError(f"{self._bounds.host}: the answer is not the gzip it says it is") from err


def _unmarked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of a text without its byte order mark, which would make the first row of many unreadable."""
    begun = b""
    for chunk in chunks:
        begun += chunk
        if not _MARK.startswith(begun):
            yield begun.removeprefix(_MARK)
            break
    else:
        yield begun.removeprefix(_MARK)
    yield from chunks
