"""What a server says is wrong with an answer whose status was good: one that broke after it had begun has no status left.

It says so around the rows, in a member of the document, or in place of a row. Of lines there is no frame that proves their
end: an answer that ends in something that is no row, and not a trailer that says all is well, is not known to be whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from feedsvc.sources import bodies

NOTHING = frozenset({b"", b"null", b"false", b"0", b'""', b"[]", b"{}"})
"""Values that say nothing."""

TOTALS = ("hits", "total", "totalhits", "totalcount", "totalrecords", "totalresults", "recordcount", "count")
"""What members are called, as `plain` has it, that tell how many rows there are."""

_FAULTS = ("error", "errors", "errormessage", "errormessages", "exception", "fault", "detail", "details")
_LACKS = ("warning", "warnings", "truncated", "limited", "partial", "incomplete", "timedout")
_CODES = ("status", "statuscode", "code", "responsecode", "httpstatus")
_MESSAGES = ("message", "messages", "msg")
_WORDS = re.compile(
    rb'(?i)"[\w-]*(?:error|exception|fault|detail|warn|truncated|limited|partial|incomplete|timed|status|code|messages?|msg)'
)
_BAD = re.compile(
    rb"(?i)error|fail|rate.?limit|\blimited|exceed|too many|time.?d? ?out|quota|truncated|incomplete|unavailable"
)
_GOOD = frozenset({"ok", "success", "succeeded", "successful", "done", "finished", "complete", "completed"})
_LONGEST = 65_536  # bytes of what stands in place of a row and is looked at; nobody complains at such length


def around(members: Mapping[str, msgspec.Raw]) -> bytes:
    """What of an object around rows says that something is wrong, as it came; b"" when nothing does."""
    told = {plain(name): bytes(value) for name, value in members.items()}
    said = _fault(told)
    return said or next((told[name] for name in _MESSAGES if _BAD.search(told.get(name, b""))), b"")


class Strays:
    """What stands among rows and is none.

    Attributes:
        complaint: the first that says that something is wrong, as it came; b"" when none does.
        last: the last one; b"" when a row came after it.
    """

    def __init__(self) -> None:
        self.complaint = b""
        self.last = b""

    def take(self, text: bytes) -> None:
        """Take what is no row."""
        self.last = text
        if not self.complaint and _complains(text):
            self.complaint = text

    def take_frame(self, document: bytes) -> None:
        """Take the document in which the rows stand.

        Raises:
            SourceError: as `bodies.members` does.
        """
        self.complaint = self.complaint or around(bodies.members(document) or {})

    def take_row(self) -> None:
        """A row came."""
        self.last = b""

    def ends_astray(self, rows: int) -> bool:
        """Whether lines, of which so many were not blank, ended in one that is neither a row nor says that all is well."""
        return self.last != b"" and not is_trailer(self.last, rows)


def is_trailer(text: bytes, rows: int) -> bool:
    """Whether a line behind so many others says that all is well, or all is there, and nothing else."""
    members = bodies.members(text) if len(text) <= _LONGEST else None
    return members is not None and all(_is_well(plain(name), bytes(value), rows) for name, value in members.items())


def number(value: bytes) -> int | None:
    """A whole number, as a number or as a text of digits, as `bodies.number` has it."""
    word = bodies.one(value, str)
    return bodies.number(bodies.one(value, int) if word is None else word)


def plain(name: str) -> str:
    """A name of a member without its case and without what joins its words."""
    return "".join(char for char in name.lower() if char.isalnum())


def _fault(told: Mapping[str, bytes]) -> bytes:
    said = next((value for name, value in told.items() if name in (*_FAULTS, *_LACKS) and value not in NOTHING), b"")
    return said or next((told[name] for name in _CODES if _is_bad(name, told.get(name, b""))), b"")


def _is_bad(name: str, value: bytes) -> bool:
    """Whether a status is known to be bad or, being a word, is not known to be good."""
    word, code = bodies.one(value, str), number(value)
    if code is not None or word is None:
        return code is not None and code >= 400
    return name == "status" and word != "" and word.lower() not in _GOOD


def _complains(text: bytes) -> bool:
    """Whether what stands in place of a row says that something is wrong: any message does that."""
    if text.lstrip()[:1] == b"<":
        return True
    if len(text) > _LONGEST or not _WORDS.search(text):
        return False
    told = {plain(name): bytes(value) for name, value in (bodies.members(text) or {}).items()}
    return _fault(told) != b"" or any(told.get(name, b"") not in NOTHING for name in _MESSAGES)


def _is_well(name: str, value: bytes, rows: int) -> bool:
    """Whether a member of a trailer behind so many lines says nothing, or that all is well and all is there."""
    if value in NOTHING:
        return True
    total = number(value)
    if name in TOTALS:
        return total is not None and total <= rows
    return name in _CODES and not _is_bad(name, value)
