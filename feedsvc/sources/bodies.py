"""Answers that are one JSON value: decoded as a whole, their rows one by one, so that a bad row spoils no other.

For providers that do not speak COF line by line. A hostile answer of a few megabytes must not become a gigabyte, which
would take feedsvc down and all its other sources with it. So a shape is a `msgspec.Struct` of `Scalar`, of `msgspec.Raw` and
of such shapes: none of them makes much more of what comes than comes, and fields that nobody asked for are passed over.
`rows` and `members` take the pieces apart once they were seen to be long enough for rows. A single row is short, and decoded
whatever its fields hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from feedsvc.errors import SourceError
from feedsvc.http import Answer

Shape = TypeVar("Shape")

Scalar = int | float | str | bool | None
"""What stands around rows and is looked at. An answer that has an object or an array in such a place is none."""

LONGEST = 1024 * 1024
"""Bytes of a row, as `http.Limits` has it of a line; what is longer is none."""

_DIGITS = 18  # of a number; more is none that counts or dates anything
_ROW, _MEMBER = 16, 24  # bytes that rows and members have at least, on the average; decoding makes 80 and 200 of each

_STRING = rb'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"'
_FLAT = rb"[\[{](?>(?:[^\[\]{}\"]++|" + _STRING + rb")*)[\]}]"  # a row is one token, whatever its names look like
_ARRAY, _OBJECT, _OPENING = re.compile(rb"\s*\["), re.compile(rb"\s*\{"), re.compile(rb"\s*.")
_COMMA = ord(",")
_TOKEN = re.compile(rb"%b|%b|[\[\]{},]" % (_FLAT, _STRING), re.DOTALL)


def whole(answer: Answer, shape: type[Shape], what: str) -> Shape:
    """The body of an answer, read to its end.

    Args:
        shape: what it must be.
        what: it should be, for the message: "a list of resolutions".

    Raises:
        SourceError: the answer is cut, too big, or something else.
    """
    return decoded(answer, answer.read(), shape, what)


def decoded(answer: Answer, body: bytes, shape: type[Shape], what: str) -> Shape:
    """What `whole` returns, out of a body that was read."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
        said = answer.shown(body) or "nothing"
    # Outside of the block, so that no error which holds the body hangs on to this one.
    raise SourceError(f"the answer is not {what}: is the URL right? (it says: {said})")


def frame(piece: msgspec.Raw | bytes, shape: type[Shape]) -> Shape | None:
    """What stands around rows, of any length; None when it has another shape."""
    return _decoded(piece, shape)


def rows(piece: msgspec.Raw | bytes) -> list[msgspec.Raw] | None:
    """The rows of a JSON array, still to be read; None when it is none.

    Raises:
        SourceError: it has far more elements than rows could find room in it.
    """
    if not _ARRAY.match(piece):
        return None
    _no_crumbs(piece, _ROW)
    return _decoded(piece, list[msgspec.Raw])


def rows_of(answer: Answer, piece: msgspec.Raw, what: str) -> list[msgspec.Raw]:
    """The rows of an answer, as `rows` has them.

    Args:
        piece: where they must be.
        what: the answer should be, for the message.

    Raises:
        SourceError: it is no array, or as `rows` does.
    """
    found = rows(piece)
    if found is None:
        said = answer.shown(bytes(piece)) or "nothing"
        raise SourceError(f"the answer is not {what}: is the URL right? (in place of a list: {said})")
    return found


def members(piece: msgspec.Raw | bytes) -> dict[str, msgspec.Raw] | None:
    """The members of a JSON object, still to be read; None when it is none.

    Raises:
        SourceError: as `rows` does.
    """
    if not _OBJECT.match(piece):
        return None
    _no_crumbs(piece, _MEMBER)
    return _decoded(piece, dict[str, msgspec.Raw])


def one(raw: msgspec.Raw | bytes, shape: type[Shape]) -> Shape | None:
    """A row, or the body of a refusal; None when it has another shape, or is far too long for a row."""
    return _decoded(raw, shape) if len(raw) <= LONGEST else None


def field(value: object, name: str) -> object:
    """What an object has under a name; None when it has nothing there, or is no object."""
    return value.get(name) if isinstance(value, Mapping) else None


def number(value: object) -> int | None:
    """A whole number from 0 to 10^18, as a number or as a text of digits; None when it is something else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    return value if type(value) is int and 0 <= value <= 10**_DIGITS else None  # which `True` is not


def _decoded(raw: msgspec.Raw | bytes, shape: type[Shape]) -> Shape | None:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (ValueError, RecursionError):
        return None


def _no_crumbs(piece: msgspec.Raw | bytes, least: int) -> None:
    """Refuse an array or object whose elements are shorter than so many bytes, on the average."""
    if len(piece) <= LONGEST:
        return
    text, most = bytes(piece), len(piece) // least  # a `Raw` is no bytes, whatever its annotations say
    if text.count(b",") > most and _has_more(text, most):
        raise SourceError(f"the answer has over {most:,} rows, each far too short to be one: is the URL right?")


def _has_more(text: bytes, most: int) -> bool:
    """Whether it has more than so many commas between its own elements: those within them and within texts do not count."""
    depth = commas = 0
    for token in _TOKEN.finditer(text, _OPENING.match(text).end()):  # type: ignore[union-attr] # it has one
        start, end = token.span()
        if text[start] == _COMMA:
            commas += depth == 0
            if commas > most:
                return True
        elif end - start == 1:
            depth += 1 if text[start] in b"[{" else -1
    return False
