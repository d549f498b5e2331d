"""Real servers that send their log to a socket: each lookup is seen once, by a listener that is killed none twice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from feedsvc.config import ListenPlace
from feedsvc.history import open_history
from feedsvc.sources.listening import Listener
from tests.daemons.running import PATIENCE, Daemon, ask, short_folder, wait_until
from tests.daemons.servers import Named, Recursor, Unbound
from tests.site import Site
from tests.sources.logs import dnstap_making
from tests.sources.logs.making import hit
from tests.sources.logs.reading import once
from tests.sources.sending import TCP, listening
from tests.sources.test_spooled import SpoolReader
from tests.tools import need_tool

pytestmark = pytest.mark.timeout(600)  # ten seconds on a machine that has nothing else to do

Start = Callable[[ExitStack, Listener, str], Daemon]


def named(stack: ExitStack, listener: Listener, socket: str) -> Daemon:
    return stack.enter_context(Named(stack.enter_context(short_folder()), dnstap=f'unix "{socket}"'))


def unbound(stack: ExitStack, listener: Listener, socket: str) -> Daemon:
    where = socket or f"127.0.0.1@{listener.port}"
    return stack.enter_context(Unbound(stack.enter_context(short_folder()), dnstap=where))


def recursor(stack: ExitStack, listener: Listener, socket: str) -> Daemon:
    upstream = stack.enter_context(Named(stack.enter_context(short_folder())))
    return stack.enter_context(Recursor(stack.enter_context(short_folder()), upstream.port, listener.port))


def is_seen(server: Daemon, reader: SpoolReader, name: str) -> bool:
    """Ask once more, and see whether any of these was read."""
    ask(server.port, f"{name}.example.net")
    reader.poll()
    return f"{name}.example.net" in reader.names()


SENDERS = {
    "BIND, unix": (named, "dnstap", True),
    "Unbound, unix": (unbound, "dnstap", True),
    "Unbound, tcp": (unbound, "dnstap", False),
    "Recursor, tcp": (recursor, "powerdns", False),
}


@pytest.mark.parametrize(("start", "form", "by_path"), SENDERS.values(), ids=SENDERS)
def test_each_lookup_of_a_server_is_seen_once(tmp_path: Path, start: Start, form: str, by_path: bool) -> None:
    names = [f"n{number}" for number in range(150)]
    reader = SpoolReader(str(tmp_path / "spool"), form=form)
    with ExitStack() as stack:
        socket = str(stack.enter_context(short_folder()) / "log.sock") if by_path else ""
        place = ListenPlace(path=socket) if by_path else TCP
        listener = stack.enter_context(listening(tmp_path / "spool", place, form))
        server = start(stack, listener, socket)
        # What a server has to tell before it is connected it may forget.
        wait_until(lambda: is_seen(server, reader, "probe"), "a lookup to be seen")
        for name in names:
            ask(server.port, f"{name}.example.net")
            reader.poll_and_die(1)
        wait_until(lambda: is_seen(server, reader, "last"), "the last lookup to be seen")
    reader.poll()
    assert {name: count for name, count in reader.names().items() if name[0] == "n"} == once(*names)
    assert reader.refused == []


@pytest.mark.parametrize("by_path", [True, False], ids=["unix", "tcp"])
def test_a_file_of_dnstap_is_replayed(tmp_path: Path, by_path: bool) -> None:
    file, names = tmp_path / "dnstap.fstrm", [f"n{number}" for number in range(1000)]
    file.write_bytes(dnstap_making.log([hit(name) for name in names], "CLIENT_RESPONSE"))
    reader = SpoolReader(str(tmp_path / "spool"), form="dnstap")
    with short_folder() as folder:
        place = ListenPlace(path=str(folder / "log.sock")) if by_path else TCP
        with listening(tmp_path / "spool", place) as listener:
            to = ["-u", place.path] if by_path else ["-a", "127.0.0.1", "-p", str(listener.port)]
            replay = [need_tool("fstrm_replay", "fstrm-bin"), "-t", "protobuf:dnstap.Dnstap", "-r", str(file), *to]
            subprocess.run(replay, check=True, capture_output=True, timeout=PATIENCE)
    reader.poll()
    assert reader.names() == once(*names)
    assert reader.refused == []


@contextmanager
def serving(site: Site) -> Iterator[subprocess.Popen[str]]:
    """A running `serve` that listens; killed at the end."""
    with subprocess.Popen(site.command("serve"), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            ready = any(json.loads(line)["event"] == "serve.ready" for line in process.stderr)
            assert ready, "serve ended before it was ready"
            yield process
        finally:
            process.kill()


class Watched:
    """A server that sends to a `serve`, and what that has stored of it."""

    def __init__(self, server: Daemon, state: Path) -> None:
        self._server = server
        self._state = state
        self.names: list[str] = []

    def ask(self, times: int) -> list[str]:
        """Ask for new names; which."""
        new = [f"{number:04d}.example.net" for number in range(len(self.names), len(self.names) + times)]
        self.names += new
        for name in new:
            ask(self._server.port, name)
        return new

    def seen(self, names: list[str]) -> list[int]:
        """How often each was seen."""
        with closing(open_history(self._state, read_only=True)) as history:
            return [sum(one.count for _, one in history.facts.sightings(name)) for name in names]

    def wait_for_connection(self) -> None:
        """Until something is seen of what is asked from now on: the server tries once a second."""
        before = len(self.names)
        wait_until(lambda: any(self.seen(self.names[before:])) if self.ask(1) else False, "a lookup to be seen")


def test_a_serve_that_is_killed_is_connected_to_again_and_counts_nothing_twice(tmp_path: Path) -> None:
    with short_folder() as folder, short_folder() as beside:
        place = f"unix:{folder}/log.sock"
        extra = f'[[source]]\nname = "dns"\nkind = "log"\nformat = "dnstap"\nlisten = "{place}"\nevery = "1s"\n'
        site = Site(tmp_path, extra=extra).write()
        with Named(beside, dnstap=f'unix "{folder}/log.sock"') as server:
            watched = Watched(server, tmp_path / "var" / "feedsvc.db")
            for _ in range(2):
                with serving(site) as process:
                    watched.wait_for_connection()
                    new = watched.ask(60)
                    wait_until(lambda names=new: watched.seen(names) == [1] * 60, "all to be seen")  # type: ignore[misc]
                    watched.ask(30)
                    process.kill()
                    process.wait(PATIENCE)
            with serving(site):
                watched.wait_for_connection()
    assert set(watched.seen(watched.names)) <= {0, 1}
