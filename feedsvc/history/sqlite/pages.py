"""The question of a TAXII reader (TAXII 2.1 §3.4) as one statement, so that a page is of one moment.

Three ways lead to a page. Newest versions, which is what readers ask for unless they say otherwise, are walked on an index
that holds nothing else. Objects asked for by id are looked up. All other questions walk the collection and pass over what
does not fit. Each begins where the reader stands, in the order of `date_added`: nothing is counted or skipped by number.
"""

from __future__ import annotations

from typing import Any

from feedsvc.history.port import FeedQuery
from feedsvc.history.sqlite.values import array
from feedsvc.model import Tlp

SPEC_VERSION = "2.1"
_HIGHEST = len(Tlp) - 1

# The indexes member_newest_N are chosen by hand: SQLite would rather walk the table, closed and outdated rows and all.
_NEWEST = tuple(f"member INDEXED BY member_newest_{rank}" for rank in range(_HIGHEST + 1))
_BY_ID = """
    json_each(:ids) AS asked
    CROSS JOIN stix_object AS object ON object.id = asked.value
    CROSS JOIN member ON member.object = object.number
"""
_TO_OBJECT = "CROSS JOIN stix_object AS object ON object.number = member.object"

_IS_FIRST = """
    NOT EXISTS (
        SELECT 1 FROM stix_object AS older
        CROSS JOIN member AS older_member
            ON older_member.object = older.number AND older_member.collection = member.collection
        WHERE older.id = object.id AND older_member.tlp <= :rank
            AND (older.version_at, older.number) < (object.version_at, object.number)
    )
"""


def question(query: FeedQuery, *, bodies: bool) -> tuple[str, dict[str, Any]] | None:
    """A statement and its parameters for `limit` rows and one more; None when nothing can answer the question.

    Its columns are those of `FeedRow`.
    """
    rank = min(query.max_rank, _HIGHEST)
    versions = _versions(query, rank)
    of_our_kind = not query.spec_versions or SPEC_VERSION in query.spec_versions
    if rank < 0 or not versions or not of_our_kind:
        return None
    sql = f"""
        SELECT member.date_added, object.id, object.version{", object.body" if bodies else ""}
        FROM {_way(query, rank)}
        WHERE member.collection = (SELECT number FROM collection WHERE id = :collection)
            AND member.date_added > :after
            AND member.tlp <= {rank}
            AND ({" OR ".join(versions)})
            {"AND member.type IN (SELECT value FROM json_each(:types))" if query.types else ""}
        ORDER BY member.date_added
        LIMIT :enough
    """  # noqa: S608 - put together from constants and the number `rank`
    return sql, _parameters(query, rank)


def _parameters(query: FeedQuery, rank: int) -> dict[str, Any]:
    return {
        "collection": query.collection,
        "after": query.after or 0,
        "rank": rank,
        "ids": array(query.ids),
        "types": array(query.types),
        "exact": array(query.exact_versions),
        "enough": query.limit + 1,
    }


def _versions(query: FeedQuery, rank: int) -> list[str]:
    """The conditions of which one must hold (TAXII 2.1 §3.4.1, match[version])."""
    if "all" in query.versions:
        return ["TRUE"]
    conditions = [f"member.superseded > {rank}"] if "last" in query.versions else []
    if "first" in query.versions:
        conditions.append(_IS_FIRST)
    if query.exact_versions:
        conditions.append("object.version IN (SELECT value FROM json_each(:exact))")
    return conditions


def _way(query: FeedQuery, rank: int) -> str:
    if query.ids:
        return _BY_ID
    newest_alone = query.versions == {"last"} and not query.exact_versions
    return f"{_NEWEST[rank] if newest_alone else 'member'} {_TO_OBJECT}"
