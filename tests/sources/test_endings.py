"""What an error makes of an answer, and what several answers that are not whole make of a netblock."""

from __future__ import annotations

import pytest

from feedsvc.errors import SourceError
from feedsvc.http import HttpError
from feedsvc.model import End, Outcome
from feedsvc.sources.endings import Part, after_fault, broken, worst

FAILED = broken("no connection", 0)
PARTIAL = broken("cut off", 3)
LIMITED = broken("too many names", 3, trouble=False)
SPENT = after_fault(HttpError("429: spent", status=429, retry_after=60), 0)


def parts(*ends: End) -> list[Part]:
    return [Part(f"p{at}", end) for at, end in enumerate(ends)]


@pytest.mark.parametrize(("understood", "outcome"), [(0, Outcome.FAILED), (1, Outcome.PARTIAL)])
def test_rows_before_a_broken_end_make_it_partial_and_nothing_makes_it_failed(understood: int, outcome: Outcome) -> None:
    assert after_fault(SourceError("cut off"), understood) == End(outcome, "cut off", trouble=True)


@pytest.mark.parametrize("status", [401, 402, 403, 407, 429])
def test_after_a_refusal_nothing_more_is_to_be_asked(status: int) -> None:
    assert after_fault(HttpError("no", status=status, permanent=status != 429), 0).stop


@pytest.mark.parametrize("status", [400, 404, 406, 410, 416, 422, 451])
def test_a_server_that_takes_exception_to_one_question_may_answer_another(status: int) -> None:
    end = after_fault(HttpError("no", status=status, permanent=True), 0)
    assert (end.stop, end.trouble) == (False, True)


@pytest.mark.parametrize("status", [None, 302])
def test_who_is_elsewhere_or_not_trusted_is_asked_nothing_more(status: int | None) -> None:
    assert after_fault(HttpError("no", status=status, permanent=True), 0).stop


def test_after_a_permanent_fault_nothing_more_is_to_be_asked() -> None:
    assert after_fault(SourceError("no such file", permanent=True), 0).stop
    assert not after_fault(HttpError("500: a fault", status=500, transient=True), 0).stop


def test_when_to_come_back_is_kept() -> None:
    assert SPENT.retry_after == 60


@pytest.mark.parametrize(
    ("bad", "some", "outcome"),
    [
        ((FAILED,), False, Outcome.FAILED),
        ((FAILED,), True, Outcome.PARTIAL),
        ((FAILED, FAILED), False, Outcome.FAILED),
        ((FAILED, PARTIAL), False, Outcome.PARTIAL),
        ((SPENT,), False, Outcome.FAILED),
    ],
)
def test_a_whole_of_which_anything_was_answered_is_partial(bad: tuple[End, ...], some: bool, outcome: Outcome) -> None:
    assert worst(parts(*bad), "", some=some).outcome is outcome


def test_the_reason_of_the_whole_is_what_stopped_it() -> None:
    end = worst(parts(FAILED, SPENT, PARTIAL), " (1 of 256 addresses answered in full)", some=True)
    assert end.reason == "p1: 429: spent (1 of 256 addresses answered in full)"
    assert (end.retry_after, end.stop) == (60, True)


def test_the_reason_of_the_whole_is_else_what_came_first() -> None:
    end = worst(parts(FAILED, PARTIAL), "", some=True)
    assert (end.reason, end.stop) == ("p0: no connection", False)


def test_a_part_that_is_all_there_is_needs_no_name() -> None:
    assert worst([Part("", FAILED)], "", some=False) == FAILED


@pytest.mark.parametrize(("ends", "trouble"), [((FAILED, PARTIAL), True), ((FAILED, LIMITED), False), ((LIMITED,), False)])
def test_a_whole_is_troubled_when_all_its_bad_parts_are(ends: tuple[End, ...], trouble: bool) -> None:
    assert worst(parts(*ends), "", some=True).trouble == trouble
