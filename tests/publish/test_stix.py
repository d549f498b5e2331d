"""STIX objects, judged by the library, the OASIS validator and the pattern validator."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import uuid
from datetime import timedelta
from typing import Any, Literal

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st
from stix2patterns.validator import run_validator
from stix2validator import ValidationOptions, validate_string

from feedsvc.clock import rfc3339
from feedsvc.errors import PublishError
from feedsvc.model import Finding, Novelty, StixHints, StixObject, Tlp
from feedsvc.publish import stix
from tests.making import NOW, watch
from tests.publish.making import HOSTILE, finding, publishable_names

LATER = NOW + timedelta(hours=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Producer:
    """Who publishes."""

    name: str = "Example CERT"
    contact: str = "cert@example.org"
    identity_class: Literal["organization", "system"] = "organization"


IDENTITY = stix.identity(Producer(), created=NOW, modified=NOW)


def indicator(found: Finding | None = None, **fields: Any) -> StixObject:
    """The first version of a finding's indicator."""
    return stix.indicator(found or finding(), watch(**fields), IDENTITY.id, created=NOW, modified=NOW)


def body(built: StixObject) -> dict[str, Any]:
    """What a reader reads."""
    read: dict[str, Any] = json.loads(built.body)
    return read


def accept(built: StixObject) -> None:
    """Fail unless stix2 and the OASIS validator take an object, with every check but that ids are UUIDv4 ({103})."""
    stix2.parse(built.body.decode(), allow_custom=False)
    result = validate_string(built.body.decode(), ValidationOptions(version="2.1", disabled=["103"], strict=True))
    assert result.is_valid, result.as_dict()


@pytest.mark.parametrize(
    "built",
    [
        IDENTITY,
        stix.identity(Producer(contact=""), created=NOW, modified=NOW),
        *(stix.marking(tlp) for tlp in Tlp),
        indicator(),
        indicator(stix=StixHints(), references=()),
        indicator(finding(valid_until=None, tlp=Tlp.RED)),
        stix.revoked(indicator(), LATER),
    ],
    ids=lambda built: f"{built.type}-{built.tlp}",
)
def test_the_library_and_the_validator_accept_every_object(built: StixObject) -> None:
    accept(built)
    assert body(built)["id"] == built.id
    assert body(built)["type"] == built.type


def test_the_validator_would_say_what_is_wrong() -> None:
    broken = dataclasses.replace(indicator(), body=indicator().body.replace(b'"confidence":70', b'"confidence":700'))
    with pytest.raises(AssertionError):
        accept(broken)


def test_an_indicator_says_what_was_found() -> None:
    built = indicator()
    assert body(built) == {
        "type": "indicator",
        "spec_version": "2.1",
        "id": built.id,
        "created_by_ref": IDENTITY.id,
        "created": "2026-11-24T06:52:32.000Z",
        "modified": "2026-11-24T06:52:32.000Z",
        "name": "k3xq.example.net",
        "description": "Resolves into 198.51.100.0/24, watched for: JAR dropper, TLS callbacks to random four-character "
        "sub-domains (watch jar-callbacks). Malware: JAR dropper. Novelty: new-host. Last evidence: 2026-11-24.",
        "indicator_types": ["malicious-activity"],
        "pattern": "[domain-name:value = 'k3xq.example.net']",
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": "2026-11-24T06:52:32Z",
        "valid_until": "2027-01-08T05:52:32Z",
        "kill_chain_phases": [
            {"kill_chain_name": "lockheed-martin-cyber-kill-chain", "phase_name": "command-and-control"},
        ],
        "labels": ["jar-callbacks", "new-host"],
        "confidence": 70,
        "external_references": [
            {"source_name": "mitre-attack", "external_id": "T1568"},
            {"source_name": "mitre-attack", "external_id": "T1071.001"},
            {"source_name": "example.org", "description": "https://example.org/report/2013"},
            {"source_name": "reference", "description": "the incident of 2013"},
        ],
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
    }
    assert (built.version, built.tlp, built.watch, built.name) == (
        "2026-11-24T06:52:32.000Z",
        Tlp.GREEN,
        "jar-callbacks",
        "k3xq.example.net",
    )


def test_nothing_internal_is_in_an_indicator() -> None:
    built = indicator(finding(reason="seen by alice's laptop 10.1.2.3"), description="internal ticket 77", author="alice")
    for secret in (b"secret-provider", b"alice", b"10.1.2.3", b"ticket"):
        assert secret not in built.body


@given(names=st.sampled_from(["k3xq.example.net"]) | publishable_names)
def test_every_pattern_is_one_comparison_that_the_pattern_validator_accepts(names: str) -> None:
    pattern = stix.pattern(names)
    assert run_validator(pattern, stix_version="2.1") == []
    assert pattern.count("=") == 1
    assert names in pattern


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_gets_no_pattern_and_no_indicator(name: str) -> None:
    with pytest.raises(PublishError):
        stix.pattern(name)
    with pytest.raises(PublishError):
        indicator(finding(name))


def test_a_name_that_is_not_canonical_gets_no_pattern() -> None:
    with pytest.raises(PublishError, match="canonically"):
        stix.pattern("K3XQ.example.net")


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert indicator() == indicator()
    assert stix.identity(Producer(), created=NOW, modified=NOW) == IDENTITY


def test_ids_are_uuid5_in_a_namespace_of_ours_for_ever() -> None:
    assert stix.indicator_id(IDENTITY.id, finding()) == "indicator--" + str(
        uuid.uuid5(
            uuid.UUID("522adeb5-94e6-40a6-94ed-460b6bab2958"),
            f'["{IDENTITY.id}","indicator","jar-callbacks","k3xq.example.net",1]',
        )
    )
    assert stix.identity_id(Producer()) == "identity--" + str(
        uuid.uuid5(uuid.UUID("522adeb5-94e6-40a6-94ed-460b6bab2958"), '["identity","Example CERT","organization"]')
    )


def test_watch_name_episode_and_producer_make_the_id_and_nothing_else() -> None:
    first = stix.indicator_id(IDENTITY.id, finding())
    for other in (finding(watch="other"), finding("m7a2.example.net"), finding(episode=2)):
        assert stix.indicator_id(IDENTITY.id, other) != first
    assert stix.indicator_id("identity--7c1f4b0e-8a3f-5d0e-9a8e-2f6d6f1f0c11", finding()) != first
    later = finding(last_seen=LATER, confidence=5, tlp=Tlp.RED, novelty=Novelty.REACTIVATED, netblock="203.0.113.0/24")
    assert stix.indicator_id(IDENTITY.id, later) == first


def test_a_producer_that_is_renamed_keeps_its_id() -> None:
    renamed = stix.identity(Producer("Renamed CERT"), IDENTITY.id, created=NOW, modified=LATER)
    assert renamed.id == IDENTITY.id
    assert (renamed.version, body(renamed)["created"]) == (rfc3339(LATER), rfc3339(NOW))
    assert stix.identity_id(Producer("Renamed CERT")) != IDENTITY.id


def test_markings_are_the_published_ones_and_visible_to_the_cleared_alone() -> None:
    strict = stix.marking(Tlp.AMBER_STRICT)
    assert body(strict) == {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
        "created": "2022-10-01T00:00:00.000Z",
        "name": "TLP:AMBER+STRICT",
        "extensions": {
            "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {
                "extension_type": "property-extension",
                "tlp_2_0": "amber+strict",
            }
        },
    }
    assert strict.version == "2022-10-01T00:00:00.000Z"
    assert strict.tlp is Tlp.AMBER_STRICT
    assert len({stix.marking(tlp).id for tlp in Tlp}) == 5


def test_every_reference_of_an_indicator_is_an_identity_or_a_marking_of_ours() -> None:
    built = body(indicator())
    assert {built["created_by_ref"], *built["object_marking_refs"]} == {IDENTITY.id, stix.marking(Tlp.GREEN).id}


def test_a_revocation_says_the_same_and_that_it_no_longer_holds() -> None:
    current = indicator()
    last = stix.revoked(current, LATER)
    assert (last.id, last.version, last.revoked, last.name) == (current.id, rfc3339(LATER), True, current.name)
    assert body(last) == body(current) | {"modified": rfc3339(LATER), "revoked": True}


def test_a_name_that_became_unpublishable_can_still_be_revoked() -> None:
    before = indicator()
    unpublishable = dataclasses.replace(before, body=before.body.replace(b"k3xq.example.net", b"github.io"))
    assert body(stix.revoked(unpublishable, LATER))["pattern"] == "[domain-name:value = 'github.io']"


def test_a_revocation_is_final_and_later_than_what_it_revokes() -> None:
    with pytest.raises(PublishError, match="cannot be revoked"):
        stix.revoked(indicator(), NOW)
    with pytest.raises(PublishError, match="cannot be revoked"):
        stix.revoked(stix.revoked(indicator(), LATER), LATER + timedelta(hours=1))


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(days=1), NOW + timedelta(microseconds=10)])
def test_a_finding_whose_validity_is_over_is_not_published(until: Any) -> None:
    with pytest.raises(PublishError, match="its validity ends"):
        indicator(finding(valid_until=until))


@pytest.mark.parametrize("confidence", [-1, 101])
def test_confidence_is_between_0_and_100(confidence: int) -> None:
    with pytest.raises(PublishError, match="confidence"):
        indicator(finding(confidence=confidence))


def test_a_title_that_is_no_text_is_refused_before_it_is_stored() -> None:
    with pytest.raises(PublishError, match="cannot be built"):
        indicator(title="half \ud800 a pair")


@pytest.mark.parametrize("reference", ["javascript:alert(1)", "file:///etc/passwd", "http://[::1", "http:///x", "ticket 7"])
def test_a_reference_of_any_kind_is_text_and_no_link(reference: str) -> None:
    built = indicator(stix=StixHints(), references=(reference,))
    assert body(built)["external_references"] == [{"source_name": "reference", "description": reference}]
    accept(built)


def test_what_was_stored_can_be_read_again() -> None:
    built = stix.indicator(finding(), watch(), IDENTITY.id, created=NOW, modified=LATER)
    assert stix.created(built) == NOW
    assert stix.valid_until(built) == finding().valid_until
    assert stix.valid_until(indicator(finding(valid_until=None))) is None


def test_versions_are_compared_without_their_times() -> None:
    later = stix.indicator(finding(), watch(), IDENTITY.id, created=NOW, modified=LATER)
    assert stix.same_but_for_time(indicator(), later)
    assert not stix.same_but_for_time(indicator(), indicator(finding(confidence=71)))


def test_the_module_does_not_load_stix2_before_it_is_needed() -> None:
    code = "import sys, feedsvc.publish.stix, feedsvc.publish.lists; sys.exit('stix2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
