"""How an answer ended: what an error makes of it, and what many answers make together. Pure.

Complete is said only when it is proven; what came before a broken end makes it partial; nothing at all makes it failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from feedsvc.errors import SourceError
from feedsvc.http import HttpError
from feedsvc.model import End, Outcome

COMPLETE = End(Outcome.COMPLETE)
PATIENCE = 3
"""So many troubles in a row, and nothing more is asked."""


def after_fault(err: SourceError, understood: int) -> End:
    """The end that an error makes, after so many rows were understood."""
    refused = isinstance(err, HttpError) and err.refused
    return replace(broken(str(err), understood), retry_after=err.retry_after, stop=err.permanent or refused)


def broken(reason: str, understood: int, *, trouble: bool = True) -> End:
    """The end of an answer that is not whole: something failed, or (no trouble) there is more than was given."""
    return End(Outcome.PARTIAL if understood else Outcome.FAILED, reason, trouble=trouble)


@dataclass(frozen=True, slots=True)
class Part:
    """One of several answers that make one: what it was about, and how it ended."""

    about: str
    end: End

    @property
    def whole(self) -> bool:
        """Whether it was complete."""
        return self.end.outcome is Outcome.COMPLETE


def pointless(parts: Sequence[Part]) -> bool:
    """Whether, after the last of these parts, to ask for no more: it was refused, or ended a row of troubles."""
    return bool(parts) and (parts[-1].end.stop or (len(parts) >= PATIENCE and _troubled(parts)))


def _troubled(parts: Sequence[Part]) -> bool:
    return all(part.end.trouble for part in parts[-PATIENCE:])


def together(parts: Sequence[Part], asked_for: int, units: str, *, some: bool = False) -> End:
    """The end of the whole.

    Args:
        parts: at least one of them was not complete when they are fewer than there should have been.
        asked_for: how many there should have been.
        units: what a part is, in the plural, for the reason.
        some: whether rows came that belong to none of the parts.
    """
    whole = sum(part.whole for part in parts)
    if whole == asked_for:
        return COMPLETE
    bad = [part for part in parts if not part.whole]
    if asked_for == 1:
        return bad[0].end
    # What stopped the rest explains more than what happened to come first.
    worst = next((part for part in bad if part.end.stop), bad[0])
    some = some or whole > 0 or any(part.end.outcome is Outcome.PARTIAL for part in bad)
    waits = [part.end.retry_after for part in bad if part.end.retry_after is not None]
    return End(
        Outcome.PARTIAL if some else Outcome.FAILED,
        f"{worst.about}: {worst.end.reason} ({whole} of {asked_for} {units} answered in full)",
        retry_after=max(waits, default=None),
        stop=any(part.end.stop for part in bad),
        trouble=_troubled(parts),
    )
