"""The Streaming API Framing protocol (docs.dnsdb.info/dnsdb-saf-protocol): an answer that says whether it is whole.

Each line is a JSON object with up to three keys: `obj`, a row; `cond`, where in the answer the line stands; `msg`, why it
ends as it does. The last line has `cond` `succeeded`, `limited` or `failed`, and may have a row as well; without such a line
the answer was cut off, however well the connection ended. An empty object keeps the connection alive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from typing import Any

import msgspec

from feedsvc.errors import SourceError
from feedsvc.http import AnswerTooBig
from feedsvc.model import Batch, End, Outcome
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import after_fault, broken
from feedsvc.sources.port import Reply

NOT_SAF = "not a line of SAF"

_KEEPALIVE = re.compile(rb"\s*\{\s*\}\s*")
_TERMINATORS = frozenset({"succeeded", "limited", "failed"})


class _Line(msgspec.Struct):
    """One line, its row still to be read."""

    cond: Any = None
    msg: Any = None
    obj: msgspec.Raw = msgspec.Raw()


class Saf:
    """The frame around one answer: hands on its rows, and knows whether its end was reached."""

    def __init__(self, rows: Rows, show: Callable[[bytes | str], str]) -> None:
        """Begin.

        Args:
            rows: what reads the rows.
            show: how a text of the answer may be shown.
        """
        self._rows = rows
        self._show = show
        self._decoder = msgspec.json.Decoder(_Line)
        self._cond = ""
        self._msg = ""
        self._fault = ""

    def read(self, lines: Iterable[bytes]) -> Generator[Batch, None, Reply]:
        """Yield what the lines of an answer say, and return how it ended.

        Raises:
            SourceError: as the lines do, when the last one had not come; what came before was yielded. An answer that is too
                big is no error: a narrower question would bring the rest.
        """
        try:
            for line in lines:
                self._take(line)
                if self._rows.full:
                    yield self._rows.batch()
        except SourceError as err:
            yield self._rows.batch()
            if self._cond:
                return self._reply()
            if isinstance(err, AnswerTooBig) and self._rows.understood:
                return Reply(after_fault(err, self._rows.understood), limited=True)
            raise
        yield self._rows.batch()
        return self._reply()

    def _reply(self) -> Reply:
        understood = self._rows.understood
        if self._fault:
            return Reply(broken(f"the answer breaks the protocol: {self._fault}", understood))
        if not self._cond:
            return Reply(broken("the answer was cut off: its last line (SAF) did not come", understood))
        if self._cond == "failed":
            return Reply(broken(f"the server could not finish: {self._msg or 'it does not say why'}", understood))
        if self._cond == "limited":
            return Reply(End(Outcome.PARTIAL, f"the answer was limited to {self._rows.seen:,} rows"), limited=True)
        return Reply(self._rows.end())

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        frame = self._unframed(line)
        if frame is None:
            self._rows.refuse(NOT_SAF, line)
            self._fault = self._fault or NOT_SAF
            return
        self._step(frame)
        row = bytes(frame.obj)
        if row not in (b"", b"null"):
            self._rows.feed(row)

    def _unframed(self, line: bytes) -> _Line | None:
        try:
            frame = self._decoder.decode(line)
        except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
            return None
        # An empty object keeps the connection alive; one that merely lacks all of SAF would be a row lost.
        return frame if frame != _Line() or _KEEPALIVE.fullmatch(line) else None

    def _step(self, frame: _Line) -> None:
        if self._cond:
            self._fault = self._fault or "it goes on after its last line"
        elif isinstance(frame.cond, str) and frame.cond in _TERMINATORS:
            self._cond, self._msg = frame.cond, self._show(str(frame.msg or ""))
        elif frame.cond not in (None, "begin", "ongoing"):
            self._fault = self._fault or f"unknown cond {self._show(str(frame.cond))}"
