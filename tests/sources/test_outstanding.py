"""What waits of a plan while it is asked, held against a plain set of what was not answered yet."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.names import parse_netblock
from feedsvc.sources import cutting, plan
from feedsvc.sources.outstanding import Outstanding
from feedsvc.sources.plan import Piece, Plan, Target
from feedsvc.sources.port import Traits
from tests.sources.conftest import NOW
from tests.sources.test_plan import targets, traits
from tests.sources.test_stretches import addresses

ADDRESS, RANGE = Traits("address"), Traits("range")


def one(text: str, *, since: int = 0, page: str = "", failures: int = 0) -> Piece:
    return Piece(parse_netblock(text), NOW - timedelta(hours=since) if since else None, None, page, failures)


def outstanding(targets: list[str], pieces: list[Piece], reach: Traits = ADDRESS) -> Outstanding:
    return Outstanding(Plan(tuple(Target(parse_netblock(text), NOW) for text in targets), tuple(pieces)), reach)


def asked(pieces: Outstanding) -> list[str]:
    return [str(piece.netblock) for piece in pieces]


@settings(max_examples=40)
@given(targets(), traits, st.data())
def test_a_target_is_done_with_the_last_answer_that_it_wants_and_never_before(
    wanted: list[Target], reach: Traits, data: st.DataObject
) -> None:
    whole = plan.extended(Plan(), wanted, reach)
    waiting = Outstanding(whole, reach)
    left = {call for piece in whole.pending for call in calls(piece, reach)}
    done: list[Target] = []
    while left:
        call = data.draw(st.sampled_from(sorted(left, key=repr)))
        left.remove(call)
        more = data.draw(st.sampled_from([(), cutting.halves(call, reach, NOW) or (), (fail(call),)]))
        more = more if len(left) < 40 else ()
        left |= {half for piece in more for half in calls(piece, reach)}
        done += waiting.settle(call, more)
        assert set(done) == {target for target in wanted if not any(piece.concerns(target) for piece in left)}
        stored = plan.from_text(waiting.text(3, NOW))
        assert {piece for whole in stored.pending for piece in calls(whole, reach)} == left
        assert set(stored.targets) == set(wanted) - set(done)
    assert sorted(done, key=repr) == sorted(wanted, key=repr)
    assert waiting.text(3, NOW) == ""


def calls(piece: Piece, reach: Traits) -> list[Piece]:
    found, left = [], piece
    while True:
        call, rest = cutting.first_call(left, reach)
        found.append(call)
        if rest is None:
            return found
        left = rest


def fail(call: Piece) -> Piece:
    return Piece(call.netblock, call.since, call.until, call.page, min(call.failures + 1, 1))


@given(targets(), traits, st.data())
def test_the_addresses_that_are_answered_for_are_those_of_which_nothing_waits(
    wanted: list[Target], reach: Traits, data: st.DataObject
) -> None:
    pieces = plan.extended(Plan(), wanted, reach).pending
    waiting = Outstanding(Plan(tuple(wanted), pieces), reach)
    every = [call for piece in pieces for call in calls(piece, reach)]
    for call in data.draw(st.lists(st.sampled_from(every), unique=True, max_size=len(every) - 1)):
        waiting.settle(call)
    missing = addresses(*(piece.netblock for piece in waiting))
    for target in wanted:
        assert waiting.group(target).answered(target) == len(addresses(target.netblock) - missing)


def test_neighbouring_addresses_are_one_piece_in_what_is_stored() -> None:
    waiting = outstanding(["198.51.100.0/24"], [one("198.51.100.0/24")])
    for number in (7, 8, 100):
        waiting.settle(one(f"198.51.100.{number}"))
    assert asked(waiting) == ["198.51.100.0-198.51.100.6", "198.51.100.9-198.51.100.99", "198.51.100.101-198.51.100.255"]


def test_many_scattered_addresses_are_stored_in_little_room() -> None:
    waiting = outstanding(["198.18.0.0/20"], [one("198.18.0.0/20")])
    for number in range(0, 4096, 2):
        waiting.settle(one(f"198.18.{number // 256}.{number % 256}"))
    text = waiting.text(0, None)
    assert len(text) < 1200
    assert [piece.netblock for piece in plan.from_text(text).pending] == [piece.netblock for piece in waiting]
    assert len(list(waiting)) == 2048


def test_addresses_that_wait_for_something_else_are_kept_apart() -> None:
    pieces = [one("198.51.100.0/31"), one("198.51.100.2/31", since=1), one("198.51.100.4/31", failures=1)]
    waiting = outstanding(["198.51.100.0/24"], [*pieces, one("198.51.100.6", page="7"), one("198.51.100.7")])
    assert sorted(asked(waiting)) == [*(str(piece.netblock) for piece in pieces), "198.51.100.6/32", "198.51.100.7/32"]
    assert set(waiting) == {*pieces, one("198.51.100.6", page="7"), one("198.51.100.7")}


def test_a_page_of_an_address_and_its_beginning_are_two_things_to_wait_for() -> None:
    waiting = outstanding(["198.51.100.7"], [one("198.51.100.7", page="7"), one("198.51.100.7")])
    assert waiting.settle(one("198.51.100.7")) == []
    assert len(waiting.settle(one("198.51.100.7", page="7"))) == 1


@pytest.mark.parametrize("reach", [ADDRESS, RANGE])
def test_what_waits_already_is_no_news_and_waits_once(reach: Traits) -> None:
    waiting = outstanding(["198.51.100.4/30"], [one("198.51.100.4", page="7"), one("198.51.100.4/31")], reach)
    half = one("198.51.100.4/31")
    assert waiting.news([half, one("198.51.100.6/31")]) == [one("198.51.100.6/31")]
    waiting.settle(one("198.51.100.4", page="7"), [half])
    assert set(waiting) == {half}
    assert len(waiting.settle(half)) == 1


@pytest.mark.parametrize("reach", [ADDRESS, RANGE])
def test_an_answer_that_comes_twice_is_settled_once(reach: Traits) -> None:
    waiting = outstanding(["198.51.100.4", "198.51.100.5"], [one("198.51.100.4"), one("198.51.100.5")], reach)
    assert len(waiting.settle(one("198.51.100.4"))) == 1
    assert waiting.settle(one("198.51.100.4")) == []
    assert asked(waiting) == ["198.51.100.5/32"]


def test_an_answer_is_written_into_the_part_of_the_plan_that_it_is_about() -> None:
    waiting = outstanding(["192.0.2.0/24", "198.51.100.0/24"], [one("192.0.2.0/24"), one("198.51.100.0/24")], RANGE)
    before = waiting.text(0, None)
    waiting.settle(one("198.51.100.0/24"), [one("198.51.100.0/25")])
    assert waiting.text(0, None) == before.replace(
        '[["198.51.100.0-198.51.100.255",null', '[["198.51.100.0-198.51.100.127",null'
    )


def test_of_netblocks_that_are_done_nothing_is_kept() -> None:
    waiting = outstanding(["192.0.2.0/24", "198.51.100.0/24"], [one("192.0.2.0/24"), one("198.51.100.0/24")], RANGE)
    [done] = waiting.settle(one("192.0.2.0/24"))
    assert str(done.netblock) == "192.0.2.0/24"
    assert "192.0.2" not in waiting.text(1, None)
