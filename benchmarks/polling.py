"""How long 256 questions take that a provider answers after 200 ms, eight at a time; and how four a minute spread them.

Ours is the real path: the `cof` provider, the planner, the ledger in a real state, HTTP over loopback to a stand-in that
waits before it answers. The limit beside it is arithmetic: 256 / 8 x 0.2 s. The first question is asked alone, to see
whether the key is any good, which costs one more answer's time.

Target: under 8 s.

Usage: python benchmarks/polling.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from feedsvc.clock import utc_now
from feedsvc.config import SourceSettings
from feedsvc.history import open_history
from feedsvc.http import Client
from feedsvc.model import Allowance
from feedsvc.names import parse_netblock
from feedsvc.pipeline.budgeting import Ledger, keep_salt, ledger
from feedsvc.pipeline.parts import Billing
from feedsvc.sources.pdns import cof
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll, Traits
from tests.standins.cof import CofServer, row
from tests.standins.server import Call, Reply

NETBLOCK = parse_netblock("198.51.100.0/24")
LATENCY = 0.2  # seconds
WIDTH = 8
TARGET = 8.0  # seconds


class Slow(CofServer):
    """Answers each question after a while."""

    def answer(self, call: Call) -> Reply:
        time.sleep(LATENCY)
        return super().answer(call)


def billing(key: bytes, *allowances: Allowance) -> Billing:
    return Billing("cof", key, Traits(allowances=allowances), None, 0.0, timedelta(hours=1))


def polled(server: Slow, budget: Ledger) -> tuple[float, Sequence[str]]:
    """Seconds that a poll took, and the reasons of its ends."""
    settings = SourceSettings(name="cof", kind="pdns", provider="cof", url=server.url)
    provider = cof.build(settings, cof.Options(concurrency=WIDTH), utc_now)
    with Client() as http:
        source = PdnsSource("cof", provider, http, utc_now)
        began = time.perf_counter()
        ends = [batch.end for batch in source.read(Poll([NETBLOCK], {}, datetime.now(UTC), budget)) if batch.end]
        return time.perf_counter() - began, [end.reason or str(end.outcome) for end in ends]


def main() -> None:
    rows = [row(f"n{n:03d}.example.net", f"198.51.100.{n}") for n in range(256)]
    with tempfile.TemporaryDirectory() as folder, closing(open_history(Path(folder) / "state.db")) as history:
        with history.transaction():
            keep_salt(history)
        with Slow(rows) as server:
            seconds, _ = polled(server, ledger(history, billing(b"one"), utc_now, person=True))
            ideal = 256 / WIDTH * LATENCY
            verdict = "reached" if seconds < TARGET else "MISSED"
            print(f"256 calls, {WIDTH} at a time, {LATENCY * 1000:.0f} ms each: {seconds:.2f} s; at best {ideal:.1f} s")
            print(f"target under {TARGET:.0f} s: {verdict}")
        with Slow(rows) as server:
            four = ledger(history, billing(b"another", Allowance("burst", 4, 60)), utc_now, person=False)
            seconds, reasons = polled(server, four)
            print(f"four a minute: {len(server.calls)} calls in {seconds:.2f} s, then {reasons[0]}")


if __name__ == "__main__":
    main()
