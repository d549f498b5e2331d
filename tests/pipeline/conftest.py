"""A COF server for each test, and a site that polls two addresses of it and publishes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import Site
from tests.standins.cof import CofServer


@pytest.fixture
def server() -> Iterator[CofServer]:
    """Running, and empty."""
    with CofServer() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, server: CofServer) -> Site:
    """Written; its baseline is still to be made."""
    return Site(tmp_path, pdns_url=server.url, rule={"netblocks": ["198.51.100.0/31"]}).write()
