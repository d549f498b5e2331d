"""The `dnsdb` provider against a server that speaks API version 2, and against one that does everything wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc import plugins
from feedsvc.clock import rfc3339
from feedsvc.http import Client, shown
from feedsvc.model import Observation, Outcome
from feedsvc.names import Netblock, parse_netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import cof
from feedsvc.sources.pdns import dnsdb
from feedsvc.sources.pdns.dnsdb import Options
from feedsvc.sources.polling import PdnsSource
from tests.sources.conftest import DATA, KEY, NETBLOCK, NOW, Heard, gather, settings
from tests.sources.pdns.faulty import Case, cases
from tests.standins import faults
from tests.standins.dnsdb import DnsdbServer, row
from tests.standins.server import Reply, refused_url

SEEN = "k3xq.example.net"
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
    options: Options = Options(),  # noqa: B008
    netblock: Netblock = NETBLOCK,
    mark: str = "",
    key: str = KEY,
) -> Heard:
    """One poll as the pipeline does it."""
    provider = dnsdb.build(settings("dnsdb", url, api_key=key), options, http, lambda: NOW)
    return gather(PdnsSource("dnsdb", provider).read([netblock], {str(netblock): mark}, NOW))


def answered(http: Client, server: DnsdbServer, body: bytes) -> Heard:
    """A poll that is answered with this body."""
    server.answers["198.51.100.0,24"] = body
    return poll(http, server.url)


def test_a_netblock_is_one_question(http: Client, server: DnsdbServer) -> None:
    heard = poll(http, server.url)
    assert heard.observations == (Observation(SEEN, "A", "198.51.100.7", 1_700_000_000, 1_700_000_600, count=3),)
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
    heard = poll(http, server.url, netblock=parse_netblock(netblock))
    assert server.asked == [asked]
    assert heard.names == [SEEN]


@pytest.mark.parametrize("path", ["", "/", "/dnsdb/v2", "/dnsdb/v2/"])
def test_the_url_may_have_its_path_or_not(http: Client, server: DnsdbServer, path: str) -> None:
    assert poll(http, server.url + path).names == [SEEN]


def test_it_is_asked_since_the_mark_less_a_day(http: Client, server: DnsdbServer) -> None:
    mark = NOW - timedelta(days=2)
    poll(http, server.url, mark=rfc3339(mark))
    assert server.calls[0].query["time_last_after"] == str(int((mark - timedelta(days=1)).timestamp()))


def test_only_what_was_seen_since_then_comes(http: Client, server: DnsdbServer) -> None:
    now = int(NOW.timestamp())
    server.rows.append(row("new.example.net", "198.51.100.8", now - 900, now - 600))
    assert poll(http, server.url, mark=rfc3339(NOW)).names == ["new.example.net"]


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


def test_one_address_with_more_names_than_may_be_fetched_is_partial(http: Client, server: DnsdbServer) -> None:
    server.rows = [row(f"n{n}.example.net", "198.51.100.7") for n in range(9)] + [row("other.example", "198.51.100.9")]
    server.results_max = 5
    heard = poll(http, server.url, netblock=parse_netblock("198.51.100.0/28"))
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason == (
        "198.51.100.7/32: has more names than the key may fetch at once (4 of 5 parts answered in full)"
    )
    assert "other.example" in heard.names
    assert not heard.end.trouble
    assert heard.cursors == ()


def test_halving_ends_when_the_netblock_has_cost_its_questions(http: Client, server: DnsdbServer) -> None:
    server.rows = [row(f"n{n}.example.net", f"198.51.100.{n}") for n in range(256)]
    server.results_max = 5
    heard = poll(http, server.url, Options(max_calls=10))
    assert len(server.calls) == 10
    assert heard.end.outcome is Outcome.PARTIAL
    assert "max_calls" in heard.end.reason


def test_halving_ends_when_the_quota_does(http: Client, server: DnsdbServer) -> None:
    server.rows = [row(f"n{n}.example.net", f"198.51.100.{n}") for n in range(256)]
    server.results_max = 5
    server.answers["198.51.100.0,24"] = BEGIN + THREE + b'{"cond":"limited"}\n'
    server.faults = [Reply(200, {}, [server.answers["198.51.100.0,24"]]), faults.too_many("60")]
    heard = poll(http, server.url)
    assert len(server.calls) == 2
    assert (heard.end.outcome, heard.end.stop, heard.end.retry_after) == (Outcome.PARTIAL, True, 60)
    assert len(heard.names) == 3


def test_an_answer_that_is_too_big_is_asked_for_in_halves_too(http: Client, server: DnsdbServer) -> None:
    server.rows = [row(f"n{n}.example.net", f"198.51.100.{n % 8}") for n in range(64)]
    heard = poll(http, server.url, Options(max_bytes=5_000), parse_netblock("198.51.100.0/29"))
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.names) == 64
    assert len(server.calls) > 1


def test_a_server_that_answers_every_half_without_end_is_given_up(http: Client, server: DnsdbServer) -> None:
    server.fault = faults.endless(ONE + b"\n")
    heard = poll(http, server.url, Options(max_bytes=10_000))
    assert server.asked == ["198.51.100.0,24", "198.51.100.0,25", "198.51.100.0,26"]
    assert heard.end.outcome is Outcome.PARTIAL
    assert "over 10,000 bytes (0 of 3 parts answered in full)" in heard.end.reason
    assert heard.end.trouble


def test_an_endless_answer_of_nothing_useful_has_failed(http: Client, server: DnsdbServer) -> None:
    server.fault = faults.endless(b"{}\n")
    assert poll(http, server.url, Options(max_bytes=10_000)).end.outcome is Outcome.FAILED


def sample(name: str) -> bytes:
    return (DATA / "dnsdb" / f"{name}.saf.ndjson").read_bytes()


@pytest.mark.parametrize(
    ("body", "outcome", "words"),
    [
        (BEGIN + END, Outcome.COMPLETE, ""),
        (BEGIN + b"{}\n" + THREE + b"{}\n\r\n" + END, Outcome.COMPLETE, ""),
        (BEGIN + b'{"cond":null,"obj":null}\n' + THREE + END.strip(), Outcome.COMPLETE, ""),
        (sample("keepalives"), Outcome.COMPLETE, ""),
        (
            BEGIN + b'{"rrname":"k3xq.example.net","rrtype":"A","rdata":"198.51.100.7"}\n' + END,
            Outcome.FAILED,
            "not a line of SAF",
        ),
        (sample("truncated"), Outcome.PARTIAL, "its last line (SAF) did not come"),
        (BEGIN, Outcome.FAILED, "its last line (SAF) did not come"),
        (b"", Outcome.FAILED, "its last line (SAF) did not come"),
        (sample("failed"), Outcome.PARTIAL, "could not finish: Processing timeout; results may be incomplete"),
        (BEGIN + b'{"cond":"failed"}\n', Outcome.FAILED, "could not finish: it does not say why"),
        (BEGIN + THREE + b'{"cond":"failed","msg":["\\u001b"]}\n', Outcome.PARTIAL, "could not finish: ['\\x1b']"),
        (BEGIN + THREE + b'{"cond":"what\\u001b"}\n' + END, Outcome.PARTIAL, "unknown cond what\\x1b"),
        (BEGIN + THREE + b'{"cond":7}\n' + END, Outcome.PARTIAL, "unknown cond 7"),
        (BEGIN + THREE + END + THREE, Outcome.PARTIAL, "it goes on after its last line"),
        (BEGIN + THREE + b'{"cond": \n' + END, Outcome.PARTIAL, "not a line of SAF"),
        (BEGIN + THREE + b'{"cond": ', Outcome.PARTIAL, "not a line of SAF"),
        (BEGIN + b'{"obj":{"count":1}}\n' + END, Outcome.FAILED, "none of the 1 rows of the answer is COF"),
    ],
)
def test_an_answer_is_complete_only_when_its_last_line_says_so(
    http: Client, server: DnsdbServer, body: bytes, outcome: Outcome, words: str
) -> None:
    heard = answered(http, server, body)
    assert heard.end.outcome is outcome
    assert words in heard.end.reason
    assert bool(heard.cursors) == (outcome is Outcome.COMPLETE)


def test_a_row_on_the_last_line_is_read_and_zone_times_are_enough(http: Client, server: DnsdbServer) -> None:
    server.answers["198.51.100.9"] = sample("zone_times_limited")
    heard = poll(http, server.url, netblock=parse_netblock("198.51.100.9"))
    assert heard.observations == (
        Observation("zone.example.net", "A", "198.51.100.9", None, None, 1_349_367_341, 1_440_606_099, 1),
        Observation("last.example.net", "A", "198.51.100.9", 1_700_000_000, 1_700_000_600, count=33),
    )
    assert (heard.end.outcome, heard.end.reason) == (Outcome.PARTIAL, "has more names than the key may fetch at once")


def test_what_happens_after_the_last_line_does_not_matter(http: Client, server: DnsdbServer) -> None:
    server.fault = faults.cut(BEGIN + THREE + END)
    assert poll(http, server.url).end.outcome is Outcome.COMPLETE


def test_real_rows_with_rdata_as_text_are_read(http: Client, server: DnsdbServer) -> None:
    server.answers["66.160.140.81"] = sample("rdata_as_text")
    heard = poll(http, server.url, netblock=parse_netblock("66.160.140.81"))
    assert len(heard.names) == 5
    assert "archive.farsightsecurity.com" in heard.names


def test_rows_of_other_types_are_counted(http: Client, server: DnsdbServer) -> None:
    server.answers["66.160.140.81"] = sample("sensor_and_zone_times")
    heard = poll(http, server.url, netblock=parse_netblock("66.160.140.81"))
    assert heard.names == ["farsightsecurity.com"]
    assert heard.refused == {cof.OTHER_TYPE: 1}


def test_the_hostile_answer_is_accounted_for_row_by_row(http: Client, server: DnsdbServer) -> None:
    heard = answered(http, server, sample("hostile"))
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(heard.observations) == 18
    assert heard.refused == {
        cof.OTHER_TYPE: 3,
        cof.OUTSIDE: 4,
        cof.BACKWARDS: 1,
        cof.IN_FUTURE: 2,
        f"{cof.NOT_A_NAME}: label of 64 octets, 63 is the limit": 1,
        f"{cof.NOT_A_NAME}: no label: empty, or the root": 1,
    }


@pytest.mark.parametrize("case", cases(BEGIN + THREE, KEY), ids=str)
def test_every_fault_has_its_outcome_moves_no_mark_and_shows_no_secret(
    http: Client, server: DnsdbServer, case: Case, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    server.fault = case.reply
    url = server.url if case.reply else refused_url()
    heard = poll(http, url, Options(deadline=0.5, max_bytes=100_000), parse_netblock("198.51.100.7"))
    assert heard.end.outcome is case.outcome
    assert case.words in heard.end.reason
    assert (heard.end.stop, heard.end.retry_after) == (case.stop, case.retry_after)
    assert len(heard.names) >= case.good
    assert heard.cursors == ()
    assert heard.end.reason.isprintable()
    assert KEY not in f"{heard!r} {caplog.text} {capsys.readouterr()}"


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "whose block quota has expired"),
        (403, "an address that may not use it"),
        (404, "that is a wrong URL, not an empty answer"),
        (429, "daily, block or burst quota is spent"),
        (503, "too many connections at once; no quota is spent"),
    ],
)
def test_a_status_is_explained_as_dnsdb_means_it(http: Client, server: DnsdbServer, status: int, hint: str) -> None:
    server.fault = faults.status(status, "Error: Quota is expired")
    heard = poll(http, server.url)
    assert heard.end.outcome is Outcome.FAILED
    assert f"{status}: " in heard.end.reason
    assert hint in heard.end.reason
    assert "(it says: Error: Quota is expired)" in heard.end.reason


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [(str(int(NOW.timestamp()) + 600), 600), ("n/a", None), ("1", 0), ("9999999999", 86_400), ("99999999999999", None)],
)
def test_a_spent_quota_says_when_it_begins_anew(
    http: Client, server: DnsdbServer, reset: str, seconds: float | None
) -> None:
    server.fault = faults.status(429, headers={"X-RateLimit-Reset": reset})
    assert poll(http, server.url).end.retry_after == seconds


def test_a_wrong_key_is_said_to_be_one_and_asked_with_once(http: Client, server: DnsdbServer) -> None:
    heard = poll(http, server.url, key="wr0ng-k3y")
    assert "403: the server forbids this to the key from environment API_KEY" in heard.end.reason
    assert len(server.calls) == 1


def test_what_is_lacking_is_a_fault_by_key(http: Client) -> None:
    with pytest.raises(OptionFaults) as caught:
        dnsdb.build(settings("dnsdb"), Options(), http, lambda: NOW)
    assert list(caught.value.messages) == ["api_key_env"]
    with pytest.raises(OptionFaults) as caught:
        dnsdb.build(settings("dnsdb", "ftp://a", api_key=KEY), Options(), http, lambda: NOW)
    assert list(caught.value.messages) == ["url"]


@pytest.mark.parametrize("given", [{"limit": -1}, {"max_calls": 0}, {"aggr": "perhaps"}, {"deadline": 0}, {"max_bytes": 0}])
def test_options_that_cannot_be_are_faults_by_key(given: dict[str, object]) -> None:
    with pytest.raises(OptionFaults) as caught:
        plugins.read_options(plugins.load("pdns", "dnsdb"), given)
    assert list(caught.value.messages) == list(given)


LINE = st.sampled_from(
    [ONE, BEGIN, END, b"{}", b'{"cond":"limited"}', b'{"obj":[]}', b'{"x":1}', b'{"obj":1,"cond":"failed"}', b"[" * 9999]
)


@given(st.lists(LINE | st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"")), max_size=8))
def test_no_frame_raises_and_none_but_a_whole_one_is_complete(lines: list[bytes]) -> None:
    rows = cof.Rows(NETBLOCK, NOW)
    frame = dnsdb._Saf(rows, shown)
    heard = gather([*frame.read(line.strip() + b"\n" for line in lines), rows.batch()])
    assert len(heard.observations) == lines.count(ONE)
    if frame.answered().end.outcome is Outcome.COMPLETE:
        kept = [line for line in lines if line.strip()]
        assert kept[-1] == END
        assert not {b'{"cond":"limited"}', b'{"obj":1,"cond":"failed"}', b'{"x":1}', b"[" * 9999} & set(kept)
