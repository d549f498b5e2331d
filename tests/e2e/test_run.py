"""The main job from end to end: real command line, real sockets, real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedsvc.history.port import FeedQuery
from feedsvc.pipeline.parts import Parts
from tests.site import ZEEK_HEADER, Site, ago, names, zeek_line
from tests.standins.cof import CofServer, row


@pytest.fixture
def site(tmp_path: Path, server: CofServer) -> Site:
    server.rows = [
        row("www.example.com.", "198.51.100.1", ago(days=500), ago(hours=1)),
        row("m2rt.example.org.", "198.51.100.7", ago(days=30), ago(hours=3)),
    ]
    return Site(tmp_path, pdns_url=server.url).write()


def second_day(server: CofServer) -> None:
    server.rows += [
        row("k3xq.example.net.", "198.51.100.7", ago(minutes=50), ago(minutes=5), count=4),
        row("p9wd.example.net.", "198.51.100.8", ago(minutes=40), ago(minutes=4)),
        row("static.example.com.", "198.51.100.1", ago(minutes=40), ago(minutes=4)),
        row("info.ro.", "198.51.100.9", ago(minutes=40), ago(minutes=4)),
    ]


def test_the_first_poll_is_the_baseline_and_the_second_brings_what_is_new(site: Site, server: CofServer) -> None:
    first = site.json("run")
    assert [source["outcome"] for source in first["sources"]] == ["complete"]
    assert first["added"] == first["published"] == []
    assert names(first["held"]) == ["m2rt.example.org"]
    assert site.listed() == []

    second_day(server)
    second = site.json("run")
    assert names(second["added"]) == ["info.ro", "k3xq.example.net", "p9wd.example.net"]
    assert names(second["published"]) == ["k3xq.example.net", "p9wd.example.net"]
    assert site.listed() == ["k3xq.example.net", "p9wd.example.net"]
    assert "k3xq CNAME ." not in (site.exports / "callbacks.rpz").read_text()
    assert "k3xq.example.net CNAME ." in (site.exports / "callbacks.rpz").read_text()


def test_the_same_input_again_finds_nothing_and_changes_no_byte(site: Site, server: CofServer) -> None:
    site.run("run")
    second_day(server)
    site.run("run")
    before = site.export_bytes()
    stamps = {path.name: path.stat().st_mtime_ns for path in site.exports.iterdir()}
    with site.parts() as parts:
        [collection] = parts.collections
        fed = list_feed(parts, collection.id)

    again = site.json("run")

    assert again["added"] == again["published"] == again["held"] == again["removed"] == []
    assert site.export_bytes() == before
    assert {path.name: path.stat().st_mtime_ns for path in site.exports.iterdir()} == stamps
    with site.parts() as parts:
        assert list_feed(parts, collection.id) == fed


def list_feed(parts: Parts, collection: str) -> list[tuple[int, str, str]]:
    page = parts.history.feed.objects(FeedQuery(collection, 4, 1000, versions=frozenset({"all"})))
    return [(found.date_added, found.id, found.version) for found in page.rows]


def test_a_zeek_log_brings_names_and_who_asked(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True).write()
    site.log.write_text(ZEEK_HEADER + zeek_line(ago(hours=30), "10.0.0.9", "www.example.com", "198.51.100.1"))
    site.run("run")
    with site.log.open("a") as log:
        log.write(zeek_line(ago(minutes=9), "10.0.2.41", "k3xq.example.net", "198.51.100.7"))
        log.write(zeek_line(ago(minutes=8), "10.0.2.41", "k3xq.example.net", "198.51.100.7"))
        log.write(zeek_line(ago(minutes=7), "10.0.3.7", "cdn.example.org", "q8zt.example.net", "198.51.100.8"))

    found = site.json("run")

    assert names(found["published"]) == ["k3xq.example.net", "q8zt.example.net"]
    [client] = site.json("explain", "K3XQ.example.net.")["clients"]
    assert (client["client"], client["count"]) == ("10.0.2.41", 2)
    assert "10.0.2.41" not in "".join(body.decode() for body in site.export_bytes().values())


def test_several_sources_make_one_finding_with_several_evidences(tmp_path: Path, server: CofServer) -> None:
    site = Site(tmp_path, pdns_url=server.url, zeek=True).write()
    site.log.write_text(ZEEK_HEADER)
    site.run("run")
    server.rows = [row("k3xq.example.net.", "198.51.100.7", ago(minutes=50), ago(minutes=5))]
    with site.log.open("a") as log:
        log.write(zeek_line(ago(minutes=9), "10.0.2.41", "k3xq.example.net", "198.51.100.8"))
    site.run("run")

    told = site.json("explain", "k3xq.example.net")

    assert told["sources"] == ["pdns", "zeek"]
    assert told["rdata"] == ["198.51.100.7", "198.51.100.8"]
    assert {one["source"] for one in told["evidence"]} == {"pdns", "zeek"}


@pytest.mark.parametrize(
    ("baseline", "published", "waiting"),
    [("hold", [], ["m2rt.example.org"]), ("publish", ["m2rt.example.org"], []), ("ignore", [], [])],
)
def test_the_rule_says_what_becomes_of_the_baseline(
    site: Site, baseline: str, published: list[str], waiting: list[str]
) -> None:
    site.rule = {"baseline": baseline}
    site.write()
    site.run("run")
    assert site.listed() == published
    assert names(site.json("review", "list")) == waiting


def test_review_waits_for_a_person_and_undo_takes_the_word_back(site: Site, server: CofServer) -> None:
    site.rule = {"publish": "review"}
    site.write()
    site.run("run")
    second_day(server)
    site.run("run")
    assert site.listed() == []
    assert names(site.json("review", "list")) == ["k3xq.example.net", "m2rt.example.org", "p9wd.example.net"]

    said = site.run("review", "approve", "k3xq.example.net", "p9wd.example.net", "--reason", "same kit")
    assert site.listed() == ["k3xq.example.net", "p9wd.example.net"]

    site.run("review", "revoke", "p9wd.example.net", "--reason", "sinkhole")
    assert site.listed() == ["k3xq.example.net"]
    number = said.splitlines()[0].rsplit(" ", 1)[1]
    site.run("review", "undo", number)
    assert site.listed() == []

    told = site.json("explain", "p9wd.example.net")
    assert told["status"] == "revoked"
    assert [one["verb"] for one in told["decisions"]] == ["find", "approve", "publish", "revoke"]
    assert told["exports"] == told["collections"] == []


def test_a_decision_that_cannot_be_taken_is_explained_and_changes_nothing(site: Site) -> None:
    site.run("run")
    site.run("review", "revoke", "m2rt.example.org", "--reason", "x", code=2)
    site.run("review", "approve", "nosuch.example.org", "m2rt.example.org", "--reason", "x", code=2)
    site.run("review", "approve", "m2rt.example.org", code=2)
    assert site.json("explain", "m2rt.example.org")["status"] == "baseline"


def test_a_poll_that_finds_too_many_names_is_held_as_a_whole(site: Site, server: CofServer) -> None:
    site.limits = {"findings_per_poll": 3}
    site.write()
    site.run("run")
    server.rows += [row(f"a{number:03d}.example.net.", "198.51.100.3", ago(hours=1), ago(minutes=1)) for number in range(4)]
    found = site.json("run")
    assert len(found["held"]) == 4
    assert found["published"] == []
    assert "findings_per_poll" in found["held"][0]["reason"]


def test_the_day_s_diff_tells_the_same_as_the_runs(site: Site, server: CofServer) -> None:
    site.run("run")
    second_day(server)
    site.run("run")
    told = site.json("diff")
    assert set(told) >= {"date", "sources", "added", "published", "held", "removed"}
    assert names(told["published"]) == ["k3xq.example.net", "p9wd.example.net"]
    assert site.json("diff", "2001-01-01")["added"] == []
    assert "k3xq.example.net" in site.run("diff", "--format", "md")
    assert "k3xq.example.net" in site.run("diff", "--format", "csv")
    assert json.loads(site.run("diff", "--format", "json"))["date"] == told["date"]


def test_status_names_each_source_with_its_outcome_and_next_run(site: Site) -> None:
    before = site.json("status", code=1) if (site.folder / "var").exists() else None
    assert before is None
    site.run("run")
    told = site.json("status")
    [source] = told["sources"]
    assert (source["name"], source["kind"], source["outcome"]) == ("pdns", "pdns", "complete")
    assert source["next_run"] > source["last_run"]
    assert [one["name"] for one in told["exports"]] == ["callbacks.rpz", "domains.txt", "hosts.txt"]


def test_a_run_for_one_rule_takes_no_name_from_another(site: Site, server: CofServer) -> None:
    other = {"id": "other", "title": "o", "netblocks": ["198.51.100.0/28", "203.0.113.0/30"], "publish": "auto"}
    (site.folder / "rules" / "other.yaml").write_text(json.dumps(other))
    site.run("run")
    asked = len(server.calls)
    second_day(server)

    shown = site.json("run", "--watch", "jar-callbacks")

    assert len(server.calls) - asked == 16
    assert {one["watch"] for one in shown["added"]} == {"jar-callbacks"}
    watches = {one["watch"] for one in site.json("explain", "k3xq.example.net")["findings"]}
    assert watches == {"jar-callbacks", "other"}
    assert site.json("run", "--watch", "other")["added"] == []
    assert "jar-callbacks, other" in site.fails("run", "--watch", "nosuch")
    assert "pdns" in site.fails("run", "--source", "nosuch")


def test_a_list_for_a_rule_that_is_not_there_is_a_fault(site: Site) -> None:
    site.extra = '[[export]]\nname = "x.txt"\nformat = "domains"\nwatches = ["jar-calbacks"]\n'
    site.write()
    assert "did you mean 'jar-callbacks'" in site.run("check", code=2)
    assert "jar-calbacks" in site.fails("run")
