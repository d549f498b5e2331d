"""How fast observations are matched, and that it does not depend on how many netblocks are watched.

Beside it: a look at every netblock in turn, with the addresses parsed already, which is what a list of rules comes down to.
Limit: 100,000 rows a second on one core, all of them addresses never seen before.
Usage: python benchmarks/matching.py
"""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable
from functools import partial

from feedsvc.model import LabelPattern, NamePattern, Observation, Watch
from feedsvc.names import Netblock, parse_address, parse_netblock
from feedsvc.watches.match import Matcher

LIMIT = 100_000  # rows a second
NAMES = NamePattern(label=LabelPattern("leftmost", 4, 4, frozenset("abcdefghijklmnopqrstuvwxyz0123456789")))


def made_watches(count: int) -> list[Watch]:
    return [
        Watch(id=f"w{n}", title="t", netblocks=(parse_netblock(f"10.{n // 256}.{n % 256}.0/24"),), names=NAMES)
        for n in reversed(range(count))
    ]


def made_rows(count: int, address: Callable[[random.Random], int]) -> list[Observation]:
    draw = random.Random(2013)
    return [Observation("k3xq.example.net", "A", str(ipaddress.IPv4Address(address(draw)))) for _ in range(count)]


def per_second(work: Callable[[], object], rows: int) -> float:
    begun = time.perf_counter()
    work()
    return rows / (time.perf_counter() - begun)


def one_by_one(blocks: list[Netblock], rows: list[Observation]) -> int:
    addresses = [parse_address(row.rdata) for row in rows]
    return sum(any(address in block for block in blocks) for address in addresses)


def main() -> None:
    rows = {
        "addresses never seen before, outside": made_rows(300_000, lambda draw: draw.randrange(11 << 24, 224 << 24)),
        "256 addresses again and again, outside": made_rows(300_000, lambda draw: (192 << 24) + draw.randrange(256)),
        "256 addresses again and again, inside": made_rows(300_000, lambda draw: (10 << 24) + draw.randrange(256)),
    }
    for what, some in rows.items():
        for count in (1, 1_000, 10_000):
            watches = made_watches(count)
            matcher = Matcher(watches)
            rate = per_second(partial(matcher.match, some), len(some))
            few = some[: 2_000_000 // (count + 100)]  # or one by one takes for ever
            slow = per_second(partial(one_by_one, list(matcher.netblocks), few), len(few))
            ratios = f"{rate / slow:9,.1f} x one by one {rate / LIMIT:6.1f} x the limit"
            print(f"{what:40} {count:6,} netblocks {rate:12,.0f} rows/s {ratios}")


if __name__ == "__main__":
    main()
