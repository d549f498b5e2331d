"""Who fetched last: kept in memory, written behind the requests' back.

A partner's fetch must cost nobody else a write: the times are gathered and written by a thread with its own history, one
write a pause at most. A crash loses the last pause, a state that cannot be written keeps them for the next try; no request
waits or fails for it. It decides nothing and knows no credentials.
"""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import datetime
from pathlib import Path

import structlog

from feedsvc.errors import HistoryError
from feedsvc.history import open_history
from feedsvc.history.port import History

_PAUSE = 1.0  # seconds between two writes
_LAST_WORD = 5.0  # seconds that closing waits for the last write

_log = structlog.get_logger()


class FetchLog:
    """Gathers and writes times of fetches; `note` may be called from any thread."""

    def __init__(self, state: Path, pause: float = _PAUSE) -> None:
        self._state = state
        self._pause = pause
        self._last: dict[str, datetime] = {}
        self._lock = threading.Lock()
        self._noted = threading.Event()
        self._closing = threading.Event()
        self._writer: threading.Thread | None = None

    def note(self, partner: str, at: datetime) -> None:
        """A partner fetched at this time. Starts the writer when there is none, or when it gave up."""
        with self._lock:
            self._last[partner] = at
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(target=self._write_on, name="fetches", daemon=True)
                self._writer.start()
        self._noted.set()

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._closing.set()
        self._noted.set()
        if self._writer is not None:
            self._writer.join(_LAST_WORD)

    def _write_on(self) -> None:
        try:
            with closing(open_history(self._state)) as history:
                while not self._closing.is_set():
                    self._noted.wait()
                    self._noted.clear()
                    self._write(history)
                    self._closing.wait(self._pause)
                self._write(history)
        except HistoryError as err:
            _log.warning("fetches.not_kept", error=str(err))

    def _write(self, history: History) -> None:
        with self._lock:
            batch, self._last = self._last, {}
        if not batch:
            return
        try:
            with history.transaction():
                history.partners.fetched(batch)
        except HistoryError as err:
            _log.warning("fetches.put_off", error=str(err), partners=len(batch))
            with self._lock:
                self._last = batch | self._last
