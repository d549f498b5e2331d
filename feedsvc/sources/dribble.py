"""Headers that CIRCL's server of Passive DNS understands and sends (CIRCL/PyPDNS, pypdns/api.py), as partners' servers may.

It resolves what it is asked about unless a header forbids that, which would warn whoever runs the name: `QUIET` goes with
every question. What an answer lacks is said in a header alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from feedsvc.http import Answer

QUIET: Mapping[str, str] = {"dribble-disable-active-query": "1"}
"""Forbids to resolve what is asked about."""

RRTYPE = "dribble-filter-rrtype"
PAGE_SIZE = "dribble-paginate-count"
PAGE = "dribble-paginate-cursor"

ERRORS = "x-dribble-errors"
CURSOR = "x-dribble-cursor"

_NOTHING = frozenset({"", "{}", "[]", "null"})


def errors(answer: Answer) -> str:
    """What the server says that is wrong with an answer, as it may be shown; "" when it says nothing."""
    said = answer.headers.get(ERRORS, "").strip()
    return "" if said in _NOTHING else answer.shown(said)


def cursor(answer: Answer) -> str | None:
    """Where the server says that the next page begins; None when there is none."""
    return answer.headers.get(CURSOR)
