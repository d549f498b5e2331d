"""What a DNS message must hold, as octets or as hexadecimal digits, to answer with a watched address or tell of a name."""

from __future__ import annotations

import random
import re

import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.names import Address, parse_netblock
from feedsvc.sources import dnswire
from feedsvc.sources.traces import Trace
from feedsvc.sources.wiretraces import hexadecimal_traces, message_traces, octet_traces, shipped_traces
from tests.sources import spelt
from tests.sources.test_traces import holds

seeds = st.integers(0, 2**64).map(random.Random)


def message(address: Address, name: str = "k3xq.example.net") -> bytes:
    """A response that leads over a CNAME to an address."""
    value, rrtype = str(address), "A" if address.version == 4 else "AAAA"
    answer = dns.message.make_response(dns.message.make_query(name + ".", rrtype))
    answer.answer.append(dns.rrset.from_text(name + ".", 300, "IN", "CNAME", "edge.example.org."))
    answer.answer.append(dns.rrset.from_text("edge.example.org.", 60, "IN", rrtype, value))
    return answer.to_wire()


def mapped(address: Address) -> Address:
    return Address(6, 0xFFFF << 32 | address.value) if address.version == 4 else address


def digits(rng: random.Random, octets: bytes) -> str:
    """Hexadecimal digits as some writers have them."""
    between = rng.choice(["", "", " ", "\\n", "\\\\t", "\n"])
    return rng.choice([str.lower, str.upper])(octets.hex()) if not between else between.join(f"{one:02x}" for one in octets)


class TestAddresses:
    @settings(max_examples=500)
    @given(rng=seeds)
    def test_a_message_with_an_address_in_a_netblock_holds_a_trace(self, rng: random.Random) -> None:
        blocks = [spelt.made_netblock(rng) for _ in range(rng.randint(1, 4))]
        address = spelt.inside(rng, rng.choice(blocks))
        wire = message(rng.choice([address, mapped(address)]))
        read = dnswire.read(wire)
        assert read is not None
        assert read.answers == (address,)
        assert holds(wire, message_traces(blocks, ()))
        assert holds(wire, octet_traces(blocks))
        assert holds(digits(rng, wire).encode(), hexadecimal_traces(blocks, ()))
        assert holds(digits(rng, wire).encode(), shipped_traces(blocks, ()))

    def test_a_message_with_another_address_holds_none(self) -> None:
        blocks = [parse_netblock("198.51.100.0/24"), parse_netblock("2001:db8:77::/48")]
        for other in (Address(4, blocks[0].last + 1), Address(6, blocks[1].last + 1)):
            assert not holds(message(other), message_traces(blocks, ()))
            assert not holds(message(other).hex().encode(), hexadecimal_traces(blocks, ()))

    @pytest.mark.parametrize("wide", ["0.0.0.0/0", "128.0.0.0/2", "::/0", "2000::/3"])
    def test_of_what_is_everywhere_there_is_no_trace(self, wide: str) -> None:
        blocks = [parse_netblock(wide)]
        assert message_traces(blocks, ()) is None
        assert octet_traces(blocks) is None
        assert shipped_traces(blocks, ()) is None


class TestNames:
    @given(rng=seeds)
    def test_a_message_about_a_name_holds_a_trace(self, rng: random.Random) -> None:
        wire = message(Address(4, 0xC0000207), spelt.cased(rng, "k3xq.callback.example.net"))
        for name in ("k3xq.callback.example.net", "edge.example.org"):
            assert holds(wire, message_traces((), [name]))
            assert holds(digits(rng, wire).encode(), hexadecimal_traces((), [name]))

    def test_what_is_not_sought_has_no_trace(self) -> None:
        assert message_traces((), ()) == hexadecimal_traces((), ()) == shipped_traces((), ()) == ()


@pytest.mark.parametrize(
    "text",
    [
        "<Data>198.51.100.7</Data>",
        "<Data>19&#56;.51.100.7</Data>",
        "<Data>198.<!-- -->51.100.7</Data>",
        "<Data>198.<![CDATA[51]]>.100.7</Data>",
        "<Data>198.<?x?>51.100.7</Data>",
        r"\u003cData\u003e19\u0026#56;.51.100.7\u003c/Data\u003e",
        r"\u003cData\u003e19\u0026\u002356;.51.100.7\u003c/Data\u003e",
        r"\u003cData\u003e198.\u003c!-- --\u003e51.100.7\u003c/Data\u003e",
        r"\u003cData\u003e198.\u003c\u003fx?\u003e51.100.7\u003c/Data\u003e",
        r'{"message":"{\"answers\":[\"\\u0031\\u0039\\u0038.51.100.7\"]}"}',
    ],
)
def test_what_is_shipped_holds_a_trace_however_its_texts_are_written(text: str) -> None:
    traces = shipped_traces([parse_netblock("198.51.100.0/24")], ())
    assert holds(text.encode(), traces)


def test_utf_16_holds_a_trace_whatever_it_says() -> None:
    assert holds("x".encode("utf-16-le"), shipped_traces([parse_netblock("198.51.100.0/24")], ()))


def test_a_common_header_of_xml_holds_none() -> None:
    header = b'<?xml version="1.0" encoding="utf-8"?><Events><Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event">'
    assert not holds(header, shipped_traces([parse_netblock("198.51.100.0/24")], ()))


def test_patterns_are_what_hyperscan_knows_too() -> None:
    hyperscan = pytest.importorskip("hyperscan")
    blocks = [parse_netblock(text) for text in spelt.TEXTS]
    found: list[Trace] = []
    for traces in (message_traces, hexadecimal_traces, shipped_traces):
        found += traces(blocks, ["k3xq.example.net"]) or ()
    patterns = [trace.text if trace.kind == "pattern" else re.escape(trace.text) for trace in found]
    hyperscan.Database(mode=hyperscan.HS_MODE_STREAM).compile(expressions=patterns, ids=[*range(len(patterns))], flags=0)
