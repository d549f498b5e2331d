"""What may leave a list at once."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.publish.guards import FEW, LastGood, Replacement, kept, why_hold
from feedsvc.publish.namesets import covered
from feedsvc.publish.port import NameSetKind
from tests.publish.making import publishable_names


def names(count: int) -> frozenset[str]:
    """That many different names."""
    return frozenset(f"n{number}.example.net" for number in range(count))


def step(
    before: AbstractSet[str],
    after: AbstractSet[str],
    *,
    authorised: AbstractSet[str] = frozenset(),
    shrink: float = 0.2,
    kind: NameSetKind = "exact",
) -> Replacement:
    """A list on the way from one set to the next."""
    return Replacement(LastGood(frozenset(before), len(before), 1), frozenset(after), kind, authorised, shrink)


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        (100, 80, False),
        (100, 79, True),
        (4, 3, False),
        (4, 2, False),
        (4, 1, True),
        (2, 1, False),
        (1, 0, True),
        (2, 0, True),
        (0, 0, False),
        (0, 5, False),
    ],
)
def test_a_fifth_may_leave_or_two_of_a_small_list_but_never_the_last(before: int, after: int, held: bool) -> None:
    assert bool(why_hold(step(names(before), names(after)))) is held


def test_with_shrink_zero_nothing_leaves_without_a_person() -> None:
    assert why_hold(step(names(100), names(99), shrink=0))
    assert not why_hold(step(names(100), names(99), shrink=0, authorised=names(100)))


def test_the_reason_counts_and_names_the_limit() -> None:
    assert why_hold(step(names(120), names(83))) == (
        "37 of 120 names would leave without a person's decision, 24 may (limits.shrink = 0.2)"
    )
    assert why_hold(step(names(12), frozenset())) == "all 12 names would leave, 12 of them without a person's decision"


def test_what_a_person_took_out_does_not_count_and_may_empty_the_list() -> None:
    assert not why_hold(step(names(10), frozenset(), authorised=names(10)))
    assert why_hold(step(names(10), frozenset(), authorised=names(9)))


def test_a_child_that_a_listed_parent_covers_has_not_left_a_suffix_list() -> None:
    parent = frozenset({"example.net"})
    assert not why_hold(step(names(50), parent, kind="suffix"))
    assert why_hold(step(names(50), parent, kind="exact"))


def test_a_file_that_is_gone_is_judged_by_what_history_remembers() -> None:
    gone = LastGood(names=None, count=100, serial=7)
    assert why_hold(Replacement(gone, names(79), "exact", names(500)))
    assert not why_hold(Replacement(gone, names(80), "exact"))
    assert not why_hold(Replacement(LastGood(), frozenset(), "exact"))


def test_a_file_that_cannot_be_read_is_never_replaced() -> None:
    odd = LastGood(names=None, count=0, fault="line 3 is no name")
    assert "line 3 is no name" in why_hold(Replacement(odd, names(5), "exact"))


def test_a_held_list_keeps_all_but_what_a_person_took_out() -> None:
    assert kept(step(names(10), names(1), authorised={"n3.example.net"})) == names(10) - {"n3.example.net"}


def test_a_held_list_takes_in_no_new_names() -> None:
    assert kept(step(names(10), {"new.example.net"})) == names(10)


def test_a_name_taken_out_that_another_watch_still_publishes_stays() -> None:
    assert kept(step(names(10), {"n3.example.net"}, authorised={"n3.example.net"})) == names(10)


def test_what_a_removed_parent_alone_covered_takes_its_place_in_a_held_list() -> None:
    before = names(10) | {"example.org"}
    after = {"a.example.org", "b.example.com"}
    assert kept(step(before, after, authorised={"example.org"}, kind="suffix")) == names(10) | {"a.example.org"}


def test_without_a_readable_file_nothing_can_be_kept() -> None:
    assert kept(Replacement(LastGood(count=3), names(1), "exact")) is None


_SETS = st.frozensets(publishable_names, max_size=20)
_KINDS = st.sampled_from(["exact", "suffix"])
_SHARES = st.floats(0, 1)


@given(_SETS, _SETS, _KINDS, _SHARES)
def test_a_list_that_only_grows_is_never_held(
    before: frozenset[str], more: frozenset[str], kind: NameSetKind, share: float
) -> None:
    assert not why_hold(step(before, before | more, kind=kind, shrink=share))


@given(_SETS, _SETS, _KINDS, _SHARES)
def test_a_person_may_take_out_anything(
    before: frozenset[str], after: frozenset[str], kind: NameSetKind, share: float
) -> None:
    assert not why_hold(step(before, after, kind=kind, shrink=share, authorised=before))


@given(_SETS, _SETS, _SETS, _KINDS, _SHARES)
def test_what_passes_loses_no_more_than_the_limit(
    before: frozenset[str], after: frozenset[str], authorised: frozenset[str], kind: NameSetKind, share: float
) -> None:
    change = step(before, after, kind=kind, shrink=share, authorised=authorised)
    lost = [name for name in before - authorised if not covered(name, after, kind)]
    if not why_hold(change):
        assert len(lost) <= max(FEW, share * len(before))
        assert after or not lost


@given(_SETS, _SETS, _SETS, _KINDS)
def test_a_held_list_still_blocks_all_it_blocked_but_what_a_person_took_out(
    before: frozenset[str], after: frozenset[str], authorised: frozenset[str], kind: NameSetKind
) -> None:
    left = kept(step(before, after, kind=kind, authorised=authorised))
    assert left is not None
    assert left >= before - authorised
    assert not left & (before & authorised - after)
    # What the list blocked and is to be blocked is blocked still.
    for name in after:
        assert covered(name, left, kind) or not covered(name, before, kind)
