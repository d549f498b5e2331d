"""Logs followed from poll to poll: whatever happens to the files, each line is read once."""

from __future__ import annotations

import gzip
import os
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedsvc.errors import SourceError
from feedsvc.model import Batch, End, Outcome, Sighting
from feedsvc.sources.following import LogSource
from feedsvc.sources.logs import Formats
from tests.sources.logs.making import Exchange, Writer, header, json_line, json_log, traffic, tsv_line, tsv_log
from tests.sources.logs.reading import NETBLOCKS, Reader, expected

LATER = datetime.now(UTC) + timedelta(days=1)
"""A moment at which every file of a test has been at rest for long."""


def hit(name: str, second: int = 0, client: str = "10.0.0.1", chain: tuple[str, ...] = ()) -> Exchange:
    query = f"{name}.example.net"
    return Exchange(query, "A", (*chain, "198.51.100.7"), ("198.51.100.7",), chain, client, 1793491200 + second)


def line(name: str, second: int = 0) -> bytes:
    return tsv_line(hit(name, second))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as out:
        out.write(data)


def once(*names: str) -> dict[str, int]:
    return {f"{name}.example.net": 1 for name in names}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with a header and two lines, `a` and `b`."""
    path = tmp_path / "dns.log"
    path.write_bytes(header() + line("a") + line("b"))
    return path


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Follows all that begins with `dns`."""
    return Reader(f"{tmp_path}/dns*")


class TestFacts:
    @pytest.mark.parametrize("write", [tsv_log, json_log], ids=["tsv", "json"])
    def test_all_that_leads_into_the_netblocks_is_observed_and_no_trap(
        self, log: Path, reader: Reader, write: Writer
    ) -> None:
        exchanges = traffic(5, 2000)
        log.write_bytes(write(exchanges))
        reader.poll_all()
        assert reader.seen == expected(exchanges)
        assert reader.refused == []

    def test_every_name_on_the_way_is_observed_with_what_follows_it(self, log: Path, reader: Reader) -> None:
        log.write_bytes(json_line(hit("a", chain=("b.example.com", "c.example.com"))))
        (batch,) = reader.batches()
        assert [(one.rrname, one.rrtype, one.rdata, one.chain) for one in batch.observations] == [
            ("a.example.net", "A", "198.51.100.7", ("b.example.com", "c.example.com")),
            ("b.example.com", "A", "198.51.100.7", ("c.example.com",)),
            ("c.example.com", "A", "198.51.100.7", ()),
        ]
        assert {(one.rrname, one.client) for one in batch.sightings} == {
            (name, "10.0.0.1") for name in ("a.example.net", "b.example.com", "c.example.com")
        }

    def test_equal_ones_of_a_batch_are_one_whose_times_widen_and_counts_add_up(self, log: Path, reader: Reader) -> None:
        log.write_bytes(b"".join(json_line(hit("a", second)) for second in (9, 3, 5)) + json_line(hit("a", 4, "10.0.0.2")))
        (batch,) = reader.batches()
        (observation,) = batch.observations
        assert (observation.time_first, observation.time_last, observation.count) == (1793491203, 1793491209, 4)
        assert set(batch.sightings) == {
            Sighting("a.example.net", "10.0.0.1", 1793491203, 1793491209, 3),
            Sighting("a.example.net", "10.0.0.2", 1793491204, 1793491204, 1),
        }

    def test_without_a_client_there_is_a_name_and_no_sighting(self, log: Path, reader: Reader) -> None:
        log.write_bytes(b'{"ts":1,"uid":"C","query":"a.example.net","qtype":1,"answers":["198.51.100.1"]}\n')
        reader.poll_all()
        assert reader.names() == once("a")
        assert not reader.sighted

    def test_an_address_that_was_asked_for_is_neither_observed_nor_sighted(self, log: Path, reader: Reader) -> None:
        log.write_bytes(json_line(Exchange("198.51.100.7", "A", ("198.51.100.7",))))
        reader.poll_all()
        assert not reader.seen
        assert not reader.sighted

    def test_lines_that_cannot_be_read_are_counted_by_reason_with_a_sample(self, log: Path, reader: Reader) -> None:
        append(log, b"torn\x1b\n" * 3)
        reader.poll_all()
        ((refused),) = reader.refused
        assert (refused.reason, refused.count, refused.sample) == ("not as many columns as #fields names", 3, r"torn\x1b")

    def test_reasons_that_an_attacker_can_multiply_are_bounded(self, log: Path, reader: Reader) -> None:
        log.write_bytes(b"".join(json_line(Exchange("x" * (64 + number))) for number in range(200)))
        reader.poll_all()
        assert len(reader.refused) <= 33
        assert sum(refused.count for refused in reader.refused) == 200

    def test_one_answer_with_thousands_of_cnames_makes_few_observations(self, log: Path, reader: Reader) -> None:
        chain = tuple(f"n{number}.example.com" for number in range(3000))
        log.write_bytes(json_line(hit("a", chain=chain)))
        reader.poll_all()
        assert len(reader.seen) == 32
        assert [refused.reason for refused in reader.refused] == ["more than 32 names in a row of CNAMEs"]

    def test_other_logs_of_zeek_say_nothing_and_are_no_fault(self, tmp_path: Path, reader: Reader) -> None:
        (tmp_path / "dns-conn.log").write_bytes(header("ts", "uid", path="conn") + b"1\tC1\n")
        reader.poll_all()
        assert not reader.seen


class TestBatches:
    def test_they_are_bounded_by_what_they_say_and_by_what_they_read(self, tmp_path: Path) -> None:
        log = [hit(f"n{number}", number) for number in range(100)]
        (tmp_path / "dns.log").write_bytes(json_log(log))
        by_facts = list(Reader(f"{tmp_path}/dns.log", batch_facts=20).batches())
        assert len(by_facts) == 11
        assert all(len(batch.observations) + len(batch.sightings) <= 20 for batch in by_facts)
        by_bytes = list(Reader(f"{tmp_path}/dns.log", batch_bytes=2000).batches())
        assert len(by_bytes) > 5
        assert [batch.end is not None for batch in by_bytes] == [False] * (len(by_bytes) - 1) + [True]

    def test_lines_that_say_nothing_move_the_cursor_as_well(self, tmp_path: Path) -> None:
        (tmp_path / "dns.log").write_bytes(json_line(Exchange("www.example.org")) * 1000)
        batches = list(Reader(f"{tmp_path}/dns.log", batch_bytes=10_000).batches())
        assert len(batches) > 5
        assert all(batch.cursors and not batch.observations for batch in batches)

    def test_many_small_files_are_one_batch(self, tmp_path: Path, reader: Reader) -> None:
        for number in range(20):
            (tmp_path / f"dns{number}.log").write_bytes(json_line(hit(f"n{number}", number)))
        (batch,) = reader.batches()
        assert len(batch.observations) == 20
        assert len(batch.cursors) == 20

    def test_small_files_fill_a_batch_together(self, tmp_path: Path) -> None:
        for number in range(20):
            (tmp_path / f"dns{number}.log").write_bytes(json_line(Exchange(f"n{number}.example.org")) * 20)
        assert len(list(Reader(f"{tmp_path}/dns*", batch_bytes=10_000).batches())) > 3

    def test_a_second_poll_of_the_same_files_says_nothing_and_moves_nothing(
        self, tmp_path: Path, log: Path, reader: Reader
    ) -> None:
        (tmp_path / "dns.1.log.gz").write_bytes(gzip.compress(header() + line("old")))
        reader.poll_all()
        (batch,) = reader.batches()
        assert batch == Batch(scope=tuple(NETBLOCKS), end=End(Outcome.COMPLETE))


class TestGrowth:
    def test_what_is_appended_is_read_from_where_the_last_poll_stopped(self, log: Path, reader: Reader) -> None:
        for name in "cde":
            reader.poll_all()
            append(log, line(name))
        reader.poll_all()
        assert reader.names() == once(*"abcde")

    @pytest.mark.parametrize("cut", [1, 30, -2, -1])
    def test_a_last_line_waits_for_its_end(self, log: Path, reader: Reader, cut: int) -> None:
        torn = line("c")
        append(log, torn[:cut])
        reader.poll_all()
        reader.poll_all()
        assert reader.names() == once("a", "b")
        append(log, torn[cut:])
        reader.poll_all()
        assert reader.names() == once(*"abc")
        assert reader.refused == []

    def test_a_file_waits_for_the_end_of_its_first_line(self, log: Path, reader: Reader) -> None:
        log.write_bytes(b"#separ")
        reader.poll_all()
        log.write_bytes(header() + line("a"))
        reader.poll_all()
        assert reader.names() == once("a")

    def test_a_last_line_without_an_end_is_taken_when_the_file_is_at_rest(self, log: Path, reader: Reader) -> None:
        append(log, line("c").rstrip())
        reader.poll_all(LATER)
        reader.poll_all(LATER)
        assert reader.names() == once(*"abc")

    def test_the_header_is_remembered_in_the_middle_of_a_file(self, log: Path, reader: Reader) -> None:
        log.write_bytes(header("query", "answers", "qtype_name", "ts"))
        reader.poll_all()
        append(log, b"a.example.net\t198.51.100.1\tA\t5\n")
        reader.poll_all()
        append(log, header() + line("b"))
        reader.poll_all()
        assert reader.names() == once("a", "b")

    def test_a_late_file_is_read_from_its_beginning(self, tmp_path: Path, log: Path, reader: Reader) -> None:
        reader.poll_all()
        (tmp_path / "dns-late.log").write_bytes(header() + line("late"))
        reader.poll_all()
        assert reader.names() == once("a", "b", "late")

    def test_an_empty_file_is_no_fault_and_gets_no_cursor(self, tmp_path: Path, reader: Reader) -> None:
        (tmp_path / "dns.log").touch()
        (tmp_path / "dns.log.gz").write_bytes(gzip.compress(b""))
        reader.poll_all()
        assert reader.cursors == {}

    def test_a_folder_or_a_pipe_that_the_glob_matches_is_passed_by(self, tmp_path: Path, log: Path, reader: Reader) -> None:
        (tmp_path / "dns-folder").mkdir()
        os.mkfifo(tmp_path / "dns-pipe")
        reader.poll_all()
        assert reader.names() == once("a", "b")

    def test_two_paths_to_one_file_are_one_file(self, tmp_path: Path, log: Path, reader: Reader) -> None:
        (tmp_path / "dns-current").symlink_to(log)
        (tmp_path / "dns-hard.log").hardlink_to(log)
        reader.poll_all()
        append(log, line("c"))
        reader.poll_all()
        assert reader.names() == once(*"abc")


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
        assert end.reason.endswith("dns-notes: no format fits its first bytes; say which it is: zeek")

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


def sightings(log: list[Exchange]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for one in log:
        if one.inside:
            found.update({(name, one.client): 1 for name in {one.query, *one.chain}})
    return found


def test_it_says_what_it_is() -> None:
    source = LogSource("zeek-a", "/nowhere", Formats())
    assert (source.name, source.kind) == ("zeek-a", "log")
    assert NETBLOCKS
