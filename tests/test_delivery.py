"""What is handed over: locks, the wheel, the image, and the commands of the Makefile."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "locks").glob("*.lock"))
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)

NEEDED = {
    "run": PROJECT["project"]["dependencies"],
    "build": [*PROJECT["build-system"]["requires"], *PROJECT["dependency-groups"]["build"]],
    "test": [
        *PROJECT["project"]["dependencies"],
        *PROJECT["build-system"]["requires"],
        *PROJECT["dependency-groups"]["build"],
        *PROJECT["dependency-groups"]["dev"],
    ],
}


def pins(lock: str) -> dict[str, set[str]]:
    """Versions by name; a name has two where they differ by platform."""
    found: dict[str, set[str]] = {}
    for pin in PIN.finditer((ROOT / "locks" / f"{lock}.lock").read_text()):
        found.setdefault(canonicalize_name(pin["name"]), set()).add(pin["version"])
    return found


@pytest.mark.parametrize("lock", NEEDED)
def test_a_lock_holds_all_that_is_asked_for_in_a_version_that_fits(lock: str) -> None:
    held = pins(lock)
    needed = [Requirement(text) for text in NEEDED[lock]]
    lacking = [
        str(one) for one in needed if not any(one.specifier.contains(v) for v in held.get(canonicalize_name(one.name), ()))
    ]
    assert lacking == [], "run `make lock`"


@pytest.mark.parametrize("lock", ["run", "build"])
def test_a_package_has_one_version_in_all_locks(lock: str) -> None:
    tests = pins("test")
    assert {name: versions for name, versions in pins(lock).items() if tests.get(name) != versions} == {}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.name))
def test_a_lock_speaks_of_packages_and_hashes_alone(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    odd = [
        line for line in lines if not PIN.match(line) and not re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line)
    ]
    assert odd == []
    assert all(lines[at + 1].startswith("    --hash=") for at, line in enumerate(lines) if PIN.match(line))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree by the locked backend."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "feedsvc"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    there = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    assert there <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_has_the_package_its_licence_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"feedsvc", f"feedsvc-{PROJECT['project']['version']}.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_package_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(unpacked)
    code = "import feedsvc, feedsvc.cli; print(feedsvc.__file__); feedsvc.cli.main()"
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    said = subprocess.run(
        [sys.executable, "-c", code, "demo", "--once"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(said.partition("\n")[0]).is_relative_to(unpacked)
    assert "k3xq.example.net  published" in said
    assert "the feed is what history has" in said


# -- the image ---------------------------------------------------------------------------------------------------------


def instructions() -> list[list[str]]:
    """The Containerfile's instructions, each as words; lines that go on are joined."""
    joined = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in joined.splitlines() if line and not line.startswith("#")]


def test_what_the_image_copies_is_there_and_reaches_the_builder() -> None:
    copied = [
        name for words in instructions() if words[0] == "COPY" and not words[1].startswith("--from") for name in words[1:-1]
    ]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert set(copied) <= let_in


def test_the_image_runs_as_nobody_special_with_a_health_check_and_volumes() -> None:
    last_stage = instructions()[max(at for at, words in enumerate(instructions()) if words[0] == "FROM") :]
    kinds = {words[0]: words for words in last_stage}
    assert kinds["USER"][1] not in {"root", "0"}
    assert "healthz" in " ".join(kinds["ENV"])
    assert "FEEDSVC_HEALTH_URL" in " ".join(kinds["HEALTHCHECK"])
    assert {"var", "exports"} <= set(re.findall(r"/feedsvc/(\w+)", " ".join(kinds["VOLUME"])))
    assert kinds["CMD"] == ["CMD", '["serve"]']


def test_the_image_starts_from_a_name_without_a_host() -> None:
    names = [words[1] for words in instructions() if words[0] == "FROM"]
    assert names
    assert [name for name in names if "/" in name] == []


# -- scripts and commands ----------------------------------------------------------------------------------------------


def scripts() -> list[Path]:
    """Every shell script of the project."""
    return [
        path for path in [ROOT / ".ci" / "run", *sorted((ROOT / "scripts").iterdir())] if path.read_text().startswith("#!")
    ]


@pytest.mark.parametrize("script", scripts(), ids=lambda path: str(path.name))
def test_a_script_is_executable_stops_at_the_first_fault_and_parses(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert "\nset -euo pipefail\n" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)


def plan(*arguments: str) -> list[str]:
    """What make would do, asked as if from a shell and not from within the make that runs the tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    "target", ["run", "test", "lint", "types", "imports", "check", "wheel", "soak", "lock", "clean", "bench"]
)
def test_make_knows_each_command(target: str) -> None:
    assert plan(target)


@pytest.mark.parametrize(("setting", "ends"), [("ONCE=1", True), ("ONCE=0", False), ("ONCE=", False)])
def test_make_run_ends_by_itself_when_told_so(setting: str, ends: bool) -> None:
    words = shlex.split(plan("run", setting)[-1])
    assert words[:2] == [".venv/bin/feedsvc", "demo"]
    assert ("--once" in words) is ends


def test_continuous_integration_runs_the_commands_of_the_readme_and_lets_no_test_skip() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert "export FEEDSVC_REQUIRE_TOOLS=1" in script
    assert script[-1] == "make test"
    assert {"make lint", "make types", "make imports"} <= set(script)
