"""One answer put before a provider's reader without a server, for as many answers as a property test makes up."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

import httpx
from hypothesis import strategies as st

from feedsvc.http import Answer, Discretion
from feedsvc.http.answer import Bounds
from feedsvc.http.wire import Due
from feedsvc.model import Batch
from feedsvc.sources.port import Reply
from tests.sources.conftest import KEY

MEBIBYTE = 1 << 20
_PIECE = 1 << 16

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Anything that `json.dumps` writes; not all of it is JSON."""


def answer(body: bytes, most: int = MEBIBYTE, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that was accepted, with this body of so many bytes at most."""
    bounds = Bounds("pdns.example", Due(60), 60, most, MEBIBYTE, Discretion((KEY,)))
    return Answer(httpx.Response(200, headers=headers, stream=_Pieces(body)), bounds)


class _Pieces(httpx.SyncByteStream):
    """A body in pieces, none of them larger than those that come from a network."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return (self._body[at : at + _PIECE] for at in range(0, len(self._body), _PIECE))


def drained(reading: Generator[Batch, None, Reply]) -> tuple[list[Batch], Reply]:
    """All that a reader yields, and what it returns."""
    batches: list[Batch] = []
    while True:
        try:
            batches.append(next(reading))
        except StopIteration as end:
            reply: Reply = end.value
            return batches, reply
