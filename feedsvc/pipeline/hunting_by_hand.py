"""A hunt that a person asks for: what was read of the logs is searched once more, and what was not read yet is looked at.

The former is stored, as any hunt is (`hunting`). The latter is not: it is the next poll's, which will count it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from feedsvc.errors import Busy, NameRefused, SourceError, UsageError
from feedsvc.model import Hunt, Outcome, Sighting
from feedsvc.names import parse_name
from feedsvc.pipeline import hunting
from feedsvc.pipeline.parts import Parts
from feedsvc.sources.port import Poll, Source

Seen = tuple[str, Sighting]
"""A sighting, and the source that saw it."""


@dataclass(frozen=True, slots=True)
class Hunted:
    """What a hunt by hand came to.

    Attributes:
        since: who was seen last before is left out.
        clients: of each name, oldest first; also those that were known before.
        hunts: those for these names, as they ended.
        sources: whose logs were looked at.
        troubles: what could not be looked at, and why.
        through: nothing is left to be searched.
    """

    names: tuple[str, ...]
    since: datetime
    clients: tuple[Seen, ...]
    hunts: tuple[Hunt, ...]
    sources: tuple[str, ...]
    troubles: tuple[str, ...]
    through: bool


def hunt(parts: Parts, texts: Sequence[str], watch: str = "") -> Hunted:
    """Search the configured logs for who asked for names, or for all findings.

    What an earlier hunt for one of them has left is gone on with: one that was killed goes on where it was.

    Args:
        texts: names in any spelling; none stands for all findings that are not rejected.
        watch: of this watch alone.

    Raises:
        UsageError: a text is no name, or no finding of the watch.
    """
    names = _wanted(parts, texts, watch)
    now = parts.clock()
    with parts.history.transaction():
        hunting.begin(parts, names - parts.history.hunts.hunted(names), now)
    hunting.carry_on(parts, names)
    since = hunting.since(parts, now)
    logs = [source for source in parts.sources if source.kind == "log"]
    with ExitStack() as polls:
        ahead = _Ahead(names)
        for source in logs:
            ahead.look(parts, source, polls)
        clients = _joined([*_stored(parts, names), *ahead.found])
    return Hunted(
        names=tuple(sorted(names)),
        since=since,
        clients=tuple(one for one in clients if one[1].time_last >= since.timestamp()),
        hunts=tuple({one.id: one for name in sorted(names) for one in parts.history.hunts.of(name)[-1:]}.values()),
        sources=tuple(source.name for source in logs),
        troubles=tuple(ahead.troubles),
        through=not parts.history.hunts.hunted(names),
    )


def _wanted(parts: Parts, texts: Sequence[str], watch: str) -> frozenset[str]:
    names = frozenset(map(_name, texts))
    if names and not watch:
        return names
    found = parts.history.findings.names(watch or None)
    if unfound := sorted(names - found):
        raise UsageError(f"{', '.join(unfound)}: no finding of watch {watch!r}; leave --watch out to hunt for any name")
    return names or found


def _name(text: str) -> str:
    try:
        return parse_name(text)
    except NameRefused as err:
        raise UsageError(f"{text!r} is no domain name: {err}") from err


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What the next poll of each log will count of some names."""

    names: frozenset[str]
    found: list[Seen] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def look(self, parts: Parts, source: Source, polls: ExitStack) -> None:
        """Read what is new in a source's logs and store nothing; `polls` keeps others from doing it meanwhile."""
        try:
            polls.enter_context(parts.history.runs.claim(f"poll/{source.name}"))
            self._read(parts, source)
        except Busy:
            self.troubles.append(f"{source.name}: what is new is being polled at this moment")
        except SourceError as err:
            self.troubles.append(f"{source.name}: {err}")

    def _read(self, parts: Parts, source: Source) -> None:
        poll = Poll(parts.matcher.netblocks, parts.history.facts.cursors(source.name), parts.clock())
        for batch in source.read(poll):
            seen = (*batch.sightings, *batch.lookups)
            self.found.extend((source.name, one) for one in seen if one.rrname in self.names)
            if batch.end is not None and batch.end.outcome is not Outcome.COMPLETE:
                self.troubles.append(f"{source.name}: {batch.end.reason}")
            parts.progress(f"looking at what is new in {source.name}")
            if parts.stop.is_set():
                self.troubles.append(f"{source.name}: stopped before what is new was read")
                return


def _stored(parts: Parts, names: Collection[str]) -> Iterator[Seen]:
    for name in sorted(names):
        yield from parts.history.facts.sightings(name)


def _joined(seen: Iterable[Seen]) -> list[Seen]:
    """Equal ones as one: their times widen, their counts add up."""
    joined: dict[tuple[str, ...], Seen] = {}
    for source, one in seen:
        key = (one.rrname, source, one.client, one.kind, one.process)
        known = joined.get(key)
        joined[key] = (source, one if known is None else _both(known[1], one))
    return sorted(joined.values(), key=lambda one: (one[1].rrname, one[1].time_first, one[1].client, one[0]))


def _both(old: Sighting, new: Sighting) -> Sighting:
    latest = new if new.time_last >= old.time_last else old
    first = min(old.time_first, new.time_first)
    return dataclasses.replace(latest, time_first=first, count=old.count + new.count)
