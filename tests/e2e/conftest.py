"""A COF server of one's own for each test, and no pauses in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.cof import CofServer


@pytest.fixture
def server() -> Iterator[CofServer]:
    """Running, and empty."""
    with CofServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _at_once(no_pauses: None) -> None:
    """A question that failed is asked again without a pause; programs that a test starts do pause."""
