"""Real servers whose logs rotate under a follower that is killed at random: in the end each lookup was seen once."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.daemons.chasing import Chase
from tests.daemons.running import ask, short_folder
from tests.daemons.servers import Dnsmasq, Named, Rotated, Rotation, Unbound

pytestmark = pytest.mark.timeout(600)  # ten seconds on a machine that has nothing else to do

ROTATIONS = 50
SEED = 20261124


class Asker:
    """Asks for one name after the other, and knows which."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.names: list[str] = []

    def ask(self, times: int) -> None:
        for _ in range(times):
            name = f"n{len(self.names)}.example.net"
            self.names.append(name)
            ask(self._port, name)

    @contextmanager
    def meanwhile(self, times: int) -> Iterator[None]:
        """Ask while the block runs."""
        thread = threading.Thread(target=self.ask, args=(times,))
        thread.start()
        try:
            yield
        finally:
            thread.join()


def told(seed: int) -> random.Random:
    """What decides everything; its seed is printed when the test fails."""
    print(f"seed {seed}")
    return random.Random(seed)


def assert_each_was_seen_once(chase: Chase, asker: Asker) -> None:
    seen = chase.seen(asker.names)
    assert {name: seen[name] for name in asker.names if seen[name] != 1} == {}
    assert chase.deaths > 3


@pytest.mark.parametrize("form", ["bind", "dnstap"])
def test_of_bind_each_lookup_is_seen_once(tmp_path: Path, form: str) -> None:
    chase_bind(tmp_path, form, ROTATIONS, SEED)


def chase_bind(tmp_path: Path, form: str, rotations: int, seed: int) -> None:
    log = {"bind": "query.log", "dnstap": "dnstap.bin"}[form]
    with ExitStack() as stack:
        folder, rng = stack.enter_context(short_folder()), told(seed)
        server = stack.enter_context(Named(folder))
        chase, asker = stack.enter_context(Chase(tmp_path, form, f"{folder}/{log}*", rng)), Asker(server.port)
        while len(list(folder.glob(f"{log}.*"))) < rotations:
            with asker.meanwhile(rng.randrange(1, 30)):
                if form == "dnstap":
                    server.roll()
            chase.step()
        server.stop()
        chase.end()
        assert_each_was_seen_once(chase, asker)


@pytest.mark.parametrize("form", ["unbound", "dnsmasq"])
def test_of_a_server_whose_log_is_rotated_by_others_each_lookup_is_seen_once(tmp_path: Path, form: str) -> None:
    chase_rotated(tmp_path, form, ROTATIONS, SEED)


def chase_rotated(tmp_path: Path, form: str, rotations: int, seed: int) -> None:
    with ExitStack() as stack:
        rng = told(seed)
        server = stack.enter_context(unbound(stack) if form == "unbound" else dnsmasq(stack))
        chase = stack.enter_context(Chase(tmp_path, form, f"{server.log}*", rng))
        rotation, asker = Rotation(server), Asker(server.port)
        for _ in range(rotations):
            way = rng.choice(Rotation.ways)
            # What is written between a copy and its truncation is lost to everybody.
            with asker.meanwhile(0 if way == "copytruncate" else rng.randrange(30)):
                rotation.rotate(way)
            asker.ask(rng.randrange(8))
            chase.step()
        ask(server.port, "last.example.net")  # the last record of dnsmasq waits for the next
        server.stop()
        chase.end()
        assert_each_was_seen_once(chase, asker)


def unbound(stack: ExitStack) -> Rotated:
    return Unbound(stack.enter_context(short_folder()))


def dnsmasq(stack: ExitStack) -> Rotated:
    """With the server that it asks."""
    upstream = stack.enter_context(Named(stack.enter_context(short_folder())))
    return Dnsmasq(stack.enter_context(short_folder()), upstream.port)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["bind", "dnstap", "unbound", "dnsmasq"])
def test_for_a_long_time_each_lookup_is_seen_once(tmp_path: Path, form: str, seed: int) -> None:
    chase = chase_bind if form in {"bind", "dnstap"} else chase_rotated
    chase(tmp_path, form, 200, seed)
