"""Who may read: a partner added with a token that is shown once, given a new one, shown what it would get, removed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from feedsvc.errors import UsageError
from feedsvc.history.port import FeedQuery
from feedsvc.model import Partner, Tlp
from feedsvc.pipeline.parts import Parts
from feedsvc.publish import release

# RFC 7617 §2: a Basic login cannot hold a colon; the rest keeps names readable in logs and URLs.
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

VERIFIER = "feedsvc-verify"
"""The partner that `feedsvc verify` reads as; it exists for as long as one reading."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A partner's access as it is told to the partner: the only time that the token is known."""

    name: str
    token: str
    collections: tuple[str, ...]


def add(parts: Parts, name: str, collections: Sequence[str], max_tlp: str, exports: Sequence[str]) -> Granted:
    """Let a partner read these collections and lists, up to a marking.

    Raises:
        UsageError: the name cannot be a login or is taken; no such collection, list or marking; a list that it is not
            cleared for.
    """
    if not _LOGIN.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a login: use letters, digits and . _ @ - , 64 at most")
    if name == VERIFIER:
        raise UsageError(f"{name!r} is what `feedsvc verify` reads as, and is removed after it; choose another name")
    _known("collection", collections, [one.alias for one in parts.collections])
    _known("export", exports, [one.settings.name for one in parts.exports])
    _known("TLP level", [max_tlp], [str(tlp) for tlp in Tlp])
    partner = Partner(name, tuple(dict.fromkeys(collections)), Tlp(max_tlp), tuple(dict.fromkeys(exports)), parts.clock())
    _readable(partner, parts)
    token = release.new_token()
    with parts.history.transaction():
        parts.history.partners.add(partner, release.digest(token))
    return Granted(name, token, partner.collections)


def rotate(parts: Parts, name: str) -> Granted:
    """Give a partner a new token.

    Raises:
        UsageError: there is no such partner.
    """
    partner = _partner(parts, name)
    token = release.new_token()
    with parts.history.transaction():
        parts.history.partners.rotate(partner.name, release.digest(token))
    return Granted(name, token, partner.collections)


def remove(parts: Parts, name: str) -> None:
    """Stop a partner from reading.

    Raises:
        UsageError: there is no such partner.
    """
    partner = _partner(parts, name)
    with parts.history.transaction():
        parts.history.partners.remove(partner.name)


def preview(parts: Parts, name: str) -> Iterator[bytes]:
    """The last version of every object that a partner would read, collection by collection, as the bytes it would get.

    Raises:
        UsageError: there is no such partner.
    """
    partner = _partner(parts, name)
    for collection in parts.collections:
        if release.may_read_collection(partner, collection):
            yield from _bodies(parts, FeedQuery(collection.id, release.visible_rank(partner, collection), limit=1000))


def _bodies(parts: Parts, query: FeedQuery) -> Iterator[bytes]:
    more = True
    while more:
        page = parts.history.feed.objects(query)
        yield from (row.body for row in page.rows)
        more = page.more
        query = dataclasses.replace(query, after=page.rows[-1].date_added) if more else query


def _partner(parts: Parts, name: str) -> Partner:
    found = next((one for one in parts.history.partners.all() if one.name == name), None)
    if found is None:
        raise UsageError(f"there is no partner {name!r}; `feedsvc partner list` shows them")
    return found


def _readable(partner: Partner, parts: Parts) -> None:
    asked = [export.settings for export in parts.exports if export.settings.name in partner.exports]
    for one in asked:
        if not release.may_read_export(partner, one):
            raise UsageError(
                f"export {one.name!r} may hold names marked {one.max_tlp}, and {partner.name} is cleared up to "
                f"{partner.max_tlp}: raise --max-tlp, or lower max_tlp of the [[export]]"
            )


def _known(what: str, asked: Sequence[str], there: Sequence[str]) -> None:
    strange = [one for one in asked if one not in there]
    if strange:
        raise UsageError(f"no {what} {', '.join(map(repr, strange))}; there are: {', '.join(there) or 'none'}")
