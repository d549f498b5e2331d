"""What is seen: observations (draft-dulaunoy-dnsop-passive-dns-cof §3), sightings, and how a read of a source ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from feedsvc.model.words import Outcome, Tlp
from feedsvc.names import Netblock

Kind = Literal["dns", "tls", "http", "connection"]
"""How somebody came to be seen: by a DNS exchange, or by connecting to a name or address without one."""


@dataclass(frozen=True, slots=True)
class Observation:
    """COF: this name pointed at this address, says this source (draft-dulaunoy-dnsop-passive-dns-cof §3).

    Attributes:
        rrname: canonical name, see `feedsvc.names`.
        rdata: canonical address for A and AAAA.
        time_first, time_last: epoch seconds UTC, when the sensor saw it; None when only zone files did.
        zone_time_first, zone_time_last: epoch seconds UTC, when zone files had it.
        count: how often it was seen, None when the source does not say.
        chain: the CNAMEs between the asked name and the address, in order, where the source tells them.
        tlp: how far its source lets it be passed on; a finding is never more open than the most open of its observations.
        claimed: nobody but a client says so, who connected to the address and gave the name (SNI, `Host`, CONNECT), and it
            may have given any. Ours: COF has no field for it.
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
    tlp: Tlp = Tlp.CLEAR
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """A host inside asked for a name, or connected: who, when first, when last, how often. Never leaves (design §6.8).

    Attributes:
        rrname: the name; of a connection without one, the address that it went to.
        process: which program did, where the log says so; "" otherwise.
        log: the file that the latest of these records stands in, under the name it had then; "" where it is no file.
    """

    rrname: str
    client: str
    time_first: int
    time_last: int
    count: int = 1
    kind: Kind = "dns"
    process: str = ""
    log: str = ""


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
        unfit: the other side takes exception to this question, and may answer another; a `trouble` as well.
        trouble: the connection or the other side failed; false when there was merely more than it could give. Several in a
            row, and asking on is pointless too.
        doubted: nothing was found, and that is the truth if the other side answers completely about something else in the
            same poll; if it does not, it was probably asked at the wrong place.
        again_at: when the rest can be asked for, as far as the budget goes; None when nothing waits for the budget.
    """

    outcome: Outcome
    reason: str = ""
    retry_after: float | None = None
    stop: bool = False
    trouble: bool = False
    doubted: bool = False
    again_at: datetime | None = None
    unfit: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of what a source says; facts, cursors and decisions of one batch are stored in one transaction.

    A read is a run of batches. The last one of a scope, and only it, has an `end`; a read that stops without one has
    failed. `scope` names the netblocks that the `end` speaks of.

    Attributes:
        sightings: of the names of these observations, and of connections to addresses in the netblocks.
        lookups: of all other names, and of these in records that did not lead into a netblock: whoever stores the batch
            keeps those of findings, and the rest is forgotten.
        looked: netblocks that were read completely while the read goes on about them; its `end` speaks of them later.
    """

    observations: tuple[Observation, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    lookups: tuple[Sighting, ...] = ()
    refused: tuple[Refused, ...] = ()
    cursors: tuple[Cursor, ...] = ()
    scope: tuple[Netblock, ...] = ()
    end: End | None = None
    looked: tuple[Netblock, ...] = ()
