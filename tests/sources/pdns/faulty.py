"""Every fault of a provider's server whose answers are lines, what comes of it, and words that its reason must have."""

from __future__ import annotations

from dataclasses import dataclass

from feedsvc.model import Outcome, Span
from tests.sources.conftest import Heard
from tests.sources.pdns.asking import Counted
from tests.standins import faults
from tests.standins.server import Reply

MAX_BYTES = 100_000
"""Of an answer, in these tests."""

DEADLINE = 0.5
"""Of an answer, in these tests: seconds."""


@dataclass(frozen=True)
class Case:
    """A reply, and what must come of it.

    Attributes:
        reply: None: nobody is there.
        good: how many of the three rows before the fault are kept.
        overs: what the ledger must be told of spent quotas.
    """

    name: str
    reply: Reply | None
    outcome: Outcome
    words: str
    good: int = 0
    stop: bool = False
    overs: tuple[tuple[Span | None, float | None], ...] = ()

    def __str__(self) -> str:
        return self.name

    def check(self, heard: Heard, budget: Counted) -> None:
        """What was said and done about one netblock must be what comes of this fault."""
        assert heard.end.outcome is self.outcome, heard.end
        assert self.words in heard.end.reason
        assert heard.end.reason.isprintable()
        assert heard.end.stop == self.stop
        assert tuple(budget.overs) == self.overs
        assert len(set(heard.names)) >= self.good
        assert marks(heard) == []


def marks(heard: Heard) -> list[str]:
    """The netblocks whose since-mark was moved."""
    return [cursor.scope for cursor in heard.cursors if cursor.scope[0].isdigit()]


def cases(rows: bytes, secret: str) -> list[Case]:
    """The table.

    Args:
        rows: a body whose three rows are good, without what would end it rightly.
        secret: what the server repeats where it explains itself.
    """
    failed, partial = Outcome.FAILED, Outcome.PARTIAL
    echo = f"your key {secret} is no good"
    too_many: tuple[tuple[Span | None, float | None], ...] = (("burst", 120.0),)
    return [
        Case("refused connection", None, failed, "no connection"),
        Case("not http", faults.nonsense(), failed, "no connection"),
        Case("400", faults.status(400, echo), failed, "400: the server does not understand"),
        Case("401", faults.status(401, echo), failed, "401: the server refused the key from environment", stop=True),
        Case("403", faults.status(403, echo), failed, "403: the server forbids this", stop=True),
        Case("429", faults.too_many("120"), failed, "429: the quota is spent", stop=True, overs=too_many),
        Case("500", faults.status(500, echo), failed, "500: the server has a fault"),
        Case("503", faults.status(503, echo), failed, "503: the server is overloaded"),
        Case("html with 200", faults.html(), failed, "answer is HTML, not NDJSON: is the URL right?"),
        Case("wrong content type", Reply(200, {"Content-Type": "image/png"}, [b"\x89PNG\r\n\x1a\n\0\0"]), failed, "answer"),
        Case("redirect", faults.redirect(f"http://localhost:1/?k={secret}"), failed, "redirects to localhost:1", stop=True),
        Case("cut chunks", faults.cut(rows + b'{"rr'), partial, "cut off", good=3),
        Case("cut at once", faults.cut(), failed, "cut off"),
        Case("short body", faults.short(rows), partial, "cut off", good=3),
        Case("endless", faults.endless(rows), partial, "over 100,000 bytes", good=3),
        Case("endless line", faults.endless(b"1"), failed, "over 100,000 bytes"),
        Case("gzip bomb", faults.gzip_bomb(rows), partial, "over 100,000 bytes", good=3),
        Case("slow drip", faults.drip(rows), partial, "took longer than 0.5 s", good=3),
        Case("slow header", faults.drip_header(), failed, "no answer within 0.5 s"),
        Case("silence", faults.silence(), failed, "no answer within 0.5 s"),
        Case("echo as a row", Reply(200, {}, [f'{{"error": "{echo}"}}\n'.encode()]), failed, ""),
    ]
