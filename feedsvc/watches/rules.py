"""Rules: a folder of YAML files, one watch each, read into values; every fault of every file at once, with its line.

What may stand in a rule is said once, in `RULE` below, from which come the reading, the messages and the JSON Schema that
editors use (`rule.schema.json` beside this file). The examples of a rule are tried with the very test that the matcher
applies. Nothing here looks at observations.

Importing this module imports a YAML reader, which takes longer than the rest of a short command: import it where rules are
loaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from feedsvc.config.nodes import Faults, Node, reason_of
from feedsvc.config.shapes import Key, choice, duration, gather, many, parsed, schema_of, table, text, whole
from feedsvc.config.values import KEBAB, TLP
from feedsvc.errors import ConfigError, Fault, NameRefused
from feedsvc.model import NamePattern, StixHints, Watch
from feedsvc.names import parse_name
from feedsvc.watches.match import name_test
from feedsvc.watches.patterns import NAMES, NETBLOCKS, fingerprint
from feedsvc.watches.text import LONGEST, parse


def _name(written: str) -> str:
    try:
        return parse_name(written)
    except NameRefused as err:
        raise ValueError(f"is no name: {err}; correct it") from err


def _technique(written: str) -> str:
    if not re.fullmatch(_TECHNIQUE, written):
        raise ValueError("is no technique of ATT&CK; give one such as T1568 or T1071.001")
    return written


_TECHNIQUE = r"T[0-9]{4}(\.[0-9]{3})?"
_EXAMPLE = parsed(_name, "a domain name")
_EXAMPLES = many(_EXAMPLE, distinct=("",))

_STIX = table(
    StixHints,
    {
        "malware": Key(text(), "the malware's name"),
        "kill_chain_phase": Key(KEBAB, "a phase of the Lockheed Martin kill chain, such as command-and-control"),
        "attack": Key(
            many(parsed(_technique, "a technique such as T1568", f"^{_TECHNIQUE}$"), distinct=("",)),
            "techniques of ATT&CK",
        ),
    },
)

RULE: Mapping[str, Key] = {
    "id": Key(KEBAB, "stable for ever: findings, decisions and published objects hang on it", needed=True),
    "title": Key(text(), "what it is about, in one line", needed=True),
    "description": Key(text(4000, lines=True), "what is known of the campaign"),
    "references": Key(many(text(2000)), "where more is written"),
    "author": Key(text(), "who answers for the rule"),
    "netblocks": Key(NETBLOCKS, "where the names resolve to: CIDR or first-last, IPv4 and IPv6", needed=True),
    "names": Key(NAMES, "what the names look like; all that is given must hold"),
    "baseline": Key(choice(("hold", "publish", "ignore")), "what becomes of what the first complete poll finds"),
    "publish": Key(choice(("review", "auto")), "who approves: a person, or nobody; auto still obeys every hold"),
    "block": Key(
        choice(("name", "registered-domain")), "what is published: the name, or the domain it was registered under"
    ),
    "valid_for": Key(duration(), "how long a published name stays after its last evidence"),
    "tlp": Key(TLP, "the marking of what is published"),
    "confidence": Key(whole(0, 100), "how sure we are before any evidence"),
    "stix": Key(_STIX, "what is said of the campaign in the published objects"),
    "matches": Key(_EXAMPLES, "names that must fit"),
    "misses": Key(_EXAMPLES, "names that must not fit"),
}


def load_rules(folder: Path) -> tuple[Watch, ...]:
    """Read the rules of a folder: its `*.yaml` files, not those of folders in it, nor hidden ones.

    Returns:
        At least one watch, sorted by id.

    Raises:
        ConfigError: with every fault of every file, or because there is no rule at all.
    """
    faults = Faults()
    nodes: list[Node] = []
    watches: list[Watch] = []
    for file in _files(folder, faults):
        with faults.kept():
            node, more = parse(_raw(file), str(file))
            faults.add(*more.found)
            nodes.append(node)
            watches.append(_watch(node))
    faults.add(*_shared_ids(nodes))
    faults.check()
    return tuple(sorted(watches, key=lambda watch: watch.id))


def schema_text() -> str:
    """The JSON Schema of a rule, as `rule.schema.json` holds it."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A rule of feedsvc", **schema_of(RULE)}
    return json.dumps(schema, indent=2) + "\n"


# -- files -------------------------------------------------------------------------------------------------------------


def _files(folder: Path, faults: Faults) -> list[Path]:
    try:
        there = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    except OSError as err:
        message = f"no folder of rules ({reason_of(err)}); run `feedsvc init DIR` for a first one, or correct the path"
        raise ConfigError([Fault(str(folder), 0, message)]) from err
    faults.add(*(_misnamed(file) for file in there if _is_misnamed(file)))
    found = [file for file in there if file.suffix == ".yaml"]
    if not found:
        faults.add(Fault(str(folder), 0, "no rule here; write one as NAME.yaml, or run `feedsvc init DIR` for a first one"))
    return found


def _is_misnamed(file: Path) -> bool:
    # A rule that is not read watches nothing, and nobody would notice.
    return file.suffix != ".yaml" and file.suffix.lower() in (".yaml", ".yml")


def _misnamed(file: Path) -> Fault:
    return Fault(str(file), 0, f"only files in .yaml are read; rename it to {file.stem}.yaml")


def _raw(file: Path) -> bytes:
    if not file.is_file():
        raise ConfigError([Fault(str(file), 0, "is no file; take it away, or put the rule there")])
    try:
        with file.open("rb") as stream:
            return stream.read(LONGEST + 1)
    except OSError as err:
        raise ConfigError([Fault(str(file), 0, f"cannot be read: {reason_of(err)}; let feedsvc read it")]) from err


# -- one rule ----------------------------------------------------------------------------------------------------------


def _watch(node: Node) -> Watch:
    if node.value is None:
        raise node.refused("no rule in this file; write one, or delete the file")
    values, faults = gather(node, RULE)
    faults.add(*_example_faults(node, values))
    faults.check()
    return Watch(**values, fingerprint=fingerprint(values["netblocks"], values.get("names")))


def _example_faults(node: Node, values: Mapping[str, Any]) -> Iterator[Fault]:
    names: NamePattern | None = values.get("names")
    if names is None and node.child("names"):
        return  # what is wrong with the pattern is told already
    fits = name_test(names)
    for example, name in _examples(node.child("matches")):
        if not fits(name):
            yield example.fault(f"{example} does not fit names; correct the example or names")
    for example, name in _examples(node.child("misses")):
        if fits(name):
            why = "" if names else ", as every name does in a rule without names"
            yield example.fault(f"{example} fits{why}; correct the example or names")


def _examples(node: Node | None) -> Iterator[tuple[Node, str]]:
    """Examples that are names, each with its canonical form; the others are told already."""
    for example in node.value if node and isinstance(node.value, tuple) else ():
        try:
            name = _EXAMPLE.read(example)
        except ConfigError:
            continue
        yield example, name


def _shared_ids(nodes: Iterable[Node]) -> Iterator[Fault]:
    first: dict[object, Node] = {}
    for node in nodes:
        given = node.child("id")
        if given is None or not isinstance(given.value, str):
            continue
        other = first.setdefault(given.value, given)
        if other is not given:
            yield given.fault(f"{given} is the id of {other.file}:{other.line} already; give each rule its own")
