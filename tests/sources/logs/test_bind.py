"""BIND's query log: real lines of named 9.18 in all its spellings, behind syslog, and lines that are none."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.names import parse_name
from feedsvc.plugins import OptionFaults
from feedsvc.sources.logs import bind
from feedsvc.sources.port import LogRecord
from feedsvc.sources.records import is_name
from tests.sources.logs import linewise
from tests.sources.logs.linewise import lines_of, noon, read, reasons, records, sample

FORMAT = bind.Bind(UTC, 0, noon)
FILES = ["query.log", "iso8601-utc-view.log", "other-categories.log", "denials-2022.log", "refusals-2022.log", "syslog.log"]


def query(name: str, *, time: str = "24-Nov-2026 11:34:22.998 ", tail: str = "IN A +E(0)K (10.0.0.53)") -> bytes:
    return f"{time}queries: info: client @0x7f044e965098 10.0.0.1#51210 ({name}): query: {name} {tail}\n".encode()


def other(said: str, port: int = 5) -> bytes:
    return f"24-Nov-2026 11:34:22.998 security: info: client @0x7f04 10.0.0.1#{port} (x): {said}\n".encode()


def names(found: list[LogRecord]) -> list[str]:
    return [one.rrname for one in found]


class TestRealSamples:
    @pytest.mark.parametrize("name", FILES)
    def test_its_first_lines_show_that_it_is_bind(self, name: str) -> None:
        assert FORMAT.recognises(linewise.DATA.joinpath("bind", name).read_bytes())

    @pytest.mark.parametrize(
        ("name", "count"),
        [
            ("query.log", 27),  # of 29: the root and the class CH are left out
            ("iso8601-utc-view.log", 25),
            ("other-categories.log", 7),  # of 11: who was denied is told twice
            ("denials-2022.log", 6),
            ("refusals-2022.log", 19),
            ("syslog.log", 16),
        ],
    )
    def test_every_lookup_is_one_record_and_nothing_is_refused(self, name: str, count: int) -> None:
        assert len(sample(FORMAT, "bind", name)) == count

    def test_a_record_is_read_whole(self) -> None:
        assert sample(FORMAT, "bind", "query.log")[0] == LogRecord(
            time=1795520062.998,
            client="127.0.0.1",
            rrname="www.example.com",
            rrtype="A",
            answers=(),
            chain=(),
            offset=0,
        )

    def test_names_are_canonical_whatever_the_client_wrote(self) -> None:
        found = names(sample(FORMAT, "bind", "query.log"))
        assert "wxyz.example.com" in found
        assert r"odd\032name.example.com" in found
        assert r"odd\.dot\040x\041\034q\200.example.com" in found
        assert not {"", ".", "version.bind"} & set(found)

    def test_clients_and_types_are_told(self) -> None:
        found = {(one.client, one.rrtype) for one in sample(FORMAT, "bind", "query.log")}
        assert {("::1", "A"), ("127.0.0.1", "HTTPS"), ("127.0.0.1", "AXFR"), ("127.0.0.9", "A")} <= found

    def test_a_signed_query_and_one_of_a_view_with_blanks_in_its_name_are_read(self) -> None:
        assert names(sample(FORMAT, "bind", "query.log"))[-2:] == ["abcd.example.com", "denied.invalid"]
        assert names(sample(FORMAT, "bind", "iso8601-utc-view.log"))[0] == "www.example.com"

    def test_denied_failed_and_rewritten_questions_tell_who_asked(self) -> None:
        found = [(one.client, one.rrname, one.rrtype) for one in sample(FORMAT, "bind", "other-categories.log")]
        assert found == [
            ("127.0.0.1", "k3xq.example.com", "A"),
            ("127.0.0.1", "a1b2.callback.example.org", "AAAA"),
            ("127.0.0.1", "walled.example.com", "A"),
            ("127.0.0.9", "k3xq.example.com", "A"),
            ("127.0.0.9", "nosuch.invalid", "MX"),
            ("127.0.0.9", r"od\047d.invalid", "A"),
            ("127.0.0.9", r"it\039s.invalid", "TXT"),
        ]

    @pytest.mark.parametrize(
        ("name", "client", "time"),
        [
            ("www.example.com", "127.0.0.1", 1795520062),
            ("rfc5424.example.com", "10.0.0.5", 1795520065.5),
            ("rsyslog.example.com", "10.0.0.5", 1795520066.25),
            ("both.example.com", "10.0.0.5", 1795523667.125),
            ("old.example.com", "10.0.0.6", 1795520068),
        ],
    )
    def test_behind_syslog_it_is_the_same(self, name: str, client: str, time: float) -> None:
        found = next(one for one in sample(FORMAT, "bind", "syslog.log") if one.rrname == name)
        assert (found.client, found.time) == (client, time)

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        assert reasons(FORMAT, linewise.DATA.joinpath("bind", "refused.log").read_bytes()) == [
            "query is no name: empty label",
            "query is no name: label of 64 octets, 63 is the limit",
            r"query is no name: escape \256 stands for no byte",
            "query line of another shape",
            "line without a time",
            "line without a time",
            "query line of another shape",
            'answers as Infoblox writes them; say format = "infoblox"',
            "control bytes, which named does not write",
        ]


class TestSpellings:
    @pytest.mark.parametrize(
        "line",
        [
            b"client 10.0.0.1#51210: query: k3xq.example.com IN A +",
            b"client 10.0.0.1#51210 (k3xq.example.com): query: k3xq.example.com IN A + (10.0.0.53)",
            b"client @0x7f 10.0.0.1#51210 (k3xq.example.com): view a b: query: k3xq.example.com IN A + (10.0.0.53)",
            b"client @0x7f ::ffff:10.0.0.1#51210/key k.example (K3XQ.example.com): query: K3XQ.example.com IN A -S (::1)",
            b"client @0x7f 10.0.0.1#51210 (k3xq.example.com): query: k3xq.example.com IN A +E(0)K (::1) [ECS 192.0.2.0/24]",
            b"client @0x7f 10.0.0.1#51210 (k3xq.example.com): response: k3xq.example.com IN A NOERROR 1 0 1 +E(0)K (::1)",
        ],
        ids=["9.8", "9.9", "view", "signed", "client subnet", "response"],
    )
    def test_every_version_is_read_alike(self, line: bytes) -> None:
        (found,) = records(FORMAT, b"24-Nov-2026 11:34:22.998 " + line)
        assert (found.client, found.rrname, found.rrtype, found.time) == (
            "10.0.0.1",
            "k3xq.example.com",
            "A",
            1795520062.998,
        )

    def test_the_interface_of_a_neighbour_is_left_out(self) -> None:
        line = b"24-Nov-2026 11:34:22 client fe80::1%eth0#5 (a.example.com): query: a.example.com IN A + (::1)"
        assert records(FORMAT, line)[0].client == "fe80::1"

    def test_local_times_are_of_the_zone_of_the_source(self) -> None:
        (found,) = records(bind.build(bind.Options(), ZoneInfo("Europe/Berlin")), query("a.example.com"))
        assert found.time == 1795520062.998 - 3600

    def test_an_address_in_the_place_of_a_name_and_the_root_are_nothing_to_look_for(self) -> None:
        assert records(FORMAT, query("198.51.100.7") + query(".") + query("2001:db8::1")) == []

    def test_a_host_that_is_called_client_is_none(self) -> None:
        text = b"Nov 24 11:34:28 client named[1]: client 10.0.0.6#1024: query: a.example.com IN A +"
        assert records(FORMAT, text)[0].client == "10.0.0.6"


class TestCounting:
    def test_lines_of_other_categories_do_not_count_beside_queries(self) -> None:
        text = (
            other("query 'first.example.com/A/IN' denied")
            + query("k3xq.example.com")
            + other("query 'k3xq.example.com/A/IN' denied")
            + other("response: k3xq.example.com IN A REFUSED 0 0 0 + (::1)")
            + query("last.example.com")
        )
        assert names(records(FORMAT, text)) == ["first.example.com", "k3xq.example.com", "last.example.com"]

    def test_without_queries_each_lookup_counts_once_whatever_it_leaves(self) -> None:
        denied, failed = "query 'a.example.com/A/IN' denied", "query failed (REFUSED) for a.example.com/IN/A at query.c:5708"
        text = other(denied) + other(failed) + other(denied) + other(failed) + other(failed, 6)
        assert names(records(FORMAT, text)) == ["a.example.com"] * 3

    def test_zone_transfers_and_updates_are_no_lookups(self) -> None:
        assert records(FORMAT, other("zone transfer 'example.com/AXFR/IN' denied") + other("updating zone 'a/IN': x")) == []


class TestYears:
    def test_an_archive_is_read_by_the_year_of_its_first_line(self) -> None:
        text = b"".join(
            b"%b ns1 named[1]: client 10.0.0.1#5 (a.example.com): query: a.example.com IN A + (::1)\n" % day
            for day in (b"Dec 31 23:59:59", b"Jan  1 00:00:01")
        )
        form = bind.build(bind.Options(year=2019))
        assert [one.time for one in records(form, text)] == [1577836799, 1577836801]
        linewise.assert_no_cut_shows(form, text)

    def test_a_year_that_is_none_is_a_fault(self) -> None:
        with pytest.raises(OptionFaults, match="year: 19 is no year of a log"):
            bind.build(bind.Options(year=19))


class TestResuming:
    @pytest.mark.parametrize("name", [*FILES, "refused.log"])
    def test_reading_may_stop_behind_any_line(self, name: str) -> None:
        linewise.assert_no_cut_shows(FORMAT, linewise.DATA.joinpath("bind", name).read_bytes())

    def test_a_state_of_somebody_else_is_refused(self) -> None:
        with pytest.raises(SourceError, match="the remembered state of a log cannot be read"):
            FORMAT.parser('{"fields": []}')


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_line_makes_it_raise(self, line: bytes) -> None:
        linewise.assert_sound(read(FORMAT, line))

    @given(linewise.broken(lines_of("bind", "query.log") + lines_of("bind", "other-categories.log")))
    def test_no_broken_line_makes_it_raise_or_lie(self, line: bytes) -> None:
        linewise.assert_sound(read(FORMAT, line))

    @given(st.lists(st.binary(min_size=1, max_size=20), min_size=2, max_size=5))
    def test_any_name_comes_through_nameds_escapes_unharmed(self, labels: list[bytes]) -> None:
        written = ".".join("".join(_escaped(byte) for byte in label) for label in labels)
        name = parse_name(written)
        assert names(records(FORMAT, query(written))) == ([name] if is_name(name) else [])

    @pytest.mark.parametrize(
        "piece",
        [b"client ", b"client 1.1.1.1#1: view ", b"query: ", b"client 1.1.1.1#1 (", b"x", b"' denied/", b": query: a IN A "],
    )
    def test_a_long_line_takes_no_longer_than_its_length(self, piece: bytes) -> None:
        FORMAT.parser().parse(b"24-Nov-2026 11:34:22 " + piece * (1_000_000 // len(piece)), 0)


def _escaped(byte: int) -> str:
    """As dns_name_totext has it."""
    char = chr(byte)
    if char in '"().;\\@$':
        return "\\" + char
    return char if 0x20 < byte < 0x7F else f"\\{byte:03d}"


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"hello\n",
            b"Nov 24 06:16:07 dnsmasq[1]: query[A] client 10.0.0.1#53: query: x IN A + from 127.0.0.1\n",
            b'[INFO] 10.0.0.1:1 - 1 "A IN client 10.0.0.1#53 udp 1 false 512" NOERROR qr 1 0.1s\n',
            b"24-Nov-2026 08:08:10.043 client 10.0.0.1#1 UDP: query: a.example.com IN A response: NOERROR + a 1 IN A ::1;\n",
            b"24-Nov-2026 08:08:10.043 general: info: zone example.com/IN: loaded serial 1\n",
        ],
    )
    def test_anything_else_is_not_bind(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)

    def test_what_else_named_says_does_not_hide_it(self) -> None:
        others = (
            b"24-Nov-2026 11:34:20.998 general: notice: running\n"
            b"2026-11-24T11:34:20.998Z lame-servers: info: network unreachable resolving 'a.example/A/IN': ::1#53\n"
            b"Nov 24 11:34:21 ns1 named[464]: resolver priming query complete\n"
        )
        assert FORMAT.recognises(others * 4 + query("a.example.com"))
        assert not FORMAT.recognises(others * 4)

    def test_half_of_the_lines_are_enough(self) -> None:
        rest = b"Nov 24 11:34:24 ns1 sshd[99]: Accepted publickey\n"
        assert FORMAT.recognises(query("a.example.com") + rest)
        assert not FORMAT.recognises(query("a.example.com") + rest * 2)
