"""Sysmon's queries and connections, in every shape that carries them: real samples, laws between shapes, deceit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources.logfile import LogFile, cut, finish, peek, read_line
from feedsvc.sources.logs import Formats, msdns, sysmon
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs import windows_making as making
from tests.sources.logs.reading import LATER, Reader
from tests.sources.logs.windows_making import WRITERS, Event, connection, process, query, utf16, viewer

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "sysmon"
FORMAT = sysmon.build(sysmon.Options())
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".md")
EDGE = "type:  5 edge.example.com;::ffff:198.51.100.7;"

# What XML can hold, and no line end, which its readers may change.
TEXTS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Cn", "Co", "Zl", "Zp"]), max_size=40)


def parse_all(text: bytes, options: sysmon.Options | None = None) -> list[LogRecord | BadLine]:
    form = sysmon.build(options or sysmon.Options())
    parser = form.parser()
    return [*(one for line in cut(form, iter([text])) for one in read_line(parser, line)), *finish(parser)]


def records_of(text: bytes) -> list[LogRecord]:
    found = parse_all(text)
    assert not [one for one in found if isinstance(one, BadLine)]
    return [one for one in found if isinstance(one, LogRecord)]


def record_of(event: Event, write: Callable[[Event], bytes] = making.evtx_dump) -> LogRecord:
    (found,) = records_of(write(event))
    return found


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def rdata(record: LogRecord) -> list[str]:
    return [str(address) for address in record.answers]


def names(found: list[LogRecord]) -> list[str]:
    return [one.rrname for one in found]


class TestRealSamples:
    def test_the_query_of_an_event_log_is_read(self) -> None:
        (found,) = records_of(sample("psexec.evtx"))
        assert (found.client, found.rrname, found.rrtype, rdata(found), found.chain) == (
            "fs03vuln.offsec.lan",
            "fs03vuln",
            "",
            ["10.23.42.38"],
            (),
        )
        assert (found.time, found.process, found.kind) == (1638652750.604, r"C:\TOOLS\PsExec64.exe", "dns")
        assert sample("psexec.evtx")[found.offset :].startswith(b"**\0\0")

    def test_every_query_of_a_data_set_is_a_record(self) -> None:
        found = records_of(sample("otrf-flat.json"))
        assert len(found) == 40
        assert {one.client for one in found} == {"WORKSTATION5"}
        assert Counter(bool(one.answers) for one in found) == {True: 3, False: 37}
        raw = next(one for one in found if one.rrname == "raw.githubusercontent.com")
        assert (raw.time, raw.chain, rdata(raw)) == (1603346061.525, ("github.map.fastly.net",), ["151.101.248.133"])
        assert raw.process == r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"

    @pytest.mark.parametrize("name", NAMES)
    def test_its_first_bytes_show_that_it_is_sysmons(self, name: str) -> None:
        with LogFile.open(str(SAMPLES / name)) as log:
            head, _ = peek(log.blocks())
        assert FORMAT.recognises(head)
        assert not msdns.build(msdns.Options()).recognises(head)


class TestShapes:
    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    @given(name=st.sampled_from(["k3xq.example.net", "K3XQ.Example.NET."]), image=TEXTS)
    def test_an_event_is_the_same_in_every_shape(self, write: Callable[[Event], bytes], name: str, image: str) -> None:
        event = query(name, EDGE, Image=image.strip())
        found = record_of(event, write)
        assert (found.time, found.client, found.rrname) == (1793491200.125, "ws-17.corp.example", "k3xq.example.net")
        assert (rdata(found), found.chain, found.unread) == (["198.51.100.7"], ("edge.example.com",), ())
        assert found.process == record_of(event).process

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    @pytest.mark.parametrize("wide", [bytes, utf16, lambda text: utf16(text, big=True)], ids=["utf-8", "le", "be"])
    def test_of_a_log_every_query_is_read_and_nothing_else(
        self, write: Callable[[Event], bytes], wide: Callable[[bytes], bytes]
    ) -> None:
        log = b"".join(map(write, (process(), query(), query("other.example.net"), process())))
        found = records_of(wide(log))
        assert names(found) == ["k3xq.example.net", "other.example.net"]
        assert FORMAT.recognises(wide(log))
        for one in found:
            assert wide(log)[one.offset : one.offset + 24].replace(b"\0", b"").startswith((b"{", b"<Event"))

    def test_what_the_event_viewer_exports_on_one_line_is_many_events(self) -> None:
        log = viewer(*(query(f"n{number}.example.net") for number in range(50)))
        assert names(records_of(log)) == [f"n{number}.example.net" for number in range(50)]

    def test_an_event_of_another_program_is_none_of_sysmons(self) -> None:
        other = Event(22, query().data, provider="Microsoft-Windows-Other")
        assert [parse_all(write(other)) for write in WRITERS.values()] == [[]] * len(WRITERS)

    def test_an_event_of_which_nobody_says_whose_it_is_is_known_by_what_it_says(self) -> None:
        line = json.dumps({"EventID": 22, "Hostname": "ws-17", **query().data}).encode()
        assert FORMAT.recognises(line)
        assert names(records_of(line)) == ["k3xq.example.net"]

    def test_the_time_of_the_event_itself_comes_before_that_of_its_writing(self) -> None:
        assert record_of(query(UtcTime="2026-11-01 00:00:07.5")).time == 1793491207.5

    @pytest.mark.parametrize(
        ("key", "time", "seconds"),
        [
            ("@timestamp", "2026-11-01T00:00:01.25Z", 1793491201.25),
            ("TimeCreated", "2026-11-01T01:00:01+01:00", 1793491201.0),
            ("EventTime", "2026-11-01 02:00:01", 1793491201.0),
            ("EventTime", "2026-11-01T00:00:01.1234567Z", 1793491201.123456),
        ],
    )
    def test_where_it_has_none_the_time_of_its_writing_counts(self, key: str, time: str, seconds: float) -> None:
        event = {"EventID": 22, key: time, "QueryName": "k3xq.example.net", "QueryResults": "198.51.100.7;"}
        form = sysmon.build(sysmon.Options(), timezone(timedelta(hours=2)))
        found = form.parser().parse(json.dumps(event).encode(), 0)
        assert isinstance(found, LogRecord)
        assert found.time == seconds


class TestQueries:
    @pytest.mark.parametrize(
        ("name", "rrname"),
        [
            ("K3XQ.example.net.", "k3xq.example.net"),
            ("a b.example.net", r"a\032b.example.net"),
            (r"back\slash.example.net", r"back\\slash.example.net"),
            ("bücher.example.net", "xn--bcher-kva.example.net"),
            ("_ldap._tcp.dc._msdcs.corp.example", "_ldap._tcp.dc._msdcs.corp.example"),
            ("wpad", "wpad"),
        ],
    )
    def test_names_are_canonical(self, name: str, rrname: str) -> None:
        assert record_of(query(name)).rrname == rrname

    @pytest.mark.parametrize("name", ["", "-", ".", "198.51.100.7", "198.51.100.7.", "2001:db8::1"])
    def test_without_a_name_there_is_no_record(self, name: str) -> None:
        assert parse_all(making.evtx_dump(query(name))) == []

    def test_a_query_without_answers_tells_who_asked(self) -> None:
        found = record_of(query(results="-"))
        assert (found.answers, found.client) == ((), "ws-17.corp.example")

    def test_who_wrote_it_may_be_an_address(self) -> None:
        event = query()
        assert record_of(Event(22, event.data, computer="::ffff:10.0.0.1")).client == "10.0.0.1"
        assert record_of(Event(22, event.data, computer="")).client is None

    def test_what_is_shown_of_a_process_does_no_harm(self) -> None:
        assert record_of(query(Image="C:\\\x1b[2J\u202eexe.txt")).process == r"C:\\x1b[2J\u202eexe.txt"
        assert len(record_of(query(Image="x" * 100_000)).process) == 1024

    def test_answers_that_cannot_be_believed_are_told(self) -> None:
        found = record_of(query(results="198.51.100.7;neither;"))
        assert (found.answers, found.chain) == ((), ())
        assert [(one.reason, one.line) for one in found.unread] == [
            ("answers in which something is neither name nor address", b"198.51.100.7;neither;")
        ]


class TestConnections:
    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    def test_a_connection_by_name_is_a_record(self, write: Callable[[Event], bytes]) -> None:
        found = record_of(connection(), write)
        assert (found.kind, found.rrname, found.rrtype, rdata(found)) == (
            "connection",
            "k3xq.example.net",
            "",
            ["198.51.100.7"],
        )
        assert (found.client, found.process) == ("ws-17.corp.example", r"C:\Users\jsmith\AppData\Roaming\updater.exe")

    def test_what_came_in_is_none(self) -> None:
        assert parse_all(making.evtx_dump(connection(Initiated="false"))) == []

    @pytest.mark.parametrize("name", ["-", ""])
    def test_one_without_a_name_still_tells_who_went_to_which_address(self, name: str) -> None:
        found = record_of(connection(DestinationHostname=name), making.evtx_dump)
        assert (found.kind, found.rrname, rdata(found)) == ("connection", "", ["198.51.100.7"])
        assert parse_all(making.evtx_dump(connection(DestinationHostname=name, DestinationIp=""))) == []

    def test_names_of_reverse_lookups_can_be_left_out(self) -> None:
        log = making.evtx_dump(connection()) + making.evtx_dump(query())
        found = parse_all(log, sysmon.Options(reverse_names=False))
        assert [(one.kind, one.rrname) for one in found if isinstance(one, LogRecord)] == [
            ("connection", ""),
            ("dns", "k3xq.example.net"),
        ]


class TestRefused:
    def test_of_json_each_fault_is_told_and_costs_no_other_event(self) -> None:
        found = parse_all(sample("refused.json"))
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == [
            "k3xq.example.net",
            "parts.example.net",
            "injected.example.net",
            "targets.example.net",
            "last.example.net",
        ]
        assert Counter(one.reason for one in found if isinstance(one, BadLine)) == {
            "event without its end": 1,
            "no JSON": 1,
            "QueryName is no name: empty label": 1,
            "QueryName is no name: label of 64 octets, 63 is the limit": 1,
            "time that is none": 2,
            "DestinationIp is no address": 1,
            "no event": 2,
        }
        assert all(sample("refused.json")[one.offset :].startswith(one.line) for one in found if isinstance(one, BadLine))

    def test_a_name_that_looks_like_answers_leads_nobody_into_the_netblock(self) -> None:
        found = {one.rrname: one for one in parse_all(sample("refused.json")) if isinstance(one, LogRecord)}
        assert (found["injected.example.net"].answers, found["injected.example.net"].chain) == ((), ())

    def test_of_xml_each_fault_is_told_and_costs_no_other_event(self) -> None:
        found = parse_all(sample("refused.xml"))
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == [
            "k3xq.example.net",
            "second.example.net",
            "last.example.net",
        ]
        assert Counter(one.reason for one in found if isinstance(one, BadLine)) == {
            "event without its end": 1,
            "QueryName is no name: empty label": 1,
            "event that is no well-formed XML": 1,
            "no event": 1,
            "time that is none": 1,
        }

    def test_entities_are_not_expanded(self) -> None:
        bomb = b'<!DOCTYPE Event [<!ENTITY a "b">]><Event><System/><Data Name="QueryName">&a;</Data></Event>'
        found = parse_all(bomb)
        assert {type(one) for one in found} == {BadLine}
        assert isinstance(found[-1], BadLine)
        assert found[-1].reason == "event that is no well-formed XML"

    def test_elements_nested_without_end_break_nothing(self) -> None:
        deep = b"<Event><QueryName>" + b"<a>" * 300_000 + b"</Event>"
        assert [type(one) for one in parse_all(deep)] == [BadLine]
        nested = (
            b"<Event><System><EventID>1</EventID></System>QueryName" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</Event>"
        )
        assert parse_all(nested) == []
        assert [type(one) for one in parse_all(b'{"QueryName":' + b"[" * 300_000 + b"}")] == [BadLine]


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_raise(self, text: bytes) -> None:
        parse_all(text)
        FORMAT.recognises(text)
        FORMAT.parser().parse(text, 0)

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    @given(data=st.data())
    def test_a_changed_event_is_never_misread(self, write: Callable[[Event], bytes], data: st.DataObject) -> None:
        line = bytearray(write(query("k3xq.example.net", EDGE)))
        for _ in range(data.draw(st.integers(1, 4))):
            line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
        for one in parse_all(bytes(line)):
            if isinstance(one, LogRecord):
                assert set(rdata(one)) <= {"198.51.100.7"} or b"198.51.100.7" not in line

    @pytest.mark.parametrize("key", ["QueryName", "QueryResults", "UtcTime", "Image"])
    @given(value=st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), st.lists))
    def test_no_json_value_makes_it_raise(self, key: str, value: object) -> None:
        for write in (making.evtx_dump, making.winlogbeat, making.flat):
            event = json.loads(write(query()))
            place = event.get("winlog", {}).get("event_data") or event.get("Event", {}).get("EventData") or event
            place[key] = value
            parse_all(json.dumps(event).encode())

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "Event",
                            "System",
                            "EventData",
                            "winlog",
                            "event_data",
                            "EventID",
                            "Data",
                            "#attributes",
                            "Name",
                            "_source",
                        ]
                    ),
                    inner,
                )
            ),
        )
    )
    def test_no_shape_makes_it_raise(self, value: object) -> None:
        parse_all(json.dumps({"QueryName": value}).encode())
        line = json.dumps(value).encode()
        FORMAT.recognises(line)
        parse_all(line.replace(b'"Data"', b'"QueryName"'))


class TestFollowing:
    @pytest.mark.parametrize("wide", [bytes, utf16], ids=["utf-8", "utf-16"])
    @pytest.mark.parametrize("write", [making.xml, making.laid_out, making.flat], ids=["xml", "laid out", "json"])
    def test_each_event_is_read_once_however_the_file_grows(
        self, tmp_path: Path, write: Callable[[Event], bytes], wide: Callable[[bytes], bytes]
    ) -> None:
        events = [query(f"n{number}.example.net") for number in range(12)]
        text = wide(b"".join(map(write, events)))
        path = tmp_path / "events.log"
        reader = Reader(str(path), form="sysmon")
        for end in range(0, len(text) + 611, 611):
            path.write_bytes(text[:end])
            reader.poll()
        reader.poll_all(LATER)
        assert reader.names() == {f"n{number}.example.net": 1 for number in range(12)}


def test_files_are_told_apart_by_their_first_bytes() -> None:
    formats = Formats()
    for name in NAMES:
        with LogFile.open(str(SAMPLES / name)) as log:
            head, _ = peek(log.blocks())
        assert formats.by_head(head).name == "sysmon"
