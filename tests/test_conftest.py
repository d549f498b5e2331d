"""The rules that hold for every test hold indeed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import need_tool

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("host", ["k3xq.example.net", "198.51.100.7", b"k3xq.example.net"])
def test_no_test_can_look_a_name_up(host: str | bytes) -> None:
    with pytest.raises(RuntimeError, match="a test reached for"):
        socket.getaddrinfo(host, 443)


@pytest.mark.parametrize("address", [("198.51.100.7", 443), ("192.0.2.1", 53)])
def test_no_test_can_contact_another_machine(address: tuple[str, int]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sender, pytest.raises(RuntimeError, match="a test reached for"):
        sender.sendto(b"", address)
    with socket.socket() as caller, pytest.raises(RuntimeError, match="a test reached for"):
        caller.connect(address)


def test_this_machine_can_be_contacted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as caller:
        assert caller.getpeername() == server.getsockname()


def test_no_setting_of_the_machine_reaches_a_test() -> None:
    assert [name for name in os.environ if name.startswith("FEEDSVC_")] == []


def test_a_test_that_lacks_its_tool_skips_and_names_it() -> None:
    with pytest.raises(pytest.skip.Exception, match="needs no-such-tool, of the package no-such-package"):
        need_tool("no-such-tool", "no-such-package")


@pytest.mark.parametrize(("required", "code"), [("", 0), ("1", 1)])
def test_a_skip_fails_the_run_where_tools_are_required(tmp_path: Path, required: str, code: int) -> None:
    lacking = "from tests.tools import need_tool\ndef test_it():\n    need_tool('no-such-tool', 'no-such-package')\n"
    (tmp_path / "test_lacking.py").write_text(lacking)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "FEEDSVC_REQUIRE_TOOLS": required}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "-q",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "1 skipped" in done.stdout
    assert done.returncode == code
