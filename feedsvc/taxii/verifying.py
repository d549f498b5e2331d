"""Read the own feed back as a partner would, and compare it with history: silence is never success (design §6.12).

The reading is done by taxii2-client, a client that others wrote, from discovery on and page by page; lists are fetched by
our own polite client. A partner made for this one reading, and removed after it, has the access. It repairs nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from taxii2client.exceptions import TAXIIServiceException
from taxii2client.v21 import Collection as RemoteCollection
from taxii2client.v21 import Server, as_pages

from feedsvc.clock import Clock
from feedsvc.errors import SourceError
from feedsvc.history.port import FeedQuery, History
from feedsvc.http import Client, Request, basic
from feedsvc.model import Collection, ExportState, Partner, Tlp
from feedsvc.pipeline.granting import VERIFIER
from feedsvc.publish import release

PAGE = 500
SHOWN = 5  # of each kind of difference; counts tell the rest

Version = tuple[str, str]
"""Id and `modified` (or `created`) of an object version."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a reading needs.

    Attributes:
        url: of our own server, without a slash at the end.
        exports: how each configured list stands by history.
        progress: is told what is being read.
    """

    history: History
    collections: tuple[Collection, ...]
    exports: tuple[ExportState, ...]
    url: str
    client: Client
    clock: Clock
    progress: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a partner would not find as history has it. `what` is missing, extra, changed or unreachable."""

    where: str
    what: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was read, and every difference."""

    read: tuple[tuple[str, int], ...]
    differences: tuple[Difference, ...]

    @property
    def clean(self) -> bool:
        """Whether a partner finds what history has."""
        return not self.differences

    def as_json(self) -> Mapping[str, object]:
        """For programs."""
        return {
            "clean": self.clean,
            "read": [{"where": where, "count": count} for where, count in self.read],
            "differences": [
                {"where": one.where, "what": one.what, "count": one.count, "examples": list(one.examples)}
                for one in self.differences
            ],
        }

    def as_text(self) -> str:
        """For a person."""
        lines = [f"{where}: {count} read" for where, count in self.read]
        lines += [f"{one.where}: {one.count} {one.what}: {', '.join(one.examples)}" for one in self.differences]
        return "\n".join([*lines, "the feed is what history has" if self.clean else "the feed is NOT what history has"])


def verify(verifier: Verifier) -> Report:
    """Read every collection and every list, and compare."""
    token = release.new_token()
    with _partner(verifier, token):
        collections = [_collection(verifier, one, token) for one in verifier.collections]
        lists = [_list(verifier, one, token) for one in verifier.exports]
    pairs = [*collections, *lists]
    return Report(
        read=tuple(read for read, _ in pairs), differences=tuple(found for _, differences in pairs for found in differences)
    )


@contextmanager
def _partner(verifier: Verifier, token: str) -> Iterator[None]:
    partners = verifier.history.partners
    names = (tuple(one.alias for one in verifier.collections), tuple(one.name for one in verifier.exports))
    reader = Partner(VERIFIER, names[0], Tlp.RED, names[1], verifier.clock())
    with verifier.history.transaction():
        if any(one.name == VERIFIER for one in partners.all()):
            partners.remove(VERIFIER)
        partners.add(reader, release.digest(token))
    try:
        yield
    finally:
        with verifier.history.transaction():
            partners.remove(VERIFIER)


_Checked = tuple[tuple[str, int], list[Difference]]


def _collection(verifier: Verifier, collection: Collection, token: str) -> _Checked:
    where = f"collection {collection.alias}"
    before = _expected(verifier.history, collection)
    verifier.progress(f"reading {where}")
    try:
        found = _fetch(verifier.url, collection, token)
    except (TAXIIServiceException, OSError, ValueError) as err:  # what `requests` raises are OSErrors
        return (where, 0), [Difference(where, "unreachable", 1, (_cause(err, verifier.url),))]
    after = _expected(verifier.history, collection)  # what was published while we read is no difference
    differences = [
        _difference(where, "missing", sorted(before.keys() - found.keys())),
        _difference(where, "extra", sorted(found.keys() - after.keys())),
        _difference(where, "changed", sorted(key for key in after.keys() & found.keys() if after[key] != found[key])),
    ]
    return (where, len(found)), [one for one in differences if one.count]


def _cause(err: Exception, url: str) -> str:
    if isinstance(err, OSError) and getattr(err, "response", None) is None:
        return f"nothing answers at {url}: is `feedsvc serve` running?"
    return str(err)[:200]


def _difference(where: str, what: str, versions: Sequence[Version]) -> Difference:
    return Difference(where, what, len(versions), tuple(f"{one} {version}" for one, version in versions[:SHOWN]))


def _expected(history: History, collection: Collection) -> dict[Version, object]:
    found: dict[Version, object] = {}
    after: int | None = None
    while True:
        page = history.feed.objects(FeedQuery(collection.id, Tlp.RED.rank, PAGE, after=after, versions=frozenset({"all"})))
        found.update({(row.id, row.version): json.loads(row.body) for row in page.rows})
        if not page.more:
            return found
        after = page.rows[-1].date_added


def _fetch(url: str, collection: Collection, token: str) -> dict[Version, object]:
    server = Server(f"{url}/taxii2/", user=VERIFIER, password=token)
    remote: RemoteCollection = next(one for root in server.api_roots for one in root.collections if one.id == collection.id)
    pages = as_pages(remote.get_objects, per_request=PAGE, version="all")
    return {(one["id"], one.get("modified") or one.get("created")): one for page in pages for one in page.get("objects", [])}


def _list(verifier: Verifier, state: ExportState, token: str) -> _Checked:
    where = f"export {state.name}"
    verifier.progress(f"reading {where}")
    try:
        asked = Request(f"{verifier.url}/exports/{state.name}", credentials=basic(VERIFIER, token, "verify"))
        with verifier.client.ask(asked) as answer:
            digest = hashlib.sha256(answer.read()).hexdigest()
    except SourceError as err:
        return (where, 0), [Difference(where, "unreachable", 1, (str(err),))]
    # A list may have been replaced since we began.
    if digest not in {state.sha256, *(one.sha256 for one in verifier.history.exports.all() if one.name == state.name)}:
        return (where, 0), [Difference(where, "changed", 1, ("it is not what was written last",))]
    return (where, state.count), []
