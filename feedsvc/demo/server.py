"""A small Passive DNS COF server on loopback over recorded answers: `GET /query/<ip>`, NDJSON.

For the demo alone. It answers as a real one does and knows nothing of feedsvc; `day` chooses which recording it gives.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Row = dict[str, object]


class AnswerServer(ThreadingHTTPServer):
    """Serves rows by the address in their `rdata`; `rows` may be replaced while it runs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.rows: Sequence[Row] = ()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def body(self, address: str) -> bytes:
        """The NDJSON answer about an address."""
        found = [row for row in self.rows if address in row["rdata"]]  # type: ignore[operator]
        return b"".join(json.dumps(row).encode() + b"\n" for row in found)


class _Answer(BaseHTTPRequestHandler):
    server: AnswerServer

    def do_GET(self) -> None:
        if not self.path.startswith("/query/"):
            self.send_error(404)
            return
        body = self.server.body(self.path.removeprefix("/query/"))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the demo speaks for itself."""


@contextmanager
def answering() -> Iterator[AnswerServer]:
    """A running server."""
    with AnswerServer() as server:
        thread = threading.Thread(target=server.serve_forever, name="demo-answers", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
