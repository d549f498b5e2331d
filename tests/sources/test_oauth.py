"""A client's id and secret bring a token: how they are sent, what is read of the answer, what is at fault without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import pytest

from feedsvc.config import Place, SourceSettings
from feedsvc.http import Client, HttpError, Login, LoginFailed, Request
from feedsvc.plugins import OptionFaults
from feedsvc.sources import oauth
from tests.sources.conftest import settings
from tests.standins import faults
from tests.standins.server import Call, Reply, Standin
from tests.standins.tokens import FORM, Tokens

CLIENT = ("cl1ent-1d", "s3cr3t +/&%=~é")
SCOPE = "https://pdns.example/.default"


class Guarded(Standin):
    """Gives tokens at `/token`, and at any other path lets in whoever has one."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = Tokens(CLIENT, "basic")

    def answer(self, call: Call) -> Reply:
        if call.path == "/token":
            return self.tokens.answer(call)
        return Reply(body=[b"ok"]) if self.tokens.let_in(call) else faults.status(401, "who is that?")


@pytest.fixture
def server() -> Iterator[Guarded]:
    with Guarded() as server:
        yield server


def client(name: str = CLIENT[0], secret: str = CLIENT[1]) -> SourceSettings:
    return settings("umbrella", username=name, password=secret)


def ask(http: Client, server: Guarded, login: Login) -> bytes:
    with http.ask(Request(f"{server.url}/x", credentials=login)) as answer:
        return answer.read()


def login_of(proof: Literal["basic", "body"], server: Guarded, source: SourceSettings | None = None) -> Login:
    server.tokens = Tokens(CLIENT, proof, SCOPE if proof == "body" else "")
    url = f"{server.url}/token"
    if proof == "basic":
        return oauth.with_basic(source or client(), url)
    return oauth.with_body(source or client(), url, SCOPE)


def test_id_and_secret_go_by_http_basic_as_they_are(http: Client, server: Guarded) -> None:
    assert ask(http, server, login_of("basic", server)) == b"ok"
    (login, _) = server.calls
    assert (login.method, login.headers["content-type"], login.body) == ("POST", FORM, b"grant_type=client_credentials")
    assert login.headers["accept"] == "application/json"


def test_id_and_secret_go_in_the_body_form_encoded_with_the_scope(http: Client, server: Guarded) -> None:
    assert ask(http, server, login_of("body", server)) == b"ok"
    (login, asked) = server.calls
    assert login.body == (
        b"grant_type=client_credentials&scope=https%3A%2F%2Fpdns.example%2F.default"
        b"&client_id=cl1ent-1d&client_secret=s3cr3t+%2B%2F%26%25%3D~%C3%A9"
    )
    assert "authorization" not in login.headers
    assert asked.headers["authorization"] == "Bearer t0k3n.1.of-many_letters"


@pytest.mark.parametrize("proof", ["basic", "body"])
def test_a_wrong_secret_is_told_with_where_it_is_from(
    http: Client, server: Guarded, proof: Literal["basic", "body"]
) -> None:
    with pytest.raises(LoginFailed) as caught:
        ask(http, server, login_of(proof, server, client(secret="s3cr3t")))
    assert "401: the server refused the key from environment USERNAME and environment PASSWORD: check it" in str(
        caught.value
    )
    assert caught.value.refused


def test_a_wrong_scope_is_told_as_the_server_tells_it(http: Client, server: Guarded) -> None:
    login = login_of("body", server)
    server.tokens.scope = "another"
    with pytest.raises(LoginFailed, match=r"400: .*invalid_scope") as caught:
        ask(http, server, login)
    assert caught.value.permanent


@pytest.mark.parametrize("proof", ["basic", "body"])
def test_no_secret_is_shown_however_a_server_spells_it(
    http: Client, server: Guarded, proof: Literal["basic", "body"]
) -> None:
    login = login_of(proof, server)
    spellings = [*CLIENT, "s3cr3t+%2B%2F%26%25%3D~%C3%A9", "s3cr3t%20%2B%2F%26%25%3D~%C3%A9", "s3cr3t +/&amp;%=~é"]
    for spelling in spellings:
        server.fault = faults.status(400, f"is it {spelling}?")
        with pytest.raises(HttpError) as caught:
            ask(http, server, login)
        assert spelling not in str(caught.value)
        assert "is it ********?" in str(caught.value)
    assert "s3cr3t" not in f"{login!r} {login.request} {login.request!r}"


# -- what is at fault --------------------------------------------------------------------------------------------------


def faults_of(source: SourceSettings) -> dict[str, str]:
    with pytest.raises(OptionFaults) as by_basic:
        oauth.with_basic(source, "https://pdns.example/token")
    with pytest.raises(OptionFaults) as by_body:
        oauth.with_body(source, "https://pdns.example/token", SCOPE)
    assert by_basic.value.messages == by_body.value.messages
    return by_basic.value.messages


def test_nobody_logs_in_without_id_and_secret() -> None:
    (found,) = faults_of(settings("umbrella")).items()
    assert found[0] == "username_env"
    assert "provider 'umbrella' needs the id of a client as username_env" in found[1]
    assert list(faults_of(settings("umbrella", username="a"))) == ["username_env"]
    assert list(faults_of(settings("umbrella", password="a"))) == ["password_env"]


def test_a_key_beside_them_is_a_fault_of_the_line_where_it_stands() -> None:
    source = settings("umbrella", username="a", password="b", api_key="c")
    (found,) = faults_of(replace(source, place=Place("feedsvc.toml", 3, {"api_key_file": 5}))).items()
    assert found[0] == "api_key_file"
    assert "takes the id and the secret of a client and no key" in found[1]


# -- what comes back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"token_type":"bearer","access_token":"t","expires_in":3600}', 3600),
        (b'{"token_type":"Bearer","access_token":"t","expires_in":"3599","scope":"s","x":[{}]}', 3599),
        (b'{"token_type":"BEARER","access_token":"t","expires_in":59.5}', 59.5),
        (b'{"access_token":"t"}', oauth.UNSAID),
        (b'{"access_token":"t","token_type":null,"expires_in":null}', oauth.UNSAID),
        (b'{"access_token":"t","expires_in":true}', oauth.UNSAID),
        (b'{"access_token":"t","expires_in":"soon"}', oauth.UNSAID),
        (b'{"access_token":"t","expires_in":{"a":1}}', oauth.UNSAID),
        (b'{"access_token":"t","expires_in":"nan"}', oauth.UNSAID),
        (b'{"access_token":"t","expires_in":-1}', 0),
        (b'{"access_token":"t","expires_in":1e300}', oauth.LONGEST),
        (b'{"access_token":"t","expires_in":"inf"}', oauth.LONGEST),
        (b'{"access_token":"t","expires_in":%s}' % (b"9" * 400), oauth.UNSAID),
    ],
)
def test_a_token_holds_as_long_as_is_said_within_reason(body: bytes, seconds: float) -> None:
    token = oauth.read_token(body)
    assert (token.value, token.seconds) == ("t", seconds)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"error":"invalid_client"}',
        b'{"access_token":null}',
        b'{"access_token":7}',
        b'{"access_token":["t"]}',
        b'{"access_token":"t","token_type":"mac"}',
        b'{"access_token":"t","token_type":["bearer"]}',
        b'{"access_token":"t"',
        b'{"access_token":"\xff"}',
        b'{"a":' * 12_000,
        b"access_token=t&token_type=bearer",
        b"<html>sign in</html>",
    ],
)
def test_what_is_no_token_is_not_taken_for_one(http: Client, server: Guarded, body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - in whatever words
        oauth.read_token(body)
    server.fault = Reply(200, {"Content-Type": "application/json"}, [body])
    with pytest.raises(LoginFailed, match="something that is no token"):
        ask(http, server, login_of("basic", server))
    assert len(server.calls) == 1


def test_an_answer_too_big_for_a_token_is_given_up(http: Client, server: Guarded) -> None:
    server.fault = faults.endless(b'{"access_token":"t"}\n')
    with pytest.raises(LoginFailed, match="the answer is over 65,536 bytes"):
        ask(http, server, login_of("basic", server))
