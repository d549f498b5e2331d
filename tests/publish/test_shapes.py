"""JSON shapes that readers rely on."""

from __future__ import annotations

import dataclasses
import json

from feedsvc.model import ExportState, Outcome, Partner, Refused, SourceOutcome, Tlp
from feedsvc.publish.shapes import export_json, finding_json, partner_json, source_json
from tests.making import NOW
from tests.publish.making import finding


def test_a_finding_has_the_promised_keys() -> None:
    shape = finding_json(finding(provider_first_seen=None))
    promised = (
        "name watch status novelty reason first_seen last_seen provider_first_seen netblock rdata sources confidence case"
    )
    assert list(shape)[:13] == promised.split()
    assert shape["status"] == "approved"
    assert shape["novelty"] == "new-host"
    assert shape["first_seen"] == "2026-11-24T06:52:32.000Z"
    assert shape["last_seen"] == "2026-11-24T05:52:32.000Z"
    assert shape["provider_first_seen"] is None
    assert shape["rdata"] == ["198.51.100.7"]


def test_every_shape_is_json() -> None:
    source = SourceOutcome("circl", Outcome.PARTIAL, "cut", (Refused("no JSON", 3, "x"),), at=NOW)
    for shape in (finding_json(finding()), source_json(source), partner_json(Partner("acme", ("c",), Tlp.GREEN))):
        assert json.loads(json.dumps(shape)) == shape


def test_a_source_tells_what_it_could_not_use_and_when_it_answered() -> None:
    shape = source_json(SourceOutcome("circl", Outcome.PARTIAL, "cut", (Refused("no JSON", 3, "x"),), at=NOW))
    assert shape == {
        "name": "circl",
        "outcome": "partial",
        "reason": "cut",
        "at": "2026-11-24T06:52:32.000Z",
        "refused": [{"reason": "no JSON", "count": 3, "sample": "x"}],
    }


def test_a_partner_shows_when_it_fetched_last() -> None:
    partner = Partner("acme", ("c",), Tlp.AMBER_STRICT, ("list",), added_at=NOW)
    assert partner_json(partner)["last_fetch"] is None
    assert partner_json(dataclasses.replace(partner, last_fetch=NOW))["last_fetch"] == "2026-11-24T06:52:32.000Z"
    assert partner_json(partner)["max_tlp"] == "amber+strict"


def test_a_list_says_why_it_is_held_or_that_it_is_not() -> None:
    state = ExportState("domains.txt", "domains", 7, 1795503152, "ab" * 32, NOW)
    assert export_json(state) == {
        "name": "domains.txt",
        "format": "domains",
        "count": 7,
        "serial": 1795503152,
        "sha256": "ab" * 32,
        "changed_at": "2026-11-24T06:52:32.000Z",
        "held": None,
    }
    assert export_json(dataclasses.replace(state, held="too few"))["held"] == "too few"
