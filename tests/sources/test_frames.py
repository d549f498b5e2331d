"""Logs that are no lines: every frame once, whatever the blocks, and a way back to where frames begin."""

from __future__ import annotations

import itertools
import re
import struct
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fstrm import FstrmCodec  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources import framestreams
from feedsvc.sources.frames import LOST, Cutter, Framing, cut
from feedsvc.sources.framestreams import ACCEPT, FINISH, READY, START, STOP, Control, control_of, data_of, is_control
from feedsvc.sources.logfile import MAX_LINE, SAMPLE, LogDamaged
from feedsvc.sources.port import Line
from feedsvc.sources.readings import Unreadable

TYPE = b"protobuf:dnstap.Dnstap"
FRAMING = framestreams.framing(TYPE, range(256), lambda data: data[:1] != b"!")
BEGIN = framestreams.start(TYPE)
END = struct.pack("!III", 0, 4, STOP)


def data(payload: bytes) -> bytes:
    return struct.pack("!I", len(payload)) + payload


def in_pieces(text: bytes, cuts: list[int]) -> Iterator[bytes]:
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return iter([text[start:end] for start, end in itertools.pairwise(borders)])


def cut_all(text: bytes, start: int = 0) -> list[Line]:
    return list(cut(FRAMING, iter([text]), start))


FRAMES = st.lists(
    st.binary(min_size=1, max_size=40).map(data) | st.sampled_from([BEGIN, END, data(BEGIN), data(b"\0\0\0\0")]), max_size=12
)


class TestFrames:
    @given(FRAMES, st.lists(st.integers(0, 400)), st.integers(0, 10**12))
    def test_every_frame_is_given_once_however_the_blocks_fall(self, made: list[bytes], cuts: list[int], start: int) -> None:
        found = list(cut(FRAMING, in_pieces(b"".join(made), cuts), start))
        assert [frame for _, frame, _ in found] == made
        ends = [start + end for end in itertools.accumulate(map(len, made))]
        assert [following for _, _, following in found] == ends
        assert [offset for offset, _, _ in found] == [start, *ends][: len(made)]

    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
    def test_the_protocols_own_codec_reads_the_same(self, payloads: list[bytes]) -> None:
        text = BEGIN + b"".join(map(data, payloads)) + END
        codec, theirs = FstrmCodec(), []
        codec.append(text)
        while codec.process():
            kind, content_types, payload = codec.decode()
            theirs.append((kind, payload) if kind == 0 else (kind, tuple(content_types)))
        ours = [tuple(control_of(frame)) if is_control(frame) else (0, data_of(frame)) for _, frame, _ in cut_all(text)]
        assert ours == theirs

    def test_from_a_socket_a_frame_is_given_as_soon_as_its_last_octet_is_there(self) -> None:
        cutter, frame = Cutter(FRAMING.without_marks()), data(b"abc")
        given = [list(cutter.feed(bytes([octet]))) for octet in frame + frame]
        assert [index for index, frames in enumerate(given) if frames] == [6, 13]

    @given(FRAMES, st.binary(min_size=1, max_size=60).map(data), st.data())
    def test_what_is_not_whole_comes_last_and_torn(self, made: list[bytes], last: bytes, draw: st.DataObject) -> None:
        torn = last[: draw.draw(st.integers(1, len(last) - 1))]
        *before, found = cut(FRAMING.without_marks(), iter([b"".join(made) + torn]))
        assert [frame for _, frame, _ in before] == made
        assert found == (sum(map(len, made)), torn, None)

    def test_a_mark_within_a_frame_that_is_sound_is_none(self) -> None:
        text = data(b"x" + BEGIN + data(b"forged"))
        assert [frame for _, frame, _ in cut_all(text)] == [text]

    def test_a_mark_within_one_that_is_not_is_where_the_next_begins(self) -> None:
        text = data(b"! cut short here: " + BEGIN + data(b"after"))
        assert [frame for _, frame, _ in cut_all(text)] == [text[:22], BEGIN, data(b"after")]

    @pytest.mark.parametrize("taken", range(1, len(BEGIN)))
    def test_it_is_also_where_a_frame_took_the_beginning_of_the_mark_alone(self, taken: int) -> None:
        broken = data(b"!" * 50 + b"?" * taken)[:-taken]
        found = cut_all(broken + BEGIN + data(b"after"))
        assert [frame for _, frame, _ in found] == [broken, BEGIN, data(b"after")]

    def test_a_frame_that_is_not_whole_ends_at_a_mark_as_well(self) -> None:
        broken = data(b"!" * 5000)[:20]
        found = cut_all(broken + BEGIN + data(b"after"))
        assert [frame for _, frame, _ in found] == [broken, BEGIN, data(b"after")]


class TestLost:
    @pytest.mark.parametrize(
        "broken",
        [
            data(b"! of which most is missing")[:20],
            struct.pack("!I", MAX_LINE - 3) + b"x",
            struct.pack("!I", 2**32 - 1) + b"x" * 1000,
            struct.pack("!II", 0, 3) + b"abc",
            struct.pack("!II", 0, 513),
            bytes(5000),
        ],
        ids=["cut short", "a little too large", "far too large", "control too short", "control too long", "a hole"],
    )
    def test_the_next_stream_is_found_behind_what_is_broken(self, broken: bytes) -> None:
        good = BEGIN + data(b"a" * 40) + END
        text = BEGIN + data(b"before") + broken + good * 3
        found = cut_all(text)
        assert [frame for _, frame, _ in found[:2]] == [BEGIN, data(b"before")]
        assert [frame for _, frame, _ in found[-9:]] == [BEGIN, data(b"a" * 40), END] * 3
        assert [offset for offset, _, _ in found[1:]] == [following for _, _, following in found[:-1]]
        assert len(found) == 12

    @given(st.lists(st.integers(0, 3000)), st.integers(0, 1000))
    def test_it_is_found_however_the_blocks_fall(self, cuts: list[int], size: int) -> None:
        text = struct.pack("!I", 2**31) + b"\0" * size + BEGIN + data(b"after")
        (begin, sample, following), *rest = cut(FRAMING, in_pieces(text, cuts))
        assert (begin, following) == (0, 4 + size)
        assert text.startswith(sample)
        assert len(sample) <= SAMPLE
        assert [frame for _, frame, _ in rest] == [BEGIN, data(b"after")]

    @pytest.mark.parametrize("broken", [struct.pack("!I", 2**31), struct.pack("!II", 0, 3), bytes(8)])
    def test_what_was_passed_over_is_no_frame_for_whoever_reads_it(self, broken: bytes) -> None:
        (_, sample, _), *_ = cut_all(broken + b"x" * 50 + BEGIN)
        with pytest.raises(Unreadable):
            (control_of if is_control(sample) else data_of)(sample)

    def test_a_frame_larger_than_may_be_is_passed_over_and_told_by_its_offsets(self) -> None:
        large = data(b"y" * (MAX_LINE + 5))
        found = cut_all(large + data(b"after"))
        assert found == [(0, large[:SAMPLE], len(large)), (len(large), data(b"after"), len(large) + 9)]

    @pytest.mark.parametrize("broken", [struct.pack("!I", 2**31) + b"x" * 50, struct.pack("!II", 0, 7000)])
    def test_a_log_without_another_stream_is_damaged_from_there_on(self, broken: bytes) -> None:
        frames = cut(FRAMING, iter([data(b"abc"), broken]), 1000)
        assert next(frames) == (1000, data(b"abc"), 1007)
        with pytest.raises(LogDamaged, match="no frame begins at byte 1007") as damage:
            next(frames)
        assert damage.value.permanent

    def test_a_hole_without_bounds_costs_no_memory(self) -> None:
        blocks = itertools.chain([bytes(8)], itertools.repeat(bytes(1 << 20), 200), [BEGIN])
        tracemalloc.start()
        try:
            found = list(cut(FRAMING, blocks))
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert [frame for _, frame, _ in found[1:]] == [BEGIN]
        assert found[0][2] == 8 + (200 << 20)
        assert most < 8 << 20

    def test_broken_frames_that_reach_over_each_other_are_not_gone_through_again_and_again(self) -> None:
        asked: list[int] = []

        def is_sound(frame: bytes) -> bool:
            asked.append(len(frame))
            return False

        text = (struct.pack("!I", MAX_LINE // 2) + b"!" + BEGIN) * 40_000
        found = list(cut(replace(FRAMING, sound=is_sound), iter([text])))
        assert len(found) == 80_000
        assert sum(asked) < 8 * MAX_LINE

    @given(st.binary(max_size=400), st.lists(st.integers(0, 400)))
    def test_any_bytes_are_cut_without_gaps_or_end_in_damage(self, text: bytes, cuts: list[int]) -> None:
        at = 0
        try:
            for offset, frame, following in cut(FRAMING, in_pieces(text, cuts)):
                assert offset == at
                assert text.startswith(frame, offset)
                assert following is None or offset + len(frame) <= following
                at = offset + len(frame) if following is None else following
        except LogDamaged as damage:
            assert f"byte {at}," in str(damage)  # noqa: PT017 - either end is a good one
        else:
            assert at == len(text)

    @given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
    def test_blocks_make_no_difference_where_the_place_is_lost_either(self, text: bytes, cuts: list[int]) -> None:
        framing = Framing(
            size=lambda buffer, at: 0 if len(buffer) - at < 1 else (buffer[at] % 5 or LOST),
            sound=lambda frame: frame[0] < 128,
            mark=re.compile(b"\1\2\3|\4"),
            mark_size=3,
        )

        def outcome(blocks: Iterator[bytes]) -> list[Line]:
            found: list[Line] = []
            try:
                found.extend(cut(framing, blocks))
            except LogDamaged:
                found.append((-1, b"", None))
            return found

        assert outcome(in_pieces(text, cuts)) == outcome(iter([text]))


class TestControlFrames:
    def test_a_start_names_its_content_type(self) -> None:
        assert control_of(BEGIN) == Control(START, (TYPE,))

    @pytest.mark.parametrize("kind", [ACCEPT, START, STOP, READY, FINISH])
    def test_a_frame_without_fields_is_one(self, kind: int) -> None:
        assert control_of(struct.pack("!III", 0, 4, kind)) == Control(kind)

    def test_several_content_types_are_all_read_and_other_fields_passed_over(self) -> None:
        fields = b"".join(struct.pack("!II", field, len(text)) + text for field, text in [(1, b"a"), (2, b"b"), (1, b"")])
        frame = struct.pack("!III", 0, 4 + len(fields), READY) + fields
        assert control_of(frame) == Control(READY, (b"a", b""))

    @pytest.mark.parametrize(
        "frame",
        [
            b"", b"\0\0\0\0", BEGIN[:-1], BEGIN[:11], data(b"abcdefgh"),
            struct.pack("!IIIII", 0, 12, START, 1, 5),
            struct.pack("!IIII", 0, 8, START, 1),
        ],
    )  # fmt: skip
    def test_what_is_none_is_refused(self, frame: bytes) -> None:
        with pytest.raises(Unreadable):
            control_of(frame)

    @given(st.binary(max_size=60))
    def test_no_octets_make_it_raise_anything_else(self, frame: bytes) -> None:
        for read in (control_of, data_of):
            try:
                read(frame)
            except Unreadable:
                continue
