"""Where a finding begins, what the end of a poll makes of it, and how evidence and time move it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.judge import policy
from feedsvc.model import Novelty, Status, Tlp
from feedsvc.names import publishable
from tests.making import NOW, finding, watch

GOOD = publishable("k3xq.example.net")
BAD = publishable("info.ro")
DAY = timedelta(days=1)


def test_a_new_name_is_a_candidate_whose_reason_says_what_is_new() -> None:
    change = policy.find(finding(), watch(), GOOD, in_baseline=False, now=NOW)
    assert (change.finding.status, change.decision.verb) == (Status.CANDIDATE, "find")
    assert change.finding.reason.startswith("new-host: ")


@pytest.mark.parametrize(
    ("baseline", "status", "verb"),
    [("hold", Status.BASELINE, "hold"), ("ignore", Status.BASELINE, "ignore"), ("publish", Status.CANDIDATE, "find")],
)
def test_the_baseline_follows_the_rule(baseline: str, status: Status, verb: str) -> None:
    change = policy.find(finding(), watch(baseline=baseline), GOOD, in_baseline=True, now=NOW)
    assert (change.finding.status, change.decision.verb) == (status, verb)


def test_the_gate_rejects_whatever_the_rule_says() -> None:
    rule = watch(baseline="publish", publish="auto")
    change = policy.find(finding("info.ro"), rule, BAD, in_baseline=True, now=NOW)
    assert change.finding.status is Status.REJECTED
    assert "public suffix" in change.finding.reason


def test_a_name_whose_validity_is_over_is_held_not_published() -> None:
    old = finding(last_seen=NOW - 60 * DAY, valid_until=NOW - 15 * DAY)
    change = policy.find(old, watch(publish="auto"), GOOD, in_baseline=False, now=NOW)
    assert change.finding.status is Status.HELD
    assert "45 days" in change.finding.reason


def test_auto_approves_what_waits_and_says_so() -> None:
    changes = policy.settle(watch(publish="auto"), [finding()], [finding()], limit=500, now=NOW)
    assert [change.finding.status for change in changes] == [Status.APPROVED]
    assert changes[0].decision.actor == policy.RULE
    assert changes[0].finding.reason.endswith("(publish: auto)")


def test_review_leaves_candidates_to_a_person() -> None:
    assert policy.settle(watch(), [finding()], [finding()], limit=500, now=NOW) == []


@pytest.mark.parametrize("publish", ["auto", "review"])
def test_a_poll_that_finds_too_many_is_held_as_a_whole(publish: str) -> None:
    found = [finding(f"{number:04d}.example.net") for number in range(4)]
    changes = policy.settle(watch(publish=publish), found, found, limit=3, now=NOW)
    assert {change.finding.status for change in changes} == {Status.HELD}
    assert len(changes) == 4
    assert "findings_per_poll = 3" in changes[0].finding.reason


def test_what_a_poll_found_before_it_was_interrupted_counts() -> None:
    found = [finding(f"{number:04d}.example.net") for number in range(2)]
    [*changes] = policy.settle(watch(publish="auto"), found, found, limit=3, now=NOW, before=2)
    assert {change.finding.status for change in changes} == {Status.HELD}
    assert "found 4 new names" in changes[0].finding.reason
    [published] = policy.settle(watch(publish="auto"), found[:1], [], limit=3, now=NOW, before=4)
    assert published.finding.status is Status.APPROVED


def test_evidence_that_adds_nothing_changes_nothing() -> None:
    assert policy.extend(finding(), finding(), watch()) == finding()


def test_new_evidence_widens_times_and_joins_sources() -> None:
    seen = finding(
        last_seen=NOW, provider_first_seen=NOW - DAY, rdata=("198.51.100.9",), sources=("zeek",), status=Status.CANDIDATE
    )
    after = policy.extend(finding(status=Status.PUBLISHED), seen, watch())
    assert after.status is Status.PUBLISHED
    assert after.rdata == ("198.51.100.7", "198.51.100.9")
    assert after.sources == ("dnsdb", "zeek")
    assert after.provider_first_seen == NOW - DAY
    assert after.valid_until == NOW + 45 * DAY


@given(st.lists(st.integers(-10_000, 0), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_evidence_does_not_matter(minutes: list[int], shuffle: object) -> None:
    seen = [finding(last_seen=NOW + timedelta(minutes=one), rdata=(f"198.51.100.{-one % 250}",)) for one in minutes]
    forward = backward = finding()
    for one in seen:
        forward = policy.extend(forward, one, watch())
    for one in reversed(seen):
        backward = policy.extend(backward, one, watch())
    assert forward == backward


LEVELS = st.sampled_from(Tlp)


@given(LEVELS, st.lists(LEVELS, min_size=1, max_size=5))
def test_a_finding_is_as_open_as_the_most_open_of_its_evidence_lets_its_rule(rule: Tlp, evidence: list[Tlp]) -> None:
    seen = [finding(tlp=policy.marking(watch(tlp=rule), [level])) for level in evidence]
    after = seen[0]
    for one in seen[1:]:
        after = policy.extend(after, one, watch(tlp=rule))
    assert after.tlp.rank == max(rule.rank, min(level.rank for level in evidence))


@given(LEVELS, LEVELS, LEVELS, LEVELS)
def test_a_rule_that_changes_lets_nothing_out_further_than_rule_and_evidence_do(
    before: Tlp, rule: Tlp, old: Tlp, new: Tlp
) -> None:
    known = finding(tlp=policy.marking(watch(tlp=before), [old]))
    seen = finding(tlp=policy.marking(watch(tlp=rule), [new]))
    allowed = max(rule.rank, min(old.rank, new.rank))
    after = policy.extend(known, seen, watch(tlp=rule))
    assert after.tlp.rank >= allowed
    if rule.rank >= before.rank or new.rank <= old.rank:
        assert after.tlp.rank == allowed


@given(LEVELS, LEVELS)
def test_an_approval_lets_a_name_out_no_further_than_rule_and_evidence_do(rule: Tlp, marked: Tlp) -> None:
    change = policy.approve(finding(tlp=marked), watch(tlp=rule), actor="ana", reason="seen it", now=NOW)
    assert change.finding.tlp.rank == max(rule.rank, marked.rank)


def test_a_marking_that_is_not_the_rules_is_explained() -> None:
    assert policy.why_closed(finding(tlp=Tlp.GREEN), watch(tlp=Tlp.GREEN)) == ""
    assert policy.why_closed(finding(tlp=Tlp.CLEAR), watch(tlp=Tlp.GREEN)) == ""
    told = policy.why_closed(finding(tlp=Tlp.RED, sources=("dnsdb", "zeek")), watch(tlp=Tlp.GREEN))
    assert told == "marked red, not green as its rule has it: that is as far as dnsdb, zeek let it be passed on"


def test_an_expired_name_with_fresh_evidence_is_a_candidate_again() -> None:
    change = policy.reactivate(finding(status=Status.EXPIRED, valid_until=NOW + DAY), NOW)
    assert change is not None
    assert (change.finding.status, change.finding.novelty) == (Status.CANDIDATE, Novelty.REACTIVATED)


@pytest.mark.parametrize("status", [Status.REVOKED, Status.REJECTED, Status.PUBLISHED, Status.HELD])
def test_evidence_alone_brings_nothing_else_back(status: Status) -> None:
    assert policy.reactivate(finding(status=status, valid_until=NOW + DAY), NOW) is None


def test_old_evidence_does_not_bring_an_expired_name_back() -> None:
    assert policy.reactivate(finding(status=Status.EXPIRED, valid_until=NOW - DAY), NOW) is None


def test_a_person_who_approves_an_old_name_vouches_for_it_from_now_on() -> None:
    change = policy.approve(finding(valid_until=NOW - DAY), watch(), actor="ana", reason="seen it", now=NOW)
    assert change.finding.valid_until == NOW + 45 * DAY


@pytest.mark.parametrize(
    ("left", "gained", "expected"),
    [
        pytest.param(30 * DAY, 5 * DAY, False, id="more than half is left"),
        pytest.param(20 * DAY, 5 * DAY, True, id="less than half is left"),
        pytest.param(20 * DAY, 0 * DAY, False, id="nothing gained"),
    ],
)
def test_readers_get_a_new_version_when_half_of_the_validity_is_used(
    left: timedelta, gained: timedelta, expected: bool
) -> None:
    until = NOW + left
    assert policy.renewal_due(until, finding(valid_until=until + gained), watch(), NOW) is expected
