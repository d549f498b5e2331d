"""Every way in which a provider's answer goes wrong, as replies for a `Standin`."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping

from tests.standins.server import Reply

NDJSON = {"Content-Type": "application/x-ndjson"}
HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>please sign in</body></html>\n"


def status(code: int, text: str = "", headers: Mapping[str, str] | None = None) -> Reply:
    """A refusal or fault, with a text that explains it."""
    return Reply(code, {"Content-Type": "text/plain", **(headers or {})}, [text.encode()])


def too_many(retry_after: str = "120") -> Reply:
    return status(429, "Error: Rate limit exceeded", {"Retry-After": retry_after})


def html() -> Reply:
    """A sign-in page, with 200."""
    return Reply(200, {"Content-Type": "text/html"}, [HTML])


def cut(body: bytes = b"") -> Reply:
    """A chunked body that ends without its last chunk."""
    return Reply(200, NDJSON, [body], "cut chunks")


def short(body: bytes = b"") -> Reply:
    """A body shorter than its Content-Length."""
    return Reply(200, NDJSON, [body], "short length")


def endless(line: bytes) -> Reply:
    """One line again and again: a body of a gigabyte, or as much of it as is taken."""

    def body(stopping: threading.Event) -> Iterator[bytes]:
        block = line * (65536 // len(line) + 1)
        for _ in range(1 + (1 << 30) // len(block)):
            if stopping.is_set():
                return
            yield block

    return Reply(200, NDJSON, body, "chunked")


def drip(rows: bytes, pause: float = 0.02) -> Reply:
    """A body whose rows come at once, and after them one space after the other, for ever."""

    def body(stopping: threading.Event) -> Iterator[bytes]:
        yield rows
        yield from _drops(b"", pause, stopping)

    return Reply(200, NDJSON, body, "chunked")


def drip_header(pause: float = 0.02) -> Reply:
    """An answer that never gets past its header."""
    return Reply(raw=lambda stopping: _drops(b"HTTP/1.1 200 OK\r\nX-Slow: ", pause, stopping))


def silence() -> Reply:
    """Nothing at all, for as long as the server lives."""

    def nothing(stopping: threading.Event) -> Iterator[bytes]:
        stopping.wait()
        yield from ()

    return Reply(raw=nothing)


def _drops(text: bytes, pause: float, stopping: threading.Event) -> Iterator[bytes]:
    at = 0
    while not stopping.wait(pause):
        yield text[at : at + 1] or b" "
        at += 1


def gzip_bomb(line: bytes, megabytes: int = 64) -> Reply:
    """Some kilobytes that become megabytes of the same line."""
    return Reply(200, {**NDJSON, "Content-Encoding": "gzip"}, [_bomb(line, megabytes)])


def _bomb(line: bytes, megabytes: int) -> bytes:
    # Members of a gzip file follow each other, so that one compressed megabyte can be repeated.
    return gzip.compress(line * ((1 << 20) // len(line))) * megabytes


def redirect(location: str, code: int = 302) -> Reply:
    return Reply(code, {"Location": location})


def nonsense() -> Reply:
    """No HTTP at all."""
    return Reply(raw=[b"220 smtp.example.net ESMTP\r\n"])
