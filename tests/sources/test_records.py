"""What log records say: the names on the way to an address, and samples that are safe to show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.model import Sighting
from feedsvc.names import NetblockMap, parse_address, parse_name, parse_netblock
from feedsvc.sources.port import BadLine, Kind, LogRecord
from feedsvc.sources.records import MAX_WAY, Refusals, Tally, inside, is_name, observations, printable, way

NETBLOCKS = NetblockMap([parse_netblock("198.51.100.0/24"), parse_netblock("2001:db8:77::/48")])


def record(
    *answers: str, rrname: str = "a.example.net", chain: tuple[str, ...] = (), client: str | None = None
) -> LogRecord:
    return LogRecord(1793491200.9, client, rrname, "A", tuple(map(parse_address, answers)), chain, 0)


def test_only_addresses_inside_count_and_each_once() -> None:
    found = inside(record("198.51.100.1", "198.51.101.1", "2001:db8:77::1", "198.51.100.1"), NETBLOCKS)
    assert [str(address) for address in found] == ["198.51.100.1", "2001:db8:77::1"]


def test_each_name_on_the_way_is_observed_with_what_follows_it() -> None:
    found = list(observations(record(chain=("b.example.com", "c.example.com")), parse_address("2001:db8:77::1")))
    assert [(one.rrname, one.rrtype, one.rdata, one.chain, one.time_first, one.count) for one in found] == [
        ("a.example.net", "AAAA", "2001:db8:77::1", ("b.example.com", "c.example.com"), 1793491200, 1),
        ("b.example.com", "AAAA", "2001:db8:77::1", ("c.example.com",), 1793491200, 1),
        ("c.example.com", "AAAA", "2001:db8:77::1", (), 1793491200, 1),
    ]


@pytest.mark.parametrize("text", ["198.51.100.1", "2001:db8:77::1", "::ffff:198.51.100.1"])
def test_an_address_is_no_name(text: str) -> None:
    name = parse_name(text)
    assert not is_name(name)
    assert way(record(rrname="a.example.net", chain=(name, "c.example.com"))) == ("a.example.net", "c.example.com")


def test_a_connection_without_a_name_has_no_way() -> None:
    assert not is_name("")
    assert way(replace(record("198.51.100.1", rrname=""), kind="connection")) == ()


def test_the_way_has_an_end() -> None:
    chain = tuple(f"n{number}.example.com" for number in range(100))
    assert way(record(chain=chain)) == ("a.example.net", *chain)[:MAX_WAY]


@given(st.binary())
def test_samples_are_printable_ascii_on_one_line(sample: bytes) -> None:
    shown = printable(sample)
    assert shown.isascii()
    assert shown.isprintable()
    assert shown.encode().decode("unicode_escape").encode("latin-1") == sample


def test_refusals_of_one_reason_add_up_and_the_first_sample_stays() -> None:
    refusals = Refusals()
    for sample in (b"first", b"second", b"x" * 300):
        refusals.add(BadLine(0, "reason", sample))
    refusals.add(BadLine(0, "another", b"x" * 300))
    assert [(one.reason, one.count, len(one.sample)) for one in refusals.all()] == [("reason", 3, 5), ("another", 1, 200)]


def test_a_tally_starts_anew_after_each_batch() -> None:
    tally = Tally("zeek", NETBLOCKS)
    tally.add(record("198.51.100.1", client="10.0.0.1"))
    tally.add(BadLine(0, "reason", b"x"))
    tally.move("log", "position")
    assert len(tally) == 2
    batch = tally.batch()
    assert (len(batch.observations), len(batch.sightings), len(batch.refused), len(batch.cursors)) == (1, 1, 1, 1)
    again = tally.batch()
    assert (again.observations, again.sightings, again.refused, again.cursors) == ((), (), (), ())


@pytest.mark.parametrize("kind", ["tls", "http", "connection"])
def test_what_a_client_says_of_itself_is_marked_as_a_claim_and_who_it_is_counts_in_full(kind: Kind) -> None:
    tally = Tally("log", NETBLOCKS)
    tally.add(record("198.51.100.1", client="10.0.0.7"))
    tally.add(replace(record("198.51.100.1", client="10.0.0.7"), kind=kind))
    batch = tally.batch()
    assert [(one.rrname, one.claimed) for one in batch.observations] == [("a.example.net", False), ("a.example.net", True)]
    assert [(one.client, one.kind, one.count) for one in batch.sightings] == [("10.0.0.7", "dns", 1), ("10.0.0.7", kind, 1)]


def test_who_asked_for_a_name_that_led_nowhere_is_a_lookup() -> None:
    tally = Tally("log", NETBLOCKS)
    tally.begin("/var/log/query.log")
    tally.add(replace(record(client="10.0.0.7", chain=("b.example.com",)), process="evil.exe"))
    tally.add(replace(record("203.0.113.1", client="10.0.0.7"), time=1793491300.0))
    tally.add(record())
    batch = tally.batch()
    assert (batch.observations, batch.sightings) == ((), ())
    assert batch.lookups == (
        Sighting("a.example.net", "10.0.0.7", 1793491200, 1793491200, 1, process="evil.exe", log="/var/log/query.log"),
        Sighting("b.example.com", "10.0.0.7", 1793491200, 1793491200, 1, process="evil.exe", log="/var/log/query.log"),
        Sighting("a.example.net", "10.0.0.7", 1793491300, 1793491300, 1, log="/var/log/query.log"),
    )


def test_a_connection_without_a_name_is_sighted_at_each_watched_address_and_is_no_evidence() -> None:
    tally = Tally("log", NETBLOCKS)
    for address in ("198.51.100.1", "203.0.113.1"):
        tally.add(replace(record(address, rrname="", client="10.0.0.7"), kind="connection"))
    batch = tally.batch()
    assert (batch.observations, batch.lookups) == ((), ())
    assert [(one.rrname, one.client, one.kind) for one in batch.sightings] == [("198.51.100.1", "10.0.0.7", "connection")]


def test_a_sighting_names_the_log_of_its_latest_record_and_spans_all_of_them() -> None:
    tally = Tally("log", NETBLOCKS)
    for log, time in (("new.log", 30.0), ("old.log", 10.0)):
        tally.begin(log)
        tally.add(replace(record("198.51.100.1", client="10.0.0.7"), time=time))
    (sighting,) = tally.batch().sightings
    assert (sighting.time_first, sighting.time_last, sighting.count, sighting.log) == (10, 30, 2, "new.log")


def test_lookups_fill_a_batch_too() -> None:
    tally = Tally("log", NETBLOCKS)
    for number in range(80):
        tally.add(record(rrname=f"n{number}.example.net", client="10.0.0.7"))
    assert len(tally) == 10
