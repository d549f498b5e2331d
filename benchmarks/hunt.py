"""How long a hunt takes for one finding through a month of logs: ten million lines in sixty gzip files, killed on the way.

The archive is written here, each file with half a day of Zeek's dns.log; a finding's lookups (without an answer, so that no
poll could have found the name by them) are strewn over it, by clients that are known. Then the real thing, in a state of its
own: a poll reads the archive, another one brings the name, and `feedsvc hunt` is started, killed with SIGKILL again and
again, and run to its end. What `explain` says must be the truth to the last lookup.

Beside it stands what no search can be quicker than: the same files decompressed by ISA-L alone, in the same run.

Usage: python benchmarks/hunt.py [--lines 10000000] [--files 60] [--kills 5]
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from feedsvc.sources.logfile import LogFile
from tests.site import ZEEK_HEADER, Site, zeek_line

NAME = "k3xq.example.net"
ADDRESS = "198.51.100.7"
DAY = 86_400
WORDS = [
    f"{one}{two}" for one in ("cloud", "data", "node", "edge", "mail", "cdn") for two in ("star", "line", "blue", "soft")
]


def lines_of(number: int, rows: int, began: float, truth: Counter[str]) -> str:
    """Half a day of a resolver: names as they come, and now and then a client of the finding."""
    chance = random.Random(number)
    step = DAY / 2 / rows
    written = []
    for place in range(rows):
        when = began + place * step
        client = f"10.{chance.randrange(4)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
        if chance.random() < 2e-5:
            truth[client] += 1
            written.append(zeek_line(when, client, NAME))
        else:
            name = f"h{chance.randrange(5000)}.{chance.choice(WORDS)}{chance.randrange(200)}.com"
            written.append(zeek_line(when, client, name, f"203.0.{chance.randrange(114)}.{chance.randrange(256)}"))
    return "".join(written)


def write_archive(folder: Path, lines: int, files: int) -> Counter[str]:
    """The files, oldest first; how often each client asked for the finding."""
    truth: Counter[str] = Counter()
    newest = time.time() - DAY / 2
    for number in range(files):
        began = newest - (files - number) * DAY / 2 * 0.98  # all of it within thirty days
        with gzip.open(folder / f"dns.{number:03d}.log.gz", "wt", compresslevel=1) as out:
            out.write(ZEEK_HEADER + lines_of(number, lines // files, began, truth))
    return truth


def decode(folder: Path) -> tuple[float, int]:
    """Seconds and bytes of decompressing all of it and no more."""
    began, size = time.perf_counter(), 0
    for file in sorted(folder.glob("dns.*.log.gz")):
        with LogFile.open(str(file)) as log:
            size += sum(map(len, log.blocks()))
    return time.perf_counter() - began, size


def killed_hunts(site: Site, kills: int, seconds: float) -> int:
    """Start `hunt` and kill it after a while, again and again; how often it was killed before it was through."""
    killed = 0
    for _ in range(kills):
        with subprocess.Popen(site.command("hunt", NAME), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
    return killed


def clients(site: Site) -> Counter[str]:
    text = subprocess.run(site.command("explain", NAME, "--json"), capture_output=True, text=True, check=True).stdout
    return Counter({one["client"]: one["count"] for one in json.loads(text)["clients"]})


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=10_000_000)
    options.add_argument("--files", type=int, default=60)
    options.add_argument("--kills", type=int, default=5)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        truth = write_archive(folder, asked.lines, asked.files)
        size = sum(file.stat().st_size for file in folder.glob("dns.*.log.gz"))
        print(f"{asked.lines:,} lines in {asked.files} files, {size / 1e6:.0f} MB; {sum(truth.values())} lookups are sought")
        site = Site(folder, zeek=True, rule={"names": {"label": {"length": 4}}}).write()
        began = time.perf_counter()
        site.poll()
        print(f"poll of the archive: {time.perf_counter() - began:.0f} s")
        site.log.write_text(ZEEK_HEADER + zeek_line(time.time() - 60, "10.9.9.9", NAME, ADDRESS))
        truth["10.9.9.9"] += 1
        site.poll()
        bare, text = decode(folder)
        print(f"bare decode: {bare:.1f} s, {text / bare / 1e6:.0f} MB/s of text")
        killed = killed_hunts(site, asked.kills, max(1.0, bare / 3))
        began = time.perf_counter()
        subprocess.run(site.command("hunt", NAME), check=True, stdout=subprocess.DEVNULL)
        print(f"killed {killed} times, then {time.perf_counter() - began:.1f} s to the end")
        found = clients(site)
        print(f"clients: {len(found)} of {len(truth)}, lookups: {sum(found.values())} of {sum(truth.values())}")
        print("the truth: " + ("reached" if found == truth else "MISSED"))
        began = time.perf_counter()
        subprocess.run(site.command("hunt", NAME), check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        print(f"the whole once more: {seconds:.1f} s, {bare / seconds:.2f} x of the bare decode's speed")
        print("the truth once more: " + ("reached" if clients(site) == truth else "MISSED"))


if __name__ == "__main__":
    main()
