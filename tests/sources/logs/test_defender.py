"""Defender's DeviceNetworkEvents: every shape it hands them out in, what each action tells, and rows that are none."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.sources.logfile import BLOCK, LogFile, cut, finish, peek, read_line
from feedsvc.sources.logs import Formats, defender
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs import defender_making as rows
from tests.sources.logs import making
from tests.sources.logs.defender_making import WRITERS, Row, Writer
from tests.sources.logs.reading import LATER, Reader, expected

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "defender"
FORMAT = defender.build(defender.Options())
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".md")


def parse_all(text: bytes) -> list[LogRecord | BadLine]:
    parser = FORMAT.parser()
    return [*(one for line in cut(FORMAT, iter([text])) for one in read_line(parser, line)), *finish(parser)]


def records_of(text: bytes) -> list[LogRecord]:
    found = parse_all(text)
    assert not [one for one in found if isinstance(one, BadLine)], found
    return [one for one in found if isinstance(one, LogRecord)]


def record_of(row: Row, write: Writer = rows.rows_alone) -> LogRecord:
    (found,) = records_of(write([row]))
    return found


def reasons(text: bytes) -> list[str]:
    return [one.reason for one in parse_all(text) if isinstance(one, BadLine)]


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def rdata(record: LogRecord) -> list[str]:
    return [str(address) for address in record.answers]


class TestSamples:
    @pytest.mark.parametrize("name", ["stream.json", "hub.json", "portal.csv", "sentinel.csv"])
    def test_whoever_named_somebody_is_read_and_nobody_else(self, name: str) -> None:
        found = records_of(sample(name))
        assert [(one.kind, one.rrname, one.rrtype, rdata(one), one.chain) for one in found] == [
            ("dns", "k3xq.example.net", "A", ["198.51.100.7"], ()),
            ("dns", "cname.example.net", "A", ["198.51.100.8"], ("edge.example.com",)),
            ("tls", "k3xq.example.net", "", ["198.51.100.7"], ()),
            ("http", "k3xq.example.net", "", ["198.51.100.7"], ()),
            ("connection", "k3xq.example.net", "", ["198.51.100.7"], ()),
            ("connection", "", "", ["198.51.100.7"], ()),
        ]
        assert {one.client for one in found} == {"ws-17.corp.example"}
        assert {one.process for one in found} == {r"c:\users\jsmith\appdata\roaming\updater.exe"}
        assert {one.time for one in found} == {1793491200.0 if name == "sentinel.csv" else 1793491200.000123}

    @pytest.mark.parametrize("name", [name for name in NAMES if name != "refused.csv"])
    def test_its_first_bytes_show_what_it_is(self, name: str) -> None:
        with LogFile.open(str(SAMPLES / name)) as log:
            head, _ = peek(log.blocks())
        assert FORMAT.recognises(head)
        assert Formats().by_head(head).name == "defender"

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"\x00\xff",
            b"hello\n",
            b"Timestamp,DeviceName\n",
            b"a,ActionType,b\n",
            b'{"ActionType":"x"}\n',
            b'{"ts":1.5,"uid":"C1"}\n',
            b'{"records":[]}\n',
            b'{"records":[{"operationName":"ActionType"}]}\n',
            b"[" * 1000,
        ],
    )
    def test_anything_else_is_not(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)


class TestShapes:
    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    def test_rows_are_the_same_in_every_shape(self, write: Writer) -> None:
        log = [one for one in making.traffic(1, size=60) if one.trap != "an address was asked for"]
        text = write([rows.exchanged(one) for one in log])
        found = records_of(text)
        assert [(one.rrname, one.rrtype, one.client) for one in found] == [(one.query, one.qtype, one.client) for one in log]
        for one, record in zip(log, found, strict=True):
            assert set(one.inside) <= set(rdata(record))
            if one.trap:
                assert not [text for text in rdata(record) if text.startswith(("198.51.100.", "2001:db8:77:"))]
            else:
                assert record.chain == one.chain
        assert all(text[one.offset : one.offset + 1] in {b"{", b"2", b'"'} for one in found)
        assert FORMAT.recognises(text)

    @pytest.mark.parametrize("write", [rows.portal, rows.stream], ids=["csv", "json"])
    @pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
    def test_utf_16_is_read_like_any_other(self, write: Writer, codec: str) -> None:
        text = ("\ufeff" + write([rows.asked(), rows.tls()]).decode("utf-8-sig")).encode(codec)
        assert len(records_of(text)) == 2
        assert FORMAT.recognises(text)

    def test_columns_are_found_by_their_names(self) -> None:
        columns = ["RemoteUrl", "ActionType", "RemoteIP", "DeviceName", "Timestamp"]
        (found,) = records_of(rows.portal([rows.connection()], columns))
        assert (found.rrname, rdata(found), found.process) == ("k3xq.example.net", ["198.51.100.7"], "")

    def test_a_second_header_holds_for_the_rows_below_it(self) -> None:
        columns = ["RemoteIP", "RemoteUrl", "ActionType", "Timestamp", "DeviceName"]
        both = rows.portal([rows.connection()]) + rows.portal([rows.connection()], columns).removeprefix(b"\xef\xbb\xbf")
        assert len(records_of(both)) == 2

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    @settings(max_examples=20, deadline=None)
    @given(at=st.integers(0, 40))
    def test_reading_goes_on_behind_any_row_in_another_process(self, write: Writer, at: int) -> None:
        text = write([rows.exchanged(one) for one in making.traffic(2, size=20)])
        frames = list(cut(FORMAT, iter([text])))
        at %= len(frames) + 1
        first = FORMAT.parser()
        found = [one for line in frames[:at] for one in read_line(first, line)]
        second = FORMAT.parser(first.state())
        assert [*found, *(one for line in frames[at:] for one in read_line(second, line))] == parse_all(text)

    def test_a_state_of_somebody_else_is_refused(self) -> None:
        with pytest.raises(SourceError, match="remembered columns"):
            FORMAT.parser('{"fields": 3}')

    @pytest.mark.parametrize("write", [rows.portal, rows.stream], ids=["csv", "json"])
    def test_each_row_is_read_once_however_the_file_grows(self, tmp_path: Path, write: Writer) -> None:
        log = making.traffic(3, size=40)
        text, path = write([rows.exchanged(one) for one in log]), tmp_path / "rows"
        reader = Reader(str(path), form="defender", batch_bytes=2000)
        for end in range(0, len(text) + 3001, 3001):
            path.write_bytes(text[:end])
            reader.poll()
        reader.poll_all(LATER)
        assert reader.seen == expected(log)


class TestExchanges:
    @pytest.mark.parametrize(
        "answers",
        [
            ["edge.example.com", "198.51.100.7"],
            '["edge.example.com","198.51.100.7"]',
            "edge.example.com,198.51.100.7",
            ["edge.example.com", "::ffff:198.51.100.7", "198.51.100.7"],
            ["edge.example.com", "TXT 5 hello", None, 3.5, "198.51.100.7"],
        ],
    )
    def test_answers_are_read_however_they_are_listed(self, answers: object) -> None:
        found = record_of(rows.asked(answers=answers))
        assert (rdata(found), found.chain, found.unread) == (["198.51.100.7"], ("edge.example.com",), ())

    @pytest.mark.parametrize("answers", [None, "", [], "[", {"a": 1}, 7])
    def test_without_answers_it_tells_who_asked(self, answers: object) -> None:
        found = record_of(rows.asked(answers=answers))
        assert (found.answers, found.client) == ((), "ws-17.corp.example")

    @pytest.mark.parametrize("rrtype", ["TXT", "PTR", "HTTPS", "CNAME", "*"])
    def test_only_questions_for_addresses_give_addresses(self, rrtype: str) -> None:
        assert record_of(rows.asked(answers=["198.51.100.7"], qtype_name=rrtype)).answers == ()

    def test_a_type_may_be_told_by_its_number(self) -> None:
        assert rdata(record_of(rows.asked(qtype_name=None, qtype=1))) == ["198.51.100.7"]

    @pytest.mark.parametrize("query", ["", "-", "198.51.100.7", "2001:db8::1", None])
    def test_without_a_name_there_is_no_record(self, query: object) -> None:
        assert parse_all(rows.rows_alone([rows.asked(query=query)])) == []  # type: ignore[arg-type] # what a row may hold

    def test_a_target_that_is_no_name_is_told_and_costs_no_address(self) -> None:
        found = record_of(rows.asked(answers=["a..b", "198.51.100.7"]))
        assert (rdata(found), found.chain) == (["198.51.100.7"], ())
        assert [(one.reason, one.line) for one in found.unread] == [("answer is no name: empty label", b"a..b")]

    def test_what_another_host_asked_this_one_is_no_lookup_of_its_own(self) -> None:
        assert parse_all(rows.rows_alone([rows.asked(direction="In")])) == []


class TestConnections:
    @pytest.mark.parametrize(
        "url",
        [
            "k3xq.example.net",
            "K3XQ.example.net.",
            "k3xq.example.net:8443",
            "k3xq.example.net/path?q=198.51.100.9",
            "https://k3xq.example.net",
            "HTTPS://user:pass@k3xq.example.net:8443/p@th#x",
            "ldap+tls://k3xq.example.net/",
        ],
    )
    def test_the_host_of_an_url_is_the_name(self, url: str) -> None:
        found = record_of(rows.connection(url))
        assert (found.kind, found.rrname, rdata(found)) == ("connection", "k3xq.example.net", ["198.51.100.7"])

    @pytest.mark.parametrize(
        "url", ["", "-", "198.51.100.7", "http://198.51.100.7:80/", "https://[2001:db8::1]/", "/path", "?"]
    )
    def test_without_a_name_it_tells_who_went_to_which_address(self, url: str) -> None:
        found = record_of(rows.connection(url))
        assert (found.kind, found.rrname, rdata(found)) == ("connection", "", ["198.51.100.7"])
        assert parse_all(rows.rows_alone([rows.connection(url, RemoteIP="")])) == []

    @pytest.mark.parametrize(
        ("action", "read"),
        [
            ("ConnectionSuccess", True),
            ("ConnectionFailed", True),
            ("ConnectionRequest", True),
            ("ConnectionFound", True),
            ("ConnectionSuccessAggregatedReport", True),
            ("InboundConnectionAccepted", False),
            ("ListeningConnectionCreated", False),
            ("ConnectionAttempt", False),
            ("NetworkSignatureInspected", False),
            ("ProcessCreated", False),
            ("", False),
            (None, False),
        ],
    )
    def test_what_went_out_is_read(self, action: object, read: bool) -> None:
        assert len(parse_all(rows.rows_alone([rows.connection(ActionType=action)]))) == read

    @pytest.mark.parametrize("address", ["", None, "none", "198.51.100.007", 7])
    def test_without_an_address_it_tells_who_connected(self, address: object) -> None:
        found = record_of(rows.connection(RemoteIP=address))
        assert (found.answers, found.client) == ((), "ws-17.corp.example")

    @pytest.mark.parametrize(
        "fields", [{"method": "CONNECT", "uri": "k3xq.example.net:443"}, {"uri": "http://k3xq.example.net/a"}]
    )
    def test_the_address_of_a_proxy_is_not_that_of_the_host(self, fields: dict[str, str]) -> None:
        found = record_of(rows.http(method=fields.get("method", "GET"), uri=fields["uri"]))
        assert (found.kind, found.rrname, found.answers) == ("http", "k3xq.example.net", ())

    @pytest.mark.parametrize(
        "row", [rows.tls(direction="In"), rows.http(direction="in"), rows.tls(""), rows.http("198.51.100.7")]
    )
    def test_what_came_in_and_what_has_no_name_is_none(self, row: Row) -> None:
        assert parse_all(rows.rows_alone([row])) == []

    def test_additional_fields_may_be_an_object(self) -> None:
        row = rows.tls() | {"AdditionalFields": {"direction": "Out", "server_name": "object.example.net"}}
        assert record_of(row).rrname == "object.example.net"

    @pytest.mark.parametrize(
        ("folder", "file", "process"),
        [
            (r"C:\Windows\System32\svchost.exe", "svchost.exe", r"C:\Windows\System32\svchost.exe"),
            (r"C:\Windows\System32", "svchost.exe", "svchost.exe"),
            ("", "svchost.exe", "svchost.exe"),
            (None, None, ""),
            ("/usr/bin/x\x1b[2J", None, r"/usr/bin/x\x1b[2J"),
        ],
    )
    def test_the_process_is_told(self, folder: object, file: object, process: str) -> None:
        more = {"InitiatingProcessFolderPath": folder, "InitiatingProcessFileName": file}
        assert record_of(rows.connection() | more).process == process

    @pytest.mark.parametrize(
        ("more", "client"),
        [({}, "ws-17.corp.example"), ({"DeviceName": ""}, "10.0.0.17"), ({"DeviceName": None, "LocalIP": None}, None)],
    )
    def test_the_client_is_the_device(self, more: dict[str, object], client: str | None) -> None:
        assert record_of(rows.connection() | more).client == client


class TestUntoldTypes:
    @pytest.mark.parametrize(
        ("answers", "chain", "addresses"),
        [
            (["edge.example.com", "198.51.100.7"], ("edge.example.com",), ["198.51.100.7"]),
            (["printer.local"], (), []),
            ([], (), []),
        ],
    )
    def test_an_answer_without_its_question_gives_its_addresses(
        self, answers: list[str], chain: tuple[str, ...], addresses: list[str]
    ) -> None:
        fields = json.dumps({"direction": "Out", "query": "k3xq.example.net", "answers": answers})
        found = record_of(rows.asked() | {"AdditionalFields": fields})
        assert (found.rrtype, found.chain, rdata(found)) == ("", chain, addresses)

    def test_one_to_a_question_of_an_odd_type_gives_none(self) -> None:
        fields = json.dumps({"query": "k3xq.example.net", "qtype_name": "*", "answers": ["198.51.100.7"]})
        assert record_of(rows.asked() | {"AdditionalFields": fields}).answers == ()


class TestTimes:
    @pytest.mark.parametrize(
        ("time", "seconds"),
        [
            ("2026-11-01T00:00:01.1234567Z", 1793491201.123456),
            ("2026-11-01T01:00:01+01:00", 1793491201),
            ("2026-11-01 00:00:01", 1793491201),
            ("11/1/2026, 12:00:01.500 AM", 1793491201.5),
            ("Nov 1, 2026 12:00:01 AM", 1793491201),
            ("Nov 1, 2026, 12:00:01.5 AM", 1793491201.5),
            ("11/1/2026, 12:00:01\u202fPM", 1793534401),
            ("11/1/2026 13:00:01", 1793538001),
        ],
    )
    def test_each_spelling_is_the_same_clock(self, time: str, seconds: float) -> None:
        assert record_of(rows.connection(Timestamp=time)).time == seconds

    def test_the_order_and_the_zone_can_be_told(self) -> None:
        form = defender.build(defender.Options(date_order="dmy"), timezone(timedelta(hours=2)))
        parser = form.parser()
        assert parser.parse(b'"TimeGenerated [Local Time]",DeviceName,ActionType,RemoteIP,RemoteUrl', 0) is None
        found = parser.parse(b'"1/11/2026, 2:00:01.000 AM",ws,ConnectionSuccess,198.51.100.7,k3xq.example.net', 0)
        assert isinstance(found, tuple)
        assert isinstance(found[0], LogRecord)
        assert found[0].time == 1793491201

    @pytest.mark.parametrize(
        "time",
        [
            "",
            None,
            "never",
            "13/13/2026, 1:00:00 AM",
            "Nov 31, 2026 1:00:00 AM",
            "Foo 1, 2026 1:00:00 AM",
            "11/1/2026, 13:00:00 AM",
            "0001-01-01",
            7,
        ],
    )
    def test_what_is_no_time_is_refused(self, time: object) -> None:
        assert len(reasons(rows.rows_alone([rows.connection(Timestamp=time)]))) == 1


class TestRefused:
    def test_of_json_each_fault_is_told_and_costs_no_other_row(self) -> None:
        text = sample("refused.json")
        found = parse_all(text)
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == [
            "k3xq.example.net",
            "targets.example.net",
            "one.example.net",
            "two.example.net",
            "last.example.net",
        ]
        assert Counter(reasons(text)) == {
            "no JSON": 1,
            "row without a header above it": 2,
            "query is no name: empty label": 2,
            "RemoteUrl is no name: label of 64 octets, 63 is the limit": 1,
            "time that cannot be read": 1,
            "AdditionalFields that are no JSON": 1,
        }
        assert all(text[one.offset :].startswith(one.line) for one in found if isinstance(one, BadLine))

    def test_of_csv_each_fault_is_told_and_costs_no_other_row(self) -> None:
        text = sample("refused.csv")
        assert [one.rrname for one in parse_all(text) if isinstance(one, LogRecord)] == [
            "k3xq.example.net",
            "last.example.net",
        ]
        assert Counter(reasons(text)) == {
            "row without a header above it": 1,
            "not as many cells as the header has columns": 1,
            "query is no name: empty label": 1,
            "row that is no CSV": 1,
            "time that cannot be read": 1,
        }

    def test_a_quote_that_nobody_closes_costs_no_more_than_it_must(self) -> None:
        header, row = rows.portal([rows.connection()]).split(b"\r\n", 1)
        text = header + b'\r\n"' + (b"x" * 99 + b"\r\n") * 20_000 + row
        blocks = (text[at : at + BLOCK] for at in range(0, len(text), BLOCK))
        parser = FORMAT.parser()
        found = [one for line in cut(FORMAT, blocks) for one in read_line(parser, line)]
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == ["k3xq.example.net"]


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_raise(self, text: bytes) -> None:
        parse_all(text)
        FORMAT.recognises(text)
        parse_all(rows.portal([]) + text)
        parse_all(b'{"ActionType":' + text + b"}")

    @settings(max_examples=60, deadline=None)
    @given(data=st.data(), write=st.sampled_from([*WRITERS.values()]))
    def test_a_changed_row_is_never_misread(self, data: st.DataObject, write: Writer) -> None:
        text = bytearray(write([rows.asked()]))
        for _ in range(data.draw(st.integers(1, 4))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        for one in parse_all(bytes(text)):
            assert isinstance(one, BadLine) or len(one.answers) <= 1

    @pytest.mark.parametrize("key", ["ActionType", "RemoteIP", "RemoteUrl", "DeviceName", "Timestamp", "AdditionalFields"])
    @given(value=st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), st.lists))
    def test_no_json_value_makes_it_raise(self, key: str, value: object) -> None:
        for row in (rows.connection(), rows.asked(), rows.tls()):
            parse_all(json.dumps(row | {key: value}).encode())
            parse_all(json.dumps(row | {"AdditionalFields": json.dumps({key: value, "query": value})}).encode())
            parse_all(json.dumps({"records": value, "properties": value}).encode())

    def test_json_nested_without_end_is_a_bad_line(self) -> None:
        assert reasons(b'{"ActionType":' + b"[" * 100_000) == ["no JSON"]
        deep = "[" * 100_000
        assert reasons(rows.rows_alone([rows.asked() | {"AdditionalFields": deep}])) == ["AdditionalFields that are no JSON"]
        assert record_of(rows.asked(answers=deep)).answers == ()

    def test_long_values_take_no_time(self) -> None:
        for url in ("a" * 900_000, "a:" * 450_000, "@" * 900_000, "a://" * 200_000, "1" * 900_000, ":" * 900_000):
            parse_all(rows.rows_alone([rows.connection(url)]))
            parse_all(rows.rows_alone([rows.connection(Timestamp=url)]))
            parse_all(rows.rows_alone([rows.asked(url, answers=url)]))
