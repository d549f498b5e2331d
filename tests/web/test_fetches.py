"""Who fetched last: written behind the requests' back, lost by nothing but a crash."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from feedsvc.history import open_history
from feedsvc.model import Partner, Tlp
from feedsvc.web.fetches import FetchLog

Until = Callable[[Callable[[], bool]], None]

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "feedsvc.db"
    with closing(open_history(state)) as history, history.transaction():
        for name in ("one", "two"):
            history.partners.add(Partner(name, (), Tlp.GREEN), name)
    return state


@pytest.fixture
def fetches(state: Path) -> Iterator[FetchLog]:
    with closing(FetchLog(state, pause=0.01)) as fetches:
        yield fetches


def last_fetches(state: Path) -> dict[str, datetime | None]:
    with closing(open_history(state, read_only=True)) as history:
        return {partner.name: partner.last_fetch for partner in history.partners.all()}


def test_the_latest_fetch_of_each_partner_is_kept_at_the_end(state: Path) -> None:
    with closing(FetchLog(state)) as fetches:
        for minute in range(500):
            fetches.note("one", NOON + timedelta(minutes=minute))
    assert last_fetches(state) == {"one": NOON + timedelta(minutes=499), "two": None}


def test_fetches_are_written_while_it_runs(state: Path, fetches: FetchLog, until: Until) -> None:
    fetches.note("two", NOON)
    until(lambda: last_fetches(state)["two"] == NOON)
    fetches.note("two", NOON + timedelta(hours=1))
    until(lambda: last_fetches(state)["two"] == NOON + timedelta(hours=1))


def test_a_partner_that_was_removed_meanwhile_does_no_harm(state: Path, fetches: FetchLog, until: Until) -> None:
    fetches.note("nobody", NOON)
    fetches.note("one", NOON)
    until(lambda: last_fetches(state)["one"] == NOON)


def test_while_another_process_writes_a_fetch_waits_its_turn(state: Path) -> None:
    with closing(open_history(state)) as history:
        fetches = FetchLog(state)
        with history.transaction():
            fetches.note("one", NOON)
        fetches.close()
    assert last_fetches(state)["one"] == NOON


def test_what_cannot_be_written_is_kept_for_the_next_try(state: Path, fetches: FetchLog, until: Until) -> None:
    with closing(sqlite3.connect(state)) as other, capture_logs() as logs:
        other.execute("ALTER TABLE partner RENAME TO hidden")
        fetches.note("one", NOON)
        until(lambda: any(line["event"] == "fetches.put_off" for line in logs))
        other.execute("ALTER TABLE hidden RENAME TO partner")
        fetches.note("two", NOON)
        until(lambda: last_fetches(state) == {"one": NOON, "two": NOON})


def test_a_state_that_is_none_stops_no_request_and_is_tried_again(state: Path, until: Until) -> None:
    good = state.rename(state.with_name("good.db"))
    state.write_text("this is no database, whatever its name says", encoding="ascii")
    with closing(FetchLog(state, pause=0.01)) as fetches, capture_logs() as logs:
        fetches.note("one", NOON)
        until(lambda: any(line["event"] == "fetches.not_kept" for line in logs))
        good.replace(state)

        def written() -> bool:
            fetches.note("two", NOON)
            return last_fetches(state) == {"one": NOON, "two": NOON}

        until(written)


def test_an_end_without_any_fetch_writes_nothing(tmp_path: Path) -> None:
    FetchLog(tmp_path / "none.db").close()
    assert list(tmp_path.iterdir()) == []
