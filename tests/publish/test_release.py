"""Who may see what."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.model import Collection, Partner, Tlp
from feedsvc.publish import release
from feedsvc.publish.release import Credentials, credentials

TOKEN = "fsv_made-up-for-this-test"
PARTNER = Partner("acme", ("callbacks",), Tlp.GREEN, exports=("domains.txt",))


def basic(text: str | bytes) -> str:
    """A Basic header of this login and password."""
    return "Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"Bearer {TOKEN}", Credentials(TOKEN)),
        (f"Token {TOKEN}", Credentials(TOKEN)),
        (f"bEARER   {TOKEN} ", Credentials(TOKEN)),
        (f"TOKEN {TOKEN}", Credentials(TOKEN)),
        (basic(f"acme:{TOKEN}"), Credentials(TOKEN, "acme")),
        (basic(f"acme:{TOKEN}").replace("Basic", "bASIC"), Credentials(TOKEN, "acme")),
        (basic("acme:a:b"), Credentials("a:b", "acme")),
        (basic(f":{TOKEN}"), Credentials(TOKEN, "")),
        (basic("zoë:x"), Credentials("x", "zoë")),
    ],
)
def test_one_token_comes_under_three_schemes(header: str, found: Credentials) -> None:
    assert credentials(header) == found


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "Basic",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Digest {TOKEN}",
        "Basic !!!",
        "Basic YWNtZTp4eA=",
        f"Basic {TOKEN}",
        basic("no colon"),
        basic("acme:"),
        basic(b"\xff\xfe:x"),
        "Basic é",
        "Negotiate " + "A" * 10_000,
    ],
)
def test_what_is_no_credential_of_ours_is_none(header: str | None) -> None:
    assert credentials(header) is None


@given(st.text())
def test_no_header_breaks_the_reader(header: str) -> None:
    for text in (header, f"Basic {header}", f"Bearer {header}"):
        found = credentials(text)
        assert found is None or re.fullmatch(r"[0-9a-f]{64}", release.digest(found.token))


def test_a_token_does_not_show_in_a_trace() -> None:
    assert TOKEN not in repr(credentials(f"Bearer {TOKEN}"))


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {release.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"fsv_[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_the_digest_is_sha_256_in_hex() -> None:
    assert release.digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("login", "belongs"), [(None, True), ("acme", True), ("ACME", False), ("", False), ("other", False), ("acmé", False)]
)
def test_a_basic_login_must_be_the_partner_whose_token_it_is(login: str | None, belongs: bool) -> None:
    assert release.belongs_to(Credentials(TOKEN, login), PARTNER) is belongs


def test_a_partner_reads_the_collections_it_was_given() -> None:
    assert release.may_read_collection(PARTNER, Collection("1", "callbacks", "Callbacks"))
    assert not release.may_read_collection(PARTNER, Collection("2", "other", "Other"))


@pytest.mark.parametrize("partner", list(Tlp))
@pytest.mark.parametrize("collection", list(Tlp))
def test_nobody_sees_above_the_own_clearance_or_the_collections(partner: Tlp, collection: Tlp) -> None:
    rank = release.visible_rank(Partner("acme", ("c",), partner), Collection("1", "c", "C", max_tlp=collection))
    assert rank == min(partner.rank, collection.rank)


@dataclass(frozen=True, slots=True)
class Export:
    """A list as configured, as far as release asks."""

    name: str = "domains.txt"
    public: bool = False
    max_tlp: Tlp = Tlp.GREEN


@pytest.mark.parametrize(
    ("partner", "export", "may"),
    [
        (None, Export(), False),
        (None, Export(public=True), True),
        (PARTNER, Export(), True),
        (PARTNER, Export(public=True, name="other"), True),
        (PARTNER, Export(name="other"), False),
        (PARTNER, Export(max_tlp=Tlp.CLEAR), True),
        (PARTNER, Export(max_tlp=Tlp.AMBER), False),
    ],
)
def test_a_list_is_for_its_partners_who_are_cleared_for_all_it_may_hold(
    partner: Partner | None, export: Export, may: bool
) -> None:
    assert release.may_read_export(partner, export) is may
