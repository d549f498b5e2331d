"""A plan being asked: when a netblock is done, what is stored with which answer, what an operator is told of the rest."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from feedsvc.clock import rfc3339
from feedsvc.http import Client, HttpError
from feedsvc.model import End, Outcome
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources import plan
from feedsvc.sources.asking import BEGINNINGS, PROOF
from feedsvc.sources.endings import after_fault
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Pause, Poll, Question, Traits
from feedsvc.sources.port import Reply as Answered
from tests.sources.atlas import Atlas, Book, Guide, Seen
from tests.sources.conftest import NOW
from tests.sources.pdns.asking import Counted
from tests.standins import faults
from tests.standins.server import Reply

ADDRESS = Traits("address")
ONE_BY_ONE = Traits("address", concurrency=1)
RANGE = Traits("range", concurrency=1)
FENCED = Traits("range", fenced=True, concurrency=1)
NOT_TRANSIENT = 501
LATER = NOW + timedelta(hours=1)


def blocks(*texts: str) -> list[Netblock]:
    return [parse_netblock(text) for text in texts]


FEW = blocks("198.51.100.4/30")


@pytest.fixture
def server() -> Iterator[Atlas]:
    with Atlas() as running:
        yield running


def source(http: Client, server: Atlas, traits: Traits = ONE_BY_ONE, now: datetime = NOW) -> PdnsSource:
    return PdnsSource("atlas", Guide(server.url, traits), http, lambda: now)


def told(replies: Mapping[str, Reply]) -> Callable[[str], Reply | None]:
    """What questions get in place of their answers, by the address they begin with."""
    return lambda asked: replies.get(asked.split(" ", maxsplit=1)[0])


def names(count: int, address: str = "198.51.100.{}", last: int = 1_700_000_000) -> list[Seen]:
    return [Seen(f"n{number:04d}.example", address.format(number % 256), last + number * 7200) for number in range(count)]


def marks(book: Book) -> set[str]:
    return {scope for scope in book.cursors if scope != plan.SCOPE}


def left(book: Book) -> list[str]:
    return [str(piece.netblock) for piece in plan.from_text(book.cursors.get(plan.SCOPE, "")).pending]


# -- when a netblock is done --------------------------------------------------------------------------------------------


def test_a_netblock_is_done_with_the_answer_about_its_last_address(http: Client, server: Atlas) -> None:
    server.seen = names(8)
    book = Book()
    assert book.poll(source(http, server), FEW)
    assert book.ends == {"198.51.100.4/30": End(Outcome.COMPLETE)}
    assert [batch.end is not None for batch in book.batches] == [False, False, False, True]
    assert book.cursors == {"198.51.100.4/30": rfc3339(NOW)}
    assert book.batches[-1].observations != ()


def test_the_mark_of_each_netblock_stands_in_the_batch_that_ends_it(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server), blocks("198.51.100.4/31", "198.51.100.8/31"))
    ended = [(batch.scope, {cursor.scope for cursor in batch.cursors}) for batch in book.batches if batch.end]
    assert ended == [
        (tuple(blocks("198.51.100.4/31")), {"198.51.100.4/31", "plan"}),
        (tuple(blocks("198.51.100.8/31")), {"198.51.100.8/31", "plan"}),
    ]


def test_what_is_left_of_the_plan_is_stored_with_the_answer_that_changed_it(http: Client, server: Atlas) -> None:
    server.seen = [Seen("a.example", "198.51.100.4"), Seen("b.example", "198.51.100.6")]
    book = Book()
    for batches, (found, rest) in enumerate(
        [(0, []), (1, ["198.51.100.5-198.51.100.7"]), (1, ["198.51.100.6/31"]), (2, ["198.51.100.7/32"])]
    ):
        again = Book()
        again.poll(source(http, server), FEW, batches=batches)
        assert (len(again.found), left(again)) == (found, rest)
    book.poll(source(http, server), FEW)
    assert left(book) == []


def test_netblocks_that_share_an_address_are_asked_once_and_done_each_with_its_own_last(http: Client, server: Atlas) -> None:
    server.seen = names(16)
    book = Book()
    book.poll(source(http, server), blocks("198.51.100.0/30", "198.51.100.2-198.51.100.9", "198.51.100.3"))
    assert Counter(server.asked) == Counter(f"198.51.100.{number}" for number in range(10))
    done = [[str(one) for one in batch.scope] for batch in book.batches if batch.end]
    assert done == [["198.51.100.0/30", "198.51.100.3/32"], ["198.51.100.2-198.51.100.9"]]
    assert len(book.found) == 10


def test_a_netblock_is_not_done_while_a_call_about_it_waits_to_be_made_again(http: Client, server: Atlas) -> None:
    server.faults = [faults.status(500)]
    book = Book()
    book.poll(source(http, server, ADDRESS), FEW, batches=4)
    assert book.ends == {}
    book = Book()
    server.faults = [faults.status(500)]
    book.poll(source(http, server, ADDRESS), FEW)
    assert book.ends == {str(FEW[0]): End(Outcome.COMPLETE)}


def test_a_capped_answer_is_asked_for_in_halves_until_each_is_whole(http: Client, server: Atlas) -> None:
    server.seen, server.cap = names(64), 10
    book = Book()
    book.poll(source(http, server, RANGE), blocks("198.51.100.0/26"))
    assert book.ends == {"198.51.100.0/26": End(Outcome.COMPLETE)}
    assert len(book.found) == 64
    assert server.asked[:3] == [
        "198.51.100.0-198.51.100.63",
        "198.51.100.0-198.51.100.31",
        "198.51.100.0-198.51.100.15",
    ]
    assert len(server.asked) == len(set(server.asked))


def test_one_address_with_too_many_names_is_asked_for_in_halves_of_the_time(http: Client, server: Atlas) -> None:
    server.seen, server.cap = names(64, "198.51.100.7"), 10
    book = Book()
    book.poll(source(http, server, FENCED), blocks("198.51.100.7"))
    assert book.ends["198.51.100.7/32"] == End(Outcome.COMPLETE)
    assert len(book.found) == 64
    assert len(server.asked) == len(set(server.asked))


def test_what_cannot_be_cut_smaller_is_partial_and_says_so(http: Client, server: Atlas) -> None:
    server.seen, server.cap = names(64, "198.51.100.7"), 10
    book = Book()
    book.poll(source(http, server, RANGE), FEW)
    assert book.ends[str(FEW[0])] == End(
        Outcome.PARTIAL,
        "198.51.100.7: it has more: it has more names than the provider gives at once, and cannot be asked about in smaller "
        "parts (3 of 4 addresses answered in full)",
    )
    assert marks(book) == set()
    assert len(book.found) == 10


def test_pages_are_turned_to_the_last(http: Client, server: Atlas) -> None:
    server.seen, server.cap, server.paged = names(25, "198.51.100.7"), 10, True
    book = Book()
    book.poll(source(http, server), FEW)
    assert book.ends[str(FEW[0])] == End(Outcome.COMPLETE)
    assert len(book.found) == 25
    assert server.asked[-3:] == ["198.51.100.7", "198.51.100.7 page=10", "198.51.100.7 page=20"]


def test_pages_that_end_before_their_rows_do_are_asked_for_in_halves(http: Client, server: Atlas) -> None:
    server.seen, server.cap, server.paged, server.reach = names(64), 5, True, 15
    book = Book()
    book.poll(source(http, server, RANGE), blocks("198.51.100.0/26"))
    assert book.ends["198.51.100.0/26"] == End(Outcome.COMPLETE)
    assert len(book.found) == 64


def test_pages_of_an_answer_that_is_asked_for_once_more_are_turned_once_more(http: Client, server: Atlas) -> None:
    server.seen, server.cap, server.paged, server.reach = names(96), 8, True, 16
    one, other = blocks("198.51.100.0/26", "198.51.100.32-198.51.100.95")
    book = Book()
    # A page of the first netblock waits when the second one is added, of which one half is a half of the first one too.
    book.poll(source(http, server, RANGE), [one], budget=Counted(most=1))
    book.poll(source(http, server, RANGE), [one, other])
    assert set(book.ends.values()) == {End(Outcome.COMPLETE)}
    assert len(book.found) == 96


def test_a_page_that_is_lost_begins_its_answer_anew(http: Client, server: Atlas) -> None:
    server.seen, server.cap, server.paged = names(25, "198.51.100.7"), 10, True
    lost = iter([faults.status(410)])
    server.judge = lambda asked: next(lost, None) if "page=20" in asked else None
    book = Book()
    book.poll(source(http, server), blocks("198.51.100.7"))
    assert book.ends["198.51.100.7/32"] == End(Outcome.COMPLETE)
    assert [asked.partition(" ")[2] for asked in server.asked] == ["", "page=10", "page=20", "", "page=10", "page=20"]


def test_an_answer_whose_pages_are_always_lost_is_begun_a_few_times(http: Client, server: Atlas) -> None:
    server.seen, server.cap, server.paged = names(25, "198.51.100.7"), 10, True
    server.judge = lambda asked: faults.status(410) if "page" in asked else None
    book = Book()
    book.poll(source(http, server), blocks("198.51.100.7"))
    assert len(server.asked) == 2 * BEGINNINGS
    assert book.ends["198.51.100.7/32"].outcome is Outcome.PARTIAL
    assert "the page is gone" in book.ends["198.51.100.7/32"].reason


@pytest.mark.parametrize("pages", [["10"], ["10", "20"], ["10", "20", "30"]])
def test_pages_that_lead_in_a_circle_come_to_an_end_and_are_not_complete(
    http: Client, server: Atlas, pages: Sequence[str]
) -> None:
    following = dict(zip(["", *pages], [*pages, pages[0]], strict=True))

    def circle(asked: str) -> Reply:
        page = following[asked.partition("page=")[2]]
        return Reply(200, {}, [f'{{"rows": [], "limited": false, "page": "{page}"}}'.encode()])

    server.judge = circle
    book = Book()
    book.poll(source(http, server), blocks("198.51.100.7"))
    assert len(server.asked) == 1 + len(set(pages))
    assert book.ends["198.51.100.7/32"].outcome is not Outcome.COMPLETE
    assert "pages cannot be followed" in book.ends["198.51.100.7/32"].reason
    assert marks(book) == set()


# -- doubt --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proof", range(4))
def test_nothing_in_doubt_is_complete_once_another_answer_of_the_poll_proves_the_place(
    http: Client, server: Atlas, proof: int
) -> None:
    server.unknown, server.seen = 404, [Seen("k3xq.example", f"198.51.100.{proof}")]
    book = Book()
    book.poll(source(http, server), blocks(*(f"198.51.100.{number}" for number in range(4))))
    assert set(book.ends.values()) == {End(Outcome.COMPLETE)}
    assert len(marks(book)) == 4
    assert len(server.asked) == 4


def test_nothing_in_doubt_is_no_answer_where_nothing_proves_the_place(http: Client, server: Atlas) -> None:
    server.unknown = 404
    book = Book()
    book.poll(source(http, server), FEW)
    assert len(server.asked) == 4
    assert book.ends[str(FEW[0])].outcome is Outcome.FAILED
    assert book.ends[str(FEW[0])].reason == "198.51.100.4: 404: is the URL right? (0 of 4 addresses answered in full)"
    assert marks(book) == set()


def test_a_proof_holds_for_later_polls_of_the_same_plan(http: Client, server: Atlas) -> None:
    server.unknown, server.seen = 404, [Seen("k3xq.example", "198.51.100.4")]
    book = Book()
    book.poll(source(http, server), FEW, budget=Counted(most=1))
    book.poll(source(http, server, now=LATER), FEW, budget=Counted(most=2), now=LATER, continuing=True)
    assert left(book) == ["198.51.100.7/32"]
    book.poll(source(http, server, now=LATER), FEW, now=LATER, continuing=True)
    assert book.cursors == {str(FEW[0]): rfc3339(NOW)}


def test_a_proof_does_not_hold_for_ever(http: Client, server: Atlas) -> None:
    server.unknown, server.seen = 404, [Seen("k3xq.example", "198.51.100.4")]
    book = Book()
    book.poll(source(http, server), FEW, budget=Counted(most=1))
    late = NOW + PROOF + timedelta(seconds=1)
    book.poll(source(http, server, now=late), FEW, now=late, continuing=True)
    assert "is the URL right" in book.ends[str(FEW[0])].reason


def test_a_new_window_that_finds_nothing_left_to_ask_needs_a_proof_of_its_own(http: Client, server: Atlas) -> None:
    server.seen, server.cap = names(64, "198.51.100.7"), 10
    book = Book()
    book.poll(source(http, server), FEW)
    # Of the plan only the address that can never be whole is left. Then somebody breaks the URL.
    server.seen, server.unknown = [], 404
    book.poll(source(http, server, now=LATER), FEW, now=LATER)
    assert "is the URL right" in book.ends[str(FEW[0])].reason
    assert marks(book) == set()


def test_what_was_in_doubt_is_asked_behind_what_was_not_asked_yet(http: Client, server: Atlas) -> None:
    server.unknown, server.seen = 404, [Seen("k3xq.example", "198.51.100.7")]
    book = Book()
    for _ in range(2):
        book.poll(source(http, server), FEW, budget=Counted(most=2), continuing=bool(server.asked))
    # The last address proves the one before it; those of the poll before, though in doubt, were asked and wait.
    assert server.asked == [f"198.51.100.{number}" for number in range(4, 8)]
    book.poll(source(http, server), FEW, continuing=True)
    assert set(book.cursors) == {str(FEW[0])}


# -- faults -------------------------------------------------------------------------------------------------------------


def test_one_address_that_is_not_whole_makes_its_netblock_partial(http: Client, server: Atlas) -> None:
    server.judge = told({"198.51.100.100": faults.status(NOT_TRANSIENT)})
    book = Book()
    book.poll(source(http, server, ADDRESS), blocks("198.51.100.0/24"))
    end = book.ends["198.51.100.0/24"]
    assert end.outcome is Outcome.PARTIAL
    assert end.reason.startswith("198.51.100.100: 127.0.0.1")
    assert end.reason.endswith("(255 of 256 addresses answered in full)")
    assert left(book) == ["198.51.100.100/32"]


def test_a_fault_of_one_netblock_does_not_touch_another(http: Client, server: Atlas) -> None:
    server.judge = told({"198.51.100.4": faults.status(NOT_TRANSIENT)})
    book = Book()
    book.poll(source(http, server), blocks("198.51.100.4", "198.51.100.5"))
    assert book.ends["198.51.100.5/32"] == End(Outcome.COMPLETE)
    assert book.ends["198.51.100.4/32"].outcome is Outcome.FAILED
    assert book.ends["198.51.100.4/32"].reason.startswith("127.0.0.1")
    assert marks(book) == {"198.51.100.5/32"}


def test_rows_before_a_broken_end_make_a_netblock_partial(http: Client, server: Atlas) -> None:
    server.judge = told({"198.51.100.4": faults.cut(b'{"rows": []')})
    book = Book()
    book.poll(source(http, server), blocks("198.51.100.4"))
    assert book.ends["198.51.100.4/32"].outcome is Outcome.FAILED


def test_after_a_refusal_the_rest_is_skipped_without_a_call(http: Client, server: Atlas) -> None:
    server.judge = told({"198.51.100.5": faults.status(401, "who are you")})
    book = Book()
    book.poll(source(http, server), blocks(*(f"198.51.100.{number}" for number in range(4, 9))))
    assert server.asked == ["198.51.100.4", "198.51.100.5"]
    assert marks(book) == {"198.51.100.4/32"}
    assert (book.ends["198.51.100.5/32"].outcome, book.ends["198.51.100.5/32"].stop) == (Outcome.FAILED, True)
    skipped = End(Outcome.SKIPPED, "not asked to its end, as asking on is pointless")
    assert [book.ends[f"198.51.100.{number}/32"] for number in (6, 7, 8)] == [skipped] * 3
    assert [len(batch.scope) for batch in book.batches] == [1, 0, 1, 3]


def test_netblocks_that_end_for_the_same_reason_end_in_one_batch(http: Client, server: Atlas) -> None:
    server.judge = lambda _: faults.status(NOT_TRANSIENT)
    book = Book()
    book.poll(source(http, server), blocks(*(f"198.51.{number}.0/32" for number in range(20))))
    assert len(server.asked) == 3
    assert sorted(len(batch.scope) for batch in book.batches if batch.end) == [3, 17]


def test_a_netblock_whose_halves_are_no_better_says_what_was_wrong_with_the_last(http: Client, server: Atlas) -> None:
    class TooBig(Guide):
        def refused(self, err: HttpError, question: Question) -> Answered | None:
            return Answered(after_fault(err, 0), limited=True)

    server.judge = lambda _: faults.status(NOT_TRANSIENT)
    book = Book()
    ready = PdnsSource("atlas", TooBig(server.url, RANGE), http, lambda: NOW)
    book.poll(ready, blocks("198.51.100.0/24", "203.0.113.7"))
    end = book.ends["198.51.100.0/24"]
    assert server.asked == ["198.51.100.0-198.51.100.255", "203.0.113.7", "198.51.100.0-198.51.100.127"]
    assert end.reason.startswith("198.51.100.0/25: 127.0.0.1")
    assert end.reason.endswith("; asked no further")
    assert (end.outcome, end.trouble) == (Outcome.FAILED, True)
    assert "501" in book.ends["203.0.113.7/32"].reason


def test_what_is_left_when_the_process_is_to_end_says_so_and_waits_for_the_next_poll(server: Atlas) -> None:
    stop = threading.Event()
    server.judge = lambda asked: stop.set() if asked == "198.51.100.5" else None
    book = Book()
    with Client(now=lambda: NOW, stopping=stop.is_set) as http:
        book.poll(source(http, server), FEW)
        assert book.ends[str(FEW[0])].reason == "not asked to its end, as feedsvc is stopping"
        assert "198.51.100.6/31" in left(book) or "198.51.100.5-198.51.100.7" in left(book)
        server.judge = told({})
        stop.clear()
        book.poll(source(http, server), FEW)
    assert set(book.cursors) == {str(FEW[0])}


def one_left(http: Client, server: Atlas) -> Book:
    """After a poll in which one of four addresses was asked for in vain; a name appears at another one since."""
    server.judge = told({"198.51.100.5": faults.status(NOT_TRANSIENT)})
    book = Book()
    book.poll(source(http, server), FEW)
    server.judge = told({})
    server.asked.clear()
    server.seen.append(Seen("new.example", "198.51.100.6", int(LATER.timestamp()) - 60))
    return book


SINCE = f"since={int((NOW - timedelta(days=1)).timestamp())}"
THE_REST = [f"198.51.100.{number} {SINCE}" for number in (4, 6, 7)]


def test_what_was_asked_in_vain_is_asked_alone_by_a_poll_that_is_carried_on(http: Client, server: Atlas) -> None:
    book = one_left(http, server)
    book.poll(source(http, server, now=LATER), FEW, now=LATER, continuing=True)
    assert server.asked == ["198.51.100.5"]
    assert book.cursors == {str(FEW[0]): rfc3339(NOW)}


def test_a_new_window_asks_what_was_asked_in_vain_and_then_what_is_new_since(http: Client, server: Atlas) -> None:
    book = one_left(http, server)
    book.poll(source(http, server, now=LATER), FEW, now=LATER)
    assert server.asked == ["198.51.100.5", *THE_REST]
    assert book.ends == {str(FEW[0]): End(Outcome.COMPLETE)}
    assert [batch.looked for batch in book.batches] == [tuple(FEW), (), (), ()]
    assert book.cursors == {str(FEW[0]): rfc3339(LATER)}
    assert ("new.example", "198.51.100.6") in book.found


@pytest.mark.parametrize(("recent", "mark"), [(59, LATER), (60, NOW)])
def test_what_was_begun_a_moment_ago_is_finished_as_it_is(http: Client, server: Atlas, recent: int, mark: datetime) -> None:
    book = one_left(http, server)
    book.ends.clear()
    wanted = Poll(FEW, dict(book.cursors), LATER, Counted(), recent=timedelta(minutes=recent))
    for batch in source(http, server, now=LATER).read(wanted):
        book.store(batch)
    assert book.cursors == {str(FEW[0]): rfc3339(mark)}


def test_where_nothing_else_is_to_be_asked_a_new_window_is_done_with_what_was_left(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server), FEW, budget=Counted(most=0))
    book.poll(source(http, server, now=LATER), FEW, now=LATER)
    assert len(server.asked) == 4
    assert book.cursors == {str(FEW[0]): rfc3339(LATER)}


def test_a_new_window_that_does_not_come_to_its_end_keeps_what_it_finished_of_the_last_one(
    http: Client, server: Atlas
) -> None:
    book = one_left(http, server)
    book.poll(source(http, server, now=LATER), FEW, now=LATER, budget=Counted(most=2))
    assert book.cursors[str(FEW[0])] == rfc3339(NOW)
    assert book.ends[str(FEW[0])].outcome is Outcome.PARTIAL
    assert left(book) == ["198.51.100.6/31"]
    book.poll(source(http, server, now=LATER), FEW, now=LATER, continuing=True)
    assert server.asked == ["198.51.100.5", *THE_REST]
    assert book.cursors == {str(FEW[0]): rfc3339(LATER)}


@pytest.mark.parametrize("batches", range(4))
def test_a_new_window_that_is_killed_misses_nothing_of_either(http: Client, server: Atlas, batches: int) -> None:
    book = one_left(http, server)
    book.poll(source(http, server, now=LATER), FEW, now=LATER, batches=batches)
    book.poll(source(http, server, now=LATER), FEW, now=LATER)
    assert Counter(server.asked) - Counter(["198.51.100.5", *THE_REST]) <= Counter([server.asked[batches]])
    assert book.cursors == {str(FEW[0]): rfc3339(LATER)}
    assert ("new.example", "198.51.100.6") in book.found


def test_what_a_new_window_would_ask_is_known_before(http: Client, server: Atlas) -> None:
    book = one_left(http, server)
    ready = source(http, server, now=LATER)
    planned = ready.foreseen(Poll(FEW, book.cursors, LATER))
    foreseen = [request.params["first"] for _, request in ready.calls(planned)]
    book.poll(ready, FEW, now=LATER)
    assert foreseen == [asked.partition(" ")[0] for asked in server.asked]
    assert list(ready.calls(ready.foreseen(Poll(FEW, book.cursors, LATER, continuing=True)))) == []


def test_an_address_that_always_fails_costs_its_netblock_the_mark_but_no_news(http: Client, server: Atlas) -> None:
    server.judge = told({"198.51.100.5": faults.status(NOT_TRANSIENT)})
    book = Book()
    for number in range(4):
        now = NOW + number * timedelta(hours=1)
        server.seen.append(Seen(f"n{number}.example", "198.51.100.7", int((now - timedelta(minutes=1)).timestamp())))
        book.poll(source(http, server, now=now), FEW, now=now)
    # The second poll only tries again what failed; the third one looks at the whole netblock again, and so does the fourth.
    assert {name for name, _ in book.found} >= {"n0.example", "n1.example", "n2.example", "n3.example"}
    assert marks(book) == set()
    third = server.asked[5:9]
    since = f"since={int((NOW - timedelta(days=1)).timestamp())}"
    assert sorted(third) == [f"198.51.100.4 {since}", "198.51.100.5", f"198.51.100.6 {since}", f"198.51.100.7 {since}"]
    server.judge = told({})
    book.poll(source(http, server, now=now), FEW, now=now, continuing=True)
    assert book.cursors == {str(FEW[0]): rfc3339(NOW + timedelta(hours=3))}


def test_an_address_that_is_always_cut_does_not_keep_the_next_window_from_the_others(http: Client, server: Atlas) -> None:
    server.seen, server.cap = names(64, "198.51.100.7"), 10
    book = Book()
    book.poll(source(http, server), FEW)
    server.asked.clear()
    book.poll(source(http, server, now=LATER), FEW, now=LATER)
    assert len(server.asked) == 4
    # Nothing is left that is worth a call before the next window.
    server.asked.clear()
    assert book.ends[str(FEW[0])].again_at is None


# -- the budget ---------------------------------------------------------------------------------------------------------


class Forecasting(Counted):
    """Knows that a call takes an hour."""

    def forecast(self, pending: int, total: int) -> datetime | None:
        return self.until + pending * timedelta(hours=1)


class Closing(Forecasting):
    """Is closed by what the provider says."""

    def spend(self, pending: int, total: int) -> Pause | None:
        return Pause(self.until, "the provider wants to be left alone") if self.overs else super().spend(pending, total)

    def forecast(self, pending: int, total: int) -> datetime | None:
        return self.until


def test_what_the_budget_holds_up_is_kept_and_told_with_how_far_it_came(http: Client, server: Atlas) -> None:
    server.seen = names(8)
    book = Book()
    book.poll(source(http, server), FEW, budget=Forecasting(most=3))
    until = Forecasting().until
    assert book.ends[str(FEW[0])] == End(
        Outcome.PARTIAL,
        "the quota is spent: 3 of 4 calls made; goes on 2026-11-24T23:00:00.000Z, done about 2026-11-25T00:00:00.000Z",
        again_at=until,
    )
    assert left(book) == ["198.51.100.7/32"]
    book.poll(source(http, server), FEW, continuing=True)
    assert server.asked == [f"198.51.100.{number}" for number in range(4, 8)]
    assert book.cursors == {str(FEW[0]): rfc3339(NOW)}


def test_a_budget_that_is_spent_before_the_first_call_leaves_a_plan_to_be_carried_on(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server), FEW, budget=Counted(most=0))
    assert server.asked == []
    assert book.ends[str(FEW[0])].outcome is Outcome.SKIPPED
    assert book.ends[str(FEW[0])].again_at == Counted().until
    book.poll(source(http, server), FEW, continuing=True)
    assert book.cursors == {str(FEW[0]): rfc3339(NOW)}


def test_each_window_counts_its_own_calls(http: Client, server: Atlas) -> None:
    book = Book()
    book.poll(source(http, server), FEW, budget=Counted(most=2))
    book.poll(source(http, server), FEW, budget=Counted(most=1), continuing=True)
    assert "3 of 4 calls made" in book.ends[str(FEW[0])].reason
    book.poll(source(http, server, now=LATER), [*FEW, *blocks("198.51.100.9")], budget=Counted(most=1), now=LATER)
    assert {end.reason.partition(";")[0] for end in book.ends.values() if end.reason} == {
        "the quota is spent: 1 of 5 calls made"
    }


def test_a_quota_that_the_provider_calls_spent_says_when_it_goes_on(http: Client, server: Atlas) -> None:
    server.judge = told({"198.51.100.5": faults.status(429, "", {"Retry-After": "60"})})
    book = Book()
    book.poll(source(http, server), [*FEW, *blocks("198.51.100.9")], budget=Forecasting())
    again = Forecasting().until + timedelta(hours=1)
    assert {end.again_at for end in book.ends.values()} == {again}
    assert "429" in book.ends[str(FEW[0])].reason
    assert book.ends[str(FEW[0])].reason.endswith(
        "(1 of 4 addresses answered in full); goes on 2026-11-25T00:00:00.000Z, done about 2026-11-25T03:00:00.000Z"
    )
    # It is no fault of the address that was asked for.
    assert {piece.failures for piece in plan.from_text(book.cursors[plan.SCOPE]).pending} == {0}


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_always_says_in_a_moment_is_asked_once_more_and_then_in_its_next_window(
    http: Client, server: Atlas, status: int
) -> None:
    server.judge = lambda _: faults.status(status, "", {"Retry-After": "11"})
    book = Book()
    for again_at in (Closing().until, None):
        book.poll(source(http, server), FEW, budget=Closing(), continuing=bool(server.asked))
        assert book.ends[str(FEW[0])].again_at == again_at
        assert ("; goes on" in book.ends[str(FEW[0])].reason) == (again_at is not None)
        assert str(status) in book.ends[str(FEW[0])].reason
    assert len(server.asked) == 2
    server.judge = told({"198.51.100.7": faults.status(status, "", {"Retry-After": "11"})})
    book.poll(source(http, server), FEW, budget=Closing(), continuing=True)
    assert book.ends[str(FEW[0])].again_at == Closing().until
    server.judge = told({})
    book.poll(source(http, server), FEW, budget=Closing(), continuing=True)
    assert set(book.cursors) == {str(FEW[0])}


def test_a_poll_that_may_still_not_ask_when_it_is_carried_on_is_carried_on_later(http: Client, server: Atlas) -> None:
    book = Book()
    for number in range(3):
        book.poll(source(http, server), FEW, budget=Counted(most=0), continuing=number > 0)
        assert book.ends[str(FEW[0])].again_at == Counted().until


def test_a_netblock_that_costs_too_many_calls_waits_for_the_next_poll(http: Client, server: Atlas) -> None:
    book = Book()
    dear = dataclasses.replace(ONE_BY_ONE, max_calls=3)
    both = blocks("198.51.100.0/29", "198.51.100.8/31")
    book.poll(source(http, server, dear), both)
    assert book.ends == {
        "198.51.100.0/29": End(Outcome.PARTIAL, "has cost its 3 calls of one poll; the next one goes on"),
        "198.51.100.8/31": End(Outcome.COMPLETE),
    }
    book.poll(source(http, server, dear), both, continuing=True)
    book.poll(source(http, server, dear), both, continuing=True)
    assert Counter(server.asked) == Counter(f"198.51.100.{number}" for number in range(10))
    assert set(book.cursors) == {str(one) for one in both}


def test_a_shared_call_is_made_as_long_as_one_netblock_may_have_it(http: Client, server: Atlas) -> None:
    book = Book()
    dear = dataclasses.replace(ONE_BY_ONE, max_calls=4)
    book.poll(source(http, server, dear), blocks("198.51.100.0/29", "198.51.100.6-198.51.100.7"))
    assert server.asked == [f"198.51.100.{number}" for number in (0, 1, 2, 3, 6, 7)]
    assert book.ends["198.51.100.6/31"] == End(Outcome.COMPLETE)


def test_a_netblock_that_is_not_asked_about_now_keeps_its_plan(http: Client, server: Atlas) -> None:
    here, there = blocks("198.51.100.4/30", "198.51.100.6/31")
    book = Book()
    book.poll(source(http, server), [here, there], budget=Counted(most=1))
    book.poll(source(http, server), [there], watched=[here, there])
    assert server.asked == ["198.51.100.4", "198.51.100.6", "198.51.100.7"]
    assert book.ends == {str(there): End(Outcome.COMPLETE)}
    assert left(book) == ["198.51.100.5/32"]
    away = blocks("192.0.2.0/28")
    book.poll(source(http, server), away, watched=[here, there, *away], budget=Counted(most=2))
    assert "2 of 16 calls made" in book.ends[str(away[0])].reason
    book.poll(source(http, server), [here], watched=[here, there], continuing=True)
    assert book.cursors == {str(here): rfc3339(NOW), str(there): rfc3339(NOW)}
