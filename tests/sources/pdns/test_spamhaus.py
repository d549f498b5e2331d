"""The `spamhaus` provider: recorded answers of deteque, what either interface can do, and what is left of the quotas."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.http import Client
from feedsvc.model import Learnt, Outcome, Tlp
from feedsvc.names import parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof
from feedsvc.sources.pdns import spamhaus
from feedsvc.sources.port import Fronting, Provider, Question, Telling
from tests.sources.conftest import DATA, FEW, KEY, NETBLOCK, NOW, Heard
from tests.sources.pdns.asking import Counted, built, poll
from tests.sources.pdns.reading import JSONS, answer, drained
from tests.standins import faults
from tests.standins.provider import Seen
from tests.standins.server import Reply
from tests.standins.spamhaus import JSON, USER, Server

ONE = parse_netblock("198.51.100.7")
FIELDS = ["hostname", "ip", "Time_First", "last seen", "rrtype", "count", "results", "error"]
SIDES = JSONS | st.sampled_from(["198.51.100.7", "k3xq.example.net", "A", "PTR", 1522330452, "2018-03-29 13:34:12"])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def provider(server: Server, **options: object) -> Provider:
    return built("spamhaus", server.url, server.secrets, options)


def recorded(name: str) -> Reply:
    return Reply(200, JSON, [(DATA / "spamhaus" / name).read_bytes()])


def told(http: Client, server: Server, body: bytes) -> Heard:
    """What comes of an answer with this body, and nothing else."""
    server.fault = Reply(200, JSON, [body])
    return poll(http, provider(server), [NETBLOCK])


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


@pytest.mark.parametrize(
    ("body", "said", "names"),
    [
        ('{"results": [%s], "error": "timed out"}', '"timed out"', 1),
        ('{"results": [%s], "truncated": true}', "true", 1),
        ('{"results": [%s], "status": 206}', None, 1),
        ('{"results": [%s], "error": null, "warnings": [], "status": "OK", "limited": false}', None, 1),
        ('{"results": [%s], "status": "Error"}', '"Error"', 1),
        ('{"results": [], "status": "error", "message": "quota exceeded"}', '"error"', 0),
        ('{"results": [], "status": 429}', "429", 0),
        ('{"results": [], "status": "success", "message": "nothing found"}', None, 0),
        ('%s\n{"error": "timed out"}\n', '{"error": "timed out"}', 1),
        ('%s\n{"status": "timeout"}\n', '{"status": "timeout"}', 1),
        ('%s\n{"note": "the end"}\n', "", 1),
        ("%s\nquota exceeded\n", "", 1),
        ('%s\n{"message": "query timed out"}\n', '{"message": "query timed out"}', 1),
        ('[%s, {"message": "timeout"}]', '{"message": "timeout"}', 1),
        ('[%s, {"note": "the end"}]', None, 1),
        ('{"records": [], "message": "query timed out"}', '"query timed out"', 0),
        ('%s\n{"count": 1, "status": "ok"}\n', None, 1),
        ('{"count": 1, "next": null, "results": [%s]}', None, 1),
    ],
    ids=lambda part: part[:50] if isinstance(part, str) else None,
)
def test_what_stands_beside_rows_may_say_that_they_are_not_all(
    http: Client, server: Server, body: str, said: str | None, names: int
) -> None:
    row = '{"hostname": "a.example.net", "ip": "198.51.100.7"}'
    heard = told(http, server, (body % row if "%s" in body else body).encode())
    assert len(heard.names) == names
    if said is None:
        assert heard.end.outcome is Outcome.COMPLETE
    else:
        assert heard.end.outcome is (Outcome.PARTIAL if names else Outcome.FAILED)
        assert (f"a complaint (it says: {said})" if said else "ends in something that is no row") in heard.end.reason


def test_a_last_name_that_makes_its_row_unreadable_does_not_make_the_answer_look_broken(
    http: Client, server: Server
) -> None:
    good = '{"hostname": "a.example.net", "ip": "198.51.100.7"}\n'
    heard = told(http, server, (good + good.replace("a.ex", "\\ud800.ex")).encode())
    assert (heard.end.outcome, heard.names) == (Outcome.COMPLETE, ["a.example.net"])
    assert told(http, server, (good + good[:-9]).encode() + b"\n").end.outcome is Outcome.PARTIAL


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"error": false, "hits": 500, "status": 200, "records": [%s]}', "it counts 500 rows and gives 1"),
        ('{"results": [%s], "total": "500"}', "it counts 500 rows and gives 1"),
        ('{"records": [%s], "next": "/x?p=2"}', "it speaks of a next page"),
        ('{"data": [%s], "more": true}', "it speaks of a next page"),
    ],
)
def test_more_than_was_given_is_asked_for_in_halves(http: Client, server: Server, body: str, why: str) -> None:
    heard = told(http, server, (body % '{"hostname": "a.example.net", "ip": "198.51.100.7"}').encode())
    assert heard.end.outcome is Outcome.PARTIAL
    assert why in heard.end.reason
    assert len(server.paid) > 1


def test_an_answer_of_hardly_any_rows_is_given_up(http: Client, server: Server) -> None:
    heard = told(
        http, server, b'{"hostname": "a.example.net", "ip": "198.51.100.7"}\n' * 9 + b'{"note": "junk"}\n' * 200_000
    )
    assert heard.end.outcome is Outcome.PARTIAL
    assert "of the first 100,001 rows of the answer only 9 can be read as a row of Spamhaus" in heard.end.reason
    assert heard.names == ["a.example.net"]


def test_an_array_on_one_line_may_be_as_long_as_an_answer(http: Client, server: Server) -> None:
    rows = [{"hostname": f"n{n}.example.net", "ip": "198.51.100.7"} for n in range(30_000)]
    heard = told(http, server, json.dumps(rows).encode())
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 30_000)


def test_a_document_that_is_too_large_to_be_held_is_asked_for_in_halves(http: Client, server: Server) -> None:
    server.fault = faults.endless(b'[{"hostname": "a.example.net", "ip": "198.51.100.7"},\n')
    heard = poll(http, provider(server), [NETBLOCK])
    assert "the answer is one document of over 16,777,216 bytes" in heard.end.reason
    assert [call.query["target"] for call in server.calls] == ["198.51.100.0/24", "198.51.100.0/25", "198.51.100.0/26"]


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


@pytest.mark.parametrize(("api", "reach", "fronts"), [("deteque", "netblock", False), ("v2", "address", True)])
def test_what_each_interface_can_do_is_what_the_planner_is_told(server: Server, api: str, reach: str, fronts: bool) -> None:
    asked = provider(server, api=api)
    assert (asked.traits.reach, asked.traits.fronts, asked.traits.fenced) == (reach, fronts, False)
    assert isinstance(asked, Fronting) is fronts


def test_a_longer_answer_than_allowed_is_asked_for_in_halves(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", f"198.51.100.{4 + n % 4}") for n in range(8)]
    heard = poll(http, provider(server, max_bytes=400), [FEW])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 8)
    assert len(server.calls) > 1


def test_a_large_answer_comes_in_parts(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.7") for n in range(cof.BATCH + 1)]
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, cof.BATCH + 1)
    assert heard.batches == 2


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), SIDES) | JSONS, max_size=5), st.sampled_from(["lines", "array"]))
def test_whatever_comes_is_read_or_is_no_answer(rows: list[object], shape: str) -> None:
    written = [json.dumps(row) for row in rows]
    body = "\n".join(written) if shape == "lines" else json.dumps(rows)
    ready = built("spamhaus", "", Server.secrets)
    try:
        batches, reply = drained(ready.read(answer(body.encode()), Question(NETBLOCK)))
    except SourceError:  # what looks like HTML
        return
    found = [one for batch in batches for one in batch.observations]
    assert {one.rdata for one in found} <= {"198.51.100.7"}
    assert reply.end.outcome is not Outcome.FAILED or not found


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
