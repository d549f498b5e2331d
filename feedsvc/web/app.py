"""All faces of one HTTP process joined: TAXII, block lists, health, metrics.

`/healthz` says that the process answers; `/readyz` that the state can be read, and nothing of sources: a feed must not go
dark because a provider did. What sources do is in `/metrics`, which tells who reads and what is watched and is therefore
for neighbours only. Builds no part: `feedsvc.assemble` does, and hands them in.
"""

from __future__ import annotations

import ipaddress
from typing import Any, NoReturn, cast

import structlog
from litestar import Litestar, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from feedsvc.errors import HistoryError
from feedsvc.web import exports, metrics
from feedsvc.web.access import Access
from feedsvc.web.asgi import App
from feedsvc.web.exports import ExportsApp
from feedsvc.web.front import Front, Mount
from feedsvc.web.metrics import Told

_log = structlog.get_logger()


def build_app(*, access: Access, taxii: Mount, lists: ExportsApp, told: Told) -> Front:
    """The ASGI application of one worker; it closes `access` when the worker ends.

    Args:
        access: handed to the faces too.
        taxii: the TAXII server, where it is and what it speaks.
        lists: the block list files.
        told: what the metrics speak of.
    """
    pages = Litestar(
        [_health, _readiness(access), _metrics(access, told)],
        openapi_config=None,
        logging_config=None,
        debug=False,
        exception_handlers={HistoryError: _state_unreadable, 500: _pass_on},
        on_shutdown=[access.close],
    )
    return Front([taxii, Mount(exports.PREFIX, lists, "text/plain; charset=utf-8")], rest=cast("App", pages))


@get("/healthz", sync_to_thread=False)
def _health() -> dict[str, str]:
    return {"status": "ok"}


def _readiness(access: Access) -> HTTPRouteHandler:
    @get("/readyz", sync_to_thread=False)
    def readiness() -> dict[str, str]:
        access.history.exports.all()
        return {"status": "ready"}

    return readiness


def _metrics(access: Access, told: Told) -> HTTPRouteHandler:
    # In a thread: counting findings may take longer than a TAXII page may wait.
    @get("/metrics", sync_to_thread=True, guards=[_only_neighbours], media_type=metrics.CONTENT_TYPE)
    def scrape() -> bytes:
        return metrics.render(access.state, told)

    return scrape


def _only_neighbours(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Hide from whom is far off, or came through a proxy that serves others: such a one says so in a header."""
    forwarded = {"forwarded", "x-forwarded-for"} & set(connection.headers.keys())
    if forwarded or connection.client is None or not _is_near(connection.client.host):
        raise NotFoundException


def _is_near(host: str) -> bool:
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_private


def _state_unreadable(_: Request[Any, Any, Any], err: HistoryError) -> Response[dict[str, str]]:
    _log.error("web.state_unreadable", error=str(err))
    return Response({"status": "the state cannot be read"}, status_code=503, headers={"retry-after": "10"})


def _pass_on(_: Request[Any, Any, Any], err: Exception) -> NoReturn:
    raise err  # `Front` is the one net
