"""What a list holds: the gate again, every name or the collapsed set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import PublishError
from feedsvc.names import is_under
from feedsvc.publish import namesets
from tests.publish.making import HOSTILE, listed, publishable_names

NAME_LISTS = st.lists(publishable_names, max_size=30)


def test_there_are_many_hostile_names() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 100


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_in_no_set_and_is_counted_with_its_reason(name: str) -> None:
    for build in (namesets.exact, namesets.collapsed):
        found = build(listed([name, "k3xq.example.net"]))
        assert [row.name for row in found.listed] == ["k3xq.example.net"]
        assert sum(refused.count for refused in found.left_out) == 1
        assert found.left_out[0].reason
        assert found.left_out[0].sample.isascii()
        assert found.left_out[0].sample.isprintable() or not name


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_stops_a_format_that_would_render_it(name: str) -> None:
    with pytest.raises(PublishError):
        list(namesets.checked(listed([name])))


def test_refused_names_are_counted_by_reason_with_one_sample() -> None:
    found = namesets.exact(listed(["b.test", "a.test", "198.51.100.7"]))
    assert [(one.count, one.sample) for one in found.left_out] == [(1, "198.51.100.7"), (2, "a.test")]


def test_another_spelling_of_a_name_is_that_name() -> None:
    found = namesets.exact(listed(["K3XQ.Example.NET.", "k3xq.example.net"]))
    assert [row.name for row in found.listed] == ["k3xq.example.net"]
    assert not found.left_out


def test_of_two_rows_of_one_name_the_more_confident_stays() -> None:
    rows = [*listed(["a.example.net"], confidence=20), *listed(["a.example.net"], confidence=90)]
    for order in (rows, rows[::-1]):
        assert [row.confidence for row in namesets.exact(order).listed] == [90]


def test_what_a_format_has_no_room_for_is_left_out_of_it_alone() -> None:
    found = namesets.exact(listed(["a.example.net", "b.example.net"]), lambda name: "no b" if name[0] == "b" else None)
    assert [row.name for row in found.listed] == ["a.example.net"]
    assert [(one.reason, one.sample) for one in found.left_out] == [("no b", "b.example.net")]


def test_a_parent_without_room_takes_no_child_with_it() -> None:
    found = namesets.collapsed(
        listed(["example.net", "a.example.net"]), lambda name: "no room" if name == "example.net" else None
    )
    assert found.names == {"a.example.net"}


def test_a_name_under_another_goes_but_a_name_that_only_ends_alike_stays() -> None:
    found = namesets.collapsed(listed(["b.example.net", "a.b.example.net", "ab.example.net", "b.example.net.example.org"]))
    assert [row.name for row in found.listed] == ["ab.example.net", "b.example.net", "b.example.net.example.org"]


@given(NAME_LISTS)
def test_exact_lists_every_name_once_and_sorted(names: list[str]) -> None:
    assert [row.name for row in namesets.exact(listed(names)).listed] == sorted(set(names))


@given(NAME_LISTS)
def test_no_collapsed_name_is_below_another(names: list[str]) -> None:
    found = sorted(namesets.collapsed(listed(names)).names)
    assert not [(one, other) for one in found for other in found if one != other and is_under(one, other)]


@given(NAME_LISTS, publishable_names)
def test_the_collapsed_set_covers_what_the_names_cover_and_nothing_else(names: list[str], asked: str) -> None:
    found = namesets.collapsed(listed(names)).names
    assert namesets.covered(asked, found, "suffix") == any(is_under(asked, name) for name in names)


@given(NAME_LISTS)
def test_collapsing_again_changes_nothing(names: list[str]) -> None:
    once = namesets.collapsed(listed(names))
    assert namesets.collapsed(once.listed) == once


@given(NAME_LISTS, publishable_names)
def test_an_exact_reader_blocks_the_listed_names_alone(names: list[str], asked: str) -> None:
    assert namesets.covered(asked, frozenset(names), "exact") == (asked in names)


def test_rows_out_of_order_or_twice_are_refused() -> None:
    for names in (["b.example.net", "a.example.net"], ["a.example.net", "a.example.net"], ["A.example.net"]):
        with pytest.raises(PublishError):
            list(namesets.checked(listed(names)))


@pytest.mark.parametrize(
    "names", [["b.example.net", "a.example.net"], ["a.example.net"] * 2, ["a"], ["A.example.net"], [""]]
)
def test_names_of_a_file_are_read_strictly(names: list[str]) -> None:
    with pytest.raises(ValueError, match="of the file"):
        namesets.read_back(names)


def test_a_name_that_became_unpublishable_is_still_read_from_a_file() -> None:
    assert namesets.read_back(["github.io"]) == {"github.io"}
