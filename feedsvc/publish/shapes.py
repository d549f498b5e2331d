"""The JSON shapes that readers rely on (design §5), each in one place.

Keys may be added; none is dropped or changes its meaning. Times are RFC 3339 UTC, absent ones null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from feedsvc.clock import rfc3339
from feedsvc.model import ExportState, Finding, Partner, Refused, SourceOutcome

Json = Mapping[str, object]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def finding_json(finding: Finding) -> Json:
    """A finding as every listing, `diff`, `run` and the API show it."""
    return {
        "name": finding.name,
        "watch": finding.watch,
        "status": str(finding.status),
        "novelty": str(finding.novelty),
        "reason": finding.reason,
        "first_seen": _time(finding.first_seen),
        "last_seen": _time(finding.last_seen),
        "provider_first_seen": _time(finding.provider_first_seen),
        "netblock": finding.netblock,
        "rdata": list(finding.rdata),
        "sources": list(finding.sources),
        "confidence": finding.confidence,
        "case": finding.case,
        "tlp": str(finding.tlp),
        "valid_until": _time(finding.valid_until),
        "published_at": _time(finding.published_at),
        "claimed": finding.claimed,
    }


def source_json(source: SourceOutcome) -> Json:
    """How a source fared, with what it could not use."""
    return {
        "name": source.name,
        "outcome": str(source.outcome),
        "reason": source.reason,
        "at": _time(source.at),
        "refused": [refused_json(refused) for refused in source.refused],
    }


def refused_json(refused: Refused) -> Json:
    """Input that could not be used."""
    return {"reason": refused.reason, "count": refused.count, "sample": refused.sample}


def partner_json(partner: Partner) -> Json:
    """A partner as `partner list` and `status` show it; its token is known to nobody."""
    return {
        "name": partner.name,
        "collections": list(partner.collections),
        "max_tlp": str(partner.max_tlp),
        "exports": list(partner.exports),
        "added_at": _time(partner.added_at),
        "last_fetch": _time(partner.last_fetch),
    }


def export_json(state: ExportState) -> Json:
    """How a block list stands, as `export` and `status` show it; `held` is null when nothing holds it."""
    return {
        "name": state.name,
        "format": state.format,
        "count": state.count,
        "serial": state.serial,
        "sha256": state.sha256,
        "changed_at": _time(state.changed_at),
        "held": state.held or None,
    }
