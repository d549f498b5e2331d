"""One YAML 1.2 document as a tree of nodes that know their lines.

Of YAML we take what a rule needs: mappings, lists, and scalars by the core schema (YAML 1.2 §10.3.2: `no` and `on` are
texts, and so are dates). Anchors, aliases, tags, directives and further documents are refused, so that a small file stays
small and means what it shows; a key that stands twice is a fault. ruamel.yaml turns the text into parsing events; building
the tree from them, and not with its loader, lets every fault be told, with its line.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from feedsvc.config.nodes import Faults, Node, Scalar
from feedsvc.errors import ConfigError, Fault

LONGEST = 256 * 1024  # bytes; ten thousand netblocks fit, and reading them takes a quarter of a second
_DEEPEST = 12  # a rule has four levels; ruamel.yaml takes minutes over a file of open brackets

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_BASED = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_REAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def parse(raw: bytes, file: str) -> tuple[Node, Faults]:
    """Read a document.

    Returns:
        The document, and the faults of what stands in it but is not taken. The value of an empty document is None.

    Raises:
        ConfigError: with the one fault behind which nothing can be read.
    """
    tree = _Tree(_events(_decoded(raw, file), file), file)
    return tree.read(), tree.faults


def _decoded(raw: bytes, file: str) -> str:
    if len(raw) > LONGEST:
        raise ConfigError([Fault(file, 0, f"over {LONGEST} bytes; split the rule into several")])
    try:
        return raw.decode("utf-8-sig")  # some editors of Windows put a byte order mark in front
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        raise ConfigError([Fault(file, line, "not UTF-8; save the file in that encoding")]) from err


def _events(text: str, file: str) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(io.StringIO(text))
    except MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        line = min(mark.line, text.rstrip().count("\n")) + 1 if mark else 0
        reason = ": ".join(str(part) for part in (err.context, err.problem) if part)
        raise ConfigError([Fault(file, line, f"no YAML: {reason}; correct the line")]) from err
    except ReaderError as err:
        line = text.count("\n", 0, err.position) + 1
        raise ConfigError([Fault(file, line, f"no YAML: character {chr(err.character)!a}; take it out")]) from err


class _Tree:
    """Builds nodes from parsing events."""

    def __init__(self, events: Iterator[Event], file: str) -> None:
        self._events = events
        self._file = file
        self.faults = Faults()

    def read(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root:
                    raise self._stopped(event, "a second document begins; give it a file of its own")
                self._check_directives(event)
                root = self._node(next(self._events), "", 0)
        return root or Node(None, self._file, 1)

    def _fault(self, event: Event, message: str) -> Fault:
        return Fault(self._file, event.start_mark.line + 1, message)

    def _stopped(self, event: Event, message: str) -> ConfigError:
        return ConfigError([*self.faults.found, self._fault(event, message)])

    def _check_directives(self, event: DocumentStartEvent) -> None:
        if event.version or event.tags:
            self.faults.add(Fault(self._file, 1, "directives (%YAML, %TAG) are not taken; take them out"))

    def _node(self, event: Event, at: str, depth: int, line: int = 0) -> Node:
        """The node that begins with an event; on the line of its key when it has one."""
        if depth > _DEEPEST:
            raise self._stopped(event, f"nested more than {_DEEPEST} levels deep; a rule has four")
        line = line or event.start_mark.line + 1
        self._check_marks(event)
        if isinstance(event, MappingStartEvent):
            return Node(self._mapping(at, depth), self._file, line, at)
        if isinstance(event, SequenceStartEvent):
            return Node(self._sequence(at, depth), self._file, line, at)
        if isinstance(event, ScalarEvent):
            return Node(_resolved(event.value) if event.implicit[0] else event.value, self._file, line, at)
        raise self._stopped(event, "an alias; write the value out")

    def _check_marks(self, event: Event) -> None:
        if isinstance(event, NodeEvent) and not isinstance(event, AliasEvent) and event.anchor is not None:
            self.faults.add(self._fault(event, f"anchor &{event.anchor}; take it out"))
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.ctag is not None:
            self.faults.add(self._fault(event, f"tag {event.ctag}; take it out, and put text in quotes"))

    def _sequence(self, at: str, depth: int) -> tuple[Node, ...]:
        found: list[Node] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            found.append(self._node(event, at, depth + 1))
        return tuple(found)

    def _mapping(self, at: str, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise self._stopped(event, "a key that is no word; give a word")
            self._check_marks(event)
            key = str(event.value)
            node = self._node(next(self._events), f"{at}.{key}" if at else key, depth + 1, event.start_mark.line + 1)
            if key in found:
                self.faults.add(node.fault(f"stands on line {found[key].line} already; take one out"))
            found.setdefault(key, node)
        return found


def _resolved(plain: str) -> Scalar:
    """A scalar without quotes by the core schema."""
    if plain in _WORDS:
        return _WORDS[plain]
    if _WHOLE.fullmatch(plain):
        return int(plain)
    if _BASED.fullmatch(plain):
        return int(plain, 0)
    if _REAL.fullmatch(plain):
        return float(plain)
    return float(plain.replace(".", "")) if _NO_REAL.fullmatch(plain) else plain
