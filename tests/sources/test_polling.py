"""A provider as a source: from where it is asked, what moves the mark, what a new window adds, and when it is left alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.clock import rfc3339
from feedsvc.http import Client, Request
from feedsvc.model import Cursor, End, Learnt, Outcome, Span
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources import plan
from feedsvc.sources.plan import Piece, Plan, Target
from feedsvc.sources.polling import BUSY, PdnsSource, marks
from feedsvc.sources.port import OVERLAP, Poll, Source, Traits
from tests.sources.atlas import Atlas, Book, Guide, Seen
from tests.sources.conftest import NETBLOCK, NOW
from tests.sources.pdns.asking import Counted
from tests.standins import faults

RANGE = Traits("range", concurrency=1)
ONE_BY_ONE = Traits("address", concurrency=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def blocks(*texts: str) -> list[Netblock]:
    return [parse_netblock(text) for text in texts]


FEW = blocks("198.51.100.4/30")


@pytest.fixture
def server() -> Iterator[Atlas]:
    with Atlas() as running:
        yield running


def source(
    http: Client, server: Atlas, traits: Traits = RANGE, *, now: datetime = NOW, overlap: timedelta | None = None
) -> PdnsSource:
    return PdnsSource("atlas", Guide(server.url, traits), http, lambda: now, overlap=overlap)


def planned(
    http: Client,
    netblocks: Sequence[Netblock],
    cursors: Mapping[str, str] | None = None,
    traits: Traits = RANGE,
    *,
    overlap: timedelta | None = None,
    now: datetime = NOW,
    continuing: bool = False,
    active: Mapping[str, datetime] | None = None,
) -> Plan:
    """What a poll would ask, without a server: nobody is asked."""
    ready = PdnsSource("atlas", Guide("http://127.0.0.1:1", traits), http, lambda: now, overlap=overlap)
    return ready.plan(Poll(netblocks, cursors or {}, now, active=active or {}, continuing=continuing))


def asked_since(http: Client, cursor: str | None, overlap: timedelta | None = None) -> datetime | None:
    cursors = {str(NETBLOCK): cursor} if cursor is not None else {}
    [piece] = planned(http, [NETBLOCK], cursors, overlap=overlap).pending
    return piece.since


def texts(whole: Plan) -> list[str]:
    return [str(piece.netblock) for piece in whole.pending]


# -- from where ---------------------------------------------------------------------------------------------------------


def test_it_is_a_source(http: Client, server: Atlas) -> None:
    ready: Source = source(http, server)
    assert (ready.name, ready.kind) == ("atlas", "pdns")


def test_without_a_mark_everything_is_asked_for(http: Client) -> None:
    assert asked_since(http, None) is None
    assert asked_since(http, "") is None


def test_with_a_mark_it_is_asked_from_there_less_the_overlap(http: Client) -> None:
    mark = "2026-11-20T06:00:00.000Z"
    assert asked_since(http, mark, 6 * HOUR) == datetime.fromisoformat("2026-11-20T00:00:00Z")
    assert asked_since(http, mark, timedelta(0)) == datetime.fromisoformat(mark)
    assert asked_since(http, mark) == datetime.fromisoformat(mark) - OVERLAP


def test_the_provider_may_know_its_own_overlap(http: Client) -> None:
    slow = dataclasses.replace(RANGE, overlap=3 * DAY)
    [piece] = planned(http, [NETBLOCK], {str(NETBLOCK): "2026-11-20T06:00:00.000Z"}, slow).pending
    assert piece.since == datetime.fromisoformat("2026-11-17T06:00:00Z")


@pytest.mark.parametrize("mark", ["yesterday", "2026-11-20", "2026-11-20T06:00:00", "0001-01-01T00:00:00Z"])
def test_a_mark_that_cannot_be_read_asks_for_everything(http: Client, mark: str) -> None:
    assert asked_since(http, mark) is None


def test_a_mark_in_the_future_counts_as_now(http: Client) -> None:
    assert asked_since(http, "2030-01-01T00:00:00.000Z", HOUR) == NOW - HOUR


def test_a_complete_answer_moves_the_mark_to_where_the_poll_began(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server, now=NOW + HOUR), [NETBLOCK])
    assert book.batches[-1].cursors[0] == Cursor("atlas", "198.51.100.0/24", "2026-11-24T06:00:00.000Z")


def test_a_plan_that_took_long_moves_the_mark_to_where_its_asking_began(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server, ONE_BY_ONE), FEW, budget=Counted(most=2))
    book.poll(source(http, server, ONE_BY_ONE, now=NOW + DAY), FEW, now=NOW + DAY, continuing=True)
    assert book.cursors == {str(FEW[0]): rfc3339(NOW)}


@pytest.mark.parametrize("fault", [faults.status(500), faults.status(401), faults.cut(b"{"), faults.status(404)])
def test_what_is_not_complete_moves_no_mark(http: Client, server: Atlas, fault: object) -> None:
    server.fault = fault  # type: ignore[assignment]
    book = Book()
    book.poll(source(http, server), [NETBLOCK])
    assert book.ends[str(NETBLOCK)].outcome is Outcome.FAILED
    assert set(book.cursors) == {plan.SCOPE}


def test_the_marks_of_netblocks_are_told_from_the_other_cursors() -> None:
    cursors = {"198.51.100.0/24": "a", plan.SCOPE: "b", "front/k3xq.example": "c"}
    assert marks(cursors) == {"198.51.100.0/24": "a"}


# -- what a new window adds, and what a continued poll does not ----------------------------------------------------------


def test_a_new_window_adds_the_netblocks_that_are_not_being_asked_about(http: Client, server: Atlas) -> None:
    one, other = blocks("198.51.100.4/31", "198.51.100.8/31")
    book = Book()
    book.poll(source(http, server, ONE_BY_ONE), [one], budget=Counted(most=1))
    after = planned(http, [one, other], book.cursors, ONE_BY_ONE, now=NOW + HOUR)
    assert texts(after) == ["198.51.100.5/32", "198.51.100.8/31"] or texts(after) == ["198.51.100.8/31", "198.51.100.5/32"]
    assert {target.began for target in after.targets} == {NOW, NOW + HOUR}


def test_a_poll_that_is_carried_on_adds_nothing(http: Client, server: Atlas) -> None:
    one, other = blocks("198.51.100.4/31", "198.51.100.8/31")
    book = Book()
    book.poll(source(http, server, ONE_BY_ONE), [one], budget=Counted(most=1))
    assert texts(planned(http, [one, other], book.cursors, ONE_BY_ONE, continuing=True)) == ["198.51.100.5/32"]


def test_a_netblock_that_overlaps_one_that_is_being_asked_about_shares_what_waits(http: Client, server: Atlas) -> None:
    one, other = blocks("198.51.100.4/30", "198.51.100.6-198.51.100.9")
    book = Book()
    book.poll(source(http, server, ONE_BY_ONE), [one], budget=Counted(most=1))
    after = planned(http, [one, other], book.cursors, ONE_BY_ONE)
    assert sorted(texts(after)) == ["198.51.100.5-198.51.100.7", "198.51.100.8/31"]


def test_where_nothing_is_left_a_poll_that_is_carried_on_asks_nothing(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server), FEW, continuing=True)
    assert server.asked == []
    assert book.said == [End(Outcome.SKIPPED, "there is nothing to ask about")]


def test_without_netblocks_nothing_is_asked(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server), [])
    assert [(batch.scope, batch.end) for batch in book.batches] == [
        ((), End(Outcome.SKIPPED, "there is nothing to ask about"))
    ]


def test_what_nobody_watches_any_more_is_not_asked(http: Client, server: Atlas) -> None:
    one, other = blocks("198.51.100.4/31", "198.51.100.8/31")
    book = Book()
    book.poll(source(http, server, ONE_BY_ONE), [one, other], budget=Counted(most=1))
    assert texts(planned(http, [other], book.cursors, ONE_BY_ONE)) == ["198.51.100.8/31"]
    book.poll(source(http, server, ONE_BY_ONE), [], continuing=True)
    assert book.cursors == {}
    assert len(server.asked) == 1


def test_a_provider_that_changed_its_reach_is_asked_for_what_is_left_as_it_can_be(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server, ONE_BY_ONE), blocks("198.51.100.0/28"), budget=Counted(most=3))
    by_prefix = planned(http, blocks("198.51.100.0/28"), book.cursors, Traits("netblock"))
    assert texts(by_prefix) == ["198.51.100.3/32", "198.51.100.4/30", "198.51.100.8/29"]
    book.poll(source(http, server, Traits("netblock", concurrency=1)), blocks("198.51.100.0/28"), continuing=True)
    assert book.cursors == {"198.51.100.0/28": rfc3339(NOW)}


def test_a_cursor_that_holds_no_plan_is_as_none(http: Client) -> None:
    assert texts(planned(http, FEW, {plan.SCOPE: "once upon a time"})) == ["198.51.100.4/30"]


def test_what_failed_for_good_is_kept_beside_a_netblock_that_is_begun_anew(http: Client) -> None:
    began = NOW - HOUR
    worn = Plan((Target(FEW[0], began),), (Piece(parse_netblock("198.51.100.5"), failures=2),))
    cursors = {plan.SCOPE: plan.to_text(worn)}
    after = planned(http, FEW, cursors)
    assert after.targets == (Target(FEW[0], NOW, began - OVERLAP),)
    since = began - OVERLAP
    assert set(after.pending) == {
        Piece(parse_netblock("198.51.100.5"), failures=2),
        Piece(parse_netblock("198.51.100.4"), since),
        Piece(parse_netblock("198.51.100.6/31"), since),
    }
    # A poll that is carried on tries it once more, and nothing beside it.
    assert planned(http, FEW, cursors, continuing=True) == worn


def test_the_same_netblock_given_twice_is_one(http: Client) -> None:
    assert texts(planned(http, [*FEW, *FEW])) == ["198.51.100.4/30"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    kinds=st.lists(st.sampled_from(["quiet", "lively", "failing", "hopeless"]), min_size=2, max_size=6),
    few=st.integers(1, 2),
)
def test_nothing_starves_however_few_calls_a_poll_has(http: Client, kinds: list[str], few: int) -> None:
    netblocks = blocks(*(f"198.51.{number}.0/24" for number in range(len(kinds))))
    kind_of = dict(zip(netblocks, kinds, strict=True))
    cursors: dict[str, str] = {}
    asked = dict.fromkeys(netblocks, -1)
    for number in range(200):
        now = NOW + number * HOUR
        active = {str(one): now for one, kind in kind_of.items() if kind == "lively"}
        whole = planned(http, netblocks, cursors, now=now, active=active)
        waiting = list(whole.pending)
        for piece in whole.pending[:few]:
            asked[piece.netblock] = number
            waiting.remove(piece)
            if kind_of[piece.netblock] in ("failing", "hopeless"):
                more = 1 if kind_of[piece.netblock] == "failing" else 2
                waiting.append(dataclasses.replace(piece, failures=piece.failures + more))
            else:
                cursors[str(piece.netblock)] = rfc3339(now)
        left = {piece.netblock for piece in waiting}
        targets = tuple(target for target in whole.targets if target.netblock in left)
        cursors[plan.SCOPE] = plan.to_text(dataclasses.replace(whole, targets=targets, pending=tuple(waiting)))
        # Whatever is of no use has its turn now and then; what is asked well has it soon, even if others never are.
        patient = {one: last for one, last in asked.items() if kind_of[one] in ("quiet", "lively")}
        assert all(number - last <= 8 * len(kinds) for last in patient.values())
    assert min(asked.values()) >= 0


# -- what is not asked --------------------------------------------------------------------------------------------------


def test_a_netblock_with_too_many_addresses_is_skipped_with_its_price(http: Client, server: Atlas) -> None:
    few = dataclasses.replace(ONE_BY_ONE, max_addresses=255)
    book = Book()
    book.poll(source(http, server, few), [NETBLOCK, *FEW, *blocks("2001:db8::/64")])
    assert server.asked == [f"198.51.100.{number}" for number in range(4, 8)]
    assert book.ends["198.51.100.0/24"].outcome is Outcome.SKIPPED
    assert "198.51.100.0/24 would cost 256 questions a poll" in book.ends["198.51.100.0/24"].reason
    assert "raise max_addresses" in book.ends["198.51.100.0/24"].reason
    assert "would cost 2^64 questions" in book.ends["2001:db8::/64"].reason
    assert book.ends[str(FEW[0])] == End(Outcome.COMPLETE)


def test_a_netblock_of_any_size_is_asked_of_who_knows_netblocks(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server), blocks("2001:db8::/32"))
    assert book.ends["2001:db8::/32"] == End(Outcome.COMPLETE)


def test_a_netblock_that_became_too_large_has_one_end_and_leaves_the_plan(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server, ONE_BY_ONE), FEW, budget=Counted(most=1))
    few = dataclasses.replace(ONE_BY_ONE, max_addresses=3)
    book.poll(source(http, server, few), FEW)
    assert list(book.ends) == [str(FEW[0])]
    assert book.ends[str(FEW[0])].outcome is Outcome.SKIPPED
    assert len(server.asked) == 1
    assert book.cursors == {}


def test_while_every_connection_is_in_use_nothing_is_asked(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server), FEW, budget=Counted(free=0))
    assert server.asked == []
    assert book.ends[str(FEW[0])].outcome is Outcome.SKIPPED
    assert "in use by another poll" in book.ends[str(FEW[0])].reason


@pytest.mark.parametrize("times", [1, 3])
def test_who_finds_every_connection_in_use_asks_a_moment_later_what_it_would_have_asked(
    http: Client, server: Atlas, times: int
) -> None:
    book = Book()
    for number in range(times):
        book.poll(source(http, server), FEW, budget=Counted(free=0), continuing=number > 0)
        assert book.ends[str(FEW[0])].again_at == NOW + BUSY
    book.poll(source(http, server), FEW, continuing=True)
    assert len(server.asked) == 1
    assert book.cursors == {str(FEW[0]): rfc3339(NOW)}


def test_no_more_connections_are_used_than_are_free(http: Client, server: Atlas) -> None:
    wide = dataclasses.replace(ONE_BY_ONE, concurrency=8)
    Book().poll(source(http, server, wide), blocks("198.51.100.0/27"), budget=Counted(free=2))
    assert server.peak <= 2


# -- what is told before ------------------------------------------------------------------------------------------------


def test_the_requests_of_a_plan_are_those_that_a_poll_makes(http: Client, server: Atlas) -> None:
    ready = source(http, server, ONE_BY_ONE)
    wanted = Poll(blocks("198.51.100.4/30", "2001:db8::/126"), {}, NOW)
    told = [request.params["first"] for _, request in ready.calls(ready.plan(wanted))]
    assert server.calls == []
    Book().poll(ready, wanted.netblocks)
    assert told == server.asked


def test_what_is_skipped_is_told_with_its_price(http: Client, server: Atlas) -> None:
    [(netblock, end)] = source(http, server, ONE_BY_ONE).skipped([*FEW, *blocks("2001:db8::/64")])
    assert (str(netblock), end.outcome) == ("2001:db8::/64", Outcome.SKIPPED)


@dataclasses.dataclass(frozen=True, slots=True)
class Telling(Guide):
    """One that tells its quotas."""

    def quota_request(self) -> Request:
        return Request(f"{self.url}/ask", params={"first": "0.0.0.0", "last": "0.0.0.0"})

    def read_quota(self, body: bytes, now: datetime) -> Sequence[Learnt]:
        return [Learnt("day", limit=len(body) and 100)]


def telling(http: Client, server: Atlas) -> PdnsSource:
    return PdnsSource("atlas", Telling(server.url, RANGE), http, lambda: NOW)


def test_a_provider_that_tells_its_quotas_is_asked_for_them_once_they_are_old(http: Client, server: Atlas) -> None:
    old, fresh = Counted(old=True), Counted()
    Book().poll(telling(http, server), FEW, budget=old)
    Book().poll(telling(http, server), FEW, budget=fresh)
    assert (old.learnt, fresh.learnt) == ([Learnt("day", limit=100)], [])
    assert (old.spent, fresh.spent) == (1, 1)
    assert len(server.asked) == 3


def test_quotas_that_are_not_told_keep_nobody_from_asking(http: Client, server: Atlas) -> None:
    server.faults = [faults.status(500)]
    book, budget = Book(), Counted(old=True)
    book.poll(telling(http, server), FEW, budget=budget)
    assert book.ends[str(FEW[0])] == End(Outcome.COMPLETE)
    assert (budget.overs, budget.untold_times) == ([], 1)


@pytest.mark.parametrize(
    ("status", "wait", "over"), [(429, "7200", ("burst", 7200.0)), (429, "", ("burst", None)), (503, "30", (None, 30.0))]
)
def test_who_is_asked_for_quotas_and_wants_to_be_left_alone_is_heard(
    http: Client, server: Atlas, status: int, wait: str, over: tuple[Span | None, float | None]
) -> None:
    server.faults = [faults.status(status, "", {"Retry-After": wait} if wait else None)]
    budget = Counted(old=True)
    Book().poll(telling(http, server), FEW, budget=budget)
    assert budget.overs == [over]
    assert budget.untold_times == 1


def test_quotas_are_not_asked_for_where_there_is_nothing_to_ask(http: Client, server: Atlas) -> None:
    Book().poll(telling(http, server), [], budget=Counted(old=True))
    assert server.asked == []


def test_names_are_found_by_a_poll_of_what_is_new(http: Client, server: Atlas) -> None:
    server.seen = [Seen("old.example", "198.51.100.5", int((NOW - 3 * DAY).timestamp()))]
    book = Book()
    book.poll(source(http, server), FEW)
    server.seen.append(Seen("new.example", "198.51.100.5", int(NOW.timestamp())))
    book.found.clear()
    book.poll(source(http, server, now=NOW + HOUR), FEW, now=NOW + HOUR)
    assert book.found == {("new.example", "198.51.100.5")}
