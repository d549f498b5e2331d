"""Names and clients as name servers write them into lines of text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import NameRefused
from feedsvc.names import parse_name
from feedsvc.sources import spellings
from feedsvc.sources.readings import Unreadable
from feedsvc.sources.records import is_name


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        (b"K3xq.Example.net.", "k3xq.example.net"),
        (rb"odd\032name.example.com", r"odd\032name.example.com"),
        ("bücher.example.net".encode(), "xn--bcher-kva.example.net"),
        (b".", ""),
        (b"198.51.100.7", ""),
        (b"2001:db8::7", ""),
    ],
)
def test_a_name_is_canonical_and_what_is_none_to_look_for_is_nothing(spelt: bytes, name: str) -> None:
    assert spellings.name_of(spelt) == spellings.question(spelt) == name


@pytest.mark.parametrize("spelt", [b"", b"a..b", b"\xff.example.net", b"x" * 64, b"a." * 200])
def test_what_is_no_name_is_refused(spelt: bytes) -> None:
    with pytest.raises(NameRefused):
        spellings.name_of(spelt)


def test_a_question_for_what_is_no_name_cannot_be_read() -> None:
    with pytest.raises(Unreadable, match="query is no name: empty label"):
        spellings.question(b"a..b")


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda label: b"." not in label), min_size=1, max_size=5))
def test_octets_are_what_stood_on_the_wire(labels: list[bytes]) -> None:
    name = parse_name(".".join("".join(f"\\{byte:03d}" for byte in label) for label in labels))
    assert spellings.name_of_octets(b".".join(labels)) == (name if is_name(name) else "")


@pytest.mark.parametrize(
    ("spelt", "client"),
    [
        (b"10.0.0.1", "10.0.0.1"),
        (b"::ffff:10.0.0.1", "10.0.0.1"),
        (b"2001:DB8:0::1", "2001:db8::1"),
        (b"fe80::1%eth0", "fe80::1"),
        (b"pc-17.example.com", "pc-17.example.com"),
        (b"100%sure", "100%sure"),
        (b"a\x1b[2J", r"a\x1b[2J"),
        (b"-", None),
        (b"", None),
        (b"x" * 256, None),
    ],
)
def test_a_client_is_an_address_or_what_the_log_calls_it(spelt: bytes, client: str | None) -> None:
    assert spellings.client(spelt) == client


@pytest.mark.parametrize("word", [b"added", b"face", b"dead.beef", b"a:b:c:d:e:f:example", b"1.2.3.4.5.6.7.8.9"])
def test_no_word_looks_like_an_address(word: bytes) -> None:
    assert re.fullmatch(spellings.ADDRESS, word) is None


@pytest.mark.parametrize("word", [b"198.51.100.7", b"::", b"::1", b"2001:db8::198.51.100.7", b"fe80::1%wlan0.5"])
def test_every_address_does(word: bytes) -> None:
    assert re.fullmatch(spellings.ADDRESS, word) is not None
