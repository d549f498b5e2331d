"""JSON logs whose records are not one a line: arrays, objects laid out over lines, objects without line ends between them.

`jq -s` and `gcloud logging read --format=json` write arrays, `jq` lays objects out over lines, Amazon Data Firehose sets one
behind the other, and answers of APIs are one object around an array (`HOLDERS`). Such a log is cut into its elements, and
each is handed to the format of the records as if it were a line. Offsets are those of the elements; reading goes on behind
any of them. Nothing is decoded here, and nothing held but the element at hand.

Of a stream that is broken the rest is still read: what is no element is handed on as it is, for the format to refuse; an
element without an end gives way to the last one that may begin within it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

import msgspec

from feedsvc.names import Netblock
from feedsvc.sources import heads
from feedsvc.sources.logfile import HEAD, MAX_LINE, SAMPLE
from feedsvc.sources.port import Line, LogFormat, LogParser, Parsed, Waiting
from feedsvc.sources.traces import Scannable, Traces

HOLDERS = ("hits", "results", "events", "logEvents")
"""Keys under which an object that is a whole log holds its records: of Elasticsearch, Splunk and CloudWatch Logs."""

_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\[[\s\[]*+\{")
_FLAT = rb'[^"{}\[\]]++'
_STRING = rb'"(?>(?:[^"\\\n]++|\\.)*)"'
# What may stand between elements, between arrays, and behind them: other keys of an object around them have plain values.
_KEY = rb'"\w{1,64}+"\s*+:\s*+(?:(?=[\[{])|(?:%b|[\w.+-]++)(?=[\s,\]}]))' % _STRING
_GAP = re.compile(rb"(?>(?:[\s,\[\]}\xef\xbb\xbf]++|%b)*)" % _KEY, re.DOTALL)
_STEP = re.compile(rb"(?>(?:%b|%b)*)[{}\[\]]" % (_FLAT, _STRING), re.DOTALL)
# JSON knows no line end within a string: where there is one, a quote is missing.
_BROKEN = re.compile(rb'(?>(?:%b|%b)*)"(?>(?:[^"\\\n]++|\\.)*)\n' % (_FLAT, _STRING), re.DOTALL)
_RUBBISH = re.compile(rb'(?>(?:[^{\n"]++|%b)*)(?:(?=[{\n])|"(?>(?:[^"\\\n]++|\\.)*)(?=\n))' % _STRING, re.DOTALL)
_BORDER = re.compile(rb"\}\s*+,?\s*+(?=\{)")
_OVERLAP = 64  # bytes: no border is as long, but for one that is laid out in a strange way
_OPENING = b"{["


def _nested(depth: int) -> bytes:
    """A pattern for an object or a list with so many levels in it: most elements are one step of it."""
    inside = rb"|" + _nested(depth - 1) if depth else b""
    return rb"[{\[](?>(?:%b|%b%b)*)[}\]]" % (_FLAT, _STRING, inside)


_WHOLE = re.compile(_nested(6), re.DOTALL)
# From the beginning of an object to the records in it: members with plain values or whole arrays, and objects that begin
# and end. What follows no key is another object, whose records are its own.
_MEMBER = rb"(?>[\s,}]++|%b\s*+:[ \t]*+(?:\{|%b|%b|[\w.+-]++))" % (
    _STRING,
    _STRING,
    _nested(5).replace(rb"[{\[]", rb"\[", 1),
)
_HOLDER = re.compile(rb'\s*+\{(?:%b)*?\s*+"(?:%b)"\s*+:\s*+\[\s*+(?=\{)' % (_MEMBER, "|".join(HOLDERS).encode()), re.DOTALL)
_LAID_OUT = re.compile(rb"\s*+\{[ \t]*+\r?\n")


class JsonStream:
    """A format whose records stand in a JSON stream instead of one a line.

    Args:
        form: the format of the records; its own way to cut a log is not used.
    """

    def __init__(self, form: LogFormat) -> None:
        self._form = form

    def parser(self, state: str = "") -> LogParser:
        """See `LogFormat`; the state is that of the records' parser."""
        return _ElementParser(self._form.parser(state))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: a record may have several lines, and hold what one of a log of lines holds."""
        found = self._form.traces(netblocks, wanted) if isinstance(self._form, Scannable) else None
        return None if found is None else Traces(found.all)

    def recognises(self, head: bytes) -> bool:
        """Whether a file begins with a stream of such records."""
        return is_stream(head) and self._form.recognises(as_lines(head))

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        """See `Framed`; an element is a frame."""
        return elements(blocks, start)


class _ElementParser:
    """Shows the parser of lines each element as a line."""

    def __init__(self, parser: LogParser) -> None:
        self._parser = parser

    def parse(self, line: bytes, offset: int) -> Parsed:
        return self._parser.parse(_on_one_line(line), offset)

    def state(self) -> str:
        return self._parser.state()

    def finish(self) -> Parsed:
        return self._parser.finish() if isinstance(self._parser, Waiting) else None


def is_stream(head: bytes) -> bool:
    """Whether a log begins with `[` and then `{`, or with an object that is not one line, or is one around others."""
    if _ARRAY.match(head) or _LAID_OUT.match(head) or _held(head):
        return True
    first = _end(_WHOLE, head, 0)
    return first >= 0 and head[first:].lstrip(b" \t").startswith(b"{")


def _held(head: bytes) -> int:
    """Where the first record begins that an object around all of them holds; 0 when none does."""
    first = _end(_WHOLE, head, 0)
    if first >= 0 and head[first:].strip():
        return 0  # it is one of several
    return max(0, _end(_HOLDER, head, 0))


def as_lines(head: bytes) -> bytes:
    """The first whole elements of a stream as lines, for formats to recognise."""
    whole = (text for _, text, following in elements(iter([head])) if following is not None)
    return b"".join(_on_one_line(text) + b"\n" for text in islice(whole, heads.LINES))


def _on_one_line(element: bytes) -> bytes:
    """An element as most programs write a record: without the spaces and line ends that lay it out to be read."""
    if b"\n" not in element:
        return element
    try:
        return msgspec.json.format(element, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return element.replace(b"\n", b" ")  # left to the format to refuse, or to read in its own way


# -- cutting -----------------------------------------------------------------------------------------------------------


def elements(blocks: Iterator[bytes], start: int = 0) -> Iterator[Line]:
    """The elements of the arrays, or of the objects that follow each other, in blocks that begin at the offset `start`.

    One that is not whole at the end comes last and torn; one longer than `MAX_LINE` is given as its first bytes.
    """
    head, held = b"", 0
    if not start:
        head, blocks = _first(blocks)
        held = _held(head)
    cutter = _Cutter(start + held)
    for block in chain([head[held:]], blocks):
        yield from cutter.take(block)
    yield from cutter.rest()


def _first(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """As much of a log as shows what is around its records, and the rest of its blocks."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= HEAD:
            break
    return head, blocks


class _Cutter:
    """Holds the element that is not whole yet, and how far into it the brackets are counted."""

    def __init__(self, start: int) -> None:
        self._offset = start
        self._text = b""
        self._at = 0
        self._depth = 0
        self._lost: tuple[int, bytes] | None = None  # an element that is too long: where it begins, and with what

    def take(self, block: bytes) -> Iterator[Line]:
        """What is whole by now."""
        self._text += block
        begin = 0
        while True:
            if self._lost is not None:
                border = _BORDER.search(self._text, begin)
                if border is None:
                    begin = max(begin, len(self._text) - _OVERLAP)
                    break
                begin = border.end()
                yield (*self._lost, self._offset + begin)
                self._lost = None
            begin = self._skip_gap(begin)
            end = self._end_of(begin)
            if end >= 0:
                yield self._offset + begin, self._text[begin:end], self._offset + end
                begin, self._depth = end, 0
            elif len(self._text) - begin > MAX_LINE:
                begin = self._give_up(begin)
            else:
                break
        self._text = self._text[begin:]
        self._offset += begin
        self._at -= begin

    def rest(self) -> Iterator[Line]:
        """The element that is torn."""
        if self._lost is not None:
            yield (*self._lost, self._offset + len(self._text))
        elif self._text:
            yield self._offset, self._text, None

    def _skip_gap(self, begin: int) -> int:
        """Where the next element begins; where the one at hand does, if its brackets are being counted."""
        if self._depth:
            return begin
        self._at = _end(_GAP, self._text, begin)
        return self._at

    def _end_of(self, begin: int) -> int:
        """Where the element ends that begins here; -1 when it is not whole."""
        if not self._depth:
            first = self._text[begin : begin + 1]
            if first != b"{":
                return _end(_RUBBISH, self._text, begin) if first else -1
            whole = _end(_WHOLE, self._text, begin)
            if whole >= 0:
                return whole
        return self._count_brackets()

    def _count_brackets(self) -> int:
        while (end := _end(_STEP, self._text, self._at)) >= 0:
            self._at = end
            self._depth += 1 if self._text[end - 1] in _OPENING else -1
            if not self._depth:
                return end
        return _end(_BROKEN, self._text, self._at)

    def _give_up(self, begin: int) -> int:
        """Lose an element that is too long, most likely for want of a bracket or a quote; where to look for the next one."""
        self._lost = self._offset + begin, self._text[begin : begin + SAMPLE]
        self._depth = 0
        borders = [border.start() for border in _BORDER.finditer(self._text, begin)]
        return borders[-1] if borders else len(self._text)


def _end(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    """Where a pattern ends that begins here; -1 when it does not."""
    found = pattern.match(text, at)
    return -1 if found is None else found.end()
