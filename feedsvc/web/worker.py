"""The HTTP process: `python -m feedsvc.web.worker ORDER`, started by `feedsvc.web.serving` and by nobody else.

It is granian's supervisor, which forks the worker that loads the application and answers, and forks another should it die.
Both end when their parent is gone, however it went: nothing that answers must outlive what feeds it. What they say goes to
stderr. SIGTERM and SIGINT let requests finish that are being answered, for a few seconds.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from granian.constants import Interfaces, SSLProtocols
from granian.log import LogLevels
from granian.server import Server
from granian.server.common import AbstractServer

from feedsvc.web.asgi import App, Message, Receive, Scope, Send
from feedsvc.web.serving import Order

_LOOK = 0.5  # seconds between two looks for the parent
_LAST_REQUESTS = 5  # seconds for requests that are being answered at the end


def main() -> None:
    """Serve until a signal."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    _leave_with(order.parent)
    # granian takes fork or spawn; only a fork has the descriptor. Nothing of ours is loaded here that a fork could break.
    multiprocessing.set_start_method("fork")
    _server(order).serve(target_loader=partial(_load, order), wrap_loader=False)


def _server(order: Order) -> AbstractServer[Any]:
    return Server(
        order.factory,
        address=order.host,
        port=order.port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.warning,
        ssl_cert=_path(order.tls_certificate),
        ssl_key=_path(order.tls_key),
        ssl_protocol_min=SSLProtocols.tls12,  # TAXII 2.1 §8.2.2
        ssl_ca=_path(order.tls_client_ca),
        ssl_client_verify=order.tls_client_ca is not None,
        respawn_failed_workers=True,
        respawn_interval=_LOOK,
        workers_kill_timeout=_LAST_REQUESTS,
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _load(order: Order) -> _Announced:
    """In the worker: build the application."""
    _leave_with(os.getppid())
    module, _, name = order.factory.partition(":")
    app: App = getattr(importlib.import_module(module), name)(*order.arguments)
    return _Announced(app, order.ready)


def _leave_with(parent: int) -> None:
    """End this process in order, once its parent is another one."""

    def look() -> None:
        while os.getppid() == parent:
            pause.wait(_LOOK)
        os.kill(os.getpid(), signal.SIGTERM)

    pause = threading.Event()
    threading.Thread(target=look, name="parent", daemon=True).start()


class _Announced:
    """The application, which says so when it has started."""

    def __init__(self, app: App, ready: int) -> None:
        self._app = app
        self._ready = ready

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._app(scope, receive, self._announcing(send) if scope["type"] == "lifespan" else send)

    def _announcing(self, send: Send) -> Send:
        async def announce(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                # Nobody listens any more when this is not the first worker.
                with contextlib.suppress(OSError):
                    os.write(self._ready, b"1")

        return announce


if __name__ == "__main__":
    main()
