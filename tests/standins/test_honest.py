"""The stand-ins are read by clients that others wrote: what they say is what a real server says."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping

import dnsdb2
import pypdns
import pytest

from tests.standins import circl, cof, dnsdb, faults
from tests.standins.cof import CofServer
from tests.standins.dnsdb import DnsdbServer, Quota
from tests.standins.provider import KEY, Seen
from tests.tools import need_tool

NAMES = [f"n{number}.example.net" for number in range(120)]


def client(server: CofServer, path: str = "", *, login: tuple[str, str] | None = None, quiet: bool = False) -> pypdns.PyPDNS:
    """CIRCL's own client, without the cache that it would keep on disk."""
    url = f"{server.url}{path}/query"
    return pypdns.PyPDNS(url=url, basic_auth=login, disable_active_query=quiet, enable_cache=False)


def records(asking: pypdns.PyPDNS, asked: str) -> list[pypdns.PDNSRecord]:
    return asking.rfc_query(asked, with_errors=False)


def test_pypdns_reads_rows_by_address_from_the_cof_server() -> None:
    with CofServer([cof.row("k3xq.example.net", "198.51.100.7", count=3)], login=("jane", "pw")) as server:
        (record,) = records(client(server, login=("jane", "pw")), "198.51.100.7")
    assert (record.rrname, record.rrtype, record.rdata, record.count) == ("k3xq.example.net", "A", "198.51.100.7", 3)
    assert record.time_first_datetime.timestamp() == 1_700_000_000


def test_pypdns_pages_through_the_cof_server() -> None:
    with CofServer([cof.row(name, "198.51.100.7") for name in NAMES]) as server:
        found = [record.rrname for record in client(server).iter_query("198.51.100.7")]
        assert len(server.calls) == 3
    assert found == NAMES


def test_pypdns_finds_nothing_about_a_netblock_as_with_d4() -> None:
    with CofServer([cof.row("k3xq.example.net", "198.51.100.7")]) as server:
        assert records(client(server), "198.51.100.0/24") == []


def test_pypdns_may_forbid_the_cof_server_to_resolve() -> None:
    with CofServer() as server:
        records(client(server, quiet=True), "198.51.100.7")
        assert server.resolved == []
        records(client(server), "198.51.100.7")
        assert server.resolved == ["198.51.100.7"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, pypdns.errors.UnauthorizedError),
        (403, pypdns.errors.ForbiddenError),
        (429, pypdns.errors.RateLimitError),
        (503, pypdns.errors.ServerError),
    ],
)
def test_pypdns_understands_the_faults_of_the_cof_server(code: int, error: type[Exception]) -> None:
    with CofServer() as server:
        server.fault = faults.status(code)
        with pytest.raises(error):
            records(client(server), "198.51.100.7")


def test_pypdns_is_refused_with_a_wrong_password() -> None:
    with CofServer(login=("jane", "pw")) as server, pytest.raises(pypdns.errors.UnauthorizedError):
        records(client(server, login=("jane", "wrong")), "198.51.100.7")


@pytest.fixture
def partner() -> Iterator[circl.Server]:
    with circl.Server([Seen(name, "198.51.100.7") for name in NAMES]) as server:
        yield server


def of_partner(server: circl.Server) -> pypdns.PyPDNS:
    return client(server, "/pdns", login=(circl.USER, circl.PASSWORD), quiet=True)


def test_pypdns_pages_through_circl_and_makes_it_resolve_nothing(partner: circl.Server) -> None:
    found = [record.rrname for record in of_partner(partner).iter_query("198.51.100.7", filter_rrtype="A")]
    assert sorted(found) == sorted(NAMES)
    assert len(partner.calls) == 3
    assert partner.resolved == []


def test_pypdns_that_is_not_told_to_be_quiet_makes_circl_resolve(partner: circl.Server) -> None:
    records(client(partner, "/pdns", login=(circl.USER, circl.PASSWORD)), "k3xq.example.net")
    assert partner.resolved == ["k3xq.example.net"]


def test_pypdns_filters_by_type(partner: circl.Server) -> None:
    partner.rows = [cof.row("front.example.com", NAMES[0], rrtype="CNAME")]
    found, _ = of_partner(partner)._query(NAMES[0], filter_rrtype="CNAME")
    assert [record["rrname"] for record in found] == ["front.example.com"]
    assert len(records(of_partner(partner), NAMES[0])) == 2


def test_pypdns_is_told_what_circl_left_out(partner: circl.Server) -> None:
    partner.reach = 100
    found, errors = of_partner(partner).rfc_query("198.51.100.7", with_errors=True)
    assert len(found) == 100
    assert errors == {"error": "maxset", "maxset": 100, "total_value": 120}


def test_pypdns_cannot_read_numbers_as_texts(partner: circl.Server) -> None:
    partner.turned = True
    with pytest.raises(pypdns.errors.PDNSRecordTypeError):
        records(of_partner(partner), "198.51.100.7")


def test_pypdns_is_refused_by_circl_with_a_wrong_password(partner: circl.Server) -> None:
    with pytest.raises(pypdns.errors.UnauthorizedError):
        records(client(partner, "/pdns", login=(circl.USER, "wrong")), "198.51.100.7")


def vendor(server: DnsdbServer, key: str = "k") -> dnsdb2.Client:
    return dnsdb2.Client(key, server=server.url)


def found_by(server: DnsdbServer, value: str, **more: object) -> list[str]:
    return [row["rrname"] for row in vendor(server).lookup_rdata_ip(value, **more)]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("198.51.100.0/24", ["a.example.net.", "b.example.net."]),
        ("198.51.100.7", ["a.example.net."]),
        ("198.51.100.8-198.51.101.0", ["b.example.net.", "c.example.net."]),
        ("2001:db8::/32", ["six.example.net."]),
        ("203.0.113.0/24", []),
    ],
)
def test_dnsdb2_reads_addresses_netblocks_and_ranges_from_the_dnsdb_server(value: str, names: list[str]) -> None:
    rows = [
        dnsdb.row("a.example.net", "198.51.100.7"),
        dnsdb.row("b.example.net", "198.51.100.255"),
        dnsdb.row("c.example.net", "198.51.101.0"),
        dnsdb.row("six.example.net", "2001:db8::7"),
    ]
    with DnsdbServer(rows) as server:
        assert found_by(server, value) == names


def test_dnsdb2_fences_by_time_in_seconds_and_relative_to_now() -> None:
    rows = [dnsdb.row(name, "198.51.100.7", 100, last) for name, last in (("old.example", 1000), ("new.example", 2000))]
    with DnsdbServer(rows, now=2500) as server:
        assert found_by(server, "198.51.100.7", time_last_after=1500) == ["new.example."]
        assert found_by(server, "198.51.100.7", time_last_after=-1000) == ["new.example."]
        assert found_by(server, "198.51.100.7", time_last_before=1500) == ["old.example."]


def test_dnsdb2_finds_the_moment_of_a_fence_within_it() -> None:
    with DnsdbServer([dnsdb.row("a.example", "198.51.100.7", 100, 1000)]) as server:
        for fence in ("time_first_after", "time_first_before"):
            assert found_by(server, "198.51.100.7", **{fence: 100}) == ["a.example."]
        for fence in ("time_last_after", "time_last_before"):
            assert found_by(server, "198.51.100.7", **{fence: 1000}) == ["a.example."]


def test_dnsdb2_reads_the_names_that_point_at_a_name() -> None:
    rows = [dnsdb.alias("front.example.com", "cdn.example.org"), dnsdb.row("cdn.example.org", "198.51.100.7")]
    with DnsdbServer(rows) as server:
        for name in ("cdn.example.org", "cdn.example.org."):
            assert [row["rrname"] for row in vendor(server).lookup_rdata_name(name, "CNAME")] == ["front.example.com."]
        assert list(vendor(server).lookup_rdata_name("cdn.example.org", "NS")) == []


def test_dnsdb2_is_told_that_an_answer_was_limited() -> None:
    with DnsdbServer([dnsdb.row(name, "198.51.100.7") for name in NAMES], results_max=100) as server:
        assert len(found_by(server, "198.51.100.7", ignore_limited=True, limit=0)) == 100
        with pytest.raises(dnsdb2.QueryLimited):
            found_by(server, "198.51.100.7")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"cond":"begin"}\n', dnsdb2.QueryTruncated),
        (b'{"cond":"failed","msg":"Processing timeout"}\n', dnsdb2.QueryFailed),
        (b'{"cond":"what"}\n', dnsdb2.ProtocolError),
    ],
)
def test_dnsdb2_tells_broken_frames_apart(body: bytes, error: type[Exception]) -> None:
    with DnsdbServer() as server:
        server.answers["198.51.100.7"] = body
        with pytest.raises(error):
            found_by(server, "198.51.100.7")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, dnsdb2.AccessDenied),
        (403, dnsdb2.AccessDenied),
        (416, dnsdb2.OffsetError),
        (429, dnsdb2.QuotaExceeded),
        (503, dnsdb2.ConcurrencyExceeded),
    ],
)
def test_dnsdb2_understands_the_faults_of_the_dnsdb_server(code: int, error: type[Exception]) -> None:
    with DnsdbServer() as server:
        server.fault = faults.status(code)
        with pytest.raises(error):
            found_by(server, "198.51.100.7")


def test_dnsdb2_is_refused_with_a_wrong_key_and_an_offset() -> None:
    with DnsdbServer() as server:
        with pytest.raises(dnsdb2.AccessDenied):
            list(vendor(server, "wrong").lookup_rdata_ip("198.51.100.7"))
        with pytest.raises(dnsdb2.OffsetError):
            found_by(server, "198.51.100.7", offset=10)


def test_dnsdb2_reads_the_quota_and_pings() -> None:
    with DnsdbServer() as server:
        found_by(server, "198.51.100.7")
        assert vendor(server).rate_limit()["rate"]["remaining"] == 999
        assert vendor(server).ping()


@pytest.mark.parametrize(
    ("quota", "error"),
    [
        (Quota("day", 1), dnsdb2.QuotaExceeded),
        (Quota("block", 1), dnsdb2.QuotaExceeded),
        (Quota("block", 9, moment=1), dnsdb2.AccessDenied),
        (Quota("unlimited", burst=(1, 60)), dnsdb2.QuotaExceeded),
    ],
)
def test_dnsdb2_is_refused_when_a_quota_is_spent_or_has_expired(quota: Quota, error: type[Exception]) -> None:
    with DnsdbServer() as server:
        server.quota = quota
        if quota.moment != 1:
            found_by(server, "198.51.100.7")
        with pytest.raises(error):
            found_by(server, "198.51.100.7")
        assert set(vendor(server).rate_limit()["rate"]) >= {"limit", "remaining", "reset", "results_max"}


# -- dnsdbq, the vendor's own program -----------------------------------------------------------------------------------


def dnsdbq(server: DnsdbServer, *more: str, key: str = "k") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DNSDB_SERVER": f"{server.url}/dnsdb/v2", "DNSDB_API_KEY": key}
    command = [need_tool("dnsdbq", "dnsdbq"), "-u", "dnsdb2", *more]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)


def rows_of(answer: subprocess.CompletedProcess[str]) -> list[Mapping[str, object]]:
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_dnsdbq_reads_a_netblock() -> None:
    with dnsdb.Server([Seen(name, "198.51.100.7") for name in NAMES]) as server:
        answer = dnsdbq(server, "-j", "-i", "198.51.100.0/24", key=KEY)
    assert sorted(str(row["rrname"]) for row in rows_of(answer)) == sorted(f"{name}." for name in NAMES)
    assert answer.stderr == ""


def test_dnsdbq_fences_by_time() -> None:
    rows = [dnsdb.row(name, "198.51.100.7", 100, last) for name, last in (("old.example", 1000), ("new.example", 2000))]
    with DnsdbServer(rows) as server:
        answer = dnsdbq(server, "-j", "-i", "198.51.100.7", "-A", "1970-01-01 00:25:00")
    assert [row["rrname"] for row in rows_of(answer)] == ["new.example."]


def test_dnsdbq_reads_the_names_that_point_at_a_name() -> None:
    with DnsdbServer([dnsdb.alias("front.example.com", "cdn.example.org")]) as server:
        answer = dnsdbq(server, "-j", "-n", "cdn.example.org/CNAME")
    assert [(row["rrname"], row["rdata"]) for row in rows_of(answer)] == [("front.example.com.", ["cdn.example.org."])]


def test_dnsdbq_shows_the_quotas_of_a_key() -> None:
    with DnsdbServer() as server:
        server.quota = Quota("block", 600, 1_855_370_914, burst=(10, 300))
        shown = dnsdbq(server, "-I", "-p", "text").stdout
    for line in (
        "reset: n/a",
        "expires: 2028-10-17 04:48:34",
        "limit: 600",
        "remaining: 600",
        "burst rate: 10 per 5 minutes",
    ):
        assert line in shown


def test_dnsdbq_says_that_an_answer_was_cut_off_or_refused() -> None:
    with DnsdbServer() as server:
        server.answers["198.51.100.7"] = b'{"cond":"begin"}\n'
        assert "No SAF terminator" in dnsdbq(server, "-j", "-i", "198.51.100.7").stderr
        assert "Error: no permission" in dnsdbq(server, "-j", "-i", "198.51.100.7", key="wrong").stderr
