"""Questions: the promised shapes, days at the ends of the calendar, and rules that are gone but found something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.site import Site, ago
from tests.standins.cof import CofServer, row

FINDING = {
    *("name", "watch", "status", "novelty", "reason", "first_seen", "last_seen", "provider_first_seen"),
    *("netblock", "rdata", "sources", "confidence", "case"),
}
DELTA = {"sources", "added", "published", "held", "removed"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two names, one of them published; read by every test, changed by none."""
    with CofServer() as server:
        site = Site(tmp_path_factory.mktemp("site"), pdns_url=server.url, rule={"netblocks": ["198.51.100.0/31"]}).write()
        server.rows = [row("m2rt.example.org.", "198.51.100.1", ago(days=9), ago(hours=1))]
        site.poll()
        server.rows.append(row("k3xq.example.net.", "198.51.100.0", ago(minutes=9), ago(minutes=2)))
        site.poll()
    return site


def test_every_listing_has_the_promised_keys(site: Site) -> None:
    site.run("partner", "add", "acme", "--collection", "callbacks", "--max-tlp", "green")
    diff, status = site.json("diff"), site.json("status")
    assert set(diff) >= DELTA | {"date"}
    assert set(diff["sources"][0]) >= {"name", "outcome", "reason"}
    for finding in [*diff["added"], *diff["held"], *site.json("review", "list")]:
        assert set(finding) >= FINDING
    told = site.json("explain", "k3xq.example.net")
    assert set(told) >= FINDING | {"evidence", "decisions", "clients", "lists", "collections", "exports"}
    assert (told["collections"], told["exports"]) == (["callbacks"], ["domains.txt", "hosts.txt", "callbacks.rpz"])
    assert set(status["sources"][0]) >= {"name", "kind", "outcome", "reason", "last_run", "next_run", "cursor", "quota"}
    assert (len(status["exports"]), len(status["partners"])) == (3, 1)


@pytest.mark.parametrize("name", ["nosuch.example.net", "a..b", "info.ro"])
def test_a_name_that_no_rule_found_is_explained_in_the_same_shape(site: Site, name: str) -> None:
    told = site.json("explain", name)
    assert set(told) >= FINDING | {"evidence", "decisions", "clients", "lists", "collections", "exports"}
    assert (told["name"], told["status"], told["findings"]) == (name, None, [])
    assert told["reason"]


@pytest.mark.parametrize("day", ["9999-12-31", "tomorrow", "2026-02-30", ""])
def test_what_is_no_day_is_said_so(site: Site, day: str) -> None:
    assert "YYYY-MM-DD" in site.fails("diff", day)


def test_a_rule_that_is_gone_can_still_be_asked_about(site: Site, tmp_path: Path) -> None:
    rule = site.folder / "rules" / "jar.yaml"
    before = rule.read_text()
    rule.write_text(json.dumps({"id": "another", "title": "t", "netblocks": ["203.0.113.0/31"]}))
    try:
        assert [one["name"] for one in site.json("review", "list", "--watch", "jar-callbacks")] == ["m2rt.example.org"]
        assert [one["name"] for one in site.json("diff", "--watch", "jar-callbacks")["published"]] == ["k3xq.example.net"]
        assert "another, jar-callbacks" in site.fails("explain", "k3xq.example.net", "--watch", "nosuch")
    finally:
        rule.write_text(before)


def test_times_of_zone_files_are_told_apart_from_those_of_sensors(tmp_path: Path) -> None:
    zoned = {"zone_time_first": 1_600_000_000, "zone_time_last": 1_600_000_600}
    sensed = {"time_first": 1_700_000_000, "time_last": 1_700_000_600}
    with CofServer() as server:
        site = Site(tmp_path, pdns_url=server.url, rule={"netblocks": ["198.51.100.0/31"]}).write()
        server.rows = [
            {"rrname": "zones.example.net", "rrtype": "A", "rdata": "198.51.100.1", **zoned},
            {"rrname": "both.example.net", "rrtype": "A", "rdata": "198.51.100.1", **sensed},
            {"rrname": "both.example.net", "rrtype": "A", "rdata": "198.51.100.1", **zoned},
        ]
        site.poll()
    first, last = "2020-09-13T12:26:40.000Z", "2020-09-13T12:36:40.000Z"
    [zones] = site.json("explain", "zones.example.net")["evidence"]
    assert (zones["time_first"], zones["time_last"]) == (None, None)
    assert (zones["zone_time_first"], zones["zone_time_last"]) == (first, last)
    [both] = site.json("explain", "both.example.net")["evidence"]
    assert (both["time_first"], both["time_last"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:23:20.000Z")
    assert (both["zone_time_first"], both["zone_time_last"]) == (first, last)
    assert "by pdns, in zone files 2020-09-13 12:26" in site.run("explain", "zones.example.net")
    assert "by pdns, 2023-11-14 22:13" in site.run("explain", "both.example.net")
    assert ", in zone files 2020-09-13 12:26" in site.run("explain", "both.example.net")


def test_status_tells_under_a_source_what_was_not_taken_as_it_came(tmp_path: Path) -> None:
    with CofServer() as server:
        site = Site(tmp_path, pdns_url=server.url, rule={"netblocks": ["198.51.100.0/31"]}).write()
        server.rows = [row("m2rt.example.org.", "198.51.100.1", ago(days=9), ago(days=-9))]
        site.poll()
    told = site.run("status")
    assert ": 1 x time in the future, taken as now, for example " in told
    assert "could not use" not in told
