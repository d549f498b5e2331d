"""Windows DNS Server's logs: each lookup once, whatever is switched on; local times; names by lengths; deceit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.names import NetblockMap, parse_netblock
from feedsvc.sources.logfile import LogFile, cut, finish, peek, read_line
from feedsvc.sources.logs import Formats, msdns, sysmon
from feedsvc.sources.port import BadLine, LogRecord
from feedsvc.sources.records import inside
from tests.sources.logs import making, windns_making
from tests.sources.logs.making import Exchange, hit
from tests.sources.logs.reading import LATER, Reader, expected
from tests.sources.logs.windns_making import Answer, analytic_log, debug_log, details, event, lengths, packet

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "msdns"
FORMAT = msdns.build(msdns.Options())
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".md")
NETBLOCKS = NetblockMap([parse_netblock(text) for text in making.NETBLOCKS])

Writer = Callable[[Iterable[Exchange]], bytes]
WRITERS: dict[str, Writer] = {
    "details": debug_log,
    "utf-16": lambda log: b"\xff\xfe" + debug_log(log).decode("latin-1").encode("utf-16-le"),
    "analytic": analytic_log,
}


def parse_all(text: bytes, state: str = "") -> list[LogRecord | BadLine]:
    parser = FORMAT.parser(state)
    return [*(one for line in cut(FORMAT, iter([text])) for one in read_line(parser, line)), *finish(parser)]


def records_of(text: bytes | str) -> list[LogRecord]:
    found = parse_all(text if isinstance(text, bytes) else text.encode("latin-1"))
    assert not [one for one in found if isinstance(one, BadLine)], found
    return [one for one in found if isinstance(one, LogRecord)]


def record_of(text: bytes | str) -> LogRecord:
    (found,) = records_of(text)
    return found


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def rdata(record: LogRecord) -> list[str]:
    return [str(address) for address in record.answers]


def told(found: Iterable[LogRecord | BadLine]) -> Counter[tuple[str, str | None, tuple[str, ...], tuple[str, ...]]]:
    """What records say of the netblocks: name, client, addresses inside, CNAMEs."""
    records = [one for one in found if isinstance(one, LogRecord)]
    found_inside = (tuple(map(str, inside(one, NETBLOCKS))) for one in records)
    return Counter(
        (one.rrname, one.client, addresses, one.chain)
        for one, addresses in zip(records, found_inside, strict=True)
        if addresses
    )


def truth(log: Iterable[Exchange], client: bool = True) -> Counter[tuple[str, str | None, tuple[str, ...], tuple[str, ...]]]:
    return Counter((one.query, one.client if client else None, one.inside, one.chain) for one in log if one.inside)


class TestSamples:
    @pytest.mark.parametrize(
        ("name", "answers"),
        [
            ("debug.log", False),
            ("debug-questions.log", False),
            ("debug-details.log", True),
            ("debug-utf16.log", True),
            ("analytic.json", True),
        ],
    )
    def test_each_lookup_is_told_once_with_all_that_the_log_says(self, name: str, answers: bool) -> None:
        found = records_of(sample(name))
        assert [(one.rrname, one.rrtype, one.client) for one in found] == [
            ("k3xq.example.net", "A", "10.0.0.7"),
            ("cname.example.net", "A", "10.0.0.8"),
            ("v6.example.net", "AAAA", "2001:db8::7"),
            ("7.100.51.198.in-addr.arpa", "PTR", "10.1.2.3"),
            ("text.example.net", "TXT", "10.1.2.3"),
            ("nothing.example.net", "A", "10.1.2.3"),
        ]
        assert [one.time for one in found] == [1793491201.0 + second for second in range(6)]
        addresses: list[list[str]] = [["198.51.100.7"], ["198.51.100.7"], ["2001:db8:77::1"], [], [], []]
        assert [rdata(one) for one in found] == (addresses if answers else [[]] * 6)
        assert found[1].chain == (("edge.example.com", "node.example.com") if answers else ())

    def test_the_times_of_a_german_server_are_read(self) -> None:
        assert [one.time for one in records_of(sample("debug-german.log"))] == [1793491201.0, 1793491202.0]

    @pytest.mark.parametrize("name", NAMES)
    def test_its_first_bytes_show_what_it_is(self, name: str) -> None:
        with LogFile.open(str(SAMPLES / name)) as log:
            head, _ = peek(log.blocks())
        assert FORMAT.recognises(head)
        assert not sysmon.build(sysmon.Options()).recognises(head)
        assert Formats().by_head(head).name == "msdns"

    @pytest.mark.parametrize("name", ["debug.log", "debug-details.log"])
    def test_a_piece_without_its_header_is_known_all_the_same(self, name: str) -> None:
        text = sample(name)
        at = text.index(b"11/1/2026 12:00:0", 1000)
        assert FORMAT.recognises(text[at:])

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"\x00\xff",
            b"hello\n",
            b"  indented\n  as details are\n",
            b"#separator \\x09\n",
            b'{"EventID":22,"SourceName":"Microsoft-Windows-Sysmon","UtcTime":"2026-11-01 00:00:00.000"}\n',
            b"2026-11-01 00:00:00 1234 EVENT   another log altogether\n" * 3,
        ],
    )
    def test_anything_else_is_another_log(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)


class TestTraffic:
    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_exactly_the_hits_are_found(self, write: Writer, seed: int) -> None:
        log = making.traffic(seed, size=300)
        assert told(parse_all(write(log))) == truth(log)

    def test_where_nobody_was_answered_who_asked_and_what_came_from_upstream_are_told(self) -> None:
        log = making.traffic(4, size=300)
        found = [one for one in parse_all(debug_log(log, answered=False)) if isinstance(one, LogRecord)]
        assert told(found) == truth(log, client=False)
        asked = Counter((one.rrname, one.client) for one in found if one.client)
        assert asked == Counter((one.query, one.client) for one in log if one.trap != "an address was asked for")

    def test_what_the_server_asks_others_is_nobodys_lookup(self) -> None:
        log = making.traffic(5, size=100)
        assert parse_all(debug_log(log, asked=False, answered=False, detailed=False)) == []

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    @settings(max_examples=30, deadline=None)
    @given(at=st.integers(0, 2000), seed=st.integers(0, 5), answered=st.booleans())
    def test_reading_goes_on_behind_any_line_in_another_process(
        self, write: Writer, at: int, seed: int, answered: bool
    ) -> None:
        log = making.traffic(seed, size=8)
        text = write(log) if answered or write is not debug_log else debug_log(log, answered=False)
        lines = list(cut(FORMAT, iter([text])))
        at %= len(lines) + 1
        first = FORMAT.parser()
        found = [one for line in lines[:at] for one in read_line(first, line)]
        second = FORMAT.parser(first.state())
        found += [one for line in lines[at:] for one in read_line(second, line)]
        assert [*found, *finish(second)] == parse_all(text)

    def test_a_state_of_somebody_else_is_refused(self) -> None:
        for state in ('{"open": 3}', "{}x", '{"whose": 1}'):
            with pytest.raises(SourceError, match="remembered of a DNS debug log"):
                FORMAT.parser(state)

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    def test_each_lookup_is_read_once_however_the_file_grows(self, tmp_path: Path, write: Writer) -> None:
        log = making.traffic(6, size=60)
        text, path = write(log), tmp_path / "dns.log"
        reader = Reader(str(path), form="msdns", batch_bytes=3000)
        for end in range(0, len(text) + 7001, 7001):
            path.write_bytes(text[:end])
            reader.poll()
        reader.poll_all(LATER)
        reader.poll_all(LATER)
        assert reader.seen == expected(log)


class TestPackets:
    def test_columns_may_be_missing(self) -> None:
        old = "20070425 11:36:26 A28 PACKET  UDP Rcv 10.20.30.40  c0cf   Q [0001   D   NOERROR] (3)www(7)example(3)com(0)\n"
        found = record_of(old)
        assert (found.client, found.rrname, found.rrtype, found.time) == ("10.20.30.40", "www.example.com", "", 1177500986.0)

    @pytest.mark.parametrize(
        ("spelt", "rrtype"), [("A", "A"), ("AAAA", "AAAA"), ("ALL", "ANY"), ("65", "HTTPS"), ("65280", "TYPE65280")]
    )
    def test_types_are_named(self, spelt: str, rrtype: str) -> None:
        assert record_of(packet("k3xq.example.net", rrtype=spelt)).rrtype == rrtype

    def test_the_client_of_a_link_has_no_interface(self) -> None:
        assert record_of(packet("k3xq.example.net", remote="fe80::1%12")).client == "fe80::1"

    @pytest.mark.parametrize("opcode", ["N", "U", "?"])
    def test_updates_and_notifications_are_no_lookups(self, opcode: str) -> None:
        assert records_of(packet("k3xq.example.net").replace("  Q [", f"  {opcode} [")) == []

    @pytest.mark.parametrize("name", ["198.51.100.7", "."])
    def test_an_address_and_the_root_are_no_names(self, name: str) -> None:
        spelt = "(0)" if name == "." else lengths(name)
        line = packet("x.example.net").replace(lengths("x.example.net"), spelt)
        assert records_of(line) == []

    def test_other_lines_are_no_records_and_no_faults(self) -> None:
        text = windns_making.HEADER + "11/1/2026 12:00:00 AM 01A0 EVENT   The DNS server has started.\n\n"
        assert records_of(text + "  Socket = 3\nUDP response info at 00000005D8F8BC40\n") == []


def test_times_are_local_in_the_zone_of_the_source() -> None:
    parser = msdns.build(msdns.Options(), ZoneInfo("Europe/Berlin")).parser()
    parser.parse(packet("k3xq.example.net", "Snd", response=True, time="1.11.2026 01:00:00").encode(), 0)
    (found,) = finish(parser)
    assert isinstance(found, LogRecord)
    assert found.time == 1793491200.0


class TestDetails:
    def read(self, answers: list[Answer], count: int | None = None) -> LogRecord:
        name = "k3xq.example.net"
        return record_of(packet(name, "Snd", response=True) + details(name, answers, count=count))

    def test_answers_may_stand_in_any_order(self) -> None:
        found = self.read(
            [
                Answer("node.example.com", "A", "198.51.100.7"),
                Answer("edge.example.com", "CNAME", "node.example.com"),
                Answer("k3xq.example.net", "CNAME", "edge.example.com"),
            ]
        )
        assert (rdata(found), found.chain, found.unread) == (["198.51.100.7"], ("edge.example.com", "node.example.com"), ())

    @pytest.mark.parametrize("data", ["2001:db8:77::1", "[2001:db8:77::1]", "2001:0DB8:0077:0:0:0:0:1"])
    def test_addresses_of_either_version_are_read(self, data: str) -> None:
        assert rdata(self.read([Answer("k3xq.example.net", "AAAA", data)])) == ["2001:db8:77::1"]

    @pytest.mark.parametrize("rrtype", ["TXT", "HTTPS", "MX"])
    def test_other_types_give_no_address(self, rrtype: str) -> None:
        assert self.read([Answer("k3xq.example.net", rrtype, "198.51.100.7")]).answers == ()

    def test_an_address_of_another_name_is_told_and_left_out(self) -> None:
        found = self.read([Answer("www.example.org", "A", "198.51.100.7")])
        assert (found.answers, [one.reason for one in found.unread]) == (
            (),
            ["address of a name that the question does not lead to"],
        )

    def test_a_text_that_looks_like_answers_makes_all_of_them_unbelievable(self) -> None:
        text = details("k3xq.example.net", [Answer("k3xq.example.net", "A", "198.51.100.8")])
        text = "x\n" + text[text.index("    Offset = 0x0055") : text.index("    AUTHORITY")]
        found = self.read([Answer("k3xq.example.net", "TXT", text)])
        assert found.answers == ()
        assert [one.reason for one in found.unread] == ["details with more answers than the packet has"]

    def test_a_text_that_looks_like_a_part_of_an_answer_is_none(self) -> None:
        text = "x\n      TYPE   A  (1)\n      CLASS  1\n      DATA   198.51.100.8"
        assert self.read([Answer("k3xq.example.net", "TXT", text)]).answers == ()

    def test_the_packet_above_is_whole_when_another_begins(self) -> None:
        name = "k3xq.example.net"
        whole = details(name, [Answer(name, "A", "198.51.100.7")])
        text = packet(name, "Snd", response=True) + whole.rstrip("\n") + "\n" + packet("b.example.net", "Snd", response=True)
        first, second = records_of(text)
        assert (rdata(first), rdata(second)) == (["198.51.100.7"], [])

    def test_a_packet_and_its_details_may_come_as_one(self) -> None:
        name = "k3xq.example.net"
        text = packet(name, "Snd", response=True) + details(name, [Answer(name, "A", "198.51.100.7")])
        parser = FORMAT.parser()
        found = [parser.parse(text.strip().replace("\n", end).encode(), 7) for end in ("\n", "\r\n")]
        assert found[0] is None
        assert isinstance(found[1], tuple)
        for one in (*found[1], *finish(parser)):
            assert isinstance(one, LogRecord)
            assert (one.rrname, rdata(one), one.offset) == (name, ["198.51.100.7"], 7)

    def test_memory_is_bounded_however_long_they_are(self) -> None:
        name = "k3xq.example.net"
        answers = [Answer(name, "A", f"198.51.{number >> 8}.{number & 255}") for number in range(6000)]
        parser = FORMAT.parser()
        for line in cut(FORMAT, iter([(packet(name, "Snd", response=True) + details(name, answers)).encode()])):
            if line[0] % 1000 == 0:
                assert len(parser.state()) < 200_000
            if line[1]:
                parser.parse(line[1], line[0])
        (found,) = finish(parser)
        assert isinstance(found, LogRecord)
        assert len(found.answers) == 4096


class TestEvents:
    @pytest.mark.parametrize(
        ("number", "client", "answers"),
        [
            (256, "10.0.0.1", []),
            (257, "10.0.0.1", ["198.51.100.7"]),
            (258, "10.0.0.1", ["198.51.100.7"]),
            (259, "10.0.0.1", []),
            (261, None, ["198.51.100.7"]),
        ],
    )
    def test_each_event_tells_what_it_can(self, number: int, client: str | None, answers: list[str]) -> None:
        found = record_of(event(number, hit("k3xq")))
        assert (found.rrname, found.rrtype, found.client, rdata(found)) == ("k3xq.example.net", "A", client, answers)

    def test_what_the_server_asks_others_is_no_record(self) -> None:
        assert parse_all(event(260, hit("k3xq"))) == []

    def test_without_a_packet_the_event_itself_tells_who_asked(self) -> None:
        found = record_of(event(257, hit("k3xq"), PacketData="", QTYPE="28"))
        assert (found.rrname, found.rrtype, found.client, found.answers) == ("k3xq.example.net", "AAAA", "10.0.0.1", ())

    def test_events_of_other_programs_are_none(self) -> None:
        line = event(257, hit("k3xq")).replace(b"Microsoft-Windows-DNSServer", b"Microsoft-Windows-Other")
        assert parse_all(line) == []
        assert not FORMAT.recognises(line)

    def test_a_local_time_of_nxlog_is_that_of_the_servers_zone(self) -> None:
        whole = json.loads(event(257, hit("k3xq")))
        flat = {"EventID": 257, "SourceName": "Microsoft-Windows-DNSServer", "EventTime": "2026-11-01 02:00:01"}
        form = msdns.build(msdns.Options(), timezone(timedelta(hours=2)))
        found = form.parser().parse(json.dumps(flat | whole["winlog"]["event_data"]).encode(), 0)
        assert isinstance(found, tuple)
        assert isinstance(found[0], LogRecord)
        assert found[0].time == 1793491201.0


class TestRefused:
    def test_of_a_debug_log_each_fault_is_told_and_costs_no_other_line(self) -> None:
        found = parse_all(sample("refused.log"))
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == [
            "first.example.net",
            "more.example.net",
            "owner.example.net",
            "data.example.net",
            "last.example.net",
        ]
        assert Counter(one.reason for one in found if isinstance(one, BadLine)) == {
            "no line of a DNS debug log": 1,
            "packet that cannot be read": 1,
            "query is no name: labels that are not as long as they say": 1,
            "query is no name: label of 64 octets, 63 is the limit": 1,
            "time that there is not: see `date_order`": 2,
            "half of the day that is not known": 1,
        }
        assert all(sample("refused.log")[one.offset :].startswith(one.line) for one in found if isinstance(one, BadLine))
        assert Counter(part.reason for one in found if isinstance(one, LogRecord) for part in one.unread) == {
            "details with more answers than the packet has": 1,
            "address of a name that the question does not lead to": 1,
            "answer that is no address": 1,
        }

    def test_of_an_analytic_log_each_fault_is_told_and_costs_no_other_event(self) -> None:
        found = parse_all(sample("refused.json"))
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == [
            "k3xq.example.net",
            "none.example.net",
            "last.example.net",
        ]
        assert Counter(one.reason for one in found if isinstance(one, BadLine)) == {
            "event without its end": 1,
            "PacketData that is not hexadecimal": 1,
            "message shorter than its header": 1,
            "time that is none": 1,
        }


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_raise(self, text: bytes) -> None:
        parse_all(text)
        FORMAT.recognises(text)
        parse_all(b'{"QNAME":' + text + b"}")

    @settings(max_examples=60, deadline=None)
    @given(data=st.data(), write=st.sampled_from([*WRITERS.values()]))
    def test_a_changed_log_is_never_misread(self, data: st.DataObject, write: Writer) -> None:
        text = bytearray(write([hit("k3xq", chain=("edge.example.com",))]))
        for _ in range(data.draw(st.integers(1, 6))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        for one in parse_all(bytes(text)):
            assert isinstance(one, BadLine) or len(one.answers) <= 1

    def test_long_lines_take_no_time(self) -> None:
        for line in (
            b"1" * 900_000,
            b"11/1/2026 " * 90_000,
            b"(1)a" * 200_000,
            b" " * 900_000 + b"x",
            b"1 PACKET " * 100_000,
        ):
            parse_all(line)
            parse_all(
                packet("k3xq.example.net", "Snd", response=True).encode()
                + b"UDP response info at x\n ANSWER SECTION:\n"
                + line
            )
