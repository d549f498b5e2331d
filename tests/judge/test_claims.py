"""What the policy makes of findings that nobody but clients tells of."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from feedsvc.judge import policy
from feedsvc.model import Finding, Status
from feedsvc.names import publishable
from tests.making import NOW, finding, watch

DAY = timedelta(days=1)


def claimed(**fields: Any) -> Finding:
    return finding(**{"claimed": True, "confidence": 24} | fields)


def found(one: Finding, *, in_baseline: bool = False, **rule: Any) -> Finding:
    return policy.find(one, watch(**rule), publishable(one.name), in_baseline=in_baseline, now=NOW).finding


def test_a_claim_begins_held() -> None:
    assert (found(claimed()).status, found(claimed()).reason) == (Status.HELD, policy.CLAIMED)
    assert found(finding()).status is Status.CANDIDATE


@pytest.mark.parametrize(("baseline", "status"), [("hold", "baseline"), ("ignore", "baseline"), ("publish", "held")])
def test_a_baseline_is_one_with_its_claims_but_they_are_not_published(baseline: str, status: str) -> None:
    assert found(claimed(), in_baseline=True, baseline=baseline).status == status


def test_a_rule_holds_a_claim_that_waits_as_a_candidate() -> None:
    waiting = claimed(status=Status.CANDIDATE)
    [change] = policy.settle(watch(publish="auto"), [waiting], [waiting], 500, NOW)
    assert (change.finding.status, change.finding.reason, change.decision.verb) == (Status.HELD, policy.CLAIMED, "hold")


def test_confidence_is_that_of_the_rule_less_a_weight() -> None:
    assert policy.confidence_of(finding(), watch(confidence=70)) == 70
    assert policy.confidence_of(claimed(), watch(confidence=70)) == 24
    assert policy.approved(claimed(), watch(confidence=70), NOW).confidence == 24


def test_claims_add_nothing_to_what_is_known_by_more() -> None:
    seen = claimed(last_seen=NOW + DAY, sources=("zeek",), rdata=("198.51.100.99",))
    assert policy.extend(finding(), seen, watch()) == finding()


def test_more_claims_extend_a_claim() -> None:
    after = policy.extend(claimed(), claimed(last_seen=NOW + DAY), watch())
    assert (after.last_seen, after.claimed, after.confidence) == (NOW + DAY, True, 24)
    assert policy.confirm(claimed(), after, NOW) is None


def test_evidence_makes_more_of_a_claim_where_the_evidence_is() -> None:
    seen = finding(netblock="203.0.113.0/24", rdata=("203.0.113.7",), sources=("circl",))
    after = policy.extend(claimed(), seen, watch(confidence=70))
    assert (after.claimed, after.confidence, after.netblock) == (False, 70, "203.0.113.0/24")


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.HELD], ids=str)
def test_confirmed_it_stays_where_it_was_decided_to_be(status: Status) -> None:
    before = claimed(status=status)
    change = policy.confirm(before, dataclasses.replace(before, claimed=False), NOW)
    assert change is not None
    assert (change.finding.status, change.decision.verb) == (status, "confirm")
    assert change.finding.reason.endswith("by now more than clients say so")


@pytest.mark.parametrize(("reason", "status"), [(policy.CLAIMED, Status.CANDIDATE), ("an analyst's", Status.HELD)])
def test_confirmed_it_is_a_candidate_if_that_alone_held_it(reason: str, status: Status) -> None:
    before = claimed(status=Status.HELD, reason=reason)
    change = policy.confirm(before, dataclasses.replace(before, claimed=False), NOW)
    assert change is not None
    assert (change.decision.before, change.finding.status) == (Status.HELD, status)


def test_what_was_no_claim_needs_no_confirmation() -> None:
    held = finding(status=Status.HELD)
    assert policy.confirm(held, dataclasses.replace(held, last_seen=NOW), NOW) is None


def test_claims_bring_no_expired_finding_back() -> None:
    expired: dict[str, Any] = {"status": Status.EXPIRED, "valid_until": NOW + DAY}
    assert policy.reactivate(claimed(**expired), NOW) is None
    assert policy.reactivate(finding(**expired), NOW) is not None
