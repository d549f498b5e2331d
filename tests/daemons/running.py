"""Real DNS servers on loopback, each with a folder of its own: started, asked, and ended with the block."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import dns.message

PATIENCE = 120.0
"""Seconds that a server may take for anything; a busy machine is no failure."""

_BETWEEN_LOOKS = 0.01


def wait_until(holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait for something that another process does."""
    deadline, pause = time.monotonic() + patience, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        pause.wait(_BETWEEN_LOOKS)


def free_port() -> int:
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a name short enough for the path of a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="fsvc-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def ask(port: int, name: str, rrtype: str = "A", patience: float = PATIENCE) -> dns.message.Message:
    """Ask once, from a socket of its own; the answer."""
    question = dns.message.make_query(name, rrtype)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience)
        sock.connect(("127.0.0.1", port))
        sock.send(question.to_wire())
        answer = dns.message.from_wire(sock.recv(65535))
    assert answer.id == question.id
    return answer


class Daemon:
    """A process that answers on `port`, in the foreground, with what it says in `said.txt`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """How it is started; writes its configuration."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it answers by now."""
        assert self._process is not None
        assert self._process.poll() is None, self.said()
        try:
            ask(self.port, "ready.example.org", patience=1)
        except OSError:
            return False
        return True

    def said(self) -> str:
        """What it complained of."""
        return (self.folder / "said.txt").read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it in order; all that it has to write is written then."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            finally:
                self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        command = self.command()
        with (self.folder / "said.txt").open("wb") as said:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=said, stderr=said)
        try:
            wait_until(self.answers, f"{command[0]} to answer")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def unconfined(program: str, folder: Path) -> str:
    """A server's program, or a copy where AppArmor would keep it to the files of the system's own server."""
    try:
        confined = Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        confined = False
    return str(shutil.copy2(program, folder / Path(program).name)) if confined else program


def user() -> str:
    """The name of whoever runs the tests: servers that drop privileges must not, or they cannot write here."""
    import pwd  # noqa: PLC0415 - where there are daemons there is pwd

    return pwd.getpwuid(os.getuid()).pw_name
