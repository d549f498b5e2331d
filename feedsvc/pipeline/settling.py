"""The end of a source's poll: its candidates are decided on as a whole, and what nobody can still see expires.

Both happen in the transaction that closes the poll's run. Until then nothing that the poll found can be published, however
many netblocks it asks about one after the other: only its end tells whether it found too much. A poll that a budget spreads
over several runs is decided on run by run, and counts what its earlier runs found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from feedsvc.judge import policy
from feedsvc.model import Change, Finding, Status, Watch
from feedsvc.names import parse_address
from feedsvc.pipeline.marking import as_evidence_allows
from feedsvc.pipeline.parts import Parts
from feedsvc.sources.polling import answered_until

SPREAD = timedelta(days=1)
"""For so long what the runs of an unfinished poll find is added up: one that can never be finished is no flood."""


class _Brought(msgspec.Struct, array_like=True):
    """What the runs of an unfinished poll found: since when, and how many for each watch."""

    since: datetime
    counts: dict[str, int]


def settle(parts: Parts, source: str, found: Sequence[Change], now: datetime, *, finished: bool = True) -> list[Change]:
    """Decide on the candidates that a source brought; those of another source wait for the end of its own poll.

    Args:
        found: what this poll decided before. What a poll found that was killed before its end counts as found now.
        finished: whether it was asked to its end; what it finds yet is added to what it found.
    """
    key = f"settled/{source}"
    settled = parts.history.note(key)
    brought = {(change.finding.watch, change.finding.name) for change in found if change.finding.status is Status.CANDIDATE}

    def fresh(one: Finding) -> bool:
        return (one.watch, one.name) in brought or settled is None or one.first_seen > datetime.fromisoformat(settled)

    changes: list[Change] = []
    brought_before = _brought(parts, source, now)
    counts: dict[str, int] = {}
    for watch in parts.watches.values():
        waiting = [one for one in _waiting(parts, watch) if _is_of(parts, one, source)]
        news = [one for one in waiting if fresh(one)]
        if watch.publish == "auto":
            waiting = as_evidence_allows(parts, waiting)
        before = brought_before.counts.get(watch.id, 0)
        counts[watch.id] = before + len(news)
        changes += policy.settle(watch, waiting, news, parts.limits.findings_per_poll, now, before=before)
    parts.history.findings.apply(changes)
    parts.history.keep_note(key, now.isoformat())
    _keep_brought(parts, source, _Brought(now, {}) if finished else _Brought(brought_before.since, counts))
    _remember_watches(parts)
    return changes


def _brought(parts: Parts, source: str, now: datetime) -> _Brought:
    text = parts.history.note(f"brought/{source}")
    kept = msgspec.json.decode(text, type=_Brought) if text else None
    return kept if kept is not None and abs(now - kept.since) <= SPREAD else _Brought(now, {})


def _keep_brought(parts: Parts, source: str, brought: _Brought) -> None:
    kept = any(brought.counts.values())
    if kept or parts.history.note(f"brought/{source}"):
        parts.history.keep_note(f"brought/{source}", msgspec.json.encode(brought).decode() if kept else "")


def _waiting(parts: Parts, watch: Watch) -> tuple[Finding, ...]:
    return parts.history.findings.with_status({Status.CANDIDATE}, watch.id)


def _is_of(parts: Parts, finding: Finding, source: str) -> bool:
    # What only removed sources brought would wait for ever: whoever comes next takes it.
    return source in finding.sources or not set(finding.sources) & set(parts.source_names)


def expire(parts: Parts, now: datetime) -> list[Change]:
    """Expire what no source can still see: each that gave evidence looked, completely, after validity ended.

    A rule, netblock or source that is no longer configured is not waited for: nobody will ever look there again.
    """
    marks = _looked_until(parts)
    changes = [
        policy.expire(finding, now)
        for watch in sorted(_watches_ever(parts))
        for finding in parts.history.findings.expiring(watch, now)
        if _nobody_sees(parts, finding, marks)
    ]
    parts.history.findings.apply(changes)
    return changes


def _looked_until(parts: Parts) -> Mapping[tuple[str, str], datetime]:
    """Until when each source looked at each netblock, completely.

    A poll of a provider may take days: then what it asked about first was asked long before its end.
    """
    marks = parts.history.facts.marks()
    cursors = {source: parts.history.facts.cursors(source) for source in {source for source, _ in marks}}
    return {(source, block): min(at, answered_until(cursors[source], block) or at) for (source, block), at in marks.items()}


def _remember_watches(parts: Parts) -> None:
    """Keep the ids of all rules that ever were: asking the findings for them would look at every one."""
    known = _watches_ever(parts)
    if not known.issuperset(parts.watches):
        parts.history.keep_note("watches", " ".join(sorted(known.union(parts.watches))))


def _watches_ever(parts: Parts) -> set[str]:
    return set((parts.history.note("watches") or "").split())


def _nobody_sees(parts: Parts, finding: Finding, marks: Mapping[tuple[str, str], datetime]) -> bool:
    until = finding.valid_until
    looks = [
        marks.get((source, block))
        for source in set(parts.source_names).intersection(finding.sources)
        for block in _blocks(parts, finding)
    ]
    return until is not None and all(mark is not None and mark >= until for mark in looks)


def _blocks(parts: Parts, finding: Finding) -> list[str]:
    """The netblocks of its rule, as that reads now, that the name was seen in."""
    watch = parts.watches.get(finding.watch)
    addresses = [parse_address(one) for one in finding.rdata]
    return [str(block) for block in watch.netblocks if any(one in block for one in addresses)] if watch else []
