"""Lines among rows that say that something is wrong: a server that broke after it had begun to answer has no status left.

A row is known by its name. An object without one, that has a word for a fault, is what remains of an answer that stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from feedsvc.model import End
from feedsvc.sources import bodies
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import broken

_WORDS = re.compile(rb'"(?:errors?|exception|detail|status)"')
_BAD = re.compile(r"error|fail|rate.?limit|\blimited|exceeded|too many|timed? ?out", re.IGNORECASE)
_NONE = frozenset({b"", b"null", b"false", b"0", b'""', b"[]", b"{}"})


class _Line(msgspec.Struct):
    """A line that may be no row; `detail` is what frameworks call an exception's text."""

    error: msgspec.Raw = msgspec.Raw()
    errors: msgspec.Raw = msgspec.Raw()
    exception: msgspec.Raw = msgspec.Raw()
    detail: msgspec.Raw = msgspec.Raw()
    status: bodies.Scalar = None
    rrname: msgspec.Raw = msgspec.Raw()


class Complaints:
    """Listens while the lines of one answer pass.

    Attributes:
        heard: the first complaint, as it came; b"" when there was none.
    """

    def __init__(self) -> None:
        self.heard = b""

    def among(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The same lines; raises what they raise."""
        for line in lines:
            if b'"rrname"' not in line and not self.heard and _WORDS.search(line) and _complains(line):
                self.heard = line
            yield line

    def end(self, rows: Rows, show: Callable[[bytes], str]) -> End:
        """How an answer ended that was read to its end, as far as its lines tell."""
        if self.heard and rows.understood:
            return broken(f"the server broke off with a complaint (it says: {show(self.heard)})", rows.understood)
        return rows.end()


def _complains(line: bytes) -> bool:
    found = bodies.one(line, _Line)
    if found is None or bytes(found.rrname) != b"":
        return False
    told = any(bytes(word) not in _NONE for word in (found.error, found.errors, found.exception, found.detail))
    return told or (isinstance(found.status, str) and _BAD.search(found.status) is not None)
