"""Whose credentials these are, and for how long that is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from feedsvc.errors import HistoryError
from feedsvc.history import open_history
from feedsvc.history.port import History
from feedsvc.model import Partner, Tlp
from feedsvc.publish import release
from feedsvc.web.access import Access

ONE = Partner("one", ("callbacks",), Tlp.GREEN)


class Ticks:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(open_history(tmp_path / "feedsvc.db")) as history:
        with history.transaction():
            history.partners.add(ONE, release.digest("token"))
        yield history


@pytest.fixture
def access(tmp_path: Path, history: History, ticks: Ticks) -> Iterator[Access]:
    del history  # it has made the state
    with closing(Access(tmp_path / "feedsvc.db", ticking=ticks)) as access:
        yield access


def test_a_token_is_its_partner(access: Access) -> None:
    assert access.partner("Bearer token") == ONE
    assert access.partner("Bearer another") is None
    assert access.partner(None) is None


def test_a_partner_that_was_removed_is_out_after_five_seconds(access: Access, history: History, ticks: Ticks) -> None:
    assert access.partner("Bearer token") == ONE
    with history.transaction():
        history.partners.remove("one")
    ticks.now += 4.9
    assert access.partner("Bearer token") == ONE
    ticks.now += 0.2
    assert access.partner("Bearer token") is None


def test_being_asked_again_does_not_lengthen_it(access: Access, history: History, ticks: Ticks) -> None:
    access.partner("Bearer token")
    with history.transaction():
        history.partners.rotate("one", release.digest("fresh"))
    for _ in range(5):
        ticks.now += 1.1
        asked = access.partner("Bearer token")
    assert asked is None
    assert access.partner("Bearer fresh") == ONE


def test_a_partner_that_was_added_is_in_at_once(access: Access, history: History) -> None:
    assert access.partner("Bearer fresh") is None
    with history.transaction():
        history.partners.add(Partner("two", (), Tlp.RED), release.digest("fresh"))
    assert access.partner("Bearer fresh") == Partner("two", (), Tlp.RED)


def test_only_so_many_are_remembered_and_guesses_push_nobody_out(access: Access, history: History) -> None:
    with history.transaction():
        for number in range(1024):
            history.partners.add(Partner(f"p{number}", (), Tlp.GREEN), release.digest(f"token-{number}"))
    access.partner("Bearer token")
    for number in range(2000):
        access.partner(f"Bearer guess-{number}")
    with history.transaction():
        history.partners.remove("one")
    assert access.partner("Bearer token") == ONE
    for number in range(1024):
        access.partner(f"Bearer token-{number}")
    assert access.partner("Bearer token") is None


def test_a_state_that_is_not_there_is_an_error_and_not_made(tmp_path: Path) -> None:
    with closing(Access(tmp_path / "none.db")) as access:
        with pytest.raises(HistoryError):
            access.partner("Bearer token")
        assert access.partner(None) is None
    assert list(tmp_path.iterdir()) == []
