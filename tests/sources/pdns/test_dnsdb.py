"""The `dnsdb` provider against a server that speaks API version 2, and against one that does everything wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import pytest

from feedsvc import plugins
from feedsvc.clock import from_epoch, rfc3339
from feedsvc.http import Client
from feedsvc.model import Learnt, Observation, Outcome, Span, Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import aliases, cof, plan, saf
from feedsvc.sources.pdns import dnsdb
from feedsvc.sources.pdns.dnsdb import Options
from feedsvc.sources.port import Known, Telling
from tests.sources.conftest import DATA, KEY, NETBLOCK, NOW, Heard, settings
from tests.sources.pdns.asking import Counted, built
from tests.sources.pdns.asking import poll as poll_of
from tests.sources.pdns.faulty import DEADLINE, MAX_BYTES, Case, cases, marks
from tests.standins import faults
from tests.standins.dnsdb import LOOKUP, NAMES, DnsdbServer, Quota, alias, row
from tests.standins.server import Reply, refused_url

SEEN = "k3xq.example.net"
ONE_ADDRESS = parse_netblock("198.51.100.7")
THREE = b"".join(json.dumps({"obj": row(f"n{n}.example.net", "198.51.100.7")}).encode() + b"\n" for n in range(3))
ONE = json.dumps({"obj": row(SEEN, "198.51.100.7")}).encode()
BEGIN, END = b'{"cond":"begin"}\n', b'{"cond":"succeeded"}\n'


@pytest.fixture
def server() -> Iterator[DnsdbServer]:
    with DnsdbServer([row(SEEN, "198.51.100.7")], key=KEY) as server:
        yield server


def poll(
    http: Client,
    url: str,
    netblock: Netblock = NETBLOCK,
    *,
    key: str = KEY,
    cursors: Mapping[str, str] | None = None,
    budget: Counted | None = None,
    known: Sequence[Known] = (),
    **options: object,
) -> Heard:
    """One poll as the pipeline does it, call by call."""
    provider = built("dnsdb", url, {"api_key": key}, {"concurrency": 1, **options})
    return poll_of(http, provider, [netblock], cursors=cursors, budget=budget, known=known, fronts=len(known))


def answered(http: Client, server: DnsdbServer, body: bytes) -> Heard:
    """A poll that is answered with this body."""
    server.answers["198.51.100.0,24"] = body
    return poll(http, server.url)


def test_a_netblock_is_one_question(http: Client, server: DnsdbServer) -> None:
    heard = poll(http, server.url)
    assert heard.observations == (
        Observation(SEEN, "A", "198.51.100.7", 1_700_000_000, 1_700_000_600, count=3, tlp=Tlp.GREEN),
    )
    assert heard.end.outcome is Outcome.COMPLETE
    (call,) = server.calls
    assert call.query == {"limit": "0", "aggr": "t", "swclient": "feedsvc"}
    assert (call.headers["accept"], call.headers["x-api-key"]) == ("application/x-ndjson", KEY)


@pytest.mark.parametrize(
    ("netblock", "asked"),
    [
        ("198.51.100.0/24", "198.51.100.0,24"),
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.5-198.51.100.9", "198.51.100.5-198.51.100.9"),
        ("2001:db8::/64", "2001:db8::,64"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:db8::5-2001:db8::9", "2001:db8::5-2001:db8::9"),
    ],
)
def test_netblocks_ranges_and_addresses_are_written_as_dnsdb_reads_them(
    http: Client, server: DnsdbServer, netblock: str, asked: str
) -> None:
    server.rows.append(row(SEEN, "2001:db8::7"))
    heard = poll(http, server.url, parse_netblock(netblock))
    assert server.asked == [asked]
    assert heard.names == [SEEN]


@pytest.mark.parametrize("path", ["", "/", "/dnsdb/v2", "/dnsdb/v2/"])
def test_the_url_may_have_its_path_or_not(http: Client, server: DnsdbServer, path: str) -> None:
    assert poll(http, server.url + path).names == [SEEN]


def test_settings_shape_the_question(http: Client, server: DnsdbServer) -> None:
    poll(http, server.url, limit=500, aggr=False)
    assert server.calls[0].query == {"limit": "500", "aggr": "f", "swclient": "feedsvc"}


# -- the time -----------------------------------------------------------------------------------------------------------


def test_it_is_asked_since_the_mark_less_a_day_and_a_second(http: Client, server: DnsdbServer) -> None:
    mark = NOW - timedelta(days=2)
    poll(http, server.url, cursors={str(NETBLOCK): rfc3339(mark)})
    since = int((mark - timedelta(days=1)).timestamp())
    assert server.calls[0].query["time_last_after"] == str(since - 1)
    assert "time_last_before" not in server.calls[0].query


def test_only_what_was_seen_since_then_comes(http: Client, server: DnsdbServer) -> None:
    now = int(NOW.timestamp())
    server.rows.append(row("new.example.net", "198.51.100.8", now - 900, now - 600))
    assert poll(http, server.url, cursors={str(NETBLOCK): rfc3339(NOW)}).names == ["new.example.net"]


def test_a_mark_before_1970_is_no_time_counted_back_from_now(http: Client, server: DnsdbServer) -> None:
    heard = poll(http, server.url, cursors={str(NETBLOCK): "1969-06-01T00:00:00Z"})
    assert server.calls[0].query["time_last_after"] == "1"
    assert heard.names == [SEEN]


@pytest.mark.parametrize("strict", [False, True], ids=["a fence holds its second", "a fence leaves its second out"])
def test_no_name_falls_between_two_halves_of_the_time(http: Client, server: DnsdbServer, *, strict: bool) -> None:
    server.strict, server.results_max = strict, 5
    server.rows = [row(f"n{n}.example.net", "198.51.100.7", 1, 1_300_000_000 + n * 12_000_000) for n in range(40)]
    assert poll(http, server.url, ONE_ADDRESS).end.outcome is Outcome.COMPLETE
    fences = {int(at) for call in server.calls for name, at in call.query.items() if name.startswith("time_last")}
    assert len(fences) > 4
    moments = {fence + more for fence in fences for more in (-2, -1, 0, 1, 2)}
    server.rows = [row(f"n{moment}.example.net", "198.51.100.7", 1, moment) for moment in moments]
    heard = poll(http, server.url, ONE_ADDRESS)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == len(moments)


# -- what is cut short --------------------------------------------------------------------------------------------------


def test_a_limited_answer_is_asked_for_in_halves_until_each_fits(http: Client, server: DnsdbServer) -> None:
    server.rows = [row(f"n{n}.example.net", f"198.51.100.{n}") for n in range(0, 256, 16)]
    server.results_max = 5
    heard = poll(http, server.url)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 16
    assert server.asked == [
        "198.51.100.0,24",
        "198.51.100.0,25",
        "198.51.100.0,26",
        "198.51.100.64,26",
        "198.51.100.128,25",
        "198.51.100.128,26",
        "198.51.100.192,26",
    ]


def test_more_names_at_one_address_in_one_hour_than_may_be_fetched_are_partial(http: Client, server: DnsdbServer) -> None:
    server.rows = [row(f"n{n}.example.net", "198.51.100.7") for n in range(9)] + [row("other.example", "198.51.100.9")]
    server.results_max = 5
    heard = poll(http, server.url, parse_netblock("198.51.100.0/28"))
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason.startswith("198.51.100.7: the answer was limited to 5 rows: it has more names than the provider")
    assert heard.end.reason.endswith("(15 of 16 addresses answered in full)")
    assert "other.example" in heard.names
    assert not heard.end.trouble
    assert marks(heard) == []


def test_halves_of_the_time_reach_back_to_zone_files_that_are_older_than_sensors(http: Client, server: DnsdbServer) -> None:
    april = 1_272_125_541  # 2010: zone files were taken in before sensors began to collect
    server.rows = [row("old.example", "198.51.100.7", april, april)]
    server.rows += [row(f"n{n}.example.net", "198.51.100.7", april, april + n * 86_400) for n in range(1, 9)]
    server.results_max = 5
    heard = poll(http, server.url, parse_netblock("198.51.100.7"))
    assert heard.end.outcome is Outcome.COMPLETE
    assert "old.example" in heard.names


def test_halving_ends_when_the_netblock_has_cost_its_calls_and_the_next_poll_goes_on(
    http: Client, server: DnsdbServer
) -> None:
    server.rows = [row(f"n{n}.example.net", f"198.51.100.{n}") for n in range(256)]
    server.results_max = 20
    cursors: dict[str, str] = {}
    names: set[str] = set()
    for _ in range(4):
        heard = poll(http, server.url, cursors=cursors, max_calls=10)
        cursors |= {cursor.scope: cursor.position for cursor in heard.cursors}
        names |= set(heard.names)
        if heard.end.outcome is Outcome.COMPLETE:
            break
        assert heard.end.outcome is Outcome.PARTIAL
        assert "has cost its 10 calls of one poll; the next one goes on" in heard.end.reason
        assert marks(heard) == []
    assert len(names) == 256
    assert len(server.asked) == len(set(server.asked)) == 31
    assert cursors == {str(NETBLOCK): rfc3339(NOW), plan.SCOPE: ""}


def test_halving_ends_when_the_quota_does(http: Client, server: DnsdbServer) -> None:
    limited = BEGIN + THREE + b'{"cond":"limited"}\n'
    server.faults = [Reply(200, {}, [limited]), faults.too_many("60")]
    budget = Counted()
    heard = poll(http, server.url, budget=budget)
    assert len(server.calls) == 2
    assert (heard.end.outcome, heard.end.stop) == (Outcome.PARTIAL, True)
    assert budget.overs == [("burst", 60)]
    assert len(heard.names) == 3


def test_an_answer_that_is_too_big_is_asked_for_in_halves_too(http: Client, server: DnsdbServer) -> None:
    server.rows = [row(f"n{n}.example.net", f"198.51.100.{n % 8}") for n in range(64)]
    heard = poll(http, server.url, parse_netblock("198.51.100.0/29"), max_bytes=5_000)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 64
    assert len(server.calls) > 1


def test_a_server_that_answers_every_half_without_end_is_given_up(http: Client, server: DnsdbServer) -> None:
    server.fault = faults.endless(ONE + b"\n")
    heard = poll(http, server.url, max_bytes=10_000)
    assert server.asked == ["198.51.100.0,24", "198.51.100.0,25", "198.51.100.0,26"]
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason.startswith("198.51.100.0/26: ")
    assert heard.end.reason.endswith("the answer is over 10,000 bytes; asked no further")
    assert heard.end.trouble
    assert marks(heard) == []


def test_an_endless_answer_of_nothing_useful_has_failed_and_is_not_asked_for_in_halves(
    http: Client, server: DnsdbServer
) -> None:
    server.fault = faults.endless(b"{}\n")
    assert poll(http, server.url, max_bytes=10_000).end.outcome is Outcome.FAILED
    assert len(server.calls) == 1


def sample(name: str) -> bytes:
    return (DATA / "dnsdb" / f"{name}.saf.ndjson").read_bytes()


@pytest.mark.parametrize(
    ("body", "outcome", "words"),
    [
        (BEGIN + END, Outcome.COMPLETE, ""),
        (sample("keepalives"), Outcome.COMPLETE, ""),
        (sample("truncated"), Outcome.PARTIAL, "its last line (SAF) did not come"),
        (sample("failed"), Outcome.PARTIAL, "could not finish: Processing timeout; results may be incomplete"),
    ],
)
def test_an_answer_is_complete_only_when_its_last_line_says_so(
    http: Client, server: DnsdbServer, body: bytes, outcome: Outcome, words: str
) -> None:
    heard = answered(http, server, body)
    assert heard.end.outcome is outcome
    assert words in heard.end.reason
    assert bool(marks(heard)) == (outcome is Outcome.COMPLETE)


def test_a_row_on_the_last_line_is_read_and_zone_times_are_kept_apart(http: Client, server: DnsdbServer) -> None:
    server.faults = [Reply(200, {}, [sample("zone_times_limited")])]
    heard = poll(http, server.url, parse_netblock("198.51.100.9"), budget=Counted(most=1))
    assert heard.observations == (
        Observation("zone.example.net", "A", "198.51.100.9", None, None, 1_349_367_341, 1_440_606_099, 1, tlp=Tlp.GREEN),
        Observation("last.example.net", "A", "198.51.100.9", 1_700_000_000, 1_700_000_600, count=33, tlp=Tlp.GREEN),
    )
    assert heard.end.outcome is Outcome.PARTIAL


def test_what_happens_after_the_last_line_does_not_matter(http: Client, server: DnsdbServer) -> None:
    server.fault = faults.cut(BEGIN + THREE + END)
    assert poll(http, server.url).end.outcome is Outcome.COMPLETE


def test_real_rows_with_rdata_as_text_are_read(http: Client, server: DnsdbServer) -> None:
    server.answers["66.160.140.81"] = sample("rdata_as_text")
    heard = poll(http, server.url, parse_netblock("66.160.140.81"))
    assert len(heard.names) == 5
    assert "archive.farsightsecurity.com" in heard.names


def test_rows_of_other_types_are_counted(http: Client, server: DnsdbServer) -> None:
    server.answers["66.160.140.81"] = sample("sensor_and_zone_times")
    heard = poll(http, server.url, parse_netblock("66.160.140.81"))
    assert heard.names == ["farsightsecurity.com"]
    assert heard.refused == {cof.OTHER_TYPE: 1}


def test_the_hostile_answer_is_accounted_for_row_by_row(http: Client, server: DnsdbServer) -> None:
    heard = answered(http, server, sample("hostile"))
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.observations) == 17
    assert heard.refused == {
        cof.OTHER_TYPE: 3,
        cof.OUTSIDE: 4,
        cof.BACKWARDS: 1,
        cof.IN_FUTURE: 2,
        cof.TWO_ADDRESSES: 1,
        f"{cof.NOT_A_NAME}: label of 64 octets, 63 is the limit": 1,
        f"{cof.NOT_A_NAME}: no label: empty, or the root": 1,
    }


# -- refusals and quotas ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases(BEGIN + THREE, KEY), ids=str)
def test_every_fault_has_its_outcome_moves_no_mark_and_shows_no_secret(
    http: Client, server: DnsdbServer, case: Case, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    server.fault = case.reply
    url, budget = server.url if case.reply else refused_url(), Counted()
    heard = poll(http, url, ONE_ADDRESS, budget=budget, deadline=DEADLINE, max_bytes=MAX_BYTES)
    case.check(heard, budget)
    assert KEY not in f"{heard!r} {caplog.text} {capsys.readouterr()}"


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "DNSDB says so of a key that is not for API version 2"),
        (403, "an address that may not use it"),
        (404, "that is a wrong URL, not an empty answer"),
        (503, "too many connections at once; no quota is spent"),
    ],
)
def test_a_status_is_explained_as_dnsdb_means_it(http: Client, server: DnsdbServer, status: int, hint: str) -> None:
    server.fault = faults.status(status, "Error: no")
    heard = poll(http, server.url)
    assert heard.end.outcome is Outcome.FAILED
    assert f"{status}: " in heard.end.reason
    assert hint in heard.end.reason
    assert "(it says: Error: no)" in heard.end.reason


def test_an_expired_block_is_not_taken_for_a_bad_key(http: Client, server: DnsdbServer) -> None:
    server.quota = Quota("block", moment=server.now - 1)
    budget = Counted()
    heard = poll(http, server.url, budget=budget)
    assert (heard.end.outcome, heard.end.stop) == (Outcome.FAILED, True)
    assert "the block of calls that was bought for the key has expired" in heard.end.reason
    assert "check it" not in heard.end.reason
    assert budget.overs == [("block", None)]
    assert len(server.calls) == 1


def test_too_many_connections_are_fewer_after_that_and_lose_nothing(http: Client, server: DnsdbServer) -> None:
    server.rows = [row(f"n{n}.example.net", f"198.51.100.{n}") for n in range(256)]
    server.results_max = 20
    budget = Counted()
    server.faults = [faults.status(503)]
    heard = poll(http, server.url, budget=budget, concurrency=4)
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 256
    assert budget.overs == []
    assert budget.given_back == 1


NONE_LEFT = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0"}


@pytest.mark.parametrize(
    ("headers", "said", "span"),
    [
        ({**NONE_LEFT, "X-RateLimit-Reset": "1798156800"}, "Error: Rate limit exceeded", "day"),
        ({**NONE_LEFT, "X-RateLimit-Reset": "n/a", "X-RateLimit-Expires": "1798156800"}, "Error: no", "block"),
        ({"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "7"}, "Error: Rate limit exceeded", "burst"),
        ({**NONE_LEFT}, "Error: Burst rate limit exceeded", "burst"),
        ({"Retry-After": "30"}, "Error: Rate limit exceeded", "burst"),
        ({**NONE_LEFT, "Retry-After": "30"}, "Error: Rate limit exceeded", "day"),
        ({}, "", "day"),
    ],
)
def test_which_quota_is_spent_is_told_by_what_comes_with_the_refusal(
    http: Client, server: DnsdbServer, headers: dict[str, str], said: str, span: Span
) -> None:
    server.fault = faults.status(429, said, headers)
    budget = Counted()
    poll(http, server.url, budget=budget)
    assert [over for over, _ in budget.overs] == [span]


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [(str(int(NOW.timestamp()) + 600), 600), ("n/a", None), ("1", 0), ("9999999999", 86_400), ("99999999999999", None)],
)
def test_a_spent_day_says_when_it_begins_anew(http: Client, server: DnsdbServer, reset: str, seconds: float | None) -> None:
    server.fault = faults.status(429, headers={"X-RateLimit-Reset": reset})
    budget = Counted()
    poll(http, server.url, budget=budget)
    assert budget.overs == [("day", seconds)]


@pytest.mark.parametrize(
    ("quota", "learnt"),
    [
        (Quota("day", 1000, 1_795_046_400), [Learnt("day", 1000, 999, from_epoch(1_795_046_400))]),
        (Quota("block", 600, 1_855_370_914), [Learnt("block", 600, 599, from_epoch(1_855_370_914))]),
        (Quota("unlimited"), [Learnt("day")]),
    ],
    ids=lambda of: of.kind if isinstance(of, Quota) else "",
)
def test_what_is_left_is_learnt_from_every_answer(
    http: Client, server: DnsdbServer, quota: Quota, learnt: list[Learnt]
) -> None:
    server.quota = quota
    budget = Counted()
    poll(http, server.url, budget=budget)
    assert budget.learnt == learnt


def test_a_key_whose_day_is_spent_is_refused_once_and_its_rest_is_learnt(http: Client, server: DnsdbServer) -> None:
    server.quota = Quota("day", 0, int(NOW.timestamp()) + 3600)
    budget = Counted()
    heard = poll(http, server.url, budget=budget)
    assert budget.learnt == [Learnt("day", 0, 0, NOW + timedelta(hours=1))]
    assert budget.overs == [("day", 3600)]
    assert "429: the quota is spent" in heard.end.reason
    assert "the key's questions of the day are spent" in heard.end.reason
    assert len(server.calls) == 1


def test_the_quota_is_asked_for_free_of_charge_when_the_ledger_wants_to_know(http: Client, server: DnsdbServer) -> None:
    server.quota = Quota("block", 600, 1_855_370_914, burst=(10, 300))
    budget = Counted(old=True)
    poll(http, server.url, budget=budget)
    assert [call.path for call in server.calls] == ["/dnsdb/v2/rate_limit", f"{LOOKUP}198.51.100.0,24"]
    assert budget.spent == 1
    assert budget.learnt == [
        Learnt("block", 600, 600, from_epoch(1_855_370_914)),
        Learnt("burst", 10, seconds=300.0),
        Learnt("block", 600, 599, from_epoch(1_855_370_914)),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"rate": null}',
        b'{"rate": []}',
        b'{"rate": {}}',
        b'{"rate": {"limit": null, "burst_size": 0, "burst_window": 300}}',
        b'{"rate": {"burst_size": -1, "burst_window": [300]}}',
        b'{"rate": {"reset": 5}}',
        b'{"rate":' + b"[" * 100_000,
    ],
)
def test_a_quota_that_cannot_be_read_teaches_nothing(body: bytes) -> None:
    provider = built("dnsdb", "", {"api_key": KEY})
    assert isinstance(provider, Telling)
    assert provider.read_quota(body, NOW) == ()


@pytest.mark.parametrize("odd", [True, -1, 1.5, 2**70, "-1", "1e3", "\u0661", [1], {}, "n/a", ""])
def test_a_number_of_a_quota_that_is_none_is_not_believed(odd: object) -> None:
    provider = built("dnsdb", "", {"api_key": KEY})
    assert isinstance(provider, Telling)
    body = json.dumps({"rate": {"limit": odd, "remaining": odd, "reset": odd, "expires": odd}}).encode()
    assert provider.read_quota(body, NOW) == (Learnt("day"),)
    headers = {f"x-ratelimit-{name}": str(odd) for name in ("limit", "remaining", "reset", "expires")}
    assert provider.quotas(headers, NOW) in [(Learnt("day"),), ()]


def test_a_wrong_key_is_said_to_be_one_and_asked_with_once(http: Client, server: DnsdbServer) -> None:
    heard = poll(http, server.url, key="wr0ng-k3y")
    assert "403: the server forbids this to the key from environment API_KEY" in heard.end.reason
    assert len(server.calls) == 1


# -- names in front -----------------------------------------------------------------------------------------------------

BEHIND = Known("cdn.example.org", ("198.51.100.7", "2001:db8::7"))


def test_names_in_front_of_a_finding_are_found_at_its_addresses(http: Client, server: DnsdbServer) -> None:
    server.rows += [alias("K3XQ.example.com", "cdn.example.org", 5, 9), alias("other.example", "elsewhere.example")]
    heard = poll(http, server.url, known=[BEHIND])
    assert [call.path for call in server.calls[1:]] == [f"{NAMES}cdn.example.org/CNAME"]
    assert server.calls[1].query == {"limit": "10000", "aggr": "t", "swclient": "feedsvc"}
    assert heard.observations[1:] == tuple(
        Observation("k3xq.example.com", rrtype, at, 5, 9, count=3, chain=("cdn.example.org",), tlp=Tlp.GREEN)
        for rrtype, at in (("A", "198.51.100.7"), ("AAAA", "2001:db8::7"))
    )


def test_a_name_that_looks_like_a_pattern_is_asked_for_as_the_name_it_is(http: Client, server: DnsdbServer) -> None:
    poll(http, server.url, known=[Known(r"\042.wild.example.net", ("198.51.100.7",))])
    assert server.calls[1].path == rf"{NAMES}\042.wild.example.net/CNAME"


def test_what_points_at_another_name_is_counted_and_left_out(http: Client, server: DnsdbServer) -> None:
    rows = [alias("other.example", "elsewhere.example"), row("cdn.example.org", "198.51.100.7")]
    server.answers[f"{NAMES}cdn.example.org/CNAME"] = (
        BEGIN + b"".join(json.dumps({"obj": one}).encode() + b"\n" for one in rows) + END
    )
    heard = poll(http, server.url, known=[BEHIND])
    assert heard.names == [SEEN]
    assert heard.refused == {aliases.NO_ALIAS: 2}


# -- settings -----------------------------------------------------------------------------------------------------------


def test_what_is_lacking_is_a_fault_by_key() -> None:
    with pytest.raises(OptionFaults) as caught:
        dnsdb.build(settings("dnsdb"), Options(), lambda: NOW)
    assert list(caught.value.messages) == ["api_key_env"]
    with pytest.raises(OptionFaults) as caught:
        dnsdb.build(settings("dnsdb", "ftp://a", api_key=KEY), Options(), lambda: NOW)
    assert list(caught.value.messages) == ["url"]


@pytest.mark.parametrize("given", [{"limit": -1}, {"max_calls": 0}, {"aggr": "perhaps"}, {"deadline": 0}, {"max_bytes": 0}])
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "dnsdb"), given)
    assert list(caught.value.messages) == list(given)


def test_a_line_that_is_no_saf_is_counted(http: Client, server: DnsdbServer) -> None:
    heard = answered(http, server, BEGIN + json.dumps(row(SEEN, "198.51.100.7")).encode() + b"\n" + END)
    assert heard.end.outcome is Outcome.FAILED
    assert heard.refused == {saf.NOT_SAF: 1}
