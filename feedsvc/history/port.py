"""What history promises, whatever engine keeps it: one narrow interface, one contract test over all engines.

An instance belongs to one thread. Everything that writes must stand inside `with history.transaction():`; cursor, facts and
decisions that belong together stand in one block, so that they are stored together or not at all (design §6.2). Blocks do
not nest. Who writes outside of one gets a `HistoryError`. Reading needs no block; inside one it sees what the block wrote.

Times go in and come out as aware UTC datetimes; `date_added` alone is a number of microseconds since 1970, because TAXII
2.1 §3.3 sorts by it and clients compare it as text.
"""

from __future__ import annotations

from collections.abc import Collection as AnyOf
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from feedsvc.history.hunts import Hunts
from feedsvc.model import (
    Account,
    Change,
    Collection,
    Cursor,
    Decision,
    Evidence,
    ExportState,
    Finding,
    ListedName,
    Observation,
    Partner,
    Refused,
    Run,
    Sighting,
    SourceOutcome,
    Status,
    StixObject,
    Tlp,
)

if TYPE_CHECKING:
    from feedsvc.history.layout import Row


class Runs(Protocol):
    """The run table: what was asked when, and how it ended. A missed run is a gap in it."""

    def claim(self, job: str) -> AbstractContextManager[None]:
        """Hold a job for as long as the block lasts; let go of by the system when the process dies, however it dies.

        Raises:
            Busy: another process (or thread) holds it.
        """
        ...

    def begin(self, job: str, window: datetime, now: datetime) -> Run | None:
        """Open a row for this window of this job; None when the window has one already: somebody else did it.

        Rows of the job that were never ended are closed first as `failed: interrupted`: call it inside `claim`. The source
        that this is said of is what stands after the last `/` of the job: `circl` for `poll/circl`.
        """
        ...

    def end(self, run: int, sources: Sequence[SourceOutcome], now: datetime) -> None:
        """Close a row with how each source fared.

        Their `refused` are totals: what `Facts.refuse` recorded of them before is not counted twice.

        Raises:
            HistoryError: there is no such run, or it has ended.
        """
        ...

    def get(self, run: int) -> Run | None:
        """One run."""
        ...

    def last(self, job: str) -> Run | None:
        """The job's run with the latest window, ended or not."""
        ...

    def between(self, start: datetime, end: datetime) -> tuple[Run, ...]:
        """Runs that began in this span, oldest first."""
        ...

    def latest_outcomes(self) -> Mapping[str, tuple[Run, SourceOutcome]]:
        """For each source its latest ended run and how it fared in it."""
        ...


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What history knew of a name before a batch.

    Attributes:
        addresses: every address the name was seen at; those that only clients claim are left out.
        last_seen: the latest evidence of any source (provider time, else ours); None when the name is unknown.
        domain_seen: when a name under the same registered domain was first stored; None when none ever was.
    """

    addresses: frozenset[str] = frozenset()
    last_seen: datetime | None = None
    domain_seen: datetime | None = None


class Facts(Protocol):
    """Cursors, observations, sightings and baselines: what was seen, and how far we looked."""

    def cursors(self, source: str) -> Mapping[str, str]:
        """Position by scope."""
        ...

    def move(self, cursors: Iterable[Cursor], now: datetime) -> None:
        """Store cursors over what was there. A position of "" removes the cursor."""
        ...

    def marks(self) -> Mapping[tuple[str, str], datetime]:
        """When a (source, netblock as text) pair was last read completely; see `complete`."""
        ...

    def complete(self, source: str, netblocks: Iterable[str], now: datetime) -> None:
        """Record that these netblocks were just read completely by this source."""
        ...

    def baselines(self) -> Mapping[tuple[str, str, str, str], datetime]:
        """When each baseline was complete, by (watch, fingerprint, source, netblock)."""
        ...

    def add_baselines(self, keys: Iterable[tuple[str, str, str, str]], now: datetime) -> None:
        """Record baselines; those already there keep their time."""
        ...

    def name_facts(self, names: AnyOf[str]) -> Mapping[str, NameFacts]:
        """Facts for each of these names; unknown ones are in the answer too."""
        ...

    def store(self, source: str, observations: Sequence[Observation], now: datetime) -> None:
        """Upsert observations and this source's evidence for them.

        Times widen, counts take the larger; of markings, chains and sensors the one that came last stays. What a client
        claims adds nothing to evidence that is more than claims; the other way round it is claimed no more. For what is
        known just as it is nothing need be written: then `seen_last` may stay behind, by less than a day, and by nothing
        where no provider gives a time.
        """
        ...

    def sight(self, source: str, sightings: Sequence[Sighting], now: datetime) -> None:
        """Add sightings to those of the same name, client, source, kind and process: times widen, counts add up.

        Of logs the one with the latest record stays.
        """
        ...

    def forget_clients(self, before: datetime) -> int:
        """Remove sightings that nothing was added to since a moment; returns how many."""
        ...

    def refuse(self, run: int, source: str, refused: Sequence[Refused]) -> None:
        """Add refusals of a run: counts of one reason add up, the first sample stays."""
        ...

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """All evidence for a name, oldest first by the source's own time, by ours where it has none."""
        ...

    def sightings(self, name: str) -> tuple[tuple[str, Sighting], ...]:
        """Who asked for a name, each with the source that saw it, oldest first.

        Those who connected by no name to an address that it was seen at are among them, under the name all the same.
        """
        ...

    def clients(self, names: AnyOf[str]) -> Mapping[str, int]:
        """How many clients asked for each of these names; who connected to an address by no name is not among them."""
        ...


class Findings(Protocol):
    """Findings and the append-only log of who decided what."""

    def get(self, watch: str, names: AnyOf[str]) -> Mapping[str, Finding]:
        """The findings of a watch among these names."""
        ...

    def named(self, name: str) -> tuple[Finding, ...]:
        """The findings of a name, one a watch, sorted by watch."""
        ...

    def among(self, names: AnyOf[str]) -> frozenset[str]:
        """Those of these names that are findings of any watch, and not rejected by all of them.

        Costs what the names cost, however many findings there are.
        """
        ...

    def names(self, watch: str | None = None) -> frozenset[str]:
        """The names of all findings that are not rejected, or of those of one watch."""
        ...

    def with_status(self, statuses: AnyOf[Status], watch: str | None = None) -> tuple[Finding, ...]:
        """Findings of these statuses, sorted by watch, case and name."""
        ...

    def recent(self, statuses: AnyOf[Status], limit: int) -> tuple[Finding, ...]:
        """At most so many findings of these statuses, those that were first seen last first."""
        ...

    def active(self) -> Mapping[str, datetime]:
        """The latest evidence (`last_seen`) of the findings of each netblock, by the netblock as text.

        Costs what the number of netblocks costs, however many findings there are.
        """
        ...

    def counts(self) -> Mapping[tuple[str, Status], int]:
        """How many findings each watch has in each status, counted by the engine; pairs without any are left out."""
        ...

    def apply(self, changes: Sequence[Change]) -> tuple[int, ...]:
        """Store each finding (new or not) and append its decision; returns the decisions' ids."""
        ...

    def extend(self, findings: Sequence[Finding]) -> None:
        """Store what new evidence changed where no decision was needed: times, rdata, sources, tlp, valid_until.

        Nothing else of them is stored.

        Raises:
            HistoryError: a finding was never stored.
        """
        ...

    def expiring(self, watch: str, now: datetime) -> tuple[Finding, ...]:
        """Published findings of a watch whose `valid_until` has passed, sorted by name."""
        ...

    def decisions(self, name: str) -> tuple[Decision, ...]:
        """All decisions on a name, oldest first."""
        ...

    def decision(self, number: int) -> Decision | None:
        """One decision by its id."""
        ...

    def decided_between(self, start: datetime, end: datetime) -> tuple[Decision, ...]:
        """Decisions of a span of time (end excluded), oldest first."""
        ...

    def listed(self, watches: Sequence[str], max_tlp: Tlp, min_confidence: int) -> Iterator[ListedName]:
        """Published names for a list, sorted by bytes, one row a name (highest confidence, longest validity).

        All rows are of one moment. Until the last one is read, or the iterator dropped, begin no transaction.
        """
        ...


VersionFilter = Literal["last", "first", "all"]


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """A question of a TAXII reader (TAXII 2.1 §3.4), already checked.

    Attributes:
        collection: its UUID.
        max_rank: the reader's clearance, see `Tlp.rank`; rows above it do not exist for this reader.
        after: `date_added` in microseconds; rows strictly after it.
        ids, types: empty means any.
        versions: which versions of each object; exact ones in `exact_versions`, OR-ed with it. `frozenset()` with exact
            versions asks for those alone.
        spec_versions: empty means the newest; every object here is 2.1, so any set without "2.1" finds nothing.
    """

    collection: str
    max_rank: int
    limit: int
    after: int | None = None
    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    versions: frozenset[VersionFilter] = frozenset({"last"})
    exact_versions: frozenset[str] = frozenset()
    spec_versions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One object version in one collection. `body` is empty where the question was for a manifest."""

    date_added: int
    id: str
    version: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Rows in ascending `date_added`, and whether more follow."""

    rows: tuple[FeedRow, ...]
    more: bool


class Feed(Protocol):
    """Published objects and collections. A published (id, version) pair never changes a byte (design §6.5)."""

    def collection(self, alias: str) -> str | None:
        """The UUID kept for an alias."""
        ...

    def keep_collection(self, alias: str, number: str) -> None:
        """Keep a collection's UUID for ever.

        Raises:
            HistoryError: the alias has another UUID already.
        """
        ...

    def add(self, collection: Collection, objects: Sequence[StixObject], now: datetime) -> None:
        """Add objects to a collection in this order; what it has already is left alone.

        `date_added` is assigned here, inside the publishing transaction: strictly increasing per collection in steps of
        whole milliseconds, never below the collection's high-water mark, whatever the clock says (design §6.3).

        Raises:
            HistoryError: an object differs from the bytes stored for the same id and version.
        """
        ...

    def missing(self, collection: Collection) -> tuple[StixObject, ...]:
        """The current version of objects that this collection should hold by its watches and marking but does not."""
        ...

    def current(self, object_id: str) -> StixObject | None:
        """The latest version of an object, in any collection."""
        ...

    def objects(self, query: FeedQuery) -> FeedPage:
        """A page with bodies."""
        ...

    def manifest(self, query: FeedQuery) -> FeedPage:
        """The same page without bodies."""
        ...

    def has(self, collection: str, object_id: str, max_rank: int) -> bool:
        """Whether a reader so cleared can see any version of an object in a collection."""
        ...


class Partners(Protocol):
    """Who may read. Tokens are kept as SHA-256 alone."""

    def add(self, partner: Partner, token_sha256: str) -> None:
        """Add a partner.

        Raises:
            UsageError: there is one of this name.
        """
        ...

    def all(self) -> tuple[Partner, ...]:
        """Every partner, sorted by name."""
        ...

    def by_token(self, token_sha256: str) -> Partner | None:
        """Whose token this is."""
        ...

    def rotate(self, name: str, token_sha256: str) -> None:
        """Replace a partner's token.

        Raises:
            UsageError: there is no partner of this name.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a partner.

        Raises:
            UsageError: there is no partner of this name.
        """
        ...

    def fetched(self, last: Mapping[str, datetime]) -> None:
        """Record when partners fetched last; earlier times do not overwrite later ones."""
        ...


class Exports(Protocol):
    """How each block list stands."""

    def all(self) -> tuple[ExportState, ...]:
        """Every known list, sorted by name."""
        ...

    def keep(self, state: ExportState) -> None:
        """Store how a list stands."""
        ...


class Quotas(Protocol):
    """What was spent with each key of each provider.

    Processes share keys: whoever spends reads and stores an account in one transaction.
    """

    def get(self, account: str) -> Account:
        """One account by its id; an empty one when it is unknown."""
        ...

    def keep(self, account: Account) -> None:
        """Store an account over what was there."""
        ...

    def all(self) -> tuple[Account, ...]:
        """Every account, sorted by id."""
        ...


class History(Protocol):
    """The state of one feedsvc."""

    @property
    def runs(self) -> Runs: ...  # noqa: D102
    @property
    def facts(self) -> Facts: ...  # noqa: D102
    @property
    def findings(self) -> Findings: ...  # noqa: D102
    @property
    def feed(self) -> Feed: ...  # noqa: D102
    @property
    def partners(self) -> Partners: ...  # noqa: D102
    @property
    def exports(self) -> Exports: ...  # noqa: D102
    @property
    def quotas(self) -> Quotas: ...  # noqa: D102
    @property
    def hunts(self) -> Hunts: ...  # noqa: D102

    def transaction(self) -> AbstractContextManager[None]:
        """One transaction: all of the block is stored, or nothing.

        Raises:
            Busy: another writer kept the state locked for longer than the engine waits (30 s).
            HistoryError: the state was opened for reading alone, or could not be written.
            RuntimeError: there is a transaction already.
        """
        ...

    def note(self, key: str) -> str | None:
        """A small text kept for ever: the producer's identity, a signing key."""
        ...

    def keep_note(self, key: str, text: str) -> None:
        """Keep a small text."""
        ...

    def is_empty(self) -> bool:
        """Whether nothing was ever stored."""
        ...

    def export_rows(self) -> AbstractContextManager[Iterator[Row]]:
        """Every row of the state, one by one, in the order of `layout.TABLES` and of each table's `order`.

        All are of one moment, whatever others store meanwhile. Within the block begin no transaction.
        """
        ...

    def import_rows(self, rows: Iterable[Row]) -> None:
        """Store the rows of another state in this empty one as they are, with their ids, numbers and moments.

        They are taken one by one. What is stored later goes on after the highest ids and numbers.

        Raises:
            UsageError: the row that was taken last contradicts those before it, or refers to one that is not there.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
