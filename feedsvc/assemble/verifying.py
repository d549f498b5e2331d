"""What `feedsvc verify` needs, ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from feedsvc import assemble, clock
from feedsvc.config import Settings
from feedsvc.http import Client
from feedsvc.pipeline import exporting
from feedsvc.pipeline.parts import Progress, silent
from feedsvc.taxii.verifying import Verifier


@contextmanager
def verifier(loaded: Settings, url: str = "", progress: Progress = silent) -> Iterator[Verifier]:
    """A reader of our own feed.

    Args:
        url: where it is served; what partners type (`public_url`), else where we listen, when left out.
    """
    with assemble.parts(loaded) as parts, Client(contact=loaded.producer.contact) as client:
        yield Verifier(
            history=parts.history,
            collections=parts.collections,
            exports=exporting.states(parts),
            url=(url or loaded.http.public_url or _listening(loaded)).rstrip("/"),
            client=client,
            clock=clock.utc_now,
            progress=progress,
        )


def _listening(loaded: Settings) -> str:
    scheme = "https" if loaded.http.tls_certificate else "http"
    host = f"[{loaded.http.host}]" if ":" in loaded.http.host else loaded.http.host
    return f"{scheme}://{host}:{loaded.http.port}"
