"""What every engine of history promises of the ledger of quotas."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.history.port import History
from feedsvc.model import Account, Span, Spent
from tests.history.making import DAY, ENGINES, HOUR, NOW, QUOTA, fresh

SPANS = get_args(Span)


def keep(history: History, *accounts: Account) -> None:
    with history.transaction():
        for account in accounts:
            history.quotas.keep(account)


def test_an_unknown_account_is_an_empty_one(history: History) -> None:
    assert history.quotas.get("circl/1f3a") == Account("circl/1f3a")
    assert history.quotas.all() == ()


def test_an_account_is_kept_with_all_its_spans_and_calls(history: History, reader: History) -> None:
    other = Account("dnsdb/77aa")
    keep(history, other, QUOTA)
    for one in (history, reader):
        assert one.quotas.get(QUOTA.id) == QUOTA
        assert one.quotas.all() == (QUOTA, other)


def test_an_account_replaces_what_was_kept_of_it_and_nothing_else(history: History) -> None:
    other = dataclasses.replace(QUOTA, id="circl/2222")
    later = dataclasses.replace(
        QUOTA,
        spans=(Spent("month", NOW, 1),),
        recent=(NOW, NOW, NOW, NOW + HOUR),
        closed_until=None,
        closed_why="",
        refused_at=None,
        learnt_at=None,
    )
    keep(history, QUOTA, other)
    keep(history, later)
    assert history.quotas.all() == (later, other)


def test_calls_of_one_moment_are_counted_one_by_one(history: History) -> None:
    for calls in (3, 1, 2):
        many = Account("circl/1f3a", recent=(NOW,) * calls)
        keep(history, many)
        assert history.quotas.get(many.id) == many


def test_what_a_step_stored_of_an_account_goes_with_the_step(history: History) -> None:
    keep(history, QUOTA)

    def break_off() -> None:
        with history.transaction():
            history.quotas.keep(Account(QUOTA.id, recent=(NOW + DAY,)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert history.quotas.get(QUOTA.id) == QUOTA


MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is given
COUNTS = st.integers(0, 2**62)
SECONDS = st.integers(0, 10**12).map(lambda number: timedelta(microseconds=number).total_seconds())


def spent(span: Span) -> st.SearchStrategy[Spent]:
    maybe = st.none() | COUNTS
    return st.builds(Spent, st.just(span), MOMENTS, COUNTS, maybe, maybe, st.none() | MOMENTS, COUNTS, SECONDS)


ACCOUNTS = st.builds(
    Account,
    st.sampled_from(["a", "é", ""]),
    st.sets(st.sampled_from(SPANS)).flatmap(lambda kinds: st.tuples(*map(spent, sorted(kinds)))),
    st.lists(MOMENTS | st.sampled_from([NOW, NOW + HOUR]), max_size=6).map(lambda moments: tuple(sorted(moments))),
    *(st.none() | MOMENTS, st.text(st.characters(exclude_categories=["Cs"])), st.none() | MOMENTS, st.none() | MOMENTS),
)


@pytest.mark.parametrize("engine", ENGINES)
@given(accounts=st.lists(ACCOUNTS, max_size=5))
@settings(max_examples=25)
def test_any_accounts_come_back_as_they_were_kept_last(engine: str, accounts: list[Account]) -> None:
    last = {one.id: one for one in accounts}
    with fresh(engine) as history:
        keep(history, *accounts)
        assert history.quotas.all() == tuple(last[name] for name in sorted(last))
