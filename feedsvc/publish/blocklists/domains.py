"""Plain domain list: one name a line and nothing else, for every product that fetches a list by URL.

Read by: Palo Alto EDL (type domain), FortiGate external resource (type domain), Cisco Secure Firewall Security Intelligence
(feed), Sophos Firewall third-party feeds, OPNsense and pfBlockerNG, AdGuard Home, Pi-hole, and scripts of every kind.

Import: give the product the address of the file, `/exports/NAME`, with the partner's name and token as its login. Which
menu that is for each product stands in exports/README.md.

Names: exact. The consumer decides whether a line stands for the names below it (Cisco: yes; Palo Alto: with the switch
"automatically expand to include subdomains"; FortiGate does not say; hosts-style readers: no), so every name is listed.

File: ASCII, LF, sorted by bytes, no comments (Sophos refuses them), no blank line, empty when nothing is listed.

Limits, where the products give them: Palo Alto 255 characters a name and a number of entries by model, the rest is skipped
with a line in its system log; FortiGate before 7.4.4 131,072 lines or 10 MB; Cisco 500 MB.

Removal: with the product's next fetch. Most keep their last copy when the server cannot be reached, so a removal reaches
nobody while it is down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from feedsvc.model import ListedName
from feedsvc.publish.namesets import checked, read_back
from feedsvc.publish.port import BlockListFormat, ListMeta, NameSetKind


@dataclass(frozen=True, slots=True)
class Options:
    """This format has no settings of its own."""


@dataclass(frozen=True, slots=True)
class Domains:
    """The format, ready to render."""

    names: ClassVar[NameSetKind] = "exact"
    media_type: ClassVar[str] = "text/plain; charset=us-ascii"

    def render(self, listed: Iterable[ListedName], meta: ListMeta) -> Iterator[bytes]:
        """One name a line; see `BlockListFormat.render`."""
        del meta
        for one in checked(listed):
            yield f"{one.name}\n".encode("ascii")

    def read_back(self, body: bytes) -> tuple[frozenset[str], int]:
        """Names of the file; it shows no serial.

        Raises:
            ValueError: a line that is no name, out of order, or without its end.
        """
        *lines, rest = body.decode("ascii").split("\n")
        if rest:
            raise ValueError("the last line has no end")
        return read_back(lines), 0

    def admits(self, name: str) -> str | None:
        """Every publishable name has room here."""
        del name
        return None


def build(options: Options) -> BlockListFormat:
    """The format by its settings."""
    del options
    return Domains()
