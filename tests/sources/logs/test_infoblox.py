"""Infoblox's log: responses with their answers, queries beside them, and lines that are none."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.plugins import OptionFaults
from feedsvc.sources.logs import bind, infoblox
from feedsvc.sources.port import LogRecord, Waiting
from tests.sources.logs import linewise
from tests.sources.logs.linewise import lines_of, noon, read, reasons, records

FORMAT = infoblox.Infoblox(UTC, 0, noon)
FILES = ["syslog.log", "capture.log", "refused.log"]
SYSLOG = linewise.DATA.joinpath("infoblox", "syslog.log").read_bytes()


def response(answer: str, *, name: str = "a.example.net", rrtype: str = "A", second: int = 7, port: int = 5) -> bytes:
    begin = f"24-Nov-2026 07:16:{second:02d}.043 client 10.0.0.1#{port}"
    return f"{begin} UDP: query: {name} IN {rrtype} response: NOERROR +AED {answer}\n".encode()


def query(name: str, *, second: int = 7, port: int = 5) -> bytes:
    begin = f"24-Nov-2026 07:16:{second:02d}.043 client @0x7f 10.0.0.1#{port}"
    return f"{begin} ({name}): query: {name} IN A + (10.0.0.53)\n".encode()


def rdata(one: LogRecord) -> list[str]:
    return [str(address) for address in one.answers]


def unread(one: LogRecord) -> list[str]:
    return [part.reason for part in one.unread]


def sample() -> dict[str, LogRecord]:
    return {one.rrname: one for one in records(FORMAT, SYSLOG)}


class TestSamples:
    @pytest.mark.parametrize("name", FILES)
    def test_its_first_lines_show_that_it_is_infoblox_and_not_bind(self, name: str) -> None:
        head = linewise.DATA.joinpath("infoblox", name).read_bytes()
        assert FORMAT.recognises(head)
        assert not bind.Bind(UTC, 0).recognises(head)

    def test_a_response_is_read_whole(self) -> None:
        found = records(FORMAT, SYSLOG)[0]
        assert found == LogRecord(
            time=1795504567.043,
            client="10.0.0.1",
            rrname="k3xq.example.net",
            rrtype="A",
            answers=found.answers,
            chain=(),
            offset=0,
        )
        assert rdata(found) == ["198.51.100.7", "203.0.113.9"]

    @pytest.mark.parametrize(
        ("name", "client", "chain", "addresses"),
        [
            ("alias.example.net", "10.0.0.2", ("edge.example.com", "pop7.example.com"), ["198.51.100.8"]),
            ("six.example.net", "2001:db8::3", (), ["2001:db8:77::1"]),
            ("refused.example.net", "10.0.0.4", (), []),
            ("text.example.net", "10.0.0.4", (), ["198.51.100.11"]),  # the record of type A; the two in the text are none
            ("all.example.net", "10.0.0.5", (), ["198.51.100.12"]),
            ("strange.example.net", "10.0.0.5", (), ["192.0.2.1"]),
            ("pair.example.net", "10.0.0.6", (), ["198.51.100.15"]),
            ("alone.example.net", "10.0.0.7", (), []),
            ("walled.example.net", "10.0.0.8", (), []),
            ("cut.example.net", "10.0.0.1", (), ["198.51.100.16"]),
        ],
    )
    def test_addresses_are_those_that_the_asked_name_leads_to(
        self, name: str, client: str, chain: tuple[str, ...], addresses: list[str]
    ) -> None:
        found = sample()[name]
        assert (found.client, found.chain, rdata(found)) == (client, chain, addresses)

    def test_every_lookup_is_one_record(self) -> None:
        assert len(records(FORMAT, SYSLOG)) == 11

    def test_what_of_a_response_cannot_be_used_is_told(self) -> None:
        found = sample()
        assert unread(found["strange.example.net"]) == ["address of a name that the question does not lead to"]
        assert unread(found["cut.example.net"]) == ["response cut short"]
        assert not any(unread(one) for name, one in found.items() if name not in {"strange.example.net", "cut.example.net"})

    def test_a_capture_file_is_read_too(self) -> None:
        found = linewise.sample(FORMAT, "infoblox", "capture.log")
        assert [(one.client, one.rrname, rdata(one)) for one in found] == [
            ("10.0.0.1", "a2.example.net", ["198.51.100.7"]),
            ("10.0.0.2", "foo.example.net", []),
        ]

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        assert reasons(FORMAT, linewise.DATA.joinpath("infoblox", "refused.log").read_bytes()) == [
            "query is no name: empty label",
            "response of another shape",
            "line without a time",
            "query line of another shape",
        ]


class TestAnswers:
    @pytest.mark.parametrize("asked", ["A", "AAAA", "ANY", "TXT", "PTR", "MX", "HTTPS"])
    def test_the_type_of_a_record_counts_and_not_that_of_the_question(self, asked: str) -> None:
        others = (
            'a.example.net. 60 IN TXT "x; a.example.net. 60 IN A 198.51.100.8;"; a.example.net. 60 IN PTR 198.51.100.9.;'
        )
        (found,) = records(FORMAT, response(f"{others} a.example.net. 60 IN A 198.51.100.7;", rrtype=asked))
        assert (found.rrtype, rdata(found), found.unread) == (asked, ["198.51.100.7"], ())

    def test_a_text_that_was_cut_off_costs_no_word_where_texts_were_asked_for(self) -> None:
        cut = 'a.example.net. 60 IN TXT "v=spf1 ip4:198.51.100.7'
        assert [one.unread for one in records(FORMAT, response(cut, rrtype="TXT"))] == [()]
        assert [unread(one) for one in records(FORMAT, response(cut, rrtype="ANY"))] == [["response cut short"]]

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ("a.example.net. 60 IN A front.example.net;", "address record without an address"),
            ("a.example.net. 60 IN A 198.51.100.7 ;", ""),
            ("a.example.net. 60 IN A 198.51.100;", "address record without an address"),
            ("a..example.net. 60 IN A 198.51.100.7;", "empty label"),
            ("a.example.net. IN A 198.51.100.7;", "record of another shape"),
            ("a.example.net. 60 IN A;", "record of another shape"),
            (";;", "record of another shape"),
            ("a.example.net. 60 IN CNAME a.example.net.;", "CNAMEs without an end"),
            (
                "a.example.net. 60 IN CNAME b.example.net.; b.example.net. 60 IN CNAME a.example.net.;",
                "CNAMEs without an end",
            ),
            ('a.example.net. 60 IN TXT "never closed; a.example.net. 60 IN A 198.51.100.7;', "response cut short"),
            ("a.example.net. 60 IN A 198.51.100.7", "response cut short"),
        ],
    )
    def test_what_is_no_answer_costs_neither_the_lookup_nor_a_word(self, answer: str, why: str) -> None:
        (found,) = records(FORMAT, response(answer))
        assert rdata(found) == ([] if why else ["198.51.100.7"])
        assert unread(found)[:1] == ([why] if why else [])

    def test_an_answer_of_many_records_is_cut(self) -> None:
        many = " ".join(f"a.example.net. 60 IN A 198.51.{number // 256}.{number % 256};" for number in range(2000))
        (found,) = records(FORMAT, response(many))
        assert len(found.answers) == infoblox.MAX_RECORDS
        assert unread(found) == ["response cut short"]

    def test_no_endless_list_of_broken_answers_is_told(self) -> None:
        (found,) = records(FORMAT, response("x;" * 2000))
        assert len(found.unread) == 8


class TestCounting:
    def test_a_query_and_its_response_are_one_record(self) -> None:
        text = response("-", name="first.example.net") + query("a.example.net", port=9) + response("-", port=9)
        assert [one.rrname for one in records(FORMAT, text)] == ["first.example.net", "a.example.net"]

    def test_a_query_without_response_is_told_after_a_while(self) -> None:
        parser = FORMAT.parser()
        parser.parse(response("-").strip(), 0)
        assert not parser.parse(query("alone.example.net", second=8, port=9).strip(), 1)
        (found, _) = parser.parse(response("-", second=20).strip(), 2)
        assert isinstance(found, LogRecord)
        assert (found.rrname, found.offset) == ("alone.example.net", 1)

    def test_at_the_end_of_a_log_nothing_is_waited_for_any_more(self) -> None:
        parser = FORMAT.parser()
        parser.parse(response("-").strip(), 0)
        parser.parse(query("alone.example.net", port=9).strip(), 1)
        assert isinstance(parser, Waiting)
        assert [one.rrname for one in parser.finish()] == ["alone.example.net"]
        assert parser.finish() == ()

    def test_without_responses_queries_are_records_at_once(self) -> None:
        parser = FORMAT.parser()
        (found,) = parser.parse(query("a.example.net").strip(), 0)
        assert isinstance(found, LogRecord)

    def test_no_more_is_held_than_may_be(self) -> None:
        parser = FORMAT.parser()
        parser.parse(response("-").strip(), 0)
        early = sum(
            len(parser.parse(query(f"n{number}.example.net", port=number).strip(), number)) for number in range(2000)
        )
        assert early == 2000 - infoblox.IN_FLIGHT


class TestResuming:
    @pytest.mark.parametrize("name", FILES)
    def test_reading_may_stop_behind_any_line(self, name: str) -> None:
        linewise.assert_no_cut_shows(FORMAT, linewise.DATA.joinpath("infoblox", name).read_bytes())

    @pytest.mark.parametrize("state", ["{", '["[0,1,2,3,4]",{}]', '["",{"a": 1}]', '["",{},1]'])
    def test_a_state_of_somebody_else_is_refused(self, state: str) -> None:
        with pytest.raises(SourceError, match=r"the remembered state of .* log cannot be read"):
            FORMAT.parser(state)

    def test_local_times_are_of_the_zone_of_the_source(self) -> None:
        (found,) = records(infoblox.build(infoblox.Options(), ZoneInfo("Europe/Berlin")), response("-"))
        assert found.time == 1795504567.043 - 3600

    def test_a_year_that_is_none_is_a_fault(self) -> None:
        with pytest.raises(OptionFaults, match="year: 19 is no year of a log"):
            infoblox.build(infoblox.Options(year=19))


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_line_makes_it_raise(self, text: bytes) -> None:
        for begin in (b"", response("")[:-1], b"Nov 24 07:16:11 i named[1]: CEF:0|Infoblox|NIOS|"):
            linewise.assert_sound(read(FORMAT, begin + text))

    @given(st.lists(linewise.broken(lines_of("infoblox", "syslog.log")), max_size=4))
    def test_no_broken_lines_make_it_raise_or_lie(self, said: list[bytes]) -> None:
        linewise.assert_sound(read(FORMAT, b"\n".join(said)))

    @given(st.binary(max_size=60))
    def test_no_text_of_an_answer_ends_it(self, content: bytes) -> None:
        text = content.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"").replace(b"\r", b"")
        answer = b'a.example.net. 60 IN TXT "%b"; a.example.net. 60 IN A 198.51.100.7;' % text
        (found,) = read(FORMAT, response("")[:-1] + answer)
        assert isinstance(found, LogRecord)
        assert rdata(found) == ["198.51.100.7"]

    @pytest.mark.parametrize("piece", [b";", b'"', b'"a', b"\\", b"x", b'"";', b" ", b"query: a b c response: "])
    def test_a_long_line_takes_no_longer_than_its_length(self, piece: bytes) -> None:
        FORMAT.parser().parse(response("")[:-1] + piece * (1_000_000 // len(piece)), 0)


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [b"", b"hello\n", query("a.example.net"), b'{"message": "query: a IN A response: NOERROR"}\n'],
    )
    def test_anything_else_is_not_infoblox(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)
