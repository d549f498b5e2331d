"""docs/providers.md and the manual pages say what is so."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from feedsvc import plugins
from feedsvc.http import Client
from feedsvc.names import parse_netblock
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll
from tests.sources.conftest import NOW, settings
from tests.sources.pdns.asking import built, poll
from tests.standins.cof import CofServer, row

PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text()
PROVIDERS = plugins.names("pdns")


def test_the_page_has_a_row_for_every_provider() -> None:
    assert sorted(re.findall(r"^\| `([a-z0-9]+)` \| an? ", PAGE, re.MULTILINE)) == PROVIDERS


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_manual_page_answers_the_same_questions(name: str) -> None:
    manual = plugins.manual(plugins.load("pdns", name))
    for question in (
        "Netblocks ", "Time filter ", "First / last seen ", "Cap ", "Cost of a /24 ", "Passing on ", "Not found ", "Quotas ",
    ):  # fmt: skip
        assert f"    {question}" in manual


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_a_manual_page_says_of_a_slash_24_is_what_a_dry_run_counts(name: str) -> None:
    module = plugins.load("pdns", name)
    secrets = {"api_key": "k"} if name not in {"circl", "spamhaus", "umbrella", "mdti", "cof", "robtex"} else {}
    if name in {"circl", "spamhaus", "umbrella", "mdti"}:
        secrets = {"username": "u", "password": "p"}
    options = {"tenant": "t"} if name == "mdti" else {}
    provider = built(name, "https://pdns.example" if name == "cof" else "", secrets, options)
    source = PdnsSource(name, provider, Client(), lambda: NOW)
    planned = source.plan(Poll([parse_netblock("198.51.100.0/24")], {}, NOW))
    cost = len(list(source.calls(planned)))
    [said] = re.findall(r"^    Cost of a /24 +(.*?)\n    \w", plugins.manual(module), re.MULTILINE | re.DOTALL)
    assert ("256" if cost == 256 else "one") in said


def test_the_example_provider_of_the_page_works(http: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    module = ModuleType("acme")
    monkeypatch.setitem(sys.modules, "acme", module)  # dataclasses look their module up
    exec(code[1], module.__dict__)
    with CofServer(header=("X-Key", "k")) as server:
        server.answers["198.51.100.7/32"] = json.dumps(row("k3xq.example.net", "198.51.100.7")).encode() + b"\n"
        provider = module.build(settings("acme", f"{server.url}/query", api_key="k"), module.Options(), lambda: NOW)
        heard = poll(http, provider, [parse_netblock("198.51.100.7")])
    assert heard.names == ["k3xq.example.net"]
    assert [cursor.scope for cursor in heard.cursors if cursor.position] == ["198.51.100.7/32"]
