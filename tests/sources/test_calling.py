"""A round of calls: how many at once, which again, and when no more."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest

from feedsvc.http import Answer, Client, HttpError
from feedsvc.model import Batch, End, Outcome
from feedsvc.sources.calling import PATIENCE
from feedsvc.sources.endings import after_fault
from feedsvc.sources.port import Reply
from tests.sources.words import NOT_TRANSIENT, Server, Words, complete, hanging, round_of, told, words
from tests.standins import faults
from tests.standins.server import Reply as Answered
from tests.standins.server import refused_url


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


# -- how many at once ---------------------------------------------------------------------------------------------------


def test_each_is_asked_once_and_all_have_their_end(http: Client, server: Server) -> None:
    asking = round_of(http, server.url)
    assert sorted(complete(asking.ends())) == sorted(words(16))
    assert sorted(server.asked) == sorted(words(16))
    assert asking.budget.spent == 16
    assert not asking.calling.over


def test_the_width_is_used_to_the_full_and_never_exceeded(http: Client, server: Server) -> None:
    server.together = threading.Barrier(4)
    assert len(complete(round_of(http, server.url, 1 + 12).ends())) == 13
    assert server.peak == 4


def test_until_one_was_answered_calls_are_made_one_after_the_other(http: Client, server: Server) -> None:
    server.told = told(w0=faults.status(NOT_TRANSIENT), w1=faults.status(NOT_TRANSIENT))
    asking = round_of(http, server.url)
    heard = asking.calling.heard()
    assert [next(heard).asked for _ in range(2)] == ["w0", "w1"]
    assert server.asked == ["w0", "w1"]
    assert server.peak == 1
    assert len(list(heard)) == 14


def test_one_place_asks_in_the_order_of_the_line(http: Client, server: Server) -> None:
    asking = round_of(http, server.url, width=1)
    for heard in asking.calling.heard():
        if heard.asked == "w3":
            asking.line.put_back("half")  # what an answer leaves is asked for next
    assert server.asked == [*words(4), "half", *words(16)[4:]]


# -- what is asked again ------------------------------------------------------------------------------------------------


def test_a_fault_that_passes_is_asked_again_and_paid_for_again(http: Client, server: Server) -> None:
    server.faults = [faults.status(503), faults.status(500)]
    asking = round_of(http, server.url, 3)
    assert len(complete(asking.ends())) == 3
    assert server.asked == ["w0", "w0", "w0", "w1", "w2"] or sorted(server.asked[3:]) == ["w1", "w2"]
    assert asking.budget.spent == len(server.calls) == 5


def test_a_fault_that_does_not_pass_is_asked_as_often_as_the_limits_have_it(http: Client, server: Server) -> None:
    server.told = told(w1=faults.status(503))
    asking = round_of(http, server.url, 4)
    ends = asking.ends()
    assert server.asked.count("w1") == http.limits.attempts
    assert (ends["w1"].outcome, ends["w1"].trouble) == (Outcome.FAILED, True)
    assert len(complete(ends)) == 3
    assert asking.budget.spent == len(server.calls)


def test_a_cut_answer_keeps_its_rows_and_is_not_asked_again(http: Client, server: Server) -> None:
    server.told = told(w0=faults.cut(b"one\ntwo\n"))
    heard = round_of(http, server.url, 1).heard()
    assert [row.rrname for one in heard for row in one.batch.observations] == ["n0.w0.example", "n1.w0.example"]
    assert heard[-1].reply is not None
    assert heard[-1].reply.end.outcome is Outcome.PARTIAL
    assert server.asked == ["w0"]


def test_a_call_that_waits_to_be_made_again_keeps_its_place(http: Client, server: Server) -> None:
    server.told = lambda word: None if word == "w0" else faults.status(503, "", {"Retry-After": "1"})
    asking = round_of(http, server.url, 100)
    asking.heard()
    # A server that goes down is not asked for all the rest while those that failed wait for their second try.
    assert len(set(server.asked)) <= 1 + 4 + PATIENCE
    assert len(server.calls) <= 1 + 4 * http.limits.attempts + PATIENCE - 1
    assert asking.budget.spent == len(server.calls)


def test_a_dead_server_is_asked_few_times(http: Client) -> None:
    asking = round_of(http, refused_url(), 100)
    ends = asking.ends()
    assert list(ends) == ["w0", "w1", "w2"]
    assert asking.budget.spent == PATIENCE * http.limits.attempts
    assert list(asking.line.words) == words(100)[3:]


def test_a_pause_longer_than_the_limits_have_it_is_not_waited_for(http: Client, server: Server) -> None:
    server.told = told(w0=faults.status(503, "", {"Retry-After": "60"}))
    asking = round_of(http, server.url, 1)
    assert asking.ends()["w0"].retry_after == 60
    assert server.asked == ["w0"]
    assert asking.budget.overs == [(None, 60)]


def test_a_crowd_halves_the_width_once_however_many_calls_were_in_it(http: Client, server: Server) -> None:
    crowd = threading.Barrier(8, action=lambda: setattr(server, "together", threading.Barrier(4)))
    server.together, turned_away = crowd, set[str]()

    def crowded(word: str) -> Answered | None:
        if word == "w0" or word in turned_away:
            return None
        turned_away.add(word)
        return faults.status(503, "", {"x-crowded": "1"})

    server.told = crowded
    asking = round_of(http, server.url, 1 + 8, width=8)
    assert len(complete(asking.ends())) == 9
    assert server.peak == 8
    assert asking.budget.spent == len(server.calls) == 1 + 8 + 8


def test_a_crowd_of_one_is_asked_again_alone(http: Client, server: Server) -> None:
    server.faults = [faults.status(503, "", {"x-crowded": "1"})] * 2
    assert len(complete(round_of(http, server.url, 3, width=1).ends())) == 3


# -- when no more -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 402, 403, 407, 429])
def test_after_a_refusal_only_what_is_under_way_is_heard(http: Client, server: Server, status: int) -> None:
    refusal_heard = threading.Event()
    server.told = lambda word: {"w0": None, "w2": faults.status(status)}.get(word, hanging(refusal_heard))
    asking, ends = round_of(http, server.url), dict[str, End]()
    for heard in asking.calling.heard():
        if heard.reply is not None:
            ends[heard.asked] = heard.reply.end
        if heard.asked == "w2":
            refusal_heard.set()
    assert sorted(server.asked) == words(5)
    assert sorted(complete(ends)) == ["w0", "w1", "w3", "w4"]
    assert asking.calling.stopped_by == ("w2", ends["w2"])
    assert list(asking.line.words) == words(16)[5:]


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_server_that_takes_exception_to_one_question_is_asked_the_others(
    http: Client, server: Server, status: int
) -> None:
    class Plain(Words):
        def refused(self, err: HttpError, asked: str) -> Reply | None:
            return None

    server.told = told(w2=faults.status(status))
    asking = round_of(http, server.url, caller=Plain(server.url))
    ends = asking.ends()
    assert (len(complete(ends)), len(server.asked)) == (15, 16)
    assert (ends["w2"].outcome, ends["w2"].stop, ends["w2"].trouble) == (Outcome.FAILED, False, True)
    assert not asking.calling.silenced


def test_after_three_troubles_in_a_row_nothing_more_is_asked(http: Client, server: Server) -> None:
    trouble = faults.status(NOT_TRANSIENT)
    server.told = told(w1=trouble, w2=trouble, w4=trouble, w5=trouble, w6=trouble)
    ends = round_of(http, server.url, width=1).ends()
    assert server.asked == words(7)
    assert complete(ends) == ["w0", "w3"]


def test_what_was_under_way_when_it_stopped_does_not_start_it_again(http: Client, server: Server) -> None:
    server.once_together(8)
    good = {"w0", "w8"}
    server.told = lambda word: None if word in good else faults.status(NOT_TRANSIENT)
    round_of(http, server.url, width=8).heard()
    assert len(server.calls) < 16


def test_an_answer_that_has_no_more_than_that_is_no_trouble(http: Client, server: Server) -> None:
    class Short(Words):
        def read(self, answer: Answer, asked: str) -> Generator[Batch, None, Reply]:
            yield from super().read(answer, asked)
            return Reply(End(Outcome.PARTIAL, "capped"), limited=True)

    round_of(http, server.url, width=1, caller=Short(server.url)).heard()
    assert server.asked == words(16)


def test_a_page_that_is_lost_is_neither_a_refusal_nor_a_trouble(http: Client, server: Server) -> None:
    class Losing(Words):
        def refused(self, err: HttpError, asked: str) -> Reply | None:
            return Reply(after_fault(err, 0), stale=True)

    server.told = lambda _: faults.status(410)
    round_of(http, server.url, width=1, caller=Losing(server.url)).heard()
    assert server.asked == words(16)


def test_404_where_it_means_nothing_is_an_answer(http: Client, server: Server) -> None:
    server.told = lambda _: faults.status(404)
    assert len(complete(round_of(http, server.url).ends())) == 16
