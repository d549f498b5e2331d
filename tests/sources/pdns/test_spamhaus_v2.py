"""The second interface of the `spamhaus` provider: its logins, its answers, and what every provider promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.http import Client, Login
from feedsvc.model import Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources import cof
from feedsvc.sources.aliases import NO_ALIAS
from feedsvc.sources.port import Front, Fronting, Known, Provider, Question
from tests.sources.conftest import DATA, FEW, NOW, Heard
from tests.sources.pdns import test_contract as contract
from tests.sources.pdns.asking import Counted, built, poll
from tests.sources.pdns.reading import JSONS, answer, drained
from tests.standins import faults
from tests.standins.provider import Seen
from tests.standins.server import Reply
from tests.standins.spamhaus import JSON, USER, Server

ONE = parse_netblock("198.51.100.7")
ROWS = st.lists(
    JSONS | st.fixed_dictionaries({"rrname": JSONS, "rrtype": st.sampled_from(["A", "CNAME"]), "rdata": JSONS}), max_size=4
)


class V2(Server):
    """The same server, asked by its second interface."""

    options: Mapping[str, object] = {"api": "v2", "limit": 1_000}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def v2(server: Server, **options: object) -> Provider:
    return built("spamhaus", server.url, server.secrets, {"api": "v2", **options})


def told(http: Client, server: Server, body: bytes) -> Heard:
    """What comes of an answer with this body, after a login."""
    server.faults = [Reply(200, JSON, [body])]
    return poll(http, v2(server), [ONE])


PROMISES = [
    contract.test_what_was_seen_is_told_with_its_times,
    contract.test_an_ipv6_address_is_asked_for_as_well,
    contract.test_a_breakdown_that_passes_costs_no_name,
    contract.test_garbage_is_no_answer,
    contract.test_nobody_there_is_a_failure,
    contract.test_a_redirect_to_another_host_is_not_followed,
    contract.test_an_echoed_secret_is_starred_wherever_it_stands,
    contract.test_a_netblock_with_forty_thousand_names_is_found_completely_behind_a_cap,
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__.removeprefix("test_"))
def test_v2_keeps_what_every_provider_promises(http: Client, promise: Callable[[Client, V2], None]) -> None:
    with V2() as server:
        promise(http, server)


@pytest.mark.parametrize("code", contract.REFUSALS)
def test_v2_is_not_asked_again_after_a_refusal(http: Client, code: int) -> None:
    with V2() as server:
        contract.test_a_refusal_is_no_answer_and_is_not_asked_again(http, server, code)


@pytest.mark.parametrize("framing", ["cut chunks", "short length"])
def test_a_cut_answer_of_v2_is_never_complete(http: Client, framing: str) -> None:
    with V2() as server:
        contract.test_a_cut_answer_is_never_complete(http, server, framing)


def test_a_recorded_answer_of_v2_is_read(http: Client, server: Server) -> None:
    heard = told(http, server, (DATA / "spamhaus" / "v2_rdata.json").read_bytes())
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert {(one.rrname, one.rdata, one.time_first, one.time_last) for one in heard.observations} == {
        ("k3xq.example.net", "198.51.100.7", 1522330452, 1522330722),
        ("w7b2.example.org", "198.51.100.7", None, 1522330722),
    }
    assert heard.refused == {cof.OTHER_TYPE: 1, cof.OUTSIDE: 1, f"{cof.NOT_A_NAME}: empty label": 1, cof.NOT_JSON: 1}


@pytest.mark.parametrize(
    ("document", "outcome", "words"),
    [
        ('{"error": false, "hits": 0, "status": 200}', Outcome.COMPLETE, ""),
        ('{"error": false, "hits": 0, "records": []}', Outcome.COMPLETE, ""),
        ('{"error": false, "hits": 3, "status": 200}', Outcome.FAILED, "the answer has no records: is the URL right?"),
        ('{"error": false, "records": {}}', Outcome.FAILED, "the answer has no records"),
        ('{"error": true, "message": "no such thing", "records": []}', Outcome.FAILED, "could not answer: no such thing"),
        ('{"error": true, "message": {}, "records": []}', Outcome.FAILED, "could not answer: it does not say why"),
        ('{"error": false, "status": 500, "records": []}', Outcome.FAILED, "could not answer"),
        ('{"error": false, "records": [1, 2]}', Outcome.FAILED, "none of the 2 rows of the answer is a row of Spamhaus"),
        ("[]", Outcome.FAILED, "is not a document of Spamhaus"),
        ('{"records":' * 5_000, Outcome.FAILED, "is not a document of Spamhaus"),
    ],
    ids=lambda part: part[:45] if isinstance(part, str) else None,
)
def test_an_answer_of_v2_must_prove_itself(
    http: Client, server: Server, document: str, outcome: Outcome, words: str
) -> None:
    heard = told(http, server, document.encode())
    assert heard.end.outcome is outcome
    assert words in heard.end.reason


@pytest.mark.parametrize(("hits", "limit"), [(2, 1_000), (1, 1)])
def test_an_answer_of_v2_with_more_hits_or_as_many_rows_as_can_be_is_partial(
    http: Client, server: Server, hits: int, limit: int
) -> None:
    record = {"rrname": "a.example.net", "rrtype": "A", "rdata": "198.51.100.7"}
    body = json.dumps({"error": False, "hits": hits, "records": [record]}).encode()
    server.faults = [Reply(200, JSON, [body])]
    heard = poll(http, v2(server, limit=limit), [ONE])
    assert (heard.end.outcome, heard.names) == (Outcome.PARTIAL, ["a.example.net"])


def test_the_first_time_is_asked_for_unless_that_is_not_wanted(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.7")]
    (seen,) = poll(http, v2(server), [ONE]).observations
    assert (seen.time_first, seen.time_last) == (1_700_000_000, 1_700_000_600)
    (seen,) = poll(http, v2(server, verbose=False), [ONE]).observations
    assert (seen.time_first, seen.time_last) == (None, 1_700_000_600)
    assert [call.query for call in server.paid] == [{"limit": "1000", "verbose": "1"}, {"limit": "1000"}]


def test_one_login_is_enough_for_many_questions(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.7")]
    asked = v2(server)
    budget = Counted()
    for _ in range(2):
        assert poll(http, asked, [FEW], budget=budget).end.outcome is Outcome.COMPLETE
    assert [call.path for call in server.calls].count("/v2/login") == 1
    assert budget.spent == len(server.paid) == 8


def test_a_token_that_is_taken_back_is_asked_for_anew(http: Client, server: Server) -> None:
    asked = v2(server)
    assert poll(http, asked, [ONE]).end.outcome is Outcome.COMPLETE
    server.tokens.clear()
    assert poll(http, asked, [ONE]).end.outcome is Outcome.COMPLETE
    assert [call.path for call in server.calls].count("/v2/login") == 2


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [
        (int(NOW.timestamp()) + 3_600, 3_600.0),
        (int(NOW.timestamp()) - 3_600, 300.0),
        (10**15, 86_400.0),
        ("soon", 300.0),
        (None, 300.0),
    ],
)
def test_a_token_is_kept_until_its_end_within_reason(server: Server, expires: object, seconds: float) -> None:
    login = v2(server).request(Question(ONE)).credentials
    assert isinstance(login, Login)
    token = login.read(json.dumps({"token": "eyJ0", "expires": expires}).encode())
    assert (token.value, token.seconds) == ("eyJ0", seconds)


@pytest.mark.parametrize("body", [b"{}", b'{"token": 7}', b"<html>", b"[" * 100_000])
def test_a_login_without_a_token_is_a_failure_that_says_so(http: Client, server: Server, body: bytes) -> None:
    server.uncounted = Reply(201, JSON, [body])
    heard = poll(http, v2(server), [ONE])
    assert heard.end.outcome is Outcome.FAILED
    assert "the login with environment USERNAME and environment PASSWORD" in heard.end.reason


def test_a_wrong_password_costs_one_login_and_no_call_and_is_not_shown(http: Client, server: Server) -> None:
    asked = built("spamhaus", server.url, {"username": USER, "password": "wr0ng"}, {"api": "v2"})
    heard = poll(http, asked, [FEW])
    assert (heard.end.outcome, heard.end.stop, len(server.calls)) == (Outcome.FAILED, True, 1)
    assert "wr0ng" not in f"{heard} {asked.request(Question(ONE))!r}"


def test_404_of_v2_alone_is_a_failure(http: Client, server: Server) -> None:
    server.faults = [faults.status(404, "nothing here")]
    heard = poll(http, v2(server), [ONE])
    assert (heard.end.outcome, heard.end.stop) == (Outcome.FAILED, False)
    assert "is the URL right?" in heard.end.reason


def test_names_in_front_of_a_finding_are_asked_for_by_v2(http: Client, server: Server) -> None:
    server.aliases = {"k3xq.example.net": ["www.front.example.org"]}
    known = [Known("k3xq.example.net", ("198.51.100.7", "2001:db8::7"))]
    heard = poll(http, v2(server), [ONE], known=known, fronts=1)
    assert {(one.rrname, one.rdata, one.chain) for one in heard.observations} == {
        ("www.front.example.org", "198.51.100.7", ("k3xq.example.net",)),
        ("www.front.example.org", "2001:db8::7", ("k3xq.example.net",)),
    }
    assert heard.refused == {NO_ALIAS: 1}


def test_a_name_is_written_into_the_path_as_one_part_of_it(server: Server) -> None:
    asked = v2(server)
    assert isinstance(asked, Fronting)
    request = asked.front_request(Front(r"a/..\047.example.net", ("198.51.100.7",)))
    assert request.url == f"{server.url}/v2/_search/rdata/a%2F..%5C047.example.net"


def test_a_large_answer_comes_in_parts(http: Client, server: Server) -> None:
    server.cap = 2 * cof.BATCH
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.7") for n in range(cof.BATCH + 1)]
    heard = poll(http, v2(server, limit=2 * cof.BATCH), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, cof.BATCH + 1)
    assert heard.batches == 2


def test_a_longer_answer_than_allowed_is_partial_as_an_address_cannot_be_cut(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.7") for n in range(8)]
    heard = poll(http, v2(server, max_bytes=400), [ONE])
    assert heard.end.outcome is Outcome.PARTIAL
    assert "over 400 bytes" in heard.end.reason


@given(
    st.fixed_dictionaries(
        {"records": ROWS | JSONS, "error": st.booleans() | JSONS}, optional={"hits": JSONS, "status": JSONS}
    )
)
def test_whatever_comes_is_read_or_is_no_answer(document: Mapping[str, object]) -> None:
    ready = built("spamhaus", "", Server.secrets, {"api": "v2"})
    assert isinstance(ready, Fronting)
    body = json.dumps(document).encode()
    for reading in (
        ready.read(answer(body), Question(ONE)),
        ready.read_front(answer(body), Front("k3xq.example.net", ("198.51.100.7",))),
    ):
        try:
            batches, reply = drained(reading)
        except SourceError:  # `NaN`, which Python writes, is no JSON
            continue
        assert not [one for batch in batches for one in batch.observations if one.rdata != "198.51.100.7"]
        assert reply.end.outcome is not Outcome.COMPLETE or not document["error"]
