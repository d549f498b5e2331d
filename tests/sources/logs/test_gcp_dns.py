"""Query logs of Google Cloud DNS: text and structured answers, answers that Google cut, and entries that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources.jsonstream import JsonStream
from feedsvc.sources.logs import gcp_dns
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs.json_making import (
    LOGS,
    LOOKUPS,
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

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "gcp-dns"
FORMAT = gcp_dns.build(gcp_dns.Options())
STREAM = JsonStream(FORMAT)


def entry(
    time: object = "2026-11-01T00:00:00Z", name: object = "a.example.net.", rrtype: str = "A", **payload: object
) -> bytes:
    """A log entry."""
    return json.dumps(
        {
            "insertId": "1",
            "jsonPayload": {"queryName": name, "queryType": rrtype, "responseCode": "NOERROR"} | payload,
            "logName": "projects/project/logs/dns.googleapis.com%2Fdns_queries",
            "timestamp": time,
        },
        separators=(",", ":"),
    ).encode()


def structured_line(made: Made) -> bytes:
    """A lookup with answers as Cloud DNS writes them today."""
    answers = [
        {"class": "IN", "domainName": owner, "rvalue": data, "ttl": "300", "type": rrtype}
        for owner, rrtype, data in made.answers
    ]
    return entry(_time(made), made.qname, made.rrtype, sourceIP=made.client, structuredRdata=answers)


def text_line(made: Made) -> bytes:
    """The same as zone file text, cut where Google cuts it."""
    rows = [f"{owner}\t300\tIN\t{rrtype.lower()}\t{data}" for owner, rrtype, data in made.answers]
    text = "\n".join(rows)
    return entry(
        _time(made), made.qname, made.rrtype, sourceIP=made.client, rdata=text if len(text) < 260 else text[:257] + "..."
    )


def _time(made: Made) -> str:
    return datetime.fromtimestamp(made.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")


def record_of(line: bytes) -> LogRecord:
    found = FORMAT.parser().parse(line, 0)
    assert isinstance(found, LogRecord), found
    return found


class TestSamples:
    def records(self) -> dict[str, LogRecord]:
        return {one.rrname: one for one in records_of(read_all(FORMAT, (SAMPLES / "dns.json").read_bytes()))}

    def test_every_entry_about_a_query_is_a_record(self) -> None:
        assert list(self.records()) == [
            "k3xq.example.net",
            "www.example.com",
            "v6.example.net",
            "gone.example.org",
            "txt.example.org",
            "many.example.net",
            "new.example.net",
            "bank.example.com",
            "host.example.net",
        ]

    def test_a_record_is_read_whole(self) -> None:
        record = self.records()["www.example.com"]
        assert record.chain == ("edge.cdn.example.net", "pop7.example.net")
        assert rdata(record) == ["198.51.100.8", "203.0.113.9"]
        assert (record.time, record.client, record.rrtype) == (1793491202.0, "10.154.0.3", "A")

    def test_nanoseconds_are_read_as_far_as_a_float_has_them(self) -> None:
        assert self.records()["k3xq.example.net"].time == pytest.approx(1793491201.341873, abs=1e-6)

    def test_spelt_out_addresses_are_addresses(self) -> None:
        assert rdata(self.records()["v6.example.net"]) == ["2001:db8:77::1"]

    def test_of_answers_that_were_cut_the_whole_ones_count_and_the_cut_is_told(self) -> None:
        record = self.records()["many.example.net"]
        assert rdata(record) == [f"198.51.100.{last}" for last in range(20, 26)]
        assert [part.reason for part in record.unread] == ["answers that Google cut short"]

    def test_structured_answers_are_read(self) -> None:
        record = self.records()["new.example.net"]
        assert (record.chain, rdata(record)) == (("b.example.net",), ["198.51.100.10"])

    def test_an_answer_of_a_name_that_nobody_asked_for_is_told_and_left_out(self) -> None:
        record = self.records()["bank.example.com"]
        assert rdata(record) == ["192.0.2.1"]
        assert [part.reason for part in record.unread] == ["address of a name that the question does not lead to"]

    def test_without_an_address_the_instance_is_the_client(self) -> None:
        assert self.records()["host.example.net"].client == "111122223333.worker-1"

    def test_an_array_of_gcloud_has_the_same_records(self) -> None:
        text = (SAMPLES / "gcloud.json").read_bytes()
        assert STREAM.recognises(text)
        assert said(read_all(STREAM, text)) == said(read_all(FORMAT, (SAMPLES / "dns.json").read_bytes()))[:5]

    def test_refused_lines_are_told_with_their_places_and_reasons(self) -> None:
        text = (SAMPLES / "refused.log").read_bytes()
        found = read_all(FORMAT, text)
        none = "no JSON, or no log entry of Google Cloud"
        assert reasons(found) == [
            *[none] * 5,
            *["no time, or none that can be read"] * 2,
            "query is no name: empty label",
            "query is no text",
            none,
        ]
        assert len(found) == 10
        assert all(text[one.offset :].startswith(one.line) for one in found if isinstance(one, BadLine))


class TestLaws:
    @given(LOGS)
    def test_what_is_written_is_read(self, log: list[Made]) -> None:
        text = b"\n".join(structured_line(made) for made in log)
        assert said(read_all(FORMAT, text)) == [made.record() for made in log]

    @given(LOGS)
    def test_text_says_the_same_as_far_as_it_goes(self, log: list[Made]) -> None:
        for made in log:
            record, whole = record_of(text_line(made)), made.record()
            if not record.unread:
                assert record == whole
            assert whole.answers[: len(record.answers)] == record.answers
            assert whole.chain[: len(record.chain)] == record.chain

    @given(LOGS, st.booleans())
    def test_reading_goes_on_behind_any_line(self, log: list[Made], laid_out: bool) -> None:
        lines = [structured_line(made) for made in log]
        form, text = FORMAT, b"\n".join(lines)
        if laid_out:
            form, text = STREAM, json.dumps([json.loads(line) for line in lines], indent=1).encode()
        assert read_resuming(form, text) == read_all(form, text)

    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_raise(self, line: bytes) -> None:
        assert_bounded(FORMAT.parser().parse(line, 0))
        FORMAT.recognises(line)

    @given(
        LOOKUPS.flatmap(lambda made: st.sampled_from([text_line(made), structured_line(made)])).flatmap(
            lambda line: mutated(line) | with_odd_values(line)
        )
    )
    def test_no_change_to_a_line_makes_it_raise(self, line: bytes) -> None:
        assert_bounded(FORMAT.parser().parse(line, 0))
        FORMAT.recognises(line)

    @given(
        st.text(max_size=80)
        | st.lists(st.sampled_from(["a.example.net.", "\t", "\n", "300", "IN", "a", "198.51.100.7", "..."])).map("".join)
    )
    def test_any_text_for_answers_leaves_the_record(self, text: str) -> None:
        assert record_of(entry(rdata=text)).rrname == "a.example.net"


class TestCut:
    ROW = "a.example.net.\t300\tIN\ta\t198.51.100."

    @pytest.mark.parametrize(
        ("rdata_text", "addresses"),
        [
            (ROW + "1\n" + ROW + "2...", ["198.51.100.1"]),
            (ROW + "1\n" + ROW[:-3] + "...", ["198.51.100.1"]),
            (ROW + "1\n...", ["198.51.100.1"]),
            (ROW + "1...", []),
            (ROW + "1\n" + "a.example.net.\t300\tIN\ttxt\t" + "x" * 300, ["198.51.100.1"]),
        ],
        ids=["behind an address", "within one", "behind a line end", "the only answer", "without dots"],
    )
    def test_the_answer_that_a_cut_goes_through_is_not_used(self, rdata_text: str, addresses: list[str]) -> None:
        record = record_of(entry(rdata=rdata_text))
        assert rdata(record) == addresses
        assert [part.reason for part in record.unread] == ["answers that Google cut short"]

    def test_a_line_that_is_no_answer_is_told(self) -> None:
        record = record_of(entry(rdata=self.ROW + "1\nwhat is this"))
        assert rdata(record) == ["198.51.100.1"]
        assert [part.reason for part in record.unread] == ["answer that is no line of a zone file"]

    @pytest.mark.parametrize("value", [None, 7, ["198.51.100.1"], {}])
    def test_answers_that_are_no_text_are_none(self, value: Any) -> None:
        assert record_of(entry(rdata=value)).answers == ()


class TestRecognition:
    @pytest.mark.parametrize(
        "head", [b"", b"{}\n", b'{"jsonPayload":{"message":"x"},"logName":"a"}\n', b'{"queryName":"a."}\n']
    )
    def test_anything_else_is_not_ours(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)

    def test_half_of_the_lines_must_be_queries(self) -> None:
        other = b'{"logName":"projects/p/logs/app","textPayload":"x"}\n'
        assert FORMAT.recognises(entry() + b"\n" + other)
        assert not FORMAT.recognises(entry() + b"\n" + other * 2)
