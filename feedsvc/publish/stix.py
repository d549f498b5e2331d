"""STIX 2.1 objects of the feed: the producer's identity, TLP 2.0 markings, one indicator a finding (OASIS Standard, 2021).

Objects are built and checked by the stix2 library, once; what is stored and served ever after are the bytes made here. Ids
are UUIDv5 in a namespace of ours (§2.9 forbids the one of the SCOs), so that two runs, or a run and its replay, agree on
them. Times and everything else come from the arguments: same arguments, same bytes.

Nothing internal is in an object: no client, no source, no reason or note of a person; of the rule its id, title, ATT&CK
techniques, malware and references, which are therefore public to all readers.

stix2 takes a third of a second to load, so it is loaded by the first object that is built.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from feedsvc.clock import parse_rfc3339, rfc3339
from feedsvc.errors import PublishError
from feedsvc.model import Finding, StixObject, Tlp, Watch
from feedsvc.names import publishable

NAMESPACE = uuid.UUID("522adeb5-94e6-40a6-94ed-460b6bab2958")
"""Of every id made here. It never changes: readers know objects by their ids."""

KILL_CHAIN = "lockheed-martin-cyber-kill-chain"

# TLP 2.0 as OASIS publishes it: oasis-open/cti-stix-common-objects, extension-definition-specifications/tlp-2.0.
# stix2 3.0 knows TLP 1 alone.
_TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP_CREATED = "2022-10-01T00:00:00.000Z"
_TLP_IDS: Mapping[Tlp, str] = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}


class ProducerLike(Protocol):
    """Who publishes; `config.Producer` is one."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def contact(self) -> str: ...  # noqa: D102
    @property
    def identity_class(self) -> str: ...  # noqa: D102


# -- ids ---------------------------------------------------------------------------------------------------------------


def _id(kind: str, *parts: str | int) -> str:
    # Of strings and whole numbers this is the canonical form of RFC 8785.
    canonical = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return f"{kind}--{uuid.uuid5(NAMESPACE, canonical)}"


def identity_id(producer: ProducerLike) -> str:
    """The id of a producer that has none yet; afterwards the kept one holds, whatever the producer is called."""
    return _id("identity", "identity", producer.name, producer.identity_class)


def indicator_id(producer: str, finding: Finding) -> str:
    """The id of a finding's indicator.

    The watch is part of it: the same name found by a green and an amber watch is two objects, else readers of the green one
    would get the text and marking of the amber one. So is the episode: a revocation is final (§3.6), and a name that comes
    back after one needs a new id.

    Args:
        producer: the identity's id, so that two producers never share an object.
    """
    return _id("indicator", producer, "indicator", finding.watch, finding.name, finding.episode)


def marking_id(tlp: Tlp) -> str:
    """The id that OASIS gave a TLP 2.0 level."""
    return _TLP_IDS[tlp]


# -- objects -----------------------------------------------------------------------------------------------------------


def identity(producer: ProducerLike, known: str | None = None, *, created: datetime, modified: datetime) -> StixObject:
    """The producer's identity, to stand in every collection before what refers to it.

    Args:
        known: the id that was kept; None derives one.
        created: of the first version of this id, kept as the id is.
        modified: of this version.

    Raises:
        PublishError: stix2 refuses it.
    """
    properties = {
        "id": known or identity_id(producer),
        "created": rfc3339(created),
        "modified": rfc3339(modified),
        "name": producer.name,
        "identity_class": producer.identity_class,
        "contact_information": producer.contact or None,
    }
    return _stored("Identity", properties, tlp=Tlp.CLEAR)


@functools.cache
def marking(tlp: Tlp) -> StixObject:
    """A TLP 2.0 marking definition, to stand in every collection before what is so marked.

    It is visible to those alone who may see what it marks.
    """
    properties = {
        "id": marking_id(tlp),
        "created": _TLP_CREATED,
        "name": f"TLP:{tlp.upper()}",
        "extensions": {_TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": str(tlp)}},
    }
    return _stored("MarkingDefinition", properties, tlp=tlp)


def indicator(finding: Finding, watch: Watch, producer: str, *, created: datetime, modified: datetime) -> StixObject:
    """A version of a finding's indicator.

    Args:
        watch: the rule that found it.
        producer: the id of the identity that publishes.
        created: of the first version of this id.
        modified: of this version; later than that of the version before, by a millisecond at least (§3.6.2).

    Raises:
        PublishError: the name must not leave, its validity is over before it begins, or stix2 refuses the object.
    """
    matched = pattern(finding.name)
    properties = {
        "id": indicator_id(producer, finding),
        "created_by_ref": producer,
        "created": rfc3339(created),
        "modified": rfc3339(modified),
        "name": finding.name,
        "description": _description(finding, watch),
        "indicator_types": ["malicious-activity"],
        "pattern": matched,
        "pattern_type": "stix",
        "pattern_version": "2.1",
        **_validity(finding),
        "kill_chain_phases": _phases(watch),
        "labels": [watch.id, str(finding.novelty)],
        "confidence": _confidence(finding),
        "external_references": _references(watch),
        "object_marking_refs": [marking_id(finding.tlp)],
    }
    return _stored("Indicator", properties, tlp=finding.tlp, watch=finding.watch, name=finding.name)


def revoked(current: StixObject, modified: datetime) -> StixObject:
    """The last version of an object: what it said, and that it no longer holds (§3.6.3).

    It is made from the version that readers have, so a finding can be taken back whose rule is gone or whose name would not
    pass the gate today.

    Args:
        current: the version that readers have.
        modified: later than that version's.

    Raises:
        PublishError: the object is revoked already, or `modified` is not later.
    """
    stix2 = _stix2()
    try:
        last = stix2.parse(current.body.decode("utf-8")).new_version(modified=rfc3339(modified), revoked=True)
    except (stix2.exceptions.STIXError, ValueError) as err:
        raise PublishError(f"{current.id} cannot be revoked: {err}") from err
    return dataclasses.replace(current, version=rfc3339(modified), body=_bytes(last), revoked=True)


def pattern(name: str) -> str:
    """The STIX pattern for one name: one comparison, because importers of SIEMs map a single one.

    Raises:
        PublishError: the name must not leave.
    """
    verdict = publishable(name)
    if not verdict or verdict.name != name:
        raise PublishError(f"{name!a} must not be published: {verdict.reason or 'not written canonically'}")
    # Nothing that passes the gate needs escaping (§9.2, string literals); the gate may change, this must not depend on it.
    literal = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"[domain-name:value = '{literal}']"


# -- reading what was stored -------------------------------------------------------------------------------------------


def created(stored: StixObject) -> datetime:
    """When the first version of an object was made."""
    return parse_rfc3339(_json(stored)["created"])


def valid_until(stored: StixObject) -> datetime | None:
    """Until when readers take an indicator for valid; None for ever."""
    until = _json(stored).get("valid_until")
    return None if until is None else parse_rfc3339(until)


def same_but_for_time(one: StixObject, other: StixObject) -> bool:
    """Whether two versions say the same."""
    times = {"created": None, "modified": None}
    return {**_json(one), **times} == {**_json(other), **times}


def _json(stored: StixObject) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stored.body)
    return found


# -- parts of an indicator ---------------------------------------------------------------------------------------------


def _description(finding: Finding, watch: Watch) -> str:
    malware = f" Malware: {watch.stix.malware}." if watch.stix.malware else ""
    return (
        f"Resolves into {finding.netblock}, watched for: {watch.title} (watch {watch.id})."
        f"{malware} Novelty: {finding.novelty}. Last evidence: {finding.last_seen:%Y-%m-%d}."
    )


def _validity(finding: Finding) -> dict[str, str]:
    start = {"valid_from": rfc3339(finding.first_seen)}
    if finding.valid_until is None:
        return start
    if rfc3339(finding.valid_until) <= start["valid_from"]:
        raise PublishError(
            f"{finding.name}: its validity ends {rfc3339(finding.valid_until)}, before it begins {start['valid_from']}; "
            "approve it anew to vouch for it from now on"
        )
    return {**start, "valid_until": rfc3339(finding.valid_until)}


def _confidence(finding: Finding) -> int:
    if not 0 <= finding.confidence <= 100:
        raise PublishError(f"{finding.name}: confidence {finding.confidence} is not between 0 and 100")
    return finding.confidence


def _phases(watch: Watch) -> list[dict[str, str]] | None:
    phase = watch.stix.kill_chain_phase
    return [{"kill_chain_name": KILL_CHAIN, "phase_name": phase}] if phase else None


def _references(watch: Watch) -> list[dict[str, str]] | None:
    # None of them has a `url`: with one the hashes of the page should come (§2.5.2), and we fetch no page. ATT&CK numbers
    # say where they belong; an address in a description is there for a person.
    techniques = [{"source_name": "mitre-attack", "external_id": number} for number in watch.stix.attack]
    references = [{"source_name": _site(text) or "reference", "description": text} for text in watch.references]
    return [*techniques, *references] or None


def _site(reference: str) -> str | None:
    try:
        return urlsplit(reference).hostname
    except ValueError:
        return None


# -- stix2 -------------------------------------------------------------------------------------------------------------


def _stix2() -> Any:  # noqa: ANN401 - the library is not annotated
    return importlib.import_module("stix2")


def _stored(
    kind: str, properties: Mapping[str, object], *, tlp: Tlp, watch: str | None = None, name: str | None = None
) -> StixObject:
    """An object as it will be served, from those properties that are there."""
    stix2 = _stix2()
    try:
        built = getattr(stix2.v21, kind)(**{key: value for key, value in properties.items() if value is not None})
        body = _bytes(built)
    except (stix2.exceptions.STIXError, ValueError) as err:
        raise PublishError(f"{properties['id']} cannot be built: {err}") from err
    version = str(properties.get("modified", properties["created"]))
    return StixObject(id=built["id"], type=built["type"], version=version, body=body, tlp=tlp, watch=watch, name=name)


def _bytes(built: Any) -> bytes:  # noqa: ANN401
    """The properties in the order of the specification, as stix2 has them, in UTF-8 without blanks."""
    text: str = built.serialize(ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8")
