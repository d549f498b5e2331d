"""Small makers of findings and watches for the tests of judge and pipeline."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from feedsvc.model import Finding, Novelty, Status, Tlp, Watch
from feedsvc.names import parse_netblock

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def watch(**fields: Any) -> Watch:
    """The watch of the design's case, with fields replaced."""
    base = Watch(
        id="jar-callbacks",
        title="JAR dropper",
        netblocks=(parse_netblock("198.51.100.0/24"),),
        tlp=Tlp.GREEN,
        fingerprint="f1",
    )
    return dataclasses.replace(base, **fields)


def finding(name: str = "k3xq.example.net", **fields: Any) -> Finding:
    """A fresh candidate, with fields replaced."""
    base = Finding(
        name=name,
        watch="jar-callbacks",
        status=Status.CANDIDATE,
        novelty=Novelty.NEW_HOST,
        reason="",
        first_seen=NOW,
        last_seen=NOW - timedelta(hours=1),
        provider_first_seen=NOW - timedelta(hours=2),
        netblock="198.51.100.0/24",
        rdata=("198.51.100.7",),
        sources=("dnsdb",),
        confidence=50,
        case="jar-callbacks/example.net",
        tlp=Tlp.GREEN,
        valid_until=NOW - timedelta(hours=1) + timedelta(days=45),
    )
    return dataclasses.replace(base, **fields)
