"""Watches that the configuration names and no rule has: a list that waits for one stays empty, and nobody asks why."""

from __future__ import annotations

from collections.abc import Iterable

from feedsvc.config import Settings
from feedsvc.config.nodes import suggestion
from feedsvc.errors import Fault
from feedsvc.model import Watch


def unknown_watches(settings: Settings, watches: Iterable[Watch]) -> tuple[Fault, ...]:
    """A fault for each watch that a `[[collection]]` or `[[export]]` names and that is none of all watches."""
    known = {watch.id for watch in watches}
    wanted = [(one.place, one.watches) for one in settings.collections]
    wanted += [(one.place, one.watches) for one in settings.exports]
    return tuple(
        Fault(place.file, place.line_of("watches"), f"watches: no rule has the id {name!r}{suggestion(name, known)}")
        for place, names in wanted
        for name in names
        if name != "*" and name not in known
    )
