"""The block list files over HTTP, as plain ASGI: `/exports/<name>`, and `/exports/index.json` that names them.

A list is found by its configured name, never by a path; it is public, or for partners that were given it. What a reader may
not have does not exist for it, and is not in its index; a list that is not public asks who is there first. A file is opened
once and sent from that opening: it may be renamed over meanwhile, the reader gets one whole version. Its ETag is the
SHA-256 of its bytes. No redirects, no ranges, no compression: importers are simple programs. Files are never held in
memory; the system's own cache does that. Writes no list (`feedsvc.publish.lists`).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import structlog

from feedsvc.config import ExportSettings
from feedsvc.errors import FeedsvcError, HistoryError
from feedsvc.model import Partner
from feedsvc.publish import index, release
from feedsvc.web.access import Access
from feedsvc.web.asgi import Header, Receive, Scope, Send, answer, header
from feedsvc.web.conditional import is_current, write_date

PREFIX = "/exports"
"""The path under which it is served; requests come with it."""

_CHUNK = 256 * 1024  # octets read and sent at once
_CHALLENGES = (
    (b"www-authenticate", b'Basic realm="feedsvc", charset="UTF-8"'),
    (b"www-authenticate", b'Bearer realm="feedsvc"'),
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServedList:
    """One list as it is served: who may read it, and as what."""

    settings: ExportSettings
    media_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Version:
    """What tells one version of a file from another, and what is said of it."""

    modified_ns: int
    size: int
    inode: int

    @property
    def modified(self) -> int:
        """In whole seconds, as HTTP has it."""
        return self.modified_ns // 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a GET of something would bring.

    Attributes:
        private: it depends on who asks.
        modified: in whole seconds since 1970; None where what is sent may change without any file changing.
    """

    media_type: str
    etag: str
    size: int
    private: bool
    modified: int | None = None


class _Refused(FeedsvcError):
    """A request ends here, with this status."""

    def __init__(self, status: int, reason: str, *headers: Header) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


class ExportsApp:
    """An ASGI application for `http` scopes, to be mounted at `PREFIX` with the paths of requests left as they are."""

    def __init__(self, *, folder: Path, lists: Sequence[ServedList], access: Access) -> None:
        """Build it.

        Args:
            folder: where the files are; they may come later.
            lists: all that are configured.
            access: who reads, what was fetched.
        """
        self._folder = folder
        self._lists = {served.settings.name: served for served in lists}
        self._access = access
        self._etags: dict[str, tuple[_Version, str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing can be sent to us
        """Answer one request. Its body is never read."""
        try:
            await self._serve(scope, send)
        except _Refused as refused:
            body = f"{refused}\n".encode("ascii")
            said = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
            await answer(send, refused.status, [*said, *refused.headers], b"" if scope["method"] == "HEAD" else body)

    async def _serve(self, scope: Scope, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            raise _Refused(405, "method not allowed", (b"allow", b"GET, HEAD"))
        name = scope["path"].removeprefix(f"{PREFIX}/")
        partner = self._partner(header(scope, b"authorization"))
        if name == index.NAME:
            await self._serve_index(scope, send, partner)
        else:
            await self._serve_list(scope, send, self._granted(name, partner))
        if partner is not None:
            self._access.fetched(partner)

    def _partner(self, authorization: str | None) -> Partner | None:
        try:
            return self._access.partner(authorization)
        except HistoryError as err:
            _log.error("exports.state_unreadable", error=str(err))
            raise _Refused(503, "the state cannot be read at this moment", (b"retry-after", b"10")) from err

    def _granted(self, name: str, partner: Partner | None) -> ServedList:
        served = self._lists.get(name)
        if served is None:
            raise _Refused(404, "not found")
        if not release.may_read_export(partner, served.settings):
            raise _unknown_reader() if partner is None else _Refused(404, "not found")
        return served

    async def _serve_list(self, scope: Scope, send: Send, served: ServedList) -> None:
        name = served.settings.name
        with _opened(self._folder / name) as (file, version):
            etag = await self._etag(name, file, version)
            reply = _Reply(served.media_type, etag, version.size, not served.settings.public, version.modified)
            if await _send_head(scope, send, reply):
                async for chunk in _chunks(file, version.size):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})

    async def _etag(self, name: str, file: FileIO, version: _Version) -> str:
        known = self._etags.get(name)
        if known is None or known[0] != version:
            # In a thread: a list of a million names takes long enough to keep others waiting.
            digest = await asyncio.to_thread(hashlib.file_digest, file, "sha256")
            file.seek(0)
            known = self._etags[name] = (version, f'"{digest.hexdigest()}"')
        return known[1]

    async def _serve_index(self, scope: Scope, send: Send, partner: Partner | None) -> None:
        if partner is None and header(scope, b"authorization") is not None:
            raise _unknown_reader()
        with _opened(self._folder / index.NAME) as (file, _):
            whole = _read_index(file.read())
        visible = [line for line in whole.lists if self._shows(line.name, partner)]
        body = index.render(whole.public_suffix_list, visible)
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if await _send_head(scope, send, _Reply("application/json", etag, len(body), private=True)):
            await send({"type": "http.response.body", "body": body})

    def _shows(self, name: str, partner: Partner | None) -> bool:
        served = self._lists.get(name)
        return served is not None and release.may_read_export(partner, served.settings)


def _unknown_reader() -> _Refused:
    return _Refused(401, "send Basic or Bearer credentials", *_CHALLENGES)


def _read_index(body: bytes) -> index.Index:
    try:
        return index.read(body)
    except ValueError as err:
        _log.error("exports.index_unreadable", error=str(err))
        raise _Refused(503, "the index cannot be read at this moment", (b"retry-after", b"10")) from err


@contextmanager
def _opened(path: Path) -> Iterator[tuple[FileIO, _Version]]:
    """A regular file and its version, both of the same opening; 404 where there is none yet."""
    try:
        # What is no regular file must neither block the opening nor lead elsewhere.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as err:
        if not isinstance(err, FileNotFoundError):
            _log.error("exports.file_unreadable", file=path.name, error=str(err))
        raise _Refused(404, "not found") from err
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode):
        os.close(number)
        raise _Refused(404, "not found")
    with FileIO(number) as file:
        yield file, _Version(status.st_mtime_ns, status.st_size, status.st_ino)


async def _chunks(file: FileIO, size: int) -> AsyncIterator[bytes]:
    """The file up to the length that was promised."""
    left = size
    while left and (chunk := file.read(min(left, _CHUNK))):
        left -= len(chunk)
        yield chunk


async def _send_head(scope: Scope, send: Send, reply: _Reply) -> bool:
    """Send status and headers; whether a body is to follow. Where none is, the answer is complete."""
    current = is_current(
        reply.etag,
        reply.modified,
        if_none_match=header(scope, b"if-none-match"),
        if_modified_since=header(scope, b"if-modified-since"),
    )
    headers = _headers(reply)
    if current:
        await answer(send, 304, headers)
        return False
    headers += [
        (b"content-type", reply.media_type.encode("ascii")),
        (b"content-length", b"%d" % reply.size),
        (b"x-content-type-options", b"nosniff"),
    ]
    if scope["method"] == "HEAD":
        await answer(send, 200, headers)
        return False
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    return True


def _headers(reply: _Reply) -> list[Header]:
    """What 200 and 304 both say (RFC 9110 §15.4.5)."""
    headers = [
        (b"etag", reply.etag.encode("ascii")),
        (b"cache-control", b"private, no-cache" if reply.private else b"no-cache"),
        (b"vary", b"authorization"),
    ]
    if reply.modified is not None:
        headers.append((b"last-modified", write_date(reply.modified).encode("ascii")))
    return headers
