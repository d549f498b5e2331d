"""What a sweep says of itself while it runs, and what it is asked to read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedsvc.assemble.sweeping import Sweep, progress_text
from feedsvc.config import load
from tests.site import ZEEK_HEADER, Site, zeek_line


@pytest.mark.parametrize(
    ("done", "total", "seconds", "text"),
    [
        (0, 4_000_000, 1.0, "swept 0 of 4 MB"),
        (1_000_000, 4_000_000, 30.0, "swept 1 of 4 MB, 1:30 left"),
        (4_000_000, 4_000_000, 30.0, "swept 4 of 4 MB, 0:00 left"),
        (5_000_000, 4_000_000, 30.0, "swept 5 of 4 MB"),
        (7_000_000, None, 30.0, "swept 7 MB"),
    ],
)
def test_progress_says_how_far_it_is_and_how_long_the_rest_takes(
    done: int, total: int | None, seconds: float, text: str
) -> None:
    assert progress_text(done, total, seconds) == text


@pytest.mark.parametrize(("every_line", "troubles"), [(False, []), (True, [("not as many columns as #fields names", 1)])])
def test_lines_that_cannot_be_read_are_told_when_every_line_is_asked_for(
    tmp_path: Path, every_line: bool, troubles: list[tuple[str, int]]
) -> None:
    site = Site(tmp_path).write()
    site.log.write_text(ZEEK_HEADER + "torn\n" + zeek_line(1793491200, "10.1.2.3", "k3xq.example.net", "198.51.100.7"))
    sweep = Sweep(load(site.file, {}), [str(site.log)], watch="", form="auto", progress=print, every_line=every_line)
    assert [json.loads(line)["rrname"] for line in sweep.lines()] == ["k3xq.example.net"]
    assert [(trouble.reason, trouble.lines) for trouble in sweep.troubles] == troubles
