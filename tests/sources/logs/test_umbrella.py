"""Umbrella's DNS log: every version of its columns, and lines of other logs."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.plugins import OptionFaults, load, read_options
from feedsvc.sources.logs import umbrella
from feedsvc.sources.port import LogRecord
from tests.sources.logs import linewise
from tests.sources.logs.linewise import lines_of, read, reasons, records, sample

FORMAT = umbrella.build(umbrella.Options())
BY_IDENTITY = umbrella.build(umbrella.Options(client="identity"))


def row(*, identity: str = "LAPTOP-17", internal: str = "10.10.1.100", name: str = "k3xq.example.net.") -> bytes:
    cells = ["2026-11-24 06:16:07", identity, identity, internal, "192.0.2.17", "Allowed", "1 (A)", "NOERROR", name, "x,y"]
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()


class TestSamples:
    @pytest.mark.parametrize("name", ["dns.csv", "with-header.csv"])
    def test_its_first_lines_show_that_it_is_umbrella(self, name: str) -> None:
        assert FORMAT.recognises(linewise.DATA.joinpath("umbrella", name).read_bytes())

    def test_every_version_of_the_columns_is_read(self) -> None:
        found = sample(FORMAT, "umbrella", "dns.csv")
        assert [(one.time, one.client, one.rrname, one.rrtype) for one in found] == [
            (1795500967, "10.10.1.100", "k3xq.example.net", "A"),
            (1795500965, "2001:db8::18", "blocked.example.net", "AAAA"),
            (1795500969, "Head Office", "www.example.com", "HTTPS"),
            (1795500970, "192.0.2.17", r"odd\032name.example.com", "TXT"),
            (1795500973, "10.10.1.101", "no-type.example.com", ""),
        ]
        assert not any(one.answers or one.chain or one.kind != "dns" for one in found)

    def test_the_optional_header_is_no_record_and_no_fault(self) -> None:
        assert [one.rrname for one in sample(FORMAT, "umbrella", "with-header.csv")] == ["k3xq.example.net"]

    def test_the_identity_may_be_the_client(self) -> None:
        assert [one.client for one in sample(BY_IDENTITY, "umbrella", "dns.csv")] == [
            "Ann Example (ann@example.com)",
            "LAPTOP-18",
            "Head Office",
            "192.0.2.17",
            "Head Office",
        ]

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        other = "not the columns of Umbrella's DNS log"
        assert reasons(FORMAT, linewise.DATA.joinpath("umbrella", "refused.csv").read_bytes()) == [
            other,
            other,
            "line without a time",
            "query is no name: empty label",
            other,
            other,
        ]


class TestCells:
    def test_quotes_within_an_identity_are_its_own(self) -> None:
        assert records(BY_IDENTITY, row(identity='Ann "A", Example'))[0].client == 'Ann "A", Example'

    def test_an_identity_that_is_no_ascii_is_shown_escaped(self) -> None:
        assert records(BY_IDENTITY, row(identity="Jürgen"))[0].client == r"J\xc3\xbcrgen"

    def test_where_the_wanted_client_is_not_given_it_is_the_other(self) -> None:
        assert records(FORMAT, row(internal=""))[0].client == "LAPTOP-17"
        assert records(BY_IDENTITY, row(identity=""))[0].client == "10.10.1.100"
        assert records(FORMAT, row(internal="", identity=""))[0].client == "192.0.2.17"

    def test_the_time_is_utc_whatever_the_zone_of_the_source(self) -> None:
        form = umbrella.build(umbrella.Options(), ZoneInfo("Europe/Berlin"))
        assert records(form, row())[0].time == 1795500967

    def test_a_name_in_its_own_letters_is_the_a_label(self) -> None:
        assert records(FORMAT, row(name="bücher.example.net."))[0].rrname == "xn--bcher-kva.example.net"

    def test_another_kind_of_client_is_a_fault(self) -> None:
        with pytest.raises(OptionFaults, match="client: input should be 'internal-ip' or 'identity'"):
            read_options(load("logs", "umbrella"), {"client": "user"})


class TestResuming:
    @pytest.mark.parametrize("name", ["dns.csv", "with-header.csv", "refused.csv"])
    def test_reading_may_stop_behind_any_line(self, name: str) -> None:
        linewise.assert_no_cut_shows(FORMAT, linewise.DATA.joinpath("umbrella", name).read_bytes())


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_line_makes_it_raise(self, text: bytes) -> None:
        linewise.assert_sound(read(FORMAT, text))

    @given(linewise.broken(lines_of("umbrella", "dns.csv")))
    def test_no_broken_line_makes_it_raise_or_lie(self, text: bytes) -> None:
        linewise.assert_sound(read(FORMAT, text))

    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40), st.sampled_from(["", "10.0.0.1"]))
    def test_no_identity_shifts_the_columns(self, identity: str, internal: str) -> None:
        (found,) = read(FORMAT, row(identity=identity, internal=internal))
        assert isinstance(found, LogRecord)
        assert found.rrname == "k3xq.example.net"

    @pytest.mark.parametrize("piece", [b'"', b'""', b'","', b"x", b'" ', b'" , "', b"\\"])
    def test_a_long_line_takes_no_longer_than_its_length(self, piece: bytes) -> None:
        FORMAT.parser().parse(b'"2026-11-24 06:16:07","' + piece * (1_000_000 // len(piece)), 0)


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"hello\n",
            b'"2026-11-24 06:16:07","LAPTOP-17"\n',
            b'"Timestamp","Policy Identity"\n',
            lines_of("umbrella", "refused.csv")[0] + b"\n",
        ],
    )
    def test_anything_else_is_not_umbrella(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)
