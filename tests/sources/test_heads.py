"""The first lines of a log, and the majority among them."""

from __future__ import annotations

import pytest

from feedsvc.sources.heads import LINES, first_lines, mostly


def test_blank_lines_and_comments_say_nothing() -> None:
    assert first_lines(b"# made by\n\r\n  \t\na\r\nb\n") == [b"a", b"b"]


def test_a_line_that_the_heads_end_cuts_short_is_not_judged() -> None:
    assert first_lines(b"a\nb\nc") == [b"a", b"b"]


def test_a_head_without_any_line_end_is_one_line() -> None:
    assert first_lines(b"a") == [b"a"]
    assert first_lines(b"") == []


def test_no_more_than_the_first_lines_are_judged() -> None:
    assert first_lines(b"".join(b"%d\n" % number for number in range(100))) == [b"%d" % number for number in range(LINES)]


@pytest.mark.parametrize(
    ("fit", "others", "claimed"), [(1, 0, True), (1, 1, True), (9, 11, False), (11, 9, True), (0, 1, False)]
)
def test_half_of_the_lines_must_fit(fit: int, others: int, claimed: bool) -> None:
    assert mostly(b"a\n" * fit + b"b\n" * others, lambda line: line == b"a") is claimed


def test_a_head_without_lines_is_nobodys() -> None:
    assert not mostly(b"#\n\n", lambda line: True)
