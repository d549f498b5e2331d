"""Unbound's log: real lines of 1.17 with and without tags, behind syslog, and lines that are none."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.plugins import OptionFaults
from feedsvc.sources.logs import unbound
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs import linewise
from tests.sources.logs.linewise import lines_of, noon, read, reasons, records, sample

FORMAT = unbound.Unbound(UTC, 0, noon)
LOSSY = "name of which Unbound does not write every character"
FILES = ["tagged-epoch.log", "ascii-time.log", "verbose.log", "syslog.log", "replies.log", "actions.log"]


def line(said: str) -> bytes:
    return f"[1795520066] unbound[7:0] {said}\n".encode()


def names(found: list[LogRecord]) -> list[str]:
    return [one.rrname for one in found]


class TestRealSamples:
    @pytest.mark.parametrize("name", FILES)
    def test_its_first_lines_show_that_it_is_unbound(self, name: str) -> None:
        assert FORMAT.recognises(linewise.DATA.joinpath("unbound", name).read_bytes())

    @pytest.mark.parametrize(
        ("name", "count", "lossy"), [("tagged-epoch.log", 22, 2), ("ascii-time.log", 12, 2), ("verbose.log", 9, 0)]
    )
    def test_every_lookup_is_one_record(self, name: str, count: int, lossy: int) -> None:
        found = read(FORMAT, linewise.DATA.joinpath("unbound", name).read_bytes())
        assert len([one for one in found if isinstance(one, LogRecord)]) == count
        assert [one.reason for one in found if isinstance(one, BadLine)] == [LOSSY] * lossy

    def test_a_record_is_read_whole(self) -> None:
        assert read(FORMAT, linewise.DATA.joinpath("unbound", "tagged-epoch.log").read_bytes())[0] == LogRecord(
            time=1795520066,
            client="127.0.0.1",
            rrname="www.example.com",
            rrtype="A",
            answers=(),
            chain=(),
            offset=133,
        )

    def test_names_are_canonical_and_clients_are_told(self) -> None:
        found = read(FORMAT, linewise.DATA.joinpath("unbound", "tagged-epoch.log").read_bytes())
        told = {(one.client, one.rrname, one.rrtype) for one in found if isinstance(one, LogRecord)}
        assert {("127.0.0.1", "wxyz.example.com", "A"), ("127.0.0.1", "_ldap._tcp.example.com", "SRV")} <= told
        assert not {"", "version.bind"} & {name for _, name, _ in told}

    @pytest.mark.parametrize(("number", "time"), [(0, 1795520066.81449), (1, 1795520067)])
    def test_behind_syslog_it_is_the_same(self, number: int, time: float) -> None:
        found = sample(FORMAT, "unbound", "syslog.log")
        assert names(found) == ["k3xq.example.net", "www.example.com"]
        assert found[number].time == time

    def test_replies_count_where_there_are_no_queries(self) -> None:
        found = sample(FORMAT, "unbound", "replies.log")
        assert [(one.client, one.rrname, one.time) for one in found] == [
            ("10.0.0.1", "k3xq.example.net", 1795520066.283),
            ("10.0.0.2", "a1b2.blocked.example.net", 1795520066.4),
        ]

    def test_local_actions_count_where_there_is_nothing_else(self) -> None:
        found = sample(FORMAT, "unbound", "actions.log")
        assert [(one.client, one.rrname, one.rrtype) for one in found] == [
            ("10.0.0.2", "a1b2.blocked.example.net", "A"),
            ("2001:db8::3", "c3d4.walled.example.net", "AAAA"),
        ]

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        assert reasons(FORMAT, linewise.DATA.joinpath("unbound", "refused.log").read_bytes()) == [
            LOSSY,
            "query is no name: empty label",
            "query line of another shape",
            "query line of another shape",
            "line without a time",
        ]


class TestMessages:
    @pytest.mark.parametrize(
        "said",
        [
            "notice: init module 0: iterator",
            "info: resolving k3xq.example.net. A IN",
            "info: response for k3xq.example.net. A IN",
            "info: reply from <.> 127.0.0.1#5831",
            "info: 127.0.0.1 is an address",
            "info: added k3xq.example.net. A IN",
            "error: SERVFAIL <k3xq.example.net. A IN>: all servers for this domain failed",
            "reply: 10.0.0.1 - - - FORMERR - - - ",
            "reply: 10.0.0.1 null A IN NOERROR 0.1 0 1",
            "query: 10.0.0.1 version.bind. TXT CH",
            "query: 10.0.0.1 . NS IN",
            "query: 10.0.0.1 198.51.100.7. A IN",
        ],
    )
    def test_what_is_no_question_for_a_name_is_neither_record_nor_fault(self, said: str) -> None:
        assert read(FORMAT, line(said)) == []

    def test_an_untagged_reply_is_told_from_a_query_by_what_it_holds(self) -> None:
        text = line("info: 10.0.0.1 a.example.com. A IN NOERROR 0.000601 0 134") + line("info: 10.0.0.1 b.example.com. A IN")
        assert names(records(FORMAT, text + text)) == ["a.example.com", "b.example.com", "b.example.com"]

    def test_local_times_are_of_the_zone_of_the_source(self) -> None:
        text = b"Nov 24 11:34:26 unbound[1:0] query: 10.0.0.1 a.example.com. A IN"
        (found,) = records(unbound.Unbound(ZoneInfo("Europe/Berlin"), 0, noon), text)
        assert found.time == 1795520066 - 3600

    def test_a_year_that_is_none_is_a_fault(self) -> None:
        with pytest.raises(OptionFaults, match="year: 19 is no year of a log"):
            unbound.build(unbound.Options(year=19))


class TestResuming:
    @pytest.mark.parametrize("name", [*FILES, "refused.log"])
    def test_reading_may_stop_behind_any_line(self, name: str) -> None:
        linewise.assert_no_cut_shows(FORMAT, linewise.DATA.joinpath("unbound", name).read_bytes())

    def test_a_state_of_somebody_else_is_refused(self) -> None:
        with pytest.raises(SourceError, match="the remembered state of a log cannot be read"):
            FORMAT.parser("[0, 1, 2, 3, 4]")


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_line_makes_it_raise(self, text: bytes) -> None:
        linewise.assert_sound(read(FORMAT, line("")[:-1] + text))
        linewise.assert_sound(read(FORMAT, text))

    @given(linewise.broken(lines_of("unbound", "tagged-epoch.log") + lines_of("unbound", "actions.log")))
    def test_no_broken_line_makes_it_raise_or_lie(self, text: bytes) -> None:
        linewise.assert_sound(read(FORMAT, text))

    @pytest.mark.parametrize("piece", [b"[1:0] query: ", b"[1:0] info: 1.1.1.1 ", b"x", b" ", b"@1 ", b"1.1.1.1@1 a. A "])
    def test_a_long_line_takes_no_longer_than_its_length(self, piece: bytes) -> None:
        FORMAT.parser().parse(line("info: ")[:-1] + piece * (1_000_000 // len(piece)), 0)


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"hello\n",
            b"Nov 24 06:16:07 ns1 named[1]: client 10.0.0.1#53 (unbound): query: unbound IN A + (127.0.0.1)\n",
            b"Nov 24 06:16:07 dnsmasq[1]: query[A] unbound from 127.0.0.1\n",
            b'{"message": "unbound[1:0] query: "}\n',
        ],
    )
    def test_anything_else_is_not_unbound(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)
