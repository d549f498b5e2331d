"""Requests that wait for their answers: each is told once, none is lost, and never are there many."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources.eve_lookups import MAX_ASKED, MAX_WAITING, WINDOW, Asked, Lookups
from feedsvc.sources.port import LogRecord


def asked(name: str, time: float = 0.0) -> Asked:
    return Asked(time, "10.0.0.7", f"{name}.example.net", "A", 7)


def names(records: list[LogRecord]) -> list[str]:
    return [record.rrname.removesuffix(".example.net") for record in records]


def test_a_request_waits_for_its_window_and_no_longer() -> None:
    lookups = Lookups()
    assert lookups.ask((1, 1), [asked("a")]) == []
    assert lookups.before(WINDOW) == []
    assert names(lookups.before(WINDOW + 0.5)) == ["a"]
    assert lookups.rest() == []


def test_a_request_that_was_answered_is_not_told() -> None:
    lookups = Lookups()
    lookups.ask((1, 1), [asked("a"), asked("b")])
    lookups.answered((1, 1), ["a.example.net"])
    assert names(lookups.rest()) == ["b"]


def test_an_answer_to_another_request_leaves_it_waiting() -> None:
    lookups = Lookups()
    lookups.ask((1, 1), [asked("a")])
    assert lookups.answered((1, 2), ["a.example.net"]) is None
    assert lookups.answered(None, ["a.example.net"]) is None
    assert lookups.answered((1, 1), ["b.example.net"]) is not None
    assert names(lookups.rest()) == ["a"]


def test_when_too_many_wait_the_oldest_gives_way() -> None:
    lookups = Lookups()
    due = [record for number in range(MAX_WAITING + 5) for record in lookups.ask((number, 1), [asked(f"n{number}")])]
    assert names(due) == [f"n{number}" for number in range(5)]
    assert len(lookups.rest()) == MAX_WAITING


def test_of_too_many_questions_under_one_id_the_last_are_told_at_once() -> None:
    lookups = Lookups()
    due = lookups.ask((1, 1), [asked(f"n{number}") for number in range(MAX_ASKED + 2)])
    due += lookups.ask((1, 1), [asked("late"), asked("n0")])
    assert names(due) == [f"n{MAX_ASKED}", f"n{MAX_ASKED + 1}", "late"]
    assert len(lookups.rest()) == MAX_ASKED


def test_a_clock_that_was_put_back_keeps_nobody_waiting_for_more_than_their_number() -> None:
    lookups = Lookups()
    lookups.ask((0, 1), [asked("future", 1e9)])
    for number in range(1, MAX_WAITING + 2):
        lookups.before(float(number))
        lookups.ask((number, 1), [asked(f"n{number}", float(number))])
    assert "future" not in names(lookups.rest())


@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "answer", "pass"]), st.integers(0, 5), st.sampled_from("abc"), st.integers(0, 30))
    )
)
def test_each_request_is_told_or_answered_once_also_by_a_process_that_begins_anew_at_every_step(
    steps: list[tuple[str, int, str, int]],
) -> None:
    lookups = Lookups()
    told, waiting = Counter[tuple[int, str]](), set[tuple[int, str]]()
    asks, answers = 0, 0
    for at, (what, key, name, ahead) in enumerate(steps):
        lookups = Lookups(lookups.text())
        if what == "ask":
            asks += (key, name) not in waiting
            waiting.add((key, name))
            lookups.ask((key, 1), [Asked(float(at), None, f"{name}.example.net", str(key), at)])
        elif what == "answer":
            answers += (key, name) in waiting
            waiting.discard((key, name))
            lookups.answered((key, 1), [f"{name}.example.net"])
        else:
            for record in lookups.before(float(at + ahead)):
                told[int(record.rrtype), record.rrname[0]] += 1
                waiting.discard((int(record.rrtype), record.rrname[0]))
    for record in lookups.rest():
        told[int(record.rrtype), record.rrname[0]] += 1
    assert told.total() + answers == asks
