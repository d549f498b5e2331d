"""What a whole state consisted of under earlier schemas, and what becomes of its rows now; see `layout`.

What stands here is never edited: files that were exported years ago speak of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import astuple

from feedsvc.history import layout
from feedsvc.history.layout import Row, Whole


class EvidenceOfSchema1(Row, frozen=True):
    """What a source says of an observation, before its marking, its chain and its sensor were kept."""

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


class EvidenceOfSchema2(Row, frozen=True):
    """What a source says of an observation, before claims of clients were told apart.

    Attributes:
        chain: names, with spaces between them.
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


class SightingOfSchema2(Row, frozen=True):
    """Who asked for a name, before it was kept how."""

    table = "sighting"
    order = ("rrname", "client", "source")
    rrname: str
    client: str
    source: str
    time_first: Whole
    time_last: Whole
    count: Whole


class FindingOfSchema2(Row, frozen=True):
    """A name new to a watch, before claims of clients were told apart."""

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


TABLES: Mapping[int, tuple[type[Row], ...]] = {
    1: (
        layout.RunRow,
        layout.OutcomeRow,
        layout.RefusalRow,
        layout.CursorRow,
        layout.MarkRow,
        layout.BaselineRow,
        EvidenceOfSchema1,
        layout.DomainRow,
        SightingOfSchema2,
        FindingOfSchema2,
        layout.DecisionRow,
        layout.CollectionRow,
        layout.CollectionAliasRow,
        layout.StixObjectRow,
        layout.MemberRow,
        layout.PartnerRow,
        layout.ExportRow,
        layout.NoteRow,
    ),
    2: (
        layout.RunRow,
        layout.OutcomeRow,
        layout.RefusalRow,
        layout.CursorRow,
        layout.MarkRow,
        layout.BaselineRow,
        EvidenceOfSchema2,
        layout.DomainRow,
        SightingOfSchema2,
        FindingOfSchema2,
        layout.DecisionRow,
        layout.CollectionRow,
        layout.CollectionAliasRow,
        layout.StixObjectRow,
        layout.MemberRow,
        layout.PartnerRow,
        layout.ExportRow,
        layout.QuotaAccountRow,
        layout.QuotaSpanRow,
        layout.QuotaCallRow,
        layout.NoteRow,
    ),
}
"""The tables of each earlier schema, in the order of its files. A table that changes has its former self here."""


def renewed(row: Row) -> Row:
    """A row of any schema as one of this schema."""
    if isinstance(row, SightingOfSchema2):
        return _sighting(row)
    # As migrations 2 and 3 fill the columns that they add.
    if isinstance(row, EvidenceOfSchema1):
        return _longer(layout.EvidenceRow, row, 0, "", None, False)
    if isinstance(row, EvidenceOfSchema2):
        return _longer(layout.EvidenceRow, row, False)
    return _longer(layout.FindingRow, row, False) if isinstance(row, FindingOfSchema2) else row


def _longer(now: type[Row], row: Row, *added: object) -> Row:
    """A row with more columns behind those that it had."""
    columns: tuple[Any, ...] = (*astuple(row), *added)
    return now(*columns)


def _sighting(row: SightingOfSchema2) -> layout.SightingRow:
    """As migration 3 fills what it adds."""
    return layout.SightingRow(
        rrname=row.rrname,
        client=row.client,
        source=row.source,
        kind="dns",
        process="",
        log="",
        time_first=row.time_first,
        time_last=row.time_last,
        count=row.count,
        seen_last=1_000_000 * row.time_last,
    )
