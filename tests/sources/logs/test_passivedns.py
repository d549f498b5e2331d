"""passivedns: text of its versions, JSON, behind syslog; ways over several lines, and lines that are none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import NameRefused, SourceError
from feedsvc.names import parse_name
from feedsvc.plugins import OptionFaults
from feedsvc.sources.logfile import finish, lines, read_line
from feedsvc.sources.logs import Formats, passivedns
from feedsvc.sources.logs.passivedns import Options
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from tests.sources.logs.making import Exchange, append, traffic
from tests.sources.logs.reading import LATER, Reader, expected, sightings

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "passivedns"
FORMAT = passivedns.build(Options())
NAMES = sorted(path.name for path in SAMPLES.glob("*.log") if path.stem != "refused")

Found = list[LogRecord | BadLine]


def read(text: bytes, form: LogFormat = FORMAT, state: str = "", start: int = 0) -> Found:
    parser = form.parser(state)
    found = [one for line in lines(iter([text]), start) for one in read_line(parser, line)]
    return found + list(finish(parser))


def records(text: bytes, form: LogFormat = FORMAT) -> list[LogRecord]:
    found = read(text, form)
    assert all(isinstance(one, LogRecord) for one in found), found
    return [one for one in found if isinstance(one, LogRecord)]


def said(record: LogRecord) -> tuple[str | None, str, str, list[str], tuple[str, ...]]:
    return record.client, record.rrname, record.rrtype, [str(one) for one in record.answers], record.chain


def row(query: str, rrtype: str, answer: str, time: str = "1793491200.4", client: str = "10.1.1.1") -> bytes:
    return f"{time}||{client}||10.0.0.53||IN||{query}||{rrtype}||{answer}||60||1\n".encode()


def shown(sample: str) -> list[tuple[str | None, str, str, list[str], tuple[str, ...]]]:
    return [said(one) for one in records((SAMPLES / sample).read_bytes())]


class TestSamples:
    def test_text_of_the_present_versions(self) -> None:
        me = "10.1.1.3"
        way = ("hop.example.net", "lb.example.org")
        assert shown("text.log") == [
            ("10.1.1.1", "k3xq.example.net", "A", ["198.51.100.7"], ()),
            ("10.1.1.1", "k3xq.example.net", "A", ["192.0.2.1"], ()),
            ("10.1.1.2", "front.example.net", "A", ["198.51.100.20"], way),
            ("10.1.1.2", "front.example.net", "A", ["198.51.100.21"], way),
            ("2001:db8::17", "k3xq.example.net", "AAAA", ["2001:db8:77::1"], ()),
            (me, "alone.example.net", "CNAME", [], ("nowhere.example.org",)),
            (me, "nosuch.example.net", "A", [], ()),
            (me, "text.example.net", "TXT", [], ()),
            (me, "7.100.51.198.in-addr.arpa", "PTR", [], ()),
            (me, "_sip._tcp.example.net", "SRV", [], ()),
            (me, "odd\\032name.example.net", "A", ["198.51.100.10"], ()),
            (me, "198.51.100.11.zen.example.net", "A", ["127.0.0.2"], ()),
            (me, "k3xq.example.net", "HTTPS", [], ()),
            (me, "last.example.net", "CNAME", [], ("lb.example.org",)),
        ]

    def test_text_of_old_versions(self) -> None:
        way = ("a.example.org", "b.example.org")
        assert shown("old.log") == [
            ("10.1.1.1", "www.example.com", "A", ["198.51.100.7"], way),
            ("10.1.1.1", "www.example.com", "A", ["198.51.100.8"], way),
            ("10.1.1.2", "k3xq.example.net", "A", ["198.51.100.9"], ()),
        ]

    def test_json(self) -> None:
        assert shown("json.log") == [
            ("10.1.1.1", "k3xq.example.net", "A", ["198.51.100.7"], ()),
            ("10.1.1.2", "front.example.net", "A", ["198.51.100.20"], ("lb.example.org",)),
            ("10.1.1.3", "nosuch.example.net", "A", [], ()),
            ("10.1.1.3", "text.example.net", "TXT", [], ()),
        ]

    def test_lines_behind_a_syslog_header(self) -> None:
        assert shown("syslog.log") == [
            ("10.1.1.1", "k3xq.example.net", "A", ["198.51.100.7"], ()),
            ("10.1.1.2", "two.example.net", "A", ["198.51.100.8"], ()),
            ("10.1.1.3", "nosuch.example.net", "AAAA", [], ()),
        ]

    @pytest.mark.parametrize("name", NAMES)
    def test_times_and_offsets_are_those_of_the_lines(self, name: str) -> None:
        text = (SAMPLES / name).read_bytes()
        for record in records(text):
            line = text[record.offset :].partition(b"\n")[0]
            assert str(int(record.time)).encode() in line
            assert text[:1] == text[record.offset :][:1] or name == "text.log"
        assert abs(records(text)[0].time % 1 - (0 if name == "old.log" else 0.408856)) < 1e-6

    @pytest.mark.parametrize("name", NAMES)
    def test_the_first_lines_show_what_it_is(self, name: str) -> None:
        head = (SAMPLES / name).read_bytes()
        assert FORMAT.recognises(head)
        assert Formats().by_head(head).name == "passivedns"

    @pytest.mark.parametrize("name", NAMES)
    def test_it_goes_on_after_any_line_in_another_process(self, name: str) -> None:
        text = (SAMPLES / name).read_bytes()
        whole, parser, seen = read(text), FORMAT.parser(), list[LogRecord | BadLine]()
        for line in lines(iter([text])):
            seen += read_line(parser, line)
            assert line[2] is not None
            assert seen + read(text[line[2] :], state=parser.state(), start=line[2]) == whole

    def test_every_line_that_is_none_is_told_with_its_reason(self) -> None:
        text = (SAMPLES / "refused.log").read_bytes()
        found = read(text)
        assert [one.reason for one in found if isinstance(one, BadLine)] == [
            "line does not begin with a time",
            "not as many fields as there should be",
            "not as many fields as there should be",
            "query is no name: empty label",
            "answer is no name: empty label",
            "line does not begin with a time",
            "line does not begin with a time",
            "no JSON, or not of the shape that passivedns writes",
            "no JSON, or not of the shape that passivedns writes",
            "timestamp_s is no time",
            "no JSON, or not of the shape that passivedns writes",
            "query is no name: not written in ASCII",
        ]
        assert len(found) == len(text.splitlines())


class TestWays:
    Q, HOP, END = "q.example.net.", "hop.example.net.", "end.example.org."

    def chains(self, *rows: bytes) -> list[tuple[str, list[str], tuple[str, ...]]]:
        return [(one.rrname, [str(address) for address in one.answers], one.chain) for one in records(b"".join(rows))]

    def test_a_line_of_another_client_does_not_belong_to_it(self) -> None:
        assert self.chains(row(self.Q, "CNAME", self.END), row(self.END, "A", "198.51.100.7", client="10.1.1.2")) == [
            ("q.example.net", [], ("end.example.org",)),
            ("end.example.org", ["198.51.100.7"], ()),
        ]

    @pytest.mark.parametrize(
        ("time", "together"), [("1793491200.4", True), ("1793491200.400002", True), ("1793491200.5", False)]
    )
    def test_lines_of_one_moment_belong_together(self, time: str, *, together: bool) -> None:
        found = self.chains(row(self.Q, "CNAME", self.END), row(self.END, "A", "198.51.100.7", time))
        assert found == (
            [("q.example.net", ["198.51.100.7"], ("end.example.org",))]
            if together
            else [("q.example.net", [], ("end.example.org",)), ("end.example.org", ["198.51.100.7"], ())]
        )

    def test_an_address_of_a_name_that_is_not_at_its_end_does_not_belong_to_it(self) -> None:
        assert self.chains(
            row(self.Q, "CNAME", self.HOP), row(self.HOP, "CNAME", self.END), row(self.HOP, "A", "198.51.100.7")
        ) == [("q.example.net", [], ("hop.example.net", "end.example.org")), ("hop.example.net", ["198.51.100.7"], ())]

    def test_the_same_question_twice_in_a_moment_is_two_ways(self) -> None:
        one = row(self.Q, "CNAME", self.END) + row(self.END, "A", "198.51.100.7")
        assert self.chains(one, one) == [("q.example.net", ["198.51.100.7"], ("end.example.org",))] * 2
        bare = row(self.Q, "CNAME", self.END)
        assert self.chains(bare, bare) == [("q.example.net", [], ("end.example.org",))] * 2

    def test_a_circle_is_no_way(self) -> None:
        assert self.chains(row(self.Q, "CNAME", self.END), row(self.END, "CNAME", self.Q), row(self.Q, "CNAME", self.Q)) == [
            ("q.example.net", [], ("end.example.org",)),
            ("end.example.org", [], ("q.example.net",)),
            ("q.example.net", [], ()),
        ]

    def test_a_way_without_end_is_cut_into_pieces(self) -> None:
        names = [f"n{number}.example.net." for number in range(200)]
        found = self.chains(*(row(name, "CNAME", names[place + 1]) for place, name in enumerate(names[:-1])))
        assert [name for name, _, _ in found] == [
            "n0.example.net",
            "n64.example.net",
            "n128.example.net",
            "n192.example.net",
        ]
        assert max(len(chain) for _, _, chain in found) == 64

    def test_a_cname_to_the_root_leads_nowhere(self) -> None:
        assert self.chains(row(self.Q, "CNAME", ".")) == [("q.example.net", [], ())]


class TestLines:
    @pytest.mark.parametrize(
        "answer", ["198.51.100.7.", "198.51.100", '"198.51.100.7"', "198.51.100.7 198.51.100.8", "", "fe80::1%e"]
    )
    def test_what_is_no_address_is_told_beside_the_record(self, answer: str) -> None:
        (found,) = records(row("k3xq.example.net.", "A", answer))
        assert (found.answers, [bad.reason for bad in found.unread]) == ((), ["answer is no address"])

    @pytest.mark.parametrize("rrtype", ["TXT", "PTR", "MX", "NS", "SPF", "65"])
    def test_an_address_in_another_type_is_none(self, rrtype: str) -> None:
        (found,) = records(row("k3xq.example.net.", rrtype, "198.51.100.7"))
        assert (found.answers, found.unread) == ((), ())

    @pytest.mark.parametrize("query", [".", "198.51.100.7."])
    def test_what_asks_for_no_name_is_no_record(self, query: str) -> None:
        assert read(row(query, "A", "198.51.100.7")) == []

    @pytest.mark.parametrize("line", [b"", b"\n", b"#timestamp||dns-client\n", row("a.", "TXT", "x").replace(b"IN", b"CH")])
    def test_remarks_and_other_classes_are_no_records_and_no_faults(self, line: bytes) -> None:
        assert read(line) == []

    def test_a_text_that_looks_like_a_line_forges_none(self) -> None:
        forged = '"passivedns: 1793491200.4||10.1.1.1||10.0.0.53||IN||forged.example.net.||A||198.51.100.7||60||1"'
        for found in read(row("k3xq.example.net.", "TXT", forged)):
            assert isinstance(found, BadLine)

    def test_other_fields_are_found_where_passivedns_writes_them(self) -> None:
        form = passivedns.build(Options(fields="AQTnhSpwWlLsc", delimiter=","))
        line = b"1793491200,sensor,10.1.1.1,0:1:2:3:4:5,10.0.0.53,6:7:8:9:a:b,udp,k3xq.example.net.,17,A,198.51.100.7,12,5"
        (found,) = records(line, form)
        assert said(found) == ("10.1.1.1", "k3xq.example.net", "A", ["198.51.100.7"], ())

    def test_without_a_client_it_is_unknown(self) -> None:
        (found,) = records(b"1793491200|k3xq.example.net.|A|198.51.100.7", passivedns.build(Options("SQTA", "|")))
        assert said(found) == (None, "k3xq.example.net", "A", ["198.51.100.7"], ())

    @pytest.mark.parametrize(("zone", "time"), [(UTC, 1793493000.25), (ZoneInfo("Europe/Berlin"), 1793493000.25 - 3600)])
    def test_dates_are_local(self, zone: tzinfo, time: float) -> None:
        form = passivedns.build(Options("HcsCQTAtn"), zone)
        text = row("k3xq.example.net.", "A", "198.51.100.7", "2026-11-01 00:30:00.250000")
        assert records(text, form)[0].time == time

    @pytest.mark.parametrize(
        ("settings", "key"),
        [
            ({"fields": "SQT"}, "fields"), ({"fields": "McsQTA"}, "fields"), ({"fields": "SQTAx"}, "fields"),
            ({"fields": ""}, "fields"), ({"delimiter": ""}, "delimiter"), ({"delimiter": "·"}, "delimiter"),
            ({"fields": 3}, "fields"),
        ],
    )  # fmt: skip
    def test_settings_with_which_nothing_can_be_read_are_faults(self, settings: dict[str, object], key: str) -> None:
        with pytest.raises(OptionFaults) as faults:
            Formats("passivedns", settings)
        assert list(faults.value.messages) == [key]

    @pytest.mark.parametrize("state", ["x", "{}", '{"ends":1}'])
    def test_a_state_that_is_none_is_told(self, state: str) -> None:
        with pytest.raises(SourceError):
            FORMAT.parser(state)


# -- any traffic ---------------------------------------------------------------------------------------------------------


def written(exchanges: Iterable[Exchange], *, as_json: bool = False, old: bool = False) -> bytes:
    """Exchanges as passivedns writes them: a line for each answer, of the asked name or of the one that it belongs to."""
    text = b""
    for one in exchanges:
        owner = one.query
        for answer in one.answers or ("NXDOMAIN",):
            rrtype = "CNAME" if answer in one.chain else one.qtype
            query = f"{one.query if old else owner}."
            shown = f"{answer}." if rrtype == "CNAME" else answer
            if as_json:
                seconds, micro = divmod(round(one.time * 1_000_000), 1_000_000)
                text += json.dumps(
                    {
                        "timestamp_s": seconds, "timestamp_ms": micro, "client": one.client, "server": "10.0.0.53",
                        "class": "IN", "query": query, "type": rrtype, "answer": shown, "ttl": 60, "count": 1,
                    },
                    separators=(",", ":"),
                ).encode() + b"\n"  # fmt: skip
            else:
                text += row(query, rrtype, shown, f"{one.time:.6f}", one.client)
            owner = answer if rrtype == "CNAME" else owner
    return text


class TestTraffic:
    @pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
    @pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
    def test_each_answer_is_observed_once_of_a_file_that_grows(self, tmp_path: Path, *, as_json: bool, old: bool) -> None:
        exchanges = traffic(seed=7, size=120)
        text = written(exchanges, as_json=as_json, old=old)
        reader = Reader(str(tmp_path / "passivedns.log"), batch_facts=10)
        for begin in range(0, len(text), 1711):  # hardly ever where a line ends
            append(tmp_path / "passivedns.log", text[begin : begin + 1711])
            reader.poll_all()
        reader.poll_all(LATER)
        assert reader.seen == expected(exchanges)
        assert set(reader.sighted) == set(sightings(exchanges))

    @given(st.binary(max_size=300))
    def test_no_line_makes_it_raise(self, data: bytes) -> None:
        for line in (data, b"1793491200.4||" + data, b'{"timestamp_s":1,' + data, b"passivedns: " + data):
            read(line.replace(b"\n", b""))

    @given(
        st.lists(
            st.binary(max_size=20).map(lambda cell: cell.replace(b"\n", b"").replace(b"|", b"")), min_size=8, max_size=8
        )
    )
    def test_no_cell_makes_it_raise(self, cells: list[bytes]) -> None:
        for rrtype in (cells[4], b"A", b"CNAME"):
            read(b"||".join((b"1793491200", *cells[:4], rrtype, *cells[5:])))
            read(b"||".join((b"1793491200", cells[0], cells[1], b"IN", cells[3], rrtype, cells[5], b"60", b"1")))

    @given(st.data())
    def test_damaged_lines_are_read_or_told(self, data: st.DataObject) -> None:
        text = bytearray((SAMPLES / data.draw(st.sampled_from(NAMES))).read_bytes())
        for _ in range(data.draw(st.integers(1, 6))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        assert len(read(bytes(text))) <= bytes(text).count(b"\n") + 1

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), st.lists))
    def test_no_json_value_makes_it_raise(self, value: object) -> None:
        for key in ("timestamp_s", "timestamp_ms", "client", "server", "class", "query", "type", "answer"):
            line = {"timestamp_s": 1, "query": "a.example.net.", "type": "A", "answer": "192.0.2.1"} | {key: value}
            assert len(read(json.dumps(line).encode())) <= 1

    @given(st.text(st.characters(exclude_characters="|", exclude_categories=["Cs", "Cc"]), max_size=80))
    def test_a_name_is_canonical_or_refused(self, name: str) -> None:
        for found in read(row(name, "A", "198.51.100.7")):
            if isinstance(found, LogRecord):
                assert parse_name(found.rrname) == found.rrname == parse_name(name)
            elif name.isascii() and name != ".":
                with pytest.raises(NameRefused):
                    parse_name(name)


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"", b"hello\n", b"a||b||c||d||e||f||g||h||i\n", b"1793491200||x||y||IN||a.||A||1.2.3.4||60||1\n",
            b'{"timestamp_s":1}\n', b'{"query":"a.","type":"A","answer":"1.2.3.4"}\n', b'{"ts":1.5,"uid":"C1"}\n',
            b"#timestamp||dns-client\n", b"\0\xff", row("a.", "A", "1.2.3.4") + b"x\n" * 3,
        ],
    )  # fmt: skip
    def test_anything_else_is_not(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)

    def test_some_odd_lines_among_them_do_no_harm(self) -> None:
        assert FORMAT.recognises(b"#timestamp\n" + row("a.", "A", "1.2.3.4") * 3 + b"x\n" * 2)
