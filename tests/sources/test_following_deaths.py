"""Logs followed by processes that are killed, and over every order of things that can happen to files."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.sources.logs.dying import seen
from tests.sources.logs.making import Exchange, header, json_line, traffic, tsv_line, tsv_log
from tests.sources.logs.reading import Reader, expected

ROOT = Path(__file__).parents[2]
KILLS = 20


def run_and_kill(state: Path, pattern: str, after: int) -> bool:
    """Let a process poll, kill it after so many stored batches; whether it came to its end before."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sources.logs.dying", str(state), pattern],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = [next(process.stdout, "") for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        return "end\n" in (*said, *process.stdout)


def test_processes_killed_at_any_moment_lose_nothing_and_read_nothing_twice(tmp_path: Path) -> None:
    rng = random.Random(2026)
    log = traffic(9, 6000)
    logs = tmp_path / "logs"
    logs.mkdir()
    live, state, pattern = logs / "dns.log", tmp_path / "state.db", f"{logs}/dns*"
    live.write_bytes(tsv_log(log[:3000]))
    for kill in range(KILLS):
        run_and_kill(state, pattern, rng.randrange(0, 8))
        part = log[3000 + kill * 150 : 3000 + (kill + 1) * 150]
        if kill % 5 == 1:
            live.rename(logs / f"dns.{kill}.log")
            live.write_bytes(header())
        elif kill % 5 == 3:
            (logs / f"dns.{kill}.log.gz").write_bytes(gzip.compress(live.read_bytes()))
            live.unlink()
            live.write_bytes(header())
        with live.open("ab") as out:
            out.write(b"".join(map(tsv_line, part)))
    before = seen(str(state))
    assert 0 < before.total() < expected(log).total()
    assert run_and_kill(state, pattern, after=10_000)
    assert seen(str(state)) == expected(log)


class Files(RuleBasedStateMachine):
    """A writer, a rotation and a reader take turns in any order; in the end each line was read once.

    Lines are long enough that what begins a file is soon longer than what is fingerprinted, short enough for many of them.
    """

    @initialize(as_json=st.booleans())
    def begin(self, as_json: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="following-"))
        self.live = self.folder / "dns.log"
        self.as_json = as_json
        self.written: list[Exchange] = []
        self.torn = b""
        self.rotated: list[Path] = []
        self.rotations = 0
        self.headerless = False
        self.reader = Reader(f"{self.folder}/dns*", batch_facts=6, batch_bytes=3000)
        self._open_new()

    def _open_new(self) -> None:
        self.rotations += 1
        self.live.write_bytes(b"" if self.as_json else header(opened=f"2026-11-{self.rotations:05d}"))

    def _next(self) -> bytes:
        number = len(self.written)
        one = Exchange(
            f"n{number}.example.net", "A", ("198.51.100.7",), ("198.51.100.7",), (), "10.0.0.1", 1793491200 + number
        )
        self.written.append(one)
        return json_line(one) if self.as_json else tsv_line(one)

    def _see_while_the_header_is_known(self) -> None:
        """What a writer wrote on without a header after a truncation is read here or by nobody: its copies lack it too."""
        if self.headerless:
            self.reader.poll_all()
        self.headerless = False

    def _rotated_name(self) -> Path:
        self.rotations += 1
        path = self.folder / f"dns-{self.rotations}.log"
        self.rotated.append(path)
        return path

    @rule(lines=st.integers(1, 60))
    def write(self, lines: int) -> None:
        with self.live.open("ab") as out:
            out.write(self.torn + b"".join(self._next() for _ in range(lines)))
        self.torn = b""

    @precondition(lambda self: not self.torn)
    @rule(cut=st.integers(1, 40))
    def write_half_a_line(self, cut: int) -> None:
        whole = self._next()
        with self.live.open("ab") as out:
            out.write(whole[:cut])
        self.torn = whole[cut:]

    @rule()
    def poll(self) -> None:
        self.reader.poll_all()

    @rule(after=st.integers(0, 5))
    def die(self, after: int) -> None:
        self.reader.poll_and_die(after)

    @precondition(lambda self: not self.torn)
    @rule()
    def rename(self) -> None:
        self._see_while_the_header_is_known()
        self.live.rename(self._rotated_name())
        self._open_new()

    @precondition(lambda self: not self.torn and self.live.stat().st_size > 8192)
    @rule(poll_between=st.booleans())
    def copy_and_truncate(self, poll_between: bool) -> None:
        self._see_while_the_header_is_known()
        shutil.copy(self.live, self._rotated_name())
        if poll_between:
            self.reader.poll_all()
        os.truncate(self.live, 0)
        self.headerless = not self.as_json and poll_between
        if not self.headerless:
            self._open_new()

    @precondition(lambda self: self.rotated)
    @rule(data=st.data(), poll_between=st.booleans())
    def compress(self, data: st.DataObject, poll_between: bool) -> None:
        path = self.rotated.pop(data.draw(st.integers(0, len(self.rotated) - 1)))
        path.with_suffix(".log.gz").write_bytes(gzip.compress(path.read_bytes()))
        if poll_between:
            self.reader.poll_all()
        path.unlink()

    @precondition(lambda self: self.rotated)
    @rule(data=st.data())
    def rename_once_more(self, data: st.DataObject) -> None:
        path = self.rotated.pop(data.draw(st.integers(0, len(self.rotated) - 1)))
        path.rename(self._rotated_name())

    @invariant()
    def nothing_was_read_twice(self) -> None:
        if hasattr(self, "reader"):
            assert set(self.reader.seen.values()) <= {1}

    def teardown(self) -> None:
        if not hasattr(self, "reader"):
            return
        try:
            with self.live.open("ab") as out:
                out.write(self.torn)
            self.reader.poll_all()
            assert self.reader.seen == expected(self.written)
            assert self.reader.refused == []
        finally:
            shutil.rmtree(self.folder)


TestFiles = Files.TestCase
TestFiles.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
