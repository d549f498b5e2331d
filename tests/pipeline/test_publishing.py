"""What goes into collections: everything that they take, whenever they were configured, and nothing that stops the rest."""

from __future__ import annotations

import dataclasses
import json

import pytest

from feedsvc.judge import policy
from feedsvc.model import Status
from feedsvc.pipeline import publishing, reviewing
from tests.pipeline.playing import DAY, NAME, NOW, decide, feed, poll, seen, status
from tests.site import Site
from tests.standins.cof import CofServer

OTHER = "p9wd.example.net"
AMBER = '[[collection]]\nalias = "amber"\nmax_tlp = "amber"\n'


def collections(site: Site, text: str) -> None:
    """Put collections behind the first."""
    site.extra = text
    site.write()


def test_a_collection_that_is_added_later_gets_what_no_other_took(site: Site, server: CofServer) -> None:
    site.rule["tlp"] = "amber"
    site.write()
    poll(site)
    server.rows = [seen()]
    poll(site)
    assert feed(site) == []
    collections(site, AMBER)
    poll(site)
    poll(site)
    assert [one["name"] for one in feed(site, 1)] == [NAME]
    assert feed(site) == []


def test_what_a_process_with_older_settings_published_meanwhile_is_caught_up_with(site: Site, server: CofServer) -> None:
    poll(site)
    collections(site, AMBER)
    poll(site)
    collections(site, "")
    server.rows = [seen()]
    poll(site)
    collections(site, AMBER)
    poll(site)
    assert [one["name"] for one in feed(site, 1)] == [NAME]


def test_a_revocation_reaches_a_collection_that_takes_the_rule_no_more(site: Site, server: CofServer) -> None:
    (site.folder / "rules" / "other.yaml").write_text(
        json.dumps({"id": "other", "title": "o", "netblocks": ["203.0.113.0/31"]})
    )
    collections(site, '[[collection]]\nalias = "second"\n')
    server.rows = []
    poll(site)
    server.rows = [seen()]
    poll(site)
    collections(site, '[[collection]]\nalias = "second"\nwatches = ["other"]\n')
    decide(site, "revoke", NAME)
    assert [one.get("revoked", False) for one in feed(site, 1)] == [False, True]


def test_a_name_that_cannot_be_published_is_held_and_stops_no_other(site: Site, server: CofServer) -> None:
    site.rule["publish"] = "review"
    site.write()
    poll(site)
    server.rows = [seen(), seen(OTHER)]
    poll(site)
    with site.parts() as parts, parts.history.transaction():
        # As after an approval by a clock that has since stepped back by more than a year.
        [finding] = parts.history.findings.named(NAME)
        broken = dataclasses.replace(finding, status=Status.APPROVED, first_seen=NOW + 400 * DAY)
        parts.history.findings.apply([policy.change(finding, broken, verb="approve", actor="ana", reason="r", now=NOW)])
    decide(site, "approve", OTHER)
    assert site.listed() == [OTHER]
    assert status(site) is Status.HELD
    with site.parts() as parts:
        [finding] = parts.history.findings.named(NAME)
    assert finding.reason.startswith("cannot be published: ")


@pytest.mark.parametrize("days", [10, 30])
def test_readers_get_a_new_version_when_half_of_the_validity_is_used(site: Site, server: CofServer, days: int) -> None:
    first = NOW - days * DAY
    poll(site, first - 2 * DAY)
    server.rows = [dict(seen(), time_first=int((first - DAY).timestamp()), time_last=int(first.timestamp()))]
    poll(site, first)
    assert len(feed(site)) == 1
    server.rows = [dict(server.rows[0], time_last=int(NOW.timestamp()) - 60)]
    poll(site)
    until = [one["valid_until"] for one in feed(site)]
    assert len(until) == (2 if days == 30 else 1)
    assert until == sorted(until)


@pytest.mark.parametrize("revoked", [False, True], ids=["published", "published and revoked"])
def test_what_another_process_published_meanwhile_is_not_published_twice(
    site: Site, server: CofServer, revoked: bool
) -> None:
    site.rule["publish"] = "review"
    site.write()
    poll(site)
    server.rows = [seen()]
    poll(site)
    with site.parts() as parts:
        reviewing.decide(parts, "approve", [NAME], None, actor="ana", reason="looked at it")

        def meanwhile(doing: str) -> None:
            if doing.startswith("publishing"):
                poll(site)
                if revoked:
                    decide(site, "revoke", NAME)

        publishing.publish_approved(dataclasses.replace(parts, progress=meanwhile))
    assert [one.get("revoked", False) for one in feed(site)] == ([False, True] if revoked else [False])
    assert status(site) is (Status.REVOKED if revoked else Status.PUBLISHED)
