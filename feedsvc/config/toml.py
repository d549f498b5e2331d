"""TOML text as a tree of nodes that know their lines.

`tomllib` reads the values and refuses what is no TOML 1.0; it keeps no positions, and of the libraries that write TOML back
none keeps lines either (python-poetry/tomlkit#55, python/cpython#115516). So a second, small pass over a text that is known
to be right notes where each key and each element stands. It knows the grammar of keys, strings and brackets; numbers and
dates it merely steps over.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time

from feedsvc.config.nodes import Node
from feedsvc.errors import ConfigError, Fault

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'"
_KEY = re.compile(rf"[ \t]*([A-Za-z0-9_-]+|{_QUOTED})[ \t]*")
# Up to two quotes may stand directly before the three that close a multi-line string.
_SCALAR = re.compile(
    rf'"""(?:[^\\]|\\[\s\S])*?"{{3,5}}|\'\'\'[\s\S]*?\'{{3,5}}|{_QUOTED}|[^,\]}}#\n]+',
)
_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_DEEPEST = 32  # what a plug-in may be told is flat; deeper trees are there to break whoever walks them


@dataclass(slots=True)
class _Mark:
    """Where a value stands, and where its parts stand."""

    line: int
    keys: dict[str, _Mark] = field(default_factory=dict)
    elements: list[_Mark] = field(default_factory=list)


class _Index:
    """One pass over a text that `tomllib` has accepted."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._at = 0
        self.root = _Mark(1)

    def read(self) -> _Mark:
        current = self.root
        self._skip_blank()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                current = self._header()
            else:
                self._assignment(current)
            self._skip_blank()
        return self.root

    def _line(self) -> int:
        return bisect.bisect_left(self._ends, self._at) + 1

    def _skip_blank(self) -> None:
        self._at = self._end_of(_BLANK)

    def _end_of(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        assert match is not None
        return match.end()

    def _path(self) -> list[str]:
        path: list[str] = []
        while not path or self._text[self._at] == ".":
            self._at += bool(path)
            match = _KEY.match(self._text, self._at)
            assert match is not None
            path.append(_unquoted(match.group(1)))
            self._at = match.end()
        return path

    def _header(self) -> _Mark:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        line = self._line()
        self._at += brackets
        *parents, last = self._path()
        self._at += brackets
        mark = _descend(self.root, parents, line).keys.setdefault(last, _Mark(line))
        if brackets == 2:
            mark.elements.append(_Mark(line))
            return mark.elements[-1]
        mark.line = line  # it may have been known as the parent of an earlier header
        return mark

    def _assignment(self, table: _Mark) -> None:
        line = self._line()
        *parents, last = self._path()
        self._at += 1  # the equals sign
        self._at = self._end_of(_BLANK)
        mark = self._value()
        mark.line = line
        _descend(table, parents, line).keys[last] = mark

    def _value(self) -> _Mark:
        mark = _Mark(self._line())
        opening = self._text[self._at]
        if opening in "[{":
            self._at += 1
            self._bracketed(mark, "]" if opening == "[" else "}")
        else:
            self._at = self._end_of(_SCALAR)
        return mark

    def _bracketed(self, mark: _Mark, closing: str) -> None:
        self._skip_blank()
        while self._text[self._at] != closing:
            if closing == "]":
                mark.elements.append(self._value())
            else:
                self._assignment(mark)
            self._skip_blank()
            self._at += self._text[self._at] == ","
            self._skip_blank()
        self._at += 1


def _unquoted(key: str) -> str:
    if key[0] in "\"'":
        return str(tomllib.loads(f"key = {key}")["key"])
    return key


def _descend(mark: _Mark, path: Iterable[str], line: int) -> _Mark:
    for key in path:
        mark = mark.keys.setdefault(key, _Mark(line))
        if mark.elements:  # a header below [[x]] speaks of its last element
            mark = mark.elements[-1]
    return mark


def parse(text: str, file: str) -> Node:
    """Read a TOML document.

    Raises:
        ConfigError: with the one fault at which the text stops being TOML.
    """
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
        return _joined(document, _Index(text).read(), file, "")
    except ValueError as err:  # TOMLDecodeError is one; so is what int() says of a number of a million digits
        raise ConfigError([_syntax_fault(str(err), text, file)]) from err
    except RecursionError as err:
        raise ConfigError([Fault(file, 0, "tables or brackets nested too deeply to read; take some out")]) from err


def _syntax_fault(message: str, text: str, file: str) -> Fault:
    position = _POSITION.search(message)
    line = position.group(1) if position else None
    reason = _POSITION.sub("", message).rstrip(".")
    return Fault(
        file,
        int(line) if line else text.rstrip("\n").count("\n") + 1,
        f"no TOML: {reason[:1].lower()}{reason[1:]}; correct the line (text stands in quotes, a key only once)",
    )


def _joined(value: object, mark: _Mark, file: str, at: str, depth: int = 0) -> Node:
    if depth > _DEEPEST:
        raise ConfigError([Fault(file, mark.line, f"nested more than {_DEEPEST} levels deep; take some out")])
    if isinstance(value, Mapping):
        below = {key: (part, mark.keys[key], f"{at}.{key}" if at else key) for key, part in value.items()}
        joined = {key: _joined(part, where, file, name, depth + 1) for key, (part, where, name) in below.items()}
        return Node(joined, file, mark.line, at)
    if isinstance(value, list):
        parts = zip(value, mark.elements, strict=True)
        return Node(tuple(_joined(part, where, file, at, depth + 1) for part, where in parts), file, mark.line, at)
    assert isinstance(value, str | int | float | bool | date | time)
    return Node(value, file, mark.line, at)
