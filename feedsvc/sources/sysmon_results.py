"""What Sysmon writes of the answers to a query: `type:  5 edge.example.net;::ffff:198.51.100.7;`. Pure.

Windows sets the records of an answer one behind the other, each ended by `;`: addresses as they are, everything else as its
type's number and a text. It does not say whose each of them is, it puts what came with the answer behind it (the addresses
of name servers, most of all), and it escapes nothing. What cannot be told apart is not believed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from feedsvc import names
from feedsvc.errors import NameRefused
from feedsvc.names import Address
from feedsvc.sources import texts, winevents

CUT = 255
"""Characters: no list that was cut off is as short, so that what stands last in it is whole, even where nothing ends it."""

_TYPED = re.compile(r"type:\s*([0-9]{1,5})(?:\s+(.*))?", re.DOTALL)
_A, _CNAME, _AAAA = "1", "5", "28"
# Their texts are names and numbers: NS, CNAME, SOA, PTR, MX, SRV, DNAME. All others may hold anything.
_TEXTLESS = frozenset({"2", _CNAME, "6", "12", "15", "33", "39"})
_MAPPED = "::ffff:"
_REMEMBERED = 512  # characters of a list that is kept: hosts ask for the same few hundred names
_ZONE_ID = re.compile(r"%[0-9]{1,10}\Z")


class Results(NamedTuple):
    """What the answers are.

    Attributes:
        addresses: of the asked name, in order, each once.
        chain: CNAME targets, in order.
        faults: what could not be read, each one of few texts.
    """

    addresses: tuple[Address, ...] = ()
    chain: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class _Spelt(NamedTuple):
    address: Address
    mapped: bool


class _Unbelievable(ValueError):
    """The answers as a whole may be something else; the message is the fault."""


def read(results: str) -> Results:
    """Read `QueryResults`."""
    return _read_known(results) if len(results) <= _REMEMBERED else _read(results)


def _read(results: str) -> Results:
    found: list[_Spelt] = []
    chain: dict[str, None] = {}
    faults: dict[str, None] = {}
    try:
        for kind, value, last in _records(results):
            if kind == _CNAME:
                _take_target(value, found, chain, faults)
            elif kind in {_A, _AAAA}:
                found.append(_spelt(value))
            elif kind not in _TEXTLESS:
                faults |= {} if last else {"answers behind a text cannot be told from it": None}
                break
    except _Unbelievable as err:
        return Results(faults=(*faults, str(err)))
    return Results(_of_the_name(found), tuple(chain), tuple(faults))


_read_known = functools.lru_cache(maxsize=8192)(_read)


@functools.lru_cache(maxsize=65536)
def canonical(spelt: str) -> str:
    """A name as Windows has it, in letters of any language and without escapes; "" for the root and for an address.

    Raises:
        NameRefused: it is no name.
    """
    if spelt.isascii() or "\\" in spelt:
        return winevents.name_of(spelt.encode("utf-8", "replace"))
    return names.parse_name(spelt)


def address(spelt: str) -> Address | None:
    """The address in a value; None for none. Of one of the link (`fe80::1%12`) the interface is left out."""
    return texts.address_of(_ZONE_ID.sub("", spelt))


def _records(results: str) -> Iterator[tuple[str, str, bool]]:
    """The type of each record ("1" for an address), its text, and whether it is the last; without one that was cut off."""
    *whole, rest = results.split(";")
    if len(results) < CUT:
        whole.append(rest)
    parts = [text for part in whole if (text := part.strip()) not in {"", "-"}]
    for number, part in enumerate(parts, 1):
        typed = _TYPED.fullmatch(part)
        kind, value = typed.groups(default="") if typed else (_A, part)
        yield kind, value, number == len(parts)


def _take_target(spelt: str, found: list[_Spelt], chain: dict[str, None], faults: dict[str, None]) -> None:
    try:
        name = canonical(spelt)
    except NameRefused:
        faults["answer is no name"] = None
        return
    if found and name not in chain:
        # A name with a `;` in it can look like any answers, and the rest of it like this.
        raise _Unbelievable("answers in which a name stands behind addresses")
    if name:
        chain[name] = None


def _spelt(value: str) -> _Spelt:
    found = address(value)
    if found is None:
        raise _Unbelievable("answers in which something is neither name nor address")
    return _Spelt(found, value.lower().startswith(_MAPPED))


def _of_the_name(found: list[_Spelt]) -> tuple[Address, ...]:
    """The addresses without those of name servers, which stand behind them and look alike."""
    end = len(found)
    mapped = [number for number, one in enumerate(found, 1) if one.mapped]
    if not mapped:
        versions = [one.address.version for one in found]
        end = next((number for number, version in enumerate(versions) if version != versions[0]), end)
    elif any(one.address.version == 4 for one in found[mapped[-1] :]):
        end = mapped[-1]
    return tuple(dict.fromkeys(one.address for one in found[:end]))
