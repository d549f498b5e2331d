"""What a question shows of itself, what it hides, and that what it shows is what is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feedsvc.http import Client, Discretion, HttpError, Login, Request, Token, api_key, query_key
from tests.http.conftest import Scripted
from tests.standins import faults
from tests.standins.server import Reply

SECRET = "s3cr3t k3y"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def login_with(request: Request) -> Login:
    return Login(request, lambda body: Token(body.decode(), 3600), "environment SECRET")


def test_a_question_says_what_it_asks() -> None:
    assert str(Request("https://pdns.example/query/198.51.100.7")) == "GET https://pdns.example/query/198.51.100.7"
    asked = Request("https://pdns.example/ip", params={"ip": "2001:db8::7", "$top": "5", "of": "a,b&c"})
    assert str(asked) == "GET https://pdns.example/ip?ip=2001:db8::7&%24top=5&of=a,b%26c"


def test_a_question_with_a_body_is_a_post_even_when_the_body_is_empty() -> None:
    assert str(Request("https://pdns.example/ip", body=b"{}")) == "POST https://pdns.example/ip"
    assert Request("https://pdns.example/ip", body=b"").method == "POST"


def test_what_a_question_shows_is_what_is_asked(client: Client, server: Scripted) -> None:
    server.pages["/list"] = Reply(body=[b"ok"])
    asked = Request(f"{server.url}/list", params={"ip": "198.51.100.7", "n": "1"}, headers=FORM, body=b"a=b")
    with client.ask(asked):
        pass
    (call,) = server.calls
    assert f"{call.method} {server.url}{call.path}?ip={call.query['ip']}&n={call.query['n']}" == str(asked)
    assert call.body == b"a=b"
    assert call.headers["content-type"] == FORM["Content-Type"]


@pytest.mark.parametrize(
    "credentials",
    [api_key("X-Key", SECRET, "environment SECRET"), query_key("key", SECRET, "environment SECRET"), None],
    ids=["header", "query", "body"],
)
def test_no_secret_is_in_what_a_question_shows_of_itself(credentials: object) -> None:
    body = f"key={SECRET}".encode()
    asked = Request("https://pdns.example/ip", body=body, hidden=Discretion((SECRET,)), credentials=credentials)  # type: ignore[arg-type]
    shown = f"{asked} {asked!r} {login_with(asked)!r} {replace(asked, credentials=login_with(asked))!r}"
    assert "s3cr3t" not in shown
    assert "environment SECRET" in repr(login_with(asked))


def test_a_token_is_not_shown() -> None:
    assert "s3cr3t" not in f"{Token(SECRET, 60)} {Token(SECRET, 60)!r}"


def test_a_secret_of_the_body_is_starred_when_it_comes_back(client: Client, server: Scripted) -> None:
    server.fault = faults.status(400, f"what is {SECRET}?")
    asked = Request(f"{server.url}/ip", body=SECRET.encode(), hidden=Discretion((SECRET,)))
    with pytest.raises(HttpError, match=r"what is \*{8}\?"), client.ask(asked):
        pass


@pytest.mark.parametrize(
    ("origin", "said"),
    [("environment SECRET", "401: the server refused the key from environment SECRET"), ("", "401: the server wants cred")],
)
def test_who_refuses_a_secret_of_the_body_is_told_with_where_the_secret_is_from(
    client: Client, server: Scripted, origin: str, said: str
) -> None:
    server.fault = faults.status(401)
    with pytest.raises(HttpError, match=said), client.ask(Request(f"{server.url}/ip", body=b"k", origin=origin)):
        pass


def test_questions_are_equal_when_they_ask_the_same_of_the_same_with_the_same() -> None:
    key = api_key("X-Key", SECRET, "environment SECRET")
    one = Request("https://pdns.example/ip", params={"ip": "198.51.100.7"}, credentials=key)
    assert one == Request("https://pdns.example/ip", params={"ip": "198.51.100.7"}, credentials=key)
    assert one != replace(one, params={"ip": "198.51.100.8"})
    assert one != replace(one, body=b"")
    login = login_with(one)
    assert replace(one, credentials=login) == replace(one, credentials=login)
    assert replace(one, credentials=login) != replace(one, credentials=login_with(one)), "each has a token of its own"
