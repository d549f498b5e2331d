"""What a person decides, followed to the feed and the lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedsvc import clock
from feedsvc.errors import UsageError
from feedsvc.model import Status
from feedsvc.pipeline import reading
from tests.pipeline.playing import DAY, NAME, NOW, decide, feed, poll, seen, status, undo
from tests.site import Site
from tests.standins.cof import CofServer


@pytest.fixture
def published(site: Site, server: CofServer) -> Site:
    """A site with one published name."""
    poll(site)
    server.rows = [seen()]
    poll(site)
    return site


def revoked(site: Site) -> list[bool]:
    """Of each version that went out, whether it said so."""
    return [one.get("revoked", False) for one in feed(site)]


def test_a_revoked_name_comes_back_under_a_new_id_however_often(published: Site) -> None:
    decide(published, "revoke", NAME)
    assert published.listed() == []
    decide(published, "approve", NAME)
    number = decide(published, "revoke", NAME)
    undo(published, number)
    assert revoked(published) == [False, True, False, True, False]
    assert len({one["id"] for one in feed(published)}) == 3
    assert published.listed() == [NAME]


def test_an_approval_after_a_revocation_can_be_taken_back(published: Site) -> None:
    decide(published, "revoke", NAME)
    number = decide(published, "approve", NAME)
    undo(published, number)
    assert revoked(published) == [False, True, False, True]
    assert status(published) is Status.REVOKED
    assert published.listed() == []
    with published.parts() as parts:
        day = reading.day(parts, "today", NOW - DAY, NOW + DAY)
    assert [one.name for one in day.removed] == [NAME]


def test_the_only_name_of_a_list_leaves_it_when_the_approval_of_a_baseline_is_undone(site: Site, server: CofServer) -> None:
    server.rows = [seen()]
    poll(site)
    number = decide(site, "approve", NAME)
    assert site.listed() == [NAME]
    change, exported = undo(site, number)
    assert (change.finding.status, exported.held) == (Status.BASELINE, ())
    assert site.listed() == []
    assert revoked(site) == [False, True]


def test_the_only_name_of_a_list_leaves_it_when_the_approval_of_an_expired_name_is_undone(
    published: Site, server: CofServer
) -> None:
    server.rows = []
    poll(published, NOW + 50 * DAY)
    assert status(published) is Status.EXPIRED
    later = NOW + 51 * DAY
    number = decide(published, "approve", NAME, moment=later)
    _, exported = undo(published, number, later)
    assert exported.held == ()
    assert published.listed() == []
    assert revoked(published)[-1]


def test_undoing_an_approval_that_has_expired_since_tells_readers_that_it_was_wrong(site: Site, server: CofServer) -> None:
    server.rows = [seen()]
    poll(site)
    number = decide(site, "approve", NAME)
    server.rows = []
    poll(site, NOW + 50 * DAY)
    assert status(site) is Status.EXPIRED
    undo(site, number, NOW + 51 * DAY)
    assert revoked(site)[-1]


def test_a_revocation_taken_back_after_the_validity_is_valid_from_then_on(published: Site) -> None:
    number = decide(published, "revoke", NAME)
    later = NOW + 60 * DAY
    undo(published, number, later)
    assert feed(published)[-1]["valid_until"] > clock.rfc3339(later)


def test_a_marking_that_was_raised_while_the_name_waited_holds_for_it(site: Site, server: CofServer) -> None:
    site.rule["publish"] = "review"
    site.write()
    poll(site)
    server.rows = [seen()]
    poll(site)
    site.rule["tlp"] = "red"
    site.write()
    decide(site, "approve", NAME)
    assert status(site) is Status.PUBLISHED
    assert feed(site) == []
    assert site.listed() == []


def test_nothing_is_decided_when_one_name_cannot_be(published: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no finding"):
        decide(published, "revoke", NAME, "nosuch.example.net")
    assert status(published) is Status.PUBLISHED
