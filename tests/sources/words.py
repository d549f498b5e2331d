"""The least that can be asked for: words, of a server that repeats them; for rounds of calls, whatever they are about."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from feedsvc.http import Answer, Client, HttpError, Request
from feedsvc.model import Batch, End, Learnt, Observation, Outcome
from feedsvc.sources.calling import Calling, Heard
from feedsvc.sources.endings import COMPLETE, after_fault
from feedsvc.sources.port import Reply
from tests.sources.atlas import SPANS
from tests.sources.conftest import NOW
from tests.sources.pdns.asking import Counted
from tests.standins.server import Call, Standin
from tests.standins.server import Reply as Answered

NOT_TRANSIENT = 501
ROW = Observation("k3xq.example.net", "A", "198.51.100.7")


class Server(Standin):
    """Answers what it is asked with the word itself, or as it is told.

    Attributes:
        told: what a question gets in place of its answer; None: its answer.
        together: so many must be under way before one is answered, from the second call on; None: one is enough.
        peak: so many were under way at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told: Callable[[str], Answered | None] = lambda _: None
        self.together: threading.Barrier | None = None
        self.peak = 0
        self._under_way = 0

    @property
    def asked(self) -> list[str]:
        return [call.path[1:] for call in self.calls]

    def once_together(self, count: int, then: Callable[[], object] = lambda: None) -> None:
        """Answer the second call and those after it when so many are under way, and from then on each at once."""

        def over() -> None:
            self.together = None
            then()

        self.together = threading.Barrier(count, action=over)

    def answer(self, call: Call) -> Answered:
        with self._lock:
            self._under_way += 1
            self.peak = max(self.peak, self._under_way)
            together = self.together if len(self.calls) > 1 else None
        try:
            if together is not None:
                together.wait(timeout=10)
            return self.told(call.path[1:]) or Answered(200, {}, [call.path[1:].encode()])
        finally:
            with self._lock:
                self._under_way -= 1


@dataclass
class Words:
    """Asks for words, and believes every answer."""

    url: str
    opened: int = 0
    closed: int = 0

    def request(self, asked: str) -> Request:
        return Request(f"{self.url}/{asked}")

    def read(self, answer: Answer, asked: str) -> Generator[Batch, None, Reply]:
        self.opened += 1
        try:
            for number, _ in enumerate(answer.lines()):
                yield Batch((replace(ROW, rrname=f"n{number}.{asked}.example"),))
        finally:
            self.closed += 1
        return Reply(COMPLETE)

    def refused(self, err: HttpError, asked: str) -> Reply | None:
        if "x-crowded" in err.headers:
            return Reply(after_fault(err, 0), crowded=True)
        if "x-over" in err.headers:
            return Reply(after_fault(err, 0), over=SPANS[err.headers["x-over"]])
        return Reply(COMPLETE) if err.status == 404 else None

    def quotas(self, headers: Mapping[str, str]) -> Sequence[Learnt]:
        return [Learnt("day", left=int(headers["x-left"]))] if "x-left" in headers else []


class Line:
    """Words to ask for, first to last."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = deque(words)

    def take(self) -> str | None:
        return self.words.popleft() if self.words else None

    def put_back(self, asked: str) -> None:
        self.words.appendleft(asked)

    def calls(self) -> int:
        return len(self.words)


@dataclass
class Round:
    """A round of calls with all that it needs."""

    http: Client
    caller: Words
    line: Line
    budget: Counted
    calling: Calling[str]

    def heard(self) -> list[Heard[str]]:
        return list(self.calling.heard())

    def ends(self) -> dict[str, End]:
        return {one.asked: one.reply.end for one in self.heard() if one.reply is not None}


def words(count: int) -> list[str]:
    return [f"w{number}" for number in range(count)]


def round_of(
    http: Client, url: str, count: int = 16, *, width: int = 4, budget: Counted | None = None, caller: Words | None = None
) -> Round:
    line, budget, caller = Line(words(count)), budget or Counted(), caller or Words(url)
    return Round(http, caller, line, budget, Calling(http, caller, line, budget, width=width, made=0, now=lambda: NOW))


def told(**answers: Answered) -> Callable[[str], Answered | None]:
    return answers.get


def complete(ends: Mapping[str, End]) -> list[str]:
    return [word for word, end in ends.items() if end.outcome is Outcome.COMPLETE]


def hanging(gate: threading.Event) -> Answered:
    """A body that begins, and goes on when the gate opens."""

    def body(stopping: threading.Event) -> Iterator[bytes]:
        yield b"one\n"
        gate.wait(timeout=10)
        yield b"two\n"

    return Answered(200, {}, body, "chunked")
