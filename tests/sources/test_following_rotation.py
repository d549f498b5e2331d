"""Logs followed through rotation, truncation, damage and death: whatever happens to files, each line is read once."""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from feedsvc.errors import SourceError
from feedsvc.model import End, Outcome
from feedsvc.names import NetblockMap
from feedsvc.sources.identity import parse_position
from feedsvc.sources.logfile import BLOCK, LogFile
from feedsvc.sources.logs import Formats
from feedsvc.sources.records import Tally
from feedsvc.sources.tailing import Tail
from tests.sources.logs.making import (
    Exchange,
    append,
    header,
    hit,
    json_log,
    line,
    traffic,
    tsv_line,
    tsv_log,
)
from tests.sources.logs.reading import LATER, NETBLOCKS, Reader, expected, once, sightings


class TestRotation:
    def test_a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        append(log, line("c"))
        log.rename(log.with_name("dns.1.log"))
        log.write_bytes(header() + line("d"))
        reader.poll_all()
        append(log, line("e"))
        append(log.with_name("dns.1.log"), line("late"))
        reader.poll_all()
        assert reader.names() == once(*"abcde", "late")

    def test_a_file_renamed_out_of_the_glob_is_read_to_its_end(self, log: Path) -> None:
        reader = Reader(str(log))
        reader.poll_all()
        append(log, line("c"))
        away = log.rename(log.with_name("old-dns"))
        log.write_bytes(header() + line("d"))
        reader.poll_all()
        append(away, line("late"))
        reader.poll_all()
        assert reader.names() == once(*"abcd", "late")
        reader.poll_all(LATER)
        assert len(reader.cursors) == 1

    def test_a_file_moved_to_another_folder_is_known_when_the_glob_takes_it_in(self, tmp_path: Path) -> None:
        (tmp_path / "current").mkdir()
        (tmp_path / "2026-11-01").mkdir()
        log = tmp_path / "current" / "dns.log"
        log.write_bytes(header() + line("a"))
        reader = Reader(f"{tmp_path}/*/dns.*")
        reader.poll_all()
        append(log, line("b"))
        archived = tmp_path / "2026-11-01" / "dns.00:00:00-01:00:00.log.gz"
        archived.write_bytes(gzip.compress(log.read_bytes() + b"#close\t2026-11-01-01-00-00\n"))
        log.unlink()
        log.write_bytes(header(opened="2026-11-01-01-00-00") + line("c"))
        reader.poll_all()
        assert reader.names() == once(*"abc")

    @pytest.mark.parametrize("matched", [True, False], ids=["copy in the glob", "copy beside it"])
    def test_of_a_copied_and_truncated_file_the_copy_is_read_to_its_end_and_the_file_as_a_new_one(
        self, log: Path, matched: bool
    ) -> None:
        reader = Reader(f"{log.parent}/dns*" if matched else str(log))
        reader.poll_all()
        append(log, line("c"))
        shutil.copy(log, log.with_name("dns.log.1"))
        os.truncate(log, 0)
        append(log, line("d"))  # no header: the writer has written its own long ago
        reader.poll_all()
        append(log, line("e"))
        reader.poll_all()
        assert reader.names() == once(*"abcde")
        assert reader.refused == []

    def test_a_poll_between_copy_and_truncation_reads_nothing_twice(self, log: Path, reader: Reader) -> None:
        append(log, b"".join(line(f"n{number}", number) for number in range(100)))
        reader.poll_all()
        shutil.copy(log, log.with_name("dns.log.1"))
        reader.poll_all()
        append(log, line("c"))
        reader.poll_all()
        os.truncate(log, 0)
        reader.poll_all()
        append(log, line("d"))
        reader.poll_all()
        assert reader.names() == once(*"abcd", *(f"n{number}" for number in range(100)))

    def test_a_log_truncated_and_written_to_while_it_is_read_is_read_no_further(self, log: Path) -> None:
        reader = Reader(f"{log.parent}/dns*", batch_facts=200)
        before = [hit(f"old{number}", number) for number in range(12_000)]
        log.write_bytes(json_log(before))
        assert log.stat().st_size > 4 * BLOCK
        batches = reader.batches()
        reader.store(next(batches))
        shutil.copy(log, log.with_name("dns.1.log"))
        after = [hit(f"new{number}", number) for number in range(13_000)]
        log.write_bytes(json_log(after))
        for batch in batches:
            reader.store(batch)
        reader.poll_all()
        assert reader.seen == expected(before + after)
        assert reader.refused == []

    @pytest.mark.parametrize("lines", [3, 300])
    def test_where_another_text_has_come_before_the_place_nothing_is_read(self, log: Path, lines: int) -> None:
        reader = Reader(str(log))
        log.write_bytes(json_log([hit(f"old{number}", number) for number in range(lines)]))
        reader.poll_all()
        position = parse_position(*reader.cursors.values())
        log.write_bytes(json_log([hit(f"new{number}", number) for number in range(2 * lines)]))
        tally, zeek = Tally("zeek", NetblockMap(NETBLOCKS)), Formats("zeek").by_name("zeek").format
        with LogFile.open(str(log)) as opened, pytest.raises(StopIteration) as ended:
            next(Tail(tally).read(opened, "a", position, zeek, zeek.parser(), whole=False))
        assert ended.value.value == (position, None)
        assert len(tally) == 0

    def test_the_header_of_a_log_is_remembered_while_it_is_truncated_and_empty(self, log: Path, reader: Reader) -> None:
        for name in "cd":
            reader.poll_all()
            os.truncate(log, 0)
            reader.poll_all()
            reader.poll_all()
            append(log, line(name))
        reader.poll_all()
        assert reader.names() == once(*"abcd")
        assert len(reader.cursors) == 1

    def test_a_truncated_file_that_grew_past_its_old_end_is_a_new_one(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        log.write_bytes(header(opened="2026-11-02-00-00-00") + b"".join(line(f"n{number}") for number in range(50)))
        reader.poll_all()
        assert reader.names() == once("a", "b", *(f"n{number}" for number in range(50)))

    def test_the_same_header_and_the_same_inode_do_not_make_the_same_log(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        log.write_bytes(header() + line("c") + line("d") + line("e"))
        reader.poll_all()
        assert reader.names() == once(*"abcde")

    def test_logs_that_share_their_first_lines_for_long_are_told_apart(self, log: Path, reader: Reader) -> None:
        shared = header() + b"".join(tsv_line(Exchange("www.example.org", time=second)) for second in range(200))
        log.write_bytes(shared + line("a"))
        log.with_name("dns-twin.log").write_bytes(shared + line("b"))
        reader.poll_all()
        assert reader.names() == once("a", "b")

    def test_logs_that_begin_as_the_same_header_are_told_apart_when_they_differ(self, log: Path, reader: Reader) -> None:
        twin = log.with_name("dns-twin.log")
        log.write_bytes(header())
        twin.write_bytes(header())
        reader.poll_all()
        append(log, line("a"))
        append(twin, line("b"))
        reader.poll_all()
        append(log, line("c"))
        append(twin, line("d"))
        reader.poll_all()
        assert reader.names() == once(*"abcd")

    @pytest.mark.parametrize("keep", [True, False], ids=["original kept", "original gone"])
    def test_a_compressed_file_is_not_read_again(self, log: Path, reader: Reader, keep: bool) -> None:
        reader.poll_all()
        append(log, line("c"))
        log.with_name("dns.1.log.gz").write_bytes(gzip.compress(log.read_bytes()))
        if not keep:
            log.unlink()
            log.write_bytes(header() + line("d"))
        reader.poll_all()
        reader.poll_all()
        assert reader.names() == once(*"abc") | ({} if keep else once("d"))

    def test_a_file_compressed_in_several_polls_is_read_once(self, tmp_path: Path) -> None:
        reader = Reader(f"{tmp_path}/dns*", batch_bytes=20_000)
        text = header() + b"".join(tsv_line(one) for one in traffic(1, 2000))
        (tmp_path / "dns.log").write_bytes(text)
        reader.poll_all()
        packed = gzip.compress(text)
        (tmp_path / "dns.log").rename(tmp_path / "going-dns.log")
        for end in (0, len(packed) // 3, len(packed) // 2):
            (tmp_path / "dns.1.log.gz").write_bytes(packed[:end])
            reader.poll()
        (tmp_path / "dns.1.log.gz").write_bytes(packed)
        (tmp_path / "going-dns.log").unlink()
        reader.poll_all()
        assert reader.seen == expected(traffic(1, 2000))

    def test_the_unread_end_of_a_file_is_read_from_its_compressed_copy(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        append(log, b"".join(line(f"n{number}") for number in range(500)))
        log.with_name("dns.1.log.gz").write_bytes(gzip.compress(log.read_bytes()))
        log.unlink()
        reader.poll_all()
        assert reader.names() == once("a", "b", *(f"n{number}" for number in range(500)))

    def test_a_compressed_file_without_a_line_end_is_read_whole(self, log: Path, reader: Reader) -> None:
        log.with_name("dns.1.log.gz").write_bytes(gzip.compress(header() + line("c").rstrip()))
        reader.poll_all()
        assert reader.names() == once(*"abc")

    def test_a_log_that_was_restored_to_its_place_is_known_on_its_new_inode(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        shutil.copy(log, log.with_name("backup"))
        log.unlink()
        log.with_name("backup").rename(log)
        append(log, line("c"))
        reader.poll_all()
        assert reader.names() == once(*"abc")
        assert len(reader.cursors) == 1

    def test_a_compressed_file_that_is_being_written_once_more_waits(self, log: Path, reader: Reader) -> None:
        packed = log.with_name("dns.1.log.gz")
        whole = gzip.compress(header() + b"".join(line(f"n{number}", number) for number in range(3000)))
        packed.write_bytes(whole)
        reader.poll_all()
        packed.write_bytes(whole[: len(whole) // 2])
        reader.poll_all()
        packed.write_bytes(whole)
        reader.poll_all()
        assert reader.names() == once("a", "b", *(f"n{number}" for number in range(3000)))


class TestVanishing:
    def test_a_file_that_is_gone_is_forgotten_and_no_fault(self, log: Path, reader: Reader) -> None:
        other = log.with_name("dns-other.log")
        other.write_bytes(header() + line("c"))
        reader.poll_all()
        assert len(reader.cursors) == 2
        log.unlink()
        reader.poll_all()
        assert len(reader.cursors) == 1

    def test_when_nothing_matches_the_poll_has_failed_and_every_cursor_stays(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        away = log.parent.rename(log.parent.with_name("unmounted"))
        assert reader.poll() == End(Outcome.FAILED, f"no file matches {reader.path}")
        away.rename(log.parent)
        reader.poll_all()
        assert reader.names() == once("a", "b")

    def test_cursors_on_a_mount_point_without_its_disk_stay(self, tmp_path: Path) -> None:
        disks = [tmp_path / "one", tmp_path / "two"]
        for disk in disks:
            disk.mkdir()
            (disk / "dns.log").write_bytes(header() + line(disk.name))
        reader = Reader(f"{tmp_path}/*/dns.log")
        reader.poll_all()
        (disks[1] / "dns.log").rename(tmp_path / "kept")
        reader.poll_all()
        (tmp_path / "kept").rename(disks[1] / "dns.log")
        reader.poll_all()
        assert reader.names() == once("one", "two")

    def test_a_file_that_the_glob_no_longer_means_is_forgotten(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        narrowed = Reader(f"{log.parent}/dns-x*", cursors=reader.cursors)
        append(log, line("c"))
        log.with_name("dns-x.log").write_bytes(header() + line("x"))
        narrowed.poll_all()
        assert narrowed.names() == once("x")
        assert len(narrowed.cursors) == 1


class TestFaults:
    def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(self, log: Path, reader: Reader) -> None:
        log.with_name("dns-memory.log").symlink_to("/proc/self/mem")
        end = reader.poll()
        assert end == End(Outcome.PARTIAL, f"{log.parent}/dns-memory.log: input/output error")
        assert reader.names() == once("a", "b")

    def test_a_path_that_cannot_be_looked_at_is_named(self, log: Path, reader: Reader) -> None:
        log.with_name("dns-circle").symlink_to("dns-circle")
        end = reader.poll()
        assert end == End(Outcome.PARTIAL, f"{log.parent}/dns-circle: too many levels of symbolic links")

    def test_nothing_is_forgotten_while_something_cannot_be_looked_at(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        kept = log.read_bytes()
        log.unlink()
        circle = log.with_name("dns-circle")
        circle.symlink_to("dns-circle")
        assert reader.poll().outcome is Outcome.FAILED
        circle.unlink()
        log.write_bytes(kept)
        reader.poll_all()
        assert reader.names() == once("a", "b")

    def test_a_file_of_no_known_format_is_named_with_the_formats_there_are(self, log: Path, reader: Reader) -> None:
        log.with_name("dns-notes").write_bytes(b"remember the milk\n")
        end = reader.poll()
        assert end.outcome is Outcome.PARTIAL
        assert "dns-notes: no format fits its first bytes; say which it is: " in end.reason
        assert "zeek" in end.reason

    def test_when_no_file_can_be_read_the_poll_has_failed(self, tmp_path: Path, reader: Reader) -> None:
        for number in range(5):
            (tmp_path / f"dns{number}").write_bytes(b"remember the milk\n")
        end = reader.poll()
        assert end.outcome is Outcome.FAILED
        assert end.reason.endswith("; and 2 more")

    def test_of_a_damaged_file_what_can_be_read_is_used_and_the_damage_told_once(self, log: Path, reader: Reader) -> None:
        text = header() + b"".join(line(f"n{number}", number) for number in range(3000))
        log.with_name("dns.1.log.gz").write_bytes(gzip.compress(text)[:-3000])
        first = reader.poll()
        assert first.outcome is Outcome.PARTIAL
        assert "dns.1.log.gz: damaged after " in first.reason
        read = reader.names()
        assert 100 < read.total() < 3000
        assert set(read.values()) == {1}
        assert reader.refused == []
        second = reader.poll()
        assert second == End(Outcome.COMPLETE, first.reason)
        assert reader.names() == read

    def test_a_file_damaged_in_its_first_line_spoils_one_poll(self, log: Path, reader: Reader) -> None:
        broken = log.with_name("dns.1.log.gz")
        broken.write_bytes(gzip.compress(header() + line("c"))[:20])
        assert reader.poll().outcome is Outcome.PARTIAL
        assert reader.poll().outcome is Outcome.COMPLETE
        broken.write_bytes(gzip.compress(header() + line("c")))
        reader.poll_all()
        assert reader.names() == once(*"abc")
        assert len(reader.cursors) == 2

    def test_a_damaged_file_that_is_mended_is_read_on(self, log: Path, reader: Reader) -> None:
        text = header() + b"".join(line(f"n{number}", number) for number in range(500))
        packed = log.with_name("dns.1.log.gz")
        packed.write_bytes(gzip.compress(text)[:-2000])
        assert reader.poll().outcome is Outcome.PARTIAL
        packed.write_bytes(gzip.compress(text))
        reader.poll_all()
        assert reader.names() == once("a", "b", *(f"n{number}" for number in range(500)))

    def test_a_known_file_that_cannot_be_read_any_more_keeps_its_cursor(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        whole = log.read_bytes()
        log.write_bytes(b"\x04\x22\x4d\x18" + whole)
        log.with_name("dns-b.log").write_bytes(header() + line("c"))
        end = reader.poll()
        assert end.outcome is Outcome.PARTIAL
        assert end.reason == f"{log}: lz4 is not read; decompress it, or compress it with gzip, zstd, bzip2 or xz"
        log.write_bytes(whole)
        reader.poll_all()
        assert reader.names() == once(*"abc")

    def test_a_moved_log_is_found_among_files_that_cannot_be_read(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        log.with_name("dns-a.log.lz4").write_bytes(b"\x04\x22\x4d\x18" + b"\0" * 100)
        log.with_name("dns-b.log").write_bytes(log.read_bytes() + line("c"))
        log.unlink()
        assert reader.poll().outcome is Outcome.PARTIAL
        assert reader.names() == once(*"abc")
        assert len(reader.cursors) == 1

    def test_a_log_whose_format_is_not_installed_any_more_is_named_and_kept(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        ((scope, text),) = reader.cursors.items()
        reader.cursors[scope] = replace(parse_position(text), format="gone").text()
        append(log, line("c"))
        end = reader.poll()
        assert end.outcome is Outcome.FAILED
        assert "no logs plug-in 'gone'" in end.reason
        reader.cursors[scope] = text
        reader.poll_all()
        assert reader.names() == once(*"abc")

    def test_a_log_that_is_read_by_another_format_from_now_on_forgets_the_old_state(self, log: Path, reader: Reader) -> None:
        reader.poll_all()
        ((scope, text),) = reader.cursors.items()
        reader.cursors[scope] = replace(parse_position(text), format="another", state="not Zeek's").text()
        reader.form = "zeek"
        append(log, header() + line("c"))
        reader.poll_all()
        assert reader.names() == once(*"abc")

    def test_a_cursor_of_somebody_else_is_refused(self, log: Path) -> None:
        reader = Reader(str(log), cursors={"somewhere": "12"})
        with pytest.raises(SourceError, match="a stored cursor cannot be read"):
            reader.poll()

    def test_a_file_whose_name_is_no_text_is_named(self, log: Path, reader: Reader) -> None:
        Path(os.fsdecode(os.fsencode(log.parent) + b"/dns\xff.log")).write_bytes(header() + line("c"))
        end = reader.poll()
        assert end.outcome is Outcome.PARTIAL
        assert end.reason.encode()
        assert reader.names() == once("a", "b")


class TestDying:
    @pytest.mark.parametrize("after", range(8))
    def test_a_poll_that_was_left_half_way_is_gone_on_with_exactly_there(self, tmp_path: Path, after: int) -> None:
        log = traffic(3, 1500)
        (tmp_path / "dns.1.log.gz").write_bytes(gzip.compress(tsv_log(log[:500])))
        (tmp_path / "dns.2.log").write_bytes(json_log(log[500:1000]))
        (tmp_path / "dns.log").write_bytes(tsv_log(log[1000:]))
        reader = Reader(f"{tmp_path}/dns*", batch_facts=60)
        reader.poll_and_die(after)
        reader.poll_and_die(2)
        reader.poll_all()
        assert reader.seen == expected(log)
        assert reader.sighted == sightings(log)

    def test_rotation_between_death_and_the_next_poll_loses_nothing(self, tmp_path: Path) -> None:
        log = traffic(4, 1000)
        path = tmp_path / "dns.log"
        path.write_bytes(tsv_log(log[:800]))
        reader = Reader(f"{tmp_path}/dns*", batch_facts=60)
        reader.poll_and_die(3)
        (tmp_path / "dns.1.log.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        path.write_bytes(tsv_log(log[800:]))
        reader.poll_and_die(1)
        reader.poll_all()
        assert reader.seen == expected(log)
