"""Text whose records are no lines, or whose letters have two octets, cut into frames (see `port.Framed`).

Lines of one-octet text are `logfile.lines`. This is for the rest: events of XML, rows of CSV with line ends in their cells,
and logs that Windows wrote as UTF-16, which is told by the byte order mark or, where reading goes on in the middle, by the
zero octet beside the first letter: every record begins with a letter of ASCII. Frames keep their octets, so that what was
read can be known again; `octets` makes UTF-8 of them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import chain
from typing import Literal

from feedsvc.sources import logfile
from feedsvc.sources.logfile import MAX_LINE, SAMPLE
from feedsvc.sources.port import Line

Encoding = Literal["latin-1", "utf-16-le", "utf-16-be"]

LINES = re.compile(r"([^\n]*+)\n")
"""Frames that are lines."""

AFTER_LINE_END = re.compile(r"(?<=\n)")
"""Where the next one begins."""

_MARKS: tuple[tuple[bytes, Encoding], ...] = (
    (codecs.BOM_UTF8, "latin-1"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKING = {mark[:1] for mark, _ in _MARKS}
_OVERLAP = 16  # letters: no mark for where a frame begins is as long


def cut(
    blocks: Iterator[bytes], start: int, frame: re.Pattern[str] = LINES, again: re.Pattern[str] = AFTER_LINE_END
) -> Iterator[Line]:
    """The frames of a text whose blocks begin at the offset `start`; memory stays bounded whatever the text is.

    Args:
        frame: matches from the end of one frame to that of the next; its group 1 is the next one without what ends it. It
            does not match what is not whole.
        again: matches (nothing, at the place) where a frame may begin, to go on behind one that is too large.
    """
    head, blocks = peek(blocks, 4)
    encoding, mark = encoding_of(head, marked=start == 0)
    if encoding == "latin-1" and frame is LINES:
        return logfile.lines(blocks, start)
    return _Cutter(frame, again, encoding).cut(blocks, start, mark)


def octets(text: bytes) -> bytes:
    """A frame, or the first octets of a log, as UTF-8 without byte order mark; what is no UTF-16 is given as it is."""
    if text[:1] not in _MARKING and b"\0" not in text[:2]:
        return text
    encoding, mark = encoding_of(text, marked=True)
    if encoding == "latin-1":
        return text[mark:]
    return text[mark:].decode(encoding, "replace").encode("utf-8", "replace")


def encoding_of(head: bytes, *, marked: bool) -> tuple[Encoding, int]:
    """How a text is written that begins with these octets (one-octet text counts as Latin-1), and how long its mark is.

    Args:
        marked: a byte order mark may stand there.
    """
    if marked:
        for mark, encoding in _MARKS:
            if head.startswith(mark):
                return encoding, len(mark)
    low, high = head[:1], head[1:2]
    if high == b"\0" and low not in {b"", b"\0"}:
        return "utf-16-le", 0
    return ("utf-16-be", 0) if low == b"\0" and high not in {b"", b"\0"} else ("latin-1", 0)


def peek(blocks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first octets, as far as there are any, and all of the blocks."""
    taken: list[bytes] = []
    for block in blocks:
        taken.append(block)
        if sum(map(len, taken)) >= size:
            break
    return b"".join(taken)[:size], chain(taken, blocks)


class _Cutter:
    """Holds the text that is no whole frame yet.

    Text is held as letters: of one-octet text each octet is one, and UTF-16 comes back as the octets that it was, whatever
    halves of pairs there are in it.
    """

    def __init__(self, frame: re.Pattern[str], again: re.Pattern[str], encoding: Encoding) -> None:
        self._frame = frame
        self._again = again
        self._encoding = encoding
        self._width = 1 if encoding == "latin-1" else 2
        self._line_end = "\r".encode(encoding)
        self._text = ""
        self._at = 0  # the letter where the next frame begins
        self._offset = 0  # and the octet
        self._odd = b""
        self._lost: tuple[int, bytes] | None = None  # a frame that is too large: where it begins, and with what

    def cut(self, blocks: Iterator[bytes], start: int, mark: int) -> Iterator[Line]:
        self._offset = start + mark
        for block in blocks:
            self._take(block[mark:])
            mark = max(0, mark - len(block))
            yield from self._whole()
        yield from self._torn()

    def _take(self, block: bytes) -> None:
        data = self._odd + block
        even = len(data) - len(data) % self._width
        self._odd = data[even:]
        self._text = self._text[self._at :] + data[:even].decode(self._encoding, "surrogatepass")
        self._at = 0

    def _whole(self) -> Iterator[Line]:
        while True:
            if self._lost is not None:
                if not self._find_again():
                    return
                (begin, sample), self._lost = self._lost, None
                yield begin, sample, self._offset
            found = self._frame.match(self._text, self._at)
            if found is not None:
                yield self._line(found)
            elif (len(self._text) - self._at) * self._width > MAX_LINE:
                self._lost = self._offset, self._octets(self._at, self._at + SAMPLE)
                self._advance(self._at + 1)
            else:
                return

    def _line(self, found: re.Match[str]) -> Line:
        self._advance(found.start(1))
        begin, text = self._offset, self._octets(found.start(1), found.end(1))
        self._advance(found.end())
        return begin, text.removesuffix(self._line_end), self._offset

    def _find_again(self) -> bool:
        """Go where the next frame may begin, or as far as there is text."""
        found = self._again.search(self._text, self._at)
        self._advance(found.start() if found else max(self._at, len(self._text) - _OVERLAP))
        return found is not None

    def _torn(self) -> Iterator[Line]:
        """What is left at the end."""
        if self._lost is not None:
            self._advance(len(self._text))
            yield *self._lost, self._offset + len(self._odd)
        elif self._odd or self._text[self._at :].strip():
            yield self._offset, self._octets(self._at, len(self._text)) + self._odd, None

    def _octets(self, begin: int, end: int) -> bytes:
        return self._text[begin:end].encode(self._encoding, "surrogatepass")

    def _advance(self, to: int) -> None:
        """Move on to another letter of the text."""
        self._offset += to - self._at if self._width == 1 else len(self._octets(self._at, to))
        self._at = to
