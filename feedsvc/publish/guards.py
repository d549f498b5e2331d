"""What may leave a block list at once: consumers take an empty or cut list for "unblock all".

A name leaves with a person's word (revoked, rejected or held by one: `authorised`) or without (expired, gone from the
configuration, lost by a fault of ours). Without, no more than `limits.shrink` of a list may leave in one step, and never
the last of it. A list of a few names may always lose `FEW` of them, else one expiry out of four would need a person; with
`shrink = 0` nothing leaves without one.

A held list keeps every name it has but those that a person took out: a revocation reaches every output (design §6.4), held
or not. Pure; the limits are those of `[limits]`, see docs/blocklists.md.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from feedsvc.publish.namesets import covered
from feedsvc.publish.port import NameSetKind

FEW = 2
"""Names that may leave any list without a person's word, as long as one stays."""


@dataclass(frozen=True, slots=True)
class LastGood:
    """What readers have of a list.

    Attributes:
        names: None when the file is gone or cannot be read; then `count` is what history remembers.
        serial: of the file, else what history remembers; 0 when there never was one.
        fault: why the file cannot be read; "" when it can, or is not there.
    """

    names: frozenset[str] | None = None
    count: int = 0
    serial: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A list as readers have it, and as it would be.

    Attributes:
        wanted: the names of the next file.
        authorised: names that a person took out.
        shrink: share of a list that may leave without a person's word, 0 to 1.
    """

    last: LastGood
    wanted: frozenset[str]
    kind: NameSetKind
    authorised: AbstractSet[str] = frozenset()
    shrink: float = 0.2

    def losses(self) -> int:
        """How many names would no longer be blocked, without a person's word."""
        if self.last.names is None:
            # Which names those were is not known, so nobody's word can excuse one of them.
            return max(0, self.last.count - len(self.wanted))
        gone = self.last.names - self.authorised - self.wanted
        return sum(not covered(name, self.wanted, self.kind) for name in gone)

    def allowance(self) -> int:
        """How many names may leave without a person's word."""
        return max(FEW, int(self.shrink * self.last.count)) if self.shrink > 0 else 0


def why_hold(change: Replacement) -> str:
    """Why a list must stay as it is until a person has looked; "" when it may be written."""
    last, losses = change.last, change.losses()
    if last.fault:
        return f"the file there cannot be read back ({last.fault}): edited by hand, or of another format"
    if losses and not change.wanted:
        return f"all {last.count} names would leave, {losses} of them without a person's decision"
    if losses > change.allowance():
        return (
            f"{losses} of {last.count} names would leave without a person's decision, "
            f"{change.allowance()} may (limits.shrink = {change.shrink:g})"
        )
    return ""


def kept(change: Replacement) -> frozenset[str] | None:
    """The names of a held list: those it has, without what a person took out; None when the file is not there to read.

    What a removed name of a `suffix` list alone covered, and is still to be blocked, takes its place.
    """
    if change.last.names is None:
        return None
    removed = (change.last.names & change.authorised) - change.wanted
    freed = {name for name in change.wanted if covered(name, removed, change.kind)} if removed else set()
    return (change.last.names - removed) | freed
