"""Somebody who asks a provider, over and over, at moments of their own choice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from feedsvc.judge import quota
from feedsvc.judge.quota import Standing, Terms, Wait
from feedsvc.model import Account, Learnt, Span

MINUTE = timedelta(minutes=1)


class Spender:
    """An account, its terms and a clock.

    Attributes:
        made: when calls were granted.
    """

    def __init__(self, terms: Terms, now: datetime, account: Account | None = None) -> None:
        self.terms = terms
        self.now = now
        self.account = account or Account("circl/1f3a")
        self.made: list[datetime] = []
        self._wait: Wait | None = None

    @property
    def wait(self) -> Wait:
        """Why the last call was not granted."""
        assert self._wait is not None
        return self._wait

    @property
    def closed_until(self) -> datetime:
        assert self.account.closed_until is not None
        return self.account.closed_until

    def as_person(self) -> Spender:
        return Spender(replace(self.terms, person=True), self.now, self.account)

    def spend(self, pending: int = 1, total: int = 1) -> bool:
        self.account, self._wait = quota.spend(self.account, self.terms, pending=pending, total=total, now=self.now)
        if self._wait is None:
            self.made.append(self.now)
        return self._wait is None

    def all_at_once(self, calls: int) -> int:
        """How many of these calls are granted at this moment."""
        return sum(self.spend(calls - made, calls) for made in range(calls))

    def until_held(self) -> int:
        """How many calls are granted one by one to somebody who never polls again."""
        made = 0
        while self.spend(total=0):
            made += 1
        return made

    def run(self, calls: int, until: datetime) -> list[datetime]:
        """When calls are granted to somebody who comes again whenever there may be one, and always wants so many."""
        made = []
        while self.now < until:
            if self.spend(calls, calls):
                made.append(self.now)
            else:
                self.now = self.wait.until
        return made

    def learn(self, *told: Learnt) -> None:
        self.account = quota.learn(self.account, self.terms, told, now=self.now)

    def give_back(self) -> None:
        self.account = quota.give_back(self.account, self.terms, now=self.now)

    def over(self, span: Span | None, retry_after: float | None = None) -> None:
        self.account = quota.over(self.account, self.terms, span, retry_after, now=self.now)

    def forecast(self, pending: int, total: int = 0) -> datetime | None:
        return quota.forecast(self.account, self.terms, pending=pending, total=total, now=self.now)

    def stand(self) -> Standing:
        return quota.standing(self.account, self.terms, now=self.now)
