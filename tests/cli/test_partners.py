"""Access: a token is shown once, and what it may read is what was said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, zeek=True).write()


def test_a_token_is_shown_once_and_kept_nowhere(site: Site) -> None:
    told = site.json("partner", "add", "acme", "--collection", "callbacks", "--max-tlp", "green")
    assert set(told) == {"name", "token", "collections"}
    rotated = site.json("partner", "rotate", "acme")
    assert rotated["token"] != told["token"]
    [listed] = site.json("partner", "list")
    assert (listed["name"], listed["collections"], listed["last_fetch"]) == ("acme", ["callbacks"], None)
    for file in (site.folder / "var").iterdir():
        if file.is_file():
            assert told["token"].encode() not in file.read_bytes()
            assert rotated["token"].encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a:b", "--collection", "callbacks", "--max-tlp", "green"], "login"),
        (["feedsvc-verify", "--collection", "callbacks", "--max-tlp", "green"], "verify"),
        (["acme", "--collection", "nosuch", "--max-tlp", "green"], "callbacks"),
        (["acme", "--collection", "callbacks", "--max-tlp", "pink"], "amber"),
        (["acme", "--collection", "callbacks", "--max-tlp", "green", "--export", "nosuch"], "hosts.txt"),
        (["acme", "--collection", "callbacks", "--max-tlp", "clear", "--export", "hosts.txt"], "raise --max-tlp"),
    ],
    ids=["login", "our own login", "collection", "marking", "export", "clearance"],
)
def test_what_is_not_there_is_refused_with_what_is(site: Site, arguments: list[str], said: str) -> None:
    assert said in site.fails("partner", "add", *arguments)
    assert site.json("partner", "list") == []


def test_a_removed_partner_is_gone_and_a_strange_one_is_named(site: Site) -> None:
    site.run("partner", "add", "acme", "--collection", "callbacks", "--max-tlp", "green")
    assert "acme" in site.fails("partner", "add", "acme", "--collection", "callbacks", "--max-tlp", "green")
    site.run("partner", "remove", "acme")
    assert site.json("partner", "list") == []
    for verb in ("remove", "rotate", "preview"):
        assert "'acme'" in site.fails("partner", verb, "acme")
        assert r"'\udcff\n'" in site.fails("partner", verb, "\udcff\n")


def test_a_partner_list_tells_the_time_as_status_does(site: Site) -> None:
    site.run("partner", "add", "acme", "--collection", "callbacks", "--max-tlp", "green")
    site.log.touch()
    site.poll()
    with site.parts() as parts, parts.history.transaction():
        parts.history.partners.fetched({"acme": datetime(2026, 11, 24, 9, 30, tzinfo=UTC)})
    for command in (("partner", "list"), ("status",)):
        assert "2026-11-24 09:30:00 UTC" in site.run(*command)
