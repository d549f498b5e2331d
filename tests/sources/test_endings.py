"""What an error makes of an answer, and what many answers make together."""

from __future__ import annotations

import pytest

from feedsvc.errors import SourceError
from feedsvc.http import HttpError
from feedsvc.model import End, Outcome
from feedsvc.sources.endings import COMPLETE, Part, after_fault, broken, pointless, together

FAILED = broken("no connection", 0)
PARTIAL = broken("cut off", 3)
LIMITED = broken("too many names", 3, trouble=False)
REFUSED = after_fault(HttpError("401: check the key", status=401, permanent=True), 0)
SPENT = after_fault(HttpError("429: spent", status=429, retry_after=60), 0)
SKIPPED = End(Outcome.SKIPPED, "too dear")


def parts(*ends: End) -> list[Part]:
    return [Part(f"p{at}", end) for at, end in enumerate(ends)]


@pytest.mark.parametrize(("understood", "outcome"), [(0, Outcome.FAILED), (1, Outcome.PARTIAL)])
def test_rows_before_a_broken_end_make_it_partial_and_nothing_makes_it_failed(understood: int, outcome: Outcome) -> None:
    assert after_fault(SourceError("cut off"), understood) == End(outcome, "cut off", trouble=True)


@pytest.mark.parametrize("status", [401, 403, 429])
def test_after_a_refusal_nothing_more_is_to_be_asked(status: int) -> None:
    assert after_fault(HttpError("no", status=status), 0).stop
    assert pointless(parts(COMPLETE, after_fault(HttpError("no", status=status), 0)))


def test_when_to_come_back_is_kept() -> None:
    assert SPENT.retry_after == 60


@pytest.mark.parametrize(
    ("ends", "over"),
    [
        ((), False),
        ((FAILED,), False),
        ((FAILED, FAILED), False),
        ((FAILED, PARTIAL, FAILED), True),
        ((FAILED, FAILED, COMPLETE, FAILED), False),
        ((LIMITED, LIMITED, LIMITED), False),
        ((SKIPPED, SKIPPED, SKIPPED), False),
        ((COMPLETE, REFUSED), True),
    ],
)
def test_three_troubles_in_a_row_or_one_refusal_make_asking_on_pointless(ends: tuple[End, ...], over: bool) -> None:
    assert pointless(parts(*ends)) == over


@pytest.mark.parametrize(
    ("ends", "asked_for", "outcome"),
    [
        ((COMPLETE, COMPLETE), 2, Outcome.COMPLETE),
        ((COMPLETE, FAILED), 2, Outcome.PARTIAL),
        ((FAILED, FAILED, FAILED), 9, Outcome.FAILED),
        ((FAILED, PARTIAL), 2, Outcome.PARTIAL),
        ((COMPLETE, REFUSED), 256, Outcome.PARTIAL),
        ((REFUSED,), 256, Outcome.FAILED),
        ((SKIPPED, FAILED), 2, Outcome.FAILED),
    ],
)
def test_the_whole_is_complete_when_each_part_is(ends: tuple[End, ...], asked_for: int, outcome: Outcome) -> None:
    assert together(parts(*ends), asked_for, "addresses").outcome is outcome


def test_the_reason_of_the_whole_is_what_stopped_it() -> None:
    end = together(parts(COMPLETE, FAILED, SPENT), 256, "addresses")
    assert end.reason == "p2: 429: spent (1 of 256 addresses answered in full)"
    assert (end.retry_after, end.stop) == (60, True)


def test_rows_outside_all_parts_make_a_failed_whole_partial() -> None:
    assert together(parts(FAILED, FAILED), 2, "parts", some=True).outcome is Outcome.PARTIAL


def test_a_whole_of_one_part_ends_as_that_part_does() -> None:
    assert together(parts(FAILED), 1, "addresses") is FAILED


@pytest.mark.parametrize(
    ("ends", "trouble"), [((FAILED,) * 3, True), ((COMPLETE, FAILED, FAILED, FAILED), True), ((FAILED, COMPLETE), False)]
)
def test_a_whole_is_troubled_when_trouble_is_how_it_ended(ends: tuple[End, ...], trouble: bool) -> None:
    assert together(parts(*ends), 256, "addresses").trouble == trouble
