"""A real HTTP server on loopback that answers as it is told, well or badly, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

Framing = Literal["length", "short length", "chunked", "cut chunks", "close"]
Body = Iterable[bytes] | Callable[[threading.Event], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back.

    Attributes:
        body: chunks, or a function that makes them and is told when the server stops.
        framing: how the end of the body is shown; `short length` and `cut chunks` promise more than comes.
        raw: bytes that go out in place of a well-formed answer.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = ()
    framing: Framing = "length"
    raw: Body | None = None


class Standin:
    """A server whose answers a subclass makes; faults come first.

    Attributes:
        fault: given to every call that counts while it is set.
        faults: given to the next calls that count, one each.
        uncounted: given to every call that does not count while it is set.
        calls: what was asked, in order.
        called: set by the first call.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.fault: Reply | None = None
        self.faults: list[Reply] = []
        self.uncounted: Reply | None = None
        self.calls: list[Call] = []
        self.called = threading.Event()
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._listener())
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = False  # so that closing waits for every answer under way
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def answer(self, call: Call) -> Reply:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _err: BaseException | None, _at: TracebackType | None) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def _reply(self, call: Call) -> Reply:
        with self._lock:
            self.calls.append(call)
            self.called.set()
            if self.faults and self.costs(call):
                return self.faults.pop(0)
        return (self.fault if self.costs(call) else self.uncounted) or self.answer(call)

    def costs(self, call: Call) -> bool:
        """Whether a call is one that counts: not a login, not a question for the quota."""
        return True

    def _listener(standin) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the connection below
        class Listener(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30
            disable_nagle_algorithm = True  # or each answer waits 40 ms for the acknowledgement of its own header

            def setup(self) -> None:
                super().setup()
                with standin._lock:
                    standin._open.add(self.connection)

            def finish(self) -> None:
                with standin._lock:
                    standin._open.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # the client went away, as it should from most faults
                    super().handle()

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                call = Call(
                    self.command,
                    urllib.parse.unquote(path),
                    dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(int(self.headers.get("Content-Length", 0))),
                )
                _send(self, standin._reply(call), standin.stopping)

            do_POST = do_GET  # noqa: N815 - as http.server has it

            def log_message(self, *_: Any) -> None:
                pass

        return Listener


def _send(listener: BaseHTTPRequestHandler, reply: Reply, stopping: threading.Event) -> None:
    if reply.raw is not None:
        listener.close_connection = True
        for piece in _pieces(reply.raw, stopping):
            listener.wfile.write(piece)
        return
    body: Iterable[bytes] = _pieces(reply.body, stopping)
    listener.send_response(reply.status)
    for name, value in reply.headers.items():
        listener.send_header(name, value)
    if reply.framing in ("length", "short length"):
        body = [b"".join(body)]
        listener.send_header("Content-Length", str(len(body[0]) + (100 if reply.framing == "short length" else 0)))
    elif reply.framing == "close":
        listener.send_header("Connection", "close")
    else:
        listener.send_header("Transfer-Encoding", "chunked")
    listener.end_headers()
    chunked = reply.framing in ("chunked", "cut chunks")
    for piece in body:
        if piece:
            listener.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
    if reply.framing == "chunked":
        listener.wfile.write(b"0\r\n\r\n")
    if reply.framing not in ("length", "chunked"):
        listener.close_connection = True


def _pieces(body: Body, stopping: threading.Event) -> Iterable[bytes]:
    return body(stopping) if callable(body) else body


def refused_url() -> str:
    """The address of a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}"
