"""What is still to be asked of a provider about the watched netblocks: made, cut smaller, stored, read again. Pure.

Netblocks that overlap share their calls. An answer that was cut short is asked for again in halves: of the netblock down to
one address, then of the time window down to one hour. A plan outlives the poll that made it: what a poll did not get to, for
want of calls or of an answer, the next one asks, and nothing twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from feedsvc.clock import from_epoch, parse_rfc3339, rfc3339
from feedsvc.errors import NameRefused
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources.port import Question, Reply, Traits

SCOPE = "plan"
"""The scope of the cursor that holds a plan; no netblock is written so."""

SHORTEST = timedelta(hours=1)
"""A time window is not halved below this."""

LIVELY = timedelta(days=7)
"""A netblock that did something within it is asked four times as often as others when calls are short."""


@dataclass(frozen=True, slots=True)
class Target:
    """A watched netblock that is being asked about.

    Attributes:
        began: when the asking began; becomes the since-mark when all of it is answered.
        since: from when on it is asked about; None for everything.
    """

    netblock: Netblock
    began: datetime
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the question that waits for its answer; where a provider's reach is one address, one call each address."""

    netblock: Netblock
    since: datetime | None = None
    until: datetime | None = None
    page: str = ""

    @property
    def question(self) -> Question:
        """As it is put to a provider."""
        return Question(self.netblock, self.since, self.until, self.page)

    @property
    def about(self) -> str:
        """What it is about, in few words."""
        text = str(self.netblock)
        return text.removesuffix("/32") if self.netblock.version == 4 else text.removesuffix("/128")

    def __str__(self) -> str:
        return self.about

    def concerns(self, target: Target) -> bool:
        """Whether its answer is a part of that about a target."""
        return overlap(self.netblock, target.netblock)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which netblocks are being asked about, and what of them waits, in the order in which it is asked.

    Attributes:
        made: calls that were answered.
    """

    targets: tuple[Target, ...] = ()
    pending: tuple[Piece, ...] = ()
    made: int = 0


def overlap(one: Netblock, other: Netblock) -> bool:
    """Whether two netblocks have an address in common."""
    return one.version == other.version and one.first <= other.last and other.first <= one.last


def common(one: Netblock, other: Netblock) -> int:
    """How many addresses two netblocks have in common."""
    return max(min(one.last, other.last) - max(one.first, other.first) + 1, 0) if one.version == other.version else 0


def distinct(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The pieces, but one alone of those that lie in the same netblock, as halves of a time window do."""
    seen: dict[Netblock, Piece] = {}
    for piece in pieces:
        seen.setdefault(piece.netblock, piece)
    return tuple(one for one in seen.values() if not any(_within(one.netblock, other) for other in seen))


def _within(one: Netblock, other: Netblock) -> bool:
    return one != other and one.version == other.version and other.first <= one.first and one.last <= other.last


def joined(pieces: Sequence[Piece], traits: Traits) -> tuple[Piece, ...]:
    """The pieces, neighbouring addresses put together where each is asked for alone: few words for many calls."""
    if traits.reach != "address":
        return tuple(pieces)
    whole = sorted((piece for piece in pieces if not piece.page), key=lambda one: (one.netblock, str(one.since)))
    runs: list[Piece] = []
    for piece in whole:
        last = runs[-1] if runs else None
        if last is not None and _continues(last, piece):
            runs[-1] = replace(last, netblock=replace(last.netblock, last=piece.netblock.last))
        else:
            runs.append(piece)
    return (*(piece for piece in pieces if piece.page), *runs)


def _continues(one: Piece, following: Piece) -> bool:
    neighbours = one.netblock.version == following.netblock.version and one.netblock.last + 1 == following.netblock.first
    return neighbours and (one.since, one.until) == (following.since, following.until)


def calls(pending: Iterable[Piece], traits: Traits) -> int:
    """How many calls these pieces are, as far as can be known before they are answered."""
    return sum(piece.netblock.size if traits.reach == "address" else 1 for piece in pending)


# -- making -------------------------------------------------------------------------------------------------------------


def extended(plan: Plan, news: Sequence[Target], traits: Traits) -> Plan:
    """The plan, and these netblocks."""
    return replace(plan, targets=(*plan.targets, *news), pending=(*plan.pending, *_pieces(news, traits)))


def pruned(plan: Plan, netblocks: Sequence[Netblock], traits: Traits) -> Plan:
    """The plan without what nobody watches any more, in pieces that are within the provider's reach."""
    targets = tuple(target for target in plan.targets if target.netblock in netblocks)
    pending = (piece for piece in plan.pending if any(piece.concerns(target) for target in targets))
    return replace(plan, targets=targets, pending=tuple(fit for piece in pending for fit in _fitting(piece, traits)))


def parted(plan: Plan, netblocks: Sequence[Netblock]) -> tuple[Plan, Plan]:
    """What of a plan is about these netblocks, and the rest; a piece that is about both is in the first."""
    ours = tuple(target for target in plan.targets if target.netblock in netblocks)
    others = tuple(target for target in plan.targets if target.netblock not in netblocks)
    wanted = tuple(piece for piece in plan.pending if any(piece.concerns(target) for target in ours))
    left = tuple(piece for piece in plan.pending if piece not in wanted)
    return Plan(ours, wanted, plan.made), Plan(others, left)


def ordered(plan: Plan, marks: Mapping[str, datetime], active: Mapping[str, datetime], now: datetime) -> Plan:
    """The plan with the most urgent first: what was never answered, then what waits longest, lively ones four times as fast.

    Args:
        marks: when each netblock, as text, was answered in full last.
        active: when each was last seen to do something.
    """
    urgency = {target: _urgency(str(target.netblock), marks, active, now) for target in plan.targets}

    def of_piece(piece: Piece) -> float:
        return max(urgency[target] for target in plan.targets if piece.concerns(target))

    return replace(plan, pending=tuple(sorted(plan.pending, key=of_piece, reverse=True)))


def _urgency(netblock: str, marks: Mapping[str, datetime], active: Mapping[str, datetime], now: datetime) -> float:
    if netblock not in marks:
        return float("inf")
    waits = max((now - marks[netblock]).total_seconds(), 1.0)
    lively = netblock in active and now - active[netblock] <= LIVELY
    return waits * 4 if lively else waits


def _pieces(targets: Sequence[Target], traits: Traits) -> Iterator[Piece]:
    for netblock, since in _regions(targets):
        yield from _fitting(Piece(netblock, since), traits)


def _fitting(piece: Piece, traits: Traits) -> Iterator[Piece]:
    if traits.reach != "netblock" or len(piece.netblock.cidrs()) == 1:
        yield piece
        return
    for cidr in piece.netblock.cidrs():
        yield replace(piece, netblock=parse_netblock(cidr), page="")


def _regions(targets: Sequence[Target]) -> Iterator[tuple[Netblock, datetime | None]]:
    """The targets without their overlaps: each address in one region, asked about since the earliest that one wants.

    Neighbours are one region where they want the same and a target spans the border between them.
    """
    for version in (4, 6):
        of_version = [target for target in targets if target.netblock.version == version]
        borders = sorted({edge for one in of_version for edge in (one.netblock.first, one.netblock.last + 1)})
        last: tuple[Netblock, datetime | None] | None = None
        for first, end in itertools.pairwise(borders):
            over = [one for one in of_version if one.netblock.first <= first and end - 1 <= one.netblock.last]
            if not over:
                continue
            since = _earliest(over)
            spans = any(one.netblock.first < first for one in over)
            if last is not None and spans and last[1] == since:
                last = Netblock(version, last[0].first, end - 1), since
                continue
            if last is not None:
                yield last
            last = Netblock(version, first, end - 1), since
        if last is not None:
            yield last


def _earliest(targets: Sequence[Target]) -> datetime | None:
    moments = [target.since for target in targets]
    return None if None in moments else min(moment for moment in moments if moment is not None)


# -- asking -------------------------------------------------------------------------------------------------------------


def first_call(piece: Piece, traits: Traits) -> tuple[Piece, Piece | None]:
    """The first call of a piece, and what is left of the piece."""
    block = piece.netblock
    if traits.reach != "address" or block.size == 1:
        return piece, None
    one, rest = Netblock(block.version, block.first, block.first), Netblock(block.version, block.first + 1, block.last)
    return replace(piece, netblock=one), replace(piece, netblock=rest)


def rest(call: Piece, reply: Reply, traits: Traits, now: datetime) -> tuple[Piece, ...] | None:
    """What an answer left to be asked: its next page, its halves, or itself from the beginning; None when that is nothing.

    Args:
        now: where a window without an end is taken to end.
    """
    if reply.stale and call.page:
        return (replace(call, page=""),)
    if reply.page and reply.page != call.page:
        return (replace(call, page=reply.page),)
    return halves(call, traits, now) if reply.limited else None


def halves(call: Piece, traits: Traits, now: datetime) -> tuple[Piece, ...] | None:
    """The two halves of a call, the lower netblock or the later window first; None when it cannot be cut smaller."""
    block = call.netblock
    if block.size > 1 and traits.reach != "address":
        middle = (block.first + block.last) // 2
        lower, upper = Netblock(block.version, block.first, middle), Netblock(block.version, middle + 1, block.last)
        return tuple(replace(call, netblock=half, page="") for half in (lower, upper))
    since, until = call.since or traits.earliest, call.until or now
    if not traits.fenced or until - since < 2 * SHORTEST:
        return None
    middle_of_time = from_epoch((int(since.timestamp()) + int(until.timestamp())) // 2)
    later, earlier = replace(call, since=middle_of_time, page=""), replace(call, until=middle_of_time, page="")
    return later, earlier


# -- storing ------------------------------------------------------------------------------------------------------------


class _Stored(msgspec.Struct, array_like=True):
    """A plan as text; moments of targets in RFC 3339, those of pieces in seconds since 1970."""

    version: int
    made: int
    targets: list[tuple[str, str, str]]
    pending: list[tuple[str, int | None, int | None, str]]


_VERSION = 1


def to_text(plan: Plan) -> str:
    """A plan as the position of a cursor; "" when nothing is left of it."""
    if not plan.targets:
        return ""
    targets = [(str(one.netblock), rfc3339(one.began), rfc3339(one.since) if one.since else "") for one in plan.targets]
    pending = [(str(one.netblock), _seconds(one.since), _seconds(one.until), one.page) for one in plan.pending]
    return msgspec.json.encode(_Stored(_VERSION, plan.made, targets, pending)).decode()


def from_text(text: str) -> Plan:
    """A plan as it was stored; an empty one when there is none that this version can read."""
    try:
        stored = msgspec.json.decode(text, type=_Stored)
        targets = tuple(
            Target(parse_netblock(netblock), parse_rfc3339(began), parse_rfc3339(since) if since else None)
            for netblock, began, since in stored.targets
        )
        pending = tuple(
            Piece(parse_netblock(netblock), _moment(since), _moment(until), page)
            for netblock, since, until, page in stored.pending
        )
    except (ValueError, OverflowError, OSError, NameRefused):
        return Plan()
    return Plan(targets, pending, stored.made) if stored.version == _VERSION else Plan()


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else from_epoch(seconds)
