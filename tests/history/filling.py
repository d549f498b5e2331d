"""A state with something in every table, as a month of work leaves it, and what every reader sees of one."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from itertools import product
from pathlib import Path
from threading import Event
from typing import Any

from feedsvc.history import open_history
from feedsvc.history.files import export_file
from feedsvc.history.hunts import ReadLog
from feedsvc.history.layout import Row
from feedsvc.history.port import FeedPage, History
from feedsvc.model import Account, Change, Cursor, Outcome, Refused, SourceOutcome, Status, Tlp
from tests.history.making import (
    COLLECTION,
    COMPLETE,
    DAY,
    EXPORT,
    HOUR,
    NOW,
    OTHER,
    PARTNER,
    QUOTA,
    REFUSED,
    add,
    ask,
    change,
    finding,
    observation,
    published,
    sighting,
    stix,
)
from tests.making import decision

# What attackers choose, and what trips those who move text: quotes, line ends of every kind, NUL, no letter at all, astral.
ODD = '\x00\x1b[2J"\\\n\r\u2028\u2029\x85\ufeff\U0001f480\ud7ff é\x7f,{}'
NAMES = ("k3xq.example.net", "p9zz.example.net", "www.example.org")
IDENTITY = stix(900, kind="identity", watch=None, name=None, tlp=Tlp.CLEAR, body=b'{"type":"identity"}')


def fill(history: History) -> None:
    """Put something into every table."""
    with history.transaction():
        _runs(history)
        _facts(history)
        _findings(history)
        _access(history)
    # Each in a transaction of its own. Versions come out of order, with the clock going back, and a body is no UTF-8.
    add(history, IDENTITY, stix(1), stix(2, tlp=Tlp.AMBER), now=NOW + HOUR)
    add(history, stix(1, 2, tlp=Tlp.RED), stix(3, body=b"\xff\x00\r\n \xf0"))
    add(history, stix(1, 1), stix(2, 1, revoked=True), now=NOW - DAY)
    add(history, stix(1, tlp=Tlp.GREEN), IDENTITY, to=OTHER, now=NOW - HOUR)


def _runs(history: History) -> None:
    for number, outcome in enumerate((COMPLETE, SourceOutcome("zeek", Outcome.PARTIAL, ODD, (REFUSED,)))):
        run = history.runs.begin(f"poll/{outcome.name}", NOW - number * HOUR, NOW)
        assert run is not None
        history.facts.refuse(run.id, outcome.name, [Refused(ODD, 2**62, ODD)])
        history.runs.end(run.id, [outcome], NOW + HOUR)
    assert history.runs.begin("poll/circl", NOW + DAY, NOW + DAY)  # which is under way


def _facts(history: History) -> None:
    seen = [
        observation(NAMES[0], time_first=1, time_last=2, zone_time_first=3, zone_time_last=4, count=5),
        observation(NAMES[1], "2001:db8::7", rrtype="AAAA", tlp=Tlp.AMBER_STRICT, chain=NAMES, sensor_id=ODD),
        observation(NAMES[2], claimed=True),
        observation("com", count=0),  # has no registered domain
    ]
    history.facts.move([Cursor("circl", "198.51.100.0/24", "17"), Cursor("zeek", ODD, ODD)], NOW)
    history.facts.complete("circl", ["198.51.100.0/24"], NOW)
    history.facts.add_baselines([("jar-callbacks", "f1", "circl", "198.51.100.0/24")], NOW)
    history.facts.store("circl", seen, NOW)
    # Known for longer by another source, which comes later in the order of the rows.
    history.facts.store("dnsdb", [observation(NAMES[1], "203.0.113.9"), *seen], NOW + HOUR)
    seen_by = [
        sighting(NAMES[0]),
        sighting(NAMES[0], client="2001:db8::53", count=3, kind="tls", process=ODD, log=ODD),
        sighting("198.51.100.7", kind="connection"),
    ]
    history.facts.sight("zeek", seen_by, NOW)
    history.hunts.begin(NAMES[:1], [ReadLog("zeek", ODD, ODD, 7)], NOW - DAY, NOW)
    history.hunts.begin(NAMES[1:], [ReadLog("zeek", "lost", ODD, 7)], NOW - DAY, NOW)
    stretch = history.hunts.next(NAMES[1:])
    assert stretch is not None
    history.hunts.lose(stretch, ODD, NOW)


def _findings(history: History) -> None:
    first, second, third = (
        published(NAMES[0]),
        finding(NAMES[1], reason=ODD, valid_until=None, claimed=True),
        finding(NAMES[2]),
    )
    rejected = dataclasses.replace(third, status=Status.REJECTED, provider_first_seen=None, rdata=(), sources=(ODD,))
    *_, number = history.findings.apply([change(first), change(second), change(third), change(rejected, verb="reject")])
    back = decision(third, actor="ann", verb="undo", before=Status.REJECTED, reason="it was ours", undoes=number)
    history.findings.apply([Change(third, back), change(finding(NAMES[0], watch="other", episode=2, tlp=Tlp.RED))])


def _access(history: History) -> None:
    history.feed.keep_collection("indicators", COLLECTION.id)
    history.feed.keep_collection("later", OTHER.id)
    history.partners.add(PARTNER, "aa" * 32)
    history.partners.add(dataclasses.replace(PARTNER, name="bank", collections=(), exports=(), added_at=None), "bb" * 32)
    history.partners.fetched({"csirt": NOW + HOUR})
    history.exports.keep(EXPORT)
    history.quotas.keep(QUOTA)
    history.quotas.keep(Account(ODD, recent=(NOW,)))
    history.keep_note("taxii/key", "c2VjcmV0")
    history.keep_note(ODD, ODD)


def rows_of(history: History) -> list[Row]:
    """Every row."""
    with history.export_rows() as rows:
        return list(rows)


def filled(state: Path) -> Path:
    """A state at this place with something in every table."""
    with closing(open_history(state)) as history:
        fill(history)
    return state


def exported(state: Path, file: Path) -> Path:
    """A state as a file."""
    export_file(state, str(file), NOW, lambda doing: None, Event())
    return file


def pages(history: History) -> list[FeedPage]:
    """What readers of every clearance get who walk both collections by small pages, whatever versions they ask for."""
    found = []
    versions: list[frozenset[Any]] = [frozenset({"last"}), frozenset({"first"}), frozenset({"all"})]
    for collection, level, asked in product((COLLECTION, OTHER), Tlp, versions):
        query = ask(collection=collection.id, max_rank=level.rank, versions=asked, limit=2)
        page = history.feed.objects(query)
        found.append(page)
        while page.more:
            query = dataclasses.replace(query, after=page.rows[-1].date_added)
            page = history.feed.objects(query)
            found.append(page)
    return found


def answers(history: History) -> dict[str, Any]:
    """What history says to each question of its port about `fill`."""
    names = (*NAMES, "com", "new.example.net")
    return {
        "pages": pages(history),
        "current": [history.feed.current(one.id) for one in (IDENTITY, stix(1), stix(2), stix(3))],
        "missing": [history.feed.missing(one) for one in (COLLECTION, OTHER)],
        "aliases": [history.feed.collection(alias) for alias in ("indicators", "later", "open")],
        "findings": history.findings.with_status(list(Status)),
        "recent": history.findings.recent(list(Status), 9),
        "active": history.findings.active(),
        "listed": list(history.findings.listed(["*"], Tlp.RED, 0)),
        "decisions": [history.findings.decisions(name) for name in names],
        "cursors": [history.facts.cursors(source) for source in ("circl", "zeek")],
        "marks": history.facts.marks(),
        "baselines": history.facts.baselines(),
        "facts": history.facts.name_facts(names),
        "evidence": [history.facts.evidence(name) for name in names],
        "sightings": [history.facts.sightings(name) for name in names],
        "runs": [history.runs.get(number) for number in range(1, 5)],
        "outcomes": history.runs.latest_outcomes(),
        "partners": [history.partners.all(), history.partners.by_token("aa" * 32), history.partners.by_token("bb" * 32)],
        "exports": history.exports.all(),
        "hunts": [history.hunts.pending(), history.hunts.next(), *(history.hunts.of(name) for name in names)],
        "clients": history.facts.clients(names),
        "among": history.findings.among(names),
        "quotas": [history.quotas.all(), history.quotas.get(QUOTA.id)],
        "notes": [history.note(key) for key in ("taxii/key", ODD, "nothing")],
    }
