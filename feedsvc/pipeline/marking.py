"""How far findings may be passed on by what is stored of them, for who is about to let one out.

A finding's marking is its rule's or its evidence's, whichever is stricter, and does not tell which. As long as the rule
stays as it is, nobody needs to know. After a rule was opened, findings that wait under its old marking are looked up here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from feedsvc.judge import policy
from feedsvc.model import Finding, Tlp, Watch
from feedsvc.names import parse_address
from feedsvc.pipeline.parts import Parts


def as_evidence_allows(parts: Parts, findings: Iterable[Finding]) -> list[Finding]:
    """Findings under the marking that their rules and their evidence have by now.

    Costs nothing but for those that are marked more strictly than their rule.
    """
    return [_as_evidence_allows(parts, one, parts.watches.get(one.watch)) for one in findings]


def _as_evidence_allows(parts: Parts, finding: Finding, watch: Watch | None) -> Finding:
    if watch is None or finding.tlp.rank <= watch.tlp.rank:
        return finding
    evidence = _evidence(parts, finding.name, watch) or [finding.tlp]
    return dataclasses.replace(finding, tlp=policy.marking(watch, evidence))


def _evidence(parts: Parts, name: str, watch: Watch) -> list[Tlp]:
    """The markings of what is stored of a name in a rule's netblocks."""
    return [
        one.tlp
        for one in parts.history.facts.evidence(name)
        if one.rrtype in {"A", "AAAA"} and any(parse_address(one.rdata) in block for block in watch.netblocks)
    ]
