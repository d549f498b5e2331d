"""CoreDNS's query log: as it comes, as container runtimes keep it, and lines that are none."""

from __future__ import annotations

import json
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.names import parse_name
from feedsvc.plugins import OptionFaults, load, read_options
from feedsvc.sources.logs import coredns
from feedsvc.sources.port import BadLine, LogRecord
from feedsvc.sources.records import is_name
from tests.sources.logs import linewise
from tests.sources.logs.linewise import lines_of, noon, read, reasons, records, sample

FORMAT = coredns.CoreDns(UTC, undated=True, now=noon)
STRICT = coredns.CoreDns(UTC, undated=False, now=noon)
NOON = noon().timestamp()


def query(name: str, rrtype: str = "A", client: str = "10.244.0.5:53213") -> bytes:
    return f'[INFO] {client} - 123 "{rrtype} IN {name} udp 41 false 512" NOERROR qr,rd,ra 80 0.000150566s\n'.encode()


class TestSamples:
    @pytest.mark.parametrize("name", ["stdout.log", "timed.log", "refused.log"])
    def test_its_first_lines_show_that_it_is_coredns(self, name: str) -> None:
        assert FORMAT.recognises(linewise.DATA.joinpath("coredns", name).read_bytes())

    def test_its_own_output_is_read_at_the_moment_of_reading(self) -> None:
        found = sample(FORMAT, "coredns", "stdout.log")
        assert [(one.client, one.rrname, one.rrtype, one.time) for one in found] == [
            ("127.0.0.1", "8147713410914420834.3391285513471224124", "HINFO", NOON),
            ("10.244.0.5", "k3xq.example.net", "A", NOON),
            ("fd00:10:244::7", "www.example.com", "AAAA", NOON),
            ("10.244.0.5", r"odd\032na\034me.example.com", "A", NOON),
        ]
        assert not any(one.answers or one.chain or one.kind != "dns" for one in found)

    @pytest.mark.parametrize(
        ("name", "client", "time"),
        [
            ("containerd.example.net", "10.244.0.5", 1795500967.123456789),
            ("docker.example.net", "10.244.0.6", 1795500968.5),
            ("old.example.net", "10.244.0.7", 1795500969.25),
            ("older.example.net", "10.244.0.8", 1519293600),
            ("oldest.example.net", "10.244.0.9", 1519290000),
            ("journal.example.net", "10.244.0.10", 1795500970),
            ("kubectl.example.net", "10.244.0.11", 1795500971),
        ],
    )
    def test_what_keeps_its_output_says_when_it_was(self, name: str, client: str, time: float) -> None:
        found = {one.rrname: one for one in sample(STRICT, "coredns", "timed.log")}
        assert found[name].client == client
        assert found[name].time == pytest.approx(time, abs=1e-6)

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        assert reasons(FORMAT, linewise.DATA.joinpath("coredns", "refused.log").read_bytes()) == [
            "query is no name: empty label",
            "query is no name: label of 64 octets, 63 is the limit",
            "query line of another shape",
            "query line of another shape",
            "no JSON, or not of the shape that Docker writes",
            "query is no name: bytes that are no UTF-8",
        ]


class TestTimes:
    def test_lines_without_a_time_can_be_refused(self) -> None:
        (found,) = read(STRICT, query("k3xq.example.net."))
        assert isinstance(found, BadLine)
        assert found.reason == "line without a time"

    def test_local_times_are_of_the_zone_of_the_source(self) -> None:
        form = coredns.build(coredns.Options(), ZoneInfo("Europe/Berlin"))
        (found,) = records(form, b"2026-11-24 06:16:07 " + query("a.example.com."))
        assert found.time == 1795500967 - 3600

    @pytest.mark.parametrize("undated", ["now", "refuse"])
    def test_what_becomes_of_them_can_be_set(self, undated: str) -> None:
        module = load("logs", "coredns")
        form = module.build(read_options(module, {"undated": undated}), UTC)
        (found,) = read(form, query("a.example.com."))
        assert isinstance(found, LogRecord) == (undated == "now")

    def test_anything_else_is_a_fault(self) -> None:
        with pytest.raises(OptionFaults, match="undated: input should be 'now' or 'refuse'"):
            read_options(load("logs", "coredns"), {"undated": "guess"})


class TestMessages:
    @pytest.mark.parametrize(
        "line",
        [
            b"[INFO] plugin/ready: Still waiting on: kubernetes\n",
            b"[ERROR] plugin/errors: 2 a.example.com. A: read udp 10.0.0.1:5->192.0.2.53:53: i/o timeout\n",
            b"[WARNING] No files matching import glob pattern: custom/*.override\n",
            query("."),
            query("198.51.100.7."),
        ],
    )
    def test_what_is_no_question_for_a_name_is_neither_record_nor_fault(self, line: bytes) -> None:
        assert read(FORMAT, line) == []

    def test_a_link_local_client_is_told_without_its_interface(self) -> None:
        assert records(FORMAT, query("a.example.com.", client="[fe80::1%eth0]:55"))[0].client == "fe80::1"

    def test_the_prefix_of_the_plugin_changes_nothing(self) -> None:
        line = query("a.example.com.").replace(b"[INFO] ", b"[INFO] plugin/log: ")
        assert records(FORMAT, line)[0].rrname == "a.example.com"


class TestResuming:
    @pytest.mark.parametrize("name", ["stdout.log", "timed.log", "refused.log"])
    def test_reading_may_stop_behind_any_line(self, name: str) -> None:
        linewise.assert_no_cut_shows(FORMAT, linewise.DATA.joinpath("coredns", name).read_bytes())


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_line_makes_it_raise(self, text: bytes) -> None:
        for begin in (b"", b"[INFO] ", b'{"log":'):
            linewise.assert_sound(read(FORMAT, begin + text))

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), st.lists))
    def test_no_json_of_docker_makes_it_raise(self, value: object) -> None:
        for line in (
            {"log": value, "time": "2026-11-24T06:16:07Z"},
            {"log": query("a.example.com.").decode(), "time": value},
        ):
            linewise.assert_sound(read(FORMAT, json.dumps(line, separators=(",", ":")).encode()))

    @given(linewise.broken(lines_of("coredns", "timed.log") + lines_of("coredns", "stdout.log")))
    def test_no_broken_line_makes_it_raise_or_lie(self, text: bytes) -> None:
        linewise.assert_sound(read(FORMAT, text))

    @given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5))
    def test_any_name_comes_through_coredns_escapes_unharmed(self, labels: list[bytes]) -> None:
        written = ".".join("".join(_escaped(byte) for byte in label) for label in labels) + "."
        name = parse_name(written)
        assert [one.rrname for one in records(FORMAT, query(written))] == ([name] if is_name(name) else [])

    @pytest.mark.parametrize("piece", [b"[INFO] ", b' - "A IN ', b"\\ ", b"x", b"1.1.1.1:1 - ", b'"', b" "])
    def test_a_long_line_takes_no_longer_than_its_length(self, piece: bytes) -> None:
        FORMAT.parser().parse(b'[INFO] 1.1.1.1:1 - 1 "A IN ' + piece * (1_000_000 // len(piece)), 0)


def _escaped(byte: int) -> str:
    """As miekg/dns has it, which CoreDNS is made with."""
    char = chr(byte)
    if char in ". '@;()\"\\":
        return "\\" + char
    return char if 0x20 < byte < 0x7F else f"\\{byte:03d}"


class TestRecognition:
    def test_what_it_says_when_it_begins_does_not_hide_it(self) -> None:
        begins = (
            b".:53\n[INFO] plugin/reload: Running configuration SHA512 = 59\nCoreDNS-1.11.1\n"
            b"linux/amd64, go1.20.7, ae2bbc2\n[WARNING] plugin/kubernetes: starting server\n"
        )
        assert FORMAT.recognises(begins + query("a.example.com."))
        assert not FORMAT.recognises(begins)

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"hello\n",
            b'{"log":"hello\\n","stream":"stdout","time":"2026-11-24T06:16:07Z"}\n',
            b"[INFO] plugin/ready: Still waiting on: kubernetes\n",
            b'10.0.0.1 - - [24/Nov/2026:06:16:14 +0000] "GET http://localhost/ HTTP/1.1" 404 603 "-" "-" NONE:NONE\n',
        ],
    )
    def test_anything_else_is_not_coredns(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)
