"""Every fault of a provider's server, what comes of it, and words that its reason must have."""

from __future__ import annotations

from dataclasses import dataclass

from feedsvc.model import Outcome
from tests.standins import faults
from tests.standins.server import Reply


@dataclass(frozen=True)
class Case:
    """A reply, and what must come of it; `good` is how many of the three rows before the fault are kept."""

    name: str
    reply: Reply | None
    outcome: Outcome
    words: str
    good: int = 0
    stop: bool = False
    retry_after: float | None = None

    def __str__(self) -> str:
        return self.name


def cases(rows: bytes, secret: str) -> list[Case]:
    """The table.

    Args:
        rows: a body whose three rows are good, without what would end it rightly.
        secret: what the server repeats where it explains itself.
    """
    failed, partial = Outcome.FAILED, Outcome.PARTIAL
    echo = f"your key {secret} is no good"
    return [
        Case("refused connection", None, failed, "no connection"),
        Case("not http", faults.nonsense(), failed, "no connection"),
        Case("400", faults.status(400, echo), failed, "400: the server does not understand", stop=True),
        Case("401", faults.status(401, echo), failed, "401: the server refused the key from environment", stop=True),
        Case("403", faults.status(403, echo), failed, "403: the server forbids this", stop=True),
        Case("429", faults.too_many("120"), failed, "429: the quota is spent", stop=True, retry_after=120),
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
