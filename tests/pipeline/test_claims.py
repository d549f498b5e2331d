"""What clients say of themselves (TLS, HTTP, CONNECT): held until more says so, and never published by a rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from feedsvc.judge import policy
from feedsvc.model import Finding, Status
from tests.site import ZEEK_HEADER, Site, ago, zeek_line
from tests.standins.cof import CofServer, row

NAME, BANK = "k3xq.example.net", "bank.example.org"
ADDRESS = "198.51.100.1"


@pytest.fixture
def site(tmp_path: Path, server: CofServer) -> Site:
    """A site that publishes by itself, asks passive DNS and follows a log; its baseline is complete."""
    site = Site(tmp_path, pdns_url=server.url, zeek=True, rule={"netblocks": ["198.51.100.0/31"]}).write()
    site.log.write_text(ZEEK_HEADER)
    site.poll()
    return site


def claim(site: Site, name: str = NAME, kind: str = "server_name", minutes: float = 30) -> None:
    """A client connects to a watched address and says a name."""
    said: dict[str, object] = {kind: name} | ({"trans_depth": 1} if kind == "host" else {})
    line = {"ts": ago(minutes=minutes), "uid": "C1", "id.orig_h": "10.0.0.1", "id.resp_h": ADDRESS, **said}
    with site.log.open("a") as log:
        log.write(json.dumps(line) + "\n")


def answer_in_log(site: Site, server: CofServer) -> None:
    del server
    with site.log.open("a") as log:
        log.write(zeek_line(ago(minutes=20), "10.0.0.2", NAME, ADDRESS))


def passive_dns(site: Site, server: CofServer) -> None:
    del site
    server.rows = [row(f"{NAME}.", ADDRESS, ago(minutes=50), ago(minutes=2))]


def finding(site: Site, name: str = NAME) -> Finding:
    with site.parts() as parts:
        [found] = parts.history.findings.named(name)
    return found


@pytest.mark.parametrize("kind", ["server_name", "host"])
def test_a_claim_is_held_with_a_reason_and_less_confidence_and_no_rule_publishes_it(site: Site, kind: str) -> None:
    claim(site, kind=kind)
    for _ in range(2):
        site.poll()
        one = finding(site)
        assert (one.status, one.claimed, one.reason) == (Status.HELD, True, policy.CLAIMED)
        assert one.confidence == 24
        assert site.listed() == []
    told = site.json("explain", NAME)
    assert (told["claimed"], [each["claimed"] for each in told["evidence"]]) == (True, [True])
    assert [(each["client"], each["count"]) for each in told["clients"]] == [("10.0.0.1", 1)]
    assert "where clients claim it" in site.run("explain", NAME)


@pytest.mark.parametrize("more", [answer_in_log, passive_dns])
def test_evidence_for_the_same_name_ends_the_hold(
    site: Site, server: CofServer, more: Callable[[Site, CofServer], None]
) -> None:
    claim(site)
    site.poll()
    more(site, server)
    site.poll()
    one = finding(site)
    assert (one.status, one.claimed, one.confidence) == (Status.PUBLISHED, False, 70)
    assert site.listed() == [NAME]
    verbs = [(each["verb"], each["after"]) for each in site.json("explain", NAME)["decisions"]]
    assert verbs == [("hold", "held"), ("confirm", "candidate"), ("approve", "approved"), ("publish", "published")]


def test_a_claim_and_an_answer_in_one_batch_are_no_claim(site: Site, server: CofServer) -> None:
    claim(site)
    answer_in_log(site, server)
    site.poll()
    assert (finding(site).status, finding(site).claimed) == (Status.PUBLISHED, False)


def test_evidence_outside_of_the_netblocks_ends_no_hold(site: Site) -> None:
    claim(site)
    with site.log.open("a") as log:
        log.write(zeek_line(ago(minutes=20), "10.0.0.2", NAME, "203.0.113.1"))
    site.poll()
    assert (finding(site).status, finding(site).claimed) == (Status.HELD, True)


def test_a_baseline_that_is_published_is_so_without_its_claims(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True, rule={"baseline": "publish"}).write()
    site.log.write_text(ZEEK_HEADER + zeek_line(ago(minutes=20), "10.0.0.2", "p9zz.example.net", ADDRESS))
    claim(site)
    site.poll()
    assert finding(site).status is Status.HELD
    assert site.listed() == ["p9zz.example.net"]


def test_what_an_analyst_holds_stays_held_when_it_is_confirmed(site: Site, server: CofServer) -> None:
    claim(site)
    site.poll()
    site.run("review", "reject", NAME, "--reason", "no")
    site.run("review", "hold", NAME, "--reason", "later")
    passive_dns(site, server)
    site.poll()
    one = finding(site)
    assert (one.status, one.claimed) == (Status.HELD, False)
    assert one.reason == "later; by now more than clients say so"


def test_who_approves_a_claim_vouches_for_it_and_its_confidence_stays_low(site: Site, server: CofServer) -> None:
    claim(site)
    site.poll()
    site.run("review", "approve", NAME, "--reason", "seen on the host")
    assert (finding(site).status, finding(site).confidence) == (Status.PUBLISHED, 24)
    passive_dns(site, server)
    site.poll()
    assert (finding(site).status, finding(site).confidence, finding(site).claimed) == (Status.PUBLISHED, 70, False)
    assert site.listed() == [NAME]


def test_a_claim_keeps_no_finding_alive(site: Site, server: CofServer) -> None:
    passive_dns(site, server)
    site.poll()
    before = finding(site)
    claim(site, minutes=0)
    site.poll()
    assert finding(site) == before


def test_names_that_do_not_fit_the_rule_are_no_findings_whatever_a_client_says(site: Site) -> None:
    claim(site, name="www.bank.example.org")
    site.poll()
    with site.parts() as parts:
        assert parts.history.findings.named("www.bank.example.org") == ()
