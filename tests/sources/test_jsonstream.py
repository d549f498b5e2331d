"""JSON streams cut into their elements: any layout, any blocks, and streams that are broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources.jsonstream import JsonStream, as_lines, elements, is_stream
from feedsvc.sources.logfile import BLOCK, MAX_LINE, SAMPLE, cut, finish, read_line
from feedsvc.sources.logs import zeek
from feedsvc.sources.port import BadLine, Line, LogRecord
from tests.sources.logs import making
from tests.sources.logs.reading import LATER, Reader, expected, once

Json = dict[str, object]

TEXTS = st.text(max_size=8) | st.sampled_from(['"', "\\", "{", "}", "[", "]", ",", '\\"', "},{", "\n"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=6)
CUTS = st.lists(st.integers(0, 600), max_size=8)


def write(objects: list[Json], layout: str) -> bytes:
    text = {
        "array": lambda: json.dumps(objects),
        "tight": lambda: json.dumps(objects, separators=(",", ":")),
        "laid out": lambda: json.dumps(objects, indent=2),
        "unescaped": lambda: json.dumps(objects, ensure_ascii=False),
        "two arrays": lambda: json.dumps(objects[:2]) + "\n" + json.dumps(objects[2:]),
        "objects": lambda: "".join(map(json.dumps, objects)),
        "objects laid out": lambda: "\n".join(json.dumps(one, indent=1) for one in objects),
        "lines": lambda: "".join(json.dumps(one) + "\n" for one in objects),
    }[layout]()
    return text.encode("utf-8", "surrogatepass")


LAYOUTS = ["array", "tight", "laid out", "unescaped", "two arrays", "objects", "objects laid out", "lines"]


def in_pieces(text: bytes, cuts: list[int]) -> Iterator[bytes]:
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return iter([text[start:end] for start, end in pairwise(borders)])


def loads(frames: list[Line]) -> list[Json]:
    return [json.loads(text.decode("utf-8", "surrogatepass")) for _, text, _ in frames]


class TestCutting:
    @given(OBJECTS, st.sampled_from(LAYOUTS), CUTS)
    def test_every_object_is_an_element_whatever_the_layout_and_the_blocks(
        self, objects: list[Json], layout: str, cuts: list[int]
    ) -> None:
        text = write(objects, layout)
        frames = list(elements(in_pieces(text, cuts)))
        assert loads(frames) == objects
        assert all(text[offset : offset + len(frame)] == frame for offset, frame, _ in frames)
        assert all(following == offset + len(frame) for offset, frame, following in frames)

    @given(OBJECTS, st.sampled_from(LAYOUTS), CUTS)
    def test_reading_goes_on_behind_any_element(self, objects: list[Json], layout: str, cuts: list[int]) -> None:
        text = write(objects, layout)
        frames = list(elements(iter([text])))
        for number, (_, _, following) in enumerate(frames):
            assert following is not None
            assert list(elements(in_pieces(text[following:], cuts), following)) == frames[number + 1 :]

    @given(OBJECTS, st.sampled_from(LAYOUTS), st.integers(0, 600))
    def test_what_is_torn_comes_last_and_as_such(self, objects: list[Json], layout: str, size: int) -> None:
        text = write(objects, layout)
        whole, torn = list(elements(iter([text]))), list(elements(iter([text[:size]])))
        done = [frame for frame in torn if frame[2] is not None]
        assert done == whole[: len(done)]
        assert len(torn) - len(done) <= 1
        assert all(text[:size].endswith(frame) for _, frame, following in torn if following is None)

    def test_objects_nested_deeper_than_one_pattern_reaches_are_elements(self) -> None:
        deep = b'{"a":' * 50 + b'"}"' + b"}" * 50
        assert [text for _, text, _ in elements(iter([b"[" + deep + b"," + deep + b"]"]))] == [deep, deep]

    @given(
        OBJECTS.filter(bool), st.sampled_from(["hits", "results", "events", "logEvents"]), st.sampled_from([None, 2]), CUTS
    )
    def test_an_object_around_all_of_them_is_looked_into(
        self, objects: list[Json], key: str, indent: int | None, cuts: list[int]
    ) -> None:
        before = {"took": 5, "text": 'a\\"b', "_shards": {"failed": 0}, "fields": [{"name": "x"}]}
        after = {"nextToken": "x{y", "max_score": 1.5, "more": None, "list": []}
        text = json.dumps({"around": before | {key: objects} | after}, indent=indent).encode()
        frames = list(elements(in_pieces(text, cuts)))
        assert is_stream(text)
        assert loads(frames) == objects
        for number, (_, _, following) in enumerate(frames):
            assert following is not None
            assert list(elements(in_pieces(text[following:], cuts), following)) == frames[number + 1 :]

    def test_an_object_around_records_is_no_stream_when_it_is_one_of_several(self) -> None:
        line = b'{"results":[{"a":1},{"b":2}]}'
        assert [text for _, text, _ in elements(iter([line + line]))] == [line, line]
        assert not is_stream(line + b"\n" + line)

    def test_a_byte_order_mark_is_no_element(self) -> None:
        assert list(elements(iter([b'\xef\xbb\xbf[{"a":1}]']))) == [(4, b'{"a":1}', 11)]


class TestBrokenStreams:
    @pytest.mark.parametrize(
        ("broken", "intact"),
        [
            (b'[{"a":1},\n{"b":"lost quote},\n{"c":2},{"d":3}]', [b'{"a":1}', b'{"c":2}', b'{"d":3}']),
            (b'[{"a":1},17,"text",{"c":2}]', [b'{"a":1}', b'{"c":2}']),
            (b'[{"a":1}\n{"c":2} what,{"d":3}]', [b'{"a":1}', b'{"c":2}', b'{"d":3}']),
            (b'[{"a":1}, cut shor\n[{"c":2}]', [b'{"a":1}', b'{"c":2}']),
        ],
        ids=["lost quote", "no objects", "rubbish between them", "cut, and begun again"],
    )
    def test_what_is_no_element_is_told_and_the_others_are_found(self, broken: bytes, intact: list[bytes]) -> None:
        frames = [text for _, text, _ in elements(iter([broken]))]
        assert [text for text in frames if text in intact] == intact
        assert len(frames) > len(intact)

    def test_an_element_without_its_end_costs_a_mebibyte_at_most(self) -> None:
        lost = b'[{"a":[{"b":1},'
        rest = b"".join(b'{"number":%d,"text":"%b"},' % (number, b"x" * 200) for number in range(8000))
        frames = list(elements(in_pieces(lost + rest + b'{"last":1}]', list(range(0, 2_000_000, BLOCK)))))
        (long,) = [one for one in frames if len(one[1]) == SAMPLE]
        assert long[0] == 1
        assert [text for _, text, _ in frames][-1] == b'{"last":1}'
        found = [json.loads(text)["number"] for _, text, _ in frames if text.startswith(b'{"number"')]
        assert found == list(range(8000 - len(found), 8000))
        assert (8000 - len(found)) * 220 < MAX_LINE + 2 * BLOCK

    def test_an_element_that_is_too_long_is_told_and_not_kept(self) -> None:
        giant = b'{"a":[' + b'"x",' * 500_000 + b'"x"]}'
        text = b'[{"b":1},' + giant + b',{"c":1}]'
        frames = list(elements(in_pieces(text, list(range(0, len(text), BLOCK)))))
        assert max(len(frame) for _, frame, _ in frames[:2]) == SAMPLE
        assert frames[-1][1] == b'{"c":1}'
        parser = JsonStream(zeek.build(zeek.Options())).parser()
        (judged,) = read_line(parser, frames[1])
        assert isinstance(judged, BadLine)
        assert "longer than" in judged.reason

    @pytest.mark.parametrize(
        "piece", [b"{", b'[{"a', b'{"a":"b\\', b"{},{", b"{{},{", b'{"a":[', b'"', b"[", b'[{"a\n', b"}", b"x"]
    )
    def test_no_bytes_without_end_are_kept(self, piece: bytes) -> None:
        blocks = (piece * (65536 // len(piece)) for _ in range(40))
        assert all(len(text) <= MAX_LINE + 65536 for _, text, _ in elements(blocks))

    @given(
        st.binary(max_size=60)
        | st.lists(st.sampled_from(['{"a":', '"b"', "}", "{", "[", "]", ",", "\n", '"', "\\", '"k": 1', "x", " "])).map(
            lambda pieces: "".join(pieces).encode()
        ),
        CUTS.map(lambda cuts: [cut // 4 for cut in cuts]),
    )
    def test_where_blocks_end_does_not_matter(self, text: bytes, cuts: list[int]) -> None:
        assert list(elements(in_pieces(text, cuts))) == list(elements(iter([text])))
        assert list(elements(in_pieces(text, cuts), 7)) == list(elements(iter([text]), 7))

    @given(st.binary(max_size=200), CUTS)
    def test_any_bytes_are_cut_in_order_and_without_overlap(self, text: bytes, cuts: list[int]) -> None:
        at = 0
        for offset, frame, following in elements(in_pieces(text, cuts)):
            assert offset >= at
            assert text[offset : offset + len(frame)] == frame
            at = offset + len(frame)
            assert following in {at, None}


class TestDetection:
    @pytest.mark.parametrize(
        "head",
        [
            b'[{"a":1}',
            b' [\r\n\t{ "a',
            b"\xef\xbb\xbf[{",
            b"[[{",
            b'{\n  "a": 1\n}\n',
            b'{"a":1}{"a":2}',
            b'{"a":{"b":[1]}}  {"a":2}\n',
            b'{"took":1,"hits":{"total":1,"hits":[{"_index":"a"',
            b'{"results":[{"a":1}]}\n',
        ],
    )
    def test_arrays_and_objects_that_are_no_lines_are_streams(self, head: bytes) -> None:
        assert is_stream(head)

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"[",
            b"[]",
            b"[INFO] 10.0.0.1:1",
            b'["a"]',
            b'{"a":1}\n{"a":2}',
            b'{"a":1}',
            b'{"a',
            b"{}",
            b"hello {\n",
            b"{{",
        ],
    )
    def test_anything_else_is_none(self, head: bytes) -> None:
        assert not is_stream(head)

    @pytest.mark.parametrize(
        "torn", [b'{"a":1,"b":"c', b'{"a":"b"', b'{"a":1,', b'{"a":{"b":1}', b'{"a":{"b":1},"c', b'{"a":tr']
    )
    def test_a_torn_first_line_does_not_make_the_next_one_hold_all_others(self, torn: bytes) -> None:
        envelope = b'{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","message":"x"}]}\n'
        assert not is_stream(torn + b"\n" + envelope * 3)

    @pytest.mark.parametrize(
        "before", [b"", b'"took":1,"_shards":{"total":1,"x":[1,[2]]},"hits":{"total":{"value":1},"max_score":1.5,']
    )
    @pytest.mark.parametrize("layout", [b"%b", b"\n %b", b" %b"])
    def test_what_is_around_records_may_be_any_object(self, before: bytes, layout: bytes) -> None:
        head = b"{" + layout % before + b'"hits" : [\n {"a":1}, {"a":2'
        assert is_stream(head)
        assert as_lines(head) == b'{"a":1}\n'

    def test_its_elements_are_shown_as_lines(self) -> None:
        assert as_lines(b'[\n  {\n    "a": "b c"\n  },\n  {"d": 1}, {"cut') == b'{"a":"b c"}\n{"d": 1}\n'

    def test_an_element_that_no_json_decoder_takes_is_one_line_all_the_same(self) -> None:
        assert as_lines(b'[{"a":\n\xff,}, {"b":1}]') == b'{"a": \xff,}\n{"b":1}\n'


class TestFormat:
    @pytest.mark.parametrize("indent", [None, 2])
    def test_a_stream_has_the_records_of_its_lines_at_its_own_offsets(self, indent: int | None) -> None:
        log = making.traffic(seed=5, size=50)
        lines = [making.json_line(one) for one in log]
        text = json.dumps([json.loads(line) for line in lines], indent=indent).encode()
        form = zeek.build(zeek.Options())
        stream = JsonStream(form)
        assert stream.recognises(text)
        assert not stream.recognises(b"".join(lines))
        parser = stream.parser()
        found = [one for frame in cut(stream, iter([text])) for one in read_line(parser, frame)]
        expected = [one for line in lines for one in read_line(form.parser(), (0, line, 1))]
        assert found
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == [
            one.rrname for one in expected if isinstance(one, LogRecord)
        ]
        assert all(text[one.offset : one.offset + 1] == b"{" for one in found)
        assert finish(parser) == ()

    def test_the_state_is_that_of_the_records_parser(self) -> None:
        stream = JsonStream(zeek.build(zeek.Options()))
        header = zeek.build(zeek.Options()).parser()
        header.parse(b"#fields\tquery", 0)
        assert stream.parser(header.state()).state() == header.state()


class TestFollowing:
    def test_an_array_that_grows_is_read_on_from_poll_to_poll(self, tmp_path: Path) -> None:
        log = tmp_path / "dns.json"
        reader = Reader(str(log), form="auto")
        elements_of = [making.json_line(making.hit(name)).rstrip() for name in "abcdef"]
        for size in (1, 2, 2, 5, 6):
            log.write_bytes(b"[\n" + b",\n".join(elements_of[:size]) + b"\n]\n")
            reader.poll_all()
        assert reader.names() == once(*"abcdef")
        assert reader.refused == []

    def test_whoever_dies_between_two_batches_goes_on_exactly_there(self, tmp_path: Path) -> None:
        log = [making.hit(f"n{number}", number) for number in range(200)]
        (tmp_path / "dns.json").write_bytes(b"[" + b",".join(making.json_line(one).rstrip() for one in log) + b"]")
        reader = Reader(f"{tmp_path}/*", batch_facts=7)
        for _ in range(30):
            reader.poll_and_die(2)
        reader.poll_all(LATER)
        assert reader.seen == expected(log)

    def test_a_configured_format_reads_streams_as_well(self, tmp_path: Path) -> None:
        (tmp_path / "dns.json").write_bytes(b"[" + making.json_line(making.hit("a")) + b"]")
        reader = Reader(f"{tmp_path}/*", form="zeek")
        reader.poll_all(LATER)
        reader.poll_all(LATER)
        assert reader.names() == once("a")
