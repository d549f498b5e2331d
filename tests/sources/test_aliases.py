"""Names that point at a name: found whichever side they stand on, and never taken from the wrong one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.model import Observation, Outcome, Tlp
from feedsvc.sources import cof
from feedsvc.sources.aliases import NO_ALIAS, Aliases
from feedsvc.sources.port import Front
from tests.sources.conftest import NOW, Heard, gather

FRONT = Front("cdn.example.org", ("198.51.100.7", "2001:db8::7"))
CNAME: dict[str, Any] = {
    "rrname": "k3xq.example.net",
    "rrtype": "CNAME",
    "rdata": "cdn.example.org",
    "time_first": 1_700_000_000,
    "time_last": 1_700_000_600,
}
ADDRESS: dict[str, Any] = CNAME | {"rrname": "cdn.example.org", "rrtype": "A", "rdata": "198.51.100.7"}
FOUND = tuple(
    Observation("k3xq.example.net", rrtype, at, 1_700_000_000, 1_700_000_600, chain=("cdn.example.org",), tlp=Tlp.GREEN)
    for rrtype, at in (("A", "198.51.100.7"), ("AAAA", "2001:db8::7"))
)


def turned(row: dict[str, Any]) -> dict[str, Any]:
    """Name and value in each other's place, and numbers as texts: as CIRCL's own example has them."""
    return row | {"rrname": row["rdata"], "rdata": row["rrname"], "time_first": "1700000000", "time_last": "1700000600"}


def read(*rows: dict[str, Any], front: Front = FRONT) -> tuple[Heard, Aliases]:
    aliases = Aliases(front, NOW, tlp=Tlp.GREEN)
    return gather(aliases.read([json.dumps(row).encode() + b"\n" for row in rows])), aliases


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rrtype": "cname"},
        {"rrtype": 5},
        {"rrtype": "TYPE5"},
        {"rrname": "K3XQ.Example.NET.", "rdata": ["CDN.example.org."]},
        {"rdata": None, "rrdata": "cdn.example.org"},
    ],
    ids=str,
)
def test_an_alias_is_seen_at_each_address_of_the_name_behind_it(change: dict[str, Any]) -> None:
    heard, aliases = read(CNAME | change)
    assert heard.observations == FOUND
    assert heard.refused == {}
    assert aliases.end().outcome is Outcome.COMPLETE


def test_zone_times_and_counts_are_those_of_the_cname() -> None:
    zone = {"time_first": None, "time_last": None, "zone_time_first": 5, "zone_time_last": 9, "count": "4"}
    heard, _ = read(CNAME | zone, front=Front("cdn.example.org", ("198.51.100.7",)))
    assert heard.observations == (
        Observation(
            "k3xq.example.net",
            "A",
            "198.51.100.7",
            zone_time_first=5,
            zone_time_last=9,
            count=4,
            chain=("cdn.example.org",),
            tlp=Tlp.GREEN,
        ),
    )


@pytest.mark.parametrize("order", [1, -1], ids=["address first", "address last"])
def test_an_answer_whose_rows_are_turned_round_is_read_the_other_way(order: int) -> None:
    heard, _ = read(*[turned(ADDRESS), turned(CNAME)][::order])
    assert heard.observations == FOUND


def test_what_the_name_itself_points_at_is_no_alias_of_it() -> None:
    onward = CNAME | {"rrname": "cdn.example.org", "rdata": "host.example"}
    assert read(ADDRESS, onward)[0].names == []
    assert read(turned(ADDRESS), turned(onward))[0].names == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rdata": "elsewhere.example"}, NO_ALIAS),
        ({"rrname": "cdn.example.org"}, NO_ALIAS),
        ({"rrtype": "NS"}, NO_ALIAS),
        ({"rrtype": "A", "rdata": "198.51.100.7"}, NO_ALIAS),
        ({"rdata": [7]}, "rdata that is no text"),
        ({"rdata": []}, "no rdata"),
        ({"rrname": None}, "no rrname"),
        ({"rrtype": None}, "no rrtype"),
        ({"rrname": "."}, f"{cof.NOT_A_NAME}: no label: empty, or the root"),
    ],
)
def test_what_is_no_alias_is_counted_once_by_its_reason(change: dict[str, Any], reason: str) -> None:
    heard, _ = read(CNAME | change)
    assert heard.observations == ()
    assert heard.refused == {reason: 1}


def test_rows_of_something_else_are_no_answer() -> None:
    _, aliases = read({"unheard": "of"})
    assert aliases.end().outcome is Outcome.FAILED


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9), st.lists, max_leaves=4)
KEYS = st.sampled_from([*CNAME, "rrdata", "count", "sensor_id", "zone_time_last"])
FIELD = ANY | st.sampled_from(["CNAME", "A", "cdn.example.org", "198.51.100.7", "k3xq.example.net"])


@given(st.lists(st.dictionaries(KEYS, FIELD), max_size=6))
def test_no_row_raises_and_each_is_used_or_counted(rows: list[dict[str, Any]]) -> None:
    heard, aliases = read(*rows)
    assert aliases.understood <= aliases.seen == len(rows)
    assert all(one.chain == ("cdn.example.org",) and one.rdata in FRONT.rdata for one in heard.observations)
    assert len(heard.observations) + sum(heard.refused.values()) >= len(rows)
