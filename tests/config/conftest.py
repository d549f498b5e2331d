"""A configuration file in a folder of its own, and what reading it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from feedsvc.config import Settings, load
from feedsvc.errors import ConfigError

Reading = Callable[..., Settings]
Refusals = Callable[..., list[tuple[int, str]]]
NOTHING: Mapping[str, str] = MappingProxyType({})


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """Reads a text as `feedsvc.toml`."""

    def read(text: str, environ: Mapping[str, str] = NOTHING) -> Settings:
        file = tmp_path / "feedsvc.toml"
        file.write_bytes(text.encode())
        return load(file, environ)

    return read


@pytest.fixture
def refusals(reading: Reading, tmp_path: Path) -> Refusals:
    """The faults of a text as (line, message), after a look at the file's name."""

    def read(text: str, environ: Mapping[str, str] = NOTHING) -> list[tuple[int, str]]:
        with pytest.raises(ConfigError) as raised:
            reading(text, environ)
        assert {fault.file for fault in raised.value.faults} == {str(tmp_path / "feedsvc.toml")}
        return [(fault.line, fault.message) for fault in raised.value.faults]

    return read
