"""What may be asked of a provider, what not before when, and what its words and refusals do to that."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from feedsvc.judge import quota
from feedsvc.judge.quota import SpanStanding, Terms
from feedsvc.model import Account, Allowance, Learnt, Span
from tests.judge.spending import MINUTE, Spender

NOW = datetime(2026, 11, 24, 6, 52, 32, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

PER_MINUTE = Allowance("burst", 4, 60)
PER_DAY = Allowance("day", 500)
PER_MONTH = Allowance("month", 50)


def spender(*allowances: Allowance, now: datetime = NOW, person: bool = True, **terms: object) -> Spender:
    """Somebody who asks; a person, who is neither paced nor left short, unless it is said otherwise."""
    return Spender(Terms(allowances, person=person, **terms), now)  # type: ignore[arg-type]


# -- our own count -----------------------------------------------------------------------------------------------------


def test_what_has_no_quota_is_never_held_up_and_yet_counted() -> None:
    one = spender()
    assert one.all_at_once(1000) == 1000
    assert one.forecast(10**9) is None
    assert one.stand().spans == (SpanStanding("day", 1000, None, None, MIDNIGHT),)


def test_a_burst_is_a_sliding_window_and_a_call_counts_in_it_a_little_longer_than_it_lasts() -> None:
    one = spender(PER_MINUTE)
    assert one.all_at_once(9) == 4
    assert one.wait == quota.Wait(NOW + 61 * SECOND, "no more than 4 calls in 60 seconds are allowed")
    one.now += 30 * SECOND
    assert one.all_at_once(9) == 0
    one.now = NOW + 61 * SECOND
    assert one.all_at_once(9) == 4


def test_a_short_burst_counts_a_tenth_longer() -> None:
    one = spender(Allowance("burst", 3, 1))
    one.all_at_once(9)
    assert one.wait.until == NOW + 1.1 * SECOND


def test_of_two_bursts_both_hold() -> None:
    one = spender(Allowance("burst", 2, 1), Allowance("burst", 3, 60))
    assert one.all_at_once(9) == 2
    one.now = one.wait.until
    assert one.all_at_once(9) == 1
    assert one.wait.until == NOW + 61 * SECOND


@pytest.mark.parametrize(
    ("resets", "until"),
    [(0, MIDNIGHT), (7 * 3600, NOW.replace(hour=7, minute=0, second=0)), (6 * 3600, MIDNIGHT + 6 * HOUR)],
)
def test_a_day_begins_at_its_hour_in_utc(resets: int, until: datetime) -> None:
    one = spender(Allowance("day", 5, resets=resets))
    assert one.all_at_once(9) == 5
    assert one.wait == quota.Wait(until, "the 5 calls of this day are spent")
    one.now = until
    assert one.all_at_once(9) == 5


def test_a_month_begins_on_its_first_day() -> None:
    one = spender(Allowance("month", 5, resets=3600))
    assert one.all_at_once(9) == 5
    assert one.wait.until == DECEMBER + HOUR
    one.now = DECEMBER + HOUR
    assert one.all_at_once(9) == 5
    assert one.wait.until == datetime(2027, 1, 1, 1, tzinfo=UTC)


def test_the_operators_daily_quota_holds_beside_the_providers() -> None:
    one = spender(Allowance("day", 5), daily_quota=3)
    assert one.all_at_once(9) == 3
    one = spender(Allowance("day", 5), daily_quota=30)
    assert one.all_at_once(9) == 5


def test_the_quota_that_holds_longest_is_the_one_that_is_named() -> None:
    one = spender(PER_MINUTE, Allowance("day", 4), Allowance("month", 4))
    one.all_at_once(9)
    assert one.wait == quota.Wait(DECEMBER, "the 4 calls of this month are spent")


def test_a_block_that_is_spent_is_tried_once_a_day() -> None:
    one = spender(Allowance("block", 2))
    assert one.all_at_once(9) == 2
    assert one.wait == quota.Wait(NOW + DAY, "the block of calls that was bought is spent, and tried once a day")
    one.now += DAY
    assert one.all_at_once(9) == 1
    assert one.wait.until == NOW + 2 * DAY


# -- people and the schedule -------------------------------------------------------------------------------------------


def test_the_schedule_leaves_people_their_share_and_they_may_use_it() -> None:
    one = spender(Allowance("day", 100), person=False, reserved=0.29)
    assert one.until_held() == 71
    assert one.wait == quota.Wait(MIDNIGHT, "the 100 calls of this day are spent, but for 29 that are left to people")
    assert one.as_person().all_at_once(99) == 29


@pytest.mark.parametrize(("calls", "granted"), [(1, 1), (9, 9), (10, 9), (19, 18)])
def test_a_share_is_rounded_down_so_that_small_quotas_are_of_use(calls: int, granted: int) -> None:
    assert spender(Allowance("day", calls), person=False, reserved=0.1).until_held() == granted


def test_who_reserves_everything_for_people_has_a_schedule_that_asks_nothing() -> None:
    one = spender(Allowance("day", 5), person=False, reserved=1.0)
    assert one.until_held() == 0
    assert one.forecast(1) == NOW + quota.HORIZON
    assert one.as_person().all_at_once(9) == 5


def test_a_share_is_kept_of_what_the_provider_says_is_left_too() -> None:
    one = spender(person=False, reserved=0.1, every=DAY)
    one.learn(Learnt("day", limit=100, left=15))
    assert one.until_held() == 5
    assert "said" not in one.wait.why
    assert one.wait.why == "the provider says that the calls of this day are spent, but for 10 that are left to people"


def test_calls_that_do_not_suffice_for_the_polls_of_the_day_are_spread_over_it() -> None:
    one = spender(Allowance("day", 24), now=MIDNIGHT, person=False, every=HOUR)
    made = one.run(256, until=MIDNIGHT + DAY)
    assert len(made) == 24
    assert {later - earlier for earlier, later in itertools.pairwise(made)} == {HOUR}


def test_what_is_spread_says_so() -> None:
    one = spender(Allowance("day", 24), now=MIDNIGHT, person=False, every=HOUR)
    assert one.all_at_once(256) == 1
    assert one.wait == quota.Wait(MIDNIGHT + HOUR, "23 calls are left of the day, and spread over it")


def test_calls_that_suffice_are_made_at_once() -> None:
    one = spender(Allowance("day", 256 * 18), person=False, every=HOUR)
    assert one.all_at_once(256) == 256


def test_a_person_is_not_paced() -> None:
    assert spender(Allowance("day", 24), every=HOUR).all_at_once(256) == 24


def test_calls_of_a_month_are_spread_over_the_month() -> None:
    one = spender(Allowance("month", 30), now=datetime(2026, 11, 1, tzinfo=UTC), person=False)
    made = one.run(256, until=DECEMBER)
    assert len(made) == 30
    assert {later - earlier for earlier, later in itertools.pairwise(made)} == {DAY}


def test_what_is_spread_goes_on_evenly_over_the_reset() -> None:
    one = spender(Allowance("day", 24), now=MIDNIGHT - 2 * HOUR, person=False, every=HOUR)
    made = one.run(256, until=MIDNIGHT + 20 * HOUR)
    first = next(at for at in made if at >= MIDNIGHT)
    assert first - made[made.index(first) - 1] > 30 * MINUTE


# -- what a provider says ----------------------------------------------------------------------------------------------


def test_what_a_provider_says_counts_more_than_its_documentation() -> None:
    one = spender(PER_DAY, PER_MINUTE)
    one.learn(Learnt("day", limit=7), Learnt("burst", limit=5, seconds=30))
    assert one.all_at_once(9) == 5
    one.now = one.wait.until
    assert one.now == NOW + 31 * SECOND
    assert one.all_at_once(9) == 2


def test_it_replaces_the_documented_burst_that_is_nearest_to_it() -> None:
    one = spender(Allowance("burst", 3, 1), Allowance("burst", 100, 60))
    one.learn(Learnt("burst", limit=5, seconds=120))
    assert one.all_at_once(9) == 3
    one.now = one.wait.until
    assert one.all_at_once(9) == 2
    assert one.wait.until == NOW + 121 * SECOND


@pytest.mark.parametrize(("left", "granted"), [(3, 3), (30, 5)])
def test_of_two_counts_the_lesser_holds(left: int, granted: int) -> None:
    one = spender(Allowance("day", 7))
    one.all_at_once(2)
    one.learn(Learnt("day", left=left))
    assert one.all_at_once(9) == granted


def test_a_span_that_is_named_and_no_more_has_no_limit() -> None:
    one = spender()
    one.learn(Learnt("day", limit=7, left=0))
    assert one.all_at_once(9) == 0
    one.learn(Learnt("day"))
    assert one.all_at_once(9) == 9


def test_an_answer_that_comes_late_does_not_bring_back_what_was_spent_since() -> None:
    one = spender()
    one.learn(Learnt("day", limit=100, left=10))
    assert one.all_at_once(8) == 8
    one.learn(Learnt("day", limit=100, left=9))
    assert one.all_at_once(9) == 2


def test_what_is_said_when_nothing_is_under_way_is_taken_as_it_is_said() -> None:
    one = spender()
    one.learn(Learnt("month", left=0))
    assert one.all_at_once(9) == 0
    one.learn(Learnt("month", left=5))
    assert one.all_at_once(3) == 3
    one.learn(Learnt("month", left=50))
    assert one.all_at_once(99) == 2
    one.now += quota.UNDER_WAY
    one.learn(Learnt("month", left=50))
    assert one.all_at_once(99) == 50


@pytest.mark.parametrize(
    "told",
    [Learnt("day", limit=200, left=150), Learnt("day", limit=100, left=100, resets_at=MIDNIGHT + HOUR)],
    ids=["another limit", "another end"],
)
def test_what_is_said_of_another_span_is_taken_as_it_is_said(told: Learnt) -> None:
    one = spender()
    one.learn(Learnt("day", limit=100, left=5, resets_at=NOW + HOUR))
    one.all_at_once(3)
    one.learn(told)
    assert one.all_at_once(999) == min(told.left or 0, (told.limit or 0) - 3)


def test_a_new_block_is_seen_by_the_call_that_tries_it() -> None:
    one = spender()
    one.learn(Learnt("block", limit=1000, left=1))
    assert one.all_at_once(9) == 1
    one.now += DAY
    assert one.all_at_once(9) == 1
    one.learn(Learnt("block", limit=1000, left=999))
    assert one.all_at_once(9999) == 998  # one less, as one more call may be under way


def test_a_call_that_a_provider_does_not_count_is_left_as_before_and_counted_by_us() -> None:
    one = spender()
    one.learn(Learnt("block", limit=600, left=1, resets_at=NOW + 9 * DAY))
    for made in range(1, 4):
        assert one.all_at_once(2) == 1
        one.give_back()
        assert [(span.spent, span.left) for span in one.stand().spans if span.span == "block"] == [(made, 1)]


def test_no_more_is_given_back_than_there_is_in_a_whole_span() -> None:
    one = spender()
    one.learn(Learnt("day", limit=5, left=5))
    one.give_back()
    assert [span.left for span in one.stand().spans] == [5]


def test_a_block_has_nothing_left_when_it_has_expired() -> None:
    one = spender()
    one.learn(Learnt("block", limit=1000, left=900, resets_at=NOW + HOUR))
    assert one.all_at_once(9) == 9
    one.now += HOUR
    assert one.all_at_once(9) == 0
    assert one.wait.until == NOW + DAY


def test_a_providers_count_begins_anew_when_it_said_and_goes_on_so_beside_ours() -> None:
    one = spender()
    one.learn(Learnt("day", limit=10, left=4, resets_at=NOW + HOUR))
    assert one.all_at_once(99) == 4
    assert one.wait.until == NOW + HOUR
    one.now += HOUR
    assert one.all_at_once(99) == 6  # ten of our own day are made now
    assert one.wait.until == MIDNIGHT
    one.now = MIDNIGHT
    assert one.all_at_once(99) == 4  # ten of the provider's day
    assert one.wait.until == NOW + HOUR + DAY


def test_what_a_provider_leaves_without_a_moment_ends_with_the_day() -> None:
    one = spender(PER_DAY)
    one.learn(Learnt("day", left=0))
    assert one.all_at_once(9) == 0
    assert one.wait == quota.Wait(MIDNIGHT, "the provider says that the calls of this day are spent")
    one.now = MIDNIGHT
    assert one.all_at_once(9) == 9


def test_what_is_said_in_the_first_minutes_of_a_day_may_be_of_the_day_before() -> None:
    one = spender(PER_DAY)
    one.all_at_once(1)
    one.now = MIDNIGHT + SECOND
    one.learn(Learnt("day", left=0))
    assert one.all_at_once(1) == 1
    one.now = MIDNIGHT + quota.CLOCKS_DIFFER
    one.learn(Learnt("day", left=0))
    assert one.all_at_once(1) == 0


@pytest.mark.parametrize("resets_at", [NOW, NOW - DAY, datetime(1970, 1, 1, tzinfo=UTC)])
def test_what_is_said_of_a_span_that_is_over_says_nothing_of_this_one(resets_at: datetime) -> None:
    one = spender()
    one.learn(Learnt("day", limit=7, left=0, resets_at=resets_at))
    assert one.all_at_once(9) == 7
    assert one.wait.until == MIDNIGHT


@pytest.mark.parametrize("span", ["day", "month"])
def test_a_moment_that_is_too_far_ahead_is_not_waited_for(span: Span) -> None:
    one = spender()
    one.learn(Learnt(span, limit=7, left=0, resets_at=NOW.replace(year=3026)))
    assert one.all_at_once(9) == 0
    assert one.wait.until == (MIDNIGHT if span == "day" else DECEMBER)


def test_a_limit_of_nothing_is_no_limit_that_was_said() -> None:
    one = spender()
    one.learn(Learnt("day", limit=100, left=5))
    one.all_at_once(3)
    one.learn(Learnt("day", limit=0, left=50))
    assert one.all_at_once(99) == 2
    one.now = MIDNIGHT
    assert one.all_at_once(101) == 100


def test_a_burst_of_which_something_is_left_is_over_after_its_seconds() -> None:
    one = spender(PER_MINUTE)
    one.learn(Learnt("burst", left=1))
    assert one.all_at_once(9) == 1
    assert one.wait == quota.Wait(NOW + MINUTE, "the provider says that calls come too fast")
    one.now += MINUTE
    assert one.all_at_once(9) == 3


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "until"),
    [("burst", NOW + MINUTE), ("day", MIDNIGHT), ("month", DECEMBER), ("block", NOW + DAY), (None, NOW + MINUTE)],
)
def test_a_refusal_closes_the_account_until_the_named_span_is_over(span: Span | None, until: datetime) -> None:
    one = spender(PER_MINUTE)
    one.over(span)
    assert one.all_at_once(1) == 0
    assert one.wait.until == until
    one.now = until
    assert one.all_at_once(1) == 1


def test_a_burst_of_unknown_length_is_waited_for_a_minute_and_a_known_one_as_long_as_it_is() -> None:
    for one, seconds in ((spender(), 60), (spender(Allowance("burst", 5, 360)), 360)):
        one.over("burst")
        assert one.closed_until == NOW + seconds * SECOND


def test_what_a_provider_said_of_the_end_counts_more_than_the_calendar() -> None:
    one = spender(PER_DAY)
    one.learn(Learnt("day", limit=500, left=3, resets_at=NOW + HOUR))
    one.over("day")
    assert one.closed_until == NOW + HOUR


@pytest.mark.parametrize("span", ["burst", "day", "month", "block", None])
def test_a_retry_after_counts_more_than_anything(span: Span | None) -> None:
    one = spender(PER_MINUTE, PER_DAY)
    one.over(span, 90.5)
    assert one.closed_until == NOW + 90.5 * SECOND


@pytest.mark.parametrize("seconds", [86_401.0, 1e300, float("inf")])
def test_a_retry_after_is_a_day_at_most(seconds: float) -> None:
    one = spender()
    one.over("month", seconds)
    assert one.closed_until == NOW + DAY


@pytest.mark.parametrize("seconds", [0.0, -5.0, float("nan")])
def test_a_retry_after_that_says_nothing_is_none(seconds: float) -> None:
    one = spender()
    one.over("day", seconds)
    assert one.closed_until == MIDNIGHT


def test_refusals_of_calls_that_were_under_way_make_it_no_shorter_and_no_worse() -> None:
    one = spender(PER_MINUTE)
    one.all_at_once(4)
    one.over("burst", 90)
    one.now += SECOND
    one.over("burst")
    one.over("burst", 5)
    assert one.closed_until == NOW + 90 * SECOND
    one.now = NOW + 100 * SECOND
    one.over("burst")  # of a call that was made before the pause
    assert one.closed_until == NOW + 160 * SECOND
    one.over("day")
    assert one.closed_until == MIDNIGHT


def pauses(one: Spender, *retries: float | None) -> list[timedelta]:
    """How long an account is closed by a refusal, and by each that follows right after the pause before it."""
    closed = []
    for retry_after in retries:
        one.all_at_once(1)
        one.over("burst", retry_after)
        closed.append(one.closed_until - one.now)
        one.now = one.closed_until
    return closed


@pytest.mark.parametrize(
    ("allowances", "daily_quota", "told"),
    [
        ([PER_DAY], None, []),
        ([PER_MONTH], None, []),
        ([], 100, []),
        ([], None, [Learnt("month", left=40)]),
    ],
    ids=["day", "month", "operator", "told"],
)
def test_a_second_refusal_right_after_a_pause_of_our_own_closes_a_day_that_has_a_quota(
    allowances: list[Allowance], daily_quota: int | None, told: list[Learnt]
) -> None:
    one = spender(PER_MINUTE, *allowances, daily_quota=daily_quota)
    one.learn(*told)
    assert pauses(one, None, None) == [MINUTE, MIDNIGHT - NOW - MINUTE]
    one.now = NOW + HOUR
    one.all_at_once(1)
    assert one.wait.why.startswith("the provider refused again after a pause")


def test_where_no_day_has_a_quota_each_pause_that_did_not_help_is_followed_by_one_twice_as_long() -> None:
    one = spender(PER_MINUTE)
    assert pauses(one, *[None] * 9) == [*(MINUTE * 2**number for number in range(6)), HOUR, HOUR, HOUR]
    assert one.account.closed_why == "the provider says that calls come too fast"


def test_who_says_how_long_to_stay_away_is_believed_and_has_its_patience_spared() -> None:
    one = spender(PER_MINUTE, PER_DAY, PER_MONTH)
    assert pauses(one, 2, 2, 2, 90) == [2 * SECOND, 4 * SECOND, 8 * SECOND, 90 * SECOND]


def test_a_refusal_a_while_after_the_pause_is_a_first_one_again() -> None:
    one = spender(PER_MINUTE)
    one.over("burst")
    one.now = one.closed_until + 2 * MINUTE
    one.all_at_once(1)
    one.over("burst")
    assert one.closed_until == one.now + MINUTE


def test_being_busy_is_no_first_refusal() -> None:
    one = spender(PER_MINUTE)
    one.over(None, 30)
    one.now = one.closed_until
    one.all_at_once(1)
    one.over("burst")
    assert one.closed_until == one.now + MINUTE


def test_a_day_that_is_refused_as_it_begins_is_tried_again_in_a_few_minutes() -> None:
    """The provider's clock may be behind, and speak of the day before, which we have spent to its last call."""
    one = spender(Allowance("day", 5))
    one.all_at_once(5)
    one.now = MIDNIGHT + SECOND
    one.over("day")
    assert one.closed_until == MIDNIGHT + quota.CLOCKS_DIFFER
    one.now = one.closed_until
    one.over("day")
    assert one.closed_until == MIDNIGHT + DAY


def test_a_providers_day_that_is_refused_as_it_begins_is_tried_again_unless_it_said_so_itself() -> None:
    one = spender()
    one.all_at_once(1)
    one.now = MIDNIGHT + HOUR
    one.learn(Learnt("day", limit=5, left=0, resets_at=MIDNIGHT + 5 * HOUR))
    one.now = MIDNIGHT + 5 * HOUR + SECOND
    one.over("day")
    assert one.closed_until == MIDNIGHT + 5 * HOUR + quota.CLOCKS_DIFFER
    one.learn(Learnt("day", limit=5, left=0, resets_at=MIDNIGHT + 5 * HOUR + DAY))
    one.over("day")
    assert one.closed_until == MIDNIGHT + 5 * HOUR + DAY


def test_an_account_is_closed_for_people_too() -> None:
    one = spender(person=False)
    one.over("day")
    assert one.as_person().all_at_once(1) == 0


# -- clocks that step back ---------------------------------------------------------------------------------------------


def test_a_clock_that_steps_back_over_a_reset_gives_no_call_twice() -> None:
    one = spender(Allowance("day", 5))
    assert one.all_at_once(3) == 3
    one.now = MIDNIGHT + MINUTE
    assert one.all_at_once(1) == 1
    one.now = MIDNIGHT - HOUR
    assert one.all_at_once(9) == 1  # three of yesterday and one of today count together
    one.now = MIDNIGHT
    assert one.all_at_once(9) == 3  # the two that count as of today


def test_a_clock_that_was_a_year_ahead_silences_nobody_and_what_it_counted_stays_counted() -> None:
    one = spender(Allowance("day", 5), Allowance("burst", 4, 60), now=NOW + 365 * DAY)
    assert one.all_at_once(3) == 3
    one.over("day", 600)
    one.now = NOW
    assert one.all_at_once(9) == 0
    assert one.wait.until == NOW + 600 * SECOND
    one.now = one.wait.until
    assert one.all_at_once(9) == 2
    assert one.wait.until == MIDNIGHT


def test_bursts_and_what_was_said_of_them_move_with_the_clock() -> None:
    one = spender(PER_MINUTE, now=NOW + 3 * HOUR)
    one.all_at_once(4)
    one.learn(Learnt("burst", left=0))
    one.now = NOW
    assert one.all_at_once(9) == 0
    assert one.wait.until == NOW + 61 * SECOND


def test_who_read_the_clock_before_another_made_a_call_counts_as_coming_after_it() -> None:
    one = spender(PER_MINUTE)
    one.all_at_once(4)
    one.now = NOW - 30 * SECOND
    assert one.all_at_once(1) == 0
    assert one.wait.until == NOW + 61 * SECOND
    assert one.account.recent == (NOW,) * 4


# -- forecasts and standing --------------------------------------------------------------------------------------------


def test_a_forecast_goes_through_bursts_days_and_months() -> None:
    start = datetime(2026, 11, 29, 12, tzinfo=UTC)
    one = spender(PER_MINUTE, Allowance("day", 10), Allowance("month", 25), now=start)
    assert one.forecast(4) is None
    assert one.forecast(5) == start + 61 * SECOND
    assert one.forecast(10) == start + 122 * SECOND
    assert one.forecast(11) == datetime(2026, 11, 30, tzinfo=UTC)
    assert one.forecast(30) == DECEMBER + 122 * SECOND
    assert one.forecast(45) == DECEMBER + 2 * DAY + 61 * SECOND
    assert one.forecast(46) == datetime(2027, 1, 1, tzinfo=UTC)
    assert one.forecast(0) is one.forecast(-1) is None


def test_a_forecast_leaves_people_their_share_of_days_to_come() -> None:
    one = spender(person=False, reserved=0.5)
    one.learn(Learnt("day", limit=10, left=5, resets_at=NOW + HOUR))
    assert one.forecast(5) == NOW + HOUR
    assert one.forecast(6) == NOW + HOUR + DAY


def test_a_forecast_waits_for_a_closed_account() -> None:
    one = spender()
    one.over(None, 600)
    assert one.forecast(1) == NOW + 600 * SECOND


def test_a_forecast_of_very_many_calls_is_about_right_and_never_beyond_ten_years() -> None:
    one = spender(PER_MINUTE)
    forecast = one.forecast(400_000)
    assert forecast is not None
    assert abs(forecast - NOW - 100_000 * 61 * SECOND) < HOUR
    assert one.forecast(2**128) == NOW + quota.HORIZON


def test_people_see_what_is_spent_left_and_when_there_will_be_more() -> None:
    one = spender(PER_MINUTE, PER_DAY, PER_MONTH, Allowance("block", 1000))
    one.all_at_once(3)
    one.learn(Learnt("day", limit=100, left=20, resets_at=NOW + HOUR))
    standing = one.stand()
    assert standing.spans == (
        SpanStanding("block", 3, 1000, 997, None),
        SpanStanding("burst", 3, 4, 1, NOW + 61 * SECOND),
        SpanStanding("day", 3, 100, 20, NOW + HOUR),
        SpanStanding("month", 3, 50, 47, DECEMBER),
    )
    assert standing.tightest == standing.spans[2]
    assert (standing.closed_until, standing.closed_why) == (None, "")


def test_a_burst_is_the_tightest_only_where_it_is_all_there_is() -> None:
    assert spender(PER_MINUTE).stand().tightest == SpanStanding("burst", 0, 4, 4, None)
    assert spender().stand().tightest is None
    tightest = spender(PER_MINUTE, daily_quota=9).stand().tightest
    assert tightest is not None
    assert tightest.span == "day"


def test_where_nobody_says_what_is_left_people_see_what_was_spent_today() -> None:
    one = spender()
    assert one.stand().tightest is None
    one.all_at_once(3)
    assert one.stand().tightest == SpanStanding("day", 3, None, None, MIDNIGHT)
    one.learn(Learnt("burst", limit=9, left=5, seconds=60))
    assert one.stand().tightest == one.stand().spans[0] == SpanStanding("burst", 2, 9, 5, NOW + MINUTE)


def test_people_see_that_an_account_is_closed_and_why() -> None:
    one = spender()
    one.over("day")
    assert (one.stand().closed_until, one.stand().closed_why) == (
        MIDNIGHT,
        "the provider says that the calls of this day are spent",
    )
    one.now = MIDNIGHT
    assert one.stand().closed_until is None


def test_an_account_that_was_never_used_is_judged_as_any_other() -> None:
    empty = Account("circl/1f3a")
    after, wait = quota.spend(empty, Terms(), pending=1, total=1, now=NOW)
    assert (after.recent, wait) == ((NOW,), None)
    assert quota.learn(empty, Terms(), [], now=NOW) == empty
