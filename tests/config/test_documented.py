"""docs/configuration.md tells every key, and its defaults are those of the program."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedsvc.config import Place, Settings, secrets
from feedsvc.config.reading import _keys
from tests.config.conftest import Reading

PAGE = (Path(__file__).parents[2] / "docs/configuration.md").read_text()

PDNS = '[[source]]\nname = "a"\nkind = "pdns"\nprovider = "cof"\n'
LOG = '[[source]]\nname = "a"\nkind = "log"\npath = "x"\n'
TABLES = {
    "Outermost keys": "",
    "collection": '[[collection]]\nalias = "a"\n',
    "export": '[[export]]\nname = "a"\nformat = "hosts"\n',
}


def sections() -> Iterator[tuple[str, str]]:
    """Heading and text of each section, the brackets of the heading taken off."""
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        yield heading.strip("[]"), text


def rows(text: str) -> Iterator[tuple[str, str]]:
    """Key and default of each row of the tables in a text."""
    for cells in re.findall(r"^\| (`[^|]+`) \|([^|]*)\|", text, flags=re.MULTILINE):
        for key in re.findall(r"`([a-z_]+)`", cells[0]):
            yield key, cells[1].strip().strip("`")


def known_keys() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"Outermost keys": set()}
    for name, key in _keys(Path(), {}).items():
        schema: Any = key.shape.schema
        inner: Mapping[str, object] = schema.get("items", schema).get("properties", {})
        if inner or name == "notice":
            found[name] = set(inner)
        else:
            found["Outermost keys"].add(name)
    found["source"] |= secrets.KEYS - set(secrets.NAMES)
    return found


def test_every_key_is_documented_and_no_other() -> None:
    assert {heading: {key for key, _ in rows(text)} for heading, text in sections()} == known_keys()


def defaults() -> list[tuple[str, str, str]]:
    return [(heading, key, default) for heading, text in sections() for key, default in rows(text) if default]


@pytest.mark.parametrize(("heading", "key", "default"), defaults())
def test_a_documented_default_is_what_happens_without_the_key(
    reading: Reading, heading: str, key: str, default: str
) -> None:
    table = (LOG if key == "format" else PDNS) if heading == "source" else TABLES.get(heading, f"[{heading}]\n")
    assert without_places(reading(f"{table}{key} = {default}\n")) == without_places(reading(table))


def without_places(settings: Settings) -> Settings:
    nowhere = Place("", 0)
    return replace(
        settings,
        sources=tuple(replace(one, place=nowhere) for one in settings.sources),
        collections=tuple(replace(one, place=nowhere) for one in settings.collections),
        exports=tuple(replace(one, place=nowhere) for one in settings.exports),
    )


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL))
def test_the_examples_are_right(reading: Reading, text: str) -> None:
    assert reading(text).file.name == "feedsvc.toml"
    assert tomllib.loads(text)
