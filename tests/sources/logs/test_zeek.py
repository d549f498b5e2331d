"""Zeek's dns.log in TSV and JSON: real samples, every spelling it has, and lines that are none."""

from __future__ import annotations

import json
import string
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import NameRefused, SourceError
from feedsvc.names import parse_name
from feedsvc.sources.logfile import LogFile, lines, read_line
from feedsvc.sources.logs import zeek
from feedsvc.sources.port import BadLine, LogParser, LogRecord
from tests.sources.logs import making
from tests.sources.logs.making import Exchange, header, json_line, tsv_line

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "zeek"
FORMAT = zeek.build(zeek.Options())


def parse_all(text: bytes, parser: LogParser | None = None) -> list[LogRecord | BadLine]:
    parser = parser or FORMAT.parser()
    return [one for line in lines(iter([text])) for one in read_line(parser, line)]


def parse_file(name: str) -> list[LogRecord | BadLine]:
    parser = FORMAT.parser()
    with LogFile.open(str(SAMPLES / name)) as log:
        return [one for line in lines(log.blocks()) for one in read_line(parser, line)]


def record_of(text: bytes) -> LogRecord:
    (found,) = parse_all(text)
    assert isinstance(found, LogRecord), found
    return found


def rdata(record: LogRecord) -> list[str]:
    return [str(address) for address in record.answers]


class TestRealSamples:
    @pytest.mark.parametrize(("name", "count"), [("tsv-dns.log", 51), ("json-dns.log", 50)])
    def test_every_line_of_a_dns_log_with_a_question_is_a_record(self, name: str, count: int) -> None:
        found = parse_file(name)
        assert len(found) == count
        assert all(isinstance(one, LogRecord) and not one.unread for one in found)

    @pytest.mark.parametrize(("name", "count"), [("tsv-conn.log", 360), ("json-conn.log", 50)])
    def test_every_line_of_a_log_without_names_is_a_connection_to_an_address(self, name: str, count: int) -> None:
        found = parse_file(name)
        assert len(found) == count
        assert all(isinstance(one, LogRecord) and one.client and len(one.answers) == 1 for one in found)
        assert {(one.kind, one.rrname) for one in found if isinstance(one, LogRecord)} == {("connection", "")}

    @pytest.mark.parametrize("name", [path.name for path in sorted(SAMPLES.glob("*.log*"))])
    def test_its_first_bytes_show_that_it_is_zeek(self, name: str) -> None:
        with LogFile.open(str(SAMPLES / name)) as log:
            assert FORMAT.recognises(log.slice(0, 65536))

    def test_a_chain_of_cnames_stands_before_the_addresses(self) -> None:
        found = [
            one for one in parse_file("tsv-dns.log") if isinstance(one, LogRecord) and one.rrname == "tag.gayadnetwork.com"
        ]
        assert found[0].chain == ("ib.adnxs.com", "g.geogslb.com", "ib.anycast.adnxs.com")
        assert rdata(found[0])[:2] == ["68.67.151.135", "68.67.151.104"]
        assert (found[0].client, found[0].rrtype) == ("192.168.33.10", "A")

    def test_a_json_record_is_read_whole(self) -> None:
        found = parse_file("json-dns.log")[2]
        assert found == LogRecord(
            time=1575413123.292845,
            client="10.18.20.97",
            rrname="dns.msftncsi.com",
            rrtype="A",
            answers=found.answers if isinstance(found, LogRecord) else (),
            chain=(),
            offset=found.offset,
        )
        assert isinstance(found, LogRecord)
        assert rdata(found) == ["131.107.255.255"]


class TestHostileSample:
    """tests/data/logs/zeek/hostile.log: what attackers and broken disks put into a log."""

    def records(self) -> dict[str, LogRecord]:
        return {one.rrname: one for one in parse_file("hostile.log") if isinstance(one, LogRecord)}

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        text = (SAMPLES / "hostile.log").read_bytes()
        bad = [one for one in parse_file("hostile.log") if isinstance(one, BadLine)]
        assert Counter(one.reason for one in bad) == {
            "query is no name: empty label": 1,
            "query is no name: label of 64 octets, 63 is the limit": 1,
            "ts is no time": 1,
            "not as many columns as #fields names": 1,
            "no JSON, or not of the shape that Zeek writes": 2,
        }
        assert all(text[one.offset :].startswith(one.line) for one in bad)

    @pytest.mark.parametrize(
        ("rrname", "address"),
        [
            (r"escaped\009tab.example.net", "198.51.100.1"),
            ("k3xq.example.net", "198.51.100.3"),
            ("case.example.net", "198.51.100.4"),
            (r"back\\slash.example.net", "198.51.100.5"),
            ("mapped.example.net", "198.51.100.6"),
            ("typed-by-number.example.net", "198.51.100.7"),
            ("other-types.example.net", "198.51.100.15"),
            ("underscored.example.net", "198.51.100.20"),
            ("iso.example.net", "198.51.100.22"),
            (r"stray\255\254.example.net", "198.51.100.25"),
            (r"b\195\188cher.example.net", "198.51.100.26"),
            ("hole.example.net", "198.51.100.27"),
        ],
    )
    def test_escapes_are_undone_and_names_are_canonical(self, rrname: str, address: str) -> None:
        assert rdata(self.records()[rrname]) == [address]

    def test_an_escaped_separator_belongs_to_the_answer_it_stands_in(self) -> None:
        assert self.records()["comma.example.net"].chain == (r"a\044b.example.net",)

    def test_what_other_record_types_left_is_no_cname(self) -> None:
        assert self.records()["other-types.example.net"].chain == ()

    def test_a_target_that_is_no_name_costs_neither_the_address_nor_a_word(self) -> None:
        record = self.records()["bad-target.example.net"]
        assert (rdata(record), record.chain) == (["198.51.100.16"], ())
        assert [(part.reason, part.line) for part in record.unread] == [
            ("answer is neither address nor name: empty label", b"a..b")
        ]

    def test_a_later_header_holds_for_the_lines_below_it(self) -> None:
        record = self.records()["other-separators.example.net"]
        assert (record.time, rdata(record)) == (1793491201.25, ["198.51.100.17", "198.51.100.18"])

    def test_lines_without_a_name_and_of_other_logs_are_no_records(self) -> None:
        known = set(self.records())
        assert not known & {"other-path.example.net", "", "(empty)", "ssl.example.net"}
        assert not any("198.51.100.24" in rdata(one) for one in self.records().values())

    @pytest.mark.parametrize(
        ("rrname", "time"),
        [
            ("milliseconds.example.net", 1793491204.25),
            ("iso.example.net", 1793491205.125),
            ("underscored.example.net", 1793491203.5),
        ],
    )
    def test_every_spelling_of_a_time_is_the_same_clock(self, rrname: str, time: float) -> None:
        assert self.records()[rrname].time == time


class TestHeaders:
    def test_columns_are_found_by_their_names(self) -> None:
        text = header("answers", "opcode", "query", "qtype_name", "ts") + b"198.51.100.1\t0\tk3xq.example.net\tA\t5.0\n"
        record = record_of(text)
        assert (record.rrname, record.time, record.client, rdata(record)) == (
            "k3xq.example.net",
            5.0,
            None,
            ["198.51.100.1"],
        )

    def test_lines_above_the_first_header_cannot_be_read(self) -> None:
        (found,) = parse_all(tsv_line(Exchange("k3xq.example.net")))
        assert isinstance(found, BadLine)
        assert found.reason == "line without a #fields header above it"

    @pytest.mark.parametrize("line", [b"#set_separator\t", b"#fields", b"#path", b"#", b"#separator ", b"#unset_field"])
    def test_a_header_line_without_its_value_breaks_nothing(self, line: bytes) -> None:
        parser = FORMAT.parser()
        parse_all(header() + line + b"\n", parser)
        found = parse_all(tsv_line(Exchange("k3xq.example.net", answers=("192.0.2.1", "192.0.2.2"))), parser)
        assert len(found) <= 1

    def test_the_state_is_enough_to_go_on_in_the_middle_of_a_file(self) -> None:
        first = FORMAT.parser()
        parse_all(header("query", "answers", "ts", "qtype_name"), first)
        found = parse_all(b"k3xq.example.net\t198.51.100.1\t7\tA\n", FORMAT.parser(first.state()))
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == ["k3xq.example.net"]

    def test_json_needs_no_state(self) -> None:
        parser = FORMAT.parser()
        parse_all(json_line(Exchange("k3xq.example.net")), parser)
        assert parser.state() == ""

    def test_a_state_of_somebody_else_is_refused(self) -> None:
        with pytest.raises(SourceError, match="remembered Zeek header"):
            FORMAT.parser('{"fields": 3}')


class TestAnswers:
    @pytest.mark.parametrize("write", [making.tsv_log, making.json_log], ids=["tsv", "json"])
    def test_only_questions_for_addresses_give_addresses(self, write: making.Writer) -> None:
        for trap in (one for one in making.traffic(seed=1, size=400) if one.trap):
            found = [one for one in parse_all(write([trap])) if isinstance(one, LogRecord)]
            assert found or trap.trap == "an address was asked for"
            for record in found:
                inside = [text for text in rdata(record) if text.startswith(("198.51.100.", "2001:db8:77:"))]
                assert not inside or trap.trap == "an address was asked for", trap

    @pytest.mark.parametrize(
        "answer",
        ["198.051.100.7", "198.51.100", "198.51.100.7.", "0x7f.1", "2001:db8:77::1%eth0", "[2001:db8::1]", "1.2.3.4/32"],
    )
    def test_what_only_looks_like_an_address_is_none(self, answer: str) -> None:
        record = record_of(json_line(Exchange("k3xq.example.net", "AAAA", (answer,))))
        assert record.answers == ()

    @pytest.mark.parametrize(
        ("written", "canonical"),
        [("2001:0DB8:0077:0000:0000:0000:0000:0001", "2001:db8:77::1"), ("::FFFF:c633:6407", "198.51.100.7")],
    )
    def test_an_address_is_one_in_every_spelling(self, written: str, canonical: str) -> None:
        assert rdata(record_of(json_line(Exchange("k3xq.example.net", "AAAA", (written,))))) == [canonical]

    @pytest.mark.parametrize("spelling", [float, making.iso, lambda time: int(time * 1000)], ids=["epoch", "iso", "ms"])
    def test_hits_are_read_whole_in_both_spellings_of_a_line(self, spelling: making.Spelling) -> None:
        for one in (one for one in making.traffic(seed=2, size=300) if one.inside):
            tsv, jsn = record_of(making.tsv_log([one])), record_of(json_line(one, spelling))
            assert (tsv.rrname, tsv.chain, tsv.client, tsv.answers) == (jsn.rrname, jsn.chain, jsn.client, jsn.answers)
            assert (tsv.rrname, tsv.chain, tsv.client) == (one.query, one.chain, one.client)
            assert set(one.inside) <= set(rdata(tsv))
            assert tsv.time == pytest.approx(one.time, abs=1e-6)
            assert jsn.time == pytest.approx(one.time, abs=1e-3)


class TestTimes:
    @pytest.mark.parametrize("ts", ["-1", "nan", "inf", "1e400", "", "253402300800000", "2026-13-01T00:00:00Z"])
    def test_what_is_no_time_makes_a_bad_line(self, ts: str) -> None:
        line = json.dumps({"ts": ts, "uid": "C1", "query": "k3xq.example.net"}).encode() + b"\n"
        (found,) = parse_all(line)
        assert isinstance(found, BadLine)
        assert found.reason == "ts is no time"

    def test_a_time_without_a_zone_is_utc(self) -> None:
        assert record_of(b'{"ts":"2026-11-01T00:00:00","query":"a.example.net"}\n').time == 1793491200.0


class TestClients:
    def test_a_mapped_address_is_written_as_the_ipv4_address_it_is(self) -> None:
        assert record_of(json_line(Exchange("k3xq.example.net", client="::ffff:10.0.0.1"))).client == "10.0.0.1"

    def test_a_pseudonym_is_kept(self) -> None:
        assert record_of(json_line(Exchange("k3xq.example.net", client="host-17"))).client == "host-17"

    def test_control_bytes_are_shown_as_escapes(self) -> None:
        assert record_of(json_line(Exchange("k3xq.example.net", client="a\n\x1b[2J"))).client == r"a\n\x1b[2J"


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_line_makes_it_raise(self, line: bytes) -> None:
        parser = FORMAT.parser()
        parse_all(header(), parser)
        parser.parse(line.replace(b"\n", b""), 0)

    @given(
        st.lists(
            st.binary(max_size=20).map(lambda cell: cell.replace(b"\n", b"").replace(b"\t", b"")), min_size=4, max_size=4
        )
    )
    def test_no_row_makes_it_raise(self, cells: list[bytes]) -> None:
        parser = FORMAT.parser()
        parse_all(header("ts", "query", "qtype", "answers"), parser)
        parser.parse(b"\t".join(cells), 0)

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), st.lists))
    def test_no_json_value_makes_it_raise(self, value: object) -> None:
        for key in ("ts", "query", "qtype", "qtype_name", "answers", "id.orig_h", "_path"):
            line = json.dumps({"ts": 1, "query": "a.example.net", "qtype_name": "A"} | {key: value}).encode()
            found = FORMAT.parser().parse(line, 0)
            assert found is None or isinstance(found, LogRecord | BadLine)

    def test_json_that_is_broken_beside_its_stray_bytes_is_a_bad_line(self) -> None:
        (found,) = parse_all(b'{"ts":1,"query":"stray\xff.example.net"\n')
        assert isinstance(found, BadLine)

    def test_json_nested_without_end_is_a_bad_line(self) -> None:
        (found,) = parse_all(b'{"ts":1,"x":' + b"[" * 100_000 + b"\n")
        assert isinstance(found, BadLine)
        assert len(found.line) == 200

    @given(st.binary(min_size=1, max_size=60).filter(lambda octets: b"." not in octets))
    def test_any_label_comes_through_zeeks_escapes_unharmed(self, label: bytes) -> None:
        escaped = "".join(
            chr(byte) if chr(byte) in string.ascii_letters + string.digits else f"\\x{byte:02x}" for byte in label
        )
        expected = parse_name("".join(f"\\{byte:03d}" for byte in label) + ".example.net")
        assert record_of(making.tsv_log([Exchange(f"{escaped}.example.net")])).rrname == expected
        assert record_of(json_line(Exchange(f"{escaped}.example.net"))).rrname == expected

    @given(st.text(st.characters(exclude_characters="\\", exclude_categories=["Cs"]), max_size=80))
    def test_a_name_is_canonical_or_refused(self, name: str) -> None:
        for found in parse_all(json_line(Exchange(name))):
            if isinstance(found, BadLine):
                with pytest.raises(NameRefused):
                    parse_name(".".join("".join(f"\\{byte:03d}" for byte in label) for label in name.encode().split(b".")))
            else:
                assert parse_name(found.rrname) == found.rrname


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"#separator \\x09\n#set_separator\t,\n",
            b"#fields\tts\tquery\n",
            b'{"ts":1.5,"uid":"C1","id.orig_h":"10.0.0.1"}\n',
            b'{"_path":"conn"}\n{"cut',
            b'\r\n{"ts":"2026-11-01T00:00:00Z","uid":"C1"}\r\n',
        ],
    )
    def test_headers_and_json_with_zeeks_keys_are_zeek(self, head: bytes) -> None:
        assert FORMAT.recognises(head)

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"\x00\xff",
            b"hello\n",
            b'{"timestamp":"2026-11-01T00:00:00+0000","flow_id":1,"event_type":"dns"}\n',
            b'{"ts":1}\n',
            b'{"uid":"C1"}\n',
            b'{"ts":1.5,"uid":"C1","id.or',
            b'[{"ts":1,"uid":"C1"}]\n',
            b"#Software: Microsoft Internet Information Services\n#Fields: date time\n",
        ],
    )
    def test_anything_else_is_not(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)


class TestPassedOn:
    def test_an_answer_whose_question_was_not_seen_gives_its_addresses(self) -> None:
        found = record_of(json.dumps({**ROW, "answers": ["Edge.example.com", "198.51.100.7"]}).encode())
        assert (found.rrtype, found.chain, rdata(found)) == ("", ("edge.example.com",), ["198.51.100.7"])

    @pytest.mark.parametrize("answers", [["printer._ipp._tcp.local"], ["TXT 12 198.51.100.7"], ["mx1.example.com"], []])
    def test_of_one_without_addresses_nobody_says_what_it_is(self, answers: list[str]) -> None:
        found = record_of(json.dumps({**ROW, "answers": answers}).encode())
        assert (found.rrtype, found.chain, found.answers, found.unread) == ("", (), (), ())

    @pytest.mark.parametrize("qtype", [12, 16, 15, 255])
    def test_of_one_to_another_question_an_address_is_none(self, qtype: int) -> None:
        found = record_of(json.dumps({**ROW, "qtype": qtype, "answers": ["198.51.100.7"]}).encode())
        assert (found.chain, found.answers) == ((), ())

    @pytest.mark.parametrize("key", ["id.orig_h", "id_orig_h"])
    def test_it_is_recognised_without_its_identifiers(self, key: str) -> None:
        assert FORMAT.recognises(json.dumps({"ts": 1.5, key: "10.0.0.1", "query": "k3xq.example.net"}).encode())
        assert not FORMAT.recognises(json.dumps({"ts": 1.5, "query": "k3xq.example.net"}).encode())

    def test_the_log_may_be_told_by_an_object_around_the_line(self) -> None:
        assert record_of(json.dumps({"dns": ROW}).encode()).rrname == "k3xq.example.net"
        assert parse_all(json.dumps({"weird": ROW}).encode()) == []
        assert FORMAT.recognises(json.dumps({"weird": ROW}).encode())

    @pytest.mark.parametrize("line", ['{"hello": 1}', "{}", '{"dns": {"hello": 1}}', '{"dns": 1}', '{"a": {}, "b": {}}'])
    def test_json_of_somebody_else_is_told(self, line: str) -> None:
        assert [one.reason for one in parse_all(line.encode()) if isinstance(one, BadLine)] == [
            "no JSON, or not of the shape that Zeek writes"
        ]
        assert not FORMAT.recognises(line.encode())


ROW: dict[str, object] = {"ts": 1795500965.5, "uid": "C1", "id.orig_h": "10.0.0.1", "query": "k3xq.example.net"}
