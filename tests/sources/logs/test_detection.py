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
from feedsvc.sources.logfile import LogDamaged, LogFile, peek
from feedsvc.sources.logs import IN_STREAM, Formats

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


HEADS = {path: head_of(path) for path in GOOD}
TEXTS = {
    path: head for path, head in HEADS.items() if not re.search(rb"[\x00-\x08]", head) and not jsonstream.is_stream(head)
}


KIN = ({"bind", "infoblox"}, {"sysmon", "msdns"})
"""Formats that may hold lines of each other: of one daemon, or of one event log. A few lines show which it is."""

HEADED = {"defender", "msdns", "splunk", "umbrella", "zeek"}
"""Formats with a header that leaves no doubt, whatever stands below it."""


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
