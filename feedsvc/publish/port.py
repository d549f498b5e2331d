"""The port of block list formats.

A format is a pure function from listed names to the lines of a file, and back: what was written is read again before it
replaces the last good file, and the last good file tells what a reader has now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from feedsvc.model import ListedName


@dataclass(frozen=True, slots=True)
class ListMeta:
    """What a file may say of itself.

    Attributes:
        serial: rises with every change of the content; seconds since 1970 at the change, at least one more than before.
        changed_at: when the content changed last; never the time of rendering.
    """

    name: str
    producer: str
    serial: int
    changed_at: datetime


class BlockListFormat(Protocol):
    """One block list format, ready to render.

    Attributes:
        names: `suffix` formats get the collapsed set (no name below another), `exact` formats every name.
        media_type: as served over HTTP.
    """

    names: Literal["suffix", "exact"]
    media_type: str

    def render(self, listed: Iterable[ListedName], meta: ListMeta) -> Iterator[bytes]:
        """The file, in pieces, for names sorted by bytes and without duplicates. Same input, same bytes."""
        ...

    def read_back(self, body: bytes) -> tuple[frozenset[str], int]:
        """Names and serial (0 when the format has none) of a file of this format.

        Raises:
            ValueError: the bytes are no such file.
        """
        ...

    def admits(self, name: str) -> str | None:
        """None, or why this format cannot hold a publishable name (too long for the zone, …)."""
        ...
