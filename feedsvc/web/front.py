"""The front door of the HTTP process: each request to the face whose path it has, and the last net under all of them.

A plain ASGI application, so that what is asked most (TAXII pages, list files) passes through no framework. An error that
nobody expected ends here: the log gets all of it, the client gets "500" in the face's own media type and no word more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from feedsvc.web.asgi import App, Message, Receive, Scope, Send, answer

_log = structlog.get_logger()

_BODY = b'{"title":"Internal Server Error","http_status":"500"}'


@dataclass(frozen=True, slots=True)
class Mount:
    """A face and where it is.

    Attributes:
        prefix: the path it answers for, with all below; without a slash at the end.
        app: gets its requests with their paths unchanged.
        media_type: of an answer to an unexpected error.
    """

    prefix: str
    app: App
    media_type: str = "application/json"


class Front:
    """An ASGI application over others; see the module."""

    def __init__(self, mounts: Sequence[Mount], rest: App) -> None:
        """Join faces.

        Args:
            mounts: tried in order.
            rest: gets what is left, and everything that is not HTTP: the start and the end of the process above all.
        """
        self._mounts = tuple(mounts)
        self._rest = Mount("", rest)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        if scope["type"] != "http":
            await self._rest.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        mount = self._mount(scope["path"])
        try:
            await mount.app(scope, receive, watched)
        except Exception as err:  # noqa: BLE001 - the edge of the process: nothing of an error may reach the client
            _log.exception("http.failed", face=mount.prefix or "/", error=type(err).__name__)
            if not started:
                said = [(b"content-type", mount.media_type.encode("ascii")), (b"content-length", b"%d" % len(_BODY))]
                await answer(send, 500, said, b"" if scope["method"] == "HEAD" else _BODY)

    def _mount(self, path: str) -> Mount:
        found = (mount for mount in self._mounts if path == mount.prefix or path.startswith(f"{mount.prefix}/"))
        return next(found, self._rest)
