"""A provider that never answers about some addresses: that costs those, and not the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.clock import parse_rfc3339, rfc3339
from feedsvc.http import Client, HttpError
from feedsvc.model import End, Outcome
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources import plan
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Known, Question, Traits
from feedsvc.sources.port import Reply as Answered
from tests.sources.atlas import Atlas, Book, FrontGuide, Guide, Seen
from tests.sources.conftest import NOW
from tests.sources.test_asking import NOT_TRANSIENT, blocks, left, source
from tests.standins import faults
from tests.standins.server import Reply

HOUR = timedelta(hours=1)
ONE_BY_ONE = Traits("address", concurrency=1)
RANGE = Traits("range", concurrency=1)
SIX, BEFORE, FOUR = blocks("2001:db8::/120", "192.0.2.0/26", "198.51.100.0/30")
OF_ONE_QUESTION = [400, 404, 410, 422, 451, NOT_TRANSIENT]
OF_ALL = [401, 402, 403, 407]

SEVERAL = 3
"""Polls that may pass between two complete answers about a netblock that nothing is wrong with."""


@pytest.fixture
def server() -> Iterator[Atlas]:
    with Atlas() as running:
        yield running


class Refusing:
    """What a server says about some netblocks, whatever is asked; nothing about all others."""

    def __init__(self, refused: Sequence[Netblock], reply: Reply) -> None:
        self.refused = refused
        self.reply = reply

    def __call__(self, asked: str) -> Reply | None:
        if "example" in asked:
            return None
        about = parse_netblock(asked.partition(" ")[0])
        return self.reply if any(_overlap(about, one) for one in self.refused) else None


def _overlap(one: Netblock, other: Netblock) -> bool:
    return one.version == other.version and one.first <= other.last and other.first <= one.last


def poll(
    book: Book, http: Client, server: Atlas, netblocks: Sequence[Netblock], number: int, traits: Traits = RANGE
) -> None:
    """The poll of one window, an hour after the last one."""
    book.poll(source(http, server, traits, NOW + number * HOUR), netblocks, now=NOW + number * HOUR)


@pytest.mark.parametrize("status", [400, 422, 451, NOT_TRANSIENT])
@pytest.mark.parametrize("refused", [SIX, BEFORE], ids=str)
def test_a_netblock_that_is_always_refused_keeps_no_poll_from_another(
    http: Client, server: Atlas, status: int, refused: Netblock
) -> None:
    server.judge = Refusing([refused], faults.status(status))
    book = Book()
    for number in range(6):
        poll(book, http, server, [refused, FOUR], number, ONE_BY_ONE)
        assert book.ends[str(FOUR)] == End(Outcome.COMPLETE)
        assert book.cursors[str(FOUR)] == rfc3339(NOW + number * HOUR)
        assert book.ends[str(refused)].outcome is Outcome.FAILED
        assert str(status) in book.ends[str(refused)].reason


def test_a_netblock_that_a_gateway_never_answers_about_keeps_no_poll_from_another(http: Client, server: Atlas) -> None:
    large, few = blocks("203.0.113.0/24", "198.51.100.0/30")
    server.judge = Refusing([large], faults.status(504))
    book = Book()
    for number in range(4):
        poll(book, http, server, [large, few], number, ONE_BY_ONE)
        assert book.ends[str(few)] == End(Outcome.COMPLETE)


def test_one_address_that_is_always_refused_costs_its_netblock_the_mark_alone(http: Client, server: Atlas) -> None:
    one, other = blocks("198.51.100.0/29", "203.0.113.0/30")
    server.judge = Refusing(blocks("198.51.100.0", "203.0.113.0"), faults.status(400))
    book = Book()
    # At first nothing tells that the server is asked at the right place.
    poll(book, http, server, [one, other], 0, ONE_BY_ONE)
    assert server.asked == ["198.51.100.0", "203.0.113.0"]
    poll(book, http, server, [one, other], 1, ONE_BY_ONE)
    assert len(set(server.asked)) == 12
    assert sorted(left(book)) == ["198.51.100.0/32", "203.0.113.0/32"]
    assert book.ends[str(one)].reason.endswith("(7 of 8 addresses answered in full)")


@pytest.mark.parametrize("status", OF_ALL)
def test_what_is_refused_as_if_the_key_were_bad_is_asked_last_by_the_next_poll(
    http: Client, server: Atlas, status: int
) -> None:
    server.judge = Refusing([BEFORE], faults.status(status))
    book = Book()
    poll(book, http, server, [BEFORE, FOUR], 0, ONE_BY_ONE)
    assert len(server.asked) == 1
    for number in range(1, 5):
        poll(book, http, server, [BEFORE, FOUR], number, ONE_BY_ONE)
        assert book.ends[str(FOUR)] == End(Outcome.COMPLETE)
    assert sum(asked.startswith("192.") for asked in server.asked) == 5


def test_a_netblock_that_is_answered_again_is_as_urgent_as_any(http: Client, server: Atlas) -> None:
    server.judge = Refusing([SIX], faults.status(422))
    book = Book()
    for number in range(3):
        poll(book, http, server, [SIX, FOUR], number, ONE_BY_ONE)
    [target] = [one for one in plan.from_text(book.cursors[plan.SCOPE]).targets if one.netblock == SIX]
    assert target.failures == 3
    server.judge = lambda _: None
    poll(book, http, server, [SIX, FOUR], 3, ONE_BY_ONE)
    assert {end.outcome for end in book.ends.values()} == {Outcome.COMPLETE}


def test_names_in_front_are_asked_for_though_a_netblock_is_always_refused(http: Client, server: Atlas) -> None:
    server.judge = Refusing([SIX], faults.status(422))
    server.seen = [Seen("k3xq.example", "198.51.100.1")]
    guide = FrontGuide(server.url, Traits("address", concurrency=1, fronts=True))
    ready = PdnsSource("atlas", guide, http, lambda: NOW, fronts_per_poll=1)
    book = Book()
    book.poll(ready, [SIX, FOUR], known=[Known("k3xq.example", ("198.51.100.1",))])
    assert "k3xq.example" in server.asked
    assert ("front.k3xq.example", "198.51.100.1") in book.found


def test_a_server_that_answers_nothing_is_asked_about_no_more_than_three_netblocks(http: Client, server: Atlas) -> None:
    server.judge = lambda _: faults.status(422)
    book = Book()
    poll(book, http, server, blocks(*(f"198.51.{number}.0/30" for number in range(20))), 0, ONE_BY_ONE)
    assert server.asked == ["198.51.0.0", "198.51.1.0", "198.51.2.0"]


@pytest.mark.parametrize("status", [400, 404, 422])
def test_until_anything_was_answered_a_netblock_is_asked_no_further_once_the_server_takes_exception(
    server: Atlas, http: Client, status: int
) -> None:
    class Plain(Guide):
        def refused(self, err: HttpError, question: Question) -> Answered | None:
            return None

    server.judge = lambda _: faults.status(status)
    for netblocks in ([BEFORE], [BEFORE, FOUR]):
        server.asked.clear()
        book = Book()
        book.poll(PdnsSource("atlas", Plain(server.url, ONE_BY_ONE), http, lambda: NOW), netblocks)
        assert server.asked == [parse_netblock(str(one)).cidrs()[0].rpartition("/")[0] for one in netblocks]
        assert {end.outcome for end in book.ends.values()} == {Outcome.FAILED}
        assert {end.again_at for end in book.ends.values()} == {None}


def test_what_an_overlapping_netblock_wants_as_well_is_asked_all_the_same(http: Client, server: Atlas) -> None:
    server.judge = Refusing(blocks("192.0.2.0"), faults.status(422))
    small, large = blocks("192.0.2.0/30", "192.0.2.2-192.0.2.7")
    book = Book()
    poll(book, http, server, [small, large], 0, ONE_BY_ONE)
    assert server.asked == [f"192.0.2.{number}" for number in range(8)]
    assert book.ends[str(large)] == End(Outcome.COMPLETE)
    assert left(book) == ["192.0.2.0/32"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["well", "well", "one", "many", "all"]), min_size=2, max_size=7),
    status=st.sampled_from([*OF_ONE_QUESTION, 403]),
    width=st.integers(1, 3),
    by_address=st.booleans(),
)
def test_netblocks_without_a_fault_are_answered_in_full_whatever_is_refused_about_others(
    http: Client, kinds: list[str], status: int, width: int, by_address: bool
) -> None:
    netblocks = blocks(*(f"198.51.{number}.0/29" for number in range(len(kinds))))
    sizes = {"well": 0, "one": 1, "many": 5, "all": 8}
    refused = [
        Netblock(4, one.first, one.first + sizes[kind] - 1)
        for one, kind in zip(netblocks, kinds, strict=True)
        if sizes[kind]
    ]
    healthy = [str(one) for one, kind in zip(netblocks, kinds, strict=True) if kind == "well"]
    traits = Traits("address" if by_address else "range", concurrency=width)
    with Atlas() as server:
        server.judge = Refusing(refused, faults.status(status))
        book = Book()
        for number in range(12):
            poll(book, http, server, netblocks, number, traits)
            # Until each was asked about once, nobody knows which are refused.
            if number >= len(kinds):
                late = NOW + (number - SEVERAL) * HOUR
                assert all(parse_rfc3339(book.cursors[one]) >= late for one in healthy)
