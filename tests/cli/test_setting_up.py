"""The first commands that a newcomer types, with the mistakes a newcomer makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import Site

DNSDB = """\
[[source]]
name = "d"
kind = "pdns"
provider = "dnsdb"
api_key_env = "DNSDB_KEY_X"
"""


def feedsvc(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "feedsvc", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_init_writes_a_configuration_without_faults_and_overwrites_nothing(tmp_path: Path) -> None:
    feedsvc("init", tmp_path / "site")
    assert feedsvc("--config", tmp_path / "site" / "feedsvc.toml", "check").stdout == "no faults\n"
    rule = tmp_path / "site" / "rules" / "jar-callbacks.yaml"
    rule.write_text("mine")
    said = feedsvc("init", tmp_path / "site").stdout
    assert rule.read_text() == "mine"
    assert f"kept  {rule}" in said


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file")
    said = feedsvc("init", tmp_path / "site", code=2).stderr
    assert str(tmp_path / "site") in said
    assert said.count("\n") == 1


def test_check_tells_five_faults_in_three_files_on_five_lines(tmp_path: Path) -> None:
    feedsvc("init", tmp_path)
    config, rule = tmp_path / "feedsvc.toml", tmp_path / "rules" / "jar-callbacks.yaml"
    config.write_text(
        config.read_text()
        .replace('timezone = "UTC"', 'timezone = "Mars/Olympus"')
        .replace('format = "rpz"', 'format = "rzp"')
    )
    rule.write_text(rule.read_text().replace("198.51.100.0/24", "198.51.100.7/24").replace("tlp: green", "tlp: pink"))
    (tmp_path / "rules" / "second.yaml").write_text("id: second\ntitle: t\nnetblocks: [203.0.113.0/24]\nnetbloks: []\n")

    done = feedsvc("--config", config, "check", code=2)

    lines = done.stdout.splitlines()
    assert len(lines) == 5, done.stdout
    assert [line.split(":")[0].rsplit("/", 1)[-1] for line in lines] == [
        "feedsvc.toml",
        "feedsvc.toml",
        "jar-callbacks.yaml",
        "jar-callbacks.yaml",
        "second.yaml",
    ]
    assert all(int(line.split(":")[1]) > 0 for line in lines)
    rows = json.loads(feedsvc("--config", config, "check", "--json", code=2).stdout)
    assert [f"{one['file']}:{one['line']}: {one['message']}" for one in rows] == lines


@pytest.mark.parametrize("command", [["run"], ["status"], ["sweep", "x.log"], ["diff"], ["serve"]])
def test_without_a_configuration_every_command_says_what_to_do(tmp_path: Path, command: list[str]) -> None:
    done = feedsvc("--config", tmp_path / "feedsvc.toml", *command, code=2)
    assert "feedsvc init" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_credential_is_a_fault_that_names_the_variable(tmp_path: Path) -> None:
    site = Site(
        tmp_path, extra='[[source]]\nname = "d"\nkind = "pdns"\nprovider = "dnsdb"\napi_key_env = "DNSDB_KEY_X"\n'
    ).write()
    assert "DNSDB_KEY_X" in feedsvc("--config", site.file, "check", code=2).stdout


def test_plugins_are_listed_and_each_has_its_manual_page() -> None:
    listed = json.loads(feedsvc("plugins", "--json").stdout)
    assert {"cof", "dnsdb", "zeek", "domains", "hosts", "rpz"} <= {one["name"] for one in listed}
    for one in listed:
        assert one["summary"] in feedsvc("plugins", one["kind"], one["name"]).stdout
    [cof] = [one for one in listed if one["name"] == "cof"]
    assert json.loads(feedsvc("plugins", "pdns", "cof", "--json").stdout).items() >= cof.items()
    assert "cof, dnsdb" in feedsvc("plugins", "pdns", "nosuch", code=2).stderr
    assert "blocklists" in feedsvc("plugins", "nosuch", code=2).stderr


def test_reading_commands_on_a_new_state_say_that_nothing_ran_yet(tmp_path: Path) -> None:
    site = Site(tmp_path, zeek=True).write()
    for command in ("status", "diff", "review list", "explain k3xq.example.net"):
        done = feedsvc("--config", site.file, *command.split(), code=1)
        assert "feedsvc run" in done.stderr, command


def test_every_command_has_help() -> None:
    said = feedsvc("--help").stdout
    for command in (
        "init",
        "check",
        "demo",
        "run",
        "serve",
        "diff",
        "review",
        "explain",
        "sweep",
        "hunt",
        "export",
        "partner",
        "verify",
        "status",
        "plugins",
    ):
        assert command in said
        assert "Usage" in feedsvc(command, "--help").stdout
    for absent in ("worker", "backup", "restore"):
        assert f" {absent} " not in said
