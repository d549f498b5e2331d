"""Squid's access log: what Squid 5.7 wrote in its own formats and in others, and lines that are none."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.plugins import OptionFaults
from feedsvc.sources.logs import squid
from feedsvc.sources.port import LogFormat, LogRecord
from feedsvc.sources.squid_logformat import BUILT_IN, compile_logformat
from tests.sources.logs import linewise
from tests.sources.logs.linewise import lines_of, read, reasons, records, sample

FORMAT = squid.build(squid.Options())
TLS = '%ts.%03tu %6tr %>a %>p %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt "%ssl::>sni"'
CUSTOM = (
    '%ts.%03tu %6tr %>a %>p %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %<p %mt "%{User-Agent}>h" "%{Host}>h" %>rd [%tl] %>A %<A '
    "%#{Host}>h"
)
GMT = '%tg %>a "%rm %ru HTTP/%rv" %>Hs %<a'
SHAPE = "line of another shape than the log format has"


def form_of(logformat: str) -> LogFormat:
    return squid.build(squid.Options(logformat=logformat))


def native(url: str, *, method: str = "GET", way: str = "HIER_DIRECT/198.51.100.7", client: str = "10.0.0.1") -> bytes:
    return f"1795500974.908      2 {client} TCP_MISS/200 759 {method} {url} - {way} text/html\n".encode()


def rdata(one: LogRecord) -> list[str]:
    return [str(address) for address in one.answers]


class TestRealSamples:
    @pytest.mark.parametrize("name", ["native.log", "combined.log", "common.log"])
    def test_its_first_lines_show_that_it_is_squid(self, name: str) -> None:
        assert FORMAT.recognises(linewise.DATA.joinpath("squid", name).read_bytes())

    @pytest.mark.parametrize("name", ["native.log", "combined.log", "common.log"])
    def test_every_request_for_a_name_is_a_record_and_nothing_is_refused(self, name: str) -> None:
        found = sample(FORMAT, "squid", name)
        assert [(one.rrname, one.kind) for one in found] == [
            ("localhost", "http"),
            ("localhost", "http"),
            ("nosuch.invalid", "http"),
            ("denied.example", "http"),
            ("localhost", "http"),
            ("localhost", "connection"),
            ("localhost", "http"),
            ("localhost", "http"),
            (r"b\195\188cher.invalid", "http"),
            ("weird_host.invalid", "connection"),
            ("localhost", "http"),
            (r"ho\03773t.invalid", "http"),
            ("localhost", "http"),
            ("ftp.invalid", "http"),
            ("evil.invalid", "http"),
            ("evil.invalid", "http"),
            ("lo", "http"),
        ]
        assert {one.client for one in found} == {"127.0.0.1"}

    def test_a_record_is_read_whole(self) -> None:
        found = sample(FORMAT, "squid", "native.log")[0]
        assert found == LogRecord(
            time=1795520413.445,
            client="127.0.0.1",
            rrname="localhost",
            rrtype="",
            answers=found.answers,
            chain=(),
            offset=226,
            kind="http",
        )
        assert rdata(found) == ["127.0.0.1"]

    def test_only_what_squid_went_to_itself_is_an_address(self) -> None:
        found = {one.rrname: rdata(one) for one in sample(FORMAT, "squid", "native.log")}
        assert found["nosuch.invalid"] == found["denied.example"] == []

    @pytest.mark.parametrize("name", ["combined.log", "common.log"])
    def test_formats_without_address_tell_who_wanted_a_name(self, name: str) -> None:
        found = sample(FORMAT, "squid", name)
        assert not any(one.answers for one in found)
        assert {one.time for one in found} == {1795520413}

    def test_what_cannot_be_read_is_told_with_its_place_and_its_reason(self) -> None:
        assert reasons(FORMAT, linewise.DATA.joinpath("squid", "refused.log").read_bytes()) == [
            "host is no name: empty label",
            "host is no name: label of 64 octets, 63 is the limit",
            SHAPE,
            SHAPE,
            "line without a time",
            SHAPE,
        ]


class TestRequests:
    @pytest.mark.parametrize(
        "way",
        ["HIER_DIRECT", "DIRECT", "TIMEOUT_HIER_DIRECT", "TIMEOUT_DIRECT", "ORIGINAL_DST", "PINNED", "CLOSEST_DIRECT"],
    )
    def test_the_server_itself_is_an_address(self, way: str) -> None:
        assert rdata(records(FORMAT, native("http://k3xq.example.net/", way=f"{way}/198.51.100.7"))[0]) == ["198.51.100.7"]

    @pytest.mark.parametrize(
        "way",
        [
            "FIRSTUP_PARENT/198.51.100.7",
            "SIBLING_HIT/198.51.100.7",
            "CD_PARENT_HIT/198.51.100.7",
            "TIMEOUT_FIRSTUP_PARENT/198.51.100.7",
            "HIER_NONE/-",
            "NONE/-",
            "HIER_DIRECT/-",
            "HIER_DIRECT/front.example.net",
            "HIER_DIRECT/198.51.100.7.example.net",
        ],
    )
    def test_another_proxy_or_no_server_is_none(self, way: str) -> None:
        assert records(FORMAT, native("http://k3xq.example.net/", way=way))[0].answers == ()

    @pytest.mark.parametrize(
        "url",
        [
            "http://K3XQ.example.net/",
            "http://k3xq.example.net.:8080/path?",
            "https://user:p@ss@k3xq.example.net/x@y",
            "ftp://k3xq.example.net",
            "http://k3xq.example.net#fragment@other.example.net",
            "http://k3xq.example.net?http://other.example.net/",
        ],
    )
    def test_the_host_of_the_url_is_the_name(self, url: str) -> None:
        assert records(FORMAT, native(url))[0].rrname == "k3xq.example.net"

    @pytest.mark.parametrize("target", ["k3xq.example.net:443", "K3XQ.EXAMPLE.NET:8443", "k3xq.example.net"])
    def test_a_connect_is_for_a_name_too(self, target: str) -> None:
        (found,) = records(FORMAT, native(target, method="CONNECT"))
        assert (found.rrname, found.kind, rdata(found)) == ("k3xq.example.net", "connection", ["198.51.100.7"])

    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("CONNECT", "198.51.100.7:443"),
            ("CONNECT", "[2001:db8::1]:443"),
            ("GET", "http://198.51.100.7/"),
            ("GET", "http://[2001:db8::1]:80/"),
            ("GET", "/k3xq.example.net"),
            ("GET", "urn:k3xq.example.net"),
            ("GET", "cache_object://k3xq.example.net/info"),
            ("-", "error:invalid-request"),
            ("GET", "-"),
        ],
    )
    def test_an_address_and_what_is_no_request_to_a_host_are_no_records(self, method: str, target: str) -> None:
        assert records(FORMAT, native(target, method=method)) == []

    def test_a_client_may_be_told_by_its_host_name(self) -> None:
        assert records(FORMAT, native("http://a.example.com/", client="pc-17.example.com"))[0].client == "pc-17.example.com"
        assert records(FORMAT, native("http://a.example.com/", client="-"))[0].client is None

    def test_behind_syslog_it_is_the_same(self) -> None:
        line = native("http://k3xq.example.net/")
        for begin in (b"Nov 24 06:16:14 proxy squid[17]: ", b"Nov 24 06:16:14 proxy (squid-1): ", b"<30>1 x proxy squid: "):
            assert [one.rrname for one in records(FORMAT, begin + line)] == ["k3xq.example.net"]
            assert FORMAT.recognises(begin + line)

    def test_headers_behind_a_line_are_passed_over(self) -> None:
        line = native("http://k3xq.example.net/")[:-1] + b" [Host: other.example.net] [HTTP/1.1 200 OK]\n"
        assert rdata(records(FORMAT, line)[0]) == ["198.51.100.7"]


class TestLogformat:
    def test_a_log_of_another_format_is_read_by_its_directive(self) -> None:
        own, other = sample(FORMAT, "squid", "native.log"), sample(form_of(CUSTOM), "squid", "custom.log")
        told = [[(one.time, one.client, one.rrname, one.answers, one.kind) for one in found] for found in (own, other)]
        assert told[0] == told[1]

    def test_the_server_name_of_tls_comes_first(self) -> None:
        found = sample(form_of(TLS), "squid", "tls.log")
        assert [(one.client, one.rrname, one.kind, rdata(one)) for one in found] == [
            ("10.0.0.1", "k3xq.example.net", "tls", ["198.51.100.7"]),
            ("10.0.0.2", "front.example.com", "tls", ["198.51.100.8"]),
            ("10.0.0.3", "plain.example.com", "connection", []),
        ]

    def test_an_address_that_may_be_of_another_proxy_is_not_used(self) -> None:
        found = sample(form_of(GMT), "squid", "utc.log")
        assert len(found) == 17
        assert not any(one.answers for one in found)

    def test_a_time_of_greenwich_is_utc_whatever_the_zone_of_the_source(self) -> None:
        form = squid.build(squid.Options(logformat=GMT), ZoneInfo("Europe/Berlin"))
        assert {one.time for one in sample(form, "squid", "utc.log")} == {1795520413}

    @pytest.mark.parametrize("name", sorted(BUILT_IN))
    def test_the_names_of_squids_formats_are_known(self, name: str) -> None:
        file = {"squid": "native"}.get(name, name)
        assert sample(form_of(name), "squid", f"{file}.log") == sample(FORMAT, "squid", f"{file}.log")

    def test_quoted_fields_may_hold_what_ends_them_elsewhere(self) -> None:
        form = form_of('%ts.%03tu "%{User-Agent}>h" %>a %rm "%ru" %Sh/%<a')
        line = rb'1795500974.5 "x\" 10.9.9.9 GET \\" 10.0.0.1 GET "http://k3xq.example.net/" HIER_DIRECT/198.51.100.7'
        (found,) = records(form, line)
        assert (found.client, found.rrname, rdata(found)) == ("10.0.0.1", "k3xq.example.net", ["198.51.100.7"])

    @pytest.mark.parametrize(
        ("logformat", "line"),
        [
            ("%>a [%tl] %>rd", "10.0.0.1 [24/Nov/2026:07:16:14 +0100] k3xq.example.net"),
            ("%>A %ts %{Host}>h", "10.0.0.1 1795500974 k3xq.example.net:443"),
            ("%ts.%tu %-10>a|%>h{Host} %%", "1795500974.0 10.0.0.1  |k3xq.example.net %"),
            ("%ts %http::>a %http::>ru", "1795500974 10.0.0.1 http://k3xq.example.net/"),
        ],
    )
    def test_fields_may_be_written_in_many_ways(self, logformat: str, line: str) -> None:
        (found,) = records(form_of(logformat), line.encode())
        assert (found.time, found.client, found.rrname) == (1795500974, "10.0.0.1", "k3xq.example.net")

    @pytest.mark.parametrize(
        ("logformat", "why"),
        [
            ("%>a %ru", "has no time"),
            ("%{%Y}tl %ru", "has no time"),
            ("%ts %>a", "has no name"),
            ("%ts %{Referer}>h", "has no name"),
            ("%ts%>a %ru", "has two fields with nothing between them"),
            ("%ts %ru 100% of it", "has a % that begins no field, at character 12"),
            ("no fields", "has no time"),
        ],
    )
    def test_what_cannot_be_read_back_is_a_fault(self, logformat: str, why: str) -> None:
        with pytest.raises(OptionFaults, match=re.escape(f"logformat: {why}")):
            form_of(logformat)

    @given(st.text(st.sampled_from('%ts>a{}[]"ruS/h .:-0(\\*+'), max_size=30))
    def test_any_directive_is_a_pattern_or_a_fault(self, logformat: str) -> None:
        try:
            compile_logformat(logformat)
        except ValueError:
            return
        linewise.assert_sound(read(form_of(logformat), native("http://k3xq.example.net/")))


class TestResuming:
    @pytest.mark.parametrize("name", ["native.log", "combined.log", "refused.log"])
    def test_reading_may_stop_behind_any_line(self, name: str) -> None:
        linewise.assert_no_cut_shows(FORMAT, linewise.DATA.joinpath("squid", name).read_bytes())

    def test_a_line_that_is_cut_off_in_its_address_has_none(self) -> None:
        line = native("http://k3xq.example.net/", way="HIER_DIRECT/198.51.100.77")
        for end in range(len(line) - len(" text/html\n") + 1):
            assert not [one for one in read(FORMAT, line[:end]) if isinstance(one, LogRecord)]


class TestAnyBytes:
    @given(st.binary(max_size=300))
    def test_no_line_makes_it_raise(self, text: bytes) -> None:
        linewise.assert_sound(read(FORMAT, text))

    @given(linewise.broken(lines_of("squid", "native.log") + lines_of("squid", "combined.log")))
    def test_no_broken_line_makes_it_raise_or_lie(self, text: bytes) -> None:
        linewise.assert_sound(read(FORMAT, text))

    @given(linewise.broken(lines_of("squid", "custom.log") + lines_of("squid", "tls.log")))
    def test_nor_one_of_another_format(self, text: bytes) -> None:
        linewise.assert_sound(read(form_of(CUSTOM), text))
        linewise.assert_sound(read(form_of(TLS), text))

    @given(st.binary(min_size=1, max_size=40))
    def test_what_stands_in_a_url_or_a_user_agent_adds_no_address(self, noise: bytes) -> None:
        word = re.sub(rb"[\s]", b"", noise)
        line = b"1795500974.908 2 10.0.0.1 TCP_MISS/200 759 GET http://a.example.com/%b - HIER_NONE/- text/html" % word
        assert not [one for one in read(FORMAT, line) if isinstance(one, LogRecord) and one.answers]

    @pytest.mark.parametrize("piece", [b" ", b"squid: ", b"x", b"1", b'"', b"\\", b"http://", b"@", b"/"])
    @pytest.mark.parametrize("begin", [b"", b"1795500974.908 2 10.0.0.1 TCP_MISS/200 759 GET "])
    def test_a_long_line_takes_no_longer_than_its_length(self, begin: bytes, piece: bytes) -> None:
        for form in (FORMAT, form_of(CUSTOM)):
            form.parser().parse(begin + piece * (1_000_000 // len(piece)), 0)


class TestRecognition:
    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"hello\n",
            b"1795500974.908 hello\n",
            b'10.0.0.1 - - [24/Nov/2026:06:16:14 +0000] "GET / HTTP/1.1" 200 759 "-" "curl/7.88.1"\n',
            b"[1795520066] unbound[7:0] query: 10.0.0.1 a.example.com. A IN\n",
            b"1795500974.908||10.0.0.1||10.0.0.53||IN||a.example.com.||A||198.51.100.7||60||1\n",
        ],
    )
    def test_anything_else_is_not_squid(self, head: bytes) -> None:
        assert not FORMAT.recognises(head)
