"""WhoisXML's own: pages from name to name, times as texts, a key in the query; and its own client reads the stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest
import reverseip

from feedsvc import plugins
from feedsvc.config import Secret, SourceSettings
from feedsvc.http import Client
from feedsvc.model import Allowance, Outcome, Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof
from feedsvc.sources.pdns import whoisxml
from feedsvc.sources.pdns.whoisxml import NOT_A_ROW, PAGE, Options
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll, Provider, Question
from tests.sources.conftest import DATA, FEW, NOW, Heard, gather
from tests.sources.pdns import mangling
from tests.sources.pdns.asking import Counted
from tests.standins import faults
from tests.standins.provider import Seen
from tests.standins.server import Reply
from tests.standins.whoisxml import KEY, Server, refusal

ADDRESS = "198.51.100.7"
ONE = parse_netblock(ADDRESS)
MANY = [Seen(f"n{n:04}.example.net", ADDRESS) for n in range(700)]
PLAIN = Options()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def built(url: str = "", options: Options = PLAIN, key: str = KEY, tlp: Tlp | None = None) -> Provider:
    secrets = {"api_key": Secret(key, "environment WHOISXML")} if key else {}
    settings = SourceSettings(name="wx", kind="pdns", provider="whoisxml", url=url, secrets=secrets, tlp=tlp)
    return whoisxml.build(settings, options, lambda: NOW)


def poll(
    http: Client,
    server: Server,
    options: Options = PLAIN,
    *,
    netblock: Netblock = ONE,
    key: str = KEY,
    cursors: Mapping[str, str] | None = None,
    budget: Counted | None = None,
) -> Heard:
    source = PdnsSource("wx", built(server.url, options, key), http, lambda: NOW)
    return gather(source.read(Poll([netblock], cursors or {}, NOW, budget or Counted())))


def marked(heard: Heard) -> bool:
    return any(cursor.scope != "plan" for cursor in heard.cursors)


def sample(name: str) -> bytes:
    return (DATA / "whoisxml" / name).read_bytes()


def rows(count: int, **more: object) -> bytes:
    """A page of so many names."""
    names = [{"name": f"n{n:04}.example.net", "first_seen": 1500000000, "last_visit": 1700000000} for n in range(count)]
    return json.dumps({"current_page": "0", "size": count, "result": names, **more}).encode()


def test_the_vendors_own_sample_is_read_with_its_times(http: Client, server: Server) -> None:
    server.answers[ADDRESS, "0"] = sample("texts.json")
    heard = poll(http, server)
    assert [(seen.rrname, seen.rdata, seen.time_first, seen.time_last) for seen in heard.observations] == [
        ("cms.dlcra.rec1.net", ADDRESS, 1530901800, 1530901800),
        ("crpa.rec1.net", ADDRESS, 1530905127, 1530905127),
        ("dlcra.org", ADDRESS, 1530487091, 1531103210),
        ("dlcra.rec1.net", ADDRESS, 1530907559, 1530907559),
        ("gojmba.com", ADDRESS, 1530497143, 1531114542),
    ]
    assert heard.end.outcome is Outcome.COMPLETE


def test_seconds_digits_and_dates_are_the_same_times(http: Client, server: Server) -> None:
    server.answers[ADDRESS, "0"] = sample("numbers_and_dates.json")
    heard = poll(http, server)
    assert {seen.rrname: (seen.time_first, seen.time_last) for seen in heard.observations} == {
        "a.example.net": (1500000000, 1700000000),
        "b.example.net": (1500000000, 1700000000),
        "c.example.net": (1499990400, 1700000000),  # a day, from its beginning
        "d.example.net": (1500000000, 1700000000),
    }
    assert heard.refused == {}


def test_odd_rows_are_counted_and_the_others_kept(http: Client, server: Server) -> None:
    server.answers[ADDRESS, "0"] = sample("odd_rows.json")
    heard = poll(http, server)
    times = {seen.rrname: (seen.time_first, seen.time_last) for seen in heard.observations}
    assert times == {
        "a.example.net": (None, 1700000000),
        "b.example.net": (1500000000, 1700000000),
        "c.example.net": (None, None),
    }
    assert heard.refused.pop(cof.BACKWARDS) == 1
    assert heard.refused.pop(cof.NO_TIME) == 2
    assert heard.refused.pop(NOT_A_ROW) == 3
    assert heard.refused.pop(cof.TWO_ADDRESSES) == 1
    assert sum(heard.refused.values()) == 1
    assert heard.end.outcome is Outcome.COMPLETE


@pytest.mark.parametrize("inclusive", [False, True])
def test_pages_are_walked_from_name_to_name_whether_or_not_they_begin_with_it(
    http: Client, server: Server, inclusive: bool
) -> None:
    server.seen = MANY
    server.inclusive = inclusive
    heard = poll(http, server)
    assert len(heard.names) == 700
    assert heard.end.outcome is Outcome.COMPLETE
    assert [call.query["from"] for call in server.calls][:2] == ["0", "n0299.example.net"]
    assert len(server.calls) == 3


@pytest.mark.parametrize("inclusive", [False, True])
def test_names_that_fill_a_page_exactly_cost_one_more_call(http: Client, server: Server, inclusive: bool) -> None:
    server.seen = MANY[:PAGE]
    server.inclusive = inclusive
    heard = poll(http, server)
    assert len(heard.names) == PAGE
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(server.calls) == 2


def test_a_walk_that_was_cut_short_goes_on_from_its_last_name_in_a_later_poll(http: Client, server: Server) -> None:
    server.seen = MANY
    first = poll(http, server, budget=Counted(most=1))
    assert first.end.outcome is Outcome.PARTIAL
    assert not marked(first)
    second = poll(http, server, cursors={cursor.scope: cursor.position for cursor in first.cursors})
    assert second.end.outcome is Outcome.COMPLETE
    assert len({*first.names, *second.names}) == 700
    assert len(server.calls) == 3


def test_a_page_that_leads_to_itself_is_not_followed(http: Client, server: Server) -> None:
    server.fault = Reply(200, {}, [rows(PAGE)])
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "no name to ask for it from" in heard.end.reason
    assert len(server.calls) == 2
    assert not marked(heard)


def test_a_name_too_long_to_be_one_is_none_to_ask_on_from(http: Client, server: Server) -> None:
    body = json.loads(rows(PAGE))
    body["result"][-1]["name"] = "a." * 1000
    server.fault = Reply(200, {}, [json.dumps(body).encode()])
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert len(server.calls) == 1


def test_an_answer_with_fewer_names_than_it_says_is_partial(http: Client, server: Server) -> None:
    server.fault = Reply(200, {}, [rows(3, size=5)])
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "says that it holds 5 names, and holds 3" in heard.end.reason
    assert not marked(heard)


def test_rows_of_which_none_has_a_name_are_no_answer(http: Client, server: Server) -> None:
    server.fault = Reply(200, {}, [b'{"result": [{"domain": "x"}, 7], "size": 2}'])
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.FAILED
    assert "none of the 2 rows of the answer is one with a name" in heard.end.reason


# -- refusals -----------------------------------------------------------------------------------------------------------


def test_spent_credits_look_like_a_wrong_key_and_both_are_told(http: Client, server: Server) -> None:
    server.credits = 2
    heard = poll(http, server, Options(concurrency=1), netblock=FEW)
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.stop
    assert "403" in heard.end.reason
    assert "a key that is wrong, and of one whose credits are spent" in heard.end.reason
    assert len(server.calls) == 3


def test_a_wrong_key_costs_one_question_and_is_not_shown(http: Client, server: Server) -> None:
    heard = poll(http, server, netblock=FEW, key="wr0ng-k3y")
    assert "the key from environment WHOISXML" in heard.end.reason
    assert "Check credits balance" in heard.end.reason
    assert "wr0ng-k3y" not in repr(heard)
    assert len(server.calls) == 1


def test_payment_required_ends_the_poll_as_well(http: Client, server: Server) -> None:
    server.fault = refusal(402, "Payment required")
    heard = poll(http, server, netblock=FEW)
    assert "credits are spent" in heard.end.reason
    assert len(server.calls) == 1


def test_too_many_questions_a_second_close_the_second_alone(http: Client, server: Server) -> None:
    server.fault = refusal(429, "Too many requests")
    budget = Counted()
    poll(http, server, budget=budget)
    assert budget.overs == [("burst", None)]


def test_an_error_that_comes_with_200_is_a_failure_that_says_so(http: Client, server: Server) -> None:
    server.fault = Reply(200, {}, [sample("refusal.json")])
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.FAILED
    assert "Access restricted" in heard.end.reason


# -- what is asked, and what is shown of it -----------------------------------------------------------------------------


def test_the_key_is_in_no_request_that_is_shown_and_is_sent_in_the_query(http: Client, server: Server) -> None:
    provider = built(server.url)
    for page in ("", "n0299.example.net"):
        request = provider.request(Question(ONE, page=page))
        assert KEY not in f"{request} {request!r} {provider!r}"
        assert "apiKey" not in str(request)
    assert str(provider.request(Question(ONE))) == f"GET {server.url}/api/v1?ip={ADDRESS}&from=0&outputFormat=JSON"
    poll(http, server)
    assert server.calls[0].query["apiKey"] == KEY


@pytest.mark.parametrize("key", [KEY, 'sp4ce & "quote"/%41+'], ids=["plain", "odd"])
def test_no_log_error_or_cursor_shows_the_key_however_the_server_repeats_it(
    http: Client, server: Server, key: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    for fault in (
        faults.status(400, f"https://reverse-ip.whoisxmlapi.com/api/v1?apiKey={key}&ip=1"),
        faults.status(403, json.dumps({"code": 403, "messages": f"no: {key}"})),
        faults.redirect(f"http://localhost:1/?apiKey={key}".replace(" ", "%20")),
        Reply(200, {}, [json.dumps({"messages": key}).encode()]),
        Reply(200, {}, [json.dumps({"result": [{"name": key, "first_seen": key}], "size": 1}).encode()]),
        faults.cut(key.encode()),
        faults.nonsense(),
        None,
    ):
        server.fault = fault
        heard = poll(http, server, key=key)
        shown = f"{heard.ends} {heard.samples} {heard.cursors} {caplog.text} {capsys.readouterr()}"
        assert key not in shown
        assert json.dumps(key)[1:-1] not in shown
    assert server.calls[-1].query["apiKey"] == key


def test_a_redirect_to_another_host_does_not_take_the_key_along(http: Client, server: Server) -> None:
    with Server() as elsewhere:
        server.fault = faults.redirect(f"{elsewhere.url.replace('127.0.0.1', 'localhost')}/api/v1")
        assert poll(http, server).end.outcome is Outcome.FAILED
        assert elsewhere.calls == []


def test_the_path_is_put_behind_a_url_that_has_none() -> None:
    asked = [built(url).request(Question(ONE)).url for url in ("", "http://a", "http://a/b/")]
    assert asked == ["https://reverse-ip.whoisxmlapi.com/api/v1", "http://a/api/v1", "http://a/b"]


def test_questions_a_second_are_limited_unless_told_otherwise() -> None:
    assert built().traits.allowances == (Allowance("burst", 10, 1.0),)
    assert built(options=Options(per_second=0)).traits.allowances == ()


def test_observations_may_go_as_far_as_the_terms_or_the_settings_say() -> None:
    assert built().traits.tlp is Tlp.GREEN
    assert built(tlp=Tlp.AMBER).traits.tlp is Tlp.AMBER


def test_a_key_is_needed_and_must_fit_a_query() -> None:
    for key in ("", "s3cr3t\n"):
        with pytest.raises(OptionFaults) as caught:
            built(key=key)
        assert list(caught.value.messages) == ["api_key_env"]
        assert "s3cr3t" not in str(caught.value.messages)


@pytest.mark.parametrize("given", [{"per_second": -1}, {"max_calls": 0}, {"max_bytes": 0}, {"deadline": 0}, {"x": 1}])
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "whoisxml"), given)
    assert list(caught.value.messages) == list(given)


# -- hostile answers, and its own client --------------------------------------------------------------------------------


def test_whatever_one_part_of_an_answer_is_nothing_breaks_and_only_the_asked_address_is_told_of(
    http: Client, server: Server
) -> None:
    for body in mangling.mangled(json.loads(rows(1))):
        server.answers[ADDRESS, "0"] = body
        found = mangling.told(http, built(server.url), Question(ONE))
        assert {seen.rdata for seen in found} <= {ADDRESS}


def test_an_answer_that_is_no_json_is_a_failure(http: Client, server: Server) -> None:
    for body in mangling.broken(sample("texts.json")):
        server.faults = [Reply(200, {}, [body])]
        heard = poll(http, server)
        assert heard.end.outcome is Outcome.FAILED, body[:80]
        assert heard.observations == ()


def client(server: Server, key: str = KEY) -> reverseip.Client:
    return reverseip.Client(key, base_url=f"{server.url}/api/v1")


def test_the_vendors_client_walks_through_the_pages_of_the_stand_in(server: Server) -> None:
    server.seen = MANY
    found = [record for page in client(server).iterate_over(ADDRESS) for record in page.result]
    assert [record.name for record in found] == [one.name for one in MANY]
    assert {(record.first_seen, record.last_visit) for record in found} == {("1700000000", "1700000600")}
    assert [call.query["from"] for call in server.calls] == ["0", "n0299.example.net", "n0599.example.net"]


def test_the_vendors_client_reads_the_refusals_of_the_stand_in(server: Server) -> None:
    with pytest.raises(reverseip.ApiAuthError) as caught:
        client(server, "at_" + "0" * 29).data(ADDRESS)
    assert caught.value.parsed_message.code == 403
    assert caught.value.parsed_message.message.startswith("Access restricted.")
    with pytest.raises(reverseip.BadRequestError):
        client(server).api_requester.get_data(KEY, "no address", "0", "json")
