"""The fixed words of feedsvc: outcomes, statuses, kinds of novelty, levels of the Traffic Light Protocol."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a poll ended. Only `complete` moves a since-mark; nothing else can remove, expire or shrink anything."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"


class Status(StrEnum):
    """Where a finding stands in its life."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"
    HELD = "held"
    APPROVED = "approved"
    PUBLISHED = "published"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REJECTED = "rejected"


class Novelty(StrEnum):
    """What is new about a finding; see docs/glossary.md for the five meanings."""

    NEW_REGISTRABLE = "new-registrable"
    NEW_HOST = "new-host"
    NEW_TO_NETBLOCK = "new-to-netblock"
    REACTIVATED = "reactivated"
    NEW_TO_US = "new-to-us"


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0, most open first."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def rank(self) -> int:
        """0 for clear to 4 for red: a reader cleared for rank n sees n and below."""
        return list(Tlp).index(self)
