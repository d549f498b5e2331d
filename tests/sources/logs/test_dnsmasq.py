"""dnsmasq's log: real lines of 2.90 with and without serials, Pi-hole's, what processes mix up, and lines that are none."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.plugins import OptionFaults
from feedsvc.sources import dnsmasq_lookups
from feedsvc.sources.logs import dnsmasq
from feedsvc.sources.port import BadLine, LogRecord, Waiting
from tests.sources.logs import dnsmasq_making, linewise
from tests.sources.logs.dnsmasq_making import Asked
from tests.sources.logs.linewise import lines_of, noon, read, reasons, records, sample

FORMAT = dnsmasq.Dnsmasq(UTC, 0, noon)
FILES = ["log-queries.log", "extra.log", "extra-tcp.log", "pihole.log"]
NOT_HELD = "answer to a question that the log does not hold"
UNPRINTABLE = "name that dnsmasq does not write"

Told = tuple[str | None, str, str, tuple[str, ...], tuple[str, ...]]


def text(*said: str, second: int = 7) -> bytes:
    return "".join(f"Nov 24 06:16:{second:02d} dnsmasq[801]: {one}\n" for one in said).encode()


def told(one: LogRecord) -> Told:
    return one.client, one.rrname, one.rrtype, one.chain, tuple(map(str, one.answers))


def only(*said: str) -> list[Told]:
    return [told(one) for one in records(FORMAT, text(*said))]


def found_in(name: str) -> list[LogRecord]:
    return [one for one in read(FORMAT, linewise.DATA.joinpath("dnsmasq", name).read_bytes()) if isinstance(one, LogRecord)]


class TestRealSamples:
    @pytest.mark.parametrize("name", FILES)
    def test_its_first_lines_show_that_it_is_dnsmasq(self, name: str) -> None:
        assert FORMAT.recognises(linewise.DATA.joinpath("dnsmasq", name).read_bytes())

    def test_without_serials_questions_and_answers_are_records_apart(self) -> None:
        found = [told(one) for one in sample(FORMAT, "dnsmasq", "log-queries.log")]
        assert found[:4] == [
            ("127.0.0.1", "www.example.com", "A", (), ()),
            (
                None,
                "www.example.com",
                "A",
                ("edge.cdn.example.net", "pop7.edge.example.net"),
                ("203.0.113.200", "203.0.113.201"),
            ),
            ("127.0.0.1", "multi.example.com", "A", (), ()),
            (None, "multi.example.com", "A", (), ("203.0.113.11", "198.51.100.12", "203.0.113.10")),
        ]
        assert len([one for one in found if one[0]]) == 20
        assert len([one for one in found if one[4]]) == 12

    def test_with_serials_a_lookup_is_one_record(self) -> None:
        found = [told(one) for one in found_in("extra.log")]
        assert found[0] == (
            "127.0.0.1",
            "www.example.com",
            "A",
            ("edge.cdn.example.net", "pop7.edge.example.net"),
            ("203.0.113.200", "203.0.113.201"),
        )
        assert ("::1", "abcd.example.com", "A", ("qkzv.example.com",), ("198.51.100.77",)) in found
        assert (
            "127.0.0.1",
            "www.example.com",
            "AAAA",
            ("edge.cdn.example.net", "pop7.edge.example.net"),
            ("2001:db8:7::1",),
        ) in found
        assert ("127.0.0.1", r"odd\032name.example.com", "A", (), ("203.0.113.99",)) in found
        assert ("127.0.0.1", "nosuch.example.com", "A", (), ()) in found

    def test_what_dnsmasq_answers_by_itself_tells_who_asked(self) -> None:
        found = {one.rrname: one for one in found_in("extra.log")}
        for name in ("blocked.example.com", "hostsfile.example.com"):
            assert (found[name].client, found[name].answers) == ("127.0.0.1", ())

    def test_the_record_begins_with_its_question(self) -> None:
        first = found_in("extra.log")[0]
        assert first.time == 1795520068
        whole = linewise.DATA.joinpath("dnsmasq", "extra.log").read_bytes()
        assert b"query[A] www.example.com" in whole[first.offset :].splitlines()[0]

    def test_processes_that_write_in_between_each_other_are_told_apart(self) -> None:
        found = found_in("extra-tcp.log")
        addresses = {one.rrname: {str(address) for address in one.answers} for one in found}
        assert addresses == {
            "www.example.com": {"203.0.113.200", "203.0.113.201"},
            "multi.example.com": {"203.0.113.10", "203.0.113.11", "198.51.100.12"},
        }
        assert len(found) == len({one.offset for one in found})

    def test_pi_holes_words_are_read(self) -> None:
        assert [told(one)[1:] for one in found_in("pihole.log")] == [
            ("ads.example.com", "A", (), ()),
            ("k3xq.example.net", "A", (), ("198.51.100.7",)),
            ("k3xq.example.net", "HTTPS", (), ()),
            ("stale.example.net", "A", (), ("198.51.100.8", "198.51.100.9")),
            ("fail.example.net", "A", (), ()),
            ("down.example.net", "A", (), ()),
            ("7.100.51.198.in-addr.arpa", "PTR", (), ()),
            ("whoami.example.net", "TXT", (), ()),
            (r"a\032name\032is\032198.51.100.11\032from\03210.0.0.9.example.net", "A", (), ("192.0.2.1",)),
        ]

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        assert reasons(FORMAT, linewise.DATA.joinpath("dnsmasq", "refused.log").read_bytes()) == [
            UNPRINTABLE,
            "query is no name: empty label",
            NOT_HELD,
            NOT_HELD,
            "address or text: both were asked for",
            "line without a time",
            "query line of another shape",
            "answer line of another shape",
        ]


class TestLooseLines:
    def test_a_text_that_looks_like_an_address_is_none(self) -> None:
        assert only("query[TXT] a.example.com from 10.0.0.1", "reply a.example.com is 198.51.100.7") == [
            ("10.0.0.1", "a.example.com", "TXT", (), ())
        ]

    def test_a_text_that_looks_like_an_answer_is_none(self) -> None:
        found = only(
            "query[A] k3xq.example.net from 10.0.0.1",
            "query[TXT] a.example.com from 10.0.0.1",
            "reply a.example.com is x is <CNAME>",
            "reply a.example.com is y",
            "reply k3xq.example.net is 198.51.100.7",
        )
        assert (None, "k3xq.example.net", "A", (), ("198.51.100.7",)) in found
        assert not any("a.example.com" in chain for *_, chain, _ in found)

    def test_the_second_string_of_a_text_is_no_address_either(self) -> None:
        questions = ("query[A] a.example.com from 10.0.0.1", "query[TXT] a.example.com from 10.0.0.1")
        found = read(FORMAT, text(*questions, "reply a.example.com is v=1", "reply a.example.com is 198.51.100.7"))
        assert [one.reason for one in found if isinstance(one, BadLine)] == ["address or text: both were asked for"]
        assert not any(one.answers for one in found if isinstance(one, LogRecord))

    def test_an_address_counts_again_when_the_text_was_told(self) -> None:
        found = only(
            "query[TXT] a.example.com from 10.0.0.1",
            "reply a.example.com is v=1",
            "query[A] a.example.com from 10.0.0.1",
            "reply a.example.com is 198.51.100.7",
        )
        assert found[-1] == (None, "a.example.com", "A", (), ("198.51.100.7",))

    @pytest.mark.parametrize("rrtype", ["HTTPS", "type=65", "MX", "SRV"])
    def test_types_without_text_do_not_stand_in_the_way(self, rrtype: str) -> None:
        questions = (f"query[{rrtype}] a.example.com from 10.0.0.1", "query[A] a.example.com from 10.0.0.1")
        assert only(*questions, "reply a.example.com is 198.51.100.7")[-1][4] == ("198.51.100.7",)

    def test_both_kinds_of_address_of_a_name_are_two_answers(self) -> None:
        found = only(
            "query[A] a.example.com from 10.0.0.1",
            "query[AAAA] a.example.com from 10.0.0.1",
            "reply a.example.com is <CNAME>",
            "reply b.example.com is 198.51.100.7",
            "reply b.example.com is 198.51.100.8",
            "reply a.example.com is <CNAME>",
            "reply b.example.com is 2001:db8::7",
        )
        assert found[2:] == [
            (None, "a.example.com", "A", ("b.example.com",), ("198.51.100.7", "198.51.100.8")),
            (None, "a.example.com", "AAAA", ("b.example.com",), ("2001:db8::7",)),
        ]

    def test_answers_that_follow_each_other_are_not_joined(self) -> None:
        found = only(
            "query[A] a.example.com from 10.0.0.1",
            "query[A] b.example.com from 10.0.0.2",
            "reply a.example.com is 198.51.100.7",
            "reply b.example.com is 198.51.100.8",
        )
        assert [one[4] for one in found] == [(), (), ("198.51.100.7",), ("198.51.100.8",)]

    def test_an_answer_counts_once_for_each_question(self) -> None:
        found = read(
            FORMAT,
            text("query[A] a.example.com from 10.0.0.1", "reply a.example.com is 198.51.100.7")
            + text("query[A] b.example.com from 10.0.0.1", "reply a.example.com is 198.51.100.7"),
        )
        assert [one.reason for one in found if isinstance(one, BadLine)] == [NOT_HELD]

    def test_of_what_is_asked_elsewhere_the_cached_part_is_not_the_answer(self) -> None:
        found = only(
            "query[AAAA] a.example.com from 10.0.0.1",
            "cached a.example.com is <CNAME>",
            "forwarded a.example.com to 192.0.2.53",
            "reply a.example.com is <CNAME>",
            "reply b.example.com is 2001:db8::7",
        )
        assert found == [
            ("10.0.0.1", "a.example.com", "AAAA", (), ()),
            (None, "a.example.com", "AAAA", ("b.example.com",), ("2001:db8::7",)),
        ]

    def test_what_dnsmasq_knows_by_itself_is_no_address(self) -> None:
        assert only("query[A] a.example.com from 10.0.0.1", "config a.example.com is 198.51.100.7") == [
            ("10.0.0.1", "a.example.com", "A", (), ())
        ]


class TestTiedLines:
    def test_answers_go_to_who_asked_also_when_two_asked_the_same(self) -> None:
        found = only(
            "1 10.0.0.1/1 query[A] a.example.com from 10.0.0.1",
            "2 10.0.0.2/1 query[A] a.example.com from 10.0.0.2",
            "2 10.0.0.2/1 reply a.example.com is 198.51.100.8",
            "1 10.0.0.1/1 reply a.example.com is 198.51.100.7",
        )
        assert found == [
            ("10.0.0.2", "a.example.com", "A", (), ("198.51.100.8",)),
            ("10.0.0.1", "a.example.com", "A", (), ("198.51.100.7",)),
        ]

    def test_an_address_of_another_name_is_told_and_not_used(self) -> None:
        found = read(
            FORMAT,
            text("1 10.0.0.1/1 query[A] a.example.com from 10.0.0.1", "1 10.0.0.1/1 reply b.example.com is 198.51.100.7"),
        )
        assert [one.reason for one in found if isinstance(one, BadLine)] == ["address of another name than was asked for"]
        assert [told(one)[4] for one in found if isinstance(one, LogRecord)] == [()]

    def test_a_serial_that_comes_again_is_another_lookup(self) -> None:
        question = "1 10.0.0.1/1 query[A] a.example.com from 10.0.0.1"
        assert len(only(question, question, question)) == 3

    def test_a_question_without_an_answer_is_told_after_a_while(self) -> None:
        parser = FORMAT.parser()
        first = b"Nov 24 06:16:00 dnsmasq[1]: 1 10.0.0.1/1 query[A] a.example.com from 10.0.0.1"
        assert not parser.parse(first, 0)
        assert not parser.parse(b"Nov 24 06:17:00 dnsmasq[1]: 2 10.0.0.1/1 query[A] b.example.com from 10.0.0.1", 90)
        (found,) = parser.parse(b"Nov 24 06:17:01 dnsmasq[1]: 3 10.0.0.1/1 query[A] c.example.com from 10.0.0.1", 180)
        assert isinstance(found, LogRecord)
        assert (found.rrname, found.offset) == ("a.example.com", 0)

    def test_the_next_line_of_the_process_ends_an_answer(self) -> None:
        parser = FORMAT.parser()
        parser.parse(b"Nov 24 06:16:00 dnsmasq[1]: 1 10.0.0.1/1 query[A] a.example.com from 10.0.0.1", 0)
        assert not parser.parse(b"Nov 24 06:16:00 dnsmasq[1]: 1 10.0.0.1/1 reply a.example.com is 198.51.100.7", 1)
        assert not parser.parse(b"Nov 24 06:16:00 dnsmasq[2]: 1 10.0.0.2/1 query[A] b.example.com from 10.0.0.2", 2)
        (found,) = parser.parse(b"Nov 24 06:16:00 dnsmasq[1]: 2 10.0.0.1/1 query[A] c.example.com from 10.0.0.1", 3)
        assert isinstance(found, LogRecord)
        assert found.rrname == "a.example.com"

    def test_what_was_told_at_the_end_is_not_told_again(self) -> None:
        parser = FORMAT.parser()
        parser.parse(b"Nov 24 06:16:00 dnsmasq[1]: 1 10.0.0.1/1 query[A] a.example.com from 10.0.0.1", 0)
        assert isinstance(parser, Waiting)
        assert len(list(parser.finish() or ())) == 1
        assert parser.state() == ""
        assert parser.finish() == ()


class TestBounds:
    def test_no_more_is_held_than_may_be(self) -> None:
        parser = FORMAT.parser()
        told_early = 0
        for number in range(3 * dnsmasq_lookups.IN_FLIGHT):
            line = f"Nov 24 06:16:00 dnsmasq[1]: {number} 10.0.0.1/1 query[A] n{number}.example.com from 10.0.0.1".encode()
            told_early += len(list(parser.parse(line, number)))
        assert told_early == 2 * dnsmasq_lookups.IN_FLIGHT
        assert len(parser.state()) < 200 * dnsmasq_lookups.IN_FLIGHT

    def test_names_without_serials_are_not_held_for_ever(self) -> None:
        parser = FORMAT.parser()
        for number in range(3 * dnsmasq_lookups.IN_FLIGHT):
            parser.parse(f"Nov 24 06:16:00 dnsmasq[1]: query[A] n{number}.example.com from 10.0.0.1".encode(), number)
        assert len(parser.state()) < 60 * dnsmasq_lookups.IN_FLIGHT

    def test_an_answer_without_end_is_cut(self) -> None:
        answers = [f"1 10.0.0.1/1 reply a.example.com is 198.51.{number // 256}.{number % 256}" for number in range(2000)]
        (found,) = records(FORMAT, text("1 10.0.0.1/1 query[A] a.example.com from 10.0.0.1", *answers))
        assert len(found.answers) == dnsmasq_lookups.ADDRESSES

    def test_a_chain_without_end_is_cut(self) -> None:
        chain = [f"1 10.0.0.1/1 reply n{number}.example.com is <CNAME>" for number in range(2000)]
        last = ("1 10.0.0.1/1 reply last.example.com is 198.51.100.7",)
        (found,) = records(FORMAT, text("1 10.0.0.1/1 query[A] n0.example.com from 10.0.0.1", *chain, *last))
        assert len(found.chain) == 32


class TestRoundTrip:
    names = st.sampled_from([f"n{number}.example.com" for number in range(6)])
    lookup = st.builds(
        Asked,
        name=names,
        rrtype=st.sampled_from(["A", "A", "AAAA", "TXT", "HTTPS"]),
        client=st.sampled_from(["10.0.0.1", "2001:db8::1"]),
        chain=st.lists(st.sampled_from([f"c{number}.example.net" for number in range(6)]), max_size=3, unique=True).map(
            tuple
        ),
        source=st.sampled_from(["reply", "reply", "cached", "config"]),
        late=st.booleans(),
    ).flatmap(
        lambda one: st.just(one) if one.rrtype == "HTTPS" else st.builds(_with_answers, st.just(one), st.integers(0, 3))
    )

    @given(st.lists(st.lists(lookup, max_size=6), max_size=3), st.integers(0, 99))
    def test_with_serials_exactly_what_was_asked_and_answered_is_told(self, processes: list[list[Asked]], seed: int) -> None:
        written = dnsmasq_making.log(processes, seed, extra=True)
        expected = Counter(
            (one.client, one.name, one.rrtype, one.chain if one.told else (), one.told)
            for lookups in processes
            for one in lookups
        )
        assert Counter(told(one) for one in records(FORMAT, written)) == expected

    @given(st.lists(st.lists(lookup, max_size=6), max_size=3), st.integers(0, 99))
    def test_without_serials_every_question_is_told_and_no_address_that_is_none(
        self, processes: list[list[Asked]], seed: int
    ) -> None:
        found = [one for one in read(FORMAT, dnsmasq_making.log(processes, seed, extra=False)) if isinstance(one, LogRecord)]
        lookups = [one for lookups in processes for one in lookups]
        asked = Counter((one.client, one.rrname, one.rrtype) for one in found if one.client is not None)
        assert asked == Counter((one.client, one.name, one.rrtype) for one in lookups)
        true = {(one.name, address) for one in lookups for address in one.told}
        assert {(one.rrname, str(address)) for one in found for address in one.answers} <= true

    @given(st.lists(st.lists(lookup, max_size=4), max_size=3), st.integers(0, 99), st.booleans(), st.integers(0, 3000))
    def test_reading_may_stop_behind_any_line(self, processes: list[list[Asked]], seed: int, extra: bool, cut: int) -> None:
        written = dnsmasq_making.log(processes, seed, extra=extra)
        assert linewise.read_in_two(FORMAT, written, cut) == read(FORMAT, written)


def _with_answers(one: Asked, count: int) -> Asked:
    prefix = {"A": "198.51.100.", "AAAA": "2001:db8:77::", "TXT": "198.51.100."}[one.rrtype]
    return Asked(
        one.name, one.rrtype, one.client, one.chain, tuple(f"{prefix}{n}" for n in range(1, count + 1)), one.source, one.late
    )


class TestResuming:
    @pytest.mark.parametrize("name", [*FILES, "refused.log"])
    def test_reading_may_stop_behind_any_line(self, name: str) -> None:
        linewise.assert_no_cut_shows(FORMAT, linewise.DATA.joinpath("dnsmasq", name).read_bytes())

    def test_an_archive_is_read_by_the_year_of_its_first_line(self) -> None:
        form = dnsmasq.build(dnsmasq.Options(year=2019))
        said = b"dnsmasq[1]: query[A] a.example.com from 10.0.0.1\n"
        archive = b"Dec 31 23:59:59 " + said + b"Jan  1 00:00:01 " + said
        assert [one.time for one in records(form, archive)] == [1577836799, 1577836801]
        linewise.assert_no_cut_shows(form, archive)

    def test_local_times_are_of_the_zone_of_the_source(self) -> None:
        form = dnsmasq.Dnsmasq(ZoneInfo("Europe/Berlin"), 0, noon)
        assert records(form, text("query[A] a.example.com from 10.0.0.1"))[0].time == 1795500967 - 3600

    @pytest.mark.parametrize("state", ["{", '{"asked": 1}', "[{},{},{},{},null,1]", '[{"1": 5}]'])
    def test_a_state_of_somebody_else_is_refused(self, state: str) -> None:
        with pytest.raises(SourceError, match="the remembered state of a dnsmasq log cannot be read"):
            FORMAT.parser(state)

    def test_a_year_that_is_none_is_a_fault(self) -> None:
        with pytest.raises(OptionFaults, match="year: 19 is no year of a log"):
            dnsmasq.build(dnsmasq.Options(year=19))


class TestAnyBytes:
    @given(st.lists(st.binary(max_size=100), max_size=5))
    def test_no_lines_make_it_raise(self, said: list[bytes]) -> None:
        for begin in (b"", b"Nov 24 06:16:07 dnsmasq[1]: ", b"Nov 24 06:16:07 dnsmasq[1]: 1 10.0.0.1/1 "):
            linewise.assert_sound(read(FORMAT, b"\n".join(begin + one for one in said)))

    @given(st.lists(linewise.broken(lines_of("dnsmasq", "pihole.log") + lines_of("dnsmasq", "log-queries.log")), max_size=8))
    def test_no_broken_lines_make_it_raise_or_lie(self, said: list[bytes]) -> None:
        linewise.assert_sound(read(FORMAT, b"\n".join(said)))

    @pytest.mark.parametrize(
        "piece",
        [b" is ", b" from ", b" (EDE: ", b" is x (EDE: a", b"query[A] ", b"dnsmasq[1]: ", b"x", b".", b" (DNSSEC signed)"],
    )
    @pytest.mark.parametrize("begin", [b"query[A] ", b"reply ", b"1 10.0.0.1/1 reply ", b"x is "])
    def test_a_long_line_takes_no_longer_than_its_length(self, begin: bytes, piece: bytes) -> None:
        line = b"Nov 24 06:16:07 dnsmasq[1]: " + begin + piece * (1_000_000 // len(piece)) + b")"
        FORMAT.parser().parse(line, 0)


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"hello\n",
            b"Nov 24 06:16:07 ns1 named[1]: client 10.0.0.1#53 (dnsmasq): query: dnsmasq IN A + (127.0.0.1)\n",
            b"Nov 24 06:16:11 dnsmasq-dhcp[801]: DHCPACK(eth0) 10.0.0.9 aa:bb:cc:dd:ee:ff laptop\n",
            b'{"message": "dnsmasq[1]: query[A] x from 10.0.0.1"}\n',
        ],
    )
    def test_anything_else_is_not_dnsmasq(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)
