"""A run as a whole, when something around it goes wrong: what was done is told, and what was not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from feedsvc import pipeline
from feedsvc.config import load
from feedsvc.model import Outcome
from feedsvc.pipeline import exporting, standing
from feedsvc.pipeline.standing import Stand
from tests.pipeline.playing import DAY, NAME, NOW, poll, seen
from tests.site import Site
from tests.standins import faults
from tests.standins.cof import CofServer, row


def stand(site: Site) -> Stand:
    """How everything stands."""
    with site.parts() as parts:
        return standing.stand(parts, load(site.file, {}).sources)


def test_a_run_that_is_asked_to_end_says_which_sources_it_left_out(tmp_path: Path, server: CofServer) -> None:
    site = Site(tmp_path, pdns_url=server.url, zeek=True).write()
    with site.parts() as parts:
        parts.stop.set()
        result = pipeline.run(parts, parts.sources)
    assert [(one.name, one.outcome) for one in result.delta.sources] == [
        ("pdns", Outcome.SKIPPED),
        ("zeek", Outcome.SKIPPED),
    ]
    assert not result.clean


def test_lists_that_cannot_be_written_are_held_and_the_run_is_told_all_the_same(site: Site, server: CofServer) -> None:
    poll(site)
    shutil.rmtree(site.exports)
    site.exports.write_text("a file where the folder should be")
    server.rows = [seen()]
    result = poll(site)
    assert [one.name for one in result.delta.published] == [NAME]
    assert [name for name, _ in result.exported.held] == ["domains.txt", "hosts.txt", "callbacks.rpz"]
    assert not result.clean
    told = stand(site)
    assert not told.clean
    assert all("exports folder" in one.held for one in told.exports)

    site.exports.unlink()
    assert poll(site).clean
    assert stand(site).clean
    assert site.listed() == [NAME]


class TestUpkeep:
    """A process that runs again and again leaves the lists alone while nothing is new."""

    def test_they_are_written_first_then_once_in_a_while_and_whenever_something_is_new(
        self, site: Site, server: CofServer
    ) -> None:
        moment = 1000.0
        upkeep = exporting.Upkeep(lambda: moment)

        def is_written() -> bool:
            """Whether a run brings back a list that was removed."""
            (site.exports / "domains.txt").unlink(missing_ok=True)
            with site.parts() as parts:
                pipeline.run(parts, parts.sources, upkeep=upkeep)
            return (site.exports / "domains.txt").exists()

        assert is_written()
        assert not is_written()
        server.rows = [seen()]
        assert is_written()
        assert site.listed() == [NAME]
        moment += exporting.EVERY - 1
        assert not is_written()
        moment += 1
        assert is_written()
        assert not is_written()

    def test_a_list_that_is_held_is_looked_after_each_time(self, site: Site) -> None:
        upkeep = exporting.Upkeep(lambda: 1000.0)
        site.exports.write_text("a file where the folder should be")
        with site.parts() as parts:
            assert pipeline.run(parts, parts.sources, upkeep=upkeep).exported.held
        site.exports.unlink()
        with site.parts() as parts:
            assert not pipeline.run(parts, parts.sources, upkeep=upkeep).exported.held
        assert (site.exports / "domains.txt").exists()

    def test_after_a_run_that_broke_they_are_looked_after(self, site: Site) -> None:
        class Broken:
            name, kind = "pdns", "pdns"

            def read(self, poll: object) -> NoReturn:
                raise KeyboardInterrupt

        upkeep = exporting.Upkeep(lambda: 1000.0)
        with site.parts() as parts:
            pipeline.run(parts, parts.sources, upkeep=upkeep)
            assert not upkeep.is_due()
            with pytest.raises(KeyboardInterrupt):
                pipeline.run(parts, [Broken()], upkeep=upkeep)
        assert upkeep.is_due()


def test_a_list_that_was_never_written_is_told_as_such(site: Site) -> None:
    poll(site)
    site.extra = '[[export]]\nname = "new.txt"\nformat = "domains"\n'
    site.write()
    assert {one.name: bool(one.held) for one in stand(site).exports} == {
        "callbacks.rpz": False,
        "domains.txt": False,
        "hosts.txt": False,
        "new.txt": True,
    }
    with site.parts() as parts:
        exporting.write(parts)
    assert stand(site).clean


def test_lists_that_somebody_else_keeps_writing_are_held(site: Site) -> None:
    poll(site)
    with site.parts() as parts, site.parts() as others, others.history.runs.claim("exports"):
        exported = exporting.write(parts, patience=0)
    assert [name for name, _ in exported.held] == ["domains.txt", "hosts.txt", "callbacks.rpz"]
    assert exported.changed == ()


def test_a_wait_that_a_wrong_clock_wrote_down_does_not_silence_a_source(site: Site, server: CofServer) -> None:
    server.fault = faults.too_many("3600")
    poll(site, NOW + 3000 * DAY)
    server.fault = None
    # The wait goes back with the clock: an hour is an hour.
    assert [one.outcome for one in poll(site).delta.sources] == [Outcome.SKIPPED]
    assert [one.outcome for one in poll(site, NOW + DAY / 12).delta.sources] == [Outcome.COMPLETE]


def test_a_rule_that_asks_for_other_names_has_a_new_baseline(site: Site, server: CofServer) -> None:
    poll(site, NOW - 20 * DAY)
    began = int((NOW - 10 * DAY).timestamp())
    server.rows = [row("shop-of-somebody.example.org.", "198.51.100.1", began, began + 60)]
    poll(site, NOW - 9 * DAY)
    site.rule["names"] = {"label": {"length": {"min": 3}}}
    site.write()
    delta = poll(site).delta
    assert delta.published == ()
    assert [str(one.status) for one in delta.held] == ["baseline"]


def test_a_source_that_joins_later_brings_history_and_news(site: Site, tmp_path: Path, server: CofServer) -> None:
    site.pdns_url, site.zeek = "", True
    site.write()
    site.log.write_text("")
    poll(site, NOW - DAY)
    old = int((NOW - 9 * DAY).timestamp())
    server.rows = [seen(), row("a000.example.net.", "198.51.100.1", old, old + 60)]
    site.pdns_url = server.url
    site.write()
    delta = poll(site).delta
    assert [one.name for one in delta.published] == [NAME]
    assert [(one.name, str(one.status)) for one in delta.held] == [("a000.example.net", "baseline")]
