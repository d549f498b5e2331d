"""What holds for every test: a clean environment, loopback alone, no skip where tools are required."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator

import pytest
import stamina
import structlog
from hypothesis import settings

from feedsvc.http import Limits

# A slow machine is no failure.
settings.register_profile("feedsvc", deadline=None, print_blob=True)
settings.load_profile("feedsvc")

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no proxy of the machine reaches a test or the processes it starts."""
    for name in list(os.environ):
        if name.startswith("FEEDSVC_") or name.lower() in PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logs_as_new() -> Iterator[None]:
    """A command that ran in this process leaves its way of logging to no other test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def no_pauses() -> Iterator[None]:
    """Questions that fail are asked again as often as ever, but at once."""
    with stamina.set_testing(True, attempts=Limits().attempts, cap=True):
        yield


def _is_here(host: object) -> bool:
    text = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "localhost")
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return text == "localhost"


def _refuse_the_world(event: str, args: tuple[object, ...]) -> None:
    """Neither we nor a library resolve a name or contact another machine: watched names are not ours to ask."""
    if event in {"socket.connect", "socket.sendto"}:
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # others are paths of local sockets
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        host = args[0]
    else:
        return
    if not _is_here(host):
        raise RuntimeError(f"a test reached for {host!r}: {event}")


sys.addaudithook(_refuse_the_world)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tools are required a skipped test is a failed run; -ra has listed which and why."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("FEEDSVC_REQUIRE_TOOLS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
