"""What holds up the next call, and until when: every quota of an account as it stands at a moment. Pure.

A `Gate` is made from an account and moves on in time and with each call, so that the same rules say what may be done now and
when a thousand calls will have been made. It is no account: nothing of it is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat, takewhile

from feedsvc.judge import windows
from feedsvc.model import Account, Allowance, Span, Spent

SOME_SECONDS = 60.0
"""Of a burst of which nobody says how long it is, and of a refusal of which nobody says why."""

MOST_CALLS = 10_000
"""In a burst: more are not told apart, so that no provider's word fills memory or state."""

MOST_LEFT = 2**62
"""The state holds no greater number."""

BLOCK_AGAIN = timedelta(days=1)
"""After that a block that is spent is asked once more: somebody may have bought a new one."""

SOON = timedelta(minutes=1)
"""No schedule polls more often."""

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Later than anything that is waited for."""


@dataclass(frozen=True, slots=True)
class Terms:
    """By what an account is judged.

    Attributes:
        allowances: the provider's quotas as it documents them; what it says itself counts more.
        daily_quota: calls a day that the operator allows at most, whoever asks.
        reserved: share of a day, month or block, 0 to 1, that the schedule leaves to people.
        every: from one poll of the schedule to the next.
        person: a person asks, not the schedule.
    """

    allowances: tuple[Allowance, ...] = ()
    daily_quota: int | None = None
    reserved: float = 0.0
    every: timedelta = timedelta(hours=1)
    person: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """No call may be made before this moment, and why."""

    until: datetime
    why: str


def resets(span: Span, terms: Terms) -> int:
    """Seconds after 00:00 UTC at which a day or month begins."""
    return next((one.resets for one in terms.allowances if one.span == span), 0)


def cap(span: Span, said: int | None, terms: Terms) -> int | None:
    """Calls in a whole day, month or block; None when nobody says.

    Args:
        said: the limit that the provider told.
    """
    caps = [one.calls for one in terms.allowances if one.span == span] if said is None else [said]
    if span == "day" and terms.daily_quota is not None:
        caps.append(terms.daily_quota)
    return min(caps, default=None)


def reserve(whole: int | None, terms: Terms) -> int:
    """Calls of a whole day, month or block that are left to people: the share, rounded down."""
    if whole is None or terms.person:
        return 0
    return int(whole * min(max(terms.reserved, 0.0), 1.0) + 1e-9)  # 0.29 of 100 is 29, whatever floats say


def bursts(said: Spent | None, terms: Terms) -> tuple[Allowance, ...]:
    """The bursts that hold, the longest first: the documented ones, where the provider does not say another.

    Args:
        said: the burst in the account.
    """
    documented = [one for one in terms.allowances if one.span == "burst"]
    if said is not None and said.limit is not None:
        longest = max((one.seconds for one in documented), default=0.0)
        told = Allowance("burst", said.limit, said.seconds or longest)
        nearest = min(documented, key=lambda one: abs(one.seconds - told.seconds), default=None)
        documented = [told, *(one for one in documented if one is not nearest)]
    held = (Allowance("burst", min(max(one.calls, 1), MOST_CALLS), one.seconds or SOME_SECONDS) for one in documented)
    return tuple(sorted(held, key=lambda one: one.seconds, reverse=True))


def counted_for(burst: Allowance) -> timedelta:
    """How long a call counts in a burst.

    A tenth of its length longer than it says, at most a second: calls reach the provider closer together than they were
    made, for the first of them opened the connection.
    """
    return timedelta(seconds=burst.seconds + min(1.0, burst.seconds / 10))


class _Burst:
    """A sliding window: so many calls in so many seconds."""

    def __init__(self, burst: Allowance, made: Sequence[datetime]) -> None:
        self._most = burst.calls
        self._apart = counted_for(burst)
        self._latest = deque(made, maxlen=burst.calls)
        self._why = f"no more than {burst.calls:,} calls in {burst.seconds:g} seconds are allowed"

    def wait(self, now: datetime) -> Wait | None:
        """What holds up the next call."""
        return Wait(self._latest[0] + self._apart, self._why) if self.room(now) <= 0 else None

    def room(self, now: datetime) -> int:
        """Calls that may be made at this moment."""
        # From the latest on: of those that count no more there may be many.
        counted = sum(1 for _ in takewhile(lambda at: at + self._apart > now, reversed(self._latest)))
        return self._most - counted

    def take(self, calls: int, now: datetime) -> None:
        """Make so many calls."""
        self._latest.extend(repeat(now, min(calls, self._most)))


class _Stock:
    """Calls that are left, until when, and what there is afterwards.

    Attributes:
        left: None when there is no end of them.
    """

    def __init__(
        self, supplies: Iterator[tuple[int, datetime]], why: str, spread: str = "", every: timedelta = SOON
    ) -> None:
        """Take the first of its supplies.

        Args:
            supplies: calls and when they lapse, one after the other; after the last one there is no end of calls.
            why: said when none is left.
            spread: what they are left of, if they are to last; "" lets all of them be made at once.
            every: from one poll to the next.
        """
        self.left: int | None = None
        self._lapse = FAR
        self._supplies = supplies
        self._why = why
        self._spread = spread
        self._every = max(every, SOON)
        self._take_next()

    def _take_next(self) -> None:
        self.left, self._lapse = next(self._supplies, (None, FAR))

    def roll(self, now: datetime) -> None:
        """Move on to the supply of this moment."""
        while self.left is not None and self._lapse <= now:
            self._take_next()

    def wait(self, last: datetime | None, pending: int, total: int, now: datetime) -> Wait | None:
        """What holds up the next call.

        Args:
            last: when the one before was made.
        """
        if self.left is None:
            return None
        if self.left <= 0:
            return self._spent(last)
        if last is None or not self._is_short(self.left, pending, total, now):
            return None
        # They cut the time since the last call into equal parts, so that the part stays the same from call to call.
        next_one = last + (self._lapse - last) / (self.left + 1)
        return Wait(next_one, f"{self.left:,} calls are left of the {self._spread}, and spread over it")

    def _spent(self, last: datetime | None) -> Wait | None:
        del last
        return Wait(self._lapse, self._why)

    def _is_short(self, left: int, pending: int, total: int, now: datetime) -> bool:
        """Whether they do not suffice for this poll and those that begin before they lapse."""
        return bool(self._spread) and pending + total * ((self._lapse - now) // self._every) > left

    def room(self, pending: int, total: int, now: datetime) -> int:
        """Calls that may be made at this moment."""
        if self.left is None:
            return pending
        return 1 if self._is_short(self.left, pending, total, now) else self.left

    def take(self, calls: int) -> None:
        """Make so many calls."""
        if self.left is not None:
            self.left -= calls


class _Block(_Stock):
    """Calls that were bought: nobody knows when there will be others, so that it is tried now and then."""

    def _spent(self, last: datetime | None) -> Wait | None:
        return None if last is None else Wait(last + BLOCK_AGAIN, self._why)


class Gate:
    """All that may hold up a call."""

    def __init__(self, account: Account, terms: Terms, now: datetime) -> None:
        """Stand at a moment.

        Args:
            account: as it stands then.
        """
        known = {one.span: one for one in account.spans}
        self._last = account.recent[-1] if account.recent else None
        self._closed = Wait(account.closed_until, account.closed_why) if account.closed_until else None
        self._bursts = [_Burst(one, account.recent) for one in bursts(known.get("burst"), terms)]
        self._stocks = list(_stocks(known, terms, now))

    def wait(self, pending: int, total: int, now: datetime) -> Wait | None:
        """What holds up the next call longest; None when it may be made now."""
        for stock in self._stocks:
            stock.roll(now)
        waits = [self._closed, *(burst.wait(now) for burst in self._bursts)]
        waits += [stock.wait(self._last, pending, total, now) for stock in self._stocks]
        return max((wait for wait in waits if wait and wait.until > now), key=lambda wait: wait.until, default=None)

    def take(self, most: int, total: int, now: datetime) -> int:
        """Make all calls that may be made at this moment, where there is one; returns how many they were."""
        rooms = [burst.room(now) for burst in self._bursts] + [stock.room(most, total, now) for stock in self._stocks]
        calls = max(min([most, *rooms]), 1)
        for burst in self._bursts:
            burst.take(calls, now)
        for stock in self._stocks:
            stock.take(calls)
        self._last = now
        return calls


def _stocks(known: Mapping[Span, Spent], terms: Terms, now: datetime) -> Iterator[_Stock]:
    """Every quota but the bursts, ours and the provider's count of each."""
    for span in ("day", "month"):
        yield from _of_calendar(known.get(span) or Spent(span, windows.began(span, resets(span, terms), now)), terms, now)
    yield from _bought(known.get("block", Spent("block", now)), terms)
    burst = known.get("burst")
    if burst is not None and burst.left is not None:
        yield _Stock(iter([(burst.left, burst.resets_at or now)]), "the provider says that calls come too fast")


def _bought(spent: Spent, terms: Terms) -> Iterator[_Block]:
    whole, left = cap("block", spent.limit, terms), spent.left
    if left is None and whole is None and spent.resets_at is None:
        return
    if left is None:
        left = MOST_LEFT if whole is None else whole - spent.calls
    supplies = iter([(left - reserve(whole, terms), spent.resets_at or FAR), (0, FAR)])
    yield _Block(supplies, "the block of calls that was bought is spent, and tried once a day" + _kept(whole, terms))


def _of_calendar(spent: Spent, terms: Terms, now: datetime) -> Iterator[_Stock]:
    whole = cap(spent.span, spent.limit, terms)
    kept, spread = reserve(whole, terms), "" if terms.person else spent.span
    if whole is not None:
        why = f"the {whole:,} calls of this {spent.span} are spent" + _kept(whole, terms)
        yield _Stock(_ours(spent, whole - kept, resets(spent.span, terms), now), why, spread, terms.every)
    if spent.left is not None:
        why = f"the provider says that the calls of this {spent.span} are spent" + _kept(whole, terms)
        yield _Stock(_theirs(spent, kept, resets(spent.span, terms), now), why, spread, terms.every)


def _kept(whole: int | None, terms: Terms) -> str:
    kept = reserve(whole, terms)
    return f", but for {kept:,} that are left to people" if kept else ""


def _ours(spent: Spent, usable: int, after_midnight: int, now: datetime) -> Iterator[tuple[int, datetime]]:
    """What our own count leaves of this day or month, and of every one that follows."""
    if now < spent.began:
        yield usable - spent.calls - spent.before, spent.began
    lapse = windows.ends(spent, after_midnight, now)
    yield usable - spent.calls, lapse
    while True:
        lapse = windows.following(spent.span, after_midnight, lapse)
        yield usable, lapse


def _theirs(spent: Spent, kept: int, after_midnight: int, now: datetime) -> Iterator[tuple[int, datetime]]:
    """What the provider left of its day or month; of those that follow only where it said when they begin."""
    lapse = spent.resets_at or windows.ends(spent, after_midnight, now)
    yield (spent.left or 0) - kept, lapse
    while spent.resets_at is not None and spent.limit is not None:
        lapse = windows.shifted(spent.span, lapse)
        yield spent.limit - kept, lapse
