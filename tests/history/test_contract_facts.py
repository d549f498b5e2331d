"""What every engine of history promises of facts: cursors, marks, baselines, evidence, sightings."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from feedsvc.history.port import History, NameFacts
from feedsvc.model import (
    Cursor,
    Evidence,
    Sighting,
    Tlp,
)
from tests.history.making import (
    DAY,
    HOUR,
    NOW,
    SECOND,
    observation,
    sighting,
)


def test_cursors_are_kept_by_source_and_scope(history: History) -> None:
    with history.transaction():
        history.facts.move([Cursor("circl", "a", "1"), Cursor("circl", "b", "2"), Cursor("zeek", "a", "3")], NOW)
    with history.transaction():
        history.facts.move([Cursor("circl", "a", "4"), Cursor("circl", "b", ""), Cursor("circl", "c", "")], NOW + HOUR)
    assert history.facts.cursors("circl") == {"a": "4"}
    assert history.facts.cursors("zeek") == {"a": "3"}
    assert history.facts.cursors("none") == {}


def test_of_two_positions_for_one_scope_the_later_counts(history: History) -> None:
    with history.transaction():
        history.facts.move([Cursor("circl", "a", "1"), Cursor("circl", "a", "")], NOW)
        history.facts.move([Cursor("circl", "b", ""), Cursor("circl", "b", "2")], NOW)
    assert history.facts.cursors("circl") == {"b": "2"}


def test_marks_tell_when_a_netblock_was_last_read_completely(history: History) -> None:
    with history.transaction():
        history.facts.complete("circl", ["198.51.100.0/24", "203.0.113.0/24"], NOW)
        history.facts.complete("circl", ["198.51.100.0/24"], NOW + HOUR)
    assert history.facts.marks() == {("circl", "198.51.100.0/24"): NOW + HOUR, ("circl", "203.0.113.0/24"): NOW}


def test_a_baseline_keeps_its_first_time(history: History) -> None:
    key = ("jar-callbacks", "f1", "circl", "198.51.100.0/24")
    with history.transaction():
        history.facts.add_baselines([key], NOW)
        history.facts.add_baselines([key, (*key[:3], "203.0.113.0/24")], NOW + HOUR)
    assert history.facts.baselines() == {key: NOW, (*key[:3], "203.0.113.0/24"): NOW + HOUR}


def test_evidence_is_kept_by_source_with_its_times_and_ours(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation(time_first=100, time_last=200, count=5)], NOW)
        history.facts.store("dnsdb", [observation(zone_time_first=50, zone_time_last=60)], NOW + HOUR)
    zoned = Evidence("k3xq.example.net", "A", "198.51.100.7", "dnsdb", None, None, None, NOW + HOUR, NOW + HOUR)
    assert history.facts.evidence("k3xq.example.net") == (
        dataclasses.replace(zoned, zone_time_first=at(50), zone_time_last=at(60)),
        Evidence("k3xq.example.net", "A", "198.51.100.7", "circl", at(100), at(200), 5, NOW, NOW),
    )


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_evidence_seen_again_widens_its_times_and_keeps_the_larger_count(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation(time_first=100, time_last=200, count=5)], NOW)
        history.facts.store("circl", [observation(time_first=150, time_last=300, count=2)], NOW + HOUR)
        history.facts.store("circl", [observation(time_first=90, time_last=None)], NOW - HOUR)
        history.facts.store("circl", [observation(zone_time_first=95, zone_time_last=400)], NOW)
    (evidence,) = history.facts.evidence("k3xq.example.net")
    assert (evidence.time_first, evidence.time_last, evidence.count) == (at(90), at(300), 5)
    assert (evidence.zone_time_first, evidence.zone_time_last) == (at(95), at(400))
    assert (evidence.seen_first, evidence.seen_last) == (NOW - HOUR, NOW + HOUR)


def test_what_a_source_said_later_fills_what_it_left_open(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation()], NOW)
        history.facts.store("circl", [observation(time_first=100, time_last=200, count=5)], NOW)
    (evidence,) = history.facts.evidence("k3xq.example.net")
    assert (evidence.time_first, evidence.time_last, evidence.count) == (at(100), at(200), 5)


def test_evidence_has_the_marking_the_chain_and_the_sensor_that_came_last(history: History) -> None:
    front = observation(tlp=Tlp.AMBER, chain=("a.example.com", r"b\032.example.com"), sensor_id="17")
    with history.transaction():
        history.facts.store("circl", [front], NOW)
        history.facts.store("dnsdb", [front, observation(tlp=Tlp.GREEN)], NOW)
    circl, dnsdb = history.facts.evidence("k3xq.example.net")
    assert (circl.tlp, circl.chain, circl.sensor_id) == (front.tlp, front.chain, front.sensor_id)
    assert (dnsdb.tlp, dnsdb.chain, dnsdb.sensor_id) == (Tlp.GREEN, (), None)


def test_evidence_comes_oldest_first_by_the_providers_time_else_by_ours(history: History) -> None:
    now = SECOND
    with history.transaction():
        history.facts.store("circl", [observation(rdata="198.51.100.1", time_first=now + 60)], NOW - HOUR)
        history.facts.store("circl", [observation(rdata="198.51.100.2")], NOW)
        history.facts.store("circl", [observation(rdata="198.51.100.3", time_first=now - 60)], NOW + HOUR)
    assert [one.rdata[-1] for one in history.facts.evidence("k3xq.example.net")] == ["3", "2", "1"]


def test_a_batch_may_hold_an_observation_twice(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation(time_last=1), observation(time_last=9), observation(time_last=4)], NOW)
    (evidence,) = history.facts.evidence("k3xq.example.net")
    assert evidence.time_last == at(9)


def test_hostile_names_are_kept_as_they_are(history: History) -> None:
    name = r"a\032b\"\;drop\000.ex\.ample.net"
    with history.transaction():
        history.facts.store("circl", [observation(name, time_last=1)], NOW)
    assert history.facts.evidence(name)[0].rrname == name
    assert history.facts.name_facts([name])[name].last_seen == at(1)


def test_facts_of_a_known_name_are_its_addresses_and_its_latest_evidence(history: History) -> None:
    seen = [
        observation(rdata="198.51.100.7", time_last=100),
        observation(rdata="198.51.100.8", zone_time_last=300),
        observation(rdata="2001:db8::1", rrtype="AAAA", time_last=200),
        observation(rdata="alias.example.com", rrtype="CNAME", time_last=250),
    ]
    with history.transaction():
        history.facts.store("circl", seen, NOW)
        history.facts.store("dnsdb", seen[:1], at(10))
    addresses = frozenset({"198.51.100.7", "198.51.100.8", "2001:db8::1"})
    assert history.facts.name_facts(["k3xq.example.net"]) == {
        "k3xq.example.net": NameFacts(addresses, at(300), domain_seen=NOW)
    }


def test_without_a_providers_time_the_latest_evidence_is_ours(history: History) -> None:
    with history.transaction():
        history.facts.store("zeek", [observation()], NOW)
    assert history.facts.name_facts(["k3xq.example.net"])["k3xq.example.net"].last_seen == NOW


def test_a_domain_is_seen_since_its_first_name_was_stored(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation("k3xq.example.co.uk")], at(50))
        history.facts.store("dnsdb", [observation("k3xq.example.co.uk"), observation("p9wd.example.co.uk")], at(90))
    assert history.facts.name_facts(["new.example.co.uk"])["new.example.co.uk"].domain_seen == at(50)


def test_facts_of_an_unknown_name_tell_whether_its_domain_was_seen(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation("k3xq.example.co.uk"), observation("a.b.evil.github.io")], NOW)
    assert history.facts.name_facts({"www.example.co.uk", "example.co.uk", "evil.github.io"}) == {
        "www.example.co.uk": NameFacts(domain_seen=NOW),
        "example.co.uk": NameFacts(domain_seen=NOW),
        "evil.github.io": NameFacts(domain_seen=NOW),
    }
    strangers = {"other.co.uk", "co.uk", "good.github.io", "q3xq.example.net", "no-such-tld"}
    assert history.facts.name_facts(strangers) == dict.fromkeys(strangers, NameFacts())


def test_names_without_a_registered_domain_are_facts_too(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation("co.uk", time_last=5)], NOW)
    facts = history.facts.name_facts(["co.uk", "org.uk"])
    assert facts["co.uk"].last_seen == at(5)
    assert facts["org.uk"] == NameFacts()


def test_facts_of_nothing_are_nothing(history: History) -> None:
    assert history.facts.name_facts([]) == {}


def test_sightings_widen_and_add_up_by_name_client_and_source(history: History) -> None:
    with history.transaction():
        history.facts.sight("zeek", [sighting(time_first=10, time_last=20, count=2)], NOW)
        history.facts.sight("zeek", [sighting(time_first=5, time_last=15), sighting(client="192.0.2.11", time_first=1)], NOW)
        history.facts.sight("suricata", [sighting(time_first=7, time_last=9)], NOW)
    assert history.facts.sightings("k3xq.example.net") == (
        ("zeek", Sighting("k3xq.example.net", "192.0.2.11", 1, SECOND)),
        ("zeek", Sighting("k3xq.example.net", "192.0.2.10", 5, 20, 3)),
        ("suricata", Sighting("k3xq.example.net", "192.0.2.10", 7, 9)),
    )
    assert history.facts.sightings("other.example.net") == ()


def test_clients_are_told_apart_by_how_they_asked_and_by_program_and_the_latest_log_is_named(history: History) -> None:
    with history.transaction():
        history.facts.sight(
            "zeek", [sighting(log="new.log", time_last=30), sighting(kind="tls"), sighting(process="a.exe")], NOW
        )
        history.facts.sight("zeek", [sighting(log="old.log", time_last=20), sighting(process="a.exe")], NOW)
    told = {(one.kind, one.process): (one.count, one.log) for _, one in history.facts.sightings("k3xq.example.net")}
    assert told == {("dns", ""): (2, "new.log"), ("tls", ""): (1, ""), ("dns", "a.exe"): (2, "")}


def test_who_connected_to_an_address_of_a_name_is_among_its_clients(history: History) -> None:
    with history.transaction():
        history.facts.sight(
            "zeek", [sighting("198.51.100.7", kind="connection"), sighting("198.51.100.8", kind="connection")], NOW
        )
        history.facts.store("circl", [observation(), observation("claimed.example.net", claimed=True)], NOW)
    assert history.facts.sightings("k3xq.example.net") == (("zeek", sighting(kind="connection")),)
    assert history.facts.sightings("claimed.example.net") == ()


def test_clients_of_names_are_counted_once_each(history: History) -> None:
    with history.transaction():
        history.facts.sight("zeek", [sighting(), sighting(kind="tls"), sighting(client="192.0.2.11")], NOW)
    names = ["k3xq.example.net", "other.example.net"]
    assert history.facts.clients(names) == {"k3xq.example.net": 2, "other.example.net": 0}


def test_clients_are_forgotten_when_nothing_was_added_for_long(history: History) -> None:
    with history.transaction():
        history.facts.sight("zeek", [sighting(), sighting(client="192.0.2.11")], NOW)
        history.facts.sight("zeek", [sighting()], NOW + DAY)
        assert history.facts.forget_clients(NOW + HOUR) == 1
    assert [one.client for _, one in history.facts.sightings("k3xq.example.net")] == ["192.0.2.10"]


def test_a_claim_adds_nothing_to_evidence_and_evidence_ends_a_claim(history: History) -> None:
    def claimed() -> list[tuple[str, bool, int | None]]:
        return [(one.rdata, one.claimed, one.count) for one in history.facts.evidence("k3xq.example.net")]

    with history.transaction():
        history.facts.store("zeek", [observation(claimed=True, count=1)], NOW)
    assert claimed() == [("198.51.100.7", True, 1)]
    assert history.facts.name_facts(["k3xq.example.net"])["k3xq.example.net"].addresses == frozenset()
    with history.transaction():
        history.facts.store("zeek", [observation(count=2)], NOW)
        history.facts.store("zeek", [observation(claimed=True, count=9)], NOW)
    assert claimed() == [("198.51.100.7", False, 2)]
    assert history.facts.name_facts(["k3xq.example.net"])["k3xq.example.net"].addresses == {"198.51.100.7"}
