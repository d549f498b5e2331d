"""The `spamhaus` provider by either of its interfaces: recorded answers, logins, quotas, what it makes of all that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import pytest

from feedsvc.http import Client, Login
from feedsvc.model import Learnt, Outcome, Tlp
from feedsvc.names import parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof
from feedsvc.sources.aliases import NO_ALIAS
from feedsvc.sources.pdns import spamhaus
from feedsvc.sources.port import Front, Fronting, Known, Provider, Question, Telling
from tests.sources.conftest import DATA, FEW, KEY, NETBLOCK, NOW, Heard
from tests.sources.pdns import test_contract as contract
from tests.sources.pdns.asking import Counted, built, poll
from tests.standins import faults
from tests.standins.provider import Seen
from tests.standins.server import Reply
from tests.standins.spamhaus import JSON, USER, Server

ONE = parse_netblock("198.51.100.7")
LOGIN = Reply(201, JSON, [b'{"status": "ok", "token": "eyJ0eXAi.x.pVH3"}'])


class V2(Server):
    """The same server, asked by its second interface."""

    options: ClassVar[Mapping[str, object]] = {"api": "v2", "limit": 1_000}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def provider(server: Server, **options: object) -> Provider:
    return built("spamhaus", server.url, server.secrets, options)


def v2(server: Server, **options: object) -> Provider:
    return provider(server, api="v2", **options)


def recorded(name: str) -> Reply:
    return Reply(200, JSON, [(DATA / "spamhaus" / name).read_bytes()])


def told(http: Client, server: Server, body: bytes) -> Heard:
    """What comes of an answer of deteque with this body, and nothing else."""
    server.fault = Reply(200, JSON, [body])
    return poll(http, provider(server), [NETBLOCK])


def told_by_v2(http: Client, server: Server, body: bytes) -> Heard:
    """What comes of an answer of v2 with this body, after a login."""
    server.faults = [LOGIN, Reply(200, JSON, [body])]
    return poll(http, v2(server), [ONE])


# -- deteque ------------------------------------------------------------------------------------------------------------


def test_a_recorded_answer_is_read_whatever_its_fields_are_called(http: Client, server: Server) -> None:
    server.fault = recorded("deteque_lines.ndjson")
    heard = poll(http, provider(server), [NETBLOCK])
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert {(one.rrname, one.rdata, one.time_first, one.time_last, one.count) for one in heard.observations} == {
        ("k3xq.example.net", "198.51.100.7", 1522330452, 1522330722, 4),
        ("w7b2.example.org", "198.51.100.9", 1522330452, 1522330722, None),
        ("turned.example.net", "198.51.100.7", 1522330452, 1522330722, None),
        ("untimed.example.net", "198.51.100.7", None, None, None),
        ("last.example.net", "198.51.100.8", 1522330452, 1522330722, None),
    }
    assert {one.tlp for one in heard.observations} == {Tlp.GREEN}
    assert heard.refused == {cof.OUTSIDE: 1, cof.OTHER_TYPE: 2, spamhaus.NO_ROW: 3}


@pytest.mark.parametrize("shape", ["lines", "array", "object"])
def test_rows_may_be_lines_an_array_or_an_array_in_an_object(http: Client, server: Server, shape: str) -> None:
    server.shape = shape
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.7") for n in range(3)]
    heard = poll(http, provider(server), [FEW])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 3)


@pytest.mark.parametrize("shape", ["lines", "array", "object"])
def test_no_rows_are_a_complete_answer_in_each_shape(http: Client, server: Server, shape: str) -> None:
    server.shape = shape
    heard = poll(http, provider(server), [FEW])
    assert (heard.end.outcome, heard.observations, heard.refused) == (Outcome.COMPLETE, (), {})


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ('{"hostname": "a.example.net", "ip": "198.51.100.7", "tags": []}', ["a.example.net"]),
        ('{"hostname": "a.example.net", "ip": "198.51.100.7", "tags": ["x"]}', ["a.example.net"]),
        ('{"hostname": "a.example.net", "ip": ["198.51.100.7"]}', ["a.example.net"]),
        (
            '{"query": "198.51.100.0/24", "target": 7, "results": [{"host": "a.example.net", "ip": "198.51.100.7"}]}',
            ["a.example.net"],
        ),
        ('[{"host": "a.example.net", "ip": "198.51.100.7"}]', ["a.example.net"]),
        (
            '[\n{"host": "a.example.net", "ip": "198.51.100.7"},\n{"host": "b.example.net", "ip": "198.51.100.7"}\n]',
            ["a.example.net", "b.example.net"],
        ),
        (
            '\n\n{"host": "a.example.net", "ip": "198.51.100.7"}\n{"host": "b.example.net", "ip": "198.51.100.7"}',
            ["a.example.net", "b.example.net"],
        ),
    ],
)
def test_a_row_is_told_from_what_rows_stand_in(http: Client, server: Server, row: str, names: list[str]) -> None:
    heard = told(http, server, row.encode())
    assert (heard.end.outcome, heard.names) == (Outcome.COMPLETE, names)


@pytest.mark.parametrize(
    "body",
    [
        '{"error": "quota exceeded", "results": []}',
        '{"error": "quota exceeded"}',
        '{"domain": "example.net", "value": "quota exceeded"}',
        '{"name": "quota", "type": "error"}',
        "quota exceeded",
        "198.51.100.7|k3xq.example.net|1522330452|1522330722\n",
        "[1, 2]",
        "7",
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"results": [{"a": 1}, {"b": 2}]}',
    ],
    ids=lambda body: body[:40],
)
def test_what_is_no_row_at_all_is_no_answer(http: Client, server: Server, body: str) -> None:
    heard = told(http, server, body.encode())
    assert heard.end.outcome is Outcome.FAILED
    assert "is a row of Spamhaus: is the URL right?" in heard.end.reason


def test_a_last_row_that_is_torn_makes_the_answer_partial(http: Client, server: Server) -> None:
    whole = b'{"hostname":"a.example.net","ip":"198.51.100.7"}\n'
    heard = told(http, server, whole + b'{"hostname":"b.exam')
    assert (heard.end.outcome, heard.names) == (Outcome.PARTIAL, ["a.example.net"])
    assert "the answer ends in the middle of a row" in heard.end.reason


def test_rows_that_came_before_a_cut_are_kept(http: Client, server: Server) -> None:
    server.fault = faults.cut(b'{"hostname":"a.example.net","ip":"198.51.100.7"}\n{"host')
    heard = poll(http, provider(server), [NETBLOCK])
    assert (heard.end.outcome, heard.names) == (Outcome.PARTIAL, ["a.example.net"])
    assert [cursor for cursor in heard.cursors if cursor.scope == str(NETBLOCK)] == []


def test_as_many_rows_as_there_can_be_are_a_cut_answer(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", f"198.51.100.{4 + n % 4}") for n in range(8)]
    heard = poll(http, provider(server, limit=4), [FEW])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 8)
    assert {call.query["query_limit"] for call in server.calls} == {"4"}
    assert len(server.calls) == 3 + 4  # two rows an address: four are as many as come at once, two are not


def test_an_address_with_as_many_names_as_can_be_is_partial(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.7") for n in range(4)]
    heard = poll(http, provider(server, limit=4), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.PARTIAL, 4)
    assert heard.end.reason.startswith("the answer has as many rows as Spamhaus gives at once")


def test_netblocks_are_asked_for_as_they_are(server: Server) -> None:
    asked = provider(server)
    request = asked.request(Question(NETBLOCK))
    assert request.url == f"{server.url}/api/query"
    assert dict(request.params) == {"queryType": "IP", "target": "198.51.100.0/24", "output": "JSON"}
    assert asked.request(Question(ONE)).params["target"] == "198.51.100.7"
    assert asked.request(Question(parse_netblock("2001:db8::/64"))).params["target"] == "2001:db8::/64"


@pytest.mark.parametrize(
    ("options", "url", "asked"),
    [
        ({}, "", "https://pdnsapi.deteque.com/api/query"),
        ({}, "https://pdns.example/api/query/", "https://pdns.example/api/query"),
        ({"api": "v2"}, "", "https://api-pdns.spamhaustech.com/v2/_search/rdata/198.51.100.7"),
        ({"api": "v2"}, "https://api-pdns.deteque.com/v2", "https://api-pdns.deteque.com/v2/_search/rdata/198.51.100.7"),
    ],
)
def test_the_usual_host_is_asked_unless_another_is_given(options: dict[str, object], url: str, asked: str) -> None:
    assert built("spamhaus", url, Server.secrets, options).request(Question(ONE)).url == asked


@pytest.mark.parametrize("api", ["deteque", "v2"])
def test_without_a_user_name_and_a_password_there_is_no_provider(api: str) -> None:
    with pytest.raises(OptionFaults, match="username"):
        built("spamhaus", "", {}, {"api": api})
    with pytest.raises(OptionFaults, match="there is no password"):
        built("spamhaus", "", {"username": USER}, {"api": api})


def test_what_each_interface_can_do_is_what_the_planner_is_told(server: Server) -> None:
    assert (provider(server).traits.reach, v2(server).traits.reach) == ("netblock", "address")
    assert (isinstance(provider(server), Fronting), isinstance(v2(server), Fronting)) == (False, True)
    assert {provider(server).traits.fenced, v2(server).traits.fenced} == {False}


# -- v2 -----------------------------------------------------------------------------------------------------------------


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
    heard = told_by_v2(http, server, (DATA / "spamhaus" / "v2_rdata.json").read_bytes())
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
    heard = told_by_v2(http, server, document.encode())
    assert heard.end.outcome is outcome
    assert words in heard.end.reason


@pytest.mark.parametrize(("hits", "limit"), [(2, 1_000), (1, 1)])
def test_an_answer_of_v2_with_more_hits_or_as_many_rows_as_can_be_is_partial(
    http: Client, server: Server, hits: int, limit: int
) -> None:
    record = {"rrname": "a.example.net", "rrtype": "A", "rdata": "198.51.100.7"}
    body = json.dumps({"error": False, "hits": hits, "records": [record]}).encode()
    server.faults = [LOGIN, Reply(200, JSON, [body])]
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
    server.fault = Reply(201, JSON, [body])
    heard = poll(http, v2(server), [ONE])
    assert heard.end.outcome is Outcome.FAILED
    assert "the login with environment USERNAME and environment PASSWORD" in heard.end.reason


def test_a_wrong_password_costs_one_login_and_no_call_and_is_not_shown(http: Client, server: Server) -> None:
    asked = built("spamhaus", server.url, {"username": USER, "password": "wr0ng"}, {"api": "v2"})
    heard = poll(http, asked, [FEW])
    assert (heard.end.outcome, heard.end.stop, len(server.calls)) == (Outcome.FAILED, True, 1)
    assert "wr0ng" not in f"{heard} {asked.request(Question(ONE))!r}"


def test_404_of_v2_alone_is_a_failure(http: Client, server: Server) -> None:
    server.faults = [LOGIN, faults.status(404, "nothing here")]
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


# -- quotas -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["deteque", "v2"])
def test_what_is_left_of_the_quotas_is_asked_for_and_costs_no_call(http: Client, server: Server, api: str) -> None:
    server.a_day, server.a_month = 10, 50
    asked = provider(server, api=api)
    poll(http, asked, [ONE])
    budget = Counted(old=True)
    poll(http, asked, [ONE], budget=budget)
    assert budget.learnt == [Learnt("day", 10, 9), Learnt("month", 50, 49)]
    assert (budget.spent, len(server.paid)) == (1, 2)


@pytest.mark.parametrize(
    ("body", "learnt"),
    [
        ((DATA / "spamhaus" / "v2_limits.json").read_bytes(), [Learnt("day", 2000, 1912), Learnt("month", 10000, 9812)]),
        (b'{"daily_limit": "1000", "daily_used": "5"}', [Learnt("day", 1000, 995)]),
        (b'{"day": {"max": 1000, "remaining": 7}}', [Learnt("day", 1000, 7)]),
        (b'{"month": {"allowed": 10, "done": 12}}', [Learnt("month", 10, 0)]),
        (b'{"queries_allowed_per_month": 10}', [Learnt("month", 10)]),
        (b'{"day": {"max": 0, "used": 7}}', []),
        (b'{"day": {"max": 10, "limit": 20, "used": 7}}', []),
        (b'{"day": {"used": 7}}', []),
        (b'{"limit_day_of_month": 7}', []),
        (b'{"day": {"max": -1, "used": true}}', []),
        (b'{"a": {"b": {"c": {"d": {"e": {"day_limit": 7}}}}}}', []),
        (b'{"error": "no"}', []),
        (b"[]", []),
        (b"<html>", []),
        (b'{"day":' * 50_000, []),
    ],
    ids=lambda part: part[:40].decode() if isinstance(part, bytes) else None,
)
def test_figures_that_cannot_be_told_apart_teach_nothing(server: Server, body: bytes, learnt: list[Learnt]) -> None:
    asked = provider(server)
    assert isinstance(asked, Telling)
    assert list(asked.read_quota(body, NOW)) == learnt


@pytest.mark.parametrize("api", ["deteque", "v2"])
def test_429_asks_for_a_pause(http: Client, server: Server, api: str) -> None:
    asked = provider(server, api=api)
    poll(http, asked, [ONE])
    server.fault = faults.too_many("7")
    budget = Counted()
    heard = poll(http, asked, [ONE], budget=budget)
    assert (heard.end.outcome, heard.end.stop) == (Outcome.FAILED, True)
    assert budget.overs == [("burst", 7.0)]


@pytest.mark.parametrize("api", ["deteque", "v2"])
def test_no_secret_stands_in_a_request_that_is_shown(server: Server, api: str) -> None:
    asked = provider(server, api=api)
    assert isinstance(asked, Telling)
    for request in (asked.request(Question(ONE)), asked.quota_request()):
        assert KEY not in f"{request} {request!r}"
