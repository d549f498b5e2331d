"""What a poll says that is known already costs no write, and what it says anew is kept whoever stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.history.port import History
from feedsvc.history.sqlite import SqliteHistory
from feedsvc.history.sqlite.known import ASKED, FEW
from feedsvc.model import Evidence, Observation, Tlp
from tests.history.making import DAY, HOUR, NOW, fresh, observation

NAME = "k3xq.example.net"
KNOWN: dict[str, Any] = {
    "time_first": 100,
    "time_last": 200,
    "zone_time_first": 10,
    "zone_time_last": 20,
    "count": 5,
    "sensor_id": "s1",
}
# Beside whatever is looked at, so that it is not among few.
CROWD = [observation(f"c{number}.example.net", time_last=1) for number in range(ASKED + FEW)]


def store(history: History, now: datetime, observations: Sequence[Observation], source: str = "circl") -> None:
    with history.transaction():
        history.facts.store(source, observations, now)


def alike(fields: dict[str, Any]) -> list[Observation]:
    """One that is looked at, among others that are like it in all but name and address."""
    others = (observation(f"n{number}.example.net", f"198.51.100.{number}", **fields) for number in range(FEW))
    return [observation(**fields), *others]


def written(history: SqliteHistory) -> int:
    """How many rows were ever written by this connection."""
    changes: int = history._engine._db.conn.total_changes
    return changes


@pytest.mark.parametrize("size", [1, FEW - 1, FEW, ASKED - 1, ASKED, ASKED + 1, 3 * ASKED + FEW])
def test_all_of_a_poll_is_stored_however_large_it_is(history: History, size: int) -> None:
    polled = [observation(f"n{number}.example.net", time_last=number) for number in range(size)]
    store(history, NOW, polled)
    assert all(len(history.facts.evidence(one.rrname)) == 1 for one in polled)


def test_a_poll_in_which_all_is_known_writes_nothing(history: SqliteHistory) -> None:
    polled = [*alike(KNOWN), *CROWD]
    store(history, NOW, polled)
    before = written(history)
    store(history, NOW + HOUR, polled)
    assert written(history) == before


def test_what_says_less_than_is_known_writes_nothing(history: SqliteHistory) -> None:
    store(history, NOW, alike(KNOWN))
    before = written(history)
    less = {"time_first": 150, "time_last": 150, "zone_time_first": None, "zone_time_last": 15, "count": None}
    store(history, NOW + HOUR, alike(KNOWN | less))
    assert written(history) == before


@pytest.mark.parametrize(
    "change",
    [
        {"time_first": 99},
        {"time_last": 201},
        {"zone_time_first": 9},
        {"zone_time_last": 21},
        {"count": 6},
        {"sensor_id": "s2"},
        {"sensor_id": None},
        {"chain": ("edge.example.org",)},
        {"tlp": Tlp.AMBER},
    ],
    ids=str,
)
def test_what_changes_something_is_stored_among_what_is_known(history: History, change: dict[str, Any]) -> None:
    store(history, NOW, alike(KNOWN))
    store(history, NOW + HOUR, [*alike(KNOWN)[1:], *alike(KNOWN | change)[:1]])
    with fresh("sqlite") as alone:
        store(alone, NOW, [observation(**KNOWN)])
        store(alone, NOW + HOUR, [observation(**KNOWN | change)])
        assert history.facts.evidence(NAME) == alone.facts.evidence(NAME)


def test_what_another_source_knows_is_not_known_of_this_one(history: History) -> None:
    store(history, NOW, CROWD)
    store(history, NOW, CROWD, "dnsdb")
    assert [one.source for one in history.facts.evidence("c0.example.net")] == ["circl", "dnsdb"]


def test_that_the_known_came_once_more_is_kept_to_the_day(history: History) -> None:
    for hours in range(60):
        store(history, NOW + hours * HOUR, CROWD)
        (evidence,) = history.facts.evidence("c0.example.net")
        assert timedelta(0) <= NOW + hours * HOUR - evidence.seen_last < DAY
        assert evidence.seen_first == NOW


def test_a_clock_that_steps_back_makes_the_known_older(history: History) -> None:
    store(history, NOW, CROWD)
    store(history, NOW - HOUR, CROWD)
    (evidence,) = history.facts.evidence("c0.example.net")
    assert (evidence.seen_first, evidence.seen_last) == (NOW - HOUR, NOW)


def test_what_comes_without_a_providers_time_is_seen_when_it_was_seen_last(history: History) -> None:
    timeless = [observation(f"n{number}.example.net") for number in range(ASKED)]
    store(history, NOW, timeless)
    store(history, NOW + HOUR, timeless)
    assert history.facts.name_facts(["n0.example.net"])["n0.example.net"].last_seen == NOW + HOUR


def test_of_two_that_differ_in_one_batch_the_last_one_stays_though_it_is_known(history: History) -> None:
    store(history, NOW, [observation(time_last=1), *CROWD])
    store(history, NOW, [observation(time_last=1, tlp=Tlp.RED), observation(time_last=1), *CROWD])
    assert [one.tlp for one in history.facts.evidence(NAME)] == [Tlp.CLEAR]


FEW_NUMBERS = st.none() | st.integers(1, 4)
OBSERVATIONS = st.lists(
    st.builds(
        Observation,
        rrname=st.sampled_from(["a.example.net", "b.example.net"]),
        rrtype=st.sampled_from(["A", "CNAME"]),
        rdata=st.sampled_from(["198.51.100.7", "198.51.100.8"]),
        time_first=FEW_NUMBERS,
        time_last=FEW_NUMBERS,
        zone_time_first=FEW_NUMBERS,
        zone_time_last=FEW_NUMBERS,
        count=FEW_NUMBERS,
        sensor_id=st.sampled_from([None, "s1"]),
        chain=st.sampled_from([(), ("edge.example.org",)]),
        tlp=st.sampled_from([Tlp.CLEAR, Tlp.AMBER]),
    ),
    max_size=12,
)


def kept(history: History) -> list[Evidence]:
    return [one for name in ("a.example.net", "b.example.net") for one in history.facts.evidence(name)]


@given(st.lists(OBSERVATIONS, max_size=4))
def test_a_crowd_changes_nothing_of_what_is_kept(polls: Iterable[Sequence[Observation]]) -> None:
    with fresh("sqlite") as crowded, fresh("sqlite") as alone:
        for poll in polls:
            # Each one as often as it takes to be looked up with others that are like it.
            store(crowded, NOW, [one for one in poll for _ in range(FEW)])
            for one in poll:
                store(alone, NOW, [one])
        assert kept(crowded) == kept(alone)
