"""Documents of the Elastic Common Schema: every shape of their fields, what is around them, and what they carry."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.sources.jsonstream import JsonStream
from feedsvc.sources.logs import ecs
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs.json_making import (
    LOGS,
    LOOKUPS,
    Found,
    Made,
    assert_bounded,
    mutated,
    rdata,
    read_all,
    read_resuming,
    reasons,
    records_of,
    said,
    with_odd_values,
)

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "ecs"
FORMAT = ecs.build(ecs.Options())
STREAM = JsonStream(FORMAT)

Document = dict[str, Any]


def document(made: Made, *, owners: bool = True, types: bool = True) -> Document:
    """A lookup as Packetbeat writes it."""
    answers = [
        {"data": data} | ({"name": owner} if owners else {}) | ({"type": rrtype} if types else {})
        for owner, rrtype, data in made.answers
    ]
    return {
        "@timestamp": datetime.fromtimestamp(made.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "ecs": {"version": "8.11.0"},
        "host": {"name": "sensor-1"},
        "client": {"ip": made.client},
        "dns": {"question": {"name": made.qname, "type": made.rrtype}, "answers": answers},
    }


def flat(whole: Document, prefix: str = "") -> Document:
    """The same with dotted keys."""
    found: Document = {}
    for key, value in whole.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def columns(whole: Document) -> Document:
    """The same with answers in columns."""
    answers = whole["dns"].pop("answers")
    whole["dns"]["answers"] = {key: [answer[key] for answer in answers] for key in ("data", "type")} if answers else {}
    return whole


def written(whole: Document, shape: str) -> bytes:
    hit = {"_index": "packetbeat", "_id": "1"}
    shapes: dict[str, Callable[[], Document]] = {
        "nested": lambda: whole,
        "dotted": lambda: flat(whole),
        "half dotted": lambda: whole | {"dns": {}} | flat({"dns": whole["dns"]}),
        "hit": lambda: hit | {"_source": whole},
        "dotted hit": lambda: hit | {"_source": flat(whole)},
    }
    return json.dumps(shapes[shape](), ensure_ascii=False).encode()


SHAPES = ["nested", "dotted", "half dotted", "hit", "dotted hit"]


def record_of(*, answers: Any = None, rrtype: object = "A", **more: object) -> LogRecord:
    dns: Document = {"question": {"name": "a.example.net", "type": rrtype}}
    if answers is not None:
        dns["answers"] = answers
    whole = {"@timestamp": "2026-11-01T00:00:00Z", "dns": dns} | more
    found = FORMAT.parser().parse(json.dumps(whole).encode(), 0)
    assert isinstance(found, LogRecord), found
    return found


def parse(name: str) -> list[Found]:
    return read_all(FORMAT, (SAMPLES / name).read_bytes())


class TestSamples:
    def records(self) -> dict[str, LogRecord]:
        return {one.rrname: one for one in records_of(parse("nested.json"))}

    def test_every_document_with_a_name_is_a_record(self) -> None:
        assert [one.rrname.split(".")[0] for one in records_of(parse("nested.json"))] == [
            *("k3xq", "www", "gone", "txt", "bank", "reply", "zeek", "sysmon", "defend", "sni", "web", "bank")
        ]

    def test_packetbeat_tells_chains_with_their_owners(self) -> None:
        record = self.records()["www.example.com"]
        assert record.chain == ("edge.cdn.example.net", "pop7.example.net")
        assert rdata(record) == ["198.51.100.8"]
        assert (record.time, record.client, record.rrtype, record.kind) == (1793491202.123, "10.1.0.7", "A", "dns")

    def test_an_answer_of_a_name_that_nobody_asked_for_is_told_and_left_out(self) -> None:
        record = next(one for one in records_of(parse("nested.json")) if one.rrname == "bank.example.com")
        assert rdata(record) == ["192.0.2.1"]
        assert [part.reason for part in record.unread] == ["address of a name that the question does not lead to"]

    @pytest.mark.parametrize("name", ["txt.example.org", "gone.example.org"])
    def test_answers_that_are_no_addresses_give_none(self, name: str) -> None:
        assert self.records()[name].answers == ()

    def test_suricata_answers_from_the_server_to_the_client(self) -> None:
        record = self.records()["reply.example.net"]
        assert (record.client, rdata(record)) == ("10.1.0.8", ["2001:db8:77::1"])

    def test_zeek_does_not_say_the_types_of_answers(self) -> None:
        record = self.records()["zeek.example.net"]
        assert (record.chain, rdata(record)) == (("edge.example.net",), ["198.51.100.12"])

    def test_an_endpoint_tells_its_host_and_its_process(self) -> None:
        record = self.records()["sysmon.example.net"]
        assert (record.client, record.process) == ("WORKSTATION5.example.org", r"C:\Windows\System32\curl.exe")
        assert (record.chain, rdata(record), record.rrtype) == (("edge.example.net",), ["198.51.100.13"], "")
        assert rdata(self.records()["defend.example.net"]) == ["198.51.100.14", "192.0.2.14"]
        assert self.records()["defend.example.net"].client == "laptop-3"

    def test_connections_are_of_their_kind_and_lead_to_their_destination(self) -> None:
        tls, http = self.records()["sni.example.net"], self.records()["web.example.net"]
        assert (tls.kind, tls.rrtype, tls.client, rdata(tls)) == ("tls", "", "10.1.0.7", ["198.51.100.15"])
        assert (http.kind, http.rrtype, http.client, rdata(http)) == ("http", "", "10.1.0.7", ["198.51.100.16"])

    def test_what_was_sent_to_a_proxy_went_to_no_address_of_the_name(self) -> None:
        record = parse("nested.json")[-1]
        assert isinstance(record, LogRecord)
        assert (record.rrname, record.kind, record.client, record.answers) == ("bank.example.com", "http", "10.1.0.7", ())

    @pytest.mark.parametrize(
        ("name", "count"), [("dotted.json", 10), ("hits.json", 12), ("bulk.ndjson", 5), ("fields.json", 4)]
    )
    def test_whatever_their_shape_the_records_are_the_same(self, name: str, count: int) -> None:
        text = (SAMPLES / name).read_bytes()
        form = STREAM if STREAM.recognises(text) else FORMAT
        assert form.recognises(text)
        assert said(read_all(form, text)) == said(parse("nested.json"))[:count]

    def test_logs_that_are_only_carried_are_read_by_their_own_formats(self) -> None:
        found = parse("carried.json")
        assert {one.rrname: rdata(one) for one in found[-4:] if isinstance(one, LogRecord)} == {
            "raw-zeek.example.net": ["198.51.100.30"],
            "raw-eve.example.net": ["198.51.100.31"],
            "raw-sysmon.example.net": ["198.51.100.32"],
        }
        assert reasons(found) == ["wrapped record that no format fits"]

    def test_refused_lines_are_told_with_their_places_and_reasons(self) -> None:
        text = (SAMPLES / "refused.json").read_bytes()
        found = read_all(FORMAT, text)
        assert reasons(found) == [
            *["no JSON object"] * 3,
            "document without @timestamp, or of no schema",
            *["no time, or none that can be read"] * 2,
            "query is no name: empty label",
            "host is no name: label of 64 octets, 63 is the limit",
            "wrapped record that no format fits",
            "document without @timestamp, or of no schema",
        ]
        assert len(found) == 10


class TestLaws:
    @given(LOGS, st.sampled_from(SHAPES))
    def test_what_is_written_is_read_in_any_shape(self, log: list[Made], shape: str) -> None:
        text = b"\n".join(written(document(made), shape) for made in log)
        assert said(read_all(FORMAT, text)) == [made.record() for made in log]

    @given(LOGS, st.sampled_from(SHAPES))
    def test_owners_and_columns_change_nothing(self, log: list[Made], shape: str) -> None:
        for whole in (document(made, owners=False) for made in log), (columns(document(made)) for made in log):
            text = b"\n".join(written(one, shape) for one in whole)
            assert said(read_all(FORMAT, text)) == [made.record() for made in log]

    @given(LOGS, st.sampled_from(SHAPES), st.booleans())
    def test_reading_goes_on_behind_any_line(self, log: list[Made], shape: str, stream: bool) -> None:
        lines = [written(document(made), shape) for made in log]
        text = b"[" + b",\n".join(lines) + b"]" if stream else b"\n".join(lines)
        form = STREAM if stream else FORMAT
        assert read_resuming(form, text) == read_all(form, text)

    def test_reading_goes_on_behind_any_line_of_logs_that_are_carried(self) -> None:
        text = (SAMPLES / "carried.json").read_bytes()
        assert read_resuming(FORMAT, text) == read_all(FORMAT, text)

    def test_a_state_of_somebody_else_is_refused(self) -> None:
        with pytest.raises(SourceError, match="what this log wraps"):
            FORMAT.parser('{"header": []}')
        with pytest.raises(SourceError, match="is gone"):
            FORMAT.parser('[["index","no-such-format",""]]')

    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_raise(self, line: bytes) -> None:
        assert_bounded(FORMAT.parser().parse(line, 0))
        FORMAT.recognises(line)

    @given(
        st.tuples(LOOKUPS, st.sampled_from(SHAPES), st.booleans())
        .map(lambda drawn: written(columns(document(drawn[0])) if drawn[2] else document(drawn[0]), drawn[1]))
        .flatmap(lambda line: mutated(line) | with_odd_values(line))
    )
    def test_no_change_to_a_line_makes_it_raise(self, line: bytes) -> None:
        assert_bounded(FORMAT.parser().parse(line, 0))
        FORMAT.recognises(line)

    @given(st.sampled_from((SAMPLES / "nested.json").read_bytes().splitlines()).flatmap(with_odd_values))
    def test_no_odd_value_in_any_program_s_documents_makes_it_raise(self, line: bytes) -> None:
        assert_bounded(FORMAT.parser().parse(line, 0))
        FORMAT.recognises(line)

    def test_json_nested_without_end_is_a_bad_line(self) -> None:
        assert isinstance(FORMAT.parser().parse(b'{"dns":{"question":' + b'{"a":' * 100_000 + b"}", 0), BadLine)


class TestAnswers:
    @pytest.mark.parametrize(
        "answers",
        [
            {"type": "A", "data": "198.51.100.7"},
            [{"type": "A", "data": "198.51.100.7"}],
            [{"type": "1", "data": "198.51.100.7"}],
            [{"type": 1, "data": "198.51.100.7"}],
            [{"type": "a", "data": "198.51.100.7", "name": "A.example.net."}],
            {"type": ["A"], "data": ["198.51.100.7"]},
            {"type": "A", "data": ["198.51.100.7"]},
            {"data": ["198.51.100.7"]},
            {"data": "198.51.100.7"},
            ["198.51.100.7"],
        ],
    )
    def test_every_shape_of_an_answer_is_one(self, answers: object) -> None:
        assert rdata(record_of(answers=answers)) == ["198.51.100.7"]

    def test_sorted_columns_of_addresses_and_cnames_are_told_apart_by_their_looks(self) -> None:
        record = record_of(answers={"data": ["198.51.100.7", "edge.example.net"], "type": ["CNAME", "A"]})
        assert (record.chain, rdata(record)) == (("edge.example.net",), ["198.51.100.7"])

    def test_columns_that_do_not_fit_each_other_are_told(self) -> None:
        record = record_of(answers={"data": ["198.51.100.7", "text"], "type": ["A", "TXT", "TXT"]})
        assert record.answers == ()
        assert [part.reason for part in record.unread] == ["answers in columns that do not fit each other"]

    @pytest.mark.parametrize(("rrtype", "count"), [("A", 1), ("AAAA", 1), ("", 1), (None, 1), ("TXT", 0), ("HTTPS", 0)])
    def test_gathered_addresses_count_for_questions_for_addresses(self, rrtype: object, count: int) -> None:
        dns = {"question": {"name": "a.example.net", "type": rrtype}, "resolved_ip": ["198.51.100.7", "198.51.100.7", "x"]}
        assert len(record_of(dns=dns).answers) == count

    def test_gathered_addresses_do_not_count_beside_answers_that_are_addresses(self) -> None:
        dns = {
            "question": {"name": "a.example.net", "type": "A"},
            "answers": [{"type": "A", "data": "192.0.2.1"}],
            "resolved_ip": ["192.0.2.1", "198.51.100.7"],
        }
        assert rdata(record_of(dns=dns)) == ["192.0.2.1"]

    def test_what_was_gathered_out_of_a_text_is_no_address(self) -> None:
        dns = {
            "question": {"name": "a.example.net", "type": "A"},
            "answers": [{"type": "TXT", "data": "198.51.100.7"}],
            "resolved_ip": ["198.51.100.7"],
        }
        assert record_of(dns=dns).answers == ()

    def test_without_types_other_questions_give_no_address(self) -> None:
        assert record_of(answers=["198.51.100.7"], rrtype="TXT").answers == ()
        assert record_of(answers=["198.51.100.7"], rrtype=None).answers == ()


class TestClients:
    def test_the_end_without_a_dns_port_is_the_client(self) -> None:
        ends = {"source": {"ip": "10.0.0.53", "port": 53}, "destination": {"ip": "10.0.0.9", "port": 40000}}
        assert record_of(**ends).client == "10.0.0.9"
        assert record_of(source=ends["destination"], destination=ends["source"]).client == "10.0.0.9"
        assert record_of(client={"ip": "10.0.0.1"}, **ends).client == "10.0.0.1"

    def test_the_host_of_a_sensor_is_no_client(self) -> None:
        assert record_of(host={"name": "sensor-1"}).client is None
        assert record_of(host={"name": "laptop"}, process={"pid": 7}).client == "laptop"
        assert record_of(host={"hostname": "laptop"}, process={"name": "curl"}).client == "laptop"

    def test_a_process_is_shown_without_what_could_harm(self) -> None:
        assert record_of(process={"name": "a\x1b[2J\n\u202e"}).process == r"a\x1b[2J\n\u202e"
        assert len(record_of(process={"executable": "x" * 10_000}).process) == 1024

    @pytest.mark.parametrize("domain", ["198.51.100.18", "[2001:db8::1]", "198.51.100.18:80", "."])
    def test_an_address_in_the_place_of_a_host_is_nothing_to_look_for(self, domain: str) -> None:
        line = json.dumps({"@timestamp": "2026-11-01T00:00:00Z", "url": {"domain": domain}}).encode()
        assert FORMAT.parser().parse(line, 0) is None

    @pytest.mark.parametrize("original", ["http://web.example.net/", "web.example.net:443"])
    def test_a_whole_url_was_sent_to_a_proxy(self, original: str) -> None:
        whole = {
            "@timestamp": "2026-11-01T00:00:00Z",
            "url": {"domain": "web.example.net", "original": original},
            "destination": {"ip": "198.51.100.7"},
        }
        found = FORMAT.parser().parse(json.dumps(whole).encode(), 0)
        assert isinstance(found, LogRecord)
        assert (found.rrname, found.answers) == ("web.example.net", ())


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b'{"@timestamp":"2026-11-01T00:00:00Z","ecs":{"version":"8.0.0"},"message":"x"}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","event.dataset":"zeek.conn"}\n',
            b'{"@timestamp":1793491200000,"dns":{"question":{"name":"a.example.net"}}}\n',
            b'{"_index":"a","_source":{"@timestamp":"2026-11-01T00:00:00Z","url.domain":"a.example.net"}}\n',
            b'{"_index":"a","_source":{"ts":1,"uid":"C1","query":"a.example.net"}}\n',
            b'{"create":{}}\n{"@timestamp":"2026-11-01T00:00:00Z","ecs.version":"8.0.0"}\n',
        ],
    )
    def test_documents_of_the_schema_are_ours(self, head: bytes) -> None:
        assert FORMAT.recognises(head)

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"{}\n",
            b'{"index":{}}\n',
            b'{"dns":{"question":{"name":"a.example.net"}}}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","message":"x"}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","event_type":"dns","flow_id":1,"dns":{"rrname":"a.example.net"}}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","ecs":{"version":"8"},"event_type":"dns","flow_id":1}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","ecs":{"version":"8"},"ts":1,"uid":"C1","query":"a.example.net"}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","EventID":22,"QueryName":"a.example.net"}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","ecs":{"version":"8"},"winlog":{"event_id":4624}}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","winlog":{"event_id":22,"event_data":{"QueryName":"a.example.net"}}}\n',
        ],
    )
    def test_what_other_formats_read_is_not(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)
