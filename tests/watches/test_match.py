"""The matcher finds what a look at every netblock and every label would find."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.model import LabelPattern, Match, NamePattern, Observation, Watch
from feedsvc.names import Address, Netblock, encode_labels, parse_netblock
from feedsvc.watches.match import Matcher

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


def watch(number: int | str, *netblocks: str, names: NamePattern | None = None) -> Watch:
    return Watch(id=f"w{number}", title="t", netblocks=tuple(parse_netblock(text) for text in netblocks), names=names)


def seen(name: str, rdata: str, rrtype: str = "A") -> Observation:
    return Observation(name, rrtype, rdata)


def fits(pattern: NamePattern, name: str) -> bool:
    return Matcher([watch(1, "198.51.100.0/24", names=pattern)]).fits("w1", name)


# -- netblocks ---------------------------------------------------------------------------------------------------------


def test_a_name_that_points_into_a_netblock_is_matched() -> None:
    inside = seen("k3xq.example.net", "198.51.100.7")
    outside = seen("k3xq.example.net", "198.51.101.7")
    assert Matcher([watch(1, "198.51.100.0/24")]).match([outside, inside]) == [Match("w1", "198.51.100.0/24", inside)]


def test_only_addresses_are_looked_at() -> None:
    rows = [seen("a.example.net", "198.51.100.7", rrtype) for rrtype in ("TXT", "CNAME", "PTR", "a", "")]
    rows += [
        seen("a.example.net", rdata)
        for rdata in ("b.example.net", "", "198.51.100", "198.51.100.7 ", "198.51.100.007", "é\x00")
    ]
    assert Matcher([watch(1, "198.51.100.0/24")]).match(rows) == []


def test_each_watch_matches_once_through_the_first_of_its_netblocks_that_holds_the_address() -> None:
    row = seen("a.example.net", "198.51.100.7")
    watches = [
        watch(1, "203.0.113.0/24", "198.51.100.0/25", "198.51.100.0/24", "198.51.100.7"),
        watch(2, "198.51.100.8"),
        watch(3, "198.51.100.0-198.51.100.9", "198.51.100.0/25"),
    ]
    expected = [Match("w1", "198.51.100.0/25", row), Match("w3", "198.51.100.0-198.51.100.9", row)]
    assert Matcher(watches).match([row]) == expected
    assert [match.watch for match in Matcher(watches[::-1]).match([row])] == ["w3", "w1"]


def test_of_the_names_in_a_netblock_those_match_that_fit_each_watch() -> None:
    four = NamePattern(label=LabelPattern("leftmost", 4, 4, LETTERS))
    net = NamePattern(under=("example.net",))
    matcher = Matcher([watch(1, "198.51.100.0/24", names=four), watch(2, "198.51.100.0/24", names=net)])
    rows = [
        seen(name, "198.51.100.7") for name in ("k3xq.example.net", "k3xq.example.org", "www.example.net", "www.example.org")
    ]
    assert [(match.watch, match.observation.rrname) for match in matcher.match(rows)] == [
        ("w1", "k3xq.example.net"),
        ("w2", "k3xq.example.net"),
        ("w1", "k3xq.example.org"),
        ("w2", "www.example.net"),
    ]


def test_ipv6_is_found_in_any_spelling_and_mapped_ipv4_as_ipv4() -> None:
    matcher = Matcher([watch(4, "198.51.100.0/24"), watch(6, "2001:db8::/48")])
    rows = [
        seen("a.example.net", text, "AAAA")
        for text in ("2001:db8::1", "2001:0DB8:0:0::1", "::ffff:198.51.100.7", "2001:db9::1")
    ]
    assert [match.watch for match in matcher.match(rows)] == ["w6", "w6", "w4"]


def test_netblocks_of_all_watches_are_listed_once() -> None:
    matcher = Matcher([watch(1, "198.51.100.0/24", "2001:db8::/48"), watch(2, "198.51.100.0/24", "203.0.113.1")])
    assert [str(block) for block in matcher.netblocks] == ["198.51.100.0/24", "2001:db8::/48", "203.0.113.1/32"]
    assert list(matcher.watches) == ["w1", "w2"]


def test_no_watch_matches_nothing() -> None:
    matcher = Matcher([])
    assert (matcher.match([seen("a.example.net", "198.51.100.7")]), matcher.netblocks, dict(matcher.watches)) == ([], (), {})


def test_any_number_of_addresses_leaves_no_more_behind_than_the_matcher_chooses_to_remember() -> None:
    matcher = Matcher([watch(1, "10.0.0.0/8")])
    rows = (seen("a.example.net", f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(200_000))
    assert matcher.match(rows) == []
    assert matcher._hits.cache_info().currsize <= 65536


def addresses(version: int) -> st.SearchStrategy[int]:
    """Values close to each other, so that netblocks nest, touch and overlap."""
    base = 0xC6336400 if version == 4 else 0x20010DB8 << 96
    return st.integers(0, 600).map(lambda offset: base + offset)


@st.composite
def netblocks(draw: st.DrawFn) -> Netblock:
    version = draw(st.sampled_from([4, 6]))
    if draw(st.booleans()):
        first, last = sorted([draw(addresses(version)), draw(addresses(version))])
        return Netblock(version, first, last)
    bits = draw(st.integers(0, 10))
    first = draw(addresses(version)) >> bits << bits
    return Netblock(version, first, first + (1 << bits) - 1)


def by_hand(watches: Sequence[Watch], rows: Sequence[Observation]) -> list[Match]:
    """What a plain look at every netblock finds, with another library's idea of an address."""
    found = []
    for row in rows:
        address = ipaddress.ip_address(row.rdata)
        for asked in watches:
            held = [b for b in asked.netblocks if b.version == address.version and b.first <= int(address) <= b.last]
            found += [Match(asked.id, str(held[0]), row)] if held else []
    return found


@given(
    st.lists(st.lists(netblocks(), min_size=1, max_size=6), max_size=8),
    st.lists(addresses(4).map(ipaddress.IPv4Address) | addresses(6).map(ipaddress.IPv6Address), max_size=20),
)
def test_any_netblocks_are_matched_as_by_hand(blocks: list[list[Netblock]], asked: list[object]) -> None:
    watches = [Watch(id=f"w{number}", title="t", netblocks=tuple(some)) for number, some in enumerate(blocks)]
    rows = [seen("a.example.net", str(address)) for address in asked]
    assert Matcher(watches).match(rows) == by_hand(watches, rows)


def _any_netblock(random: Random) -> Netblock:
    version, base = random.choice([(4, 0xC6000000), (6, 0x20010DB8 << 96)])
    width = 1 << random.choice([0, 1, 4, 8, 12, 16])
    first = base + random.randrange(1 << 17) // width * width
    last = first + (width - 1 if random.random() < 0.7 else random.randrange(1 << 14))
    return Netblock(version, first, last)


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_netblocks_that_nest_touch_and_overlap_are_matched_as_by_hand(seed: int) -> None:
    random = Random(seed)
    blocks = [_any_netblock(random) for _ in range(1000)]
    watches = [Watch(id=f"w{number}", title="t", netblocks=tuple(blocks[number::100])) for number in range(100)]
    borders = [(b.version, value) for b in random.sample(blocks, 60) for value in (b.first - 1, b.first, b.last, b.last + 1)]
    rows = [seen("a.example.net", str(Address(version, value))) for version, value in borders]
    found = Matcher(watches).match(rows)
    assert found == by_hand(watches, rows)
    assert len(found) > len(rows)


# -- names -------------------------------------------------------------------------------------------------------------


def test_without_names_every_name_fits() -> None:
    matcher = Matcher([watch(1, "198.51.100.0/24")])
    assert matcher.fits("w1", "k3xq.example.net")
    assert matcher.fits("w1", r"\000\.\\")


def test_a_watch_that_is_not_there_is_no_silent_no() -> None:
    with pytest.raises(KeyError):
        Matcher([]).fits("w1", "example.net")


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (
            LabelPattern("leftmost", 4, 4, LETTERS),
            "k3xq.example.net k3xq.a.b.example.net mail.co.uk k3xq",
            "www.example.net k3xqz.example.net k-3x.example.net k_3x.example.net",
        ),
        (LabelPattern("leftmost", 2, 3), "ab.example.net abc.example.net", "a.example.net abcd.example.net"),
        (
            LabelPattern("registrable", 4, 4, LETTERS),
            "www.k3xq.net k3xq.co.uk a.k3xq.github.io",
            "k3xq.example.net co.uk net k3xq.unknowntld",
        ),
        (
            LabelPattern("any", 4, 4, LETTERS),
            "k3xq.www.example.net www.k3xq.example.net a.k3xq.net k3xq.co.uk k3xq.unknowntld",
            "www.example.net www.example.info www.unknown.tldd net",
        ),
    ],
    ids=["leftmost", "length", "registrable", "any"],
)
def test_a_label_is_looked_for_at_its_position(pattern: LabelPattern, yes: str, no: str) -> None:
    names = NamePattern(label=pattern)
    assert [name for name in yes.split() if not fits(names, name)] == []
    assert [name for name in no.split() if fits(names, name)] == []


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (
            NamePattern(under=("example.net", "example.org")),
            "example.net a.example.net b.a.example.org",
            "xexample.net example.net.a.com net",
        ),
        (
            NamePattern(not_under=("example.net", "a.example.org")),
            "example.org b.example.org xexample.net",
            "example.net x.example.net x.a.example.org",
        ),
        (
            NamePattern(under=("example.net",), not_under=("www.example.net",)),
            "a.example.net",
            "www.example.net a.www.example.net example.org",
        ),
        (NamePattern(regex="k[0-9]"), "k3.example.net ak3.example.net example.k3", "kx.example.net"),
        (NamePattern(regex=r"^[a-z]{2}\d\."), "ab3.example.net", "xab3.example.net ab33.example.net"),
        (NamePattern(regex=r"EXAMPLE\.(net|org)$"), "a.example.net", "a.example.com example.net.a"),
        (
            NamePattern(label=LabelPattern(max_length=4), regex="^k", under=("example.net",)),
            "k3xq.example.net",
            "a3xq.example.net k3xq.example.org k3xqz.example.net",
        ),
        (NamePattern(siblings="random"), "www.example.net k3xq.example.net", ""),
    ],
    ids=["under", "not under", "both", "regex", "anchored", "case", "all", "siblings"],
)
def test_all_that_is_given_must_hold(pattern: NamePattern, yes: str, no: str) -> None:
    assert [name for name in yes.split() if not fits(pattern, name)] == []
    assert [name for name in no.split() if fits(pattern, name)] == []


@pytest.mark.parametrize(
    ("labels", "pattern", "expected"),
    [
        # A dot inside a label ends no label.
        ([b"x.example", b"net"], NamePattern(under=("example.net",)), False),
        ([b"x", b"example", b"net"], NamePattern(under=("example.net",)), True),
        ([b"x.bank", b"net"], NamePattern(not_under=("bank.net",)), True),
        ([b"k3xq.a", b"example", b"net"], NamePattern(label=LabelPattern("leftmost", 4, 4)), False),
        ([b"a.k3xq", b"net"], NamePattern(label=LabelPattern("registrable", 4, 4)), False),
        ([b"a.k3xq", b"b", b"net"], NamePattern(label=LabelPattern("any", 4, 4)), False),
        ([b"x.example", b"net"], NamePattern(regex=r"\.example\.net$"), False),
        ([b"x.example", b"net"], NamePattern(regex=r"x\.example"), False),
        ([b"x\\", b"example", b"net"], NamePattern(under=("example.net",)), True),
        ([b"x\\", b"example", b"net"], NamePattern(regex=r"\.example\.net$"), True),
        # An escape is one letter, and one of no alphabet.
        ([b"k3 q", b"example", b"net"], NamePattern(label=LabelPattern("leftmost", 4, 4)), True),
        ([b"\x00\xff\n ", b"example", b"net"], NamePattern(label=LabelPattern("leftmost", 4, 4)), True),
        ([b"k3 q", b"example", b"net"], NamePattern(label=LabelPattern("leftmost", 4, 4, LETTERS)), False),
        ([b" 32", b"example", b"net"], NamePattern(label=LabelPattern("leftmost", 1, 63, LETTERS | {"\\"})), False),
        ([b"\x00", b"example", b"net"], NamePattern(regex="^000"), False),
        ([b"\x00", b"example", b"net"], NamePattern(regex=r"\\"), False),
        ([b"\x00", b"example", b"net"], NamePattern(regex=r"^.\.example"), True),
        ([b"*", b"example", b"net"], NamePattern(label=LabelPattern("leftmost", 1, 1, LETTERS)), False),
    ],
)
def test_odd_bytes_fool_no_pattern(labels: list[bytes], pattern: NamePattern, expected: bool) -> None:
    assert fits(pattern, encode_labels(labels)) is expected


def test_a_regex_that_takes_others_for_ever_takes_linear_time() -> None:
    # Python's own engine would not come back from this within a lifetime; the timeout of the test is the judge.
    name = ".".join(["a" * 63] * 3 + ["a" * 50 + "b"])
    assert not fits(NamePattern(regex="^([a.]|[a.][a.])*$"), name)


LABEL = st.binary(min_size=1, max_size=6) | st.sampled_from(
    [b"www", b"k3xq", b"a.b", b"\\", b"example", b"co", b"uk", b"net", b"com"]
)


@given(
    st.lists(LABEL, min_size=1, max_size=5),
    st.integers(1, 6),
    st.integers(0, 3),
    st.none() | st.frozensets(st.sampled_from("abk3xqw-"), min_size=1),
)
def test_the_first_label_is_judged_by_its_bytes(
    labels: list[bytes], low: int, more: int, alphabet: frozenset[str] | None
) -> None:
    first = labels[0].lower()
    expected = low <= len(first) <= low + more and (alphabet is None or all(chr(byte) in alphabet for byte in first))
    pattern = NamePattern(label=LabelPattern("leftmost", low, low + more, alphabet))
    assert fits(pattern, encode_labels(labels)) is expected


@given(
    st.lists(LABEL, min_size=1, max_size=5),
    st.lists(st.sampled_from(["example", "net", "com", "co", "uk"]), min_size=1, max_size=3),
)
def test_a_suffix_is_judged_by_labels(labels: list[bytes], suffix: list[str]) -> None:
    tail = [label.lower() for label in labels[-len(suffix) :]]
    expected = tail == [label.encode() for label in suffix]
    name, parent = encode_labels(labels), ".".join(suffix)
    assert fits(NamePattern(under=(parent,)), name) is expected
    assert fits(NamePattern(not_under=(parent,)), name) is not expected


@given(
    st.from_regex(r"([a-d]{1,3}\.){1,3}[a-d]{2}", fullmatch=True),
    st.sampled_from(["a", "^a", "b$", r"\.c", "[ab]{2}", r"^[a-c]+\.", "(ab|cd)+", r"^.{3}\.", r"^a?b*\."]),
)
def test_a_regex_finds_what_others_find(name: str, regex: str) -> None:
    assert fits(NamePattern(regex=regex), name) is bool(re.search(regex, name))
