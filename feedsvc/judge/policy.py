"""What becomes of a finding: found, settled at the end of a poll, extended by evidence, decided by a person, expired.

Pure. Each function takes findings as they are and returns changes (the finding afterwards, and the decision that says who
and why); storing and publishing them is the pipeline's. The life of a finding is drawn in docs/glossary.md, "status".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime

from feedsvc.judge import confidence
from feedsvc.judge.novelty import PHRASES
from feedsvc.model import Change, Decision, Finding, Novelty, Status, Tlp, Watch
from feedsvc.names import Verdict

RULE = "feedsvc"
"""The actor of every decision that a rule takes."""

CLAIMED = (
    "clients alone say so: a name in TLS, in HTTP or in CONNECT may be any; passive DNS or a DNS answer with it in these "
    "netblocks ends the hold, or approve it"
)
"""Why a finding waits that nobody but clients tells of."""

_RANK = {level: level.rank for level in Tlp}.__getitem__


def change(
    before: Finding | None,
    after: Finding,
    *,
    verb: str,
    actor: str,
    reason: str,
    now: datetime,
    undoes: int | None = None,
) -> Change:
    """A finding as it will be, with the decision that made it so."""
    return Change(
        finding=dataclasses.replace(after, reason=reason),
        decision=Decision(
            at=now,
            actor=actor,
            verb=verb,
            watch=after.watch,
            name=after.name,
            before=before.status if before else None,
            after=after.status,
            reason=reason,
            undoes=undoes,
        ),
    )


def find(finding: Finding, watch: Watch, verdict: Verdict, *, in_baseline: bool, now: datetime) -> Change:
    """Where a new finding begins: rejected by the gate, in the baseline, held as stale or as a claim, or a candidate."""
    status, verb, reason = _begin(finding, watch, verdict, in_baseline=in_baseline, now=now)
    return change(None, dataclasses.replace(finding, status=status), verb=verb, actor=RULE, reason=reason, now=now)


def _begin(finding: Finding, watch: Watch, verdict: Verdict, *, in_baseline: bool, now: datetime) -> tuple[Status, str, str]:
    if not verdict:
        return Status.REJECTED, "reject", f"not publishable: {verdict.reason}"
    if in_baseline and watch.baseline == "hold":
        return Status.BASELINE, "hold", "found before the baseline was complete; approve it to publish it"
    if in_baseline and watch.baseline == "ignore":
        return Status.BASELINE, "ignore", "found before the baseline was complete; the rule ignores those"
    if finding.valid_until is not None and finding.valid_until <= now:
        return Status.HELD, "hold", stale(finding, watch)
    if finding.claimed:
        return Status.HELD, "hold", CLAIMED
    return Status.CANDIDATE, "find", _news(finding)


def _news(finding: Finding) -> str:
    return f"{finding.novelty}: {PHRASES[finding.novelty]}"


def confidence_of(finding: Finding, watch: Watch) -> int:
    """How sure a finding is, by its rule and its evidence."""
    return confidence.weigh(watch.confidence, *([confidence.CLAIMED] if finding.claimed else []))


def stale(finding: Finding, watch: Watch) -> str:
    """Why a finding whose validity is over is not published by a rule."""
    return (
        f"last evidence of {finding.last_seen:%Y-%m-%d} is older than valid_for "
        f"({watch.valid_for.days} days); approve it to publish it all the same"
    )


def settle(
    watch: Watch, waiting: Sequence[Finding], fresh: Sequence[Finding], limit: int, now: datetime, *, before: int = 0
) -> list[Change]:
    """Decide on a watch's candidates at the end of a poll.

    Args:
        waiting: every candidate, those of earlier polls too.
        fresh: those that this poll found.
        limit: a poll that found more than this is held as a whole, whatever the rule says.
        before: how many it had found, and were decided on, when it was interrupted.
    """
    if fresh and before + len(fresh) > limit:
        count = before + len(fresh)
        reason = f"the poll found {count} new names, over findings_per_poll = {limit}; look before you approve"
        return [
            change(one, dataclasses.replace(one, status=Status.HELD), verb="hold", actor=RULE, reason=reason, now=now)
            for one in fresh
        ]
    if watch.publish == "review":
        return []
    return [_approve_or_hold(one, watch, now) for one in waiting]


def _approve_or_hold(finding: Finding, watch: Watch, now: datetime) -> Change:
    if finding.valid_until is not None and finding.valid_until <= now:
        # It waited too long, for a rule that published nothing by itself until now.
        held = dataclasses.replace(finding, status=Status.HELD)
        return change(finding, held, verb="hold", actor=RULE, reason=stale(finding, watch), now=now)
    if finding.claimed:
        held = dataclasses.replace(finding, status=Status.HELD)
        return change(finding, held, verb="hold", actor=RULE, reason=CLAIMED, now=now)
    return approve(finding, watch, actor=RULE, reason=f"{finding.reason} (publish: auto)", now=now)


def marking(watch: Watch, evidence: Iterable[Tlp]) -> Tlp:
    """How far a finding may be passed on: as far as its rule says, but no further than the most open of its evidence."""
    return max(watch.tlp, min(evidence, key=_RANK), key=_RANK)


def why_closed(finding: Finding, watch: Watch) -> str:
    """Why a finding is marked more strictly than its rule has it; "" when it is not."""
    if _RANK(finding.tlp) <= _RANK(watch.tlp):
        return ""
    sources = ", ".join(finding.sources)
    return f"marked {finding.tlp}, not {watch.tlp} as its rule has it: that is as far as {sources} let it be passed on"


def extend(finding: Finding, seen: Finding, watch: Watch) -> Finding:
    """A known finding with what new evidence adds; equal to the old one when it adds nothing.

    Where the name is known by more than claims, claims add nothing: who says a name must not keep it alive. Where it was
    known by claims alone, evidence ends that, and the finding is where the evidence has it.

    More open evidence opens its marking. That needs no memory of what earlier evidence allowed: with a rule at w and
    evidence at a, then b, the marking max(w, min(max(w, a), max(w, b))) is max(w, min(a, b)), in whatever order they come.
    It is so when the rule was closed in between, too. When it was opened, the old marking may hide evidence that was more
    open; then the finding stays closed until such evidence comes again, as it does at each poll of its source.

    Args:
        seen: the same name as this evidence alone would make it.
    """
    if seen.claimed and not finding.claimed:
        return finding
    last_seen = max(finding.last_seen, seen.last_seen)
    firsts = [when for when in (finding.provider_first_seen, seen.provider_first_seen) if when is not None]
    proven = finding.claimed and not seen.claimed
    return dataclasses.replace(
        finding,
        claimed=finding.claimed and seen.claimed,
        netblock=seen.netblock if proven else finding.netblock,
        confidence=watch.confidence if proven else finding.confidence,
        last_seen=last_seen,
        provider_first_seen=min(firsts, default=None),
        rdata=tuple(sorted({*finding.rdata, *seen.rdata})),
        sources=tuple(sorted({*finding.sources, *seen.sources})),
        tlp=marking(watch, (finding.tlp, seen.tlp)),
        valid_until=max(finding.valid_until or last_seen, last_seen + watch.valid_for),
    )


def reactivate(finding: Finding, now: datetime) -> Change | None:
    """An expired finding with fresh evidence is a candidate again; None when it stays as it is.

    Claims are not fresh evidence: who says a name cannot bring it back.
    """
    if finding.status is not Status.EXPIRED or finding.valid_until is None or finding.valid_until <= now:
        return None
    if finding.claimed:
        return None
    back = dataclasses.replace(finding, status=Status.CANDIDATE, novelty=Novelty.REACTIVATED)
    reason = f"{Novelty.REACTIVATED}: seen again after it had expired"
    return change(finding, back, verb="reactivate", actor=RULE, reason=reason, now=now)


def confirm(before: Finding, after: Finding, now: datetime) -> Change | None:
    """What becomes of a finding of claims that is one of evidence by now; None when it was none, or still is.

    Its hold is over if that was why it was held; a person's word, and what else held it, stands.
    """
    if not before.claimed or after.claimed:
        return None
    if after.status is Status.HELD and after.reason == CLAIMED:
        found = dataclasses.replace(after, status=Status.CANDIDATE)
        return change(before, found, verb="confirm", actor=RULE, reason=_news(after), now=now)
    reason = f"{after.reason}; by now more than clients say so"
    return change(before, after, verb="confirm", actor=RULE, reason=reason, now=now)


def expire(finding: Finding, now: datetime) -> Change:
    """A published finding whose validity is over, proven by complete polls (design §6.9)."""
    gone = dataclasses.replace(finding, status=Status.EXPIRED)
    reason = f"no evidence since {finding.last_seen:%Y-%m-%d}"
    return change(finding, gone, verb="expire", actor=RULE, reason=reason, now=now)


def approve(finding: Finding, watch: Watch, *, actor: str, reason: str, now: datetime) -> Change:
    """Approved, to be published; back from a revocation it gets a new episode, and so a new STIX id."""
    episode = finding.episode + (finding.status is Status.REVOKED)
    out = dataclasses.replace(approved(finding, watch, now), episode=episode)
    return change(finding, out, verb="approve", actor=actor, reason=reason, now=now)


def approved(finding: Finding, watch: Watch, now: datetime) -> Finding:
    """A finding as it may go out: with the marking and confidence that its rule has by now, and valid from now on.

    Its own marking counts for what its evidence allows. It may be stricter than that when the rule was opened since; who
    asks for an approval looks the evidence up first (`pipeline.marking`).
    """
    valid_until = finding.valid_until
    if valid_until is None or valid_until <= now:
        # A person who approves an old name vouches for it from now on.
        valid_until = now + watch.valid_for
    return dataclasses.replace(
        finding,
        status=Status.APPROVED,
        tlp=marking(watch, (finding.tlp,)),
        confidence=confidence_of(finding, watch),
        valid_until=valid_until,
    )


def unfit(finding: Finding, reason: str, now: datetime) -> Change:
    """An approved finding that cannot be published after all waits for a person, and stops no other one."""
    held = dataclasses.replace(finding, status=Status.HELD)
    return change(finding, held, verb="hold", actor=RULE, reason=f"cannot be published: {reason}", now=now)


def published(finding: Finding, now: datetime) -> Change:
    """It stands in the feed from this transaction on."""
    out = dataclasses.replace(finding, status=Status.PUBLISHED, published_at=finding.published_at or now)
    return change(finding, out, verb="publish", actor=RULE, reason=finding.reason, now=now)


def renewal_due(published_until: datetime, finding: Finding, watch: Watch, now: datetime) -> bool:
    """Whether readers should get a new version because of later evidence.

    Each version costs every reader; one is made when less than half of `valid_for` is left of the one they have.
    """
    if finding.valid_until is None or finding.valid_until <= published_until:
        return False
    return published_until - now < watch.valid_for / 2
