"""One answer put before a provider's reader without a server, for as many answers as a property test makes up."""

from __future__ import annotations

from collections.abc import Generator

import httpx
from hypothesis import strategies as st

from feedsvc.http import Answer
from feedsvc.http.answer import Bounds
from feedsvc.http.wire import Due
from feedsvc.model import Batch
from feedsvc.sources.port import Reply
from tests.sources.conftest import KEY

MEBIBYTE = 1 << 20

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Anything that `json.dumps` writes; not all of it is JSON."""


def answer(body: bytes) -> Answer:
    """An answer that was accepted, with this body."""
    bounds = Bounds("pdns.example", Due(60), 60, MEBIBYTE, MEBIBYTE, (KEY,))
    return Answer(httpx.Response(200, stream=httpx.ByteStream(body)), bounds)


def drained(reading: Generator[Batch, None, Reply]) -> tuple[list[Batch], Reply]:
    """All that a reader yields, and what it returns."""
    batches: list[Batch] = []
    while True:
        try:
            batches.append(next(reading))
        except StopIteration as end:
            reply: Reply = end.value
            return batches, reply
