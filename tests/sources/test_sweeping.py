"""The sweep: every hit and no trap, whatever the files are; trouble is told and the rest is read."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from feedsvc.model import Match, Observation
from feedsvc.names import parse_netblock
from feedsvc.sources.logs import Formats
from feedsvc.sources.sweeping import STDIN, Found, Hit, Sought, Trouble, locate, search, sweep
from tests.sources.logs import making
from tests.sources.logs.making import Exchange, json_line, json_log, traffic, tsv_log

SAMPLES = Path(__file__).parents[1] / "data" / "logs" / "zeek"
NETBLOCKS = [parse_netblock(text) for text in making.NETBLOCKS]
ROOT = Path(__file__).parents[2]

Wanted = Callable[[Sequence[Observation]], Sequence[Match]]


def everything(observations: Sequence[Observation]) -> list[Match]:
    return [Match("all", making.NETBLOCKS[0], one) for one in observations]


def names_wanted(*names: str) -> Wanted:
    """Two watches that ask for the same names."""

    def wanted(observations: Sequence[Observation]) -> list[Match]:
        found = [one for one in observations if one.rrname in names]
        return [Match(watch, making.NETBLOCKS[0], one) for watch in ("first", "second") for one in found]

    return wanted


def run(
    *paths: Path | str, wanted: Wanted = everything, stdin: bytes = b"", form: str = "auto", every_line: bool = False
) -> tuple[list[Hit], list[Trouble]]:
    troubles: list[Trouble] = []
    found = sweep(
        [str(path) for path in paths],
        Formats(form),
        NETBLOCKS,
        wanted,
        report=troubles.append,
        stdin=io.BytesIO(stdin),
        every_line=every_line,
    )
    return list(found), troubles


def expected(exchanges: Sequence[Exchange]) -> Counter[tuple[object, ...]]:
    return Counter((one.query, one.qtype, inside, one.chain, one.client) for one in exchanges for inside in one.inside)


def seen(hits: Sequence[Hit]) -> Counter[tuple[object, ...]]:
    return Counter((hit.rrname, hit.rrtype, hit.rdata, hit.chain, hit.client) for hit in hits)


class TestHits:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    @pytest.mark.parametrize("write", [tsv_log, json_log, lambda log: json_log(log, making.iso)], ids=["tsv", "json", "iso"])
    def test_all_hits_are_found_and_no_trap(self, tmp_path: Path, seed: int, write: making.Writer) -> None:
        log = traffic(seed, 3000)
        (tmp_path / "dns.log").write_bytes(write(log))
        hits, troubles = run(tmp_path / "dns.log")
        assert len({one.trap for one in log}) > 10
        assert expected(log).total() > 200
        assert seen(hits) == expected(log)
        assert troubles == []

    def test_a_hit_says_where_its_record_begins_in_the_uncompressed_file(self, tmp_path: Path) -> None:
        text = tsv_log(traffic(1, 500))
        (tmp_path / "dns.log.gz").write_bytes(gzip.compress(text))
        hits, _ = run(tmp_path / "dns.log.gz")
        for hit in hits:
            line = text[hit.offset : text.index(b"\n", hit.offset)]
            assert text[hit.offset - 1 : hit.offset] == b"\n"
            assert hit.rrname.encode() in line
        assert {hit.file for hit in hits} == {str(tmp_path / "dns.log.gz")}
        assert {hit.format for hit in hits} == {"zeek"}

    @pytest.mark.parametrize(
        ("time", "text"),
        [
            (1793491200.000123, "2026-11-01T00:00:00.000123Z"),
            (1793491200.25, "2026-11-01T00:00:00.250Z"),
            (1793491200.0, "2026-11-01T00:00:00.000Z"),
        ],
    )
    def test_times_keep_the_digits_of_the_log(self, time: float, text: str) -> None:
        log = json_line(Exchange("k3xq.example.net", answers=("198.51.100.1",), time=time))
        ((hit,), _) = run(STDIN, stdin=log)
        assert (hit.time_first, hit.time_last) == (text, text)

    def test_a_cname_that_is_wanted_is_found_under_the_name_that_was_asked(self) -> None:
        log = json_line(Exchange("shop.example.org", answers=("a.example.com", "k3xq.example.net", "198.51.100.1")))
        hits, _ = run(STDIN, stdin=log, wanted=names_wanted("k3xq.example.net", "a.example.com"))
        assert [(hit.watch, hit.rrname, hit.chain) for hit in hits] == [
            ("first", "shop.example.org", ("a.example.com", "k3xq.example.net")),
            ("second", "shop.example.org", ("a.example.com", "k3xq.example.net")),
        ]

    def test_each_address_inside_is_a_hit_once(self) -> None:
        answers = ("198.51.100.1", "192.0.2.1", "198.51.100.1", "198.51.100.2")
        hits, _ = run(STDIN, stdin=json_line(Exchange("k3xq.example.net", answers=answers)))
        assert [hit.rdata for hit in hits] == ["198.51.100.1", "198.51.100.2"]

    @pytest.mark.parametrize("query", ["198.51.100.1", "198.51.100.1.", "2001:db8:77::1"])
    def test_an_address_that_was_asked_for_is_no_name(self, query: str) -> None:
        line = json_line(Exchange(query, "A", ("198.51.100.1", "2001:db8:77::1")))
        assert run(STDIN, stdin=line) == ([], [])

    def test_an_unknown_client_is_none(self) -> None:
        ((hit,), _) = run(STDIN, stdin=b'{"ts":1,"uid":"C","query":"a.example.net","qtype":1,"answers":["198.51.100.1"]}\n')
        assert hit.client is None

    def test_a_last_line_without_an_end_is_a_line(self) -> None:
        hits, _ = run(STDIN, stdin=json_line(Exchange("k3xq.example.net", answers=("198.51.100.1",))).rstrip())
        assert len(hits) == 1

    def test_wanted_is_asked_only_about_addresses_inside(self) -> None:
        asked: list[Observation] = []

        def wanted(observations: Sequence[Observation]) -> list[Match]:
            asked.extend(observations)
            return []

        log = traffic(1, 500)
        run(STDIN, stdin=tsv_log(log), wanted=wanted)
        assert {one.rdata for one in asked} == {inside for one in log for inside in one.inside}


def lookup(query: str, *answers: str) -> bytes:
    return json_line(Exchange(query, answers=answers, client="10.1.2.3"))


class TestSearch:
    """What `search` promises to those who look for names as well."""

    def search(self, *lines: bytes, netblocks: Sequence[str] = (), names: Sequence[str] = ()) -> list[Found]:
        sought = Sought([parse_netblock(text) for text in netblocks], names)
        return list(search([STDIN], Formats(), sought, report=print, stdin=io.BytesIO(b"".join(lines))))

    def test_lookups_of_a_name_are_found_wherever_it_led(self) -> None:
        lines = lookup("k3xq.example.net"), lookup("www.example.net", "192.0.2.1"), lookup("K3xq.Example.net", "192.0.2.1")
        found = self.search(*lines, names=["k3xq.example.net"])
        assert [(one.record.rrname, one.record.offset, one.file, one.format) for one in found] == [
            ("k3xq.example.net", 0, "-", "zeek"),
            ("k3xq.example.net", len(lines[0] + lines[1]), "-", "zeek"),
        ]

    def test_lookups_that_pass_a_name_on_their_way_are_found(self) -> None:
        found = self.search(lookup("a.example.org", "k3xq.example.net", "192.0.2.1"), names=["k3xq.example.net"])
        assert [one.record.chain for one in found] == [("k3xq.example.net",)]

    def test_a_record_that_is_sought_for_two_reasons_comes_once_and_in_its_place(self) -> None:
        lines = lookup("b.example.net", "198.51.100.9"), lookup("k3xq.example.net", "198.51.100.1"), lookup("c.example.net")
        found = self.search(*lines, netblocks=["198.51.100.0/24"], names=["k3xq.example.net"])
        assert [one.record.rrname for one in found] == ["b.example.net", "k3xq.example.net"]

    def test_a_name_that_only_ends_or_begins_like_a_sought_one_is_not_found(self) -> None:
        lines = lookup("xk3xq.example.net", "192.0.2.1"), lookup("k3xq.example.net.example.org", "192.0.2.1")
        assert self.search(*lines, names=["k3xq.example.net"]) == []


class TestFiles:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        for number, name in enumerate(["a/1.log", "a/2.log", "b/3.log", "c d/[4].log"]):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(json_line(Exchange(f"n{number}.example.net", answers=("198.51.100.1",))))
        return tmp_path

    @pytest.mark.parametrize(
        ("paths", "found"),
        [
            (["."], ["n0", "n1", "n2", "n3"]),
            (["a", "b/3.log"], ["n0", "n1", "n2"]),
            (["b/3.log", "a"], ["n2", "n0", "n1"]),
            (["*/[0-9].log"], ["n0", "n1", "n2"]),
            (["c d/[4].log"], ["n3"]),
            (["**/*.log"], ["n0", "n1", "n2", "n3"]),
            (["a/1.log", "a/*.log", "a"], ["n0", "n1"]),
            (["?"], ["n0", "n1", "n2"]),
        ],
    )
    def test_files_folders_and_globs_are_read_in_order_and_once(
        self, tree: Path, paths: list[str], found: list[str]
    ) -> None:
        hits, troubles = run(*(os.path.normpath(tree / path) for path in paths))
        assert [hit.rrname.partition(".")[0] for hit in hits] == found
        assert troubles == []

    def test_standard_input_may_be_compressed_and_stands_between_files(self, tree: Path) -> None:
        log = gzip.compress(json_line(Exchange("piped.example.net", answers=("198.51.100.1",))))
        hits, _ = run(tree / "b", STDIN, tree / "a", stdin=log)
        assert [hit.rrname.partition(".")[0] for hit in hits] == ["n2", "piped", "n0", "n1"]
        assert hits[1].file == "-"

    def test_standard_input_is_left_open(self) -> None:
        stdin = io.BytesIO(b"")
        assert list(sweep([STDIN], Formats(), NETBLOCKS, everything, report=print, stdin=stdin)) == []
        assert not stdin.closed

    def test_an_empty_file_has_no_hits_and_no_faults_whatever_its_format_may_be(self, tmp_path: Path) -> None:
        (tmp_path / "dns.log").touch()
        (tmp_path / "dns.log.gz").write_bytes(gzip.compress(b""))
        assert run(tmp_path / "dns.log", tmp_path / "dns.log.gz") == ([], [])

    def test_a_pipe_that_was_asked_for_is_read(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        line = json_line(Exchange("piped.example.net", answers=("198.51.100.1",)))
        with subprocess.Popen(["tee", str(tmp_path / "pipe")], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as writer:
            assert writer.stdin is not None
            writer.stdin.write(line)
            writer.stdin.close()
            hits, troubles = run(tmp_path / "pipe")
        assert [hit.rrname for hit in hits] == ["piped.example.net"]
        assert troubles == []

    def test_pipes_and_links_that_lead_nowhere_are_passed_by_in_folders(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        (tmp_path / "empty.log").touch()
        assert run(tmp_path) == ([], [])


class TestTrouble:
    def test_every_file_that_cannot_be_read_is_told_and_the_rest_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_bytes(b"what is this\n")
        (tmp_path / "b.log").write_bytes(b"\x04\x22\x4d\x18....")
        (tmp_path / "c.log").write_bytes(gzip.compress(tsv_log(traffic(1, 2000)))[:-2000])
        (tmp_path / "d.log").write_bytes(json_line(Exchange("k3xq.example.net", answers=("198.51.100.1",))))
        hits, troubles = run(tmp_path / "a.log", tmp_path / "gone.log", tmp_path / "none*.log", tmp_path)
        assert hits[-1].rrname == "k3xq.example.net"
        assert len(hits) > 50
        assert [(trouble.file.removeprefix(f"{tmp_path}/"), trouble.lines) for trouble in troubles] == [
            ("gone.log", 0),
            ("none*.log", 0),
            ("a.log", 0),
            ("b.log", 0),
            ("c.log", 0),
        ]
        reasons = [trouble.reason for trouble in troubles]
        assert reasons[:2] == ["no file there", "no file there"]
        assert reasons[2].startswith("no format fits its first bytes; say which it is: ")
        assert reasons[3].startswith("lz4 is not read")
        assert reasons[4].startswith("damaged after ")

    def test_a_folder_without_a_file_is_told(self, tmp_path: Path) -> None:
        assert run(tmp_path) == ([], [Trouble(str(tmp_path), "no file there")])

    def test_lines_that_cannot_be_read_are_counted_by_reason_with_a_sample(self) -> None:
        hits, troubles = run(SAMPLES / "hostile.log", every_line=True)
        assert len(hits) > 10
        assert {trouble.reason: trouble.lines for trouble in troubles} == {
            "query is no name: empty label": 1,
            "query is no name: label of 64 octets, 63 is the limit": 1,
            "ts is no time": 1,
            "answer is neither address nor name: empty label": 1,
            "not as many columns as #fields names": 1,
            "no JSON, or not of the shape that Zeek writes": 2,
        }
        assert next(trouble.sample for trouble in troubles if "columns" in trouble.reason) == r"torn\tline"
        assert all(len(trouble.sample) <= 200 for trouble in troubles)

    def test_bad_lines_are_told_though_the_file_is_damaged_after_them(self, tmp_path: Path) -> None:
        text = making.header() + b"torn\n" + os.urandom(5000).hex().encode()
        (tmp_path / "dns.log.gz").write_bytes(gzip.compress(text)[:-100])
        _, troubles = run(tmp_path, every_line=True)
        assert [trouble.lines for trouble in troubles] == [1, 0]

    def test_links_in_a_circle_and_files_that_the_system_cannot_read_are_told(self, tmp_path: Path) -> None:
        (tmp_path / "circle").symlink_to(tmp_path / "circle")
        (tmp_path / "memory").symlink_to("/proc/self/mem")
        _, troubles = run(tmp_path)
        assert {Path(trouble.file).name: trouble.reason for trouble in troubles} == {
            "circle": "too many levels of symbolic links",
            "memory": "input/output error",
        }

    def test_a_path_through_a_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").touch()
        troubles: list[Trouble] = []
        assert locate([f"{tmp_path}/a.log/b.log"], troubles.append) == []
        assert "not a directory" in {trouble.reason for trouble in troubles}

    def test_more_cnames_than_any_resolver_follows_are_told(self) -> None:
        chain = tuple(f"n{number}.example.com" for number in range(100))
        log = json_line(Exchange("k3xq.example.net", answers=(*chain, "198.51.100.1")))
        hits, (trouble,) = run(STDIN, stdin=log)
        assert [hit.rrname for hit in hits] == ["k3xq.example.net"]
        assert trouble.reason == "more than 32 names in a row of CNAMEs"


class TestProgress:
    def test_it_rises_to_the_size_of_all_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_bytes(json_log(traffic(1, 5000)))
        (tmp_path / "b.log.gz").write_bytes(gzip.compress(json_log(traffic(2, 5000))))
        told: list[tuple[int, int | None]] = []
        list(
            sweep(
                [str(tmp_path)],
                Formats(),
                NETBLOCKS,
                everything,
                report=print,
                progress=lambda done, total: told.append((done, total)),
            )
        )
        size = sum(path.stat().st_size for path in tmp_path.iterdir())
        assert told == sorted(told)
        assert told[-1] == (size, size)
        assert len(told) > 3

    def test_with_a_pipe_the_total_is_unknown(self) -> None:
        told: list[tuple[int, int | None]] = []
        log = json_log(traffic(1, 10))
        found = sweep(
            [STDIN],
            Formats(),
            NETBLOCKS,
            everything,
            report=print,
            progress=lambda done, total: told.append((done, total)),
            stdin=io.BytesIO(log),
        )
        list(found)
        assert told[-1] == (len(log), None)


MEASURED = """
import resource, sys
from feedsvc.names import parse_netblock
from feedsvc.sources.logs import Formats
from feedsvc.sources.sweeping import sweep
found = sweep(sys.argv[1:], Formats(), [parse_netblock("198.51.100.0/24")], lambda seen: [], report=print)
assert list(found) == []
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def python(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small, large = tmp_path / "small.log", tmp_path / "large.log.gz"
    text = tsv_log(traffic(1, 4000))
    small.write_bytes(text)
    with gzip.open(large, "wb", compresslevel=1) as out:
        for _ in range(60):
            out.write(text)
    before, after = (int(python(MEASURED, str(path))) for path in (small, large))
    assert after < before + 8 * 1024


def test_a_sweep_of_nothing_loads_no_format_and_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "dns.log").touch()
    loaded = python(MEASURED + "print(*sys.modules)", str(tmp_path / "dns.log")).split()
    heavy = {"pydantic", "httpx", "stix2", "litestar", "msgspec", "sqlite_utils", "structlog", "multiprocessing"}
    assert heavy.isdisjoint(loaded)
    assert {"hyperscan", "stringzilla", "feedsvc.sources.logs.zeek"}.isdisjoint(loaded)
