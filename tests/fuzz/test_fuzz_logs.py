"""The fuzzing of log formats, as far as it works without atheris: what it begins with, and inputs run once more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from feedsvc import plugins
from tests.fuzz import fuzz_logs


@pytest.mark.parametrize("form", plugins.names("logs"))
def test_every_format_has_something_to_begin_with(form: str, tmp_path: Path) -> None:
    told = fuzz_logs.prepare(form, tmp_path)
    assert list((tmp_path / "seeds").iterdir())
    assert all(path.stat().st_size <= fuzz_logs.LONGEST for path in (tmp_path / "seeds").iterdir())
    assert told[:2] == [str(tmp_path / "corpus"), str(tmp_path / "seeds")]
    assert (tmp_path / "words").read_text().isascii()


def test_inputs_that_were_found_can_be_run_once_more(tmp_path: Path) -> None:
    (tmp_path / "crash-1").write_bytes(b"\xff\n{}\n#fields\n")
    command = [sys.executable, fuzz_logs.__file__, "zeek", "eve", "--again", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
