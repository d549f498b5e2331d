"""What a whole state consists of, whatever engine keeps it: every table, its columns, and what they hold.

Each engine gives its rows as these values and takes them back (`History.export_rows`, `import_rows`); a portable file holds
them as JSON (`portable`). How an engine stores a column is its own affair; that it keeps all of them is held by a test.

Moments are microseconds since 1970 UTC; those of providers and sensors (`time_first` and its like) are seconds, as they gave
them. A marking is its `Tlp.rank`. A column that may be null says so by its type; when it is, the schema of the engine says.

A change of what is kept is a change here: `SCHEMA` one higher, and `former` keeps what the older number meant.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

SCHEMA = 3

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A number that every engine can keep."""


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """One row of a table.

    Attributes:
        table: its name.
        order: the columns by which its rows are in order, texts by their bytes: one state, one sequence of rows.
    """

    table: ClassVar[str]
    order: ClassVar[tuple[str, ...]]


class RunRow(Row, frozen=True):
    """A run of a job."""

    table = "run"
    order = ("id",)
    id: Whole
    job: str
    window: Whole
    started_at: Whole
    ended_at: Whole | None


class OutcomeRow(Row, frozen=True):
    """How a source fared in a run."""

    table = "outcome"
    order = ("run", "position")
    run: Whole
    position: Whole
    source: str
    outcome: str
    reason: str


class RefusalRow(Row, frozen=True):
    """What a run could not use, by reason."""

    table = "refusal"
    order = ("run", "source", "reason")
    run: Whole
    source: str
    reason: str
    count: Whole
    sample: str


class CursorRow(Row, frozen=True):
    """How far a source was read."""

    table = "cursor"
    order = ("source", "scope")
    source: str
    scope: str
    position: str
    moved_at: Whole


class MarkRow(Row, frozen=True):
    """When a source last read a netblock completely."""

    table = "mark"
    order = ("source", "netblock")
    source: str
    netblock: str
    at: Whole


class BaselineRow(Row, frozen=True):
    """When a baseline was complete."""

    table = "baseline"
    order = ("watch", "fingerprint", "source", "netblock")
    watch: str
    fingerprint: str
    source: str
    netblock: str
    at: Whole


class EvidenceRow(Row, frozen=True):
    """What a source says of an observation.

    Attributes:
        chain: names, with spaces between them.
        claimed: nothing but claims of clients say so.
    """

    table = "evidence"
    order = ("rdata", "rrname", "rrtype", "source")
    rdata: str
    rrname: str
    rrtype: str
    source: str
    time_first: Whole | None
    time_last: Whole | None
    zone_time_first: Whole | None
    zone_time_last: Whole | None
    count: Whole | None
    seen_first: Whole
    seen_last: Whole
    tlp: Whole
    chain: str
    sensor_id: str | None
    claimed: bool


class DomainRow(Row, frozen=True):
    """Since when a name under a registered domain is known."""

    table = "domain"
    order = ("name",)
    name: str
    seen_first: Whole


class SightingRow(Row, frozen=True):
    """Who asked for a name, or connected.

    Attributes:
        rrname: of a connection without a name the address.
        log: the file that the latest record stands in.
        seen_last: when it came last, by our clock.
    """

    table = "sighting"
    order = ("rrname", "client", "source", "kind", "process")
    rrname: str
    client: str
    source: str
    kind: str
    process: str
    log: str
    time_first: Whole
    time_last: Whole
    count: Whole
    seen_last: Whole


class FindingRow(Row, frozen=True):
    """A name new to a watch."""

    table = "finding"
    order = ("watch", "name")
    watch: str
    name: str
    status: str
    novelty: str
    reason: str
    first_seen: Whole
    last_seen: Whole
    provider_first_seen: Whole | None
    netblock: str
    rdata: tuple[str, ...]
    sources: tuple[str, ...]
    confidence: Whole
    case: str
    tlp: Whole
    episode: Whole
    valid_until: Whole | None
    published_at: Whole | None
    claimed: bool


class DecisionRow(Row, frozen=True):
    """Who moved a finding, from what to what, when and why; `undoes` is the id of an earlier one."""

    table = "decision"
    order = ("id",)
    id: Whole
    at: Whole
    actor: str
    verb: str
    watch: str
    name: str
    before: str | None
    after: str
    reason: str
    undoes: Whole | None


class CollectionRow(Row, frozen=True):
    """A collection that was added to, with the latest `date_added` that it ever gave."""

    table = "collection"
    order = ("number",)
    number: Whole
    id: str
    high_water: Whole


class CollectionAliasRow(Row, frozen=True):
    """The UUID that an alias has for ever."""

    table = "collection_alias"
    order = ("alias",)
    alias: str
    id: str


class StixObjectRow(Row, frozen=True):
    """A version of an object as it was published; of two versions of one moment the higher number is the newer."""

    table = "stix_object"
    order = ("number",)
    number: Whole
    id: str
    version: str
    version_at: Whole
    type: str
    tlp: Whole
    watch: str | None
    name: str | None
    revoked: bool
    body: bytes


class MemberRow(Row, frozen=True):
    """A version in a collection.

    Attributes:
        collection, object: their numbers.
        type, tlp: the object's.
        superseded: the lowest marking of a newer version in the same collection; 9 when there is none.
    """

    table = "member"
    order = ("collection", "date_added")
    collection: Whole
    date_added: Whole
    object: Whole
    type: str
    tlp: Whole
    superseded: Whole


class PartnerRow(Row, frozen=True):
    """Who may read."""

    table = "partner"
    order = ("name",)
    name: str
    token_sha256: str
    collections: tuple[str, ...]
    exports: tuple[str, ...]
    max_tlp: Whole
    added_at: Whole | None
    last_fetch: Whole | None


class ExportRow(Row, frozen=True):
    """How a block list stands."""

    table = "export"
    order = ("name",)
    name: str
    format: str
    count: Whole
    serial: Whole
    sha256: str
    changed_at: Whole
    held: str


class QuotaAccountRow(Row, frozen=True):
    """What was spent with a key of a provider: whether it is closed, and what the provider said when."""

    table = "quota_account"
    order = ("id",)
    id: str
    closed_until: Whole | None
    closed_why: str
    refused_at: Whole | None
    learnt_at: Whole | None


class QuotaSpanRow(Row, frozen=True):
    """What was spent in one span of an account.

    Attributes:
        before: calls in the span before this one.
        length: of a burst, in microseconds; 0 when the provider did not say it.
    """

    table = "quota_span"
    order = ("account", "span")
    account: str
    span: str
    began: Whole
    calls: Whole
    limit: Whole | None
    left: Whole | None
    resets_at: Whole | None
    before: Whole
    length: Whole


class QuotaCallRow(Row, frozen=True):
    """How many calls were made at a moment, while that counts."""

    table = "quota_call"
    order = ("account", "at")
    account: str
    at: Whole
    calls: Whole


class HuntRow(Row, frozen=True):
    """A search for clients of names in what was read of logs.

    Attributes:
        logs: how many it had to go through.
        lost: those that could not be searched, with why.
    """

    table = "hunt"
    order = ("id",)
    id: Whole
    begun_at: Whole
    since: Whole
    logs: Whole
    lost: tuple[str, ...]
    ended_at: Whole | None


class HuntNameRow(Row, frozen=True):
    """A name that a hunt looks for."""

    table = "hunt_name"
    order = ("name", "hunt")
    name: str
    hunt: Whole


class HuntLogRow(Row, frozen=True):
    """What a hunt has still to go through of a log: positions as cursors have them, and as numbers."""

    table = "hunt_log"
    order = ("source", "scope", "hunt")
    source: str
    scope: str
    hunt: Whole
    start: str
    until: str
    start_offset: Whole
    until_offset: Whole


class HuntCreditRow(Row, frozen=True):
    """How often a client had been counted when the hunt for a name began, less what was found since."""

    table = "hunt_credit"
    order = ("rrname", "client", "source", "kind", "process")
    rrname: str
    client: str
    source: str
    kind: str
    process: str
    count: Whole


class NoteRow(Row, frozen=True):
    """A small text kept for ever."""

    table = "note"
    order = ("key",)
    key: str
    text: str


TABLES: tuple[type[Row], ...] = (
    RunRow,
    OutcomeRow,
    RefusalRow,
    CursorRow,
    MarkRow,
    BaselineRow,
    EvidenceRow,
    DomainRow,
    SightingRow,
    FindingRow,
    DecisionRow,
    CollectionRow,
    CollectionAliasRow,
    StixObjectRow,
    MemberRow,
    PartnerRow,
    ExportRow,
    QuotaAccountRow,
    QuotaSpanRow,
    QuotaCallRow,
    HuntRow,
    HuntNameRow,
    HuntLogRow,
    HuntCreditRow,
    NoteRow,
)
"""Every table, each after those that its rows refer to."""
