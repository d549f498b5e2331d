"""`kill -9` at any moment of `run`: run again, and the end is that of an undisturbed run; no reader saw a version twice.

Real processes. The suite kills a few times; `make soak` kills two hundred times.
"""

from __future__ import annotations

import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from taxii2client.v21 import Collection as RemoteCollection

from feedsvc.assemble.serving import http
from feedsvc.config import load
from feedsvc.model import Status
from feedsvc.pipeline import granting
from tests.site import ZEEK_HEADER, Site, ago, zeek_line
from tests.standins.cof import CofServer, row

LABELS = [f"{letter}{number:03d}" for letter in "kpz" for number in range(0, 100, 7)]
OLD = [f"{label}.example.org" for label in LABELS[:20]]


def domain(number: int) -> str:
    """The registered domain of a round's names."""
    return f"round-{number}.example.net"


def bring(site: Site, server: CofServer, number: int) -> None:
    """New names at the provider and in the log."""
    server.rows = [
        row(f"{label}.{domain(at)}.", f"198.51.100.{(place + at) % 16}", ago(hours=2), ago(minutes=3))
        for at in range(number + 1)
        for place, label in enumerate(LABELS)
    ]
    with site.log.open("a") as log:
        log.writelines(
            zeek_line(ago(hours=4, minutes=place), f"10.0.0.{place % 9}", f"{label}.log.{domain(number)}", "198.51.100.9")
            for place, label in enumerate(LABELS)
        )


def make_site(folder: Path, server: CofServer) -> Site:
    """A site whose baseline is complete."""
    folder.mkdir()
    site = Site(folder, pdns_url=server.url, zeek=True).write()
    server.rows = [row(f"{name}.", "198.51.100.3", ago(days=20), ago(days=2)) for name in OLD]
    site.log.write_text(ZEEK_HEADER)
    site.poll()
    return site


def end_state(site: Site) -> dict[str, Any]:
    """All that must be equal; moments, numbers of rows and serials differ between any two runs."""
    with site.parts() as parts:
        found = parts.history.findings.with_status(set(Status))
        findings = [
            (one.name, one.status, one.novelty, one.rdata, one.sources, one.netblock, one.episode, one.case) for one in found
        ]
        verbs = Counter(
            (decision.name, decision.verb) for one in findings for decision in parts.history.findings.decisions(one[0])
        )
        sightings = {one[0]: [seen for _, seen in parts.history.facts.sightings(one[0])] for one in findings}
    rpz = [line for line in (site.exports / "callbacks.rpz").read_text().splitlines() if "SOA" not in line]
    return {
        "findings": findings,
        "verbs": verbs,
        "sightings": {
            name: [(one.client, one.count) for one in sorted(seen, key=lambda one: one.client)]
            for name, seen in sightings.items()
        },
        "domains": site.listed(),
        "hosts": [line for line in (site.exports / "hosts.txt").read_text().splitlines() if not line.startswith("#")],
        "rpz": [line for line in rpz if not line.startswith(";")],
    }


@contextmanager
def polling(site: Site) -> Iterator[Counter[tuple[str, str]]]:
    """A TAXII client that polls by added_after all the while; how often it got each version."""
    got: Counter[tuple[str, str]] = Counter()
    stop = threading.Event()
    loaded = load(site.file, {})
    with site.parts() as parts:
        token = granting.add(parts, "poller", ["callbacks"], "green", []).token
        number = parts.collections[0].id
    with http(loaded) as server:
        remote = RemoteCollection(f"{server.url}/taxii2/feeds/collections/{number}/", user="poller", password=token)
        after: list[str] = []

        def poll() -> None:
            options = {"added_after": after[0]} if after else {}
            page = remote.get_manifest(limit=7, version="all", **options)
            for one in page.get("objects", []):
                got[one["id"], one["version"]] += 1
                after[:] = [one["date_added"]]

        def poll_until_stopped() -> None:
            while not stop.is_set():
                poll()

        thread = threading.Thread(target=poll_until_stopped)
        thread.start()
        try:
            yield got
        finally:
            stop.set()
            thread.join()
            for _ in range(400):
                seen = sum(got.values())
                poll()
                if sum(got.values()) == seen:
                    break


def kill_runs(site: Site, times: int, chance: random.Random) -> int:
    """Start `run` and kill it at random moments; how often it was killed before it ended."""
    killed = 0
    for _ in range(times):
        with subprocess.Popen(site.command("run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(chance.uniform(0.3, 1.6))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
    return killed


def play(tmp_path: Path, rounds: int, kills: int) -> None:
    """Each round brings names; one site runs once, the other is killed `kills` times and then runs."""
    chance = random.Random(rounds)
    killed = 0
    with CofServer() as server:
        undisturbed = make_site(tmp_path / "undisturbed", server)
        disturbed = make_site(tmp_path / "disturbed", server)
        with polling(disturbed) as got:
            for number in range(rounds):
                bring(undisturbed, server, number)
                undisturbed.poll()
                bring(disturbed, server, number)
                killed += kill_runs(disturbed, kills, chance)
                disturbed.poll()
    assert killed > rounds
    expected = end_state(undisturbed)
    assert len(expected["domains"]) == 2 * rounds * len(LABELS)
    assert end_state(disturbed) == expected
    assert set(got.values()) == {1}
    assert sum(number.startswith("indicator--") for number, _ in got) == 2 * rounds * len(LABELS)


def test_a_run_that_is_killed_anywhere_loses_nothing_and_publishes_nothing_twice(tmp_path: Path) -> None:
    play(tmp_path, rounds=4, kills=5)


@pytest.mark.soak
def test_two_hundred_kills_lose_nothing_and_publish_nothing_twice(tmp_path: Path) -> None:
    play(tmp_path, rounds=40, kills=5)
