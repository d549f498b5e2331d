"""How fast names are judged: `publishable` and `parse_name` beside one bare walk of the Public Suffix List.

Limit: 100,000 names a second on one core, so that a million names pass the gate in ten seconds.
Usage: python benchmarks/names.py
"""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Sequence

from publicsuffixlist import PublicSuffixList

from feedsvc.names import parse_name, publishable

COUNT = 200_000
LIMIT = 100_000  # a second


def made_names(count: int) -> list[str]:
    """Four random letters under random domains: the case that feedsvc was built for."""
    draw = random.Random(2013)
    letters = string.ascii_lowercase + string.digits
    tops = ["com", "net", "co.uk", "top", "github.io"]
    return [
        f"{''.join(draw.choices(letters, k=4))}.{''.join(draw.choices(string.ascii_lowercase, k=9))}.{draw.choice(tops)}"
        for _ in range(count)
    ]


def per_second(judge: Callable[[str], object], names: Sequence[str]) -> float:
    """How many names a second a function does, best of three."""
    judge(names[0])
    best = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        for name in names:
            judge(name)
        best = min(best, time.perf_counter() - begun)
    return len(names) / best


def main() -> None:
    names = made_names(COUNT)
    shouted = [f"{name.upper()}." for name in names]
    walk = per_second(PublicSuffixList(accept_unknown=False).privatesuffix, names)
    rows = [
        ("one walk of the list (publicsuffixlist)", walk),
        ("publishable", per_second(publishable, names)),
        ("publishable, capitals and a final dot", per_second(publishable, shouted)),
        ("parse_name", per_second(parse_name, names)),
        ("parse_name, capitals and a final dot", per_second(parse_name, shouted)),
    ]
    for what, rate in rows:
        print(f"{what:42} {rate:12,.0f} names/s  {rate / walk:6.2f} x the walk  {rate / LIMIT:6.1f} x the limit")


if __name__ == "__main__":
    main()
