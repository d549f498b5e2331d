"""A writer killed at every step: readers see old or new files, whole, and the next run goes on from there."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feedsvc.publish.disk import Disk
from tests.publish.dying import FIRST, SECOND, write

STEPS = 18  # three files, six moments each; the test of the last step proves that there are no more
ROOT = Path(__file__).parents[2]


def generation(folder: Path, names: list[str], later: int) -> dict[str, bytes]:
    """What an undisturbed writer leaves."""
    write(folder, names, later=later, disk=Disk())
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that a reader can fetch."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def die(folder: Path, step: int) -> int:
    """How a process ended that writes the second generation and is to die at a step."""
    command = [sys.executable, "-m", "tests.publish.dying", str(folder), str(step)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


@pytest.mark.parametrize("step", range(STEPS))
def test_a_writer_killed_anywhere_leaves_whole_files_and_the_next_run_heals(tmp_path: Path, step: int) -> None:
    old = generation(tmp_path / "undisturbed", FIRST, later=0)
    new = generation(tmp_path / "undisturbed", SECOND, later=100)
    folder = tmp_path / "exports"
    generation(folder, FIRST, later=0)

    assert die(folder, step) == -signal.SIGKILL

    left = contents(folder)
    assert left.keys() == old.keys()
    assert all(left[name] in {old[name], new[name]} for name in left)
    inodes = {name: (folder / name).stat().st_ino for name in left if left[name] == new[name]}

    results = write(folder, SECOND, later=7000, disk=Disk())
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    # What was in place before the kill is found right and is not made anew.
    assert {name: (folder / name).stat().st_ino for name in inodes} == inodes
    assert [one.state.serial for one in results] == [
        one.state.serial for one in write(folder, SECOND, later=9000, disk=Disk())
    ]
    index = {line["name"]: line["sha256"] for line in json.loads(contents(folder)["index.json"])["lists"]}
    assert index == {name: hashlib.sha256(contents(folder)[name]).hexdigest() for name in ("domains", "zone")}
    assert contents(folder)["domains"] == new["domains"]


def test_there_is_no_step_after_the_last(tmp_path: Path) -> None:
    generation(tmp_path, FIRST, later=0)
    assert die(tmp_path, STEPS) == 0
