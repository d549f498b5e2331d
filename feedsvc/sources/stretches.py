"""Netblocks as stretches of the address line: what overlaps, what they leave of one another, their prefixes. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import replace

from feedsvc.names import Netblock

_BITS = {4: 32, 6: 128}


def overlap(one: Netblock, other: Netblock) -> bool:
    """Whether two netblocks have an address in common."""
    return one.version == other.version and one.first <= other.last and other.first <= one.last


def prefixes(block: Netblock) -> Iterator[Netblock]:
    """The fewest CIDR prefixes that cover exactly this netblock, lowest first."""
    first = block.first
    while first <= block.last:
        aligned = first & -first or 1 << _BITS[block.version]
        size = min(aligned, 1 << (block.last - first + 1).bit_length() - 1)
        yield Netblock(block.version, first, first + size - 1)
        first += size


def runs(version: int, first: int, bits: int) -> Iterator[Netblock]:
    """The netblocks of the addresses that are bits of a number, of which the lowest is `first`."""
    while bits:
        gap = (bits & -bits).bit_length() - 1
        bits >>= gap
        size = (~bits & (bits + 1)).bit_length() - 1
        bits >>= size
        yield Netblock(version, first + gap, first + gap + size - 1)
        first += gap + size


class Stretches:
    """Netblocks of which none overlaps another: each goes around some that did, directly or by others between them."""

    def __init__(self, netblocks: Iterable[Netblock]) -> None:
        """Put those that overlap together; neighbours stay apart."""
        self.netblocks: list[Netblock] = []
        for block in sorted(netblocks):
            if self.netblocks and overlap(self.netblocks[-1], block):
                last = self.netblocks[-1]
                self.netblocks[-1] = replace(last, last=max(last.last, block.last))
            else:
                self.netblocks.append(block)
        self._lasts = [(one.version, one.last) for one in self.netblocks]

    def find(self, block: Netblock) -> int | None:
        """The index of the first one that a netblock has an address in common with."""
        at = bisect.bisect_left(self._lasts, (block.version, block.first))
        return at if at < len(self.netblocks) and overlap(self.netblocks[at], block) else None

    def inside(self, block: Netblock) -> Iterator[Netblock]:
        """The parts of a netblock that lie in one of these."""
        at = bisect.bisect_left(self._lasts, (block.version, block.first))
        while at < len(self.netblocks) and overlap(self.netblocks[at], block):
            here = self.netblocks[at]
            yield Netblock(block.version, max(here.first, block.first), min(here.last, block.last))
            at += 1

    def outside(self, block: Netblock) -> Iterator[Netblock]:
        """The parts of a netblock that lie in none of these."""
        first = block.first
        for part in self.inside(block):
            if first < part.first:
                yield Netblock(block.version, first, part.first - 1)
            first = part.last + 1
        if first <= block.last:
            yield Netblock(block.version, first, block.last)
