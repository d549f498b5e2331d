"""Where the next page of an answer is, and when its pages are a whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.model import End, Outcome
from feedsvc.sources.endings import COMPLETE
from feedsvc.sources.pages import BEGINNINGS, Place, following, number_of_rows, place

PLACES = st.builds(
    Place,
    number=st.integers(1, 10**9 - 1),
    rows=st.integers(0, 10**15 - 1),
    told=st.none() | st.integers(0, 10**15 - 1),
    beginning=st.integers(1, 9),
    lacking=st.booleans(),
    seen=st.just("") | st.text("0123456789abcdef", min_size=12, max_size=12),
)


def read(rows: Sequence[int], size: int, changes: Sequence[int] = ()) -> tuple[list[int], End]:
    """Turn the pages of a list, by their texts alone; before page n the list loses its first `changes[n]` rows."""
    got: list[int] = []
    here, asked = place(""), 0
    while True:
        rows = rows[changes[asked] if asked < len(changes) else 0 :]
        page = rows[(here.number - 1) * size :][:size]
        got = [*(got if here.number > 1 else []), *page]
        after = following(here, len(page), len(rows))
        if isinstance(after, End):
            return got, after
        assert str(after) != str(here)
        here, asked = place(str(after)), asked + 1


@given(PLACES)
def test_a_place_outlives_its_text(one: Place) -> None:
    assert place(str(one)) == one


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,12}(-[0-9]{0,20}){0,6}", fullmatch=True))
def test_any_other_text_stands_for_the_first_page(text: str) -> None:
    read_back = place(text)
    assert read_back == Place() or place(str(read_back)) == read_back


@given(st.lists(st.integers(), max_size=60), st.integers(1, 25))
def test_pages_of_rows_that_stay_are_read_once_each_and_are_whole(rows: list[int], size: int) -> None:
    assert read(rows, size) == (rows, COMPLETE)


@given(st.lists(st.integers(), unique=True, max_size=60), st.integers(1, 25), st.lists(st.integers(0, 3), max_size=12))
def test_no_row_that_stayed_is_missing_from_a_whole(rows: list[int], size: int, changes: list[int]) -> None:
    got, end = read(rows, size, changes)
    if end == COMPLETE:
        assert got == rows[len(rows) - len(got) :]
        assert len(got) >= len(rows) - sum(changes)
    else:
        assert end.outcome is Outcome.PARTIAL


def test_rows_that_keep_changing_are_begun_a_few_times_and_given_up() -> None:
    here: Place | End = Place()
    calls, told = 0, 300
    while isinstance(here, Place):
        here, calls, told = following(here, 100, told), calls + 1, told + 1
    assert here.outcome is Outcome.PARTIAL
    assert "changed while its pages were read" in here.reason
    assert not here.trouble
    assert calls == 2 * BEGINNINGS


def test_a_page_without_rows_before_the_last_row_is_no_end() -> None:
    assert following(Place(), 0, 0) == COMPLETE
    assert following(Place(), 0, 5).outcome is Outcome.FAILED  # type: ignore[union-attr]
    end = following(Place(3, 200, 250), 0, 250)
    assert isinstance(end, End)
    assert (end.outcome, end.reason) == (Outcome.PARTIAL, "its pages ended after 200 of 250 rows")


def test_what_a_page_said_is_missing_is_remembered_to_the_last() -> None:
    after = following(Place(lacking=True), 100, 250)
    assert isinstance(after, Place)
    assert place(str(after)).lacking


@pytest.mark.parametrize("value", [None, True, -1, 1.0, "3", [], 10**15, 10**400, float("nan")])
def test_what_is_no_number_of_rows_is_none(value: object) -> None:
    assert number_of_rows(value) is None


def test_a_number_of_rows_is_one() -> None:
    assert [number_of_rows(value) for value in (0, 7, 10**15 - 1)] == [0, 7, 10**15 - 1]


def test_the_rows_of_the_page_before_are_no_further_page() -> None:
    after = following(Place(), 100, 250, "a" * 12)
    assert after == Place(2, 100, 250, seen="a" * 12)
    assert isinstance(after, Place)
    end = following(place(str(after)), 100, 250, "a" * 12)
    assert isinstance(end, End)
    assert (end.outcome, end.trouble) == (Outcome.PARTIAL, False)
    assert following(after, 100, 250, "b" * 12) == Place(3, 200, 250, seen="b" * 12)
