"""Registered domains and public suffixes, by both sections of the list."""

import pytest

from feedsvc.names import SPECIAL_USE, is_public_suffix, registered_domain
from feedsvc.names.suffixes import shared_parents, special_use_zone, suffix_section


@pytest.mark.parametrize(
    ("name", "parent"),
    [
        pytest.param("k3xq.example.net", "example.net", id="below a top-level domain"),
        pytest.param("example.net", "example.net", id="itself"),
        pytest.param("a.b.example.co.uk", "example.co.uk", id="below a second-level suffix"),
        pytest.param("a.evil.github.io", "evil.github.io", id="below a private suffix"),
        pytest.param("a.evil.xn--p1ai", "evil.xn--p1ai", id="below an IDN suffix"),
        pytest.param("a.b.c.ck", "b.c.ck", id="wildcard rule"),
        pytest.param("a.www.ck", "www.ck", id="exception to a wildcard rule"),
        pytest.param("net", None, id="a suffix has none"),
        pytest.param("github.io", None, id="a private suffix has none"),
        pytest.param("k3xq.nosuchtld", None, id="unknown top-level domain"),
        pytest.param("198.51.100.7", None, id="an address has none"),
        pytest.param(r"evil\.co.uk", r"evil\.co.uk", id="escaped dot"),
        pytest.param(r"a.evil\.co.uk", r"evil\.co.uk", id="below an escaped dot"),
        pytest.param(r"evil\.com", None, id="what looks like a suffix is one label"),
    ],
)
def test_the_registered_domain_is_one_label_below_the_public_suffix(name: str, parent: str | None) -> None:
    assert registered_domain(name) == parent


@pytest.mark.parametrize(
    ("name", "section"),
    [("com", "ICANN"), ("co.uk", "ICANN"), ("x.ck", "ICANN"), ("github.io", "private"), ("duckdns.org", "private")],
)
def test_public_suffixes_of_both_sections_are_known_with_their_section(name: str, section: str) -> None:
    assert is_public_suffix(name)
    assert suffix_section(name) == section


@pytest.mark.parametrize("name", ["example.com", "www.ck", "a.github.io", "nosuchtld", "localhost"])
def test_ordinary_names_and_unknown_tops_are_no_public_suffix(name: str) -> None:
    assert not is_public_suffix(name)


@pytest.mark.parametrize("name", ["amazonaws.com", "core.windows.net", "xn--mre-og-romsdal-qqb.no"])
def test_a_parent_of_public_suffixes_is_shared_though_it_is_none_itself(name: str) -> None:
    assert name in shared_parents()
    assert not is_public_suffix(name)


@pytest.mark.parametrize("name", ["example.com", "com", "github.io", "a.amazonaws.com"])
def test_other_names_are_no_shared_parents(name: str) -> None:
    assert name not in shared_parents()


@pytest.mark.parametrize("zone", sorted(SPECIAL_USE))
def test_a_name_in_a_zone_of_special_use_is_told_the_smallest_such_zone(zone: str) -> None:
    assert special_use_zone(["k3xq", *zone.split(".")]) == zone
    assert special_use_zone(zone.split(".")) == zone


@pytest.mark.parametrize("name", ["example.com", "example.net", "example.org", "test.com", "local.example.net", "arpa.com"])
def test_a_special_word_elsewhere_in_a_name_is_ordinary(name: str) -> None:
    assert special_use_zone(name.split(".")) is None
