"""When the schedule is said to poll next is when it does."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from feedsvc.config import load
from feedsvc.pipeline import polling, standing
from feedsvc.pipeline.polling import Turn
from feedsvc.schedule import Job, next_look
from tests.pipeline.playing import parts_at
from tests.site import Site

EVERY = timedelta(minutes=2)
WINDOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def next_run(site: Site, now: datetime) -> datetime | None:
    with parts_at(site, now) as parts:
        [source] = standing.stand(parts, load(site.file, {}).sources).sources
    return source.next_run


@pytest.mark.parametrize(
    ("turn", "at"),
    [
        (None, WINDOW + timedelta(seconds=34)),
        (Turn(WINDOW), WINDOW + timedelta(seconds=1)),
        (Turn(WINDOW + timedelta(seconds=34), continuing=True), WINDOW + timedelta(seconds=34)),
        (Turn(WINDOW + timedelta(days=9)), WINDOW + timedelta(seconds=34)),
    ],
    ids=["by hand", "scheduled", "carried on", "a clock stepped back"],
)
def test_the_next_run_is_at_the_beginning_of_the_next_window(site: Site, turn: Turn | None, at: datetime) -> None:
    site.source_options = {"every": "2m"}
    site.write()
    with parts_at(site, at) as parts:
        polling.poll(dataclasses.replace(parts, person=turn is None), parts.sources[0], turn)
    job = Job("pdns", EVERY, lambda: None, lambda _, __: None)
    assert next_run(site, at) == next_look(job, at) == WINDOW + EVERY


def test_a_window_that_went_by_without_a_run_is_due(site: Site) -> None:
    site.source_options = {"every": "2m"}
    site.write()
    with parts_at(site, WINDOW) as parts:
        polling.poll(parts, parts.sources[0], Turn(WINDOW))
    assert next_run(site, WINDOW + 5 * EVERY) == WINDOW + EVERY
