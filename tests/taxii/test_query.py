"""TAXII 2.1 §3.4: the URL filters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.taxii.query import (
    EPOCH,
    OBJECT,
    OBJECTS,
    VERSIONS,
    Filters,
    Malformed,
    parse_filters,
    write_moment,
)

NOON = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
IDS = ("indicator--0c7e22ad-b099-4dc3-b0df-2ea3f49ae2e6", "malware--3a5b2a2c-1f2b-4a3e-8a57-0b6a5a0cbb11")


def after(text: str) -> int | None:
    return parse_filters(b"added_after=" + text.encode(), OBJECTS).after


def test_no_query_asks_for_the_last_version_of_everything() -> None:
    assert parse_filters(b"", OBJECTS) == Filters()
    assert Filters().versions == {"last"}


# -- added_after -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01t12:00:00z", NOON),
        ("2026-01-01T12:00:00.000000Z", NOON),
        ("2026-01-01T12:00:00.123Z", NOON + 123_000),
        ("2026-01-01T12:00:00.123456Z", NOON + 123_456),
        ("2026-01-01T12:00:00.123456999Z", NOON + 123_456),
        ("2026-01-01T12:00:00.1Z", NOON + 100_000),
        ("2026-01-01T12:00:00%2B00:00", NOON),
        ("2026-01-01T12:00:00-00:00", NOON),
        ("2026-01-01T14:30:00%2B02:30", NOON),
        ("2026-01-01T14:30:00+02:30", NOON),
        ("2026-01-01T09:00:00-03:00", NOON),
        ("2026-01-01T12%3A00%3A00Z", NOON),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000),
    ],
)
def test_added_after_takes_every_spelling_of_rfc_3339(text: str, micros: int) -> None:
    assert after(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-01",
        "2026-01-01T12:00:00",
        "2026-01-01T12:00Z",
        "2026-01-01 12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "0000-01-01T12:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T12:60:00Z",
        "2026-01-01T12:00:61Z",
        "2026-01-01T12:00:00.Z",
        "2026-01-01T12:00:00%2B24:00",
        "2026-01-01T12:00:00%2B00:60",
        "2026-01-01T12:00:00%2B0000",
        "2026-01-01T12:00:00Z,2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00Z%00",
        "%D9%A2026-01-01T12:00:00Z",
        "1767268800",
    ],
)
def test_added_after_refuses_what_is_no_single_time(text: str) -> None:
    with pytest.raises(Malformed, match="added_after takes one RFC 3339 time"):
        after(text)


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_added_after_means_the_same_moment_in_every_zone(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (moment - EPOCH) // timedelta(microseconds=1)
    assert after(quote(moment.isoformat())) == expected
    assert after(moment.isoformat()) == expected
    assert after(write_moment(expected)) == expected


def test_a_timestamp_always_has_six_digits_and_z() -> None:
    assert write_moment(NOON) == "2026-01-01T12:00:00.000000Z"
    assert write_moment(NOON + 1) == "2026-01-01T12:00:00.000001Z"
    assert datetime.fromisoformat(write_moment(NOON)) == datetime(2026, 1, 1, 12, tzinfo=UTC)


# -- limit, next and their number --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "limit"), [("1", 1), ("1000", 1000), ("007", 7), ("9" * 4000, int("9" * 4000))])
def test_limit_is_a_whole_number_above_0(text: str, limit: int) -> None:
    assert parse_filters(f"limit={text}".encode(), OBJECTS).limit == limit


@pytest.mark.parametrize("text", ["", "0", "000", "-1", "%2B1", "1.0", "1e3", "ten", "1,2", "%D9%A3", "%201", "9" * 5000])
def test_any_other_limit_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="limit takes a whole number above 0"):
        parse_filters(f"limit={text}".encode(), OBJECTS)


@pytest.mark.parametrize("query", ["limit=1&limit=1", "added_after=x&added_after=x", "next=a&next=b"])
def test_a_filter_may_stand_once(query: str) -> None:
    with pytest.raises(Malformed, match="may stand once only"):
        parse_filters(query.encode(), OBJECTS)


def test_unknown_parameters_are_ignored_and_too_many_refused() -> None:
    assert parse_filters(b"colour=red&colour=blue&%ff=%fe&=&;", OBJECTS) == Filters()
    with pytest.raises(Malformed, match="over 64 parameters"):
        parse_filters(b"&".join([b"a=b"] * 65), OBJECTS)


# -- match -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encode", [str, quote, lambda text: quote(text, safe="")], ids=["raw", "quoted", "all quoted"])
def test_match_values_are_or_ed_and_brackets_and_commas_come_raw_or_encoded(encode: object) -> None:
    assert callable(encode)
    query = "&".join(f"{encode(name)}={encode(value)}" for name, value in (
        ("match[id]", ",".join(IDS)),
        ("match[type]", "indicator,malware"),
        ("match[spec_version]", "2.0,2.1"),
        ("match[version]", "first,2026-01-01T12:00:00.5Z,last"),
    ))  # fmt: skip
    read = parse_filters(query.encode(), OBJECTS)
    assert read.ids == set(IDS)
    assert read.types == {"indicator", "malware"}
    assert read.spec_versions == {"2.0", "2.1"}
    assert read.versions == {"first", "last"}
    assert "2026-01-01T12:00:00.500Z" in read.exact_versions


def test_an_exact_version_is_found_in_every_precision_and_in_no_other_moment() -> None:
    read = parse_filters(b"match[version]=2026-01-01T14:00:00.120%2B02:00", OBJECTS)
    assert read.versions == frozenset()
    assert {"2026-01-01T12:00:00.12Z", "2026-01-01T12:00:00.120Z", "2026-01-01T12:00:00.120000Z"} <= read.exact_versions
    assert {datetime.fromisoformat(text) for text in read.exact_versions} == {
        datetime(2026, 1, 1, 12, microsecond=120_000, tzinfo=UTC)
    }


@pytest.mark.parametrize("value", ["last", "first", "all", "first,last"])
def test_version_words_stand_alone_or_together(value: str) -> None:
    assert parse_filters(f"match[version]={value}".encode(), OBJECT).versions == set(value.split(","))


@pytest.mark.parametrize(
    "query",
    [
        "match[version]=all,last",
        "match[version]=all,2026-01-01T12:00:00Z",
        "match[version]=newest",
        "match[version]=",
        "match[version]=first,",
        "match[version]=first, last",
        "match[version]=last,last",
        "match[version]=2026-01-01T12:00:00Z,2026-01-01T12:00:00Z",
        "match[version]=9999-12-31T23:59:59-23:59",
        "match[version]=0001-01-01T00:00:00%2B23:59",
        "match[version]=last&match[version]=first",
        "match[id]=",
        "match[id]=not-an-id",
        f"match[id]={IDS[0]},{IDS[0]}",
        f"match[id]={IDS[0]},",
        f"match[id]={IDS[0]}&match%5Bid%5D={IDS[1]}",
        "match[type]=",
        "match[type]=Indicator",
        "match[type]=indicator,indicator",
        "match[type]=indicator;malware",
        "match[spec_version]=",
        "match[spec_version]=newest",
        "match[spec_version]=2.1,2.1",
        "match[type]=" + ",".join(f"x-{number}" for number in range(1001)),
    ],
)
def test_a_match_that_is_not_well_formed_is_refused(query: str) -> None:
    with pytest.raises(Malformed):
        parse_filters(query.encode(), OBJECTS)


@pytest.mark.parametrize(("fields", "known"), [(OBJECTS, OBJECTS), (OBJECT, OBJECT), (VERSIONS, VERSIONS)])
def test_match_fields_that_an_endpoint_does_not_know_are_ignored(fields: frozenset[str], known: frozenset[str]) -> None:
    for field in ("id", "type", "version", "spec_version", "name", "pattern"):
        query = f"match[{field}]=!!&match[{field}]=!!".encode()
        if field in known:
            with pytest.raises(Malformed):
                parse_filters(query, fields)
        else:
            assert parse_filters(query, fields) == Filters()


def test_what_was_sent_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(Malformed) as caught:
        parse_filters(b"match[id]=%3Cscript%3E", OBJECTS)
    assert "script" not in str(caught.value)


@given(st.binary())
def test_no_octets_break_the_reading(query: bytes) -> None:
    try:
        parse_filters(query, OBJECTS)
    except Malformed:
        return


_KNOWN = st.sampled_from(
    ["added_after", "limit", "next", "match[id]", "match[type]", "match[version]", "match[spec_version]"]
)


@given(st.lists(st.tuples(_KNOWN, st.text() | st.datetimes().map(str) | st.integers().map(str)), max_size=6))
def test_no_values_break_the_reading(pairs: list[tuple[str, str]]) -> None:
    try:
        parse_filters(urlencode(pairs, errors="replace").encode(), OBJECTS)
    except Malformed:
        return
