"""OTX's own: three forms of dates, rows that are no addresses, no pages, no key; and its own client reads the stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator

import OTXv2
import pytest
from IndicatorTypes import IPv4, IPv6

from feedsvc import plugins
from feedsvc.config import Secret, SourceSettings
from feedsvc.http import Client
from feedsvc.model import Allowance, Outcome, Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof
from feedsvc.sources.pdns import otx
from feedsvc.sources.pdns.otx import NOT_A_ROW, Options
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll, Provider, Question
from tests.sources.conftest import DATA, FEW, NOW, Heard, gather
from tests.sources.pdns import mangling
from tests.sources.pdns.asking import Counted
from tests.standins import faults
from tests.standins.otx import Server
from tests.standins.provider import KEY, Seen
from tests.standins.server import Reply

ADDRESS = "198.51.100.7"
ONE = parse_netblock(ADDRESS)
PLAIN = Options()
FIRST, LAST = 1742404440, 1763918193  # 2025-03-19T17:14:00Z and 2025-11-23T17:16:33Z


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def built(url: str = "", options: Options = PLAIN, key: str = KEY, tlp: Tlp | None = None) -> Provider:
    secrets = {"api_key": Secret(key, "environment OTX")} if key else {}
    settings = SourceSettings(name="otx", kind="pdns", provider="otx", url=url, secrets=secrets, tlp=tlp)
    return otx.build(settings, options, lambda: NOW)


def poll(
    http: Client,
    server: Server,
    options: Options = PLAIN,
    *,
    netblock: Netblock = ONE,
    key: str = KEY,
    budget: Counted | None = None,
) -> Heard:
    source = PdnsSource("otx", built(server.url, options, key), http, lambda: NOW)
    return gather(source.read(Poll([netblock], {}, NOW, budget or Counted())))


def sample(name: str) -> bytes:
    return (DATA / "otx" / name).read_bytes()


def test_a_date_means_the_same_moment_in_each_of_its_three_forms(http: Client, server: Server) -> None:
    server.answers[ADDRESS] = sample("three_dates.json")
    heard = poll(http, server)
    assert heard.names == ["k3xq.example.net", "p0dz.example.com", "w7b2.example.org"]
    assert {(seen.time_first, seen.time_last) for seen in heard.observations} == {(FIRST, LAST)}
    assert heard.refused == {}
    assert heard.end.outcome is Outcome.COMPLETE


def test_odd_rows_are_counted_and_the_others_kept(http: Client, server: Server) -> None:
    server.answers[ADDRESS] = sample("odd_rows.json")
    heard = poll(http, server)
    assert {seen.rrname: (seen.time_first, seen.time_last) for seen in heard.observations} == {
        "k3xq.example.net": (FIRST, LAST),
        "undated.example.net": (None, None),
        "half.example.net": (1742342400, None),
    }
    assert heard.refused == {
        cof.OTHER_TYPE: 2,
        "no address on either side": 1,
        cof.OUTSIDE: 1,
        "rdata that is no text": 1,
        cof.NO_TIME: 2,
        NOT_A_ROW: 3,
    }
    assert heard.end.outcome is Outcome.COMPLETE


def test_a_name_whose_address_is_a_word_and_an_alias_are_counted_beside_the_names(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", ADDRESS)]
    heard = poll(http, server)
    assert heard.names == ["k3xq.example.net"]
    assert heard.refused == {cof.OTHER_TYPE: 1, "no address on either side": 1}
    assert "NXDOMAIN" in heard.samples["no address on either side"]


def test_an_answer_of_nothing_but_other_records_is_complete(http: Client, server: Server) -> None:
    row = {"hostname": "alias.example.net", "address": "k3xq.example.net", "record_type": "CNAME"}
    server.answers[ADDRESS] = json.dumps({"passive_dns": [row], "count": 1}).encode()
    heard = poll(http, server)
    assert heard.observations == ()
    assert heard.end.outcome is Outcome.COMPLETE


def test_rows_of_which_none_has_a_name_are_no_answer(http: Client, server: Server) -> None:
    server.answers[ADDRESS] = b'{"passive_dns": [{"indicator": "x"}, 7], "count": 2}'
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.FAILED
    assert "none of the 2 rows of the answer is one of passive DNS" in heard.end.reason


def test_an_ipv6_address_is_asked_for_in_its_own_section(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "2001:db8::7")]
    heard = poll(http, server, netblock=parse_netblock("2001:db8::7"))
    assert heard.names == ["k3xq.example.net"]
    assert server.calls[0].path == "/api/v1/indicators/IPv6/2001:db8::7/passive_dns"


def test_a_large_answer_is_read_whole_in_batches(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", ADDRESS) for n in range(12_000)]
    heard = poll(http, server)
    assert len(heard.names) == 12_000
    assert heard.batches > 2
    assert heard.end.outcome is Outcome.COMPLETE


def test_an_answer_that_counts_more_than_it_has_is_partial(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", ADDRESS) for n in range(20)]
    server.cap = 10
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "it counts 22 rows and gives 10" in heard.end.reason
    assert not [cursor for cursor in heard.cursors if cursor.scope != "plan"]


@pytest.mark.parametrize(
    ("rows", "cap", "outcome"),
    [
        (499, 500, Outcome.COMPLETE),
        (500, 500, Outcome.PARTIAL),
        (501, 500, Outcome.COMPLETE),
        (500, 0, Outcome.COMPLETE),
        (0, 0, Outcome.COMPLETE),
        (7, 7, Outcome.PARTIAL),
    ],
)
def test_exactly_as_many_rows_as_it_is_said_to_end_at_are_not_taken_for_all(
    http: Client, server: Server, rows: int, cap: int, outcome: Outcome
) -> None:
    given = [{"hostname": f"n{n}.example.net", "address": ADDRESS, "record_type": "A"} for n in range(rows)]
    server.answers[ADDRESS] = json.dumps({"passive_dns": given, "count": rows}).encode()
    heard = poll(http, server, Options(cap=cap))
    assert (heard.end.outcome, len(heard.names)) == (outcome, rows)
    assert outcome is Outcome.COMPLETE or f"it has exactly {rows} rows" in heard.end.reason


def test_an_answer_that_speaks_of_a_next_page_is_partial(http: Client, server: Server) -> None:
    body = json.loads(sample("three_dates.json"))
    server.answers[ADDRESS] = json.dumps({**body, "has_next": True}).encode()
    assert poll(http, server).end.outcome is Outcome.PARTIAL
    server.answers[ADDRESS] = json.dumps({**body, "has_next": False}).encode()
    assert poll(http, server).end.outcome is Outcome.COMPLETE


def test_an_answer_over_the_limit_costs_its_address_and_no_other(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.6")]
    for address in ("198.51.100.4", "198.51.100.5", ADDRESS):
        server.answers[address] = b'{"passive_dns": [' + b" " * 10_000
    heard = poll(http, server, Options(max_bytes=10_000), netblock=FEW)
    assert heard.names == ["k3xq.example.net"]
    assert heard.end.outcome is Outcome.PARTIAL
    assert "over 10,000 bytes: raise max_bytes if it is worth it" in heard.end.reason
    assert len(server.calls) == 4


def test_a_busy_address_that_times_out_is_asked_again_and_then_told(http: Client, server: Server) -> None:
    server.fault = faults.status(504, "upstream timed out")
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.FAILED
    assert "504" in heard.end.reason
    assert len(server.calls) == 3


# -- with a key and without one -----------------------------------------------------------------------------------------


def test_without_a_key_it_asks_and_says_what_to_do_when_that_is_refused(http: Client, server: Server) -> None:
    budget = Counted()
    heard = poll(http, server, key="", netblock=FEW, budget=budget)
    assert heard.end.outcome is Outcome.FAILED
    assert "Anonymous access" in heard.end.reason
    assert "there is no key: set api_key_env" in heard.end.reason
    assert budget.overs == [("burst", None)]
    assert len(server.calls) == 1
    assert "x-otx-api-key" not in server.calls[0].headers


def test_without_a_key_it_reads_what_it_is_given(http: Client, server: Server) -> None:
    server.anonymous = True
    server.seen = [Seen("k3xq.example.net", ADDRESS)]
    assert poll(http, server, key="").names == ["k3xq.example.net"]


def test_a_wrong_key_costs_one_question(http: Client, server: Server) -> None:
    heard = poll(http, server, key="wrong", netblock=FEW)
    assert "403: the server forbids this to the key from environment OTX" in heard.end.reason
    assert heard.end.stop
    assert len(server.calls) == 1


def test_the_key_is_in_no_request_that_is_shown_and_is_sent_in_its_header(http: Client, server: Server) -> None:
    provider = built(server.url)
    request = provider.request(Question(ONE))
    assert KEY not in f"{request} {request!r} {provider!r}"
    assert str(request) == f"GET {server.url}/api/v1/indicators/IPv4/{ADDRESS}/passive_dns"
    poll(http, server)
    assert server.calls[0].headers["x-otx-api-key"] == KEY


def test_the_path_is_put_behind_a_url_that_has_none() -> None:
    asked = [built(url).request(Question(ONE)).url for url in ("", "http://a", "http://a/b/")]
    tail = f"/indicators/IPv4/{ADDRESS}/passive_dns"
    assert asked == [f"https://otx.alienvault.com/api/v1{tail}", f"http://a/api/v1{tail}", f"http://a/b{tail}"]


def test_questions_an_hour_are_limited_unless_told_otherwise() -> None:
    assert built().traits.allowances == (Allowance("burst", 1000, 3600.0),)
    assert built(options=Options(per_hour=0)).traits.allowances == ()


def test_observations_may_go_as_far_as_the_terms_or_the_settings_say() -> None:
    assert built().traits.tlp is Tlp.GREEN
    assert built(tlp=Tlp.AMBER).traits.tlp is Tlp.AMBER


@pytest.mark.parametrize("given", [{"per_hour": -1}, {"concurrency": 0}, {"max_bytes": 0}, {"deadline": "soon"}, {"x": 1}])
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "otx"), given)
    assert list(caught.value.messages) == list(given)


# -- hostile answers, and its own client --------------------------------------------------------------------------------


def test_whatever_one_part_of_an_answer_is_nothing_breaks_and_only_the_asked_address_is_told_of(
    http: Client, server: Server
) -> None:
    row = {
        "hostname": "k3xq.example.net",
        "address": ADDRESS,
        "record_type": "A",
        "first": "2025-03-19",
        "last": "2025-11-23",
    }
    for body in mangling.mangled({"passive_dns": [row], "count": 1, "has_next": False}):
        server.answers[ADDRESS] = body
        found = mangling.told(http, built(server.url), Question(ONE))
        assert {seen.rdata for seen in found} <= {ADDRESS}


def test_an_answer_that_is_no_json_is_a_failure(http: Client, server: Server) -> None:
    for body in mangling.broken(sample("three_dates.json")):
        server.faults = [Reply(200, {}, [body])]
        heard = poll(http, server)
        assert heard.end.outcome is Outcome.FAILED, body[:80]
        assert heard.observations == ()


def test_otxv2_reads_names_by_address_from_the_stand_in(server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", ADDRESS), Seen("w7b2.example.org", "2001:db8::7")]
    client = OTXv2.OTXv2(KEY, server=server.url)
    with client.session():
        for kind, address, name in ((IPv4, ADDRESS, "k3xq.example.net"), (IPv6, "2001:db8::7", "w7b2.example.org")):
            found = client.get_indicator_details_by_section(kind, address, "passive_dns")
            assert found["count"] == len(found["passive_dns"]) == 3
            row = found["passive_dns"][0]
            assert (row["hostname"], row["address"]) == (name, address)
            assert client.fix_date(row["last"]).timestamp() == 1_700_000_600


def test_otxv2_reads_the_refusals_of_the_stand_in(server: Server) -> None:
    client, other = OTXv2.OTXv2(KEY, server=server.url), OTXv2.OTXv2("wrong", server=server.url)
    with client.session(), other.session():
        with pytest.raises(OTXv2.InvalidAPIKey):
            other.get_indicator_details_by_section(IPv4, ADDRESS, "passive_dns")
        with pytest.raises(OTXv2.BadRequest):
            client.get_indicator_details_by_section(IPv4, "not.an.address", "passive_dns")
        with pytest.raises(OTXv2.NotFound):
            client.get(f"{server.url}/api/v1/nowhere")
