"""What is built from settings, when several processes begin at once on a new state."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedsvc.assemble import building
from feedsvc.config import load
from feedsvc.history import open_history
from tests.site import Site

AT_ONCE = 8


def test_all_that_begin_at_once_give_a_new_collection_one_number(tmp_path: Path) -> None:
    loaded = load(Site(tmp_path, zeek=True).write().file, {})
    open_history(loaded.state).close()
    begin = threading.Barrier(AT_ONCE)

    def number() -> str:
        history = open_history(loaded.state)
        begin.wait()
        try:
            [collection] = building.collections(loaded, history, keep=True)
        finally:
            history.close()
        return collection.id

    with ThreadPoolExecutor(AT_ONCE) as pool:
        numbers = [pool.submit(number) for _ in range(AT_ONCE)]
    assert len({one.result() for one in numbers}) == 1


def accounts(folder: Path, provider: str, *urls: str, keys: Mapping[str, str]) -> int:
    """How many accounts sources with these URLs have."""
    given = [f'url = "{url}"' if url else "" for url in urls]
    secrets = "".join(f'{name.lower()}_env = "{name}"\n' for name in keys)
    sources = [
        f'[[source]]\nname = "s{number}"\nkind = "pdns"\nprovider = "{provider}"\n{url}\n{secrets}'
        for number, url in enumerate(given)
    ]
    billing = building.billing(load(Site(folder, extra="".join(sources)).write().file, keys))
    return len({one.key_digest for one in billing.values()})


@pytest.mark.parametrize(
    ("provider", "urls"),
    [
        (
            "cof",
            ["http://pdns.example", "http://pdns.example/", "https://PDNS.example:443/query", "https://pdns.example/query/"],
        ),
        ("virustotal", ["", "https://www.virustotal.com", "https://www.virustotal.com/api/v3/"]),
        ("dnsdb", ["", "https://api.dnsdb.info", "https://api.dnsdb.info/dnsdb/v2"]),
    ],
)
def test_a_key_has_one_account_however_the_url_is_spelt(tmp_path: Path, provider: str, urls: list[str]) -> None:
    assert accounts(tmp_path, provider, *urls, keys={"API_KEY": "s3cr3t-k3y"}) == 1


def test_places_that_differ_have_accounts_of_their_own(tmp_path: Path) -> None:
    urls = ["http://pdns.example", "http://pdns.example/other", "http://pdns.example:8400", "http://other.example"]
    assert accounts(tmp_path, "cof", *urls, keys={}) == 4


@pytest.mark.parametrize("form", ["zeek", "auto", "no-such"])
def test_a_format_that_comes_over_no_socket_is_refused_where_it_stands(tmp_path: Path, form: str) -> None:
    site = Site(tmp_path, extra=f'[[source]]\nname = "a"\nkind = "log"\nlisten = "tcp:6000"\nformat = "{form}"\n').write()
    (fault,) = building.faults(load(site.file, {}))
    assert site.file.read_text().splitlines()[fault.line - 1] == f'format = "{form}"'
    assert ("comes over no socket" in fault.message) == (form != "no-such")


def test_a_log_that_is_sent_is_kept_beside_the_state(tmp_path: Path) -> None:
    extra = '[[source]]\nname = "a"\nkind = "log"\nlisten = "tcp:127.0.0.1:0"\nformat = "dnstap"\n'
    loaded = load(Site(tmp_path, extra=extra).write().file, {})
    (listener,) = building.listeners(loaded)
    with listener.start():
        assert sorted(path.name for path in (tmp_path / "var" / "feedsvc.db-spool" / "a").iterdir()) == [
            "current",
            "lock",
            "status",
        ]
