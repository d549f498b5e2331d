"""YAML becomes nodes that know their lines, and only the YAML that means what it shows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.config.nodes import Node
from feedsvc.errors import ConfigError
from feedsvc.watches.text import LONGEST, parse


def lines_of(node: Node, name: str = "") -> Iterator[tuple[str, int]]:
    yield name, node.line
    for key, part in node.children() or enumerate(node.value if isinstance(node.value, tuple) else ()):
        yield from lines_of(part, f"{name}/{key}")


def faults_of(raw: bytes) -> list[tuple[int, str]]:
    try:
        _, faults = parse(raw, "x.yaml")
        faults.check()
    except ConfigError as err:
        return [(fault.line, fault.message) for fault in err.faults]
    return []


def test_a_value_is_known_by_the_line_of_its_key_and_an_element_by_its_own() -> None:
    node, faults = parse(
        b"# a comment\n"
        b"text: |\n"
        b"  key: not a key\n"
        b"list:\n"
        b"  - 1\n"
        b"\n"
        b"  - [2,\n"
        b"     3]\n"
        b"table: {a: 1,\n"
        b"        b:\n"
        b"          2}\n"
        b'"quoted key": "a\n'
        b'  b"\n'
        b"nested:\n"
        b"  deep: {x: y}\n",
        "x.yaml",
    )
    assert faults.found == []
    assert dict(lines_of(node)) == {
        "": 2,
        "/text": 2,
        "/list": 4,
        "/list/0": 5,
        "/list/1": 7,
        "/list/1/0": 7,
        "/list/1/1": 8,
        "/table": 9,
        "/table/a": 9,
        "/table/b": 10,
        "/quoted key": 12,
        "/nested": 14,
        "/nested/deep": 15,
        "/nested/deep/x": 15,
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("2013-05-01", "2013-05-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("'7'", "7"),
        ('"true"', "true"),
        ("=", "="),
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("42", 42),
        ("-7", -7),
        ("070", 70),
        ("0o17", 15),
        ("0x1F", 31),
        ("4.5e1", 45.0),
        (".inf", math.inf),
    ],
)
def test_scalars_are_read_by_the_core_schema(written: str, value: object) -> None:
    node, _ = parse(f"key: {written}\n".encode(), "x.yaml")
    plain = node.plain()
    assert plain == {"key": value}
    assert isinstance(plain, dict)
    assert type(plain["key"]) is type(value)


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"a: 1\nb: &x 2\n", 2, "anchor &x"),
        (b"a: 1\nb: *x\n", 2, "an alias"),
        (b"a: &x [1]\nb: *x\n", 2, "an alias"),
        (b"a: 1\nb: !!python/object:os.system {}\n", 2, "tag"),
        (b"a: ! 7\n", 1, "tag"),
        (b"a: 1\n? !!str b\n: 2\n", 2, "tag"),
        (b"a: 1\nb: 2\na: 3\n", 3, "a: stands on line 1 already"),
        (b"a:\n  b: 1\n  c: 2\n  b: 3\n", 4, "a.b: stands on line 2 already"),
        (b"a: {b: 1, b: 2}\n", 1, "a.b: stands on line 1 already"),
        (b"a: 1\n---\nb: 2\n", 2, "a second document"),
        (b"%YAML 1.1\n---\na: no\n", 1, "directives"),
        (b"? [a]\n: b\n", 1, "a key that is no word"),
        (b"a: 1\nb: [1,\nc: 2", 3, "no YAML"),
        (b"a: 'x\n\n\n", 1, "no YAML"),
        (b"a:\n\t- b\n", 2, "no YAML"),
        (b"a: b: c\n", 1, "no YAML"),
        (b"a: 1\nb: @x\n", 2, "no YAML"),
        (b"a: 1\nb: \x00\n", 2, "no YAML"),
        (b"a: 1\nb: M\xfcller\n", 2, "not UTF-8"),
        ("a: 1".encode("utf-16"), 1, "not UTF-8"),
        (b"a: 1\nb: " + b"[" * 20_000, 2, "nested more than"),
        (b"a: 1\nb: " + b"{a: " * 20_000, 2, "nested more than"),
        (b"a: 1\nb: " + b"- " * 20_000, 2, "no YAML"),
        (b"#" * (LONGEST + 1), 0, "over"),
    ],
)
def test_what_is_not_taken_is_told_with_its_line(raw: bytes, line: int, words: str) -> None:
    faults = faults_of(raw)
    assert [fault for fault in faults if fault[0] == line and words in fault[1]], faults
    assert not any("\n" in message for _, message in faults)


def test_every_anchor_tag_and_repetition_is_told_at_once() -> None:
    assert [line for line, _ in faults_of(b"a: &x 1\nb: !t 2\nc: 3\nc: 4\n")] == [1, 2, 4]


@pytest.mark.parametrize("raw", [b"", b"# nothing\n", b"---\n", b"\n\n", b"~\n", b"\xef\xbb\xbf"])
def test_an_empty_document_is_nothing(raw: bytes) -> None:
    node, faults = parse(raw, "x.yaml")
    assert (node.value, faults.found) == (None, [])


def test_a_byte_order_mark_is_no_fault() -> None:
    node, _ = parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "x.yaml")
    assert node.plain() == {"a": 1, "b": 2}


VALUES = st.recursive(
    st.integers(-(10**6), 10**6) | st.booleans() | st.none() | st.text(alphabet="ab -:#'\"\\é", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="ab-_", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(alphabet="ab-_", min_size=1, max_size=3), VALUES, max_size=4), st.sampled_from([None, 2]))
def test_json_is_read_as_what_it_says(value: object, indent: int | None) -> None:
    node, faults = parse(json.dumps(value, ensure_ascii=False, indent=indent).encode(), "x.yaml")
    assert (node.plain(), faults.found) == (value, [])


@given(
    st.lists(
        st.sampled_from([*"[]{},:?-|>&*!%#@'\"\\ \n\t\r\x00", "a", "b: ", "- ", "--- ", "\u2028", "\ufeff", "<<: "]),
        max_size=20,
    )
)
def test_no_text_breaks_the_reader(pieces: list[str]) -> None:
    faults = faults_of("".join(pieces).encode())
    assert all(line >= 0 and message and "\n" not in message for line, message in faults)
