"""Approved findings into the feed, and revocations with them: STIX built once, stored with the decision, never again.

Each step is one transaction in which the finding's status, the object's bytes and its `date_added` in every collection are
stored together (design §6.2, §6.3). A process that dies in between leaves findings `approved`; the next one publishes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from feedsvc import clock
from feedsvc.errors import PublishError
from feedsvc.judge import policy
from feedsvc.model import Change, Collection, Finding, Status, StixObject, Tlp
from feedsvc.names import publishable
from feedsvc.pipeline.parts import Parts
from feedsvc.publish import stix

T = TypeVar("T")

CHUNK = 200
"""Findings published in one transaction: other writers wait at most for this many."""


def publish_approved(parts: Parts) -> list[Change]:
    """Publish every approved finding; returns the decisions."""
    changes: list[Change] = []
    approved = parts.history.findings.with_status({Status.APPROVED})
    for chunk in _chunks(approved):
        parts.progress(f"publishing {len(changes) + 1} of {len(approved)}")
        with parts.history.transaction():
            changes += _publish(parts, _still(parts, chunk, Status.APPROVED), parts.clock())
        if parts.stop.is_set():
            break
    return changes


def _still(parts: Parts, findings: Sequence[Finding], status: Status) -> list[Finding]:
    """Those of findings that still have a status, as they are now that nobody else can write.

    Another process may have published them since they were looked for, and a person revoked them.
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    for one in findings:
        names[one.watch].add(one.name)
    now = (one for watch, wanted in names.items() for one in parts.history.findings.get(watch, wanted).values())
    return sorted((one for one in now if one.status is status), key=lambda one: (one.watch, one.case, one.name))


def _publish(parts: Parts, approved: Sequence[Finding], now: datetime) -> list[Change]:
    changes: list[Change] = []
    objects: list[StixObject] = []
    for finding in approved:
        # Findings of a rule that is gone wait until it is back: without the rule nobody can say what they mean.
        if finding.watch not in parts.watches:
            continue
        try:
            objects.append(_version(parts, finding, now))
        except PublishError as err:
            changes.append(policy.unfit(finding, str(err), now))
        else:
            changes.append(policy.published(finding, now))
    parts.history.findings.apply(changes)
    _add(parts, objects, now)
    return changes


def renew(parts: Parts, findings: Iterable[Finding], now: datetime) -> None:
    """New versions for published findings that later evidence changed for their readers; inside a transaction."""
    # What the gate refuses by now gets no new version; the lists leave it out, and a person must revoke it.
    due = (one for one in findings if _is_renewal_due(parts, one, now) and publishable(one.name))
    _add(parts, [_version(parts, one, now) for one in due], now)


def _is_renewal_due(parts: Parts, finding: Finding, now: datetime) -> bool:
    """Whether readers would see it expire too early, have it under another marking, or may have it only by now."""
    if not any(collection.takes(finding.watch, finding.tlp) for collection in parts.collections):
        return False
    current = parts.history.feed.current(_object_id(parts, finding))
    if current is None or current.tlp is not finding.tlp:
        return True
    until = stix.valid_until(current)
    return until is not None and policy.renewal_due(until, finding, parts.watches[finding.watch], now)


def revoke(parts: Parts, findings: Iterable[Finding], now: datetime) -> None:
    """A last version, `revoked: true`, of each finding as it was when it was published; inside a transaction."""
    objects = (parts.history.feed.current(_object_id(parts, finding)) for finding in findings)
    last = [stix.revoked(one, _modified(one, now)) for one in objects if one and not one.revoked]
    for collection in parts.collections:
        # Also where its configuration would not take it any more: whoever read the name there must read this.
        standing = [one for one in last if parts.history.feed.has(collection.id, one.id, Tlp.RED.rank)]
        _add_to(parts, collection, standing, now)


def enrol(parts: Parts) -> None:
    """Bring collections that are new, or take more than before, up to what is published already."""
    takes = " ".join(f"{one.id} {one.max_tlp} {','.join(one.watches)}" for one in parts.collections)
    # Looking for what is missing looks at everything published; only another configuration can have made something so. A
    # process with another one leaves its own mark here, so what it published meanwhile is looked for too.
    if parts.history.note("enrolled") == takes:
        return
    for chunk in _chunks(parts.history.findings.with_status({Status.PUBLISHED})):
        with parts.history.transaction():
            _add_unmade(parts, _still(parts, chunk, Status.PUBLISHED), parts.clock())
    for collection in parts.collections:
        for missing in _chunks(parts.history.feed.missing(collection)):
            with parts.history.transaction():
                # As they are by now: one that was revoked since must not come without its revocation.
                _add_to(parts, collection, [parts.history.feed.current(one.id) or one for one in missing], parts.clock())
    with parts.history.transaction():
        parts.history.keep_note("enrolled", takes)


def _add_unmade(parts: Parts, published: Sequence[Finding], now: datetime) -> None:
    """Objects of published findings that no collection took when they were, so that none was ever made of them."""
    unmade = [
        one
        for one in published
        if one.watch in parts.watches
        and publishable(one.name)
        and parts.history.feed.current(_object_id(parts, one)) is None
    ]
    _add(parts, [_version(parts, one, now) for one in unmade], now)


def _chunks(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(whole), CHUNK):
        yield whole[start : start + CHUNK]


def _add(parts: Parts, objects: Sequence[StixObject], now: datetime) -> None:
    for collection in parts.collections:
        taken = [one for one in objects if one.watch and collection.takes(one.watch, one.tlp)]
        _add_to(parts, collection, taken, now)


def _add_to(parts: Parts, collection: Collection, objects: Sequence[StixObject], now: datetime) -> None:
    if objects:
        parts.history.feed.add(collection, [*_referred(parts, objects, now), *objects], now)


def _referred(parts: Parts, objects: Sequence[StixObject], now: datetime) -> list[StixObject]:
    """What objects refer to: every reference must resolve inside the collection."""
    markings = sorted({one.tlp for one in objects}, key=lambda tlp: tlp.rank)
    return [identity(parts, now), *(stix.marking(tlp) for tlp in markings)]


def identity(parts: Parts, now: datetime) -> StixObject:
    """The producer's identity: derived once and kept in state; a new version when the configuration says otherwise."""
    known = parts.history.note("producer/identity")
    current = parts.history.feed.current(known) if known else None
    producer = parts.producer
    if current is not None:
        fresh = stix.identity(producer, known, created=stix.created(current), modified=_modified(current, now))
        return current if stix.same_but_for_time(current, fresh) else fresh
    fresh = stix.identity(producer, known, created=now, modified=now)
    if known is None:
        parts.history.keep_note("producer/identity", fresh.id)
    return fresh


def _producer_id(parts: Parts) -> str:
    return parts.history.note("producer/identity") or stix.identity_id(parts.producer)


def _object_id(parts: Parts, finding: Finding) -> str:
    return stix.indicator_id(_producer_id(parts), finding)


def _version(parts: Parts, finding: Finding, now: datetime) -> StixObject:
    watch = parts.watches[finding.watch]
    current = parts.history.feed.current(_object_id(parts, finding))
    return stix.indicator(
        finding,
        watch,
        _producer_id(parts),
        created=stix.created(current) if current else now,
        modified=_modified(current, now) if current else now,
    )


def _modified(current: StixObject, now: datetime) -> datetime:
    # STIX 2.1 §3.6.2: strictly later than the version before, to the millisecond, whatever the clock says.
    return max(now, clock.parse_rfc3339(current.version) + timedelta(milliseconds=1))
