"""Shared by the tests of the TAXII server: a real state with partners, and the server over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.taxii.house import House, opened


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with opened(tmp_path / "feedsvc.db") as house:
        yield house
