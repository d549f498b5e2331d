"""Zeek's ssl, quic and http logs: who connected to which name, and at which address."""

from __future__ import annotations

import json
import string
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.names import is_address, parse_name
from feedsvc.sources.logfile import LogDamaged, LogFile, lines, read_line
from feedsvc.sources.logs import zeek
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs.making import header

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "zeek"
FORMAT = zeek.build(zeek.Options())
SSL = ("ts", "uid", "id.orig_h", "id.resp_h", "server_name")
HTTP = ("ts", "uid", "id.orig_h", "id.resp_h", "trans_depth", "method", "host", "uri")


def parse_all(text: bytes) -> list[LogRecord | BadLine]:
    parser = FORMAT.parser()
    return [one for line in lines(iter([text])) for one in read_line(parser, line)]


def parse_file(name: str) -> list[LogRecord | BadLine]:
    found: list[LogRecord | BadLine] = []
    parser = FORMAT.parser()
    with LogFile.open(str(SAMPLES / name)) as log:
        try:
            for line in lines(log.blocks()):
                found.extend(read_line(parser, line))
        except LogDamaged:
            assert "corrupt" in name
    return found


def records(name: str) -> dict[str, LogRecord]:
    return {one.rrname: one for one in parse_file(name) if isinstance(one, LogRecord)}


def rdata(record: LogRecord) -> list[str]:
    return [str(address) for address in record.answers]


class TestRealSamples:
    @pytest.mark.parametrize(
        ("name", "count", "names", "kind"),
        [
            ("json-ssl.log", 50, 23, "tls"),
            ("json-http.log", 25, 8, "http"),
            ("tsv-http.log.gz", 150, 32, "http"),
            ("tsv-http-corrupt.log.gz", 150, 32, "http"),
            ("tsv-ssl.log", 0, 0, "tls"),
        ],
    )
    def test_every_line_with_a_name_is_a_connection(self, name: str, count: int, names: int, kind: str) -> None:
        found = parse_file(name)
        assert len(found) == count
        assert all(isinstance(one, LogRecord) and len(one.answers) == 1 and one.kind == kind for one in found)
        assert len(records(name)) == names

    def test_a_connection_is_read_whole(self) -> None:
        found = parse_file("json-http.log")[0]
        assert isinstance(found, LogRecord)
        assert found == LogRecord(1575413155.938245, "10.18.20.97", "mail.aol.com", "", found.answers, (), 0, kind="http")
        assert rdata(found) == ["69.147.64.34"]

    def test_an_address_in_place_of_a_host_is_no_name(self) -> None:
        text = (SAMPLES / "json-http.log").read_bytes()
        assert b'"host":"8.208.24.139"' in text
        assert not any(is_address(name) for name in records("json-http.log"))


class TestMadeSample:
    """tests/data/logs/zeek/connections.log: every spelling of a connection, and what is none."""

    @pytest.mark.parametrize(
        ("rrname", "kind", "address"),
        [
            ("k3xq.example.net", "tls", "198.51.100.1"),
            ("upper.example.net", "tls", "198.51.100.2"),
            ("six.example.net", "tls", "2001:db8:77::5"),
            (r"comma\044.example.net", "tls", "198.51.100.6"),
            ("hex.example.net", "tls", "198.51.100.8"),
            ("quick.example.net", "tls", "198.51.100.10"),
            ("www.example.net", "http", "198.51.100.11"),
            ("port.example.net", "http", "198.51.100.12"),
            ("path.example.net", "http", "198.51.100.19"),
            ("star.example.net", "http", "198.51.100.21"),
            ("json.example.net", "tls", "198.51.100.30"),
            ("corelight.example.net", "tls", "198.51.100.32"),
            ("stream.example.net", "http", "198.51.100.33"),
            ("nested.example.net", "tls", "198.51.100.34"),
            ("null.example.net", "tls", "198.51.100.40"),
        ],
    )
    def test_a_name_is_said_at_an_address(self, rrname: str, kind: str, address: str) -> None:
        record = records("connections.log")[rrname]
        assert (record.kind, rdata(record), record.rrtype, record.chain) == (kind, [address], "", ())

    @pytest.mark.parametrize("rrname", ["tunnel.example.net", "whole.example.net", "json-tunnel.example.net"])
    def test_the_address_of_a_proxy_is_not_that_of_the_name(self, rrname: str) -> None:
        record = records("connections.log")[rrname]
        assert (record.answers, record.client, record.kind) == ((), record.client, "http")
        assert record.client in {"10.0.0.1", "10.0.0.3"}

    def test_a_connection_without_an_address_still_says_who_wanted_the_name(self) -> None:
        record = records("connections.log")["nowhere.example.net"]
        assert (record.answers, record.client) == ((), "10.0.0.1")

    def test_nothing_else_is_a_record_and_nothing_a_fault(self) -> None:
        found = parse_file("connections.log")
        assert len(found) == 21
        assert all(isinstance(one, LogRecord) and not one.unread for one in found)

    def test_lines_of_conn_log_are_connections_without_a_name(self) -> None:
        found = [one for one in parse_file("connections.log") if isinstance(one, LogRecord) and not one.rrname]
        assert [(one.kind, one.client, rdata(one)) for one in found] == [
            ("connection", "10.0.0.1", ["198.51.100.22"]),
            ("connection", "10.0.0.3", ["198.51.100.37"]),
        ]

    def test_no_name_is_an_address(self) -> None:
        assert not any(is_address(name) for name in records("connections.log"))

    @pytest.mark.parametrize(
        ("rrname", "time"),
        [
            ("corelight.example.net", 1793491232.5),
            ("nested.example.net", 1793491234.5),
            ("stream.example.net", 1793491233.5),
        ],
    )
    def test_every_spelling_of_a_time_is_the_same_clock(self, rrname: str, time: float) -> None:
        assert records("connections.log")[rrname].time == time


def test_what_cannot_be_read_is_told_with_its_place_and_its_reason() -> None:
    text = (SAMPLES / "refused.log").read_bytes()
    bad = parse_file("refused.log")
    assert all(isinstance(one, BadLine) and text[one.offset :].startswith(one.line) for one in bad)
    assert Counter(one.reason for one in bad if isinstance(one, BadLine)) == {
        "server_name is no name: empty label": 1,
        "server_name is no name: label of 64 octets, 63 is the limit": 1,
        "server_name is no name: longer than any host's name": 1,
        "server_name is no name: no label: empty, or the root": 1,
        "host is no name: no label: empty, or the root": 1,
        "host is no name: empty label": 1,
        "ts is no time": 1,
        "not as many columns as #fields names": 1,
        "no JSON, or not of the shape that Zeek writes": 6,
    }


class TestHeaders:
    def test_without_a_path_the_columns_show_the_log(self) -> None:
        text = b"#fields\t" + "\t".join(SSL).encode() + b"\n5.0\tC1\t10.0.0.1\t198.51.100.1\tk3xq.example.net\n"
        (found,) = parse_all(text)
        assert isinstance(found, LogRecord)
        assert (found.kind, found.rrname, rdata(found)) == ("tls", "k3xq.example.net", ["198.51.100.1"])

    def test_a_connection_without_a_name_is_known_by_its_columns(self) -> None:
        fields = ("ts", "uid", "id.orig_h", "id.resp_h", "conn_state")
        (found,) = parse_all(b"#fields\t" + "\t".join(fields).encode() + b"\n5.0\tC1\t10.0.0.1\t198.51.100.1\tS0\n")
        assert isinstance(found, LogRecord)
        assert (found.kind, found.rrname, found.client, rdata(found)) == ("connection", "", "10.0.0.1", ["198.51.100.1"])

    def test_a_connection_without_a_name_or_an_address_tells_nothing(self) -> None:
        fields = ("ts", "uid", "id.orig_h", "id.resp_h", "conn_state")
        assert parse_all(header(*fields, path="conn") + b"5.0\tC1\t10.0.0.1\t-\tS0\n") == []

    @pytest.mark.parametrize("of_log", [{"_path": "conn"}, {"@stream": "conn"}, {"conn_state": "SF"}], ids=str)
    def test_a_line_of_conn_log_is_a_connection_whoever_wrote_it(self, of_log: dict[str, str]) -> None:
        line = {"ts": 5, "uid": "C1", "id.orig_h": "10.0.0.1", "id.resp_h": "2001:db8:77::5", **of_log}
        (found,) = parse_all(json.dumps(line).encode() + b"\n")
        assert isinstance(found, LogRecord)
        assert (found.kind, found.rrname, found.client, rdata(found)) == ("connection", "", "10.0.0.1", ["2001:db8:77::5"])

    def test_a_host_that_was_seen_is_no_host_that_was_wanted(self) -> None:
        assert parse_all(b"#fields\tts\thost\tport_num\n5.0\tk3xq.example.net\t443\n") == []

    @pytest.mark.parametrize("missing", ["id.orig_h", "id.resp_h", "method", "uri", "trans_depth"])
    def test_columns_that_a_site_leaves_out_are_not_needed(self, missing: str) -> None:
        fields = [name for name in HTTP if name != missing]
        values = {"ts": "5.0", "host": "k3xq.example.net", "id.resp_h": "198.51.100.1"}
        row = "\t".join(values.get(name, "-") for name in fields).encode()
        (found,) = parse_all(header(*fields, path="http") + row + b"\n")
        assert isinstance(found, LogRecord)
        assert rdata(found) == ([] if missing == "id.resp_h" else ["198.51.100.1"])

    def test_the_state_is_enough_to_go_on_in_the_middle_of_a_file(self) -> None:
        text = (SAMPLES / "connections.log").read_bytes()
        whole = parse_all(text)
        given = list(lines(iter([text])))
        for cut in range(len(given) + 1):
            first = FORMAT.parser()
            found = [one for line in given[:cut] for one in read_line(first, line)]
            second = FORMAT.parser(first.state())
            assert found + [one for line in given[cut:] for one in read_line(second, line)] == whole


class TestAnything:
    @given(st.lists(st.binary(max_size=30).map(lambda cell: cell.replace(b"\n", b"").replace(b"\t", b"")), min_size=8))
    def test_no_row_makes_it_raise(self, cells: list[bytes]) -> None:
        for fields, path in ((SSL, "ssl"), (HTTP, "http"), (SSL[:4], "conn")):
            for found in parse_all(header(*fields, path=path) + b"\t".join(cells[: len(fields)]) + b"\n"):
                assert isinstance(found, BadLine) or not found.rrname or parse_name(found.rrname) == found.rrname

    @given(
        st.sampled_from(
            ["server_name", "host", "method", "uri", "trans_depth", "id", "id.resp_h", "@stream", "_path", "ts"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=3)
        ),
    )
    def test_no_json_value_makes_it_raise(self, key: str, value: object) -> None:
        ends = {"id.orig_h": "10.0.0.1", "id.resp_h": "198.51.100.1"}
        of_logs = ({"server_name": "a.example.net"}, {"host": "a.example.net"}, {"conn_state": "SF"})
        for line in ({"ts": 1, **ends, **of_log} for of_log in of_logs):
            found = FORMAT.parser().parse(json.dumps({**line, "trans_depth": 1, key: value}).encode(), 0)
            assert found is None or isinstance(found, LogRecord | BadLine)

    @given(
        st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z0-9]{1,9}){1,4}", fullmatch=True),
        st.sampled_from(["", ".", ":80", ":"]),
        st.booleans(),
    )
    def test_a_host_is_its_name_whatever_stands_behind_it(self, name: str, behind: str, upper: bool) -> None:
        spelt = (name.upper() if upper else name) + behind
        line = {"ts": 1, "id.resp_h": "198.51.100.1", "trans_depth": 1, "host": spelt}
        found = FORMAT.parser().parse(json.dumps(line).encode(), 0)
        assert (found is None) if is_address(name) else (isinstance(found, LogRecord) and found.rrname == name)

    @given(st.integers(0, 60_000), st.integers(0, 255), st.sampled_from(string.printable))
    def test_a_line_that_was_hurt_is_read_as_a_name_refused_or_left(self, place: int, byte: int, char: str) -> None:
        text = bytearray((SAMPLES / "connections.log").read_bytes())
        text[place % len(text)] = byte
        text.insert(place * 7 % len(text), ord(char))
        for found in parse_all(bytes(text)):
            assert isinstance(found, BadLine) or not found.rrname or parse_name(found.rrname) == found.rrname
