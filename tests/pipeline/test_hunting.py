"""Who asked for a name, before and after it was found: each lookup counts once, whatever order things happen in."""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc import pipeline
from feedsvc.clock import utc_now
from feedsvc.errors import UsageError
from feedsvc.model import Hunt
from feedsvc.pipeline import hunting, hunting_by_hand
from feedsvc.sources.identity import parse_position
from feedsvc.sources.logs import Formats
from feedsvc.sources.lookback import look_back
from tests.site import ZEEK_HEADER, Site, ago, zeek_line

NAME = "k3xq.example.net"
OTHER = "p9zz.example.net"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that follows a log of which nothing was written yet."""
    return begun(tmp_path)


def begun(folder: Path, **keys: object) -> Site:
    """A site whose baseline is complete, and whose log is empty."""
    site = Site(folder, zeek=True, rule=keys).write()
    site.log.write_text(ZEEK_HEADER)
    site.poll()
    return site


def write(site: Site, *lines: str, log: str = "dns.log") -> None:
    with (site.folder / log).open("a") as out:
        out.writelines(lines)


def asked(client: str, name: str = NAME, *, to: str = "", minutes: float = 30) -> str:
    """A lookup, without an answer unless one is given."""
    return zeek_line(ago(minutes=minutes), client, name, *([to] if to else []))


def hunt(site: Site) -> None:
    """All that is pending."""
    with site.parts() as parts:
        hunting.carry_on(parts)


def counted(site: Site, name: str = NAME) -> Counter[str]:
    """How often each client was counted for a name."""
    found: Counter[str] = Counter()
    with site.parts() as parts:
        for _, one in parts.history.facts.sightings(name):
            found[one.client] += one.count
    return found


def pending(site: Site) -> tuple[Hunt, ...]:
    with site.parts() as parts:
        return parts.history.hunts.pending()


FOUND = asked("10.0.0.1", to="198.51.100.7")


def test_who_asked_without_an_answer_counts_once_the_name_is_found(site: Site) -> None:
    write(site, FOUND)
    site.poll()
    write(
        site,
        asked("10.0.0.2"),
        asked("10.0.0.2"),
        asked("10.0.0.3", to="203.0.113.1"),
        asked("10.0.0.4", "other.example.net"),
    )
    site.poll()
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 2, "10.0.0.3": 1}
    assert counted(site, "other.example.net") == {}


def test_who_asked_before_in_the_same_batch_counts_at_once(site: Site) -> None:
    write(site, asked("10.0.0.2"), FOUND, asked("10.0.0.3"))
    site.poll()
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 1, "10.0.0.3": 1}


def test_who_asked_in_an_earlier_poll_is_hunted_for_and_counted_once(site: Site) -> None:
    write(site, asked("10.0.0.2"), asked("10.0.0.2"), asked("10.0.0.1"))
    site.poll()
    assert counted(site) == {}
    write(site, FOUND, asked("10.0.0.2"))
    site.poll()
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 1}
    [one] = pending(site)
    assert (one.names, one.left) == (1, 1)
    hunt(site)
    assert counted(site) == {"10.0.0.1": 2, "10.0.0.2": 3}
    assert pending(site) == ()
    hunt(site)
    assert counted(site) == {"10.0.0.1": 2, "10.0.0.2": 3}


def test_a_name_on_the_way_is_hunted_for_too(site: Site) -> None:
    write(site, zeek_line(ago(minutes=40), "10.0.0.2", "front.example.com", NAME, "203.0.113.1"))
    site.poll()
    write(site, FOUND)
    site.poll()
    hunt(site)
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 1}


def test_what_comes_while_a_hunt_waits_is_not_counted_twice(site: Site) -> None:
    write(site, asked("10.0.0.2"))
    site.poll()
    write(site, FOUND)
    site.poll()
    write(site, asked("10.0.0.2"))
    site.poll()
    hunt(site)
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 2}


def rotated(site: Site) -> None:
    (site.folder / "dns.log").rename(site.folder / "dns.1.log")


def compressed(site: Site) -> None:
    with gzip.open(site.folder / "dns.1.log.gz", "wb") as out:
        out.write(site.log.read_bytes())
    site.log.unlink()


def moved_out(site: Site) -> None:
    site.log.rename(site.folder / "old.txt")


@pytest.mark.parametrize("change", [rotated, compressed, moved_out])
@pytest.mark.parametrize("polled", [True, False], ids=["seen by a poll", "seen by nobody yet"])
def test_a_log_that_moved_meanwhile_is_found(site: Site, change: object, polled: bool) -> None:
    write(site, asked("10.0.0.2"), asked("10.0.0.3"))
    site.poll()
    write(site, FOUND)
    site.poll()
    assert callable(change)
    change(site)
    site.log.write_text(ZEEK_HEADER)
    write(site, asked("10.0.0.2"))
    if polled:
        site.poll()
    hunt(site)
    site.poll()
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 2, "10.0.0.3": 1}


def test_a_log_that_vanished_is_told_and_the_others_are_searched(site: Site) -> None:
    write(site, ZEEK_HEADER, asked("10.0.0.2"), log="dns.gone.log")
    write(site, asked("10.0.0.3"))
    site.poll()
    write(site, FOUND)
    site.poll()
    (site.folder / "dns.gone.log").unlink()
    hunt(site)
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.3": 1}
    [told] = site.json("explain", NAME)["hunts"]
    assert (told["logs"], told["left"], len(told["lost"])) == (2, 0, 1)
    assert "dns.gone.log: what was read of it is not there any more" in told["lost"][0]


def test_a_disk_that_is_missing_loses_no_hunt(site: Site) -> None:
    write(site, asked("10.0.0.2"))
    site.poll()
    write(site, FOUND)
    site.poll()
    site.log.rename(site.folder.parent / "aside.log")
    hunt(site)
    assert [one.left for one in pending(site)] == [1]
    told = site.says("hunt", NAME)[0]
    assert "not through yet" in told
    assert "not searched: zeek: no file matches" in told
    (site.folder.parent / "aside.log").rename(site.log)
    hunt(site)
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 1}


def test_a_name_that_was_hunted_for_by_hand_before_it_was_found_counts_once(site: Site) -> None:
    write(site, asked("10.0.0.2"), asked("10.0.0.2"))
    site.poll()
    site.run("hunt", NAME)
    assert counted(site) == {"10.0.0.2": 2}
    write(site, FOUND, asked("10.0.0.2"))
    site.poll()
    hunt(site)
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 3}


def test_records_older_than_hunt_back_are_left_alone(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True, limits={"hunt_back": "10d"}).write()
    site.log.write_text(ZEEK_HEADER)
    write(site, asked("10.0.0.2", minutes=60 * 24 * 11), asked("10.0.0.3", minutes=60 * 24 * 9))
    site.poll()
    write(site, FOUND)
    site.poll()
    hunt(site)
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.3": 1}


def test_clients_are_forgotten_by_the_poll_after_they_were_kept_for_long_enough(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True, limits={"keep_clients": "2d"}).write()
    site.log.write_text(ZEEK_HEADER + FOUND)
    for days, left in ((0, {"10.0.0.1": 1}), (1, {"10.0.0.1": 1}), (3, {})):
        with site.parts() as parts:
            pipeline.run(dataclasses.replace(parts, clock=partial(_later, days)), parts.sources)
        assert counted(site) == left


def _later(days: int) -> datetime:
    return utc_now() + timedelta(days=days)


def test_a_rejected_name_keeps_no_clients(tmp_path: Path) -> None:
    site = begun(tmp_path, names={"regex": "."})
    write(site, asked("10.0.0.1", "co.uk", to="198.51.100.7"), asked("10.0.0.2", "co.uk"))
    site.poll()
    assert counted(site, "co.uk") == {}
    assert pending(site) == ()


def test_a_name_that_another_watch_knew_is_not_hunted_for_again(site: Site) -> None:
    write(site, asked("10.0.0.2"))
    site.poll()
    write(site, FOUND)
    site.poll()
    hunt(site)
    rule = json.loads((site.folder / "rules" / "jar.yaml").read_text())
    (site.folder / "rules" / "more.yaml").write_text(json.dumps({**rule, "id": "more"}))
    write(site, FOUND)
    site.poll()
    assert pending(site) == ()
    assert counted(site) == {"10.0.0.1": 2, "10.0.0.2": 1}


# -- killed at any moment ----------------------------------------------------------------------------------------------


def die_after(site: Site, batches: int) -> bool:
    """Hunt in small steps, store so many of them, and never come back for the rest; false when nothing was left."""
    with site.parts() as parts:
        stretch = parts.history.hunts.next()
        if stretch is None:
            return False
        path = str(site.folder / "dns*.log*")
        for batch in islice(look_back(path, Formats("zeek"), stretch, step=300, at_once=False), batches):
            with parts.history.transaction():
                parts.history.hunts.sight(stretch, batch.lookups, parts.clock())
                for cursor in batch.cursors:
                    offset = parse_position(cursor.position).offset
                    parts.history.hunts.move(stretch, cursor.position, offset, parts.clock())
    return True


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_a_hunt_that_dies_at_any_step_loses_and_doubles_nobody(tmp_path: Path, batches: int) -> None:
    site = begun(tmp_path)
    for number in range(3):
        write(site, ZEEK_HEADER, *(asked(f"10.0.{number}.{place}") for place in range(20)), log=f"dns.{number}.log")
    site.poll()
    write(site, FOUND)
    site.poll()
    deaths = 0
    while deaths < 30 and die_after(site, batches):
        deaths += 1
        write(site, asked("10.0.0.1"))
        site.poll()
    hunt(site)
    expected = Counter({f"10.0.{number}.{place}": 1 for number in range(3) for place in range(20)})
    assert counted(site) == expected + Counter({"10.0.0.1": 1 + deaths})


Step = tuple[str, int]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["ask", "find", "poll", "hunt", "rotate"]), st.integers(0, 3)), max_size=25))
def test_whatever_happens_in_whatever_order_each_lookup_counts_once(
    tmp_path_factory: pytest.TempPathFactory, steps: Iterable[Step]
) -> None:
    folder = tmp_path_factory.mktemp("site")
    site = begun(folder)
    truth: Counter[str] = Counter()
    found = rotations = 0
    for place, (step, number) in enumerate(steps):
        client = f"10.0.0.{number}"
        if step in {"ask", "find"}:
            # No two lines alike: two logs that begin alike are one log and a copy of it.
            write(site, asked(client, to="198.51.100.7" if step == "find" else "", minutes=100 - place))
            truth[client] += 1
            found += step == "find"
        elif step == "rotate":
            site.poll()
            rotations += 1
            site.log.rename(folder / f"dns.{rotations}.log")
            site.log.write_text(ZEEK_HEADER)
        elif step == "poll":
            site.poll()
        else:
            hunt(site)
    site.poll()
    hunt(site)
    assert counted(site) == (truth if found else {})
    shutil.rmtree(folder)


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_by_hand_it_says_who_asked_and_where_it_looked(site: Site) -> None:
    write(site, asked("10.0.0.2"), asked("10.0.0.2"))
    site.poll()
    write(site, FOUND)
    site.poll()
    out = site.run("hunt", NAME)
    assert ["10.0.0.2" in line and " 2 " in line for line in out.splitlines()].count(True) == 1
    assert f"2 clients of {NAME}, in 1 log read before and in what is new of zeek, since " in out
    [first, second] = [json.loads(line) for line in site.run("hunt", NAME, "--json").splitlines()]
    assert {(one["name"], one["client"], one["count"], one["kind"]) for one in (first, second)} == {
        (NAME, "10.0.0.1", 1, "dns"),
        (NAME, "10.0.0.2", 2, "dns"),
    }
    assert first["log"] == str(site.log)


def test_by_hand_again_and_again_it_says_the_same(site: Site) -> None:
    write(site, asked("10.0.0.2"))
    site.poll()
    write(site, FOUND)
    site.poll()
    once = site.run("hunt", "--json")
    assert [site.run("hunt", "--json"), site.run("hunt", NAME, "--json")] == [once, once]
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 1}


def test_by_hand_any_name_can_be_hunted_for(site: Site) -> None:
    write(site, asked("10.0.0.2", "www.example.org"))
    site.poll()
    assert '"client": "10.0.0.2"' in site.run("hunt", "WWW.example.org.", "--json")


def test_by_hand_it_is_said_when_nobody_asked(site: Site) -> None:
    write(site, FOUND)
    site.poll()
    out, _ = site.says("hunt", OTHER)
    assert f"nobody asked for {OTHER}, in 1 log read before and in what is new of zeek, since " in out
    assert site.run("hunt", OTHER, "--json") == ""


def test_by_hand_what_no_poll_has_read_yet_is_looked_at_and_left_to_the_polls(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True).write()
    site.log.write_text(ZEEK_HEADER + asked("10.0.0.2"))
    once = site.run("hunt", NAME, "--json")
    assert [(told["client"], told["count"]) for told in map(json.loads, once.splitlines())] == [("10.0.0.2", 1)]
    assert site.run("hunt", NAME, "--json") == once
    assert counted(site) == {}
    write(site, FOUND)
    site.poll()
    write(site, asked("10.0.0.2"))
    told = {one["client"]: one["count"] for one in map(json.loads, site.run("hunt", "--json").splitlines())}
    assert told == {"10.0.0.1": 1, "10.0.0.2": 2}
    assert counted(site) == {"10.0.0.1": 1, "10.0.0.2": 1}


def test_by_hand_it_is_said_what_could_not_be_searched(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True).write()
    out, _ = site.says("hunt", NAME)
    assert f"nobody asked for {NAME}, in 0 logs" in out
    assert "not searched: zeek: no file matches" in out
    assert "but no source reads logs" in Site(tmp_path).write().says("hunt", NAME)[0]


def test_by_hand_only_what_is_a_name_and_of_the_watch_is_hunted_for(site: Site) -> None:
    assert "no domain name" in site.fails("hunt", "no..name")
    assert "no finding of watch 'jar-callbacks'" in site.fails("hunt", OTHER, "--watch", "jar-callbacks")
    assert "no rule 'never'" in site.fails("hunt", "--watch", "never")


def test_a_watch_s_findings_alone_are_hunted_for(site: Site) -> None:
    write(site, FOUND, asked("10.0.0.9", OTHER, to="198.51.100.8"))
    site.poll()
    assert len(site.run("hunt", "--watch", "jar-callbacks", "--json").splitlines()) == 2
    with site.parts() as parts, pytest.raises(UsageError):
        hunting_by_hand.hunt(parts, [OTHER], "never")


def test_a_run_hunts_when_it_has_polled(site: Site) -> None:
    write(site, asked("10.0.0.2"))
    site.run("run")
    write(site, FOUND)
    site.run("run")
    told = {one["client"]: one for one in site.json("explain", NAME)["clients"]}
    assert {client: one["count"] for client, one in told.items()} == {"10.0.0.1": 1, "10.0.0.2": 1}
    assert told["10.0.0.2"]["logs"] == [str(site.log)]
    assert told["10.0.0.2"]["kinds"] == ["dns"]
    assert site.json("status", code=0)["hunts"] == []


def test_status_tells_what_is_still_to_be_searched(site: Site) -> None:
    write(site, asked("10.0.0.2"))
    site.poll()
    write(site, FOUND)
    site.poll()
    [told] = site.json("status")["hunts"]
    assert (told["names"], told["logs"], told["left"], told["ended_at"]) == (1, 1, 1, None)
    assert "1 name since" in site.run("status")
