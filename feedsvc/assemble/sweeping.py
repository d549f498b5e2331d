"""What `feedsvc sweep` needs, ready; imports no history, no server and no client."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Sequence

from feedsvc import assemble, clock
from feedsvc.config import Settings
from feedsvc.errors import PluginError, UsageError
from feedsvc.sources.logs import Formats
from feedsvc.sources.sweeping import Trouble, sweep
from feedsvc.watches.match import Matcher


class Sweep:
    """One sweep: its lines, and when they were drawn what could not be read.

    Attributes:
        troubles: grows while `lines` is drawn.
    """

    def __init__(
        self,
        loaded: Settings,
        paths: Sequence[str],
        *,
        watch: str,
        form: str,
        progress: Callable[[str], None],
        every_line: bool = False,
    ) -> None:
        """Make it ready.

        Args:
            watch: this rule alone; every rule when empty.
            form: a log format, or `auto`.
            every_line: parse every line, and not only those that may tell of a netblock.

        Raises:
            ConfigError: with every fault of the rules.
            UsageError: there is no such rule or format.
        """
        self._matcher = Matcher(assemble.watches(loaded, watch))
        self._formats = _formats(form)
        self._paths = paths
        self._progress = progress
        self._every_line = every_line
        self._began = clock.monotonic()
        self.troubles: list[Trouble] = []

    def lines(self) -> Iterator[str]:
        """The hits, each as one line of JSON without its line end."""
        hits = sweep(
            self._paths,
            self._formats,
            self._matcher.netblocks,
            self._matcher.match,
            report=self.troubles.append,
            progress=self._tell,
            every_line=self._every_line,
            processes=processors(),
        )
        for hit in hits:
            yield json.dumps(dataclasses.asdict(hit), ensure_ascii=False)

    def _tell(self, done: int, total: int | None) -> None:
        self._progress(progress_text(done, total, clock.monotonic() - self._began))


def _formats(form: str) -> Formats:
    try:
        return Formats(form)
    except PluginError as err:
        raise UsageError(f"--format {form}: {err}") from err


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def progress_text(done: int, total: int | None, seconds: float) -> str:
    """How far a sweep is, and how long the rest will take at the speed that it had so far.

    Args:
        done, total: bytes; the total is not known when a pipe is among the files.
        seconds: since it began.
    """
    if total is None:
        return f"swept {done / 1e6:.0f} MB"
    said = f"swept {done / 1e6:.0f} of {total / 1e6:.0f} MB"
    if not done or done > total:
        return said
    minutes, rest = divmod(round(seconds * (total - done) / done), 60)
    return f"{said}, {minutes}:{rest:02d} left"


def trouble_text(trouble: Trouble) -> str:
    """What could not be read, for a person."""
    if not trouble.lines:
        return f"{trouble.file}: {trouble.reason}"
    return f"{trouble.file}: {trouble.lines} lines refused: {trouble.reason}, for example {trouble.sample}"
