"""Small makers of what history keeps, and child processes that use the same state."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import feedsvc
from feedsvc.clock import rfc3339
from feedsvc.history import open_history
from feedsvc.history.port import FeedQuery, FeedRow, History
from feedsvc.model import (
    Account,
    Change,
    Collection,
    Cursor,
    ExportState,
    Finding,
    Observation,
    Outcome,
    Partner,
    Refused,
    Sighting,
    SourceOutcome,
    Spent,
    Status,
    StixObject,
    Tlp,
)
from tests import making

# The engines that the contract is tested over: a name and a way to a place for a state that is not there yet.
ENGINES: dict[str, Callable[[Path], Path]] = {
    "sqlite": lambda folder: folder / "var" / "feedsvc.db",
}


@contextmanager
def fresh(engine: str) -> Iterator[History]:
    """A new state in a folder of its own, for laws that need one for each example."""
    with tempfile.TemporaryDirectory() as folder, closing(open_history(ENGINES[engine](Path(folder)))) as history:
        yield history


NOW = making.NOW.replace(microsecond=123456)  # finer than any format shows
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = int(NOW.timestamp())


def observation(rrname: str = "k3xq.example.net", rdata: str = "198.51.100.7", **fields: Any) -> Observation:
    return dataclasses.replace(Observation(rrname, "A", rdata), **fields)


def sighting(rrname: str = "k3xq.example.net", **fields: Any) -> Sighting:
    return dataclasses.replace(Sighting(rrname, "192.0.2.10", SECOND, SECOND), **fields)


def finding(name: str = "k3xq.example.net", **fields: Any) -> Finding:
    """A candidate whose addresses and sources have an order that sorting would change."""
    several = {"rdata": ("198.51.100.9", "198.51.100.10"), "sources": ("zeek", "dnsdb")}
    return making.finding(name, now=NOW, **several | fields)


def published(name: str = "k3xq.example.net", **fields: Any) -> Finding:
    return finding(name, **{"status": Status.PUBLISHED, "published_at": NOW} | fields)


def change(about: Finding, **fields: Any) -> Change:
    return Change(about, making.decision(about, **fields))


def keep(history: History, *findings: Finding) -> tuple[int, ...]:
    """Store findings as if just found."""
    with history.transaction():
        return history.findings.apply([change(one) for one in findings])


COLLECTION = Collection(id="8f3e1c1e-5d1c-4a57-9d5e-0a5be1f3a001", alias="indicators", title="Indicators", max_tlp=Tlp.RED)
OTHER = Collection(id="8f3e1c1e-5d1c-4a57-9d5e-0a5be1f3a002", alias="open", title="Open ones", max_tlp=Tlp.CLEAR)


def stix_id(number: int, kind: str = "indicator") -> str:
    return f"{kind}--{number:08d}-0000-4000-8000-000000000000"


def version(number: int) -> str:
    return rfc3339(NOW + number * timedelta(milliseconds=1))


def stix(number: int = 1, revision: int = 0, *, kind: str = "indicator", **fields: Any) -> StixObject:
    """Version `revision` of object `number`; a greater revision is a newer version."""
    base = StixObject(
        id=stix_id(number, kind),
        type=kind,
        version=version(revision),
        body=b'{"id":"%d","revision":%d}' % (number, revision),
        tlp=Tlp.GREEN,
        watch="jar-callbacks",
        name=f"n{number}.example.net",
    )
    return dataclasses.replace(base, **fields)


def add(history: History, *objects: StixObject, to: Collection = COLLECTION, now: datetime = NOW) -> None:
    with history.transaction():
        history.feed.add(to, objects, now)


def ask(**fields: Any) -> FeedQuery:
    return dataclasses.replace(FeedQuery(COLLECTION.id, Tlp.RED.rank, limit=1000), **fields)


def everything(history: History, **fields: Any) -> list[FeedRow]:
    """All that a reader gets who pages by `after` to the end."""
    query = ask(**fields)
    found: list[FeedRow] = []
    while True:
        page = history.feed.objects(query)
        found += page.rows
        if not page.more:
            return found
        query = dataclasses.replace(query, after=page.rows[-1].date_added)


def named(rows: Iterable[FeedRow]) -> list[tuple[str, str]]:
    return [(row.id, row.version) for row in rows]


def keys(*objects: StixObject) -> list[tuple[str, str]]:
    return [(one.id, one.version) for one in objects]


def write_much(history: History) -> None:
    """What a batch that finds something stores, inside the caller's transaction; more than SQLite keeps in memory."""
    history.facts.move([Cursor("circl", "198.51.100.0/24", "17")], NOW)
    history.facts.store("circl", [observation(f"n{number}.example.net") for number in range(20_000)], NOW)
    history.findings.apply([change(finding())])
    history.feed.add(COLLECTION, [stix(number) for number in range(2_000)], NOW)


def assert_untouched(history: History) -> None:
    """Nothing of `write_much` is there."""
    assert history.facts.cursors("circl") == {}
    assert history.facts.evidence("n1.example.net") == ()
    assert history.findings.with_status(list(Status)) == ()
    assert history.findings.decisions("k3xq.example.net") == ()
    assert history.feed.current(stix_id(1)) is None
    assert everything(history) == []


# Needs the state as its argument; says "halfway" and then waits to be killed.
STOPS_HALFWAY = """
import sys
from pathlib import Path
from feedsvc.history import open_history
from tests.history.making import write_much
history = open_history(Path(sys.argv[1]))
with history.transaction():
    write_much(history)
    print("halfway", flush=True)
    sys.stdin.read()
"""

REFUSED = Refused("no name", 3, "\\000bad")
COMPLETE = SourceOutcome("circl", Outcome.COMPLETE, "250 names")
PARTNER = Partner("csirt", ("indicators", "open"), Tlp.AMBER, ("domains.txt",), NOW)
QUOTA = Account(
    "circl/1f3a",
    spans=(
        Spent("burst", NOW - HOUR, 3, limit=4, left=1, resets_at=NOW + HOUR, seconds=0.25),
        Spent("day", NOW - DAY, 17, before=5),
    ),
    recent=(NOW - HOUR, NOW, NOW),
    closed_until=NOW + HOUR,
    closed_why="the provider says that the quota of this day is spent",
    refused_at=NOW,
    learnt_at=NOW - HOUR,
)
EXPORT = ExportState("domains.txt", "domains", 12, 3, "ab" * 32, NOW, "would lose 40 % of its names")


@contextmanager
def child(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process with our package, its pipes open; gone when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(feedsvc.__file__).parents[1])},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_word(process: subprocess.Popen[str], word: str) -> None:
    """Wait until a child has said a word; fails when it says another or dies."""
    assert process.stdout is not None
    assert process.stdout.readline().strip() == word


def kill(process: subprocess.Popen[str]) -> None:
    """End a child as a power cut would: no handler, no `finally`."""
    process.kill()
    process.wait()


def ends_well(process: subprocess.Popen[str]) -> bool:
    """Wait for a child's end."""
    return process.wait() == 0
