"""Names, addresses, clients and hosts out of octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import NameRefused
from feedsvc.names import parse_name
from feedsvc.sources.readings import address_of, client_of, host_of, is_for_proxy, name_of


@pytest.mark.parametrize(
    ("octets", "host"),
    [
        (b"K3XQ.example.net", "k3xq.example.net"),
        (b"k3xq.example.net.:8080", "k3xq.example.net"),
        (b"k3xq.example.net:", "k3xq.example.net"),
        (b"k3xq:80.example.net", r"k3xq\05880.example.net"),
        (b"198.51.100.7", None),
        (b"198.51.100.7.:80", None),
        (b"2001:db8::7", None),
        (b"[2001:db8::7]:443", None),
        (b"[fe80::7%25eth0]", None),
        (b"[k3xq]", r"\091k3xq\093"),
        (b"", None),
        (b".", None),
        (b":80", None),
    ],
)
def test_a_host_is_a_name_without_its_port_and_no_address(octets: bytes, host: str | None) -> None:
    assert host_of(octets) == host


@pytest.mark.parametrize("octets", [b"..", b"a..b", b"x" * 64, b"x" * 300, b".example.net"])
def test_a_host_that_is_no_name_is_refused(octets: bytes) -> None:
    with pytest.raises(NameRefused):
        host_of(octets)


@pytest.mark.parametrize(
    ("method", "target", "proxy"),
    [
        (b"CONNECT", b"", True),
        (b"", b"k3xq.example.net:443", True),
        (b"GET", b"http://k3xq.example.net/", True),
        (b"GET", b"/go?to=http://k3xq.example.net:80", False),
        (b"OPTIONS", b"*", False),
        (b"", b"", False),
        (b"GET", b"?a:80", False),
        (b"GET", b"index.html", False),
    ],
)
def test_a_request_for_a_whole_url_is_for_a_proxy(method: bytes, target: bytes, proxy: bool) -> None:
    assert is_for_proxy(method, target) is proxy


def test_a_client_is_an_address_or_what_the_log_calls_it_and_never_long() -> None:
    assert client_of(b"::FFFF:10.0.0.1") == "10.0.0.1"
    assert client_of(b"host-17") == "host-17"
    assert client_of(b"") is None
    assert client_of(b"a\n\x1b[2J") == r"a\n\x1b[2J"
    assert len(client_of(b"x" * 100_000) or "") == 255


def test_what_is_longer_than_any_address_is_none() -> None:
    assert address_of(b"0000:0000:0000:0000:0000:ffff:255.255.255.255") is not None
    assert address_of(b"0" * 100_000 + b"::1") is None


@given(st.binary(max_size=70))
def test_octets_are_a_canonical_name_or_refused(octets: bytes) -> None:
    try:
        name = name_of(octets)
    except NameRefused:
        return
    assert parse_name(name) == name
