"""Addresses of rows, read once however many rows have them. Pure.

A netblock has few addresses and its rows are many; reading an address costs more than all the rest of a row.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from feedsvc.errors import NameRefused
from feedsvc.names import Netblock, NetblockMap, parse_address

_LONGEST = 64  # characters; with all its zeros and an IPv4 tail an IPv6 address has 45
_REMEMBERED = 65_536  # addresses of which the reading is kept


class Place(NamedTuple):
    """An address as an observation has it, and whether it was asked for."""

    rrtype: Literal["A", "AAAA"]
    rdata: str
    inside: bool


class Places(dict[str, Place | None]):
    """What a text is as an address, in whatever spelling; None when it is none. Asked by `places[text]`."""

    def __init__(self, netblock: Netblock | NetblockMap) -> None:
        super().__init__()
        self._netblock = netblock

    def __missing__(self, text: str) -> Place | None:
        """Read an address that was not met before."""
        if len(text) > _LONGEST:
            return None
        if len(self) >= _REMEMBERED:
            self.clear()
        self[text] = place = self._read(text)
        return place

    def _read(self, text: str) -> Place | None:
        try:
            address = parse_address(text)
        except NameRefused:
            return None
        # The family decides, not the row: an IPv4-mapped address in an AAAA record is that IPv4 address.
        return Place("A" if address.version == 4 else "AAAA", str(address), address in self._netblock)
