"""Whose turn it is: the pieces of a plan in a line, as one poll takes them, call by call.

A netblock that has cost what it may waits for the next poll; what is likely to meet trouble waits behind the rest. In which
order they begin is `plan`'s.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence

from feedsvc.names import Netblock
from feedsvc.sources import cutting, plan
from feedsvc.sources.plan import Piece, Plan
from feedsvc.sources.port import Traits


class Turns:
    """Pieces in their order, taken call by call; a `calling.Queue`.

    Attributes:
        dear: netblocks that have cost what they may in one poll; they are left for the next one.
    """

    def __init__(self, planned: Plan, traits: Traits) -> None:
        """Put those of a plan in a line, in the order of the plan."""
        self.dear: set[Netblock] = set()
        self._waiting = deque(planned.pending)
        self._calls = plan.calls(planned.pending, traits)
        self._concerned = plan.concerned(planned.targets)
        self._traits = traits
        self._cost: Counter[Netblock] = Counter()

    def calls(self) -> int:
        """How many calls wait."""
        return self._calls

    def put_back(self, asked: Piece) -> None:
        """A call that was taken and not made: it is the next one again."""
        self._waiting.appendleft(asked)
        self._calls += 1

    def put_first(self, pieces: Sequence[Piece]) -> None:
        """Let these be asked next, as what an answer leaves is."""
        self._waiting.extendleft(reversed(pieces))
        self._calls += plan.calls(pieces, self._traits)

    def put_last(self, pieces: Sequence[Piece]) -> None:
        """Let these wait behind all other."""
        self._waiting.extend(pieces)
        self._calls += plan.calls(pieces, self._traits)

    def postpone(self, call: Piece) -> None:
        """Let what else is asked about the netblocks of a call wait behind all other: it is likely to fare no better."""
        here, others = self._parted(call)
        self._waiting = deque([*others, *here])

    def give_up(self, call: Piece) -> None:
        """Ask nothing more about the netblocks of a call, but for what others want as well."""
        troubled = set(self._concerned(call))
        here, self._waiting = self._parted(call)
        for piece in here:
            if troubled.issuperset(self._concerned(piece)):
                self._calls -= plan.calls([piece], self._traits)
            else:
                self._waiting.append(piece)

    def _parted(self, call: Piece) -> tuple[deque[Piece], deque[Piece]]:
        """What is asked about the netblocks of a call, and what is not."""
        troubled = self._concerned(call)
        here, others = deque[Piece](), deque[Piece]()
        for piece in self._waiting:
            (here if any(piece.concerns(target) for target in troubled) else others).append(piece)
        return here, others

    def take(self) -> Piece | None:
        """The next call that may be made; None when there is none."""
        while self._waiting:
            call, left = cutting.first_call(self._waiting.popleft(), self._traits)
            self._calls -= 1
            if left is not None:
                self._waiting.appendleft(left)
            if self._is_affordable(call):
                return call
        return None

    def _is_affordable(self, call: Piece) -> bool:
        """Whether a netblock that wants this may still have a call; counts it for all that do."""
        wanting = [target.netblock for target in self._concerned(call)]
        dear = [netblock for netblock in wanting if self._cost[netblock] >= self._traits.max_calls]
        self.dear.update(dear)
        if len(dear) == len(wanting):
            return False
        self._cost.update(wanting)
        return True


def in_turn(planned: Plan, traits: Traits) -> Iterator[Piece]:
    """The calls of a plan in the order in which one poll makes them, and no more than it may make for each netblock."""
    queue = Turns(planned, traits)
    while (call := queue.take()) is not None:
        yield call
