"""What a poll may ask of a provider: the ledger in history, as `sources.port.Budget`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from feedsvc.clock import rfc3339
from feedsvc.model import Learnt, Span
from feedsvc.pipeline.parts import Parts
from feedsvc.sources.port import Pause

LONGEST_STAY_AWAY = timedelta(days=1)
"""A Retry-After beyond this is taken for this: a provider's mistake must not silence a source for ever."""


class Ledger:
    """The budget of one source."""

    def __init__(self, parts: Parts, source: str) -> None:
        self._parts = parts
        self._key = f"stay-away/{source}"

    def spend(self, pending: int, total: int) -> Pause | None:
        del pending, total
        return None

    def learn(self, quotas: Sequence[Learnt]) -> None:
        del quotas

    def over(self, span: Span | None, retry_after: float | None) -> None:
        del span
        if retry_after:
            until = self._parts.clock() + min(timedelta(seconds=retry_after), LONGEST_STAY_AWAY)
            with self._parts.history.transaction():
                self._parts.history.keep_note(self._key, rfc3339(until))

    def forecast(self, pending: int, total: int) -> datetime | None:
        del pending, total
        return None

    def wants_telling(self) -> bool:
        return False

    @contextlib.contextmanager
    def connections(self, wanted: int) -> Iterator[int]:
        yield wanted
