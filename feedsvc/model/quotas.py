"""What may be asked of a provider: its quotas, and what of them was spent with each key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Span = Literal["burst", "day", "month", "block"]
"""What a quota is counted over: a sliding number of seconds, a calendar day or month, or a block of calls once bought."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many calls in so much time.

    Attributes:
        calls: at most.
        seconds: of a `burst`; 0 for the others.
        resets: seconds after 00:00 UTC at which a `day` or `month` begins.
    """

    span: Span
    calls: int
    seconds: float = 0.0
    resets: int = 0


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a provider said about a quota.

    Attributes:
        limit: calls in the whole span; None when it is unlimited or not said.
        left: calls that remain; None when it is unlimited or not said.
        resets_at: when the span begins anew, or a block expires; None when not said.
        seconds: of a `burst`.
    """

    span: Span
    limit: int | None = None
    left: int | None = None
    resets_at: datetime | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Spent:
    """One span of one account in the ledger.

    Attributes:
        began: when the span began; for a `burst`, when its oldest call that still counts was made.
        calls: made in it by us.
        limit: as the provider said it; None when it said nothing.
        left: as the provider said it, less what was spent since; None when it said nothing.
        resets_at: as the provider said it; None leaves it to the calendar.
        before: calls made in the span before this one: they count again while the clock is put back behind `began`.
        seconds: of a `burst`, as the provider said it; 0 when it said nothing.
    """

    span: Span
    began: datetime
    calls: int = 0
    limit: int | None = None
    left: int | None = None
    resets_at: datetime | None = None
    before: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Account:
    """What was spent with one key of one provider.

    Attributes:
        id: the provider's name and a digest that tells keys apart and betrays none.
        spans: one for each kind of span that was ever counted, sorted by it.
        recent: when calls were made that a burst still counts, oldest first; at least the last two.
        closed_until: nothing may be asked before; None when nothing forbids it.
        closed_why: in words; "" with `closed_until` None.
        refused_at: when the provider last said that a quota is spent; None when it never did, or has merely asked to be left
            alone since.
        learnt_at: when the provider last told its quotas; None when it never did.
    """

    id: str
    spans: tuple[Spent, ...] = ()
    recent: tuple[datetime, ...] = ()
    closed_until: datetime | None = None
    closed_why: str = ""
    refused_at: datetime | None = None
    learnt_at: datetime | None = None
