"""The house as a whole: where things are, what must stand in each of them, and what must stand nowhere."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

import feedsvc
from feedsvc import plugins
from feedsvc.plugins import FOLDERS, Kind

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
LONGEST_FILE = 400  # lines that are not blank

TOP = {
    *(".ci", ".dockerignore", ".editorconfig", ".gitignore"),
    *("CHANGELOG.md", "Containerfile", "LICENSE", "Makefile", "README.md", "feedsvc.toml", "pyproject.toml"),
    *("benchmarks", "docs", "exports", "feedsvc", "locks", "rules", "scripts", "tests"),
}


def tracked() -> list[Path]:
    """Every file under version control that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


FILES = tracked()
SOURCES = [path for path in FILES if path.suffix == ".py" and path.is_relative_to(ROOT / "feedsvc")]
PLUGINS: list[tuple[Kind, str]] = [(kind, name) for kind in FOLDERS for name in plugins.names(kind)]


def name_of(path: object) -> str:
    """A path as a test's id."""
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else str(path)


def test_the_top_level_has_what_the_design_says_and_nothing_else() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == TOP


def test_the_tour_of_the_package_names_every_room() -> None:
    rooms = {path.relative_to(ROOT / "feedsvc").parts[0].removesuffix(".py") for path in SOURCES}
    assert {room for room in rooms if not room.startswith("__")} <= set(re.findall(r"`(\w+)`", feedsvc.__doc__ or ""))


POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]*\})\+[^+]")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_pattern_repeats_a_group_possessively(path: Path) -> None:
    """Python before 3.11.5 matches those wrongly (gh-106052), and Debian 12 has 3.11.2; `(?>(?:…)*)` says the same."""
    literals = [one.value for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Constant)]
    patterns = [one if isinstance(one, str) else one.decode("latin-1") for one in literals if isinstance(one, str | bytes)]
    assert not [pattern for pattern in patterns if "(?" in pattern and POSSESSIVE_GROUP.search(pattern + " ")]


# -- words that stand nowhere ------------------------------------------------------------------------------------------

# Put together from parts, so that this file does not contain what it looks for.
MACHINE = re.compile(r"(?<![\w.*<}])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me", "tm" + "p"]) + r")(?![\w-])")
REGISTRIES = [
    *("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com"),
    *("docker" + ".io", "quay" + ".io", "ghcr" + ".io", "gcr" + ".io", "mcr" + ".microsoft"),
    *("deb." + "debian", "security." + "debian", "archive." + "ubuntu", "crates" + ".io", "proxy." + "golang"),
]
MADE_ELSEWHERE = {"LICENSE"}


def texts() -> list[Path]:
    """Files that we wrote: all but recorded data, which says what it says."""
    return [path for path in FILES if not path.is_relative_to(DATA) and path.name not in MADE_ELSEWHERE]


@pytest.mark.parametrize("path", texts(), ids=name_of)
def test_no_file_names_a_folder_of_a_machine_or_the_host_of_a_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    assert [found.group() for found in MACHINE.finditer(text)] == []
    assert [host for host in REGISTRIES if host in text] == []


# -- what stands in every source ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert said
    assert len(said.partition("\n")[0]) > 20, "the first line is a sentence, not a title"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_is_longer_than_one_can_keep_in_mind(path: Path) -> None:
    assert len([line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]) <= LONGEST_FILE


# Rooms that only join others: what they do is seen end to end.
SEEN_END_TO_END = {"assemble", "demo", "pipeline"}


def mirrored(source: Path) -> list[Path]:
    """Where one looks for the tests of a source.

    A module at the top of the package, or a plug-in, has a test file of its own name. The parts of a room are tested through
    its door, by the files of the folder of its name.
    """
    inside = source.relative_to(ROOT / "feedsvc")
    own = ROOT / "tests" / inside.parent / f"test_{inside.name}"
    is_plugin = any(source.parent == ROOT / folder.replace(".", "/") for folder in FOLDERS.values())
    if is_plugin or len(inside.parts) == 1:
        return [own]
    room = "e2e" if inside.parts[0] in SEEN_END_TO_END else inside.parts[0]
    return [own, *sorted((ROOT / "tests" / room).rglob("test_*.py"))]


@pytest.mark.parametrize(
    "source", [path for path in SOURCES if path.name not in {"__init__.py", "__main__.py"}], ids=name_of
)
def test_every_source_has_its_tests_where_one_looks_for_them(source: Path) -> None:
    assert any(path.is_file() for path in mirrored(source))


# -- plug-ins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_plug_in_has_its_manual_page_its_settings_and_its_maker(kind: Kind, name: str) -> None:
    module = plugins.load(kind, name)
    assert len(plugins.manual(module).splitlines()) > 8, "a manual page says how to use it"
    assert plugins.summary(module).endswith(".")
    assert dataclasses.is_dataclass(module.Options)
    assert vars(module.Options)["__dataclass_params__"].frozen
    assert callable(module.build)


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_setting_of_a_plug_in_is_explained_and_has_a_default(kind: Kind, name: str) -> None:
    options = plugins.load(kind, name).Options
    said = options.__doc__ or ""
    assert options() is not None
    assert [field.name for field in dataclasses.fields(options) if f"{field.name}:" not in said] == []


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_plug_in_has_samples(kind: Kind, name: str) -> None:
    folder = DATA / kind / name
    assert folder.is_dir()
    assert any(path.is_file() and path.name != "SOURCES.md" for path in folder.rglob("*"))


def sources_of(sample: Path) -> str:
    """All that the SOURCES.md of a sample's folder and of those above it say."""
    above = [folder for folder in sample.parents if folder.is_relative_to(DATA)]
    return "\n".join((folder / "SOURCES.md").read_text() for folder in above if (folder / "SOURCES.md").is_file())


def test_every_sample_says_where_it_is_from() -> None:
    samples = [path for path in FILES if path.is_relative_to(DATA) and path.name != "SOURCES.md"]
    assert samples
    assert [name_of(sample) for sample in samples if sample.name not in sources_of(sample)] == []
