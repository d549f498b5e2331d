"""VirusTotal's own: pages and cursors, its one date, its two kinds of 429; and its own client reads the stand-in."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
import vt

from feedsvc import plugins
from feedsvc.config import Secret, SourceSettings
from feedsvc.http import Client, HttpError
from feedsvc.model import Allowance, Outcome, Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof
from feedsvc.sources.pdns import virustotal
from feedsvc.sources.pdns.virustotal import NOT_A_ROW, Options
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll, Provider, Question
from tests.sources.conftest import DATA, FEW, NOW, Heard, gather
from tests.sources.pdns import mangling
from tests.sources.pdns.asking import Counted
from tests.standins import faults
from tests.standins.provider import KEY, Seen
from tests.standins.server import Reply
from tests.standins.virustotal import LIMIT, Server, error, quota_exceeded, too_many_requests

ADDRESS = "198.51.100.7"
ONE = parse_netblock(ADDRESS)
MANY = [Seen(f"n{n:03}.example.net", ADDRESS, last=1_700_000_000 - n) for n in range(157)]
PLAIN = Options()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def built(url: str = "", options: Options = PLAIN, now: datetime = NOW, tlp: Tlp | None = None) -> Provider:
    settings = SourceSettings(
        name="vt", kind="pdns", provider="virustotal", url=url, secrets={"api_key": Secret(KEY, "environment VT")}, tlp=tlp
    )
    return virustotal.build(settings, options, lambda: now)


def poll(
    http: Client,
    server: Server,
    options: Options = PLAIN,
    *,
    netblock: Netblock = ONE,
    cursors: Mapping[str, str] | None = None,
    budget: Counted | None = None,
    now: datetime = NOW,
) -> Heard:
    source = PdnsSource("vt", built(server.url, options, now), http, lambda: now)
    return gather(source.read(Poll([netblock], cursors or {}, now, budget or Counted())))


def kept(heard: Heard) -> dict[str, str]:
    """The cursors as they are after a poll."""
    return {cursor.scope: cursor.position for cursor in heard.cursors}


def marked(heard: Heard) -> bool:
    return any(cursor.scope != "plan" for cursor in heard.cursors)


def sample(name: str) -> bytes:
    return (DATA / "virustotal" / name).read_bytes()


def test_a_recorded_row_has_a_last_time_and_no_first(http: Client, server: Server) -> None:
    server.answers["1.1.1.1"] = sample("one_row.json")
    heard = poll(http, server, netblock=parse_netblock("1.1.1.1"))
    (seen,) = heard.observations
    assert (seen.rrname, seen.rrtype, seen.rdata) == ("muhaha.xyz", "A", "1.1.1.1")
    assert (seen.time_first, seen.time_last) == (None, 1617085962)
    assert heard.end.outcome is Outcome.COMPLETE


def test_a_page_as_documented_is_read_with_all_its_statistics(http: Client, server: Server) -> None:
    server.answers[ADDRESS] = sample("page.json")
    heard = poll(http, server)
    assert heard.names == ["k3xq.example.net", "w7b2.example.org"]
    assert [seen.time_last for seen in heard.observations] == [1763900000, 1763800000]
    assert heard.refused == {}


def test_odd_rows_are_counted_and_the_others_kept(http: Client, server: Server) -> None:
    server.answers[ADDRESS] = sample("odd_rows.json")
    heard = poll(http, server)
    times = {seen.rrname: seen.time_last for seen in heard.observations}
    assert times == {
        "k3xq.example.net": 1763900000,
        "later.example.net": int(NOW.timestamp()),
        "undated.example.net": None,
        "dateless.example.net": None,
    }
    assert {reason: count for reason, count in heard.refused.items() if not reason.startswith(cof.NOT_A_NAME)} == {
        cof.IN_FUTURE: 1,
        cof.NO_TIME: 1,
        cof.OUTSIDE: 1,
        "rdata that is no text": 1,
        "no rrname": 1,
        NOT_A_ROW: 3,
    }
    assert sum(heard.refused.values()) == 9
    assert heard.end.outcome is Outcome.COMPLETE


def test_pages_of_forty_are_walked_by_cursor_until_there_is_none(http: Client, server: Server) -> None:
    server.seen = MANY
    heard = poll(http, server)
    assert len(heard.names) == 157
    assert heard.end.outcome is Outcome.COMPLETE
    assert [call.query["limit"] for call in server.calls] == ["40"] * 4
    assert ["cursor" in call.query for call in server.calls] == [False, True, True, True]


def test_a_cursor_that_stands_in_the_link_alone_is_found_there(http: Client, server: Server) -> None:
    page = json.loads(sample("page.json"))
    cursor = base64.b64encode(b"1:02").decode()
    page["links"]["next"] = f"{server.url}/api/v3/ip_addresses/{ADDRESS}/resolutions?limit=40&cursor={quote(cursor)}"
    server.faults = [Reply(200, {}, [json.dumps(page).encode()])]
    server.seen = [Seen(f"n{n}.example.net", ADDRESS) for n in range(3)]
    heard = poll(http, server)
    assert server.calls[1].query["cursor"] == cursor
    assert len(heard.names) == 3


def test_a_walk_that_was_cut_short_goes_on_with_its_cursor_in_a_later_poll(http: Client, server: Server) -> None:
    server.seen = MANY
    first = poll(http, server, budget=Counted(most=2))
    assert first.end.outcome is Outcome.PARTIAL
    assert not marked(first)
    second = poll(http, server, cursors=kept(first))
    assert second.end.outcome is Outcome.COMPLETE
    assert len(server.calls) == 4
    assert len(first.observations) + len(second.observations) == 157
    assert len({*first.names, *second.names}) == 157


def test_a_cursor_that_was_forgotten_since_begins_the_address_anew(http: Client, server: Server) -> None:
    server.seen = MANY
    first = poll(http, server, budget=Counted(most=2))
    server.era += 1
    later = poll(http, server, cursors=kept(first), now=NOW + timedelta(days=1))
    assert later.end.outcome is Outcome.COMPLETE
    assert len(later.names) == 157
    assert len(server.calls) == 2 + 1 + 4


class Forgetful(Server):
    """Gives cursors and takes none."""

    def _start(self, cursor: str | None) -> int:
        if cursor is not None:
            raise ValueError("Invalid cursor")
        return 0


def test_cursors_that_are_refused_as_soon_as_they_are_given_are_not_asked_for_without_end(http: Client) -> None:
    with Forgetful(MANY) as server:
        first = poll(http, server)
        assert first.end.outcome is Outcome.PARTIAL
        assert "400" in first.end.reason
        assert len(server.calls) == 2
        later = poll(http, server, cursors=kept(first), now=NOW + timedelta(days=1))
        assert later.end.outcome is Outcome.PARTIAL
        assert len(server.calls) == 2 + 3
        assert not marked(later)


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize(("minutes", "stale"), [(59, False), (61, True)])
def test_a_cursor_counts_as_forgotten_an_hour_after_it_was_given(status: int, minutes: int, stale: bool) -> None:
    given = int((NOW - timedelta(minutes=minutes)).timestamp())
    body = b"".join(error(status, "NotFoundError", "no such cursor").body)  # type: ignore[arg-type]
    reply = built().refused(HttpError("no", status=status, body=body), Question(ONE, page=f"{given}/80/c"))
    assert reply is not None
    assert (reply.end.outcome, reply.stale, reply.end.stop) == (Outcome.PARTIAL, stale, False)


def test_a_refused_cursor_of_one_address_does_not_keep_others_from_being_asked(http: Client) -> None:
    with Forgetful([*MANY, Seen("k3xq.example.net", "198.51.100.6")]) as server:
        heard = poll(http, server, netblock=FEW)
    assert "k3xq.example.net" in heard.names


@pytest.mark.parametrize(("rows", "count"), [(3, 4), (40, 41), (157, 198)])
def test_pages_that_end_before_as_many_rows_came_as_counted_are_partial(
    http: Client, server: Server, rows: int, count: int
) -> None:
    server.seen = [Seen(f"n{n:03}.example.net", ADDRESS) for n in range(count)]
    server.reach = rows
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert f"counts {count:,} resolutions, and its pages ended after {rows:,}" in heard.end.reason
    assert len(heard.names) == rows
    assert not marked(heard)


def test_an_address_that_lacks_rows_is_walked_through_anew_by_the_next_poll(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n:03}.example.net", ADDRESS) for n in range(198)]
    server.reach = 157
    first = poll(http, server)
    server.seen += [Seen("k3xq.example.net", ADDRESS, last=1_750_000_000)]
    second = poll(http, server, cursors=kept(first))
    assert "k3xq.example.net" in second.names
    assert second.end.outcome is Outcome.PARTIAL
    server.reach = None
    assert poll(http, server, cursors=kept(second)).end.outcome is Outcome.COMPLETE


def test_rows_that_come_while_pages_are_turned_do_not_make_a_walk_partial(http: Client, server: Server) -> None:
    server.seen = MANY

    def grows(call: object) -> Reply:
        reply = Server.answer(server, call)  # type: ignore[arg-type]
        server.seen = [*server.seen, Seen(f"new{len(server.calls)}.example.net", ADDRESS, last=1_600_000_000)]
        return reply

    server.reach = 157
    server.answer = grows  # type: ignore[method-assign]
    assert poll(http, server).end.outcome is Outcome.COMPLETE


def full_page(**more: object) -> Reply:
    data = [json.loads(json.dumps(row)) for row in rows_of(LIMIT)]
    return Reply(200, {}, [json.dumps({"data": data, **more}).encode()])


def rows_of(count: int) -> list[dict[str, object]]:
    return [
        {
            "type": "resolution",
            "attributes": {"host_name": f"n{n}.example.net", "ip_address": ADDRESS, "date": 1_700_000_000},
        }
        for n in range(count)
    ]


def test_a_full_page_that_says_neither_that_it_is_the_last_nor_how_many_there_are_is_partial(
    http: Client, server: Server
) -> None:
    server.faults = [full_page()]
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "a full page has no next one" in heard.end.reason
    server.faults = [full_page(meta={"count": LIMIT})]
    assert poll(http, server).end.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    "more",
    [{"meta": {"cursor": 7}}, {"meta": {"cursor": "c" * 5000}}, {"links": {"next": "http://["}}, {"links": {"next": 1}}],
)
def test_a_next_page_that_nobody_can_ask_for_is_partial(http: Client, server: Server, more: Mapping[str, object]) -> None:
    server.faults = [full_page(**more)]
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "no cursor to ask for it with" in heard.end.reason
    assert len(server.calls) == 1


def test_a_cursor_that_leads_to_itself_is_not_followed(http: Client, server: Server) -> None:
    server.fault = full_page(meta={"cursor": "MTo0MA=="})
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "the cursor of this one" in heard.end.reason
    assert len(server.calls) == 2


# -- newest first -------------------------------------------------------------------------------------------------------

SINCE = {f"{ADDRESS}/32": "2023-11-14T22:12:00.000Z"}  # 80 s before the newest of MANY


def since(http: Client, server: Server, options: Options) -> Heard:
    source = PdnsSource("vt", built(server.url, options), http, lambda: NOW, overlap=timedelta(0))
    return gather(source.read(Poll([ONE], SINCE, NOW, Counted())))


def test_a_poll_stops_at_what_is_older_than_the_last_one_only_when_told_that_the_newest_stand_first(
    http: Client, server: Server
) -> None:
    server.seen = MANY
    assert since(http, server, Options()).end.outcome is Outcome.COMPLETE
    assert len(server.calls) == 4
    heard = since(http, server, Options(newest_first=True))
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(server.calls) == 4 + 3
    assert {f"n{n:03}.example.net" for n in range(80)} < set(heard.names)


def test_everything_is_walked_through_when_nothing_was_told_before(http: Client, server: Server) -> None:
    server.seen = MANY
    heard = poll(http, server, Options(newest_first=True))
    assert len(heard.names) == 157


@pytest.mark.parametrize("dates", [[1_500_000_000, 1_700_000_000], [1_500_000_000, None], [1_600_000_000, "x"]])
def test_a_page_in_another_order_or_without_a_date_is_no_place_to_stop(
    http: Client, server: Server, dates: list[object]
) -> None:
    server.seen = MANY[:3]
    rows = rows_of(len(dates))
    for row, date in zip(rows, dates, strict=True):
        row["attributes"]["date"] = date  # type: ignore[index]
    cursor = base64.urlsafe_b64encode(b"1:0").decode()
    server.faults = [Reply(200, {}, [json.dumps({"data": rows, "meta": {"cursor": cursor}}).encode()])]
    heard = since(http, server, Options(newest_first=True))
    assert len(server.calls) == 2
    assert "n000.example.net" in heard.names


# -- refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "over"),
    [(quota_exceeded(), ("day", 64_800.0)), (too_many_requests(), ("burst", None))],
    ids=["day", "burst"],
)
def test_a_429_says_which_quota_is_spent(
    http: Client, server: Server, refusal: Reply, over: tuple[str, float | None]
) -> None:
    server.fault = refusal
    budget = Counted()
    heard = poll(http, server, netblock=FEW, budget=budget)
    assert budget.overs == [over]
    assert heard.end.stop
    assert len(server.calls) == 1


def test_a_moment_that_a_429_names_counts_more_than_midnight(http: Client, server: Server) -> None:
    refused = quota_exceeded()
    server.fault = Reply(429, {"Retry-After": "30"}, refused.body)
    budget = Counted()
    poll(http, server, budget=budget)
    assert budget.overs == [("day", 30.0)]


def test_a_day_that_ends_in_the_middle_keeps_what_came(http: Client, server: Server) -> None:
    server.seen = MANY
    server.per_day = 2
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert len(heard.names) == 80
    server.per_day = None
    assert poll(http, server, cursors=kept(heard)).end.outcome is Outcome.COMPLETE
    assert len(server.calls) == 3 + 2


def test_not_found_is_nothing_at_the_usual_server_alone(http: Client, server: Server) -> None:
    body = b"".join(error(404, "NotFoundError", "not found").body)  # type: ignore[arg-type]
    err = HttpError("404", status=404, permanent=True, body=body)
    usual, other = built().refused(err, Question(ONE)), built("http://a/api/v3").refused(err, Question(ONE))
    assert usual is not None
    assert other is not None
    assert usual.end.outcome is Outcome.COMPLETE
    assert other.end.outcome is Outcome.FAILED
    assert other.end.doubted


def test_not_found_is_believed_once_another_address_is_known(http: Client, server: Server) -> None:
    server.absent = 404
    assert poll(http, server, netblock=FEW).end.outcome is Outcome.FAILED
    server.seen = [Seen("k3xq.example.net", ADDRESS)]
    heard = poll(http, server, netblock=FEW)
    assert heard.end.outcome is Outcome.COMPLETE
    assert heard.names == ["k3xq.example.net"]


@pytest.mark.parametrize("body", [b"<html>404</html>", b"", b'{"error": "NotFoundError"}', b'{"error": {"code": "Other"}}'])
def test_another_404_is_a_wrong_url(body: bytes) -> None:
    assert built().refused(HttpError("404", status=404, body=body), Question(ONE)) is None


def test_a_wrong_path_is_a_failure_and_not_an_empty_netblock(http: Client, server: Server) -> None:
    server.seen = MANY
    source = PdnsSource("vt", built(f"{server.url}/api/v2"), http, lambda: NOW)
    heard = gather(source.read(Poll([FEW], {}, NOW, Counted())))
    assert heard.end.outcome is Outcome.FAILED
    assert "/api/v2: 404 for each address: is the URL right?" in heard.end.reason


# -- what is asked ------------------------------------------------------------------------------------------------------


def test_the_key_is_in_no_request_that_is_shown_and_is_sent_in_its_header(http: Client, server: Server) -> None:
    provider = built(server.url)
    for question in (Question(ONE), Question(ONE, page="1/40/MTo0MA==")):
        request = provider.request(question)
        assert KEY not in f"{request} {request!r} {provider!r}"
    assert str(provider.request(Question(ONE))) == f"GET {server.url}/api/v3/ip_addresses/{ADDRESS}/resolutions?limit=40"
    poll(http, server)
    assert server.calls[0].headers["x-apikey"] == KEY


@pytest.mark.parametrize("page", ["", "MTo0MA==", "x/1/c", "1/1/", "99999999999/1/c"])
def test_a_page_that_is_none_of_ours_is_the_first_one(page: str) -> None:
    assert "cursor" not in built().request(Question(ONE, page=page)).params


def test_the_path_is_put_behind_a_url_that_has_none() -> None:
    asked = [built(url).request(Question(ONE)).url for url in ("", "http://a", "http://a/", "http://a/b")]
    tail = f"/ip_addresses/{ADDRESS}/resolutions"
    assert asked == [
        f"https://www.virustotal.com/api/v3{tail}",
        f"http://a/api/v3{tail}",
        f"http://a/api/v3{tail}",
        f"http://a/b{tail}",
    ]


def test_the_quotas_are_those_of_a_public_key_unless_they_are_raised_or_there_are_none() -> None:
    month = Allowance("month", 15_500)
    assert built().traits.allowances == (Allowance("burst", 4, 60.0), Allowance("day", 500), month)
    assert built(options=Options(per_minute=1000, per_day=0)).traits.allowances == (Allowance("burst", 1000, 60.0), month)


def test_observations_may_go_as_far_as_the_terms_or_the_settings_say(http: Client, server: Server) -> None:
    server.seen = MANY[:1]
    assert [seen.tlp for seen in poll(http, server).observations] == [Tlp.GREEN]
    assert built(tlp=Tlp.AMBER).traits.tlp is Tlp.AMBER


def test_a_key_is_needed() -> None:
    settings = SourceSettings(name="vt", kind="pdns", provider="virustotal")
    with pytest.raises(OptionFaults) as caught:
        virustotal.build(settings, PLAIN, lambda: NOW)
    assert list(caught.value.messages) == ["api_key_env"]


@pytest.mark.parametrize(
    "given", [{"per_minute": -1}, {"per_day": "x"}, {"newest_first": "maybe"}, {"deadline": 0}, {"x": 1}]
)
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "virustotal"), given)
    assert list(caught.value.messages) == list(given)


# -- hostile answers, and its own client --------------------------------------------------------------------------------


def test_whatever_one_part_of_an_answer_is_nothing_breaks_and_only_the_asked_address_is_told_of(
    http: Client, server: Server
) -> None:
    page = {"data": rows_of(1), "links": {"next": "https://a/?cursor=x"}, "meta": {"cursor": "MTo0MA==", "count": 2}}
    for body in mangling.mangled(page):
        server.answers[ADDRESS] = body
        found = mangling.told(http, built(server.url), Question(ONE))
        assert {seen.rdata for seen in found} <= {ADDRESS}


def test_an_answer_that_is_no_json_is_a_failure(http: Client, server: Server) -> None:
    for body in mangling.broken(sample("page.json")):
        server.faults = [Reply(200, {}, [body])]
        heard = poll(http, server)
        assert heard.end.outcome is Outcome.FAILED, body[:80]
        assert heard.observations == ()


def test_a_page_without_end_is_a_failure(http: Client, server: Server) -> None:
    server.fault = faults.endless(b'{"data": []}')
    heard = poll(http, server, Options(max_bytes=10_000))
    assert heard.end.outcome is Outcome.FAILED
    assert "over 10,000 bytes" in heard.end.reason


@pytest.fixture
def client(server: Server) -> Iterator[vt.Client]:
    """VirusTotal's own client, with the event loop that it wants to find."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    with vt.Client(KEY, host=server.url) as client:
        yield client
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


def test_vt_py_walks_through_the_pages_of_the_stand_in(client: vt.Client, server: Server) -> None:
    server.seen = MANY
    found = list(client.iterator(f"/ip_addresses/{ADDRESS}/resolutions", batch_size=LIMIT))
    assert [one.host_name for one in found] == [one.name for one in MANY]
    assert {one.ip_address for one in found} == {ADDRESS}
    assert len(server.calls) == 4


def test_vt_py_goes_on_from_a_cursor_of_the_stand_in(client: vt.Client, server: Server) -> None:
    server.seen = MANY
    walk = client.iterator(f"/ip_addresses/{ADDRESS}/resolutions", batch_size=LIMIT, limit=80)
    first = [one.host_name for one in walk]
    rest = client.iterator(f"/ip_addresses/{ADDRESS}/resolutions", batch_size=LIMIT, cursor=walk.cursor)
    assert first + [one.host_name for one in rest] == [one.name for one in MANY]


@pytest.mark.parametrize(
    ("path", "reply", "code"),
    [
        ("/nowhere", None, "NotFoundError"),
        ("/ip_addresses/x/resolutions", None, "InvalidArgumentError"),
        (f"/ip_addresses/{ADDRESS}/resolutions", quota_exceeded(), "QuotaExceededError"),
        (f"/ip_addresses/{ADDRESS}/resolutions", too_many_requests(), "TooManyRequestsError"),
    ],
)
def test_vt_py_reads_the_refusals_of_the_stand_in(
    client: vt.Client, server: Server, path: str, reply: Reply | None, code: str
) -> None:
    server.fault = reply
    with pytest.raises(vt.APIError) as caught:
        list(client.iterator(path))
    assert caught.value.code == code
