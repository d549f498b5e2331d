"""The `silentpush` provider: recorded answers, pages, jobs, what it asks, what it makes of what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.clock import from_epoch, rfc3339
from feedsvc.errors import SourceError
from feedsvc.http import Client
from feedsvc.model import Outcome, Tlp
from feedsvc.names import parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof, plan
from feedsvc.sources.aliases import NO_ALIAS
from feedsvc.sources.asking import BEGINNINGS
from feedsvc.sources.pdns import silentpush
from feedsvc.sources.pdns.silentpush import JOBS
from feedsvc.sources.port import Front, Fronting, Known, Provider, Question
from tests.sources.conftest import DATA, FEW, KEY, NETBLOCK, NOW, Heard
from tests.sources.pdns.asking import Counted, built, poll
from tests.sources.pdns.reading import JSONS, answer, drained
from tests.standins import faults
from tests.standins.provider import Seen
from tests.standins.server import Reply
from tests.standins.silentpush import JSON, ROOT, Server

ONE = parse_netblock("198.51.100.7")
SIDES = JSONS | st.sampled_from(["198.51.100.7", "k3xq.example.net", "A", "CNAME", "2026-10-25 18:46:27"])
ROWS = st.lists(JSONS | st.dictionaries(st.sampled_from(["query", "answer", "type", "first_seen", "rrname"]), SIDES))
PARTS = {
    "records": ROWS | JSONS,
    "metadata": JSONS | st.fixed_dictionaries({"results_total_at_least": st.integers() | JSONS}),
    "job_status": JSONS | st.fixed_dictionaries({"job_id": st.just("7") | JSONS, "status": JSONS}),
    "error": st.none() | JSONS,
}
DOCUMENTS = JSONS | st.fixed_dictionaries(
    {"response": ROWS | JSONS | st.fixed_dictionaries({}, optional=PARTS)},
    optional={**PARTS, "status_code": st.integers() | JSONS},
)
PAGES = st.sampled_from(["", "1000", "job:7:0:0", "job:7:4:1000", "no page"])
LOOKUP = f"{ROOT}/padns/lookup/answer"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def provider(server: Server, **options: object) -> Provider:
    return built("silentpush", server.url, {"api_key": KEY}, options)


def recorded(name: str) -> Reply:
    return Reply(200, JSON, [(DATA / "silentpush" / name).read_bytes()])


def told(http: Client, server: Server, body: bytes) -> Heard:
    """What comes of an answer with this body, and nothing behind it."""
    server.faults = [Reply(200, JSON, [body])]
    return poll(http, provider(server), [ONE])


def many(count: int, address: str = "198.51.100.7") -> list[Seen]:
    return [Seen(f"n{n}.example.net", address, 1_700_000_000, 1_700_000_000 + n) for n in range(count)]


def test_a_recorded_answer_is_read_with_its_times_in_utc(http: Client, server: Server) -> None:
    server.fault = recorded("reverse_a.json")
    heard = poll(http, provider(server), [NETBLOCK])
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    now = int(NOW.timestamp())
    assert {(one.rrname, one.rdata, one.time_first, one.time_last, one.count) for one in heard.observations} == {
        ("k3xq.example.net", "198.51.100.7", 1792953987, 1794130661, 4),
        ("w7b2.example.org", "198.51.100.9", 1698259587, 1744105061, 541),
        ("cof.example.net", "198.51.100.7", 1792953987, 1794130661, 1),
        ("odd-times.example.net", "198.51.100.7", None, now, 2),
    }
    assert {one.tlp for one in heard.observations} == {Tlp.GREEN}
    assert heard.refused == {
        cof.OTHER_TYPE: 1,
        cof.OUTSIDE: 1,
        cof.NO_TIME: 1,
        cof.IN_FUTURE: 1,
        silentpush.NO_ROW: 2,
    }


def test_rows_of_the_common_output_format_are_read_as_well(http: Client, server: Server) -> None:
    server.faults = [recorded("reverse_cof.json")]
    heard = poll(http, provider(server), [NETBLOCK])
    assert heard.end.outcome is Outcome.COMPLETE
    assert [(one.rrname, one.rdata, one.time_first) for one in heard.observations] == [
        ("k3xq.example.net", "198.51.100.7", 1792953987)
    ]


@pytest.mark.parametrize(
    "document",
    [
        '{"response": {"records": [ROW]}}',
        '{"records": [ROW]}',
        '{"response": [ROW]}',
        '{"response": null, "records": [ROW]}',
        "[ROW]",
    ],
)
def test_rows_are_found_wherever_they_stand(http: Client, server: Server, document: str) -> None:
    row = json.dumps({"query": "k3xq.example.net", "answer": "198.51.100.7"})
    heard = told(http, server, document.replace("ROW", row).encode())
    assert (heard.end.outcome, heard.names) == (Outcome.COMPLETE, ["k3xq.example.net"])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ('{"unheard": "of"}', "has no place for records: is the URL right?"),
        ('{"response": {"records": null}}', "has no place for records: is the URL right?"),
        ('{"response": {"records": {"A": 1}}}', "has no place for records"),
        ('{"response": {"job_status": {"job_id": "../../v2/keys", "status": "STARTED"}}}', "has no place for records"),
        ('{"response": {"job_status": {"job_id": 7}}}', "has no place for records"),
        ('{"response": {"records": [1, "two"]}}', "none of the 2 rows of the answer is a row of Silent Push"),
        ('{"status_code": 500, "error": "out of order", "response": {"records": []}}', "says 500: out of order"),
        ('{"status_code": 400, "error": null, "response": {"records": []}}', "says 400: it does not say why"),
        ('{"status_code": 200, "error": {"a": 1}, "response": {"records": []}}', "says 200: an error without words"),
        ('{"response": {"error": "bad domain name", "records": []}}', "says 200: bad domain name"),
        ('{"status_code": 404, "error": "not found", "response": null}', "says 404: not found"),
        ("<html>sign in</html>", "is no document of Silent Push: is the URL right?"),
        ("7", "is no document of Silent Push"),
        ("", "is no document of Silent Push"),
        ("[" * 100_000, "is no document of Silent Push"),
        ('{"response":' * 5_000, "is no document of Silent Push"),
    ],
    ids=lambda part: part[:50],
)
def test_an_answer_that_is_none_is_a_failure(http: Client, server: Server, document: str, words: str) -> None:
    heard = told(http, server, document.encode())
    assert heard.end.outcome is Outcome.FAILED
    assert words in heard.end.reason


@pytest.mark.parametrize("code", [401, 403, 429])
def test_a_refusal_within_an_answer_ends_the_poll(http: Client, server: Server, code: int) -> None:
    server.fault = Reply(200, JSON, [b'{"status_code": %d, "error": "no: %s"}' % (code, KEY.encode())])
    budget = Counted()
    heard = poll(http, provider(server), [ONE], budget=budget)
    assert (heard.end.outcome, heard.end.stop) == (Outcome.FAILED, True)
    assert f"Silent Push says {code}: no: ********" in heard.end.reason
    assert budget.overs == ([("burst", None)] if code == 429 else [])


def test_pages_are_asked_for_until_the_total_is_there(http: Client, server: Server) -> None:
    server.seen = many(25)
    heard = poll(http, provider(server, limit=10), [ONE])
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 25
    assert [call.query["skip"] for call in server.calls] == ["0", "10", "20"]
    assert {call.query["sort"] for call in server.calls} == {"last_seen/desc"}


def test_a_server_that_gives_less_than_was_asked_for_is_asked_on_by_its_total(http: Client, server: Server) -> None:
    server.cap = 10
    server.seen = many(25)
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, len(heard.names), len(server.calls)) == (Outcome.COMPLETE, 25, 3)


def test_without_a_total_a_full_page_may_have_another_one_behind_it(http: Client, server: Server) -> None:
    server.totals = False
    server.seen = many(20)
    heard = poll(http, provider(server, limit=10), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 20)
    assert [call.query["skip"] for call in server.calls] == ["0", "10", "20"]


def test_without_a_total_only_a_page_of_nothing_is_the_last_one(http: Client, server: Server) -> None:
    server.totals, server.cap = False, 5  # fewer than are asked for, without a word
    server.seen = many(12)
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 12)
    assert [call.query["skip"] for call in server.calls] == ["0", "5", "10", "12"]


@pytest.mark.parametrize("state", ["PENDING", "STARTED", "retry", "of a new kind"])
@pytest.mark.parametrize("rows", [0, 1])
def test_records_beside_a_job_that_runs_are_not_all_of_them(http: Client, server: Server, state: str, rows: int) -> None:
    job = {"job_id": "0", "status": state}
    record = {"query": "n0.example.net", "answer": "198.51.100.7"}
    begun = {"status_code": 200, "error": None, "response": {"records": [record] * rows, "job_status": job}}
    server.slow = 0
    server.seen = many(3)
    poll(http, provider(server), [ONE])
    server.faults = [Reply(200, JSON, [json.dumps(begun).encode()])]
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, sorted(set(heard.names))) == (
        Outcome.COMPLETE,
        ["n0.example.net", "n1.example.net", "n2.example.net"],
    )


@pytest.mark.parametrize("state", ["SUCCESS", "finished", "Completed"])
def test_records_of_a_job_that_is_done_are_all_of_them(http: Client, server: Server, state: str) -> None:
    response = {"records": [], "metadata": {"results_total_at_least": 0}, "job_status": {"job_id": "0", "status": state}}
    heard = told(http, server, json.dumps({"status_code": 200, "response": response}).encode())
    assert (heard.end.outcome, len(server.calls)) == (Outcome.COMPLETE, 1)


def test_pages_that_end_too_early_are_asked_for_in_smaller_parts(http: Client, server: Server) -> None:
    server.cap = server.reach = 4
    server.seen = [one for last in range(4) for one in many(3, f"198.51.100.{4 + last}")]
    heard = poll(http, provider(server), [FEW])
    assert heard.end.outcome is Outcome.COMPLETE
    assert {(one.rrname, one.rdata) for one in heard.observations} == {(one.name, one.address) for one in server.seen}


def test_an_address_with_too_many_names_is_asked_for_in_parts_of_the_time(http: Client, server: Server) -> None:
    server.cap = server.reach = 10
    day = 86_400
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.7", 0, 1_790_000_000 + n * day) for n in range(40)]
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 40


def test_pages_are_carried_on_in_another_process(http: Client, server: Server) -> None:
    server.seen = many(25)
    first = poll(http, provider(server, limit=10), [ONE], budget=Counted(most=2))
    assert first.end.outcome is Outcome.PARTIAL
    kept = {cursor.scope: cursor.position for cursor in first.cursors}
    second = poll(http, provider(server, limit=10), [ONE], cursors=kept)
    assert second.end.outcome is Outcome.COMPLETE
    assert [call.query["skip"] for call in server.calls] == ["0", "10", "20"]
    assert len({*first.names, *second.names}) == 25


@pytest.mark.parametrize("accepted", [200, 202])
def test_a_slow_answer_is_fetched_from_its_job(http: Client, server: Server, accepted: int) -> None:
    server.slow, server.accepted = 2, accepted
    server.seen = many(3)
    budget = Counted()
    heard = poll(http, provider(server), [ONE], budget=budget)
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 3)
    assert [call.path.removeprefix(ROOT) for call in server.calls] == [
        "/padns/lookup/answer/a/198.51.100.7",
        *["/job/0"] * 3,
    ]
    assert [call.query for call in server.calls[1:]] == [{"max_wait": "20"}] * 3
    assert budget.spent == 4


def test_pages_behind_a_job_go_on_where_it_ended(http: Client, server: Server) -> None:
    server.slow = 1
    server.seen = many(25)
    heard = poll(http, provider(server, limit=10), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 25)
    assert [call.query["skip"] for call in server.calls if call.path.startswith(LOOKUP)] == ["0", "10", "20"]


def test_a_job_that_takes_too_long_is_left_to_the_next_poll_which_asks_no_lookup_again(http: Client, server: Server) -> None:
    server.slow = JOBS + 1
    server.seen = many(3)
    first = poll(http, provider(server), [ONE])
    assert (first.end.outcome, len(server.calls)) == (Outcome.FAILED, 1 + JOBS)
    assert "Silent Push is still making the answer" in first.end.reason
    kept = {cursor.scope: cursor.position for cursor in first.cursors}
    second = poll(http, provider(server), [ONE], cursors=kept)
    assert (second.end.outcome, len(server.calls)) == (Outcome.FAILED, 2 + JOBS)
    third = poll(http, provider(server), [ONE], cursors=kept)
    assert (third.end.outcome, len(third.names)) == (Outcome.COMPLETE, 3)
    assert len([call for call in server.calls if call.path.startswith(LOOKUP)]) == 1


def test_a_job_that_is_gone_is_begun_anew(http: Client, server: Server) -> None:
    server.faults = [recorded("job_started.json")]
    server.seen = many(3)
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 3)
    assert [call.path.removeprefix(ROOT) for call in server.calls] == [
        "/padns/lookup/answer/a/198.51.100.7",
        "/job/d4067541-eafb-424c-98d3-de12d7a91331",
        "/padns/lookup/answer/a/198.51.100.7",
    ]


def test_a_job_that_failed_is_asked_for_in_smaller_parts(http: Client, server: Server) -> None:
    failed = json.dumps({"response": {"job_status": {"job_id": "7", "status": "failure"}}}).encode()
    server.faults = [Reply(200, JSON, [failed])]
    server.seen = many(3, "198.51.100.5")
    heard = poll(http, provider(server), [FEW])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, 3)
    assert [call.query.get("netmask") for call in server.calls] == ["30", "31", "31"]


def test_jobs_that_are_always_gone_are_begun_a_few_times(http: Client, server: Server) -> None:
    server.slow, server.lost = 0, True
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.FAILED
    assert len(server.calls) == 2 * BEGINNINGS


def test_a_later_poll_asks_from_its_mark_on_less_the_overlap(http: Client, server: Server) -> None:
    server.seen = [Seen("old.example.net", "198.51.100.7"), Seen("new.example.net", "198.51.100.7", 0, 1_795_490_000)]
    mark = {str(ONE): rfc3339(NOW - timedelta(hours=5))}
    assert poll(http, provider(server), [ONE], cursors=mark).names == ["new.example.net"]
    (call,) = server.calls
    assert call.query["last_seen_after"] == str(int((NOW - timedelta(hours=29)).timestamp()) - 1)
    assert "last_seen_before" not in call.query


def test_both_ends_of_a_window_are_sent_and_never_as_a_moment_before_1970(server: Server) -> None:
    asked = provider(server)
    window = Question(ONE, from_epoch(1_700_000_000.5), from_epoch(1_700_003_600.5))
    assert asked.request(window).params["last_seen_after"] == "1699999999"
    assert asked.request(window).params["last_seen_before"] == "1700003601"
    ancient = Question(ONE, from_epoch(-86_400), from_epoch(0))
    assert asked.request(ancient).params["last_seen_after"] == "1"
    assert asked.request(ancient).params["last_seen_before"] == "1"


def test_netblocks_are_asked_for_by_their_first_address_and_netmask(server: Server) -> None:
    asked = provider(server)
    request = asked.request(Question(NETBLOCK))
    assert request.url == f"{server.url}{LOOKUP}/a/198.51.100.0"
    assert request.params["netmask"] == "24"
    six = asked.request(Question(parse_netblock("2001:db8::/64")))
    assert six.url == f"{server.url}{LOOKUP}/aaaa/2001:db8::"
    assert six.params["netmask"] == "64"
    assert "netmask" not in asked.request(Question(ONE)).params


def test_a_server_that_heeds_no_netmask_can_be_asked_address_by_address(http: Client, server: Server) -> None:
    server.heeds_netmask = False
    server.seen = many(3, "198.51.100.6")
    heard = poll(http, provider(server, netblocks="addresses"), [FEW])
    assert (heard.end.outcome, len(heard.names), len(server.calls)) == (Outcome.COMPLETE, 3, 4)
    assert {"netmask" in call.query for call in server.calls} == {False}


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("", "https://api.silentpush.com/api/v1/merge-api/explore"),
        ("https://app.silentpush.com/", "https://app.silentpush.com/api/v1/merge-api/explore"),
        ("https://push.example/api/v2", "https://push.example/api/v2/explore"),
    ],
)
def test_the_usual_host_is_asked_unless_another_is_given(url: str, asked: str) -> None:
    ready = built("silentpush", url, {"api_key": KEY})
    assert ready.request(Question(ONE)).url == f"{asked}/padns/lookup/answer/a/198.51.100.7"


def test_without_a_key_there_is_no_provider() -> None:
    with pytest.raises(OptionFaults, match="api_key_env"):
        built("silentpush", "", {})


@pytest.mark.parametrize("page", ["", "x", "-1", "job:../x:0:0", "job:a:0", "0" * 13, "job:" + "a" * 101 + ":0:0"])
def test_a_page_that_is_none_is_the_first_one(server: Server, page: str) -> None:
    request = provider(server).request(Question(ONE, page=page))
    assert request.url == f"{server.url}{LOOKUP}/a/198.51.100.7"
    assert request.params["skip"] == "0"


def test_a_longer_answer_than_allowed_is_asked_for_in_halves(http: Client, server: Server) -> None:
    server.seen = [one for last in range(4) for one in many(2, f"198.51.100.{4 + last}")]
    heard = poll(http, provider(server, max_bytes=900), [FEW])
    assert heard.end.outcome is Outcome.COMPLETE
    assert len({(one.rrname, one.rdata) for one in heard.observations}) == 8
    assert len(server.calls) > 1


def test_404_alone_is_a_failure(http: Client, server: Server) -> None:
    server.fault = faults.status(404, "nothing here")
    heard = poll(http, provider(server), [ONE])
    assert (heard.end.outcome, heard.end.stop) == (Outcome.FAILED, False)
    assert "is the URL right?" in heard.end.reason


def test_202_without_a_job_is_no_answer(http: Client, server: Server) -> None:
    server.fault = faults.status(202, "later")
    heard = poll(http, provider(server), [ONE])
    assert heard.end.outcome is Outcome.FAILED
    assert "202" in heard.end.reason


def test_names_in_front_of_a_finding_are_asked_for_page_by_page(http: Client, server: Server) -> None:
    server.slow = 1
    server.aliases = {"k3xq.example.net": [f"www{n}.front.example.org" for n in range(3)]}
    known = [Known("k3xq.example.net", ("198.51.100.7", "2001:db8::7"))]
    heard = poll(http, provider(server, limit=2), [ONE], known=known, fronts=1)
    assert {(one.rrname, one.rdata) for one in heard.observations} == {
        (f"www{n}.front.example.org", address) for n in range(3) for address in ("198.51.100.7", "2001:db8::7")
    }
    assert {one.chain for one in heard.observations} == {("k3xq.example.net",)}
    asked = [call for call in server.calls if "/cname/" in call.path]
    assert [(call.path, call.query["skip"]) for call in asked] == [
        (f"{LOOKUP}/cname/k3xq.example.net", "0"),
        (f"{LOOKUP}/cname/k3xq.example.net", "2"),
    ]


def test_what_a_name_itself_points_at_is_no_name_in_front_of_it(http: Client, server: Server) -> None:
    server.faults = [Reply(200, JSON, [b'{"response": {"records": []}}']), recorded("reverse_cname.json")]
    heard = poll(http, provider(server), [ONE], known=[Known("k3xq.example.net", ("198.51.100.7",))], fronts=1)
    assert heard.names == ["login.front.example.org", "www.front.example.org"]
    assert heard.refused == {NO_ALIAS: 3, silentpush.NO_ROW: 1}


def test_a_name_is_written_into_the_path_as_one_part_of_it(server: Server) -> None:
    asked = provider(server)
    assert isinstance(asked, Fronting)
    request = asked.front_request(Front(r"a/..\047.example.net", ("198.51.100.7",)))
    assert request.url == f"{server.url}{LOOKUP}/cname/a%2F..%5C047.example.net"


def test_the_key_stands_in_no_plan_and_no_request_that_is_shown(http: Client, server: Server) -> None:
    server.slow = JOBS + 1
    heard = poll(http, provider(server), [ONE])
    (kept,) = [cursor.position for cursor in heard.cursors if cursor.scope == plan.SCOPE][-1:]
    assert "job:0:" in kept
    request = provider(server).request(Question(ONE))
    assert KEY not in f"{kept} {request} {request!r}"


def test_a_large_answer_comes_in_parts(http: Client, server: Server) -> None:
    server.seen = many(cof.BATCH + 1)
    heard = poll(http, provider(server, limit=10_000), [ONE])
    assert (heard.end.outcome, len(heard.names)) == (Outcome.COMPLETE, cof.BATCH + 1)
    assert heard.batches == 2


@given(DOCUMENTS, PAGES)
def test_whatever_comes_is_read_or_is_no_answer(document: object, page: str) -> None:
    ready = built("silentpush", "", {"api_key": KEY})
    assert isinstance(ready, Fronting)
    body = json.dumps(document).encode()
    for reading in (
        ready.read(answer(body), Question(ONE, page=page)),
        ready.read_front(answer(body), Front("k3xq.example.net", ("198.51.100.7",), page)),
    ):
        try:
            batches, reply = drained(reading)
        except SourceError:
            continue
        assert not [one for batch in batches for one in batch.observations if one.rdata != "198.51.100.7"]
        assert reply.page != page or page == ""
