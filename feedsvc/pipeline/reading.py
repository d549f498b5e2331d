"""What the pages and commands ask of history: a day's delta, everything known of a name. Reads, decides nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feedsvc.errors import NameRefused, UsageError
from feedsvc.judge import policy
from feedsvc.model import Decision, Delta, Evidence, Finding, Hunt, Outcome, Sighting, SourceOutcome, Status
from feedsvc.names import Verdict, parse_name, publishable
from feedsvc.pipeline.parts import Export, Parts
from feedsvc.publish.delta import delta


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything known of a name.

    Attributes:
        findings: one a watch; empty when no watch asked for the name.
        verdict: of the one gate.
        clients: who asked or connected, by source.
        hunts: searches of what was read of logs for who asked before the name was found.
        lists: which list of names (allow list, public suffixes, gate) stopped it.
        collections, exports: where it stands now.
    """

    name: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    decisions: tuple[Decision, ...]
    clients: tuple[tuple[str, Sighting], ...]
    hunts: tuple[Hunt, ...]
    lists: tuple[str, ...]
    collections: tuple[str, ...]
    exports: tuple[str, ...]


def explain(parts: Parts, text: str, watch: str = "") -> Explanation:
    """Gather what history, the gate and the outputs know of a name, however it is spelt.

    Args:
        watch: leave out what other watches made of it.
    """
    try:
        name = parse_name(text)
    except NameRefused:
        verdict = publishable(text)
        return Explanation(text, verdict, (), (), (), (), (), (f"publishable: {verdict.reason}",), (), ())
    verdict = publishable(name)
    findings = tuple(one for one in parts.history.findings.named(name) if watch in {"", one.watch})
    out = [one for one in findings if one.status is Status.PUBLISHED]
    return Explanation(
        name=name,
        verdict=verdict,
        findings=tuple(_told(parts, one) for one in findings),
        evidence=parts.history.facts.evidence(name),
        decisions=tuple(one for one in parts.history.findings.decisions(name) if watch in {"", one.watch}),
        clients=parts.history.facts.sightings(name),
        hunts=parts.history.hunts.of(name),
        lists=() if verdict else (f"publishable: {verdict.reason}",),
        collections=tuple(
            collection.alias for collection in parts.collections if any(collection.takes(one.watch, one.tlp) for one in out)
        ),
        exports=tuple(export.settings.name for export in parts.exports if any(takes(export, one) for one in out)),
    )


def _told(parts: Parts, finding: Finding) -> Finding:
    """A finding whose reason says also why it is marked as it is, when its rule does not say so."""
    watch = parts.watches.get(finding.watch)
    closed = policy.why_closed(finding, watch) if watch else ""
    return dataclasses.replace(finding, reason=f"{finding.reason}; {closed}") if closed else finding


def know_watch(parts: Parts, watch: str) -> None:
    """See that there is such a rule, or was one that found something; "" stands for all.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if not watch or watch in parts.watches:
        return
    known = {*parts.watches, *(found for found, _ in parts.history.findings.counts())}
    if watch not in known:
        raise UsageError(f"there is no rule {watch!r}; there are: {', '.join(sorted(known))}")


def takes(export: Export, finding: Finding) -> bool:
    """Whether a published finding stands on a block list."""
    settings = export.settings
    return (
        ("*" in settings.watches or finding.watch in settings.watches)
        and finding.tlp.rank <= settings.max_tlp.rank
        and finding.confidence >= settings.min_confidence
        and export.format.admits(finding.name) is None
    )


def day(parts: Parts, label: str, start: datetime, end: datetime) -> Delta:
    """The delta of a span of time, with how each source fared in it."""
    decisions = parts.history.findings.decided_between(start, end)
    return delta(label, _fared(parts, start, end), decisions, _now(parts, decisions))


def of_changes(parts: Parts, label: str, sources: Sequence[SourceOutcome], decisions: Sequence[Decision]) -> Delta:
    """The delta of decisions just taken."""
    return delta(label, sources, decisions, _now(parts, decisions))


def _now(parts: Parts, decisions: Sequence[Decision]) -> dict[tuple[str, str], Finding]:
    names: dict[str, set[str]] = {}
    for decision in decisions:
        names.setdefault(decision.watch, set()).add(decision.name)
    return {
        (watch, name): finding
        for watch, wanted in names.items()
        for name, finding in parts.history.findings.get(watch, wanted).items()
    }


def _fared(parts: Parts, start: datetime, end: datetime) -> list[SourceOutcome]:
    """How each source fared in a span: its last outcome, and that nothing ran where nothing did."""
    latest: dict[str, SourceOutcome] = {}
    for run in parts.history.runs.between(start, end):
        latest.update({outcome.name: dataclasses.replace(outcome, at=run.ended_at) for outcome in run.sources})
    quiet = [
        SourceOutcome(name, Outcome.SKIPPED, "was not polled in this time")
        for name in parts.source_names
        if name not in latest
    ]
    return sorted([*latest.values(), *quiet], key=lambda outcome: outcome.name)
