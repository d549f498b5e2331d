"""The `validin` provider: recorded answers, what it asks, what it makes of what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.clock import rfc3339
from feedsvc.errors import SourceError
from feedsvc.http import Client, HttpError
from feedsvc.model import Allowance, Learnt, Outcome, Tlp
from feedsvc.names import parse_netblock
from feedsvc.sources import cof
from feedsvc.sources.aliases import NO_ALIAS
from feedsvc.sources.pdns import validin
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Front, Fronting, Known, Poll, Provider, Question, Telling
from tests.sources.conftest import DATA, FEW, KEY, NETBLOCK, NOW, Heard
from tests.sources.pdns.asking import Counted, built, poll
from tests.sources.pdns.reading import JSONS, answer, drained
from tests.standins import faults
from tests.standins.provider import Seen
from tests.standins.server import Reply
from tests.standins.validin import JSON, Server

ONE = parse_netblock("198.51.100.7")
SIDES = JSONS | st.sampled_from(["198.51.100.7", "k3xq.example.net", "www.front.example.org", "IP4", "dom", 1713463200])
ROWS = st.lists(JSONS | st.dictionaries(st.sampled_from(["key", "value", "value_type", "first_seen", "last_seen"]), SIDES))
DOCUMENTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["finished", "running"]) | JSONS,
        "limited": st.booleans() | JSONS,
        "records": st.dictionaries(st.sampled_from(["A", "aaaa", "CNAME_FOR", "NX"]), ROWS | JSONS) | JSONS,
    }
)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def provider(server: Server, **options: object) -> Provider:
    return built("validin", server.url, {"api_key": KEY}, options)


def recorded(name: str) -> bytes:
    return (DATA / "validin" / name).read_bytes()


def told(http: Client, server: Server, body: bytes, **more: object) -> Heard:
    """What comes of an answer with this body, and nothing else."""
    server.fault = Reply(200, JSON, [body])
    return poll(http, provider(server, **more), [NETBLOCK])


def test_a_recorded_answer_is_read_whichever_way_its_rows_stand(http: Client, server: Server) -> None:
    heard = told(http, server, recorded("cidr_history.json"))
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert {(one.rrname, one.rdata, one.time_first, one.time_last) for one in heard.observations} == {
        ("k3xq.example.net", "198.51.100.7", 1713463200, 1727719200),
        ("w7b2.example.org", "198.51.100.9", 1713463200, 1727719200),
        ("iso.example.net", "198.51.100.7", 1713463200, 1727719200),
        ("texts.example.net", "198.51.100.7", 1713463200, 1727654400),
        (r"no\032times.example.net", "198.51.100.7", None, None),
    }
    assert {(one.rrtype, one.count, one.tlp) for one in heard.observations} == {("A", None, Tlp.GREEN)}


def test_rows_that_are_none_and_those_of_other_types_are_counted(http: Client, server: Server) -> None:
    heard = told(http, server, recorded("cidr_history.json"))
    assert heard.refused == {cof.OUTSIDE: 1, cof.OTHER_TYPE: 2, validin.NO_ROW: 3}
    assert heard.samples[validin.NO_ROW].startswith('{"key": "198.51.100.7", "value": null')


def test_a_cut_answer_is_asked_for_in_halves_and_what_it_had_is_kept(http: Client, server: Server) -> None:
    server.cap = 2
    server.seen = [Seen(f"n{n}.example.net", f"198.51.100.{4 + n % 4}") for n in range(8)]
    heard = poll(http, provider(server), [FEW])
    assert heard.end.outcome is Outcome.COMPLETE
    assert sorted(call.path.rpartition("history/")[2] for call in server.calls) == [
        "198.51.100.4",
        "198.51.100.4/30",
        "198.51.100.4/31",
        "198.51.100.5",
        "198.51.100.6",
        "198.51.100.6/31",
        "198.51.100.7",
    ]
    assert len(heard.names) == 8


def test_an_answer_with_fewer_rows_than_it_says_is_partial(http: Client, server: Server) -> None:
    rows = b'{"A":[{"key":"198.51.100.7","value":"k3xq.example.net"}],"NS_FOR":[{"key":"a.example","value":"b.example"}]}'
    for said, outcome in ((b"2", Outcome.COMPLETE), (b"1", Outcome.COMPLETE), (b'"3"', Outcome.PARTIAL)):
        heard = told(
            http, server, b'{"status":"finished","records":%b,"records_returned":%b,"limited":false}' % (rows, said)
        )
        assert (heard.end.outcome, heard.names) == (outcome, ["k3xq.example.net"])
    assert "the answer says that it holds 3 rows, and holds 2" in heard.end.reason


def test_an_address_with_more_names_than_the_plan_gives_is_partial_and_moves_no_mark(http: Client, server: Server) -> None:
    server.fault = Reply(200, JSON, [recorded("limited.json")])
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason.startswith("has more names than the plan gives at once")
    assert heard.names == ["k3xq.example.net"]
    assert [cursor for cursor in heard.cursors if cursor.scope == "198.51.100.7/32"] == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b'{"status":"finished","records":{}}', "does not say whether it is all there is"),
        (b'{"status":"finished","records":{},"limited":0}', "does not say whether it is all there is"),
        (b'{"status":"running","records":{},"limited":false}', "did not finish its answer: running"),
        (b'{"records":{},"limited":false}', "did not finish its answer: it has no status"),
        (b'{"status":[[[[]]]],"records":{},"limited":false}', "is not a document of Validin: is the URL right?"),
        (b'{"status":"finished","limited":false}', "is not a document of Validin: is the URL right?"),
        (b'{"status":"finished","records":[],"limited":false}', "is not a document of Validin: is the URL right?"),
        (b'{"status":"error","error":"no such plan"}', "no such plan"),
        (b'{"status":"finished","records":{"A":[1,2]},"limited":false}', "none of the 2 rows of the answer is a row of"),
        (b"[" * 100_000, "is not a document of Validin"),
        (b'{"records":' + b'{"A":' * 5_000, "is not a document of Validin"),
        (b"", "(it says: nothing)"),
    ],
    ids=lambda part: part[:40] if isinstance(part, str) else None,
)
def test_an_answer_that_does_not_prove_itself_is_not_complete(
    http: Client, server: Server, document: bytes, words: str
) -> None:
    heard = told(http, server, document)
    assert heard.end.outcome is Outcome.FAILED
    assert words in heard.end.reason


def test_an_answer_without_names_is_complete(http: Client, server: Server) -> None:
    heard = told(http, server, b'{"status":"FINISHED","records":{"PTR":[]},"limited":false}')
    assert (heard.end.outcome, heard.observations) == (Outcome.COMPLETE, ())


def test_rows_of_other_types_alone_are_an_answer(http: Client, server: Server) -> None:
    row = b'{"key":"198.51.100.7","value":"ns.example.net","value_type":"dom"}'
    heard = told(http, server, b'{"status":"finished","records":{"NS_FOR":[' + row + b']},"limited":false}')
    assert (heard.end.outcome, heard.refused) == (Outcome.COMPLETE, {cof.OTHER_TYPE: 1})


def test_a_later_poll_looks_back_in_whole_days_and_one_more(http: Client, server: Server) -> None:
    server.seen = [
        Seen("old.example.net", "198.51.100.7", 1_700_000_000, 1_700_000_600),
        Seen("new.example.net", "198.51.100.7", 1_700_000_000, server.now - 3_600),
    ]
    asked = provider(server)
    assert poll(http, asked, [ONE]).names == ["new.example.net", "old.example.net"]
    mark = {str(ONE): rfc3339(NOW - timedelta(hours=5))}
    assert poll(http, asked, [ONE], cursors=mark).names == ["new.example.net"]
    assert [call.query for call in server.calls] == [{}, {"lookback": "3"}]


def test_the_time_is_never_cut_in_halves(server: Server) -> None:
    assert not provider(server).traits.fenced
    question = Question(NETBLOCK, NOW - timedelta(days=1), NOW)
    assert dict(provider(server).request(question).params) == {"lookback": "2"}


def test_a_mark_in_the_future_still_asks_for_a_day(server: Server) -> None:
    question = Question(NETBLOCK, NOW + timedelta(days=5))
    assert dict(provider(server).request(question).params) == {"lookback": "1"}


def test_netblocks_stand_in_the_path_as_address_and_length(server: Server) -> None:
    asked = provider(server, limit=100)
    six = Question(parse_netblock("2001:db8::/64"))
    assert asked.request(six).url == f"{server.url}/api/axon/ip/dns/history/2001:db8::/64"
    assert asked.request(Question(ONE)).url == f"{server.url}/api/axon/ip/dns/history/198.51.100.7"
    assert dict(asked.request(six).params) == {"limit": "100"}


def test_the_usual_host_is_asked_unless_another_is_given() -> None:
    asked = built("validin", "", {"api_key": KEY})
    assert asked.request(Question(ONE)).url == "https://app.validin.com/api/axon/ip/dns/history/198.51.100.7"


def test_a_longer_answer_than_allowed_is_asked_for_in_halves(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", f"198.51.100.{4 + n}") for n in range(4)]
    heard = poll(http, provider(server, max_bytes=700), [FEW])
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 4
    assert len(server.calls) > 1


def test_404_is_believed_when_something_else_was_answered(http: Client, server: Server) -> None:
    other = parse_netblock("203.0.113.0/30")
    server.seen = [Seen("k3xq.example.net", "198.51.100.5")]
    server.faults = [faults.status(404, '{"status":"error"}')]
    batches = poll_two(http, server)
    assert batches == {str(other): Outcome.COMPLETE, str(FEW): Outcome.COMPLETE}


def test_404_alone_is_a_failure(http: Client, server: Server) -> None:
    server.fault = faults.status(404, "nothing here")
    assert set(poll_two(http, server).values()) == {Outcome.FAILED}


def poll_two(http: Client, server: Server) -> dict[str, Outcome]:
    """The outcome of each of two netblocks."""
    netblocks = [parse_netblock("203.0.113.0/30"), FEW]
    source = PdnsSource("source", provider(server), http, lambda: NOW)
    found: dict[str, Outcome] = {}
    for batch in source.read(Poll(netblocks, {}, NOW, Counted())):
        found |= {str(one): batch.end.outcome for one in batch.scope if batch.end}
    return found


def test_the_free_plan_is_what_is_allowed_unless_told_otherwise(server: Server) -> None:
    assert provider(server).traits.allowances == (Allowance("day", 10), Allowance("month", 50))
    assert provider(server, calls_per_day=500, calls_per_month=0).traits.allowances == (Allowance("day", 500),)


def test_a_refusal_for_too_many_calls_ends_the_day(http: Client, server: Server) -> None:
    server.fault = faults.status(429, "daily query limit reached")
    budget = Counted()
    heard = poll(http, provider(server), [FEW], budget=budget)
    assert heard.end.stop
    assert budget.overs == [("day", None)]


def test_what_is_left_of_the_quotas_is_asked_for_and_costs_no_call(http: Client, server: Server) -> None:
    server.a_day, server.a_month = 10, 50
    budget = Counted(old=True)
    poll(http, provider(server), [FEW], budget=budget)
    assert budget.learnt == [Learnt("day", left=10), Learnt("month", left=50)]
    assert (budget.spent, len(server.paid), len(server.calls)) == (1, 1, 2)


@pytest.mark.parametrize(
    ("body", "learnt"),
    [
        (b'{"remaining":{"daily":"7","monthly":null}}', [Learnt("day", left=7)]),
        (b'{"remaining":{"daily":-1,"monthly":true}}', []),
        (b'{"remaining":[]}', []),
        (b'{"usage":{}}', []),
        (b"<html>", []),
        (b"[" * 100_000, []),
    ],
    ids=lambda part: part[:30].decode() if isinstance(part, bytes) else None,
)
def test_a_usage_that_cannot_be_read_teaches_nothing(server: Server, body: bytes, learnt: list[Learnt]) -> None:
    asked = provider(server)
    assert isinstance(asked, Telling)
    assert list(asked.read_quota(body, NOW)) == learnt


def test_names_in_front_of_a_finding_are_asked_for(http: Client, server: Server) -> None:
    server.aliases = {"k3xq.example.net": ["www.front.example.org"]}
    known = [Known("k3xq.example.net", ("198.51.100.7", "2001:db8::7"))]
    heard = poll(http, provider(server), [FEW], known=known, fronts=1)
    assert {(one.rrname, one.rrtype, one.rdata, one.chain) for one in heard.observations} == {
        ("www.front.example.org", "A", "198.51.100.7", ("k3xq.example.net",)),
        ("www.front.example.org", "AAAA", "2001:db8::7", ("k3xq.example.net",)),
    }
    assert server.calls[-1].path == "/api/axon/domain/dns/extra/k3xq.example.net"


def test_what_a_name_itself_points_at_is_no_name_in_front_of_it(http: Client, server: Server) -> None:
    server.seen = [Seen("quiet.example.net", "203.0.113.9")]
    server.faults = [Reply(200, JSON, [b'{"status":"finished","records":{},"limited":false}'])]
    server.faults += [Reply(200, JSON, [recorded("extra.json")])]
    heard = poll(http, provider(server), [FEW], known=[Known("k3xq.example.net", ("198.51.100.7",))], fronts=1)
    assert heard.names == ["login.front.example.org", "www.front.example.org"]
    assert heard.refused == {NO_ALIAS: 5}
    assert {(one.time_first, one.time_last) for one in heard.observations} == {(1713463200, 1727719200)}


def test_a_name_is_written_into_the_path_as_one_part_of_it(server: Server) -> None:
    asked = provider(server)
    assert isinstance(asked, Fronting)
    request = asked.front_request(Front(r"a\.b/..\047.example.net", ("198.51.100.7",)))
    assert request.url == f"{server.url}/api/axon/domain/dns/extra/a%5C.b%2F..%5C047.example.net"


def test_the_key_stands_in_no_request_that_is_shown(server: Server) -> None:
    asked = provider(server)
    assert isinstance(asked, Telling)
    for request in (asked.request(Question(ONE)), asked.quota_request()):
        assert KEY not in repr(request)
        assert KEY not in str(request)


def test_other_errors_mean_what_they_mean_everywhere(server: Server) -> None:
    assert provider(server).refused(HttpError("no", status=500), Question(ONE)) is None


def test_a_large_answer_comes_in_parts(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.7") for n in range(cof.BATCH + 1)]
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, cof.BATCH + 1)
    assert heard.batches == 2


@given(DOCUMENTS)
def test_whatever_comes_is_read_or_is_no_answer(document: Mapping[str, object]) -> None:
    ready = built("validin", "", {"api_key": KEY})
    assert isinstance(ready, Fronting)
    body = json.dumps(document).encode()
    for reading in (
        ready.read(answer(body), Question(ONE)),
        ready.read_front(answer(body), Front("k3xq.example.net", ("198.51.100.7",))),
    ):
        try:
            batches, reply = drained(reading)
        except SourceError:
            continue
        assert not [one for batch in batches for one in batch.observations if one.rdata != "198.51.100.7"]
        if reply.end.outcome is Outcome.COMPLETE:
            assert (document["status"], document["limited"]) == ("finished", False)
