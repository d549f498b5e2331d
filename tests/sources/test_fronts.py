"""Names in front of findings: which are asked about, how often, and that no netblock depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.clock import rfc3339
from feedsvc.http import Client
from feedsvc.model import Cursor, End, Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.fronts import AGAIN, PAGES, SCOPE, SOON, chosen, forgotten
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Known, Poll, Provider, Traits
from tests.sources.atlas import Atlas, Book, FrontGuide, Guide, Seen
from tests.sources.conftest import NOW
from tests.sources.pdns.asking import Counted
from tests.standins import faults
from tests.standins.server import Reply

WHERE = ("198.51.100.7",)
FEW = [parse_netblock("198.51.100.7")]
KNOWN = [Known(f"n{number}.example", WHERE) for number in range(6)]
DONE = End(Outcome.COMPLETE)


@pytest.fixture
def server() -> Iterator[Atlas]:
    with Atlas(Seen(one.name, WHERE[0]) for one in KNOWN) as running:
        yield running


def source(http: Client, server: Atlas, most: int = 2, now: datetime = NOW, provider: Provider | None = None) -> PdnsSource:
    return PdnsSource("atlas", provider or FrontGuide(server.url), http, lambda: now, fronts_per_poll=most)


def poll(
    http: Client, server: Atlas, book: Book, known: Sequence[Known] = KNOWN, *, most: int = 2, now: datetime = NOW
) -> list[str]:
    """The names that a poll asked about, page by page."""
    server.asked.clear()
    assert book.poll(source(http, server, most, now), FEW, known=known, now=now)
    return [asked for asked in server.asked if asked.startswith("n")]


def on(moment: datetime) -> Mapping[str, str]:
    return {SCOPE + "n0.example": rfc3339(moment)}


# -- which ---------------------------------------------------------------------------------------------------------------


def test_few_names_are_asked_about_in_a_poll_the_newest_findings_first(http: Client, server: Atlas) -> None:
    book = Book()
    assert poll(http, server, book) == ["n0.example", "n1.example"]
    assert {name for name, _ in book.found} >= {"front.n0.example", "front.n1.example"}
    assert poll(http, server, book) == ["n2.example", "n3.example"]
    assert poll(http, server, book) == ["n4.example", "n5.example"]
    assert poll(http, server, book) == []


def test_a_name_is_asked_about_once_in_seven_days(http: Client, server: Atlas) -> None:
    book = Book()
    poll(http, server, book, most=6)
    assert poll(http, server, book, most=6, now=NOW + AGAIN - timedelta(seconds=1)) == []
    assert len(poll(http, server, book, most=6, now=NOW + AGAIN)) == 6


@given(
    st.lists(st.none() | st.integers(-20, 20), min_size=1, max_size=8),
    st.integers(0, 5),
)
def test_names_never_asked_about_come_first_then_those_that_wait_longest(due: list[int | None], most: int) -> None:
    known = [Known(f"n{number}.example", WHERE) for number in range(len(due))]
    cursors = {
        SCOPE + one.name: rfc3339(NOW + timedelta(days=days))
        for one, days in zip(known, due, strict=True)
        if days is not None
    }
    asked = [front.name for front in chosen(known, cursors, most, NOW)]
    # A moment further away than any name waits was written by a clock that has stepped back since.
    days_of = [-100 if days is None or days > 7 else days for days in due]
    ready = sorted((days, number) for number, days in enumerate(days_of) if days <= 0)
    assert asked == [f"n{number}.example" for _, number in ready][:most]


def test_a_cursor_that_cannot_be_read_is_as_none() -> None:
    assert [front.name for front in chosen(KNOWN[:1], {SCOPE + "n0.example": "soon"}, 1, NOW)] == ["n0.example"]


def test_a_name_that_was_seen_nowhere_is_not_asked_about() -> None:
    assert chosen([Known("n0.example", ())], {}, 1, NOW) == []


def test_names_that_are_findings_no_more_are_forgotten(http: Client, server: Atlas) -> None:
    book = Book()
    poll(http, server, book)
    assert forgotten(KNOWN[:1], book.cursors) == [SCOPE + "n1.example"]
    poll(http, server, book, KNOWN[:1])
    assert {scope for scope in book.cursors if scope.startswith(SCOPE)} == {SCOPE + "n0.example"}
    # Also when none is asked about any more.
    poll(http, server, book, [], most=0)
    assert not any(scope.startswith(SCOPE) for scope in book.cursors)


@pytest.mark.parametrize("most", [0, 3])
def test_how_many_would_be_asked_about_is_told_before(http: Client, server: Atlas, most: int) -> None:
    wanted = Poll(FEW, on(NOW + timedelta(days=1)), NOW, known=KNOWN)
    assert source(http, server, most).fronts(wanted) == most
    assert source(http, server, 9).fronts(wanted) == 5
    assert server.calls == []


@pytest.mark.parametrize("traits", [Traits("address"), Traits("address", fronts=True)])
def test_a_provider_that_does_not_know_them_is_not_asked(http: Client, server: Atlas, traits: Traits) -> None:
    provider: Provider = FrontGuide(server.url, traits) if not traits.fronts else Guide(server.url, traits)
    ready = source(http, server, provider=provider)
    book = Book()
    book.poll(ready, FEW, known=KNOWN)
    assert server.asked == ["198.51.100.7"]
    assert book.ends == {"198.51.100.7/32": DONE}


# -- pages ---------------------------------------------------------------------------------------------------------------


def test_the_names_in_front_of_one_may_come_in_pages(http: Client, server: Atlas) -> None:
    server.seen = [Seen("n0.example", f"198.51.100.{number}") for number in range(25)]
    server.cap, server.paged = 10, True
    book = Book()
    assert poll(http, server, book, KNOWN[:1]) == ["n0.example", "n0.example 10", "n0.example 20"]
    assert len(book.found) == 25 + 1
    assert SCOPE + "n0.example" in book.cursors


def endless(server: Atlas, page: Callable[[str], str]) -> None:
    def judge(asked: str) -> Reply | None:
        if not asked.startswith("n"):
            return None
        return Reply(200, {}, [f'{{"rows": [], "limited": false, "page": "{page(asked)}"}}'.encode()])

    server.judge = judge


def test_pages_without_end_come_to_an_end(http: Client, server: Atlas) -> None:
    endless(server, lambda asked: str(int(asked.partition(" ")[2] or "0") + 1))
    book = Book()
    assert len(poll(http, server, book, KNOWN[:1])) == PAGES
    assert SCOPE + "n0.example" in book.cursors


def test_a_page_that_leads_to_itself_is_read_once(http: Client, server: Atlas) -> None:
    endless(server, lambda _: "1")
    assert poll(http, server, Book(), KNOWN[:1]) == ["n0.example", "n0.example 1"]


# -- what goes wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 501])
def test_a_fault_changes_nothing_about_a_netblock(http: Client, server: Atlas, status: int) -> None:
    server.judge = lambda asked: faults.status(status) if asked.startswith("n") else None
    book = Book()
    assert book.poll(source(http, server), FEW, known=KNOWN)
    assert book.ends == {"198.51.100.7/32": DONE}
    assert [end.outcome for end in book.said] == [Outcome.COMPLETE] * 2
    assert book.cursors["198.51.100.7/32"] == rfc3339(NOW)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (faults.status(500), "500: the server has a fault"),
        (Reply(200, {}, [b'{"rows": [], "limited": true}']), ""),
        (faults.status(429, "", {"Retry-After": "60"}), "429: the quota is spent"),
    ],
    ids=["500", "cut", "429"],
)
def test_names_that_were_not_told_in_full_are_said_with_the_reason(
    http: Client, server: Atlas, fault: Reply, why: str
) -> None:
    server.judge = lambda asked: fault if asked == "n1.example" else None
    book = Book()
    poll(http, server, book, most=2)
    [end] = [end for end in book.said if end != DONE]
    assert end.outcome is Outcome.COMPLETE
    assert end.reason.startswith("names in front: 1 of 2 findings could not be asked about in full: n1.example: ")
    assert why in end.reason


def test_a_name_that_is_not_known_is_no_lack_where_another_is(http: Client, server: Atlas) -> None:
    server.judge = lambda asked: faults.status(404) if asked == "n1.example" else None
    book = Book()
    poll(http, server, book, most=2)
    assert book.said == [DONE]
    server.judge = lambda asked: faults.status(404) if asked.startswith("n") else None
    poll(http, server, book, most=2)
    assert "names in front: 2 of 2 findings could not be asked about" in book.said[-1].reason
    assert "404" in book.said[-1].reason


def test_nothing_is_said_of_names_in_front_when_all_were_told(http: Client, server: Atlas) -> None:
    book = Book()
    poll(http, server, book)
    assert book.said == [DONE]


def test_a_name_that_was_asked_about_in_vain_has_its_turn_sooner_and_lets_others_have_theirs(
    http: Client, server: Atlas
) -> None:
    server.judge = lambda asked: faults.status(501) if asked == "n0.example" else None
    book = Book()
    assert poll(http, server, book, most=1) == ["n0.example"]
    assert poll(http, server, book, most=1) == ["n1.example"]
    for _ in range(4):
        poll(http, server, book, most=1)
    assert poll(http, server, book, most=9, now=NOW + SOON) == ["n0.example"]


def test_a_refusal_is_the_last_question_and_says_nothing_about_the_name(http: Client, server: Atlas) -> None:
    server.judge = lambda asked: faults.status(429, "", {"Retry-After": "60"}) if asked.startswith("n") else None
    book, budget = Book(), Counted()
    book.poll(source(http, server), FEW, known=KNOWN, budget=budget)
    assert server.asked == ["198.51.100.7", "n0.example"]
    assert budget.overs == [("burst", 60)]
    assert set(book.cursors) == {"198.51.100.7/32"}


def test_each_call_is_paid_for(http: Client, server: Atlas) -> None:
    budget = Counted()
    Book().poll(source(http, server), FEW, known=KNOWN, budget=budget)
    assert budget.spent == len(server.calls) == 3


@pytest.mark.parametrize("most", [0, 1, 2])
def test_names_are_not_asked_about_once_the_budget_holds(http: Client, server: Atlas, most: int) -> None:
    book, both = Book(), [parse_netblock("198.51.100.6"), *FEW]
    book.poll(source(http, server), both, known=KNOWN, budget=Counted(most=most))
    assert server.asked == ["198.51.100.6", "198.51.100.7"][:most]


def test_names_are_not_asked_about_after_a_refusal(http: Client, server: Atlas) -> None:
    server.fault = faults.status(401)
    Book().poll(source(http, server), FEW, known=KNOWN)
    assert len(server.calls) == 1


def test_names_are_asked_about_though_an_address_can_never_be_whole(http: Client, server: Atlas) -> None:
    server.cap = 2
    book = Book()
    asked = poll(http, server, book)
    assert book.ends["198.51.100.7/32"].outcome is Outcome.PARTIAL
    assert asked == ["n0.example", "n1.example"]


def test_when_a_name_may_be_asked_about_again_is_stored_with_what_was_found(http: Client, server: Atlas) -> None:
    book = Book()
    poll(http, server, book, most=1)
    [batch] = [batch for batch in book.batches if any(one.rrname.startswith("front") for one in batch.observations)]
    assert batch.cursors == (Cursor("atlas", SCOPE + "n0.example", rfc3339(NOW + AGAIN)),)
    assert batch.end is None
