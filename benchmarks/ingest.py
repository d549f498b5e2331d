"""How fast a poll whose rows are known is taken in: COF decoded, matched, compared with history; against SQLite alone.

Ours is the real path: `sources.cof.Rows` over the lines of an answer, each batch by `absorbing.absorb` in a transaction of a
real state. Beside it, in the same run, SQLite's own upsert of the same rows, decoded already, into a table of the same key:
WITHOUT ROWID, WAL, one `executemany` in one transaction, with as much cache as ours. Both get the rows as a provider sends
them, which is in no order, and in the order of the key.

Targets: half of SQLite's own rate; against ten million other known names at most 1.3 times the cost against ten thousand.
Told without a target: what a poll costs whose rows are all new, and one whose rows were all seen once more, later.

Usage: python benchmarks/ingest.py [--rows 200000] [--known 10000 1000000] [--ten-million]
The ten million take two minutes more, and 3 GB of the temporary directory.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sqlite3
import string
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from feedsvc.config import Limits, Producer
from feedsvc.history import open_history
from feedsvc.http import Discretion
from feedsvc.model import LabelPattern, NamePattern, Watch
from feedsvc.names import parse_netblock, registered_domain
from feedsvc.pipeline.absorbing import absorb
from feedsvc.pipeline.parts import Parts
from feedsvc.sources.cof import Rows
from feedsvc.watches.match import Matcher

SHARE = 0.5  # of SQLite's own rate, at least
GROWTH = 1.3  # times the cost against the smallest history, at most
ROUNDS = 4  # the best counts
MATCHING = 0.02  # of the names are what the rule looks for, and findings

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
SECOND = int(NOW.timestamp())
NETBLOCK = parse_netblock("198.51.100.0/24")
SOURCE = "circl"
DISCRETION = Discretion(("0123456789abcdef" * 2,), ("jane",))  # a provider is asked with a key
LETTERS = string.ascii_lowercase + string.digits
WATCH = Watch(
    id="jar-callbacks",
    title="t",
    netblocks=(NETBLOCK,),
    names=NamePattern(label=LabelPattern("leftmost", 4, 4, frozenset(LETTERS))),
    fingerprint="f1",
)

Known = tuple[str, str, str, str, int, int, int]
"""Address, name, type, source, first and last time, count: a row as SQLite gets it."""


def made_names(draw: random.Random, count: int) -> Iterator[str]:
    for _ in range(count):
        size = 4 if draw.random() < MATCHING else draw.choice((3, 5, 6, 8))
        label, domain = "".join(draw.choices(LETTERS, k=size)), "".join(draw.choices(string.ascii_lowercase, k=9))
        yield f"{label}.{domain}.{draw.choice(('com', 'net', 'co.uk', 'top'))}"


def made_rows(count: int) -> list[Known]:
    """What a poll of the netblock brings, in no order."""
    draw = random.Random(2013)
    rows: dict[tuple[str, str], Known] = {}
    for name in made_names(draw, count):
        address, last = f"198.51.100.{draw.randrange(256)}", SECOND - draw.randrange(86_400, 40 * 86_400)
        rows[address, name] = (address, name, "A", SOURCE, last - draw.randrange(10**7), last, draw.randrange(1, 10_000))
    return list(rows.values())


def answer(rows: Sequence[Known], *, later: int = 0) -> list[bytes]:
    """The rows as a COF server writes them; `later`: all seen once more, so many seconds later."""
    said = (
        {
            "rrname": f"{name}.",
            "rrtype": rrtype,
            "rdata": address,
            "time_first": first,
            "time_last": last + later,
            "count": n,
        }
        for address, name, rrtype, _, first, last, n in rows
    )
    return [json.dumps(one).encode() + b"\n" for one in said]


# -- ours --------------------------------------------------------------------------------------------------------------


def poll(parts: Parts, lines: Sequence[bytes], now: datetime) -> None:
    """Take an answer in as `pipeline.polling` does."""
    for batch in Rows(NETBLOCK, now, DISCRETION).read(lines):
        with parts.history.transaction():
            absorb(parts, SOURCE, batch, now)


def parts_on(state: Path) -> Parts:
    history, matcher = open_history(state), Matcher([WATCH])
    return Parts(history, matcher, matcher.netblocks, (), (SOURCE,), (), (), state.parent, Producer(), Limits())


def know_others(state: Path, count: int) -> None:
    """Make a state know so many other names, at all addresses of the /16 around the netblock, as years would leave it."""
    open_history(state).close()
    with closing(sqlite3.connect(state, isolation_level=None)) as db:
        db.create_function("registered_domain", 1, registered_domain, deterministic=True)
        db.execute("PRAGMA cache_size = -1000000")
        db.execute("BEGIN")
        # Put back when all is in: row by row, what they do for ten million would take half an hour.
        slow = db.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'evidence' AND type <> 'table'"
        ).fetchall()
        made_by_hand = [(kind, name, sql) for kind, name, sql in slow if sql]
        for kind, name, _ in made_by_hand:
            db.execute(f"DROP {kind} {name}")
        db.executemany(
            "INSERT OR IGNORE INTO evidence (rdata, rrname, rrtype, source, time_first, time_last, count, seen_first,"
            " seen_last) VALUES (?, ?, 'A', ?, ?, ?, 7, ?, ?)",
            others(count),
        )
        db.execute(
            "INSERT OR IGNORE INTO domain (name, seen_first) SELECT registered_domain(rrname) AS name, min(seen_first)"
            " FROM evidence GROUP BY name"
        )
        for _, _, sql in made_by_hand:
            db.execute(sql)
        db.execute("COMMIT")


def others(count: int) -> Iterator[tuple[str, str, str, int, int, int, int]]:
    """In the order of the key."""
    draw = random.Random(count)
    at = (SECOND - 86_400) * 1_000_000
    places = sorted(f"198.51.{number >> 8}.{number & 255}" for number in range(65_536))
    for number, place in enumerate(places):
        share = count * (number + 1) // len(places) - count * number // len(places)
        for name in sorted(made_names(draw, share)):
            last = SECOND - draw.randrange(10**8)
            yield place, name, SOURCE, last - 1000, last, at, at


# -- SQLite alone ------------------------------------------------------------------------------------------------------

TABLE = """
    CREATE TABLE known (
        rdata TEXT NOT NULL, rrname TEXT NOT NULL, rrtype TEXT NOT NULL, source TEXT NOT NULL,
        time_first INTEGER, time_last INTEGER, count INTEGER,
        PRIMARY KEY (rdata, rrname, rrtype, source)
    ) WITHOUT ROWID
"""

UPSERT = """
    INSERT INTO known VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
        time_first = min(time_first, excluded.time_first), time_last = max(time_last, excluded.time_last),
        count = max(count, excluded.count)
"""


def plain_table(file: Path, rows: Sequence[Known]) -> sqlite3.Connection:
    """A table that knows the rows."""
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA cache_size = -16384")  # without it, it would be a fifth slower in no order
    db.execute(TABLE)
    upsert(db, rows)
    return db


def upsert(db: sqlite3.Connection, rows: Sequence[Known]) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.executemany(UPSERT, rows)
    db.execute("COMMIT")


# -- beside each other -------------------------------------------------------------------------------------------------


def seconds(work: Callable[[], None]) -> float:
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def told(what: str, rows: Sequence[Known], took: float, *ratios: str) -> None:
    print(f"  {what:28} {len(rows) / took:11,.0f} rows/s", *ratios, flush=True)


def at_least(value: float, target: float, of: str) -> str:
    return f"{value:6.2f} x {of} ({'met' if value >= target else 'MISSED'}: {target} wanted)"


def at_most(value: float, target: float, of: str) -> str:
    return f"{value:6.2f} x {of} ({'met' if value <= target else 'MISSED'}: at most {target})"


class Beside:
    """A poll of rows in some order, against each history and SQLite alone.

    All in turn, round after round: who slows the machine down meanwhile slows all of them down.
    """

    def __init__(self, rows: Sequence[Known], lines: Sequence[bytes]) -> None:
        self.rows = rows
        self.lines = lines
        self.alone = float("inf")
        self.ours: dict[int, float] = {}

    def round(self, histories: Mapping[int, Parts], plain: sqlite3.Connection, now: datetime) -> None:
        for known, parts in histories.items():
            self.ours[known] = min(self.ours.get(known, float("inf")), seconds(partial(poll, parts, self.lines, now)))
        self.alone = min(self.alone, seconds(partial(upsert, plain, self.rows)))

    def tell(self, order: str) -> None:
        print(f"all known, {order}")
        told("SQLite alone", self.rows, self.alone)
        fewest = min(self.ours)
        for known, took in self.ours.items():
            share = at_least(self.alone / took, SHARE, "SQLite's own rate")
            growth = at_most(took / self.ours[fewest], GROWTH, f"the cost against {fewest:,}")
            told(f"beside {known:,} others", self.rows, took, share, *([growth] if known != fewest else []))


def prepared(folder: Path, rows: Sequence[Known], known: int) -> Parts:
    """A history of the rows and of so many other names."""
    state = folder / f"{known}.db"
    took = seconds(lambda: know_others(state, known))
    print(f"{known:,} other names: {state.stat().st_size / 1e6:,.0f} MB, made in {took:.0f} s", flush=True)
    parts = parts_on(state)
    told("all new, in no order", rows, seconds(lambda: poll(parts, answer(rows), NOW)))
    return parts


def compare(folder: Path, rows: Sequence[Known], sizes: Sequence[int]) -> None:
    histories = {known: prepared(folder, rows, known) for known in sizes}
    orders = {order: Beside(some, answer(some)) for order, some in (("in no order", rows), ("in key order", sorted(rows)))}
    with ExitStack() as closing_all:
        plain = closing_all.enter_context(closing(plain_table(folder / "plain.db", rows)))
        for parts in histories.values():
            closing_all.enter_context(closing(parts.history))
        for turn in range(ROUNDS):
            for some in orders.values():
                some.round(histories, plain, NOW + timedelta(hours=1 + turn))
        for order, some in orders.items():
            some.tell(order)
        print("all seen once more, in no order")
        for known, parts in histories.items():
            later = answer(rows, later=3600)
            told(f"beside {known:,} others", rows, seconds(partial(poll, parts, later, NOW + timedelta(hours=9))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--known", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--ten-million", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), made_rows(asked.rows), [*asked.known, *([10_000_000] if asked.ten_million else [])])


if __name__ == "__main__":
    main()
