"""What may leave and what may not, with the reason; the gate is the strictest reader of all lists."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedsvc.errors import NameRefused
from feedsvc.names import SPECIAL_USE, Verdict, encode_labels, is_public_suffix, parse_name, publishable
from tests.names.test_spelling import any_text, wire_name

LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
suffix = st.sampled_from(
    ["com", "net", "co.uk", "github.io", "ck", "xn--p1ai", "nosuchtld", "test", "home.arpa", "7", "rpz-ip"]
)
low_label = st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True)
near_host = st.tuples(st.lists(low_label, max_size=4), suffix).map(lambda parts: ".".join([*parts[0], parts[1]]))


@pytest.mark.parametrize(
    "name",
    [
        "k3xq.example.net",
        "example.com",
        "example.org",
        "1234.example.com",
        "1.2.3.4.example.com",
        "198-51-100-7.example.com",
        "_dmarc.under_score.example.com",
        "a--b.example.com",
        "xn--bcher-kva.example.com",
        "xn--e1afmkfd.xn--p1ai",
        "evil.github.io",
        "b.c.ck",
        "www.ck",
        "r3-sn.example.com",
        "xrpz-ip.example.com",
        ".".join(["a" * 63] * 3 + ["b" * 49, "example.com"]),
    ],
)
def test_an_ordinary_host_name_is_publishable_as_it_is(name: str) -> None:
    assert publishable(name) == Verdict(name)
    assert publishable(name)


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("K3XQ.Example.NET.", "k3xq.example.net"),
        ("bücher.example.net", "xn--bcher-kva.example.net"),
        (r"\107.example.net", "k.example.net"),
    ],
)
def test_a_spelling_is_decoded_before_it_is_judged(spelling: str, canonical: str) -> None:
    assert publishable(spelling) == Verdict(canonical)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("*.example.net", "wildcard label", id="wildcard"),
        pytest.param("a*.example.net", "character '*'", id="star inside a label"),
        pytest.param("a b.example.net", "blank", id="blank"),
        pytest.param(" k3xq.example.net", "blank", id="leading blank is not trimmed"),
        pytest.param("k3xq.example.net\n", "control byte 0x0a", id="newline at the end is not trimmed"),
        pytest.param("k3xq.example.net\r\nbank.example.com", "control byte 0x0d", id="injected line"),
        pytest.param("a\tb.example.net", "control byte 0x09", id="tab"),
        pytest.param(r"esc\000nul.example.net", "control byte 0x00", id="NUL by escape"),
        pytest.param("\x7f.example.net", "control byte 0x7f", id="DEL"),
        pytest.param("\x1b[2J.example.net", "control byte 0x1b", id="terminal escape"),
        pytest.param(r"utf8\195\188raw.example.net", "byte 0xc3 beyond ASCII", id="raw UTF-8"),
        pytest.param("a\u2028b.example.net", "no IDNA label (uts46 disallowed)", id="line separator"),
        pytest.param("a\u0085b.example.net", "no IDNA label (uts46 disallowed)", id="next line"),
        pytest.param(r"dot\.in.example.net", "dot inside a label", id="escaped dot"),
        pytest.param(r"evil\.co.uk", "dot inside a label", id="escaped dot before a suffix"),
        pytest.param(r"back\\slash.example.net", "backslash", id="escaped backslash"),
        pytest.param("$INCLUDE.example.net", "character '$'", id="zone file directive"),
        pytest.param('a"b.example.net', "character '\"'", id="quote"),
        pytest.param("a;b.example.net", "character ';'", id="semicolon"),
        pytest.param("=cmd|' /C calc'!A0.example.net", "character '='", id="spreadsheet formula"),
        pytest.param("<script>alert(1)</script>.example.net", "character '<'", id="markup"),
        pytest.param("a,b.example.net", "character ','", id="comma"),
        pytest.param("http://k3xq.example.net/", "character ':'", id="URL"),
        pytest.param("@.example.net", "character '@'", id="at sign"),
        pytest.param("-a.example.net", "label '-a' begins or ends with a hyphen", id="leading hyphen"),
        pytest.param("a-.example.net", "label 'a-' begins or ends with a hyphen", id="trailing hyphen"),
        pytest.param("-.example.net", "label '-' begins or ends with a hyphen", id="hyphen alone"),
        pytest.param("a" * 64 + ".example.net", "label of 64 octets, 63 is the limit", id="64-octet label"),
        pytest.param("198.51.100.7", "IP address", id="IPv4 address"),
        pytest.param("198.51.100.7.", "IP address", id="IPv4 address with a final dot"),
        pytest.param("2001:db8::7", "IP address", id="IPv6 address"),
        pytest.param("127.1", "ends in a number, as an IP address does", id="short IPv4 address"),
        pytest.param("0x7f.0x1", "ends in a number, as an IP address does", id="hexadecimal address"),
        pytest.param("k3xq.example.0x", "ends in a number, as an IP address does", id="0x alone"),
        pytest.param("256.256.256.256", "ends in a number, as an IP address does", id="no address but numeric"),
        pytest.param("net", "public suffix (ICANN section)", id="top-level domain"),
        pytest.param("co.uk", "public suffix (ICANN section)", id="public suffix"),
        pytest.param("CO.UK.", "public suffix (ICANN section)", id="public suffix in another spelling"),
        pytest.param("ck", "public suffix (ICANN section)", id="root of a wildcard rule"),
        pytest.param("anything.ck", "public suffix (ICANN section)", id="suffix by a wildcard rule"),
        pytest.param("рф", "public suffix (ICANN section)", id="IDN suffix as a U-label"),
        pytest.param("github.io", "public suffix (private section)", id="private suffix"),
        pytest.param("duckdns.org", "public suffix (private section)", id="dynamic DNS suffix"),
        pytest.param("amazonaws.com", "public suffixes lie below it", id="parent of suffixes"),
        pytest.param("nosuchtld", "single label", id="single label"),
        pytest.param("k3xq.nosuchtld", "unknown top-level domain 'nosuchtld'", id="stale top-level domain"),
        pytest.param("localhost", "special-use zone 'localhost'", id="special-use top"),
        pytest.param("k3xq.example", "special-use zone 'example'", id="example, the top-level domain"),
        pytest.param("k3xq.internal", "special-use zone 'internal'", id="internal"),
        pytest.param("router.home.arpa", "special-use zone 'home.arpa'", id="home.arpa"),
        pytest.param("7.100.51.198.in-addr.arpa", "special-use zone 'in-addr.arpa'", id="reverse name"),
        pytest.param("1.0.10.in-addr.arpa", "special-use zone '10.in-addr.arpa'", id="private reverse name"),
        pytest.param("hidden.onion", "special-use zone 'onion'", id="onion"),
        pytest.param(
            "0.0.0.0.0.rpz-client-ip", "label that reads as a response policy trigger (rpz-)", id="RPZ client trigger"
        ),
        pytest.param(
            "24.0.2.0.192.rpz-ip.example.net", "label that reads as a response policy trigger (rpz-)", id="RPZ inside"
        ),
        pytest.param("rpz-passthru.example.net", "label that reads as a response policy trigger (rpz-)", id="RPZ action"),
        pytest.param("a.evil_corp.com", "underscore in the registered domain", id="underscore in the registered domain"),
        pytest.param(
            "ab--cd.example.net", "label 'ab--cd' has hyphens in third and fourth place (RFC 5891, 4.2.3.1)", id="R-LDH"
        ),
        pytest.param("xn--.example.net", "label 'xn--' begins or ends with a hyphen", id="A-label of nothing"),
        pytest.param("xn--a.example.net", "label 'xn--a' is no A-label (disallowed codepoint)", id="bad Punycode"),
        pytest.param("xn--abc-.example.net", "label 'xn--abc-' begins or ends with a hyphen", id="A-label of plain ASCII"),
        pytest.param(
            "xn--zz99999.example.net", "label 'xn--zz99999' is no A-label (invalid alabel)", id="overflowing Punycode"
        ),
        pytest.param("xn--ls8h.la", "label 'xn--ls8h' is no A-label (disallowed codepoint)", id="A-label of an emoji"),
        pytest.param("xn--ey-0qu.example.net", "label 'xn--ey-0qu' is no A-label (not nfc)", id="A-label of a KELVIN SIGN"),
        pytest.param(
            "xn---bbk.example.net",
            "label 'xn---bbk' is no A-label (non canonical alabel)",
            id="second A-label of one U-label",
        ),
        pytest.param("\u212aey.example.net", "non-ASCII look-alike of an ASCII letter", id="KELVIN SIGN"),
        pytest.param("k3xq\uff0eexample.net", "non-ASCII dot", id="full-width dot"),
        pytest.param("", "no label: empty, or the root", id="empty"),
        pytest.param(".", "no label: empty, or the root", id="root"),
        pytest.param("k3xq.example.net..", "empty label", id="two final dots"),
    ],
)
def test_a_refused_name_says_why(name: str, reason: str) -> None:
    verdict = publishable(name)
    assert verdict.reason == reason
    assert not verdict


@given(any_text | near_host)
@example("a.com")
def test_whatever_is_let_through_holds_the_whole_rule(text: str) -> None:
    verdict = publishable(text)
    if not verdict:
        return
    name = verdict.name
    labels = name.split(".")
    assert name == parse_name(text)
    assert len(labels) >= 2
    assert len(name) <= 253
    assert all(LABEL.fullmatch(label) for label in labels)
    assert not labels[-1].isdigit()
    assert not is_public_suffix(name)
    assert not any(name == zone or name.endswith("." + zone) for zone in SPECIAL_USE)
    assert not any(label.startswith("rpz-") for label in labels)


@given(any_text | near_host | wire_name.map(encode_labels))
def test_no_text_makes_the_gate_fail_and_a_reason_is_always_printable(text: str) -> None:
    verdict = publishable(text)
    assert verdict.reason is None or (verdict.reason.isascii() and verdict.reason.isprintable())


@given(any_text | near_host)
def test_the_verdict_does_not_depend_on_the_spelling(text: str) -> None:
    try:
        canonical = parse_name(text)
    except NameRefused:
        return
    assert bool(publishable(text)) == bool(publishable(canonical)) == bool(publishable(canonical + "."))
