"""What holds of every format and any log, however hostile: it raises nothing, its state tells all, and it stays small.

What `tests/fuzz/fuzz_logs.py` looks for with much time, these look for with little. Windows' event logs are read by another
process, and have their own tests.
"""

from __future__ import annotations

import gc
import json
import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, count, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc import plugins
from feedsvc.errors import SourceError
from feedsvc.sources.logfile import MAX_LINE, cut, finish, read_line
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import Line, LogFormat, LogParser
from tests.sources.logs import dnstap_making, powerdns_making
from tests.sources.logs.holding import check
from tests.sources.logs.json_making import with_odd_values
from tests.sources.logs.linewise import DATA
from tests.sources.logs.making import Exchange

NAMES = plugins.names("logs")
MEGABYTE = 1024 * 1024
_WORD = re.compile(rb"[A-Za-z0-9_][\w.%-]*")
_NOISE = [
    b"",
    b"\n",
    b"\r\n",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\t",
    b"||",
    b";",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"0" * 40,
]


def samples(name: str) -> list[bytes]:
    """The beginnings of a format's samples."""
    paths = (path for path in sorted(DATA.joinpath(name).glob("*")) if path.suffix not in {".md", ".gz", ".evtx"})
    return [path.read_bytes()[:4000] for path in paths]


SAMPLES = {name: samples(name) for name in NAMES}
CHECKS = {name: check(name) for name in NAMES}


@st.composite
def mutated(draw: st.DrawFn, name: str) -> bytes:
    """A sample with some of its octets changed, cut, doubled, or from another place."""
    log = bytearray(draw(st.sampled_from(SAMPLES[name])))
    for _ in range(draw(st.integers(1, 6))):
        at, size = draw(st.integers(0, len(log))), draw(st.sampled_from([0, 0, 1, 2, 20, 500]))
        begin = draw(st.integers(0, len(log)))
        other = draw(st.binary(max_size=6) | st.sampled_from(_NOISE) | st.just(bytes(log[begin : begin + size])))
        log[at : at + size] = other
    return bytes(log)


@pytest.mark.parametrize("name", NAMES)
@given(log=st.binary(max_size=400))
def test_no_octets_break_a_promise(name: str, log: bytes) -> None:
    CHECKS[name](log)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_no_change_to_a_sample_breaks_a_promise(name: str, data: st.DataObject) -> None:
    CHECKS[name](data.draw(mutated(name)))


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("name", NAMES)
def test_a_log_is_the_same_however_small_its_pieces_are(name: str, size: int) -> None:
    for log in SAMPLES[name]:
        form = Formats(name).by_head(log).format
        blocks = (log[at : at + size] for at in range(0, len(log), size))
        assert frames_of(form, blocks) == frames_of(form, iter([log]))


def frames_of(form: LogFormat, blocks: Iterator[bytes]) -> list[Line]:
    """The frames of a log, as far as it can be cut."""
    found: list[Line] = []
    with suppress(SourceError):
        found.extend(cut(form, blocks))
    return found


JSON_LINES = {
    name: lines
    for name in NAMES
    if (
        lines := [
            line for text in SAMPLES[name] for line in text.splitlines() if line.startswith(b"{") and line.endswith(b"}")
        ]
    )
}


@pytest.mark.parametrize("name", JSON_LINES)
@given(data=st.data())
def test_no_value_in_the_place_of_another_breaks_a_promise(name: str, data: st.DataObject) -> None:
    lines = data.draw(st.lists(st.sampled_from(JSON_LINES[name]).filter(_is_json), min_size=1, max_size=3))
    log = b"".join(data.draw(with_odd_values(line)) + b"\n" for line in lines)
    CHECKS[name](log)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


# -- room ----------------------------------------------------------------------------------------------------------------


def read_blocks(form: LogFormat, blocks: Iterator[bytes]) -> LogParser:
    """Read a whole log and keep nothing of it; returns the parser."""
    parser = form.parser()
    try:
        for line in cut(form, blocks):
            for _ in read_line(parser, line):
                pass
    except SourceError:
        pass
    return parser


def traced(act: Callable[[], object]) -> tuple[int, int]:
    """Octets that were taken at most while something was done, and that are still taken when it is over."""
    gc.collect()
    tracemalloc.start()
    try:
        act()
        gc.collect()
        left, most = tracemalloc.get_traced_memory()
        return most, left
    finally:
        tracemalloc.stop()


BEGINNINGS = {
    "nothing": b"",
    "an array": b'[{"a":"',
    "an object": b'{"ts":1.5,"uid":"C1","query":"',
    "a quote": b'"2026-11-24 06:16:07","',
    "xml": b"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>",
    "utf-16": b"\xff\xfe\0",
    "a frame": b"\0\0\0\0\0\0\0\x14",
}


@pytest.mark.parametrize("begin", BEGINNINGS.values(), ids=BEGINNINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_line_without_an_end_takes_the_room_of_a_few(name: str, begin: bytes) -> None:
    def read() -> None:
        form = Formats(name).by_head(begin).format
        read_blocks(form, chain([begin], (b"ab\0 " * 16384 for _ in range(12 * 16))))

    most, left = traced(read)
    assert most < 4 * MAX_LINE
    assert left < MEGABYTE


def with_long_values(name: str) -> Iterator[bytes]:
    """A format's lines or frames, each with one value that is long, and never the same."""
    numbers = count()
    if name == "powerdns":
        return (_powerdns(b"%d" % number * 2000) for number in range(1000, 3000))
    if name == "dnstap":
        return (_dnstap(b"%d" % number * 2000) for number in range(1000, 3000))
    lines = [line for text in SAMPLES[name] for line in text.split(b"\n")[:12] if b"\0" not in line]
    return (
        line[: word.start()] + fill * (6000 // len(fill)) + line[word.end() :] + b"\n"
        for line in lines
        for word in islice(_WORD.finditer(line), 40)
        for fill in (b"%d" % next(numbers), b"x%d." % next(numbers), b"%x:" % next(numbers))
    )


def _powerdns(value: bytes) -> bytes:
    made = powerdns_making.message(powerdns_making.RESPONSE, Exchange("a.example.net", answers=("198.51.100.7",)))
    setattr(made, "from", value)
    made.originalRequestorSubnet = value
    return powerdns_making.frame(made)


def _dnstap(value: bytes) -> bytes:
    one = Exchange("a.example.net", answers=("198.51.100.7",))
    return dnstap_making.frame(dnstap_making.message("CLIENT_RESPONSE", one, query_address=value))


@pytest.mark.parametrize("name", NAMES)
def test_no_long_value_is_remembered(name: str) -> None:
    blocks = list(with_long_values(name))
    if name == "dnstap":
        blocks.insert(0, dnstap_making.BEGIN)
    form = Formats(name).by_name(name).format
    assert sum(map(len, blocks)) > 4 * MEGABYTE
    _, left = traced(lambda: finish(read_blocks(form, iter(blocks))))
    assert left < MEGABYTE // 4


@pytest.mark.parametrize("name", NAMES)
def test_the_state_stays_small_however_much_is_under_way(name: str) -> None:
    lines = [line for text in SAMPLES[name] for line in text.split(b"\n") if len(line) < 2000]
    parser = Formats(name).by_name(name).format.parser()
    for number in range(20_000):
        line = lines[number % len(lines)]
        changed = _WORD.sub(rb"\g<0>%d" % number, line) if number % 3 else line
        for _ in read_line(parser, (number * 1000, changed, None)):
            pass
    assert len(parser.state()) < MEGABYTE


@settings(max_examples=25)
@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(max_size=200))
def test_no_state_of_somebody_else_makes_a_parser_raise_but_what_it_should(name: str, text: str) -> None:
    try:
        parser = Formats(name).by_name(name).format.parser(text)
    except SourceError:
        return
    parser.parse(b"hello", 0)
