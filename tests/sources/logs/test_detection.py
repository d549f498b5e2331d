"""Which format a file is of, over all samples of all formats: each is claimed by its own format and by no other.

A sample lies in tests/data/logs/FORMAT/; one whose name begins with `refused` need not be recognised by anybody.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc import plugins
from feedsvc.errors import SourceError
from feedsvc.sources import jsonstream
from feedsvc.sources.heads import first_lines
from feedsvc.sources.logfile import LogDamaged, LogFile, finish, peek, read_line
from feedsvc.sources.logs import IN_STREAM, Formats
from feedsvc.sources.port import LogRecord

ROOT = Path(__file__).parents[2] / "data" / "logs"
SAMPLES = sorted(path for path in ROOT.glob("*/**/*") if path.is_file() and path.name != "SOURCES.md")
GOOD = [path for path in SAMPLES if not path.name.startswith("refused")]
REFUSED = [path for path in SAMPLES if path.name.startswith("refused")]

NEED_SETTINGS = {
    "powerdns/behind-a-hole.pb",  # begins in the middle of a message
    "squid/custom.log",
    "squid/tls.log",
    "squid/utc.log",
}
"""Samples that are read when their format is named, and whose first bytes show none."""

FORMATS = Formats()


def head_of(path: Path) -> bytes:
    with LogFile.open(str(path)) as log:
        try:
            head, _ = peek(log.blocks())
        except LogDamaged:
            head = log.slice(0, 65536)
    return head


def folder_of(path: Path) -> str:
    """The format whose sample a file is."""
    return path.relative_to(ROOT).parts[0].replace("_", "-")


def claims(head: bytes) -> list[str]:
    """The formats that claim a file which begins so."""
    shown = jsonstream.as_lines(head) if jsonstream.is_stream(head) else head
    return [name for name in plugins.names("logs") if FORMATS.by_name(name).format.recognises(shown)]


def chosen(head: bytes) -> str:
    """The format that is chosen; "" when nobody can say."""
    try:
        return FORMATS.by_head(head).name.removesuffix(IN_STREAM)
    except SourceError:
        return ""


def ident(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_format_has_samples() -> None:
    assert {folder_of(path) for path in GOOD} == set(plugins.names("logs"))


@pytest.mark.parametrize("path", GOOD, ids=ident)
def test_a_sample_is_recognised_by_its_own_format_alone(path: Path) -> None:
    head = head_of(path)
    own = [] if ident(path) in NEED_SETTINGS else [folder_of(path)]
    assert claims(head) == own
    assert chosen(head) == "".join(own)


@pytest.mark.parametrize("path", REFUSED, ids=ident)
def test_lines_that_are_refused_are_claimed_by_one_format_at_most(path: Path) -> None:
    assert len(claims(head_of(path))) <= 1


@pytest.mark.parametrize("path", GOOD, ids=ident)
def test_it_is_recognised_by_less_of_it_or_not_at_all(path: Path) -> None:
    head = head_of(path)
    for size in (1, 16, 100, 1000, len(head) // 2):
        assert set(claims(head[:size])) <= {folder_of(path)}
        assert chosen(head[:size]) in {folder_of(path), ""}


@pytest.mark.parametrize("path", REFUSED, ids=ident)
def test_lines_that_are_refused_are_lines_all_the_same(path: Path) -> None:
    assert Formats(folder_of(path)).by_head(head_of(path)).name == folder_of(path)


HEADS = {path: head_of(path) for path in GOOD}
TEXTS = {
    path: head for path, head in HEADS.items() if not re.search(rb"[\x00-\x08]", head) and not jsonstream.is_stream(head)
}


NO_LOGS = {
    "nothing": b"",
    "blank lines": b"\n\r\n \n",
    "python": b'#!/usr/bin/env python3\n"""Logs."""\n\nimport sys\n\nprint("query: www.example.com IN A + (10.0.0.1)")\n',
    "c": b"#include <stdio.h>\n#define QUERY 1\n/* client 10.0.0.1#53: query: a IN A + */\nint main(void) { return 0; }\n",
    "yaml": b"---\nts: 1795500965.5\nuid: C1\nquery: www.example.com\n",
    "toml": b'[[source]]\nname = "zeek"\nkind = "log"\n',
    "markdown": b"# Logs\n\n| format | written by |\n|---|---|\n| `zeek` | Zeek |\n",
    "html": b"<!DOCTYPE html>\n<html><head><title>Event</title></head><body></body></html>\n",
    "xml": b"<?xml version='1.0'?>\n<Events><Concert><System>PA</System></Concert></Events>\n",
    "a config of named": b'logging { channel queries { file "query.log"; }; category queries { queries; }; };\n',
    "names of packages": b"unbound: init.d-script-uses-usr-interpreter\ndnsmasq: package-has-long-file-name\n",
    "a host file": b"127.0.0.1 localhost\n198.51.100.7 k3xq.example.net\n",
    "a zone file": b"$ORIGIN example.net.\nk3xq 60 IN A 198.51.100.7\n",
    "syslog of others": b"Nov 24 06:16:05 gw sshd[1]: Accepted publickey for x from 10.0.0.1 port 5 ssh2\n",
    "an access log of Apache": b'10.0.0.1 - - [24/Nov/2026:06:16:14 +0000] "GET / HTTP/1.1" 200 7 "-" "curl/7.88.1"\n',
    "zeek without its header": b"1795500965.5\tC1\t10.0.0.1\t5\t10.0.0.53\t53\tudp\twww.example.com\tA\n",
    "one object": b'{"hello":"world"}\n',
    "a package.json": b'{\n  "name": "x",\n  "version": "1.0.0",\n  "dependencies": {"query": "1"}\n}\n',
    "an array": b'[{"id":1,"query":"www.example.com"},{"id":2}]\n',
    "stix": b'{"type":"bundle","id":"bundle--0","objects":[{"type":"indicator","pattern":"[a:b = \'198.51.100.7\']"}]}\n',
    "cof": b'{"rrname":"k3xq.example.net","rrtype":"A","rdata":"198.51.100.7","time_first":1,"time_last":2,"count":3}\n',
    "a notebook": b'{"cells":[],"metadata":{},"nbformat":4,"nbformat_minor":5}\n',
    "cloudtrail": b'{"Records":[{"eventVersion":"1.08","eventTime":"2026-11-24T06:16:05Z","sourceIPAddress":"10.0.0.1"}]}\n',
    "docker of others": b'{"log":"hello\\n","stream":"stdout","time":"2026-11-24T06:16:05Z"}\n',
    "csv": b"timestamp,client,query\n2026-11-24T06:16:05Z,10.0.0.1,www.example.com\n",
    "csv of Umbrella's proxy": b'"2026-11-24 06:16:05","LAPTOP","10.0.0.1","192.0.2.1","198.51.100.7","","ALLOWED","http://a.example/"\n',
    "csv of Splunk without _raw": b'"_time",query,answer\n"2026-11-24T06:16:05Z",www.example.com,198.51.100.7\n',
    "an event log of another kind": b"LfLe\x01\x00\x00\x00",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(57),
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
    "sqlite": b"SQLite format 3\x00\x10\x00\x01\x01",
    "pcap": b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(16),
    "frame streams of something else": b"\0\0\0\0\0\0\0\x14\0\0\0\x02\0\0\0\x01\0\0\0\x08protobuf",
    "zeroes": bytes(4096),
    "all octets": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("head", NO_LOGS.values(), ids=NO_LOGS)
def test_what_is_no_log_is_claimed_by_nobody_and_the_refusal_says_what_can_be_asked_for(head: bytes) -> None:
    with pytest.raises(SourceError, match=r"^no format fits its first bytes; say which it is: bind, coredns, .*, zeek$"):
        FORMATS.by_head(head)


@pytest.mark.parametrize(
    "pattern", ["feedsvc/**/*.py", "docs/*", "rules/*", "scripts/*", "tests/data/pdns/**/*", "tests/**/*.py"]
)
def test_no_program_text_or_answer_of_this_repository_is_a_log(pattern: str) -> None:
    files = [path for path in ROOT.parents[2].glob(pattern) if path.is_file()]
    assert files
    assert {str(path): name for path in files if (name := chosen(path.read_bytes()[:65536]))} == {}


KIN = ({"bind", "infoblox"}, {"sysmon", "msdns"})
"""Formats that may hold lines of each other: of one daemon, or of one event log. A few lines show which it is."""

HEADED = {"defender", "msdns", "splunk", "umbrella", "zeek"}
"""Formats with a header that leaves no doubt, whatever stands below it."""


@pytest.mark.parametrize("path", TEXTS, ids=ident)
def test_a_line_that_is_a_record_shows_its_format_all_alone(path: Path) -> None:
    own = folder_of(path)
    # Of these, lines look like those of named, like those of the log that an index carries, or like nobody's.
    others = {"infoblox": {"bind", ""}, "ecs": {"sysmon", ""}, "eve": {""}}.get(own, set())
    if ident(path) in NEED_SETTINGS:
        others = {""}
    for line in TEXTS[path].splitlines()[:60]:
        parser = FORMATS.by_name(own).format.parser()
        if any(isinstance(found, LogRecord) for found in (*read_line(parser, (0, line, None)), *finish(parser))):
            assert chosen(line + b"\n") in {own, *others}
            assert chosen(line) in {own, *others}


@given(st.data())
def test_lines_of_two_logs_are_of_neither_or_of_the_one_that_has_half_of_them(data: st.DataObject) -> None:
    logs = [data.draw(st.sampled_from(list(TEXTS))) for _ in range(2)]
    drawn = [first_lines(TEXTS[log])[: data.draw(st.integers(1, 10))] for log in logs]
    found = chosen(b"".join(line + b"\n" for line in data.draw(st.permutations([*drawn[0], *drawn[1]]))))
    formats = {folder_of(log) for log in logs}
    assert found in {"", *formats}
    if found and found not in HEADED and formats not in KIN:
        own = sum(len(lines) for log, lines in zip(logs, drawn, strict=True) if folder_of(log) == found)
        assert 2 * own >= len(drawn[0]) + len(drawn[1])


@given(st.binary(max_size=200))
def test_no_bytes_make_a_format_raise(head: bytes) -> None:
    chosen(head)
    assert len(claims(head)) <= 1


@given(st.sampled_from(list(HEADS)), st.data())
def test_no_change_to_a_sample_makes_two_formats_claim_it(path: Path, data: st.DataObject) -> None:
    head = bytearray(HEADS[path][:3000])
    for _ in range(data.draw(st.integers(1, 5))):
        at, size = data.draw(st.integers(0, len(head))), data.draw(st.integers(0, 300))
        head[at : at + size] = data.draw(st.binary(max_size=8) | st.sampled_from([b"\n", b"{", b'"', b"#"]))
    assert len(claims(bytes(head))) <= 1
