"""A configuration or rule file as a tree of values that know where they stand, whatever language it is written in.

`feedsvc.config.toml` and `feedsvc.watches.text` build the tree, `feedsvc.config.shapes` reads it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, time

from feedsvc.errors import ConfigError, Fault

Scalar = str | int | float | bool | date | time | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a file, and where it stands.

    Attributes:
        value: a scalar, a tuple of nodes, or nodes by key.
        line: of its key; of the value where it has none.
        at: the keys that lead to it, joined by dots; "" for the whole file.
    """

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    file: str
    line: int
    at: str = ""

    def fault(self, message: str) -> Fault:
        """A fault of this node."""
        return Fault(self.file, self.line, f"{self.at}: {message}" if self.at else message)

    def refused(self, message: str) -> ConfigError:
        """The error that says this one fault."""
        return ConfigError([self.fault(message)])

    def misfit(self, expected: str) -> ConfigError:
        """The error for a value of another kind than the expected one."""
        return self.refused(f"give {expected}, not {self}")

    def child(self, key: str) -> Node | None:
        """The node of a key, when this is a table that has it."""
        return self.value.get(key) if isinstance(self.value, Mapping) else None

    def children(self) -> Iterable[tuple[str, Node]]:
        """Keys and nodes of a table; none for anything else."""
        return self.value.items() if isinstance(self.value, Mapping) else ()

    def only(self, keys: Container[str]) -> Node:
        """A table with these of its keys alone."""
        return self._with(lambda key: key in keys)

    def without(self, keys: Container[str]) -> Node:
        """A table with all its other keys."""
        return self._with(lambda key: key not in keys)

    def _with(self, wanted: Callable[[str], bool]) -> Node:
        if not isinstance(self.value, Mapping):
            return self
        return replace(self, value={key: node for key, node in self.children() if wanted(key)})

    def plain(self) -> object:
        """The value without its lines."""
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.children()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value

    def __str__(self) -> str:
        # As a message shows it: short, on one line, harmless on a terminal.
        if isinstance(self.value, Mapping | tuple):
            return f"{'a' if self.value else 'an empty'} {'list' if isinstance(self.value, tuple) else 'table'}"
        if isinstance(self.value, str):
            return repr(self.value if len(self.value) <= 60 else self.value[:57] + "...")
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, int) and abs(self.value) >= 10**18:
            return "a number of more than 18 digits"  # str() refuses to write one of some thousand
        return "nothing" if self.value is None else str(self.value)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known word that is nearest; a list of them when none is near."""
    words = sorted(known)
    found = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {found[0]!r}?" if found else f"; known here: {', '.join(words) or 'none'}"


def reason_of(err: OSError) -> str:
    """Why the system did not do what was asked, in our spelling."""
    return (err.strerror or type(err).__name__).lower()


class Faults:
    """Faults as they are found, so that one does not hide the next."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Keep faults."""
        self.found.extend(faults)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Run a block that may raise `ConfigError`; keep its faults and go on behind it."""
        try:
            yield
        except ConfigError as err:
            self.add(*err.faults)

    def check(self) -> None:
        """Raise what was found.

        Raises:
            ConfigError: anything was found.
        """
        if self.found:
            raise ConfigError(self.found)
