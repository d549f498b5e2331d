"""What "new" means for a name that matched: one of five meanings, kept apart (docs/glossary.md, "novelty").

Pure. Provider times and our times are kept apart: a provider that saw a name long before we began to look makes it history
(`new-to-us`), however new it is to our state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from feedsvc.model import Novelty

GAP = timedelta(days=10)
"""A name back after this long without evidence is `reactivated`."""

LAG = timedelta(days=1)
"""Providers deliver late by up to this much; a first sighting that much before our look began is not yet history."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a name before the evidence at hand.

    Attributes:
        seen_here: some source had it in this netblock before.
        seen_elsewhere: some source had it in another watched netblock before.
        last_seen: its latest evidence so far.
        domain_known: something under its registered domain was seen before this poll.
    """

    seen_here: bool = False
    seen_elsewhere: bool = False
    last_seen: datetime | None = None
    domain_known: bool = False


def novelty(past: Past, provider_first_seen: datetime | None, last_evidence: datetime, watching_since: datetime) -> Novelty:
    """Tell which of the five meanings holds; the first that does, in the order below.

    Args:
        past: what history knows.
        provider_first_seen: the earliest time any source gives for the name at a watched address.
        last_evidence: the latest time of the evidence at hand.
        watching_since: when the watch's baseline was complete, or now while it is not.
    """
    if past.seen_here:
        returned = past.last_seen is not None and last_evidence - past.last_seen >= GAP
        return Novelty.REACTIVATED if returned else Novelty.NEW_TO_US
    if past.seen_elsewhere:
        return Novelty.NEW_TO_NETBLOCK
    if provider_first_seen is not None and provider_first_seen < watching_since - LAG:
        return Novelty.NEW_TO_US
    return Novelty.NEW_HOST if past.domain_known else Novelty.NEW_REGISTRABLE


PHRASES = {
    Novelty.NEW_REGISTRABLE: "nothing under its registered domain was seen before",
    Novelty.NEW_HOST: "its registered domain is known, this name is not",
    Novelty.NEW_TO_NETBLOCK: "known from another watched netblock, new in this one",
    Novelty.REACTIVATED: f"back after {GAP.days} days or more without evidence",
    Novelty.NEW_TO_US: "seen by a provider before we watched: history, not news",
}
"""How a finding's reason puts each meaning, for a person to read."""
