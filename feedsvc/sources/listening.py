"""Sockets on which programs send logs: one thread a source takes what comes and keeps it in the source's spool.

Who may connect is whom the socket's file (mode 0660) or address (loopback, unless told otherwise) lets. What they say is
hostile all the same: connections are few, each is bounded to a frame, one that does not begin to speak the protocol is
closed after a while, and when all are taken, the one that has been silent for longest gives way. All that is closed or lost
this way is counted in the spool, where `feedsvc.sources.spooled` finds it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from feedsvc.clock import monotonic
from feedsvc.config import ListenPlace
from feedsvc.errors import UsageError
from feedsvc.sources.logfile import reason
from feedsvc.sources.port import Sent, Session
from feedsvc.sources.spool import Spool

BROKEN = "frames behind one that can be none"
CUT = "frame whose connection ended before it"
CROWDED = "frames of a connection that gave way to a new one"
MUTE = "connection that did not begin to speak the protocol"

_BLOCK = 64 * 1024
_TICK = 0.2  # seconds; between two looks at what is due
_LAST_TURNS = 5
_MODE = 0o660


@dataclass(frozen=True, slots=True)
class Bounds:
    """What others may take of us.

    Attributes:
        connections: at once.
        patience: seconds within which a connection must begin to speak the protocol.
        tend: seconds between two looks at the spool.
    """

    connections: int = 64
    patience: float = 10.0
    tend: float = 1.0


class _Connection:
    def __init__(self, sock: socket.socket, session: Session, now: float) -> None:
        self.sock = sock
        self.session = session
        self.since = now
        self.heard = now


class Listener:
    """Listens from `start` to `stop`; as a context manager, it is stopped at the end of the block.

    Args:
        name: of the source.
        sent: the format that comes.
        spool: where it is kept; nobody else writes there.
    """

    def __init__(self, name: str, place: ListenPlace, sent: Sent, spool: Spool, bounds: Bounds | None = None) -> None:
        self._place = place
        self._sent = sent
        self._spool = spool
        self._bounds = bounds or Bounds()
        self._socket: socket.socket | None = None
        self._inode = (0, 0)
        self._selector = selectors.DefaultSelector()
        self._connections: list[_Connection] = []
        self._tended = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"listen/{name}")

    def start(self) -> Self:
        """Open the socket and the spool, and listen.

        Raises:
            UsageError: there is somebody else, or it is not allowed.
        """
        self._spool.open(monotonic())
        try:
            self._socket = _opened(self._place)
        except BaseException:
            self._spool.close()
            raise
        self._inode = _inode(self._place.path) if self._place.path else (0, 0)
        self._selector.register(self._socket, selectors.EVENT_READ, None)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Take what has come already, and end."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive()

    @property
    def port(self) -> int:
        """The port of a TCP socket; 0 of another one."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1]) if not self._place.path else 0

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn(_TICK)
            for _ in range(_LAST_TURNS):  # what was sent may still be under way
                if not self._turn(_TICK):
                    break
        finally:
            for connection in list(self._connections):
                self._close(connection)
            self._leave()
            self._selector.close()
            self._spool.close()

    def _turn(self, wait: float) -> bool:
        """Take what comes within so many seconds; whether anything did."""
        ready = self._selector.select(wait)
        for key, _ in ready:
            if key.data is None:
                self._accept()
            else:
                self._hear(key.data)
        now = monotonic()
        for connection in [one for one in self._connections if not one.session.begun]:
            if connection.since + self._bounds.patience <= now:
                self._drop(connection, MUTE)
        if self._tended + self._bounds.tend <= now:
            self._tended = now
            self._spool.tend(sum(one.session.begun for one in self._connections), now)
        return bool(ready)

    def _accept(self) -> None:
        assert self._socket is not None
        try:
            sock, _ = self._socket.accept()
        except OSError as err:
            if err.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}:
                self._make_room()
                self._stop.wait(_TICK)  # the connection waits, and would be shown again at once
            return
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # who is gone without a word must not count as there
        if len(self._connections) >= self._bounds.connections:
            self._make_room()
        connection = _Connection(sock, self._sent.session(), monotonic())
        self._connections.append(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _make_room(self) -> None:
        """Close a connection: one that does not speak the protocol sooner than one that does."""
        if self._connections:
            self._drop(min(self._connections, key=lambda one: (one.session.begun, one.heard)), CROWDED)

    def _hear(self, connection: _Connection) -> None:
        if connection not in self._connections:
            return  # closed since the system said that something had come
        try:
            octets = connection.sock.recv(_BLOCK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            octets = b""
        if not octets and connection.session.rest():
            self._drop(connection, CUT)
        elif not octets:
            self._close(connection)
        else:
            self._take(connection, octets)

    def _take(self, connection: _Connection, octets: bytes) -> None:
        connection.heard = monotonic()
        heard = connection.session.hear(octets)
        self._spool.write(heard.frames, heard.count, connection.heard)
        if heard.fault:
            self._drop(connection, BROKEN)
        elif not _replied(connection.sock, heard.reply) or heard.over:
            self._close(connection)

    def _drop(self, connection: _Connection, why: str) -> None:
        """Close a connection of which something may get lost by that, if it spoke the protocol."""
        self._spool.lose(why if connection.session.begun else MUTE)
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        self._selector.unregister(connection.sock)
        connection.sock.close()

    def _leave(self) -> None:
        """Close the socket, and remove its file if it is still ours."""
        assert self._socket is not None
        self._socket.close()
        with contextlib.suppress(OSError):
            if self._place.path and _inode(self._place.path) == self._inode:
                Path(self._place.path).unlink()


def _replied(sock: socket.socket, reply: bytes) -> bool:
    """Answer, at once or not at all: answers are a few octets, and who does not take them is nobody's sender."""
    try:
        return not reply or sock.send(reply) == len(reply)
    except OSError:
        return False


# -- the socket --------------------------------------------------------------------------------------------------------


def _opened(place: ListenPlace) -> socket.socket:
    try:
        return _unix(place.path) if place.path else _tcp(place)
    except OSError as err:
        raise UsageError(f"cannot listen on {place}: {reason(err)}; set `listen` to a place that is free and ours") from err


def _tcp(place: ListenPlace) -> socket.socket:
    with contextlib.ExitStack() as on_failure:
        sock = on_failure.enter_context(socket.socket(socket.AF_INET6 if ":" in place.host else socket.AF_INET))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((place.host, place.port))
        sock.listen()
        sock.setblocking(False)
        on_failure.pop_all()
    return sock


def _unix(path: str) -> socket.socket:
    """A socket at a path, in the place of one on which nobody listens any more."""
    _refuse_taken(path)
    made = f"{path}.{os.getpid()}"
    with contextlib.ExitStack() as on_failure:
        sock = on_failure.enter_context(socket.socket(socket.AF_UNIX))
        sock.bind(made)
        on_failure.callback(Path(made).unlink, missing_ok=True)
        # Nobody finds it before it is closed to others: its mode is set where nobody looks for it.
        Path(made).chmod(_MODE)
        sock.listen()
        sock.setblocking(False)
        Path(made).rename(path)
        on_failure.pop_all()
    return sock


def _refuse_taken(path: str) -> None:
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UsageError(f"cannot listen on unix:{path}: it is no socket; move it away, or set `listen` to another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return  # its process is gone
        except BlockingIOError:
            pass  # it has more to do than it can
    raise UsageError(f"cannot listen on unix:{path}: somebody does already; stop that one, or set `listen` to another path")


def _inode(path: str) -> tuple[int, int]:
    status = Path(path).lstat()
    return status.st_dev, status.st_ino
