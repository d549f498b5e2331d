"""Logs of lines read as a follower reads them: whole, in two pieces with nothing but the state between, and broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import strategies as st

from feedsvc.names import parse_name
from feedsvc.sources.logfile import finish, lines, read_line
from feedsvc.sources.port import BadLine, LogFormat, LogParser, LogRecord

DATA = Path(__file__).parents[2] / "data" / "logs"

Found = list[LogRecord | BadLine]


def noon() -> datetime:
    """The moment at which tests read logs whose times have no year."""
    return datetime(2026, 11, 24, 12, tzinfo=UTC)


def read(form: LogFormat, text: bytes) -> Found:
    """Everything that a log says, from its beginning to its end."""
    parser = form.parser()
    return [*_go_on(parser, text, 0), *finish(parser)]


def records(form: LogFormat, text: bytes) -> list[LogRecord]:
    """The records of a log in which nothing is broken."""
    found = read(form, text)
    assert not [one for one in found if isinstance(one, BadLine)]
    return [one for one in found if isinstance(one, LogRecord)]


def sample(form: LogFormat, *place: str) -> list[LogRecord]:
    """The records of a file below `tests/data/logs`."""
    return records(form, DATA.joinpath(*place).read_bytes())


def reasons(form: LogFormat, text: bytes) -> list[str]:
    """Why lines were refused; each is told with its place and its beginning."""
    bad = [one for one in read(form, text) if isinstance(one, BadLine)]
    assert all(text[one.offset :].startswith(one.line) for one in bad)
    return [one.reason for one in bad]


def read_in_two(form: LogFormat, text: bytes, cut: int) -> Found:
    """The same as `read`, by one parser up to a line end, and by another that is given its state from there on."""
    at = text.rfind(b"\n", 0, cut) + 1
    first = form.parser()
    found = _go_on(first, text[:at], 0)
    second = form.parser(first.state())
    return [*found, *_go_on(second, text[at:], at), *finish(second)]


def assert_no_cut_shows(form: LogFormat, text: bytes) -> None:
    """Reading may stop behind any line."""
    whole = read(form, text)
    for cut in range(len(text) + 1):
        if cut == len(text) or text[cut - 1 : cut] == b"\n":
            assert read_in_two(form, text, cut) == whole


def assert_sound(found: Found) -> None:
    """Whatever the bytes were: names are canonical, times are ones, and samples are short."""
    for one in found:
        if isinstance(one, BadLine):
            assert len(one.line) <= 200
        else:
            assert 0 <= one.time < 253402300800
            assert one.rrname or (one.kind == "connection" and one.answers)
            assert all(parse_name(name) == name for name in (one.rrname, *one.chain) if name)
            assert one.client is None or (one.client.isascii() and one.client.isprintable())


def broken(originals: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Real lines with pieces taken out, put in, doubled, or from another line."""
    line = st.sampled_from(originals)
    noise = st.one_of(
        st.binary(max_size=8), st.sampled_from([b" ", b'"', b"\\", b": ", b" is ", b" from ", b"#", b"[", b"]", b"'"])
    )

    def put(text: bytes, other: bytes, at: int, length: int, piece: bytes) -> bytes:
        at %= len(text) + 1
        changed = text[:at] + piece + text[at + length :]
        return changed + other[at:] if length == 7 else changed

    changed = st.builds(put, line, line, st.integers(0, 400), st.integers(0, 12), noise)
    return st.one_of(changed, st.builds(put, changed, line, st.integers(0, 400), st.integers(0, 12), noise)).map(_one_line)


def lines_of(*place: str) -> list[bytes]:
    """The lines of a file below `tests/data/logs`."""
    return DATA.joinpath(*place).read_bytes().splitlines()


def _one_line(text: bytes) -> bytes:
    return text.replace(b"\n", b" ").replace(b"\r", b" ")


def _go_on(parser: LogParser, text: bytes, start: int) -> Found:
    return [one for line in lines(iter([text]), start) for one in read_line(parser, line)]


Reader = Callable[[bytes], Found]
