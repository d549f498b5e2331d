"""A passive DNS provider as a source: one question a netblock, since the last complete answer.

The position of a cursor is the moment (RFC 3339) at which the last complete poll *began*; the next one asks from there, less
an overlap for data that arrive late. Only a complete answer moves it. After a refusal, or when one netblock after the other
fails, the rest is skipped without a call and says so: it stays where it was. An empty answer in doubt waits for the rest of
the poll: a complete one proves that the provider was asked at the right place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from feedsvc.clock import parse_rfc3339, rfc3339
from feedsvc.errors import SourceError
from feedsvc.model import Batch, Cursor, End, Outcome
from feedsvc.names import Netblock
from feedsvc.sources.endings import COMPLETE, Part, after_fault, pointless
from feedsvc.sources.port import Provider, Question

OVERLAP = timedelta(days=1)
"""How far behind the since-mark to ask, when neither the settings nor the provider say."""


@runtime_checkable
class Late(Protocol):
    """A provider that knows how late its data may come."""

    @property
    def overlap(self) -> timedelta:
        """How far behind the since-mark to ask again."""
        ...


class PdnsSource:
    """A provider with its since-marks; see `sources.port.Source`."""

    kind = "pdns"

    def __init__(self, name: str, provider: Provider, overlap: timedelta | None = None) -> None:
        """Join them.

        Args:
            name: as configured.
            overlap: as configured; None leaves it to the provider.
        """
        self.name = name
        self._provider = provider
        own = provider.overlap if isinstance(provider, Late) else OVERLAP
        self._overlap = own if overlap is None else overlap

    def read(self, netblocks: Sequence[Netblock], cursors: Mapping[str, str], now: datetime) -> Iterator[Batch]:
        """Ask about each netblock in turn; `cursors` holds positions by netblock as text."""
        parts: list[Part] = []
        doubts: list[tuple[Netblock, Batch]] = []
        for at, netblock in enumerate(netblocks):
            if pointless(parts):
                yield Batch(scope=tuple(netblocks[at:]), end=_not_asked(len(netblocks) - at, parts[-1].end))
                break
            question = Question(netblock, since(cursors.get(str(netblock)), self._overlap, now))
            for batch in self._ask(question):
                if batch.end is not None:
                    parts.append(Part(str(netblock), batch.end))
                if batch.end is not None and batch.end.doubted:
                    doubts.append((netblock, batch))
                else:
                    yield self._marked(batch, netblock, now)
        proven = any(part.whole for part in parts)
        for netblock, batch in doubts:
            yield self._marked(replace(batch, end=COMPLETE) if proven else batch, netblock, now)

    def _ask(self, question: Question) -> Iterator[Batch]:
        """The provider's batches up to its end, which is given for it when it has none."""
        understood = 0
        try:
            for batch in self._provider.ask(question):
                understood += len(batch.observations)
                yield batch
                if batch.end is not None:
                    return
        except SourceError as err:
            yield Batch(end=after_fault(err, understood))
            return
        yield Batch(end=after_fault(SourceError("the provider stopped without an end"), understood))

    def _marked(self, batch: Batch, netblock: Netblock, now: datetime) -> Batch:
        complete = batch.end is not None and batch.end.outcome is Outcome.COMPLETE
        mark = Cursor(self.name, str(netblock), rfc3339(now))
        return replace(batch, scope=(netblock,), cursors=(*batch.cursors, mark) if complete else batch.cursors)


def since(position: str | None, overlap: timedelta, now: datetime) -> datetime | None:
    """Where to ask from; None, everything, when there is no mark or none that can be read.

    A mark in the future, left by a clock that has stepped back since, counts as now.
    """
    if not position:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        return min(parse_rfc3339(position), now) - overlap
    return None


def _not_asked(count: int, last: End) -> End:
    netblocks = f"{count} netblock" + "s" * (count != 1)
    # The reason of `last` stands beside this one already.
    return End(Outcome.SKIPPED, f"{netblocks} not asked, as asking on is pointless", last.retry_after, last.stop)
