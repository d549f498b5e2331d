"""`review` on the command line: who decided, what is said when, and numbers that are none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.site import Site, ago, environment
from tests.standins.cof import CofServer, row

NAME = "k3xq.example.net"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One name that waits."""
    with CofServer() as server:
        site = Site(tmp_path, pdns_url=server.url, rule={"netblocks": ["198.51.100.0/31"]}).write()
        server.rows = [row(f"{NAME}.", "198.51.100.1", ago(days=9), ago(hours=1))]
        site.poll()
    return site


def test_a_decision_is_said_although_no_list_could_be_written(site: Site) -> None:
    shutil.rmtree(site.exports)
    site.exports.write_text("a file where the folder should be")
    done = subprocess.run(
        site.command("review", "approve", NAME, "--reason", "seen it"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"approve {NAME}" in done.stdout
    assert "export domains.txt is held" in done.stderr


def test_an_account_of_the_service_s_own_name_is_a_person_whose_word_can_be_taken_back(site: Site) -> None:
    def review(*arguments: str) -> str:
        person = environment(LOGNAME="feedsvc", SUDO_USER="")
        return subprocess.run(
            site.command("review", *arguments), env=person, capture_output=True, text=True, check=True
        ).stdout

    number = review("approve", NAME, "--reason", "seen it").split()[-1]
    assert f"undo {NAME}" in review("undo", number)
    assert site.listed() == []


def test_a_reason_in_any_bytes_is_kept_and_moves_no_cursor(site: Site) -> None:
    site.run("review", "approve", NAME, "--reason", "se\udce5tt\x1b[2J")
    said = site.run("explain", NAME)
    assert r"se\udce5tt\x1b[2J" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("verb", ["approve", "hold", "reject", "revoke"])
def test_every_verb_wants_names_and_a_reason(site: Site, verb: str) -> None:
    assert "NAMES" in site.fails("review", verb).upper()
    if verb != "revoke":
        assert "--reason" in site.fails("review", verb, NAME)
        assert f"{verb} {NAME}" in site.run("review", verb, NAME, "--reason", "looked at it")


@pytest.mark.parametrize("number", ["0", "abc", "9" * 30])
def test_a_number_that_is_none_is_bad_usage(site: Site, number: str) -> None:
    assert "ID" in site.fails("review", "undo", number)
