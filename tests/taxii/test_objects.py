"""Rows of a collection as envelope, manifest and versions; every filter end to end. Named by sections of TAXII 2.1."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from feedsvc.model import Tlp
from tests.taxii.house import CALLBACKS, GREEN, NOW, House, Reply, indicator, opened

T1, T2, T3 = (f"2026-11-24T12:00:0{second}.000Z" for second in (0, 1, 2))
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UNKNOWN = f"indicator--{uuid.UUID(int=0x4 << 76 | 0x8 << 60)}"


MIXED = [indicator(number) for number in (1, 2, 3)] + [indicator(4, kind="malware")]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Four objects of two types, to be read only."""
    with opened(tmp_path_factory.mktemp("mixed") / "feedsvc.db") as house:
        house.publish(*MIXED)
        yield house


def headers_of(reply: Reply) -> tuple[str, str]:
    return reply.one("x-taxii-date-added-first"), reply.one("x-taxii-date-added-last")


# -- §3.7, §5.3, §5.4: envelope and manifest ---------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["objects", "manifest"])
def test_3_7_nothing_is_an_empty_envelope_without_a_list_or_dates(house: House, where: str) -> None:
    reply = house.rows(where)
    assert reply.body == b"{}"
    assert not reply.all("x-taxii-date-added-first")
    assert not reply.all("x-taxii-date-added-last")


def test_3_7_objects_are_served_byte_for_byte(house: House) -> None:
    published = [indicator(number) for number in range(3)]
    house.publish(*published)
    assert house.rows("objects").body == b'{"objects":[' + b",".join(one.body for one in published) + b"]}"


def test_5_3_the_manifest_has_a_record_for_each_object_in_the_same_order(house: House) -> None:
    published = [indicator(number) for number in (3, 1, 2)]
    house.publish(*published)
    records = house.rows("manifest").json["objects"]
    assert [record["id"] for record in records] == [one.id for one in published] == house.rows("objects").ids
    assert {record["version"] for record in records} == {T1}
    assert {record["media_type"] for record in records} == {"application/stix+json;version=2.1"}
    dates = [record["date_added"] for record in records]
    assert dates == sorted(set(dates))
    assert all(TIMESTAMP.fullmatch(date) for date in dates)


@pytest.mark.parametrize("where", ["objects", "manifest"])
def test_3_2_dates_of_the_first_and_last_row_of_the_page_are_told(house: House, where: str) -> None:
    house.publish(*(indicator(number) for number in range(5)))
    dates = [record["date_added"] for record in house.rows("manifest").json["objects"]]
    assert headers_of(house.rows(where)) == (dates[0], dates[4])
    page = house.rows(where, "limit=2")
    assert headers_of(page) == (dates[0], dates[1])
    assert headers_of(house.rows(where, f"limit=2&next={page.json['next']}")) == (dates[2], dates[3])


# -- §5.6, §5.8: one object and its versions ---------------------------------------------------------------------------


def test_5_6_one_object_comes_in_an_envelope_too(house: House) -> None:
    house.publish(indicator(1), indicator(2))
    reply = house.rows(f"objects/{indicator(2).id}")
    assert reply.body == b'{"objects":[' + indicator(2).body + b"]}"
    assert len(set(headers_of(reply))) == 1


@pytest.mark.parametrize("inside", ["", "/versions"])
@pytest.mark.parametrize("object_id", [UNKNOWN, "indicator", "no-such--thing", "%", "indicator--"])
def test_5_6_and_5_8_an_unknown_object_is_not_found(house: House, inside: str, object_id: str) -> None:
    house.publish(indicator(1))
    assert house.ask(f"/taxii2/feeds/collections/{CALLBACKS.id}/objects/{object_id}{inside}/").status == 404


def test_5_6_a_known_object_without_a_matching_version_is_an_empty_answer(house: House) -> None:
    house.publish(indicator(1))
    for inside in ("", "/versions"):
        assert house.rows(f"objects/{indicator(1).id}{inside}", "added_after=2030-01-01T00:00:00Z").body == b"{}"
    assert house.rows(f"objects/{indicator(1).id}", f"match[version]={T3}").body == b"{}"


def test_5_8_versions_are_listed_oldest_first_and_paged(house: House) -> None:
    house.publish(indicator(1, version=T1), indicator(2))
    house.publish(indicator(1, version=T2), indicator(1, version=T3))
    where = f"objects/{indicator(1).id}/versions"
    whole = house.rows(where)
    assert whole.json == {"versions": [T1, T2, T3]}
    first = house.rows(where, "limit=2")
    assert first.json["versions"] == [T1, T2]
    assert first.json["more"] is True
    rest = house.rows(where, f"limit=2&next={first.json['next']}")
    assert rest.json == {"versions": [T3]}
    assert headers_of(whole) == (headers_of(first)[0], headers_of(rest)[1])


def test_5_8_versions_know_no_version_filter(house: House) -> None:
    house.publish(indicator(1, version=T1), indicator(1, version=T2))
    assert house.rows(f"objects/{indicator(1).id}/versions", "match[version]=first").json == {"versions": [T1, T2]}


# -- §3.4: filters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["objects", "manifest"])
def test_3_4_added_after_is_strict_and_takes_what_the_headers_gave(house: House, where: str) -> None:
    house.publish(*(indicator(number) for number in range(4)))
    dates = [record["date_added"] for record in house.rows("manifest").json["objects"]]
    for place, date in enumerate(dates):
        assert house.rows(where, f"added_after={date}").ids == [indicator(number).id for number in range(place + 1, 4)]


def test_3_4_added_after_in_milliseconds_and_in_other_zones_means_the_same(house: House) -> None:
    house.publish(*(indicator(number) for number in range(3)))
    date = datetime.fromisoformat(house.rows("manifest").json["objects"][0]["date_added"])
    elsewhere = date.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    spellings = [date.isoformat(timespec="milliseconds"), elsewhere.isoformat(), elsewhere.isoformat().replace("+", "%2B")]
    for spelling in spellings:
        assert house.rows("objects", f"added_after={spelling}").ids == [indicator(1).id, indicator(2).id]


def test_3_4_added_after_says_nothing_of_stix_times(house: House) -> None:
    house.publish(indicator(1, version="2001-01-01T00:00:00.000Z"))
    day_before = (NOW - timedelta(days=1)).astimezone(UTC).isoformat()
    assert house.rows("objects", f"added_after={day_before}").ids == [indicator(1).id]


def test_3_4_a_new_version_comes_again_for_who_polls_by_date(house: House) -> None:
    house.publish(indicator(1, version=T1), indicator(2))
    seen = house.rows("objects").one("x-taxii-date-added-last")
    assert house.rows("objects", f"added_after={seen}").body == b"{}"
    house.publish(indicator(1, version=T2))
    assert house.rows("objects", f"added_after={seen}").body == b'{"objects":[' + indicator(1, version=T2).body + b"]}"


@pytest.mark.parametrize("where", ["objects", "manifest"])
@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("3", 3), ("4", 4), ("1000", 4), ("9" * 30, 4)])
def test_3_4_never_more_than_was_asked_for_and_more_says_so(house: House, where: str, limit: str, count: int) -> None:
    house.publish(*(indicator(number) for number in range(4)))
    reply = house.rows(where, f"limit={limit}")
    assert len(reply.ids) == count
    assert ("more" in reply.json) is (count < 4)
    assert ("next" in reply.json) is (count < 4)
    if count < 4:
        assert reply.json["more"] is True
        assert isinstance(reply.json["next"], str)


@pytest.mark.parametrize("query", ["", "limit=1000", "limit=4"])
def test_3_4_the_server_has_a_limit_of_its_own(house: House, query: str) -> None:
    house.page_limit = 3
    house.publish(*(indicator(number) for number in range(4)))
    assert len(house.rows("objects", query).ids) == 3
    assert house.rows("objects", query).json["more"] is True


@pytest.mark.parametrize(
    ("match", "numbers"),
    [
        (f"match[id]={indicator(1).id}", [1]),
        (f"match[id]={indicator(3).id},{indicator(1).id}", [1, 3]),
        (f"match%5Bid%5D={indicator(3).id}%2C{indicator(1).id}", [1, 3]),
        (f"match[id]={UNKNOWN}", []),
        ("match[type]=indicator", [1, 2, 3]),
        ("match[type]=malware", [4]),
        ("match[type]=malware,indicator", [1, 2, 3, 4]),
        ("match[type]=x-nobody-knows", []),
        ("match[type]=domain-name", []),
        (f"match[type]=malware&match[id]={indicator(1).id}", []),
        (f"match[type]=indicator&match[id]={indicator(1).id}&limit=1", [1]),
        ("match[spec_version]=2.1", [1, 2, 3, 4]),
        ("match[spec_version]=2.0,2.1", [1, 2, 3, 4]),
        ("match[spec_version]=2.0", []),
        (f"match[version]={T1}", [1, 2, 3, 4]),
        ("match[version]=2026-11-24T12:00:00Z", [1, 2, 3, 4]),
        (f"match[version]={T2}", []),
        ("match[name]=whatever&colour=red", [1, 2, 3, 4]),
    ],
)
@pytest.mark.parametrize("where", ["objects", "manifest"])
def test_3_4_1_match_fields_are_and_ed_and_values_or_ed(mixed: House, where: str, match: str, numbers: list[int]) -> None:
    assert mixed.rows(where, match).ids == [one.id for one in MIXED if MIXED.index(one) + 1 in numbers]


STIX_TYPES = (
    "attack-pattern campaign course-of-action grouping identity incident indicator infrastructure intrusion-set location "
    "malware malware-analysis note observed-data opinion report threat-actor tool vulnerability relationship sighting "
    "artifact autonomous-system directory domain-name email-addr email-message file ipv4-addr ipv6-addr mac-addr mutex "
    "network-traffic process software url user-account windows-registry-key x509-certificate marking-definition "
    "language-content extension-definition"
)


@pytest.mark.parametrize("kind", STIX_TYPES.split())
def test_3_4_1_every_type_of_stix_2_1_may_be_asked_for(mixed: House, kind: str) -> None:
    mixed.rows("objects", f"match[type]={kind}")


@pytest.mark.parametrize(
    ("match", "versions"),
    [
        ("", [T3]),
        ("match[version]=last", [T3]),
        ("match[version]=first", [T1]),
        ("match[version]=all", [T1, T2, T3]),
        ("match[version]=first,last", [T1, T3]),
        (f"match[version]=first,{T2},last", [T1, T2, T3]),
        (f"match[version]={T2}", [T2]),
        ("match[version]=2026-11-24T12:00:01Z", [T2]),
        ("match[version]=2026-11-24T13:00:01.0%2B01:00", [T2]),
        ("match[version]=2026-11-24T12:00:01.000001Z", []),
    ],
)
def test_3_4_1_versions_are_chosen(house: House, match: str, versions: list[str]) -> None:
    for version in (T1, T2, T3):
        house.publish(indicator(1, version=version))
    for where in ("objects", f"objects/{indicator(1).id}"):
        reply = house.rows(where, match)
        assert [one["modified"] for one in reply.json.get("objects", [])] == versions
    records = house.rows("manifest", match).json.get("objects", [])
    assert [record["version"] for record in records] == versions


@pytest.mark.parametrize(
    "where", ["objects", "manifest", f"objects/{indicator(1).id}", f"objects/{indicator(1).id}/versions"]
)
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "added_after=x", "next=x", "next=", "limit=1&limit=2", "match[spec_version]=x"]
)
def test_3_4_what_is_malformed_is_refused_at_every_address(mixed: House, where: str, query: str) -> None:
    reply = mixed.ask(f"/taxii2/feeds/collections/{CALLBACKS.id}/{where}/", query)
    assert reply.status == 400
    assert reply.json["description"]


# -- clearance: design §6.8 and TAXII 2.1 appendix B -------------------------------------------------------------------


def test_a_partner_cleared_for_green_never_sees_amber(house: House) -> None:
    secret, open_one = indicator(1, tlp=Tlp.AMBER), indicator(2)
    house.publish(secret, open_one)
    for query in ("", "match[version]=all", f"match[id]={secret.id},{open_one.id}", "limit=1", f"match[version]={T1}"):
        for where in ("objects", "manifest"):
            assert house.rows(where, query, by=GREEN).ids == [open_one.id]
    for inside in ("", "/versions"):
        path = f"/taxii2/feeds/collections/{CALLBACKS.id}/objects"
        hidden = house.ask(f"{path}/{secret.id}{inside}/", by=GREEN)
        assert hidden == house.ask(f"{path}/{UNKNOWN}{inside}/", by=GREEN)
        assert hidden.status == 404
    assert json.dumps(secret.id) not in house.rows("objects", by=GREEN).body.decode()


def test_a_version_that_became_amber_leaves_the_green_one_as_the_last_for_green(house: House) -> None:
    house.publish(indicator(1, version=T1, tlp=Tlp.GREEN), indicator(1, version=T2, tlp=Tlp.AMBER))
    assert house.rows(f"objects/{indicator(1).id}/versions", by=GREEN).json == {"versions": [T1]}
    assert [one["modified"] for one in house.rows("objects", by=GREEN).json["objects"]] == [T1]
    assert [one["modified"] for one in house.rows("objects").json["objects"]] == [T2]
