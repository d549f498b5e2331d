"""The `circl` provider: pages, what an answer lacks, rows either way round, and nothing that makes CIRCL resolve a name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest

from feedsvc import plugins
from feedsvc.http import Client
from feedsvc.model import Observation, Outcome, Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import aliases, plan
from feedsvc.sources import cof as rows
from feedsvc.sources.asking import BEGINNINGS
from feedsvc.sources.pdns import circl
from feedsvc.sources.pdns.circl import MOST_PAGES_OF_ALIASES, Options
from feedsvc.sources.port import Known
from tests.sources.conftest import DATA, FEW, NOW, Heard, settings
from tests.sources.pdns.asking import Counted, built
from tests.sources.pdns.asking import poll as poll_of
from tests.sources.pdns.faulty import DEADLINE, MAX_BYTES, Case, cases, marks
from tests.standins import faults
from tests.standins.circl import PASSWORD, USER, Server
from tests.standins.cof import row
from tests.standins.provider import Seen
from tests.standins.server import Reply, refused_url

SEEN = "k3xq.example.net"
ONE = parse_netblock("198.51.100.7")
LOGIN = {"username": USER, "password": PASSWORD}
THREE = b"".join(json.dumps(row(f"n{n}.example.net", "198.51.100.7")).encode() + b"\n" for n in range(3))


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
    cursors: Mapping[str, str] | None = None,
    budget: Counted | None = None,
    known: Sequence[Known] = (),
    **options: object,
) -> Heard:
    """One poll as the pipeline does it."""
    provider = built("circl", url or server.url + server.path, LOGIN, options)
    return poll_of(http, provider, [netblock], cursors=cursors, budget=budget, known=known, fronts=len(known))


def many(names: int) -> list[Seen]:
    return [Seen(f"n{n}.example.net", "198.51.100.7") for n in range(names)]


def headers(server: Server, name: str) -> list[str | None]:
    return [call.headers.get(name) for call in server.calls]


def test_an_address_is_one_question(http: Client, server: Server) -> None:
    heard = poll(http, server)
    assert heard.observations == (
        Observation(SEEN, "A", "198.51.100.7", 1_700_000_000, 1_700_000_600, count=3, tlp=Tlp.GREEN),
    )
    assert heard.end.outcome is Outcome.COMPLETE
    assert server.asked == ["198.51.100.7"]


@pytest.mark.parametrize("path", ["/pdns", "/pdns/", "/pdns/query", "/pdns/query/"])
def test_the_url_may_have_its_query_part_or_not(http: Client, server: Server, path: str) -> None:
    assert poll(http, server, url=server.url + path).names == [SEEN]


@pytest.mark.parametrize(("address", "rrtype"), [("198.51.100.7", "A"), ("2001:db8::7", "AAAA")])
def test_only_records_of_the_address_family_are_asked_for(http: Client, server: Server, address: str, rrtype: str) -> None:
    server.seen = [Seen(SEEN, address)]
    assert poll(http, server, parse_netblock(address)).names == [SEEN]
    assert headers(server, "dribble-filter-rrtype") == [rrtype]


def test_nothing_ever_makes_circl_resolve_what_it_is_asked_about(http: Client, server: Server) -> None:
    server.seen = many(30)
    server.faults = [faults.status(503)]
    budget = Counted()
    poll(http, server, FEW, known=[Known(SEEN, ("198.51.100.7",)), Known("other.example", ("198.51.100.7",))], page_size=7)
    poll(http, server, FEW, budget=budget, page_size=7, cursors={plan.SCOPE: _left_at_page(http, server)})
    assert set(headers(server, "dribble-disable-active-query")) == {"1"}
    assert server.resolved == []
    assert {SEEN, "other.example"} < set(server.asked)
    assert any(headers(server, "dribble-paginate-cursor"))


def _left_at_page(http: Client, server: Server) -> str:
    """The plan of a poll whose budget ended between two pages."""
    heard = poll(http, server, FEW, budget=Counted(most=5), page_size=7)
    return [cursor.position for cursor in heard.cursors if cursor.scope == plan.SCOPE][-1]


# -- pages --------------------------------------------------------------------------------------------------------------


def test_pages_are_read_to_the_last_one(http: Client, server: Server) -> None:
    server.seen = many(23)
    heard = poll(http, server, page_size=10)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 23
    assert headers(server, "dribble-paginate-count") == ["10", "10", "10"]
    first, second, third = headers(server, "dribble-paginate-cursor")
    assert first is None
    assert len({second, third}) == 2


def test_a_poll_that_ended_between_two_pages_is_carried_on_at_the_next_one(http: Client, server: Server) -> None:
    server.seen = many(23)
    cursors: dict[str, str] = {}
    names: list[str] = []
    for _ in range(5):
        heard = poll(http, server, page_size=5, cursors=cursors, budget=Counted(most=1))
        cursors |= {cursor.scope: cursor.position for cursor in heard.cursors}
        names += [one.rrname for one in heard.observations]
    assert heard.end.outcome is Outcome.COMPLETE
    assert sorted(names) == sorted(one.name for one in server.seen)
    assert len(set(headers(server, "dribble-paginate-cursor"))) == len(server.calls) == 5


def test_pages_that_cost_too_much_wait_for_the_next_poll(http: Client, server: Server) -> None:
    server.seen = many(100)
    heard = poll(http, server, page_size=1, max_calls=10)
    assert len(server.calls) == 10
    assert heard.end.outcome is Outcome.PARTIAL
    assert "has cost its 10 calls of one poll; the next one goes on" in heard.end.reason
    assert marks(heard) == []


@pytest.mark.parametrize("status", [400, 410])
def test_an_address_whose_place_is_lost_is_asked_about_from_its_beginning(http: Client, server: Server, status: int) -> None:
    server.seen = many(8)
    left = poll(http, server, page_size=5, budget=Counted(most=1))
    cursors = {cursor.scope: cursor.position for cursor in left.cursors}
    server.faults = [faults.status(status, "no such cursor")]
    heard = poll(http, server, page_size=5, cursors=cursors)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 8
    assert [cursor is None for cursor in headers(server, "dribble-paginate-cursor")] == [True, False, True, False]


def test_a_server_that_knows_no_place_of_its_own_is_given_up(http: Client, server: Server) -> None:
    server.seen, server.forgetful = many(8), True
    heard = poll(http, server, page_size=5)
    assert len(server.calls) == 2 * BEGINNINGS
    assert heard.end.outcome is Outcome.PARTIAL
    assert marks(heard) == []


@pytest.mark.parametrize("place", ["0", "-1", "", "7 7", "7é", "next", "9" * 50])
def test_a_place_that_cannot_be_asked_for_makes_the_answer_partial(http: Client, server: Server, place: str) -> None:
    server.extra = {"x-dribble-cursor": place}
    heard = poll(http, server)
    assert heard.names == [SEEN]
    assert heard.end.outcome is Outcome.PARTIAL
    assert "there is a next page that cannot be asked for (x-dribble-cursor: " in heard.end.reason
    assert len(server.calls) == 1


def test_a_page_that_names_itself_as_the_next_one_makes_the_answer_partial(http: Client, server: Server) -> None:
    server.extra = {"x-dribble-cursor": "7346046680497455128"}
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "there is a next page that cannot be asked for" in heard.end.reason
    assert len(server.calls) == 2


def test_a_password_in_the_place_of_a_page_is_neither_kept_nor_shown(http: Client, server: Server) -> None:
    password = "73460466804974"
    server.login = (LOGIN["username"], password)
    server.extra = {"x-dribble-cursor": password}
    heard = poll_of(http, built("circl", server.url + server.path, {**LOGIN, "password": password}), [ONE])
    assert heard.names == [SEEN]
    assert heard.end.outcome is Outcome.PARTIAL
    assert password not in repr(heard)
    assert len(server.calls) == 1


def test_a_page_without_rows_is_not_the_last_one(http: Client, server: Server) -> None:
    server.faults = [Reply(200, {"x-dribble-cursor": "7346046680497455128"})]
    assert poll(http, server).names == [SEEN]


# -- what an answer lacks -----------------------------------------------------------------------------------------------


def test_rows_that_circl_left_out_make_the_address_partial_and_the_rest_complete(http: Client, server: Server) -> None:
    server.seen, server.reach = [*many(30), Seen("w7b2.example.org", "198.51.100.6")], 20
    heard = poll(http, server, FEW)
    assert len(heard.names) == 21
    assert heard.end.outcome is Outcome.PARTIAL
    assert 'the server left rows out of the answer (x-dribble-errors: {"error": "maxset"' in heard.end.reason
    assert heard.end.reason.endswith("(3 of 4 addresses answered in full)")
    assert not heard.end.trouble
    assert marks(heard) == []


def test_what_an_early_page_lacks_is_not_forgotten_on_the_last_one(http: Client, server: Server) -> None:
    server.faults = [Reply(200, {"x-dribble-cursor": "7346046680497455128", "x-dribble-errors": '{"error": "maxset"}'})]
    heard = poll(http, server)
    assert heard.names == [SEEN]
    assert heard.end.outcome is Outcome.PARTIAL
    assert "as the x-dribble-errors of an earlier page said" in heard.end.reason


# -- rows either way round ----------------------------------------------------------------------------------------------


def test_rows_are_read_whichever_side_the_address_stands_on(http: Client, server: Server) -> None:
    server.answers["198.51.100.14"] = (DATA / "circl" / "swapped.ndjson").read_bytes()
    heard = poll(http, server, parse_netblock("198.51.100.14"))
    assert heard.end.outcome is Outcome.COMPLETE
    assert {(one.rrname, one.time_first, one.count) for one in heard.observations} == {
        ("feed.example.net", 1_696_798_385, 19),
        (SEEN, 1_697_000_000, 1),
        ("w7b2.example.org", 1_697_000_001, 2),
    }
    assert heard.refused == {rows.OTHER_TYPE: 1}


def test_a_server_that_turns_everything_round_is_read_as_any_other(http: Client, server: Server) -> None:
    server.turned = True
    assert poll(http, server).observations == (
        Observation(SEEN, "A", "198.51.100.7", 1_700_000_000, 1_700_000_600, count=3, tlp=Tlp.GREEN),
    )


BEHIND = Known("cdn.example.org", ("198.51.100.7",))


@pytest.mark.parametrize("turned", [False, True])
def test_names_in_front_of_a_finding_are_found_whichever_side_they_stand_on(
    http: Client, server: Server, *, turned: bool
) -> None:
    server.turned = turned
    server.seen = [Seen("cdn.example.org", "198.51.100.8")]
    server.rows = [
        row("front.example.com", "cdn.example.org", 5, 9, rrtype="CNAME"),
        row("cdn.example.org", "onward.example", 5, 9, rrtype="CNAME"),
    ]
    heard = poll(http, server, known=[BEHIND])
    assert server.asked == ["198.51.100.7", "cdn.example.org"]
    assert headers(server, "dribble-filter-rrtype") == ["A", None]
    assert heard.observations == (
        Observation("front.example.com", "A", "198.51.100.7", 5, 9, chain=("cdn.example.org",), tlp=Tlp.GREEN),
    )
    assert heard.refused == {aliases.NO_ALIAS: 2}


def test_a_name_that_a_finding_points_at_is_not_taken_for_one_in_front(http: Client, server: Server) -> None:
    server.answers["cdn.example.org"] = (DATA / "circl" / "name.ndjson").read_bytes()
    heard = poll(http, server, parse_netblock("203.0.113.9"), known=[BEHIND])
    assert heard.names == [SEEN]


def test_names_in_front_come_in_pages_up_to_a_limit(http: Client, server: Server) -> None:
    server.rows = [row(f"n{n}.example.com", "cdn.example.org", rrtype="CNAME") for n in range(5)]
    assert len(poll(http, server, parse_netblock("203.0.113.9"), known=[BEHIND], page_size=2).names) == 5
    server.rows = [row(f"n{n}.example.com", "cdn.example.org", rrtype="CNAME") for n in range(99)]
    heard = poll(http, server, parse_netblock("203.0.113.9"), known=[BEHIND], page_size=1)
    assert len(heard.names) == MOST_PAGES_OF_ALIASES


# -- faults and settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases(THREE, PASSWORD), ids=str)
def test_every_fault_has_its_outcome_moves_no_mark_and_shows_no_secret(
    http: Client, server: Server, case: Case, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    server.fault = case.reply
    url, budget = "" if case.reply else refused_url(), Counted()
    heard = poll(http, server, url=url, budget=budget, deadline=DEADLINE, max_bytes=MAX_BYTES)
    case.check(heard, budget)
    assert PASSWORD not in f"{heard!r} {caplog.text} {capsys.readouterr()}"


def test_a_wrong_path_is_a_failure(http: Client, server: Server) -> None:
    heard = poll(http, server, url=f"{server.url}/nowhere")
    assert heard.end.outcome is Outcome.FAILED
    assert "404: the server knows no such address: is the URL right?" in heard.end.reason


def test_what_is_lacking_is_a_fault_by_key() -> None:
    for url, secrets, key in [
        ("", {}, "username_env"),
        ("", {"username": "jane"}, "username_env"),
        ("ftp://a", LOGIN, "url"),
    ]:
        with pytest.raises(OptionFaults) as caught:
            circl.build(settings("circl", url, **secrets), Options(), lambda: NOW)
        assert list(caught.value.messages) == [key]


def test_its_usual_place_is_circls_own() -> None:
    provider = circl.build(settings("circl", **LOGIN), Options(), lambda: NOW)
    (request,) = [provider.request(piece.question) for piece in [plan.Piece(ONE)]]
    assert request.url == "https://www.circl.lu/pdns/query/198.51.100.7"


@pytest.mark.parametrize(
    "given",
    [{"page_size": 0}, {"page_size": 5001}, {"max_calls": 0}, {"concurrency": 0}, {"max_addresses": 0}, {"deadline": 0}],
)
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "circl"), given)
    assert list(caught.value.messages) == list(given)
