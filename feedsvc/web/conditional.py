"""Conditional requests (RFC 9110 §13): whether a reader has already what it asks for. Pure.

Only what files need: `If-None-Match` with the weak comparison that §13.1.2 wants for GET and HEAD, and `If-Modified-Since`
where there is no `If-None-Match`. A condition that cannot be read counts as not given.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime

_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def is_current(etag: str, modified: int | None, *, if_none_match: str | None, if_modified_since: str | None) -> bool:
    """Whether 304 is the answer.

    Args:
        etag: of what would be sent, strong, with its quotes.
        modified: when it changed, in whole seconds since 1970; None where that is not known.
        if_none_match, if_modified_since: the headers as sent, None where there is none.
    """
    if if_none_match is not None:
        return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)
    since = _read_date(if_modified_since)
    return since is not None and modified is not None and modified <= since


def write_date(seconds: int) -> str:
    """The HTTP date of a moment (§5.6.7)."""
    return formatdate(seconds, usegmt=True)


def _read_date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        # asctime() writes no zone, and means GMT here (§5.6.7).
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
