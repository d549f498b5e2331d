"""What every engine of history promises of findings, decisions and what block lists show."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from feedsvc.errors import HistoryError
from feedsvc.history.port import History
from feedsvc.model import (
    ListedName,
    Status,
    Tlp,
)
from tests.history.making import (
    DAY,
    HOUR,
    NOW,
    change,
    finding,
    keep,
    published,
)
from tests.making import decision


def test_a_finding_comes_back_as_it_was_stored(history: History) -> None:
    bare = finding("a.example.net", provider_first_seen=None, valid_until=None, rdata=(), sources=())
    full = published("b.example.net", novelty="new-to-us", tlp=Tlp.AMBER_STRICT, episode=3)
    keep(history, bare, full)
    assert history.findings.get("jar-callbacks", ["a.example.net", "b.example.net", "c.example.net"]) == {
        "a.example.net": bare,
        "b.example.net": full,
    }
    assert history.findings.get("other", ["a.example.net"]) == {}
    assert history.findings.get("jar-callbacks", []) == {}


def test_a_name_has_one_finding_a_watch(history: History) -> None:
    second = finding(watch="zz-other")
    keep(history, second, finding(), finding("other.example.net"))
    assert history.findings.named("k3xq.example.net") == (finding(), second)


def test_a_decision_replaces_its_finding_and_is_appended(history: History) -> None:
    approved = finding(status=Status.APPROVED, reason="looks right", confidence=90)
    (first,) = keep(history, finding())
    with history.transaction():
        (second,) = history.findings.apply([change(approved, verb="approve", before=Status.CANDIDATE, undoes=first)])
    assert history.findings.named("k3xq.example.net") == (approved,)
    assert history.findings.decisions("k3xq.example.net") == (
        decision(finding(), id=first),
        decision(approved, verb="approve", before=Status.CANDIDATE, undoes=first, id=second),
    )
    assert history.findings.decision(second) == history.findings.decisions("k3xq.example.net")[1]
    assert history.findings.decision(77) is None


def test_ids_of_decisions_rise_in_the_order_given(history: History) -> None:
    numbers = keep(history, *(finding(f"n{number}.example.net") for number in range(5)))
    assert list(numbers) == sorted(set(numbers))
    more = keep(history, finding())
    assert more > numbers[-1:]
    found = [history.findings.decision(number) for number in numbers]
    assert [one.name for one in found if one] == [f"n{number}.example.net" for number in range(5)]
    with history.transaction():
        assert history.findings.apply([]) == ()


def test_a_name_may_be_decided_on_twice_in_one_step(history: History) -> None:
    later = finding(status=Status.HELD)
    with history.transaction():
        history.findings.apply([change(finding()), change(later, before=Status.CANDIDATE)])
    assert history.findings.named("k3xq.example.net") == (later,)
    assert [one.after for one in history.findings.decisions("k3xq.example.net")] == [Status.CANDIDATE, Status.HELD]


def test_findings_of_a_status_are_sorted_by_watch_case_and_name(history: History) -> None:
    kept = [
        finding("b.example.net", case="w/example.net"),
        finding("a.example.org", case="w/example.org"),
        finding("a.example.net", case="w/example.net"),
        finding("c.example.net", watch="aa", case="z", status=Status.HELD),
        published("d.example.net"),
    ]
    keep(history, *kept)
    waiting = history.findings.with_status({Status.CANDIDATE, Status.HELD})
    assert [one.name for one in waiting] == ["c.example.net", "a.example.net", "b.example.net", "a.example.org"]
    assert history.findings.with_status({Status.HELD}, "aa") == (kept[3],)
    assert history.findings.with_status({Status.HELD}, "jar-callbacks") == ()
    assert history.findings.with_status(set()) == ()


def test_findings_are_counted_by_watch_and_status(history: History) -> None:
    assert history.findings.counts() == {}
    keep(history, finding("a.example.net"), finding("b.example.net"), published(), published(watch="other"))
    assert history.findings.counts() == {
        ("jar-callbacks", Status.CANDIDATE): 2,
        ("jar-callbacks", Status.PUBLISHED): 1,
        ("other", Status.PUBLISHED): 1,
    }


def test_new_evidence_extends_a_finding_and_decides_nothing(history: History) -> None:
    keep(history, finding())
    extended = finding(
        last_seen=NOW + DAY,
        first_seen=NOW - DAY,
        provider_first_seen=None,
        rdata=("198.51.100.200",),
        sources=("circl",),
        tlp=Tlp.CLEAR,
        valid_until=NOW + 46 * DAY,
    )
    with history.transaction():
        history.findings.extend([dataclasses.replace(extended, status=Status.PUBLISHED, confidence=1)])
        history.findings.extend([])
    assert history.findings.named("k3xq.example.net") == (extended,)
    assert len(history.findings.decisions("k3xq.example.net")) == 1


def test_names_are_among_the_findings_unless_every_watch_rejected_them(history: History) -> None:
    rejected = {"status": Status.REJECTED}
    keep(history, finding(), finding("no.example.net", **rejected), finding("both.example.net", **rejected))
    keep(history, finding("both.example.net", watch="other"))
    names = ["k3xq.example.net", "no.example.net", "both.example.net", "never.example.net"]
    assert history.findings.among(names) == {"k3xq.example.net", "both.example.net"}
    assert history.findings.among([]) == frozenset()
    assert history.findings.names() == {"k3xq.example.net", "both.example.net"}
    assert history.findings.names("other") == {"both.example.net"}


def test_what_was_never_found_cannot_be_extended(history: History) -> None:
    keep(history, finding())
    with pytest.raises(HistoryError, match="extended"), history.transaction():
        history.findings.extend([finding(last_seen=NOW + DAY), finding("never.example.net")])
    assert history.findings.named("k3xq.example.net") == (finding(),)


def test_published_findings_expire_when_their_validity_has_passed(history: History) -> None:
    over = [published(f"{letter}.example.net", valid_until=NOW - hours * HOUR) for letter, hours in (("b", 0), ("a", 5))]
    keep(
        history,
        *over,
        published("c.example.net", valid_until=NOW + timedelta(microseconds=1)),
        published("d.example.net", valid_until=None),
        published("e.example.net", watch="other", valid_until=NOW - HOUR),
        finding("f.example.net", valid_until=NOW - HOUR),
    )
    assert history.findings.expiring("jar-callbacks", NOW) == (over[1], over[0])


def test_decisions_of_a_span_come_oldest_first_without_its_end(history: History) -> None:
    with history.transaction():
        history.findings.apply([change(finding(), at=NOW + hour * HOUR, reason=str(hour)) for hour in (2, 0, 1, 3, 1)])
    found = history.findings.decided_between(NOW, NOW + 3 * HOUR)
    assert [one.reason for one in found] == ["0", "1", "1", "2"]
    assert found[1].id < found[2].id


def listing(history: History, *, watches: tuple[str, ...] = ("*",), max_tlp: Tlp = Tlp.RED, least: int = 0) -> list[str]:
    return [one.name for one in history.findings.listed(watches, max_tlp, least)]


def test_a_list_shows_published_names_sorted_by_bytes(history: History) -> None:
    names = ["b.example.net", "a-b.example.net", "a.example.net", "_a.example.net", "0.example.net"]
    keep(
        history, *map(published, names), finding("candidate.example.net"), finding("gone.example.net", status=Status.EXPIRED)
    )
    assert listing(history) == sorted(names, key=str.encode)


def test_a_list_takes_its_watches_markings_and_confidence_alone(history: History) -> None:
    keep(
        history,
        published("a.example.net", watch="one", tlp=Tlp.CLEAR, confidence=10),
        published("b.example.net", watch="two", tlp=Tlp.AMBER, confidence=50),
        published("c.example.net", watch="three", tlp=Tlp.RED, confidence=90),
    )
    assert listing(history, watches=("one", "three")) == ["a.example.net", "c.example.net"]
    assert listing(history, watches=()) == []
    assert listing(history, watches=("one", "*")) == ["a.example.net", "b.example.net", "c.example.net"]
    assert listing(history, max_tlp=Tlp.AMBER) == ["a.example.net", "b.example.net"]
    assert listing(history, least=50) == ["b.example.net", "c.example.net"]


def test_a_list_shows_a_name_once_with_its_highest_confidence_and_longest_validity(history: History) -> None:
    until = NOW + DAY
    keep(
        history,
        published("a.example.net", watch="a", confidence=60, valid_until=None),
        published("a.example.net", watch="b", confidence=70, valid_until=until, tlp=Tlp.CLEAR, first_seen=NOW - DAY),
        published("a.example.net", watch="c", confidence=70, valid_until=until - HOUR),
        published("b.example.net", watch="a", valid_until=until),
        published("b.example.net", watch="b", valid_until=None),
    )
    assert list(history.findings.listed(["*"], Tlp.RED, 0)) == [
        ListedName("a.example.net", "b", 70, NOW - DAY, until, Tlp.CLEAR),
        ListedName("b.example.net", "b", 70, NOW, None, Tlp.GREEN),
    ]
    assert [one.watch for one in history.findings.listed(["a", "c"], Tlp.RED, 0)] == ["c", "a"]


def test_the_newest_findings_come_first_whatever_their_status_and_no_more_than_wanted(history: History) -> None:
    old = finding("a.example.net", status=Status.HELD, first_seen=NOW - DAY)
    twins = (finding("b.example.net", first_seen=NOW), finding("c.example.net", watch="another", first_seen=NOW))
    new = published("d.example.net", first_seen=NOW + HOUR)
    keep(history, old, *twins, new, finding("e.example.net", status=Status.REJECTED, first_seen=NOW + DAY))
    wanted = {Status.CANDIDATE, Status.HELD, Status.PUBLISHED}
    assert history.findings.recent(wanted, 9) == (new, twins[1], twins[0], old)
    assert history.findings.recent(wanted, 2) == (new, twins[1])
    assert history.findings.recent({Status.CANDIDATE}, 9) == (twins[1], twins[0])
    assert history.findings.recent(wanted, 0) == history.findings.recent((), 9) == ()


def test_a_netblock_was_active_when_the_last_of_its_findings_was(history: History) -> None:
    assert history.findings.active() == {}
    of_one = [finding(f"{at}.example.net", netblock="198.51.100.0/24", last_seen=NOW + at * HOUR) for at in (1, 3, 2)]
    keep(history, *of_one, finding("other.example.net", netblock="2001:db8::/64", watch="another", last_seen=NOW))
    assert history.findings.active() == {"198.51.100.0/24": NOW + 3 * HOUR, "2001:db8::/64": NOW}
    with history.transaction():
        history.findings.extend([dataclasses.replace(of_one[0], last_seen=NOW + DAY)])
    assert history.findings.active()["198.51.100.0/24"] == NOW + DAY
