"""RFC 9110 §13: conditional requests."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.web.conditional import is_current, write_date

ETAG = '"c0ffee"'
CHANGED = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    "tags", [ETAG, f"W/{ETAG}", "*", ' "other" , W/"c0ffee"', '"a,b", "c0ffee"', '"other","c0ffee"', " * "]
)
def test_a_reader_that_names_the_tag_has_it(tags: str) -> None:
    assert is_current(ETAG, CHANGED, if_none_match=tags, if_modified_since=None)


@pytest.mark.parametrize("tags", ["", '"other"', "c0ffee", '"C0FFEE"', '"c0ffee', 'W/"other"', '"xc0ffee"', '"a, "c0ffee'])
def test_a_reader_that_names_another_tag_has_not(tags: str) -> None:
    assert not is_current(ETAG, CHANGED, if_none_match=tags, if_modified_since=None)


def test_tags_come_before_dates() -> None:
    assert not is_current(ETAG, CHANGED, if_none_match='"other"', if_modified_since=write_date(CHANGED))


@pytest.mark.parametrize(
    ("since", "current"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", True),
        ("Tue, 14 Nov 2023 22:13:21 GMT", True),
        ("Tue, 14 Nov 2023 22:13:19 GMT", False),
        ("Tuesday, 14-Nov-23 22:13:20 GMT", True),
        ("Tue Nov 14 22:13:20 2023", True),
        ("yesterday", False),
        ("", False),
        ("Tue, 99 Nov 2023 22:13:20 GMT", False),
        ("Tue, 14 Nov 99999 22:13:20 GMT", False),
    ],
)
def test_dates_are_read_in_all_three_forms_and_broken_ones_do_not_count(since: str, current: bool) -> None:
    assert is_current(ETAG, CHANGED, if_none_match=None, if_modified_since=since) is current


def test_a_date_without_a_zone_is_gmt_wherever_the_server_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        current = is_current(ETAG, CHANGED, if_none_match=None, if_modified_since="Tue Nov 14 22:13:20 2023")
    time.tzset()
    assert current


def test_what_has_no_date_is_never_current_by_date() -> None:
    assert not is_current(ETAG, None, if_none_match=None, if_modified_since=write_date(CHANGED))


@given(st.integers(0, 4_000_000_000))
def test_our_own_date_is_read_back(seconds: int) -> None:
    assert is_current(ETAG, seconds, if_none_match=None, if_modified_since=write_date(seconds))
    assert not is_current(ETAG, seconds + 1, if_none_match=None, if_modified_since=write_date(seconds))


@given(st.text(), st.text())
def test_no_header_breaks_the_reading(tags: str, since: str) -> None:
    is_current(ETAG, CHANGED, if_none_match=tags, if_modified_since=None)
    is_current(ETAG, CHANGED, if_none_match=None, if_modified_since=since)
