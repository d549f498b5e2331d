"""What Sysmon writes of answers: whose the addresses are, and what deceives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.names import parse_address
from feedsvc.sources.sysmon_results import CUT, read

LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join((*labels, "example")))
IPV4 = st.integers(0, 2**32 - 1).map(lambda value: str(parse_address(".".join(map(str, value.to_bytes(4))))))
IPV6 = st.ip_addresses(v=6).map(str).filter(lambda text: not text.startswith("::ffff:"))


@pytest.mark.parametrize(
    ("results", "addresses", "chain"),
    [
        ("::ffff:140.82.113.3;", ["140.82.113.3"], ()),
        ("10.23.42.38;", ["10.23.42.38"], ()),
        ("::FFFF:140.82.113.3;", ["140.82.113.3"], ()),
        ("type:  5 github.map.fastly.net;::ffff:151.101.248.133;", ["151.101.248.133"], ("github.map.fastly.net",)),
        ("type: 5 A.Example.;type:5 b.example;72.21.81.200;", ["72.21.81.200"], ("a.example", "b.example")),
        ("::1;::ffff:192.168.1.251;", ["::1", "192.168.1.251"], ()),
        ("2603:1030:b:1::1f;", ["2603:1030:b:1::1f"], ()),
        ("fe80::1c2d%12;::ffff:10.0.0.5;", ["fe80::1c2d", "10.0.0.5"], ()),
        ("::ffff:198.51.100.7;::ffff:198.51.100.7;", ["198.51.100.7"], ()),
        ("type:  5 a.example;type:  5 a.example;198.51.100.7;", ["198.51.100.7"], ("a.example",)),
        ("type:  1 198.51.100.7;type: 28 2001:db8::1;", ["198.51.100.7"], ()),
        ("-", [], ()),
        ("", [], ()),
        (";", [], ()),
        ("type:  12 198.51.100.7;", [], ()),
        ("type:  6 ns1.example admin.example 1 900 600 86400 3600;", [], ()),
        ("type:  16 v=spf1 ip4:198.51.100.7;", [], ()),
        ("type:  65 ;", [], ()),
        ("type:  5 bücher.example;198.51.100.7;", ["198.51.100.7"], ("xn--bcher-kva.example",)),
        ("type:  5 .;198.51.100.7;", ["198.51.100.7"], ()),
        ("type:  5 192.0.2.1;198.51.100.7;", ["198.51.100.7"], ()),
    ],
)
def test_answers_are_read(results: str, addresses: list[str], chain: tuple[str, ...]) -> None:
    found = read(results)
    assert ([str(address) for address in found.addresses], found.chain, found.faults) == (addresses, chain, ())


@pytest.mark.parametrize(
    ("results", "addresses"),
    [
        # As Windows writes them: answers, then the name servers of the zone.
        (
            "type:  5 www-env.dropbox-dns.com;::ffff:162.125.81.15;198.51.44.6;2620:4d:4000::1;198.51.45.6;2a00:edc0::2;",
            ["162.125.81.15"],
        ),
        ("::ffff:93.184.216.34;199.43.135.53;2001:500:8f::53;199.43.133.53;2001:500:8d::53;", ["93.184.216.34"]),
        ("2606:2800::1;::ffff:93.184.216.34;199.43.135.53;", ["2606:2800::1", "93.184.216.34"]),
        ("::ffff:93.184.216.34;2606:2800::1;", ["93.184.216.34", "2606:2800::1"]),
        ("2606:2800::1;199.43.135.53;2001:500:8f::53;", ["2606:2800::1"]),
    ],
)
def test_the_addresses_of_name_servers_are_left_out(results: str, addresses: list[str]) -> None:
    assert [str(address) for address in read(results).addresses] == addresses


@pytest.mark.parametrize(
    ("results", "fault"),
    [
        # A CNAME whose target is `www.example.org;198.51.100.7;type:  5 x.example.net`.
        (
            "type:  5 www.example.org;198.51.100.7;type:  5 x.example.net;192.0.2.1;",
            "answers in which a name stands behind addresses",
        ),
        ("type:  5 www.example.org;198.51.100.7;x.example.net;", "answers in which something is neither name nor address"),
        ("198.51.100.7.;", "answers in which something is neither name nor address"),
        ("198.51.100.007;", "answers in which something is neither name nor address"),
        ("type:  1 www.example.org;198.51.100.7;", "answers in which something is neither name nor address"),
    ],
)
def test_answers_that_may_be_something_else_are_not_believed(results: str, fault: str) -> None:
    found = read(results)
    assert (found.addresses, found.chain, found.faults) == ((), (), (fault,))


def test_what_follows_a_text_is_left_out_and_told() -> None:
    found = read("type:  5 a.example;type:  16 v=spf1;198.51.100.7;")
    assert (found.addresses, found.chain) == ((), ("a.example",))
    assert found.faults == ("answers behind a text cannot be told from it",)


def test_a_target_that_is_no_name_costs_no_address() -> None:
    found = read("type:  5 a..b;198.51.100.7;")
    assert ([str(address) for address in found.addresses], found.faults) == (["198.51.100.7"], ("answer is no name",))


class TestCutOff:
    def test_the_last_answer_of_a_long_list_without_its_end_is_left_out(self) -> None:
        whole = "".join(f"::ffff:198.51.100.{number};" for number in range(1, 30))
        assert len(read(whole).addresses) == 29
        assert len(whole) - 3 > CUT
        assert [str(address) for address in read(whole[:-3]).addresses][-1] == "198.51.100.28"

    def test_a_short_list_may_go_without_its_last_semicolon(self) -> None:
        assert [str(address) for address in read("::ffff:192.0.2.1;::ffff:198.51.100.7").addresses][-1] == "198.51.100.7"

    @given(st.lists(IPV4, min_size=15, max_size=60), st.integers(CUT, 2000))
    def test_no_address_comes_out_of_a_part_of_one(self, addresses: list[str], size: int) -> None:
        whole = "".join(f"::ffff:{address};" for address in addresses)
        assert {str(address) for address in read(whole[:size]).addresses} <= {*addresses} or len(whole) < CUT


@given(st.lists(NAMES, max_size=4, unique=True), st.lists(IPV4, max_size=4), st.lists(IPV6, max_size=4), st.booleans())
def test_what_windows_writes_is_read_as_it_was(chain: list[str], ipv4: list[str], ipv6: list[str], mapped: bool) -> None:
    mapped = mapped or bool(ipv6)
    spelt = [*ipv6, *(f"::ffff:{address}" if mapped else address for address in ipv4)]
    text = "".join(f"{part};" for part in (*(f"type:  5 {name}" for name in chain), *spelt))
    found = read(text if len(text) < 4000 else "")
    assert found.chain == tuple(chain)
    assert [str(address) for address in found.addresses] == list(dict.fromkeys((*ipv6, *ipv4)))
    assert found.faults == ()


@given(
    st.text() | st.lists(st.sampled_from(["type:  5 ", "a.example", ";", "::ffff:", "198.51.100.7", " ", "\n"])).map("".join)
)
def test_anything_is_read_as_something(results: str) -> None:
    found = read(results)
    # An address of the answers stands in them, and is not a piece of something else.
    for address in found.addresses:
        assert any(str(address) in part or ":" in part for part in results.split(";"))
