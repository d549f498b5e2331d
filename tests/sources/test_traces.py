"""What a line must hold: in every spelling of what is sought there is a trace of it."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc import names
from feedsvc.names import Netblock, parse_address, parse_netblock
from feedsvc.sources.traces import (
    FEW,
    JSON,
    MOST,
    PRESENTATION,
    PRESENTATION_IN_JSON,
    ZEEK,
    Escape,
    Trace,
    text_traces,
)
from tests.sources import spelt


def holds(text: bytes, traces: tuple[Trace, ...] | None) -> bool:
    """Whether a text holds one of the traces, by Python's own engine."""
    assert traces is not None
    return any(_pattern(trace).search(text) for trace in traces)


def _pattern(trace: Trace) -> re.Pattern[bytes]:
    text = trace.text if trace.kind == "pattern" else re.escape(trace.text)
    return re.compile(text, re.MULTILINE | (0 if trace.kind == "literal" else re.IGNORECASE))


seeds = st.integers(0, 2**64).map(random.Random)


class TestAddresses:
    @settings(max_examples=2000)
    @given(rng=seeds)
    def test_every_spelling_of_every_address_in_a_netblock_holds_a_trace(self, rng: random.Random) -> None:
        blocks = [spelt.made_netblock(rng) for _ in range(rng.randint(1, FEW + 3))]
        address = spelt.inside(rng, rng.choice(blocks))
        text = spelt.spelling(rng, address)
        assert parse_address(text) == parse_address(str(address))
        assert holds(text.encode(), text_traces(blocks, ()))

    @settings(max_examples=2000)
    @given(rng=seeds)
    def test_so_does_every_spelling_of_an_address_in_an_odd_netblock_or_range(self, rng: random.Random) -> None:
        blocks = spelt.netblocks(rng)
        text = spelt.spelling(rng, spelt.inside(rng, rng.choice(blocks)))
        assert holds(text.encode(), text_traces(blocks, ()))

    @given(rng=seeds)
    @pytest.mark.parametrize(
        ("escape", "way"), [(r"\u{:04x}", JSON), (r"\\u{:04x}", JSON), (r"\x{:02x}", ZEEK), (r"\\x{:02x}", ZEEK)]
    )
    def test_and_one_that_is_spelt_with_escapes(self, rng: random.Random, escape: str, way: Escape) -> None:
        blocks = spelt.netblocks(rng)
        text = spelt.spelling(rng, spelt.inside(rng, rng.choice(blocks)))
        assert holds(spelt.escaped(rng, text, escape, 1).encode(), text_traces(blocks, (), [way]))

    @pytest.mark.parametrize(
        ("netblock", "quads"),
        [
            ("198.51.100.0/24", {b"198.51.100."}),
            ("198.51.100.128/25", {b"198.51.100."}),
            ("198.51.100.7", {b"198.51.100.7"}),
            ("198.51.96.0/20", {b"198.51."}),
            ("198.48.0.0/14", {b"198.48.", b"198.49.", b"198.50.", b"198.51."}),
        ],
    )
    def test_octets_are_those_that_all_addresses_share(self, netblock: str, quads: set[bytes]) -> None:
        found = text_traces([parse_netblock(netblock)], ())
        assert {trace.text for trace in found or () if trace.address == "begins"} == quads

    def test_a_netblock_within_another_one_adds_no_trace(self) -> None:
        wide = text_traces([parse_netblock("198.51.0.0/16")], ())
        assert text_traces([parse_netblock("198.51.0.0/16"), parse_netblock("198.51.100.0/24")], ()) == wide

    @pytest.mark.parametrize("wide", ["0.0.0.0/0", "128.0.0.0/2", "::/0", "2000::/3", "::/64", "::1", "fc00::/7"])
    def test_of_what_is_everywhere_there_is_no_trace(self, wide: str) -> None:
        assert text_traces([parse_netblock("198.51.100.0/24"), parse_netblock(wide)], ()) is None

    def test_more_netblocks_than_can_be_looked_for_have_no_traces(self) -> None:
        blocks = [Netblock(4, value << 8, (value << 8) + 255) for value in range(0x0B0000, 0x0B0000 + MOST + 1)]
        assert text_traces(blocks, ()) is None

    def test_what_is_not_sought_has_no_trace(self) -> None:
        assert text_traces([], (), [JSON, ZEEK]) == ()


labels = st.text("abcxyz019-_", min_size=1, max_size=12)
canonical = st.lists(labels, min_size=1, max_size=4).map(".".join).filter(lambda name: not names.is_address(name))


class TestNames:
    @given(name=canonical, rng=seeds)
    def test_a_name_holds_a_trace_in_any_case(self, name: str, rng: random.Random) -> None:
        assert holds(spelt.cased(rng, name).encode(), text_traces([], [name]))

    @given(name=canonical, rng=seeds)
    @pytest.mark.parametrize(
        ("escape", "way"),
        [
            (r"\{:03d}", PRESENTATION),
            (r"\{:c}", PRESENTATION),
            (r"\\{:03d}", PRESENTATION_IN_JSON),
            (r"\u{:04x}", JSON),
            (r"\x{:02x}", ZEEK),
        ],
    )
    def test_and_one_that_is_spelt_with_escapes(self, name: str, rng: random.Random, escape: str, way: Escape) -> None:
        text = spelt.escaped(rng, spelt.cased(rng, name), escape, 1)
        assert holds(text.encode(), text_traces([], [name], [way]))

    @pytest.mark.parametrize(
        ("name", "run"),
        [
            ("k3xq.example.net", b"example"),
            ("k3xq-callback.example.net", b"k3xq-callback"),
            (r"odd\032name\.with-dot.net", b"with-dot"),
            ("xn--bcher-kva.example.net", b"example"),
        ],
    )
    def test_the_trace_is_the_longest_run_that_is_always_written_so(self, name: str, run: bytes) -> None:
        assert text_traces([], [name]) == (Trace(run, "caseless"),)

    def test_a_log_in_which_labels_are_octets_shows_a_labels_as_they_are(self) -> None:
        assert text_traces([], ["xn--bcher-kva.net"], idna=False) == (Trace(b"xn--bcher-kva", "caseless"),)

    @pytest.mark.parametrize("name", [r"\195\188", r"\.\\"])
    def test_a_name_of_nothing_but_escapes_has_no_trace(self, name: str) -> None:
        assert text_traces([], [name]) is None
