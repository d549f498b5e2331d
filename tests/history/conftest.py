"""A state for each engine that the contract is tested over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from feedsvc.history import open_history
from feedsvc.history.port import History
from tests.history.making import ENGINES


@pytest.fixture(params=ENGINES)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A place for a state that is not there yet."""
    return ENGINES[request.param](tmp_path)


@pytest.fixture
def history(state: Path) -> Iterator[History]:
    """A new state."""
    with closing(open_history(state)) as opened:
        yield opened


@pytest.fixture
def reader(state: Path, history: History) -> Iterator[History]:
    """The same state as another process sees it that may only look."""
    with closing(open_history(state, read_only=True)) as opened:
        yield opened
