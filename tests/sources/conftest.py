"""What tests of sources share: a client with small limits and no pauses, the time, a netblock, batches gathered, a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedsvc.config import Secret, SourceSettings
from feedsvc.http import Client, Limits
from feedsvc.model import Batch, Cursor, End, Observation
from feedsvc.names import parse_netblock
from tests.sources.logs.making import header, line
from tests.sources.logs.reading import Reader

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
NETBLOCK = parse_netblock("198.51.100.0/24")
FEW = parse_netblock("198.51.100.4/30")
DATA = Path(__file__).parent.parent / "data" / "pdns"
KEY = "s3cr3t-k3y"


@dataclass(frozen=True)
class Heard:
    """Everything that a read said about one netblock."""

    observations: tuple[Observation, ...]
    refused: dict[str, int]
    samples: dict[str, str]
    cursors: tuple[Cursor, ...]
    ends: tuple[End, ...]
    batches: int

    @property
    def end(self) -> End:
        (end,) = self.ends
        return end

    @property
    def names(self) -> list[str]:
        return sorted({observation.rrname for observation in self.observations})


def gather(batches: Iterable[Batch]) -> Heard:
    """Read to the end; what comes after an end is a fault of its own."""
    observations: list[Observation] = []
    refused: dict[str, int] = {}
    samples: dict[str, str] = {}
    cursors: list[Cursor] = []
    ends: list[End] = []
    count = 0
    for batch in batches:
        count += 1
        observations += batch.observations
        for one in batch.refused:
            refused[one.reason] = refused.get(one.reason, 0) + one.count
            samples.setdefault(one.reason, one.sample)
        cursors += batch.cursors
        ends += [batch.end] if batch.end else []
    return Heard(tuple(observations), refused, samples, tuple(cursors), tuple(ends), count)


def settings(provider: str, url: str = "", **secrets: str) -> SourceSettings:
    """A `[[source]]` whose secrets come from an environment."""
    held = {name: Secret(value, f"environment {name.upper()}") for name, value in secrets.items()}
    return SourceSettings(name=provider, kind="pdns", provider=provider, url=url, secrets=held)


@pytest.fixture
def http() -> Iterator[Client]:
    with Client(limits=Limits(connect=5, silence=5, deadline=5), now=lambda: NOW) as client:
        yield client


@pytest.fixture(autouse=True)
def _at_once(no_pauses: None) -> None:
    """A question that failed is asked again without a pause."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with a header and two lines, `a` and `b`."""
    path = tmp_path / "dns.log"
    path.write_bytes(header() + line("a") + line("b"))
    return path


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Follows all that begins with `dns`."""
    return Reader(f"{tmp_path}/dns*")
