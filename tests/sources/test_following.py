"""Logs followed from poll to poll: what they say, in which batches, and how files grow."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from feedsvc.model import Batch, End, Outcome, Sighting
from feedsvc.sources.following import LogSource
from feedsvc.sources.logs import Formats
from tests.sources.logs import dnstap_making
from tests.sources.logs.making import (
    Exchange,
    Writer,
    append,
    header,
    hit,
    json_line,
    json_log,
    line,
    traffic,
    tsv_log,
)
from tests.sources.logs.reading import LATER, NETBLOCKS, Reader, expected, once


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
            Sighting("a.example.net", "10.0.0.1", 1793491203, 1793491209, 3, log=str(log)),
            Sighting("a.example.net", "10.0.0.2", 1793491204, 1793491204, 1, log=str(log)),
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

    @pytest.mark.parametrize("form", ["dnstap", "auto"])
    def test_frames_are_read_as_soon_as_they_are_there_though_none_has_a_line_end(self, tmp_path: Path, form: str) -> None:
        log, reader = tmp_path / "dns.bin", Reader(f"{tmp_path}/dns*", form=form)
        first, second = (dnstap_making.frame(dnstap_making.without_line_end(name)) for name in "ab")
        for piece in (dnstap_making.BEGIN[:-9], dnstap_making.BEGIN[-9:], first, second[:7]):
            append(log, piece)
            reader.poll_all()
        assert reader.names() == once("a")
        append(log, second[7:])
        reader.poll_all()
        assert reader.names() == once("a", "b")
        assert reader.refused == []

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


def test_it_says_what_it_is() -> None:
    source = LogSource("zeek-a", "/nowhere", Formats())
    assert (source.name, source.kind) == ("zeek-a", "log")
