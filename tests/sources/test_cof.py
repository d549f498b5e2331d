"""COF rows as real and hostile servers write them: each becomes observations or is counted, none is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.http import Discretion
from feedsvc.model import Batch, Observation, Outcome
from feedsvc.names import parse_name, parse_netblock
from feedsvc.sources import cof
from feedsvc.sources.cof import Rows
from tests.sources.conftest import DATA, NETBLOCK, NOW, Heard, gather

GOOD: dict[str, Any] = {
    "rrname": "k3xq.example.net",
    "rrtype": "A",
    "rdata": "198.51.100.7",
    "time_first": 1_700_000_000,
    "time_last": 1_700_000_600,
}
SEEN = Observation("k3xq.example.net", "A", "198.51.100.7", 1_700_000_000, 1_700_000_600)


def read(*lines: bytes | dict[str, Any], netblock: str = "198.51.100.0/24") -> Heard:
    rows = Rows(parse_netblock(netblock), NOW)
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]
    return gather(rows.read(encoded))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rrname": "K3XQ.Example.NET."},
        {"rrtype": "a"},
        {"rrtype": 1},
        {"rrtype": "1"},
        {"rrtype": "TYPE1"},
        {"rdata": ["198.51.100.7"]},
        {"rdata": ["198.51.100.7", "198.51.100.7"]},
        {"rdata": None, "rrdata": "198.51.100.7"},
        {"rrname": "198.51.100.7", "rdata": "k3xq.example.net."},
        {"rdata": "::ffff:198.51.100.7", "rrtype": "AAAA"},
        {"time_first": "1700000000", "time_last": "1700000600"},
        {"time_first": 1700000000.25, "time_last": "1700000600.75"},
        {"bailiwick": "example.net", "origin": "https://pdns.example/", "meta": {"x": [1]}, "time_first_ms": 1},
        {"count": None, "sensor_id": None, "zone_time_first": None},
        {"tlp": "red", "chain": ["edge.example.org"], "inside": False},
    ],
    ids=str,
)
def test_every_way_of_writing_a_row_is_the_same_observation(change: dict[str, Any]) -> None:
    heard = read(GOOD | change)
    assert heard.observations == (SEEN,)
    assert heard.refused == {}


def test_the_address_family_decides_the_type() -> None:
    heard = read(GOOD | {"rdata": "2001:DB8:0:0::7"}, netblock="2001:db8::/32")
    assert [(seen.rrtype, seen.rdata) for seen in heard.observations] == [("AAAA", "2001:db8::7")]


def test_each_address_inside_the_netblock_is_an_observation_of_its_own() -> None:
    heard = read(GOOD | {"rdata": ["198.51.100.7", "203.0.113.9", "198.51.100.8"]})
    assert [seen.rdata for seen in heard.observations] == ["198.51.100.7", "198.51.100.8"]
    assert heard.refused == {cof.OUTSIDE: 1}


def test_counts_and_sensors_are_kept_and_zone_times_are_kept_apart() -> None:
    zone = {"zone_time_first": 1_600_000_000, "zone_time_last": 1_600_000_600}
    (seen,) = read(GOOD | zone | {"time_first": None, "time_last": None, "count": "19", "sensor_id": 5}).observations
    assert (seen.time_first, seen.time_last) == (None, None)
    assert (seen.zone_time_first, seen.zone_time_last) == (1_600_000_000, 1_600_000_600)
    assert (seen.count, seen.sensor_id) == (19, "5")


@pytest.mark.parametrize("count", [-1, "many", True, 1e300, "1e999", "nan", [], 2**64])
def test_a_count_that_is_none_is_left_out(count: object) -> None:
    assert read(GOOD | {"count": count}).observations == (SEEN,)


def test_a_sensor_that_would_harm_a_reader_is_escaped_and_cut() -> None:
    (seen,) = read(GOOD | {"sensor_id": "\x1b[2J" + "x" * 10_000}).observations
    assert seen.sensor_id is not None
    assert seen.sensor_id.startswith("\\x1b[2Jxxx")
    assert len(seen.sensor_id) <= 200


def test_times_the_wrong_way_round_are_turned_and_counted() -> None:
    heard = read(GOOD | {"time_first": GOOD["time_last"], "time_last": GOOD["time_first"]})
    assert heard.observations == (SEEN,)
    assert heard.refused == {cof.BACKWARDS: 1}


def test_times_in_the_future_become_now_and_are_counted() -> None:
    heard = read(GOOD | {"time_last": 4_102_444_800})
    assert heard.observations[0].time_last == int(NOW.timestamp())
    assert heard.refused == {cof.IN_FUTURE: 1}


@pytest.mark.parametrize("moment", ["yesterday", -5, [], {}, True, "inf", 2**70])
def test_a_time_that_is_none_is_left_out_and_counted(moment: object) -> None:
    heard = read(GOOD | {"time_first": moment})
    assert heard.observations[0].time_first is None
    assert heard.refused == {cof.NO_TIME: 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json\n", cof.NOT_JSON),
        (b"[1]\n", cof.NOT_JSON),
        (b'{"rrname":"\xff","rrtype":"A","rdata":"198.51.100.7"}\n', cof.NOT_JSON),
        (b'{"rrname":"\\ud800","rrtype":"A","rdata":"198.51.100.7"}\n', cof.NOT_JSON),
        (b'{"x":' + b"[" * 100_000 + b"\n", cof.NOT_JSON),
        (b"{}\n", "no rrname"),
        (GOOD | {"rrname": None}, "no rrname"),
        (GOOD | {"rrname": 7}, "no rrname"),
        (GOOD | {"rrtype": None}, "no rrtype"),
        (GOOD | {"rrtype": True}, "no rrtype"),
        (GOOD | {"rdata": None}, "no rdata"),
        (GOOD | {"rdata": []}, "no rdata"),
        (GOOD | {"rdata": {}}, "no rdata"),
        (GOOD | {"rdata": [7]}, "rdata that is no text"),
        (GOOD | {"rdata": "edge.example.org"}, "no address on either side"),
        (GOOD | {"rdata": "1" * 100_000}, "no address on either side"),
        (GOOD | {"rrtype": "CNAME", "rdata": "edge.example.org"}, cof.OTHER_TYPE),
        (GOOD | {"rrtype": 65}, cof.OTHER_TYPE),
        (GOOD | {"rrtype": "ANY"}, cof.OTHER_TYPE),
        (GOOD | {"rdata": "203.0.113.9"}, cof.OUTSIDE),
        (GOOD | {"rdata": "2001:db8::7"}, cof.OUTSIDE),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_counted_by_its_reason_with_a_sample(line: bytes | dict[str, Any], reason: str) -> None:
    heard = read(line, GOOD)
    assert heard.observations == (SEEN,)
    assert heard.refused == {reason: 1}
    assert 0 < len(heard.samples[reason]) <= 200


@pytest.mark.parametrize("name", ["", ".", "a..b", "a" * 64 + ".example.net", "\\999.example", "\\", "x" * 2000])
def test_a_name_that_is_none_is_counted_with_its_reason(name: str) -> None:
    (reason,) = read(GOOD | {"rrname": name}).refused
    assert reason.startswith(f"{cof.NOT_A_NAME}: ")


def test_ever_new_reasons_are_counted_together_in_the_end() -> None:
    heard = read(*(GOOD | {"rrname": f"\\{number}.example"} for number in range(256, 456)))
    assert sum(heard.refused.values()) == 200
    assert len(heard.refused) == 51
    assert heard.refused[cof.NOT_A_NAME] == 150


def test_an_odd_name_that_decodes_is_kept_for_the_gate_to_judge() -> None:
    names = ["*.wild.example.net", "_dmarc.example.net", "esc\\032aped.example.net", "198.51.100", "com"]
    heard = read(*(GOOD | {"rrname": name} for name in names))
    assert heard.names == sorted(parse_name(name) for name in names)
    assert heard.refused == {}


def test_blank_lines_are_no_rows() -> None:
    rows = Rows(NETBLOCK, NOW)
    assert list(rows.read([b"\n", b"\r\n", b"  \n"])) == [Batch()]
    assert rows.seen == 0
    assert rows.end().outcome is Outcome.COMPLETE


def test_a_sample_shows_no_secret_that_the_server_repeats() -> None:
    rows = Rows(NETBLOCK, NOW, Discretion(("s3cr3t",)))
    rows.feed(b'{"error": "bad key s3cr3t"}\n')
    assert [refused.sample for refused in rows.batch().refused] == ['{"error": "bad key ********"}']


def test_an_answer_of_which_nothing_is_cof_has_failed() -> None:
    rows = Rows(NETBLOCK, NOW)
    list(rows.read([b'{"error": "try later"}\n']))
    assert rows.end().outcome is Outcome.FAILED
    assert "none of the 1 rows of the answer is COF: is the URL right?" in rows.end().reason


@pytest.mark.parametrize(("good", "outcome"), [(True, Outcome.PARTIAL), (False, Outcome.FAILED)])
def test_an_answer_that_ends_in_the_middle_of_a_row_is_not_complete(good: bool, outcome: Outcome) -> None:
    rows = Rows(NETBLOCK, NOW)
    list(rows.read([*([json.dumps(GOOD).encode() + b"\n"] if good else []), b'{"rrname": "k3x']))
    assert rows.end().outcome is outcome
    assert rows.end().reason == "the answer ends in the middle of a row"


def test_an_answer_whose_last_name_makes_its_row_unreadable_is_whole() -> None:
    rows = Rows(NETBLOCK, NOW)
    hostile = json.dumps(GOOD | {"rrname": "\ud800.example.net."}).encode() + b"\n"
    list(rows.read([json.dumps(GOOD).encode() + b"\n", hostile]))
    assert rows.end().outcome is Outcome.COMPLETE


def test_a_last_row_without_a_line_end_is_whole_when_it_reads() -> None:
    rows = Rows(NETBLOCK, NOW)
    list(rows.read([b"garbage\n", json.dumps(GOOD).encode()]))
    assert rows.end().outcome is Outcome.COMPLETE


def test_a_long_answer_comes_in_batches() -> None:
    rows = Rows(NETBLOCK, NOW)
    line = json.dumps(GOOD).encode() + b"\n"
    batches = rows.read([line] * (2 * cof.BATCH + 1))
    assert [len(batch.observations) for batch in batches] == [cof.BATCH, cof.BATCH, 1]


def test_rows_come_in_their_order_whether_they_need_putting_right_or_not() -> None:
    rows = [
        GOOD | {"rrname": f"{at}.example.net", "rdata": ["198.51.100.7"] if at % 3 else "198.51.100.7"} for at in range(20)
    ]
    assert [seen.rrname for seen in read(*rows).observations] == [row["rrname"] for row in rows]


def test_rows_fed_one_by_one_are_counted_once_however_many_are_waiting() -> None:
    rows = Rows(NETBLOCK, NOW)
    line = json.dumps(GOOD).encode()
    assert all(rows.feed(line) for _ in range(cof.BATCH + 1))
    assert rows.full
    assert (rows.seen, rows.understood, len(rows.batch().observations)) == (cof.BATCH + 1,) * 3


def test_any_number_of_blank_lines_ends_no_answer() -> None:
    assert read(*[b"\n"] * (2 * cof.BATCH), GOOD).observations == (SEEN,)


def test_what_came_before_an_answer_broke_is_kept() -> None:
    def lines() -> Iterator[bytes]:
        yield from [json.dumps(GOOD).encode() + b"\n"] * 3
        raise SourceError("the connection was lost")

    rows = Rows(NETBLOCK, NOW)
    batches: list[Batch] = []
    with pytest.raises(SourceError):
        batches.extend(rows.read(lines()))
    assert [rows.understood, *map(len, (batch.observations for batch in batches))] == [3, 3]


def test_many_different_addresses_do_not_make_it_forget_how_to_read() -> None:
    rows = [GOOD | {"rdata": f"198.51.{at // 256}.{at % 256}"} for at in range(20_000)]
    heard = read(*rows, netblock="198.51.0.0/16")
    assert len({seen.rdata for seen in heard.observations}) == 20_000


def test_rubbish_without_end_comes_in_batches_too() -> None:
    rows = Rows(NETBLOCK, NOW)
    batches = rows.read([b"rubbish\n"] * (2 * cof.BATCH))
    assert [sum(refused.count for refused in batch.refused) for batch in batches] == [cof.BATCH, cof.BATCH, 0]


def sample(name: str) -> Heard:
    with (DATA / "cof" / name).open("rb") as lines:
        rows = Rows(NETBLOCK, NOW)
        return gather(rows.read(lines))


def test_the_hostile_answer_is_accounted_for_row_by_row() -> None:
    heard = sample("hostile.ndjson")
    assert heard.names == [f"{label}.evil.example" for label in ("cb1", "float", "lower", "ms", "num", "swapped")]
    assert {seen.rdata for seen in heard.observations} == {"198.51.100.7"}
    assert heard.refused == {cof.OTHER_TYPE: 1, "no rrname": 1, cof.NOT_JSON: 2}


def test_rows_about_other_addresses_that_d4_sends_along_are_left_out() -> None:
    heard = sample("d4_query.ndjson")
    assert len(heard.observations) == 4
    assert heard.refused == {cof.OUTSIDE: 1}


def test_rows_with_sides_swapped_are_turned_where_they_are_addresses() -> None:
    heard = sample("swapped.ndjson")
    assert heard.observations == (
        Observation("feed.example.net", "A", "198.51.100.14", 1_696_798_385, 1_697_890_824, count=19),
    )
    assert heard.refused == {cof.OUTSIDE: 1, cof.OTHER_TYPE: 2}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELD = JSON | st.sampled_from(["A", "AAAA", "198.51.100.7", "203.0.113.9", "k3xq.example.net", "::ffff:198.51.100.7", 1])
ROW = st.fixed_dictionaries({}, optional=dict.fromkeys((*GOOD, "count", "sensor_id", "zone_time_last"), FIELD))
LINE = ROW.map(lambda row: json.dumps(row).encode()) | st.binary(max_size=60).map(lambda text: text.replace(b"\n", b""))


NAME = st.sampled_from(["k3xq.example.net", "K3XQ.example.net.", "a..b", "*.example.net", "198.51.100.7", ""])
NUMBER: st.SearchStrategy[object] = st.integers(1_699_999_998, 1_700_000_003) | st.sampled_from(
    [-1, 0, 2**63, 4_102_444_800, "17", 0.5, True, None, []]
)
ALMOST_PLAIN = st.fixed_dictionaries(
    {"rrname": NAME, "rrtype": st.sampled_from(["A", "AAAA", "CNAME"]), "time_first": NUMBER, "time_last": NUMBER},
    optional={"count": NUMBER, "sensor_id": NUMBER | st.text(), "zone_time_last": NUMBER, "tlp": st.just("red")},
)


@given(ALMOST_PLAIN, st.sampled_from(["198.51.100.7", "203.0.113.9", "2001:db8::7", "::ffff:198.51.100.7", "x.example.org"]))
def test_a_row_says_the_same_whether_its_address_stands_alone_or_in_an_array(row: dict[str, Any], rdata: str) -> None:
    alone, in_array = read(row | {"rdata": rdata}), read(row | {"rdata": [rdata]})
    assert alone.observations == in_array.observations
    assert alone.refused == in_array.refused


@given(st.lists(LINE, max_size=20), st.booleans())
@example([b'{"rrname": "a", "rrtype": "A", "rdata": ["198.51.100.7", 7]}'], True)
def test_no_line_raises_and_none_is_lost_without_being_counted(lines: list[bytes], ended: bool) -> None:
    for line in lines:
        rows = Rows(NETBLOCK, datetime(2026, 11, 24, tzinfo=UTC))
        heard = gather([*rows.read([line + b"\n" if ended else line]), rows.batch()])
        assert bool(heard.observations or heard.refused) == bool(line.strip())
        assert all(parse_name(seen.rrname) == seen.rrname for seen in heard.observations)
        assert all(reason.isprintable() and text.isprintable() for reason, text in heard.samples.items())
        assert rows.end().outcome in set(Outcome)


KEY = Discretion(("s3cr3t-k3y", "web"), ("example.net",))


def heard_with_key(*rows: dict[str, Any]) -> Heard:
    return gather(Rows(NETBLOCK, NOW, KEY).read([json.dumps(row).encode() + b"\n" for row in rows]))


@pytest.mark.parametrize(
    "name",
    [
        "s3cr3t-k3y",
        "S3CR3T-k3y.example.net.",
        "www.s3cr3t-k3y",
        "xs3cr3t-k3yx.example.net",
        "a.web.example.net",
        r"s3cr3t\045k3y.net",
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_key_in_the_place_of_a_name_is_refused_and_starred(name: str, turned: bool) -> None:
    names = {"rrname": GOOD["rdata"], "rdata": name} if turned else {"rrname": name}
    heard = heard_with_key(GOOD | names, GOOD)
    assert heard.names == ["k3xq.example.net"]
    assert heard.refused == {cof.BETRAYAL: 1}


def test_a_user_name_and_a_short_password_in_longer_words_are_no_reason_to_lose_a_name() -> None:
    names = ["webmail.example.net", "k3xq.example.net", "spider-web7.example.net"]
    assert heard_with_key(*(GOOD | {"rrname": name} for name in names)).names == sorted(names)


@pytest.mark.parametrize("change", [{}, {"rdata": ["198.51.100.7"]}], ids=["as it is", "put right"])
def test_a_key_in_the_place_of_a_sensor_is_starred(change: dict[str, Any]) -> None:
    [seen] = heard_with_key(GOOD | change | {"sensor_id": "of s3cr3t-k3y"}).observations
    assert seen.sensor_id == "of ********"


@pytest.mark.parametrize("name", ["198.51.100.9", "192.0.2.1", "2001:db8::1", "2001\\058db8\\058\\0581", "::ffff:192.0.2.1"])
@pytest.mark.parametrize("turned", [False, True])
def test_an_address_is_no_name_of_an_address(name: str, turned: bool) -> None:
    names = {"rrname": GOOD["rdata"], "rdata": name} if turned else {"rrname": name}
    heard = read(GOOD | names)
    assert heard.observations == ()
    assert sum(heard.refused.values()) == 1
