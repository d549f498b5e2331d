"""A scripted server and a client with small limits."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from feedsvc.http import Client, Limits
from tests.standins.server import Call, Reply, Standin

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


class Scripted(Standin):
    """Answers every path from a table, 404 otherwise."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.pages: dict[str, Reply] = {}

    def answer(self, call: Call) -> Reply:
        return self.pages.get(call.path, Reply(404, body=[b"nothing here"]))


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as server:
        yield server


@pytest.fixture
def client() -> Iterator[Client]:
    limits = Limits(connect=5, silence=5, deadline=5, max_bytes=1 << 20, max_line=1 << 16)
    with Client(contact="soc@example.org", limits=limits, now=lambda: NOW) as client:
        yield client


@pytest.fixture(autouse=True)
def _at_once(no_pauses: None) -> None:
    """A question that failed is asked again without a pause."""
