"""One poll of a provider's plug-in as the pipeline makes it, its budget counted, and what it said about each netblock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from feedsvc import plugins
from feedsvc.config import Secret, SourceSettings
from feedsvc.http import Client
from feedsvc.model import Learnt, Span
from feedsvc.names import Netblock
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Known, Pause, Poll, Provider
from tests.sources.conftest import NETBLOCK, NOW, Heard, gather


@dataclass
class Counted:
    """A budget that lets everything pass, or so many calls, and remembers what it was told."""

    most: int | None = None
    spent: int = 0
    learnt: list[Learnt] = field(default_factory=list)
    overs: list[tuple[Span | None, float | None]] = field(default_factory=list)
    old: bool = False
    untold_times: int = 0
    given_back: int = 0
    free: int = 64
    until: datetime = datetime(2026, 11, 24, 23, tzinfo=UTC)

    def spend(self, pending: int, total: int) -> Pause | None:
        pause = self.held_up(pending, total)
        self.spent += pause is None
        return pause

    def held_up(self, pending: int, total: int) -> Pause | None:
        return Pause(self.until, "the quota is spent") if self.most is not None and self.spent >= self.most else None

    def learn(self, quotas: Sequence[Learnt]) -> None:
        self.learnt += quotas

    def give_back(self) -> None:
        self.given_back += 1

    def over(self, span: Span | None, retry_after: float | None) -> None:
        self.overs.append((span, retry_after))

    def forecast(self, pending: int, total: int) -> datetime | None:
        return None

    def wants_telling(self) -> bool:
        return self.old

    def untold(self) -> None:
        self.untold_times += 1

    @contextlib.contextmanager
    def connections(self, wanted: int) -> Iterator[int]:
        yield min(wanted, self.free)


def built(provider: str, url: str, secrets: Mapping[str, str], options: Mapping[str, object] | None = None) -> Provider:
    """A plug-in as a `[[source]]` has it; each secret says that it came from an environment."""
    held = {name: Secret(value, f"environment {name.upper()}") for name, value in secrets.items()}
    settings = SourceSettings(name=provider, kind="pdns", provider=provider, url=url, secrets=held)
    module: Any = plugins.load("pdns", provider)
    ready: Provider = module.build(settings, plugins.read_options(module, options or {}), lambda: NOW)
    return ready


def poll(
    http: Client,
    provider: Provider,
    netblocks: Sequence[Netblock] = (NETBLOCK,),
    *,
    cursors: Mapping[str, str] | None = None,
    budget: Counted | None = None,
    known: Sequence[Known] = (),
    fronts: int = 0,
) -> Heard:
    """Ask once, and gather everything that was said."""
    source = PdnsSource("source", provider, http, lambda: NOW, fronts_per_poll=fronts)
    asked = Poll(netblocks, cursors or {}, NOW, budget or Counted(), known=known)
    return gather(source.read(asked))
