"""What is asked and how, what is asked again and what never, where redirects may lead, and what a status means."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina

from feedsvc.errors import SourceError, UsageError
from feedsvc.http import Client, HttpError, Limits, Request, api_key, basic
from tests.http.conftest import Scripted
from tests.standins import faults
from tests.standins.server import Reply, refused_url

OK = Reply(body=[b"1\n"])
PAPERS = Path(__file__).parent.parent / "data" / "http"
KEY = api_key("X-API-Key", "s3cr3t-k3y", "environment DNSDB_KEY")


def fails(client: Client, url: str, **more: object) -> HttpError:
    with pytest.raises(HttpError) as caught, client.ask(Request(url, **more)):  # type: ignore[arg-type]
        pass
    return caught.value


def test_the_server_is_told_who_asks_and_whom_to_tell(client: Client, server: Scripted) -> None:
    server.pages["/x"] = OK
    with client.ask(Request(f"{server.url}/x", params={"limit": "0"}, headers={"Accept": "application/x-ndjson"})):
        pass
    (call,) = server.calls
    assert call.headers["user-agent"].startswith("feedsvc/")
    assert call.headers["user-agent"].endswith(" (+soc@example.org)")
    assert call.headers["accept"] == "application/x-ndjson"
    assert call.headers["accept-encoding"] == "gzip"
    assert call.query == {"limit": "0"}
    assert "cookie" not in call.headers


def test_cookies_are_not_kept(client: Client, server: Scripted) -> None:
    server.pages["/x"] = Reply(headers={"Set-Cookie": "track=1; Path=/"})
    for _ in range(2):
        with client.ask(Request(f"{server.url}/x")):
            pass
    assert "cookie" not in server.calls[1].headers


def test_201_is_an_answer_to_a_post_and_to_nothing_else(client: Client, server: Scripted) -> None:
    server.pages["/login"] = Reply(201, body=[b"token"])
    with client.ask(Request(f"{server.url}/login", body=b"{}")) as answer:
        assert answer.read() == b"token"
    assert fails(client, f"{server.url}/login").status == 201
    server.pages["/login"] = Reply(202, body=[b"later"])
    assert fails(client, f"{server.url}/login", body=b"{}").status == 202


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_fault_is_asked_again_and_may_pass(client: Client, server: Scripted, status: int) -> None:
    server.pages["/x"] = OK
    server.faults = [faults.status(status), faults.status(status)]
    with client.ask(Request(f"{server.url}/x")) as answer:
        assert list(answer.lines()) == [b"1\n"]
    assert len(server.calls) == 3


def test_a_server_fault_that_stays_is_told_after_three_attempts(client: Client, server: Scripted) -> None:
    server.fault = faults.status(503, "down for maintenance")
    err = fails(client, f"{server.url}/x")
    assert len(server.calls) == 3
    assert err.status == 503
    assert "503: the server is overloaded or under maintenance (it says: down for maintenance)" in str(err)


def test_a_connection_that_breaks_before_the_answer_is_tried_again(client: Client, server: Scripted) -> None:
    server.pages["/x"] = OK
    server.faults = [Reply(raw=[])]
    with client.ask(Request(f"{server.url}/x")):
        pass
    assert len(server.calls) == 2


def test_what_is_no_http_at_all_is_said_so(client: Client, server: Scripted) -> None:
    server.fault = faults.nonsense()
    assert "no connection" in str(fails(client, f"{server.url}/x"))


def test_a_refused_connection_names_the_host(client: Client) -> None:
    url = refused_url()
    err = fails(client, f"{url}/x")
    assert str(err).startswith(f"{url.removeprefix('http://')}: no connection: ")
    assert not err.permanent


@pytest.mark.parametrize("status", [400, 401, 403, 404, 416, 429])
def test_what_is_refused_is_asked_once(client: Client, server: Scripted, status: int) -> None:
    server.fault = faults.status(status)
    err = fails(client, f"{server.url}/x", credentials=KEY)
    assert len(server.calls) == 1
    assert err.status == status
    assert err.refused == (status in (401, 403, 429))
    assert err.permanent == (status != 429)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("999999999999999999999", 86_400),
        ("Tue, 24 Nov 2026 06:30:00 GMT", 1800),
        ("Tue, 24 Nov 2026 06:30:00 -0000", 1800),
        ("Tue, 24 Nov 2020 06:30:00 GMT", 0),
        ("Sun, 24 Nov 2126 06:30:00 GMT", 86_400),
        ("-5", None),
        ("soon", None),
        ("Tue, 99 Nov 2026 06:30:00 GMT", None),
        ("\u00b2", None),
    ],
)
def test_retry_after_is_read_and_clamped(client: Client, server: Scripted, header: str, seconds: float | None) -> None:
    server.fault = faults.too_many(header)
    assert fails(client, f"{server.url}/x").retry_after == seconds


def test_a_short_retry_after_of_a_passing_fault_is_waited_for(server: Scripted) -> None:
    server.pages["/x"] = OK
    server.faults = [faults.status(503, headers={"Retry-After": "0"})]
    with (
        stamina.set_testing(False),
        Client(limits=Limits(wait=60, max_wait=60)) as client,
        client.ask(Request(f"{server.url}/x")),
    ):
        pass
    assert len(server.calls) == 2


def test_a_long_retry_after_is_told_not_waited_for(client: Client, server: Scripted) -> None:
    server.fault = faults.status(503, headers={"Retry-After": "3600"})
    assert fails(client, f"{server.url}/x").retry_after == 3600
    assert len(server.calls) == 1


def test_a_redirect_on_the_same_host_is_followed_with_the_key(client: Client, server: Scripted) -> None:
    server.pages |= {"/x": faults.redirect("/y"), "/y": OK}
    with client.ask(Request(f"{server.url}/x", credentials=KEY)) as answer:
        assert answer.read() == b"1\n"
    assert server.calls[1].headers["x-api-key"] == "s3cr3t-k3y"


def test_a_redirect_to_another_host_or_port_is_not_followed(client: Client, server: Scripted) -> None:
    with Scripted() as other:
        server.pages["/x"] = faults.redirect(f"{other.url}/x?k=s3cr3t-k3y")
        err = fails(client, f"{server.url}/x", credentials=KEY)
        assert other.calls == []
    assert f"redirects to {other.url.removeprefix('http://')}" in str(err)
    assert "put the final address into url" in str(err)
    assert "s3cr3t" not in str(err)


@pytest.mark.parametrize("location", ["https://127.0.0.1:{port}/y", "http://u:p@127.0.0.1:{port}/y", "ftp://127.0.0.1/y"])
def test_a_redirect_to_another_scheme_or_with_credentials_is_not_followed(
    client: Client, server: Scripted, location: str
) -> None:
    server.pages["/x"] = faults.redirect(location.format(port=server.url.rpartition(":")[2]))
    assert "redirects to" in str(fails(client, f"{server.url}/x"))
    assert len(server.calls) == 1


def test_redirects_in_a_circle_end(client: Client, server: Scripted) -> None:
    server.pages |= {"/x": faults.redirect("/y"), "/y": faults.redirect("/x")}
    assert "more than 3 redirects" in str(fails(client, f"{server.url}/x"))
    assert len(server.calls) == 4


@pytest.mark.parametrize("location", ["http://[", "http://a:b/"])
def test_a_redirect_to_nowhere_is_an_error(client: Client, server: Scripted, location: str) -> None:
    server.pages["/x"] = faults.redirect(location)
    assert fails(client, f"{server.url}/x").permanent


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@pytest.mark.parametrize("spelling", ["p ss:wörd&<", "p%20ss%3Aw%C3%B6rd%26%3C", "p ss:w\\u00f6rd&<", "P SS:wörd&amp;&lt;"])
def test_a_password_that_a_server_repeats_is_starred(
    client: Client, server: Scripted, status: int, spelling: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.fault = faults.status(status, f"the password {spelling} is wrong for jane-doe")
    caplog.set_level(0)
    credentials = basic("jane-doe", "p ss:wörd&<", "environment PDNS_PASSWORD")
    err = fails(client, f"{server.url}/x", credentials=credentials)
    assert "the password ******** is wrong for ********" in str(err)
    everything = f"{err} {err!r} {credentials!r} {client!r} {caplog.text}"
    assert not any(secret in everything for secret in ("jane-doe", "wörd", "w%C3%B6rd", credentials.value))


def test_an_error_names_where_a_refused_key_came_from(client: Client, server: Scripted) -> None:
    server.fault = faults.status(401, "no such key: s3cr3t-k3y")
    err = fails(client, f"{server.url}/x", credentials=KEY)
    assert "401: the server refused the key from environment DNSDB_KEY: check it (it says: no such key: ********)" in str(
        err
    )


def test_a_server_that_wants_credentials_is_said_to_want_them(client: Client, server: Scripted) -> None:
    server.fault = faults.status(401)
    assert "401: the server wants credentials: set api_key_env" in str(fails(client, f"{server.url}/x"))


def test_the_body_of_an_error_is_cut_and_escaped(client: Client, server: Scripted) -> None:
    server.fault = faults.status(400, "\x1b[2Jbad\r\n\u202e" + "x" * 9000)
    text = str(fails(client, f"{server.url}/x"))
    assert "\\x1b[2Jbad\\r\\n\\u202exxx" in text
    assert text.isprintable()
    assert len(text) < 400


def test_an_endless_body_of_an_error_is_not_read_to_its_end(client: Client, server: Scripted) -> None:
    endless = faults.endless(b"no ")
    server.fault = Reply(403, {}, endless.body, "chunked")
    assert "(it says: no no no" in str(fails(client, f"{server.url}/x"))


def test_a_refusal_can_be_read_by_who_knows_its_form_and_shows_no_secret_of_it(client: Client, server: Scripted) -> None:
    body = '{"wait": 43210, "padding": "%s", "key": "s3cr3t-k3y"}' % ("x" * 300)
    server.fault = faults.status(402, body)
    err = fails(client, f"{server.url}/x", credentials=KEY)
    assert err.body == body.encode()
    assert "s3cr3t" not in f"{err} {err!r}"


@pytest.mark.parametrize("key", ["", "s3\ncr3t", "s3cr3té", " s3cr3t", "s3cr3t\n", "s3cr3t\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError, match="environment K") as caught:
        api_key("X-API-Key", key, "environment K")
    assert "cr3t" not in str(caught.value)


@pytest.mark.parametrize(("username", "password"), [("a:b", "c"), ("a", "b\n"), ("a\r", "b")])
def test_a_login_that_basic_cannot_carry_is_refused(username: str, password: str) -> None:
    with pytest.raises(UsageError, match="environment U"):
        basic(username, password, "environment U")


@pytest.mark.parametrize(
    "url", ["", "ftp://a/", "http://", "http://u:p@127.0.0.1/", "127.0.0.1:80", "http://[::1", "http://127.0.0.1:70000/"]
)
def test_what_is_no_url_to_ask_is_refused(client: Client, url: str) -> None:
    with pytest.raises(UsageError), client.ask(Request(url)):
        pass


def test_loopback_is_not_asked_through_a_proxy_of_the_environment(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pages["/x"] = OK
    monkeypatch.setenv("http_proxy", refused_url())
    with Client() as client, client.ask(Request(f"{server.url}/x")) as answer:
        assert answer.read() == b"1\n"


def test_another_host_is_asked_through_the_proxy_of_the_environment(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//jane:pw@"))
    server.pages["http://pdns.example/x"] = OK
    with Client() as client, client.ask(Request("http://pdns.example/x")) as answer:
        assert answer.read() == b"1\n"
    assert server.calls[0].headers["host"] == "pdns.example"
    assert server.calls[0].headers["proxy-authorization"].startswith("Basic ")


def test_no_proxy_is_honoured(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "pdns.example")
    with Client() as client, pytest.raises(RuntimeError, match="reached for"):  # says the guard of all tests
        fails(client, "http://pdns.example/x")
    assert server.calls == []


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "http://s3cr3t:99999999", "http://jane:s3cr3t@a:b", "ftp://s3cr3t/"]
)
def test_a_proxy_that_cannot_be_used_is_a_fault_of_the_environment(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(UsageError, match="environment") as caught:
        Client()
    assert "s3cr3t" not in str(caught.value)


@pytest.fixture
def secure() -> Iterator[Scripted]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PAPERS / "certificate.pem", PAPERS / "key.pem")
    with Scripted(context) as server:
        server.pages["/x"] = OK
        yield server


def test_a_certificate_that_nobody_vouches_for_is_not_trusted_and_not_asked_again(client: Client, secure: Scripted) -> None:
    err = fails(client, f"{secure.url}/x", credentials=KEY)
    assert "its certificate is not trusted: self-signed certificate" in str(err)
    assert err.permanent
    assert secure.calls == []


def test_certificates_of_the_environment_are_trusted(secure: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PAPERS / "certificate.pem"))
    with Client() as client, client.ask(Request(f"{secure.url}/x")) as answer:
        assert answer.read() == b"1\n"


def test_an_answer_over_tls_obeys_its_deadline_as_well(secure: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PAPERS / "certificate.pem"))
    secure.fault = faults.drip_header()
    with Client() as client:
        assert "no answer within 0.3 s" in str(fails(client, f"{secure.url}/x", deadline=0.3))


def test_trust_that_cannot_be_read_is_a_fault_that_stays(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    with Client() as client, pytest.raises(SourceError, match="SSL_CERT_FILE") as caught:  # noqa: SIM117
        with client.ask(Request(server.url.replace("http", "https"))):
            pass
    assert caught.value.permanent


@pytest.mark.parametrize("reply", [faults.silence(), faults.drip(b"1\n", pause=60)], ids=["header", "body"])
@pytest.mark.parametrize("how", ["stopping", "closing"])
def test_what_is_being_waited_for_ends_when_we_do(server: Scripted, reply: Reply, how: str) -> None:
    server.fault = reply
    stopping, first = threading.Event(), threading.Event()
    client = Client(limits=Limits(silence=300, deadline=300, grace=0.1), stopping=stopping.is_set)
    ended: list[HttpError] = []

    def wait() -> None:
        try:
            with client.ask(Request(f"{server.url}/x")) as answer:
                for _ in answer.lines():
                    first.set()
        except HttpError as err:
            ended.append(err)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert (server.called if reply.raw else first).wait(timeout=10)
    if how == "stopping":
        stopping.set()
    else:
        client.close()
    waiting.join(timeout=10)
    client.close()
    assert not waiting.is_alive()
    assert len(ended) == 1
    assert len(server.calls) == 1


def test_nothing_is_asked_once_we_are_stopping(server: Scripted) -> None:
    with Client(stopping=lambda: True) as client:
        assert "not asked, as feedsvc is stopping" in str(fails(client, f"{server.url}/x"))
    assert server.calls == []
