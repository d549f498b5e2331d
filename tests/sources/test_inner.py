"""Records that other logs wrap: told apart one by one, read by few parsers, gone on with anywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.sources.inner import MOST, Inner
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import BadLine, LogRecord
from tests.sources.logs.json_making import reasons
from tests.sources.logs.making import Exchange, json_line

FORMATS = Formats(without=("splunk", "ecs"))


def zeek(name: str) -> bytes:
    return json_line(Exchange(f"{name}.example.net", answers=("198.51.100.7",))).rstrip()


def squid(name: str) -> bytes:
    return (
        f"1793491202.908 11 10.3.0.2 TCP_MISS/200 759 GET http://{name}.example.net/ - HIER_DIRECT/198.51.100.8 -".encode()
    )


def dnsmasq(serial: int, what: str) -> bytes:
    return f"Nov  1 00:00:05 dnsmasq[8901]: {serial} 10.3.0.5/50001 {what}".encode()


def names(found: tuple[LogRecord | BadLine, ...]) -> list[str]:
    return [one.rrname.removesuffix(".example.net") for one in found if isinstance(one, LogRecord)]


def test_records_of_several_formats_are_told_apart_wherever_they_come_from() -> None:
    inner = Inner(FORMATS)
    for place in ("", "a", "a\nb"):
        assert names(inner.parse(zeek("one"), place, 0)) == ["one"]
        assert names(inner.parse(squid("two"), place, 0)) == ["two"]
        assert names(inner.parse(zeek("three"), place, 0)) == ["three"]


def test_a_record_has_the_offset_of_what_wraps_it() -> None:
    inner = Inner(FORMATS)
    (found,) = inner.parse(zeek("one"), "a", 4711)
    assert found.offset == 4711
    two = inner.parse(zeek("two") + b"\n" + zeek("three"), "a", 5000)
    assert (names(two), [one.offset for one in two]) == (["two", "three"], [5000, 5000])


def test_an_array_within_is_read_as_one() -> None:
    found = Inner(FORMATS).parse(b"[" + zeek("one") + b",\n" + zeek("two") + b"]", "a", 7)
    assert (names(found), [one.offset for one in found]) == (["one", "two"], [7, 7])


@pytest.mark.parametrize(
    "place", ["a\udc82b", "\ud800", "\udfff" * 300, "x" * 5000], ids=["octet", "half", "halves", "long"]
)
def test_a_place_that_is_no_text_is_remembered_all_the_same(place: str) -> None:
    inner = Inner(FORMATS)
    assert names(inner.parse(dnsmasq(1, "query[A] a.example.net from 10.3.0.5"), place, 0)) == []
    assert names(inner.parse(dnsmasq(1, "query[A] b.example.net from 10.3.0.5"), place + "b", 0)) == []
    later = Inner(FORMATS, inner.state())
    assert names(later.parse(dnsmasq(1, "reply a.example.net is 198.51.100.7"), place, 9)) == []
    found = {one.rrname: len(one.answers) for one in later.finish() if isinstance(one, LogRecord)}
    assert found == {"a.example.net": 1, "b.example.net": 0}


def test_what_no_format_fits_is_told() -> None:
    inner = Inner(FORMATS)
    (found,) = inner.parse(b"what is this " + b"x" * 500, "a", 3)
    assert isinstance(found, BadLine)
    assert (found.offset, found.reason, len(found.line)) == (3, "wrapped record that no format fits", 200)
    assert inner.state() == ""


def test_a_line_that_shows_no_format_is_of_the_log_that_it_came_from() -> None:
    inner = Inner(FORMATS)
    assert reasons(inner.parse(b'{"ts":1,"query":"a', "a", 0)) == ["wrapped record that no format fits"]
    inner.parse(zeek("one"), "a", 0)
    (told,) = inner.parse(b'{"ts":1,"query":"a', "a", 0)
    assert isinstance(told, BadLine)
    assert "Zeek" in told.reason


def test_where_no_place_is_told_nothing_is_taken_for_granted() -> None:
    inner = Inner(FORMATS)
    inner.parse(zeek("one"), "", 0)
    assert reasons(inner.parse(b"what is this", "", 0)) == ["wrapped record that no format fits"]


def test_what_lines_of_one_place_say_together_is_understood() -> None:
    inner = Inner(FORMATS)
    for place, serial in (("a", 1), ("b", 1), ("a", 2)):
        inner.parse(dnsmasq(serial, f"query[A] {place}{serial}.example.net from 10.3.0.5"), place, serial)
    for place, serial in (("a", 2), ("b", 1)):
        inner.parse(dnsmasq(serial, f"reply {place}{serial}.example.net is 198.51.100.{serial}"), place, 10)
    found = [one for one in inner.finish() if isinstance(one, LogRecord)]
    assert {one.rrname: (len(one.answers), one.offset) for one in found} == {
        "a1.example.net": (0, 1),
        "a2.example.net": (1, 2),
        "b1.example.net": (1, 1),
    }


def test_a_parser_that_gives_way_says_what_it_waited_for() -> None:
    inner = Inner(FORMATS)
    assert inner.parse(dnsmasq(1, "query[A] waiting.example.net from 10.3.0.5"), "first", 1) == ()
    found: list[str] = []
    for number in range(MOST):
        found += names(inner.parse(zeek(f"n{number}"), f"place {number}", 2))
    assert found == [*(f"n{number}" for number in range(MOST - 1)), "waiting", f"n{MOST - 1}"]
    assert inner.finish() == ()


def test_the_state_does_not_grow_without_end() -> None:
    inner = Inner(FORMATS)
    for number in range(1000):
        inner.parse(zeek("one"), f"{'x' * 1000}{number}", 0)
    assert len(inner.state()) < MOST * 300


@given(
    st.lists(st.tuples(st.sampled_from(["zeek", "squid", "ask", "tell", "odd"]), st.sampled_from("ab"), st.integers(0, 2)))
)
def test_reading_goes_on_in_another_process_behind_any_record(steps: list[tuple[str, str, int]]) -> None:
    texts: dict[str, Callable[[int], bytes]] = {
        "zeek": lambda number: zeek(f"n{number}"),
        "squid": lambda number: squid(f"n{number}"),
        "ask": lambda number: dnsmasq(number, f"query[A] n{number}.example.net from 10.3.0.5"),
        "tell": lambda number: dnsmasq(number, f"reply n{number}.example.net is 198.51.100.{number}"),
        "odd": lambda number: b"what is this",
    }
    whole, resumed, state = Inner(FORMATS), list[object](), ""
    expected: list[object] = []
    for offset, (kind, place, number) in enumerate(steps):
        text = texts[kind](number)
        expected += whole.parse(text, place, offset)
        inner = Inner(FORMATS, state)
        resumed += inner.parse(text, place, offset)
        state = inner.state()
    assert [*resumed, *Inner(FORMATS, state).finish()] == [*expected, *whole.finish()]


@pytest.mark.parametrize("state", ["{}", "[1]", "nonsense", '[["a","zeek"]]'])
def test_a_state_of_somebody_else_is_refused(state: str) -> None:
    with pytest.raises(SourceError, match="what this log wraps cannot be read"):
        Inner(FORMATS, state)


def test_a_format_that_is_not_installed_any_more_is_named() -> None:
    with pytest.raises(SourceError, match="no logs plug-in 'gone'"):
        Inner(FORMATS, '[["a","gone",""]]')


def test_a_wrapper_is_not_looked_for_within_itself() -> None:
    export = b'{"preview":false,"result":{"_raw":"x"}}'
    assert reasons(Inner(FORMATS).parse(export, "a", 0)) == ["wrapped record that no format fits"]
