"""What a person may decide of a finding, and how a decision is taken back.

Pure. Every verb says from which status it may start; anything else is a UsageError that names the verb to use instead.
Nothing unpublished is ever un-sent: what stands in the feed leaves it by a revocation, and comes back with a new id.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from feedsvc.errors import UsageError
from feedsvc.judge import policy
from feedsvc.model import Change, Decision, Finding, Status, Watch
from feedsvc.names import publishable

_ADVICE: Mapping[tuple[str, Status], str] = {
    ("approve", Status.APPROVED): "is approved already",
    ("approve", Status.PUBLISHED): "is published already",
    ("hold", Status.HELD): "is held already",
    ("hold", Status.PUBLISHED): "is published; use `review revoke`",
    ("reject", Status.PUBLISHED): "is published; use `review revoke`",
    ("reject", Status.REJECTED): "is rejected already",
    ("revoke", Status.REVOKED): "is revoked already",
}

_FROM: Mapping[str, frozenset[Status]] = {
    "approve": frozenset(Status) - {Status.APPROVED, Status.PUBLISHED},
    "hold": frozenset({Status.BASELINE, Status.CANDIDATE, Status.APPROVED, Status.REJECTED}),
    "reject": frozenset({Status.BASELINE, Status.CANDIDATE, Status.HELD, Status.APPROVED}),
    "revoke": frozenset({Status.PUBLISHED, Status.EXPIRED}),
}


def decide(verb: str, finding: Finding, watch: Watch | None, *, actor: str, reason: str, now: datetime) -> Change:
    """Carry out a verb on a finding.

    Args:
        watch: the finding's rule; None when it is gone, which stops an approval alone.

    Raises:
        UsageError: the verb does not go with the finding's status, no reason is given, or the name must never leave.
    """
    if not reason.strip():
        raise UsageError(f"{verb} {finding.name}: give a reason with --reason; the next analyst will want it")
    if finding.status not in _FROM[verb]:
        advice = _ADVICE.get((verb, finding.status), f"is {finding.status}; there is nothing to {verb}")
        raise UsageError(f"{verb} {finding.name}: it {advice}")
    return _MOVES[verb](finding, watch, actor, reason, now)


_Move = Callable[[Finding, Watch | None, str, str, datetime], Change]


def _approve(finding: Finding, watch: Watch | None, actor: str, reason: str, now: datetime) -> Change:
    return policy.approve(finding, _may_go_out(finding, watch), actor=actor, reason=reason, now=now)


def _may_go_out(finding: Finding, watch: Watch | None) -> Watch:
    """The rule of a finding that a person wants published; whoever wants it, not every name may leave."""
    if watch is None:
        raise UsageError(f"approve {finding.name}: there is no rule {finding.watch!r} any more; bring it back first")
    verdict = publishable(finding.name)
    if not verdict:
        raise UsageError(f"approve {finding.name}: not publishable, whoever approves it: {verdict.reason}")
    return watch


def _to(status: Status, verb: str) -> _Move:
    def move(finding: Finding, watch: Watch | None, actor: str, reason: str, now: datetime) -> Change:
        del watch
        after = dataclasses.replace(finding, status=status)
        return policy.change(finding, after, verb=verb, actor=actor, reason=reason, now=now)

    return move


_MOVES: Mapping[str, _Move] = {
    "approve": _approve,
    "hold": _to(Status.HELD, "hold"),
    "reject": _to(Status.REJECTED, "reject"),
    "revoke": _to(Status.REVOKED, "revoke"),
}


def undo(
    decision: Decision,
    finding: Finding,
    watch: Watch | None,
    history: Sequence[Decision],
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> Change:
    """Take back the latest decision that a person took on a finding.

    Args:
        decision: the one to take back.
        finding: as it is now.
        watch: the finding's rule; None when it is gone, which stops what would publish the name.
        history: all decisions on the name, oldest first.

    Raises:
        UsageError: a rule decided it, a person has decided anew since, or the name must not leave any more.
    """
    if decision.actor == policy.RULE or decision.before is None or decision.verb == "undo":
        raise UsageError(f"decision {decision.id} is a {decision.verb} by {decision.actor}: only a person's can be undone")
    since = [one for one in history if one.watch == decision.watch and one.id > decision.id]
    later = [one for one in since if one.actor != policy.RULE]
    if later:
        raise UsageError(
            f"decision {decision.id} is not the latest: {later[-1].verb} (decision {later[-1].id}) came after it"
        )
    went_out = any(one.after is Status.PUBLISHED for one in since)
    after = _back(finding, decision, watch, now, went_out=went_out)
    # What readers have as revoked, or will get as revoked now, comes back under a new id only (design §6.4).
    spent = went_out or decision.after is Status.REVOKED
    text = reason or f"takes back decision {decision.id} ({decision.verb} by {decision.actor})"
    after = dataclasses.replace(after, episode=finding.episode + spent)
    return policy.change(finding, after, verb="undo", actor=actor, reason=text, now=now, undoes=decision.id)


def _back(finding: Finding, decision: Decision, watch: Watch | None, now: datetime, *, went_out: bool) -> Finding:
    """The finding with the status from before a decision, or what comes next to it."""
    before = decision.before or finding.status
    if before in {Status.PUBLISHED, Status.APPROVED}:
        return policy.approved(finding, _may_go_out(finding, watch), now)
    if before is Status.EXPIRED and went_out:
        # It went out again by this approval and leaves by a revocation: readers have it as revoked, not as expired.
        before = Status.REVOKED
    return dataclasses.replace(finding, status=before)
