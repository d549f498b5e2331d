"""A round of calls: paid for by whom, heard how, and what is left behind when it ends early."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from feedsvc.clock import utc_now
from feedsvc.errors import SourceError
from feedsvc.http import Answer, Client, Limits, Request
from feedsvc.model import Batch, Cursor, End, Learnt, Observation, Outcome, Span
from feedsvc.sources.calling import PATIENCE, Calling
from feedsvc.sources.endings import COMPLETE
from feedsvc.sources.port import Pause, Reply
from tests.sources.atlas import settle_down
from tests.sources.conftest import NOW
from tests.sources.pdns.asking import Counted
from tests.sources.words import ROW, Line, Server, Words, complete, hanging, round_of, told, words
from tests.standins import faults
from tests.standins.server import Reply as Answered


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


# -- the budget ---------------------------------------------------------------------------------------------------------


class Told(Counted):
    """Remembers what it was asked for."""

    def __init__(self, *pauses: Pause | None) -> None:
        super().__init__()
        self.wants: list[tuple[int, int]] = []
        self.pauses = list(pauses)

    def spend(self, pending: int, total: int) -> Pause | None:
        pause = self.pauses.pop(0) if self.pauses else None
        if pause is None:
            self.wants.append((pending, total))
            self.spent += 1
        return pause


def test_the_budget_is_told_what_is_wanted_still_and_what_the_whole_wants(http: Client, server: Server) -> None:
    budget = Told()
    line = Line(words(4))
    list(Calling(http, Words(server.url), line, budget, width=1, made=6, now=lambda: NOW).heard())
    assert budget.wants == [(4, 10), (3, 10), (2, 10), (1, 10)]


def test_the_whole_is_the_same_however_many_are_under_way(http: Client, server: Server) -> None:
    budget = Told()
    round_of(http, server.url, 12, budget=budget).heard()
    assert {total for _, total in budget.wants} == {12}


def test_a_call_that_waits_to_be_made_again_is_wanted_meanwhile(http: Client, server: Server) -> None:
    failure_heard, budget = threading.Event(), Told()
    failures = iter([faults.status(503, "", {"Retry-After": "1"})])

    def fails_once(word: str) -> Answered | None:
        if word == "w1":
            return next(failures, None)
        return hanging(failure_heard) if word == "w2" else None

    server.told = fails_once
    for heard in round_of(http, server.url, 4, width=2, budget=budget).calling.heard():
        if heard.asked == "w1":
            failure_heard.set()
    assert server.asked.count("w1") == 2
    assert budget.wants == [(4, 4), (3, 4), (2, 4), (2, 4), (1, 4)]


def test_a_call_that_is_made_again_is_wanted_again(http: Client, server: Server) -> None:
    server.faults = [faults.status(500)]
    budget = Told()
    round_of(http, server.url, 2, width=1, budget=budget).heard()
    assert budget.wants == [(2, 2), (2, 2), (1, 2)]


def test_what_the_budget_holds_up_is_kept(http: Client, server: Server) -> None:
    asking = round_of(http, server.url, budget=Counted(most=5))
    assert len(complete(asking.ends())) == 5
    assert asking.calling.held == Pause(asking.budget.until, "the quota is spent")
    assert list(asking.line.words) == words(16)[5:]
    assert len(server.calls) == asking.budget.spent == 5


def test_a_call_that_waits_to_be_made_again_is_kept_too(http: Client, server: Server) -> None:
    server.told = told(w1=faults.status(500))
    asking = round_of(http, server.url, budget=Counted(most=2), width=1)
    asking.heard()
    assert list(asking.line.words) == words(16)[1:]


def test_a_short_pause_is_waited_for(http: Client, server: Server) -> None:
    budget = Told(Pause(utc_now() + timedelta(milliseconds=30), "calls come too fast"))
    line = Line(words(2))
    calling = Calling(http, Words(server.url), line, budget, width=1, made=0, now=utc_now)
    assert len(list(calling.heard())) == 2
    assert calling.held is None


def test_a_pause_that_is_past_is_asked_about_again(http: Client, server: Server) -> None:
    budget = Told(*[Pause(NOW - timedelta(hours=1), "a clock stepped")] * 3)
    assert len(round_of(http, server.url, 2, budget=budget).ends()) == 2


@pytest.mark.parametrize(
    ("status", "headers", "over"), [(429, {}, "burst"), (429, {"x-over": "day"}, "day"), (503, {"x-over": "day"}, "day")]
)
def test_a_quota_that_a_refusal_says_is_spent_is_told_at_once(
    http: Client, server: Server, status: int, headers: dict[str, str], over: Span
) -> None:
    server.fault = faults.status(status, "", {**headers, "Retry-After": "7", "x-left": "0"})
    asking = round_of(http, server.url)
    asking.heard()
    assert asking.calling.spent
    assert asking.budget.learnt[0] == Learnt("day", left=0)
    assert asking.budget.overs[:1] == [(over, 7.0)]
    assert len(server.calls) == (1 if status == 429 else PATIENCE)


def test_a_quota_that_is_spent_is_not_tried_again_though_such_faults_pass(http: Client, server: Server) -> None:
    server.told = told(w1=faults.status(503, "", {"x-over": "day"}))
    round_of(http, server.url, 2).heard()
    assert server.asked.count("w1") == 1


def test_what_answers_say_about_quotas_is_learnt(http: Client, server: Server) -> None:
    server.told = lambda word: Answered(200, {"x-left": word[1:]}, [b"x"])
    asking = round_of(http, server.url, 3, width=1)
    asking.heard()
    assert [one.left for one in asking.budget.learnt] == [0, 1, 2]


# -- what comes ---------------------------------------------------------------------------------------------------------


def test_the_last_rows_come_with_the_end(http: Client, server: Server) -> None:
    server.told = told(w0=Answered(200, {}, [b"one\ntwo\n"]))
    first, last = round_of(http, server.url, 1).heard()
    assert first.reply is None
    assert [row.rrname for row in last.batch.observations] == ["n1.w0.example"]
    assert last.reply == Reply(COMPLETE)


def test_a_plug_in_that_says_more_than_it_may_is_not_heard(http: Client, server: Server) -> None:
    class Talkative(Words):
        def read(self, answer: Answer, asked: str) -> Generator[Batch, None, Reply]:
            yield Batch((ROW,), cursors=(Cursor("source", "plan", ""),), end=COMPLETE)
            return Reply(COMPLETE)

    [heard] = round_of(http, server.url, 1, caller=Talkative(server.url)).heard()
    assert heard.batch == Batch((ROW,))


@pytest.mark.parametrize(("rows", "outcome"), [((), Outcome.FAILED), ((ROW,), Outcome.PARTIAL)])
def test_a_plug_in_that_stops_without_an_end_has_not_answered(
    http: Client, server: Server, rows: tuple[Observation, ...], outcome: Outcome
) -> None:
    class Mute(Words):
        def read(self, answer: Answer, asked: str) -> Generator[Batch, None, Reply]:
            yield Batch(rows)
            return None  # type: ignore[return-value]

    end = round_of(http, server.url, 1, caller=Mute(server.url)).ends()["w0"]
    assert (end.outcome, end.reason) == (outcome, "the provider stopped without an end")


def test_a_source_error_is_the_end_of_its_call(http: Client, server: Server) -> None:
    class Raising(Words):
        def read(self, answer: Answer, asked: str) -> Generator[Batch, None, Reply]:
            yield Batch((ROW,))
            raise SourceError("cut off", retry_after=5)

    end = round_of(http, server.url, 1, caller=Raising(server.url)).ends()["w0"]
    assert end == End(Outcome.PARTIAL, "cut off", retry_after=5, trouble=True)


def test_a_question_that_cannot_be_written_is_the_end_of_its_call(http: Client, server: Server) -> None:
    class Wordless(Words):
        def request(self, asked: str) -> Request:
            raise SourceError("no words for it")

    assert round_of(http, server.url, 1, caller=Wordless(server.url)).ends()["w0"].reason == "no words for it"


# -- what is left behind ------------------------------------------------------------------------------------------------


def test_a_bug_of_a_plug_in_reaches_the_caller_and_leaves_nothing_behind(http: Client, server: Server) -> None:
    class Broken(Words):
        def read(self, answer: Answer, asked: str) -> Generator[Batch, None, Reply]:
            yield from super().read(answer, asked)
            return Reply(replace(COMPLETE, retry_after=1 / (int(asked[1:]) - 3)))

    gate = threading.Event()
    server.once_together(4)
    server.told = lambda word: hanging(gate) if word == "w4" else None
    caller = Broken(server.url)
    with pytest.raises(ZeroDivisionError):
        round_of(http, server.url, caller=caller).heard()
    gate.set()
    settle_down()
    assert caller.opened == caller.closed > 0


def test_answers_under_way_are_let_go_when_nobody_listens_any_more(http: Client, server: Server) -> None:
    gate, are_under_way = threading.Event(), threading.Event()
    server.once_together(4, are_under_way.set)
    server.told = lambda word: hanging(gate) if word in words(5)[1:] else None
    asking = round_of(http, server.url, width=5)
    heard = asking.calling.heard()
    assert next(heard).asked == "w0"
    assert next(heard).asked == "w5"
    assert are_under_way.is_set()
    heard.close()
    gate.set()
    settle_down()
    assert asking.caller.opened == asking.caller.closed >= 6
    assert len(server.calls) == asking.budget.spent


def test_a_round_that_was_never_begun_leaves_nothing_behind(http: Client, server: Server) -> None:
    before = threading.active_count()
    round_of(http, server.url).calling.heard().close()
    assert threading.active_count() == before
    assert server.calls == []


def test_when_the_process_is_to_end_nothing_more_is_asked_and_what_is_under_way_is_kept(server: Server) -> None:
    gate, stop = threading.Event(), threading.Event()
    server.once_together(3, stop.set)
    server.told = lambda word: None if word == "w0" else hanging(gate)
    with Client(limits=Limits(deadline=10, attempts=1, grace=0), now=lambda: NOW, stopping=stop.is_set) as http:
        asking = round_of(http, server.url, width=3)
        ends = asking.ends()
        assert asking.calling.over
    gate.set()
    assert list(ends) == ["w0"]
    assert asking.calling.stopped_by is None
    assert sorted(asking.line.words) == sorted(words(16)[1:])
    assert len(server.calls) == 4


def test_a_pause_ends_when_the_process_is_to_end(server: Server) -> None:
    stop = threading.Event()

    class Stopping(Counted):
        def spend(self, pending: int, total: int) -> Pause | None:
            stop.set()
            return Pause(NOW + timedelta(seconds=4), "calls come too fast")

    with Client(now=lambda: NOW, stopping=stop.is_set) as http:
        asking = round_of(http, server.url, budget=Stopping())
        assert asking.heard() == []
    assert asking.calling.held is None
    assert list(asking.line.words) == words(16)


def test_a_clock_is_not_needed_to_ask(http: Client, server: Server) -> None:
    def no_clock() -> datetime:
        raise AssertionError("nothing held it up")

    assert len(list(Calling(http, Words(server.url), Line(words(4)), Counted(), width=2, made=0, now=no_clock).heard())) == 4
