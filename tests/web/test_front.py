"""The front door: who gets a request, and what becomes of an error that nobody expected."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from feedsvc.web.asgi import App, Receive, Scope, Send, answer
from feedsvc.web.front import Front, Mount
from tests.web.asking import ask


def saying(text: str) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, [], f"{text} {scope['path']}".encode())

    return app


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("callback.example.net was asked for by 192.0.2.1")


async def failing_late(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 200, [(b"content-length", b"100")], b"the first part, and then")
    raise RuntimeError("the end of it is lost")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/feed", "mounted /feed"),
        ("/feed/", "mounted /feed/"),
        ("/feed/a/../b", "mounted /feed/a/../b"),
        ("/feeds", "rest /feeds"),
        ("/a/feed/", "rest /a/feed/"),
        ("/", "rest /"),
        ("", "rest "),
        ("/Feed/", "rest /Feed/"),
    ],
)
def test_a_face_gets_the_requests_below_its_prefix_with_their_whole_path(path: str, said: str) -> None:
    front = Front([Mount("/feed", saying("mounted"))], saying("rest"))
    assert ask(front, path).body == said.encode()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_of_an_error_the_log_has_all_and_the_client_nothing(method: str) -> None:
    front = Front([Mount("/feed", failing, "application/taxii+json;version=2.1")], saying("rest"))
    with capture_logs() as logs:
        reply = ask(front, "/feed/", method=method)
    assert reply.status == 500
    assert reply.headers["content-type"] == "application/taxii+json;version=2.1"
    assert reply.body == (b'{"title":"Internal Server Error","http_status":"500"}' if method == "GET" else b"")
    assert [(line["event"], line["face"], line["error"]) for line in logs] == [("http.failed", "/feed", "RuntimeError")]
    assert logs[0]["exc_info"]


def test_an_error_after_the_start_begins_no_second_answer() -> None:
    front = Front([], failing_late)
    with capture_logs() as logs:
        reply = ask(front, "/")
    assert reply.status == 200
    assert reply.body == b"the first part, and then"
    assert [line["event"] for line in logs] == ["http.failed"]
