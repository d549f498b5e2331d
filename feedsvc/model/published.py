"""What is published and to whom: STIX objects, collections, partners, block lists; and the run table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from feedsvc.model.found import SourceOutcome
from feedsvc.model.words import Tlp


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
