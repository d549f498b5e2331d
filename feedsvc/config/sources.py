"""`[[source]]`: the keys of every kind, of each kind, the secrets, and all others as options of the plug-in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from feedsvc.config import secrets
from feedsvc.config.nodes import Node
from feedsvc.config.settings import Place, Secret, SourceSettings
from feedsvc.config.shapes import Key, Shape, choice, duration, gather, real, schema_of, whole
from feedsvc.config.values import SAFE_NAME, TLP, URL, ZONE, pattern, place
from feedsvc.errors import Fault

_NEEDED = {"pdns": ("provider",), "log": ("path", "listen")}  # one of these

_COMMON = {
    "name": Key(SAFE_NAME, "what it is called in cursors, evidence and `status`", needed=True),
    "kind": Key(choice(_NEEDED, later=("warehouse",)), "what it is", needed=True),
    "every": Key(duration(), "how often it is read"),
}

_PDNS = {
    "provider": Key(SAFE_NAME, "the plug-in that asks; `feedsvc plugins pdns` lists them"),
    "url": Key(URL, "where the provider answers, when not at its usual place"),
    "daily_quota": Key(whole(1, 10**9), "calls a day, at most"),
    "reserved": Key(real(0, 1), "the share of a day's or month's calls that the schedule leaves to people"),
    "tlp": Key(TLP, "how far what it says may be passed on, when not as its own terms have it"),
    "fronts": Key(whole(0, 10_000), "names of findings asked about in a poll, to find those that point at them"),
    "overlap": Key(duration(zero=True), "how far behind the last complete answer to ask again"),
}


def _log(base: Path) -> dict[str, Key]:
    return {
        "format": Key(SAFE_NAME, "the plug-in that reads it, or auto; `feedsvc plugins logs` lists them"),
        "path": Key(pattern(base), "the files, by a pattern"),
        "listen": Key(place(base), "where a program sends it to, instead of files"),
        "spool_mib": Key(whole(1, 1_000_000), "how much of what was sent is kept until it is read, in MiB"),
        "tz": Key(ZONE, "the zone of times that are written without one"),
    }


def source(base: Path, environ: Mapping[str, str]) -> Shape[SourceSettings]:
    """One source; relative paths start at `base`, secrets come from `environ`."""
    kinds = {"pdns": _PDNS, "log": _log(base)}
    keys = _COMMON | kinds["pdns"] | kinds["log"]

    def read(node: Node) -> SourceSettings:
        values, faults = gather(node.only(keys), keys)
        faults.add(*_kind_faults(node, kinds))
        found: dict[str, Secret] = {}
        if values.get("kind") != "log":
            found, more = secrets.read(node, base, environ)
            faults.add(*more.found)
        faults.check()
        options = {key: child.plain() for key, child in node.without(keys.keys() | secrets.KEYS).children()}
        return SourceSettings(**values, secrets=found, options=options, place=Place.of(node))

    return Shape("a table", read, schema_of(keys))


def _kind_faults(node: Node, kinds: Mapping[str, Mapping[str, Key]]) -> Iterator[Fault]:
    kind = node.child("kind")
    if kind is None or not isinstance(kind.value, str) or kind.value not in kinds:
        return
    given = [child for name in _NEEDED[kind.value] if (child := node.child(name)) is not None]
    if not given:
        needed = _NEEDED[kind.value][0]
        yield node.fault(f"kind {kind} needs the key {needed!r}, {kinds[kind.value][needed].says}")
    for child in given[1:]:
        yield child.fault(f"stands beside {_NEEDED[kind.value][0]!r}, and a log comes one way alone; take one of them out")
    other = "log" if kind.value == "pdns" else "pdns"
    foreign = kinds[other].keys() | (secrets.KEYS if other == "pdns" else frozenset())
    for _, child in node.only(foreign).children():
        yield child.fault(f"belongs to kind {other!r}, and this one is {kind}; take it out")
