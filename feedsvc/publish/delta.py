"""What a span of time changed, gathered from its decisions. Pure; printing it is `delta_text`'s.

    added       new names, and expired ones that came back; not the baseline, which is history and no news
    published   names that went out
    held        names whose last decision of the span left them waiting for a person; a held baseline is among them
    removed     names that left the outputs: revoked, expired, or taken back

A name that went out and left again in one span stands in both lists: readers may have had it in between. Status and reason
of a finding are those of its last decision in the span, so that the delta of a past day does not change with later ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from feedsvc.model import Decision, Delta, Finding, SourceOutcome, Status

Key = tuple[str, str]
"""Watch and name."""


def delta(
    label: str,
    sources: Iterable[SourceOutcome],
    decisions: Sequence[Decision],
    findings: Mapping[Key, Finding],
) -> Delta:
    """The delta of a day or a run.

    Args:
        label: the date or the run's id.
        sources: how each source fared.
        decisions: of the span, oldest first.
        findings: by watch and name, one for every decision.

    Raises:
        KeyError: a decision whose finding is missing.
    """
    last = {_key(decision): decision for decision in decisions}
    then = {key: _as_of(findings[key], decision) for key, decision in last.items()}

    def where(said: Callable[[Decision], bool], among: Iterable[Decision] = decisions) -> tuple[Finding, ...]:
        keys = {_key(decision) for decision in among if said(decision)}
        return tuple(sorted((then[key] for key in keys), key=lambda one: (one.watch, one.case, one.name)))

    return Delta(
        label=label,
        sources=tuple(sources),
        added=where(_adds),
        published=where(_publishes),
        held=where(_holds, last.values()),
        removed=where(_removes),
    )


def of_watch(whole: Delta, watch: str) -> Delta:
    """The part of a delta that one watch found; sources are those of the whole."""

    def found(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        return tuple(one for one in findings if one.watch == watch)

    return dataclasses.replace(
        whole,
        added=found(whole.added),
        published=found(whole.published),
        held=found(whole.held),
        removed=found(whole.removed),
    )


def _key(decision: Decision) -> Key:
    return decision.watch, decision.name


def _as_of(finding: Finding, decision: Decision) -> Finding:
    return dataclasses.replace(finding, status=decision.after, reason=decision.reason)


def _adds(decision: Decision) -> bool:
    if decision.verb == "reactivate":
        return True
    return decision.before is None and decision.after is not Status.BASELINE


def _publishes(decision: Decision) -> bool:
    return decision.after is Status.PUBLISHED and decision.before is not Status.PUBLISHED


def _holds(decision: Decision) -> bool:
    return decision.after is Status.HELD or (decision.after is Status.BASELINE and decision.verb == "hold")


def _removes(decision: Decision) -> bool:
    return decision.before is Status.PUBLISHED and decision.after is not Status.PUBLISHED
