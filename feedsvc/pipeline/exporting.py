"""Block lists from history to files: one process at a time writes them, and what was written is told to history."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from feedsvc.clock import monotonic
from feedsvc.errors import Busy, PublishError, UsageError
from feedsvc.model import ExportState, ListedName, Refused, Status
from feedsvc.pipeline.parts import Export, Parts
from feedsvc.publish.lists import Order, Written, write_exports

PATIENCE = 60.0
"""Seconds to wait for another process that writes the lists: it may have read history before us, so ours must follow."""

# Statuses that a published name gets by a person's word alone; expiry is the other way out, and is guarded.
_BY_A_PERSON = frozenset({Status.REVOKED, Status.REJECTED, Status.HELD, Status.CANDIDATE, Status.BASELINE})


@dataclass(frozen=True, slots=True)
class Exported:
    """How the lists fared.

    Attributes:
        held: name and reason of each list that a guard or a fault holds at its last good content.
        changed: names of the lists that were replaced.
        left_out: names that a list could not hold, counted by reason, by list.
    """

    held: tuple[tuple[str, str], ...] = ()
    changed: tuple[str, ...] = ()
    left_out: tuple[tuple[str, Refused], ...] = ()


EVERY = 60.0
"""Seconds within which a process that runs again and again looks after the lists, though it has decided nothing."""


class Upkeep:
    """When such a process writes the lists: at once when something was decided or a list is held, else once in a while.

    To hold a list against all that is published costs what is known, and not what is new. What may change it without a
    decision of this process (a longer validity, another process that died before it wrote, a file that is gone) can wait.

    Args:
        now: seconds of a clock that never steps back.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._due = 0.0

    def is_due(self) -> bool:
        """Whether it is time, though nothing was decided."""
        return self._now() >= self._due

    def written(self, exported: Exported) -> None:
        """They are up to date, but for those that are held."""
        self._due = 0.0 if exported.held else self._now() + EVERY

    def doubt(self) -> None:
        """Something went wrong: nobody knows whether they are."""
        self._due = 0.0


def write(parts: Parts, only: str = "", *, accept_shrink: bool = False, patience: float = PATIENCE) -> Exported:
    """Bring the lists up to date with what is published; those that cannot be are held.

    Args:
        only: one list; all of them when empty.
        accept_shrink: a person has looked at what a guard holds back.
        patience: seconds to wait for another process that writes them.

    Raises:
        UsageError: there is no list of that name.
    """
    chosen = _chosen(parts, only)
    if not parts.exports:
        return Exported()
    try:
        with _turn(parts, patience):
            written = _write(parts, chosen, accept_shrink=accept_shrink)
            _keep(parts, written)
    except Busy as err:
        return Exported(held=tuple((one.settings.name, str(err)) for one in chosen))
    return Exported(
        held=tuple((one.state.name, one.state.held) for one in written if one.state.held),
        changed=tuple(one.state.name for one in written if one.changed),
        left_out=tuple((one.state.name, refused) for one in written for refused in one.left_out),
    )


def _write(parts: Parts, chosen: Sequence[Export], *, accept_shrink: bool) -> tuple[Written, ...]:
    known = {state.name: state for state in parts.history.exports.all()}
    taken_out = frozenset(one.name for one in parts.history.findings.with_status(_BY_A_PERSON))
    orders = [
        Order(
            name=export.settings.name,
            format_name=export.settings.format,
            format=export.format,
            listed=_listed(parts, export),
            authorised=taken_out,
            accept_shrink=accept_shrink,
            previous=known.get(export.settings.name),
        )
        for export in chosen
    ]
    others = frozenset(one.settings.name for one in parts.exports) - {order.name for order in orders}
    try:
        return write_exports(
            parts.exports_dir,
            orders,
            parts.clock(),
            producer=parts.producer.name,
            shrink=parts.limits.shrink,
            others=others,
        )
    except PublishError as err:
        # No list was written: each stands as it did, and says why. The run that led here is not undone by it.
        return tuple(Written(_held(parts, export, known, str(err)), changed=False) for export in chosen)


def _listed(parts: Parts, export: Export) -> Iterator[ListedName]:
    settings = export.settings
    return parts.history.findings.listed(settings.watches, settings.max_tlp, settings.min_confidence)


def _held(parts: Parts, export: Export, known: Mapping[str, ExportState], why: str) -> ExportState:
    never = ExportState(export.settings.name, export.settings.format, 0, 0, "", changed_at=parts.clock())
    return dataclasses.replace(known.get(export.settings.name, never), held=why)


def _chosen(parts: Parts, only: str) -> tuple[Export, ...]:
    chosen = tuple(export for export in parts.exports if only in {"", export.settings.name})
    if only and not chosen:
        known = ", ".join(export.settings.name for export in parts.exports) or "none"
        raise UsageError(f"there is no export {only!r}; there are: {known}")
    return chosen


@contextmanager
def _turn(parts: Parts, patience: float) -> Iterator[None]:
    """Hold the lists; wait for whoever holds them."""
    with ExitStack() as stack:
        deadline = monotonic() + patience
        while not _claimed(parts, stack, insist=monotonic() > deadline):
            time.sleep(0.05)
        yield


def _claimed(parts: Parts, stack: ExitStack, *, insist: bool) -> bool:
    try:
        stack.enter_context(parts.history.runs.claim("exports"))
    except Busy:
        if insist:
            raise
        return False
    return True


def _keep(parts: Parts, written: tuple[Written, ...]) -> None:
    known = {state.name: state for state in parts.history.exports.all()}
    fresh = [one.state for one in written if known.get(one.state.name) != one.state]
    if fresh:
        with parts.history.transaction():
            for state in fresh:
                parts.history.exports.keep(state)


def states(parts: Parts) -> tuple[ExportState, ...]:
    """How each configured list stands; one that was never written is held for that reason."""
    known = {state.name: state for state in parts.history.exports.all()}
    never = "it was never written; `feedsvc export` writes it"
    found = (known.get(one.settings.name) or _held(parts, one, known, never) for one in parts.exports)
    return tuple(sorted(found, key=lambda state: state.name))
