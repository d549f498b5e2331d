"""The stand-ins are read by clients that others wrote: what they say is what a real server says."""

from __future__ import annotations

import dnsdb2
import pypdns
import pytest

from tests.standins import cof, dnsdb, faults
from tests.standins.cof import CofServer
from tests.standins.dnsdb import DnsdbServer

NAMES = [f"n{number}.example.net" for number in range(120)]


def circl(server: CofServer, *, login: tuple[str, str] | None = None, quiet: bool = False) -> pypdns.PyPDNS:
    """CIRCL's own client, without the cache that it would keep on disk."""
    return pypdns.PyPDNS(url=f"{server.url}/query", basic_auth=login, disable_active_query=quiet, enable_cache=False)


def records(client: pypdns.PyPDNS, asked: str) -> list[pypdns.PDNSRecord]:
    return client.rfc_query(asked, with_errors=False)


def test_pypdns_reads_rows_by_address_from_the_cof_server() -> None:
    with CofServer([cof.row("k3xq.example.net", "198.51.100.7", count=3)], login=("jane", "pw")) as server:
        (record,) = records(circl(server, login=("jane", "pw")), "198.51.100.7")
    assert (record.rrname, record.rrtype, record.rdata, record.count) == ("k3xq.example.net", "A", "198.51.100.7", 3)
    assert record.time_first_datetime.timestamp() == 1_700_000_000


def test_pypdns_pages_through_the_cof_server() -> None:
    with CofServer([cof.row(name, "198.51.100.7") for name in NAMES]) as server:
        found = [record.rrname for record in circl(server).iter_query("198.51.100.7")]
        assert len(server.calls) == 3
    assert found == NAMES


def test_pypdns_finds_nothing_about_a_netblock_as_with_d4() -> None:
    with CofServer([cof.row("k3xq.example.net", "198.51.100.7")]) as server:
        assert records(circl(server), "198.51.100.0/24") == []


def test_pypdns_may_forbid_the_cof_server_to_resolve() -> None:
    with CofServer() as server:
        records(circl(server, quiet=True), "198.51.100.7")
        assert server.resolved == []
        records(circl(server), "198.51.100.7")
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
            records(circl(server), "198.51.100.7")


def test_pypdns_is_refused_with_a_wrong_password() -> None:
    with CofServer(login=("jane", "pw")) as server, pytest.raises(pypdns.errors.UnauthorizedError):
        records(circl(server, login=("jane", "wrong")), "198.51.100.7")


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
        vendor(server).ping()
