"""A small publisher for the tests of the TAXII server: collections, partners, objects, and a way to ask over ASGI."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feedsvc.config import Http, Producer
from feedsvc.history import open_history
from feedsvc.history.port import History
from feedsvc.model import Collection, Partner, StixObject, Tlp
from feedsvc.publish import release
from feedsvc.taxii.app import TaxiiApp
from feedsvc.taxii.port import Message
from feedsvc.taxii.tokens import keep_key
from feedsvc.web.access import Access

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

CALLBACKS = Collection(
    id="1f6c0d0e-8d3b-4a52-9c07-3f0a5a3c9a01", alias="callbacks", title="Callback domains", max_tlp=Tlp.AMBER
)
OTHER = Collection(id="0a7d1b3c-5e2f-4d6a-8b9c-7e1f2a3b4c5d", alias="other", title="Other domains", max_tlp=Tlp.AMBER)
SPARE = tuple(
    Collection(
        id=str(uuid.UUID(int=(number << 80) | 0x4 << 76 | 0x8 << 60)), alias=f"spare-{number}", title="", max_tlp=Tlp.AMBER
    )
    for number in range(32)
)
"""For tests that share a server: one collection for each."""

_SHARED = (CALLBACKS.alias, *(one.alias for one in SPARE))

AMBER = Partner("amber", _SHARED, Tlp.AMBER)
GREEN = Partner("green", _SHARED, Tlp.GREEN)
ELSEWHERE = Partner("elsewhere", (OTHER.alias,), Tlp.RED)
BOTH = Partner("both", (CALLBACKS.alias, OTHER.alias), Tlp.AMBER)
NOBODY = Partner("nobody", (), Tlp.RED)
PARTNERS = (AMBER, GREEN, ELSEWHERE, BOTH, NOBODY)

PRODUCER = Producer(name="Example CERT", contact="cert@example.org")
ACCEPT = "application/taxii+json;version=2.1"


def token_of(partner: Partner) -> str:
    """Tokens of the tests can be told from each other and guessed; real ones cannot."""
    return f"token-of-{partner.name}"


def bearer(partner: Partner) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(partner)}"}


def basic(login: str, token: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{login}:{token}".encode()).decode("ascii")}


def indicator(
    number: int, *, version: str = "2026-11-24T12:00:00.000Z", tlp: Tlp = Tlp.GREEN, kind: str = "indicator"
) -> StixObject:
    """An object that can be told from all others by its number; one more version of it with another `version`."""
    object_id = f"{kind}--{uuid.UUID(int=(number << 80) | 0x4 << 76 | 0x8 << 60)}"
    name = f"n{number}.example.net"
    said = {
        "type": kind,
        "spec_version": "2.1",
        "id": object_id,
        "created": "2026-11-24T12:00:00.000Z",
        "modified": version,
        "pattern": f"[domain-name:value = '{name}']",
        "pattern_type": "stix",
        "valid_from": "2026-11-24T12:00:00Z",
    }
    # Odd spacing: bytes that came through a parser would lose it.
    return StixObject(object_id, kind, version, json.dumps(said, indent=1).encode(), tlp, "jar-callbacks", name)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def ids(self) -> list[str]:
        return [one["id"] for one in self.json.get("objects", [])]


@contextmanager
def opened(state: Path) -> Iterator[House]:
    """A house over a state file that is made here."""
    with closing(open_history(state)) as history, closing(Access(state)) as access:
        yield House(history, access)


@dataclass(slots=True)
class House:
    """A state with partners, and the server over it."""

    history: History
    access: Access
    page_limit: int = 1000
    public_url: str = ""
    collections: tuple[Collection, ...] = (CALLBACKS, OTHER)
    producer: Producer = PRODUCER
    _key: bytes = field(init=False)

    def __post_init__(self) -> None:
        with self.history.transaction():
            self._key = keep_key(self.history)
            known = {partner.name for partner in self.history.partners.all()}
            for partner in (one for one in PARTNERS if one.name not in known):
                self.history.partners.add(partner, release.digest(token_of(partner)))

    def publish(self, *objects: StixObject, collection: Collection = CALLBACKS, now: datetime = NOW) -> None:
        with self.history.transaction():
            self.history.feed.add(collection, objects, now)

    def app(self) -> TaxiiApp:
        """A server that knows nothing of what another one was asked."""
        http = Http(public_url=self.public_url, page_limit=self.page_limit)
        return TaxiiApp(access=self.access, collections=self.collections, producer=self.producer, http=http, key=self._key)

    def ask(
        self,
        path: str,
        query: str = "",
        *,
        by: Partner | None = AMBER,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        accept: str | None = ACCEPT,
    ) -> Reply:
        """One request, as a server of ASGI would hand it on."""
        sent = dict(bearer(by) if by else {}) | dict(headers or {})
        if accept is not None:
            sent["accept"] = accept
        return ask(self.app(), path, query, method=method, headers=sent)

    def rows(self, where: str, query: str = "", *, by: Partner = AMBER) -> Reply:
        """A request below the collection, which must be answered."""
        reply = self.ask(f"/taxii2/feeds/collections/{CALLBACKS.alias}/{where}/", query, by=by)
        assert reply.status == 200, reply.body
        return reply


def ask(app: Any, path: str, query: str, *, method: str, headers: Mapping[str, str]) -> Reply:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body of a request was read")

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start, *bodies = sent
    return Reply(
        status=start["status"],
        headers=tuple((name.decode(), value.decode()) for name, value in start["headers"]),
        body=b"".join(one.get("body", b"") for one in bodies),
    )
