"""Route 53 Resolver query logs: records of S3, Firehose and CloudWatch, and lines that are none."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources.jsonstream import JsonStream
from feedsvc.sources.logfile import HEAD, LogFile
from feedsvc.sources.logs import Formats, route53
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs.json_making import (
    LOGS,
    LOOKUPS,
    Made,
    assert_bounded,
    lookup,
    mutated,
    rdata,
    read_all,
    read_resuming,
    reasons,
    records_of,
    said,
    with_odd_values,
)

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "route53"
FORMAT = route53.build(route53.Options())
STREAM = JsonStream(FORMAT)


def record_line(made: Made) -> bytes:
    """A lookup as the resolver writes it."""
    record = {
        "version": "1.100000",
        "account_id": "111122223333",
        "region": "eu-central-1",
        "vpc_id": "vpc-0example",
        "query_timestamp": datetime.fromtimestamp(made.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "query_name": made.qname,
        "query_type": made.rrtype,
        "query_class": "IN",
        "rcode": "NOERROR",
        "answers": [{"Rdata": data, "Type": rrtype, "Class": "IN"} for _, rrtype, data in made.answers],
        "srcaddr": made.client,
        "srcport": "48701",
        "transport": "UDP",
        "srcids": {"instance": "i-0example"},
    }
    return json.dumps(record, separators=(",", ":")).encode()


def envelope(lines: list[bytes]) -> bytes:
    """What a subscription of CloudWatch Logs makes of such lines."""
    events = [{"id": str(at), "timestamp": 1793491200000 + at, "message": line.decode()} for at, line in enumerate(lines)]
    return json.dumps({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logEvents": events}).encode()


def sample(name: str) -> bytes:
    with LogFile.open(str(SAMPLES / name)) as log:
        return b"".join(log.blocks())


class TestSamples:
    def records(self) -> dict[str, LogRecord]:
        return {one.rrname: one for one in records_of(read_all(FORMAT, sample("s3.log")))}

    def test_every_query_but_that_for_the_root_is_a_record(self) -> None:
        assert list(self.records()) == [
            "k3xq.example.net",
            "www.example.com",
            "v6.example.net",
            "gone.example.org",
            "7.100.51.198.in-addr.arpa",
            "txt.example.org",
            "blocked.example.net",
            "watched.example.net",
            "_dmarc.example.org",
        ]

    def test_a_chain_of_cnames_stands_before_the_addresses(self) -> None:
        record = self.records()["www.example.com"]
        assert record.chain == ("edge.cdn.example.net", "pop7.edge.example.net")
        assert rdata(record) == ["198.51.100.8", "203.0.113.201"]
        assert (record.time, record.client, record.rrtype, record.kind) == (1793491202.0, "10.20.1.159", "A", "dns")

    @pytest.mark.parametrize("name", ["7.100.51.198.in-addr.arpa", "txt.example.org", "gone.example.org"])
    def test_answers_that_are_no_addresses_give_none(self, name: str) -> None:
        record = self.records()[name]
        assert (record.answers, record.chain, record.client) == ((), (), "10.20.1.159")

    def test_what_a_firewall_answered_instead_is_no_answer(self) -> None:
        record = self.records()["blocked.example.net"]
        assert (record.answers, record.chain) == ((), ())
        assert rdata(self.records()["watched.example.net"]) == ["198.51.100.12"]

    def test_clients_are_canonical(self) -> None:
        assert self.records()["v6.example.net"].client == "2001:db8::5"

    @pytest.mark.parametrize(
        ("name", "count"), [("firehose.log", 4), ("exported.log", 4), ("cloudwatch.log", 5), ("filter-log-events.json", 4)]
    )
    def test_whatever_is_around_them_the_records_are_the_same(self, name: str, count: int) -> None:
        text = sample(name)
        form = STREAM if STREAM.recognises(text) else FORMAT
        assert form.recognises(text)
        assert said(read_all(form, text)) == said(read_all(FORMAT, sample("s3.log")))[:count]

    def test_refused_lines_are_told_with_their_places_and_reasons(self) -> None:
        text = sample("refused.log")
        found = read_all(FORMAT, text)
        shape = "no JSON, or not of the shape that Route 53 writes"
        assert reasons(found) == [
            shape,
            shape,
            "no time, or none that can be read",
            "query is no name: empty label",
            "query is no name: label of 64 octets, 63 is the limit",
            "query is no text",
            "query is no name: escape that may be octal",
            *[shape] * 7,
        ]
        assert not [one for one in found if isinstance(one, LogRecord)]
        assert all(text[one.offset :].startswith(one.line) for one in found[:-2] if isinstance(one, BadLine))

    @pytest.mark.parametrize("count", [300, 4000])
    @pytest.mark.parametrize("envelopes", [1, 2])
    def test_envelopes_may_be_of_any_size(self, count: int, envelopes: int) -> None:
        lines = [record_line(lookup(random.Random(number))) for number in range(count)]
        text = envelope(lines) * envelopes if count < 1000 else envelope(lines)
        named = Formats().by_head(text[:HEAD])
        assert named.name == "route53[]"
        repeats = envelopes if count < 1000 else 1
        assert len(records_of(read_all(named.format, text))) == count * repeats


class TestLaws:
    @given(LOGS)
    def test_what_is_written_is_read(self, log: list[Made]) -> None:
        lines = [record_line(made) for made in log]
        assert said(read_all(FORMAT, b"\n".join(lines))) == [made.record() for made in log]
        assert said(read_all(FORMAT, envelope(lines))) == [made.record() for made in log]
        assert said(read_all(STREAM, b"".join(lines))) == [made.record() for made in log]

    @given(LOGS)
    def test_reading_goes_on_behind_any_line(self, log: list[Made]) -> None:
        for form, text in (
            (FORMAT, b"\n".join(record_line(made) for made in log)),
            (STREAM, b"[" + b",".join(record_line(made) for made in log) + b"]"),
        ):
            assert read_resuming(form, text) == read_all(form, text)

    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_raise(self, line: bytes) -> None:
        assert_bounded(FORMAT.parser().parse(line, 0))
        FORMAT.recognises(line)

    @given(LOOKUPS.map(record_line).flatmap(lambda line: mutated(line) | mutated(envelope([line])) | with_odd_values(line)))
    def test_no_change_to_a_line_makes_it_raise(self, line: bytes) -> None:
        assert_bounded(FORMAT.parser().parse(line, 0))
        FORMAT.recognises(line)

    def test_json_nested_without_end_is_a_bad_line(self) -> None:
        assert isinstance(FORMAT.parser().parse(b'{"answers":' + b"[" * 100_000, 0), BadLine)


class TestAnswers:
    def record(self, *answers: object, **more: object) -> LogRecord:
        line = json.dumps(
            {"query_timestamp": "2026-11-01T00:00:00Z", "query_name": "a.example.net", "answers": answers} | more
        )
        found = FORMAT.parser().parse(line.encode(), 0)
        assert isinstance(found, LogRecord), found
        return found

    def test_an_address_that_is_none_is_told_and_the_others_hold(self) -> None:
        record = self.record(
            {"Rdata": "198.51.100.7.", "Type": "A", "Class": "IN"}, {"Rdata": "198.51.100.8", "Type": "A", "Class": "IN"}
        )
        assert rdata(record) == ["198.51.100.8"]
        assert [(part.reason, part.line) for part in record.unread] == [("answer that is no address", b"198.51.100.7.")]

    def test_a_target_that_is_no_name_is_told(self) -> None:
        record = self.record(
            {"Rdata": "a..b.", "Type": "CNAME"},
            {"Rdata": "\\052.example.net.", "Type": "CNAME"},
            {"Rdata": 7, "Type": "CNAME"},
        )
        assert record.chain == ()
        assert [part.reason for part in record.unread] == [
            "CNAME that is no name: empty label",
            "CNAME that is no name: escape that may be octal",
            "CNAME that is no name: no text",
        ]

    @pytest.mark.parametrize("rrclass", ["CH", {}, [], 1])
    def test_other_classes_than_the_internets_give_no_address(self, rrclass: object) -> None:
        assert self.record({"Rdata": "198.51.100.8", "Type": "A", "Class": rrclass}).answers == ()

    def test_without_an_address_the_instance_is_the_client(self) -> None:
        assert self.record(srcids={"instance": "i-0example"}).client == "i-0example"
        assert self.record().client is None

    @pytest.mark.parametrize("name", ["198.51.100.7", "198.51.100.7.", "2001:db8::1", "."])
    def test_an_address_in_the_place_of_a_name_is_nothing_to_look_for(self, name: str) -> None:
        line = json.dumps({"query_timestamp": "2026-11-01T00:00:00Z", "query_name": name}).encode()
        assert FORMAT.parser().parse(line, 0) is None


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"{}\n",
            b'{"query_name":"a.example.net."}\n',
            b'{"query_timestamp":"2026-11-01T00:00:00Z"}\n',
            b'{"logEvents":[{"message":"hello"}]}\n',
            b'{"messageType":"DATA_MESSAGE","logEvents":[]}\n',
            b'{"messageType":"CONTROL_MESSAGE"}\n',
            b"1.0 2017-12-13T08:16:02.130Z Z123412341234 example.com A NOERROR UDP FRA6 192.168.1.1 -\n",
        ],
    )
    def test_anything_else_is_not_ours(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)

    def test_half_of_the_lines_must_be_records(self) -> None:
        line = b'{"query_timestamp":"2026-11-01T00:00:00Z","query_name":"a.example.net."}\n'
        assert FORMAT.recognises(line + b"what\n")
        assert not FORMAT.recognises(line + b"what\n" * 2)
