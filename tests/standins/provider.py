"""What the stand-ins of all passive DNS providers have in common, so that one contract can be put to each."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tests.standins.server import Call, Standin

KEY = "s3cr3t-k3y"
FIRST, LAST = 1_700_000_000, 1_700_000_600


@dataclass(frozen=True, slots=True)
class Seen:
    """A name at an address, and when it was seen there, in seconds since 1970."""

    name: str
    address: str
    first: int = FIRST
    last: int = LAST
    count: int = 3


class ProviderStandin(Standin):
    """A provider's server, told what it has seen.

    Attributes:
        provider: the plug-in that asks it.
        secrets: what the plug-in is given: `api_key`, `username`, `password`.
        options: what the plug-in's settings must be beside its defaults.
        path: what stands behind the server's address in `url`.
        seen: what it knows.
        cap: rows of one answer, or of one page where there are pages; None: as the provider has it.
        reach: rows that pages lead to; None: all.
        dates: which of `first` and `last` the provider tells.
        garbled: bodies that are no answer of it, though each is JSON or text.
        unknown: the status for an address of which it knows nothing.
    """

    provider: ClassVar[str]
    secrets: ClassVar[Mapping[str, str]] = {"api_key": KEY}
    options: Mapping[str, object] = {}
    path: ClassVar[str] = ""
    dates: ClassVar[frozenset[str]] = frozenset({"first", "last"})
    unknown: ClassVar[int] = 200
    garbled: ClassVar[tuple[bytes, ...]] = (
        b"\x89PNG\r\n\x1a\n\0\0",
        b"<html>sign in</html>",
        b'{"unheard": "of"}\n',
        b"[1,2",
    )

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__()
        self.seen: list[Seen] = list(seen)
        self.cap = cap
        self.reach = reach

    @property
    def paid(self) -> list[Call]:
        """The calls that count."""
        return [call for call in self.calls if self.costs(call)]

    def within(self, netblock: str) -> list[Seen]:
        """What was seen in a netblock, an address or a range, the latest first."""
        first, last = span(netblock)
        here = [one for one in self.seen if _inside(one.address, first, last)]
        return sorted(here, key=lambda one: (-one.last, one.name, one.address))


Address = ipaddress.IPv4Address | ipaddress.IPv6Address

parsed = functools.lru_cache(maxsize=1 << 16)(ipaddress.ip_address)
"""An address out of a text; the same few texts are read for every call."""


def span(netblock: str) -> tuple[Address, Address]:
    """First and last address of `a`, `a/n` or `a-b`; ValueError for anything else."""
    if "-" in netblock:
        first, last = (ipaddress.ip_address(end) for end in netblock.split("-"))
        return first, last
    network = ipaddress.ip_network(netblock)
    return network[0], network[-1]


def _inside(address: str, first: Address, last: Address) -> bool:
    here: Address = parsed(address)
    return here.version == first.version and int(first) <= int(here) <= int(last)
