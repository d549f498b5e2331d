"""The only currency between stages: frozen values, no behaviour beyond reading themselves.

Words follow the Passive DNS Common Output Format (observation), STIX 2.1 (indicator, marking, confidence) and TAXII 2.1
(collection, date_added); our own (watch, match, finding, case, decision, delta) are defined in docs/glossary.md.
Nothing here reads a clock, a file or a network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from feedsvc.names import Netblock


class Outcome(StrEnum):
    """How a poll ended. Only `complete` moves a since-mark; nothing else can remove, expire or shrink anything."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"


class Status(StrEnum):
    """Where a finding stands in its life."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"
    HELD = "held"
    APPROVED = "approved"
    PUBLISHED = "published"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REJECTED = "rejected"


class Novelty(StrEnum):
    """What is new about a finding; see docs/glossary.md for the five meanings."""

    NEW_REGISTRABLE = "new-registrable"
    NEW_HOST = "new-host"
    NEW_TO_NETBLOCK = "new-to-netblock"
    REACTIVATED = "reactivated"
    NEW_TO_US = "new-to-us"


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0, most open first."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def rank(self) -> int:
        """0 for clear to 4 for red: a reader cleared for rank n sees n and below."""
        return list(Tlp).index(self)


# -- what is watched ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LabelPattern:
    """One label of a name: which one, how long, of which letters.

    Attributes:
        position: `leftmost`, `registrable` (the label just left of the public suffix) or `any`.
        alphabet: the letters allowed, spelt out; None allows all.
    """

    position: Literal["leftmost", "registrable", "any"] = "leftmost"
    min_length: int = 1
    max_length: int = 63
    alphabet: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class NamePattern:
    """What a name must look like; all that is given must hold."""

    label: LabelPattern | None = None
    regex: str | None = None
    under: tuple[str, ...] = ()
    not_under: tuple[str, ...] = ()
    siblings: Literal["random"] | None = None


@dataclass(frozen=True, slots=True)
class StixHints:
    """What a rule says about the campaign, for the published objects."""

    malware: str | None = None
    kill_chain_phase: str | None = None
    attack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """One rule, read and checked: which netblocks, which names, what to do with what is found.

    Attributes:
        valid_for: a published finding expires this long after its last evidence.
        confidence: the prior, 0 to 100.
        fingerprint: changes with `netblocks` or `names`, and with nothing else; a changed watch has a new baseline.
    """

    id: str
    title: str
    netblocks: tuple[Netblock, ...]
    names: NamePattern | None = None
    description: str = ""
    references: tuple[str, ...] = ()
    author: str = ""
    baseline: Literal["hold", "publish", "ignore"] = "hold"
    publish: Literal["review", "auto"] = "review"
    block: Literal["name", "registered-domain"] = "name"
    valid_for: timedelta = timedelta(days=45)
    tlp: Tlp = Tlp.AMBER
    confidence: int = 50
    stix: StixHints = StixHints()
    matches: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    fingerprint: str = ""


# -- what is seen ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """COF: this name pointed at this address, says this source (draft-dulaunoy-dnsop-passive-dns-cof §3).

    Attributes:
        rrname: canonical name, see `feedsvc.names`.
        rdata: canonical address for A and AAAA.
        time_first, time_last: epoch seconds UTC, when the sensor saw it; None when only zone files did.
        zone_time_first, zone_time_last: epoch seconds UTC, when zone files had it.
        count: how often it was seen, None when the source does not say.
        chain: for logs, the CNAMEs between the asked name and the address, in order.
    """

    rrname: str
    rrtype: str
    rdata: str
    time_first: int | None = None
    time_last: int | None = None
    zone_time_first: int | None = None
    zone_time_last: int | None = None
    count: int | None = None
    sensor_id: str | None = None
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A host inside asked for a name: who, when first, when last, how often. Never leaves (design §6.8)."""

    rrname: str
    client: str
    time_first: int
    time_last: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Refused:
    """Input that could not be used: why, how often, and one sample of it, escaped and cut to 200 characters."""

    reason: str
    count: int
    sample: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source was read: a since-mark of a netblock, an offset of a file.

    Attributes:
        scope: what was read: the netblock as text, or the file's identity.
        position: text that the source alone understands.
    """

    source: str
    scope: str
    position: str


@dataclass(frozen=True, slots=True)
class End:
    """The last word of a read: how it ended, why, and when to come back if the other side said so.

    Attributes:
        retry_after: seconds that the other side asked us to stay away, if it did.
        stop: the other side wants no more questions for now (a bad key, a spent quota): asking on in this run is pointless.
        trouble: the connection or the other side failed; false when there was merely more than it could give. Several in a
            row, and asking on is pointless too.
        doubted: nothing was found, and that is the truth if the other side answers completely about something else in the
            same poll; if it does not, it was probably asked at the wrong place.
    """

    outcome: Outcome
    reason: str = ""
    retry_after: float | None = None
    stop: bool = False
    trouble: bool = False
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of what a source says; facts, cursors and decisions of one batch are stored in one transaction.

    A read is a run of batches. The last one of a scope, and only it, has an `end`; a read that stops without one has
    failed. `scope` names the netblocks that the `end` speaks of.
    """

    observations: tuple[Observation, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    refused: tuple[Refused, ...] = ()
    cursors: tuple[Cursor, ...] = ()
    scope: tuple[Netblock, ...] = ()
    end: End | None = None


# -- what is found and decided -----------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Decision:
    """Who moved a finding from one status to another, when and why. Decisions are appended, never changed.

    Attributes:
        id: given by the history; 0 before.
        actor: a person's login, or `feedsvc` for what a rule decided.
        verb: `find`, `ignore`, `approve`, `hold`, `reject`, `revoke`, `publish`, `expire`, `reactivate` or `undo`.
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
    """What one source says about one name and address, with its own times and ours kept apart."""

    rrname: str
    rrtype: str
    rdata: str
    source: str
    time_first: datetime | None
    time_last: datetime | None
    count: int | None
    seen_first: datetime
    seen_last: datetime


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


# -- what is published -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StixObject:
    """One version of a STIX object as it was published: its bytes are never built again.

    Attributes:
        version: `modified`, else `created`, in the object's own precision (TAXII 2.1 §3.4.1).
        body: the JSON as served.
        watch, name: what it stands for; both None for identity and markings.
    """

    id: str
    type: str
    version: str
    body: bytes
    tlp: Tlp
    watch: str | None = None
    name: str | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """A TAXII collection as configured. `id` is a UUIDv4."""

    id: str
    alias: str
    title: str
    watches: tuple[str, ...] = ("*",)
    max_tlp: Tlp = Tlp.GREEN
    content: Literal["indicators"] = "indicators"
    description: str = ""

    def takes(self, watch: str, tlp: Tlp) -> bool:
        """Whether findings of this watch and marking go into this collection."""
        return tlp.rank <= self.max_tlp.rank and ("*" in self.watches or watch in self.watches)


@dataclass(frozen=True, slots=True)
class Partner:
    """An organisation that reads: which collections (by alias) and exports, up to which marking."""

    name: str
    collections: tuple[str, ...]
    max_tlp: Tlp
    exports: tuple[str, ...] = ()
    added_at: datetime | None = None
    last_fetch: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedName:
    """A published name as a block list sees it."""

    name: str
    watch: str
    confidence: int
    first_seen: datetime
    valid_until: datetime | None
    tlp: Tlp


@dataclass(frozen=True, slots=True)
class ExportState:
    """What was written of a block list, and what a guard holds back.

    Attributes:
        name: of the file.
        serial: see `feedsvc.publish.port.ListMeta`; 0 when nothing was ever written.
        sha256: of the file, in hex; "" when nothing was ever written.
        held: why the next content was not written; "" when nothing is held.
    """

    name: str
    format: str
    count: int
    serial: int
    sha256: str
    changed_at: datetime
    held: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the run table: what was asked, when it began and ended, and how.

    Attributes:
        window: the planned moment this run stands for; unique per job, so that nothing runs twice for one window.
        ended_at: None while it runs, or when the process died.
    """

    id: int
    job: str
    window: datetime
    started_at: datetime
    ended_at: datetime | None = None
    sources: tuple[SourceOutcome, ...] = field(default=())
