"""The two name sets that block lists are made of, and the gate that every name passes again on the way to one.

`exact` lists every name, for readers that compare whole names. `collapsed` drops every name that sits under another listed
one, for readers that take a name for all below it: in a response policy zone a listed `deep.a.b.x` beside `*.x` would make
`b.x` an empty non-terminal that the wildcard no longer covers, so an attacker could unblock part of his own names (RFC 4592
§2.2.2). Pure; knows no format.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from feedsvc.errors import PublishError
from feedsvc.model import ListedName, Refused
from feedsvc.names import is_under, publishable, split_labels
from feedsvc.publish.port import NameSetKind

SAMPLE = 200
"""Characters of a refused name that are kept (see `feedsvc.model.Refused`)."""

_PLAIN_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")


@dataclass(frozen=True, slots=True)
class NameSet:
    """Names for a list, and what was left out of it.

    Attributes:
        listed: sorted by bytes, one row a name, every one of them publishable.
        left_out: names that the gate or the format refuses, by reason. Names that a listed parent covers are not left out.
    """

    listed: tuple[ListedName, ...]
    left_out: tuple[Refused, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names alone."""
        return frozenset(one.name for one in self.listed)


def _anything(_name: str) -> None:
    return None


def exact(listed: Iterable[ListedName], admits: Callable[[str], str | None] = _anything) -> NameSet:
    """Every name that may leave.

    Args:
        admits: the format's own say, see `BlockListFormat.admits`.
    """
    rows: dict[str, ListedName] = {}
    refused: dict[str, list[str]] = {}
    for one in listed:
        verdict = publishable(one.name)
        reason = verdict.reason or admits(verdict.name)
        if reason is not None:
            refused.setdefault(reason, []).append(one.name)
            continue
        row = one if verdict.name == one.name else dataclasses.replace(one, name=verdict.name)
        rows[row.name] = _stronger(rows.get(row.name), row)
    return NameSet(tuple(rows[name] for name in sorted(rows)), _counted(refused))


def _stronger(known: ListedName | None, row: ListedName) -> ListedName:
    if known is None or known.confidence < row.confidence:
        return row
    return known


def _counted(refused: dict[str, list[str]]) -> tuple[Refused, ...]:
    return tuple(
        Refused(reason=reason, count=len(names), sample=_shown(min(names))) for reason, names in sorted(refused.items())
    )


def _shown(name: str) -> str:
    return ascii(name)[1:-1][:SAMPLE]


def collapsed(listed: Iterable[ListedName], admits: Callable[[str], str | None] = _anything) -> NameSet:
    """The fewest names that cover, by suffix, exactly what `exact` lists.

    Args:
        admits: the format's own say; it is asked first, so that a parent which cannot be listed drops no child.
    """
    everything = exact(listed, admits)
    kept: list[ListedName] = []
    # By labels from the right, a name comes before everything below it and nothing else comes in between.
    for one in sorted(everything.listed, key=lambda row: split_labels(row.name)[::-1]):
        if not kept or not is_under(one.name, kept[-1].name):
            kept.append(one)
    return NameSet(tuple(sorted(kept, key=lambda row: row.name)), everything.left_out)


def build(kind: NameSetKind, listed: Iterable[ListedName], admits: Callable[[str], str | None] = _anything) -> NameSet:
    """`exact` or `collapsed`, as a format asks."""
    return collapsed(listed, admits) if kind == "suffix" else exact(listed, admits)


def covered(name: str, names: AbstractSet[str], kind: NameSetKind) -> bool:
    """Whether a reader of this kind of list takes a name for listed."""
    if kind == "exact":
        return name in names
    labels = split_labels(name)
    return any(".".join(labels[start:]) in names for start in range(len(labels)))


def checked(listed: Iterable[ListedName]) -> Iterator[ListedName]:
    """The rows as they come, for a format to render: the last look before a name becomes a line.

    Raises:
        PublishError: a name that must not leave, one that is not written canonically, or rows out of order.
    """
    before = ""
    for one in listed:
        verdict = publishable(one.name)
        if not verdict or verdict.name != one.name:
            reason = verdict.reason or "not written canonically"
            raise PublishError(f"{_shown(one.name)!r} must not stand on a list: {reason}")
        if one.name <= before:
            raise PublishError(f"{one.name!r} does not come after {before!r}: the names of a list are sorted, each once")
        before = one.name
        yield one


def read_back(names: Sequence[str]) -> frozenset[str]:
    """The names of a file, one after the other as it has them, for a format to read back.

    Only their form is judged: a name that has become unpublishable since the file was written must still be read.

    Raises:
        ValueError: one is no plain name, or does not come after the one before it.
    """
    for number, name in enumerate(names):
        if not _PLAIN_NAME.fullmatch(name):
            raise ValueError(f"name {number + 1} of the file is no plain name")
        if number and name <= names[number - 1]:
            raise ValueError(f"name {number + 1} of the file is out of order")
    return frozenset(names)
