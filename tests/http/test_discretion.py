"""What of an answer may be shown and kept: nothing that it was asked with, in whatever spelling."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feedsvc import names
from feedsvc.errors import NameRefused
from feedsvc.http import OPEN, Discretion, shown
from feedsvc.http.discretion import STARS

KEY = 'kEy-9f+J/2=x&q"\\'
KEPT = Discretion((KEY, "web"), ("jane", "example"))

SPELLINGS = {
    "as it is": KEY,
    "in capitals": KEY.upper(),
    "in a URL": quote(KEY, safe=""),
    "in a query": quote_plus(KEY),
    "in JSON": json.dumps(KEY)[1:-1],
    "in JSON with its slashes escaped": json.dumps(KEY)[1:-1].replace("/", "\\/"),
    "in JSON that HTML may hold": json.dumps(KEY)[1:-1].replace("&", "\\u0026"),
    "in HTML": html.escape(KEY),
    "in HTML by numbers": KEY.replace("&", "&#38;").replace('"', "&#x22;"),
    "in a URL of which the slash is left": quote(KEY),
    "as a label": names.encode_labels([KEY.encode()]),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_is_starred_and_known_in_every_spelling(spelling: str) -> None:
    assert KEPT.shown(f"no such key: {spelling}!") == f"no such key: {STARS}!"
    assert KEPT.holds_secret(f"no such key: {spelling}!")


def test_a_user_name_is_starred_but_is_no_secret() -> None:
    assert KEPT.shown("jane of example") == f"{STARS} of {STARS}"
    assert not KEPT.holds_secret("jane.example.net")


@pytest.mark.parametrize(
    ("text", "holds"), [("web", True), ("a.web.net", True), ("WEB-1", True), ("webmail.net", False), ("cobweb.net", False)]
)
def test_a_secret_of_few_letters_is_one_where_it_is_a_word_of_its_own(text: str, holds: bool) -> None:
    assert KEPT.holds_secret(text) is holds
    assert "web" not in KEPT.shown(text).lower()


def test_two_that_must_not_be_shown_are_both_not_shown() -> None:
    both = Discretion(("s3cr3t-one",)) + Discretion(("s3cr3t-two",), ("jane",))
    assert both.shown("s3cr3t-one, s3cr3t-two, jane") == ", ".join([STARS] * 3)
    assert repr(both) == "Discretion()"


def test_where_there_is_nothing_to_hide_nothing_is_hidden() -> None:
    assert OPEN.seeker() is None
    assert Discretion((), ("jane",)).seeker() is None
    assert not OPEN.holds_secret("s3cr3t")
    assert shown(b"a\tb\xff") == r"a\tb\xff"


@pytest.mark.parametrize("before", ["", " " * 4096, "\n" * 4090, "no such key: ", "x" * 4070 + " "])
@pytest.mark.parametrize("kept", [4, 20, 40])
def test_nothing_is_shown_of_a_secret_that_a_text_was_cut_in(before: str, kept: int) -> None:
    key = "Zx" + "abcdefgh0123456789" * 3
    told = Discretion((key,)).shown((before + key[:kept]).encode())
    assert key[:kept] not in told
    assert key[:4] not in told


def test_of_many_copies_of_a_long_token_none_is_shown_not_even_a_piece() -> None:
    token = "eyJ0eXAiOiJKV1Qi" + "Ab3" * 500
    assert "Ab3" not in Discretion((token,)).shown(json.dumps({"a": token, "b": token, "c": token})[:4096])


def test_a_character_that_was_cut_is_left_out_with_the_secret_before_it() -> None:
    assert Discretion(("pässwörd",)).shown("key pässwörd".encode()[:-3]) == f"key {STARS}"


@given(secret=st.from_regex(r"[!-~]{8,40}", fullmatch=True), before=st.text("abc ", max_size=20), size=st.integers(4, 40))
def test_the_beginning_of_a_secret_at_the_end_of_a_text_is_starred(secret: str, before: str, size: int) -> None:
    assert Discretion((secret,)).shown(before + secret[:size]).endswith(STARS)


@given(secret=st.text(min_size=8, max_size=60), before=st.text(max_size=20), behind=st.text(max_size=20))
def test_no_text_that_has_a_secret_in_it_is_kept(secret: str, before: str, behind: str) -> None:
    assert Discretion((secret,)).holds_secret(before + secret + behind)


@given(secret=st.from_regex(r"[!-~]{8,40}", fullmatch=True))
def test_a_name_that_a_secret_was_taken_for_is_not_kept(secret: str) -> None:
    assume(not secret.endswith("\\"))  # which would take the dot behind it for a part of the secret
    try:
        name = names.parse_name(f"{secret}.example.net")
    except NameRefused:
        return
    assert Discretion((secret,)).holds_secret(name)
