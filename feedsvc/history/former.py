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
        layout.SightingRow,
        layout.FindingRow,
        layout.DecisionRow,
        layout.CollectionRow,
        layout.CollectionAliasRow,
        layout.StixObjectRow,
        layout.MemberRow,
        layout.PartnerRow,
        layout.ExportRow,
        layout.NoteRow,
    ),
}
"""The tables of each earlier schema, in the order of its files. A table that changes has its former self here."""


def renewed(row: Row) -> Row:
    """A row of any schema as one of this schema."""
    if isinstance(row, EvidenceOfSchema1):
        columns: tuple[Any, ...] = (*astuple(row), 0, "", None)  # as migration 2 fills tlp, chain and sensor_id
        return layout.EvidenceRow(*columns)
    return row
