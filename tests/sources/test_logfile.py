"""Log files as lines: every compression, every kind of damage, bounded lines, exact offsets."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.sources import heads
from feedsvc.sources.logfile import (
    BLOCK,
    HEAD,
    MAX_LINE,
    SAMPLE,
    LogDamaged,
    LogFile,
    cut,
    expand,
    finish,
    lines,
    peek,
    read_line,
)
from feedsvc.sources.logs import zeek
from feedsvc.sources.port import BadLine, Line

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"".join(b"line %d of a log, long enough to be compressed well\n" % number for number in range(20_000))

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.fixture(params=list(COMPRESSIONS), ids=lambda kind: kind or "plain")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(folder: Path, data: bytes) -> str:
    path = folder / "a.log"
    path.write_bytes(data)
    return str(path)


def read_up_to_damage(path: str) -> tuple[bytes, str]:
    """All that can be read, and how it ended."""
    taken = bytearray()
    with LogFile.open(path) as log:
        try:
            for block in log.blocks():
                taken += block
        except LogDamaged as err:
            return bytes(taken), str(err)
    return bytes(taken), ""


def byte_by_byte(data: bytes) -> bytes:
    """All that zlib makes of a gzip before it finds the fault."""
    member, taken = zlib.decompressobj(wbits=31), bytearray()
    with suppress(zlib.error):
        for byte in data:
            taken += member.decompress(bytes([byte]))
    assert not member.eof
    return bytes(taken)


class TestCompression:
    def test_it_is_found_by_content_whatever_the_file_is_called(self, tmp_path: Path, kind: str) -> None:
        path = write(tmp_path, COMPRESSIONS[kind](TEXT))
        with LogFile.open(path) as log:
            assert log.compression == kind
            assert b"".join(log.blocks()) == TEXT

    def test_reading_begins_at_any_offset_and_passes_do_not_disturb_each_other(self, tmp_path: Path, kind: str) -> None:
        with LogFile.open(write(tmp_path, COMPRESSIONS[kind](TEXT))) as log:
            passes = [log.blocks(start) for start in (0, 1, BLOCK, len(TEXT) - 1, len(TEXT), len(TEXT) + 5)]
            firsts = [next(one, b"") for one in passes]
            wholes = [first + b"".join(one) for first, one in zip(firsts, passes, strict=True)]
            assert wholes == [TEXT, TEXT[1:], TEXT[BLOCK:], TEXT[-1:], b"", b""]

    def test_a_slice_is_what_stands_there_or_as_much_as_there_is(self, tmp_path: Path, kind: str) -> None:
        with LogFile.open(write(tmp_path, COMPRESSIONS[kind](TEXT))) as log:
            assert log.slice(5, 7) == TEXT[5:12]
            assert log.slice(BLOCK - 2, BLOCK) == TEXT[BLOCK - 2 : 2 * BLOCK - 2]
            assert log.slice(len(TEXT) - 3, 10) == TEXT[-3:]
            assert log.slice(len(TEXT) + 3, 10) == b""

    @pytest.mark.parametrize("name", ["gzip", "zstd", "bzip2", "xz"])
    def test_streams_one_after_the_other_and_zeros_between_them_are_one_log(self, tmp_path: Path, name: str) -> None:
        press = COMPRESSIONS[name]
        path = write(tmp_path, press(TEXT[:1000]) + b"\0" * 512 + press(b"") + press(TEXT[1000:]))
        assert read_up_to_damage(path) == (TEXT, "")

    @pytest.mark.parametrize(
        ("magic", "name"),
        [(b"\x04\x22\x4d\x18", "lz4"), (b"PK\x03\x04", "zip"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"\x1f\x9d", "compress")],
    )
    def test_a_compression_that_is_not_read_is_named_and_what_to_do(self, tmp_path: Path, magic: bytes, name: str) -> None:
        path = write(tmp_path, magic + b"\0" * 20)
        with pytest.raises(SourceError, match=rf"a\.log: {name} is not read; decompress it") as refused:
            LogFile.open(path)
        assert refused.value.permanent

    def test_the_skippable_frames_of_pzstd_are_skipped(self, tmp_path: Path) -> None:
        frames = [zstd.compress(TEXT[:1000]), zstd.compress(TEXT[1000:])]
        skipped = [b"\x50\x2a\x4d\x18\x04\x00\x00\x00" + len(frame).to_bytes(4, "little") for frame in frames]
        path = write(tmp_path, skipped[0] + frames[0] + skipped[1] + frames[1])
        assert read_up_to_damage(path) == (TEXT, "")

    def test_a_pipe_is_read_once_whatever_pieces_it_comes_in(self, kind: str) -> None:
        data = COMPRESSIONS[kind](TEXT)
        reader, writer = os.pipe()

        def feed() -> None:
            with os.fdopen(writer, "wb", buffering=0) as out:
                for start in (*range(8), *range(8, len(data), 4000)):
                    out.write(data[start : start + 1] if start < 8 else data[start : start + 4000])

        thread = threading.Thread(target=feed)
        thread.start()
        with LogFile(os.fdopen(reader, "rb"), "-") as log:
            assert b"".join(log.blocks()) == TEXT
            assert log.consumed == len(data)
        thread.join()

    def test_an_empty_file_is_a_log_without_lines(self, tmp_path: Path) -> None:
        with LogFile.open(write(tmp_path, b"")) as log:
            assert list(lines(log.blocks())) == []

    def test_what_a_pass_took_of_the_file_itself_is_known(self, tmp_path: Path, kind: str) -> None:
        data = COMPRESSIONS[kind](TEXT)
        with LogFile.open(write(tmp_path, data)) as log:
            seen = [log.consumed for _ in log.blocks()]
            assert seen == sorted(seen)
            assert log.consumed == len(data)

    @pytest.mark.parametrize("name", ["gzip", "zstd", "bzip2", "xz"])
    def test_a_bomb_comes_in_small_blocks(self, tmp_path: Path, name: str) -> None:
        path = write(tmp_path, COMPRESSIONS[name](b"\0" * 50_000_000))
        with LogFile.open(path) as log:
            assert max(len(block) for block in log.blocks()) <= BLOCK


class TestDamage:
    @pytest.mark.parametrize("cut", [11, 100, 1000, 20_000])
    def test_of_a_gzip_cut_short_all_that_gzip_itself_can_read_is_given(self, tmp_path: Path, cut: int) -> None:
        data = gzip.compress(TEXT)[:cut]
        taken, damage = read_up_to_damage(write(tmp_path, data))
        assert taken == zlib.decompressobj(wbits=31).decompress(data)
        assert damage.endswith(f"a.log: damaged after {len(taken)} bytes of text (cut short)")

    def test_what_stands_before_a_flipped_byte_is_given_to_the_last_line(self, tmp_path: Path) -> None:
        data = bytearray(gzip.compress(os.urandom(3000).hex().encode() + TEXT))
        data[2500] ^= 0xFF
        taken, damage = read_up_to_damage(write(tmp_path, bytes(data)))
        assert taken == byte_by_byte(bytes(data))
        assert len(taken) > 2000
        assert "damaged after" in damage

    def test_a_wrong_checksum_costs_no_line(self, tmp_path: Path) -> None:
        data = bytearray(gzip.compress(TEXT))
        data[-6] ^= 1
        taken, damage = read_up_to_damage(write(tmp_path, bytes(data)))
        assert taken == TEXT
        assert "incorrect data check" in damage

    @pytest.mark.parametrize("name", ["gzip", "zstd", "bzip2", "xz"])
    def test_rubbish_behind_the_end_is_told(self, tmp_path: Path, name: str) -> None:
        taken, damage = read_up_to_damage(write(tmp_path, COMPRESSIONS[name](TEXT) + b"rubbish"))
        assert taken == TEXT
        assert f"damaged after {len(TEXT)} bytes" in damage

    @pytest.mark.parametrize("seed", range(30))
    def test_of_a_gzip_with_any_fault_all_that_zlib_can_read_is_given(self, tmp_path: Path, seed: int) -> None:
        rng = random.Random(seed)
        text = b"".join(b"%d %d\n" % (number, rng.getrandbits(64)) for number in range(20_000))
        faulty = bytearray(gzip.compress(text[::-1]))
        faulty[rng.randrange(10, len(faulty) - 8)] ^= 1 << rng.randrange(8)
        data = gzip.compress(text) + bytes(faulty) + gzip.compress(b"behind the damage")
        taken, damage = read_up_to_damage(write(tmp_path, data))
        assert taken == text + byte_by_byte(bytes(faulty))
        assert "damaged after" in damage

    def test_a_damaged_gzip_from_a_pipe_is_read_as_far_as_one_from_a_file(self, tmp_path: Path) -> None:
        data = bytearray(gzip.compress(os.urandom(3000).hex().encode() + TEXT))
        data[2500] ^= 0xFF
        taken = bytearray()
        with LogFile(io.BytesIO(bytes(data)), "-") as log, suppress(LogDamaged):
            for block in log.blocks():
                taken += block
        assert (bytes(taken), True) == (read_up_to_damage(write(tmp_path, bytes(data)))[0], len(taken) > 2000)

    @pytest.mark.parametrize("seed", range(10))
    def test_of_a_zstd_with_a_fault_every_block_before_it_is_given(self, tmp_path: Path, seed: int) -> None:
        rng = random.Random(seed)
        text = b"".join(b"%d %d\n" % (number, rng.getrandbits(64)) for number in range(50_000))
        whole = zstd.compress(text)
        at = rng.randrange(len(whole))
        cut, _ = read_up_to_damage(write(tmp_path, whole[:at]))
        taken, damage = read_up_to_damage(write(tmp_path, whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]))
        assert taken.startswith(cut)
        assert damage or len(taken) == len(text)

    @pytest.mark.parametrize("size", [10, 100_000, 1_000_000])
    def test_a_wrong_checksum_of_a_zstd_costs_no_line(self, tmp_path: Path, size: int) -> None:
        data = zstd.compress(TEXT[:size], options={int(zstd.CompressionParameter.checksum_flag): 1})
        taken, damage = read_up_to_damage(write(tmp_path, data[:-1] + bytes([data[-1] ^ 1])))
        assert taken == TEXT[:size]
        assert "checksum" in damage

    @pytest.mark.parametrize("name", ["zstd", "bzip2", "xz"])
    def test_other_streams_cut_short_are_told(self, tmp_path: Path, name: str) -> None:
        data = COMPRESSIONS[name](os.urandom(10_000))
        taken, damage = read_up_to_damage(write(tmp_path, data[:-20]))
        assert len(taken) <= 10_000
        assert "cut short" in damage

    def test_a_slice_of_a_damaged_log_is_what_can_be_read(self, tmp_path: Path) -> None:
        with LogFile.open(write(tmp_path, gzip.compress(TEXT)[:2000])) as log:
            assert log.slice(0, 100) == TEXT[:100]
            assert log.slice(0, len(TEXT)) == TEXT[: len(log.slice(0, len(TEXT)))]

    def test_an_xz_that_demands_too_much_memory_is_refused(self, tmp_path: Path) -> None:
        filters = [
            {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3, "nice_len": 64}
        ]
        header = bytearray(lzma.compress(b"x", filters=[filters[0] | {"dict_size": 1 << 20}]))
        # The dictionary's size stands in the block header, byte 17, checked by a CRC32 at its end.
        header[16] = 36  # 1 GiB
        header[20:24] = zlib.crc32(header[12:20]).to_bytes(4, "little")
        taken, damage = read_up_to_damage(write(tmp_path, bytes(header)))
        assert taken == b""
        assert "emory" in damage

    def test_a_zstd_that_demands_too_much_memory_is_refused(self, tmp_path: Path) -> None:
        data = zstd.ZstdCompressor(options={int(zstd.CompressionParameter.window_log): 31})
        taken, damage = read_up_to_damage(write(tmp_path, data.compress(TEXT) + data.flush()))
        assert taken == b""
        assert "emory" in damage

    def test_a_file_that_is_not_there_says_so_in_the_systems_words(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"b\.log: no such file or directory") as refused:
            LogFile.open(str(tmp_path / "b.log"))
        assert refused.value.permanent

    def test_a_folder_is_no_log(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="is a directory"):
            LogFile.open(str(tmp_path))


def in_pieces(text: bytes, *cuts: int) -> Iterator[bytes]:
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return iter([text[start:end] for start, end in pairwise(borders)])


class TestLines:
    @given(
        st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"").rstrip(b"\r"))),
        st.lists(st.integers(0, 200)),
    )
    def test_offsets_lead_to_every_line_however_the_blocks_fall(self, texts: list[bytes], cuts: list[int]) -> None:
        text = b"".join(line + b"\n" for line in texts)
        found = list(lines(in_pieces(b"x\n" + text, *cuts)))[1:]
        assert [line for _, line, _ in found] == texts
        whole = b"x\n" + text
        assert all(whole[offset : offset + len(line) + 1] == line + b"\n" for offset, line, _ in found)
        assert [following for _, _, following in found] == [offset for offset, _, _ in found[1:]] + [len(whole)] * bool(
            found
        )

    def test_carriage_returns_belong_to_the_end_of_a_line(self) -> None:
        assert list(lines(iter([b"a\r\nb\rc\r\n\r\n"]))) == [(0, b"a", 3), (3, b"b\rc", 8), (8, b"", 10)]

    def test_a_last_line_without_an_end_is_known_as_such(self) -> None:
        assert list(lines(iter([b"a\n", b"b"]))) == [(0, b"a", 2), (2, b"b", None)]

    def test_offsets_count_from_where_the_blocks_begin(self) -> None:
        assert list(lines(iter([b"a\nb\n"]), start=100)) == [(100, b"a", 102), (102, b"b", 104)]

    def test_a_byte_order_mark_is_left_out_at_the_beginning_alone(self) -> None:
        mark = b"\xef\xbb\xbf"
        assert list(lines(iter([mark + b"a\n", mark + b"b\n"]))) == [(3, b"a", 5), (5, mark + b"b", 10)]

    def test_a_line_without_bounds_costs_no_memory_and_is_told(self) -> None:
        longest = b"x" * MAX_LINE
        blocks = [b"before\n", *[b"y" * BLOCK] * 40, b"\n", longest[:-1] + b"\n", b"after\n"]
        found = list(lines(iter(blocks)))
        assert [len(line) for _, line, _ in found] == [6, SAMPLE, MAX_LINE - 1, 5]
        assert found[1][2] == 7 + 40 * BLOCK + 1
        parser = zeek.build(zeek.Options()).parser()
        judged = [read_line(parser, line)[0] for line in found]
        assert isinstance(judged[1], BadLine)
        assert (judged[1].reason, judged[1].offset) == (f"line longer than {MAX_LINE} bytes", 7)
        assert isinstance(judged[2], BadLine)
        assert "longer" not in judged[2].reason

    def test_the_end_of_a_line_without_bounds_is_not_waited_for(self) -> None:
        ((offset, line, following),) = lines(iter([b"y" * BLOCK] * 10))
        assert (offset, len(line), following) == (0, SAMPLE, 10 * BLOCK)

    def test_a_line_a_little_too_long_within_one_block_is_told_as_well(self) -> None:
        (found,) = lines(iter([b"y" * (MAX_LINE + 10) + b"\n"]))
        (judged,) = read_line(zeek.build(zeek.Options()).parser(), found)
        assert isinstance(judged, BadLine)
        assert len(judged.line) == SAMPLE


class Pairs:
    """A format of frames: each is two bytes; a record spans two of them, so that the last one waits for its partner."""

    def __init__(self) -> None:
        self.first: int | None = None

    def parser(self, state: str = "") -> Pairs:
        return self

    def recognises(self, head: bytes) -> bool:
        return False

    def state(self) -> str:
        return ""

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        text = b"".join(blocks)
        for at in range(0, len(text), 2):
            yield start + at, text[at : at + 2], start + at + 2 if at + 2 <= len(text) else None

    def parse(self, line: bytes, offset: int) -> tuple[BadLine, ...]:
        if self.first is None:
            self.first = offset
            return ()
        found = (BadLine(self.first, "first", b""), BadLine(offset, "second", line))
        self.first = None
        return found

    def finish(self) -> BadLine | None:
        return None if self.first is None else BadLine(self.first, "alone", b"")


class TestFrames:
    def test_a_format_may_cut_its_log_itself_and_make_several_records_of_a_frame(self) -> None:
        pairs = Pairs()
        frames = list(cut(pairs, iter([b"aab", b"bccd"]), 10))
        assert frames == [(10, b"aa", 12), (12, b"bb", 14), (14, b"cc", 16), (16, b"d", None)]
        judged = [one for frame in frames[:3] for one in read_line(pairs, frame)]
        assert [(one.offset, one.reason) for one in judged if isinstance(one, BadLine)] == [(10, "first"), (12, "second")]
        assert finish(pairs) == (BadLine(14, "alone", b""),)

    def test_a_format_of_lines_is_cut_into_lines_and_waits_for_nothing(self) -> None:
        form = zeek.build(zeek.Options())
        assert list(cut(form, iter([b"a\nb\n"]))) == [(0, b"a", 2), (2, b"b", 4)]
        assert finish(form.parser()) == ()


class TestPeek:
    def test_the_head_has_the_lines_that_formats_look_at_and_no_block_is_lost(self) -> None:
        head, blocks = peek(iter([b"first", b" line\nsecond", b" line\n"]))
        assert head == b"first line\nsecond line\n"
        assert b"".join(blocks) == b"first line\nsecond line\n"
        head, blocks = peek(iter([b"a\n"] * 100))
        assert heads.first_lines(head) == [b"a"] * heads.LINES
        assert b"".join(blocks) == b"a\n" * 100

    def test_of_a_log_that_is_compressed_a_line_at_a_time_as_many_are_seen(self, tmp_path: Path) -> None:
        path = tmp_path / "log.gz"
        path.write_bytes(b"".join(gzip.compress(b"line %d\n" % number) for number in range(50)))
        with LogFile.open(str(path)) as log:
            head, _ = peek(log.blocks())
        assert len(heads.first_lines(head)) == heads.LINES

    def test_damage_behind_the_first_bytes_is_told_in_its_place(self) -> None:
        def damaged(*blocks: bytes) -> Iterator[bytes]:
            yield from blocks
            raise LogDamaged("cut short")

        head, blocks = peek(damaged(b"a\n", b"b"))
        assert head == b"a\nb"
        assert [next(blocks), next(blocks)] == [b"a\n", b"b"]
        with pytest.raises(LogDamaged):
            next(blocks)
        with pytest.raises(LogDamaged):
            peek(damaged())

    def test_a_head_without_a_line_ends_somewhere(self) -> None:
        head, blocks = peek(b"x" * 1000 for _ in range(1000))
        assert len(head) == HEAD
        assert sum(map(len, blocks)) == 1_000_000

    def test_a_byte_order_mark_is_no_part_of_it(self) -> None:
        assert peek(iter([b"\xef\xbb\xbf#separator \\x09\n"]))[0] == b"#separator \\x09\n"


class TestPaths:
    def test_a_glob_is_expanded_and_sorted(self, tmp_path: Path) -> None:
        for name in ("b.log", "a.log", "c.txt"):
            (tmp_path / name).touch()
        assert expand(f"{tmp_path}/*.log") == [f"{tmp_path}/a.log", f"{tmp_path}/b.log"]

    def test_a_file_with_brackets_in_its_name_is_meant_literally(self, tmp_path: Path) -> None:
        (tmp_path / "[a].log").touch()
        (tmp_path / "a.log").touch()
        assert expand(f"{tmp_path}/[a].log") == [f"{tmp_path}/[a].log"]

    def test_a_path_that_is_no_glob_is_itself_there_or_not(self) -> None:
        assert expand("/nowhere/a.log") == ["/nowhere/a.log"]


def test_a_file_that_cannot_be_read_on_says_so() -> None:
    with pytest.raises(SourceError, match="/proc/self/mem: input/output error"):
        LogFile.open("/proc/self/mem")
