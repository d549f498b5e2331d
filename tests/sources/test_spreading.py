"""Several logs are searched by several processes; what comes out is what one process would give, and they end with it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from feedsvc.names import parse_netblock
from feedsvc.sources.logs import Formats
from feedsvc.sources.searching import Found, Sought, Trouble
from feedsvc.sources.spreading import BATCH, Job, is_worth, spread
from feedsvc.sources.sweeping import search
from tests.sources.logs import making

ROOT = Path(__file__).parents[2]
SOUGHT = Sought([parse_netblock("198.51.100.0/24")])


def log(path: Path, hits: int, *, bad: int = 0) -> str:
    lines = [
        making.json_line(making.Exchange(f"n{n}.{path.stem}.example.net", answers=("198.51.100.7",))) for n in range(hits)
    ]
    path.write_bytes(b"".join([*lines, *[b'{"ts":198.51.100.1\n'] * bad]))
    return str(path)


def spread_over(files: Sequence[str], processes: int = 2) -> tuple[list[Found], list[Trouble], list[int]]:
    troubles: list[Trouble] = []
    told: list[int] = []
    job = Job(files, Formats("zeek"), SOUGHT, every_line=False)
    return list(spread(job, processes, report=troubles.append, progress=told.append)), troubles, told


def one_by_one(files: Sequence[str]) -> tuple[list[Found], list[Trouble]]:
    troubles: list[Trouble] = []
    return list(search(files, Formats("zeek"), SOUGHT, report=troubles.append)), troubles


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_what_is_found_comes_in_the_order_of_the_files_with_their_troubles(tmp_path: Path, processes: int) -> None:
    sizes = [3, 0, 30 * BATCH, 1, BATCH, 7]
    files = [log(tmp_path / f"{n}.log", size, bad=n % 2) for n, size in enumerate(sizes)]
    files.insert(2, str(tmp_path / "gone.log"))
    found, troubles, told = spread_over(files, processes)
    assert (found, troubles) == one_by_one(files)
    assert [trouble.reason for trouble in troubles].count("no such file or directory") == 1
    assert told == sorted(told)
    assert told[-1] == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_a_log_that_is_far_larger_than_a_pipe_holds_up_nobody_for_ever(tmp_path: Path) -> None:
    files = [log(tmp_path / "small.log", 1), log(tmp_path / "large.log", 20_000), log(tmp_path / "last.log", 20_000)]
    found, _, _ = spread_over(files)
    assert len(found) == 40_001


def test_processes_end_when_nobody_wants_more(tmp_path: Path) -> None:
    files = [log(tmp_path / f"{n}.log", 20_000) for n in range(3)]
    found = spread(Job(files, Formats("zeek"), SOUGHT, every_line=False), 2, report=print, progress=lambda read: None)
    next(found)
    children = children_of(os.getpid())
    assert len(children) >= 2
    found.close()
    assert children_of(os.getpid()) & children <= tracker()


def children_of(parent: int) -> set[int]:
    """Processes that this one began and that are not done."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    return {int(child) for child in listed.split()}


def tracker() -> set[int]:
    """The process that Python keeps for all that processes share."""
    from multiprocessing.resource_tracker import _resource_tracker  # noqa: PLC0415

    return {_resource_tracker._pid} if _resource_tracker._pid else set()  # type: ignore[attr-defined]


SEARCH = """
import sys
from feedsvc.names import parse_netblock
from feedsvc.sources.logs import Formats
from feedsvc.sources.searching import Sought
from feedsvc.sources.spreading import Job, spread
if __name__ == "__main__":
    job = Job(sys.argv[1:], Formats("zeek"), Sought([parse_netblock("198.51.100.0/24")]), every_line=False)
    for found in spread(job, 2, report=print, progress=lambda read: None):
        print(found.record.rrname, flush=True)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SEARCH, encoding="ascii")
    return path


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_they_end_with_the_process_that_began_them(tmp_path: Path, script: Path, how: signal.Signals) -> None:
    files = [log(tmp_path / f"{n}.log", 20_000) for n in range(3)]
    command = [sys.executable, str(script), *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        children = children_of(parent.pid)
        assert len(children) >= 2
        parent.send_signal(how)
        parent.communicate()  # ends when the last process that has the other end is gone
    assert all(map(ends, children))


def ends(process: int) -> bool:
    """Wait for the end of a process that is none of ours; whether it comes."""
    try:
        end = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([end], [], [], 30)[0])
    finally:
        os.close(end)


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    files = [log(tmp_path / "0.log", 20_000), log(tmp_path / "1.log", 3)]
    troubles: list[Trouble] = []
    found = spread(Job(files, Formats("zeek"), SOUGHT, every_line=False), 2, report=troubles.append, progress=print)
    next(found)
    for child in children_of(os.getpid()) - tracker():
        os.kill(child, signal.SIGKILL)
    rest = list(found)
    assert len(rest) < 20_002
    assert (files[0], "the process that searched it died") in {(trouble.file, trouble.reason) for trouble in troubles}


@pytest.mark.parametrize(("sizes", "worth"), [([60, 60], True), ([120], False), ([30, 30], False)])
def test_it_is_worth_it_for_several_files_that_are_large(tmp_path: Path, sizes: list[int], worth: bool) -> None:
    for number, size in enumerate(sizes):
        (tmp_path / f"{number}.log").write_bytes(b"x" * size)
    assert is_worth([str(path) for path in sorted(tmp_path.iterdir())], 100) is worth


def test_it_is_never_worth_it_when_one_of_them_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "log").write_bytes(b"x" * 200)
    assert not is_worth([str(tmp_path / "pipe"), str(tmp_path / "log")], 100)
