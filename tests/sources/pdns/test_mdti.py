"""The `mdti` provider: logins, pages that nobody but Graph is asked for, its records, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from feedsvc.http import Client, HttpError
from feedsvc.model import Outcome, Tlp
from feedsvc.names import parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof
from feedsvc.sources.aliases import NO_ALIAS
from feedsvc.sources.pdns import mdti
from feedsvc.sources.pdns.mdti import NOT_A_RECORD, Options
from feedsvc.sources.port import Front, Fronting, Known, Provider, Question
from tests.sources.conftest import DATA, NETBLOCK, NOW, Heard, settings
from tests.sources.pdns.asking import Counted, built, poll
from tests.standins.mdti import TOKEN, Server, error, path, row
from tests.standins.provider import KEY, LAST, ProviderStandin, Seen
from tests.standins.server import Reply

ADDRESS = "198.51.100.7"
ONE = parse_netblock(ADDRESS)
PATH = path(ADDRESS)
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def provider(server: Server, **options: object) -> Provider:
    return built("mdti", server.url, server.secrets, {**server.options, **options})


def names(count: int) -> list[Seen]:
    return [Seen(f"n{n}.example.net", ADDRESS) for n in range(count)]


def told(name: str) -> Reply:
    return Reply(200, JSON, [(DATA / "mdti" / name).read_bytes()])


def listed(*rows: object, **more: object) -> Reply:
    return Reply(200, JSON, [json.dumps({"value": rows, **more}).encode()])


def plan_of(heard: Heard) -> dict[str, str]:
    return {cursor.scope: cursor.position for cursor in heard.cursors}


# -- how it is asked ---------------------------------------------------------------------------------------------------


def test_it_is_asked_as_microsoft_documents_it(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", ADDRESS)]
    assert poll(http, provider(server), [ONE]).names == ["k3xq.example.net"]
    login, asked = server.calls
    assert (login.method, login.path) == ("POST", TOKEN)
    assert login.body == (
        b"grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        b"&client_id=cl1ent-1d&client_secret=s3cr3t-k3y"
    )
    assert (asked.method, asked.path, asked.query) == ("GET", PATH, {"$top": "500"})
    assert asked.headers["authorization"] == "Bearer t0k3n.1.of-many_letters"


def test_one_login_does_for_a_whole_netblock_and_costs_nothing(http: Client, server: Server) -> None:
    budget = Counted()
    server.seen = [Seen("k3xq.example.net", ADDRESS)]
    assert poll(http, provider(server), budget=budget).end.outcome is Outcome.COMPLETE
    assert server.tokens.given == 1
    assert budget.spent == len(server.paid) == NETBLOCK.size


def test_the_size_of_pages_may_be_left_to_graph(http: Client, server: Server) -> None:
    poll(http, provider(server, page_size=0), [ONE])
    assert server.asked[0].query == {}


def test_an_ipv6_address_is_escaped_in_the_path(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "2001:db8::7")]
    assert "hosts/2001%3Adb8%3A%3A7/" in provider(server).request(Question(parse_netblock("2001:db8::7"))).url
    assert poll(http, provider(server), [parse_netblock("2001:db8::7")]).names == ["k3xq.example.net"]


# -- what it says ------------------------------------------------------------------------------------------------------


def test_the_address_is_found_on_either_side_and_other_types_are_counted(http: Client, server: Server) -> None:
    server.answers[PATH] = told("reverse.json")
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.COMPLETE
    assert [(one.rrname, one.rrtype, one.rdata, one.time_first, one.time_last) for one in heard.observations] == [
        ("k3xq.example.net", "A", ADDRESS, 1_735_689_600, 1_767_225_600),
        ("w7b2.example.org", "A", ADDRESS, 1_735_689_600, 1_767_225_600),
    ]
    assert heard.refused == {cof.OTHER_TYPE: 1}


def test_odd_records_are_understood_or_counted(http: Client, server: Server) -> None:
    server.answers[PATH] = told("odd.json")
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.COMPLETE
    new_year, year_before = 1_767_225_600, 1_735_689_600
    assert {one.rrname: (one.time_first, one.time_last) for one in heard.observations} == {
        "a.example.net": (year_before, new_year),
        "b.example.net": (None, None),
        "c.example.net": (year_before, new_year),
        "d.example.net": (None, int(NOW.timestamp())),
        "e.example.net": (None, None),
    }
    assert heard.refused == {
        NOT_A_RECORD: 6,
        cof.OTHER_TYPE: 1,
        cof.OUTSIDE: 1,
        f"{cof.NOT_A_NAME}: empty label": 1,
        "no address on either side": 1,
        cof.NO_TIME: 2,
        cof.BACKWARDS: 1,
        cof.IN_FUTURE: 1,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"value": null}',
        b'{"value": {"a": 1}}',
        b'{"error": {"code": "generalException", "message": "no"}}',
        b'{"value": [1, null, {}]}',
        b'{"value": [{"unheard": "of"}]}',
        b'{"value": [{"parentHost": {"id": "198.51.100.7"}}',
        b'{"value": ' + b'{"a":' * 100_000,
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


def test_a_list_without_records_is_nothing_known(http: Client, server: Server) -> None:
    server.answers[PATH] = listed()
    assert poll(http, provider(server), [ONE]).end.outcome is Outcome.COMPLETE


@pytest.mark.parametrize("framing", ["cut chunks", "short length"])
def test_a_cut_page_is_no_answer(http: Client, server: Server, framing: str) -> None:
    server.answers[PATH] = Reply(200, JSON, [json.dumps({"value": [row(ADDRESS, "a.example")]}).encode()], framing)  # type: ignore[arg-type]
    assert poll(http, provider(server), [ONE]).end.outcome is Outcome.FAILED


def test_a_page_over_its_size_is_no_answer(http: Client, server: Server) -> None:
    server.seen = names(12)
    heard = poll(http, provider(server, max_bytes=1000), [ONE])
    assert heard.end.outcome is Outcome.FAILED
    assert "the answer is over 1,000 bytes; raise max_bytes or lower page_size" in heard.end.reason


# -- pages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "calls"), [(9, 1), (10, 1), (25, 3), (30, 3)])
def test_pages_are_read_for_as_long_as_one_names_the_next(http: Client, server: Server, count: int, calls: int) -> None:
    server.seen = names(count)
    budget = Counted()
    heard = poll(http, provider(server, page_size=10), [ONE], budget=budget)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == count
    assert budget.spent == len(server.paid) == calls


def test_an_empty_page_may_name_the_next(http: Client, server: Server) -> None:
    server.answers[PATH] = listed(**{"@odata.nextLink": f"{server.url}{path('198.51.100.99')}"})
    server.answers[path("198.51.100.99")] = listed(row(ADDRESS, "k3xq.example.net"))
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, heard.names) == (Outcome.COMPLETE, ["k3xq.example.net"])


def test_an_interrupted_list_goes_on_where_it_stopped_and_keeps_no_token(http: Client, server: Server) -> None:
    server.seen = names(25)
    first = poll(http, provider(server, page_size=10), [ONE], budget=Counted(most=2))
    assert first.end.outcome is Outcome.PARTIAL
    kept = plan_of(first)
    assert f" {PATH}?$top=10&$skiptoken=" in kept["plan"]
    assert server.url not in kept["plan"]
    assert not any(secret in kept["plan"] for secret in (*server.secrets.values(), "t0k3n"))
    then = poll(http, provider(server, page_size=10), [ONE], cursors=kept)
    assert then.end.outcome is Outcome.COMPLETE
    assert len(server.asked) == 3
    assert len({*first.names, *then.names}) == 25


@pytest.mark.parametrize(
    "relative", ["{path}?{query}", "?{query}", "//{host}{path}?{query}", "HTTP://{host}{path}?{query}#x"]
)
def test_a_next_page_may_be_named_in_any_way_that_leads_to_the_same_host(
    http: Client, server: Server, relative: str
) -> None:
    server.seen = names(25)

    def written(right: str) -> str:
        before, _, query = right.partition("?")
        return relative.format(path=PATH, query=query, host=before.split("/")[2])

    server.link = written
    assert len(poll(http, provider(server, page_size=10), [ONE]).names) == 25


@pytest.mark.parametrize(
    "link",
    [
        "{elsewhere}/v1.0/security/threatIntelligence/hosts/x/passiveDnsReverse",
        "//{elsewhere_host}/x",
        "http://jane:pw@{host}/x",
        "http://{host}@{elsewhere_host}/x",
        "https://{host}/x",
        "http://{host}:99999/x",
        "http://[/x",
        "javascript:alert(1)",
        "http://{host}/" + "x" * 5000,
        "http://{host}/a b\u00e9",
        7,
        ["/x"],
        False,
        {"href": "/x"},
    ],
)
def test_a_next_page_elsewhere_is_never_asked_for(http: Client, server: Server, link: object) -> None:
    server.seen = names(25)
    with ProviderStandin() as elsewhere:
        hosts = {"host": server.url[7:], "elsewhere": elsewhere.url, "elsewhere_host": elsewhere.url[7:]}
        server.link = lambda _: link.format(**hosts) if isinstance(link, str) else link
        heard = poll(http, provider(server, page_size=10), [ONE])
        assert elsewhere.calls == []
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason == "names a next page that is on another host, or none at all"
    assert len(heard.names) == 10, "what came is kept"
    assert len(server.asked) == 1


def test_a_page_that_names_itself_is_not_asked_for_again_and_again(http: Client, server: Server) -> None:
    server.answers[PATH] = listed(row(ADDRESS, "k3xq.example.net"), **{"@odata.nextLink": f"{server.url}{PATH}?$skip=1"})
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason == "names the same page as the next one again and again"
    assert len(server.asked) == 2


def forgotten(code: int, question: Question, server: Server) -> tuple[bool, Outcome]:
    reply = provider(server).refused(HttpError("gone", status=code, body=b'{"error": {}}', permanent=True), question)
    assert reply is not None
    assert not reply.end.stop, "other addresses may be asked for"
    return reply.stale, reply.end.outcome


@pytest.mark.parametrize("code", [400, 404, 410])
def test_a_page_that_was_forgotten_begins_the_answer_anew(server: Server, code: int) -> None:
    now = int(NOW.timestamp())
    assert forgotten(code, Question(ONE, page=f"{now - 3600} 2. {PATH}?$skiptoken=x"), server) == (True, Outcome.PARTIAL)
    assert forgotten(code, Question(ONE, page=f"{now - 60} 2. {PATH}?$skiptoken=x"), server) == (False, Outcome.PARTIAL)


def test_a_page_forgotten_over_night_costs_no_name(http: Client, server: Server) -> None:
    server.seen = names(25)
    first = poll(http, provider(server, page_size=10), [ONE], budget=Counted(most=2))
    kept = {scope: text.replace("$skiptoken=", "$lost=") for scope, text in plan_of(first).items()}
    whole = server.answer
    server.answer = lambda call: error(400, "BadRequest", "no such page") if "$lost" in call.query else whole(call)  # type: ignore[method-assign]
    later = built("mdti", server.url, server.secrets, {**server.options, "page_size": 10})
    assert isinstance(later, mdti._Mdti)
    heard = poll(http, replace(later, now=lambda: NOW + timedelta(hours=8)), [ONE], cursors=kept)
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 25)


@pytest.mark.parametrize("page", ["x", "7", "https://pdns.example/x", "7 x", f"7 2. {PATH} y", "7 /x", "77777777777 2. /x"])
def test_a_place_that_is_none_is_the_beginning(server: Server, page: str) -> None:
    ready = provider(server)
    assert ready.request(Question(ONE, page=page)) == ready.request(Question(ONE))


# -- names in front ----------------------------------------------------------------------------------------------------


def fronts(http: Client, server: Server, **options: object) -> Heard:
    known = [Known("k3xq.example.net", (ADDRESS, "2001:db8::7"))]
    return poll(http, provider(server, **options), [ONE], known=known, fronts=1)


def test_names_that_point_at_a_finding_are_asked_for(http: Client, server: Server) -> None:
    server.aliases = [("cdn.example.org", "k3xq.example.net"), ("other.example.org", "www.example.net")]
    heard = fronts(http, server)
    assert [call.path for call in server.asked] == [PATH, path("k3xq.example.net")]
    assert [(one.rrname, one.rdata, one.chain, one.time_last) for one in heard.observations] == [
        ("cdn.example.org", ADDRESS, ("k3xq.example.net",), LAST),
        ("cdn.example.org", "2001:db8::7", ("k3xq.example.net",), LAST),
    ]


def test_pages_of_names_in_front_are_read_to_their_end(http: Client, server: Server) -> None:
    server.aliases = [(f"a{n}.example.org", "k3xq.example.net") for n in range(25)]
    assert len(fronts(http, server, page_size=10).names) == 25


@pytest.mark.parametrize(
    "record",
    [
        row("k3xq.example.net", "ns.example.org", "NS"),
        row("k3xq.example.net", "203.0.113.9", "A"),
        row("www.example.org", "k3xq.example.net", "CNAME"),
        row("k3xq.example.net", "K3XQ.example.net.", "CNAME"),
        row("k3xq.example.net", "cdn..example.org", "CNAME"),
    ],
)
def test_what_does_not_point_at_a_finding_is_no_name_in_front(
    http: Client, server: Server, record: Mapping[str, object]
) -> None:
    server.answers[path("k3xq.example.net")] = listed(record)
    heard = fronts(http, server)
    assert heard.observations == ()
    assert heard.refused == {NO_ALIAS: 1}


def test_a_name_is_escaped_in_the_path(server: Server) -> None:
    ready = provider(server)
    assert isinstance(ready, Fronting)
    asked = ready.front_request(Front("a\\032b/..?.example.net", (ADDRESS,)))
    assert "/hosts/a%5C032b%2F..%3F.example.net/passiveDnsReverse" in asked.url


# -- settings ----------------------------------------------------------------------------------------------------------


def ready_with(**options: object) -> Provider:
    return built("mdti", "", {"username": "a", "password": KEY}, options)


@pytest.mark.parametrize("tenant", ["contoso.onmicrosoft.com", "72f988bf-86f1-41af-91ab-2d7cd011db47"])
def test_the_usual_places_need_no_more_than_the_tenant(tenant: str) -> None:
    asked = ready_with(tenant=tenant).request(Question(ONE))
    assert asked.url == f"https://graph.microsoft.com{PATH}"
    assert f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token" in repr(asked.credentials)
    assert KEY not in f"{asked} {asked!r}"


@pytest.mark.parametrize("tenant", ["", "a/b", "a?b", "../x", "a b", "x" * 200])
def test_a_tenant_that_is_none_is_a_fault(tenant: str) -> None:
    with pytest.raises(OptionFaults) as caught:
        ready_with(tenant=tenant)
    assert list(caught.value.messages) == ["tenant"]


@pytest.mark.parametrize("url", ["ftp://a", "https://u:p@a", "a", "https://a/?k=1"])
def test_a_token_url_that_is_none_is_a_fault(url: str) -> None:
    with pytest.raises(OptionFaults) as caught:
        ready_with(token_url=url)
    assert list(caught.value.messages) == ["token_url"]


@pytest.mark.parametrize(
    ("secrets", "key"),
    [
        ({}, "username_env"),
        ({"username": "k"}, "username_env"),
        ({"password": "s"}, "password_env"),
        ({"api_key": "k"}, "api_key_env"),
    ],
)
def test_secrets_that_bring_no_token_are_faults_of_their_keys(secrets: dict[str, str], key: str) -> None:
    with pytest.raises(OptionFaults) as caught:
        mdti.build(settings("mdti", **secrets), Options(tenant="contoso.example"), lambda: NOW)
    assert list(caught.value.messages) == [key]


def test_the_contract_may_say_that_observations_stay_closer(http: Client, server: Server) -> None:
    server.seen = names(1)
    options = Options(token_url=f"{server.url}{TOKEN}")
    closer = replace(settings("mdti", server.url, **server.secrets), tlp=Tlp.AMBER)
    (one,) = poll(http, mdti.build(closer, options, lambda: NOW), [ONE]).observations
    assert one.tlp is Tlp.AMBER
    assert provider(server).traits.tlp is Tlp.GREEN
