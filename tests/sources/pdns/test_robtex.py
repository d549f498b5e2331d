"""The `robtex` provider: rows that come twice and call their data otherwise, and a server that is soon asked too often."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest

from feedsvc import plugins
from feedsvc.http import Client
from feedsvc.model import Allowance, Observation, Outcome, Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import aliases, plan
from feedsvc.sources import cof as rows
from feedsvc.sources.pdns import robtex
from feedsvc.sources.pdns.robtex import Options
from feedsvc.sources.port import Known
from tests.sources.conftest import DATA, FEW, NOW, Heard, settings
from tests.sources.pdns.asking import Counted, built
from tests.sources.pdns.asking import poll as poll_of
from tests.sources.pdns.faulty import DEADLINE, MAX_BYTES, Case, cases, marks
from tests.standins import faults
from tests.standins.provider import Seen
from tests.standins.robtex import Server, row
from tests.standins.server import Reply, refused_url

SEEN = "k3xq.example.net"
ONE = parse_netblock("198.51.100.7")
THREE = b"".join(json.dumps(row(f"n{n}.example.net", "198.51.100.7")).encode() + b"\r\n" for n in range(3))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server([Seen(SEEN, "198.51.100.7")]) as server:
        yield server


def poll(
    http: Client,
    server: Server,
    netblock: Netblock = ONE,
    *,
    url: str = "",
    budget: Counted | None = None,
    known: Sequence[Known] = (),
    **options: object,
) -> Heard:
    """One poll as the pipeline does it."""
    provider = built("robtex", url or server.url, {}, options)
    return poll_of(http, provider, [netblock], budget=budget, known=known, fronts=len(known))


def test_a_row_that_comes_twice_counts_once(http: Client, server: Server) -> None:
    heard = poll(http, server)
    assert heard.observations == (
        Observation(SEEN, "A", "198.51.100.7", 1_700_000_000, 1_700_000_600, count=3, tlp=Tlp.CLEAR),
    )
    assert heard.end.outcome is Outcome.COMPLETE
    assert [call.path for call in server.calls] == ["/pdns/reverse/198.51.100.7"]


def test_an_answer_with_crlf_and_rows_of_other_types_is_read_to_its_end(http: Client, server: Server) -> None:
    server.fault = Reply(200, {"Content-Type": "application/json"}, [(DATA / "robtex" / "reverse.ndjson").read_bytes()])
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.COMPLETE
    assert [(one.rrname, one.time_first, one.count) for one in heard.observations] == [
        (SEEN, 1_439_620_242, 18),
        ("w7b2.example.org", 1_448_005_462, 2),
    ]
    assert heard.refused == {rows.OTHER_TYPE: 1}


def test_it_is_asked_one_call_at_a_time_and_few_times_a_minute() -> None:
    traits = built("robtex", "", {}, {"per_minute": 7}).traits
    assert (traits.concurrency, traits.max_addresses) == (1, 256)
    assert traits.allowances == (Allowance("burst", 7, 60.0),)


@pytest.mark.parametrize(
    "refusal",
    [
        Reply(429, {"Content-Type": "application/json"}, [b'{"status":"ratelimited"}']),
        Reply(200, {"Content-Type": "application/json"}, [b'{"status":"ratelimited"}']),
        faults.html(),
    ],
    ids=["429", "200 that says so", "a page"],
)
def test_a_refusal_of_who_asks_too_often_ends_the_poll_whatever_its_form(
    http: Client, server: Server, refusal: Reply
) -> None:
    server.fault = refusal
    budget = Counted()
    heard = poll(http, server, FEW, budget=budget)
    assert len(server.calls) == 1
    assert (heard.end.outcome, heard.end.stop) == (Outcome.FAILED, True)
    assert budget.overs == [("burst", None)]
    assert marks(heard) == []


def test_what_came_before_a_refusal_is_kept_and_the_next_poll_goes_on(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{last}.example.net", f"198.51.100.{last}") for last in range(4, 8)]
    server.most = 2
    heard = poll(http, server, FEW)
    assert heard.names == ["n4.example.net", "n5.example.net"]
    assert heard.end.outcome is Outcome.PARTIAL
    assert "ratelimited" in heard.end.reason
    left = plan.from_text([one.position for one in heard.cursors if one.scope == plan.SCOPE][-1])
    assert [str(piece) for piece in left.pending] == ["198.51.100.6/31"]


def test_another_status_is_no_answer_either(http: Client, server: Server) -> None:
    server.fault = Reply(200, {}, [b'{"status":"ok"}\r\n'])
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.FAILED
    assert "none of the 1 rows of the answer is COF" in heard.end.reason


def test_names_in_front_of_a_finding_are_found(http: Client, server: Server) -> None:
    server.rows = [row("front.example.com", "cdn.example.org", "CNAME", 5, 9), row("example.com", "cdn.example.org", "NS")]
    heard = poll(http, server, parse_netblock("203.0.113.9"), known=[Known("cdn.example.org", ("198.51.100.7",))])
    assert server.calls[-1].path == "/pdns/reverse/cdn.example.org"
    assert heard.observations == (
        Observation("front.example.com", "A", "198.51.100.7", 5, 9, count=3, chain=("cdn.example.org",)),
    )
    assert heard.refused == {aliases.NO_ALIAS: 1}


# Robtex has no key, and its own meaning of a page.
OTHERWISE = {"401", "403", "html with 200"}
CASES = [case for case in cases(THREE, "s3cr3t") if case.name not in OTHERWISE]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_fault_has_its_outcome_and_moves_no_mark(http: Client, server: Server, case: Case) -> None:
    server.fault = case.reply
    url, budget = "" if case.reply else refused_url(), Counted()
    heard = poll(http, server, url=url, budget=budget, deadline=DEADLINE, max_bytes=MAX_BYTES)
    case.check(heard, budget)


def test_its_usual_place_is_its_own_and_a_wrong_one_is_a_fault() -> None:
    request = robtex.build(settings("robtex"), Options(), lambda: NOW).request(plan.Piece(ONE).question)
    assert request.url == "https://freeapi.robtex.com/pdns/reverse/198.51.100.7"
    with pytest.raises(OptionFaults) as caught:
        robtex.build(settings("robtex", "ftp://a"), Options(), lambda: NOW)
    assert list(caught.value.messages) == ["url"]


@pytest.mark.parametrize("given", [{"per_minute": 0}, {"max_addresses": 0}, {"deadline": 0}, {"max_bytes": 0}, {"x": 1}])
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "robtex"), given)
    assert list(caught.value.messages) == list(given)
