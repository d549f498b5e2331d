"""Whatever a provider is asked, be it for names, for its quotas or for a token, has an end in time and in bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from feedsvc import plugins
from feedsvc.http import Login, Request
from feedsvc.names import parse_netblock
from feedsvc.sources.port import Front, Fronting, Provider, Question, Telling
from tests.sources.pdns.room import provider

MEBIBYTE = 1 << 20


def requests(asked: Provider) -> Iterator[tuple[str, Request]]:
    """Everything that a provider may be asked, and what for."""
    for netblock in ("198.51.100.0/24", "198.51.100.7", "2001:db8::7"):
        yield "names", asked.request(Question(parse_netblock(netblock)))
    if isinstance(asked, Fronting) and asked.traits.fronts:
        yield "names", asked.front_request(Front("k3xq.example.net", ("198.51.100.7",)))
    if isinstance(asked, Telling):
        yield "quotas", asked.quota_request()
    login = asked.request(Question(parse_netblock("198.51.100.7"))).credentials
    if isinstance(login, Login):
        yield "a token", login.request


@pytest.mark.parametrize(("name", "api"), [*((name, "") for name in plugins.names("pdns")), ("spamhaus", "v2")])
def test_every_answer_is_bounded(name: str, api: str) -> None:
    for what, request in requests(provider(name, **({"api": api} if api else {}))):
        most = 64 * MEBIBYTE if what == "names" else MEBIBYTE // 16
        assert request.max_bytes is not None, what
        assert 0 < request.max_bytes <= most, what
        assert request.deadline is not None, what
        assert 0 < request.deadline <= 120, what
