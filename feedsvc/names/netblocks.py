"""Addresses and netblocks as numbers, and which of many netblocks hold an address.

An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is its IPv4 address here, alone or as a netblock. Zone identifiers
(`fe80::1%eth0`), netmasks and bare numbers are refused: no provider or rule needs them.
"""

from __future__ import annotations

import bisect
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from feedsvc.errors import NameRefused

_MAPPED = 0xFFFF << 32  # ::ffff:0:0/96
_LONGEST_ADDRESS = 45  # characters: six groups of four and a dotted quad


class Address(NamedTuple):
    """An IP address as its version (4 or 6) and its value as a number."""

    version: int
    value: int

    def __str__(self) -> str:
        if self.version == 4:
            return socket.inet_ntoa(self.value.to_bytes(4, "big"))
        return str(ipaddress.IPv6Address(self.value))


def parse_address(text: str) -> Address:
    """Read an address in any spelling of RFC 4291 §2.2 or dotted quad; IPv4-mapped IPv6 is unwrapped.

    Raises:
        NameRefused: the text is no address.
    """
    version, value = _read_address(text)
    if version == 6 and value >> 32 == 0xFFFF:
        return Address(4, value - _MAPPED)
    return Address(version, value)


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        _read_address(text)
    except NameRefused:
        return False
    return True


def _read_address(text: str) -> Address:
    """An address as it is written, mapped ones not unwrapped."""
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        raise NameRefused("no IP address")
    try:
        if ":" in text:
            return Address(6, int(ipaddress.IPv6Address(text)))
        return Address(4, int(ipaddress.IPv4Address(text)))
    except ValueError as err:
        raise NameRefused("no IP address") from err


@dataclass(frozen=True, slots=True, order=True)
class Netblock:
    """Addresses from `first` to `last`, both included, of one IP version."""

    version: int
    first: int
    last: int

    def __contains__(self, address: Address) -> bool:
        return address.version == self.version and self.first <= address.value <= self.last

    def __str__(self) -> str:
        cidrs = self.cidrs()
        if len(cidrs) == 1:
            return cidrs[0]
        return f"{Address(self.version, self.first)}-{Address(self.version, self.last)}"

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return self.last - self.first + 1

    def addresses(self) -> Iterator[Address]:
        """Every address, lowest first."""
        return (Address(self.version, value) for value in range(self.first, self.last + 1))

    def cidrs(self) -> tuple[str, ...]:
        """The fewest CIDR prefixes that cover exactly this netblock."""
        kind = ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address
        nets = ipaddress.summarize_address_range(kind(self.first), kind(self.last))
        return tuple(str(net) for net in nets)


def parse_netblock(text: str) -> Netblock:
    """Read `198.51.100.0/24`, `198.51.100.7` or `198.51.100.10-198.51.100.20`, IPv4 or IPv6.

    Blanks around an address are dropped.

    Raises:
        NameRefused: no netblock; host bits set; first above last; two IP versions.
    """
    if "-" in text:
        first, last = (_read_address(part.strip()) for part in text.split("-", 1))
        if first.version != last.version:
            raise NameRefused("range from one IP version to the other")
        if first.value > last.value:
            raise NameRefused("range whose first address lies above its last")
        return _unwrap(Netblock(first.version, first.value, last.value))
    address, slash, length = text.strip().partition("/")
    version, value = _read_address(address)
    return _unwrap(_prefix(version, value, _read_length(length, version) if slash else _bits(version)))


def _bits(version: int) -> int:
    return 32 if version == 4 else 128


def _read_length(text: str, version: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= _bits(version)):
        raise NameRefused(f"prefix length that is no number from 0 to {_bits(version)}")
    return int(text)


def _prefix(version: int, value: int, length: int) -> Netblock:
    hosts = (1 << _bits(version) - length) - 1
    if value & hosts:
        raise NameRefused(f"host bits set; the netblock around it is {Address(version, value & ~hosts)}/{length}")
    return Netblock(version, value, value | hosts)


def _unwrap(block: Netblock) -> Netblock:
    """A netblock that lies within the IPv4-mapped addresses as the IPv4 netblock that it is."""
    if block.version == 6 and block.first >> 32 == block.last >> 32 == 0xFFFF:
        return Netblock(4, block.first - _MAPPED, block.last - _MAPPED)
    return block


class NetblockMap:
    """Which of many netblocks, overlapping or not, an address lies in: one binary search per question.

    The address line of each IP version is cut at every border of every netblock; each piece knows the netblocks over it.
    """

    def __init__(self, netblocks: Sequence[Netblock]) -> None:
        self.netblocks = tuple(netblocks)
        self._starts: dict[int, list[int]] = {}
        self._inside: dict[int, list[tuple[int, ...]]] = {}
        for version in (4, 6):
            self._cut(version)

    def _cut(self, version: int) -> None:
        opens: dict[int, list[int]] = {}
        closes: dict[int, list[int]] = {}
        for index, block in enumerate(self.netblocks):
            if block.version == version:
                opens.setdefault(block.first, []).append(index)
                closes.setdefault(block.last + 1, []).append(index)
        current: set[int] = set()
        starts, inside = [-1], [()]  # type: tuple[list[int], list[tuple[int, ...]]]
        for border in sorted(opens.keys() | closes.keys()):
            current.difference_update(closes.get(border, ()))
            current.update(opens.get(border, ()))
            starts.append(border)
            inside.append(tuple(sorted(current)))
        self._starts[version], self._inside[version] = starts, inside

    def find(self, address: Address) -> tuple[int, ...]:
        """Indices into `netblocks` of all that hold the address, ascending."""
        return self._inside[address.version][bisect.bisect_right(self._starts[address.version], address.value) - 1]

    def __contains__(self, address: Address) -> bool:
        return bool(self.find(address))
