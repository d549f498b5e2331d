"""How long a name takes from a line in a followed log to the feed and to the block list on disk.

Ours is the real thing: `feedsvc serve` in a process of its own with `every = "1s"`, a Zeek log to which a line is appended
at any moment of the second, a partner that asks TAXII for what was added, and whoever reads the list's file. The limit
beside it is arithmetic: the schedule looks once a second, so half a second goes by on average before anything can happen,
and a whole one at worst.

Target: under 2 s, also the worst.

Usage: python benchmarks/latency.py [ROUNDS [KNOWN]]     KNOWN names are there before, 0 by default
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx

from feedsvc.clock import rfc3339, utc_now
from tests.site import ZEEK_HEADER, Site, zeek_line

ROUNDS = 20
TARGET = 2.0  # seconds
BETWEEN_LOOKS = 0.005
PATIENCE = 30.0


@contextmanager
def serving(site: Site) -> Iterator[str]:
    """A running `serve`; the address of its TAXII server."""
    with subprocess.Popen(site.command("serve"), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = next(one["taxii"] for one in map(json.loads, process.stderr) if one["event"] == "serve.ready")
        threading.Thread(target=process.stderr.read, daemon=True).start()  # it must not fill up
        try:
            yield url
        finally:
            process.terminate()


def write(site: Site, name: str) -> float:
    """Append a line as Zeek does; the moment after."""
    with site.log.open("a") as out:
        out.write(zeek_line(time.time(), "10.0.0.7", name, "198.51.100.3"))
    return time.perf_counter()


def in_taxii(client: httpx.Client, since: str, name: str) -> tuple[bool, str]:
    """Whether the feed has a name among what was added since; and the moment to ask from the next time."""
    answer = client.get("collections/callbacks/objects/", params={"added_after": since})
    answer.raise_for_status()
    return name in answer.text, answer.headers.get("X-TAXII-Date-Added-Last", since)


def measure(site: Site, client: httpx.Client, number: int, since: str) -> tuple[float, float, str]:
    """Seconds until a new name is in TAXII, and until it is on disk."""
    name = f"{number:04d}.example.net"
    listed = site.exports / "domains.txt"
    began = write(site, name)
    feed = disk = 0.0
    while not (feed and disk):
        assert time.perf_counter() - began < PATIENCE, "the name did not come"
        if not feed:
            found, last = in_taxii(client, since, name)
            if found:
                feed, since = time.perf_counter() - began, last
        if not disk and name in listed.read_text():
            disk = time.perf_counter() - began
        time.sleep(BETWEEN_LOOKS)
    return feed, disk, since


def told(what: str, seconds: list[float]) -> None:
    worst = max(seconds)
    median, least = statistics.median(seconds), min(seconds)
    print(f"{what:10} median {median * 1000:6.0f} ms   least {least * 1000:6.0f} ms   worst {worst * 1000:6.0f} ms", end="")
    print(f"   {worst / TARGET:.2f} of the limit of {TARGET * 1000:.0f} ms")


def main(rounds: int = ROUNDS, known: int = 0) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rule: dict[str, object] = {"baseline": "publish", "names": {"under": ["example.net", "example.org"]}}
        site = Site(Path(folder), zeek=True, rule=rule, limits={"findings_per_poll": 1_000_000}).write()
        site.file.write_text(site.file.read_text().replace('path = "dns*.log*"', 'path = "dns*.log*"\nevery = "1s"'))
        lines = (
            zeek_line(time.time() - 60, "10.0.0.7", f"k{number}.example.org", "198.51.100.3") for number in range(known)
        )
        site.log.write_text(ZEEK_HEADER + "".join(lines))
        token = site.json("partner", "add", "bench", "--collection", "callbacks", "--max-tlp", "green")["token"]
        site.run("run")
        rng = random.Random(1)
        with serving(site) as url:
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/taxii+json;version=2.1"}
            with httpx.Client(base_url=f"{url}feeds/", headers=headers, timeout=PATIENCE) as client:
                _, _, since = measure(site, client, 0, rfc3339(utc_now()))  # the first one waits for the start as well
                taken = []
                for number in range(1, rounds + 1):
                    time.sleep(1 + rng.random())
                    feed, disk, since = measure(site, client, number, since)
                    taken.append((feed, disk))
        told("TAXII", [feed for feed, _ in taken])
        told("list", [disk for _, disk in taken])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
