"""What a poll may ask of a provider: the ledger in history, judged by `judge.quota`, as the `Budget` that sources know.

Accounts are by key, not by source: two sources with one key share what it may ask. A key is told from others by a digest
under a secret of this installation; of the key itself nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from feedsvc.clock import Clock, parse_rfc3339, rfc3339
from feedsvc.errors import Busy
from feedsvc.history.port import History
from feedsvc.judge import quota
from feedsvc.judge.quota import Standing, Terms
from feedsvc.model import Account, Learnt, Span
from feedsvc.pipeline.parts import Billing
from feedsvc.sources.port import Pause

TELLING = timedelta(hours=1)
"""What a provider said of its quotas longer ago is asked for anew, where asking is free; so is what it did not say then."""

_SALT = "account-salt"
_UNTOLD = "untold/"  # what the note begins with that has when an account's provider did not tell its quotas
_DIGITS = 6  # of the digest: enough for the keys of one installation, and of no use to guess a key by


@dataclass(frozen=True, slots=True)
class Ledger:
    """The budget of one poll; see `sources.port.Budget`.

    Attributes:
        history: belongs to the thread that polls; no transaction may be open when a call is paid for.
    """

    history: History
    account: str
    terms: Terms
    clock: Clock

    def spend(self, pending: int, total: int) -> Pause | None:
        """Take one call from the ledger, on disk before it is made; until when not, and why, when there is none."""
        now = self.clock()
        with self.history.transaction():
            known = self.history.quotas.get(self.account)
            after, wait = quota.spend(known, self.terms, pending=pending, total=total, now=now)
            if after != known:
                self.history.quotas.keep(after)
        return None if wait is None else Pause(wait.until, wait.why)

    def held_up(self, pending: int, total: int) -> Pause | None:
        """Until when no call can be taken, and why; None when one can."""
        _, wait = quota.spend(self._known(), self.terms, pending=pending, total=total, now=self.clock())
        return None if wait is None else Pause(wait.until, wait.why)

    def learn(self, quotas: Sequence[Learnt]) -> None:
        """Believe what an answer said about quotas."""
        if quotas:
            self._change(lambda known, now: quota.learn(known, self.terms, quotas, now=now))

    def give_back(self) -> None:
        """Take a call for none of those that the provider said to be left."""
        self._change(lambda known, now: quota.give_back(known, self.terms, now=now))

    def over(self, span: Span | None, retry_after: float | None) -> None:
        """Ask no more until the provider will have it."""
        self._change(lambda known, now: quota.over(known, self.terms, span, retry_after, now=now))

    def forecast(self, pending: int, total: int) -> datetime | None:
        """When so many more calls will have been made."""
        return quota.forecast(self._known(), self.terms, pending=pending, total=total, now=self.clock())

    def wants_telling(self) -> bool:
        """Whether what the provider said is too old to go by, it was not asked in vain since, and may be asked at all."""
        if self.standing().closed_until is not None:
            return False
        in_vain = self.history.note(_UNTOLD + self.account)
        asked, now = (self._known().learnt_at, parse_rfc3339(in_vain) if in_vain else None), self.clock()
        return not any(at is not None and timedelta(0) <= now - at < TELLING for at in asked)

    def untold(self) -> None:
        """Remember that the provider was asked for its quotas in vain."""
        with self.history.transaction():
            self.history.keep_note(_UNTOLD + self.account, rfc3339(self.clock()))

    def standing(self) -> Standing:
        """What was spent, what is left, when it begins anew."""
        return quota.standing(self._known(), self.terms, now=self.clock())

    @contextlib.contextmanager
    def connections(self, wanted: int) -> Iterator[int]:
        """Hold those of the key's connections that no other poll of this machine holds; the system lets go of them."""
        with ExitStack() as held:
            free = 0
            for number in range(wanted):
                with contextlib.suppress(Busy):
                    held.enter_context(self.history.runs.claim(f"connection/{self.account}/{number}"))
                    free += 1
            yield free

    def _known(self) -> Account:
        return self.history.quotas.get(self.account)

    def _change(self, judged: Callable[[Account, datetime], Account]) -> None:
        now = self.clock()
        with self.history.transaction():
            self.history.quotas.keep(judged(self._known(), now))


def ledger(history: History, billing: Billing, clock: Clock, *, person: bool) -> Ledger:
    """The budget of a source.

    Args:
        person: who asks may use the calls that the schedule leaves to people.
    """
    terms = Terms(billing.traits.allowances, billing.daily_quota, billing.reserved, billing.every, person)
    return Ledger(history, account(history, billing), terms, clock)


def account(history: History, billing: Billing) -> str:
    """`dnsdb/3f9a1c`: whose quota a source spends."""
    salt = history.note(_SALT) or ""
    digest = hmac.new(salt.encode(), billing.key_digest, hashlib.sha256).hexdigest()
    return f"{billing.provider}/{digest[:_DIGITS]}"


def has_salt(history: History) -> bool:
    """Whether there is a secret under which keys are told apart."""
    return history.note(_SALT) is not None


def keep_salt(history: History) -> None:
    """Make that secret, once; inside a transaction, as another process may do the same."""
    if not has_salt(history):
        history.keep_note(_SALT, secrets.token_hex(32))
