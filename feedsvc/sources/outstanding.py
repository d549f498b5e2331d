"""What of a plan waits for its answer while it is asked: by groups of netblocks that overlap one another.

A call leaves here only when it was answered, so that at every moment this is what to store. Addresses that are asked for one
by one are bits of a number: to cross one out, and to write down what is left, costs the same for 4,096 as for four.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from feedsvc.names import Netblock
from feedsvc.sources.plan import Piece, Plan, Target, part_text, text_of
from feedsvc.sources.port import Traits
from feedsvc.sources.stretches import Stretches, runs

_Kind = tuple[datetime | None, datetime | None, int]


class Group:
    """Netblocks that overlap one another, directly or by others between them, and the pieces that wait.

    Attributes:
        targets: those of which something waits.
    """

    def __init__(self, around: Netblock, targets: Iterable[Target], traits: Traits) -> None:
        """Make one of which nothing waits.

        Args:
            around: the netblock around all targets.
        """
        self.targets = list(targets)
        self._around = around
        self._one_by_one = traits.reach == "address"
        self._single: dict[_Kind, int] = {}
        self._others: dict[Piece, None] = {}

    def __iter__(self) -> Iterator[Piece]:
        """The pieces; addresses that are neighbours are one, where each is asked for alone."""
        yield from self._others
        for (since, until, failures), bits in self._single.items():
            for block in runs(self._around.version, self._around.first, bits):
                yield Piece(block, since, until, failures=failures)

    def add(self, piece: Piece) -> None:
        """Let a piece wait."""
        if self._is_single(piece):
            kind = _kind(piece)
            self._single[kind] = self._single.get(kind, 0) | self._bits(piece.netblock)
        else:
            self._others[piece] = None

    def remove(self, call: Piece) -> None:
        """Let a call, which is a piece or the address of one, wait no longer."""
        self._others.pop(call, None)
        if self._is_single(call):
            kind = _kind(call)
            left = self._single.pop(kind, 0) & ~self._bits(call.netblock)
            if left:
                self._single[kind] = left

    def holds(self, piece: Piece) -> bool:
        """Whether a piece waits."""
        if not self._is_single(piece):
            return piece in self._others
        bits = self._bits(piece.netblock)
        return self._single.get(_kind(piece), 0) & bits == bits

    def waits_for(self, target: Target) -> bool:
        """Whether anything of a target waits."""
        asked = self._bits(target.netblock) if self._single else 0
        return any(bits & asked for bits in self._single.values()) or any(piece.concerns(target) for piece in self._others)

    def answered(self, target: Target) -> int:
        """How many addresses of a target are answered for in full."""
        waiting = Stretches(piece.netblock for piece in self)
        return sum(part.size for part in waiting.outside(target.netblock))

    def text(self) -> str:
        """As a part of a plan that is stored."""
        singles = (
            (Piece(self._around, since, until, failures=failures), bits)
            for (since, until, failures), bits in self._single.items()
        )
        return part_text(self.targets, self._others, singles)

    def _is_single(self, piece: Piece) -> bool:
        return self._one_by_one and not piece.page

    def _bits(self, block: Netblock) -> int:
        first, last = max(block.first, self._around.first), min(block.last, self._around.last)
        return ((1 << (last - first + 1)) - 1) << (first - self._around.first)


def _kind(piece: Piece) -> _Kind:
    return piece.since, piece.until, piece.failures


class Outstanding:
    """All groups of a plan."""

    def __init__(self, plan: Plan, traits: Traits) -> None:
        """Sort a plan into its groups; every piece concerns a target, and of every target something waits."""
        self._stretches = Stretches(target.netblock for target in plan.targets)
        targets: list[list[Target]] = [[] for _ in self._stretches.netblocks]
        for target in plan.targets:
            targets[self._index(target.netblock)].append(target)
        around = zip(self._stretches.netblocks, targets, strict=True)
        self._groups = [Group(block, here, traits) for block, here in around]
        for piece in plan.pending:
            self.group(piece).add(piece)
        self._texts = dict(enumerate(group.text() for group in self._groups))

    def __iter__(self) -> Iterator[Piece]:
        """Every piece that waits."""
        return (piece for group in self._groups for piece in group)

    def group(self, asked: Piece | Target) -> Group:
        """The group of a piece, or of a target."""
        return self._groups[self._index(asked.netblock)]

    def concerned(self, call: Piece) -> list[Target]:
        """The targets that want this and are not answered in full."""
        return [target for target in self.group(call).targets if call.concerns(target)]

    def news(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Those of these pieces that do not wait already, as the halves of two netblocks may."""
        return [piece for piece in pieces if not self.group(piece).holds(piece)]

    def settle(self, call: Piece, left: Iterable[Piece] = ()) -> list[Target]:
        """Put what is left of a call in its place; returns the targets of which nothing waits any more."""
        index = self._index(call.netblock)
        group = self._groups[index]
        group.remove(call)
        for piece in left:
            group.add(piece)
        done = [target for target in group.targets if call.concerns(target) and not group.waits_for(target)]
        group.targets = [target for target in group.targets if target not in done] if done else group.targets
        if group.targets:
            self._texts[index] = group.text()
        else:
            self._texts.pop(index, None)
        return done

    def begin(self, target: Target, pieces: Iterable[Piece]) -> bool:
        """Let a target that is none any more wait anew, for these pieces and what waits there already; whether it does."""
        group = self.group(target)
        for piece in pieces:
            group.add(piece)
        if not group.waits_for(target):
            return False
        group.targets.append(target)
        self._texts[self._index(target.netblock)] = group.text()
        return True

    def replace(self, target: Target, by: Target) -> None:
        """Let one that waits be another about the same netblock."""
        index = self._index(target.netblock)
        group = self._groups[index]
        group.targets = [by if one == target else one for one in group.targets]
        self._texts[index] = group.text()

    def text(self, made: int, proven: datetime | None) -> str:
        """What is left of the plan, as the position of a cursor; only what has changed is written anew."""
        return text_of(list(self._texts.values()), made, proven)

    def _index(self, block: Netblock) -> int:
        index = self._stretches.find(block)
        assert index is not None, "a piece that no target wants"
        return index
