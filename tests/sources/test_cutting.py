"""How questions are cut into calls and answers into halves, and what an answer leaves to be asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.model import End, Outcome
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources import cutting, plan
from feedsvc.sources.cutting import SHORTEST
from feedsvc.sources.endings import COMPLETE, broken
from feedsvc.sources.plan import Piece
from feedsvc.sources.port import Reply, Traits
from feedsvc.sources.stretches import overlap
from tests.sources.conftest import NOW
from tests.sources.test_plan import ADDRESS, BLOCK, FENCED, RANGE, moments, piece, texts, traits
from tests.sources.test_stretches import small


@st.composite
def calls(draw: st.DrawFn) -> Piece:
    until = draw(st.none() | st.integers(0, 500).map(lambda hours: NOW - timedelta(hours=hours)))
    return Piece(draw(small()), draw(moments), until, draw(st.sampled_from(["", "7"])), draw(st.integers(0, 3)))


def window(one: Piece) -> tuple[datetime, datetime]:
    return one.since or datetime.min.replace(tzinfo=UTC), one.until or datetime.max.replace(tzinfo=UTC)


@given(calls(), traits)
def test_the_halves_cover_exactly_the_piece(call: Piece, reach: Traits) -> None:
    halves = cutting.halves(call, reach, NOW)
    if halves is None:
        return
    one, other = halves
    assert {half.page for half in halves} == {""}
    if one.netblock == other.netblock == call.netblock:
        (since, until), (later, end) = window(other), window(one)
        assert until == later
        assert (since, end) == window(call)
    else:
        assert {window(half) for half in halves} == {window(call)}
        assert not overlap(one.netblock, other.netblock)
        assert (one.netblock.first, other.netblock.last) == (call.netblock.first, call.netblock.last)
        assert one.netblock.last + 1 == other.netblock.first


@given(calls(), traits)
def test_halving_ends_at_one_address_and_one_hour(call: Piece, reach: Traits) -> None:
    waiting, leaves = [call], []
    while waiting:
        one = waiting.pop()
        halves = cutting.halves(one, reach, NOW)
        waiting += halves or ()
        leaves += [] if halves else [one]
        if len(leaves) + len(waiting) > 500:  # of a long window: enough of it was seen
            break
    for leaf in leaves:
        assert leaf.netblock.size == 1 or reach.reach == "address"
        since, until = leaf.since or reach.earliest, leaf.until or NOW
        assert not reach.fenced or until - since < 2 * SHORTEST
        if leaf != call and reach.fenced and leaf.netblock.size == 1 and until > since:
            assert until - since >= SHORTEST - timedelta(seconds=1) or window(leaf) == window(call)


@given(small())
def test_halves_of_a_prefix_are_prefixes(wide: Netblock) -> None:
    for prefix in (part for part in wide.cidrs() if parse_netblock(part).version == wide.version):
        for half in cutting.halves(Piece(parse_netblock(prefix)), BLOCK, NOW) or ():
            assert len(half.netblock.cidrs()) == 1


def test_the_lower_half_and_the_later_half_come_first() -> None:
    lower, upper = cutting.halves(piece("198.51.100.0/24"), FENCED, NOW) or ()
    assert texts([lower, upper]) == ["198.51.100.0/25", "198.51.100.128/25"]
    later, earlier = cutting.halves(piece("198.51.100.7"), FENCED, NOW) or ()
    assert (later.until, earlier.since) == (None, None)
    assert later.since == earlier.until


def test_one_address_cannot_be_halved_where_no_end_of_a_window_is_heeded() -> None:
    assert cutting.halves(piece("198.51.100.7"), RANGE, NOW) is None


@given(small())
def test_calls_about_addresses_are_taken_from_a_piece_one_by_one(wide: Netblock) -> None:
    taken, left = [], Piece(wide, NOW, page="", failures=1)
    rest: Piece | None = left
    while rest is not None:
        call, rest = cutting.first_call(rest, ADDRESS)
        assert (call.netblock.size, call.since, call.failures) == (1, NOW, 1)
        taken.append(call.netblock.first)
    assert taken == list(range(wide.first, wide.last + 1))
    assert plan.calls([left], ADDRESS) == len(taken)
    assert cutting.first_call(left, RANGE) == (left, None)


ONE = piece("198.51.100.0/24", failures=1)


@pytest.mark.parametrize(
    ("reply", "left"),
    [
        (Reply(COMPLETE), None),
        (Reply(COMPLETE, page="2"), [Piece(ONE.netblock, page="2", failures=1)]),
        (Reply(broken("cut off", 1), page="2"), None),
        (Reply(COMPLETE, page="2" * 10_000), None),
        (Reply(End(Outcome.PARTIAL, "capped"), limited=True), [piece("198.51.100.0/25"), piece("198.51.100.128/25")]),
        (Reply(broken("gone", 0), stale=True), None),
    ],
    ids=["all there is", "a page", "a page of no answer", "a page that cannot be kept", "capped", "lost without a page"],
)
def test_what_an_answer_leaves_to_be_asked(reply: Reply, left: list[Piece] | None) -> None:
    assert cutting.rest(ONE, reply, RANGE, NOW) == (None if left is None else tuple(left))


def test_an_answer_whose_page_is_lost_is_asked_for_from_its_beginning() -> None:
    call = piece("198.51.100.7", page="7")
    assert cutting.rest(call, Reply(broken("gone", 0), stale=True), RANGE, NOW) == (piece("198.51.100.7"),)
