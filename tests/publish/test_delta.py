"""What a span of time changed."""

from __future__ import annotations

import pytest

from feedsvc.model import Decision, Delta, Finding, Status
from feedsvc.publish.delta import delta, of_watch
from tests import making
from tests.publish.making import finding

S = Status
NAMES = ("a.example.net", "b.example.net", "c.example.net")


def decision(name: str, verb: str, before: Status | None, after: Status) -> Decision:
    """A decision of a rule on a name."""
    return making.decision(finding(name, status=after, reason=f"because of {verb}"), verb=verb, before=before)


def gathered(*decisions: Decision) -> Delta:
    """The delta of these decisions, over findings as a later day would know them."""
    findings = {("jar-callbacks", name): finding(name, status=S.EXPIRED, reason="of a later day") for name in NAMES}
    return delta("2026-11-24", (), decisions, findings)


def names(findings: tuple[Finding, ...]) -> list[str]:
    """Their names."""
    return [one.name for one in findings]


@pytest.mark.parametrize(
    ("verb", "before", "after", "sections"),
    [
        ("find", None, S.CANDIDATE, {"added"}),
        ("reject", None, S.REJECTED, {"added"}),
        ("hold", None, S.HELD, {"added", "held"}),
        ("hold", None, S.BASELINE, {"held"}),
        ("ignore", None, S.BASELINE, set()),
        ("hold", S.CANDIDATE, S.HELD, {"held"}),
        ("approve", S.HELD, S.APPROVED, set()),
        ("publish", S.APPROVED, S.PUBLISHED, {"published"}),
        ("reject", S.CANDIDATE, S.REJECTED, set()),
        ("revoke", S.PUBLISHED, S.REVOKED, {"removed"}),
        ("expire", S.PUBLISHED, S.EXPIRED, {"removed"}),
        ("undo", S.PUBLISHED, S.HELD, {"removed", "held"}),
        ("revoke", S.EXPIRED, S.REVOKED, set()),
        ("reactivate", S.EXPIRED, S.CANDIDATE, {"added"}),
    ],
)
def test_each_decision_stands_where_it_belongs(verb: str, before: Status | None, after: Status, sections: set[str]) -> None:
    found = gathered(decision("a.example.net", verb, before, after))
    assert {section for section in ("added", "published", "held", "removed") if getattr(found, section)} == sections


def test_a_name_found_and_published_in_one_day_stands_in_both_with_its_last_status() -> None:
    found = gathered(
        decision("a.example.net", "find", None, S.CANDIDATE),
        decision("a.example.net", "approve", S.CANDIDATE, S.APPROVED),
        decision("a.example.net", "publish", S.APPROVED, S.PUBLISHED),
    )
    assert names(found.added) == names(found.published) == ["a.example.net"]
    assert [one.status for one in found.added] == [S.PUBLISHED]
    assert [one.reason for one in found.added] == ["because of publish"]


def test_a_name_that_went_out_and_back_in_one_day_is_told_both_times() -> None:
    found = gathered(
        decision("a.example.net", "publish", S.APPROVED, S.PUBLISHED),
        decision("a.example.net", "revoke", S.PUBLISHED, S.REVOKED),
    )
    assert names(found.published) == names(found.removed) == ["a.example.net"]


def test_held_is_what_still_waits_at_the_end() -> None:
    found = gathered(
        decision("a.example.net", "hold", S.CANDIDATE, S.HELD),
        decision("b.example.net", "hold", S.CANDIDATE, S.HELD),
        decision("a.example.net", "approve", S.HELD, S.APPROVED),
    )
    assert names(found.held) == ["b.example.net"]


def test_names_come_by_watch_case_and_name_each_once() -> None:
    found = gathered(
        *(decision(name, "find", None, S.CANDIDATE) for name in reversed(NAMES)),
        decision("b.example.net", "reactivate", S.EXPIRED, S.CANDIDATE),
    )
    assert names(found.added) == list(NAMES)


def test_the_delta_of_a_past_day_does_not_change_with_later_ones() -> None:
    found = gathered(decision("a.example.net", "publish", S.APPROVED, S.PUBLISHED))
    assert [(one.status, one.reason) for one in found.published] == [(S.PUBLISHED, "because of publish")]


def test_a_decision_without_its_finding_is_never_passed_over() -> None:
    with pytest.raises(KeyError):
        gathered(decision("unknown.example.net", "find", None, S.CANDIDATE))


def test_the_part_of_one_watch_leaves_out_what_others_found() -> None:
    whole = gathered(decision("a.example.net", "publish", S.APPROVED, S.PUBLISHED))
    assert of_watch(whole, "jar-callbacks") == whole
    assert of_watch(whole, "other") == Delta("2026-11-24")
