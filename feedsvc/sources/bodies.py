"""Answers that are one JSON value: decoded as a whole, their rows one by one, so that a bad row spoils no other.

For providers that do not speak COF line by line. A shape is a `msgspec.Struct` whose fields are `Any`, but for those without
which the answer is none: then decoding believes nothing, and what the fields hold is looked at where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from feedsvc.errors import SourceError
from feedsvc.http import Answer

Shape = TypeVar("Shape")

_DIGITS = 18  # of a number; more is none that counts or dates anything


def whole(answer: Answer, shape: type[Shape], what: str) -> Shape:
    """The body of an answer, read to its end.

    Args:
        shape: what it must be; rows in it are `msgspec.Raw`.
        what: it should be, for the message: "a list of resolutions".

    Raises:
        SourceError: the answer is cut, too big, or something else.
    """
    body = answer.read()
    try:
        return msgspec.json.decode(body, type=shape)
    except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
        said = answer.shown(body) or "nothing"
    # Outside of the block, so that no error which holds the body hangs on to this one.
    raise SourceError(f"the answer is not {what}: is the URL right? (it says: {said})")


def one(raw: msgspec.Raw | bytes, shape: type[Shape]) -> Shape | None:
    """A piece of JSON, as a row or the body of a refusal; None when it has another shape."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except (ValueError, RecursionError):
        return None


def field(value: object, name: str) -> object:
    """What an object has under a name; None when it has nothing there, or is no object."""
    return value.get(name) if isinstance(value, Mapping) else None


def number(value: object) -> int | None:
    """A whole number from 0 to 10^18, as a number or as a text of digits; None when it is something else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    return value if type(value) is int and 0 <= value <= 10**_DIGITS else None  # which `True` is not
