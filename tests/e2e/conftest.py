"""A COF server of one's own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.cof import CofServer


@pytest.fixture
def server() -> Iterator[CofServer]:
    """Running, and empty."""
    with CofServer() as running:
        yield running
