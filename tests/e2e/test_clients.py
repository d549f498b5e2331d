"""Who asked is known inside and to nobody else: no client, host or program in anything that a partner can get (§6.8)."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from feedsvc.assemble.serving import http
from feedsvc.config import load
from tests.e2e.test_serve import serving, wait_for
from tests.site import ZEEK_HEADER, Site, ago, zeek_line
from tests.standins.cof import CofServer, row

NAME, CLAIMED = "k3xq.example.net", "p9zz.example.net"
IDENTITIES = ["10.99.88.77", "10.99.88.78", "2001:db8:c11e::77", "VICTIM-LAPTOP", "stealer.exe", "10.99.88.79"]
SYSMON = '[[source]]\nname = "endpoints"\nkind = "log"\nformat = "sysmon"\npath = "sysmon.json"\n'


def sysmon_line() -> str:
    values = {
        "EventID": 22,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": IDENTITIES[3],
        "UtcTime": f"{datetime.fromtimestamp(ago(minutes=9), UTC):%Y-%m-%d %H:%M:%S}.000",
        "QueryName": NAME,
        "QueryStatus": "0",
        "QueryResults": "::ffff:198.51.100.3;",
        "Image": rf"C:\Users\Public\{IDENTITIES[4]}",
    }
    return json.dumps(values) + "\n"


def zeek_connection(kind: str, client: str, address: str, name: str = "-") -> str:
    """A line of ssl.log or conn.log in JSON."""
    of_kind = {"server_name": name} if kind == "ssl" else {"conn_state": "SF"}
    ends = {"id.orig_h": client, "id.resp_h": address}
    return json.dumps({"_path": kind, "ts": ago(minutes=8), "uid": "C1", **ends, **of_kind}) + "\n"


@pytest.fixture
def site(tmp_path: Path, server: CofServer) -> Site:
    """A site whose baseline is complete, before its logs tell of clients of every kind."""
    site = Site(tmp_path, pdns_url=server.url, zeek=True, extra=SYSMON).write()
    site.log.write_text(ZEEK_HEADER + zeek_line(ago(hours=3), IDENTITIES[0], NAME))
    (tmp_path / "sysmon.json").write_text(sysmon_line().replace(NAME, "www.example.org"))
    site.poll()
    with site.log.open("a") as log:
        log.write(zeek_line(ago(minutes=20), IDENTITIES[1], NAME, "198.51.100.3"))
        log.write(zeek_line(ago(minutes=10), IDENTITIES[2], NAME))
        log.write(zeek_connection("ssl", IDENTITIES[1], "198.51.100.4", CLAIMED))
        log.write(zeek_connection("conn", IDENTITIES[5], "198.51.100.3"))
    with (tmp_path / "sysmon.json").open("a") as log:
        log.write(sysmon_line())
    return site


def read_by_a_partner(site: Site) -> Iterator[tuple[str, bytes]]:
    """All that a partner with every right can read, by its address; headers too."""
    arguments = ("partner", "add", "acme", "--collection", "callbacks", "--max-tlp", "red", "--export", "hosts.txt")
    token = site.json(*arguments, "--export", "callbacks.rpz")["token"]
    site.run("review", "approve", CLAIMED, "--reason", "looked at it")
    taxii = {"accept": "application/taxii+json;version=2.1"}
    with http(load(site.file, {})) as serving_it, httpx.Client(base_url=serving_it.url, auth=("acme", token)) as client:
        number = client.get("/taxii2/feeds/collections/", headers=taxii).json()["collections"][0]["id"]
        collection = f"/taxii2/feeds/collections/{number}"
        objects = client.get(f"{collection}/objects/?match[version]=all", headers=taxii).json()["objects"]
        versions = [f"{collection}/objects/{one['id']}/versions/" for one in objects]
        feed = ["/taxii2/", "/taxii2/feeds/", f"{collection}/", f"{collection}/manifest/", *versions]
        for path in [*feed, f"{collection}/objects/", f"{collection}/objects/?match[version]=all"]:
            yield path, _all_of(client.get(path, headers=taxii))
        lists = [f"/exports/{name}" for name in ("index.json", *site.export_bytes())]
        for path in [*lists, "/healthz", "/readyz", "/metrics", "/nothing"]:
            yield path, _all_of(client.get(path))


def _all_of(answer: httpx.Response) -> bytes:
    return repr(answer.headers.multi_items()).encode() + answer.content


def test_no_client_gets_out_by_any_output(site: Site) -> None:
    site.run("run")
    told = site.json("explain", NAME)
    inside = json.dumps(told["clients"] + site.json("explain", CLAIMED)["clients"])
    assert [one for one in IDENTITIES if one not in inside] == [], "all of them are known inside"
    outputs = dict(read_by_a_partner(site))
    assert NAME.encode() in outputs["/exports/domains.txt"]
    assert CLAIMED.encode() in outputs["/exports/domains.txt"]
    outputs |= site.export_bytes()
    outputs |= {f"diff {form}": site.run("diff", "--format", form).encode() for form in ("text", "md", "json", "csv")}
    outputs["verify"] = site.says("verify", "--json")[0].encode()
    leaked = {(where, one) for where, text in outputs.items() for one in IDENTITIES if one.lower().encode() in text.lower()}
    assert leaked == set()


def test_everything_known_of_clients_is_explained(site: Site) -> None:
    site.run("run")
    told = {(one["source"], one["client"]): one for one in site.json("explain", NAME)["clients"]}
    assert {key: (one["count"], one["kinds"]) for key, one in told.items()} == {
        ("zeek", IDENTITIES[0]): (1, ["dns"]),
        ("zeek", IDENTITIES[1]): (1, ["dns"]),
        ("zeek", IDENTITIES[2]): (1, ["dns"]),
        ("zeek", IDENTITIES[5]): (1, ["connection"]),
        ("endpoints", IDENTITIES[3]): (1, ["dns"]),
    }
    endpoint = told["endpoints", IDENTITIES[3]]
    assert endpoint["processes"] == [rf"C:\Users\Public\{IDENTITIES[4]}"]
    assert endpoint["logs"] == [str(site.folder / "sysmon.json")]
    assert rf"with C:\Users\Public\{IDENTITIES[4]}" in site.run("explain", NAME)


def test_yesterday_s_victims_show_up_while_it_serves(tmp_path: Path, server: CofServer) -> None:
    site = Site(tmp_path, pdns_url=server.url, zeek=True, source_options={"every": "1s"}).write()
    site.log.write_text(ZEEK_HEADER + zeek_line(ago(hours=20), IDENTITIES[0], NAME) * 3)
    site.poll()
    with serving(site):
        server.rows = [row(f"{NAME}.", "198.51.100.3", ago(minutes=2), ago(minutes=1))]

        def victims() -> list[tuple[str, int]]:
            return [(one["client"], one["count"]) for one in site.json("explain", NAME)["clients"]]

        wait_for("the victim to show up", lambda: victims() == [(IDENTITIES[0], 3)])
    assert site.json("status")["hunts"] == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_hunt_that_is_killed_at_any_moment_finds_every_client_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    site = Site(tmp_path, zeek=True, rule={"baseline": "publish"}).write()
    truth: Counter[str] = Counter()
    for number in range(12):
        clients = [f"10.{number}.0.{chance.randrange(9)}" for _ in range(50)]
        truth.update(clients)
        others = [
            zeek_line(ago(hours=30 - number), "10.1.1.1", f"h{place}.example.org", "203.0.113.1") for place in range(2000)
        ]
        asked = [zeek_line(ago(hours=30 - number), client, NAME) for client in clients]
        lines = [*others, *asked]
        chance.shuffle(lines)
        with gzip.open(tmp_path / f"dns.{number}.log.gz", "wt") as out:
            out.writelines([ZEEK_HEADER, *lines])
    site.poll()
    site.log.write_text(ZEEK_HEADER + zeek_line(ago(minutes=1), "10.9.9.9", NAME, "198.51.100.3"))
    truth["10.9.9.9"] += 1
    site.poll()
    for _ in range(4):
        with subprocess.Popen(site.command("hunt", NAME), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(chance.uniform(0.5, 2))
            except subprocess.TimeoutExpired:
                process.kill()
    site.run("hunt", NAME)
    assert {one["client"]: one["count"] for one in site.json("explain", NAME)["clients"]} == truth
    assert site.json("status")["hunts"] == []
