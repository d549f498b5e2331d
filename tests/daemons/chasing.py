"""A follower that is killed and started again while a log under it grows and rotates; what it has seen in the end."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from feedsvc.history import open_history
from tests.site import environment

ROOT = Path(__file__).parents[2]

_RULE = {
    "id": "all",
    "title": "All that resolves into the netblock",
    "netblocks": ["198.51.100.0/24"],
    "baseline": "hold",
    "publish": "review",
}


class Chase:
    """Follows one log from a folder of its own.

    Args:
        form: the log's format.
        pattern: the files.
        rng: decides when the follower dies, and for how long it stays away.

    Attributes:
        deaths: how often it was killed.
    """

    def __init__(self, folder: Path, form: str, pattern: str, rng: random.Random) -> None:
        self._file = folder / "feedsvc.toml"
        self._state = folder / "state.db"
        self._said = folder / "follower.txt"
        self._rng = rng
        self._process: subprocess.Popen[str] | None = None
        self.deaths = 0
        (folder / "rules").mkdir()
        (folder / "rules" / "all.yaml").write_text(json.dumps(_RULE))
        self._file.write_text(
            f'state = "state.db"\n[[source]]\nname = "server"\nkind = "log"\nformat = "{form}"\npath = "{pattern}"\n'
        )

    def step(self) -> None:
        """Start it, kill it, or let it be."""
        if self._process is None:
            if self._rng.random() < 0.5:
                self._process = self._start("on")
        elif self._rng.random() < 0.3:
            assert self._process.stdout is not None
            for _ in range(self._rng.randrange(3)):
                assert self._process.stdout.readline(), self._said.read_text()
            self._kill()

    def end(self) -> None:
        """Kill it, and read what is left in one poll."""
        self._kill()
        with self._start("once") as last:
            said, _ = last.communicate(timeout=300)
        assert (last.returncode, said) == (0, "polled complete\n"), said + self._said.read_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._kill()

    def seen(self, names: Iterable[str]) -> Counter[str]:
        """How often each name was looked up, by what is stored."""
        history = open_history(self._state, read_only=True)
        try:
            return Counter({name: sum(one.count for _, one in history.facts.sightings(name)) for name in names})
        finally:
            history.close()

    def _start(self, mode: str) -> subprocess.Popen[str]:
        with self._said.open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.daemons.follower", str(self._file), mode],
                cwd=ROOT,
                env=environment(PYTHONPATH=str(ROOT)),
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def _kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()
            self._process = None
            self.deaths += 1
