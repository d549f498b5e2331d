"""The `umbrella` provider: logins, pages the latest first, what is beyond them, and its records however they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from feedsvc.http import Client
from feedsvc.model import Allowance, Outcome, Tlp
from feedsvc.names import parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof
from feedsvc.sources.aliases import NO_ALIAS
from feedsvc.sources.pdns import umbrella
from feedsvc.sources.pdns.umbrella import NOT_A_RECORD, Options
from feedsvc.sources.port import Front, Fronting, Known, Provider, Question
from tests.sources.conftest import DATA, FEW, NETBLOCK, NOW, Heard, settings
from tests.sources.pdns.asking import Counted, built, poll
from tests.standins.provider import FIRST, KEY, LAST, Seen
from tests.standins.server import Call, Reply
from tests.standins.umbrella import BY_ADDRESS, BY_NAME, TOKEN, Server

ONE = parse_netblock("198.51.100.7")
PATH = f"{BY_ADDRESS}198.51.100.7"
JSON = {"Content-Type": "application/json"}
DAY = 86_400


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def provider(server: Server, **options: object) -> Provider:
    return built("umbrella", server.url, server.secrets, options)


def names(count: int, last: int = LAST, step: int = 60) -> list[Seen]:
    """Names of one address, each last seen so many seconds after the one before it."""
    return [Seen(f"n{n}.example.net", "198.51.100.7", FIRST, last + n * step) for n in range(count)]


def told(path: str) -> Reply:
    return Reply(200, JSON, [(DATA / "umbrella" / path).read_bytes()])


def queries(server: Server) -> list[Mapping[str, str]]:
    return [call.query for call in server.asked]


def offsets(server: Server) -> list[int]:
    return [int(query["offset"]) for query in queries(server)]


# -- how it is asked ---------------------------------------------------------------------------------------------------


def test_it_is_asked_as_cisco_documents_it(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.7")]
    assert poll(http, provider(server), [ONE]).names == ["k3xq.example.net"]
    login, asked = server.calls
    assert (login.method, login.path, login.body) == ("POST", TOKEN, b"grant_type=client_credentials")
    assert login.headers["authorization"].startswith("Basic ")
    assert (asked.method, asked.path) == ("GET", PATH)
    assert asked.query == {"limit": "500", "offset": "0", "sortby": "lastSeen", "sortorder": "desc"}
    assert asked.headers["authorization"] == "Bearer t0k3n.1.of-many_letters"
    assert asked.headers["accept"] == "application/json"


def test_one_login_does_for_a_whole_netblock_and_costs_nothing(http: Client, server: Server) -> None:
    budget = Counted()
    assert poll(http, provider(server), budget=budget).end.outcome is Outcome.COMPLETE
    assert server.tokens.given == 1
    assert budget.spent == len(server.paid) == NETBLOCK.size


def test_an_ipv6_address_is_asked_for_as_it_is_written(http: Client, server: Server) -> None:
    poll(http, provider(server), [parse_netblock("2001:db8::7")])
    assert server.asked[0].path == f"{BY_ADDRESS}2001:db8::7"


def test_a_token_that_is_taken_back_costs_no_name_and_what_was_asked_with_it(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n}.example.net", f"198.51.100.{n}") for n in range(4, 8)]
    budget, whole = Counted(), server.answer

    def after_two(call: Call) -> Reply:
        if len(server.asked) == 3:
            server.tokens.take_back()
        return whole(call)

    server.answer = after_two  # type: ignore[method-assign]
    with_one_at_a_time = provider(server, concurrency=1)
    heard = poll(http, with_one_at_a_time, [FEW], budget=budget)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 4
    assert server.tokens.given >= 2
    assert budget.spent == len(server.paid) == 5


# -- what it says ------------------------------------------------------------------------------------------------------


def test_the_host_is_in_rr_and_the_address_in_name(http: Client, server: Server) -> None:
    server.answers[PATH] = told("list.json")
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.COMPLETE
    assert [(one.rrname, one.rdata, one.time_first, one.time_last, one.count) for one in heard.observations] == [
        ("k3xq.example.net", "198.51.100.7", 1_735_689_600, 1_767_225_600, None),
        ("w7b2.example.org", "198.51.100.7", 1_735_689_600, 1_764_547_200, None),
    ]


def test_a_wrapped_list_is_read_as_well_and_other_types_are_counted(http: Client, server: Server) -> None:
    server.answers[f"{BY_ADDRESS}2001:db8::7"] = told("wrapped.json")
    heard = poll(http, provider(server), [parse_netblock("2001:db8::7")])
    assert heard.end.outcome is Outcome.COMPLETE
    assert [(one.rrname, one.rrtype) for one in heard.observations] == [("k3xq.example.net", "AAAA")]
    assert heard.refused == {cof.OTHER_TYPE: 1}


def test_odd_records_are_understood_or_counted(http: Client, server: Server) -> None:
    server.answers[PATH] = told("odd.json")
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.COMPLETE
    new_year, year_before, now = 1_767_225_600, 1_735_689_600, int(NOW.timestamp())
    assert {one.rrname: (one.time_first, one.time_last) for one in heard.observations} == {
        "a.example.net": (year_before, new_year),
        "b.example.net": (year_before, new_year),
        "c.example.net": (year_before, new_year),
        "d.example.net": (None, None),
        "e.example.net": (year_before, new_year),
        "f.example.net": (None, now),
    }
    assert heard.refused == {
        NOT_A_RECORD: 6,
        cof.OTHER_TYPE: 1,
        cof.OUTSIDE: 1,
        f"{cof.NOT_A_NAME}: empty label": 1,
        cof.NO_TIME: 2,
        cof.BACKWARDS: 1,
        cof.IN_FUTURE: 1,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"7",
        b'{"message": "ok"}',
        b'{"records": null}',
        b'{"records": {"a": 1}}',
        b"[1, null, {}]",
        b'{"records": [{"unheard": "of"}]}',
        b'[{"name": "198.51.100.7", "rr": "k3xq.example.net"}',
        b"[" * 100_000,
        b'{"records": ' + b'{"a":' * 100_000,
        b"<html>sign in</html>",
        b"\xff\xfe",
    ],
)
def test_what_is_no_list_of_records_is_no_answer(http: Client, server: Server, body: bytes) -> None:
    server.answers[PATH] = Reply(200, JSON, [body])
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.FAILED
    assert "is the URL right?" in heard.end.reason
    assert heard.observations == ()


def test_a_record_that_is_nested_without_end_spoils_no_other(http: Client, server: Server) -> None:
    rows = b'[{"name": "198.51.100.7", "rr": "k3xq.example.net", "type": "A"}, {"rr": %s}]'
    server.answers[PATH] = Reply(200, JSON, [rows % (b"[" * 900 + b"]" * 900)])
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, heard.names) == (Outcome.COMPLETE, ["k3xq.example.net"])
    assert heard.refused == {NOT_A_RECORD: 1}


@pytest.mark.parametrize("framing", ["cut chunks", "short length"])
def test_a_cut_page_is_no_answer(http: Client, server: Server, framing: str) -> None:
    server.seen = names(12)
    server.answers[PATH] = Reply(200, JSON, [b'[{"name": "198.51.100.7", "rr": "k3xq.example.net"}]'], framing)  # type: ignore[arg-type]
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.FAILED


def test_a_page_over_its_size_is_no_answer(http: Client, server: Server) -> None:
    server.seen = names(12)
    heard = poll(http, provider(server, max_bytes=1000), [ONE])
    assert heard.end.outcome is Outcome.FAILED
    assert "the answer is over 1,000 bytes; raise max_bytes or lower page_size" in heard.end.reason


# -- pages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "asked"), [(9, [0]), (10, [0, 10]), (25, [0, 10, 20]), (30, [0, 10, 20, 30])])
def test_pages_are_read_until_one_is_not_full(http: Client, server: Server, count: int, asked: list[int]) -> None:
    server.seen = names(count)
    heard = poll(http, provider(server, page_size=10), [ONE])
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == count
    assert offsets(server) == asked


def test_pages_that_are_cut_down_are_read_on_where_that_is_said(http: Client, server: Server) -> None:
    server.seen, server.cap, server.form = names(25), 10, "wrapped"
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 25)
    assert offsets(server)[:3] == [0, 10, 20]


@pytest.mark.parametrize("info", [{"hasMoreRecords": True}, {"totalNumRecords": 2}, {"totalNumRecords": "2"}])
def test_what_is_said_to_follow_and_does_not_makes_a_list_partial(
    http: Client, server: Server, info: Mapping[str, object]
) -> None:
    beginning = [{"name": "198.51.100.7", "type": "A", "rr": "k3xq.example.net."}]
    whole = server.answer

    def beginning_alone(call: Call) -> Reply:
        if call.path == TOKEN:
            return whole(call)
        records = beginning if call.query["offset"] == "0" else []
        return Reply(200, JSON, [json.dumps({"records": records, "pageInfo": info}).encode()])

    server.answer = beginning_alone  # type: ignore[method-assign]
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason == "says that there are more than 1 records, and gives none"


@pytest.mark.parametrize("info", [None, [], {}, {"hasMoreRecords": "yes", "totalNumRecords": True, "limit": 0}])
def test_what_page_info_cannot_say_says_nothing(http: Client, server: Server, info: object) -> None:
    told = {"records": [{"name": "198.51.100.7", "type": "A", "rr": "k3xq.example.net."}], "pageInfo": info}
    server.answers[PATH] = Reply(200, JSON, [json.dumps(told).encode()])
    assert poll(http, provider(server), [ONE]).end.outcome is Outcome.COMPLETE
    assert len(server.asked) == 1


@pytest.mark.parametrize("info", ["more", [1], {"hasMoreRecords": {}}, {"totalNumRecords": [[]]}])
def test_a_list_whose_page_info_cannot_be_read_is_partial(http: Client, server: Server, info: object) -> None:
    told = {"records": [{"name": "198.51.100.7", "type": "A", "rr": "k3xq.example.net."}], "pageInfo": info}
    server.answers[PATH] = Reply(200, JSON, [json.dumps(told).encode()])
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, heard.names) == (Outcome.PARTIAL, ["k3xq.example.net"])
    assert heard.end.reason == "its pageInfo cannot be read, so there may be more"


def test_an_interrupted_list_goes_on_where_it_stopped(http: Client, server: Server) -> None:
    server.seen = names(25)
    first = poll(http, provider(server, page_size=10), [ONE], budget=Counted(most=2))
    assert first.end.outcome is Outcome.PARTIAL
    cursors = {cursor.scope: cursor.position for cursor in first.cursors}
    then = poll(http, provider(server, page_size=10), [ONE], cursors=cursors)
    assert then.end.outcome is Outcome.COMPLETE
    assert offsets(server) == [0, 10, 20]
    assert sorted({*first.names, *then.names}) == sorted(one.name for one in server.seen)


def test_a_place_that_is_none_is_the_beginning(server: Server) -> None:
    asked = provider(server).request(Question(ONE, page="\u0662or so"))
    assert asked.params["offset"] == "0"


# -- since the last time -----------------------------------------------------------------------------------------------


def mark(at: int) -> dict[str, str]:
    return {"198.51.100.7/32": datetime.fromtimestamp(at, UTC).isoformat()}


def test_pages_end_where_records_are_older_than_the_last_time(http: Client, server: Server) -> None:
    server.seen = names(60, LAST, DAY)
    newest = LAST + 59 * DAY
    heard = poll(http, provider(server, page_size=10), [ONE], cursors=mark(newest - 12 * DAY))
    assert heard.end.outcome is Outcome.COMPLETE
    assert offsets(server) == [0, 10], "a day of overlap is asked for as well"
    assert {one.rrname for one in heard.observations} >= {f"n{n}.example.net" for n in range(46, 60)}
    assert "minLastSeen" not in server.asked[0].query


@pytest.mark.parametrize("unsorted", [{"sortby"}, {"sortorder"}])
def test_where_the_order_is_another_all_pages_are_read(http: Client, server: Server, unsorted: set[str]) -> None:
    server.seen = names(60, LAST, DAY)
    whole = server.within
    server.within = lambda netblock: whole(netblock)[::-1]  # type: ignore[method-assign]
    server.obeys -= {"sortby", *unsorted}
    heard = poll(http, provider(server, page_size=10), [ONE], cursors=mark(LAST + 50 * DAY))
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 60)


def test_a_record_without_a_time_proves_no_order(http: Client, server: Server) -> None:
    old = [{"name": "198.51.100.7", "type": "A", "rr": f"o{n}.example.net.", "lastSeen": 1000 - n} for n in range(9)]
    bare = {"name": "198.51.100.7", "type": "A", "rr": "bare.example.net."}
    server.answers[PATH] = Reply(200, JSON, [json.dumps([*old, bare]).encode()])
    poll(http, provider(server, page_size=10, max_calls=2), [ONE], cursors=mark(LAST))
    assert offsets(server) == [0, 10]


# -- beyond the pages --------------------------------------------------------------------------------------------------


def test_what_pages_do_not_lead_to_is_asked_for_by_time(http: Client, server: Server) -> None:
    server.seen, server.reach = names(60, LAST, DAY), 20
    budget = Counted()
    heard = poll(http, provider(server, page_size=10, reach=20), [ONE], budget=budget)
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert len(heard.names) == 60
    fences = {int(query["maxLastSeen"]) / 1000 for query in queries(server) if "maxLastSeen" in query}
    assert any(LAST < fence < LAST + 60 * DAY for fence in fences)
    assert budget.spent == len(server.paid)


def test_more_at_once_than_pages_lead_to_is_partial(http: Client, server: Server) -> None:
    server.seen, server.reach = names(30, LAST, 1), 20
    heard = poll(http, provider(server, page_size=10, reach=20), [ONE])
    assert heard.end.outcome is Outcome.PARTIAL
    assert "has more than the 20 records that can be asked for" in heard.end.reason
    assert not [cursor for cursor in heard.cursors if cursor.scope == "198.51.100.7/32"]


def test_where_the_fence_is_not_obeyed_the_rest_is_not_asked_for_again_and_again(http: Client, server: Server) -> None:
    server.seen, server.reach = names(60, LAST, DAY), 20
    server.obeys -= {"maxLastSeen"}
    heard = poll(http, provider(server, page_size=10, reach=20), [ONE])
    assert heard.end.outcome is Outcome.PARTIAL
    assert "maxLastSeen is not obeyed, so there is no way to all of its records" in heard.end.reason
    assert len(server.asked) < 64, "a few for each halving"


# -- names in front ----------------------------------------------------------------------------------------------------


def fronts(http: Client, server: Server, **options: object) -> Heard:
    known = [Known("k3xq.example.net", ("198.51.100.7", "2001:db8::7"))]
    return poll(http, provider(server, **options), [ONE], known=known, fronts=1)


def test_names_that_point_at_a_finding_are_asked_for(http: Client, server: Server) -> None:
    server.aliases = [("cdn.example.org", "k3xq.example.net"), ("other.example.org", "www.example.net")]
    heard = fronts(http, server)
    assert [call.path for call in server.asked] == [PATH, f"{BY_NAME}k3xq.example.net"]
    assert [(one.rrname, one.rdata, one.chain, one.time_last) for one in heard.observations] == [
        ("cdn.example.org", "198.51.100.7", ("k3xq.example.net",), LAST),
        ("cdn.example.org", "2001:db8::7", ("k3xq.example.net",), LAST),
    ]


def test_pages_of_names_in_front_are_read_to_their_end(http: Client, server: Server) -> None:
    server.aliases = [(f"a{n}.example.org", "k3xq.example.net") for n in range(25)]
    assert len(fronts(http, server, page_size=10).names) == 25
    assert offsets(server) == [0, 0, 10, 20]


@pytest.mark.parametrize(
    "row",
    [
        {"name": "k3xq.example.net.", "type": "NS", "rr": "ns.example.org."},
        {"name": "www.example.org.", "type": "CNAME", "rr": "k3xq.example.net."},
        {"name": "k3xq.example.net.", "type": "CNAME", "rr": "K3XQ.example.net"},
        {"name": "k3xq..example.net.", "type": "CNAME", "rr": "cdn.example.org."},
        {"name": "k3xq.example.net.", "rr": "cdn.example.org."},
    ],
)
def test_what_does_not_point_at_a_finding_is_no_name_in_front(
    http: Client, server: Server, row: Mapping[str, object]
) -> None:
    server.answers[f"{BY_NAME}k3xq.example.net"] = Reply(200, JSON, [json.dumps([row]).encode()])
    heard = fronts(http, server)
    assert heard.observations == ()
    assert heard.refused == {NO_ALIAS: 1}


def test_a_name_is_escaped_in_the_path(server: Server) -> None:
    ready = provider(server)
    assert isinstance(ready, Fronting)
    asked = ready.front_request(Front("a\\032b/..?.example.net", ("198.51.100.7",)))
    assert asked.url.endswith("/domain/a%5C032b%2F..%3F.example.net")


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "allowances"),
    [
        ("integration", (Allowance("burst", 3, 1.0), Allowance("day", 2000))),
        (1, (Allowance("burst", 3, 1.0),)),
        (2, (Allowance("burst", 12, 1.0),)),
        (3, (Allowance("burst", 12, 1.0),)),
    ],
)
def test_the_tier_says_how_fast_and_how_often_it_may_be_asked(
    server: Server, tier: object, allowances: tuple[Allowance, ...]
) -> None:
    assert provider(server, tier=tier).traits.allowances == allowances


def test_without_settings_it_is_the_slowest_tier_and_its_usual_place() -> None:
    ready = umbrella.build(settings("umbrella", username="k", password="s"), Options(), lambda: NOW)
    assert len(ready.traits.allowances) == 2
    assert ready.request(Question(ONE)).url == "https://api.umbrella.com/investigate/v2/pdns/ip/198.51.100.7"
    assert ready.traits.tlp is Tlp.GREEN


def test_the_contract_may_say_that_observations_stay_closer(http: Client, server: Server) -> None:
    server.seen = names(1)
    closer = replace(settings("umbrella", server.url, **server.secrets), tlp=Tlp.AMBER)
    (one,) = poll(http, umbrella.build(closer, Options(), lambda: NOW), [ONE]).observations
    assert one.tlp is Tlp.AMBER


@pytest.mark.parametrize(
    ("secrets", "key"),
    [
        ({}, "username_env"),
        ({"username": "k"}, "username_env"),
        ({"password": "s"}, "password_env"),
        ({"api_key": "k"}, "api_key_env"),
        ({"username": "k", "password": "s", "api_key": "k"}, "api_key_env"),
        ({"username": "a:b", "password": "s"}, "username_env"),
    ],
)
def test_secrets_that_bring_no_token_are_faults_of_their_keys(secrets: dict[str, str], key: str) -> None:
    with pytest.raises(OptionFaults) as caught:
        umbrella.build(settings("umbrella", **secrets), Options(), lambda: NOW)
    assert list(caught.value.messages) == [key]


@pytest.mark.parametrize("url", ["ftp://a", "https://u:p@a", "api.umbrella.com"])
def test_a_url_that_is_none_is_a_fault(url: str) -> None:
    with pytest.raises(OptionFaults, match="url: give http"):
        umbrella.build(settings("umbrella", url, username="k", password="s"), Options(), lambda: NOW)


def test_a_dry_run_shows_no_secret(server: Server) -> None:
    asked = provider(server).request(Question(ONE, until=NOW))
    assert "maxLastSeen=1795500000000" in str(asked)
    assert KEY not in f"{asked} {asked!r}"
