"""Suricata's eve.json: every version of its dns events, connections by name, and lines that are none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.names import parse_address, parse_name
from feedsvc.sources.logfile import LogFile, finish, lines, read_line
from feedsvc.sources.logs import eve, zeek
from feedsvc.sources.port import BadLine, LogParser, LogRecord
from tests.sources.logs import eve_making, making
from tests.sources.logs.eve_making import STYLES, Style
from tests.sources.logs.making import Exchange
from tests.sources.logs.reading import LATER, Reader

SAMPLES = Path(__file__).parents[2] / "data" / "logs" / "eve"
FORMAT = eve.build(eve.Options())
NAMES = [path.name for path in sorted(SAMPLES.glob("*.json"))]


def go_on(text: bytes, parser: LogParser) -> list[LogRecord | BadLine]:
    return [one for line in lines(iter([text])) for one in read_line(parser, line)]


def parse_all(text: bytes) -> list[LogRecord | BadLine]:
    parser = FORMAT.parser()
    return [*go_on(text, parser), *finish(parser)]


def records_of(text: bytes) -> list[LogRecord]:
    found = parse_all(text)
    assert not [one for one in found if isinstance(one, BadLine)]
    return [one for one in found if isinstance(one, LogRecord)]


def record_of(*events: eve_making.Event) -> LogRecord:
    (found,) = records_of(b"".join(map(eve_making.line, events)))
    return found


def sample(name: str) -> dict[str, LogRecord]:
    """The records of a sample by their names; the last of each name."""
    return {one.rrname: one for one in records_of((SAMPLES / name).read_bytes())}


def rdata(record: LogRecord) -> list[str]:
    return [str(address) for address in record.answers]


def answered(**dns: object) -> eve_making.Event:
    """An answer for k3xq.example.net, whose server comes first."""
    whole = {"version": 2, "type": "answer", "id": 1, "rrname": "k3xq.example.net", "rrtype": "A", **dns}
    return eve_making.turned(eve_making.frame("dns", making.START, "10.0.0.7", 1, dns=whole))


def answer(rdata: object, rrtype: str = "A", owner: str = "k3xq.example.net") -> dict[str, object]:
    return {"rrname": owner, "rrtype": rrtype, "ttl": 60, "rdata": rdata}


class TestRealSample:
    def test_every_event_with_a_name_is_a_record(self) -> None:
        dns, http = records_of((SAMPLES / "fever.json").read_bytes())
        assert (dns.rrname, dns.rrtype, dns.client, rdata(dns)) == ("test.test.local", "A", "10.0.0.11", ["10.0.0.12"])
        assert (http.rrname, http.rrtype, http.client, rdata(http)) == ("foobar", "", "10.0.0.10", ["10.0.0.11"])
        assert (dns.kind, http.kind) == ("dns", "http")
        assert dns.time == 1488783246.047429

    def test_an_event_that_was_cut_costs_no_other(self) -> None:
        text = (SAMPLES / "refused-fever.json").read_bytes()
        dns, cut, http = parse_all(text)
        assert isinstance(dns, LogRecord)
        assert isinstance(http, LogRecord)
        assert cut == BadLine(
            text.index(b"\n") + 1, "no JSON, or not of the shape that Suricata writes", text.split(b"\n")[1]
        )


class TestVersion1:
    """tests/data/logs/eve/dns-v1.json: an event for each record of an answer."""

    def found(self) -> list[tuple[str, str, list[str], tuple[str, ...]]]:
        records = records_of((SAMPLES / "dns-v1.json").read_bytes())
        return [(one.rrname, one.rrtype, rdata(one), one.chain) for one in records if one.client == "10.0.0.7"]

    def test_a_chain_is_joined_however_the_events_of_others_lie_between(self) -> None:
        chain = ("edge.example.org", "node.example.org")
        assert ("k3xq.example.net", "A", ["198.51.100.1"], chain) in self.found()
        assert ("k3xq.example.net", "A", ["192.0.2.1"], chain) in self.found()
        assert rdata(sample("dns-v1.json")["other.example.net"]) == ["198.51.100.2"]

    def test_without_its_request_an_answer_is_to_its_first_owner(self) -> None:
        assert ("unasked.example.net", "AAAA", ["2001:db8:77::1"], ("www.example.org",)) in self.found()

    @pytest.mark.parametrize("name", ["198.51.100.4.zen.example.net", "text.example.net", "nobody.example.net"])
    def test_what_has_no_address_is_a_lookup_all_the_same(self, name: str) -> None:
        assert [(rdata, chain) for rrname, _, rdata, chain in self.found() if rrname == name] == [([], ())]

    def test_what_is_asked_again_is_one_lookup(self) -> None:
        assert [rdata for rrname, _, rdata, _ in self.found() if rrname == "again.example.net"] == [["198.51.100.7"]]

    def test_an_address_that_nothing_leads_to_is_its_owners_and_nobody_elses(self) -> None:
        assert ("unrelated.example.net", "A", ["198.51.100.8"], ()) in self.found()
        assert [rdata for rrname, _, rdata, _ in self.found() if rrname == "asked.example.net"] == [[]]

    def test_the_owner_of_the_authority_was_not_asked_for(self) -> None:
        assert not {"zen.example.net", "example.org", "example.com"} & {rrname for rrname, *_ in self.found()}

    def test_a_log_as_old_as_not_to_tell_its_flows_is_joined_by_their_ends(self) -> None:
        one = Exchange("k3xq.example.net", "A", ("edge.example.org", "198.51.100.1"), time=1.0)
        events = eve_making.events(one, 7, STYLES["v1"])
        for event in events:
            del event["flow_id"]
        assert record_of(*events).chain == ("edge.example.org",)

    def test_an_answer_without_an_id_still_says_what_it_says(self) -> None:
        event = answered(rrname="k3xq.example.net", rdata="198.51.100.1", version=None, id=None)
        assert rdata(record_of(event)) == ["198.51.100.1"]

    def test_numbers_may_be_written_as_texts(self) -> None:
        one = Exchange("k3xq.example.net", "A", ("edge.example.org", "198.51.100.1"), time=1.0)
        events = eve_making.events(one, 7, STYLES["v1"])
        texts = json.loads(json.dumps(events))
        for event in texts:
            event |= {key: str(event[key]) for key in ("flow_id", "src_port", "dest_port")}
            event["dns"]["id"] = str(event["dns"]["id"])
        found = record_of(*texts)
        assert found.chain == ("edge.example.org",)
        assert (found.client, rdata(found)) == (record_of(*events).client, rdata(record_of(*events)))


class TestVersion2:
    """tests/data/logs/eve/dns-v2.json."""

    @pytest.mark.parametrize(
        ("rrname", "addresses", "chain"),
        [
            ("k3xq.example.net", ["198.51.100.1", "192.0.2.1"], ("edge.example.org",)),
            ("six.example.net", ["2001:db8:77::2"], ("last.example.org",)),
            ("grouped.example.net", ["198.51.100.3"], ("one.example.org", "two.example.org")),
            ("any.example.net", ["198.51.100.10"], ()),
            ("parts.example.net", ["198.51.100.11"], ()),
            ("198.51.100.13.zen.example.net", [], ()),
            (r"stray\255\254.example.net", ["198.51.100.17"], ()),
            (r"b\195\188cher.example.net", ["198.51.100.18"], ()),
            (r"plain\\xc3\\xbc.example.net", ["198.51.100.19"], ()),
            ("mapped.example.net", ["198.51.100.20"], ()),
        ],
    )
    def test_a_name_leads_to_addresses_over_its_cnames(
        self, rrname: str, addresses: list[str], chain: tuple[str, ...]
    ) -> None:
        record = sample("dns-v2.json")[rrname]
        assert (rdata(record), record.chain) == (addresses, chain)

    def test_addresses_of_names_that_nobody_asked_for_are_told_and_not_used(self) -> None:
        record = sample("dns-v2.json")["poisoned.example.net"]
        assert rdata(record) == ["192.0.2.4"]
        assert [one.reason for one in record.unread] == ["address of a name that the question does not lead to"]

    def test_cnames_that_lead_in_a_circle_lead_nowhere(self) -> None:
        record = sample("dns-v2.json")["loop.example.net"]
        assert (record.answers, record.chain) == ((), ("b.example.net",))
        assert [one.reason for one in record.unread] == ["CNAMEs without an end"]

    @pytest.mark.parametrize(
        "name", ["text.example.net", "7.100.51.198.in-addr.arpa", "_sip._tcp.example.net", "soa.example.net"]
    )
    def test_what_only_looks_like_an_address_is_none(self, name: str) -> None:
        assert sample("dns-v2.json")[name].answers == ()

    def test_the_parts_of_an_answer_that_are_broken_are_told(self) -> None:
        reasons = [one.reason for one in sample("dns-v2.json")["parts.example.net"].unread]
        assert reasons[:2] == ["answer that is no address", "answer is no name: empty label"]

    @pytest.mark.parametrize(
        ("rrname", "client"),
        [
            ("k3xq.example.net", "10.0.0.7"),
            ("six.example.net", "10.0.0.7"),
            ("dot.example.net", "10.0.0.7"),
            ("servers.example.net", None),
            ("neither.example.net", None),
        ],
    )
    def test_the_client_is_the_end_that_does_not_serve(self, rrname: str, client: str | None) -> None:
        assert sample("dns-v2.json")[rrname].client == client

    @pytest.mark.parametrize(
        ("more", "client"),
        [
            ({"direction": "to_client"}, "10.0.0.7"),
            ({"direction": "to_server"}, "10.0.0.53"),
            ({"direction": 7}, None),
            ({"flow": {"src_ip": "10.0.0.7", "dest_ip": "10.0.0.53"}}, "10.0.0.7"),
            ({"flow": None}, None),
        ],
    )
    def test_where_the_ports_do_not_tell_the_flow_and_the_direction_do(self, more: object, client: str | None) -> None:
        event = answered(answers=[answer("198.51.100.1")]) | {"src_port": 5300, "dest_port": 40000}
        assert record_of(event | (more if isinstance(more, dict) else {})).client == client

    def test_where_neither_does_the_request_does(self) -> None:
        asked = eve_making.frame(
            "dns", making.START, "10.0.0.7", 1, dns={"type": "query", "id": 1, "rrname": "k3xq.example.net", "rrtype": "A"}
        )
        event = answered(answers=[answer("198.51.100.1")])
        for one in (asked, event):
            one["src_port"] = one["dest_port"] = 5300
        assert record_of(asked, event).client == "10.0.0.7"

    def test_the_root_is_no_name(self) -> None:
        assert "" not in sample("dns-v2.json")


class TestVersion3:
    """tests/data/logs/eve/dns-v3.json."""

    @pytest.mark.parametrize(
        ("rrname", "rrtype", "addresses", "chain"),
        [
            ("k3xq.example.net", "A", ["198.51.100.1"], ("edge.example.org",)),
            ("guide.example.net", "A", ["198.51.100.2"], ()),
            ("grouped.example.net", "AAAA", ["2001:db8:77::3"], ("one.example.org",)),
            ("first.example.net", "A", ["198.51.100.4"], ()),
            ("second.example.net", "A", [], ()),
            ("kept.example.net", "A", ["198.51.100.5"], ()),
            ("owner.example.net", "", ["198.51.100.6"], ()),
            ("svcb.example.net", "TYPE64", [], ()),
            ("doh.example.net", "A", ["198.51.100.8"], ()),
            ("nobody.example.net", "A", [], ()),
        ],
    )
    def test_a_question_leads_to_addresses(
        self, rrname: str, rrtype: str, addresses: list[str], chain: tuple[str, ...]
    ) -> None:
        record = sample("dns-v3.json")[rrname]
        assert (record.rrtype, rdata(record), record.chain, record.client) == (rrtype, addresses, chain, "10.0.0.7")

    def test_additional_records_are_not_what_was_asked(self) -> None:
        assert "extra.example.org" not in sample("dns-v3.json")


class TestConnections:
    """tests/data/logs/eve/connections.json."""

    @pytest.mark.parametrize(
        ("rrname", "kind", "addresses"),
        [
            ("k3xq.example.net", "tls", ["198.51.100.7"]),
            ("upper.example.net", "tls", ["2001:db8:77::1"]),
            ("quick.example.net", "tls", ["198.51.100.7"]),
            ("www.example.net", "http", ["198.51.100.7"]),
            ("port.example.net", "http", ["198.51.100.7"]),
            ("h2.example.net", "http", ["198.51.100.7"]),
            ("tunnel.example.net", "http", []),
            ("tunnel2.example.net", "http", []),
            ("whole.example.net", "http", []),
            ("cee.example.net", "tls", ["198.51.100.7"]),
            ("syslog.example.net", "tls", ["198.51.100.7"]),
            ("spaced.example.net", "tls", ["198.51.100.7"]),
        ],
    )
    def test_a_name_is_said_at_an_address_unless_that_is_a_proxys(
        self, rrname: str, kind: str, addresses: list[str]
    ) -> None:
        record = sample("connections.json")[rrname]
        assert (record.kind, rdata(record), record.rrtype, record.client) == (kind, addresses, "", "10.0.0.7")

    def test_nothing_else_is_a_record(self) -> None:
        assert len(records_of((SAMPLES / "connections.json").read_bytes())) == 12

    def test_a_time_with_another_zone_is_the_same_clock(self) -> None:
        assert sample("connections.json")["spaced.example.net"].time == 1793491242.5


class TestRefused:
    """tests/data/logs/eve/refused.json."""

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        text = (SAMPLES / "refused.json").read_bytes()
        found = parse_all(text)
        bad = [one for one in found if isinstance(one, BadLine)]
        assert bad == found
        assert len(bad) == text.count(b"\n")
        assert all(text[one.offset :].startswith(one.line) and len(one.line) <= 200 for one in bad)
        assert Counter(one.reason for one in bad) == {
            "no JSON, or not of the shape that Suricata writes": 12,
            "timestamp is no time": 4,
            "dns event that is neither request nor answer": 3,
            "rrname is no name: empty label": 1,
            "rrname is no name: label of 64 octets, 63 is the limit": 1,
            "answer that is no address": 2,
            "answer is no name: empty label": 1,
            "answer is no name: none, or the root": 1,
            "sni is no name: empty label": 1,
            "sni is no name: longer than any host's name": 1,
            "hostname is no name: no label: empty, or the root": 1,
        }

    def test_an_event_of_another_kind_may_hold_anything(self) -> None:
        line = b'{"event_type":"anomaly","timestamp":7,"dns":"x","tls":[],"flow_id":{}}\n'
        assert parse_all(line) == []

    def test_a_time_without_a_zone_is_in_the_zone_of_the_source(self) -> None:
        event = answered() | {"timestamp": "2026-07-01T12:00:00.000000"}
        parser = eve.build(eve.Options(), ZoneInfo("Europe/Berlin")).parser()
        (found,) = go_on(eve_making.line(event), parser)
        assert isinstance(found, LogRecord)
        assert found.time == 1782900000.0


class TestRoundTrips:
    """What a writer of the documented shapes writes is read as what it was made of."""

    @pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
    @pytest.mark.parametrize("seed", [1, 2])
    def test_exactly_the_hits_are_found_however_it_is_written(self, style: Style, seed: int) -> None:
        log = making.traffic(seed, 400)
        found = Counter[tuple[str, str, str, tuple[str, ...]]]()
        for record in records_of(eve_making.log(log, style)):
            inside = [text for text in rdata(record) if text.startswith(("198.51.100.", "2001:db8:77:"))]
            found.update((record.rrname, record.client or "", text, record.chain) for text in inside)
        hits = [one for one in log if one.inside or one.trap == "an address was asked for"]
        assert found == {
            (one.query, one.client, text, one.chain): count
            for (one, text), count in Counter((one, text) for one in hits for text in one.inside or one.answers).items()
        }

    @pytest.mark.parametrize("style", ["v2", "v2 of 7", "v2 without requests", "v2 grouped", "v3", "v3 grouped"])
    def test_each_lookup_is_one_record(self, style: str) -> None:
        log = making.traffic(3, 300)
        found = records_of(eve_making.log(log, STYLES[style]))
        assert Counter(one.rrname for one in found) == Counter(one.query for one in log)
        assert [one.time for one in found] == [pytest.approx(one.time, abs=1e-6) for one in log]

    def test_an_answer_whose_request_was_never_logged_is_the_same_record(self) -> None:
        log = making.traffic(4, 200)
        asked, unasked = (records_of(eve_making.log(log, STYLES[style])) for style in ("v2", "v2 without requests"))
        assert [(one.rrname, one.answers, one.chain, one.client) for one in asked] == [
            (one.rrname, one.answers, one.chain, one.client) for one in unasked
        ]


class TestGoingOn:
    @pytest.mark.parametrize("style", ["v1", "v2", "v3"])
    def test_reading_goes_on_between_any_two_lines(self, style: str) -> None:
        text = eve_making.log(making.traffic(5, 60), STYLES[style])
        given = list(lines(iter([text])))
        whole = parse_all(text)
        for cut in range(len(given) + 1):
            first = FORMAT.parser()
            found = [one for line in given[:cut] for one in read_line(first, line)]
            second = FORMAT.parser(first.state())
            found += [one for line in given[cut:] for one in read_line(second, line)]
            assert [*found, *finish(second)] == whole

    @pytest.mark.parametrize("state", ["{}", "[7]", '[[[1,2],[["x"]]]]', "not json", "[" * 10_000])
    def test_a_state_of_somebody_else_is_refused(self, state: str) -> None:
        with pytest.raises(SourceError, match=r"remembered lookups of eve\.json"):
            FORMAT.parser(state)

    def test_a_lookup_that_nobody_answered_is_told_once_when_the_file_is_at_rest(self, tmp_path: Path) -> None:
        asked = {"type": "query", "id": 1, "rrname": "k3xq.example.net", "rrtype": "A"}
        event = eve_making.frame("dns", making.START, "10.0.0.7", 1, dns=asked)
        (tmp_path / "eve.json").write_bytes(eve_making.line(event))
        reader = Reader(str(tmp_path / "eve.json"), form="eve")
        reader.poll_all()
        assert [json.loads(position)["state"] != "" for position in reader.cursors.values()] == [True]
        reader.poll_all(LATER)
        assert [json.loads(position)["state"] for position in reader.cursors.values()] == [""]


class TestRecognition:
    @pytest.mark.parametrize("name", NAMES)
    def test_its_first_lines_show_that_it_is_eve_and_not_zeek(self, name: str) -> None:
        with LogFile.open(str(SAMPLES / name)) as log:
            head = log.slice(0, 65536)
        assert FORMAT.recognises(head)
        assert not zeek.build(zeek.Options()).recognises(head)

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"\x00\xff",
            b'{"timestamp":"2026-11-01T00:00:00.000000+0000","event_type":"login","user":"x"}\n',
            b'{"event_type":"dns","flow_id":1}\n',
            b'{"ts":1.5,"uid":"C1","id.orig_h":"10.0.0.1","query":"k3xq.example.net"}\n',
            b'{"@timestamp":"2026-11-01T00:00:00Z","dns":{"question":{"name":"k3xq.example.net"}},"event":{"kind":"event"}}\n',
            b'{"preview":false,"result":{"_raw":"{\\"timestamp\\":\\"2026\\",\\"flow_id\\":1,\\"event_type\\":\\"dns\\"}"}}\n',
            b'{"timestamp":"2026-11-01T00:00:00.000000+0000","flow_id":1,"event_t',
        ],
    )
    def test_anything_else_is_not(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)

    def test_a_log_that_begins_with_statistics_is_eve(self) -> None:
        text = (SAMPLES / "connections.json").read_bytes()
        stats = next(line for line in text.splitlines(keepends=True) if b'"stats"' in line)
        assert FORMAT.recognises(stats * 3)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


class TestAnything:
    def sound(self, found: Iterable[LogRecord | BadLine]) -> None:
        """What comes out is what the port promises."""
        for one in found:
            if isinstance(one, LogRecord):
                assert all(parse_name(name) == name for name in (one.rrname, *one.chain))
                assert all(parse_address(str(address)) == address for address in one.answers)
                assert 0 <= one.time < 253402300800
                assert one.client is None or (one.client.isprintable() and one.client.isascii())

    @given(st.binary(max_size=300), st.booleans())
    def test_no_line_makes_it_raise(self, line: bytes, braced: bool) -> None:
        self.sound(parse_all(b"{" + line if braced else line))

    @pytest.mark.parametrize("name", NAMES)
    @given(data=st.data())
    def test_a_log_that_was_hurt_is_read_as_names_refused_or_left(self, name: str, data: st.DataObject) -> None:
        text = bytearray((SAMPLES / name).read_bytes())
        for _ in range(data.draw(st.integers(1, 6))):
            place = data.draw(st.integers(0, len(text) - 1))
            text[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        self.sound(parse_all(bytes(text)))

    @given(
        st.sampled_from(
            ["timestamp", "flow_id", "event_type", "src_ip", "src_port", "dest_ip", "dest_port", "direction", "flow", "dns"]
        ),
        ANY_JSON,
    )
    def test_no_value_in_an_event_makes_it_raise(self, key: str, value: object) -> None:
        event = answered(answers=[answer("198.51.100.1")]) | {key: value}
        self.sound(parse_all(json.dumps(event).encode() + b"\n"))

    @given(
        st.sampled_from(
            ["version", "type", "id", "rrname", "rrtype", "rdata", "rcode", "queries", "answers", "grouped", "tx_id"]
        ),
        ANY_JSON,
        st.sampled_from(["query", "answer"]),
    )
    def test_no_value_in_a_dns_object_makes_it_raise(self, key: str, value: object, kind: str) -> None:
        dns = {"version": 3, "type": kind, "answers": [answer("198.51.100.1")], key: value}
        self.sound(parse_all(json.dumps(answered(**dns)).encode() + b"\n"))

    @given(st.sampled_from(["rrname", "rrtype", "rdata"]), ANY_JSON, st.sampled_from(["A", "AAAA", "CNAME", "TXT"]))
    def test_no_value_in_an_answer_makes_it_raise(self, key: str, value: object, rrtype: str) -> None:
        one = {**answer("198.51.100.1", rrtype), key: value}
        self.sound(parse_all(json.dumps(answered(answers=[one])).encode() + b"\n"))
        self.sound(parse_all(json.dumps(answered(grouped={rrtype: [value]})).encode() + b"\n"))

    @given(st.sampled_from(["tls", "quic", "http"]), st.sampled_from(["sni", "hostname", "url", "http_method"]), ANY_JSON)
    def test_no_value_in_a_connection_makes_it_raise(self, kind: str, key: str, value: object) -> None:
        body = {"sni": "k3xq.example.net", "hostname": "k3xq.example.net", key: value}
        event = eve_making.frame(kind, making.START, "10.0.0.7", 1, **{kind: body})
        self.sound(parse_all(json.dumps(event).encode() + b"\n"))

    @pytest.mark.parametrize("opening", [b"[", b'{"dns":', b'{"dns":{"answers":['])
    def test_json_nested_without_end_is_a_bad_line(self, opening: bytes) -> None:
        (found,) = parse_all(b'{"event_type":"dns","x":' + opening * 50_000 + b"\n")
        assert isinstance(found, BadLine)

    @pytest.mark.parametrize("form", ["answers", "grouped"])
    def test_of_thousands_of_broken_answers_no_more_than_some_are_told(self, form: str) -> None:
        broken = [answer("x")] * 9000 if form == "answers" else {"A": ["x"] * 9000}
        assert len(record_of(answered(**{form: broken})).unread) == 64

    def test_a_chain_of_thousands_of_cnames_is_given_up(self) -> None:
        chain = [answer(f"n{i}.example.net", "CNAME", f"n{i - 1}.example.net") for i in range(1, 9000)]
        record = record_of(answered(rrname="n0.example.net", answers=chain))
        assert len(record.chain) == 64
        assert [one.reason for one in record.unread] == ["CNAMEs without an end"]

    @given(st.binary(min_size=1, max_size=40).filter(lambda octets: b"." not in octets and b"\\x" not in octets))
    def test_any_label_comes_through_suricatas_spelling_unharmed(self, label: bytes) -> None:
        try:
            spelt = label.decode()
        except UnicodeDecodeError:
            spelt = "".join(chr(byte) if byte < 128 else f"\\x{byte:02x}" for byte in label)
        expected = parse_name("".join(f"\\{byte:03d}" for byte in label) + ".example.net")
        assert record_of(answered(rrname=f"{spelt}.example.net")).rrname == expected
