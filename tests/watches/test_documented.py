"""docs/rules.md tells every key of a rule, and its defaults are those of the program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedsvc.watches.patterns import NAMES
from feedsvc.watches.rules import RULE
from tests.watches.conftest import LEAST, Watching

PAGE = (Path(__file__).parents[2] / "docs/rules.md").read_text()


def tables() -> list[dict[str, str]]:
    """Key and default of each table of the page."""
    return [dict(_rows(table)) for table in re.findall(r"(?:^\|.*\n)+", PAGE, flags=re.MULTILINE)]


def _rows(table: str) -> Iterator[tuple[str, str]]:
    with_defaults = "| default |" in table
    for key, second in re.findall(r"^\| `([a-z_]+)` \|([^|]*)\|", table, flags=re.MULTILINE):
        yield key, second.strip().strip("`") if with_defaults else ""


def test_every_key_is_documented_and_no_other() -> None:
    names: Any = NAMES.schema
    rule, of_names, of_label = tables()
    assert rule.keys() == RULE.keys()
    assert of_names.keys() == names["properties"].keys()
    assert of_label.keys() == names["properties"]["label"]["properties"].keys()


@pytest.mark.parametrize(("key", "default"), [(key, default) for key, default in tables()[0].items() if default])
def test_a_documented_default_is_what_happens_without_the_key(watching: Watching, key: str, default: str) -> None:
    assert watching(f"{LEAST}{key}: {default}\n") == watching(LEAST)


def test_the_default_position_is_the_documented_one(watching: Watching) -> None:
    default = tables()[2]["position"]
    assert watching(f"{LEAST}names: {{label: {{length: 4, position: {default}}}}}\n") == watching(
        f"{LEAST}names: {{label: {{length: 4}}}}\n"
    )


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL))
def test_the_examples_are_right(watching: Watching, text: str) -> None:
    assert watching(text).matches
