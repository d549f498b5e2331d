"""What happens to a site, as verbs: it polls, a person decides, a partner reads; each at any moment of its clock."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from feedsvc import pipeline
from feedsvc.history.port import FeedQuery
from feedsvc.model import Change, Status
from feedsvc.pipeline import exporting, publishing, reviewing
from feedsvc.pipeline.exporting import Exported
from feedsvc.pipeline.parts import Parts
from tests.site import Site, ago
from tests.standins.cof import row

NOW = datetime.now(UTC)
DAY = timedelta(days=1)

NAME = "k3xq.example.net"


def seen(name: str = NAME, address: str = "198.51.100.1") -> Mapping[str, object]:
    """A row about a name that began within the hour."""
    return row(f"{name}.", address, ago(minutes=50), ago(minutes=2))


@contextmanager
def parts_at(site: Site, moment: datetime | None) -> Iterator[Parts]:
    """A site's parts, whose clock stands still at a moment if one is given."""
    with site.parts() as parts:
        yield parts if moment is None else dataclasses.replace(parts, clock=lambda: moment)


def poll(site: Site, moment: datetime | None = None) -> pipeline.RunResult:
    """A run of every source."""
    with parts_at(site, moment) as parts:
        return pipeline.run(parts, parts.sources)


def decide(site: Site, verb: str, *names: str, moment: datetime | None = None) -> int:
    """A person decides, and what follows is published; the number of the first decision."""
    with parts_at(site, moment) as parts:
        made = reviewing.decide(parts, verb, names, None, actor="ana", reason="looked at it")
        _publish(parts)
    return made[0][0]


def undo(site: Site, number: int, moment: datetime | None = None) -> tuple[Change, Exported]:
    """A person takes a decision back; what that made of the finding and of the lists."""
    with parts_at(site, moment) as parts:
        _, change = reviewing.undo(parts, number, actor="ana", reason="")
        return change, _publish(parts)


def _publish(parts: Parts) -> Exported:
    publishing.publish_approved(parts)
    return exporting.write(parts)


def feed(site: Site, collection: int = 0) -> list[dict[str, Any]]:
    """Every indicator version of a collection, oldest first, as whoever may read all gets them."""
    with site.parts() as parts:
        query = FeedQuery(parts.collections[collection].id, 4, 1000, versions=frozenset({"all"}))
        objects = [json.loads(one.body) for one in parts.history.feed.objects(query).rows]
    return [one for one in objects if one["type"] == "indicator"]


def status(site: Site, name: str = NAME) -> Status:
    """The status of a name's one finding."""
    with site.parts() as parts:
        [finding] = parts.history.findings.named(name)
    return finding.status
