"""What holds of the ledger of quotas whatever happens in whatever order; each account goes through the state each time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.history.port import History
from feedsvc.judge import quota, windows
from feedsvc.judge.quota import Terms
from feedsvc.model import Account, Allowance, Learnt, Span
from tests.history.making import fresh
from tests.judge.spending import Spender

START = datetime(2026, 11, 28, 22, 17, 5, tzinfo=UTC)  # a day or two before a month ends
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
NUMBERS = count()
LAWFUL = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def history() -> Iterator[History]:
    """One state for all accounts."""
    with fresh("sqlite") as opened:
        yield opened


class Stored(Spender):
    """Whoever asks forgets the account each time, and reads it from the state, as after a restart."""

    def __init__(self, history: History, terms: Terms, now: datetime) -> None:
        super().__init__(terms, now, Account(f"circl/{next(NUMBERS)}"))
        self.history = history

    def restart(self) -> None:
        with self.history.transaction():
            self.history.quotas.keep(self.account)
        stored = self.history.quotas.get(self.account.id)
        assert stored == self.account
        self.account = stored


# -- what may happen ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    time: timedelta


@dataclass(frozen=True)
class StepBack:
    """The clock steps back; no time passes."""

    time: timedelta


@dataclass(frozen=True)
class Ask:
    """Somebody asks, so often in a row."""

    calls: int
    person: bool


@dataclass(frozen=True)
class Told:
    """An answer says something; its moment is so far from now."""

    learnt: Learnt
    ahead: timedelta | None

    def at(self, now: datetime) -> Learnt:
        try:
            return replace(self.learnt, resets_at=None if self.ahead is None else now + self.ahead)
        except OverflowError:
            return replace(self.learnt, resets_at=datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True)
class Refused:
    """The provider refuses."""

    span: Span | None
    retry_after: float | None


Event = Pass | StepBack | Ask | Told | Refused

TIMES = st.one_of(
    st.integers(0, 5_000_000).map(lambda micros: timedelta(microseconds=micros)),
    st.integers(0, 200).map(lambda seconds: timedelta(seconds=seconds)),
    st.integers(0, 60).map(lambda hours: timedelta(hours=hours)),
)
PASSING = st.builds(Pass, TIMES)
STEPPING = st.builds(StepBack, TIMES)
ASKING = st.builds(Ask, st.integers(1, 12), st.booleans())
LARGE = st.integers(-(2**70), 2**70) | st.integers(-3, 30)
TELLING = st.builds(
    Told,
    st.builds(
        Learnt,
        st.sampled_from(get_args(Span)),
        st.none() | LARGE,
        st.none() | LARGE,
        st.none(),
        st.floats() | st.sampled_from([0.0, 1.0, 60.0, 1e-9]),
    ),
    st.none() | TIMES | TIMES.map(lambda time: -time) | st.timedeltas() | st.just(365_000 * DAY),
)
REFUSING = st.builds(
    Refused, st.none() | st.sampled_from(get_args(Span)), st.none() | st.floats() | st.sampled_from([0.5, 30.0, 7200.0])
)

HOURS = st.sampled_from([0, 7 * 3600, 86_399])
BURSTS = st.builds(Allowance, st.just("burst"), st.integers(1, 6), st.sampled_from([0.5, 1.0, 60.0, 360.0]))
DAYS = st.builds(Allowance, st.just("day"), st.integers(1, 15), st.just(0.0), HOURS)
MONTHS = st.builds(Allowance, st.just("month"), st.integers(1, 30), st.just(0.0), HOURS)
TERMS = st.builds(
    Terms,
    st.tuples(st.lists(BURSTS, max_size=2), st.lists(DAYS, max_size=1), st.lists(MONTHS, max_size=1)).map(
        lambda groups: tuple(one for group in groups for one in group)
    ),
    st.none() | st.integers(1, 15),
    st.floats(0, 0.9),
    st.sampled_from([timedelta(minutes=15), timedelta(hours=1), DAY]),
)


@dataclass
class World:
    """An account through which everything goes, and what was granted when.

    Attributes:
        elapsed: since the beginning, whatever the clock says.
        calls: the clock and the time elapsed at each.
    """

    spender: Stored
    elapsed: timedelta = timedelta(0)
    calls: list[tuple[datetime, timedelta]] = field(default_factory=list)
    latest: datetime = START

    def happen(self, event: Event) -> None:
        one = self.spender
        match event:
            case Pass(time):
                one.now += time
                self.elapsed += time
                self.latest = max(self.latest, one.now)
            case StepBack(time):
                one.now = max(one.now - time, self.earliest())
            case Ask(calls, person):
                one.terms = replace(one.terms, person=person)
                self.calls += [(one.now, self.elapsed) for left in range(calls, 0, -1) if one.spend(left, calls)]
            case Told():
                one.learn(event.at(one.now))
            case Refused(span, retry_after):
                one.over(span, retry_after)
        one.restart()

    def earliest(self) -> datetime:
        """Where the clock may step back to, so that no day or month is forgotten: a day before the present ones began."""
        terms = self.spender.terms
        starts = [windows.began(span, _resets(span, terms), self.latest) for span in ("day", "month")]
        return max(starts) - DAY


def _resets(span: Span, terms: Terms) -> int:
    return next((one.resets for one in terms.allowances if one.span == span), 0)


def most_in(span: Span, resets: int, calls: Sequence[tuple[datetime, timedelta]]) -> int:
    """The most calls that any one day or month has."""
    return max(Counter(windows.began(span, resets, at) for at, _ in calls).values(), default=0)


# -- the laws ----------------------------------------------------------------------------------------------------------


@LAWFUL
@given(terms=TERMS, events=st.lists(PASSING | STEPPING | ASKING | ASKING, max_size=40))
def test_no_allowance_is_exceeded_in_any_window_though_the_clock_steps_back(
    history: History, terms: Terms, events: list[Event]
) -> None:
    world = World(Stored(history, terms, START))
    for event in events:
        world.happen(event)
    day = _resets("day", terms)
    for one in terms.allowances:
        if one.span == "burst":
            elapsed = [at for _, at in world.calls]
            apart = zip(elapsed, elapsed[one.calls :], strict=False)
            assert all(later - earlier >= timedelta(seconds=one.seconds) for earlier, later in apart)
        else:
            assert most_in(one.span, one.resets, world.calls) <= one.calls
    assert terms.daily_quota is None or most_in("day", day, world.calls) <= terms.daily_quota


@LAWFUL
@given(terms=TERMS, quota_of_operator=st.integers(1, 9), events=st.lists(PASSING | ASKING | TELLING | REFUSING, max_size=30))
def test_whatever_a_provider_says_the_operators_quota_holds(
    history: History, terms: Terms, quota_of_operator: int, events: list[Event]
) -> None:
    world = World(Stored(history, replace(terms, daily_quota=quota_of_operator), START))
    for event in events:
        world.happen(event)
    assert most_in("day", _resets("day", terms), world.calls) <= quota_of_operator


@LAWFUL
@given(
    terms=TERMS, events=st.lists(PASSING | STEPPING | ASKING | TELLING | REFUSING, max_size=25), years=st.integers(-30, 30)
)
def test_whatever_happened_a_person_may_ask_again_within_33_days(
    history: History, terms: Terms, events: list[Event], years: int
) -> None:
    world = World(Stored(history, terms, START))
    for event in events:
        world.happen(event)
    asking = Spender(replace(terms, person=True), world.spender.now.replace(year=2026 + years), world.spender.account)
    deadline = asking.now + timedelta(days=33)
    while not asking.spend():
        assert asking.now < asking.wait.until <= deadline
        asking.now = asking.wait.until


@LAWFUL
@given(terms=TERMS, events=st.lists(PASSING | ASKING, max_size=20), share=st.floats(0, 0.95), calls=st.integers(1, 40))
def test_the_schedule_never_takes_what_is_reserved(
    history: History, terms: Terms, events: list[Event], share: float, calls: int
) -> None:
    one = Stored(history, replace(terms, allowances=(*terms.allowances, Allowance("day", calls)), reserved=share), START)
    world = World(one)
    for event in events:
        world.happen(replace(event, person=False) if isinstance(event, Ask) else event)
    whole = min(one.calls for one in (*one.terms.allowances, Allowance("day", terms.daily_quota or 99)) if one.span == "day")
    assert most_in("day", _resets("day", one.terms), world.calls) <= whole - math.floor(whole * share)


@LAWFUL
@given(
    terms=TERMS,
    person=st.booleans(),
    events=st.lists(PASSING | ASKING | TELLING | REFUSING, max_size=12),
    pending=st.integers(0, 60),
    total=st.integers(0, 60),
)
def test_a_forecast_is_when_the_last_call_is_made(
    history: History, terms: Terms, person: bool, events: list[Event], pending: int, total: int
) -> None:
    world = World(Stored(history, terms, START))
    for event in events:
        world.happen(event)
    one = Spender(replace(terms, person=person), world.spender.now, world.spender.account)
    start, forecast = one.now, one.forecast(pending, total)
    left = pending
    while left and one.now < start + quota.HORIZON:
        if one.spend(left, total):
            left -= 1
        else:
            one.now = one.wait.until
    assert forecast == (min(one.now, start + quota.HORIZON) if one.now > start else None)


# -- a provider that counts by itself ----------------------------------------------------------------------------------


@dataclass
class Counting:
    """A provider with a limit a day or month that begins at an hour of its own.

    Attributes:
        under_way: when calls were made that have not reached it yet.
        answers: those not yet read, with the moments of their calls.
    """

    span: Span
    limit: int
    resets_at: datetime
    spent: int = 0
    refused: int = 0
    under_way: list[datetime] = field(default_factory=list)
    answers: list[tuple[datetime, Learnt]] = field(default_factory=list)

    def pass_to(self, then: datetime) -> None:
        """Let time pass. What was called before a reset arrives before it, and no call takes longer than one may."""
        late = then - quota.UNDER_WAY
        while self.under_way and (self.under_way[0] <= late or self.resets_at <= then):
            self.answer(0)
        self.answers = [(at, word) for at, word in self.answers if at > late]
        while self.resets_at <= then:
            self.spent, self.resets_at = 0, windows.shifted(self.span, self.resets_at)

    def answer(self, place: int) -> None:
        if self.spent >= self.limit:
            self.refused += 1
        else:
            self.spent += 1
        self.answers.append((self.under_way.pop(place), self.word()))

    def word(self) -> Learnt:
        return Learnt(self.span, self.limit, self.limit - self.spent, self.resets_at)


@LAWFUL
@given(
    span=st.sampled_from(["day", "month"]),
    limit=st.integers(1, 20),
    spent=st.integers(0, 20),
    phase=st.integers(1, 86_400),
    data=st.data(),
)
def test_what_a_provider_says_it_grants_is_never_overspent_though_its_answers_are_read_late_and_in_any_order(
    history: History, span: Span, limit: int, spent: int, phase: int, data: st.DataObject
) -> None:
    one = Stored(history, Terms(person=True), START)
    provider = Counting(span, limit, START + timedelta(seconds=phase), min(spent, limit))
    one.learn(provider.word())
    for _ in range(data.draw(st.integers(1, 50))):
        match data.draw(st.sampled_from(["time", "call", "call", "arrive", "read"])):
            case "time":
                time = data.draw(TIMES)
                provider.pass_to(one.now + time)
                one.now += time
            case "call" if one.spend():
                provider.under_way.append(one.now)
            case "arrive" if provider.under_way:
                provider.answer(data.draw(st.integers(0, len(provider.under_way) - 1)))
            case "read" if provider.answers:
                _, word = provider.answers.pop(data.draw(st.integers(0, len(provider.answers) - 1)))
                one.learn(word)
        one.restart()
    assert provider.refused == 0
