"""`serve` polls on schedule, answers partners meanwhile, and ends in order."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from feedsvc.history import open_history
from tests.site import Site, ago
from tests.standins import faults
from tests.standins.cof import CofServer, row


def wait_for(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@contextmanager
def serving(site: Site) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `serve` and the address of its TAXII server."""
    with subprocess.Popen(site.command("serve"), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                said = json.loads(line)
                if said["event"] == "serve.ready":
                    yield process, said["taxii"]
                    return
            raise AssertionError("serve ended before it was ready")
        finally:
            process.kill()


@pytest.fixture
def site(tmp_path: Path, server: CofServer) -> Site:
    return Site(tmp_path, pdns_url=server.url, source_options={"every": "1s"}).write()


def test_serve_publishes_what_comes_and_ends_in_order(site: Site, server: CofServer) -> None:
    with serving(site) as (process, url):
        wait_for("the baseline", (site.exports / "domains.txt").exists)
        server.rows = [row("k3xq.example.net.", "198.51.100.3", ago(minutes=2), ago(minutes=1))]
        wait_for("the name on the list", lambda: site.listed() == ["k3xq.example.net"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
    assert site.json("status")["sources"][0]["outcome"] == "complete"


def test_a_missed_window_is_seen_and_filled(site: Site) -> None:
    site.poll()
    with site.parts() as parts:
        first = parts.history.runs.last("poll/pdns")
    assert first is not None
    wait_for("three windows to go by", lambda: time.time() > first.window.timestamp() + 4)
    with subprocess.Popen(site.command("serve"), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        missed = next(said for line in process.stderr if (said := json.loads(line))["event"] == "schedule.missed")
        process.terminate()
    assert missed["source"] == "pdns"
    assert missed["windows"] >= 2


def test_sigterm_ends_a_run_cleanly_and_the_next_one_goes_on(site: Site, server: CofServer) -> None:
    server.rows = [row("k3xq.example.net.", "198.51.100.15", ago(minutes=2), ago(minutes=1))]
    site.rule = {"baseline": "publish", "netblocks": ["198.51.100.0/30", "198.51.100.8/29"]}
    site.source_options = {"concurrency": 1}
    site.write()
    with subprocess.Popen(site.command("run", "--json"), stdout=subprocess.PIPE, text=True) as process:
        server.faults = [faults.drip(b"\n" * 60)]
        wait_for("the first question", lambda: len(server.calls) > 0)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    [source] = json.loads(said)["sources"]
    assert source["outcome"] == "skipped"  # nothing had come yet
    assert "feedsvc is stopping" in source["reason"]
    assert site.json("run")["sources"][0]["outcome"] == "complete"
    assert site.listed() == ["k3xq.example.net"]


def test_a_rule_that_is_edited_badly_while_it_serves_is_told_by_status(site: Site) -> None:
    rule = site.folder / "rules" / "jar.yaml"
    with serving(site):
        wait_for("the baseline", (site.exports / "domains.txt").exists)
        good = rule.read_text()
        rule.write_text(good.replace("198.51.100.0/28", "198.51.100.1/28"))

        def told() -> str:
            with closing(open_history(site.folder / "var" / "feedsvc.db", read_only=True)) as history:
                return history.runs.latest_outcomes()["pdns"][1].reason

        wait_for("a run that tells of the rule", lambda: "host bits set" in told())
        rule.write_text(good)
        wait_for("a run as before", lambda: told() == "")
