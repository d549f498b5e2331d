"""How results are printed: to readers that go away, to disks that are full, in any locale, with hostile text in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from feedsvc.cli.printing import json_text, table
from tests.site import ZEEK_HEADER, Site, ago, environment, zeek_line

COMMAND = [sys.executable, "-m", "feedsvc"]


def test_a_reader_that_goes_away_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "plugins"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_sweep_stops_when_nobody_reads_it(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True).write()
    lines = [zeek_line(ago(hours=1), "10.0.0.9", "k3xq.example.net", "198.51.100.1")] * 2000
    site.log.write_text("".join([ZEEK_HEADER, *lines]))
    with subprocess.Popen(site.command("sweep", str(site.log)), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["rrname"] == "k3xq.example.net"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_result_that_cannot_be_written_is_a_failure_in_one_line() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("/dev/full")
    with full.open("w") as out:
        done = subprocess.run([*COMMAND, "plugins"], stdout=out, stderr=subprocess.PIPE, check=False, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_json_is_json_in_any_locale_and_for_any_argument(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True).write()
    site.log.write_text("")
    site.poll()
    done = subprocess.run(
        [*map(os.fsencode, site.command("explain", "--json")), b"\xff\xc3.example.net"],
        env=environment(LC_ALL="C", PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["publishable"] is False


def test_json_keeps_letters_as_they_are() -> None:
    assert json_text({"reason": "sett på Ørland"}) == '{\n  "reason": "sett på Ørland"\n}'


def test_a_table_moves_no_cursor() -> None:
    assert table([("a\x1b[2Jb", "c")], ["ONE", "TWO"]).splitlines() == ["ONE        TWO", "a\\x1b[2Jb  c"]
