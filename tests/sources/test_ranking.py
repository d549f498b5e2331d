"""Which lines of a name server's log count, so that each lookup is counted once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feedsvc.errors import SourceError
from feedsvc.sources.ranking import NEIGHBOURS, Ranking
from feedsvc.sources.readings import Unreadable


def ranking(state: str = "", year: int = 0) -> Ranking:
    return Ranking(state, UTC, year, lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))


def test_lines_of_a_worse_rank_count_until_a_better_one_is_seen() -> None:
    memory = ranking()
    assert [memory.counts(rank) for rank in (2, 2, 1, 2, 0, 1, 0)] == [True, True, True, False, True, False, True]


def test_another_kind_of_line_about_a_lookup_does_not_count() -> None:
    memory = ranking()
    told = [
        memory.counts(1, kind, "10.0.0.1#5 a.example.com") for kind in ("denied", "failed", "denied", "denied", "failed")
    ]
    assert told == [True, False, True, True, False]


def test_it_is_not_remembered_for_ever() -> None:
    memory = ranking()
    for number in range(NEIGHBOURS + 1):
        memory.counts(1, "denied", str(number))
    assert memory.counts(1, "failed", "0")
    assert not memory.counts(1, "failed", str(NEIGHBOURS))


def test_a_memory_of_nothing_needs_no_state() -> None:
    assert ranking().state() == ""


@pytest.mark.parametrize("year", [0, 2019])
def test_the_state_is_enough_to_go_on(year: int) -> None:
    first = ranking(year=year)
    first.time(b"Dec 31 23:59:59 x")
    first.counts(1, "denied", "a")
    second = ranking(first.state(), year)
    assert not second.counts(2)
    assert not second.counts(1, "failed", "a")
    assert second.time(b"Jan  1 00:00:01 x") == first.time(b"Jan  1 00:00:01 x")


def test_a_line_without_a_time_cannot_be_read() -> None:
    with pytest.raises(Unreadable, match="line without a time"):
        ranking().time(b"client 10.0.0.1#5")


@pytest.mark.parametrize("state", ["{", "{}", "[0,1,2,3]", '["a"]'])
def test_a_state_of_somebody_else_is_refused(state: str) -> None:
    with pytest.raises(SourceError, match="the remembered state of a log cannot be read"):
        ranking(state)
