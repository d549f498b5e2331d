"""Whatever a provider does: the right outcome, no mark moved, nothing shrunk, and `status` says why."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from feedsvc.config import load
from feedsvc.model import Outcome
from feedsvc.pipeline import standing
from feedsvc.pipeline.standing import SourceStand
from feedsvc.sources.polling import marks
from tests.site import Site, ago
from tests.standins import faults
from tests.standins.cof import CofServer, row
from tests.standins.server import Reply

ROW = b'{"rrname":"p9wd.example.net.","rrtype":"A","rdata":"198.51.100.8","time_first":1,"time_last":2}\n'

FAULTS: dict[str, tuple[Callable[[], Reply], set[str], str]] = {
    "401": (lambda: faults.status(401, "who are you"), {"failed"}, "401"),
    "403": (lambda: faults.status(403), {"failed"}, "403"),
    "429": (faults.too_many, {"failed"}, "429"),
    "500": (lambda: faults.status(500), {"failed"}, "500"),
    "HTML with 200": (faults.html, {"failed"}, "HTML"),
    "cut in the middle": (lambda: faults.cut(ROW), {"partial", "failed"}, ""),
    "endless body": (lambda: faults.endless(ROW), {"partial", "failed"}, "bytes"),
    "slow drip": (lambda: faults.drip(ROW * 50), {"partial", "failed"}, "longer than 1 s"),
    "gzip bomb": (lambda: faults.gzip_bomb(ROW), {"partial", "failed"}, ""),
    "redirect elsewhere": (lambda: faults.redirect("http://127.0.0.9/query/x"), {"failed"}, "redirect"),
    "no HTTP": (faults.nonsense, {"failed"}, ""),
}


@pytest.fixture
def site(tmp_path: Path, server: CofServer) -> Site:
    server.rows = [row("www.example.com.", "198.51.100.1", ago(days=9), ago(hours=1))]
    site = Site(tmp_path, pdns_url=server.url, rule={"netblocks": ["198.51.100.0/30"]})
    site.source_options = {"concurrency": 1, "deadline": 1.0, "max_bytes": 200_000}
    site.write()
    site.poll()
    server.rows.append(row("k3xq.example.net.", "198.51.100.2", ago(minutes=50), ago(minutes=5)))
    site.poll()
    return site


def mark(site: Site) -> Mapping[str, str]:
    with site.parts() as parts:
        return marks(parts.history.facts.cursors("pdns"))


def told_by_status(site: Site) -> SourceStand:
    with site.parts() as parts:
        [source] = standing.stand(parts, load(site.file, {}).sources).sources
    return source


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_outcome_and_moves_nothing(site: Site, server: CofServer, name: str) -> None:
    make, outcomes, said = FAULTS[name]
    before, lists = mark(site), site.export_bytes()
    server.fault = make()

    [source] = site.poll().delta.sources

    assert source.outcome in outcomes
    assert said in source.reason
    assert mark(site) == before
    told = told_by_status(site)
    assert (told.outcome, told.reason) == (source.outcome, source.reason)
    # What came before the break is a fact; what was there before stays there.
    assert {"k3xq.example.net"} <= set(site.listed()) <= {"k3xq.example.net", "p9wd.example.net"}
    if source.outcome is Outcome.FAILED:
        assert site.export_bytes() == lists


def test_a_refused_connection_is_a_failure_that_the_commands_tell(site: Site) -> None:
    before, lists = mark(site), site.export_bytes()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        site.pdns_url = f"http://127.0.0.1:{free.getsockname()[1]}"
        site.write()
        [source] = site.json("run", code=1)["sources"]
    assert source["outcome"] == "failed"
    assert "127.0.0.1" in source["reason"]
    assert mark(site) == before
    assert site.export_bytes() == lists
    assert site.json("status", code=1)["sources"][0]["reason"] == source["reason"]


def test_after_a_429_the_provider_is_left_alone_for_as_long_as_it_asked(site: Site, server: CofServer) -> None:
    server.fault = faults.too_many("3600")
    site.poll()
    calls = len(server.calls)
    server.fault = None
    [source] = site.poll().delta.sources
    assert (source.outcome, len(server.calls)) == (Outcome.SKIPPED, calls)
    assert "the provider says that calls come too fast" in source.reason
    assert "goes on" in source.reason


def test_the_next_complete_poll_heals(site: Site, server: CofServer) -> None:
    server.fault = faults.status(500)
    site.poll()
    server.fault = None
    server.rows.append(row("p9wd.example.net.", "198.51.100.2", ago(minutes=30), ago(minutes=2)))
    [source] = site.poll().delta.sources
    assert source.outcome is Outcome.COMPLETE
    assert site.listed() == ["k3xq.example.net", "p9wd.example.net"]
