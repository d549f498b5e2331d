"""Event logs as chunks: what Windows leaves in them, and what no chunk may do to whoever reads it."""

from __future__ import annotations

import gc
import os
import struct
import tracemalloc
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.sources import evtx_chunks
from feedsvc.sources.evtx_chunks import CHUNK, HEADER, Reader, Stored
from feedsvc.sources.logfile import cut, finish, read_line
from feedsvc.sources.logs import sysmon
from feedsvc.sources.port import BadLine, LogRecord
from feedsvc.sources.readings import Unreadable

SAMPLE = (Path(__file__).parents[1] / "data" / "logs" / "sysmon" / "psexec.evtx").read_bytes()
FILE_HEADER, GOOD = SAMPLE[:HEADER], SAMPLE[HEADER:]
ENDLESS = GOOD[:0x698] + b"\x01" + GOOD[0x699:]  # a word whose next word leads back: `evtx` 0.14.0 follows them for ever
"""A chunk over which the package does not end."""


def renamed(name: str) -> bytes:
    """The good chunk, with another name in its query and its answer in the netblock."""
    old, new = "fs03vuln", name.ljust(8, "x")[:8]
    query = GOOD.rindex("10.23.42.38;".encode("utf-16-le"))
    at = GOOD.rindex(old.encode("utf-16-le"), 0, query)
    chunk = GOOD[:at] + new.encode("utf-16-le") + GOOD[at + 16 :]
    return chunk[:query] + "203.0.113.7;".encode("utf-16-le") + chunk[query + 24 :]


def log(*chunks: bytes) -> bytes:
    return FILE_HEADER + b"".join(chunks)


def blocks(text: bytes, size: int = 10_000) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


def parse_all(text: bytes) -> list[LogRecord | BadLine]:
    form = sysmon.build(sysmon.Options())
    parser = form.parser()
    found = [one for line in cut(form, blocks(text)) for one in read_line(parser, line)]
    return [*found, *finish(parser)]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


class TestCutting:
    def test_a_file_is_its_header_and_its_chunks_the_last_of_which_may_grow(self) -> None:
        found = list(evtx_chunks.cut(blocks(log(GOOD, GOOD, GOOD)), 0))
        assert [(begin, len(frame), following) for begin, frame, following in found] == [
            (0, HEADER, HEADER),
            (HEADER, CHUNK, HEADER + CHUNK),
            (HEADER + CHUNK, CHUNK, HEADER + 2 * CHUNK),
            (HEADER + 2 * CHUNK, CHUNK, None),
        ]

    def test_chunks_that_are_not_used_yet_are_no_frames(self) -> None:
        found = list(evtx_chunks.cut(blocks(log(GOOD, bytes(CHUNK), bytes(CHUNK))), 0))
        assert [begin for begin, _, _ in found] == [0, HEADER]

    def test_reading_goes_on_behind_any_chunk(self) -> None:
        text = log(GOOD, GOOD, bytes(CHUNK))
        whole = list(evtx_chunks.cut(blocks(text), 0))
        for number, (_, _, following) in enumerate(whole[:-1], 1):
            assert following is not None
            assert evtx_chunks.begins(text[following : following + 16], following)
            assert list(evtx_chunks.cut(blocks(text[following:]), following)) == whole[number:]

    def test_what_is_left_of_a_file_that_was_cut_is_its_last_frame(self) -> None:
        found = list(evtx_chunks.cut(blocks(log(GOOD, GOOD)[:-50_000]), 0))
        assert [(len(frame), following) for _, frame, following in found] == [
            (HEADER, HEADER),
            (CHUNK, HEADER + CHUNK),
            (CHUNK - 50_000, None),
        ]

    def test_memory_is_that_of_a_chunk_however_large_the_log(self) -> None:
        tracemalloc.start()
        for _ in evtx_chunks.cut(iter([FILE_HEADER, *[GOOD] * 500]), 0):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * CHUNK


class TestReading:
    def test_each_event_stands_where_it_is_said_to(self, reader: Reader) -> None:
        found = reader.read(GOOD)
        assert len(found) == 15
        assert all(GOOD[one.at :].startswith(b"**\0\0") and one.json.startswith(b'{"Event"') for one in found)
        assert len({one.at for one in found}) == 15

    def test_a_header_that_is_behind_the_chunk_hides_nothing(self, reader: Reader) -> None:
        third = reader.read(GOOD)[2].at
        stale = bytearray(GOOD)
        struct.pack_into("<QIII", stale, 32, 2, 128, third, third)
        assert reader.read(bytes(stale)) == reader.read(GOOD)

    def test_events_of_a_chunk_that_was_cut_are_read_up_to_there(self, reader: Reader) -> None:
        found = reader.read(GOOD[:6000])
        assert [bool(one.json) for one in found][:2] == [True, True]
        assert len(found) < 15

    def test_a_fork_reads_by_a_process_of_its_own(self, reader: Reader) -> None:
        before = reader.read(GOOD)
        child = os.fork()
        if not child:
            found = reader.read(GOOD)
            del reader
            gc.collect()
            os._exit(0 if found == before else 1)
        _, status = os.waitpid(child, 0)
        assert (status, reader.read(GOOD)) == (0, before)

    def test_a_log_of_many_chunks_is_read_whole(self) -> None:
        wanted = [f"n{number}" for number in range(5)]
        found = parse_all(log(*(renamed(name) for name in wanted), bytes(CHUNK)))
        assert [one.rrname for one in found if isinstance(one, LogRecord)] == [name.ljust(8, "x") for name in wanted]
        assert {str(one.answers[0]) for one in found if isinstance(one, LogRecord)} == {"203.0.113.7"}

    def test_other_channels_have_no_records_and_no_faults(self) -> None:
        words = "QueryName".encode("utf-16-le")
        assert parse_all(log(GOOD.replace(words, "QuerxName".encode("utf-16-le")))) == []


class TestHostileChunks:
    def test_a_chunk_without_end_costs_itself_alone(self) -> None:
        found = parse_all(log(renamed("before"), ENDLESS, renamed("behind")))
        assert [one.rrname if isinstance(one, LogRecord) else one.reason for one in found] == [
            "beforexx",
            "chunk of events that cannot be read",
            "behindxx",
        ]

    def test_a_file_of_many_such_chunks_is_given_up(self) -> None:
        class Lost(Reader):
            """A reader that is lost over everything."""

            asked = 0

            def read(self, chunk: bytes) -> list[Stored]:
                del chunk
                self.asked += 1
                raise Unreadable("lost")

        lost = Lost()
        parser = sysmon.SysmonParser(sysmon.Options(), UTC, lost)
        found = [parser.parse(GOOD, 0) for _ in range(20)]
        assert all(isinstance(one, BadLine) for one in found)
        assert lost.asked == sysmon.MAX_LOST

    @settings(max_examples=300, deadline=None)
    @given(data=st.data())
    def test_a_changed_chunk_is_never_misread(self, reader: Reader, data: st.DataObject) -> None:
        chunk = bytearray(GOOD)
        for _ in range(data.draw(st.integers(1, 5))):
            # Behind the words, of which each leads to another: see above.
            chunk[data.draw(st.integers(0xA00, 0x3E00))] = data.draw(st.integers(0, 255))
        parser = sysmon.build(sysmon.Options()).parser()
        for one in read_line(parser, (HEADER, bytes(chunk), None)):
            assert isinstance(one, BadLine) or len(one.answers) <= 1
        assert len(reader.read(GOOD)) == 15

    @settings(max_examples=50, deadline=None)
    @given(st.binary(max_size=2000))
    def test_anything_behind_a_magic_is_something(self, rubbish: bytes) -> None:
        parser = sysmon.build(sysmon.Options()).parser()
        words = "QueryName".encode("utf-16-le")
        for one in read_line(parser, (HEADER, evtx_chunks.CHUNK_MAGIC + rubbish + words, None)):
            assert isinstance(one, BadLine)
