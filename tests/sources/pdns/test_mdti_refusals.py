"""The `mdti` provider refused, logged out, broken down, and answered with anything at all."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.http import Client, HttpError
from feedsvc.model import Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.port import Front, Fronting, Provider, Question
from tests.sources.conftest import FEW
from tests.sources.pdns.asking import Counted, built, poll
from tests.sources.pdns.reading import JSONS, answer, drained
from tests.standins import faults
from tests.standins.mdti import SCOPE, TOKEN, Server, error, path, row
from tests.standins.provider import Seen
from tests.standins.server import Call, Reply

ADDRESS = "198.51.100.7"
ONE = parse_netblock(ADDRESS)
PATH = path(ADDRESS)
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def provider(server: Server, **options: object) -> Provider:
    return built("mdti", server.url, server.secrets, {**server.options, **options})


def names(count: int) -> list[Seen]:
    return [Seen(f"n{n}.example.net", ADDRESS) for n in range(count)]


def listed(*rows: object, **more: object) -> Reply:
    return Reply(200, JSON, [json.dumps({"value": rows, **more}).encode()])


def refuse(server: Server, reply: Reply) -> None:
    """Refuse what is asked about addresses, and nobody's login."""
    for address in FEW.addresses():
        server.answers[path(str(address))] = reply


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (400, "400: the server does not understand the question"),
        (401, "Graph says so of a token that is not for it"),
        (403, "an application without the permission ThreatIntelligence.Read.All"),
        (406, "406"),
        (429, "429: the quota is spent, or questions came too fast"),
    ],
)
def test_a_refusal_is_no_answer_and_ends_the_poll(http: Client, server: Server, code: int, says: str) -> None:
    refuse(server, error(code, "No", "no"))
    budget = Counted()
    heard = poll(http, provider(server), [FEW], budget=budget)
    assert heard.end.outcome is Outcome.FAILED
    assert says in heard.end.reason
    assert not [cursor for cursor in heard.cursors if cursor.scope == str(FEW)]
    assert len(server.asked) == 1
    assert budget.overs == ([("burst", None)] if code == 429 else [])


def test_a_retry_after_is_obeyed(http: Client, server: Server) -> None:
    refuse(server, faults.too_many("150"))
    budget = Counted()
    poll(http, provider(server), [FEW], budget=budget)
    assert budget.overs == [("burst", 150.0)]


def test_404_of_graph_is_a_host_that_it_does_not_know() -> None:
    refused = HttpError("404", status=404, permanent=True, body=b'{"error": {"code": "NotFound"}}')
    reply = built("mdti", "", Server.secrets, {"tenant": "soc.example"}).refused(refused, Question(ONE))
    assert reply is not None
    assert (reply.end.outcome, reply.end.doubted) == (Outcome.COMPLETE, False)


def test_404_of_a_url_of_ones_own_is_believed_once_something_is_known_there(http: Client, server: Server) -> None:
    heard = poll(http, provider(server), [FEW])
    assert (heard.end.outcome, heard.observations) == (Outcome.FAILED, ())
    assert "404 for each address: is the URL right?" in heard.end.reason
    assert len(server.asked) == 4
    server.seen = [Seen("k3xq.example.net", "198.51.100.6")]
    heard = poll(http, provider(server), [FEW])
    assert (heard.end.outcome, heard.names) == (Outcome.COMPLETE, ["k3xq.example.net"])


def test_a_url_of_another_api_is_no_empty_answer(http: Client, server: Server) -> None:
    refuse(server, Reply(404, JSON, [b'{"error": {"code": "ResourceNotFound", "message": "no such API"}}']))
    assert poll(http, provider(server), [FEW]).end.outcome is Outcome.FAILED


@pytest.mark.parametrize("body", ["<html>not found</html>", "", "{}", '{"error": "no"}', "[]"])
def test_404_of_anybody_else_is_doubted(http: Client, server: Server, body: str) -> None:
    refuse(server, faults.status(404, body))
    heard = poll(http, provider(server), [FEW])
    assert heard.end.outcome is Outcome.FAILED
    assert "404: the server knows no such address: is the URL right?" in heard.end.reason
    del server.answers[path("198.51.100.6")]
    server.seen = [Seen("k3xq.example.net", "198.51.100.6")]
    assert poll(http, provider(server), [FEW]).end.outcome is Outcome.COMPLETE


def test_a_wrong_path_is_no_empty_answer(http: Client, server: Server) -> None:
    wrong = built("mdti", f"{server.url}/v1.0/graph", server.secrets, server.options)
    heard = poll(http, wrong, [FEW])
    assert heard.end.outcome is Outcome.FAILED
    assert "Resource not found for the segment" in heard.end.reason


def test_a_refused_login_is_no_404_of_an_address(http: Client, server: Server) -> None:
    server.uncounted = error(404, "NotFound", "no such tenant")
    heard = poll(http, provider(server), [FEW])
    assert heard.end.outcome is Outcome.FAILED
    assert "the login with environment USERNAME and environment PASSWORD failed" in heard.end.reason
    assert len(server.calls) == 1


def test_a_scope_of_another_cloud_is_told_as_the_login_tells_it(http: Client, server: Server) -> None:
    server.tokens.scope = "https://graph.microsoft.us/.default"
    heard = poll(http, provider(server), [FEW])
    assert "invalid_scope" in heard.end.reason
    server.seen = names(1)
    assert poll(http, provider(server, scope=server.tokens.scope), [FEW]).end.outcome is Outcome.COMPLETE
    assert server.tokens.scope != SCOPE


def test_a_token_that_is_taken_back_costs_no_name_and_what_was_asked_with_it(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", f"198.51.100.{n}") for n in range(4, 8)]
    budget, whole = Counted(), server.answer

    def after_two(call: Call) -> Reply:
        if len(server.asked) == 3:
            server.tokens.take_back()
        return whole(call)

    server.answer = after_two  # type: ignore[method-assign]
    heard = poll(http, provider(server, concurrency=1), [FEW], budget=budget)
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 4)
    assert server.tokens.given >= 2
    assert budget.spent == len(server.paid) == 5


def test_a_breakdown_that_passes_costs_no_name(http: Client, server: Server) -> None:
    server.seen = names(1)
    whole, down = server.answer, [faults.status(503), faults.status(504)]
    server.answer = lambda call: down.pop() if down and call.path != TOKEN else whole(call)  # type: ignore[method-assign]
    budget = Counted()
    assert len(poll(http, provider(server), [ONE], budget=budget).names) == 1
    assert budget.spent == 3


def test_no_secret_is_shown_whatever_is_answered(http: Client, server: Server) -> None:
    asking = provider(server)
    for secret in (*server.secrets.values(), "t0k3n.1.of-many_letters"):
        replies = [
            error(403, secret, secret),
            faults.status(404, f"<{secret}>"),
            listed(row(secret, secret), secret, row(ADDRESS, f"a..{secret}")),
            listed(row(ADDRESS, "k3xq.example.net"), **{"@odata.nextLink": f"http://localhost:1/{secret}"}),
            Reply(200, JSON, [json.dumps({"value": secret}).encode()]),
        ]
        for reply in replies:
            refuse(server, reply)
            heard = poll(http, asking, [FEW])
            assert secret not in repr((heard.refused, heard.samples, heard.ends, heard.cursors))


# -- anything at all ---------------------------------------------------------------------------------------------------

HOSTS = JSONS | st.fixed_dictionaries({"id": st.sampled_from([ADDRESS, "x.example", "k3xq.example.net"]) | JSONS})
RECORDS = st.fixed_dictionaries(
    {"parentHost": HOSTS, "artifact": HOSTS},
    optional={
        "recordType": st.sampled_from(["A", "CNAME"]) | JSONS,
        "firstSeenDateTime": JSONS,
        "lastSeenDateTime": st.just("2026-01-01T00:00:00Z") | JSONS,
    },
)
LINKS = JSONS | st.sampled_from(["/x", f"https://graph.microsoft.com{PATH}?$skip=1", "https://elsewhere.example/x"])
BODIES = JSONS | st.fixed_dictionaries(
    {"value": st.lists(JSONS | RECORDS, max_size=5) | JSONS}, optional={"@odata.nextLink": LINKS}
)


@given(BODIES, st.sampled_from(["", f"1795500000 2. {PATH}?$skip=1", "not a page", "7 2. //elsewhere.example/x"]))
def test_whatever_comes_is_read_or_is_an_error_of_the_source(said: object, page: str) -> None:
    asking = built("mdti", "", {"username": "a", "password": "b"}, {"tenant": "contoso.example"})
    assert isinstance(asking, Fronting)
    question, front = Question(ONE, page=page), Front("k3xq.example.net", (ADDRESS,), page)
    assert asking.request(question).url.startswith("https://graph.microsoft.com/")
    body = json.dumps(said).encode()
    for reading in (asking.read(answer(body), question), asking.read_front(answer(body), front)):
        try:
            batches, reply = drained(reading)
        except SourceError:
            continue
        assert sum(len(batch.observations) for batch in batches) <= 5
        following = asking.request(Question(ONE, page=reply.page)).url
        assert following.startswith("https://graph.microsoft.com/")
        assert reply.page == "" or following != asking.request(question).url
