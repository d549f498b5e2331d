"""What partners of different clearance get of one name that two rules found."""

from __future__ import annotations

import json

import pytest

from feedsvc.pipeline import granting
from tests.pipeline.playing import NAME, poll, seen
from tests.site import Site
from tests.standins.cof import CofServer


@pytest.fixture
def both(site: Site, server: CofServer) -> Site:
    """A name published by a green rule and by an amber one, in a collection that takes both."""
    amber = {"id": "amber-rule", "title": "a secret campaign", "netblocks": ["198.51.100.0/30"]}
    (site.folder / "rules" / "amber.yaml").write_text(json.dumps({**amber, "tlp": "amber", "publish": "auto"}))
    site.extra = '[[collection]]\nalias = "both"\nmax_tlp = "amber"\n'
    site.write()
    poll(site)
    server.rows = [seen()]
    poll(site)
    return site


def read_by(site: Site, max_tlp: str) -> list[str]:
    """The labels of what a partner so cleared would get."""
    with site.parts() as parts:
        granting.add(parts, max_tlp, ["both"], max_tlp, [])
        objects = [json.loads(body) for body in granting.preview(parts, max_tlp)]
    return sorted(one["labels"][0] for one in objects if one["type"] == "indicator" and not one.get("revoked"))


def test_a_green_partner_gets_the_green_rule_s_object_and_no_word_of_the_other(both: Site) -> None:
    assert read_by(both, "green") == ["jar-callbacks"]
    assert read_by(both, "amber") == ["amber-rule", "jar-callbacks"]
    assert read_by(both, "clear") == []
    with both.parts() as parts:
        assert not any(b"secret" in body for body in granting.preview(parts, "green"))


def test_a_name_that_one_rule_takes_back_stands_by_the_other(both: Site) -> None:
    with both.parts() as parts:
        watches = [one.watch for one in parts.history.findings.named(NAME)]
    assert watches == ["amber-rule", "jar-callbacks"]
    assert both.listed() == [NAME]
    assert "say which with --watch" in both.fails("review", "revoke", NAME, "--reason", "a sinkhole")
    both.run("review", "revoke", NAME, "--watch", "amber-rule", "--reason", "not that campaign")
    assert both.listed() == [NAME]
    assert read_by(both, "amber") == ["jar-callbacks"]
    both.run("review", "revoke", NAME, "--watch", "jar-callbacks", "--reason", "a sinkhole")
    assert both.listed() == []
    assert read_by(both, "red") == []
