"""What may be asked of a provider now, and what not before when: quotas of seconds, days, months and blocks. Pure.

An account is what was spent with one key; whoever asks takes a call from it first, and stores it before the call is made. Of
two counts of one quota, ours and the provider's, the one that leaves less holds. A refusal closes the account.

The schedule leaves people a share of every day, month and block, and spreads what it may use over the rest of the day or
month where that does not suffice for its polls. A person is bound by the quotas alone.

Every function takes the moment, and judges the account as it stands then: `windows` says what that means for days and
months. Calls and closings are moved with a clock that stepped back, as if made now; so the account that `spend` returns is
to be stored even when no call was granted, or it would be moved again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from feedsvc.judge import limits, windows
from feedsvc.judge.limits import SOME_SECONDS, Gate, Terms, Wait
from feedsvc.model import Account, Learnt, Span, Spent

__all__ = ["SpanStanding", "Standing", "Terms", "Wait", "forecast", "give_back", "learn", "over", "spend", "standing"]

LONGEST_RETRY = timedelta(days=1)
"""Of a Retry-After."""

SHORTEST_CLOSED = timedelta(seconds=1)
"""A refusal closes an account for no less, whatever was said before of when there will be more."""

LONGEST_CLOSED = timedelta(days=32)
"""Nothing closes an account for longer."""

LONGEST_PAUSE = timedelta(hours=1)
"""Pauses grow no further, where the provider does not say more."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""So soon after a day or month began, a provider may speak of the one before."""

UNDER_WAY = timedelta(minutes=15)
"""A call takes no longer: until then its answer may tell what was left before later calls were made."""

ANEW = timedelta(hours=1)
"""A provider that names a moment so much later than before speaks of another day, month or block."""

STANDSTILL = timedelta(minutes=1)
"""Who comes with a clock that much behind, or has read it before waiting for another, is taken to come at the last call."""

HORIZON = timedelta(days=3650)
"""Further ahead nothing is forecast."""

_STEPS = 10_000  # of a forecast; what is left then is taken to go on as it went until there


@dataclass(frozen=True, slots=True)
class SpanStanding:
    """How one quota stands, for a person to see.

    Attributes:
        spent: calls made by us; in a `burst`, those that still count.
        limit: calls in the whole span; None when nobody says.
        left: calls that may still be made, those that are left to people among them; None when nobody says.
        resets_at: when there will be more; None when nobody says.
    """

    span: Span
    spent: int
    limit: int | None
    left: int | None
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands, for a person to see.

    Attributes:
        spans: one for each kind of span of which anything is known.
        tightest: the one with the fewest calls left; a burst only where it is all there is, as it passes by itself. The day
            where nobody says what is left; None where nothing is known.
        closed_until: nothing may be asked before; None when the account is open.
    """

    spans: tuple[SpanStanding, ...]
    tightest: SpanStanding | None
    closed_until: datetime | None
    closed_why: str


# -- asking ------------------------------------------------------------------------------------------------------------


def spend(account: Account, terms: Terms, *, pending: int, total: int, now: datetime) -> tuple[Account, Wait | None]:
    """Take one call from an account, if it may be made.

    Args:
        pending: calls that the poll still wants, this one included.
        total: calls that a whole poll wants.

    Returns:
        The account to store, and what forbids the call; None when nothing does.
    """
    current, now = _at(account, terms, now)
    wait = Gate(current, terms, now).wait(pending, total, now)
    return (_counted(current, terms, now), None) if wait is None else (current, wait)


def forecast(account: Account, terms: Terms, *, pending: int, total: int, now: datetime) -> datetime | None:
    """When so many more calls will have been made, each as soon as it may be; None when nothing holds them up.

    Exact for what takes up to ten thousand steps, a step being all that may be done at one moment; about right beyond.
    Nothing is said to take longer than ten years.
    """
    current, now = _at(account, terms, now)
    gate, at, made, end = Gate(current, terms, now), now, 0, now + HORIZON
    for _ in range(_STEPS):
        if made >= pending or at >= end:
            break
        wait = gate.wait(pending - made, total, at)
        if wait is None:
            made += gate.take(pending - made, total, at)
        else:
            at = wait.until
    if made < pending:
        at = now + HORIZON * min((at - now) / HORIZON * (pending / made) if made else 1.0, 1.0)
    return min(at, end) if at > now else None


def _counted(account: Account, terms: Terms, now: datetime) -> Account:
    """The account with one call more."""
    known = {one.span: one for one in account.spans}
    bursts = limits.bursts(known.get("burst"), terms)
    for span in {"day", *known, *(one.span for one in terms.allowances)}:
        known[span] = _one_more(known.get(span) or _fresh(span, terms, now))
    longest = limits.counted_for(bursts[0]) if bursts else timedelta(0)
    counting = tuple(at for at in account.recent if at > now - longest)
    recent = (counting or account.recent[-1:])[1 - limits.MOST_CALLS :]
    if bursts:
        known["burst"] = replace(known["burst"], began=(*counting, now)[0], calls=len(counting) + 1)
    return replace(account, spans=_in_order(known.values()), recent=(*recent, now))


def _one_more(spent: Spent) -> Spent:
    return replace(spent, calls=spent.calls + 1, left=spent.left and spent.left - 1)


def _fresh(span: Span, terms: Terms, now: datetime) -> Spent:
    is_of_calendar = span in {"day", "month"}
    return Spent(span, windows.began(span, limits.resets(span, terms), now) if is_of_calendar else now)


def _in_order(spans: Iterable[Spent]) -> tuple[Spent, ...]:
    return tuple(sorted(spans, key=lambda one: one.span))


# -- what a provider says ----------------------------------------------------------------------------------------------


def learn(account: Account, terms: Terms, learnt: Sequence[Learnt], *, now: datetime) -> Account:
    """Believe what an answer says about quotas, as far as it can be true.

    A span that is named without a word about it has no limit.
    """
    current, now = _at(account, terms, now)
    known = {one.span: one for one in current.spans}
    for told in learnt:
        before = known.get(told.span) or _fresh(told.span, terms, now)
        if told == Learnt(told.span):
            known[told.span] = replace(before, limit=None, left=None, resets_at=None, seconds=0.0)
        else:
            known[told.span] = _told(before, _believable(told, before, terms, now), current.recent, now)
    return replace(current, spans=_in_order(known.values()), learnt_at=now) if learnt else current


def give_back(account: Account, terms: Terms, *, now: datetime) -> Account:
    """Take a call for none of those that the provider said to be left; our own count keeps it."""
    current, _ = _at(account, terms, now)
    return replace(current, spans=tuple(one if one.left is None else _one_left_more(one) for one in current.spans))


def _one_left_more(spent: Spent) -> Spent:
    return replace(spent, left=min((spent.left or 0) + 1, spent.limit or limits.MOST_LEFT))


def _believable(told: Learnt, known: Spent, terms: Terms, now: datetime) -> Learnt:
    """What was told, without what cannot be or is of another span."""
    left, resets_at = _count(told.left), told.resets_at
    if resets_at is None or resets_at.tzinfo is None:
        resets_at = None
        left = None if _may_be_before(known, now) else left
    elif resets_at <= now:
        left = resets_at = None
    elif resets_at > now + windows.AHEAD[told.span]:
        resets_at = None
    seconds = round(told.seconds, 6) if 0 < told.seconds <= windows.DAY.total_seconds() else 0.0
    if told.span == "burst" and left is not None and resets_at is None:
        resets_at = now + timedelta(seconds=seconds or _burst_seconds(known, terms))
    return Learnt(told.span, _count(told.limit) or None, left, resets_at, seconds)


def _count(number: int | None) -> int | None:
    return None if number is None or number < 0 else min(number, limits.MOST_LEFT)


def _may_be_before(known: Spent, now: datetime) -> bool:
    """Whether what is said of a day or month now may be of the one before, in which something was spent."""
    return known.before > 0 and timedelta(0) <= now - known.began < CLOCKS_DIFFER


def _burst_seconds(known: Spent | None, terms: Terms) -> float:
    return next((one.seconds for one in limits.bursts(known, terms)), SOME_SECONDS)


def _told(known: Spent, told: Learnt, recent: Sequence[datetime], now: datetime) -> Spent:
    """A span after something believable was told of it."""
    left, resets_at = known.left, known.resets_at or told.resets_at
    if told.left is not None:
        # Calls were made since that answer was written, and what they spent is counted already: of what is left of one
        # span, the least that was said holds. Where no calls are under way, or it is another span, it is as it says.
        late = sum(at > now - UNDER_WAY for at in recent[-2:])
        if left is None or told.left <= left or _is_of_another(told, known):
            left, resets_at = told.left, told.resets_at or known.resets_at
        elif late <= 1:
            left, resets_at = max(told.left - late, left), told.resets_at or known.resets_at
    seconds = told.seconds or known.seconds
    return replace(known, limit=told.limit or known.limit, left=left, resets_at=resets_at, seconds=seconds)


def _is_of_another(told: Learnt, known: Spent) -> bool:
    """Whether it speaks of another day, month, block or burst than what was told last."""
    if told.limit is not None and known.limit is not None and told.limit != known.limit:
        return True
    if told.resets_at is None or known.resets_at is None:
        return False
    return told.resets_at - known.resets_at > (timedelta(seconds=1) if told.span == "burst" else ANEW)


# -- refusals ----------------------------------------------------------------------------------------------------------


def over(account: Account, terms: Terms, span: Span | None, retry_after: float | None, *, now: datetime) -> Account:
    """Close an account that the provider refused: until it said, else until the named span ends.

    A burst that is refused again right after it was waited for is none, where the provider does not say how long to stay
    away: the day is taken to be spent, if there is a quota of the day or month. Else each pause is twice as long as the one
    before, and no shorter than what it said.

    Args:
        span: the quota that is spent; None when the provider merely wants to be left alone.
        retry_after: for so many seconds, at most a day.
    """
    current, now = _at(account, terms, now)
    retry, again = _retry(retry_after), span == "burst" and _is_refused_again(current, terms, now)
    is_spent_day = again and retry is None and _has_day_or_month(current, terms)
    named: Span | None = "day" if is_spent_day else span
    until = now + retry if retry else _end(named, current, terms, now)
    if again and not is_spent_day:
        until = max(until, now + _next_pause(current))
    until = min(max(until, now + (retry or SHORTEST_CLOSED)), now + LONGEST_CLOSED)
    if current.closed_until is not None and current.closed_until >= until:
        return replace(current, refused_at=now) if span is not None else current
    why = _REFUSED_AGAIN if is_spent_day else _REFUSALS[span]
    return replace(current, closed_until=until, closed_why=why, refused_at=None if span is None else now)


_REFUSALS: Mapping[Span | None, str] = {
    None: "the provider asks to be left alone for a while",
    "burst": "the provider says that calls come too fast",
    "day": "the provider says that the calls of this day are spent",
    "month": "the provider says that the calls of this month are spent",
    "block": "the provider says that the block of calls that was bought is spent",
}
_REFUSED_AGAIN = "the provider refused again after a pause, so that the calls of this day are taken to be spent"


def _retry(seconds: float | None) -> timedelta | None:
    if seconds is None or not seconds > 0:  # nor is it a number
        return None
    return timedelta(seconds=min(seconds, LONGEST_RETRY.total_seconds()))


def _is_refused_again(account: Account, terms: Terms, now: datetime) -> bool:
    """Whether a call was made and refused right after a refusal had been waited for."""
    closed, refused = account.closed_until, account.refused_at
    if closed is None or refused is None or not account.recent:
        return False
    burst = next((one for one in account.spans if one.span == "burst"), None)
    return closed <= account.recent[-1] and now <= closed + timedelta(seconds=_burst_seconds(burst, terms))


def _has_day_or_month(account: Account, terms: Terms) -> bool:
    known = {one.span: one for one in account.spans}
    spans = [known.get(span) or Spent(span, limits.FAR) for span in ("day", "month")]
    return any(one.left is not None or limits.cap(one.span, one.limit, terms) is not None for one in spans)


def _next_pause(account: Account) -> timedelta:
    """Twice as long as the one that was waited for and did not help."""
    if account.closed_until is None or account.refused_at is None:
        return timedelta(0)
    return min(2 * (account.closed_until - account.refused_at), LONGEST_PAUSE)


def _end(span: Span | None, account: Account, terms: Terms, now: datetime) -> datetime:
    """When a span that a provider calls spent is over."""
    if span is None:
        return now + timedelta(seconds=SOME_SECONDS)
    if span == "block":
        return now + limits.BLOCK_AGAIN
    spent = next((one for one in account.spans if one.span == span), None) or _fresh(span, terms, now)
    if span == "burst":
        return spent.resets_at or now + timedelta(seconds=_burst_seconds(spent, terms))
    if spent.resets_at is None:
        end = windows.ends(spent, limits.resets(span, terms), now)
    else:
        end = spent.resets_at
        spent = replace(spent, began=windows.shifted(span, end, -1))
        if account.learnt_at is not None and account.learnt_at >= spent.began:
            return end
    return spent.began + CLOCKS_DIFFER if _may_be_before(spent, now) else end


# -- standing ----------------------------------------------------------------------------------------------------------


def standing(account: Account, terms: Terms, *, now: datetime) -> Standing:
    """How an account stands."""
    current, now = _at(account, terms, now)
    known = {one.span: one for one in current.spans}
    for span in {*(one.span for one in terms.allowances), *({"day"} if terms.daily_quota is not None else ())}:
        known.setdefault(span, _fresh(span, terms, now))
    spans = tuple(_standing(one, current, terms, now) for one in _in_order(known.values()))
    is_closed = current.closed_until is not None and current.closed_until > now
    return Standing(
        spans,
        min((one for one in spans if one.left is not None or one.span == "day"), key=_tightness, default=None),
        current.closed_until if is_closed else None,
        current.closed_why if is_closed else "",
    )


def _tightness(one: SpanStanding) -> tuple[bool, bool, int]:
    return one.left is None, one.span == "burst", one.left or 0


def _standing(spent: Spent, account: Account, terms: Terms, now: datetime) -> SpanStanding:
    if spent.span == "burst":
        return _standing_of_burst(spent, account, terms, now)
    whole = limits.cap(spent.span, spent.limit, terms)
    counted = spent.calls + (spent.before if now < spent.began else 0)
    ours = None if whole is None else max(whole - counted, 0)
    left = min((count for count in (ours, spent.left) if count is not None), default=None)
    resets_at = spent.resets_at
    if spent.span != "block" and (resets_at is None or left != spent.left):
        resets_at = windows.ends(spent, limits.resets(spent.span, terms), now)
    return SpanStanding(spent.span, spent.calls, whole, left, resets_at)


def _standing_of_burst(spent: Spent, account: Account, terms: Terms, now: datetime) -> SpanStanding:
    longest = next(iter(limits.bursts(spent, terms)), None)
    if longest is None:
        return SpanStanding("burst", 0, None, spent.left, spent.resets_at)
    counted = [at for at in account.recent if at > now - limits.counted_for(longest)]
    free = max(longest.calls - len(counted), 0)
    resets_at = counted[0] + limits.counted_for(longest) if counted else None
    if spent.left is not None and spent.left < free:
        free, resets_at = spent.left, spent.resets_at
    return SpanStanding("burst", len(counted), longest.calls, free, resets_at)


# -- the moment --------------------------------------------------------------------------------------------------------


def _at(account: Account, terms: Terms, now: datetime) -> tuple[Account, datetime]:
    """An account as it stands at a moment, and that moment as far as the account can follow."""
    last = account.recent[-1] if account.recent else now
    if now < last <= now + STANDSTILL:
        now = last
    back = max(last - now, timedelta(0))
    closed = account.closed_until
    current = replace(
        account,
        spans=tuple(_rolled(one, back, terms, now) for one in account.spans),
        recent=tuple(min(at, now) for at in account.recent) if back else account.recent,
        closed_until=None if closed is None else min(closed - back, now + LONGEST_CLOSED),
        refused_at=account.refused_at and min(account.refused_at, now),
        learnt_at=account.learnt_at and min(account.learnt_at, now),
    )
    return current, now


def _rolled(spent: Spent, back: timedelta, terms: Terms, now: datetime) -> Spent:
    if spent.span == "burst" and spent.resets_at is not None:
        spent = replace(spent, resets_at=spent.resets_at - back)
    return windows.rolled(spent, limits.resets(spent.span, terms), now)
