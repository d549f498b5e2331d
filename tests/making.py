"""Makers of what most tests are about: one watch, findings of it, decisions on them, and the moment of it all."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from feedsvc.model import Decision, Finding, Novelty, Status, StixHints, Tlp, Watch
from feedsvc.names import parse_netblock

NOW = datetime(2026, 11, 24, 6, 52, 32, tzinfo=UTC)


def watch(**fields: Any) -> Watch:
    """The watch of the design's case, with fields replaced."""
    base = Watch(
        id="jar-callbacks",
        title="JAR dropper, TLS callbacks to random four-character sub-domains",
        netblocks=(parse_netblock("198.51.100.0/24"),),
        references=("https://example.org/report/2013", "the incident of 2013"),
        tlp=Tlp.GREEN,
        confidence=70,
        stix=StixHints(malware="JAR dropper", kill_chain_phase="command-and-control", attack=("T1568", "T1071.001")),
        fingerprint="f1",
    )
    return dataclasses.replace(base, **fields)


def finding(name: str = "k3xq.example.net", *, now: datetime = NOW, **fields: Any) -> Finding:
    """A candidate of that watch, found at `now` by evidence of an hour before, with fields replaced."""
    last_seen = now - timedelta(hours=1)
    base = Finding(
        name=name,
        watch="jar-callbacks",
        status=Status.CANDIDATE,
        novelty=Novelty.NEW_HOST,
        reason="a name under a domain never seen",
        first_seen=now,
        last_seen=last_seen,
        provider_first_seen=now - timedelta(hours=2),
        netblock="198.51.100.0/24",
        rdata=("198.51.100.7",),
        sources=("dnsdb",),
        confidence=70,
        case="jar-callbacks/example.net",
        tlp=Tlp.GREEN,
        valid_until=last_seen + timedelta(days=45),
    )
    return dataclasses.replace(base, **fields)


def decision(about: Finding, **fields: Any) -> Decision:
    """The decision that made a finding what it is: that of a rule that found it, with fields replaced."""
    base = Decision(about.first_seen, "feedsvc", "find", about.watch, about.name, None, about.status, about.reason)
    return dataclasses.replace(base, **fields)
