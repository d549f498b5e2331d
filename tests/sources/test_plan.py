"""The laws of a plan: what it covers, how it is cut, stored and put in order."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources import plan
from feedsvc.sources.plan import IN_VAIN, Piece, Plan, Target
from feedsvc.sources.port import Traits
from feedsvc.sources.stretches import Stretches, overlap
from tests.sources.conftest import NOW
from tests.sources.test_stretches import addresses, small

ADDRESS, BLOCK, RANGE = Traits("address"), Traits("netblock"), Traits("range")
FENCED = Traits("range", fenced=True)
DAY = timedelta(days=1)

moments = st.none() | st.integers(1, 1000).map(lambda hours: NOW - timedelta(hours=hours))
traits = st.sampled_from([ADDRESS, BLOCK, RANGE, FENCED, Traits("address", fenced=True)])


@st.composite
def targets(draw: st.DrawFn) -> list[Target]:
    blocks = draw(st.lists(small(), min_size=1, max_size=8, unique=True))
    # Two moments, so that targets often want the same.
    return [Target(block, NOW, draw(st.sampled_from([None, NOW - DAY, NOW - 2 * DAY]))) for block in blocks]


def block(text: str) -> Netblock:
    return parse_netblock(text)


def piece(text: str, *, failures: int = 0, page: str = "") -> Piece:
    return Piece(block(text), page=page, failures=failures)


def texts(pieces: Iterable[Piece]) -> list[str]:
    return [str(one.netblock) for one in pieces]


def made(wanted: Sequence[Target], reach: Traits) -> tuple[Piece, ...]:
    return plan.extended(Plan(), wanted, reach).pending


# -- making -------------------------------------------------------------------------------------------------------------


@given(targets(), traits)
def test_every_address_of_every_target_is_in_one_piece_and_none_beside(wanted: list[Target], reach: Traits) -> None:
    pieces = made(wanted, reach)
    assert addresses(*(one.netblock for one in pieces)) == addresses(*(one.netblock for one in wanted))
    assert sum(one.netblock.size for one in pieces) == len(addresses(*(one.netblock for one in wanted)))


@given(targets(), traits)
def test_each_address_is_asked_about_since_the_earliest_that_a_target_wants(wanted: list[Target], reach: Traits) -> None:
    for one in made(wanted, reach):
        for version, value in addresses(one.netblock):
            over = [target.since for target in wanted if (version, value) in addresses(target.netblock)]
            assert one.since == (None if None in over else min(since for since in over if since is not None))


@given(targets(), traits)
def test_a_piece_reaches_over_the_border_between_two_targets_only_with_one_that_spans_it(
    wanted: list[Target], reach: Traits
) -> None:
    borders = {(one.netblock.version, edge) for one in wanted for edge in (one.netblock.first, one.netblock.last + 1)}
    for one in made(wanted, reach):
        for version, edge in borders:
            if version == one.netblock.version and one.netblock.first < edge <= one.netblock.last:
                assert any(
                    target.netblock.version == version and target.netblock.first < edge <= target.netblock.last
                    for target in wanted
                )


@given(targets(), traits)
def test_neighbours_that_want_the_same_and_that_a_target_spans_are_one_piece(wanted: list[Target], reach: Traits) -> None:
    assume(reach.reach != "netblock")
    pieces = sorted(made(wanted, reach), key=lambda one: one.netblock)
    for one, other in itertools.pairwise(pieces):
        if one.netblock.version == other.netblock.version and one.netblock.last + 1 == other.netblock.first:
            over = [target for target in wanted if overlap(target.netblock, one.netblock)]
            spanned = any(overlap(target.netblock, other.netblock) for target in over)
            assert not (spanned and one.since == other.since)


@given(targets())
def test_a_provider_that_knows_netblocks_is_asked_about_prefixes(wanted: list[Target]) -> None:
    assert all(len(one.netblock.cidrs()) == 1 for one in made(wanted, BLOCK))


def test_overlapping_netblocks_share_their_calls() -> None:
    wanted = [Target(block("198.51.100.0/24"), NOW), Target(block("198.51.100.64/26"), NOW)]
    assert plan.calls(made(wanted, RANGE), RANGE) == 1
    assert plan.calls(made(wanted, ADDRESS), ADDRESS) == 256


def test_neighbouring_netblocks_are_asked_about_apart() -> None:
    wanted = [Target(block("198.51.100.0/25"), NOW), Target(block("198.51.100.128/25"), NOW)]
    assert texts(made(wanted, RANGE)) == ["198.51.100.0/25", "198.51.100.128/25"]


@given(targets(), targets(), traits)
def test_what_is_waiting_already_is_not_planned_twice(before: list[Target], after: list[Target], reach: Traits) -> None:
    first = plan.extended(Plan(), before, reach)
    both = plan.extended(first, [one for one in after if one not in before], reach)
    for version, value in addresses(*(one.netblock for one in both.pending)):
        about = [one for one in both.pending if (version, value) in addresses(one.netblock)]
        # Twice only where the second one wants to know more than the first.
        assert len(about) == 1 or about[0].since is not None
    wanted = [*before, *after]
    for target in wanted:
        for address in addresses(target.netblock):
            about = [one for one in both.pending if address in addresses(one.netblock)]
            assert any(one.since is None or (target.since is not None and one.since <= target.since) for one in about)


def test_a_rest_of_pages_or_a_window_with_an_end_does_not_stand_for_the_whole() -> None:
    for left in (Piece(block("198.51.100.0/24"), page="2"), Piece(block("198.51.100.0/24"), until=NOW)):
        both = plan.extended(Plan((Target(block("198.51.100.0/25"), NOW),), (left,)), [Target(left.netblock, NOW)], RANGE)
        assert both.pending == (left, Piece(left.netblock))


# -- what is watched, and what a provider can be asked -------------------------------------------------------------------


@given(targets(), st.data(), traits, traits)
def test_a_plan_is_cut_to_what_is_watched_and_to_what_a_provider_can_be_asked(
    wanted: list[Target], data: st.DataObject, before: Traits, after: Traits
) -> None:
    whole = plan.extended(Plan(), wanted, before)
    watched = data.draw(st.sets(st.sampled_from([one.netblock for one in wanted])))
    left = plan.pruned(whole, watched, after)
    assert {target.netblock for target in left.targets} == watched
    assert addresses(*(one.netblock for one in left.pending)) == addresses(*watched)
    assert sum(one.netblock.size for one in left.pending) == len(addresses(*watched))
    stretches = Stretches(watched)
    assert all([*stretches.inside(one.netblock)] == [one.netblock] for one in left.pending)
    if after.reach == "netblock":
        assert all(len(one.netblock.cidrs()) == 1 for one in left.pending)


def test_a_netblock_of_which_nothing_waits_is_as_if_it_had_not_begun() -> None:
    lost = Plan((Target(block("198.51.100.0/24"), NOW), Target(block("192.0.2.0/24"), NOW)), (piece("192.0.2.1"),))
    left = plan.pruned(lost, [block("198.51.100.0/24"), block("192.0.2.0/24")], RANGE)
    assert texts([Piece(target.netblock) for target in left.targets]) == ["192.0.2.0/24"]


def test_a_page_of_a_netblock_is_none_of_its_parts() -> None:
    kept = Plan((Target(block("198.51.100.0/30"), NOW),), (piece("198.51.100.0/30", page="7"),))
    assert plan.pruned(kept, [block("198.51.100.0/30")], RANGE).pending[0].page == "7"
    for reach, watched in ((ADDRESS, "198.51.100.0/30"), (RANGE, "198.51.100.0/31"), (BLOCK, "198.51.100.0/31")):
        within = Plan((Target(block(watched), NOW),), kept.pending)
        assert [one.page for one in plan.pruned(within, [block(watched)], reach).pending] == [""]


def test_the_page_of_an_address_stays_with_it() -> None:
    kept = Plan((Target(block("198.51.100.0/30"), NOW),), (piece("198.51.100.1", page="7"),))
    for reach in (ADDRESS, BLOCK, RANGE):
        assert plan.pruned(kept, [block("198.51.100.0/30")], reach).pending == kept.pending


def test_a_page_that_fails_again_and_again_is_given_up_for_the_beginning() -> None:
    kept = Plan((Target(block("198.51.100.1"), NOW),), (piece("198.51.100.1", page="7", failures=IN_VAIN),))
    assert plan.pruned(kept, [block("198.51.100.1")], RANGE).pending[0].page == ""


def test_a_window_with_an_end_is_opened_for_a_provider_that_heeds_none() -> None:
    halves = (Piece(block("198.51.100.1"), NOW - DAY), Piece(block("198.51.100.1"), None, NOW - DAY))
    kept = Plan((Target(block("198.51.100.1"), NOW),), halves)
    assert plan.pruned(kept, [block("198.51.100.1")], FENCED).pending == halves
    assert {one.until for one in plan.pruned(kept, [block("198.51.100.1")], RANGE).pending} == {None}


@given(targets(), st.data())
def test_a_plan_is_parted_into_what_is_asked_now_and_the_rest(wanted: list[Target], data: st.DataObject) -> None:
    whole = plan.extended(Plan(made=7), wanted, RANGE)
    chosen = data.draw(st.sets(st.sampled_from([one.netblock for one in wanted])))
    ours, others = plan.parted(whole, chosen)
    assert {target.netblock for target in ours.targets} == chosen
    assert {*ours.targets, *others.targets} == {*whole.targets}
    assert Counter((*ours.pending, *others.pending)) == Counter(whole.pending)
    assert not any(one.concerns(target) for one in others.pending for target in ours.targets)
    assert all(any(one.concerns(target) for target in ours.targets) for one in ours.pending)


def test_a_netblock_is_worn_when_nothing_of_it_is_left_that_is_worth_a_call() -> None:
    here, there = Target(block("198.51.100.0/24"), NOW), Target(block("192.0.2.0/24"), NOW)
    spent, troubled = piece("198.51.100.7", failures=IN_VAIN), piece("192.0.2.1", failures=IN_VAIN - 1)
    assert plan.worn(Plan((here, there), (spent, troubled))) == [here]
    assert plan.worn(Plan((here, there), (spent, troubled, piece("198.51.100.8")))) == []


# -- order --------------------------------------------------------------------------------------------------------------


def order(
    since: Mapping[str, timedelta | None], active: Mapping[str, datetime] | None = None, *more: Piece, began: datetime = NOW
) -> list[str]:
    """In which order netblocks are asked that waited for so long since they were asked last."""
    wanted = [Target(block(one), began, None if ago is None else NOW - ago - DAY) for one, ago in since.items()]
    whole = Plan(tuple(wanted), (*(Piece(target.netblock) for target in wanted), *more))
    return [str(one) for one in plan.ordered(whole, active or {}, DAY, NOW).pending]


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def test_what_waits_longest_is_asked_first() -> None:
    assert order({"192.0.2.0/26": hours(1), "192.0.2.64/26": hours(3), "192.0.2.128/26": hours(2)}) == [
        "192.0.2.64/26",
        "192.0.2.128/26",
        "192.0.2.0/26",
    ]


def test_a_lively_netblock_waits_four_times_as_fast() -> None:
    active = {"192.0.2.0/26": NOW - DAY, "192.0.2.64/26": NOW - 8 * DAY}
    assert order({"192.0.2.64/26": hours(3), "192.0.2.0/26": hours(1)}, active)[0] == "192.0.2.0/26"
    assert order({"192.0.2.64/26": hours(5), "192.0.2.0/26": hours(1)}, active)[0] == "192.0.2.64/26"


def test_what_was_never_answered_comes_before_others_but_not_for_ever() -> None:
    assert order({"192.0.2.0/26": hours(48), "192.0.2.64/26": None})[0] == "192.0.2.64/26"
    assert order({"192.0.2.0/26": 31 * DAY, "192.0.2.64/26": None})[0] == "192.0.2.0/26"


def test_what_was_asked_for_in_vain_waits_behind_the_rest_and_a_page_goes_before_it() -> None:
    more = (piece("192.0.2.1", failures=2), piece("192.0.2.2", page="7"), piece("192.0.2.3", page="7", failures=1))
    assert order({"192.0.2.0/26": hours(1)}, {}, *more) == ["192.0.2.2", "192.0.2.0/26", "192.0.2.3", "192.0.2.1"]


def test_neither_pages_nor_failures_keep_their_place_for_ever() -> None:
    waiting = {"192.0.2.0/26": hours(1), "192.0.2.64/26": hours(5)}
    assert order(waiting, {}, piece("192.0.2.1", page="7"))[0] == "192.0.2.64/26"
    assert order(waiting, {}, piece("192.0.2.65", failures=1))[1] == "192.0.2.65"


@pytest.mark.parametrize("since", [None, NOW - 6 * DAY])
def test_a_netblock_of_which_nothing_comes_but_trouble_waits_behind_one_that_answers(since: datetime | None) -> None:
    troubled = Target(block("192.0.2.0/26"), NOW - 2 * hours(1), since, failures=4)
    well = Target(block("192.0.2.64/26"), NOW, NOW - DAY - hours(1))
    whole = Plan((troubled, well), (Piece(troubled.netblock), Piece(well.netblock)))
    assert texts(plan.ordered(whole, {}, DAY, NOW).pending) == ["192.0.2.64/26", "192.0.2.0/26"]


def test_a_piece_is_as_urgent_as_the_most_urgent_netblock_that_wants_it() -> None:
    wanted = (
        Target(block("192.0.2.0/24"), NOW, NOW - 2 * DAY),
        Target(block("192.0.2.64/26"), NOW, NOW - 9 * DAY),
        Target(block("198.51.100.0/24"), NOW, NOW - 5 * DAY),
    )
    pieces = (piece("192.0.2.0/26"), piece("198.51.100.0/24"), piece("192.0.2.64/26"))
    found = plan.ordered(Plan(wanted, pieces), {}, DAY, NOW).pending
    assert texts(found) == ["192.0.2.64/26", "198.51.100.0/24", "192.0.2.0/26"]


# -- storing ------------------------------------------------------------------------------------------------------------


@st.composite
def anywhere(draw: st.DrawFn) -> Netblock:
    version, bits = draw(st.sampled_from([(4, 32), (6, 128)]))
    first, last = sorted(draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=2, max_size=2)))
    return Netblock(version, first, draw(st.sampled_from([first, last])))


seconds = st.integers(0, 4_102_444_800).map(lambda number: datetime.fromtimestamp(number, UTC))
kept_targets = st.builds(Target, anywhere(), seconds, st.none() | seconds, st.integers(0, 9))
kept_pieces = st.builds(
    Piece,
    anywhere(),
    st.none() | seconds,
    st.none() | seconds,
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(0, 9),
)
plans = st.builds(
    Plan,
    st.lists(kept_targets, min_size=1, max_size=4).map(tuple),
    st.lists(kept_pieces, max_size=6).map(tuple),
    st.integers(0, 10**6),
    st.none() | seconds,
)


@given(plans)
def test_a_plan_that_was_stored_is_the_same(whole: Plan) -> None:
    assert plan.from_text(plan.to_text(whole)) == whole


def test_a_plan_that_was_stored_before_troubles_were_counted_is_read() -> None:
    whole = Plan((Target(block("198.51.100.0/24"), NOW),), (Piece(block("198.51.100.0/24")),))
    text = plan.to_text(whole)
    before = text.replace('"2026-11-24T06:00:00.000Z","",0]', '"2026-11-24T06:00:00.000Z",""]')
    assert before != text
    assert plan.from_text(before) == whole


def test_a_plan_of_mapped_addresses_stays_one_of_ipv6() -> None:
    whole = Plan(
        (Target(Netblock(6, 0xFFFF << 32, (0xFFFF << 32) + 255), NOW),), (Piece(Netblock(6, 0xFFFF << 32, 0xFFFF << 32)),)
    )
    assert plan.from_text(plan.to_text(whole)) == whole


def test_a_plan_of_which_nothing_is_left_is_no_text() -> None:
    assert plan.to_text(Plan(made=7)) == ""
    assert plan.from_text("") == Plan()


GOOD = plan.to_text(Plan((Target(block("198.51.100.0/24"), NOW),), (Piece(block("198.51.100.0/24"), NOW, None, "7", 1),), 3))


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "{}",
        "7",
        '"plan"',
        "[",
        "[" * 100_000,
        GOOD[:-1],
        GOOD.replace("[1,", "[2,", 1),
        GOOD.replace("198.51.100.255", "198.51.100.256"),
        GOOD.replace("198.51.100.0-198.51.100.255", "198.51.100.255-198.51.100.0"),
        GOOD.replace("198.51.100.0-", "2001:db8::-"),
        GOOD.replace("2026-11-24T06:00:00.000Z", "2026-11-24"),
        GOOD.replace(str(int(NOW.timestamp())), "1" + "0" * 30),
        GOOD.replace(str(int(NOW.timestamp())), "-99999999999999"),
    ],
)
def test_what_is_no_plan_of_this_version_is_read_as_none(text: str) -> None:
    assert text != GOOD
    assert plan.from_text(text) == Plan()


SCATTERED = plan.text_of([plan.part_text([], [], [(Piece(block("198.51.100.0/24")), int("10" * 9, 2))])], 0, None)


def test_scattered_addresses_are_stored_as_bits_of_a_number() -> None:
    assert '"198.51.100.0-198.51.100.255+2aaaa"' in SCATTERED
    assert texts(plan.from_text(SCATTERED).pending) == [f"198.51.100.{number}/32" for number in range(1, 18, 2)]


@pytest.mark.parametrize("bits", ["-1", "zz", "1" + "0" * 64, "2aaaa+1"])
def test_bits_that_are_no_addresses_of_their_netblock_are_no_plan(bits: str) -> None:
    assert plan.from_text(SCATTERED.replace("2aaaa", bits)) == Plan()


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=20).map(json.dumps))
def test_whatever_stands_in_the_cursor_is_read_without_a_fault(text: str) -> None:
    assert isinstance(plan.from_text(text), Plan)


@given(targets(), traits)
def test_a_plan_is_made_in_moments_that_can_be_stored(wanted: list[Target], reach: Traits) -> None:
    late = [Target(one.netblock, NOW, one.since and one.since.replace(microsecond=123_456)) for one in wanted]
    pieces = made(late, reach)
    assert plan.from_text(plan.to_text(Plan(tuple(wanted), pieces))).pending == pieces
