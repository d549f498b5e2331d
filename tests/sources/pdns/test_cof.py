"""The `cof` provider against a server that answers as D4 and CIRCL do, and against one that does everything wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest

from feedsvc import plugins
from feedsvc.http import Client
from feedsvc.model import Observation, Outcome, Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof as rows
from feedsvc.sources.pdns import cof
from feedsvc.sources.pdns.cof import Options
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Known, Poll
from tests.sources.conftest import DATA, FEW, KEY, NETBLOCK, NOW, Heard, settings
from tests.sources.pdns.asking import Counted, built
from tests.sources.pdns.asking import poll as poll_of
from tests.sources.pdns.faulty import DEADLINE, MAX_BYTES, Case, cases, marks
from tests.standins import faults
from tests.standins.cof import CofServer, row
from tests.standins.server import refused_url

SEEN = "k3xq.example.net"
THREE = b"".join(json.dumps(row(f"n{n}.example.net", "198.51.100.7")).encode() + b"\n" for n in range(3))


@pytest.fixture
def server() -> Iterator[CofServer]:
    with CofServer([row(SEEN, "198.51.100.7")]) as server:
        yield server


def poll(
    http: Client,
    url: str,
    netblock: Netblock = FEW,
    *,
    secrets: Mapping[str, str] | None = None,
    budget: Counted | None = None,
    known: Sequence[Known] = (),
    **options: object,
) -> Heard:
    """One poll as the pipeline does it."""
    provider = built("cof", url, secrets or {}, options)
    return poll_of(http, provider, [netblock], budget=budget, known=known, fronts=len(known))


def test_every_address_of_a_netblock_is_asked_once_and_the_answers_make_it_complete(http: Client, server: CofServer) -> None:
    heard = poll(http, server.url, NETBLOCK)
    assert heard.observations == (Observation(SEEN, "A", "198.51.100.7", 1_700_000_000, 1_700_000_600, tlp=Tlp.CLEAR),)
    assert heard.end.outcome is Outcome.COMPLETE
    assert sorted(server.asked) == sorted(str(address) for address in NETBLOCK.addresses())
    assert marks(heard) == ["198.51.100.0/24"]


def test_ipv6_is_asked_as_well(http: Client, server: CofServer) -> None:
    server.rows = [row(SEEN, "2001:db8::6")]
    heard = poll(http, server.url, parse_netblock("2001:db8::4/126"))
    assert [(seen.rrtype, seen.rdata) for seen in heard.observations] == [("AAAA", "2001:db8::6")]
    assert server.asked[0] == "2001:db8::4"


def test_the_server_is_forbidden_to_resolve_what_it_is_asked(http: Client, server: CofServer) -> None:
    poll(http, server.url, known=[Known(SEEN, ("198.51.100.7",))], front_path="query")
    assert SEEN in server.asked
    assert server.resolved == []


@pytest.mark.parametrize("path", ["", "/", "/query", "/query/"])
def test_the_url_may_have_its_query_part_or_not(http: Client, server: CofServer, path: str) -> None:
    assert poll(http, server.url + path).names == [SEEN]


def test_rows_about_other_addresses_are_counted_and_left_out(http: Client, server: CofServer) -> None:
    server.rows.append(row(SEEN, "203.0.113.9"))
    heard = poll(http, server.url)
    assert {seen.rdata for seen in heard.observations} == {"198.51.100.7"}
    assert heard.refused == {rows.OUTSIDE: 1}


def test_a_recorded_answer_of_d4_is_read_row_by_row(http: Client, server: CofServer) -> None:
    server.answers["198.51.100.8"] = (DATA / "cof" / "d4_query.ndjson").read_bytes()
    heard = poll(http, server.url, parse_netblock("198.51.100.8"))
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 4
    assert heard.refused == {rows.OUTSIDE: 1}


def test_a_login_is_sent_as_basic(http: Client) -> None:
    with CofServer([row(SEEN, "198.51.100.7")], login=("jane", "pw")) as server:
        assert poll(http, server.url, secrets={"username": "jane", "password": "pw"}).names == [SEEN]
        heard = poll(http, server.url, secrets={"username": "jane", "password": "wrong"})
    assert "401: the server refused the key from environment USERNAME and environment PASSWORD: check it" in heard.end.reason


@pytest.mark.parametrize(
    ("option", "header"),
    [("Authorization: Bearer", ("Authorization", f"Bearer {KEY}")), ("X-API-Key", ("X-API-Key", KEY))],
)
def test_a_key_is_sent_in_the_header_that_is_configured(http: Client, option: str, header: tuple[str, str]) -> None:
    with CofServer([row(SEEN, "198.51.100.7")], header=header) as server:
        assert poll(http, server.url, secrets={"api_key": KEY}, header=option).names == [SEEN]
        assert "401: the server wants credentials" in poll(http, server.url, header=option).end.reason


@pytest.mark.parametrize(
    ("header", "value"),
    [("x-dribble-cursor", "7346046680497455128"), ("x-dribble-errors", '{"error": "maxset", "total_value": 532915}')],
)
def test_an_answer_that_says_it_is_cut_short_is_partial(http: Client, server: CofServer, header: str, value: str) -> None:
    server.extra = {header: value}
    heard = poll(http, server.url)
    assert heard.names == [SEEN]
    assert heard.end.outcome is Outcome.PARTIAL
    assert f"the server has more than it gave ({header}: {value})" in heard.end.reason
    assert marks(heard) == []


@pytest.mark.parametrize("value", ["", "{}", "[]", "null"])
def test_a_header_that_tells_of_no_error_is_none(http: Client, server: CofServer, value: str) -> None:
    server.extra = {"x-dribble-errors": value}
    assert poll(http, server.url).end.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    ("not_found", "known", "outcome"),
    [
        ("auto", "198.51.100.7", Outcome.COMPLETE),
        ("auto", "203.0.113.9", Outcome.FAILED),
        ("empty", "203.0.113.9", Outcome.COMPLETE),
        ("fault", "198.51.100.7", Outcome.FAILED),
    ],
)
def test_404_is_nothing_found_only_where_the_server_proves_that_it_is_the_right_one(
    http: Client, server: CofServer, not_found: str, known: str, outcome: Outcome
) -> None:
    server.absent = 404
    server.rows = [row(SEEN, known)]
    heard = poll(http, server.url, not_found=not_found)
    assert heard.end.outcome is outcome
    assert heard.end.outcome is Outcome.COMPLETE or "is the URL right?" in heard.end.reason


def test_quiet_netblocks_before_a_known_one_keep_nobody_from_asking_about_it(http: Client, server: CofServer) -> None:
    server.absent = 404
    netblocks = [*(parse_netblock(f"203.0.113.{first}/30") for first in (0, 4, 8, 12)), FEW]
    heard = poll_of(http, built("cof", server.url, {}), netblocks)
    assert heard.names == [SEEN]
    assert {end.outcome for end in heard.ends} == {Outcome.COMPLETE}
    assert sorted(marks(heard)) == sorted(map(str, netblocks))


def test_a_wrong_path_is_a_failure_and_not_an_empty_netblock(http: Client, server: CofServer) -> None:
    heard = poll(http, f"{server.url}/nowhere")
    assert heard.end.outcome is Outcome.FAILED
    assert "/nowhere/query/: 404 for each address: is the URL right?" in heard.end.reason
    assert marks(heard) == []


def test_a_netblock_that_would_cost_too_much_is_skipped_without_a_call(http: Client, server: CofServer) -> None:
    heard = poll(http, server.url, parse_netblock("2001:db8::/64"))
    assert heard.ends[0].outcome is Outcome.SKIPPED
    assert "would cost 2^64 questions a poll" in heard.ends[0].reason
    assert server.calls == []


def test_one_address_that_breaks_makes_the_netblock_partial_and_moves_no_mark(http: Client, server: CofServer) -> None:
    server.answers["198.51.100.5"] = THREE[:-20]
    heard = poll(http, server.url)
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason == ("198.51.100.5: the answer ends in the middle of a row (3 of 4 addresses answered in full)")
    assert marks(heard) == []
    assert SEEN in heard.names


def test_a_server_that_answers_without_end_is_given_up_after_three_addresses(http: Client, server: CofServer) -> None:
    server.fault = faults.endless(THREE)
    heard = poll(http, server.url, parse_netblock("198.51.100.7-198.51.100.70"), max_bytes=10_000, concurrency=1)
    assert len(server.calls) == 3
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.trouble


def test_a_fault_that_passes_is_not_noticed(http: Client, server: CofServer) -> None:
    server.faults = [faults.status(503), faults.status(502)]
    assert poll(http, server.url).end.outcome is Outcome.COMPLETE


def test_a_bad_key_costs_one_question_and_the_other_netblocks_none(http: Client, server: CofServer) -> None:
    server.fault = faults.status(401)
    source = PdnsSource("partner", built("cof", server.url, {"api_key": KEY}), http, lambda: NOW)
    ends = {
        str(netblock): batch.end.outcome
        for batch in source.read(Poll([FEW, parse_netblock("203.0.113.0/24")], {}, NOW, Counted()))
        if batch.end is not None
        for netblock in batch.scope
    }
    assert len(server.calls) == 1
    assert ends == {str(FEW): Outcome.FAILED, "203.0.113.0/24": Outcome.SKIPPED}


def test_a_quota_that_ends_in_the_middle_keeps_what_came_and_says_when_to_return(http: Client, server: CofServer) -> None:
    server.rows = [row(SEEN, "198.51.100.4")]
    server.faults = [faults.status(200, THREE.decode()), faults.too_many("3600")]
    budget = Counted()
    heard = poll(http, server.url, parse_netblock("198.51.100.7-198.51.100.10"), budget=budget, concurrency=1)
    assert len(server.calls) == 2
    assert len(heard.observations) == 3
    assert (heard.end.outcome, heard.end.stop) == (Outcome.PARTIAL, True)
    assert budget.overs == [("burst", 3600)]


@pytest.mark.parametrize("case", cases(THREE, KEY), ids=str)
def test_every_fault_has_its_outcome_moves_no_mark_and_shows_no_secret(
    http: Client, server: CofServer, case: Case, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    server.fault = case.reply
    url, budget = server.url if case.reply else refused_url(), Counted()
    one, secrets = parse_netblock("198.51.100.7"), {"api_key": KEY}
    heard = poll(http, url, one, secrets=secrets, budget=budget, deadline=DEADLINE, max_bytes=MAX_BYTES)
    case.check(heard, budget)
    assert KEY not in f"{heard!r} {caplog.text} {capsys.readouterr()}"


def test_the_hostile_answer_is_counted_and_partial_as_it_ends_in_the_middle_of_a_row(
    http: Client, server: CofServer
) -> None:
    server.answers["198.51.100.7"] = (DATA / "cof" / "hostile.ndjson").read_bytes()
    heard = poll(http, server.url)
    assert heard.end.outcome is Outcome.PARTIAL
    assert len(heard.observations) == 6
    assert heard.refused == {rows.OTHER_TYPE: 1, "no rrname": 1, rows.NOT_JSON: 2}


BEHIND = Known("cdn.example.org", ("198.51.100.7",))


def test_names_in_front_of_a_finding_are_asked_for_where_d4_knows_them(http: Client, server: CofServer) -> None:
    server.rows += [
        row("cdn.example.org", "198.51.100.7"),
        row("front.example.com", "cdn.example.org", 5, 9, rrtype="CNAME"),
        row("front.example.com", "ns.example.com", rrtype="NS"),
    ]
    heard = poll(http, server.url, parse_netblock("198.51.100.9"), known=[BEHIND], front_path="fquery")
    assert server.calls[-1].path == "/fquery/cdn.example.org"
    assert heard.observations == (Observation("front.example.com", "A", "198.51.100.7", 5, 9, chain=("cdn.example.org",)),)


def test_names_in_front_are_not_asked_for_where_nothing_is_said_of_a_place(http: Client, server: CofServer) -> None:
    poll(http, server.url, known=[BEHIND])
    assert len(server.calls) == 4


def fault(url: str, options: Options = Options(), **secrets: str) -> Mapping[str, str]:  # noqa: B008
    with pytest.raises(OptionFaults) as caught:
        cof.build(settings("cof", url, **secrets), options, lambda: NOW)
    return caught.value.messages


def test_what_is_lacking_or_contradicts_itself_is_a_fault_by_key() -> None:
    assert list(fault("")) == ["url"]
    assert list(fault("http://a", username="jane")) == ["username_env"]
    assert list(fault("http://a", username="jane", password="pw", api_key=KEY)) == ["username_env"]
    for header in ("", "X Key", "X-Key:", "Authorization: Bearer x", "X-Key: \x00"):
        assert list(fault("http://a", Options(header=header), api_key=KEY)) == ["header"]


@pytest.mark.parametrize(
    "given",
    [
        {"concurrency": 0},
        {"max_addresses": 0},
        {"not_found": "never"},
        {"front_path": "../x"},
        {"deadline": 0},
        {"max_bytes": -1},
        {"x": 1},
    ],
)
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "cof"), given)
    assert list(caught.value.messages) == list(given)
