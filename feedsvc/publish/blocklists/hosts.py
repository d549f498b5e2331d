"""Hosts file: `0.0.0.0 NAME` a line, for resolvers and machines that read the format of hosts(5).

Read by: dnsmasq (`addn-hosts=`), Pi-hole, AdGuard Home, pfBlockerNG, OPNsense, and the hosts file of an operating system.

Import: give the product the address of the file, `/exports/NAME`; for dnsmasq fetch it with a timer, replace the file by a
rename and send SIGHUP. For an operating system the file replaces or extends /etc/hosts; nothing reads it by URL.

Names: exact. A line blocks that one name and nothing below it, so every name is listed. To block new siblings before they
are found, use `rpz` instead. There is no wildcard in this format.

File: ASCII, LF, sorted by bytes, a header of two comment lines, one name a line. A second word on a line would be a second
blocked host, so there is never one. 0.0.0.0 makes a connection fail at once; 127.0.0.1 would call the reader's own machine.

Limits: none in the format. Windows slows down at some ten thousand lines while its DNS client service runs.

Removal: with the next fetch; dnsmasq on SIGHUP, an operating system at once when its file is swapped. Browsers keep answers
for about a minute.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from feedsvc.model import ListedName
from feedsvc.publish.namesets import checked, read_back
from feedsvc.publish.port import BlockListFormat, ListMeta, NameSetKind

# Fixed text: a name, a time or a producer in a comment is one more thing that a lax parser takes for a host.
HEADER = (
    b"# Each name stands for itself alone, not for names below it.\n# Fetch this file again for changes; do not edit it.\n"
)

ADDRESS = "0.0.0.0 "


@dataclass(frozen=True, slots=True)
class Options:
    """This format has no settings of its own."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """The format, ready to render."""

    names: ClassVar[NameSetKind] = "exact"
    media_type: ClassVar[str] = "text/plain; charset=us-ascii"

    def render(self, listed: Iterable[ListedName], meta: ListMeta) -> Iterator[bytes]:
        """The header, then one name a line; see `BlockListFormat.render`."""
        del meta
        yield HEADER
        for one in checked(listed):
            yield f"{ADDRESS}{one.name}\n".encode("ascii")

    def read_back(self, body: bytes) -> tuple[frozenset[str], int]:
        """Names of the file; it shows no serial.

        Raises:
            ValueError: anything but comments and then one name a line, in order, each line with its end.
        """
        *lines, rest = body.decode("ascii").split("\n")
        if rest:
            raise ValueError("the last line has no end")
        rows = list(itertools.dropwhile(lambda line: line.startswith("#"), lines))
        if any(not row.startswith(ADDRESS) for row in rows):
            raise ValueError(f"a line below the comments does not begin with {ADDRESS}")
        return read_back([row.removeprefix(ADDRESS) for row in rows]), 0

    def admits(self, name: str) -> str | None:
        """Every publishable name has room here."""
        del name
        return None


def build(options: Options) -> BlockListFormat:
    """The format by its settings."""
    del options
    return Hosts()
