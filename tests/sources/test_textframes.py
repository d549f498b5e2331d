"""Text that is no lines, or not of one octet a letter, as frames: whole, in bounded memory, from anywhere on."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources import defender_rows, textframes, winevents
from feedsvc.sources.logfile import MAX_LINE, lines
from feedsvc.sources.port import Line

CODECS = ["latin-1", "utf-16-le", "utf-16-be"]
FRAMES = {
    "lines": (textframes.LINES, textframes.AFTER_LINE_END),
    "events": (winevents.EVENTS, winevents.NEXT_EVENT),
    "rows": (defender_rows.ROWS, textframes.AFTER_LINE_END),
}
MARKS = {"latin-1": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}

PARTS = st.sampled_from([*'a1<>/" \r\n,;{', "<Event>", "</Event>", "<Events>", "\U0001f600", "é"])
TEXTS = st.lists(PARTS).map("".join)


def pieces(text: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield text[at : at + size]
        at += size
    yield text[at:]


def cut(text: bytes, name: str = "lines", sizes: Sequence[int] = (), start: int = 0) -> list[Line]:
    return list(textframes.cut(pieces(text, sizes), start, *FRAMES[name]))


def encoded(text: str, codec: str) -> bytes:
    return MARKS[codec] + text.encode("utf-8" if codec == "latin-1" else codec)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", FRAMES)
@given(text=TEXTS, sizes=st.lists(st.integers(1, 9)))
def test_frames_are_the_same_whatever_blocks_they_come_in(codec: str, name: str, text: str, sizes: list[int]) -> None:
    data = encoded(text, codec)
    assert cut(data, name, sizes) == cut(data, name)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", FRAMES)
@given(text=TEXTS)
def test_each_frame_stands_where_it_says_and_none_overlaps_the_next(codec: str, name: str, text: str) -> None:
    data, at = encoded(text, codec), 0
    for begin, frame, following in cut(data, name):
        assert begin >= at
        assert data[begin:].startswith(frame)
        at = begin + len(frame) if following is None else following
        assert at >= begin + len(frame)
    assert at <= len(data)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", FRAMES)
@given(text=TEXTS.map(lambda text: "a" + text))
def test_reading_goes_on_behind_any_frame(codec: str, name: str, text: str) -> None:
    data = encoded(text, codec)
    whole = cut(data, name)
    for number, (_, _, following) in enumerate(whole, 1):
        rest = data[following:] if following is not None else b""
        if following is None or not rest[:2].strip(b"\0 \t\r\n") or not rest[:2].strip(b"\0").isascii():
            continue  # nothing there, or no letter by which the encoding could be told
        assert cut(rest, name, start=following) == whole[number:]


@given(TEXTS, st.lists(st.integers(1, 9)))
def test_lines_of_two_octet_letters_are_those_of_one_octet_letters(text: str, sizes: list[int]) -> None:
    ascii_text = text.encode("ascii", "replace")
    narrow = [frame for _, frame, _ in lines(iter([ascii_text])) if frame.strip()]
    wide = cut(MARKS["utf-16-le"] + ascii_text.decode().encode("utf-16-le"), sizes=sizes)
    assert [textframes.octets(frame) for _, frame, _ in wide if frame.strip(b"\0 \t\r")] == narrow


@given(st.lists(st.integers(0, 0xFFFF).filter(lambda unit: unit not in {0, 10, 13}), min_size=1))
def test_halves_of_pairs_come_back_as_they_were(units: list[int]) -> None:
    text = b"".join(unit.to_bytes(2, "little") for unit in (65, *units))
    assert [frame for _, frame, _ in cut(b"\xff\xfe" + text + b"\n\0", sizes=[3, 5])] == [text]


class TestTooLarge:
    @pytest.mark.parametrize("codec", CODECS)
    @pytest.mark.parametrize(
        ("name", "long", "following"),
        [
            ("lines", "x" * (MAX_LINE + 9) + "\n", "next\n"),
            ("events", "<Event>" + "x" * (MAX_LINE + 9), "<Event>next</Event>"),
            ("rows", '"' + "x" * (MAX_LINE + 9) + "\n", "next\n"),
        ],
    )
    def test_a_frame_that_is_too_large_is_told_and_the_next_one_read(
        self, codec: str, name: str, long: str, following: str
    ) -> None:
        data = encoded(long + following, codec)
        first, second = cut(data, name, [100_000] * 30)
        assert first[2] == second[0]
        assert first[2] - first[0] > MAX_LINE
        assert len(first[1]) <= MAX_LINE + 200_000
        assert textframes.octets(second[1]).strip() == following.strip().encode()

    @pytest.mark.parametrize("name", FRAMES)
    @pytest.mark.parametrize("text", ["x", '"', "<Event>", "<", "{"])
    def test_memory_is_bounded_however_long_nothing_ends_a_frame(self, name: str, text: str) -> None:
        block = (text * (65536 // len(text) + 1)).encode("utf-16-le")
        tracemalloc.start()
        for _ in textframes.cut((block for _ in range(20)), 0, *FRAMES[name]):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 24 * MAX_LINE


class TestEncodings:
    @pytest.mark.parametrize(
        ("text", "octets"),
        [
            (b"plain", b"plain"),
            (b"\xef\xbb\xbfmarked", b"marked"),
            (b"\xff\xfea\0b\0", b"ab"),
            (b"\xfe\xff\0a\0b", b"ab"),
            (b"a\0\xfc\0", b"a\xc3\xbc"),
            (b"a\0\x00\xd8", "a\ufffd".encode()),
            (b"", b""),
            (b"\xff", b"\xff"),
        ],
    )
    def test_text_is_given_as_utf_8(self, text: bytes, octets: bytes) -> None:
        assert textframes.octets(text) == octets

    @given(st.binary())
    def test_anything_is_given_as_something(self, text: bytes) -> None:
        textframes.octets(text)
        cut(text)
