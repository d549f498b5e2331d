"""One batch into history: match, compare with what is known, judge, store.

Everything here happens inside the caller's transaction, so that facts, findings, cursors and baselines of a batch are
stored together or not at all (design §6.2). Deciding is `judge`'s; this module
gathers what it needs and stores what it says.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feedsvc.clock import from_epoch
from feedsvc.history.port import NameFacts
from feedsvc.judge import novelty, policy
from feedsvc.model import Batch, Change, Finding, Match, Novelty, Observation, Outcome, Sighting, Status, Watch
from feedsvc.names import Netblock, is_address, parse_address, parse_netblock, publishable, registered_domain
from feedsvc.pipeline import hunting, publishing
from feedsvc.pipeline.parts import Parts

Key = tuple[str, str]
"""Watch id and name."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Where sources have looked completely, as one batch sees it.

    Attributes:
        at: when each baseline was complete.
        marks: when each (source, netblock) was read completely last, before the poll at hand.
    """

    at: Mapping[tuple[str, str, str, str], datetime]
    marks: Mapping[tuple[str, str], datetime]

    def complete_at(self, watch: Watch, source: str, netblock: str) -> datetime | None:
        """When this source's baseline of a netblock was complete for the watch as it reads now."""
        return self.at.get((watch.id, watch.fingerprint, source, netblock))

    def watching_since(self, watch: Watch, netblock: str, *, fingerprint: str | None = None) -> datetime | None:
        """When any source's baseline of a netblock was first complete for the watch; as it reads now, or however it read."""
        times = [
            at
            for (name, read_as, _, block), at in self.at.items()
            if (name, block) == (watch.id, netblock) and fingerprint in {None, read_as}
        ]
        return min(times, default=None)

    def knew_domain(self, facts: NameFacts, source: str, netblock: str) -> bool:
        """Whether a registered domain was known when this source's poll began.

        Siblings that one poll brings are news together, whichever batch they come in and however often it was cut short.
        """
        mark = self.marks.get((source, netblock))
        return mark is not None and facts.domain_seen is not None and facts.domain_seen <= mark


def absorb(parts: Parts, source: str, batch: Batch, now: datetime) -> list[Change]:
    """Store a batch; returns the decisions that it led to, stored already.

    Clients are sighted when the batch has made its findings, so that those count who asked earlier in it; who asked in an
    earlier one is hunted for. Hunts begin at the cursors that the batch found, before it moves them.
    """
    groups = _group(parts.matcher.match(batch.observations))
    seen = {key: _seen(parts.watches[key[0]], key[1], source, matches, now) for key, matches in groups.items()}
    known = _known(parts, seen)
    new = [one for key, one in seen.items() if key not in known]
    before = parts.history.findings.among({one.name for one in new})
    changes = _find_new(parts, new, now)
    hunting.begin(parts, {one.finding.name for one in changes if one.finding.status is not Status.REJECTED} - before, now)
    parts.history.facts.store(source, batch.observations, now)
    changes += _extend_known(parts, [(known[key], one) for key, one in seen.items() if key in known], now)
    parts.history.facts.sight(source, _of_findings(parts, (*batch.sightings, *batch.lookups)), now)
    parts.history.facts.move(batch.cursors, now)
    is_complete = batch.end is not None and batch.end.outcome is Outcome.COMPLETE
    _mark_complete(parts, source, {*batch.looked, *(batch.scope if is_complete else ())}, now)
    return changes


def _of_findings(parts: Parts, sightings: Sequence[Sighting]) -> list[Sighting]:
    """The sightings that are kept: of names that are findings by now, and of connections to watched addresses."""
    found = parts.history.findings.among({one.rrname for one in sightings})
    return [one for one in sightings if one.rrname in found or is_address(one.rrname)]


def _group(matches: Iterable[Match]) -> Mapping[Key, list[Match]]:
    groups: defaultdict[Key, list[Match]] = defaultdict(list)
    for match in matches:
        groups[match.watch, match.observation.rrname].append(match)
    return groups


def _known(parts: Parts, keys: Iterable[Key]) -> Mapping[Key, Finding]:
    names_of: defaultdict[str, set[str]] = defaultdict(set)
    for watch, name in keys:
        names_of[watch].add(name)
    return {
        (watch, name): finding
        for watch, names in names_of.items()
        for name, finding in parts.history.findings.get(watch, names).items()
    }


def _find_new(parts: Parts, seen: Sequence[Finding], now: datetime) -> list[Change]:
    """Findings where there were none; facts are asked for before the batch itself becomes one."""
    if not seen:
        return []
    facts = parts.history.facts.name_facts({one.name for one in seen})
    looks = Looks(parts.history.facts.baselines(), parts.history.facts.marks())
    changes = [_find(parts.watches[one.watch], one, facts[one.name], looks, now) for one in seen]
    parts.history.findings.apply(changes)
    return changes


def _extend_known(parts: Parts, pairs: Sequence[tuple[Finding, Finding]], now: datetime) -> list[Change]:
    """What new evidence makes of known findings; those that it adds nothing to are not touched."""
    changes: list[Change] = []
    extended: list[Finding] = []
    for old, seen in pairs:
        after = policy.extend(old, seen, parts.watches[old.watch])
        if after == old:
            continue
        decided = policy.reactivate(after, now) or policy.confirm(old, after, now)
        changes += [decided] if decided else []
        extended += [] if decided else [after]
    parts.history.findings.apply(changes)
    parts.history.findings.extend(extended)
    standing = [one for one in (*extended, *(change.finding for change in changes)) if one.status is Status.PUBLISHED]
    publishing.renew(parts, standing, now)
    return changes


def _seen(watch: Watch, name: str, source: str, matches: Sequence[Match], now: datetime) -> Finding:
    """The finding that this evidence alone would make, but for its case: that costs most, and a known finding has one."""
    told = [match for match in matches if not match.observation.claimed]
    claimed, matches = not told, told or matches
    observations = [match.observation for match in matches]
    last_seen = max(_last(one, now) for one in observations)
    return Finding(
        name=name,
        watch=watch.id,
        status=Status.CANDIDATE,
        novelty=Novelty.NEW_HOST,
        reason="",
        first_seen=now,
        last_seen=last_seen,
        provider_first_seen=min((first for one in observations if (first := _first(one, now))), default=None),
        netblock=matches[0].netblock,
        rdata=tuple(sorted({one.rdata for one in observations})),
        sources=(source,),
        confidence=watch.confidence,
        case="",
        tlp=policy.marking(watch, (one.tlp for one in observations)),
        valid_until=last_seen + watch.valid_for,
        claimed=claimed,
    )


def _last(observation: Observation, now: datetime) -> datetime:
    # A provider's clock may run ahead of ours; evidence from the future is evidence of now.
    last = observation.time_last if observation.time_last is not None else observation.zone_time_last
    return now if last is None else min(from_epoch(last), now)


def _first(observation: Observation, now: datetime) -> datetime | None:
    first = observation.time_first if observation.time_first is not None else observation.zone_time_first
    return None if first is None else min(from_epoch(first), now)


def _find(watch: Watch, seen: Finding, facts: NameFacts, looks: Looks, now: datetime) -> Change:
    [source] = seen.sources
    complete_at = looks.complete_at(watch, source, seen.netblock)
    # A source that joins later brings old names and new ones at once: what began after the watch did is news all the same.
    # Not so for a rule that asks for other names or netblocks than it did: nobody has looked there for those.
    joined = looks.watching_since(watch, seen.netblock, fingerprint=watch.fingerprint)
    began_later = joined is not None and seen.provider_first_seen is not None and seen.provider_first_seen > joined
    past = _past(facts, seen.netblock, domain_known=looks.knew_domain(facts, source, seen.netblock))
    since = looks.watching_since(watch, seen.netblock) or now
    kind = novelty.novelty(past, seen.provider_first_seen, seen.last_seen, since)
    # What clients claim may be known for true already, to another rule.
    found = dataclasses.replace(seen, novelty=kind, claimed=seen.claimed and not past.seen_here)
    case = f"{watch.id}/{registered_domain(seen.name) or seen.name}"
    return policy.find(
        dataclasses.replace(found, case=case, confidence=policy.confidence_of(found, watch)),
        watch,
        publishable(seen.name),
        in_baseline=complete_at is None and not began_later,
        now=now,
    )


def _past(facts: NameFacts, netblock: str, *, domain_known: bool) -> novelty.Past:
    block = parse_netblock(netblock)
    here = [parse_address(address) in block for address in facts.addresses]
    return novelty.Past(
        seen_here=any(here),
        seen_elsewhere=not all(here),
        last_seen=facts.last_seen,
        domain_known=domain_known,
    )


def _mark_complete(parts: Parts, source: str, netblocks: Iterable[Netblock], now: datetime) -> None:
    blocks = {str(block) for block in netblocks}
    if not blocks:
        return
    parts.history.facts.complete(source, sorted(blocks), now)
    keys = [
        (watch.id, watch.fingerprint, source, str(block))
        for watch in parts.watches.values()
        for block in watch.netblocks
        if str(block) in blocks
    ]
    parts.history.facts.add_baselines(keys, now)
