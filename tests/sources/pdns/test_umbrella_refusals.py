"""The `umbrella` provider refused, logged out, broken down, and answered with anything at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.http import Client, HttpError
from feedsvc.model import Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.port import Front, Fronting, Provider, Question
from tests.sources.conftest import FEW, NOW
from tests.sources.pdns.asking import Counted, built, poll
from tests.sources.pdns.reading import JSONS, answer, drained
from tests.standins import faults
from tests.standins.provider import Seen
from tests.standins.server import Call, Reply
from tests.standins.umbrella import BY_ADDRESS, TOKEN, Server

ONE = parse_netblock("198.51.100.7")
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def provider(server: Server, **options: object) -> Provider:
    return built("umbrella", server.url, server.secrets, options)


def refuse(server: Server, reply: Reply) -> None:
    """Refuse what is asked about addresses, and nobody's login."""
    for address in FEW.addresses():
        server.answers[f"{BY_ADDRESS}{address}"] = reply


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (400, "400: the server does not understand the question"),
        (401, "Umbrella says so of a token that it did not give"),
        (403, "Umbrella says so of a key without the scope investigate.investigate:read"),
        (404, "404 for each address: is the URL right?"),
        (406, "406"),
        (418, "418"),
    ],
)
def test_a_refusal_is_no_answer(http: Client, server: Server, code: int, says: str) -> None:
    refuse(server, faults.status(code, '{"message": "no"}'))
    heard = poll(http, provider(server), [FEW])
    assert heard.end.outcome is Outcome.FAILED
    assert says in heard.end.reason
    assert not [cursor for cursor in heard.cursors if cursor.scope == str(FEW)]
    assert len(server.asked) == (4 if code == 404 else 1)


def test_404_is_nothing_where_another_address_is_known(http: Client, server: Server) -> None:
    refuse(server, faults.status(404, '{"message": "not found"}'))
    del server.answers[f"{BY_ADDRESS}198.51.100.6"]
    server.seen = [Seen("k3xq.example.net", "198.51.100.6")]
    heard = poll(http, provider(server), [FEW])
    assert (heard.end.outcome, heard.names) == (Outcome.COMPLETE, ["k3xq.example.net"])


def test_a_429_is_over_after_a_second_and_then_asked_again(http: Client, server: Server) -> None:
    reply = provider(server).refused(HttpError("too fast", status=429), Question(ONE))
    assert reply is not None
    assert (reply.over, reply.crowded, reply.end.retry_after, reply.end.stop) == ("burst", True, 1.0, True)
    server.seen = [Seen("k3xq.example.net", "198.51.100.7")]
    whole, turned = server.answer, [faults.too_many("0")]

    def too_fast_at_first(call: Call) -> Reply:
        return turned.pop() if turned and call.path != TOKEN else whole(call)

    server.answer = too_fast_at_first  # type: ignore[method-assign]
    budget = Counted()
    heard = poll(http, provider(server), [ONE], budget=budget)
    assert (heard.end.outcome, heard.names) == (Outcome.COMPLETE, ["k3xq.example.net"])
    assert (budget.spent, budget.overs) == (2, [("burst", 0.0)])


def test_a_429_that_says_to_stay_away_for_long_ends_the_poll(http: Client, server: Server) -> None:
    refuse(server, faults.too_many("120"))
    budget = Counted()
    heard = poll(http, provider(server), [FEW], budget=budget)
    assert heard.end.outcome is Outcome.FAILED
    assert len(server.asked) == 1
    assert budget.overs == [("burst", 120.0)]


def test_a_breakdown_that_passes_costs_no_name(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.7")]
    whole, down = server.answer, [faults.status(503), faults.status(502)]
    server.answer = lambda call: down.pop() if down and call.path != TOKEN else whole(call)  # type: ignore[method-assign]
    budget = Counted()
    assert poll(http, provider(server), [ONE], budget=budget).names == ["k3xq.example.net"]
    assert budget.spent == 3


def test_a_refused_login_is_no_404_of_an_address(http: Client, server: Server) -> None:
    server.uncounted = faults.status(404, "no such page")
    heard = poll(http, provider(server), [FEW])
    assert heard.end.outcome is Outcome.FAILED
    assert "the login with environment USERNAME and environment PASSWORD failed" in heard.end.reason
    assert len(server.calls) == 1


def test_no_secret_is_shown_whatever_is_answered(http: Client, server: Server) -> None:
    asking = provider(server)
    for secret in (*server.secrets.values(), "t0k3n.1.of-many_letters"):
        row = json.dumps([{"name": secret, "rr": secret}, secret, {"name": "198.51.100.7", "rr": f"a..{secret}"}]).encode()
        for reply in (faults.status(403, secret), Reply(200, JSON, [row]), Reply(200, JSON, [b'{"message": "%s"}' % row])):
            refuse(server, reply)
            heard = poll(http, asking, [FEW])
            assert heard.samples or heard.end.reason
            assert secret not in repr((heard.refused, heard.samples, heard.ends, heard.cursors))


# -- anything at all ---------------------------------------------------------------------------------------------------

FIELDS = ["name", "rr", "type", "firstSeen", "lastSeen", "firstSeenISO", "lastSeenISO"]
VALUES = JSONS | st.sampled_from(["198.51.100.7", "x.example", "A", "CNAME", 1_767_225_600_000, "2026-01-01T00:00Z"])
ROWS = st.lists(JSONS | st.dictionaries(st.sampled_from(FIELDS), VALUES), max_size=5)
INFO = JSONS | st.dictionaries(st.sampled_from(["hasMoreRecords", "totalNumRecords", "limit", "offset"]), JSONS)
BODIES = JSONS | ROWS | st.fixed_dictionaries({"records": ROWS | JSONS}, optional={"pageInfo": INFO})
WINDOWS = st.sampled_from([(None, None), (NOW, None), (None, NOW), (NOW - timedelta(days=9), NOW)])


@given(BODIES, WINDOWS, st.sampled_from(["", "5", "10000", "-1", "not a page", "9" * 30]))
def test_whatever_comes_is_read_or_is_an_error_of_the_source(
    said: object, window: tuple[datetime | None, datetime | None], page: str
) -> None:
    asking = built("umbrella", "", {"username": "a", "password": "b"})
    assert isinstance(asking, Fronting)
    question, front = Question(ONE, *window, page), Front("k3xq.example.net", ("198.51.100.7",), page)
    body = json.dumps(said).encode()
    readings = (asking.read(answer(body), question), asking.read_front(answer(body), front))
    for asked, reading in zip((asking.request(question), asking.front_request(front)), readings, strict=True):
        try:
            batches, reply = drained(reading)
        except SourceError:
            continue
        assert sum(len(batch.observations) for batch in batches) <= 5
        assert reply.page == "" or int(reply.page) > int(asked.params["offset"]) >= 0
