"""The `mnemonic` provider against a server that answers as mnemonic does, and against answers that it should not give."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from feedsvc.config import Secret, SourceSettings
from feedsvc.http import Client
from feedsvc.model import Batch, Outcome, Tlp
from feedsvc.names import parse_netblock
from feedsvc.sources import cof
from feedsvc.sources.aliases import NO_ALIAS
from feedsvc.sources.pdns import mnemonic
from feedsvc.sources.pdns.mnemonic import Options
from feedsvc.sources.port import Front, Fronting, Known, Provider, Reply
from tests.sources.conftest import DATA, KEY, NOW, Heard
from tests.sources.pdns.asking import Counted, built, poll
from tests.sources.pdns.reading import answer, drained
from tests.standins import server as standins
from tests.standins.mnemonic import JSON, Alias, Server, jumped, refusal
from tests.standins.provider import Seen

ADDRESS = parse_netblock("198.51.100.7")
SEEN = Seen("k3xq.example.net", "198.51.100.7")
KEYED = {"api_key": KEY}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server([SEEN]) as running:
        yield running


def ask(
    http: Client, server: Server, secrets: Mapping[str, str] = KEYED, budget: Counted | None = None, **options: object
) -> Heard:
    return poll(http, built("mnemonic", server.url, secrets, options), [ADDRESS], budget=budget)


def answered(http: Client, server: Server, name: str) -> Heard:
    """A poll that is answered with a file."""
    server.answers["198.51.100.7"] = (DATA / "mnemonic" / name).read_bytes()
    return ask(http, server)


def many(count: int) -> list[Seen]:
    return [Seen(f"n{n}.example.net", "198.51.100.7", 1_600_000_000 + n, 1_600_000_030 + n) for n in range(count)]


def names(count: int) -> set[str]:
    return {one.name for one in many(count)}


# -- how it asks -------------------------------------------------------------------------------------------------------


def test_the_number_of_rows_is_always_said_and_the_key_goes_into_its_header(http: Client, server: Server) -> None:
    ask(http, server)
    (call,) = server.calls
    assert call.path == "/pdns/v3/198.51.100.7"
    assert call.query == {"limit": "10000", "offset": "0", "rrType": "a"}
    assert call.headers["argus-api-key"] == KEY


def test_without_a_key_it_asks_for_what_everybody_may_have(http: Client, server: Server) -> None:
    heard = ask(http, server, {})
    (call,) = server.calls
    assert heard.names == [SEEN.name]
    assert call.query["limit"] == "1000"
    assert "argus-api-key" not in call.headers


def test_an_ipv6_address_is_asked_for_records_of_its_own_type(http: Client, server: Server) -> None:
    server.seen = [Seen("k3xq.example.net", "2001:db8::7")]
    heard = poll(http, built("mnemonic", server.url, KEYED), [parse_netblock("2001:db8::7")])
    assert server.asked == ["2001:db8::7 aaaa 0"]
    assert heard.names == ["k3xq.example.net"]


@pytest.mark.parametrize("path", ["", "/", "/pdns/v3", "/pdns/v3/"])
def test_the_url_may_have_its_path_or_not(http: Client, server: Server, path: str) -> None:
    assert poll(http, built("mnemonic", server.url + path, KEYED), [ADDRESS]).names == [SEEN.name]


def test_its_public_quotas_hold_without_a_key_alone() -> None:
    assert [(one.span, one.calls, one.seconds) for one in built("mnemonic", "", {}).traits.allowances] == [
        ("burst", 10, 60.0),
        ("day", 1_000, 0.0),
    ]
    assert built("mnemonic", "", KEYED).traits.allowances == ()


# -- what it understands -----------------------------------------------------------------------------------------------


def test_milliseconds_become_seconds_and_a_time_of_nothing_is_none(http: Client, server: Server) -> None:
    heard = answered(http, server, "address.json")
    assert heard.end.outcome is Outcome.COMPLETE
    told = {one.rrname: one for one in heard.observations}
    first, second = told["k3xq.example.net"], told["w7b2.example.org"]
    assert (first.time_first, first.time_last, first.count) == (1_700_000_000, 1_700_000_600, 4477)
    assert (second.time_first, second.time_last) == (None, 1_700_000_600)
    assert heard.refused == {}


@pytest.mark.parametrize(
    ("secrets", "unsaid", "tlp", "expected"),
    [
        ({}, Tlp.CLEAR, None, [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.RED, Tlp.AMBER]),
        (KEYED, Tlp.GREEN, None, [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.RED, Tlp.AMBER]),
        (KEYED, Tlp.CLEAR, Tlp.CLEAR, [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.RED, Tlp.AMBER]),
        (KEYED, Tlp.AMBER, Tlp.AMBER, [Tlp.AMBER, Tlp.AMBER, Tlp.AMBER, Tlp.RED, Tlp.AMBER]),
    ],
)
def test_each_row_keeps_its_own_marking_and_tlp_only_raises_it(
    http: Client, server: Server, secrets: Mapping[str, str], unsaid: Tlp, tlp: Tlp | None, expected: list[Tlp]
) -> None:
    server.answers["198.51.100.7"] = (DATA / "mnemonic" / "address.json").read_bytes()
    held = {name: Secret(value, "environment X") for name, value in secrets.items()}
    settings = SourceSettings(name="m", kind="pdns", provider="mnemonic", url=server.url, secrets=held, tlp=tlp)
    heard = poll(http, mnemonic.build(settings, Options(), lambda: NOW), [ADDRESS])
    marked = {one.rrname.partition(".")[0]: one.tlp for one in heard.observations}
    assert [marked[name] for name in ("k3xq", "w7b2", "m9aa", "r4ed", "odd")] == expected
    assert marked["none"] is unsaid


def test_rows_of_other_types_and_addresses_are_counted_and_left_out(http: Client, server: Server) -> None:
    heard = answered(http, server, "mixed.json")
    assert heard.end.outcome is Outcome.COMPLETE
    assert heard.names == [SEEN.name]
    assert heard.refused == {cof.OTHER_TYPE: 3, cof.OUTSIDE: 1}


def test_a_row_that_cannot_be_used_costs_no_other(http: Client, server: Server) -> None:
    heard = answered(http, server, "hostile.json")
    assert heard.end.outcome is Outcome.COMPLETE
    assert set(heard.names) == {"future.example", "back.example", "never.example", "huge.example", SEEN.name}
    told = {one.rrname: one for one in heard.observations}
    assert (told["never.example"].time_first, told["never.example"].count, told["never.example"].tlp) == (
        None,
        None,
        Tlp.AMBER,
    )
    assert told["huge.example"].time_first is None
    assert (heard.refused[cof.NOT_JSON], heard.refused[cof.OTHER_TYPE]) == (4, 2)
    assert heard.refused[cof.IN_FUTURE] == 1


def test_an_answer_of_nothing_but_rows_that_are_none_is_no_answer(http: Client, server: Server) -> None:
    server.answers["198.51.100.7"] = json.dumps({"responseCode": 200, "count": 2, "data": [{"a": 1}, 7]}).encode()
    heard = ask(http, server)
    assert heard.end.outcome is Outcome.FAILED
    assert "none of the 2 rows" in heard.end.reason


@pytest.mark.parametrize(
    "frame",
    [
        {"responseCode": 200, "data": []},
        {"responseCode": 200, "count": "3", "data": []},
        {"responseCode": 200, "count": -1, "data": []},
        {"responseCode": 200, "count": 10**30, "data": []},
        {"responseCode": "200", "count": 0, "data": []},
        {"responseCode": True, "count": 0, "data": []},
        {"count": 0, "data": []},
        {"responseCode": 200, "count": 1, "data": {"rows": []}},
        {"responseCode": 200, "count": 3, "data": None},
        {"responseCode": 200, "count": 3},
    ],
)
def test_a_frame_that_does_not_prove_itself_is_no_answer(http: Client, server: Server, frame: Mapping[str, object]) -> None:
    server.answers["198.51.100.7"] = json.dumps(frame).encode()
    heard = ask(http, server)
    assert heard.end.outcome is Outcome.FAILED
    assert heard.observations == ()


def test_nothing_may_be_said_as_null(http: Client, server: Server) -> None:
    server.answers["198.51.100.7"] = json.dumps({"responseCode": 200, "count": 0, "data": None}).encode()
    assert ask(http, server).end.outcome is Outcome.COMPLETE


# -- pages -------------------------------------------------------------------------------------------------------------


def test_pages_are_turned_until_as_many_rows_came_as_were_told(http: Client, server: Server) -> None:
    server.seen = many(2_500)
    heard = ask(http, server, {})
    assert heard.end.outcome is Outcome.COMPLETE
    assert set(heard.names) == names(2_500)
    assert server.asked == [f"198.51.100.7 a {offset}" for offset in (0, 1000, 2000)]


def test_another_poll_goes_on_at_the_page_where_one_stopped(http: Client, server: Server) -> None:
    server.seen = many(2_500)
    before = ask(http, server, {}, Counted(most=2))
    cursors = {cursor.scope: cursor.position for cursor in before.cursors}
    after = poll(http, built("mnemonic", server.url, {}), [ADDRESS], cursors=cursors)
    assert before.end.outcome is Outcome.PARTIAL
    assert after.end.outcome is Outcome.COMPLETE
    assert set(before.names) | set(after.names) == names(2_500)
    assert server.asked == [f"198.51.100.7 a {offset}" for offset in (0, 1000, 2000)]


class Growing(Server):
    """One that learns of another name after each of so many answers."""

    growth = 1

    def answer(self, call: standins.Call) -> standins.Reply:
        reply = super().answer(call)
        if self.growth > 0:
            self.growth -= 1
            self.seen.append(Seen(f"late{self.growth}.example.net", "198.51.100.7", last=1_700_000_000))
        return reply


def test_an_address_whose_rows_changed_between_two_pages_is_asked_anew(http: Client) -> None:
    with Growing(many(1_500)) as server:
        heard = ask(http, server, {})
    assert heard.end.outcome is Outcome.COMPLETE
    assert set(heard.names) == {*names(1_500), "late0.example.net"}
    assert server.asked == [f"198.51.100.7 a {offset}" for offset in (0, 1000, 0, 1000)]


def test_an_address_whose_rows_keep_changing_is_partial_and_its_names_are_kept(http: Client) -> None:
    with Growing(many(1_500)) as server:
        server.growth = 100
        heard = ask(http, server, {})
    assert heard.end.outcome is Outcome.PARTIAL
    assert "changed while its pages were read" in heard.end.reason
    assert len(server.calls) == 6
    assert len(names(1_500) & set(heard.names)) >= 1_400


class Jumping(Server):
    """One that sees its very last name again after the first answer."""

    def answer(self, call: standins.Call) -> standins.Reply:
        reply = super().answer(call)
        if len(self.calls) == 1:
            self.seen = jumped(self.seen, "n0.example.net")
        return reply


def test_a_name_that_jumps_over_the_border_of_two_pages_is_in_the_next_poll(http: Client) -> None:
    with Jumping(many(1_500)) as server:
        first, second = ask(http, server, {}), ask(http, server, {})
    assert first.end.outcome is Outcome.COMPLETE  # counting cannot tell, as the manual page says
    assert "n0.example.net" not in first.names
    assert "n0.example.net" in second.names


def test_an_answer_that_is_flagged_as_cut_off_is_partial(http: Client, server: Server) -> None:
    server.seen, server.reach = many(2_500), 1_500
    heard = ask(http, server, {})
    assert heard.end.outcome is Outcome.PARTIAL
    assert "partialResult" in heard.end.reason
    assert len(heard.names) == 1_500
    assert not [cursor for cursor in heard.cursors if cursor.scope == "198.51.100.7/32"]


def test_a_flag_on_an_earlier_page_is_remembered(http: Client, server: Server) -> None:
    rows = [{"rrtype": "a", "query": f"n{n}.example.net", "answer": "198.51.100.7"} for n in range(3)]
    flagged = {"responseCode": 200, "count": 3, "offset": 0, "data": [rows[0], {**rows[1], "flags": ["partialResult"]}]}
    plain = {"responseCode": 200, "count": 3, "offset": 2, "data": [rows[2]]}
    server.faults = [standins.Reply(200, JSON, [json.dumps(page).encode()]) for page in (flagged, plain)]
    heard = ask(http, server)
    assert len(heard.names) == 3
    assert heard.end.outcome is Outcome.PARTIAL


@pytest.mark.parametrize(("limit", "outcome"), [(25, Outcome.PARTIAL), (26, Outcome.COMPLETE), (0, Outcome.COMPLETE)])
def test_a_server_that_heeds_another_limit_than_ours_is_believed_about_it(
    http: Client, server: Server, limit: int, outcome: Outcome
) -> None:
    rows = [{"rrtype": "a", "query": f"n{n}.example.net", "answer": "198.51.100.7"} for n in range(25)]
    told = {"responseCode": 200, "limit": limit, "count": 25, "offset": 0, "size": 25, "data": rows}
    server.answers["198.51.100.7"] = json.dumps(told).encode()
    heard = ask(http, server, {})
    assert (heard.end.outcome, len(heard.names)) == (outcome, 25)


def test_exactly_as_many_rows_as_may_be_had_are_not_taken_for_all(http: Client, server: Server) -> None:
    server.seen = many(1_000)
    heard = ask(http, server, {})
    assert heard.end.outcome is Outcome.PARTIAL
    assert "exactly as many rows" in heard.end.reason
    assert set(heard.names) == names(1_000)


def test_another_page_than_was_asked_for_is_no_answer(http: Client, server: Server) -> None:
    server.answers["198.51.100.7"] = json.dumps({"responseCode": 200, "count": 9, "offset": 3, "data": []}).encode()
    assert ask(http, server).end.outcome is Outcome.FAILED


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_more_rows_than_one_may_have_is_said_to_be_the_setting(http: Client, server: Server) -> None:
    heard = ask(http, server, {}, page_size=5_000)
    assert heard.end.outcome is Outcome.FAILED
    assert "412" in heard.end.reason
    assert "page_size" in heard.end.reason
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("wait", "over"), [(43_210, ("burst", 44.0)), (7_200_000, ("day", 7_201.0)), (None, ("burst", None))]
)
def test_a_spent_quota_is_over_for_as_long_as_it_says(
    http: Client, server: Server, wait: int | None, over: tuple[str, float | None]
) -> None:
    server.left, server.wait = 0, wait
    budget = Counted()
    heard = ask(http, server, {}, budget)
    assert heard.end.outcome is Outcome.FAILED
    assert budget.overs == [over]
    assert len(server.calls) == 1


@pytest.mark.parametrize(("status", "calls", "overs"), [(402, 1, ["burst"]), (412, 1, []), (401, 1, []), (500, 3, [])])
def test_a_refusal_inside_of_a_200_means_what_it_means_outside(
    http: Client, server: Server, status: int, calls: int, overs: list[str]
) -> None:
    server.fault = standins.Reply(200, JSON, refusal(status, "no").body)
    budget = Counted()
    heard = ask(http, server, budget=budget)
    assert heard.end.outcome is Outcome.FAILED
    assert str(status) in heard.end.reason
    assert len(server.calls) == calls
    assert [span for span, _ in budget.overs] == overs


# -- names in front ----------------------------------------------------------------------------------------------------


def front(provider: Provider, body: bytes) -> tuple[list[Batch], Reply]:
    assert isinstance(provider, Fronting)
    return drained(provider.read_front(answer(body), Front(SEEN.name, ("198.51.100.7",))))


def test_names_that_point_at_a_finding_are_found(http: Client, server: Server) -> None:
    server.aliases = [Alias("front.example.org", SEEN.name), Alias(SEEN.name, "cdn.example.com")]
    provider = built("mnemonic", server.url, KEYED)
    known = [Known(SEEN.name, ("198.51.100.7", "2001:db8::7"))]
    heard = poll(http, provider, [ADDRESS], known=known, fronts=5)
    assert server.asked == ["198.51.100.7 a 0", f"{SEEN.name} cname 0"]
    fronts = [one for one in heard.observations if one.chain]
    assert {(one.rrname, one.rrtype, one.rdata, one.chain) for one in fronts} == {
        ("front.example.org", "A", "198.51.100.7", (SEEN.name,)),
        ("front.example.org", "AAAA", "2001:db8::7", (SEEN.name,)),
    }
    assert heard.refused == {NO_ALIAS: 1}


def test_rows_about_the_names_own_cname_are_no_aliases(http: Client) -> None:
    provider = built("mnemonic", "", KEYED)
    body = (DATA / "mnemonic" / "aliases.json").read_bytes()
    batches, reply = front(provider, body)
    told = [one for batch in batches for one in batch.observations]
    assert [(one.rrname, one.rdata, one.tlp, one.time_last) for one in told] == [
        ("front.example.org", "198.51.100.7", Tlp.CLEAR, 1_700_000_600),
        ("front2.example.org", "198.51.100.7", Tlp.GREEN, 1_700_000_600),
    ]
    assert [(one.reason, one.count) for batch in batches for one in batch.refused] == [(NO_ALIAS, 3)]
    assert reply.end.outcome is Outcome.COMPLETE


def test_the_pages_of_aliases_are_turned_as_well(http: Client, server: Server) -> None:
    server.aliases = [Alias(f"n{n}.example.org", SEEN.name) for n in range(1_200)]
    known = [Known(SEEN.name, ("198.51.100.7",))]
    heard = poll(http, built("mnemonic", server.url, {}), [ADDRESS], known=known, fronts=1)
    assert server.asked[1:] == [f"{SEEN.name} cname 0", f"{SEEN.name} cname 1000"]
    assert len([one for one in heard.observations if one.chain]) == 1_200
