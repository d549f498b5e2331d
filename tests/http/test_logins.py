"""When a token is asked for, for how long it is kept, what happens when it is refused, and what is shown of all that."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from feedsvc.http import Answer, Client, Credentials, HttpError, Login, LoginFailed, Request, Token, basic
from feedsvc.http.logins import Logins
from tests.standins import faults
from tests.standins.server import Call, Reply, Standin, refused_url

SECRET = "s3cr3t"
BASIC = basic("jane", SECRET, "environment NAME and environment PASSWORD")


class Guarded(Standin):
    """Gives tokens at `/token` to whoever has the password, and at any other path lets in whoever has one that holds.

    Attributes:
        valid: the tokens that hold.
        told: what an answer is made of that refuses a token, from the call that is refused.
        given: how a token is made from its number.
        lets_in: whether a call is answered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.valid: set[str] = set()
        self.told: Callable[[Call], Reply] = lambda _: faults.status(401, "token expired")
        self.given: Callable[[int], str] = lambda number: f"t0k3n-{number}"
        self.lets_in: Callable[[Call], bool] = self._has_token

    def answer(self, call: Call) -> Reply:
        if call.path != "/token":
            return Reply(body=[b"ok"]) if self.lets_in(call) else self.told(call)
        if call.headers.get("authorization") != BASIC.value or call.body != b"grant":
            return faults.status(401, "no such client")
        token = self.given(self.asked.count("/token"))
        self.valid.add(token)
        return Reply(body=[token.encode()])

    def _has_token(self, call: Call) -> bool:
        return call.headers.get("authorization", "").removeprefix("Bearer ") in self.valid

    @property
    def asked(self) -> list[str]:
        return [call.path for call in self.calls]


@pytest.fixture
def server() -> Iterator[Guarded]:
    with Guarded() as server:
        yield server


def read(body: bytes) -> Token:
    return Token(body.decode("ascii"), 3600)


def login_at(url: str, reader: Callable[[bytes], Token] = read) -> Login:
    return Login(Request(f"{url}/token", body=b"grant", credentials=BASIC), reader, BASIC.origin)


def ask(client: Client, login: Login, server: Guarded, path: str = "/x", attempts: int | None = None) -> bytes:
    with client.ask(Request(f"{server.url}{path}", credentials=login), attempts=attempts) as answer:
        return answer.read()


def fails(client: Client, login: Login, server: Guarded, attempts: int | None = None) -> HttpError:
    with pytest.raises(HttpError) as caught:
        ask(client, login, server, attempts=attempts)
    return caught.value


# -- how often a token is asked for ------------------------------------------------------------------------------------


def test_one_token_is_asked_for_and_used_for_many_questions(client: Client, server: Guarded) -> None:
    login = login_at(server.url)
    assert [ask(client, login, server, path) for path in ("/x", "/y", "/z")] == [b"ok"] * 3
    assert server.asked == ["/token", "/x", "/y", "/z"]
    assert {call.headers["authorization"] for call in server.calls[1:]} == {"Bearer t0k3n-1"}


def test_each_login_has_a_token_of_its_own(client: Client, server: Guarded) -> None:
    for login in (login_at(server.url), login_at(server.url)):
        ask(client, login, server)
    assert server.asked == ["/token", "/x"] * 2


def test_a_token_goes_where_the_login_says(client: Client, server: Guarded) -> None:
    request = Request(f"{server.url}/token", body=b"grant", credentials=BASIC)
    fails(client, Login(request, read, "environment", header="X-Session", prefix=""), server)
    assert server.calls[-1].headers["x-session"] == "t0k3n-1"
    assert "authorization" not in server.calls[-1].headers


@pytest.mark.parametrize(("holds", "used_until"), [(3600, 3570), (40, 20), (0, 0)])
def test_a_token_is_not_begun_with_shortly_before_its_end(
    client: Client, server: Guarded, holds: float, used_until: float
) -> None:
    at = 0.0
    login = login_at(server.url, lambda body: Token(body.decode(), holds))
    logins = Logins(client.ask, lambda: at)

    def token() -> str:
        return logins.asked(login, lambda credentials: credentials.value)

    assert token() == "Bearer t0k3n-1"
    if holds:
        at = used_until - 1
        assert token() == "Bearer t0k3n-1"
    at = used_until
    assert token() == "Bearer t0k3n-2"


def test_the_token_of_a_login_that_nobody_has_any_more_is_let_go(client: Client, server: Guarded) -> None:
    logins = Logins(client.ask)
    login = login_at(server.url)
    logins.asked(login, lambda credentials: credentials.value)
    assert len(logins._kept) == 1
    del login
    gc.collect()
    assert len(logins._kept) == 0


# -- a token that is refused -------------------------------------------------------------------------------------------


def test_a_token_that_was_taken_back_costs_a_new_one_and_not_the_answer(client: Client, server: Guarded) -> None:
    login = login_at(server.url)
    ask(client, login, server)
    server.valid.clear()
    assert ask(client, login, server, "/y") == b"ok"
    assert server.asked == ["/token", "/x", "/y", "/token", "/y"]
    assert ask(client, login, server, "/z") == b"ok"
    assert server.asked.count("/token") == 2, "the new one is kept"


def test_a_new_token_that_is_refused_is_refused_for_good(client: Client, server: Guarded) -> None:
    server.given = lambda _: "t0k3n-of-somebody-else"
    server.lets_in = lambda _: False
    login = login_at(server.url)
    for tried in (1, 2):
        err = fails(client, login, server)
        assert (err.status, err.permanent) == (401, True)
        assert server.asked == ["/token", "/x"] * tried, "a new one each time, and put once each time"


def test_a_kept_token_and_the_new_one_both_refused_are_a_refusal(client: Client, server: Guarded) -> None:
    login = login_at(server.url)
    ask(client, login, server)
    server.valid.clear()
    server.faults = [faults.status(401, "no"), Reply(body=[b"t0k3n"])]
    assert fails(client, login, server).status == 401
    assert server.asked == ["/token", "/x", "/x", "/token", "/x"]


@pytest.mark.parametrize("status", [400, 403, 404, 429, 503])
def test_only_401_speaks_of_the_token(client: Client, server: Guarded, status: int) -> None:
    login = login_at(server.url)
    ask(client, login, server)
    server.faults = [faults.status(status)]
    assert fails(client, login, server, attempts=1).status == status
    ask(client, login, server)
    assert server.asked == ["/token", "/x", "/x", "/x"]


def test_a_token_that_was_brought_while_the_old_one_was_being_refused_is_used(client: Client, server: Guarded) -> None:
    login, logins = login_at(server.url), Logins(client.ask)

    def accepted(credentials: Credentials) -> str:
        if credentials.value.removeprefix("Bearer ") not in server.valid:
            raise HttpError("refused", status=401)
        return credentials.value

    def overtaken(credentials: Credentials) -> str:
        if credentials.value == "Bearer t0k3n-1":
            server.valid.clear()
            assert logins.asked(login, accepted) == "Bearer t0k3n-2"
        return accepted(credentials)

    logins.asked(login, accepted)
    assert logins.asked(login, overtaken) == "Bearer t0k3n-2"
    assert server.asked == ["/token"] * 2


# -- a login that fails ------------------------------------------------------------------------------------------------


def test_a_refused_login_is_no_answer_to_the_question_which_is_not_put(client: Client, server: Guarded) -> None:
    server.fault = faults.status(404, "no such tenant")
    err = fails(client, login_at(server.url), server)
    assert isinstance(err, LoginFailed)
    assert str(err).startswith("the login with environment NAME and environment PASSWORD failed: 127.0.0.1:")
    assert "404" in str(err)
    assert "no such tenant" in str(err)
    assert (err.status, dict(err.headers), err.body) == (None, {}, b""), "404 of a login is not 404 of what was asked"
    assert server.asked == ["/token"]


@pytest.mark.parametrize(
    ("status", "refused", "permanent"),
    [(400, False, True), (401, True, True), (403, True, True), (429, True, False), (503, False, False)],
)
def test_how_a_login_was_refused_says_whether_to_try_again(
    client: Client, server: Guarded, status: int, refused: bool, permanent: bool
) -> None:
    server.fault = faults.status(status, headers={"Retry-After": "77"})
    err = fails(client, login_at(server.url), server)
    assert (err.refused, err.permanent, err.retry_after) == (refused, permanent, 77)
    assert server.asked == ["/token"]


def test_a_wrong_password_is_told_with_where_it_is_from(client: Client, server: Guarded) -> None:
    wrong = Login(Request(f"{server.url}/token", body=b"what", credentials=BASIC), read, BASIC.origin)
    assert "401: the server refused the key from environment NAME and environment PASSWORD: check it" in str(
        fails(client, wrong, server)
    )


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_a_login_that_breaks_down_is_tried_as_often_as_the_question_may_be(
    client: Client, server: Guarded, attempts: int
) -> None:
    server.fault = faults.status(503)
    err = fails(client, login_at(server.url), server, attempts)
    assert err.transient
    assert server.asked == ["/token"] * attempts


def test_a_failed_login_is_not_kept(client: Client, server: Guarded) -> None:
    login = login_at(server.url)
    server.faults = [faults.status(403)]
    fails(client, login, server)
    assert ask(client, login, server) == b"ok"


def test_nobody_there_to_log_in_with_is_told(client: Client, server: Guarded) -> None:
    err = fails(client, login_at(refused_url()), server)
    assert "no connection" in str(err)
    assert server.asked == []


@pytest.mark.parametrize("token", ["", "t0k3n\r\nX-Evil: 1", "t0k3n\u00e9", " ", "\x00"])
def test_what_is_no_token_is_not_sent_and_not_shown(client: Client, server: Guarded, token: str) -> None:
    server.given = lambda _: token
    err = fails(client, login_at(server.url, lambda body: Token(body.decode(), 3600)), server)
    assert str(err) == (
        "the login with environment NAME and environment PASSWORD was answered with something that is no token"
    )
    assert (err.refused, err.permanent) == (False, False)
    assert server.asked == ["/token"]


def test_what_a_reader_refuses_is_no_token(client: Client, server: Guarded) -> None:
    server.given = lambda _: "t0k3n\u00e9"
    err = fails(client, login_at(server.url), server)
    assert "something that is no token" in str(err)
    assert err.__cause__ is None, "the reader's own words may hold what it read"


# -- threads -----------------------------------------------------------------------------------------------------------

MANY = 6


class Watched(Login):
    """A login that knows which threads look for its token: what it takes to let them wait for one another."""

    __slots__ = ("_everybody", "_looked")

    def __init__(self, of: Login) -> None:
        super().__init__(of.request, of.read, of.origin)
        object.__setattr__(self, "_looked", set())
        object.__setattr__(self, "_everybody", threading.Event())

    def __hash__(self) -> int:  # in `Logins` it is asked for by who looks, and who looks holds the lock
        self._looked.add(threading.get_ident())  # type: ignore[attr-defined]
        if len(self._looked) == MANY:  # type: ignore[attr-defined]
            self._everybody.set()  # type: ignore[attr-defined]
        return id(self)

    def wait_for_everybody(self) -> None:
        assert self._everybody.wait(30)  # type: ignore[attr-defined]


def all_at_once(client: Client, login: Watched, end: Callable[[], object] = lambda: None) -> list[object]:
    """What each of many threads gets that look for a token while one of them asks for it; `end` ends the asking."""

    @contextlib.contextmanager
    def ask_slowly(request: Request, *, attempts: int | None = None) -> Iterator[Answer]:
        login.wait_for_everybody()
        end()
        with client.ask(request, attempts=attempts) as answer:
            yield answer

    logins = Logins(ask_slowly)
    with ThreadPoolExecutor(MANY) as pool:
        asked = [pool.submit(logins.asked, login, lambda credentials: credentials.value) for _ in range(MANY)]
    return [one.exception() or one.result() for one in asked]


def test_of_many_threads_one_asks_for_the_token_and_all_get_it(client: Client, server: Guarded) -> None:
    assert all_at_once(client, Watched(login_at(server.url))) == ["Bearer t0k3n-1"] * MANY
    assert server.asked == ["/token"]


def test_of_many_threads_one_is_refused_and_all_are_told(client: Client, server: Guarded) -> None:
    server.fault = faults.status(403, "blocked")
    got = all_at_once(client, Watched(login_at(server.url)))
    assert all(isinstance(one, LoginFailed) and one.refused for one in got)
    assert server.asked == ["/token"]


def test_nobody_waits_for_ever_for_who_was_interrupted(client: Client, server: Guarded) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    got = all_at_once(client, Watched(login_at(server.url)), interrupt)
    assert sorted(type(one).__name__ for one in got) == ["KeyboardInterrupt"] + ["LoginFailed"] * (MANY - 1)
    assert ask(client, login_at(server.url), server) == b"ok"


def test_a_login_that_hangs_holds_up_no_other_one(client: Client, server: Guarded) -> None:
    @contextlib.contextmanager
    def ask_other_first(request: Request, *, attempts: int | None = None) -> Iterator[Answer]:
        if request is hanging.request:
            assert logins.asked(other, lambda credentials: credentials.value) == "Bearer t0k3n-1"
        with client.ask(request, attempts=attempts) as answer:
            yield answer

    hanging, other = login_at(server.url), login_at(server.url)
    logins = Logins(ask_other_first)
    assert logins.asked(hanging, lambda credentials: credentials.value) == "Bearer t0k3n-2"


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_no_secret_is_shown_by_who_gives_tokens(client: Client, server: Guarded) -> None:
    server.fault = faults.status(400, f"{BASIC.value} {SECRET} of jane")
    err = fails(client, login_at(server.url), server)
    shown = f"{err} {err!r} {err.__cause__} {err.__cause__!r}"
    assert SECRET not in shown
    assert BASIC.value.removeprefix("Basic ") not in shown
    assert "jane" not in shown


def test_neither_token_nor_password_is_shown_by_who_is_asked_with_the_token(client: Client, server: Guarded) -> None:
    server.told = lambda call: faults.status(403, f"{call.headers['authorization']} got by {SECRET}")
    login = login_at(server.url)
    ask(client, login, server)
    server.valid.clear()
    err = fails(client, login, server)
    assert "403" in str(err)
    for secret in ("t0k3n", SECRET):
        assert secret not in f"{err} {err!r} {login!r} {client!r}"


def test_an_answer_to_a_question_with_a_token_stars_all_that_it_was_asked_with(client: Client, server: Guarded) -> None:
    with client.ask(Request(f"{server.url}/x", credentials=login_at(server.url))) as answer:
        assert answer.shown(f"t0k3n-1 and {SECRET}") == "******** and ********"


def test_a_token_is_sent_to_no_other_host(client: Client, server: Guarded) -> None:
    with Guarded() as other:
        login = login_at(server.url)
        ask(client, login, server)
        server.fault = faults.redirect(f"{other.url}/x")
        assert "is not followed there" in str(fails(client, login, server))
        assert other.calls == []


def test_a_login_follows_nobody_to_another_host(client: Client, server: Guarded) -> None:
    with Guarded() as other:
        server.fault = faults.redirect(f"{other.url}/token", 307)
        assert isinstance(fails(client, login_at(server.url), server), LoginFailed)
        assert other.calls == []
