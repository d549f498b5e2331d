"""What is still to be asked of a provider about the watched netblocks: made, put in order, stored, read again. Pure.

Netblocks that overlap share their calls. A plan outlives the poll that made it, as the text of a cursor: what a poll did not
get to, for want of calls or of an answer, the next one asks, and nothing twice.

What was asked for in vain waits behind what was not asked yet. When nothing is left of a netblock but what fails for ever,
the next poll begins it anew around those pieces: an address that never answers in full costs its netblock the since-mark,
but no news. A netblock of which an earlier poll left a rest is begun anew as soon as that is answered (`uncovered`).
"""

from __future__ import annotations

import ipaddress
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from feedsvc.clock import from_epoch, parse_rfc3339, rfc3339
from feedsvc.names import Address, Netblock, NetblockMap
from feedsvc.sources.port import Question, Traits
from feedsvc.sources.stretches import Stretches, overlap, prefixes, runs

SCOPE = "plan"
"""The scope of the cursor that holds a plan; no netblock is written so."""

LIVELY = timedelta(days=7)
"""A netblock that did something within it is asked four times as often as others when calls are short."""

UNKNOWN = timedelta(days=30)
"""A netblock that was never answered in full counts as having waited for this long already when it is first asked about."""

_TIMES = 4  # as urgent are lively netblocks and begun answers; a fourth as urgent is what failed
_MOST_FAILURES = 8  # that are told apart by urgency: a call that always fails has its turn once in a while

IN_VAIN = 2
"""What was asked for in vain in so many polls is given up: a page for the beginning of its answer, a netblock of which
nothing else is left for the netblock as a whole."""


@dataclass(frozen=True, slots=True)
class Target:
    """A watched netblock that is being asked about.

    Attributes:
        began: when the asking began; becomes the since-mark when all of it is answered.
        since: from when on it is asked about; None for everything.
        failures: in how many polls, the latest of those that asked about it, every answer was trouble.
    """

    netblock: Netblock
    began: datetime
    since: datetime | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the question that waits for its answer; where a provider's reach is one address, one call each address.

    Attributes:
        failures: in how many polls it was asked for in vain; `IN_VAIN` at once where asking again is of no use.
    """

    netblock: Netblock
    since: datetime | None = None
    until: datetime | None = None
    page: str = ""
    failures: int = 0

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

    def covers(self, other: Piece) -> bool:
        """Whether its answer will hold that of another one about the same addresses."""
        since_then = self.since is None or (other.since is not None and self.since <= other.since)
        return since_then and self.until is None and not self.page and overlap(self.netblock, other.netblock)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which netblocks are being asked about, and what of them waits, in the order in which it is asked.

    Attributes:
        made: calls that were answered since it was planned what to ask in a window of the schedule.
        proven: when the provider last answered in full, and so was asked at the right place; None when it did not.
    """

    targets: tuple[Target, ...] = ()
    pending: tuple[Piece, ...] = ()
    made: int = 0
    proven: datetime | None = None


def calls(pending: Iterable[Piece], traits: Traits) -> int:
    """How many calls these pieces are, as far as can be known before they are answered."""
    return sum(piece.netblock.size if traits.reach == "address" else 1 for piece in pending)


# -- making -------------------------------------------------------------------------------------------------------------


def extended(plan: Plan, news: Sequence[Target], traits: Traits) -> Plan:
    """The plan, and these netblocks; what of them is waiting already is not asked twice."""
    return replace(plan, targets=(*plan.targets, *news), pending=(*plan.pending, *uncovered(news, plan.pending, traits)))


def uncovered(news: Sequence[Target], known: Sequence[Piece], traits: Traits) -> Iterator[Piece]:
    """What is to be asked about these netblocks that none of the known pieces asks, or has asked just now."""
    for region in _regions(news):
        for piece in _uncovered(region, known):
            yield from _fitting(piece, traits)


def _uncovered(region: Piece, pending: Sequence[Piece]) -> Iterator[Piece]:
    covered = Stretches(piece.netblock for piece in pending if piece.covers(region))
    return (replace(region, netblock=part) for part in covered.outside(region.netblock))


def pruned(plan: Plan, netblocks: Iterable[Netblock], traits: Traits) -> Plan:
    """The plan without what nobody watches any more, in pieces that the provider can be asked for as it is now."""
    watched = frozenset(netblocks)
    targets = [target for target in plan.targets if target.netblock in watched]
    stretches = Stretches(target.netblock for target in targets)
    pending = tuple(dict.fromkeys(fit for piece in plan.pending for fit in _still_wanted(piece, stretches, traits)))
    waiting = Stretches(piece.netblock for piece in pending)
    # One that nothing is left of would never end; it is as if it had not begun.
    return replace(plan, targets=tuple(one for one in targets if waiting.find(one.netblock) is not None), pending=pending)


def _still_wanted(piece: Piece, watched: Stretches, traits: Traits) -> Iterator[Piece]:
    if piece.until is not None and not traits.fenced:
        piece = replace(piece, until=None, page="")
    if piece.page and piece.failures >= IN_VAIN:
        piece = replace(piece, page="")
    for part in watched.inside(piece.netblock):
        # A page is one of the whole answer, and of no part of it.
        yield from _fitting(piece if part == piece.netblock else replace(piece, netblock=part, page=""), traits)


def parted(plan: Plan, netblocks: Iterable[Netblock]) -> tuple[Plan, Plan]:
    """What of a plan is about these netblocks, and the rest; a piece that is about both is in the first."""
    chosen = frozenset(netblocks)
    ours = tuple(target for target in plan.targets if target.netblock in chosen)
    others = tuple(target for target in plan.targets if target.netblock not in chosen)
    wanted = Stretches(target.netblock for target in ours)
    pending: tuple[list[Piece], list[Piece]] = [], []
    for piece in plan.pending:
        pending[wanted.find(piece.netblock) is None].append(piece)
    mine = replace(plan, targets=ours, pending=tuple(pending[False]))
    return mine, replace(plan, targets=others, pending=tuple(pending[True]))


def worn(plan: Plan) -> list[Target]:
    """The netblocks of which nothing is left but what there is no use in asking for again."""
    open_still = Stretches(piece.netblock for piece in plan.pending if piece.failures < IN_VAIN)
    return [target for target in plan.targets if open_still.find(target.netblock) is None]


def ordered(plan: Plan, active: Mapping[str, datetime], overlap: timedelta, now: datetime) -> Plan:
    """The plan with the most urgent first.

    The longer it is since a netblock was asked about, the more urgent it is: a lively one four times as fast, one that was
    never answered as if it had waited `UNKNOWN` before. The next page of an answer is four times as urgent, before it gets
    lost; what was asked for in vain a fourth as urgent with each time, and so is the whole of a netblock about which every
    answer was trouble: those of its addresses that were not asked for yet are likely to fare no better, and would keep all
    others from their turn. So all have it, however few calls there are.

    Args:
        active: when each netblock, as text, was last seen to do something.
        overlap: what `Target.since` goes back behind the since-mark.
    """
    urgency = {target: _urgency(target, active.get(str(target.netblock)), overlap, now) for target in plan.targets}
    here = concerned(plan.targets)

    def key(piece: Piece) -> float:
        wanted = max(urgency[target] for target in here(piece))
        return (
            wanted / _TIMES ** min(piece.failures, _MOST_FAILURES) if piece.failures or not piece.page else wanted * _TIMES
        )

    return replace(plan, pending=tuple(sorted(plan.pending, key=key, reverse=True)))


def concerned(targets: Sequence[Target]) -> Callable[[Piece], list[Target]]:
    """A function that tells which of these targets a piece concerns."""
    stretches = Stretches(target.netblock for target in targets)
    by_stretch: defaultdict[int | None, list[Target]] = defaultdict(list)
    for target in targets:
        by_stretch[stretches.find(target.netblock)].append(target)
    return lambda piece: [target for target in by_stretch[stretches.find(piece.netblock)] if piece.concerns(target)]


def _urgency(target: Target, active: datetime | None, overlap: timedelta, now: datetime) -> float:
    unknown = timedelta(0) if target.failures else UNKNOWN
    last = target.began - unknown if target.since is None else target.since + overlap
    waits = max((now - last).total_seconds(), 1.0) / float(_TIMES ** min(target.failures, _MOST_FAILURES))
    return waits * _TIMES if active is not None and now - active <= LIVELY else waits


def _fitting(piece: Piece, traits: Traits) -> Iterator[Piece]:
    """A piece as a provider can be asked for it."""
    blocks = list(prefixes(piece.netblock)) if traits.reach == "netblock" else [piece.netblock]
    whole = len(blocks) == 1 and (traits.reach != "address" or piece.netblock.size == 1)
    return (replace(piece, netblock=block, page=piece.page if whole else "") for block in blocks)


def _regions(targets: Sequence[Target]) -> list[Piece]:
    """The targets without their overlaps: each address in one region, asked about since the earliest that one wants.

    Neighbours are one region where they want the same and a target spans the border between them.
    """
    regions: list[Piece] = []
    for cell, over in _cells(targets):
        since = _earliest(over)
        spanned = any(target.netblock.first < cell.first for target in over)
        if spanned and regions[-1].since == since:
            regions[-1] = replace(regions[-1], netblock=replace(regions[-1].netblock, last=cell.last))
        else:
            regions.append(Piece(cell, since))
    return regions


def _cells(targets: Sequence[Target]) -> Iterator[tuple[Netblock, list[Target]]]:
    """The stretches between two borders of targets, and which targets lie over each."""
    over = NetblockMap([target.netblock for target in targets])
    for version in (4, 6):
        blocks = [target.netblock for target in targets if target.netblock.version == version]
        borders = sorted({edge for block in blocks for edge in (block.first, block.last + 1)})
        for first, following in itertools.pairwise(borders):
            here = [targets[index] for index in over.find(Address(version, first))]
            if here:
                yield Netblock(version, first, following - 1), here


def _earliest(targets: Iterable[Target]) -> datetime | None:
    """In whole seconds, as plans are kept."""
    moments = [target.since for target in targets]
    known = [moment for moment in moments if moment is not None]
    return min(known).replace(microsecond=0) if len(known) == len(moments) else None


# -- storing ------------------------------------------------------------------------------------------------------------

_VERSION = 1
_UNREADABLE = (ValueError, OverflowError, OSError, RecursionError)  # msgspec's own errors are ValueErrors


_MANY = 8  # stretches of addresses that are written each for itself; more are bits of a number

_PieceRow = tuple[str, int | None, int | None, str, int]


class _TargetRow(msgspec.Struct, array_like=True):
    netblock: str
    began: str
    since: str
    failures: int = 0


class _Part(msgspec.Struct, array_like=True):
    """Netblocks, and what of them waits; moments of targets in RFC 3339, those of pieces in seconds since 1970."""

    targets: list[_TargetRow]
    pending: list[_PieceRow]


class _Stored(msgspec.Struct, array_like=True):
    """A plan as text, in parts that are written each for itself."""

    version: int
    made: int
    proven: str
    parts: list[_Part]


def to_text(plan: Plan) -> str:
    """A plan as the position of a cursor; "" when nothing is left of it."""
    return text_of([part_text(plan.targets, plan.pending)] if plan.targets else [], plan.made, plan.proven)


def text_of(parts: Sequence[str], made: int, proven: datetime | None) -> str:
    """A plan that consists of parts which are texts already."""
    return f'[{_VERSION},{made},"{rfc3339(proven) if proven else ""}",[{",".join(parts)}]]' if parts else ""


def part_text(targets: Iterable[Target], pending: Iterable[Piece], scattered: Iterable[tuple[Piece, int]] = ()) -> str:
    """Some netblocks, and what of them waits.

    Args:
        scattered: pieces of which only those addresses wait that are bits of a number, the first one being the lowest.
    """
    rows = [_of_piece(one) for one in pending]
    rows += [row for piece, bits in scattered for row in _of_scattered(piece, bits)]
    return msgspec.json.encode(_Part([_of_target(one) for one in targets], rows)).decode()


def from_text(text: str) -> Plan:
    """A plan as it was stored; an empty one when there is none that this version can read."""
    try:
        stored = msgspec.json.decode(text, type=_Stored)
        targets = tuple(_target(one) for part in stored.parts for one in part.targets)
        pending = tuple(piece for part in stored.parts for one in part.pending for piece in _pieces(*one))
        proven = parse_rfc3339(stored.proven) if stored.proven else None
    except _UNREADABLE:
        return Plan()
    return Plan(targets, pending, stored.made, proven) if stored.version == _VERSION else Plan()


def _of_target(target: Target) -> _TargetRow:
    since = rfc3339(target.since) if target.since else ""
    return _TargetRow(_text(target.netblock), rfc3339(target.began), since, target.failures)


def _target(row: _TargetRow) -> Target:
    since = parse_rfc3339(row.since) if row.since else None
    return Target(_netblock(row.netblock), parse_rfc3339(row.began), since, max(row.failures, 0))


def _of_piece(piece: Piece) -> _PieceRow:
    return _text(piece.netblock), _seconds(piece.since), _seconds(piece.until), piece.page, piece.failures


def _of_scattered(piece: Piece, bits: int) -> Iterable[_PieceRow]:
    block = piece.netblock
    if (bits & ~(bits << 1)).bit_count() <= _MANY:
        return [_of_piece(replace(piece, netblock=run)) for run in runs(block.version, block.first, bits)]
    return [(f"{_text(block)}+{bits:x}", *_of_piece(piece)[1:])]


def _pieces(text: str, since: int | None, until: int | None, page: str, failures: int) -> Iterator[Piece]:
    around, _, bits = text.partition("+")
    for block in _bits_of(_netblock(around), int(bits, 16)) if bits else [_netblock(around)]:
        yield Piece(block, _moment(since), _moment(until), page, failures)


def _bits_of(around: Netblock, bits: int) -> Iterator[Netblock]:
    if bits < 0 or bits >> around.size:
        raise ValueError("no addresses of this netblock")
    return runs(around.version, around.first, bits)


def _text(block: Netblock) -> str:
    """`198.51.100.7` or `198.51.100.0-198.51.100.255`: written in a fraction of the time that prefixes take."""
    first = str(Address(block.version, block.first))
    return first if block.size == 1 else f"{first}-{Address(block.version, block.last)}"


def _netblock(text: str) -> Netblock:
    """As it was; `parse_netblock` takes the IPv4-mapped part of an IPv6 netblock for IPv4.

    Raises:
        ValueError: the text is no netblock.
    """
    ends = [ipaddress.ip_address(end) for end in text.split("-", 1)]
    first, last = ends[0], ends[-1]
    if first.version != last.version or int(first) > int(last):
        raise ValueError("no netblock")
    return Netblock(first.version, int(first), int(last))


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else from_epoch(seconds)
