"""dnstap: real files of four servers, each lookup once, and frames that are none."""

from __future__ import annotations

import gzip
import subprocess
from collections import Counter
from pathlib import Path

import dns.exception
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.model import Outcome
from feedsvc.plugins import OptionFaults
from feedsvc.sources import framestreams
from feedsvc.sources.logfile import MAX_LINE, LogDamaged, LogFile, cut, finish, peek, read_line
from feedsvc.sources.logs import Formats, dnstap
from feedsvc.sources.logs.dnstap import MessageType
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from tests.sources.logs import dnstap_making as making
from tests.sources.logs.dnstap_making import BEGIN, END, frame, frames, log, message
from tests.sources.logs.making import START, Exchange, append, hit, traffic
from tests.sources.logs.reading import LATER, Reader, expected, once, sightings
from tests.tools import need_tool

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "dnstap"
FORMAT = dnstap.build(dnstap.Options())
SEVEN = Exchange("k3xq.example.net", "A", ("198.51.100.7",), time=START)

Found = list[LogRecord | BadLine]


def read(text: bytes, form: LogFormat = FORMAT, state: str = "", start: int = 0) -> Found:
    parser = form.parser(state)
    found = [one for line in cut(form, iter([text]), start) for one in read_line(parser, line)]
    return found + list(finish(parser))


def records(text: bytes, form: LogFormat = FORMAT) -> list[LogRecord]:
    found = read(text, form)
    assert all(isinstance(one, LogRecord) for one in found), found
    return [one for one in found if isinstance(one, LogRecord)]


def only(*messages: MessageType) -> LogFormat:
    return dnstap.build(dnstap.Options(messages))


def said(record: LogRecord) -> tuple[str | None, str, str, list[str], tuple[str, ...]]:
    return record.client, record.rrname, record.rrtype, [str(one) for one in record.answers], record.chain


class TestRealFiles:
    @pytest.mark.parametrize(
        ("name", "count"),
        [
            ("bind-9.18.dnstap", 20), ("bind-lookups.dnstap", 73), ("unbound-1.17.fstrm", 18), ("dnsdist-1.7.fstrm", 13),
            ("queries-alone.fstrm", 18), ("dnscollector.fstrm", 1),
        ],
    )  # fmt: skip
    def test_each_lookup_is_a_record_once(self, name: str, count: int) -> None:
        found = records((SAMPLES / name).read_bytes())
        assert len(found) == count
        assert not [one.unread for one in found if one.unread]
        assert all(one.client in {"127.0.0.1", "172.19.0.1"} for one in found)

    @pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.*s*")), ids=lambda path: path.name)
    def test_its_first_bytes_show_that_it_is_dnstap(self, path: Path) -> None:
        with LogFile.open(str(path)) as found:
            head, _ = peek(found.blocks())
        assert FORMAT.recognises(head)
        assert Formats().by_head(head).name == "dnstap"

    def test_names_types_addresses_and_chains_are_read(self) -> None:
        found = [said(one) for one in records((SAMPLES / "unbound-1.17.fstrm").read_bytes())]
        me = "127.0.0.1"
        assert found[0] == (me, "k3xq.example.net", "A", ["198.51.100.7"], ())
        assert found[1] == found[0]  # asked for as K3xQ.Example.NET
        assert found[2] == (me, "k3xq.example.net", "AAAA", ["2001:db8:77::1"], ())
        assert (me, "front.example.net", "A", ["198.51.100.20"], ("lb.example.org",)) in found
        assert (me, "chain.example.net", "AAAA", ["2001:db8:77::20"], ("hop.example.net", "lb.example.org")) in found
        assert (me, "text.example.net", "TXT", [], ()) in found
        assert (me, "nosuch.example.net", "A", [], ()) in found
        assert (me, "mapped.example.net", "AAAA", ["198.51.100.12"], ()) in found
        assert (me, "198.51.100.11.zen.example.net", "A", ["127.0.0.2"], ()) in found
        assert (me, "odd\\032name.example.net", "A", ["198.51.100.10"], ()) in found

    def test_times_are_those_of_the_message(self) -> None:
        first = records((SAMPLES / "dnscollector.fstrm").read_bytes())[0]
        assert first.time == pytest.approx(1717613389.601953596, abs=1e-6)
        assert first.offset == 157

    def test_the_tool_of_binds_makers_reads_the_same_questions(self) -> None:
        path = SAMPLES / "bind-9.18.dnstap"
        reader = need_tool("dnstap-read", "bind9-dnsutils")
        shown = subprocess.run([reader, path], capture_output=True, text=True, check=True).stdout
        asked = [line.split()[8].split("/") for line in shown.splitlines() if line.split()[2] in {"CR", "AR"}]
        assert [(one.rrname, one.rrtype) for one in records(path.read_bytes())] == [
            (name.lower(), rrtype) for name, _, rrtype in asked
        ]

    @pytest.mark.parametrize(
        ("messages", "count", "clients"),
        [
            (["client-response"], 19, {"127.0.0.1"}),
            (["auth-response"], 1, {"127.0.0.1"}),
            (["client-query"], 19, {"127.0.0.1"}),
            (["auth-query", "client-query"], 20, {"127.0.0.1"}),
            (["resolver-response"], 15, {None}),
            (["client-response", "resolver-response"], 34, {"127.0.0.1", None}),
            (["forwarder-response"], 0, set()),
        ],
    )
    def test_a_type_that_is_asked_for_is_read_whatever_else_there_is(
        self, messages: list[MessageType], count: int, clients: set[str | None]
    ) -> None:
        found = records((SAMPLES / "bind-9.18.dnstap").read_bytes(), only(*messages))
        assert (len(found), {one.client for one in found}) == (count, clients)

    def test_of_what_clients_asked_nothing_but_the_question_is_known(self) -> None:
        found = records((SAMPLES / "queries-alone.fstrm").read_bytes())
        assert {one.answers for one in found} == {()}
        assert said(found[0]) == ("127.0.0.1", "k3xq.example.net", "A", [], ())


class TestRefused:
    def test_every_frame_that_is_none_is_told_with_its_reason_and_the_rest_is_read(self) -> None:
        found = read((SAMPLES / "refused.dnstap").read_bytes())
        assert [one.reason if isinstance(one, BadLine) else one.rrname for one in found] == [
            "k3xq.example.net",
            "field of no known kind",
            "message ends within a field",
            "no dnstap message",
            "message ends within a field",
            "dnstap message without the DNS message",
            "dnstap message without a time",
            "message shorter than its header",
            "name without an end",
            "pointer that does not lead back",
            "stream of something else than dnstap",
            *("k3xq.example.net", "frame that is cut short, or none") * 3,
        ]


class TestMessages:
    @pytest.mark.parametrize("kind", ["CLIENT", "AUTH", "STUB", "TOOL"])
    def test_an_answer_to_a_client_tells_who_asked_what_and_where_it_leads(self, kind: str) -> None:
        (found,) = records(frames(message(f"{kind}_RESPONSE", SEVEN)))
        assert said(found) == ("10.1.2.3", "k3xq.example.net", "A", ["198.51.100.7"], ())
        assert abs(found.time - START) < 1e-6
        assert (found.offset, found.kind, found.process) == (len(BEGIN), "dns", "")

    @pytest.mark.parametrize("kind", ["RESOLVER", "FORWARDER"])
    def test_an_answer_from_upstream_has_no_client(self, kind: str) -> None:
        (found,) = records(frames(message(f"{kind}_RESPONSE", SEVEN)))
        assert said(found) == (None, "k3xq.example.net", "A", ["198.51.100.7"], ())

    @pytest.mark.parametrize("kind", ["RESOLVER_QUERY", "FORWARDER_QUERY", "UPDATE_QUERY", "UPDATE_RESPONSE"])
    def test_what_tells_of_no_lookup_is_no_record(self, kind: str) -> None:
        assert read(frames(message(kind, SEVEN))) == []

    @pytest.mark.parametrize(
        ("changes", "time"),
        [
            ({"query_time_sec": 7, "query_time_nsec": 5}, START),
            ({"query_time_sec": 7, "query_time_nsec": 500_000_000, "response_time_sec": None}, 7.5),
            ({"response_time_nsec": None}, int(START)),
            ({"query_time_sec": 7, "response_time_nsec": 4_000_000_000}, 7),
        ],
        ids=["both", "of the query", "whole seconds", "none that can be"],
    )
    def test_the_time_is_that_of_the_answer_or_else_of_the_query(self, changes: dict[str, object], time: float) -> None:
        (found,) = records(frames(message("CLIENT_RESPONSE", SEVEN, **changes)))
        assert found.time == pytest.approx(time, abs=1e-6)

    @pytest.mark.parametrize(
        ("packed", "client"),
        [
            (b"\x0a\0\0\1", "10.0.0.1"),
            (bytes(10) + b"\xff\xff\x0a\0\0\1", "10.0.0.1"),
            (b"\x20\x01\x0d\xb8" + bytes(11) + b"\1", "2001:db8::1"),
            (None, None),
            (b"", None),
        ],
    )
    def test_a_client_is_a_canonical_address_or_unknown(self, packed: bytes | None, client: str | None) -> None:
        (found,) = records(frames(message("CLIENT_RESPONSE", SEVEN, query_address=packed)))
        assert (found.client, found.unread) == (client, ())

    def test_a_client_that_is_none_is_told_beside_the_record(self) -> None:
        (found,) = records(frames(message("CLIENT_RESPONSE", SEVEN, query_address=b"abc")))
        assert found.client is None
        assert [bad.reason for bad in found.unread] == ["client that is no address"]

    def test_a_response_beside_which_the_query_stands_is_read_for_itself(self) -> None:
        other = making.query(Exchange("other.example.net"))
        (found,) = records(frames(message("CLIENT_RESPONSE", SEVEN, query_message=other)))
        assert said(found) == ("10.1.2.3", "k3xq.example.net", "A", ["198.51.100.7"], ())

    def test_a_response_without_its_message_still_tells_who_asked(self) -> None:
        changes: dict[str, object] = {"response_message": None, "query_message": making.query(SEVEN)}
        (found,) = records(frames(message("CLIENT_RESPONSE", SEVEN, **changes)))
        assert said(found) == ("10.1.2.3", "k3xq.example.net", "A", [], ())

    def test_answers_that_were_cut_short_leave_those_that_were_not(self) -> None:
        one = Exchange("k3xq.example.net", "A", ("198.51.100.7", "198.51.100.8"))
        (found,) = records(frames(message("CLIENT_RESPONSE", one, response_message=making.response(one)[:-3])))
        assert [str(address) for address in found.answers] == ["198.51.100.7"]
        assert [bad.reason for bad in found.unread] == ["message ends within its answers"]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (message("CLIENT_RESPONSE", SEVEN, response_message=None), "dnstap message without the DNS message"),
            (message("CLIENT_RESPONSE", SEVEN, response_time_sec=None), "dnstap message without a time"),
            (message("CLIENT_RESPONSE", SEVEN, response_time_sec=2**60), "dnstap message without a time"),
            (message("CLIENT_RESPONSE", SEVEN, response_message=b"abc"), "message shorter than its header"),
            (b"\x78\x01", "no dnstap message"),
            (b"\x72\x01\x08\x78\x01", "message ends within a field"),
            (b"\x0a\x01a\x0f", "field of no known kind"),
            (b"\x0a\x09", "message ends within a field"),
            (b"\x78\x01\x70\x05", "no dnstap message"),
        ],
        ids=range(9),  # not by their bytes: DNS messages have random numbers
    )
    def test_what_cannot_be_read_is_told_and_the_rest_is_read(self, text: bytes, reason: str) -> None:
        bad, good = read(frames(text, message("CLIENT_RESPONSE", SEVEN)))
        assert isinstance(bad, BadLine)
        assert (bad.reason, bad.offset) == (reason, len(BEGIN))
        assert bad.line == frame(text)[:200]
        assert isinstance(good, LogRecord)

    def test_who_asks_for_an_address_as_if_it_were_a_name_asks_for_none(self) -> None:
        assert read(frames(message("CLIENT_RESPONSE", Exchange("198.51.100.7", "A", ("198.51.100.7",))))) == []

    def test_what_is_no_message_is_no_record(self) -> None:
        assert read(frames(b"\x78\x02")) == []


class TestOnce:
    KINDS = ("CLIENT_QUERY", "RESOLVER_QUERY", "RESOLVER_RESPONSE", "CLIENT_RESPONSE")

    def test_a_lookup_that_is_written_four_times_counts_once(self) -> None:
        exchanges = [one for one in traffic(seed=1, size=60) if one.trap != "an address was asked for"]
        found = records(log(exchanges, *self.KINDS))
        assert [one.rrname for one in found] == [one.query for one in exchanges]

    def test_of_a_log_without_answers_to_clients_queries_and_upstream_answers_count(self) -> None:
        found = records(log([SEVEN] * 3, "CLIENT_QUERY", "RESOLVER_RESPONSE"))
        assert [(one.client, bool(one.answers)) for one in found] == [("10.1.2.3", False), (None, True)] * 3

    @pytest.mark.parametrize("kinds", [KINDS, KINDS[:3]], ids=["answers", "no answers"])
    def test_it_goes_on_after_any_frame_in_another_process(self, kinds: tuple[str, ...]) -> None:
        text = log(traffic(seed=2, size=50), *kinds)
        whole, parser, seen = read(text), FORMAT.parser(), list[LogRecord | BadLine]()
        for line in list(cut(FORMAT, iter([text]))):
            seen += read_line(parser, line)
            assert line[2] is not None
            assert seen + read(text[line[2] :], state=parser.state(), start=line[2]) == whole

    def test_a_state_that_is_none_is_told(self) -> None:
        with pytest.raises(SourceError):
            FORMAT.parser("x")


class TestStreams:
    @pytest.mark.parametrize("between", [END, b"", END + END], ids=["ended", "not ended", "ended twice"])
    def test_several_streams_in_a_file_are_all_read(self, between: bytes) -> None:
        text = BEGIN + frame(message("CLIENT_RESPONSE", SEVEN)) + between
        assert len(records(text * 3)) == 3

    def test_a_stream_of_something_else_is_told_and_passed_over(self) -> None:
        other = (
            framestreams.start(b"protobuf:other") + frame(b"\x0awhatever") + frame(message("CLIENT_RESPONSE", SEVEN)) + END
        )
        found = read(other + frames(message("CLIENT_RESPONSE", SEVEN)))
        assert [one.reason if isinstance(one, BadLine) else one.rrname for one in found] == [
            "stream of something else than dnstap",
            "k3xq.example.net",
        ]
        parser = FORMAT.parser()
        (line, *_) = cut(FORMAT, iter([other]))
        read_line(parser, line)
        assert read(other[line[2] :], state=parser.state()) == []

    def test_a_stream_without_a_content_type_is_read_when_it_is_asked_for(self) -> None:
        begin = b"\0\0\0\0\0\0\0\4\0\0\0\2"
        assert not FORMAT.recognises(begin)
        assert len(records(begin + frame(message("CLIENT_RESPONSE", SEVEN)))) == 1

    @pytest.mark.parametrize("size", [1, 3, 4, 20, 80])
    def test_a_frame_that_was_cut_short_by_the_end_is_told(self, size: int) -> None:
        text = frame(message("CLIENT_RESPONSE", SEVEN))
        good, bad = read(BEGIN + text + text[:size])
        assert isinstance(good, LogRecord)
        assert isinstance(bad, BadLine)
        assert bad.reason == "frame that is cut short, or none"

    @pytest.mark.parametrize("size", range(1, len(frame(message("CLIENT_RESPONSE", SEVEN)))))
    def test_a_server_that_died_within_a_frame_costs_no_more_than_that_frame(self, size: int) -> None:
        good = frame(message("CLIENT_RESPONSE", SEVEN))
        dead = BEGIN + good + good[:size]
        for again in (1, 3):
            found = read(dead + (BEGIN + good + END) * again)
            assert sum(isinstance(one, LogRecord) for one in found) == 1 + again
            assert sum(isinstance(one, BadLine) for one in found) == 1

    def test_a_frame_over_the_limit_is_told_and_the_rest_is_read(self) -> None:
        good = frame(message("CLIENT_RESPONSE", SEVEN))
        bad, found = read(BEGIN + frame(b"\x0a" * MAX_LINE) + good)
        assert isinstance(bad, BadLine)
        assert bad.reason == f"line longer than {MAX_LINE} bytes"
        assert isinstance(found, LogRecord)

    def test_where_no_frame_can_be_found_any_more_the_log_is_damaged(self) -> None:
        with pytest.raises(LogDamaged):
            read(BEGIN + b"\xff" * 1000)


class TestAnyBytes:
    @given(st.binary(max_size=400))
    def test_no_frame_makes_it_raise(self, data: bytes) -> None:
        for text in (data, frame(data)):
            FORMAT.parser().parse(text, 0)

    @given(st.binary(max_size=200), st.sampled_from([1, 2, 4, 5, 6, 8, 9, 12]))
    def test_no_dns_message_makes_it_raise(self, data: bytes, kind: int) -> None:
        sent = message("CLIENT_RESPONSE", SEVEN, response_message=data, query_message=data, type=kind, query_time_sec=1)
        for one in read(frames(sent)):
            if isinstance(one, LogRecord):
                judge = dns.message.from_wire(data, continue_on_error=True, ignore_trailing=True)
                assert judge.question

    @given(st.data())
    def test_no_damage_makes_it_raise_or_hang(self, data: st.DataObject) -> None:
        text = bytearray(log(traffic(seed=3, size=4), "CLIENT_QUERY", "CLIENT_RESPONSE"))
        for _ in range(data.draw(st.integers(1, 6))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        try:
            found = read(bytes(text))
        except LogDamaged:
            return
        assert len(found) <= 9

    def test_octets_within_a_message_forge_no_record(self) -> None:
        forged = frames(message("CLIENT_RESPONSE", hit("forged")))
        inside = Exchange("k3xq.example.net", "TXT", ("text",))
        sent = message("CLIENT_RESPONSE", inside, query_message=forged, query_zone=forged)
        assert [one.rrname for one in records(frames(sent, sent))] == ["k3xq.example.net"] * 2


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [BEGIN, BEGIN + b"\xff\xff", b"\0\0\0\0" + framestreams.start(b"protobuf:dnstap.Dnstap")[4:11] + b"\4" + BEGIN[12:]],
        ids=["START", "START and more", "READY, of a socket"],
    )
    def test_a_control_frame_that_names_dnstap_is_dnstap(self, head: bytes) -> None:
        assert FORMAT.recognises(head)

    @pytest.mark.parametrize(
        "head",
        [
            b"", b"\0", bytes(64), BEGIN[:-1], END, framestreams.start(b"protobuf:other"), frame(b"x") + BEGIN,
            b"protobuf:dnstap.Dnstap\n", b"hello\n", b'{"ts":1.5,"uid":"C1"}\n', b"\x1f\x8b", b"\n" + BEGIN,
        ],
    )  # fmt: skip
    def test_anything_else_is_not(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)

    def test_a_type_that_there_is_not_is_a_fault_of_the_settings(self) -> None:
        with pytest.raises(OptionFaults, match="messages"):
            Formats("dnstap", {"messages": ["client-responses"]})


class TestFollowing:
    def test_each_lookup_of_a_file_that_grows_is_counted_once(self, tmp_path: Path) -> None:
        exchanges = traffic(seed=4, size=90)
        text = log(exchanges, "CLIENT_QUERY", "CLIENT_RESPONSE")
        path, reader = tmp_path / "dnstap.bin", Reader(str(tmp_path / "dnstap.bin*"), batch_facts=10)
        for begin in range(0, len(text), 1711):  # hardly ever where a frame ends
            append(path, text[begin : begin + 1711])
            reader.poll_all()
        reader.poll_all(LATER)
        assert reader.seen == expected(exchanges)
        assert reader.sighted == sightings(exchanges)
        assert reader.refused == []

    def test_a_file_that_was_rolled_or_compressed_is_known_again(self, tmp_path: Path) -> None:
        path, reader = tmp_path / "dnstap.bin", Reader(str(tmp_path / "dnstap.bin*"))
        append(path, frames(message("CLIENT_RESPONSE", hit("aaaa"))))
        reader.poll_all()
        append(path, BEGIN + frame(message("CLIENT_RESPONSE", hit("bbbb"))))
        path.rename(tmp_path / "dnstap.bin.0")
        append(path, BEGIN + frame(message("CLIENT_RESPONSE", hit("cccc"))))
        reader.poll_all()
        rolled = tmp_path / "dnstap.bin.0"
        (tmp_path / "dnstap.bin.0.gz").write_bytes(gzip.compress(rolled.read_bytes()))
        rolled.unlink()
        reader.poll_all()
        assert reader.names() == once("aaaa", "bbbb", "cccc")

    def test_where_frames_cannot_be_told_apart_the_poll_is_partial_until_the_next_stream(self, tmp_path: Path) -> None:
        path, reader = tmp_path / "dnstap.bin", Reader(str(tmp_path / "dnstap.bin"))
        append(path, frames(message("CLIENT_RESPONSE", hit("aaaa"))) + b"\xff" * 9000)
        for _ in range(2):
            end = reader.poll()
            assert end.outcome is Outcome.PARTIAL
            assert end.reason.startswith(f"{path}: no frame begins at byte ")
        append(path, frames(message("CLIENT_RESPONSE", hit("bbbb"))))
        reader.poll_all()
        assert reader.names() == once("aaaa", "bbbb")
        assert [one.count for one in reader.refused] == [1]

    def test_queries_alone_are_read_when_the_file_is_at_rest(self, tmp_path: Path) -> None:
        append(tmp_path / "dnstap.bin", log(traffic(seed=5, size=20), "RESOLVER_RESPONSE"))
        reader = Reader(str(tmp_path / "dnstap.bin"))
        reader.poll_all()
        reader.poll_all(LATER)
        reader.poll_all(LATER)
        assert reader.seen == expected(traffic(seed=5, size=20))
        assert reader.sighted == Counter()
