"""A poll that is cut short anywhere, by anything, and carried on from what was stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.clock import rfc3339
from feedsvc.http import Client
from feedsvc.model import Outcome
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources import plan
from feedsvc.sources.port import Traits
from tests.sources.atlas import Atlas, Book, Seen, settle_down
from tests.sources.conftest import NOW
from tests.sources.pdns.asking import Counted
from tests.sources.test_asking import NOT_TRANSIENT, blocks, marks, names, source
from tests.standins import faults
from tests.standins.server import Reply

NETS = ["198.51.100.0/29", "198.51.100.4/30", "198.51.100.6-198.51.100.11", "198.51.100.16/31", "2001:db8::/126"]
HOSTS = [*(f"198.51.100.{number}" for number in range(20)), *(f"2001:db8::{number}" for number in range(6))]


@dataclass(frozen=True)
class World:
    """What is watched, what there is to know, and how the provider can be asked for it."""

    netblocks: tuple[Netblock, ...]
    seen: tuple[Seen, ...]
    traits: Traits
    cap: int | None
    paged: bool

    def known(self, seen: Iterable[Seen]) -> set[tuple[str, str]]:
        """Who was where, as far as anybody watches there."""
        return self.within(self.netblocks, seen)

    def within(self, netblocks: Iterable[Netblock], seen: Iterable[Seen]) -> set[tuple[str, str]]:
        """Who was where in some of the netblocks."""
        return {(one.name, one.address) for one in seen if any(_holds(block, one.address) for block in netblocks)}


def complete(book: Book, netblocks: Iterable[Netblock]) -> list[Netblock]:
    """Those that were answered in full, as the latest poll says."""
    return [one for one in netblocks if book.ends[str(one)].outcome is Outcome.COMPLETE]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds in which every question can be answered in full once it is cut small enough."""
    fenced, reach = draw(st.booleans()), draw(st.sampled_from(["address", "netblock", "range"]))
    traits = Traits(reach, fenced=fenced, concurrency=draw(st.integers(1, 4)))  # type: ignore[arg-type]
    rows = draw(
        st.lists(st.tuples(st.integers(0, 30), st.sampled_from(HOSTS), st.integers(0, 400)), max_size=30, unique=True)
    )
    seen = tuple(Seen(f"n{name}.example", host, 1_750_000_000 + days * 86_400) for name, host, days in rows)
    cap, paged = draw(st.none() | st.integers(3, 8)), draw(st.booleans())
    if not paged and not (fenced and _is_divisible(seen, cap)):
        cap = None
    netblocks = blocks(*draw(st.lists(st.sampled_from(NETS), min_size=1, max_size=4, unique=True)))
    return World(tuple(netblocks), seen, traits, cap, paged)


fault = st.sampled_from([faults.status(500), faults.status(NOT_TRANSIENT), faults.cut(b'{"ro')])


@st.composite
def polls(draw: st.DrawFn) -> tuple[int | None, int | None, list[Reply | None]]:
    """After how many batches it is interrupted, how many calls it may make, and the faults of its calls."""
    wrong = draw(st.lists(st.none() | fault, max_size=6))
    return draw(st.none() | st.integers(0, 12)), draw(st.none() | st.integers(0, 10)), wrong


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(worlds(), st.lists(polls(), max_size=6))
def test_a_poll_that_is_interrupted_anywhere_asks_nothing_twice_and_misses_nothing(
    http: Client, world: World, interruptions: list[tuple[int | None, int | None, list[Reply | None]]]
) -> None:
    with Atlas(world.seen, cap=world.cap, paged=world.paged) as server:
        book, cut, continuing = Book(), 0, False
        for batches, most, wrong in [*interruptions, *[(None, None, [])] * 3]:
            replies = iter(wrong)
            server.judge = lambda _, replies=replies: next(replies, None)  # type: ignore[misc]
            before, budget = len(server.asked), Counted(most=most)
            ready = source(http, server, world.traits)
            ended = book.poll(ready, world.netblocks, budget=budget, batches=batches, continuing=continuing)
            settle_down()
            assert len(server.asked) - before == budget.spent
            # Of an interrupted poll the calls that were under way are to be made again, and the one not stored yet.
            cut += 0 if ended else world.traits.concurrency + 1
            continuing = plan.SCOPE in book.cursors
            if len(marks(book)) == len(world.netblocks):
                break
        assert book.cursors == {str(one): rfc3339(NOW) for one in world.netblocks}
        assert book.found == world.known(server.seen)
        assert sum(count - 1 for count in Counter(server.good).values()) <= cut


def _is_divisible(seen: Iterable[Seen], cap: int | None) -> bool:
    """Whether no hour of one address has more rows than a provider gives at once."""
    hours = Counter((one.address, one.last // 3600) for one in seen)
    return cap is None or max(hours.values(), default=0) <= cap


def _holds(block: Netblock, address: str) -> bool:
    found = parse_netblock(address)
    return found.version == block.version and block.first <= found.first <= block.last


@pytest.fixture
def server() -> Iterator[Atlas]:
    with Atlas() as running:
        yield running


@pytest.mark.parametrize("batches", range(16))
def test_with_one_call_at_a_time_none_is_made_twice_but_the_one_that_was_cut(
    http: Client, server: Atlas, batches: int
) -> None:
    server.seen, server.cap, server.paged = names(40), 2, True
    netblocks = blocks("198.51.100.0/29", "198.51.100.6/31")
    book = Book()
    ended = book.poll(source(http, server), netblocks, batches=batches)
    cut = [] if ended else server.asked[-2:]
    book.poll(source(http, server), netblocks, continuing=plan.SCOPE in book.cursors)
    twice = [asked for asked, count in Counter(server.asked).items() if count > 1]
    assert set(twice) <= set(cut)
    assert len(twice) <= 2
    assert len(book.found) == 8
    assert set(book.cursors) == {str(one) for one in netblocks}


@dataclass(frozen=True)
class Event:
    """A name that is new somewhere, and a poll: of which netblocks, carried on or not, and what becomes of it."""

    news: str
    asked: frozenset[int]
    continuing: bool
    batches: int | None
    most: int | None
    wrong: tuple[Reply | None, ...]


events = st.builds(
    Event,
    st.sampled_from(HOSTS),
    st.frozensets(st.integers(0, 3), min_size=1),
    st.booleans(),
    st.none() | st.integers(0, 12),
    st.none() | st.integers(0, 10),
    st.lists(st.none() | fault, max_size=6).map(tuple),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(worlds(), st.lists(events, max_size=8))
def test_whatever_happens_to_polls_every_netblock_is_answered_in_full_in_the_end_and_no_news_is_missed(
    http: Client, world: World, happened: list[Event]
) -> None:
    with Atlas(world.seen, cap=world.cap, paged=world.paged) as server:
        book, now = Book(), NOW
        quiet = [Event(HOSTS[0], frozenset(range(4)), continuing=False, batches=None, most=None, wrong=())] * 4
        for number, event in enumerate([*happened, *quiet]):
            now += timedelta(hours=1)
            server.seen.append(Seen(f"new{number}.example", event.news, int(now.timestamp()) - 1))
            netblocks = [one for index, one in enumerate(world.netblocks) if index in event.asked]
            replies = iter(event.wrong)
            server.judge = lambda _, replies=replies: next(replies, None)  # type: ignore[misc]
            before, budget = len(server.asked), Counted(most=event.most)
            ended = book.poll(
                source(http, server, world.traits, now),
                netblocks,
                watched=world.netblocks,
                budget=budget,
                batches=event.batches,
                continuing=event.continuing,
                now=now,
            )
            settle_down()
            assert len(server.asked) - before == budget.spent
            if ended and not event.continuing:
                assert {str(one) for one in netblocks} <= set(book.ends)
                assert world.within(complete(book, netblocks), server.seen) <= book.found
        assert set(book.cursors) == {str(one) for one in world.netblocks}
        assert {book.ends[str(one)].outcome for one in world.netblocks} == {Outcome.COMPLETE}
        assert book.found == world.known(server.seen)
