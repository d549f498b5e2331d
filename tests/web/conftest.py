"""Shared by the tests of the faces over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for another process to do something; the timeout of the test is the limit."""

    def wait(condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        while not condition():
            pause.wait(0.02)

    return wait
