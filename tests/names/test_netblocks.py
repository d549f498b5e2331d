"""Addresses and netblocks as values, and many netblocks asked at once, against a naive look at each."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import NameRefused
from feedsvc.names import Address, Netblock, NetblockMap, is_address, parse_address, parse_netblock

v4 = st.integers(0, 2**32 - 1)
v6 = st.integers(0, 2**128 - 1)
addresses = st.one_of(v4.map(lambda n: Address(4, n)), v6.map(lambda n: parse_address(str(ipaddress.IPv6Address(n)))))


def block(version: int, one: int, two: int) -> Netblock:
    return Netblock(version, min(one, two), max(one, two))


ranges = st.one_of(st.builds(block, st.just(4), v4, v4), st.builds(block, st.just(6), v6, v6))
# A line short enough for netblocks to touch, nest and overlap.
crowded = st.builds(block, st.sampled_from([4, 6]), st.integers(0, 40), st.integers(0, 40))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("::FFFF:C633:6407", "198.51.100.7"),
        ("::198.51.100.7", "::c633:6407"),
        ("::", "::"),
        ("255.255.255.255", "255.255.255.255"),
    ],
)
def test_an_address_has_one_text(text: str, canonical: str) -> None:
    assert str(parse_address(text)) == canonical
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "198.51.100",
        "198.51.100.256",
        "198.51.100.07",
        "198.51.100.7 ",
        "198.51.100.7/32",
        "0x7f.0.0.1",
        "3325256711",
        "\u0661.1.1.1",
        "fe80::1%eth0",
        "[2001:db8::1]",
        "2001:db8::1::",
        "k3xq.example.net",
        "1:" * 10_000,
        "\x00",
        "\ud800:",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(NameRefused, match="no IP address"):
        parse_address(text)


@given(addresses)
def test_an_address_reads_back_from_its_text(address: Address) -> None:
    assert parse_address(str(address)) == address


@given(st.text(max_size=60) | st.text(alphabet="0123456789abcdef:./-% ", max_size=60))
def test_any_text_is_a_netblock_or_refused(text: str) -> None:
    try:
        netblock = parse_netblock(text)
    except NameRefused:
        return
    assert parse_netblock(str(netblock)) == netblock


@pytest.mark.parametrize(
    ("text", "netblock"),
    [
        ("198.51.100.0/24", Netblock(4, 0xC6336400, 0xC63364FF)),
        ("198.51.100.7", Netblock(4, 0xC6336407, 0xC6336407)),
        (" 198.51.100.0/24 ", Netblock(4, 0xC6336400, 0xC63364FF)),
        ("198.51.100.10-198.51.100.20", Netblock(4, 0xC633640A, 0xC6336414)),
        ("198.51.100.10 - 198.51.100.20", Netblock(4, 0xC633640A, 0xC6336414)),
        ("0.0.0.0/0", Netblock(4, 0, 2**32 - 1)),
        ("2001:db8::/126", Netblock(6, 0x20010DB8 << 96, (0x20010DB8 << 96) + 3)),
        ("::/0", Netblock(6, 0, 2**128 - 1)),
        ("::ffff:198.51.100.0/120", Netblock(4, 0xC6336400, 0xC63364FF)),
        ("::ffff:198.51.100.1-::ffff:198.51.100.2", Netblock(4, 0xC6336401, 0xC6336402)),
    ],
)
def test_netblocks_are_read_as_prefix_address_or_range(text: str, netblock: Netblock) -> None:
    assert parse_netblock(text) == netblock


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("198.51.100.7/24", "host bits set; the netblock around it is 198.51.100.0/24"),
        ("2001:db8::7/64", "host bits set; the netblock around it is 2001:db8::/64"),
        ("198.51.100.0/33", "prefix length that is no number from 0 to 32"),
        ("198.51.100.0/255.255.255.0", "prefix length that is no number from 0 to 32"),
        ("198.51.100.0/-1", "no IP address"),
        ("198.51.100.0/", "prefix length that is no number from 0 to 32"),
        ("2001:db8::/129", "prefix length that is no number from 0 to 128"),
        ("198.51.100.20-198.51.100.10", "range whose first address lies above its last"),
        ("198.51.100.20-2001:db8::1", "range from one IP version to the other"),
        ("198.51.100.1-198.51.100.2-198.51.100.3", "no IP address"),
        ("fe80::1%eth0/128", "no IP address"),
        ("example.net", "no IP address"),
        ("", "no IP address"),
    ],
)
def test_what_is_no_netblock_is_refused_and_says_why(text: str, reason: str) -> None:
    with pytest.raises(NameRefused) as refused:
        parse_netblock(text)
    assert str(refused.value) == reason


@given(ranges)
def test_a_netblock_reads_back_from_its_text(netblock: Netblock) -> None:
    assert parse_netblock(str(netblock)) == parse_netblock(
        f"{Address(netblock.version, netblock.first)}-{Address(netblock.version, netblock.last)}"
    )


@given(ranges)
def test_the_prefixes_of_a_netblock_cover_it_exactly(netblock: Netblock) -> None:
    parts = [ipaddress.ip_network(text) for text in netblock.cidrs()]
    assert sum(part.num_addresses for part in parts) == netblock.size
    assert int(parts[0][0]) == netblock.first
    assert int(parts[-1][-1]) == netblock.last


def test_the_addresses_of_a_netblock_come_lowest_first() -> None:
    netblock = parse_netblock("198.51.100.254-198.51.101.1")
    listed = [str(address) for address in netblock.addresses()]
    assert listed == ["198.51.100.254", "198.51.100.255", "198.51.101.0", "198.51.101.1"]
    assert all(address in netblock for address in netblock.addresses())


def test_a_netblock_of_one_ip_version_holds_no_address_of_the_other() -> None:
    assert Address(6, 0xC6336407) not in parse_netblock("198.51.100.0/24")


@given(st.lists(crowded, max_size=12), st.sampled_from([4, 6]), st.integers(0, 42))
def test_a_map_of_netblocks_finds_what_a_look_at_each_one_finds(netblocks: list[Netblock], version: int, value: int) -> None:
    address = Address(version, value)
    held = tuple(index for index, netblock in enumerate(netblocks) if address in netblock)
    assert NetblockMap(netblocks).find(address) == held
    assert (address in NetblockMap(netblocks)) == bool(held)


@given(st.lists(ranges, max_size=8), addresses)
def test_a_map_agrees_over_the_whole_address_space_too(netblocks: list[Netblock], address: Address) -> None:
    held = tuple(index for index, netblock in enumerate(netblocks) if address in netblock)
    assert NetblockMap(netblocks).find(address) == held


def test_the_ends_of_the_address_space_are_found() -> None:
    everything = NetblockMap([parse_netblock("0.0.0.0/0"), parse_netblock("::/0")])
    assert everything.find(Address(4, 2**32 - 1)) == (0,)
    assert everything.find(Address(6, 2**128 - 1)) == (1,)
    assert everything.find(Address(4, 0)) == (0,)
