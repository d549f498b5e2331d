"""The choice between log formats: by name, or by the first bytes, never by guessing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from feedsvc.errors import PluginError, SourceError
from feedsvc.plugins import OptionFaults
from feedsvc.sources.logs import Formats
from tests.sources.logs.making import header

ROOT = Path(__file__).parents[3]

RIVAL = '''
"""A log of somebody else that claims whatever begins with a cross."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """There is nothing to set."""


class Claims:
    def recognises(self, head):
        return head.startswith(b"#")


def build(options, zone):
    return Claims()
'''

BROKEN = '"""Needs what is not there."""\n\nimport a_package_that_is_not_there\n'

NEEDY = '''
"""Has a setting that nobody can guess."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Its settings."""

    key: str


def build(options, zone):
    return None
'''


def recognise_beside(folder: Path, head: bytes, **modules: str) -> str:
    """What a process says that finds a package with these formats installed."""
    (folder / "acme_logs").mkdir()
    (folder / "acme_logs" / "__init__.py").touch()
    points = ["[feedsvc.logs]"]
    for name, text in modules.items():
        (folder / "acme_logs" / f"{name}.py").write_text(text)
        points.append(f"{name} = acme_logs.{name}")
    meta = folder / "acme_logs-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-logs\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("\n".join(points) + "\n")
    script = (
        "import sys\nfrom feedsvc.errors import SourceError\nfrom feedsvc.sources.logs import Formats\n"
        f"try:\n    print(Formats().by_head({head!r}).name)\nexcept SourceError as err:\n    print(err)\n"
    )
    path = f"{folder}:{ROOT}"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_head_that_one_format_knows_is_of_that_format() -> None:
    assert Formats().by_head(header()).name == "zeek"


@pytest.mark.parametrize("head", [b"hello\n", b"\x7fELF", b"{}\n", b"\n\n"])
def test_a_head_that_no_format_knows_is_refused_with_the_list_of_formats(head: bytes) -> None:
    with pytest.raises(SourceError, match=r"no format fits its first bytes; say which it is: .*zeek") as refused:
        Formats().by_head(head)
    assert refused.value.permanent


def test_a_named_format_reads_whatever_the_head_looks_like() -> None:
    assert Formats("zeek").by_head(b"hello\n").name == "zeek"
    assert Formats("zeek").by_name("another").name == "zeek"


def test_a_format_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(PluginError, match=r"there are: .*zeek"):
        Formats("zeke")


def test_settings_need_a_named_format_and_are_checked() -> None:
    with pytest.raises(OptionFaults) as refused:
        Formats("auto", {"colour": "red"})
    assert refused.value.messages == {"colour": "key 'colour' needs a `format` other than auto"}
    with pytest.raises(OptionFaults, match="unknown key 'colour'"):
        Formats("zeek", {"colour": "red"})


def test_a_head_that_two_formats_claim_is_read_by_none(tmp_path: Path) -> None:
    said = recognise_beside(tmp_path, header(), rival=RIVAL)
    claims, _, known = said.partition("; say which it is: ")
    assert claims == "rival and zeek all fit its first bytes"
    assert {"rival", "zeek"} <= set(known.split(", "))


def test_a_broken_package_does_not_stop_the_others_and_is_told_when_none_fits(tmp_path: Path) -> None:
    assert recognise_beside(tmp_path / "", header(), broken=BROKEN) == "zeek"


def test_what_is_wrong_with_a_package_is_told_when_no_format_fits(tmp_path: Path) -> None:
    said = recognise_beside(tmp_path, b"hello\n", broken=BROKEN, needy=NEEDY)
    assert said.startswith("no format fits its first bytes; say which it is: ")
    assert "a_package_that_is_not_there" in said
    assert "'needy' has a setting without a default" in said
