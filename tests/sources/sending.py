"""Programs that send logs to a listener in this process, and a source that reads what it kept."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from feedsvc.config import ListenPlace
from feedsvc.sources.framestreams import ACCEPT, FINISH, READY, START, STOP, control
from feedsvc.sources.listening import Bounds, Listener
from feedsvc.sources.logs import Formats, dnstap
from feedsvc.sources.port import Sent
from feedsvc.sources.spool import Spool
from feedsvc.sources.spooled import SpooledSource

TYPE = dnstap.CONTENT_TYPE
TCP = ListenPlace(host="127.0.0.1")


def sent(form: str) -> Sent:
    """A format that is sent."""
    found = Formats(form).by_name(form).format
    assert isinstance(found, Sent)
    return found


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that another thread does."""
    deadline, pause = time.monotonic() + 60, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        pause.wait(0.01)


@contextmanager
def listening(
    folder: Path,
    place: ListenPlace = TCP,
    form: str = "dnstap",
    *,
    limit: int = 1 << 24,
    turn: int = 4096,
    bounds: Bounds | None = None,
) -> Iterator[Listener]:
    """A listener that keeps what comes in a folder."""
    what = sent(form)
    kept = Spool(folder, what.preamble(), limit, turn=turn)
    with Listener("server", place, what, kept, bounds or Bounds(tend=0)).start() as listener:
        yield listener


def spooled(folder: Path, form: str = "dnstap", name: str = "zeek") -> SpooledSource:
    """The source that reads it."""
    return SpooledSource(name, folder, "tcp:127.0.0.1:6000", Formats(form))


class Sender:
    """A connection to a listener."""

    def __init__(self, listener: Listener | str) -> None:
        if isinstance(listener, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(30)
            self.sock.connect(listener)
        else:
            self.sock = socket.create_connection(("127.0.0.1", listener.port), timeout=30)

    def begin(self) -> None:
        """Shake hands, as Frame Streams do."""
        self.sock.sendall(control(READY, TYPE))
        expected = control(ACCEPT, TYPE)
        assert self.sock.recv(len(expected), socket.MSG_WAITALL) == expected
        self.sock.sendall(control(START, TYPE))

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def end(self) -> None:
        """End the stream: what was sent has been kept when this returns."""
        self.send(control(STOP))
        expected = control(FINISH)
        assert self.sock.recv(len(expected), socket.MSG_WAITALL) == expected
        self.close()

    def is_closed(self) -> bool:
        """Whether the other side has ended the connection; waits for it."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
