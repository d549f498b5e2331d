"""Shapes: what may stand in a configuration or a rule, said once.

A shape reads a `Node` into the value that the program works with, finds every fault below it instead of stopping at the
first, and knows itself as JSON Schema (draft 7, the one that editors know).

pydantic would be the usual choice. It is not on this road because importing it takes a third of the 0.3 s in which `feedsvc
sweep` has to be up, and its errors would have to be brought to lines and to our words anyway.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from feedsvc.config.nodes import Faults, Node, Scalar, suggestion
from feedsvc.errors import ConfigError, Fault, NameRefused

T = TypeVar("T")

# Controls, line separators, half surrogate pairs, and the bidirectional overrides that make a text read as another.
_UNFIT = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff"
_UNFIT_IN_LINE = re.compile(f"[\t\n{_UNFIT}]")
_UNFIT_IN_LINES = re.compile(f"[{_UNFIT}]")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
_DURATION = r"[0-9]{1,9}[smhdy]"
_CENTURY = timedelta(days=100 * 365)


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """What may stand somewhere.

    Attributes:
        expected: what belongs there, to complete "give …".
        read: the value of a node; raises `ConfigError` with every fault at or below it.
        schema: the same as JSON Schema.
    """

    expected: str
    read: Callable[[Node], T]
    schema: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table: the shape of its value, and what it is for."""

    shape: Shape[Any]
    says: str
    needed: bool = False


# -- scalars -----------------------------------------------------------------------------------------------------------


def text(longest: int = 200, *, empty: bool = False, lines: bool = False) -> Shape[str]:
    """Text without control characters, blanks around it dropped; on one line unless `lines`."""
    shortest = 0 if empty else 1
    expected = f"text of {shortest} to {longest} characters{'' if lines else ' on one line'}"
    unfit = _UNFIT_IN_LINES if lines else _UNFIT_IN_LINE

    def read(node: Node) -> str:
        if not isinstance(node.value, str) or not shortest <= len(node.value.strip()) <= longest:
            raise node.misfit(expected)
        found = unfit.search(node.value.strip())
        if found:
            raise node.refused(f"take the character U+{ord(found.group()):04X} out; give {expected}")
        return node.value.strip()

    return Shape(expected, read, {"type": "string", "minLength": shortest, "maxLength": longest})


def parsed(parse: Callable[[str], T], expected: str, pattern: str = "") -> Shape[T]:
    """Text that stands for something else.

    Args:
        parse: raises `ValueError` or `NameRefused` whose message completes "'the text' …".
        expected: see `Shape`.
        pattern: a regular expression of ECMA 262 for the schema.
    """

    def read(node: Node) -> T:
        if not isinstance(node.value, str) or not node.value or _UNFIT_IN_LINE.search(node.value):
            raise node.misfit(expected)
        try:
            return parse(node.value)
        except (ValueError, NameRefused) as err:
            raise node.refused(f"{node} {err}") from err

    return Shape(expected, read, {"type": "string"} | ({"pattern": pattern} if pattern else {"minLength": 1}))


def read_duration(written: str) -> timedelta:
    """`30s`, `15m`, `1h`, `45d` or `3y` (a year is 365 days).

    Raises:
        ValueError: the text is none of these, or more than a hundred years.
    """
    if not re.fullmatch(_DURATION, written):
        raise ValueError("is no duration; give a number and one of s, m, h, d, y, such as 15m or 45d")
    seconds = int(written[:-1]) * _UNITS[written[-1]]
    if seconds > _CENTURY.total_seconds():
        raise ValueError("is longer than a century; give at most 100y")
    return timedelta(seconds=seconds)


def duration(*, zero: bool = False) -> Shape[timedelta]:
    """A duration of at least a second, or of nothing at all if `zero`."""

    def parse(written: str) -> timedelta:
        length = read_duration(written)
        if not length and not zero:
            raise ValueError("is no time at all; give 1s or more")
        return length

    return parsed(parse, "a duration such as 30s, 15m, 1h, 45d or 3y", f"^{_DURATION}$")


def whole(low: int, high: int) -> Shape[int]:
    """A whole number."""
    expected = f"a whole number from {low} to {high}"

    def read(node: Node) -> int:
        # bool is an int to Python, and to nobody who writes a configuration.
        if not isinstance(node.value, int) or isinstance(node.value, bool) or not low <= node.value <= high:
            raise node.misfit(expected)
        return node.value

    return Shape(expected, read, {"type": "integer", "minimum": low, "maximum": high})


def real(low: float, high: float) -> Shape[float]:
    """A number, whole or not."""
    expected = f"a number from {low:g} to {high:g}"

    def read(node: Node) -> float:
        value = node.value
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value) or not low <= value <= high:
            raise node.misfit(expected)
        return float(value)

    return Shape(expected, read, {"type": "number", "minimum": low, "maximum": high})


def flag() -> Shape[bool]:
    """True or false."""
    expected = "true or false"

    def read(node: Node) -> bool:
        if not isinstance(node.value, bool):
            raise node.misfit(expected)
        return node.value

    return Shape(expected, read, {"type": "boolean"})


def choice(options: Iterable[T], later: Sequence[str] = ()) -> Shape[T]:
    """One of a few words.

    Args:
        options: what may be given; each prints as its word.
        later: words that a later version will take: the message tells so.
    """
    known = {str(option): option for option in options}
    expected = f"{'one of ' if len(known) > 1 else ''}{', '.join(known)}"

    def read(node: Node) -> T:
        if node.value in later:
            raise node.refused(f"{node} comes with a later version of feedsvc; for now give {expected}")
        if not isinstance(node.value, str) or node.value not in known:
            raise node.misfit(expected)
        return known[node.value]

    return Shape(expected, read, {"enum": list(known)})


# -- lists and tables --------------------------------------------------------------------------------------------------


def many(of: Shape[T], *, fewest: int = 0, distinct: Sequence[str] = (), expected: str = "") -> Shape[tuple[T, ...]]:
    """A list.

    Args:
        of: the shape of its elements.
        fewest: how many there are at least.
        distinct: keys of its tables that no two may share the value of; "" speaks of the elements themselves.
        expected: see `Shape`; made from the rest by default.
    """
    expected = expected or f"a list{f' of {fewest} or more' if fewest else ''}, each {of.expected}"

    def read(node: Node) -> tuple[T, ...]:
        if not isinstance(node.value, tuple) or len(node.value) < fewest:
            raise node.misfit(expected)
        faults, values = Faults(), []
        for element in node.value:
            with faults.kept():
                values.append(of.read(element))
        faults.add(*(fault for key in distinct for fault in _repeated(node.value, key)))
        faults.check()
        return tuple(values)

    limits = ({"minItems": fewest} if fewest else {}) | ({"uniqueItems": True} if "" in distinct else {})
    return Shape(expected, read, {"type": "array", "items": of.schema, **limits})


def _repeated(elements: Iterable[Node], key: str) -> Iterator[Fault]:
    first: dict[Scalar, int] = {}
    for element in elements:
        node = element.child(key) if key else element
        if node is None or isinstance(node.value, tuple | Mapping):
            continue
        if node.value in first:
            yield node.fault(f"{node} stands on line {first[node.value]} already; give each its own")
        first.setdefault(node.value, node.line)


def gather(node: Node, keys: Mapping[str, Key]) -> tuple[dict[str, Any], Faults]:
    """The values of a table that are right, by key, and the faults of the others.

    Raises:
        ConfigError: the node is no table.
    """
    if not isinstance(node.value, Mapping):
        raise node.misfit(_table_of(keys))
    faults = Faults()
    values: dict[str, Any] = {}
    for name, child in node.value.items():
        with faults.kept():
            values[name] = _known(name, child, node, keys).read(child)
    for name, key in keys.items():
        if key.needed and node.child(name) is None:
            faults.add(node.fault(f"key {name!r} is missing: give {key.shape.expected}"))
    return values, faults


def _known(name: str, child: Node, table: Node, keys: Mapping[str, Key]) -> Shape[Any]:
    if name in keys:
        return keys[name].shape
    fault = table.fault(f"unknown key {name!r}{suggestion(name, keys)}")
    raise ConfigError([Fault(fault.file, child.line, fault.message)])


def _table_of(keys: Iterable[str]) -> str:
    return f"a table of the keys {', '.join(keys)}"


def _no_faults(_: Node) -> Iterable[Fault]:
    return ()


def table(
    into: Callable[..., T],
    keys: Mapping[str, Key],
    *,
    fewest: int = 0,
    check: Callable[[Node], Iterable[Fault]] = _no_faults,
) -> Shape[T]:
    """Keys and values.

    Args:
        into: called with the value of every key that is there, to build the result.
        keys: all that may be there.
        fewest: how many must be there at least.
        check: finds what shows only when several keys are seen together.
    """

    def read(node: Node) -> T:
        values, faults = gather(node, keys)
        if isinstance(node.value, Mapping) and len(node.value) < fewest:
            raise node.refused(f"says nothing; give {_table_of(keys)}, or take it out")
        faults.add(*check(node))
        faults.check()
        return into(**values)

    return Shape(_table_of(keys), read, schema_of(keys) | ({"minProperties": fewest} if fewest else {}))


def schema_of(keys: Mapping[str, Key]) -> dict[str, object]:
    """JSON Schema of a table with these keys and no others."""
    needed = [name for name, key in keys.items() if key.needed]
    properties = {name: {**key.shape.schema, "description": key.says} for name, key in keys.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties} | (
        {"required": needed} if needed else {}
    )
