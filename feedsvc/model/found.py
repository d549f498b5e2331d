"""What is found and decided: matches, findings, decisions, and what a day or a run changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from feedsvc.model.seen import Observation, Refused
from feedsvc.model.words import Novelty, Outcome, Status, Tlp


@dataclass(frozen=True, slots=True)
class Match:
    """An observation that a watch asked for, and through which of its netblocks."""

    watch: str
    netblock: str
    observation: Observation


@dataclass(frozen=True, slots=True)
class Finding:
    """A name new to a watch, and all that is known of it.

    Attributes:
        reason: why it has its status, for a person to read.
        first_seen, last_seen: when we saw it first, and its last evidence by any source.
        provider_first_seen: the earliest time that any source gives.
        case: watch and registered domain, the unit of one decision.
        episode: 1, and one more each time it comes back after a revocation; part of the STIX id.
        valid_until: last evidence plus the watch's `valid_for`.
        claimed: all evidence in the watch's netblocks is of clients that gave the name themselves, see `Observation`.
    """

    name: str
    watch: str
    status: Status
    novelty: Novelty
    reason: str
    first_seen: datetime
    last_seen: datetime
    provider_first_seen: datetime | None
    netblock: str
    rdata: tuple[str, ...]
    sources: tuple[str, ...]
    confidence: int
    case: str
    tlp: Tlp = Tlp.AMBER
    episode: int = 1
    valid_until: datetime | None = None
    published_at: datetime | None = None
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Who moved a finding from one status to another, when and why. Decisions are appended, never changed.

    Attributes:
        id: given by the history; 0 before.
        actor: a person's login, or `feedsvc` for what a rule decided.
        verb: `find`, `ignore`, `approve`, `hold`, `reject`, `revoke`, `publish`, `expire`, `reactivate`, `confirm` or
            `undo`.
        undoes: the decision that an `undo` takes back.
    """

    at: datetime
    actor: str
    verb: str
    watch: str
    name: str
    before: Status | None
    after: Status
    reason: str
    id: int = 0
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A finding as it is after a decision, and the decision."""

    finding: Finding
    decision: Decision


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one source says about one name and address, with its own times and ours kept apart.

    Attributes:
        time_first, time_last: when sensors saw it; None when the source does not say, or only zone files did.
        tlp, chain, sensor_id: as the source gave them last, see `Observation`.
        zone_time_first, zone_time_last: when zone files had it; None when none did.
        claimed: nothing but claims of clients say so, see `Observation`.
    """

    rrname: str
    rrtype: str
    rdata: str
    source: str
    time_first: datetime | None
    time_last: datetime | None
    count: int | None
    seen_first: datetime
    seen_last: datetime
    tlp: Tlp = Tlp.CLEAR
    chain: tuple[str, ...] = ()
    sensor_id: str | None = None
    claimed: bool = False
    zone_time_first: datetime | None = None
    zone_time_last: datetime | None = None


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """How one source fared in a run, with what it could not use.

    Attributes:
        at: when it said so; None inside a `Run`, which has the time itself.
    """

    name: str
    outcome: Outcome
    reason: str = ""
    refused: tuple[Refused, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """What a day or a run changed. `label` is the date or the run's id."""

    label: str
    sources: tuple[SourceOutcome, ...] = ()
    added: tuple[Finding, ...] = ()
    published: tuple[Finding, ...] = ()
    held: tuple[Finding, ...] = ()
    removed: tuple[Finding, ...] = ()
