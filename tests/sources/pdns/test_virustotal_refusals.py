"""VirusTotal's two kinds of 429, its 404, what it is asked, hostile answers; and its own client reads the stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import vt

from feedsvc import plugins
from feedsvc.config import SourceSettings
from feedsvc.http import Client, HttpError
from feedsvc.model import Allowance, Outcome, Tlp
from feedsvc.plugins import OptionFaults
from feedsvc.sources.pdns import virustotal
from feedsvc.sources.pdns.virustotal import Options
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll, Question
from tests.sources.conftest import FEW, NOW, gather
from tests.sources.pdns import mangling
from tests.sources.pdns.asking import Counted
from tests.sources.pdns.virustotal_asked import ADDRESS, MANY, ONE, PLAIN, built, kept, poll, rows_of, sample
from tests.standins import faults
from tests.standins.provider import KEY, Seen
from tests.standins.server import Reply
from tests.standins.virustotal import LIMIT, Server, error, quota_exceeded, too_many_requests


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


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
    for question in (Question(ONE), Question(ONE, page="1/40/2.5d41402abc4b/MTo0MA==")):
        request = provider.request(question)
        assert KEY not in f"{request} {request!r} {provider!r}"
    assert str(provider.request(Question(ONE))) == f"GET {server.url}/api/v3/ip_addresses/{ADDRESS}/resolutions?limit=40"
    poll(http, server)
    assert server.calls[0].headers["x-apikey"] == KEY


@pytest.mark.parametrize("page", ["", "MTo0MA==", "x/1/2./c", "1/1/2./", "1/1/c", "99999999999/1/2./c"])
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
