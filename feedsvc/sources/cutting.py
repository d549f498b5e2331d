"""Questions cut into calls, and what an answer leaves to be asked: its next page, or its halves. Pure.

An answer that was cut short is asked for again in halves: of the netblock down to one address, then of the time window down
to one hour.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from feedsvc.clock import from_epoch
from feedsvc.model import Outcome
from feedsvc.sources.plan import Piece
from feedsvc.sources.port import Reply, Traits

SHORTEST = timedelta(hours=1)
"""A time window is not halved below this."""

LONGEST_PAGE = 8_192
"""Characters of a text that leads to a next page; a longer one is not followed."""


def first_call(piece: Piece, traits: Traits) -> tuple[Piece, Piece | None]:
    """The first call of a piece, and what is left of the piece."""
    block = piece.netblock
    if traits.reach != "address" or block.size == 1:
        return piece, None
    one, rest = replace(block, last=block.first), replace(block, first=block.first + 1)
    return replace(piece, netblock=one), replace(piece, netblock=rest)


def rest(call: Piece, reply: Reply, traits: Traits, now: datetime) -> tuple[Piece, ...] | None:
    """What an answer left to be asked: its next page, its halves, or itself from the beginning; None when that is nothing.

    Args:
        now: where a window without an end is taken to end.
    """
    if reply.stale and call.page:
        return (replace(call, page=""),)
    if reply.page and reply.end.outcome is Outcome.COMPLETE and len(reply.page) <= LONGEST_PAGE:
        return (replace(call, page=reply.page),)
    return halves(call, traits, now) if reply.limited else None


def halves(call: Piece, traits: Traits, now: datetime) -> tuple[Piece, ...] | None:
    """The two halves of a call, the lower netblock or the later window first; None when it cannot be cut smaller."""
    block, whole = call.netblock, replace(call, page="", failures=0)
    if block.size > 1 and traits.reach != "address":
        middle = (block.first + block.last) // 2
        lower, upper = replace(block, last=middle), replace(block, first=middle + 1)
        return replace(whole, netblock=lower), replace(whole, netblock=upper)
    since, until = call.since or traits.earliest, call.until or now
    if not traits.fenced or until - since < 2 * SHORTEST:
        return None
    middle_of_time = from_epoch((int(since.timestamp()) + int(until.timestamp())) // 2)
    return replace(whole, since=middle_of_time), replace(whole, until=middle_of_time)
