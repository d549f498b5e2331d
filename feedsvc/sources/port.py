"""The ports of sources: what a passive DNS provider, a log format and a readable source promise.

A provider answers one question about one netblock. A log format turns lines into records. A source joins either with its
cursors and yields batches for the pipeline, which knows no more than `Source`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from feedsvc.model import Batch
from feedsvc.names import Address, Netblock


@dataclass(frozen=True, slots=True)
class Question:
    """Which names resolved into this netblock, seen since then?

    Attributes:
        since: the start of the time window, overlap already taken off; None asks for everything.
    """

    netblock: Netblock
    since: datetime | None


class Provider(Protocol):
    """One passive DNS provider, ready to ask."""

    def ask(self, question: Question) -> Iterator[Batch]:
        """Answer as batches of observations; the last one, and only it, has an `end`.

        Every row is decoded, normalised and inside the netblock; rows that are not are counted in `refused`. Never
        raises for what the other side does: that is an `end` with `partial`, `failed` or `skipped` and a reason.
        """
        ...


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line, or a part of one, that the format does not understand: where, why, and the text itself, cut to 200 bytes.

    Attributes:
        reason: one of few texts, without anything of the line in it: lines are counted by reason.
    """

    offset: int
    reason: str
    line: bytes


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One DNS exchange as a log has it.

    Attributes:
        time: epoch seconds UTC, with the log's own precision.
        client: who asked, a canonical address where it is one, else as the log spells it; None when the log does not say.
        rrname: the asked name, canonical.
        rrtype: the asked type; "" when the log does not say.
        answers: addresses of A and AAAA answers, in order.
        chain: CNAME targets between `rrname` and the addresses, canonical, in order.
        offset: where the record begins, in bytes of the uncompressed file.
        unread: parts that could not be read though the rest of the record holds.
    """

    time: float
    client: str | None
    rrname: str
    rrtype: str
    answers: tuple[Address, ...]
    chain: tuple[str, ...]
    offset: int
    unread: tuple[BadLine, ...] = ()


class LogParser(Protocol):
    """Reads one file from its beginning on; holds what the file's own header said."""

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """Read one line without its line end; None for what is no record (comments, other kinds of record)."""
        ...

    def state(self) -> str:
        """What to remember beside an offset so that a later parser can go on in the middle of the file."""
        ...


class LogFormat(Protocol):
    """One log format, ready to read."""

    def parser(self, state: str = "") -> LogParser:
        """A parser for a new file, or one that goes on where `state` was taken.

        Raises:
            SourceError: the state is none that this format wrote.
        """
        ...

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes (uncompressed, up to 64 KiB) is of this format."""
        ...


class Source(Protocol):
    """Something the pipeline polls: its name, its kind, and what it says since its cursors."""

    @property
    def name(self) -> str:
        """As configured; unique."""
        ...

    @property
    def kind(self) -> str:
        """`pdns` or `log`."""
        ...

    def read(self, netblocks: Sequence[Netblock], cursors: Mapping[str, str], now: datetime) -> Iterator[Batch]:
        """Yield what is new since the cursors (position by scope) about these netblocks.

        A netblock without a cursor is asked for everything. Cursors to store stand in the batches. Every netblock is
        spoken of by exactly one `end`.
        """
        ...
