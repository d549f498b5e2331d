"""Each sample of each format, searched for what is in it: by its traces, and by parsing every line."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from feedsvc.names import Address, Netblock
from feedsvc.sources.logs import Formats
from feedsvc.sources.searching import Found, Sought, Trouble
from feedsvc.sources.sweeping import search

SAMPLES = Path(__file__).parents[1] / "data" / "logs"
EVERYTHING = Sought([Netblock(4, 0, (1 << 32) - 1), Netblock(6, 0, (1 << 128) - 1)])


def samples() -> list[Path]:
    found = (path for path in sorted(SAMPLES.rglob("*")) if path.is_file() and path.name != "SOURCES.md")
    return [path for path in found if path.stat().st_size < 1_000_000]


def found_in(path: Path, sought: Sought, *, every_line: bool) -> list[Found]:
    form = path.relative_to(SAMPLES).parts[0].replace("_", "-")
    found = search([str(path)], Formats(form), sought, report=ignore, every_line=every_line)
    # Lines without a time are of the moment at which they are read.
    return [replace(one, record=replace(one.record, time=0.0)) if form == "coredns" else one for one in found]


def ignore(trouble: Trouble) -> None:
    del trouble


def around(rng: random.Random, address: Address) -> Netblock:
    """A netblock that an address lies in."""
    bits = 32 if address.version == 4 else 128
    size = 1 << bits - rng.choice([24, 23, 16, 32] if bits == 32 else [48, 64, 128])
    first = address.value // size * size
    return Netblock(address.version, first, first + size - 1)


@pytest.mark.parametrize("path", samples(), ids=lambda path: str(path.relative_to(SAMPLES)))
def test_a_sample_gives_what_parsing_every_line_of_it_gives(path: Path) -> None:
    rng = random.Random(path.name)
    all_found = found_in(path, EVERYTHING, every_line=True)
    addresses = sorted({address for one in all_found for address in one.record.answers})
    names = sorted({name for one in all_found for name in (one.record.rrname, *one.record.chain) if name})
    for _ in range(4):
        blocks = [around(rng, address) for address in rng.sample(addresses, min(len(addresses), rng.choice([1, 2, 12])))]
        for sought in (Sought(blocks), Sought(blocks, rng.sample(names, min(len(names), 2)))):
            assert found_in(path, sought, every_line=False) == found_in(path, sought, every_line=True)
