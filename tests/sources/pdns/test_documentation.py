"""docs/providers.md and the manual pages say what is so."""

from __future__ import annotations

import dataclasses
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
from tests.sources.conftest import NOW, gather, settings
from tests.standins.cof import CofServer, row

PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text()
PROVIDERS = ["cof", "dnsdb"]


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_setting_of_a_provider_is_on_the_page_with_its_default(name: str) -> None:
    table = PAGE.partition(f"Further keys of `{name}`:")[2].partition("\n\n")[2].partition("\n\n")[0]
    written = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", table, re.MULTILINE))
    fields = dataclasses.fields(plugins.load("pdns", name).Options)
    assert written == {field.name: json.dumps(field.default).removesuffix(".0") for field in fields}


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_manual_page_answers_the_same_questions(name: str) -> None:
    manual = plugins.manual(plugins.load("pdns", name))
    for question in ("Netblocks ", "Time filter ", "First / last seen ", "Cap ", "Not found ", "/24 costs", "Attributes:"):
        assert question in manual


def test_the_example_provider_of_the_page_works(http: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    module = ModuleType("acme")
    monkeypatch.setitem(sys.modules, "acme", module)  # dataclasses look their module up
    exec(code[1], module.__dict__)
    with CofServer(header=("X-Key", "k")) as server:
        server.answers["198.51.100.7/32"] = json.dumps(row("k3xq.example.net", "198.51.100.7")).encode() + b"\n"
        provider = module.build(settings("acme", f"{server.url}/query", api_key="k"), module.Options(), http, lambda: NOW)
        heard = gather(PdnsSource("acme", provider).read([parse_netblock("198.51.100.7")], {}, NOW))
    assert heard.names == ["k3xq.example.net"]
    assert len(heard.cursors) == 1
