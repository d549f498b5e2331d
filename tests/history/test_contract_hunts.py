"""What every engine of history promises of hunts: nothing is searched twice or left out, nobody counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from feedsvc.history.hunts import ReadLog
from feedsvc.history.port import History
from feedsvc.model import Cursor, Stretch
from tests.history.making import DAY, HOUR, NOW, SECOND, sighting

NAME, OTHER = "k3xq.example.net", "p9zz.example.net"


def begin(history: History, *names: str, since: int = 0, **logs: int) -> int | None:
    """A hunt through logs that were read so far, each of the source `zeek`."""
    read = [ReadLog("zeek", scope, f"at {offset}", offset) for scope, offset in logs.items()]
    with history.transaction():
        return history.hunts.begin(names, read, NOW - DAY + since * HOUR, NOW)


def left(history: History, *names: str) -> Stretch:
    stretch = history.hunts.next(names or None)
    assert stretch is not None
    return stretch


def move(history: History, stretch: Stretch, offset: int) -> None:
    with history.transaction():
        history.hunts.move(stretch, f"at {offset}", offset, NOW + HOUR)


def searched(history: History) -> Sequence[tuple[str, str, str, frozenset[str]]]:
    """Every stretch as it comes when each is searched to its end."""
    found = []
    while (stretch := history.hunts.next()) is not None:
        found.append((stretch.scope, stretch.start, stretch.until, stretch.names))
        move(history, stretch, int(stretch.until.removeprefix("at ")))
    return found


def test_a_hunt_goes_through_each_log_from_its_beginning_and_is_over_then(history: History) -> None:
    number = begin(history, NAME, a=10, b=20)
    [hunt] = history.hunts.pending()
    assert (hunt.id, hunt.names, hunt.logs, hunt.left, hunt.ended_at) == (number, 1, 2, 2, None)
    assert history.hunts.hunted([NAME, OTHER]) == {NAME}
    names = frozenset({NAME})
    assert searched(history) == [("b", "", "at 20", names), ("a", "", "at 10", names)]
    assert (history.hunts.pending(), history.hunts.next(), history.hunts.hunted([NAME])) == ((), None, frozenset())
    [hunt] = history.hunts.of(NAME)
    assert (hunt.left, hunt.lost, hunt.ended_at) == (0, (), NOW + HOUR)
    assert history.hunts.of(OTHER) == ()


@pytest.mark.parametrize(("names", "logs"), [((NAME,), {}), ((NAME,), {"a": 0}), ((), {"a": 1})], ids=str)
def test_a_hunt_for_nothing_or_through_nothing_never_begins(
    history: History, names: Sequence[str], logs: dict[str, Any]
) -> None:
    assert begin(history, *names, **logs) is None
    assert history.hunts.pending() == ()


def test_one_that_was_broken_off_goes_on_where_it_was(history: History) -> None:
    begin(history, NAME, a=10)
    move(history, left(history), 4)
    stretch = left(history)
    assert (stretch.start, stretch.until) == ("at 4", "at 10")


def test_hunts_that_stand_at_one_place_go_on_together_as_far_as_each_must(history: History) -> None:
    begin(history, NAME, a=10, since=1)
    begin(history, OTHER, a=30)
    both, other = frozenset({NAME, OTHER}), frozenset({OTHER})
    assert left(history).since == SECOND - 24 * 3600 + 0.123456
    assert searched(history) == [("a", "", "at 10", both), ("a", "at 10", "at 30", other)]


def test_one_that_begins_later_catches_up_first(history: History) -> None:
    begin(history, NAME, a=20)
    move(history, left(history), 15)
    begin(history, OTHER, a=40)
    both, other = frozenset({NAME, OTHER}), frozenset({OTHER})
    assert searched(history) == [("a", "", "at 15", other), ("a", "at 15", "at 20", both), ("a", "at 20", "at 40", other)]


def test_those_for_some_names_alone_can_be_gone_on_with(history: History) -> None:
    begin(history, NAME, a=10)
    begin(history, OTHER, a=10)
    assert left(history, OTHER).names == {OTHER}
    assert history.hunts.next(["never.example.net"]) is None


def test_a_stretch_has_the_cursor_as_it_is_now(history: History) -> None:
    begin(history, NAME, a=10)
    assert left(history).now == ""
    with history.transaction():
        history.facts.move([Cursor("zeek", "a", "at 12")], NOW)
    assert left(history).now == "at 12"


def test_a_log_that_is_lost_is_told_and_the_others_are_searched(history: History) -> None:
    begin(history, NAME, a=10, b=10)
    with history.transaction():
        history.hunts.lose(left(history), "b: is gone", NOW)
    assert [scope for scope, *_ in searched(history)] == ["a"]
    [hunt] = history.hunts.of(NAME)
    assert (hunt.lost, hunt.ended_at is None) == (("b: is gone",), False)


def test_what_a_hunt_finds_adds_to_what_followers_count_meanwhile(history: History) -> None:
    begin(history, NAME, a=10)
    stretch = left(history)
    with history.transaction():
        history.facts.sight("zeek", [sighting(count=2)], NOW)
        history.hunts.sight(stretch, [sighting(count=3, time_first=SECOND - 5), sighting(OTHER)], NOW)
    assert history.facts.sightings(OTHER) == ()
    [(_, told)] = history.facts.sightings(NAME)
    assert (told.count, told.time_first) == (5, SECOND - 5)


def test_a_log_can_be_left_for_later(history: History) -> None:
    begin(history, NAME, a=10, b=10)
    stretch = history.hunts.next(without=[("zeek", "b")])
    assert stretch is not None
    assert stretch.scope == "a"
    assert history.hunts.next(without=[("zeek", "b"), ("zeek", "a")]) is None


def test_what_is_hunted_for_once_more_is_counted_as_often_as_before_or_as_it_is_found_now(history: History) -> None:
    old, new = "192.0.2.10", "192.0.2.11"
    with history.transaction():
        history.facts.sight("zeek", [sighting(count=5)], NOW)
    begin(history, NAME, a=10)
    stretch = left(history)
    with history.transaction():
        history.facts.sight("zeek", [sighting(count=100)], NOW)  # a follower goes on meanwhile
        history.hunts.sight(stretch, [sighting(count=3), sighting(client=new, count=2)], NOW)
        history.hunts.sight(stretch, [sighting(count=4)], NOW)
    assert {one.client: one.count for _, one in history.facts.sightings(NAME)} == {old: 5 + 100 + 2, new: 2}


@pytest.mark.parametrize("times", [1, 2, 3])
def test_to_hunt_again_and_again_changes_nothing(history: History, times: int) -> None:
    found = [sighting(count=3), sighting(client="192.0.2.11", kind="tls", process="a.exe")]
    begin(history, NAME, a=10)
    with history.transaction():
        history.hunts.sight(left(history), found, NOW)
    searched(history)
    once = history.facts.sightings(NAME)
    for _ in range(times):
        begin(history, NAME, a=10)
        with history.transaction():
            history.hunts.sight(left(history), found, NOW)
        searched(history)
    assert history.facts.sightings(NAME) == once


def test_a_hunt_leaves_a_name_to_one_that_begins_later_and_nobody_is_counted_twice(history: History) -> None:
    first = begin(history, NAME, OTHER, a=10)
    under_way = left(history)
    with history.transaction():
        history.hunts.sight(under_way, [sighting(count=3)], NOW)
    alone = begin(history, NAME, a=20)
    assert [(one.id, one.names) for one in history.hunts.pending()] == [(first, 1), (alone, 1)]
    with history.transaction():
        history.hunts.sight(under_way, [sighting(count=2)], NOW)  # by who did not see the other begin
        history.hunts.sight(left(history, NAME), [sighting(count=5)], NOW)
    assert {one.client: one.count for _, one in history.facts.sightings(NAME)} == {"192.0.2.10": 5}
    last = begin(history, NAME, OTHER, a=30)
    assert [one.id for one in history.hunts.pending()] == [last]
    assert [one.id for one in history.hunts.of(NAME)] == [last]
