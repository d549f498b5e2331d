"""Every key and element of a TOML text is known by its line, whatever is written around it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.config.nodes import Node
from feedsvc.config.toml import parse
from feedsvc.errors import ConfigError


def lines_of(node: Node) -> dict[str, int]:
    """The line of every node by its keys; elements by their number."""
    return dict(_lines_of(node, ""))


def _lines_of(node: Node, name: str) -> Iterator[tuple[str, int]]:
    yield name, node.line
    parts = node.children() or enumerate(node.value if isinstance(node.value, tuple) else ())
    for key, part in parts:
        yield from _lines_of(part, f"{name}/{key}")


WRITTEN = r'''
# [not.a.header] and key = "in a comment"
title = "a # that begins no comment"  # and one that does
bare-key_1 = 1979-05-27 07:32:00
"quoted key" = 'C:\Users\' # a literal needs no escapes
'lit.eral' = """
[not.a.table]
key = 1 \
   """
"esc\u0061ped \"x\"" = """a "" quote and five"""""
tail = \'\'\'
x = """
\'\'\'\'\'
a . "b" . c = 1
a.d = [ 1, # one
  2,

  [ 3, "]" ], # a bracket in a text
  { x = 1, y . z = "}" }
]
empty = []
also_empty = {}

[ table . sub ] # blanks are allowed
inner = true
[table]
x = 0x1F
[[many]]
name = "first"
[many.under]
k = 1
[[many.deep]]
n = 1
[[many.deep]]
n = 2
[[many]] # second
name = "second"
[[many.deep]]
n = 3
'''.replace(r"\'", "'")


def test_lines_of_all_ways_to_write_toml_are_exact() -> None:
    node = parse(WRITTEN, "x.toml")
    assert node.plain() == tomllib.loads(WRITTEN)
    assert lines_of(node) == {
        "": 1,
        "/title": 3,
        "/bare-key_1": 4,
        "/quoted key": 5,
        "/lit.eral": 6,
        '/escaped "x"': 10,
        "/tail": 11,
        "/a": 14,
        "/a/b": 14,
        "/a/b/c": 14,
        "/a/d": 15,
        "/a/d/0": 15,
        "/a/d/1": 16,
        "/a/d/2": 18,
        "/a/d/2/0": 18,
        "/a/d/2/1": 18,
        "/a/d/3": 19,
        "/a/d/3/x": 19,
        "/a/d/3/y": 19,
        "/a/d/3/y/z": 19,
        "/empty": 21,
        "/also_empty": 22,
        "/table": 26,
        "/table/sub": 24,
        "/table/sub/inner": 25,
        "/table/x": 27,
        "/many": 28,
        "/many/0": 28,
        "/many/0/name": 29,
        "/many/0/under": 30,
        "/many/0/under/k": 31,
        "/many/0/deep": 32,
        "/many/0/deep/0": 32,
        "/many/0/deep/0/n": 33,
        "/many/0/deep/1": 34,
        "/many/0/deep/1/n": 35,
        "/many/1": 36,
        "/many/1/name": 37,
        "/many/1/deep": 38,
        "/many/1/deep/0": 38,
        "/many/1/deep/0/n": 39,
    }


def test_windows_line_ends_count_once() -> None:
    assert lines_of(parse("a = 1\r\n\r\nb = '''x\r\ny'''\r\nc = 2\r\n", "x.toml")) == {"": 1, "/a": 1, "/b": 3, "/c": 5}


def _ats_of(node: Node) -> Iterator[str]:
    yield node.at
    for part in [part for _, part in node.children()] or (node.value if isinstance(node.value, tuple) else ()):
        yield from _ats_of(part)


def test_nodes_know_the_keys_that_lead_to_them() -> None:
    node = parse("[[source]]\nname.first = [1]\n", "x.toml")
    assert list(_ats_of(node)) == ["", "source", "source", "source.name", "source.name.first", "source.name.first"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\nb = \n", 2, "invalid value"),
        ("a = 1\na = 2\n", 2, "overwrite"),
        ("[a]\n[b]\n[a]\n", 3, "twice"),
        ("a = 1\n\n[[a]]\n", 3, "no TOML"),
        ("a = '''\nnever closed\n", 2, "no TOML"),
        ("a = [1,\n2\n\n", 2, "no TOML"),
        ("a = yes\n", 1, "invalid value"),
        ("a = 'x'\nb = \x00\n", 2, "no TOML"),
        ("key\n", 1, "no TOML"),
        ("a = " + "[" * 5000, 0, "nested too deeply"),
        ("b = 1\na = " + "[" * 300 + "]" * 300, 2, "nested more than 32"),
        ("b = 1\n" + "a." * 300 + "a = 1", 2, "nested more than 32"),
        ("[" + "a." * 900 + "a]", 1, "nested more than 32"),
        ("a = " + "9" * 5000, 1, "no TOML"),
    ],
)
def test_a_text_that_is_no_toml_is_one_fault_at_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "x.toml")
    (fault,) = raised.value.faults
    assert (fault.file, fault.line) == ("x.toml", line)
    assert words in fault.message
    assert "\n" not in fault.message


# -- any document ------------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b-1", "_c", "3", '"q k"', "'l.k'", '"e\\"]"', '""'])
NOISE = st.sampled_from(["", " ", " # c", " # ]}='\"", "\t#[x]"])
TEXTS = st.sampled_from(
    [
        '"t"',
        '"\\\\"',
        '"#"',
        "'#[]'",
        "''",
        '""',
        '"""m\n[x]\na = 1\n"""',
        '"""""two"""""',
        "'''\n'' \"\"\"\n'''",
        '"\\""',
        '"""\\""""',
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML in which every whole number stands once, so that looking for it tells the line."""
    numbers = iter(range(100_000, 1_000_000))

    def value(depth: int, *, one_line: bool = False) -> str:
        kind = draw(st.sampled_from(["number", "number", "text", "list", "table"] if depth < 3 else ["number", "text"]))
        if kind == "number":
            return str(next(numbers))
        if kind == "text":
            return draw(TEXTS.filter(lambda text: not one_line or "\n" not in text))
        if kind == "table":
            keys = draw(st.lists(KEYS, max_size=3, unique=True))
            return "{" + ", ".join(f" {key} = {value(depth + 1, one_line=True)} " for key in keys) + "}"
        gap = " " if one_line else draw(st.sampled_from([" ", "\n", " # c ]\n", "\n\n\t"]))
        return (
            "["
            + gap
            + f"{gap},{gap}".join(value(depth + 1, one_line=one_line) for _ in range(draw(st.integers(0, 3))))
            + gap
            + "]"
        )

    def body() -> str:
        keys = draw(st.lists(KEYS, max_size=3, unique=True))
        tails = [draw(st.sampled_from(["", ".d", ' . "e.f"'])) for _ in keys]
        return "".join(f"{key}{tail} = {value(0)}{draw(NOISE)}\n" for key, tail in zip(keys, tails, strict=True))

    text = body()
    for place in range(draw(st.integers(0, 4))):
        header = draw(st.sampled_from([f"[t{place}]", f"[ t{place} . x ]", "[[many]]", f'[["m{place}"]]', f"[u.'{place}']"]))
        text += f"{header}{draw(NOISE)}\n{body()}" + draw(st.sampled_from(["", "\n", "# end\n"]))
    return text


def numbers_of(node: Node) -> Iterator[tuple[int, int]]:
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        yield node.value, node.line
    for part in [part for _, part in node.children()] or (node.value if isinstance(node.value, tuple) else ()):
        yield from numbers_of(part)


@given(documents())
def test_every_number_of_any_document_is_found_on_the_line_where_it_stands(text: str) -> None:
    node = parse(text, "x.toml")
    assert node.plain() == tomllib.loads(text)
    found = list(numbers_of(node))
    assert found == [(number, text[: text.index(str(number))].count("\n") + 1) for number, _ in found]
    assert sorted(str(number) for number, _ in found) == sorted(re.findall(r"\d{6}", text))


@given(st.text(alphabet="ab.=[]{}'\"#\\ \n1,", max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(ConfigError):
            parse(text, "x.toml")
    else:
        assert parse(text, "x.toml").plain() == expected
