"""What a run is made of: ready parts, built once by the assembly and handed to every step of the pipeline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from feedsvc.clock import Clock, utc_now
from feedsvc.config import ExportSettings, Limits, Producer
from feedsvc.history.port import History
from feedsvc.model import Collection, Watch
from feedsvc.names import Netblock
from feedsvc.publish.port import BlockListFormat
from feedsvc.sources.port import Source, Traits
from feedsvc.watches.match import Matcher

Progress = Callable[[str], None]
"""Told, in a few words, what is being done; for a person who waits."""


def silent(doing: str) -> None:
    """Progress that nobody watches."""
    del doing


@dataclass(frozen=True, slots=True)
class Export:
    """A configured block list and its ready format."""

    settings: ExportSettings
    format: BlockListFormat


@dataclass(frozen=True, slots=True)
class Billing:
    """Whose quota a source spends, and how.

    Attributes:
        key_digest: SHA-256 of the key and of where it is used, however that is spelt; kept in memory alone.
        traits: what there is to know of the provider.
        daily_quota: as configured.
        reserved: the share of a day's or month's calls that the schedule leaves to people.
        every: how often the source is polled.
    """

    provider: str
    key_digest: bytes
    traits: Traits
    daily_quota: int | None
    reserved: float
    every: timedelta


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that one thread needs for a run.

    Attributes:
        history: belongs to this thread.
        asked: the netblocks that providers are asked about; logs are always read for those of all watches.
        sources: those to read; none for a reader of history.
        source_names: all that are configured, read by this run or not.
        billing: by the name of each source that costs calls.
        person: somebody asked for this run, and may use the calls that the schedule leaves to people.
        stop: set when the process was asked to end; a run ends after the batch at hand.
    """

    history: History
    matcher: Matcher
    asked: tuple[Netblock, ...]
    sources: tuple[Source, ...]
    source_names: tuple[str, ...]
    collections: tuple[Collection, ...]
    exports: tuple[Export, ...]
    exports_dir: Path
    producer: Producer
    limits: Limits
    clock: Clock = utc_now
    billing: Mapping[str, Billing] = field(default_factory=dict)
    person: bool = True
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = silent

    @property
    def watches(self) -> Mapping[str, Watch]:
        """The watches by id."""
        return self.matcher.watches
