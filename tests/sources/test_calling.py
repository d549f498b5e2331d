"""A round of calls: how many at once, which again, paid for by whom, and when no more."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from feedsvc.clock import utc_now
from feedsvc.errors import SourceError
from feedsvc.http import Answer, Client, HttpError, Limits, Request
from feedsvc.model import Batch, Cursor, End, Learnt, Observation, Outcome, Span
from feedsvc.sources.calling import PATIENCE, Calling, Heard
from feedsvc.sources.endings import COMPLETE, after_fault
from feedsvc.sources.port import Pause, Reply
from tests.sources.atlas import SPANS, settle_down
from tests.sources.conftest import NOW
from tests.sources.pdns.asking import Counted
from tests.standins import faults
from tests.standins.server import Call, Standin, refused_url
from tests.standins.server import Reply as Answered

NOT_TRANSIENT = 501
ROW = Observation("k3xq.example.net", "A", "198.51.100.7")


class Server(Standin):
    """Answers what it is asked with the word itself, or as it is told.

    Attributes:
        told: what a question gets in place of its answer; None: its answer.
        together: so many must be under way before one is answered, from the second call on; None: one is enough.
        peak: so many were under way at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told: Callable[[str], Answered | None] = lambda _: None
        self.together: threading.Barrier | None = None
        self.peak = 0
        self._under_way = 0

    @property
    def asked(self) -> list[str]:
        return [call.path[1:] for call in self.calls]

    def once_together(self, count: int, then: Callable[[], object] = lambda: None) -> None:
        """Answer the second call and those after it when so many are under way, and from then on each at once."""

        def over() -> None:
            self.together = None
            then()

        self.together = threading.Barrier(count, action=over)

    def answer(self, call: Call) -> Answered:
        with self._lock:
            self._under_way += 1
            self.peak = max(self.peak, self._under_way)
            together = self.together if len(self.calls) > 1 else None
        try:
            if together is not None:
                together.wait(timeout=10)
            return self.told(call.path[1:]) or Answered(200, {}, [call.path[1:].encode()])
        finally:
            with self._lock:
                self._under_way -= 1


@dataclass
class Words:
    """Asks for words, and believes every answer."""

    url: str
    opened: int = 0
    closed: int = 0

    def request(self, asked: str) -> Request:
        return Request(f"{self.url}/{asked}")

    def read(self, answer: Answer, asked: str) -> Generator[Batch, None, Reply]:
        self.opened += 1
        try:
            for number, _ in enumerate(answer.lines()):
                yield Batch((replace(ROW, rrname=f"n{number}.{asked}.example"),))
        finally:
            self.closed += 1
        return Reply(COMPLETE)

    def refused(self, err: HttpError, asked: str) -> Reply | None:
        if "x-crowded" in err.headers:
            return Reply(after_fault(err, 0), crowded=True)
        if "x-over" in err.headers:
            return Reply(after_fault(err, 0), over=SPANS[err.headers["x-over"]])
        return Reply(COMPLETE) if err.status == 404 else None

    def quotas(self, headers: Mapping[str, str]) -> Sequence[Learnt]:
        return [Learnt("day", left=int(headers["x-left"]))] if "x-left" in headers else []


class Line:
    """Words to ask for, first to last."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = deque(words)

    def take(self) -> str | None:
        return self.words.popleft() if self.words else None

    def put_back(self, asked: str) -> None:
        self.words.appendleft(asked)

    def calls(self) -> int:
        return len(self.words)


@dataclass
class Round:
    """A round of calls with all that it needs."""

    http: Client
    caller: Words
    line: Line
    budget: Counted
    calling: Calling[str]

    def heard(self) -> list[Heard[str]]:
        return list(self.calling.heard())

    def ends(self) -> dict[str, End]:
        return {one.asked: one.reply.end for one in self.heard() if one.reply is not None}


def words(count: int) -> list[str]:
    return [f"w{number}" for number in range(count)]


def round_of(
    http: Client, url: str, count: int = 16, *, width: int = 4, budget: Counted | None = None, caller: Words | None = None
) -> Round:
    line, budget, caller = Line(words(count)), budget or Counted(), caller or Words(url)
    return Round(http, caller, line, budget, Calling(http, caller, line, budget, width=width, made=0, now=lambda: NOW))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def told(**answers: Answered) -> Callable[[str], Answered | None]:
    return answers.get


def complete(ends: Mapping[str, End]) -> list[str]:
    return [word for word, end in ends.items() if end.outcome is Outcome.COMPLETE]


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


@pytest.mark.parametrize("status", [401, 403, 429, 400])
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


def hanging(gate: threading.Event) -> Answered:
    """A body that begins, and goes on when the gate opens."""

    def body(stopping: threading.Event) -> Iterator[bytes]:
        yield b"one\n"
        gate.wait(timeout=10)
        yield b"two\n"

    return Answered(200, {}, body, "chunked")


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
    with Client(limits=Limits(deadline=10, attempts=1), now=lambda: NOW, stopping=stop.is_set) as http:
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
