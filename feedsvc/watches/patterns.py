"""What a rule may say of what is watched: netblocks and names; and how one such pattern is told from another."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from feedsvc.config.nodes import Node
from feedsvc.config.shapes import Key, Shape, choice, many, parsed, table, whole
from feedsvc.errors import Fault, NameRefused
from feedsvc.model import LabelPattern, NamePattern
from feedsvc.names import MAX_LABEL, Netblock, parse_name, parse_netblock
from feedsvc.watches.match import name_test

# Wider than registries give to anyone; a rule that watches the world is a slip, and a costly one at a provider.
_WIDEST = {4: 2**24, 6: 2**109}

_ALPHABET = r"(?:[a-z0-9]-[a-z0-9]|[a-z0-9_-])"
_IN_ORDER = "0123456789 abcdefghijklmnopqrstuvwxyz"
_LONGEST_REGEX = 1000  # characters; RE2 is linear in the name, and costs memory for the pattern


# -- netblocks ---------------------------------------------------------------------------------------------------------


def _netblock(text: str) -> Netblock:
    try:
        block = parse_netblock(text)
    except NameRefused as err:
        raise ValueError(f"is refused: {err}") from err
    if block.size > _WIDEST[block.version]:
        raise ValueError("is wider than a /8 of IPv4 or a /19 of IPv6; give the networks that matter")
    return block


_NETBLOCK = parsed(_netblock, "a netblock such as 198.51.100.0/24, 198.51.100.10-198.51.100.20 or 2001:db8::/48")
NETBLOCKS: Shape[tuple[Netblock, ...]] = many(_NETBLOCK, fewest=1, distinct=("",))


# -- names -------------------------------------------------------------------------------------------------------------


def _alphabet(text: str) -> frozenset[str]:
    text = text.lower()  # names are, and DNS does not tell the difference
    if not re.fullmatch(f"{_ALPHABET}+", text):
        raise ValueError("is no alphabet; give letters, digits, _, - and ranges, without brackets, such as 'a-z0-9'")
    return frozenset(letter for part in re.findall(_ALPHABET, text) for letter in _letters(part))


def _letters(part: str) -> str:
    if len(part) == 1:
        return part
    first, last = _IN_ORDER.index(part[0]), _IN_ORDER.index(part[2])
    letters = _IN_ORDER[first : last + 1]
    if not letters or " " in letters:
        raise ValueError(f"has the range {part!r}, which is none; give ranges from a lower letter or digit to a higher one")
    return letters


def _suffix(text: str) -> str:
    try:
        name = parse_name(text)
    except NameRefused as err:
        raise ValueError(f"is no name: {err}; give one such as example.net, without a dot in front") from err
    if "\\" in name:
        raise ValueError("has a character that no host name has; give a name such as example.net, for all below it")
    return name


def _regex(text: str) -> str:
    if len(text) > _LONGEST_REGEX:
        raise ValueError(f"is over {_LONGEST_REGEX} characters; give a shorter pattern")
    try:
        name_test(NamePattern(regex=text))
    except ValueError as err:
        raise ValueError(f"is no pattern of RE2: {err}; see https://github.com/google/re2/wiki/Syntax") from err
    return text


def _bounds(min: int = 1, max: int = MAX_LABEL) -> tuple[int, int]:  # noqa: A002 - the keys of the rule
    return min, max


def _bounds_faults(node: Node) -> Iterator[Fault]:
    low, high = node.child("min"), node.child("max")
    if low and high and isinstance(low.value, int) and isinstance(high.value, int) and low.value > high.value:
        yield high.fault(f"{high} is less than min, {low}; no label is so long")


_OCTETS = whole(1, MAX_LABEL)
_BOUNDS = table(
    _bounds,
    {"min": Key(_OCTETS, "the shortest label that fits"), "max": Key(_OCTETS, "the longest label that fits")},
    fewest=1,
    check=_bounds_faults,
)


def _length(node: Node) -> tuple[int, int]:
    if isinstance(node.value, Mapping):
        return _BOUNDS.read(node)
    octets = _OCTETS.read(node)
    return octets, octets


_LENGTH = Shape(f"{_OCTETS.expected}, or min and max", _length, {"anyOf": [_OCTETS.schema, _BOUNDS.schema]})


def _label(
    position: Literal["leftmost", "registrable", "any"] = "leftmost",
    length: tuple[int, int] = (1, MAX_LABEL),
    alphabet: frozenset[str] | None = None,
) -> LabelPattern:
    return LabelPattern(position, *length, alphabet)


def _label_faults(node: Node) -> Iterator[Fault]:
    if not (node.child("length") or node.child("alphabet")):
        yield node.fault("asks nothing of the label; give length or alphabet")


_LABEL = table(
    _label,
    {
        "position": Key(
            choice(("leftmost", "registrable", "any")),
            "which label: the first, the one left of the public suffix, or any left of that suffix",
        ),
        "length": Key(_LENGTH, "how many characters it has, as a number or as min and max"),
        "alphabet": Key(
            parsed(_alphabet, "letters, digits, _, - and ranges, such as a-z0-9", "^[A-Za-z0-9_-]+$"),
            "the characters that it is made of",
        ),
    },
    check=_label_faults,
)

_SUFFIXES = many(parsed(_suffix, "a name such as example.net"), fewest=1, distinct=("",))

NAMES: Shape[NamePattern] = table(
    NamePattern,
    {
        "label": Key(_LABEL, "what one label must look like"),
        "regex": Key(parsed(_regex, "a regular expression of RE2"), "found anywhere in the name, unless ^ and $ anchor it"),
        "under": Key(_SUFFIXES, "the name is one of these or below one"),
        "not_under": Key(_SUFFIXES, "the name is none of these and below none"),
        "siblings": Key(choice(("random",)), "judged on all names found under one registered domain together"),
    },
    fewest=1,
)


def fingerprint(netblocks: Iterable[Netblock], names: NamePattern | None) -> str:
    """A short text that changes with what is watched, and not with how it is written or in which order."""
    said = {"netblocks": sorted({str(block) for block in netblocks}), "names": _said(names) if names else {}}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _said(names: NamePattern) -> dict[str, object]:
    # What is not given is left out, so that a key that a later version adds changes no fingerprint of today.
    label = names.label
    said: dict[str, object] = {
        "label": label and [label.position, label.min_length, label.max_length, sorted(label.alphabet or ())],
        "regex": names.regex,
        "under": sorted(set(names.under)),
        "not_under": sorted(set(names.not_under)),
        "siblings": names.siblings,
    }
    return {key: value for key, value in said.items() if value}
