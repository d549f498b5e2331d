"""Rules written into a folder of their own, and what reading them says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from feedsvc.errors import ConfigError
from feedsvc.model import Watch
from feedsvc.watches.rules import load_rules

Watching = Callable[[str], Watch]
Refusals = Callable[[str], list[tuple[int, str]]]

LEAST = "id: a\ntitle: t\nnetblocks: [198.51.100.0/24]\n"
"""The shortest rule; what a test adds begins on line 4."""


@pytest.fixture
def watching(tmp_path: Path) -> Watching:
    """Reads a text as the one rule of a folder."""

    def read(text: str) -> Watch:
        (tmp_path / "a.yaml").write_bytes(text.encode())
        (watch,) = load_rules(tmp_path)
        return watch

    return read


@pytest.fixture
def refusals(tmp_path: Path) -> Refusals:
    """The faults of a text as (line, message), after a look at the file's name."""

    def read(text: str) -> list[tuple[int, str]]:
        (tmp_path / "a.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
        with pytest.raises(ConfigError) as raised:
            load_rules(tmp_path)
        assert {fault.file for fault in raised.value.faults} == {str(tmp_path / "a.yaml")}
        return [(fault.line, fault.message) for fault in raised.value.faults]

    return read
