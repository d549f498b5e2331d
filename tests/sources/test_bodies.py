"""Answers that are one JSON value: their rows, however many and however odd, and what is far too much of them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.sources import bodies
from tests.sources.pdns.reading import JSONS, answer

MEBIBYTE = 1 << 20
TEXTS = st.text('[]{},:"\\\\/\n ab', max_size=30)
"""Texts of the letters that JSON itself is made of."""

GATHERED = """
import resource, sys
from feedsvc.errors import SourceError
from feedsvc.sources import bodies
unit, size, end = sys.argv[1].encode(), int(sys.argv[2]), {"rows": b"[0]", "members": b"{}"}[sys.argv[3]]
body = end[:1] + unit * (size // len(unit)) + unit.rstrip(b",") + end[-1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    got = len(getattr(bodies, sys.argv[3])(body))
except SourceError:
    got = -1
print(got, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 // size)
"""


def gathered(unit: str, megabytes: int, of: str) -> tuple[int, int]:
    """How many pieces were told apart, and how many times the size of their text that cost, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", GATHERED, unit, str(megabytes * MEBIBYTE), of], capture_output=True, check=True
    )
    got, times = map(int, done.stdout.split())
    return got, times


class _Shape(msgspec.Struct):
    rows: msgspec.Raw
    count: bodies.Scalar = None


def array_of(row: object, size: int = 2 * MEBIBYTE) -> tuple[bytes, int]:
    """An array of equal rows with at least so many bytes, and how many there are."""
    text = json.dumps(row, separators=(",", ":")).encode()
    count = size // len(text) + 1
    return b"[" + b",".join([text] * count) + b"]", count


@given(st.lists(JSONS | TEXTS | st.lists(TEXTS) | st.dictionaries(TEXTS, TEXTS), max_size=6))
def test_rows_are_the_elements_of_an_array(values: list[object]) -> None:
    text = json.dumps(values, allow_nan=False).encode() if _is_json(values) else b"[]"
    got = bodies.rows(text)
    assert got is not None
    assert [json.loads(bytes(row)) for row in got] == json.loads(text)


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("text", [b"", b"null", b"1", b'"[]"', b"{}", b"[1,", b"[" * 100_000, b"[\xff]"])
def test_what_is_no_array_has_no_rows(text: bytes) -> None:
    assert bodies.rows(text) is None


@pytest.mark.parametrize("text", [b"", b"null", b"1", b'"{}"', b"[]", b'{"a":', b'{"a":' * 100_000])
def test_what_is_no_object_has_no_members(text: bytes) -> None:
    assert bodies.members(text) is None


@pytest.mark.parametrize(
    "row",
    [
        {"name": "a.example"},
        {"name": "," * 63, "other": "],[" * 20},
        {"name": '\\",\\",\\",\\",' * 9},
        {"within": [0] * 100, "and": {"deeper": [[{}, {}, {}], [1, 2, 3]]}},
        [[], [], [], [], [], [], [], []],
        [{"a": [","]}] * 9,
    ],
)
def test_rows_are_told_apart_whatever_commas_they_hold(row: object) -> None:
    text, count = array_of(row)
    got = bodies.rows(b" \n" + text)
    assert got is not None
    assert len(got) == count


@pytest.mark.parametrize("unit", ["0,", "{},", "[],", "null,", '"a",', '{"a":0},', "[[]],", "[0,[],0],"])
def test_elements_that_are_far_too_short_for_rows_are_not_told_apart(unit: str) -> None:
    got, times = gathered(unit, 8, "rows")
    assert (got, times < 10) == (-1, True), times


@pytest.mark.parametrize("unit", ["0               ,", '{"name":"a.example"},', '{"":[0,0,0,0,0,0]},'])
def test_the_shortest_rows_cost_no_more_than_ten_times_their_room(unit: str) -> None:
    got, times = gathered(unit, 8, "rows")
    assert got > 100_000
    assert times < 10


def test_members_that_are_far_too_short_are_not_told_apart() -> None:
    assert gathered('"a":0,', 8, "members")[0] == -1
    with pytest.raises(SourceError, match="far too short"):
        bodies.members(b"{" + b",".join(b'"%x":0' % n for n in range(400_000)) + b"}")


def test_members_with_many_rows_each_are_told_apart() -> None:
    text, _ = array_of({"k": "a", "v": "b"})
    got = bodies.members(b'{"A":' + text + b',"AAAA":[]}')
    assert got is not None
    assert [bytes(got["A"]), bytes(got["AAAA"])] == [text, b"[]"]


@pytest.mark.parametrize("junk", [b"[%b]" % (b"{}," * 100_000 + b"0"), b"[" * 100_000, b"9" * 5_000, b"[]", b"{}"])
def test_a_scalar_is_no_place_for_anything_large(junk: bytes) -> None:
    with pytest.raises(SourceError, match="is not a list of names"):
        bodies.whole(answer(b'{"rows": [], "count": %b}' % junk), _Shape, "a list of names")


def test_what_nobody_asked_for_is_passed_over() -> None:
    body = b'{"other": [%b], "rows": [1], "count": "2"}' % (b"{}," * 300_000 + b"0")
    read = bodies.whole(answer(body), _Shape, "a list of names")
    assert (bytes(read.rows), bodies.number(read.count)) == (b"[1]", 2)


@pytest.mark.parametrize("decode", [bodies.rows, bodies.members, lambda text: bodies.one(text, _Shape)])
def test_nothing_escapes_but_what_says_that_it_is_too_much(decode: Callable[[bytes], object]) -> None:
    for text in (b"[" * 2 * MEBIBYTE, b'{"a":' * MEBIBYTE, b'"' * 2 * MEBIBYTE, b"," * 2 * MEBIBYTE, b"]" * 2 * MEBIBYTE):
        with contextlib.suppress(SourceError):
            assert decode(text) is None


def test_a_row_that_is_far_too_long_is_none() -> None:
    assert bodies.one(b'{"rows": 1, "x": "%b"}' % (b"a" * (MEBIBYTE - 100)), _Shape) is not None
    assert bodies.one(b'{"rows": 1, "x": "%b"}' % (b"a" * MEBIBYTE), _Shape) is None
