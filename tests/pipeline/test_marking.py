"""How far a name is passed on: as far as its rule says, and no further than the most open of those that saw it lets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedsvc.model import Status, Tlp
from feedsvc.publish.stix import marking_id
from tests.pipeline.playing import DAY, NAME, NOW, decide, feed, poll, seen, status, undo
from tests.site import Site
from tests.standins.cof import CofServer

GREEN, AMBER = 0, 1  # the collections


@pytest.fixture
def open_server() -> Iterator[CofServer]:
    """Another server, whose rows may be passed on to everybody."""
    with CofServer() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, server: CofServer, open_server: CofServer) -> Site:
    """A green rule, a source that is amber and one that is open, a green collection and an amber one; polled, and empty."""
    site = Site(tmp_path, pdns_url=server.url, rule={"netblocks": ["198.51.100.0/31"]}, source_options={"tlp": "amber"})
    site.extra = (
        f'[[source]]\nname = "open"\nkind = "pdns"\nprovider = "cof"\nurl = "{open_server.url}"\n'
        '[[collection]]\nalias = "amber"\nmax_tlp = "amber"\n'
    )
    site.write()
    poll(site)
    return site


def read(site: Site, collection: int) -> list[Tlp]:
    """The marking of every version of the one name in a collection, oldest first."""
    levels = {marking_id(level): level for level in Tlp}
    return [levels[one["object_marking_refs"][0]] for one in feed(site, collection)]


def explained(site: Site) -> Any:
    return site.json("explain", NAME)


def edit(site: Site, **keys: object) -> None:
    """Change the rule."""
    site.rule.update(keys)
    site.write()


def test_what_no_source_lets_out_further_reaches_no_green_reader_and_it_is_said_why(site: Site, server: CofServer) -> None:
    server.rows = [seen()]
    poll(site)
    assert status(site) is Status.PUBLISHED
    assert (read(site, GREEN), read(site, AMBER), site.listed()) == ([], [Tlp.AMBER], [])
    told = explained(site)
    assert (told["tlp"], told["collections"], told["exports"]) == ("amber", ["amber"], [])
    assert told["reason"].endswith(
        "; marked amber, not green as its rule has it: that is as far as pdns let it be passed on"
    )
    assert "marked amber, not green" in site.run("explain", NAME)


def test_a_more_open_source_opens_a_published_name_once(site: Site, server: CofServer, open_server: CofServer) -> None:
    server.rows = [seen()]
    poll(site)
    open_server.rows = [seen()]
    for _ in range(3):
        poll(site)
        assert (read(site, GREEN), read(site, AMBER)) == ([Tlp.GREEN], [Tlp.AMBER, Tlp.GREEN])
        assert site.listed() == [NAME]
    assert len({one["id"] for one in feed(site, AMBER)}) == 1
    told = explained(site)
    assert (told["tlp"], told["collections"]) == ("green", ["callbacks", "amber"])
    assert "marked" not in told["reason"]


def test_a_name_that_no_collection_took_is_published_when_it_is_opened(
    site: Site, server: CofServer, open_server: CofServer
) -> None:
    site.extra = site.extra.partition("[[collection]]")[0]
    site.write()
    server.rows = [seen()]
    poll(site)
    assert (status(site), read(site, GREEN)) == (Status.PUBLISHED, [])
    open_server.rows = [seen()]
    poll(site)
    poll(site)
    assert (read(site, GREEN), site.listed()) == ([Tlp.GREEN], [NAME])


def test_what_was_opened_stays_open_whoever_sees_it_next(site: Site, server: CofServer, open_server: CofServer) -> None:
    server.rows = open_server.rows = [seen()]
    poll(site)
    open_server.rows = []
    poll(site, NOW + DAY)
    assert (read(site, GREEN), site.listed()) == ([Tlp.GREEN], [NAME])
    assert explained(site)["tlp"] == "green"


def test_a_source_that_is_more_open_than_the_rule_opens_nothing(site: Site, open_server: CofServer) -> None:
    open_server.rows = [seen()]
    poll(site)
    assert read(site, GREEN) == [Tlp.GREEN]


@pytest.mark.parametrize("auto", [True, False], ids=["by the rule", "by a person"])
@pytest.mark.parametrize(("row", "marking"), [("open", Tlp.GREEN), ("amber", Tlp.AMBER)])
def test_a_rule_that_was_opened_while_a_name_waited_opens_it_as_far_as_its_evidence_goes(
    site: Site, server: CofServer, open_server: CofServer, row: str, marking: Tlp, auto: bool
) -> None:
    edit(site, publish="review", tlp="red")
    (open_server if row == "open" else server).rows = [seen()]
    poll(site)
    open_server.rows = server.rows = []
    edit(site, tlp="green", publish="auto" if auto else "review")
    if auto:
        poll(site)
    else:
        decide(site, "approve", NAME)
    assert (status(site), explained(site)["tlp"]) == (Status.PUBLISHED, str(marking))
    assert read(site, GREEN) == ([Tlp.GREEN] if marking is Tlp.GREEN else [])


def test_a_revocation_that_is_taken_back_opens_nothing(site: Site, server: CofServer) -> None:
    server.rows = [seen()]
    poll(site)
    number = decide(site, "revoke", NAME)
    undo(site, number)
    assert (status(site), read(site, GREEN), site.listed()) == (Status.PUBLISHED, [], [])


def test_a_rule_that_is_closed_marks_its_names_anew_where_they_may_still_go(site: Site, open_server: CofServer) -> None:
    open_server.rows = [seen()]
    poll(site)
    edit(site, tlp="amber")
    poll(site)
    assert explained(site)["tlp"] == "amber"
    assert (read(site, GREEN), read(site, AMBER)) == ([Tlp.GREEN], [Tlp.GREEN, Tlp.AMBER])
