"""The JSON Schema for editors says what the reader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from feedsvc.watches.rules import RULE, schema_text
from feedsvc.watches.text import parse
from tests.watches.conftest import LEAST
from tests.watches.test_rules import EVERYTHING, RULES

SCHEMA = Path(__file__).parents[2] / "feedsvc/watches/rule.schema.json"


def refused(text: str) -> list[str]:
    node, _ = parse(text.encode(), "x.yaml")
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(node.plain())]


def test_the_file_is_what_the_rules_say() -> None:
    again = "from feedsvc.watches.rules import schema_text; print(schema_text(), end=str())"
    assert SCHEMA.read_text() == schema_text(), f'write it again: python -c "{again}" > feedsvc/watches/rule.schema.json'


def test_the_file_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_every_key_is_explained_in_an_editor() -> None:
    properties = json.loads(SCHEMA.read_text())["properties"]
    assert properties.keys() == RULE.keys()
    assert all(value["description"] for value in properties.values())


@pytest.mark.parametrize("text", [LEAST, EVERYTHING, (RULES / "jar-callbacks.yaml").read_text()])
def test_a_right_rule_is_right_in_an_editor(text: str) -> None:
    assert refused(text) == []


@pytest.mark.parametrize(
    "fault",
    [
        "tpl: green",
        "names: {}",
        "names: {label: {length: 64}}",
        "names: {label: {length: {least: 1}}}",
        "names: {label: {alphabet: '[a-z]'}}",
        "names: {siblings: on}",
        "names: {under: example.net}",
        "valid_for: 45 days",
        "confidence: high",
        "tlp: white",
        "stix: {attack: [T15]}",
        "stix: {kill_chain_phase: Command and Control}",
    ],
)
def test_a_wrong_rule_is_wrong_in_an_editor(fault: str) -> None:
    assert refused(f"{LEAST}{fault}\n") != []


@pytest.mark.parametrize("lacking", ["id", "title", "netblocks"])
def test_what_a_rule_must_have_is_missed_in_an_editor(lacking: str) -> None:
    assert refused("".join(line for line in LEAST.splitlines(keepends=True) if not line.startswith(lacking))) != []


def test_the_rule_of_the_project_points_editors_at_the_schema() -> None:
    first = (RULES / "jar-callbacks.yaml").read_text().splitlines()[0]
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert (RULES / path).resolve() == SCHEMA.resolve()
