"""A process that polls one log source into a SQLite file, one transaction a batch, to be killed at any moment.

Run as `python -m tests.sources.logs.dying STATE GLOB`; writes a line after each batch that is stored, `end` after the last.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from datetime import UTC, datetime

from feedsvc.sources.following import LogSource
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import Poll
from tests.sources.logs.reading import NETBLOCKS

SCHEMA = """
create table if not exists cursor (scope text primary key, position text not null) without rowid;
create table if not exists seen (
    name text, rdata text, chain text, count integer not null, primary key (name, rdata, chain)
) without rowid;
"""


def open_state(path: str) -> sqlite3.Connection:
    state = sqlite3.connect(path, isolation_level=None)
    state.executescript("pragma journal_mode = wal; pragma synchronous = off;" + SCHEMA)
    return state


def seen(path: str) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """What was stored: how often each (name, address, chain) was observed."""
    rows = open_state(path).execute("select name, rdata, chain, count from seen")
    return Counter({(name, rdata, tuple(json.loads(chain))): count for name, rdata, chain, count in rows})


def poll(path: str, pattern: str) -> None:
    state = open_state(path)
    cursors = dict(state.execute("select scope, position from cursor"))
    source = LogSource("zeek", pattern, Formats(), batch_facts=40, batch_bytes=20_000)
    for batch in source.read(Poll(NETBLOCKS, cursors, datetime.now(UTC))):
        state.execute("begin immediate")
        for one in batch.observations:
            state.execute(
                "insert into seen values (?, ?, ?, ?) on conflict do update set count = count + excluded.count",
                (one.rrname, one.rdata, json.dumps(one.chain), one.count),
            )
        for cursor in batch.cursors:
            if cursor.position:
                state.execute("insert or replace into cursor values (?, ?)", (cursor.scope, cursor.position))
            else:
                state.execute("delete from cursor where scope = ?", (cursor.scope,))
        state.execute("commit")
        sys.stdout.write("end\n" if batch.end else "batch\n")
        sys.stdout.flush()


if __name__ == "__main__":
    poll(*sys.argv[1:])
