"""The process that hunts beside `serve`: there when there is something to do, last in line, gone with whoever started it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from feedsvc import assemble
from feedsvc.assemble.hunting import LOWEST, Hunter
from tests.site import ZEEK_HEADER, Site, ago, zeek_line

NAME = "k3xq.example.net"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site in which a hunt is pending."""
    site = Site(tmp_path, zeek=True).write()
    site.log.write_text(ZEEK_HEADER + zeek_line(ago(hours=2), "10.0.0.2", NAME))
    site.poll()
    with site.log.open("a") as log:
        log.write(zeek_line(ago(hours=1), "10.0.0.1", NAME, "198.51.100.7"))
    site.poll()
    return site


def hunter(site: Site) -> Hunter:
    return Hunter(site.file, assemble.settings(site.file).state)


def clients(site: Site) -> set[str]:
    return {one["client"] for one in site.json("explain", NAME)["clients"]}


def wait_for(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def test_it_hunts_in_a_process_of_the_lowest_priority_and_starts_one_at_a_time(site: Site) -> None:
    with hunter(site) as one:
        one.look()
        process = one.process
        assert process is not None
        one.look()
        assert one.process is process
        wait_for("its priority", lambda: os.getpriority(os.PRIO_PROCESS, process.pid) == LOWEST)
        assert process.wait(60) == 0
    assert clients(site) == {"10.0.0.1", "10.0.0.2"}


def test_without_anything_to_hunt_for_it_starts_nothing(site: Site) -> None:
    site.run("hunt")
    with hunter(site) as one:
        one.look()
        assert one.process is None


def test_without_a_state_it_starts_nothing(tmp_path: Path) -> None:
    with Hunter(tmp_path / "feedsvc.toml", tmp_path / "none.db") as one:
        one.look()
        assert one.process is None


def test_it_ends_with_whoever_started_it(site: Site) -> None:
    with hunter(site) as one:
        one.look()
        process = one.process
    assert process is not None
    assert process.poll() is not None
    site.run("hunt")
    assert clients(site) == {"10.0.0.1", "10.0.0.2"}


def test_a_rule_at_fault_ends_it_with_a_word(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    (site.folder / "rules" / "jar.yaml").write_text("id: [")
    with hunter(site) as one:
        one.look()
        process = one.process
        assert process is not None
        assert process.wait(60) == 1
        one.look()
        assert one.process is not process, "it rests before it tries again"
    said = capfd.readouterr().err
    assert "hunt.at_fault" in said
    assert "Traceback" not in said
