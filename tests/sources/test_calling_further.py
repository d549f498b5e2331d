"""Calls that take another request to be answered, logins, and the end of the process: what is paid is what is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from feedsvc.errors import SourceError
from feedsvc.http import Client, Limits, Login, Request, Token
from feedsvc.model import Outcome
from feedsvc.sources.port import Pause
from tests.sources.atlas import settle_down
from tests.sources.conftest import NOW
from tests.sources.pdns.asking import Counted
from tests.sources.words import Server, Words, complete, hanging, round_of, told, words
from tests.standins import faults
from tests.standins.server import Call
from tests.standins.server import Reply as Answered


class Guarded(Server):
    """Lets in whoever has the latest token.

    Attributes:
        taken_back: words that come with a token which has just been taken back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taken_back: set[str] = set()
        self.given = 0

    def costs(self, call: Call) -> bool:
        return call.path != "/token"

    def answer(self, call: Call) -> Answered:
        with self._lock:
            if not self.costs(call):
                self.given += 1
                return Answered(body=[b"t0k3n-%d" % self.given])
            if call.path[1:] in self.taken_back:
                self.taken_back.discard(call.path[1:])
                self.given += 1000
            if call.headers.get("authorization") != f"Bearer t0k3n-{self.given}":
                return faults.status(401, "token expired")
        return super().answer(call)

    @property
    def paid(self) -> list[str]:
        return [call.path[1:] for call in self.calls if self.costs(call)]

    @property
    def logins(self) -> int:
        return len(self.calls) - len(self.paid)


def read(body: bytes) -> Token:
    return Token(body.decode(), 3600)


@dataclass
class Members(Words):
    """Asks with a token."""

    login: Login = field(init=False)

    def __post_init__(self) -> None:
        self.login = Login(Request(f"{self.url}/token", body=b"grant"), read, "environment SECRET")

    def request(self, asked: str) -> Request:
        return Request(f"{self.url}/{asked}", credentials=self.login)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    with Guarded() as running:
        yield running


# -- other addresses ----------------------------------------------------------------------------------------------------


def test_each_redirect_on_the_same_host_is_paid_for(http: Client, server: Server) -> None:
    server.told = lambda word: None if word.endswith("/") else faults.redirect(f"/{word}/", 307)
    asking = round_of(http, server.url, 8)
    assert len(complete(asking.ends())) == 8
    assert asking.budget.spent == len(server.calls) == 16


def test_redirects_in_a_circle_are_followed_as_often_as_the_limits_have_it_and_paid_for(
    http: Client, server: Server
) -> None:
    server.told = told(w0=faults.redirect("/a"), a=faults.redirect("/b"), b=faults.redirect("/a"))
    asking = round_of(http, server.url, 1)
    end = asking.ends()["w0"]
    assert (end.outcome, end.trouble) == (Outcome.FAILED, True)
    assert "more than 3 redirects" in end.reason
    assert asking.budget.spent == len(server.calls) == 4


def test_where_the_budget_ends_no_redirect_is_followed_and_the_question_is_kept(http: Client, server: Server) -> None:
    server.told = lambda word: None if word.endswith("/") else faults.redirect(f"/{word}/")
    asking = round_of(http, server.url, 4, width=1, budget=Counted(most=3))
    assert complete(asking.ends()) == ["w0"]
    assert server.asked == ["w0", "w0/", "w1"]
    assert list(asking.line.words) == ["w1", "w2", "w3"]


# -- logins -------------------------------------------------------------------------------------------------------------


def test_a_login_costs_no_call(http: Client, guarded: Guarded) -> None:
    asking = round_of(http, guarded.url, caller=Members(guarded.url))
    assert len(complete(asking.ends())) == 16
    assert (guarded.logins, len(guarded.paid), asking.budget.spent) == (1, 16, 16)


def test_a_login_that_fails_costs_no_call_either(http: Client, guarded: Guarded) -> None:
    guarded.uncounted = faults.status(401, "no such client")
    asking = round_of(http, guarded.url, caller=Members(guarded.url))
    [end] = asking.ends().values()
    assert end.stop
    assert (guarded.logins, guarded.paid, asking.budget.spent) == (1, [], 0)


class Overtaken(Counted):
    """Somebody else takes the last call while we log in."""

    def held_up(self, pending: int, total: int) -> Pause | None:
        return None

    def spend(self, pending: int, total: int) -> Pause | None:
        return Pause(self.until, "the quota is spent")


@pytest.mark.parametrize(("budget", "logins"), [(Counted(most=0), 0), (Overtaken(), 1)], ids=["before", "meanwhile"])
def test_who_has_no_calls_left_asks_nothing_and_does_not_even_log_in(
    http: Client, guarded: Guarded, budget: Counted, logins: int
) -> None:
    asking = round_of(http, guarded.url, caller=Members(guarded.url), budget=budget)
    assert asking.ends() == {}
    assert asking.calling.held == Pause(budget.until, "the quota is spent")
    assert (guarded.logins, guarded.paid, budget.spent) == (logins, [], 0)
    assert list(asking.line.words) == words(16)


@pytest.mark.parametrize("width", [1, 4])
def test_a_token_that_is_taken_back_costs_the_calls_that_were_made_with_it(
    http: Client, guarded: Guarded, width: int
) -> None:
    guarded.taken_back = {"w3", "w9"}
    asking = round_of(http, guarded.url, caller=Members(guarded.url), width=width)
    assert len(complete(asking.ends())) == 16
    assert asking.budget.spent == len(guarded.paid) >= 18


def test_a_new_token_that_is_refused_is_refused_for_good(http: Client, guarded: Guarded) -> None:
    guarded.fault = faults.status(401, "not you")
    asking = round_of(http, guarded.url, caller=Members(guarded.url))
    [end] = asking.ends().values()
    assert end.stop
    assert asking.budget.spent == len(guarded.paid) == 1


def test_a_question_that_cannot_be_written_costs_no_call(http: Client, server: Server) -> None:
    class Wordless(Words):
        def request(self, asked: str) -> Request:
            raise SourceError("no words for it")

    asking = round_of(http, server.url, 1, caller=Wordless(server.url))
    assert asking.ends()["w0"].reason == "no words for it"
    assert asking.budget.spent == 0


# -- the end of the process ---------------------------------------------------------------------------------------------


def test_what_is_under_way_when_the_process_is_to_end_is_waited_for(server: Server) -> None:
    gate, stop = threading.Event(), threading.Event()

    def end() -> None:
        stop.set()
        gate.set()

    server.once_together(3, end)
    server.told = lambda word: None if word == "w0" else hanging(gate)
    with Client(limits=Limits(grace=10), now=lambda: NOW, stopping=stop.is_set) as http:
        asking = round_of(http, server.url, width=3)
        ends = asking.ends()
    assert sorted(complete(ends)) == words(4)
    assert sorted(asking.line.words) == sorted(words(16)[4:])
    assert asking.budget.spent == len(server.calls) == 4


@pytest.mark.parametrize("count", range(1, 9))
def test_no_call_is_paid_for_and_not_made_whenever_the_process_is_to_end(server: Server, count: int) -> None:
    stop = threading.Event()

    class Stopping(Counted):
        def spend(self, pending: int, total: int) -> None:
            super().spend(pending, total)
            if self.spent == count:
                stop.set()

    with Client(now=lambda: NOW, stopping=stop.is_set) as http:
        asking = round_of(http, server.url, budget=Stopping())
        ends = asking.ends()
    settle_down()
    assert asking.budget.spent == len(server.calls) == count
    assert sorted(complete(ends)) == sorted(server.asked)
    assert sorted([*ends, *asking.line.words]) == sorted(words(16))
