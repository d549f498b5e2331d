"""Settings to ready parts: the one place that builds plug-ins, opens history and joins the servers.

Faults of everything that is configured are gathered here with their lines: a command starts with all parts right, or says
every fault at once. What a command does not need is not imported: a sweep opens no history, a reader of history asks nobody.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from feedsvc import clock, config
from feedsvc.assemble import building
from feedsvc.config import Settings
from feedsvc.errors import ConfigError, Fault, UsageError
from feedsvc.watches import rules
from feedsvc.watches.match import Matcher
from feedsvc.watches.references import unknown_watches

if TYPE_CHECKING:
    from feedsvc.model import Watch
    from feedsvc.pipeline.parts import Parts
    from feedsvc.sources.port import Source


def settings(file: Path) -> Settings:
    """Read the configuration with the environment's secrets.

    Raises:
        UsageError: there is no such file.
        ConfigError: with every fault of it.
    """
    return config.load(file, os.environ)


def watches(loaded: Settings, only: str = "") -> tuple[Watch, ...]:
    """Read the rules; with `only`, that one alone.

    Raises:
        ConfigError: with every fault of every file.
        UsageError: there is no rule of that name.
    """
    return _only({watch.id: watch for watch in rules.load_rules(loaded.rules)}, only)


def _only(found: Mapping[str, Watch], only: str) -> tuple[Watch, ...]:
    if only and only not in found:
        raise UsageError(f"there is no rule {only!r}; there are: {', '.join(found)}")
    return (found[only],) if only else tuple(found.values())


def check(file: Path) -> list[Fault]:
    """Every fault of configuration, rules and plug-in settings, in order of files and lines."""
    folder = file.parent / "rules"
    loaded = None
    try:
        loaded, of_config = config.examine(file, os.environ)
    except ConfigError as err:
        faults = [*err.faults]
    except UsageError as err:
        faults = [Fault(str(file), 0, str(err))]
    else:
        folder = loaded.rules
        faults = [*of_config, *building.faults(loaded)]
    try:
        found = rules.load_rules(folder)
    except ConfigError as err:
        return sorted([*faults, *err.faults])
    return sorted([*faults, *(unknown_watches(loaded, found) if loaded else ())])


@contextmanager
def parts(
    loaded: Settings,
    *,
    watch: str = "",
    read_only: bool = False,
    person: bool = True,
    progress: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Parts]:
    """Ready parts for this thread, closed at the end of the block.

    Args:
        watch: ask providers about the netblocks of this rule alone; what comes is matched by all rules.
        read_only: nothing will be polled or written; no source is built.
        person: somebody asked for it, and may use the calls that the schedule leaves to people.
        stop: set by whoever wants the work to end.

    Raises:
        ConfigError: with every fault of configuration, rules and plug-in settings.
        HistoryError: the state cannot be opened.
    """
    from feedsvc.history import open_history
    from feedsvc.pipeline.parts import Parts, silent

    matcher = Matcher(_all_or_none(loaded))
    asked = _only(matcher.watches, watch)
    stop = stop or threading.Event()
    with ExitStack() as stack:
        history = open_history(loaded.state, read_only=read_only)
        stack.callback(history.close)
        collections = building.collections(loaded, history, keep=not read_only)
        if not read_only:
            building.keep_salt(history)
        yield Parts(
            history=history,
            matcher=matcher,
            asked=tuple(dict.fromkeys(block for one in asked for block in one.netblocks)),
            sources=() if read_only else building.sources(loaded, stack, stop),
            source_names=tuple(one.name for one in loaded.sources),
            collections=collections,
            exports=building.exports(loaded),
            exports_dir=loaded.exports_dir,
            producer=loaded.producer,
            limits=loaded.limits,
            billing=building.billing(loaded),
            person=person,
            stop=stop,
            progress=progress or silent,
        )


def _all_or_none(loaded: Settings) -> tuple[Watch, ...]:
    """The watches, once plug-in settings and rules are known to be right; else every fault of both."""
    faults = building.faults(loaded)
    try:
        found = rules.load_rules(loaded.rules)
    except ConfigError as err:
        raise ConfigError([*faults, *err.faults]) from err
    faults += unknown_watches(loaded, found)
    if faults:
        raise ConfigError(faults)
    return found


def chosen(sources: Sequence[Source], only: str, kind: str = "") -> tuple[Source, ...]:
    """The sources to poll: all, those of a kind, or one.

    Raises:
        UsageError: there is none of that name or kind.
    """
    of_kind = [source for source in sources if kind in {"", source.kind}]
    found = tuple(source for source in of_kind if only in {"", source.name})
    if not found:
        what = f"[[source]] of kind {kind!r}" if kind else "[[source]]"
        names = ", ".join(source.name for source in of_kind)
        asked = f"there is no {what} {only!r}; there are: {names}" if names else f"no {what} is configured"
        raise UsageError(asked)
    return found


def day(loaded: Settings, text: str) -> tuple[date, datetime, datetime]:
    """A day in the configured zone, with its first moment and that of the next day.

    Raises:
        UsageError: the text is no day.
    """
    today = clock.utc_now().astimezone(loaded.timezone).date()
    near = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        found = near.get(text) or date.fromisoformat(text)
        return (found, *clock.day_bounds(found, loaded.timezone))
    except (ValueError, OverflowError) as err:  # the last day of the calendar has no next one
        raise UsageError(f"{text!r} is no day: write YYYY-MM-DD, today or yesterday") from err
