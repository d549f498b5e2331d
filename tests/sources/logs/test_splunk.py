"""Exports of Splunk searches: JSON and CSV, events of any format within, cells of several lines, and rows that are none."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.plugins import OptionFaults
from feedsvc.sources.jsonstream import JsonStream
from feedsvc.sources.logfile import BLOCK, cut
from feedsvc.sources.logs import Formats, splunk
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs import making
from tests.sources.logs.json_making import (
    Found,
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

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "splunk"
FORMAT = splunk.Splunk(splunk.Options(), Formats(without=("splunk",)))
STREAM = JsonStream(FORMAT)

COLUMNS = ("_serial", "_time", "source", "sourcetype", "host", "_raw")


def json_row(raw: str, number: int = 0, **more: object) -> bytes:
    """An event as `search/jobs/export` gives it."""
    result = {"_time": "2026-11-01T00:00:00.000+00:00", "_raw": raw, "sourcetype": "st", "source": "/a", "host": "h"} | more
    return json.dumps({"preview": False, "offset": number, "result": result}, separators=(",", ":")).encode() + b"\n"


def csv_export(raws: Sequence[str], end: str = "\n") -> bytes:
    """The same events as Splunk Web writes CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end)
    writer.writerow(COLUMNS)
    for number, raw in enumerate(raws):
        writer.writerow([number, "2026-11-01T00:00:00.000+0000", "/a", "st", "h", raw])
    return out.getvalue().encode()


def sample(name: str) -> list[Found]:
    return read_all(FORMAT, (SAMPLES / name).read_bytes())


class TestSamples:
    def records(self) -> dict[str, LogRecord]:
        return {one.rrname: one for one in sample("export.json") if isinstance(one, LogRecord)}

    def test_events_of_each_format_are_records_of_that_format(self) -> None:
        found = self.records()
        assert {name: rdata(record) for name, record in found.items()} == {
            "k3xq.example.net": ["198.51.100.7"],
            "web.example.net": ["198.51.100.8"],
            "www.example.com": [],
            "sni.example.net": ["198.51.100.9"],
            "two.example.net": ["198.51.100.10"],
            "six.example.net": ["192.0.2.1"],
            "sysmon.example.net": ["198.51.100.12"],
        }
        assert [record.kind for record in found.values()] == ["dns", "http", "dns", "tls", "dns", "dns", "dns"]
        assert [record.client for record in found.values()] == [
            *("10.3.0.1", "10.3.0.2", "10.3.0.3", "10.3.0.4", "10.3.0.1", "ws-1.example.org", "10.3.0.5")
        ]

    def test_an_event_that_no_format_fits_is_told(self) -> None:
        assert reasons(sample("export.json")) == ["wrapped record that no format fits"]

    @pytest.mark.parametrize("name", ["export.csv", "results.json"])
    def test_csv_and_one_object_say_the_same(self, name: str) -> None:
        text = (SAMPLES / name).read_bytes()
        form = STREAM if STREAM.recognises(text) else FORMAT
        assert form.recognises(text)
        found = [one for one in read_all(form, text) if isinstance(one, LogRecord)]
        assert said(found) == said(list(self.records().values()))

    def test_a_column_of_raw_events_is_enough(self) -> None:
        text = (SAMPLES / "raw-alone.csv").read_bytes()
        assert FORMAT.recognises(text)
        assert [one.rrname for one in records_of(read_all(FORMAT, text))] == [
            *("k3xq.example.net", "web.example.net", "www.example.com", "sni.example.net", "six.example.net")
        ]

    @pytest.mark.parametrize("name", ["export.json", "export.csv"])
    def test_records_stand_where_their_rows_begin(self, name: str) -> None:
        rows = {offset: row for offset, row, _ in cut(FORMAT, iter([(SAMPLES / name).read_bytes()]))}
        assert all(one.rrname.encode() in rows[one.offset] for one in sample(name) if isinstance(one, LogRecord))

    def test_refused_rows_of_json_are_told_with_their_places_and_reasons(self) -> None:
        text = (SAMPLES / "refused.json").read_bytes()
        found = sample("refused.json")
        none = "no result of a search"
        assert reasons(found) == [
            none,
            *["result without _raw"] * 2,
            *[none] * 2,
            "wrapped record that no format fits",
        ]
        assert [text[one.offset : one.offset + 1] for one in found] == [b"{"] * 6

    def test_refused_rows_of_csv_are_told_with_their_reasons(self) -> None:
        assert reasons(sample("refused.csv")) == [
            "row without a header that has _raw above it",
            "not as many cells as the header has columns",
            "wrapped record that no format fits",
            "not as many cells as the header has columns",
        ]


class TestRows:
    def test_rows_of_a_preview_are_passed_by(self) -> None:
        raw = making.json_line(making.hit("k3xq")).decode()
        preview = json_row(raw).replace(b'"preview":false', b'"preview":true')
        assert (
            len(records_of(read_all(FORMAT, preview + preview + json_row(raw) + b'{"preview":false,"lastrow":true}\n'))) == 1
        )

    def test_a_later_header_holds_for_the_rows_below_it(self) -> None:
        raw = making.json_line(making.hit("k3xq")).decode().rstrip()
        other = io.StringIO()
        csv.writer(other).writerows([["_raw", "host"], [raw, "h"]])
        assert len(records_of(read_all(FORMAT, csv_export([raw]) + other.getvalue().encode()))) == 2

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize(
        "row", ['"a\nb","c",host,index', 'x,"a\nb"', '"a\n""b""\n",,x', '"a\nb"x,"c\nd"', 'a"b,"c\nd",e']
    )
    def test_a_block_may_end_anywhere_in_a_row_of_several_lines(self, row: str, end: str) -> None:
        text = f"_raw,host{end}{row}{end}{row}{end}".encode()
        whole = list(cut(FORMAT, iter([text])))
        for at in range(len(text)):
            assert list(cut(FORMAT, iter([text[:at], text[at:]]))) == whole

    def test_an_event_of_several_values_is_several_events(self) -> None:
        raws = [making.json_line(making.hit(name)).decode() for name in "ab"]
        row = json_row("", _raw=raws)
        assert [one.rrname for one in records_of(read_all(FORMAT, row))] == ["a.example.net", "b.example.net"]

    @pytest.mark.parametrize("raw", ["", " ", "\n"])
    def test_an_empty_event_is_none(self, raw: str) -> None:
        assert read_all(FORMAT, json_row(raw)) == []

    @given(st.lists(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=20), max_size=5))
    def test_a_cell_may_hold_anything_and_its_row_stays_one(self, raws: list[str]) -> None:
        text = csv_export(raws)
        frames = [frame for _, frame, _ in cut(FORMAT, iter([text]))]
        assert [next(csv.reader([frame.decode()]))[-1] for frame in frames[1:]] == raws
        assert all(text[offset : offset + len(frame)] == frame for offset, frame, _ in cut(FORMAT, iter([text])))

    @pytest.mark.parametrize(
        "lost", [b'7,"lost', b'"7","x"y","lost', b'7,lost"', b'"'], ids=["opened", "in a cell", "closed", "alone"]
    )
    def test_a_quote_that_was_lost_costs_its_row_alone(self, lost: bytes) -> None:
        raws = [making.json_line(making.hit(f"n{number}")).decode() for number in range(50)]
        header, _, rest = csv_export(raws).partition(b"\n")
        found = read_all(FORMAT, header + b"\n" + lost + b"\n" + rest)
        assert len([one for one in found if isinstance(one, LogRecord)]) == 50
        assert len(reasons(found)) == 1

    def test_a_cell_without_end_is_not_kept(self) -> None:
        raw = making.json_line(making.hit("k3xq")).decode()
        header, _, rest = csv_export([raw]).partition(b"\n")
        text = header + b'\n7,"lost\n' + b"x\n" * 1_000_000 + rest
        blocks = (text[start : start + BLOCK] for start in range(0, len(text), BLOCK))
        frames = list(cut(FORMAT, blocks))
        assert frames[-1][1] == rest.rstrip(b"\n")
        assert max(len(frame) for _, frame, _ in frames) < 500

    @given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
    def test_rows_do_not_depend_on_blocks(self, text: bytes, cuts: list[int]) -> None:
        borders = [0, *sorted(min(at, len(text)) for at in cuts), len(text)]
        blocks = [text[start:end] for start, end in pairwise(borders)]
        assert list(cut(FORMAT, iter(blocks))) == list(cut(FORMAT, iter([text])))


class TestTimes:
    RAW = "Nov  1 00:00:05 dnsmasq[8901]: query[A] a.example.net from 10.3.0.5"

    @pytest.mark.parametrize(
        ("spelt", "time"),
        [
            ("2019-11-01T00:00:05.250+00:00", 1572566405.25),
            ("2019-11-01 01:00:05.250+0100", 1572566405.25),
            ("2019-11-01 00:00:05.250 UTC", 1572566405.25),
            ("2019-11-01 00:00:05.250 GMT", 1572566405.25),
            ("1572566405.250", 1572566405.25),
            (1572566405, 1572566405.0),
        ],
    )
    def test_splunks_own_time_is_taken_when_it_is_asked_for(self, spelt: object, time: float) -> None:
        form = Formats("splunk", {"time": "splunk"}).by_name("splunk").format
        (record,) = records_of(read_all(form, json_row(self.RAW, _time=spelt)))
        assert record.time == time

    def test_it_is_not_otherwise(self) -> None:
        (record,) = records_of(read_all(FORMAT, json_row(self.RAW, _time="2019-11-01T00:00:05.250+00:00")))
        assert record.time != 1572566405.25

    def test_a_time_that_is_none_makes_a_bad_line(self) -> None:
        form = Formats("splunk", {"time": "splunk"}).by_name("splunk").format
        assert reasons(read_all(form, json_row(self.RAW, _time="yesterday"))) == ["no time, or none that can be read"]

    def test_there_are_two_clocks(self) -> None:
        with pytest.raises(OptionFaults, match="time"):
            Formats("splunk", {"time": "sundial"})


class TestLaws:
    @given(st.integers(0, 1000), st.sampled_from(["json", "csv", "crlf"]))
    def test_what_is_wrapped_is_read_as_it_is_alone(self, seed: int, shape: str) -> None:
        lines = [making.json_line(one) for one in making.traffic(seed, 20)]
        raws = [line.decode().rstrip() for line in lines]
        if shape == "json":
            text = b"".join(json_row(raw, number) for number, raw in enumerate(raws))
        else:
            text = csv_export(raws, "\r\n" if shape == "crlf" else "\n")
        alone = read_all(Formats("zeek").by_name("zeek").format, b"".join(lines))
        assert said(read_all(FORMAT, text)) == said(alone)

    @pytest.mark.parametrize("name", ["export.json", "export.csv", "raw-alone.csv", "refused.json", "refused.csv"])
    def test_reading_goes_on_behind_any_row(self, name: str) -> None:
        assert read_resuming(FORMAT, (SAMPLES / name).read_bytes()) == sample(name)

    @pytest.mark.parametrize("state", ["{}", "[1]", "nonsense", '[["_raw"],"nonsense"]'])
    def test_a_state_of_somebody_else_is_refused(self, state: str) -> None:
        with pytest.raises(SourceError, match="remembered state"):
            FORMAT.parser(state)

    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_raise(self, line: bytes) -> None:
        parser = FORMAT.parser()
        parser.parse(b'"_time","_raw","host"', 0)
        assert_bounded(parser.parse(line, 0))
        assert_bounded(parser.finish())
        FORMAT.recognises(line)

    @given(
        st.sampled_from((SAMPLES / "export.json").read_bytes().splitlines()).flatmap(
            lambda one: mutated(one) | with_odd_values(one)
        )
    )
    def test_no_change_to_a_row_of_json_makes_it_raise(self, line: bytes) -> None:
        parser = FORMAT.parser()
        assert_bounded(parser.parse(line, 0))
        assert_bounded(parser.finish())

    @given(st.sampled_from((SAMPLES / "export.csv").read_bytes().splitlines()[1:7]).flatmap(mutated))
    def test_no_change_to_a_row_of_csv_makes_it_raise(self, line: bytes) -> None:
        parser = FORMAT.parser()
        parser.parse((SAMPLES / "export.csv").read_bytes().partition(b"\n")[0], 0)
        assert_bounded(parser.parse(line, 0))
        assert_bounded(parser.finish())

    def test_json_nested_without_end_is_a_bad_line(self) -> None:
        assert isinstance(FORMAT.parser().parse(b'{"result":' + b'{"a":' * 100_000, 0), BadLine)


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"_raw\n",
            b'"_time","_raw"\r\n1,2\r\n',
            b'\xef\xbb\xbf"_raw",host\n',
            b'{"preview":false,"result":{"a":"b"}}\n',
            b'{"result":{"_raw":"x"}}\n',
            b'{"results":[{"_raw":"x"}]}\n',
        ],
    )
    def test_results_and_headers_with_raw_are_ours(self, head: bytes) -> None:
        assert FORMAT.recognises(head)

    def test_a_format_that_sees_its_own_lines_within_does_not_claim_the_export(self) -> None:
        line = "01-Nov-2026 00:00:03.767 client @0x7fdf0d2a2098 10.3.0.3#33961 (a.example.net): query: a.example.net IN A +"
        head = b"_time,_raw\n" + f"1793491203,{line}\n".encode() * 30
        assert Formats("bind").by_name("bind").format.recognises(head)
        assert Formats().by_head(head).name == "splunk"

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"{}\n",
            b'{"result":{"a":"b"}}\n',
            b'{"results":[]}\n',
            b"_time,host\n",
            b"what about _raw, then?\n",
            b'"10.0.0.1","_raw"x"?\n',
            b'{"preview":true}\n',
        ],
    )
    def test_anything_else_is_not(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)
