"""The address and the secrets of a provider, and which key is at fault when they are not right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feedsvc.config import Place, SourceSettings
from feedsvc.http import Credentials
from feedsvc.plugins import OptionFaults
from feedsvc.sources import access
from tests.sources.conftest import settings


def faults(call: object, *args: object) -> dict[str, str]:
    with pytest.raises(OptionFaults) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.messages


def test_the_url_loses_its_final_slash_and_may_have_a_default() -> None:
    assert access.base_url(settings("cof", "http://127.0.0.1:8/pdns/")) == "http://127.0.0.1:8/pdns"
    assert access.base_url(settings("cof"), "https://pdns.example") == "https://pdns.example"


@pytest.mark.parametrize(
    "url",
    ["", "pdns.example", "ftp://a", "http://", "http://a:b/", "http://u:p@a/", "http://a/?k=1", "http://a/#x", "http://["],
)
def test_a_url_that_no_path_can_be_put_behind_is_a_fault_of_its_key(url: str) -> None:
    found = faults(access.base_url, settings("cof", url))
    assert list(found) == ["url"]
    assert "p@" not in found["url"]


def test_the_api_key_goes_into_its_header() -> None:
    found = access.key(settings("cof", api_key="s3cr3t"), "Authorization", "Bearer ")
    assert (found.header, found.value, found.origin) == ("Authorization", "Bearer s3cr3t", "environment API_KEY")


def test_a_lacking_api_key_is_a_fault_that_says_how_to_give_one() -> None:
    assert faults(access.key, settings("dnsdb"), "X-API-Key") == {
        "api_key_env": "api_key: provider 'dnsdb' needs one: set api_key_env or api_key_file"
    }


def test_a_key_that_no_header_carries_is_a_fault_of_the_line_where_it_stands() -> None:
    written = replace(settings("dnsdb", api_key="s3cr3té"), place=Place("feedsvc.toml", 3, {"api_key_file": 5}))
    found = faults(access.key, written, "X-API-Key")
    assert list(found) == ["api_key_file"]
    assert "s3cr3t" not in str(found)


def test_a_login_needs_both_halves_or_neither() -> None:
    assert access.login(settings("cof")) is None
    login = access.login(settings("cof", username="jane", password="pw"))
    assert isinstance(login, Credentials)
    assert login.value == "Basic amFuZTpwdw=="
    assert list(faults(access.login, settings("cof", username="jane"))) == ["username_env"]
    assert list(faults(access.login, settings("cof", password="pw"))) == ["password_env"]
    assert list(faults(access.login, settings("cof", username="j:d", password="pw"))) == ["username_env"]


def test_no_repr_shows_a_secret() -> None:
    given: SourceSettings = settings("cof", username="jane-doe", password="pa55w0rd", api_key="s3cr3t")
    shown = f"{given!r} {access.login(given)!r} {access.key(given, 'X-API-Key')!r}"
    assert not any(secret in shown for secret in ("jane-doe", "pa55w0rd", "s3cr3t", "amFuZS1kb2U6"))
