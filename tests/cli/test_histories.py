"""A state that was moved to another machine by the command line goes on there as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from feedsvc.history import open_history
from feedsvc.history.layout import CursorRow, ExportRow, MarkRow, NoteRow, OutcomeRow, Row, RunRow
from feedsvc.pipeline import granting
from tests.history.filling import filled, rows_of
from tests.site import ZEEK_HEADER, Site, ago, zeek_line


def site(folder: Path) -> Site:
    folder.mkdir()
    return Site(folder, zeek=True).write()


def state(here: Site) -> Path:
    return here.folder / "var" / "feedsvc.db"


def rows(here: Site) -> list[Row]:
    with closing(open_history(state(here), read_only=True)) as history:
        return rows_of(history)


def known(found: list[Row]) -> list[Row]:
    """What a run that brings nothing new leaves alone; runs and how far one looked it writes down all the same."""
    return [row for row in found if not isinstance(row, RunRow | OutcomeRow | CursorRow | MarkRow | ExportRow | NoteRow)]


def worked(here: Site) -> Site:
    """With a baseline, and names that were found after it and published."""
    here.log.write_text(ZEEK_HEADER + zeek_line(ago(hours=9), "10.0.0.1", "old1.example.org", "198.51.100.3"))
    here.poll()
    with here.log.open("a") as log:
        log.writelines(zeek_line(ago(hours=2), "10.0.0.2", f"k3x{n}.example.net", f"198.51.100.{n}") for n in range(5))
    here.poll()
    with here.parts() as parts:
        granting.add(parts, "acme", ["callbacks"], "green", ["domains.txt"])
    assert len(here.listed()) == 5
    return here


@pytest.mark.parametrize("name", ["history.ndjson", "history.ndjson.gz"])
def test_a_moved_state_finds_nothing_new_and_counts_nothing_twice(tmp_path: Path, name: str) -> None:
    one, two = worked(site(tmp_path / "one")), site(tmp_path / "two")
    file = str(tmp_path / name)
    before = rows(one)
    assert f"wrote {file}: {len(before)} rows" in one.run("history", "export", file)
    assert f"{len(before)} rows" in two.run("history", "import", file)
    assert rows(two) == before

    shutil.copy(one.log, two.log)
    result = two.poll()
    assert (result.delta.added, result.delta.published, result.delta.removed) == ((), (), ())
    assert two.listed() == one.listed()
    assert known(rows(two)) == known(before)


def test_a_state_goes_through_a_pipe(tmp_path: Path) -> None:
    one, two = site(tmp_path / "one"), site(tmp_path / "two")
    filled(state(one))
    with subprocess.Popen(one.command("history", "export", "-"), stdout=subprocess.PIPE) as export:
        said = subprocess.run(two.command("history", "import", "-"), stdin=export.stdout, capture_output=True, check=True)
    assert export.returncode == 0
    assert rows(two) == rows(one)
    assert said.stdout.decode().startswith(f"{state(two)} is now as it was exported at 2")


def test_what_cannot_be_done_is_said_and_ends_as_bad_usage(tmp_path: Path) -> None:
    here, file = site(tmp_path / "one"), tmp_path / "history.ndjson"
    file.write_text("my diary\n")
    assert f"{file}:1: it is no history that feedsvc exported" in here.fails("history", "import", str(file))
    assert not state(here).exists()
    here.run("history", "export", str(file), code=1)  # there is nothing yet
    assert file.read_text() == "my diary\n"


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def gone() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize(("out", "why"), [(full, "No space left"), (gone, "Broken pipe")])
def test_an_export_that_does_not_arrive_whole_is_a_failure_in_one_line(
    tmp_path: Path, out: Callable[[], int], why: str
) -> None:
    here, nowhere = site(tmp_path / "one"), out()
    filled(state(here))
    done = subprocess.run(here.command("history", "export", "-"), stdout=nowhere, stderr=subprocess.PIPE, check=False)
    os.close(nowhere)
    assert done.returncode == 1
    assert f"standard output could not be written: {why}" in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
