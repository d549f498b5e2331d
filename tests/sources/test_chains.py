"""From an asked name to addresses: only what the CNAMEs lead to counts."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from feedsvc.names import Address
from feedsvc.sources.chains import MAX_CHAIN, Way, follow, leads_to

ONE, TWO = Address(4, 1), Address(4, 2)
NAMES = st.sampled_from("abcdef")


def test_a_name_with_addresses_is_the_end() -> None:
    assert follow("a", {}, {"a": [ONE, TWO, ONE]}) == Way((ONE, TWO), ())
    assert follow("a", {"a": "b"}, {"a": [ONE]}) == Way((ONE,), ())


def test_the_way_is_followed_in_whatever_order_it_stands() -> None:
    assert follow("a", {"b": "c", "a": "b"}, {"c": [ONE]}) == Way((ONE,), ("b", "c"))


def test_a_way_that_ends_without_addresses_is_told_as_far_as_it_goes() -> None:
    assert follow("a", {"a": "b"}, {}) == Way((), ("b",))


def test_what_the_way_does_not_lead_to_is_a_fault() -> None:
    assert follow("a", {}, {"a": [ONE], "b": [TWO]}) == Way(
        (ONE,), (), "address of a name that the question does not lead to"
    )


def test_a_circle_and_an_endless_way_are_faults() -> None:
    assert follow("a", {"a": "b", "b": "c", "c": "b"}, {}) == Way((), ("b", "c"), "CNAMEs without an end")
    assert follow("a", {"a": "a"}, {}).fault == "CNAMEs without an end"
    long = {f"n{number}": f"n{number + 1}" for number in range(MAX_CHAIN + 1)}
    assert follow("n0", long, {f"n{MAX_CHAIN + 1}": [ONE]}).fault == "CNAMEs without an end"
    assert follow("n0", long, {f"n{MAX_CHAIN}": [ONE]}).answers == (ONE,)


@given(NAMES, st.dictionaries(NAMES, NAMES), st.dictionaries(NAMES, st.lists(st.just(ONE), min_size=1)))
def test_every_step_is_a_cname_and_the_end_has_the_addresses(
    asked: str, targets: dict[str, str], addresses: dict[str, list[Address]]
) -> None:
    way = follow(asked, targets, addresses)
    steps = (asked, *way.chain)
    assert all(targets[here] == there for here, there in itertools.pairwise(steps))
    assert len(set(steps)) == len(steps)
    if way.answers:
        assert addresses[steps[-1]]
        assert leads_to(asked, targets, steps[-1]) == way.chain


@given(NAMES, st.dictionaries(NAMES, NAMES), NAMES)
def test_a_way_to_an_owner_is_one_of_cnames_or_none(asked: str, targets: dict[str, str], owner: str) -> None:
    chain = leads_to(asked, targets, owner)
    if chain is not None:
        steps = (asked, *chain)
        assert steps[-1] == owner
        assert all(targets[here] == there for here, there in itertools.pairwise(steps))
