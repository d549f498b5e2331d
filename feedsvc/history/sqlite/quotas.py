"""The ledger of quotas: what was spent with each key of each provider, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import repeat

from feedsvc.history.sqlite.engine import Engine, Row
from feedsvc.history.sqlite.values import micros, micros_or_null, moment, moment_or_none
from feedsvc.model import Account, Spent

_MICROSECOND = timedelta(microseconds=1)

_ACCOUNT = "SELECT id, closed_until, closed_why, refused_at, learnt_at FROM quota_account"

_SPANS = """
    SELECT span, began, calls, "limit", "left", resets_at, before, length FROM quota_span WHERE account = ? ORDER BY span
"""

_CALLS = "SELECT at, calls FROM quota_call WHERE account = ? ORDER BY at"

_KEEP_ACCOUNT = """
    INSERT INTO quota_account (id, closed_until, closed_why, refused_at, learnt_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        closed_until = excluded.closed_until, closed_why = excluded.closed_why,
        refused_at = excluded.refused_at, learnt_at = excluded.learnt_at
"""

_KEEP_SPAN = """
    INSERT INTO quota_span (account, span, began, calls, "limit", "left", resets_at, before, length)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_KEEP_CALLS = """
    INSERT INTO quota_call (account, at, calls) VALUES (?, ?, ?)
    ON CONFLICT (account, at) DO UPDATE SET calls = excluded.calls
"""


class Quotas:
    """See `feedsvc.history.port.Quotas`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, account: str) -> Account:
        """One account."""
        found = self._engine.row(f"{_ACCOUNT} WHERE id = ?", [account])
        return self._account(found) if found else Account(account)

    def all(self) -> tuple[Account, ...]:
        """Every account."""
        return tuple(self._account(row) for row in self._engine.rows(f"{_ACCOUNT} ORDER BY id"))

    def keep(self, account: Account) -> None:
        """Store an account over what was there."""
        with self._engine.whole():
            self._engine.write(_KEEP_ACCOUNT, _account_row(account))
            self._engine.write("DELETE FROM quota_span WHERE account = ?", [account.id])
            self._engine.write_many(_KEEP_SPAN, [_span_row(account.id, one) for one in account.spans])
            self._keep_calls(account)

    def _keep_calls(self, account: Account) -> None:
        # What did not change is left alone: it may be thousands of rows, and this is done before every single call.
        stored: dict[int, int] = dict(self._engine.rows(_CALLS, [account.id]))
        made = Counter(map(micros, account.recent))
        gone = [(account.id, at) for at in stored.keys() - made.keys()]
        self._engine.write_many("DELETE FROM quota_call WHERE account = ? AND at = ?", gone)
        self._engine.write_many(_KEEP_CALLS, [(account.id, *call) for call in made.items() - stored.items()])

    def _account(self, row: Row) -> Account:
        number, closed_until, closed_why, refused_at, learnt_at = row
        return Account(
            id=number,
            spans=tuple(_spent(found) for found in self._engine.rows(_SPANS, [number])),
            recent=tuple(_moments(self._engine.rows(_CALLS, [number]))),
            closed_until=moment_or_none(closed_until),
            closed_why=closed_why,
            refused_at=moment_or_none(refused_at),
            learnt_at=moment_or_none(learnt_at),
        )


def _moments(rows: Iterable[Row]) -> Iterable[datetime]:
    for at, calls in rows:
        yield from repeat(moment(at), calls)


def _account_row(one: Account) -> Row:
    # The order of the columns in _KEEP_ACCOUNT.
    return (
        one.id,
        micros_or_null(one.closed_until),
        one.closed_why,
        micros_or_null(one.refused_at),
        micros_or_null(one.learnt_at),
    )


def _span_row(account: str, one: Spent) -> Row:
    # The order of the columns in _KEEP_SPAN.
    return (
        account,
        one.span,
        micros(one.began),
        one.calls,
        one.limit,
        one.left,
        micros_or_null(one.resets_at),
        one.before,
        timedelta(seconds=one.seconds) // _MICROSECOND,
    )


def _spent(row: Row) -> Spent:
    span, began, calls, limit, left, resets_at, before, length = row
    return Spent(
        span=span,
        began=moment(began),
        calls=calls,
        limit=limit,
        left=left,
        resets_at=moment_or_none(resets_at),
        before=before,
        seconds=timedelta(microseconds=length).total_seconds(),
    )
