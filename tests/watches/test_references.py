"""A list or collection that waits for a rule that nobody wrote is a fault at its line."""

from __future__ import annotations

from pathlib import Path

from feedsvc.config import load
from feedsvc.errors import Fault
from feedsvc.model import Watch
from feedsvc.names import parse_netblock
from feedsvc.watches.references import unknown_watches

WATCHES = [Watch(id=name, title="t", netblocks=(parse_netblock("198.51.100.0/24"),)) for name in ("jar-callbacks", "other")]


def test_watches_without_a_rule_are_told_by_line(tmp_path: Path) -> None:
    file = tmp_path / "feedsvc.toml"
    file.write_text("""\
[[collection]]
alias = "a"
watches = ["jar-callbacks", "jar-calbacks"]
[[collection]]
alias = "all"
[[export]]
name = "x"
format = "hosts"
watches = ["*", "nothing-near"]
""")
    assert unknown_watches(load(file, {}), WATCHES) == (
        Fault(str(file), 3, "watches: no rule has the id 'jar-calbacks'; did you mean 'jar-callbacks'?"),
        Fault(str(file), 9, "watches: no rule has the id 'nothing-near'; known here: jar-callbacks, other"),
    )


def test_a_configuration_that_names_known_watches_alone_has_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "feedsvc.toml"
    file.write_text('[[collection]]\nalias = "a"\nwatches = ["other"]\n')
    assert unknown_watches(load(file, {}), WATCHES) == ()
