"""Applications for the tests of serving: small enough to see which process answers."""

from __future__ import annotations

import os
from pathlib import Path

from feedsvc.web.asgi import App, Receive, Scope, Send, answer


def telling(greeting: str = "hello") -> App:
    """Answers with a greeting and the number of its process; `/exit` ends that process at once."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["path"] == "/exit":
            os._exit(3)
        else:
            body = f"{greeting} {os.getpid()}".encode()
            await answer(send, 200, [(b"content-length", b"%d" % len(body))], body)

    return app


def leaving_a_note(path: str) -> App:
    """Writes a file when it is asked to end: that it was, and not shot."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            Path(path).write_text("ended in order", encoding="ascii")

    return app


def broken() -> App:
    """Cannot be built."""
    raise RuntimeError("this application cannot be built")


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
