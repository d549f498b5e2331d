"""What is watched: a rule as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from feedsvc.model.words import Tlp
from feedsvc.names import Netblock


@dataclass(frozen=True, slots=True)
class LabelPattern:
    """One label of a name: which one, how long, of which letters.

    Attributes:
        position: `leftmost`, `registrable` (the label just left of the public suffix) or `any`.
        alphabet: the letters allowed, spelt out; None allows all.
    """

    position: Literal["leftmost", "registrable", "any"] = "leftmost"
    min_length: int = 1
    max_length: int = 63
    alphabet: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class NamePattern:
    """What a name must look like; all that is given must hold."""

    label: LabelPattern | None = None
    regex: str | None = None
    under: tuple[str, ...] = ()
    not_under: tuple[str, ...] = ()
    siblings: Literal["random"] | None = None


@dataclass(frozen=True, slots=True)
class StixHints:
    """What a rule says about the campaign, for the published objects."""

    malware: str | None = None
    kill_chain_phase: str | None = None
    attack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """One rule, read and checked: which netblocks, which names, what to do with what is found.

    Attributes:
        valid_for: a published finding expires this long after its last evidence.
        confidence: the prior, 0 to 100.
        fingerprint: changes with `netblocks` or `names`, and with nothing else; a changed watch has a new baseline.
    """

    id: str
    title: str
    netblocks: tuple[Netblock, ...]
    names: NamePattern | None = None
    description: str = ""
    references: tuple[str, ...] = ()
    author: str = ""
    baseline: Literal["hold", "publish", "ignore"] = "hold"
    publish: Literal["review", "auto"] = "review"
    block: Literal["name", "registered-domain"] = "name"
    valid_for: timedelta = timedelta(days=45)
    tlp: Tlp = Tlp.AMBER
    confidence: int = 50
    stix: StixHints = StixHints()
    matches: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    fingerprint: str = ""
