"""The `cof` provider against a server that answers as D4 and CIRCL do, and against one that does everything wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from feedsvc import plugins
from feedsvc.http import Client
from feedsvc.model import Outcome
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof as rows
from feedsvc.sources.pdns import cof
from feedsvc.sources.pdns.cof import Options
from feedsvc.sources.polling import PdnsSource
from tests.sources.conftest import DATA, FEW, KEY, NETBLOCK, NOW, Heard, gather, settings
from tests.sources.pdns.faulty import Case, cases
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
    options: Options = Options(),  # noqa: B008
    netblock: Netblock = FEW,
    **secrets: str,
) -> Heard:
    """One poll as the pipeline does it."""
    provider = cof.build(settings("cof", url, **secrets), options, http, lambda: NOW)
    return gather(PdnsSource("partner", provider).read([netblock], {}, NOW))


def test_every_address_of_a_netblock_is_asked_once_and_the_answers_make_it_complete(http: Client, server: CofServer) -> None:
    heard = poll(http, server.url, netblock=NETBLOCK)
    assert heard.names == [SEEN]
    assert heard.end.outcome is Outcome.COMPLETE
    assert sorted(server.asked) == sorted(str(address) for address in NETBLOCK.addresses())
    assert [cursor.scope for cursor in heard.cursors] == ["198.51.100.0/24"]


def test_ipv6_is_asked_as_well(http: Client, server: CofServer) -> None:
    server.rows = [row(SEEN, "2001:db8::6")]
    heard = poll(http, server.url, netblock=parse_netblock("2001:db8::4/126"))
    assert [(seen.rrtype, seen.rdata) for seen in heard.observations] == [("AAAA", "2001:db8::6")]
    assert server.asked[0] == "2001:db8::4"


def test_the_server_is_forbidden_to_resolve_what_it_is_asked(http: Client, server: CofServer) -> None:
    poll(http, server.url)
    assert server.resolved == []


@pytest.mark.parametrize("path", ["", "/", "/query", "/query/"])
def test_the_url_may_have_its_query_part_or_not(http: Client, server: CofServer, path: str) -> None:
    assert poll(http, server.url + path).names == [SEEN]


def test_rows_about_other_addresses_are_counted_and_left_out(http: Client, server: CofServer) -> None:
    server.rows.append(row(SEEN, "203.0.113.9"))
    heard = poll(http, server.url)
    assert {seen.rdata for seen in heard.observations} == {"198.51.100.7"}
    assert heard.refused == {rows.OUTSIDE: 1}


def test_a_login_is_sent_as_basic(http: Client) -> None:
    with CofServer([row(SEEN, "198.51.100.7")], login=("jane", "pw")) as server:
        assert poll(http, server.url, username="jane", password="pw").names == [SEEN]
        heard = poll(http, server.url, username="jane", password="wrong")
    assert "401: the server refused the key from environment USERNAME and environment PASSWORD: check it" in heard.end.reason


@pytest.mark.parametrize(
    ("option", "header"),
    [("Authorization: Bearer", ("Authorization", f"Bearer {KEY}")), ("X-API-Key", ("X-API-Key", KEY))],
)
def test_a_key_is_sent_in_the_header_that_is_configured(http: Client, option: str, header: tuple[str, str]) -> None:
    with CofServer([row(SEEN, "198.51.100.7")], header=header) as server:
        assert poll(http, server.url, Options(header=option), api_key=KEY).names == [SEEN]
        assert "401: the server wants credentials" in poll(http, server.url, Options(header=option)).end.reason


@pytest.mark.parametrize(
    ("header", "value"),
    [("x-dribble-cursor", "7346046680497455128"), ("x-dribble-errors", '{"error": "maxset", "total_value": 532915}')],
)
def test_an_answer_that_circl_cut_short_is_partial(http: Client, server: CofServer, header: str, value: str) -> None:
    server.extra = {header: value}
    heard = poll(http, server.url)
    assert heard.names == [SEEN]
    assert heard.end.outcome is Outcome.PARTIAL
    assert f"the server has more than it gave ({header}: {value})" in heard.end.reason
    assert heard.cursors == ()


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
    options = plugins.read_options(plugins.load("pdns", "cof"), {"not_found": not_found})
    heard = poll(http, server.url, options)
    assert heard.end.outcome is outcome
    assert heard.end.outcome is Outcome.COMPLETE or "is the URL right?" in heard.end.reason


def test_quiet_netblocks_before_a_known_one_keep_nobody_from_asking_about_it(http: Client, server: CofServer) -> None:
    server.absent = 404
    netblocks = [*(parse_netblock(f"203.0.113.{first}/30") for first in (0, 4, 8, 12)), FEW]
    provider = cof.build(settings("cof", server.url), Options(), http, lambda: NOW)
    batches = list(PdnsSource("partner", provider).read(netblocks, {}, NOW))
    assert [seen.rrname for batch in batches for seen in batch.observations] == [SEEN]
    assert {batch.end.outcome for batch in batches if batch.end} == {Outcome.COMPLETE}
    assert sorted(mark.scope for batch in batches for mark in batch.cursors) == sorted(map(str, netblocks))


def test_a_wrong_path_is_a_failure_and_not_an_empty_netblock(http: Client, server: CofServer) -> None:
    heard = poll(http, f"{server.url}/nowhere")
    assert heard.end.outcome is Outcome.FAILED
    assert "/nowhere/query/: 404 for each of the 4 addresses: is the URL right?" in heard.end.reason


def test_a_netblock_that_would_cost_too_much_is_skipped_without_a_call(http: Client, server: CofServer) -> None:
    heard = poll(http, server.url, netblock=parse_netblock("2001:db8::/64"))
    assert heard.end.outcome is Outcome.SKIPPED
    assert "would cost 2^64 questions a poll" in heard.end.reason
    assert server.calls == []


def test_one_address_that_breaks_makes_the_netblock_partial_and_moves_no_mark(http: Client, server: CofServer) -> None:
    server.answers["198.51.100.5"] = THREE[:-20]
    heard = poll(http, server.url)
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason == ("198.51.100.5: the answer ends in the middle of a row (3 of 4 addresses answered in full)")
    assert heard.cursors == ()
    assert SEEN in heard.names


def test_a_server_that_answers_without_end_is_given_up_after_three_addresses(http: Client, server: CofServer) -> None:
    server.fault = faults.endless(THREE)
    heard = poll(http, server.url, Options(max_bytes=10_000, concurrency=1), NETBLOCK)
    assert len(server.calls) == 3
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.trouble


def test_a_fault_that_passes_is_not_noticed(http: Client, server: CofServer) -> None:
    server.faults = [faults.status(503), faults.status(502)]
    assert poll(http, server.url).end.outcome is Outcome.COMPLETE


def test_a_bad_key_costs_one_question_and_the_other_netblocks_none(http: Client, server: CofServer) -> None:
    server.fault = faults.status(401)
    provider = cof.build(settings("cof", server.url, api_key=KEY), Options(), http, lambda: NOW)
    batches = list(PdnsSource("partner", provider).read([FEW, NETBLOCK], {}, NOW))
    assert len(server.calls) == 1
    assert [batch.end.outcome for batch in batches if batch.end] == [Outcome.FAILED, Outcome.SKIPPED]


def test_a_quota_that_ends_in_the_middle_keeps_what_came_and_says_when_to_return(http: Client, server: CofServer) -> None:
    server.rows = [row(SEEN, "198.51.100.4")]
    server.faults = [faults.status(200, THREE.decode()), faults.too_many("3600")]
    heard = poll(http, server.url, Options(concurrency=1))
    assert len(server.calls) == 2
    assert len(heard.observations) == 3
    assert (heard.end.outcome, heard.end.retry_after, heard.end.stop) == (Outcome.PARTIAL, 3600, True)


@pytest.mark.parametrize("case", cases(THREE, KEY), ids=str)
def test_every_fault_has_its_outcome_moves_no_mark_and_shows_no_secret(
    http: Client, server: CofServer, case: Case, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    server.fault = case.reply
    url = server.url if case.reply else refused_url()
    heard = poll(http, url, Options(deadline=0.5, max_bytes=100_000), parse_netblock("198.51.100.7"), api_key=KEY)
    assert heard.end.outcome is case.outcome
    assert case.words in heard.end.reason
    assert (heard.end.stop, heard.end.retry_after) == (case.stop, case.retry_after)
    assert len(set(heard.names)) >= case.good
    assert heard.cursors == ()
    assert heard.end.reason.isprintable()
    assert KEY not in f"{heard!r} {caplog.text} {capsys.readouterr()}"


def test_the_hostile_answer_is_counted_and_partial_as_it_ends_in_the_middle_of_a_row(
    http: Client, server: CofServer
) -> None:
    server.answers["198.51.100.7"] = (DATA / "cof" / "hostile.ndjson").read_bytes()
    heard = poll(http, server.url)
    assert heard.end.outcome is Outcome.PARTIAL
    assert len(heard.observations) == 6
    assert heard.refused == {rows.OTHER_TYPE: 1, "no rrname": 1, rows.NOT_JSON: 2}


def fault(url: str, options: Options = Options(), **secrets: str) -> dict[str, str]:  # noqa: B008
    with Client() as http, pytest.raises(OptionFaults) as caught:
        cof.build(settings("cof", url, **secrets), options, http, lambda: NOW)
    return caught.value.messages


def test_what_is_lacking_or_contradicts_itself_is_a_fault_by_key() -> None:
    assert list(fault("")) == ["url"]
    assert list(fault("http://a", username="jane")) == ["username_env"]
    assert list(fault("http://a", username="jane", password="pw", api_key=KEY)) == ["username_env"]
    for header in ("", "X Key", "X-Key:", "Authorization: Bearer x", "X-Key: \x00"):
        assert list(fault("http://a", Options(header=header), api_key=KEY)) == ["header"]


@pytest.mark.parametrize(
    "given", [{"concurrency": 0}, {"max_addresses": 0}, {"not_found": "never"}, {"deadline": 0}, {"max_bytes": -1}, {"x": 1}]
)
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "cof"), given)
    assert list(caught.value.messages) == list(given)
