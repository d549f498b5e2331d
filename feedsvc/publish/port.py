"""The port of block list formats.

A format is a pure function from listed names to the bytes of a file, and back: what was written is read again before it
replaces the last good file, and the last good file tells what a reader has now. A format decides nothing about names: the
writer (`feedsvc.publish.lists`) hands it a set that has passed the gate, sorted, without duplicates and, for a `suffix`
format, collapsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from feedsvc.model import ListedName

NameSetKind = Literal["suffix", "exact"]


@dataclass(frozen=True, slots=True)
class ListMeta:
    """What a file may say of itself.

    Attributes:
        name: of the file.
        serial: rises with every change of the content; seconds since 1970 at the change, at least one more than before.
        changed_at: when the content changed last, never the time of rendering; always the moment that `serial` counts to,
            so that a format which shows either can give it back as the serial.
    """

    name: str
    producer: str
    serial: int
    changed_at: datetime


class BlockListFormat(Protocol):
    """One block list format, ready to render."""

    @property
    def names(self) -> NameSetKind:
        """`suffix`: a name stands for all below it too, the set is collapsed. `exact`: every name is listed."""
        ...

    @property
    def media_type(self) -> str:
        """As served over HTTP."""
        ...

    def render(self, listed: Iterable[ListedName], meta: ListMeta) -> Iterator[bytes]:
        """The file, in pieces, for names sorted by bytes and without duplicates. Same input, same bytes.

        A row whose `watch` is empty was carried over from the last good file by a held list: nothing but its name is
        known, so a format that shows more leaves those cells empty.

        Raises:
            PublishError: a name would break the file; `namesets.checked` raises it for every format alike.
        """
        ...

    def read_back(self, body: bytes) -> tuple[frozenset[str], int]:
        """Names and serial of a file of this format.

        The serial is 0 when the format shows neither the serial nor `changed_at`. Headers of earlier releases are read
        too: a file that cannot be read back is never replaced without a person.

        Raises:
            ValueError: the bytes are no such file.
        """
        ...

    def admits(self, name: str) -> str | None:
        """None, or why this format cannot hold a publishable name (too long for the zone, …)."""
        ...
