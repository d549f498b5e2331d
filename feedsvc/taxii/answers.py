"""The resources of TAXII 2.1 as the bytes of answers: discovery, API root, collections, envelope, manifest, versions, error.

An object stands in an envelope byte for byte as it was published (design §6.5): its bytes are joined, never parsed. What
would be an empty list is left out (§2), so that an empty answer is `{}`. Nothing here decides who may see what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

from feedsvc.config import Producer
from feedsvc.history.port import FeedRow
from feedsvc.model import Collection
from feedsvc.taxii import media
from feedsvc.taxii.query import write_moment

ROOT = "/taxii2/feeds/"
"""The one API root."""

MAX_CONTENT_LENGTH = 10 * 1024 * 1024
"""Octets; §4.2.1 wants a number above 0 even where nothing can be written."""

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; content type and length are added when it is sent.

    Attributes:
        headers: names in lower case.
    """

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class _Record(msgspec.Struct):
    id: str
    date_added: str
    version: str
    media_type: str = media.STIX


def error(status: int, description: str = "", *headers: tuple[bytes, bytes]) -> Answer:
    """An error message (§3.6.1): the description is ours and holds nothing of the request."""
    said = {"title": HTTPStatus(status).phrase, "http_status": str(status)}
    if description:
        said["description"] = description
    return Answer(status, _encode(said), headers)


def discovery(producer: Producer, public_url: str) -> Answer:
    """§4.1.1. The API root is named by its path, so that a client stays with the address it came by."""
    root = urlsplit(public_url).path.rstrip("/") + ROOT
    said: dict[str, str | list[str]] = {"title": producer.name, "default": root, "api_roots": [root]}
    if producer.contact:
        said["contact"] = producer.contact
    return Answer(200, _encode(said))


def api_root(producer: Producer) -> Answer:
    """§4.2.1."""
    said = {"title": f"Feeds of {producer.name}", "versions": [media.TAXII], "max_content_length": MAX_CONTENT_LENGTH}
    return Answer(200, _encode(said))


def collections(visible: Sequence[Collection]) -> Answer:
    """§5.1.1, in the order given."""
    return Answer(200, _encode({"collections": [_collection(one) for one in visible]} if visible else {}))


def collection(one: Collection) -> Answer:
    """§5.2.1."""
    return Answer(200, _encode(_collection(one)))


def _collection(one: Collection) -> dict[str, str | bool | list[str]]:
    said: dict[str, str | bool | list[str]] = {
        "id": one.id,
        "title": one.title or one.alias,
        "alias": one.alias,
        "can_read": True,
        "can_write": False,
        "media_types": [media.STIX],
    }
    if one.description:
        said["description"] = one.description
    return said


def envelope(rows: Sequence[FeedRow], following: str | None) -> Answer:
    """§3.7.

    Args:
        rows: a page, oldest first.
        following: the token for the next page; None when there is none.
    """
    return _page(rows, following, b"objects", b",".join([row.body for row in rows]))


def manifest(rows: Sequence[FeedRow], following: str | None) -> Answer:
    """§5.3.1; `next` as the envelope has it, which the standard forgot and clients need."""
    records = [_Record(row.id, write_moment(row.date_added), row.version) for row in rows]
    return _page(rows, following, b"objects", _encode(records)[1:-1])


def versions(rows: Sequence[FeedRow], following: str | None) -> Answer:
    """§5.8.1; `next` as for the manifest."""
    return _page(rows, following, b"versions", _encode([row.version for row in rows])[1:-1])


def _page(rows: Sequence[FeedRow], following: str | None, name: bytes, members: bytes) -> Answer:
    if not rows:
        return Answer(200, b"{}")
    more = b'"more":true,"next":"%b",' % following.encode("ascii") if following else b""
    # §3.2: of the rows in this answer, and only where there are rows.
    dates = (
        (b"x-taxii-date-added-first", write_moment(rows[0].date_added).encode("ascii")),
        (b"x-taxii-date-added-last", write_moment(rows[-1].date_added).encode("ascii")),
    )
    return Answer(200, b'{%b"%b":[%b]}' % (more, name, members), dates)
