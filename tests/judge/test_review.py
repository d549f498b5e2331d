"""What a person may decide, from where, and how it is taken back."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from feedsvc.errors import UsageError
from feedsvc.judge import policy, review
from feedsvc.model import Change, Decision, Finding, Status, Tlp
from tests.making import NOW, finding, watch

ALLOWED = {
    "approve": {Status.BASELINE, Status.CANDIDATE, Status.HELD, Status.EXPIRED, Status.REVOKED, Status.REJECTED},
    "hold": {Status.BASELINE, Status.CANDIDATE, Status.APPROVED, Status.REJECTED},
    "reject": {Status.BASELINE, Status.CANDIDATE, Status.HELD, Status.APPROVED},
    "revoke": {Status.PUBLISHED, Status.EXPIRED},
}
AFTER = {"approve": Status.APPROVED, "hold": Status.HELD, "reject": Status.REJECTED, "revoke": Status.REVOKED}


def decide(verb: str, one: Finding, reason: str = "looked at it") -> Change:
    return review.decide(verb, one, watch(), actor="ana", reason=reason, now=NOW)


@pytest.mark.parametrize("verb", ALLOWED)
@pytest.mark.parametrize("status", list(Status))
def test_a_verb_goes_with_some_statuses_and_is_explained_for_the_rest(verb: str, status: Status) -> None:
    one = finding(status=status)
    if status in ALLOWED[verb]:
        change = decide(verb, one)
        assert change.finding.status is AFTER[verb]
        assert (change.decision.before, change.decision.actor) == (status, "ana")
    else:
        with pytest.raises(UsageError, match="k3xq"):
            decide(verb, one)


@pytest.mark.parametrize("verb", ALLOWED)
def test_no_decision_without_a_reason(verb: str) -> None:
    with pytest.raises(UsageError, match="--reason"):
        decide(verb, finding(status=Status.PUBLISHED if verb == "revoke" else Status.CANDIDATE), reason=" ")


def test_nobody_can_approve_what_the_gate_refuses() -> None:
    with pytest.raises(UsageError, match="public suffix"):
        decide("approve", finding("info.ro", status=Status.REJECTED))


def test_an_approval_without_its_rule_is_refused_but_a_revocation_is_not() -> None:
    with pytest.raises(UsageError, match="no rule"):
        review.decide("approve", finding(), None, actor="ana", reason="r", now=NOW)
    change = review.decide("revoke", finding(status=Status.PUBLISHED), None, actor="ana", reason="r", now=NOW)
    assert change.finding.status is Status.REVOKED


def test_a_name_that_comes_back_after_a_revocation_gets_a_new_episode() -> None:
    assert decide("approve", finding(status=Status.REVOKED)).finding.episode == 2
    assert decide("approve", finding(status=Status.EXPIRED)).finding.episode == 1


def taken(number: int, verb: str, before: Status, after: Status, actor: str = "ana") -> Decision:
    return Decision(NOW, actor, verb, "jar-callbacks", "k3xq.example.net", before, after, "r", id=number)


def take_back(decision: Decision, one: Finding, past: list[Decision]) -> Change:
    return review.undo(decision, one, watch(), past, actor="bo", reason="", now=NOW)


def test_undo_returns_to_the_status_before() -> None:
    decision = taken(3, "reject", Status.CANDIDATE, Status.REJECTED)
    change = take_back(decision, finding(status=Status.REJECTED), [decision])
    assert change.finding.status is Status.CANDIDATE
    assert (change.decision.verb, change.decision.undoes) == ("undo", 3)
    assert change.finding.episode == 1


def test_undoing_an_approval_that_went_out_spends_its_id() -> None:
    decision = taken(3, "approve", Status.CANDIDATE, Status.APPROVED)
    publish = taken(4, "publish", Status.APPROVED, Status.PUBLISHED, policy.RULE)
    change = take_back(decision, finding(status=Status.PUBLISHED), [decision, publish])
    assert (change.finding.status, change.finding.episode) == (Status.CANDIDATE, 2)


@pytest.mark.parametrize("later", ["expire", "reactivate"])
def test_undoing_an_approval_that_went_out_spends_its_id_whatever_time_made_of_it(later: str) -> None:
    decision = taken(3, "approve", Status.HELD, Status.APPROVED)
    publish = taken(4, "publish", Status.APPROVED, Status.PUBLISHED, policy.RULE)
    by_time = taken(5, later, Status.PUBLISHED, Status.EXPIRED, policy.RULE)
    change = take_back(decision, finding(status=Status.EXPIRED), [decision, publish, by_time])
    assert (change.finding.status, change.finding.episode) == (Status.HELD, 2)


def test_undoing_an_approval_of_an_expired_name_leaves_it_revoked_as_readers_have_it() -> None:
    decision = taken(3, "approve", Status.EXPIRED, Status.APPROVED)
    publish = taken(4, "publish", Status.APPROVED, Status.PUBLISHED, policy.RULE)
    change = take_back(decision, finding(status=Status.PUBLISHED), [decision, publish])
    assert (change.finding.status, change.finding.episode) == (Status.REVOKED, 2)


REVOKE = taken(5, "revoke", Status.PUBLISHED, Status.REVOKED)


def test_undoing_a_revocation_publishes_under_a_new_id() -> None:
    change = take_back(REVOKE, finding(status=Status.REVOKED), [REVOKE])
    assert (change.finding.status, change.finding.episode) == (Status.APPROVED, 2)


def test_who_takes_a_revocation_back_vouches_for_the_name_from_now_on() -> None:
    old = finding(status=Status.REVOKED, valid_until=NOW - timedelta(days=1))
    assert take_back(REVOKE, old, [REVOKE]).finding.valid_until == NOW + timedelta(days=45)


def test_a_revocation_is_final_for_a_name_that_must_not_leave_any_more() -> None:
    with pytest.raises(UsageError, match="public suffix"):
        take_back(REVOKE, finding("info.ro", status=Status.REVOKED), [REVOKE])
    with pytest.raises(UsageError, match="no rule"):
        review.undo(REVOKE, finding(status=Status.REVOKED), None, [REVOKE], actor="bo", reason="", now=NOW)


def test_what_goes_out_has_the_marking_and_confidence_that_its_rule_has_by_now() -> None:
    rule = watch(tlp=Tlp.RED, confidence=90)
    change = review.decide("approve", finding(), rule, actor="ana", reason="r", now=NOW)
    assert (change.finding.tlp, change.finding.confidence) == (Tlp.RED, 90)


def test_only_the_latest_decision_of_a_person_can_be_undone() -> None:
    first, second = taken(3, "hold", Status.CANDIDATE, Status.HELD), taken(5, "reject", Status.HELD, Status.REJECTED)
    with pytest.raises(UsageError, match="decision 5"):
        take_back(first, finding(status=Status.REJECTED), [first, second])


@pytest.mark.parametrize(
    "decision",
    [
        taken(3, "approve", Status.CANDIDATE, Status.APPROVED, policy.RULE),
        taken(3, "undo", Status.REJECTED, Status.CANDIDATE),
        dataclasses.replace(taken(3, "find", Status.CANDIDATE, Status.CANDIDATE), before=None),
    ],
    ids=["a rule's", "an undo", "a find"],
)
def test_what_no_person_decided_cannot_be_undone(decision: Decision) -> None:
    with pytest.raises(UsageError, match="only a person's"):
        take_back(decision, finding(), [decision])
