"""The end of a poll: too much is held as a whole, and only what every source would see by now expires."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from feedsvc import pipeline
from feedsvc.model import Batch, Delta, End, Novelty, Observation, Outcome, Status
from feedsvc.pipeline.polling import Turn
from feedsvc.sources.port import Poll
from tests.pipeline.playing import DAY, NAME, NOW, decide, feed, parts_at, poll, seen, status
from tests.site import Site, ago
from tests.standins import faults
from tests.standins.cof import CofServer, row

TWO_NETBLOCKS = ["198.51.100.0/31", "198.51.100.2/31"]
FOUR = [f"a{number:03d}.example.net" for number in range(4)]


class Partly:
    """A source by the name of another that answers about the first netblock alone."""

    name = "pdns"
    kind = "pdns"

    def read(self, asked: Poll) -> Iterator[Batch]:
        yield Batch(scope=(asked.netblocks[0],), end=End(Outcome.COMPLETE))


def limited(site: Site, server: CofServer) -> None:
    """The baseline is complete, and three names are the most that a poll may find."""
    site.limits = {"findings_per_poll": 3}
    site.write()
    poll(site)
    server.rows = [seen(name) for name in FOUR]


def test_names_of_several_netblocks_are_counted_together(site: Site, server: CofServer) -> None:
    site.rule = {"netblocks": TWO_NETBLOCKS}
    limited(site, server)
    server.rows = [seen(name, f"198.51.100.{number}") for number, name in enumerate(FOUR)]
    delta = poll(site).delta
    assert [one.name for one in delta.held] == FOUR
    assert delta.published == ()


def test_a_clock_that_stepped_back_lets_no_flood_through(site: Site, server: CofServer) -> None:
    limited(site, server)
    flood, server.rows = server.rows, [seen()]
    assert [one.name for one in poll(site).delta.published] == [NAME]
    server.rows = [*server.rows, *(dict(one, time_first=ago(days=2), time_last=ago(days=2)) for one in flood)]
    delta = poll(site, NOW - DAY).delta
    assert [one.name for one in delta.held] == FOUR
    assert delta.published == ()


def test_another_source_does_not_settle_what_a_poll_has_still_to_count(tmp_path: Path, server: CofServer) -> None:
    site = Site(tmp_path, pdns_url=server.url, zeek=True)
    site.log.write_text("")
    limited(site, server)
    with site.parts() as parts:
        pdns, zeek = parts.sources

        class Interrupted(Partly):
            def read(self, asked: Poll) -> Iterator[Batch]:
                for batch in pdns.read(asked):
                    yield batch
                    pipeline.polling.poll(parts, zeek)
                    pipeline.release(parts)

        pipeline.run(parts, [Interrupted()])
    assert {status(site, name) for name in FOUR} == {Status.HELD}


def seen_then(name: str) -> Mapping[str, object]:
    """A row about a name that was last seen two months ago."""
    return row(f"{name}.", "198.51.100.1", ago(days=61), ago(days=60))


def test_names_that_come_back_are_counted_with_the_new_ones(site: Site, server: CofServer) -> None:
    site.limits = {"findings_per_poll": 3}
    site.write()
    poll(site, NOW - 70 * DAY)
    for number, name in enumerate(FOUR):
        server.rows = [seen_then(name)]
        poll(site, NOW - (59 - number) * DAY)
    poll(site, NOW - DAY)
    assert {status(site, name) for name in FOUR} == {Status.EXPIRED}
    server.rows = [seen(name) for name in FOUR]
    assert [one.name for one in poll(site).delta.held] == FOUR


class Spread:
    """A source by the name of another that finds some names in each run and is not through before the last."""

    name = "pdns"
    kind = "pdns"

    def __init__(self, names: list[str], *, last: bool) -> None:
        self._names = names
        self._end = End(Outcome.COMPLETE if last else Outcome.PARTIAL, "" if last else "the quota is spent")

    def read(self, asked: Poll) -> Iterator[Batch]:
        found = tuple(Observation(name, "A", "198.51.100.1", ago(minutes=50), ago(minutes=2)) for name in self._names)
        yield Batch(observations=found, scope=tuple(asked.netblocks), end=self._end)


def spread(site: Site, *runs: list[str], moments: list[datetime] | None = None) -> list[Delta]:
    """A poll in several runs, of which the last comes to its end."""
    told = []
    for number, names in enumerate(runs):
        with parts_at(site, moments[number] if moments else None) as parts:
            source = Spread(names, last=number == len(runs) - 1)
            told.append(pipeline.run(dataclasses.replace(parts, sources=(source,)), [source]).delta)
    return told


def test_a_poll_that_a_quota_spreads_over_several_runs_is_counted_as_one(site: Site, server: CofServer) -> None:
    limited(site, server)
    first, second, last = spread(site, FOUR[:2], FOUR[2:], ["b000.example.net"])
    assert [one.name for one in first.published] == FOUR[:2]
    assert [one.name for one in second.held] == FOUR[2:]
    assert "found 4 new names" in second.held[0].reason
    assert [one.name for one in last.held] == ["b000.example.net"]


def test_what_a_finished_poll_found_is_not_counted_with_the_next(site: Site, server: CofServer) -> None:
    limited(site, server)
    spread(site, FOUR[:1], FOUR[1:2])
    [delta] = spread(site, FOUR[2:])
    assert [one.name for one in delta.published] == FOUR[2:]


def test_a_poll_that_never_comes_to_its_end_is_counted_day_by_day(site: Site, server: CofServer) -> None:
    limited(site, server)
    runs = [FOUR[:2], FOUR[2:], ["b000.example.net"]]
    first, second, _ = spread(site, *runs, moments=[NOW, NOW + DAY * 1.1, NOW + DAY * 1.2])
    assert [one.name for one in (*first.published, *second.published)] == FOUR


def test_an_expired_name_that_is_seen_again_keeps_its_id(site: Site, server: CofServer) -> None:
    poll(site, NOW - 70 * DAY)
    server.rows = [seen_then(NAME)]
    poll(site, NOW - 59 * DAY)
    poll(site, NOW - DAY)
    server.rows = [seen()]
    [back] = poll(site).delta.published
    assert (back.novelty, back.episode) == (Novelty.REACTIVATED, 1)
    first, again = feed(site)
    assert first["id"] == again["id"]
    assert first["valid_until"] < again["valid_until"]


def test_what_waited_beyond_its_validity_is_not_published_by_an_edited_rule(site: Site, server: CofServer) -> None:
    site.rule["publish"] = "review"
    site.write()
    poll(site)
    server.rows = [seen()]
    poll(site)
    site.rule["publish"] = "auto"
    site.write()
    server.rows = []
    [held] = poll(site, NOW + 60 * DAY).delta.held
    assert "older than valid_for" in held.reason


# -- expiry ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def published(site: Site, server: CofServer) -> Site:
    """A site with one published name, seen in both of its netblocks."""
    site.rule = {"netblocks": TWO_NETBLOCKS}
    site.write()
    poll(site)
    server.rows = [seen(address="198.51.100.1"), seen(address="198.51.100.2")]
    poll(site)
    assert status(site) is Status.PUBLISHED
    return site


def test_a_name_without_evidence_expires_when_every_netblock_was_read(published: Site, server: CofServer) -> None:
    server.rows = []
    assert [one.name for one in poll(published, NOW + 44 * DAY).delta.removed] == []
    assert [one.name for one in poll(published, NOW + 46 * DAY).delta.removed] == [NAME]


class Killed(BaseException):
    """The process is gone."""


def killed(_: str) -> None:
    """With the first answer."""
    raise Killed


LONG_AGO = NOW - 60 * DAY


def seen_at(moment: datetime, address: str) -> Mapping[str, object]:
    """A row about a name that began after the baseline of long ago, and was seen last at a moment."""
    first, last = (int(one.timestamp()) for one in (LONG_AGO + DAY, moment))
    return row(f"{NAME}.", address, first, last)


def published_long_ago(site: Site, server: CofServer, address: str) -> None:
    """One name is published, in a netblock of two addresses, which are asked about one after the other."""
    site.rule = {"netblocks": TWO_NETBLOCKS[:1]}
    site.source_options = {"concurrency": 1}
    site.write()
    poll(site, LONG_AGO)
    server.rows = [seen_at(LONG_AGO + 2 * DAY, address)]
    poll(site, LONG_AGO + 2 * DAY)
    assert status(site) is Status.PUBLISHED
    server.calls.clear()


def test_a_poll_that_took_days_proves_nothing_of_what_was_seen_since_it_began(site: Site, server: CofServer) -> None:
    published_long_ago(site, server, "198.51.100.0")
    with parts_at(site, LONG_AGO + 46 * DAY) as parts, pytest.raises(Killed):
        pipeline.polling.poll(dataclasses.replace(parts, progress=killed), parts.sources[0])
    with parts_at(site, LONG_AGO + 48 * DAY) as parts:
        polled = pipeline.polling.poll(parts, parts.sources[0], Turn(LONG_AGO + 48 * DAY, continuing=True))
    assert server.asked == ["198.51.100.0", "198.51.100.1"]
    assert polled.outcome.outcome is Outcome.COMPLETE
    assert status(site) is Status.PUBLISHED
    # The next one begins after validity has ended.
    assert [one.name for one in poll(site, LONG_AGO + 49 * DAY).delta.removed] == [NAME]


def test_a_poll_that_finishes_an_earlier_one_expires_nothing_that_is_seen_again(site: Site, server: CofServer) -> None:
    published_long_ago(site, server, "198.51.100.1")
    server.faults = [faults.status(507)]
    assert poll(site, LONG_AGO + 46 * DAY).delta.sources[0].outcome is Outcome.PARTIAL
    server.rows = [seen_at(LONG_AGO + 47 * DAY, "198.51.100.1")]
    assert poll(site, LONG_AGO + 48 * DAY).delta.removed == ()
    assert status(site) is Status.PUBLISHED


def test_a_provider_that_is_down_expires_nothing(published: Site, server: CofServer) -> None:
    server.fault = faults.status(403)
    assert poll(published, NOW + 100 * DAY).delta.removed == ()
    assert published.listed() == [NAME]


def test_a_netblock_that_did_not_answer_expires_nothing_seen_in_it(published: Site) -> None:
    with parts_at(published, NOW + 50 * DAY) as parts:
        result = pipeline.run(parts, [Partly()])
    assert [one.outcome for one in result.delta.sources] == [Outcome.COMPLETE]
    assert status(published) is Status.PUBLISHED


@pytest.mark.parametrize("edit", [{"id": "another-rule"}, {"netblocks": ["198.51.100.8/31"]}], ids=["rule", "netblock"])
def test_what_nobody_watches_any_more_expires_in_its_time(
    published: Site, server: CofServer, edit: dict[str, object]
) -> None:
    published.rule |= edit
    published.write()
    server.rows = []
    poll(published)
    assert published.listed() == [NAME]
    poll(published, NOW + 50 * DAY)
    assert status(published) is Status.EXPIRED


def test_a_source_that_is_removed_is_not_waited_for(published: Site) -> None:
    published.pdns_url, published.zeek = "", True
    published.write()
    published.log.write_text("")
    poll(published)
    assert published.listed() == [NAME]
    poll(published, NOW + 50 * DAY)
    assert status(published) is Status.EXPIRED


def test_a_rule_that_is_gone_keeps_its_decisions_within_reach(published: Site) -> None:
    (published.folder / "rules" / "jar.yaml").write_text(
        json.dumps({"id": "other", "title": "o", "netblocks": ["203.0.113.0/31"]})
    )
    decide(published, "revoke", NAME)
    assert published.listed() == []
