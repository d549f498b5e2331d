"""The `securitytrails` provider against a server that answers as SecurityTrails does, and against odd answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.http import Client
from feedsvc.model import Learnt, Observation, Outcome, Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources.pdns.securitytrails import ONE_BY_ONE
from feedsvc.sources.port import Front, Fronting, Known, Question, Telling
from tests.sources.conftest import DATA, KEY, NETBLOCK, NOW, Heard
from tests.sources.pdns.asking import Counted, built, poll
from tests.sources.pdns.reading import JSONS, answer, drained
from tests.standins import server as standins
from tests.standins.provider import Seen
from tests.standins.securitytrails import JSON, Server

ADDRESS = parse_netblock("198.51.100.7")
SEEN = Seen("k3xq.example.net", "198.51.100.7")
KEYED = {"api_key": KEY}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server([SEEN]) as running:
        yield running


def ask(
    http: Client, server: Server, netblock: Netblock = ADDRESS, budget: Counted | None = None, **options: object
) -> Heard:
    return poll(http, built("securitytrails", server.url, KEYED, options), [netblock], budget=budget)


def answered(http: Client, server: Server, name: str) -> Heard:
    """A poll that is answered with a file."""
    server.answers["198.51.100.7"] = (DATA / "securitytrails" / name).read_bytes()
    return ask(http, server)


def many(count: int, address: str = "198.51.100.7") -> list[Seen]:
    return [Seen(f"n{n:04}.example.net", address) for n in range(count)]


def pairs(heard: Heard) -> set[tuple[str, str]]:
    return {(one.rrname, one.rdata) for one in heard.observations}


# -- how it asks -------------------------------------------------------------------------------------------------------


def test_an_address_is_asked_for_by_a_filter_and_no_name_is_resolved(http: Client, server: Server) -> None:
    heard = ask(http, server)
    assert heard.observations == (Observation(SEEN.name, "A", "198.51.100.7", tlp=Tlp.GREEN),)
    (call,) = server.calls
    assert (call.method, call.path) == ("POST", "/v1/domains/list")
    assert call.query == {"page": "1", "include_ips": "false"}
    assert json.loads(call.body) == {"filter": {"ipv4": "198.51.100.7"}}
    assert (call.headers["apikey"], call.headers["content-type"]) == (KEY, "application/json")
    assert server.resolved == []


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_the_url_may_have_its_path_or_not(http: Client, server: Server, path: str) -> None:
    assert poll(http, built("securitytrails", server.url + path, KEYED), [ADDRESS]).names == [SEEN.name]


# -- netblocks ---------------------------------------------------------------------------------------------------------


def test_an_empty_netblock_costs_one_question(http: Client, server: Server) -> None:
    server.seen = [Seen("elsewhere.example.net", "203.0.113.9")]
    heard = ask(http, server, NETBLOCK)
    assert heard.end.outcome is Outcome.COMPLETE
    assert heard.observations == ()
    assert server.asked == ["ipv4 198.51.100.0/24 1"]


def test_a_netblock_with_few_names_is_asked_in_halves_of_which_empty_ones_are_done(http: Client, server: Server) -> None:
    server.seen = [SEEN, Seen("w7b2.example.org", "198.51.100.200")]
    heard = ask(http, server, NETBLOCK)
    assert heard.end.outcome is Outcome.COMPLETE
    assert pairs(heard) == {(SEEN.name, "198.51.100.7"), ("w7b2.example.org", "198.51.100.200")}
    assert server.asked[:3] == ["ipv4 198.51.100.0/24 1", "ipv4 198.51.100.0/25 1", "ipv4 198.51.100.0/26 1"]
    assert len(server.calls) < 40


def test_a_netblock_with_one_name_costs_about_twenty_questions(http: Client, server: Server) -> None:
    assert pairs(ask(http, server, NETBLOCK)) == {(SEEN.name, "198.51.100.7")}
    assert len(server.calls) == 19


def test_a_netblock_with_many_names_is_asked_address_by_address_at_once(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", f"198.51.100.{n}") for n in range(256)]
    heard = ask(http, server, NETBLOCK)
    assert heard.end.outcome is Outcome.COMPLETE
    assert pairs(heard) == {(one.name, one.address) for one in server.seen}
    assert len(server.calls) == 257


def test_a_name_at_many_addresses_is_found_at_each(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", f"198.51.100.{n}") for n in range(256)]
    heard = ask(http, server, NETBLOCK)
    assert pairs(heard) == {(one.name, one.address) for one in server.seen}
    assert len(server.calls) <= 320


@settings(max_examples=25)
@given(names=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=60))
def test_no_name_is_missed_and_no_slash_24_costs_more_than_the_page_says(names: list[tuple[int, int]]) -> None:
    with Client() as http, Server([Seen(f"n{name}.example.net", f"198.51.100.{at}") for name, at in names]) as server:
        heard = ask(http, server, NETBLOCK)
        assert heard.end.outcome is Outcome.COMPLETE
        assert pairs(heard) == {(one.name, one.address) for one in server.seen}
        assert len(server.calls) <= 320


def test_a_netblock_whose_addresses_are_half_asked_is_gone_on_with_by_the_next_poll(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", f"198.51.100.{n}") for n in range(256)]
    before = ask(http, server, NETBLOCK, Counted(most=100))
    cursors = {cursor.scope: cursor.position for cursor in before.cursors}
    after = poll(http, built("securitytrails", server.url, KEYED), [NETBLOCK], cursors=cursors)
    assert before.end.outcome is Outcome.PARTIAL
    assert after.end.outcome is Outcome.COMPLETE
    assert pairs(before) | pairs(after) == {(one.name, one.address) for one in server.seen}
    assert len(server.calls) == 257


# -- IPv6 --------------------------------------------------------------------------------------------------------------


def test_a_small_ipv6_netblock_is_asked_address_by_address(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "2001:db8::7")]
    heard = ask(http, server, parse_netblock("2001:db8::/124"))
    assert heard.end.outcome is Outcome.COMPLETE
    assert pairs(heard) == {("k3xq.example.net", "2001:db8::7")}
    assert server.asked == [f"ipv6 2001:db8::{n:x} 1".replace("::0 ", ":: ") for n in range(16)]


@pytest.mark.parametrize(("ipv6_prefixes", "says"), [(False, "proves nothing"), (True, "set ipv6_prefixes")])
def test_a_large_ipv6_netblock_is_never_complete_unasked(
    http: Client, server: Server, ipv6_prefixes: bool, says: str
) -> None:
    server.seen, server.ipv6_prefixes = [Seen("k3xq.example.net", "2001:db8::7")], ipv6_prefixes
    heard = ask(http, server, parse_netblock("2001:db8::/64"))
    assert heard.end.outcome is Outcome.FAILED
    assert says in heard.end.reason
    assert not heard.end.trouble
    assert len(server.calls) == 1


def test_a_large_ipv6_netblock_is_asked_in_halves_once_prefixes_are_known_to_work(http: Client, server: Server) -> None:
    server.seen, server.ipv6_prefixes = [Seen("k3xq.example.net", "2001:db8::7")], True
    heard = ask(http, server, parse_netblock("2001:db8::/64"), ipv6_prefixes=True)
    assert heard.end.outcome is Outcome.COMPLETE
    assert pairs(heard) == {("k3xq.example.net", "2001:db8::7")}
    assert len(server.calls) < 140


# -- pages -------------------------------------------------------------------------------------------------------------


def test_the_pages_of_an_address_are_turned_to_the_last(http: Client, server: Server) -> None:
    server.seen = many(250)
    heard = ask(http, server)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 250
    assert server.asked == [f"ipv4 198.51.100.7 {page}" for page in (1, 2, 3)]


def test_an_address_whose_pages_do_not_reach_all_its_names_pays_for_no_second(http: Client, server: Server) -> None:
    heard = answered(http, server, "crowded.json")
    assert heard.end.outcome is Outcome.PARTIAL
    assert "40,741 names" in heard.end.reason
    assert heard.names == [SEEN.name]
    assert len(server.calls) == 1


def test_a_crowded_address_does_not_keep_its_neighbours_from_being_answered(http: Client, server: Server) -> None:
    server.seen = [*many(300), *(Seen(f"m{n}.example.net", f"198.51.100.{n}") for n in range(256))]
    server.reach = 200
    heard = ask(http, server, NETBLOCK)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "(255 of 256 addresses answered in full)" in heard.end.reason
    assert {(one.name, one.address) for one in server.seen if one.address != "198.51.100.7"} <= pairs(heard)


def test_what_is_new_beside_a_crowded_address_is_found_by_the_next_poll(http: Client, server: Server) -> None:
    few, server.reach = parse_netblock("198.51.100.4/30"), 200
    server.seen = many(300)
    before = ask(http, server, few)
    server.seen.append(Seen("new.example.net", "198.51.100.5"))
    cursors = {cursor.scope: cursor.position for cursor in before.cursors}
    after = poll(http, built("securitytrails", server.url, KEYED), [few], cursors=cursors)
    assert (before.end.outcome, after.end.outcome) == (Outcome.PARTIAL, Outcome.PARTIAL)
    assert "new.example.net" in after.names


class Growing(Server):
    """One that learns of another name after its first answer."""

    def answer(self, call: standins.Call) -> standins.Reply:
        reply = super().answer(call)
        if len(self.calls) == 1:
            self.seen.append(Seen("a.example.net", "198.51.100.7"))
        return reply


def test_an_address_whose_names_changed_between_two_pages_is_asked_anew(http: Client) -> None:
    with Growing(many(150)) as server:
        heard = ask(http, server)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 151
    assert server.asked == [f"ipv4 198.51.100.7 {page}" for page in (1, 2, 1, 2)]


def test_pages_that_end_too_early_are_partial(http: Client, server: Server) -> None:
    rows = [{"hostname": f"n{n}.example.net"} for n in range(2)]
    pages = [{"records": rows, "record_count": 3}, {"records": [], "record_count": 3}]
    server.faults = [standins.Reply(200, JSON, [json.dumps(page).encode()]) for page in pages]
    heard = ask(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "2 of 3 rows" in heard.end.reason


# -- what it understands -----------------------------------------------------------------------------------------------


def test_names_are_told_without_times_and_addresses_that_nobody_asked_for_are_not_believed(
    http: Client, server: Server
) -> None:
    heard = answered(http, server, "address.json")
    assert heard.end.outcome is Outcome.COMPLETE
    assert heard.names == ["k3xq.example.net", "w7b2.example.org", "xn--bcher-kva.example.com"]
    assert {one.rdata for one in heard.observations} == {"198.51.100.7"}
    assert {(one.time_first, one.time_last, one.count) for one in heard.observations} == {(None, None, None)}


def test_a_row_that_cannot_be_used_costs_no_other(http: Client, server: Server) -> None:
    heard = answered(http, server, "hostile.json")
    assert heard.end.outcome is Outcome.COMPLETE
    assert heard.names == [SEEN.name]
    assert sum(heard.refused.values()) == 11


@pytest.mark.parametrize(
    "body",
    [
        {"record_count": 0},
        {"records": None, "record_count": 0},
        {"records": []},
        {"records": [], "record_count": "0"},
        {"records": [], "record_count": True},
        {"records": [], "record_count": -1},
        {"records": [], "record_count": 0, "meta": {"page": 2}},
        {"records": [{"name": "k3xq.example.net"}], "record_count": 1},
        {"records": [{"hostname": "k3xq.example.net"}], "record_count": 0},
        {"message": "no"},
    ],
)
def test_an_answer_that_does_not_prove_itself_is_none(http: Client, server: Server, body: Mapping[str, object]) -> None:
    server.answers["198.51.100.7"] = json.dumps(body).encode()
    heard = ask(http, server)
    assert heard.end.outcome is Outcome.FAILED
    assert heard.observations == ()


def test_a_netblock_that_counts_no_names_and_lists_one_is_not_empty(http: Client, server: Server) -> None:
    body = {"records": [{"hostname": "k3xq.example.net"}], "record_count": 0, "meta": {"page": 1}}
    server.answers["198.51.100.4/30"] = json.dumps(body).encode()
    heard = ask(http, server, parse_netblock("198.51.100.4/30"))
    assert heard.end.outcome is Outcome.FAILED
    assert "counts 0 names and lists 1" in heard.end.reason


# -- quotas ------------------------------------------------------------------------------------------------------------


def test_a_refusal_counts_as_the_quota_of_a_second_first(http: Client, server: Server) -> None:
    server.used = server.allowed
    budget = Counted()
    heard = ask(http, server, budget=budget)
    assert heard.end.outcome is Outcome.FAILED
    assert "month's quota is spent, and when questions come too fast" in heard.end.reason
    assert budget.overs == [("burst", None)]
    assert len(server.calls) == 1


def test_a_bad_key_is_said_to_be_one(http: Client, server: Server) -> None:
    heard = poll(http, built("securitytrails", server.url, {"api_key": "wr0ng-k3y"}), [ADDRESS])
    assert heard.end.outcome is Outcome.FAILED
    assert "403" in heard.end.reason
    assert "bad key" in heard.end.reason
    assert "wr0ng" not in heard.end.reason


def test_quotas_are_told_by_the_usage_and_by_a_header(http: Client, server: Server) -> None:
    budget = Counted(old=True)
    ask(http, server, budget=budget)
    assert [call.path for call in server.calls] == ["/v1/account/usage", "/v1/domains/list"]
    assert budget.learnt == [Learnt("month", limit=50_000, left=49_991), Learnt("burst", limit=5, seconds=1.0)]
    assert budget.spent == len(server.paid) == 1


@given(JSONS | st.fixed_dictionaries({"current_monthly_usage": JSONS, "allowed_monthly_usage": JSONS}))
def test_a_usage_that_cannot_be_read_is_no_usage(value: object) -> None:
    provider = built("securitytrails", "", KEYED)
    assert isinstance(provider, Telling)
    for one in provider.read_quota(json.dumps(value).encode(), NOW):
        assert one.limit is not None
        assert one.left is not None
        assert 0 <= one.left <= one.limit


@given(st.dictionaries(st.sampled_from(["x-ratelimit-limit-second", "x"]), st.text(max_size=30) | st.integers().map(str)))
def test_headers_that_cannot_be_read_tell_nothing(headers: Mapping[str, str]) -> None:
    for one in built("securitytrails", "", KEYED).quotas(headers, NOW):
        assert one.limit is not None
        assert one.limit > 0


# -- names in front ----------------------------------------------------------------------------------------------------


def test_names_that_point_at_a_finding_are_found(http: Client, server: Server) -> None:
    server.cnames = {f"front{n}.example.org": SEEN.name for n in range(120)} | {SEEN.name: "cdn.example.com"}
    provider = built("securitytrails", server.url, KEYED)
    known = [Known(SEEN.name, ("198.51.100.7", "2001:db8::7"))]
    heard = poll(http, provider, [ADDRESS], known=known, fronts=5)
    assert server.asked == ["ipv4 198.51.100.7 1", f"cname {SEEN.name} 1", f"cname {SEEN.name} 2"]
    fronts = [one for one in heard.observations if one.chain]
    assert {(one.rrname, one.rrtype, one.rdata, one.chain) for one in fronts} == {
        (f"front{n}.example.org", rrtype, rdata, (SEEN.name,))
        for n in range(120)
        for rrtype, rdata in (("A", "198.51.100.7"), ("AAAA", "2001:db8::7"))
    }


# -- whatever comes ----------------------------------------------------------------------------------------------------


BODIES = st.fixed_dictionaries(
    {"records": st.lists(JSONS | st.fixed_dictionaries({"hostname": JSONS}), max_size=4) | JSONS},
    optional={
        "record_count": st.integers(0, 9) | JSONS,
        "meta": JSONS | st.fixed_dictionaries({"max_page": JSONS, "total_pages": JSONS}),
    },
)
ASKED = st.sampled_from(["198.51.100.7", "198.51.100.0/24", "2001:db8::/64", "2001:db8::/120"])
PAGES = st.sampled_from(["", "0:2-1-3-1-0", "255:1-0--1-0", "256:1-0--1-0", "999:", "7", ":", "0:x"])


@given(BODIES, ASKED, PAGES)
def test_whatever_comes_is_read_or_is_an_error_of_the_source(body: Mapping[str, object], asked: str, page: str) -> None:
    provider = built("securitytrails", "", KEYED)
    assert isinstance(provider, Fronting)
    question, front = Question(parse_netblock(asked), page=page), Front(SEEN.name, ("198.51.100.7",), page)
    assert provider.request(question).body is not None
    for reading in (provider.read, lambda got, _: provider.read_front(got, front)):
        try:
            batches, _ = drained(reading(answer(json.dumps(body).encode()), question))
        except SourceError:
            continue
        assert sum(len(batch.observations) for batch in batches) <= 4


def test_a_place_in_a_netblock_outlives_its_text() -> None:
    provider = built("securitytrails", "", KEYED)
    for at in (0, 7, ONE_BY_ONE - 1):
        request = provider.request(Question(NETBLOCK, page=f"{at}:3-200-250-1-0"))
        assert request.params["page"] == "3"
        assert json.loads(request.body or b"") == {"filter": {"ipv4": f"198.51.100.{at}"}}
