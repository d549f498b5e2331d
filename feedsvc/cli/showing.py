"""What `explain` and `status` print, as JSON (design §5: promises) and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from feedsvc import clock
from feedsvc.cli import clients
from feedsvc.cli.printing import printable, table
from feedsvc.judge.quota import SpanStanding, Standing
from feedsvc.model import Decision, Evidence, ExportState, Tlp
from feedsvc.pipeline.reading import Explanation
from feedsvc.pipeline.standing import PlanStand, SourceStand, Stand
from feedsvc.publish.shapes import export_json, finding_json, partner_json, refused_json


def _time(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None


def said(moment: datetime | None) -> str:
    """A time for a terminal, in UTC; "never" for none."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "never"


# -- explain -----------------------------------------------------------------------------------------------------------


_NO_FINDING: Mapping[str, object] = {
    **dict.fromkeys(("name", "watch", "status", "novelty", "reason", "first_seen", "last_seen", "provider_first_seen")),
    "netblock": None,
    "rdata": [],
    "sources": [],
    "confidence": None,
    "case": None,
}
"""A finding's promised keys, for a name that no rule found."""


def explanation_json(told: Explanation) -> Mapping[str, object]:
    """The first finding's keys, then what is known beside; with several watches `findings` has each."""
    findings = [finding_json(one) for one in told.findings]
    unfound = {**_NO_FINDING, "name": told.name, "reason": _unfound(told)}
    return {
        **(findings[0] if findings else unfound),
        "findings": findings,
        "publishable": bool(told.verdict),
        "evidence": [_evidence_json(one) for one in told.evidence],
        "decisions": [_decision_json(one) for one in told.decisions],
        "clients": clients.as_json(told.clients),
        "hunts": [clients.hunt_json(one) for one in told.hunts],
        "lists": list(told.lists),
        "collections": list(told.collections),
        "exports": list(told.exports),
    }


def _unfound(told: Explanation) -> str:
    if not told.verdict:
        return f"not publishable: {told.verdict.reason}"
    return "observed, but no rule asks for it" if told.evidence else "never observed"


def _evidence_json(one: Evidence) -> Mapping[str, object]:
    return {
        "source": one.source,
        "rrtype": one.rrtype,
        "rdata": one.rdata,
        "time_first": _time(one.time_first),
        "time_last": _time(one.time_last),
        "zone_time_first": _time(one.zone_time_first),
        "zone_time_last": _time(one.zone_time_last),
        "count": one.count,
        "tlp": str(one.tlp),
        "chain": list(one.chain),
        "sensor_id": one.sensor_id,
        "claimed": one.claimed,
        "seen_first": _time(one.seen_first),
        "seen_last": _time(one.seen_last),
    }


def _decision_json(one: Decision) -> Mapping[str, object]:
    return {
        "id": one.id,
        "at": _time(one.at),
        "actor": one.actor,
        "verb": one.verb,
        "watch": one.watch,
        "before": one.before,
        "after": one.after,
        "reason": one.reason,
        "undoes": one.undoes,
    }


def explanation_text(told: Explanation) -> str:
    """Everything known of a name, for a person at night: what it is, why, then the evidence."""
    lines = [printable(told.name)]
    if not told.findings:
        lines.append(f"  no finding: {_unfound(told)}")
    for one in told.findings:
        lines += [
            f"  {one.watch}: {one.status} ({one.novelty})",
            f"    why         {printable(one.reason)}",
            f"    seen        first by us {said(one.first_seen)}, first by a source {said(one.provider_first_seen)},",
            f"                last evidence {said(one.last_seen)}, valid until {said(one.valid_until)}",
            f"    where       {', '.join(one.rdata)} in {one.netblock}, says {', '.join(one.sources)}",
            f"    case        {one.case}, confidence {one.confidence}, TLP {one.tlp}",
        ]
    lines += [f"  stopped by   {one}" for one in told.lists]
    lines.append(f"  published in {', '.join(told.collections) or 'no collection'}; {', '.join(told.exports) or 'no list'}")
    lines += _section("evidence", [_evidence_line(one) for one in told.evidence])
    lines += _section("decisions", [_decision_line(one) for one in told.decisions])
    lines += _section("asked by", clients.as_text(told.clients))
    lines += _section("hunted for", [clients.hunt_text(one) for one in told.hunts])
    return "\n".join(lines)


def _section(heading: str, lines: list[str]) -> list[str]:
    return [f"  {heading}", *(f"    {printable(line)}" for line in lines)] if lines else []


def _evidence_line(one: Evidence) -> str:
    way = f" through {' '.join(one.chain)}" if one.chain else ""
    marked = f", marked {one.tlp}" if one.tlp is not Tlp.CLEAR else ""
    by = f"by {one.source}, where clients claim it" if one.claimed else f"by {one.source}"
    return f"{one.rrtype} {one.rdata}{way} {by}, {_seen_text(one)}{marked}"


def _seen_text(one: Evidence) -> str:
    """When sensors saw it and when zone files had it, each where the source says."""
    sensors = f"{said(one.time_first)} to {said(one.time_last)}"
    if one.zone_time_first is None and one.zone_time_last is None:
        return sensors
    zones = f"in zone files {said(one.zone_time_first)} to {said(one.zone_time_last)}"
    return zones if one.time_first is None and one.time_last is None else f"{sensors}, {zones}"


def _decision_line(one: Decision) -> str:
    return f"{one.id}: {said(one.at)} {one.actor} {one.verb} ({one.before or 'unknown'} -> {one.after}): {one.reason}"


# -- status ------------------------------------------------------------------------------------------------------------


def status_json(stand: Stand) -> Mapping[str, object]:
    """Sources, exports, partners, and hunts that are not over."""
    return {
        "sources": [_source_json(one) for one in stand.sources],
        "exports": [export_json(one) for one in stand.exports],
        "partners": [partner_json(one) for one in stand.partners],
        "hunts": [clients.hunt_json(one) for one in stand.hunts],
    }


def _source_json(one: SourceStand) -> Mapping[str, object]:
    return {
        "name": one.name,
        "kind": one.kind,
        "outcome": one.outcome,
        "reason": one.reason,
        "last_run": _time(one.last_run),
        "last_complete": _time(one.last_complete),
        "next_run": _time(one.next_run),
        "cursor": dict(one.cursor),
        "quota": quota_json(one.quota) if one.quota else None,
        "plan": _plan_json(one.plan) if one.plan else None,
        "refused": [refused_json(refused) for refused in one.refused],
    }


def quota_json(stands: Standing) -> Mapping[str, object]:
    """What of a key's quota is spent: the span that has the least left, then each."""
    return {
        **_span_json(stands.tightest),
        "closed_until": _time(stands.closed_until),
        "reason": stands.closed_why or None,
        "spans": [{"span": one.span, **_span_json(one)} for one in stands.spans],
    }


def _span_json(one: SpanStanding | None) -> Mapping[str, object]:
    return {
        "spent": one.spent if one else 0,
        "limit": one.limit if one else None,
        "left": one.left if one else None,
        "resets_at": _time(one.resets_at) if one else None,
    }


def _plan_json(planned: PlanStand) -> Mapping[str, object]:
    return {
        "calls_left": planned.calls_left,
        "goes_on_at": _time(planned.goes_on_at),
        "done_at": _time(planned.done_at),
    }


def quota_text(name: str, stands: Standing) -> list[str]:
    """A key's quota in one line a span, and why it is closed if it is."""
    lines = [f"  {name}: {_span_text(one)}" for one in stands.spans]
    if stands.closed_until is not None:
        lines.append(f"  {name}: closed until {said(stands.closed_until)}: {printable(stands.closed_why)}")
    return lines


def _span_text(one: SpanStanding) -> str:
    limit = f"{one.spent:,} of {one.limit:,} calls" if one.limit is not None else f"{one.spent:,} calls"
    left = "" if one.left is None else f", {one.left:,} left"
    again = f", begins anew {said(one.resets_at)}" if one.resets_at else ""
    return f"{one.span}: {limit} spent{left}{again}"


def _plan_text(one: SourceStand) -> list[str]:
    if one.plan is None:
        return []
    on = f"; goes on {said(one.plan.goes_on_at)}" if one.plan.goes_on_at else ""
    done = f", done about {said(one.plan.done_at)}" if one.plan.done_at else ""
    return [f"  {one.name}: {one.plan.calls_left:,} calls of an unfinished poll are left{on}{done}"]


def status_text(stand: Stand) -> str:
    """Three tables; under the sources, what of their input was refused or put right."""
    sources = [
        (one.name, one.kind, one.outcome or "-", said(one.last_run), said(one.next_run), one.reason) for one in stand.sources
    ]
    blocks = [table(sources, ["SOURCE", "KIND", "OUTCOME", "LAST RUN", "NEXT RUN", "REASON"])]
    quotas = [line for one in stand.sources if one.quota for line in quota_text(one.name, one.quota)]
    plans = [line for one in stand.sources for line in _plan_text(one)]
    if quotas or plans:
        blocks.append("\n".join(["quotas:", *quotas, *plans]))
    refusals = [
        f"  {one.name}: {refused.count} x {refused.reason}, for example {printable(refused.sample)}"
        for one in stand.sources
        for refused in one.refused
    ]
    if refusals:
        blocks.append("\n".join(["not taken as it came:", *refusals]))
    blocks.append(exports_text(stand.exports))
    partners = [(one.name, ", ".join(one.collections), str(one.max_tlp), said(one.last_fetch)) for one in stand.partners]
    blocks.append(table(partners, ["PARTNER", "COLLECTIONS", "MAX TLP", "LAST FETCH"]))
    if stand.hunts:
        blocks.append("\n".join(["hunts:", *(f"  {printable(clients.hunt_text(one))}" for one in stand.hunts)]))
    return "\n\n".join(blocks)


def exports_text(states: Sequence[ExportState]) -> str:
    """How block lists stand, as a table."""
    rows = [(one.name, one.format, str(one.count), said(one.changed_at), one.held or "-") for one in states]
    return table(rows, ["EXPORT", "FORMAT", "NAMES", "CHANGED", "HELD"])
