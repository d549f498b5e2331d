"""What partners get: every object once at every page size, accepted by the validators that others wrote."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stix2patterns.validator import run_validator
from stix2validator import ValidationOptions, validate_string
from taxii2client.v21 import Server, as_pages

from feedsvc.assemble.serving import http
from feedsvc.assemble.verifying import verifier
from feedsvc.config import load
from feedsvc.taxii.verifying import verify
from tests.site import Site, ago
from tests.standins.cof import CofServer, row
from tests.tools import need_tool

NAMES = [f"{letter}{number:02d}x.example.net" for letter in "abc" for number in range(10)]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A site with thirty published names, one of them revoked, and the address where it is served."""
    with CofServer() as server:
        site = Site(tmp_path_factory.mktemp("feed"), pdns_url=server.url).write()
        site.poll()
        server.rows = [row(f"{name}.", "198.51.100.3", ago(hours=2), ago(minutes=2)) for name in NAMES]
        site.poll()
        site.run("review", "revoke", NAMES[0], "--reason", "a sinkhole")
    with http(load(site.file, {})) as serving:
        yield site, serving.url


@pytest.fixture(scope="module")
def token(published: tuple[Site, str]) -> str:
    site, _ = published
    arguments = ("partner", "add", "acme", "--collection", "callbacks", "--max-tlp", "green", "--export", "hosts.txt")
    return str(site.json(*arguments)["token"])


def objects(published: tuple[Site, str], token: str, per_request: int) -> list[dict[str, Any]]:
    _, url = published
    [root] = Server(f"{url}/taxii2/", user="acme", password=token).api_roots
    [collection] = root.collections
    pages = as_pages(collection.get_objects, per_request=per_request, version="all")
    return [one for page in pages for one in page.get("objects", [])]


@pytest.mark.parametrize("per_request", [1, 2, 7, 1000])
def test_taxii2_client_gets_each_object_once(published: tuple[Site, str], token: str, per_request: int) -> None:
    got = objects(published, token, per_request)
    versions = [(one["id"], one.get("modified", one["created"])) for one in got]
    assert len(versions) == len(set(versions))
    assert [one["type"] for one in got[:2]] == ["identity", "marking-definition"]
    patterns = [one["pattern"] for one in got if one["type"] == "indicator"]
    assert sorted(patterns) == sorted(f"[domain-name:value = '{name}']" for name in [*NAMES, NAMES[0]])
    assert [one["name"] for one in got if one.get("revoked")] == [NAMES[0]]


def test_validators_accept_every_object(published: tuple[Site, str], token: str) -> None:
    options = ValidationOptions(disabled="103", version="2.1", silent=True)
    for one in objects(published, token, 1000):
        assert validate_string(json.dumps(one), options).is_valid, one
        if one["type"] == "indicator":
            assert run_validator(one["pattern"], stix_version="2.1") == []


def test_named_accepts_the_zone(published: tuple[Site, str]) -> None:
    checker = need_tool("named-checkzone", "bind9-utils")
    site, _ = published
    checked = [checker, "-i", "local", "rpz.feed", str(site.exports / "callbacks.rpz")]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "ignoring" not in done.stdout


def test_a_revoked_name_is_on_no_list(published: tuple[Site, str]) -> None:
    site, _ = published
    for name, body in site.export_bytes().items():
        assert NAMES[0].encode() not in body, name
        assert NAMES[1].encode() in body or name == "index.json"


def test_verify_finds_the_feed_as_history_has_it(published: tuple[Site, str]) -> None:
    site, url = published
    at = site.folder / "served.toml"
    at.write_text(site.file.read_text().replace("127.0.0.1:0", url.removeprefix("http://")), encoding="utf-8")
    told = json.loads(
        subprocess.run(
            [*site.command()[:-1], str(at), "verify", "--json"], capture_output=True, check=True, text=True
        ).stdout
    )
    assert told["clean"]
    assert {one["where"]: one["count"] for one in told["read"]}["collection callbacks"] == len(NAMES) + 3


@pytest.fixture
def served(tmp_path: Path, server: CofServer) -> Iterator[tuple[Site, str]]:
    """A site of one's own with two published names, and the address where it is served."""
    site = Site(tmp_path, pdns_url=server.url, rule={"netblocks": ["198.51.100.2/31"]}).write()
    site.poll()
    server.rows = [row(f"{name}.", "198.51.100.3", ago(hours=2), ago(minutes=2)) for name in NAMES[:2]]
    site.poll()
    with http(load(site.file, {})) as serving:
        yield site, serving.url


def test_verify_is_not_misled_by_what_is_published_while_it_reads(served: tuple[Site, str]) -> None:
    site, url = served
    names = iter(NAMES)
    revoked: list[str] = []

    def meanwhile(doing: str) -> None:
        if doing in {"reading collection callbacks", "reading export hosts.txt"}:
            revoked.append(next(names))
            site.run("review", "revoke", revoked[-1], "--reason", "a sinkhole")

    with verifier(load(site.file, {}), url, meanwhile) as ready:
        report = verify(ready)
    assert revoked == NAMES[:2]
    assert report.differences == ()


def test_verify_names_a_list_that_is_not_what_was_written(served: tuple[Site, str]) -> None:
    site, url = served
    (site.exports / "hosts.txt").write_text("0.0.0.0 bank.example.com\n")
    with verifier(load(site.file, {}), url) as ready:
        report = verify(ready)
    assert [(one.where, one.what) for one in report.differences] == [("export hosts.txt", "changed")]
    assert "NOT what history has" in report.as_text()


def test_verify_says_when_nothing_is_served(tmp_path: Path, server: CofServer) -> None:
    site = Site(tmp_path, pdns_url=server.url).write()
    site.poll()
    site.file.write_text(site.file.read_text().replace("127.0.0.1:0", "127.0.0.1:9"), encoding="utf-8")
    assert "is `feedsvc serve` running?" in site.run("verify", code=1)


def test_a_partner_preview_is_what_the_partner_gets(published: tuple[Site, str], token: str) -> None:
    site, _ = published
    lines = site.run("partner", "preview", "acme").splitlines()
    current = [one for one in objects(published, token, 1000) if one.get("name") != NAMES[0] or one.get("revoked")]
    assert [json.loads(line) for line in lines] == current
