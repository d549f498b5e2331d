"""The protobuf stream of PowerDNS: what Recursor and dnsdist wrote, each lookup once, and octets that are no messages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.plugins import OptionFaults
from feedsvc.sources.logfile import LogDamaged, LogFile, cut, finish, peek, read_line
from feedsvc.sources.logs import Formats, powerdns
from feedsvc.sources.logs.powerdns import MessageType
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from tests.sources.logs.making import START, Exchange, append, traffic
from tests.sources.logs.powerdns_making import (
    INCOMING_RESPONSE,
    OUTGOING_QUERY,
    QUERY,
    RESPONSE,
    PBDNSMessage,
    frame,
    log,
    message,
)
from tests.sources.logs.reading import LATER, Reader, expected, sightings

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "powerdns"
FORMAT = powerdns.build(powerdns.Options())
SEVEN = Exchange("k3xq.example.net", "A", ("198.51.100.7",), time=START)
CHAIN = ("a.example.org", "b.example.org")
LONG_WAY = Exchange("k3xq.example.net", "A", (*CHAIN, "198.51.100.7", "192.0.2.1"), chain=CHAIN)
ME = "127.0.0.1"

Found = list[LogRecord | BadLine]


def read(text: bytes, form: LogFormat = FORMAT, state: str = "", start: int = 0) -> Found:
    parser = form.parser(state)
    found = [one for line in cut(form, iter([text]), start) for one in read_line(parser, line)]
    return found + list(finish(parser))


def records(text: bytes, form: LogFormat = FORMAT) -> list[LogRecord]:
    found = read(text, form)
    assert all(isinstance(one, LogRecord) for one in found), found
    return [one for one in found if isinstance(one, LogRecord)]


def sample(name: str, form: LogFormat = FORMAT) -> list[LogRecord]:
    return records((SAMPLES / name).read_bytes(), form)


def only(*messages: MessageType) -> LogFormat:
    return powerdns.build(powerdns.Options(messages))


def said(record: LogRecord) -> tuple[str | None, str, str, list[str], tuple[str, ...]]:
    return record.client, record.rrname, record.rrtype, [str(one) for one in record.answers], record.chain


class TestRealStreams:
    @pytest.mark.parametrize(
        ("name", "count", "clients"),
        [
            ("recursor-4.8.pb", 75, {ME}), ("recursor-4.8-outgoing.pb", 45, {None}), ("dnsdist-1.7.pb", 18, {ME}),
            ("recursor-behind-dnsdist.pb", 18, {ME}),
        ],
    )  # fmt: skip
    def test_each_lookup_is_a_record_once(self, name: str, count: int, clients: set[str | None]) -> None:
        found = sample(name)
        assert len(found) == count
        assert not [one.unread for one in found if one.unread]
        assert {one.client for one in found} == clients

    @pytest.mark.parametrize("name", [path.name for path in sorted(SAMPLES.glob("*-*.pb")) if path.stem != "behind-a-hole"])
    def test_its_first_bytes_show_that_it_is_such_a_stream(self, name: str) -> None:
        with LogFile.open(str(SAMPLES / name)) as found:
            head, _ = peek(found.blocks())
        assert FORMAT.recognises(head)
        assert FORMAT.recognises(head[:400])
        assert Formats().by_head(head).name == "powerdns"

    def test_names_types_addresses_and_chains_are_read(self) -> None:
        found = [said(one) for one in sample("recursor-4.8.pb")]
        assert found[1] == (ME, "k3xq.example.net", "A", ["198.51.100.7"], ())
        assert found[2] == found[1]  # asked for as K3xQ.Example.NET
        assert (ME, "chain.example.net", "AAAA", ["2001:db8:77::20"], ("hop.example.net", "lb.example.org")) in found
        assert (ME, "text.example.net", "TXT", [], ()) in found
        assert (ME, "nosuch.example.net", "A", [], ()) in found
        assert (ME, "mapped.example.net", "AAAA", ["198.51.100.12"], ()) in found
        assert (ME, "198.51.100.11.zen.example.net", "A", ["127.0.0.2"], ()) in found
        assert (ME, "odd\\032name.example.net", "A", ["198.51.100.10"], ()) in found

    def test_time_and_offset_are_those_of_the_message(self) -> None:
        found = sample("recursor-4.8.pb")[1]
        assert abs(found.time - 1795520569.437527) < 1e-6
        assert found.offset == 294

    def test_where_cnames_were_left_out_both_ends_of_the_way_are_seen(self) -> None:
        found = [said(one) for one in sample("dnsdist-1.7.pb")]
        assert (ME, "chain.example.net", "A", ["198.51.100.20"], ("lb.example.org",)) in found

    def test_records_without_owners_go_on_from_each_other(self) -> None:
        found = [said(one) for one in sample("recursor-4.8-outgoing.pb")]
        assert (None, "chain.example.net", "A", [], ("hop.example.net", "lb.example.org")) in found
        assert (None, "lb.example.org", "AAAA", ["2001:db8:77::20"], ()) in found

    def test_behind_a_hole_the_first_message_is_found(self) -> None:
        bad, *found = read((SAMPLES / "behind-a-hole.pb").read_bytes())
        assert isinstance(bad, BadLine)
        assert (bad.offset, bad.reason) == (0, "message that is cut short, or none")
        assert len(found) == 18
        assert all(isinstance(one, LogRecord) for one in found)

    @pytest.mark.parametrize(
        ("messages", "count"),
        [(["response"], 75), (["query"], 75), (["query", "response"], 150), (["incoming-response"], 0)],
    )
    def test_a_type_that_is_asked_for_is_read_whatever_else_there_is(self, messages: list[MessageType], count: int) -> None:
        assert len(sample("recursor-4.8.pb", only(*messages))) == count


class TestRefused:
    def test_every_message_that_cannot_be_read_is_told_with_its_reason_and_the_rest_is_read(self) -> None:
        found = read((SAMPLES / "refused.pb").read_bytes())
        assert [one.reason if isinstance(one, BadLine) else one.rrname for one in found] == [
            "k3xq.example.net",
            "message without what it should have",
            "question is no name: empty label",
            "message without a time",
            "message without a time",
            "message ends within a field",
            "field of no known kind",
            "k3xq.example.net",
            "message that is cut short, or none",
            "k3xq.example.net",
            "message that is cut short, or none",
            "k3xq.example.net",
            "message that is cut short, or none",
        ]


class TestMessages:
    def test_a_response_tells_who_asked_what_and_where_it_leads(self) -> None:
        (found,) = records(frame(message(RESPONSE, LONG_WAY)))
        assert said(found) == ("10.1.2.3", "k3xq.example.net", "A", ["198.51.100.7", "192.0.2.1"], CHAIN)
        assert abs(found.time - START) < 1e-6
        assert (found.offset, found.kind, found.process, found.unread) == (0, "dns", "", ())

    def test_of_another_servers_response_the_client_is_not_known(self) -> None:
        (found,) = records(frame(message(INCOMING_RESPONSE, LONG_WAY, named=False)))
        assert said(found) == (None, "k3xq.example.net", "A", ["198.51.100.7", "192.0.2.1"], CHAIN)

    def test_a_query_tells_who_asked(self) -> None:
        (found,) = records(frame(message(QUERY, SEVEN)))
        assert said(found) == ("10.1.2.3", "k3xq.example.net", "A", [], ())

    def test_a_query_to_another_server_is_no_record(self) -> None:
        assert read(frame(message(OUTGOING_QUERY, SEVEN))) == []

    def test_owners_are_followed_whatever_the_order(self) -> None:
        made = message(RESPONSE, LONG_WAY)
        turned = list(reversed(made.response.rrs))
        del made.response.rrs[:]
        made.response.rrs.extend(turned)
        (found,) = records(frame(made))
        assert said(found) == ("10.1.2.3", "k3xq.example.net", "A", ["192.0.2.1", "198.51.100.7"], CHAIN)

    def test_an_address_that_the_question_does_not_lead_to_is_left_out_and_told(self) -> None:
        made = message(RESPONSE, LONG_WAY)
        made.response.rrs[-1].name = "other.example.net."
        (found,) = records(frame(made))
        assert [str(address) for address in found.answers] == ["198.51.100.7"]
        assert [bad.reason for bad in found.unread] == ["address of a name that the question does not lead to"]

    @pytest.mark.parametrize(("client", "expected"), [("from", "10.1.2.3"), ("subnet", "10.9.8.7")])
    def test_the_client_behind_a_proxy_is_read_when_that_is_asked_for(self, client: Any, expected: str) -> None:
        made = message(RESPONSE, SEVEN)
        made.originalRequestorSubnet = bytes((10, 9, 8, 7))
        (found,) = records(frame(made), powerdns.build(powerdns.Options(client=client)))
        assert found.client == expected

    def test_without_a_subnet_the_client_is_who_the_message_came_from(self) -> None:
        (found,) = records(frame(message(RESPONSE, SEVEN)), powerdns.build(powerdns.Options(client="subnet")))
        assert found.client == "10.1.2.3"

    @pytest.mark.parametrize("packed", [b"", b"abc"])
    def test_a_client_that_is_no_address_is_unknown(self, packed: bytes) -> None:
        made = message(RESPONSE, SEVEN)
        setattr(made, "from", packed)
        assert records(frame(made))[0].client is None

    @pytest.mark.parametrize(("name", "qclass"), [(".", 1), ("version.bind.", 3), ("198.51.100.7.", 1)])
    def test_what_asks_for_no_name_is_no_record(self, name: str, qclass: int) -> None:
        made = message(RESPONSE, SEVEN)
        made.question.qName, made.question.qClass = name, qclass
        assert read(frame(made)) == []

    @pytest.mark.parametrize(
        ("rrtype", "rdata", "reason"),
        [
            (1, b"abc", "address of the wrong length"),
            (1, bytes(16), "address of the wrong length"),
            (28, bytes(4), "address of the wrong length"),
            (5, b"a..b", "answer that is no name: empty label"),
            (5, b"b\xc3\xbccher.example.", "answer that is no name: not written in ASCII"),
        ],
    )
    def test_of_an_answer_that_cannot_be_read_the_rest_holds(self, rrtype: int, rdata: bytes, reason: str) -> None:
        made = message(RESPONSE, SEVEN)
        made.response.rrs.add(name="k3xq.example.net.", type=rrtype, rdata=rdata)
        (found,) = records(frame(made))
        assert said(found) == ("10.1.2.3", "k3xq.example.net", "A", ["198.51.100.7"], ())
        assert [bad.reason for bad in found.unread] == [reason]

    def test_a_cname_to_the_root_leads_nowhere(self) -> None:
        made = message(RESPONSE, Exchange("k3xq.example.net"))
        made.response.rrs.add(name="k3xq.example.net.", type=5, rdata=b".")
        assert said(records(frame(made))[0]) == ("10.1.2.3", "k3xq.example.net", "A", [], ())

    def test_an_address_in_a_text_is_none(self) -> None:
        assert records(frame(message(RESPONSE, Exchange("k3xq.example.net", "TXT", ("198.51.100.7",)))))[0].answers == ()

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda made: made.ClearField("question"), "message without what it should have"),
            (lambda made: made.question.ClearField("qName"), "message without what it should have"),
            (lambda made: setattr(made.question, "qName", "a..b"), "question is no name: empty label"),
            (lambda made: made.ClearField("timeSec"), "message without a time"),
            (lambda made: setattr(made, "timeUsec", 1_000_000), "message without a time"),
        ],
    )
    def test_a_message_that_cannot_be_read_is_told_and_the_rest_is_read(self, change: Any, reason: str) -> None:
        made = message(RESPONSE, SEVEN)
        change(made)
        bad, good = read(frame(made) + frame(message(RESPONSE, SEVEN)))
        assert isinstance(bad, BadLine)
        assert (bad.reason, bad.offset) == (reason, 0)
        assert bad.line == frame(made)[:200]
        assert isinstance(good, LogRecord)


class TestOnce:
    KINDS = (QUERY, OUTGOING_QUERY, INCOMING_RESPONSE, RESPONSE)

    def test_a_lookup_that_is_written_four_times_counts_once(self) -> None:
        exchanges = [one for one in traffic(seed=1, size=60) if one.trap != "an address was asked for"]
        assert [one.rrname for one in records(log(exchanges, *self.KINDS))] == [one.query for one in exchanges]

    @pytest.mark.parametrize("kinds", [KINDS, KINDS[:3]], ids=["answers", "no answers"])
    def test_it_goes_on_after_any_message_in_another_process(self, kinds: tuple[int, ...]) -> None:
        text = log(traffic(seed=2, size=50), *kinds)
        whole, parser, seen = read(text), FORMAT.parser(), list[LogRecord | BadLine]()
        for line in list(cut(FORMAT, iter([text]))):
            seen += read_line(parser, line)
            assert line[2] is not None
            assert seen + read(text[line[2] :], state=parser.state(), start=line[2]) == whole

    def test_a_state_that_is_none_is_told(self) -> None:
        with pytest.raises(SourceError):
            FORMAT.parser("x")


class TestBrokenStreams:
    GOOD = frame(message(RESPONSE, SEVEN))

    @pytest.mark.parametrize("size", range(1, len(GOOD)))
    def test_a_message_that_was_cut_short_costs_no_more_than_itself(self, size: int) -> None:
        found = read(self.GOOD + self.GOOD[:size] + self.GOOD * 5)
        assert sum(isinstance(one, LogRecord) for one in found) >= 5
        assert sum(isinstance(one, BadLine) for one in found) in {1, 2}

    @pytest.mark.parametrize("size", [1, 3, 4, 20, 80])
    def test_one_that_was_cut_short_by_the_end_is_told(self, size: int) -> None:
        good, bad = read(self.GOOD + self.GOOD[:size])
        assert isinstance(good, LogRecord)
        assert isinstance(bad, BadLine)
        assert bad.reason == "message that is cut short, or none"

    def test_where_no_message_can_be_found_any_more_the_log_is_damaged(self) -> None:
        with pytest.raises(LogDamaged):
            read(self.GOOD + b"\xff" * 1000)

    def test_the_largest_message_is_read(self) -> None:
        made = message(RESPONSE, SEVEN)
        made.deviceName = "x" * (65535 - made.ByteSize() - 5)
        text = frame(made)
        assert len(text) > 65530
        assert len(records(text + self.GOOD)) == 2


class TestAnyBytes:
    @given(st.binary(max_size=400))
    def test_no_frame_makes_it_raise(self, data: bytes) -> None:
        for text in (data, frame(data), frame(b"\x08\x02" + data)):
            FORMAT.parser().parse(text, 0)

    @given(st.data())
    def test_no_damage_makes_it_raise_or_hang(self, data: st.DataObject) -> None:
        text = bytearray(log(traffic(seed=3, size=4), QUERY, RESPONSE))
        for _ in range(data.draw(st.integers(1, 6))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        try:
            found = read(bytes(text))
        except LogDamaged:
            return
        assert len(found) <= 20

    @given(
        st.binary(max_size=30),
        st.binary(max_size=30),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=20),
        st.binary(max_size=9),
    )
    def test_no_field_makes_it_raise(self, name: bytes, rdata: bytes, kind: int, owner: bytes, client: bytes) -> None:
        made = PBDNSMessage(type=RESPONSE, timeSec=1, timeUsec=kind % 2_000_000)
        setattr(made, "from", client)
        made.question.qName, made.question.qType = name.decode("latin-1"), kind
        made.response.rrs.add(name=owner.decode("latin-1"), type=kind % 30, rdata=rdata)
        for one in read(frame(made)):
            assert isinstance(one, LogRecord | BadLine)


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"", b"\0", bytes(64), b"\0\4\x08\1ab", frame(b"\x08\x02"), frame(b"\x08\x05\x62\x03\x0a\x01a"), b"hello\n",
            frame(b"\x08\x02\x62\x02\x10\x01"), frame(b"\x08\x02\x62\x05\x0aa"), b'{"ts":1.5,"uid":"C1"}\n',
            b"\x1f\x8b\x08\0", frame(message(RESPONSE, SEVEN))[:-1], frame(message(RESPONSE, SEVEN)) + b"hello",
            b"\0" + frame(message(QUERY, SEVEN)),
        ],
    )  # fmt: skip
    def test_anything_else_is_not(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)

    def test_messages_of_which_the_last_is_not_whole_are(self) -> None:
        text = log([SEVEN] * 30, QUERY, RESPONSE)
        assert all(FORMAT.recognises(text[:size]) for size in range(len(frame(message(QUERY, SEVEN))), len(text), 17))

    def test_a_type_that_there_is_not_is_a_fault_of_the_settings(self) -> None:
        with pytest.raises(OptionFaults, match="messages"):
            Formats("powerdns", {"messages": ["outgoing-query"]})


class TestFollowing:
    def test_each_lookup_of_a_file_that_grows_is_counted_once(self, tmp_path: Path) -> None:
        exchanges = traffic(seed=4, size=90)
        text = log(exchanges, QUERY, RESPONSE)
        reader = Reader(str(tmp_path / "pdns.pb"), batch_facts=10)
        for begin in range(0, len(text), 1711):  # hardly ever where a message ends
            append(tmp_path / "pdns.pb", text[begin : begin + 1711])
            reader.poll_all()
        assert reader.seen == expected(exchanges)
        assert reader.sighted == sightings(exchanges)
        assert reader.refused == []

    def test_what_other_servers_answered_is_read_when_the_file_is_at_rest(self, tmp_path: Path) -> None:
        exchanges = traffic(seed=5, size=20)
        append(tmp_path / "pdns.pb", log(exchanges, OUTGOING_QUERY, INCOMING_RESPONSE))
        reader = Reader(str(tmp_path / "pdns.pb"))
        for _ in range(3):
            reader.poll_all(LATER)
        assert reader.seen == expected(exchanges)
        assert reader.sighted == Counter()
