"""What a person decides, carried out: the decision, the revocation it may need, and publication, stored together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from feedsvc.errors import NameRefused, UsageError
from feedsvc.judge import review
from feedsvc.model import Change, Finding, Status
from feedsvc.names import parse_name
from feedsvc.pipeline import publishing
from feedsvc.pipeline.marking import as_evidence_allows
from feedsvc.pipeline.parts import Parts


def queue(parts: Parts, watch: str | None = None) -> tuple[Finding, ...]:
    """What waits for a person: candidates, what is held, and baselines that the rule holds."""
    waiting = parts.history.findings.with_status({Status.CANDIDATE, Status.HELD, Status.BASELINE}, watch)
    return tuple(one for one in waiting if one.status is not Status.BASELINE or _holds_baseline(parts, one))


def _holds_baseline(parts: Parts, finding: Finding) -> bool:
    watch = parts.watches.get(finding.watch)
    return watch is None or watch.baseline != "ignore"


def decide(
    parts: Parts, verb: str, names: Sequence[str], watch: str | None, *, actor: str, reason: str
) -> list[tuple[int, Change]]:
    """Carry out a verb on names: on all of them, or on none when one cannot be.

    Returns:
        The number of each decision, for `undo`, with the change.

    Raises:
        UsageError: naming every name that the verb cannot be carried out on, and why.
    """

    def change(finding: Finding, now: datetime) -> Change:
        return review.decide(verb, finding, parts.watches.get(finding.watch), actor=actor, reason=reason, now=now)

    with parts.history.transaction():
        now = parts.clock()
        findings = as_evidence_allows(parts, _findings(parts, names, watch))
        return _carry_out(parts, findings, _all_or_none(findings, change, now), now)


def undo(parts: Parts, number: int, *, actor: str, reason: str) -> tuple[int, Change]:
    """Take back a decision.

    Raises:
        UsageError: there is no such decision, or it cannot be undone; the message says why.
    """
    with parts.history.transaction():
        decision = parts.history.findings.decision(number)
        if decision is None:
            raise UsageError(f"there is no decision {number}; `feedsvc explain NAME` lists those on a name")
        [finding] = as_evidence_allows(parts, parts.history.findings.get(decision.watch, [decision.name]).values())
        now = parts.clock()
        past = parts.history.findings.decisions(decision.name)
        watch = parts.watches.get(finding.watch)
        change = review.undo(decision, finding, watch, past, actor=actor, reason=reason, now=now)
        return _carry_out(parts, [finding], [change], now)[0]


def _findings(parts: Parts, names: Sequence[str], watch: str | None) -> list[Finding]:
    return [_finding(parts, name, watch) for name in dict.fromkeys(names)]


def _finding(parts: Parts, text: str, watch: str | None) -> Finding:
    try:
        name = parse_name(text)
    except NameRefused as err:
        raise UsageError(f"{text!r} is no domain name: {err}") from err
    found = [one for one in parts.history.findings.named(name) if watch in {None, one.watch}]
    if not found:
        raise UsageError(f"{name}: no finding{f' of watch {watch!r}' if watch else ''}; `feedsvc explain {name}` says more")
    if len(found) > 1:
        raise UsageError(f"{name}: found by {', '.join(one.watch for one in found)}; say which with --watch")
    return found[0]


def _all_or_none(findings: Sequence[Finding], change: Callable[[Finding, datetime], Change], now: datetime) -> list[Change]:
    changes, faults = [], []
    for finding in findings:
        try:
            changes.append(change(finding, now))
        except UsageError as err:
            faults.append(str(err))
    if faults:
        raise UsageError("\n".join([*faults, "nothing was decided"] if len(findings) > 1 else faults))
    return changes


def _carry_out(
    parts: Parts, findings: Sequence[Finding], changes: Sequence[Change], now: datetime
) -> list[tuple[int, Change]]:
    numbers = parts.history.findings.apply(changes)
    leaving = [
        before
        for before, change in zip(findings, changes, strict=True)
        if change.finding.status is Status.REVOKED or change.finding.episode > before.episode
    ]
    publishing.revoke(parts, leaving, now)
    return list(zip(numbers, changes, strict=True))
