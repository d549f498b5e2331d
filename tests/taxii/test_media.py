"""TAXII 2.1 §1.6.8 and RFC 9110 §12.5.1: which clients get an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.taxii.media import TAXII, accepts

TAKEN = [
    None,
    "",
    "application/taxii+json;version=2.1",
    "application/taxii+json; version=2.1",
    "application/taxii+json",
    'application/taxii+json;version="2.1"',
    'application/taxii+json;version="2\\.1"',
    "APPLICATION/TAXII+JSON;VERSION=2.1",
    "application/taxii+json \t;\tversion=2.1 ; q=0.001",
    "application/taxii+json;version=2.1;q=0.5,application/stix+json;version=2.1",
    "application/stix+json;version=2.1,application/taxii+json;version=2.1",
    "text/html, application/xhtml+xml, */*;q=0.1",
    "application/*",
    "*/*",
    "application/vnd.oasis.taxii+json; version=2.0, application/taxii+json; version=2.1",
    'text/x; note="a,b;c\\"", application/taxii+json',
    "application/taxii+json;version=2.0, application/taxii+json",
    "application/taxii+json;version=2.1;q=high",
    "*/*;q=0, application/taxii+json",
    ", ,application/taxii+json,",
]

REFUSED = [
    "application/json",
    "application/vnd.oasis.taxii+json; version=2.0",
    "application/taxii+json;version=2.0",
    "application/stix+json;version=2.1",
    "text/html",
    "application/taxii+json;version=2.1;q=0",
    "application/taxii+json;version=2.1;q=0.000, */*",
    "application/taxii+json;q=0, */*",
    'text/x; note="application/taxii+json, */*"',
    "garbage",
    '"',
]


@pytest.mark.parametrize("header", TAKEN)
def test_a_list_that_holds_our_type_is_taken(header: str | None) -> None:
    assert accepts(header)


@pytest.mark.parametrize("header", REFUSED)
def test_a_list_without_our_type_or_with_weight_0_is_refused(header: str) -> None:
    assert not accepts(header)


@given(st.lists(st.sampled_from(["text/html", "application/json;q=0.9", 'a/b;c="d,e"', "*/*;q=0"])), st.integers(0, 9))
def test_our_type_is_found_anywhere_in_a_list(others: list[str], place: int) -> None:
    others.insert(place, TAXII)
    assert accepts(" , ".join(others))


@given(st.text())
def test_no_text_breaks_the_reading(header: str) -> None:
    assert accepts(header) in (True, False)


def test_a_list_of_any_length_is_read_in_one_pass() -> None:
    assert accepts('text/html;a="' + '\\"' * 200_000 + '", */*')
    assert not accepts('"\\"' * 200_000)
