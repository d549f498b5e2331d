"""Each lookup once: what counts of a log that may hold a lookup up to four times."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.names import parse_address
from feedsvc.sources.once import ENOUGH, LONG, MOST, Once, Side
from feedsvc.sources.port import BadLine, LogRecord

ADDRESSES = (parse_address("198.51.100.7"), parse_address("2001:db8:77::1"))


def record(number: int = 0, time: float = 1000.0, width: int = 0) -> LogRecord:
    unread = (BadLine(number, "why", b"\xff"),)
    return LogRecord(time, None, f"n{number}.example.net", "A", ADDRESSES, ("a.example.net",) * width, number, unread)


Told = list[tuple[Side, LogRecord]]


def run(messages: Told, once: Once | None = None) -> list[LogRecord]:
    once = once or Once()
    given = [found for side, one in messages if once.wants(side) for found in once.take(side, one)]
    return given + list(once.finish())


class TestOnce:
    def test_of_a_log_with_answers_the_answers_count_and_nothing_else(self) -> None:
        sides: list[Side] = ["asked", "upstream", "answered"]
        messages: Told = [(side, record(number)) for number, side in enumerate(sides * 20)]
        assert [one.offset for one in run(messages)] == list(range(2, 60, 3))

    def test_of_a_log_without_answers_all_the_rest_counts_in_its_order(self) -> None:
        sides: list[Side] = ["asked", "upstream", "upstream"]
        messages: Told = [(side, record(number)) for number, side in enumerate(sides * 30)]
        assert [one.offset for one in run(messages)] == list(range(90))

    def test_a_log_that_has_shown_enough_for_long_enough_has_no_answers(self) -> None:
        once = Once()
        given = [len(once.take("asked", record(number, 1000 + number * LONG / ENOUGH))) for number in range(ENOUGH + 4)]
        assert given == [0] * ENOUGH + [ENOUGH + 1, 1, 1, 1]
        assert once.finish() == ()

    @pytest.mark.parametrize(("many", "span"), [(ENOUGH - 1, 100 * LONG), (30 * ENOUGH, LONG / 2)])
    def test_neither_a_quiet_log_nor_a_busy_minute_shows_that_there_are_none(self, many: int, span: float) -> None:
        once = Once()
        for number in range(many):
            assert once.take("asked", record(number, 1000 + span * number / many)) == ()
        assert run([("answered", record(9999))], once) == [record(9999)]

    def test_no_more_is_held_back_than_may_be(self) -> None:
        once = Once()
        given = [once.take("upstream", record(number, width=96)) for number in range(MOST // 100 + 1)]
        assert [len(one) for one in given] == [0] * (MOST // 100) + [MOST // 100 + 1]

    def test_answers_that_come_late_end_the_counting_of_the_rest(self) -> None:
        messages: Told = [("asked", record(number, 1000 + number * LONG / ENOUGH)) for number in range(ENOUGH + 4)]
        late: Told = [("answered", record(100)), ("asked", record(101)), ("answered", record(102))]
        assert [one.offset for one in run([*messages, *late])] == [*range(ENOUGH + 4), 100, 102]

    @given(
        st.lists(st.tuples(st.sampled_from(["asked", "upstream", "answered"]), st.floats(0, 10)), max_size=80),
        st.integers(0, 80),
    )
    def test_it_goes_on_where_its_state_was_taken(self, steps: list[tuple[Side, float]], middle: int) -> None:
        times = itertools.accumulate(step for _, step in steps)
        messages = [(side, record(number, time)) for number, ((side, _), time) in enumerate(zip(steps, times, strict=True))]
        first = Once()
        before = [found for side, one in messages[:middle] if first.wants(side) for found in first.take(side, one)]
        assert before + run(messages[middle:], Once(first.state())) == run(messages)

    def test_what_was_chosen_by_settings_counts_whatever_else_there_is(self) -> None:
        sides: list[Side] = ["answered", "asked", "upstream"]
        messages: Told = [(side, record(number)) for number, side in enumerate(sides * 3)]
        chosen = Once(each=True)
        assert run(messages, chosen) == [one for _, one in messages]
        assert chosen.state() == ""

    def test_a_new_log_has_nothing_to_remember(self) -> None:
        assert Once().state() == ""

    @pytest.mark.parametrize("state", ["x", "{}", '[{"time":"x"}]', "[1"])
    def test_a_state_that_is_none_is_told(self, state: str) -> None:
        with pytest.raises(SourceError, match="cannot be read"):
            Once(state)
