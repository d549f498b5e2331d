"""Connections that obey a deadline, with or without a proxy between.

httpx knows how long a server may be silent, not how long it may take: a byte every few seconds, in the header or in the
body, would hold a thread for days. So the stream below is given a `Due` in place of a number of seconds, and never waits
past it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.request import getproxies, proxy_bypass  # noqa: TID251 - they read the environment and ask nobody

import httpcore
import httpx

from feedsvc.clock import monotonic
from feedsvc.errors import SourceError, UsageError

for _name in ("httpx", "httpcore"):
    # They write URLs and headers of answers, and a key may stand in either: a server repeats it, a provider wants it there.
    logging.getLogger(_name).setLevel(logging.WARNING)

WIRE_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError)
SILENCE = (httpcore.ReadTimeout, httpcore.WriteTimeout)
PASSING = (
    httpcore.ConnectTimeout,
    httpcore.ConnectError,
    httpcore.ReadError,
    httpcore.WriteError,
    httpcore.RemoteProtocolError,
)
IDLE = 5.0  # seconds an unused connection is kept: longer than between two questions, shorter than servers keep it


_TICK = 0.5  # seconds after which a read that waits looks whether feedsvc is stopping


class Due:
    """When an answer must have come to its end. The time in which the reader uses what came is not the server's."""

    def __init__(self, seconds: float) -> None:
        self._at = monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that remain; negative when it is past."""
        return self._at - monotonic()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the time of the block not count."""
        since = monotonic()
        try:
            yield
        finally:
            self._at += monotonic() - since


class Grace:
    """What is left to answers under way when the process is asked to end."""

    def __init__(self, stopping: Callable[[], bool], seconds: float) -> None:
        """Begin when it is asked to.

        Args:
            stopping: whether it was.
            seconds: for which answers are waited for from then on.
        """
        self._stopping = stopping
        self._seconds = seconds
        self._until: float | None = None

    @property
    def over(self) -> bool:
        """Whether to wait no longer."""
        if self._until is None and self._stopping():
            self._until = monotonic() + self._seconds  # by the first stream that notices; all do within a moment
        return self._until is not None and monotonic() >= self._until


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a stream waits.

    Attributes:
        silence: seconds without a byte.
        grace: until when it waits, once the process was asked to end.
    """

    silence: float
    grace: Grace

    def left(self, since: float, due: Due | None) -> float:
        """Seconds that may still be waited."""
        left = since + self.silence - monotonic()
        if due is not None:
            left = min(left, due.left)
        if self.grace.over:
            raise httpcore.ReadError("feedsvc is stopping")
        if left <= 0:
            raise httpcore.ReadTimeout("silent for too long")
        return left


class _DueStream(httpcore.NetworkStream):
    """A stream whose reads and writes take a `Due` as their time-out."""

    def __init__(self, stream: httpcore.NetworkStream, patience: _Patience) -> None:
        self._stream = stream
        self._patience = patience

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:  # noqa: ANN401 - httpcore passes on what it is given
        since = monotonic()
        while True:
            left = self._patience.left(since, timeout)
            _acknowledge_at_once(self.get_extra_info("socket"))
            with contextlib.suppress(httpcore.ReadTimeout):
                return self._stream.read(max_bytes, min(left, _TICK))

    def write(self, buffer: bytes, timeout: Any = None) -> None:  # noqa: ANN401
        self._stream.write(buffer, self._patience.left(monotonic(), timeout))

    def close(self) -> None:
        # Closing alone would leave a thread that waits for bytes waiting; this wakes it.
        with contextlib.suppress(OSError):
            self.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # This time-out is that of connecting, and a number.
        return _DueStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._patience)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore has it
        return self._stream.get_extra_info(info)


def _acknowledge_at_once(sock: socket.socket | None) -> None:
    """Let the system not wait for more to acknowledge; it forgets that again, so before each read.

    Many servers write header and body apart, and their system holds the body back until the header is acknowledged
    (RFC 896): 40 ms of nothing in each answer.
    """
    option = getattr(socket, "TCP_QUICKACK", None)  # Linux has it
    if sock is not None and option is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, option, 1)


class _DueBackend(httpcore.SyncBackend):
    def __init__(self, patience: _Patience) -> None:
        self._patience = patience

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        return _DueStream(stream, self._patience)


class Transport(httpx.BaseTransport):
    """httpx's own transport, but over streams that obey a deadline: `read` and `write` time-outs are a `Due`."""

    def __init__(self, silence: float, grace: Grace) -> None:
        self._backend = _DueBackend(_Patience(silence, grace))
        self._proxies = {scheme: _proxy(url) for scheme, url in _proxies().items()}
        self._pools: dict[tuple[str, bool], httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def _way_to(self, url: httpx.URL) -> httpcore.ConnectionPool:
        direct = _is_loopback(url.host) or bool(proxy_bypass(url.host))
        proxy = None if direct else self._proxies.get(url.scheme)
        way = (url.scheme, proxy is None)
        with self._lock:
            if way not in self._pools:
                self._pools[way] = self._pool(url.scheme, proxy)
            return self._pools[way]

    def _pool(self, scheme: str, proxy: httpcore.Proxy | None) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=_trust() if scheme == "https" else None,  # it takes a while to make
            proxy=proxy,
            max_connections=None,
            keepalive_expiry=IDLE,
            network_backend=self._backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises httpcore's own errors."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        question = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=request.read(), extensions=request.extensions
        )
        answer = self._way_to(request.url).handle_request(question)
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Any:  # noqa: ANN401 - an iterator of bytes
        return iter(self._stream)

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


def _trust() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as err:
        raise SourceError("the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read", permanent=True) from err


def _proxies() -> Mapping[str, str]:
    found = getproxies()
    every = found.get("all")
    chosen = {scheme: found.get(scheme, every) for scheme in ("http", "https")}
    return {scheme: url for scheme, url in chosen.items() if url}


def _proxy(text: str) -> httpcore.Proxy:
    try:
        proxy = httpx.Proxy(text if "://" in text else f"http://{text}")
    except (ValueError, httpx.InvalidURL):  # whose texts may hold the proxy's password
        raise UsageError("the environment's HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is no address of a proxy") from None
    if proxy.url.scheme not in ("http", "https") or not proxy.url.host or (proxy.url.port or 0) > 65535:
        raise UsageError("the environment names a proxy that is no http://host:port or https://host:port")
    url = httpcore.URL(scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target="/")
    return httpcore.Proxy(url, auth=proxy.raw_auth, headers=proxy.headers.raw)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def distrusts(err: BaseException) -> str | None:
    """Why a server's certificate is not trusted; None when the error has another cause."""
    cause: BaseException | None = err
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None
