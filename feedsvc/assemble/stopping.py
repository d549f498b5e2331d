"""Being asked to end: SIGTERM and SIGINT raise a flag that work looks at between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ending() -> Iterator[threading.Event]:
    """The flag, for as long as the block lasts; a second signal of the same kind ends the process at once."""
    stop = threading.Event()

    def end(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, old in before.items():
            signal.signal(number, old)
