"""How an answer ended: what an error makes of it, and what several make of a netblock. Pure.

Complete is said only when it is proven; what came before a broken end makes it partial; nothing at all makes it failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from feedsvc.errors import SourceError
from feedsvc.http import HttpError
from feedsvc.model import End, Outcome

COMPLETE = End(Outcome.COMPLETE)

_OF_US = frozenset({401, 402, 403, 407})  # RFC 9110 §15.5: what is wrong is our key, or our proxy's


def after_fault(err: SourceError, understood: int) -> End:
    """The end that an error makes, after so many rows were understood.

    A server that takes exception to one question may answer another: only what concerns every question says to ask no more.
    """
    refused, unfit = isinstance(err, HttpError) and err.refused, _is_unfit(err)
    stop = (err.permanent or refused) and not unfit
    return replace(broken(str(err), understood), retry_after=err.retry_after, stop=stop, unfit=unfit)


def _is_unfit(err: SourceError) -> bool:
    """Whether it is the question that the server takes exception to."""
    status = err.status if isinstance(err, HttpError) else None
    return err.permanent and status is not None and 400 <= status < 500 and status not in _OF_US


def broken(reason: str, understood: int, *, trouble: bool = True) -> End:
    """The end of an answer that is not whole: something failed, or (no trouble) there is more than was given."""
    return End(Outcome.PARTIAL if understood else Outcome.FAILED, reason, trouble=trouble)


@dataclass(frozen=True, slots=True)
class Part:
    """An answer that was not whole: what it was about, "" for all there is, and how it ended."""

    about: str
    end: End


def worst(bad: Sequence[Part], progress: str, *, some: bool) -> End:
    """The end of a whole of which these parts, one at least, were not answered in full.

    Args:
        progress: how far it came, put behind the reason.
        some: whether anything was answered.
    """
    # What stopped the rest explains more than what happened to come first.
    telling = next((part for part in bad if part.end.stop), bad[0])
    partial = some or any(part.end.outcome is Outcome.PARTIAL for part in bad)
    about = f"{telling.about}: " if telling.about else ""
    return End(
        Outcome.PARTIAL if partial else Outcome.FAILED,
        f"{about}{telling.end.reason}{progress}",
        retry_after=telling.end.retry_after,
        stop=telling.end.stop,
        trouble=all(part.end.trouble for part in bad),
    )
