"""Start and stop the HTTP process, from the process that schedules and polls.

HTTP is answered by a process of its own (`feedsvc.web.worker`), so that a sweep or a poll keeps no partner waiting. It is a
session of its own too: Ctrl-C reaches the caller alone, which then stops it in order. When the caller dies, it goes as well.

    with serving.start(settings.http, Target("feedsvc.assemble:web_app", (str(settings.file),))) as server:
        print(server.url)

Imports no server: granian is loaded by the process that is started.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec

from feedsvc.clock import monotonic
from feedsvc.config import Http
from feedsvc.errors import FeedsvcError, UsageError

_PATIENCE = 60.0  # seconds for a start: a busy machine imports slowly
_GRACE = 10.0  # seconds for an end; the worker gives its last requests half of them
_BETWEEN_TRIES = 0.01  # seconds


class ServingFailed(FeedsvcError):
    """The HTTP process did not come up; what it had to say is on stderr."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to serve.

    Attributes:
        factory: `module:function`; called with `arguments` in the worker, it returns the ASGI application.
        arguments: texts, no secrets: others on this machine can see them.
    """

    factory: str
    arguments: tuple[str, ...] = ()


class Order(msgspec.Struct, frozen=True):
    """What the HTTP process is told.

    Attributes:
        host: an IP address.
        parent: the process that must live.
        ready: a descriptor that gets one octet each time a worker is about to listen.
    """

    host: str
    port: int
    factory: str
    arguments: tuple[str, ...]
    parent: int
    ready: int
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None


class HttpServer:
    """A running HTTP process. As a context manager, it is stopped at the end of the block.

    Attributes:
        host: the IP address it listens on.
        port: never 0.
        url: how this machine reaches it, without a slash at the end.
    """

    def __init__(self, process: subprocess.Popen[bytes], host: str, port: int, *, tls: bool) -> None:
        self._process = process
        self.host = host
        self.port = port
        self.url = f"{'https' if tls else 'http'}://{_in_url(_reachable(host))}:{port}"

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for its end: the exit code, or None when it runs still after so many seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, grace: float = _GRACE) -> int:
        """End it: in order, and by force once `grace` seconds have passed. Returns the exit code; can be called again."""
        if self._process.poll() is None:
            self._process.terminate()
        code = self.wait(grace)
        if code is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            code = self._process.wait()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def start(http: Http, target: Target, *, patience: float = _PATIENCE) -> HttpServer:
    """Start serving; returns when requests are answered.

    Args:
        http: address and TLS; port 0 takes a free one.
        target: what to serve.
        patience: seconds to wait for it.

    Raises:
        UsageError: the address is none of this machine's, or in use.
        ServingFailed: the process ended, or did not answer in time.
    """
    with _reserve(http) as reservation:
        host, port = reservation.getsockname()[:2]
        reading, writing = os.pipe()
        try:
            process = _spawn(_order(http, target, host, port, ready=writing))
        finally:
            os.close(writing)
        server = HttpServer(process, host, port, tls=http.tls_certificate is not None)
        try:
            _await_listening(server, reading, monotonic() + patience)
        except BaseException:
            server.stop()
            raise
        finally:
            os.close(reading)
    return server


def _reserve(http: Http) -> socket.socket:
    """A socket that keeps the address from others until the server has it.

    granian shares its port with whoever asks (SO_REUSEPORT): a second server would silently take half of the requests of
    the first. A socket bound without that option fails where somebody listens already, and lets granian join.
    """
    try:
        address = _address(http.host)
        with contextlib.ExitStack() as on_failure:
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            reservation = on_failure.enter_context(socket.socket(family))
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reservation.bind((str(address), http.port))
            on_failure.pop_all()
    except OSError as err:
        raise UsageError(
            f"cannot listen on {http.host} port {http.port}: {(err.strerror or str(err)).lower()}; set listen under [http]"
            " to an address of this machine and a port that is free"
        ) from err
    return reservation


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address as a number, which granian wants; a name is this machine's own (`localhost`)."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return ipaddress.ip_address(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def _order(http: Http, target: Target, host: str, port: int, *, ready: int) -> Order:
    certificate, key, client_ca = (
        None if path is None else str(path.resolve()) for path in (http.tls_certificate, http.tls_key, http.tls_client_ca)
    )
    return Order(
        host=host,
        port=port,
        factory=target.factory,
        arguments=target.arguments,
        parent=os.getpid(),
        ready=ready,
        tls_certificate=certificate,
        tls_key=key,
        tls_client_ca=client_ca,
    )


def _spawn(order: Order) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "feedsvc.web.worker", msgspec.json.encode(order)],
        stdin=subprocess.DEVNULL,
        stdout=2,  # results go to stdout, and a server has none
        pass_fds=(order.ready,),
        start_new_session=True,
    )


def _await_listening(server: HttpServer, ready: int, deadline: float) -> None:
    """Wait until the worker has started, which its octet says, and then listens, which a connection shows."""
    readable, _, _ = select.select([ready], [], [], max(0.0, deadline - monotonic()))
    if readable and not os.read(ready, 1):
        raise ServingFailed(f"the HTTP process ended while it started (exit code {server.wait()}); see its messages above")
    pause = threading.Event()
    while not _connects(server):
        if server.wait(0) is not None:
            raise ServingFailed(
                f"the HTTP process ended while it started (exit code {server.wait()}); see its messages above"
            )
        if monotonic() > deadline:
            raise ServingFailed(f"the HTTP process does not answer on {server.url}; see its messages above")
        pause.wait(_BETWEEN_TRIES)


def _connects(server: HttpServer) -> bool:
    try:
        socket.create_connection((_reachable(server.host), server.port), timeout=1).close()
    except OSError:
        return False
    return True


def _reachable(host: str) -> str:
    """Where a server that listens on every address is reached from this machine."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
