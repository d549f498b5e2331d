"""The TAXII 2.1 server as a plain ASGI application: the read side, for partners only.

Everything asks for credentials, discovery too. A partner sees the collections given to it, and in them the rows that both
its clearance and the collection's allow; the rest is answered like what does not exist, byte for byte. Nothing can be
written: POST and DELETE are refused as §5.5 and §5.7 want it for `can_write` false, and there is no status to find. It
opens no state and knows no token: both are handed in (`feedsvc.taxii.port`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from feedsvc.config import Http, Producer
from feedsvc.errors import FeedsvcError, HistoryError
from feedsvc.history.port import FeedQuery, FeedRow
from feedsvc.model import Collection, Partner
from feedsvc.publish import release
from feedsvc.taxii import answers, media, query, tokens
from feedsvc.taxii.answers import Answer
from feedsvc.taxii.port import Access, Receive, Scope, Send
from feedsvc.taxii.query import Malformed, parse_filters

PREFIX = "/taxii2"
"""The path under which it is served; requests come with it."""

_READ = ("GET", "HEAD")
_CHALLENGES = (
    (b"www-authenticate", b'Basic realm="feedsvc", charset="UTF-8"'),
    (b"www-authenticate", b'Bearer realm="feedsvc"'),
)
_CONTENT_TYPE = (b"content-type", media.TAXII.encode("ascii"))
_CACHING = (b"cache-control", b"private, no-store")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Request:
    """What counts of a request. `parts` are the segments of its path below the prefix."""

    method: str
    parts: tuple[str, ...]
    query: bytes
    authorization: str | None
    accept: str | None


@dataclass(frozen=True, slots=True)
class _Visit:
    """A partner in a collection that it may read."""

    partner: Partner
    collection: Collection


@dataclass(frozen=True, slots=True)
class _Listing:
    """One way to show rows of a collection.

    Attributes:
        fields: the match fields that hold there.
        bodies: whether it shows objects, or only what a manifest has.
        every_version: whether it always speaks of all versions.
        methods: what a client may try there; the standard lets it try more than it grants.
    """

    name: str
    fields: frozenset[str]
    show: Callable[[Sequence[FeedRow], str | None], Answer]
    bodies: bool = False
    every_version: bool = False
    methods: tuple[str, ...] = _READ


_OBJECTS = _Listing("objects", query.OBJECTS, answers.envelope, bodies=True, methods=(*_READ, "POST"))
_MANIFEST = _Listing("manifest", query.OBJECTS, answers.manifest)
_OBJECT = _Listing("object", query.OBJECT, answers.envelope, bodies=True, methods=(*_READ, "DELETE"))
_VERSIONS = _Listing("versions", query.VERSIONS, answers.versions, every_version=True)


class _Refused(FeedsvcError):
    """A request ends here, with this answer."""

    def __init__(self, status: int, description: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(description)
        self.answer = answers.error(status, description, *headers)


def _not_found() -> _Refused:
    return _Refused(404, "no such resource, or not for you")


class TaxiiApp:
    """An ASGI application for `http` scopes, to be mounted at `PREFIX` with the paths of requests left as they are."""

    def __init__(
        self, *, access: Access, collections: Sequence[Collection], producer: Producer, http: Http, key: bytes
    ) -> None:
        """Build it.

        Args:
            access: the state, who reads, what was fetched.
            collections: all that are configured, with their ids.
            producer: who publishes, for discovery.
            http: `public_url` for discovery, and `page_limit`.
            key: signs `next` tokens, see `feedsvc.taxii.tokens.keep_key`.
        """
        self._access = access
        self._named = {name: one for one in collections for name in (one.id, one.alias)}
        # §3.3 wants one order in all answers; the interoperability tests want this one.
        self._listed = sorted(collections, key=lambda one: one.id)
        self._discovery = answers.discovery(producer, http.public_url)
        self._api_root = answers.api_root(producer)
        self._page_limit = http.page_limit
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing can be sent to us
        """Answer one request. Its body is never read."""
        answer = self._answer(_read_request(scope))
        length = (b"content-length", b"%d" % len(answer.body))
        headers = [_CONTENT_TYPE, length, _CACHING, *answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    def _answer(self, request: _Request) -> Answer:
        try:
            partner = self._access.partner(request.authorization)
            if partner is None:
                return answers.error(401, "send Basic or Bearer credentials", *_CHALLENGES)
            return self._answer_partner(partner, request)
        except HistoryError as err:
            _log.error("taxii.state_unreadable", error=str(err))
            return answers.error(503, "the state cannot be read at this moment", (b"retry-after", b"10"))

    def _answer_partner(self, partner: Partner, request: _Request) -> Answer:
        try:
            return self._route(partner, request)
        except _Refused as refused:
            answer, reason = refused.answer, str(refused)
        except Malformed as err:
            answer, reason = answers.error(400, str(err)), str(err)
        # Most clients show their people no reason: this line is the only diagnosis there is.
        _log.info("taxii.refused", partner=partner.name, status=answer.status, reason=reason)
        return answer

    def _route(self, partner: Partner, request: _Request) -> Answer:
        if "" in request.parts:
            raise _not_found()
        match request.parts:
            case ():
                return _fixed(request, self._discovery)
            case ("feeds",):
                return _fixed(request, self._api_root)
            case ("feeds", "collections"):
                visible = [one for one in self._listed if release.may_read_collection(partner, one)]
                return _fixed(request, answers.collections(visible))
            case ("feeds", "collections", name, *inside):
                return self._answer_visit(self._visit(partner, name), request, tuple(inside))
        raise _not_found()

    def _visit(self, partner: Partner, name: str) -> _Visit:
        collection = self._named.get(name)
        if collection is None or not release.may_read_collection(partner, collection):
            raise _not_found()
        return _Visit(partner, collection)

    def _answer_visit(self, visit: _Visit, request: _Request, inside: tuple[str, ...]) -> Answer:
        match inside:
            case ():
                return _fixed(request, answers.collection(visit.collection))
            case ("objects",):
                return self._list(visit, request, _OBJECTS)
            case ("manifest",):
                return self._list(visit, request, _MANIFEST)
            case ("objects", object_id):
                return self._list(visit, request, _OBJECT, object_id)
            case ("objects", object_id, "versions"):
                return self._list(visit, request, _VERSIONS, object_id)
        raise _not_found()

    def _list(self, visit: _Visit, request: _Request, listing: _Listing, object_id: str = "") -> Answer:
        _require(request, listing.methods)
        asked, question = self._question(visit, request, listing, object_id)
        feed = self._access.history.feed
        page = feed.objects(asked) if listing.bodies else feed.manifest(asked)
        if object_id and not page.rows and not feed.has(asked.collection, object_id, asked.max_rank):
            raise _not_found()
        following = tokens.make(self._key, page.rows[-1].date_added, question) if page.more and page.rows else None
        self._access.fetched(visit.partner)
        return listing.show(page.rows, following)

    def _question(
        self, visit: _Visit, request: _Request, listing: _Listing, object_id: str
    ) -> tuple[FeedQuery, tuple[str, ...]]:
        """What to ask the history, and what a `next` token of this request is bound to."""
        filters = parse_filters(request.query, listing.fields)
        question = (listing.name, visit.collection.id, object_id, visit.partner.name, filters.matching())
        after = filters.after
        if filters.next is not None:
            # A client that pages by `next` and raises `added_after` at once (OpenCTI does) must not see rows again.
            after = max(tokens.read(self._key, filters.next, question), after or 0)
        asked = FeedQuery(
            collection=visit.collection.id,
            max_rank=release.visible_rank(visit.partner, visit.collection),
            limit=min(filters.limit or self._page_limit, self._page_limit),
            after=after,
            ids=frozenset({object_id}) if object_id else filters.ids,
            types=filters.types,
            versions=frozenset({"all"}) if listing.every_version else filters.versions,
            exact_versions=filters.exact_versions,
            spec_versions=filters.spec_versions,
        )
        return asked, question


def _read_request(scope: Scope) -> _Request:
    # latin-1 decodes any octet: what a header holds is judged by those who read it.
    authorization: str | None = None
    accepted: list[str] = []
    for name, value in scope["headers"]:
        if name == b"accept":
            accepted.append(value.decode("latin-1"))
        elif name == b"authorization":
            authorization = value.decode("latin-1")
    # Clients leave the last slash out, or have it; an empty segment anywhere else is no path of ours.
    parts = tuple(scope["path"].removeprefix(PREFIX).split("/")[1:])
    return _Request(
        method=scope["method"],
        parts=parts[:-1] if parts and not parts[-1] else parts,
        query=scope["query_string"],
        authorization=authorization,
        accept=",".join(accepted) if accepted else None,
    )


def _fixed(request: _Request, answer: Answer) -> Answer:
    _require(request, _READ)
    return answer


def _require(request: _Request, methods: tuple[str, ...]) -> None:
    if request.method not in methods:
        raise _Refused(405, f"allowed here: {', '.join(methods)}", (b"allow", ", ".join(methods).encode("ascii")))
    if request.method not in _READ:
        # §5.5 and §5.7: 403 and neither 405 nor 404 for what can be read and not written.
        raise _Refused(403, "this collection cannot be written")
    if not media.accepts(request.accept):
        raise _Refused(406, f"this server speaks {media.TAXII}")
