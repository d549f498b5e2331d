"""The geometry behind a plan, held against sets of addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources.stretches import Stretches, overlap, prefixes

BITS = {4: 32, 6: 128}


@st.composite
def small(draw: st.DrawFn) -> Netblock:
    """A netblock of few addresses among few, of either version, at either end of the address line."""
    version = draw(st.sampled_from([4, 6]))
    begin = draw(st.sampled_from([0, 0xC6336400, (1 << BITS[version]) - 64]))
    first, last = sorted(draw(st.lists(st.integers(0, 63), min_size=2, max_size=2)))
    return Netblock(version, begin + first, begin + last)


def addresses(*netblocks: Netblock) -> set[tuple[int, int]]:
    return {(one.version, value) for one in netblocks for value in range(one.first, one.last + 1)}


@given(small(), small())
def test_two_netblocks_overlap_when_they_share_an_address(one: Netblock, other: Netblock) -> None:
    assert overlap(one, other) == overlap(other, one) == bool(addresses(one) & addresses(other))


@given(small())
def test_prefixes_are_the_fewest_that_cover_a_netblock(block: Netblock) -> None:
    found = list(prefixes(block))
    assert addresses(*found) == addresses(block)
    assert [str(one) for one in found] == list(block.cidrs())


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "255.255.255.255", "::ffff:0:0-::1:0:0:0"])
def test_prefixes_reach_the_ends_of_the_address_line(text: str) -> None:
    block = parse_netblock(text)
    found = list(prefixes(block))
    assert (found[0].first, found[-1].last) == (block.first, block.last)
    assert {one.version for one in found} == {block.version}


@given(st.lists(small(), max_size=8))
def test_stretches_cover_what_their_netblocks_cover_and_overlap_no_other(blocks: list[Netblock]) -> None:
    found = Stretches(blocks).netblocks
    assert addresses(*found) == addresses(*blocks)
    assert found == sorted(found)
    assert not any(overlap(one, other) for one in found for other in found if one != other)


def test_neighbours_that_do_not_overlap_stay_apart() -> None:
    blocks = [parse_netblock("198.51.100.0/25"), parse_netblock("198.51.100.128/25")]
    assert Stretches(blocks).netblocks == blocks


@given(st.lists(small(), max_size=8), small())
def test_a_netblock_is_cut_into_what_lies_inside_and_what_lies_outside(blocks: list[Netblock], block: Netblock) -> None:
    stretches = Stretches(blocks)
    inside, outside = list(stretches.inside(block)), list(stretches.outside(block))
    assert addresses(*inside) == addresses(block) & addresses(*blocks)
    assert addresses(*outside) == addresses(block) - addresses(*blocks)
    assert sum(one.size for one in (*inside, *outside)) == block.size
    assert inside == sorted(inside)


@given(st.lists(small(), max_size=8), small())
def test_the_first_stretch_that_overlaps_a_netblock_is_found(blocks: list[Netblock], block: Netblock) -> None:
    stretches = Stretches(blocks)
    found = stretches.find(block)
    assert found == next((at for at, one in enumerate(stretches.netblocks) if overlap(one, block)), None)
