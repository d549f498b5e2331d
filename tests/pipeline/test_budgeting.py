"""The ledger of one key in a state file: when a provider is asked for its quotas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedsvc.history import open_history
from feedsvc.history.port import History
from feedsvc.judge.quota import Terms
from feedsvc.model import Learnt
from feedsvc.pipeline.budgeting import TELLING, Ledger
from feedsvc.sources.port import Pause

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Told:
    """An account whose clock is turned by hand."""

    history: History
    now: datetime = NOW

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.history, "validin/3f9a1c", Terms(), lambda: self.now)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with closing(open_history(tmp_path / "feedsvc.db")) as history:
        yield Told(history)


def test_a_provider_is_asked_for_its_quotas_when_it_never_told_them_and_when_that_is_an_hour_ago(told: Told) -> None:
    assert told.ledger.wants_telling()
    told.ledger.learn([Learnt("day", left=9)])
    assert not told.ledger.wants_telling()
    told.now += TELLING
    assert told.ledger.wants_telling()


def test_one_that_did_not_tell_them_is_not_asked_at_every_poll(told: Told) -> None:
    told.ledger.untold()
    told.now += TELLING - MINUTE
    assert not told.ledger.wants_telling()
    told.now += MINUTE
    assert told.ledger.wants_telling()


def test_one_that_is_to_be_left_alone_is_not_asked_for_its_quotas_either(told: Told) -> None:
    told.ledger.over("burst", 7200)
    assert not told.ledger.wants_telling()
    told.now += timedelta(hours=2)
    assert told.ledger.wants_telling()


def test_what_a_clock_wrote_that_has_stepped_back_since_keeps_nobody_from_asking(told: Told) -> None:
    told.ledger.untold()
    told.now -= timedelta(days=1)
    assert told.ledger.wants_telling()


def test_what_holds_up_a_call_is_told_without_taking_one(told: Told) -> None:
    assert told.ledger.held_up(1, 1) is None
    assert told.ledger.standing().spans == ()
    told.ledger.over("burst", 7200)
    assert told.ledger.held_up(1, 1) == Pause(NOW + timedelta(hours=2), "the provider says that calls come too fast")
