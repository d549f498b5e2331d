"""What `poll --dry-run` prints: each call, what all of them cost, what is left of the quota, when it would be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feedsvc.cli.printing import printable
from feedsvc.cli.showing import quota_json, quota_text, said
from feedsvc.clock import rfc3339
from feedsvc.pipeline.planning import Call, Planned


def as_json(planned: Sequence[Planned]) -> list[Mapping[str, object]]:
    """One object a source."""
    return [
        {
            "source": one.source,
            "provider": one.provider,
            "calls": [_call_json(call) for call in one.calls],
            "cost": len(one.calls),
            "waiting": one.waiting,
            "left_over": one.kept,
            "fronts": one.fronts,
            "skipped": [end.reason for end in one.skipped],
            "quota": quota_json(one.quota),
            "done_at": rfc3339(one.done_at) if one.done_at else None,
        }
        for one in planned
    ]


def _call_json(call: Call) -> Mapping[str, object]:
    request = call.request
    return {"method": request.method, "url": str(request).partition(" ")[2], "netblock": str(call.netblock)}


def as_text(planned: Sequence[Planned]) -> str:
    """A block a source: its calls, then what they cost."""
    return "\n\n".join("\n".join(_lines(one)) for one in planned)


def _lines(one: Planned) -> list[str]:
    waiting = f"; {one.waiting:,} more wait for the next poll (max_calls)" if one.waiting else ""
    over = f", {one.kept:,} of them left by an earlier poll" if one.kept else ""
    fronts = f"; up to {one.fronts:,} more for names in front of findings" if one.fronts else ""
    done = f"; done about {said(one.done_at)}" if one.done_at else ""
    more = f"{waiting}{fronts}{done}"
    return [
        f"{one.source} ({one.provider}):",
        *(f"  {printable(_call_text(call))}" for call in one.calls),
        *(f"  not asked: {printable(end.reason)}" for end in one.skipped),
        f"  cost: {len(one.calls):,} calls{over}, and one for each page or part of an answer that is cut{more}",
        *quota_text("quota", one.quota),
    ]


def _call_text(call: Call) -> str:
    """As a line; a question that stands in the body, and not in the URL, is told by its netblock."""
    return f"{call.request} ({call.netblock})" if call.request.body is not None else str(call.request)
