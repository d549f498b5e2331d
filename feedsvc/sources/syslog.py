r"""What syslog writes before the text of a program, for formats that look for their own lines among those of others. Pure.

    Nov 24 06:16:05 gw unbound[12]: …                                               RFC 3164 §4.1.3
    <30>1 2026-11-24T06:16:05.123Z gw unbound 12 - [meta sequenceId="1"] …          RFC 5424 §6

Times are read by `feedsvc.sources.stamps`, whatever is around them.
"""

from __future__ import annotations

STRUCTURED = rb'(?:-|(?>(?:\[(?>(?:[^\]"\\]|\\.|"(?>(?:[^"\\]|\\.)*)")*)\])+))'
"""Structured data (RFC 5424 §6.3), or that there is none. What stands between quotes in it is no text of the program."""

HEADER = (
    rb"<[0-9]{1,3}>1 [^ \"]{1,40} [^ \"]{1,255} [^ \"]{1,48} [^ \"]{1,128} [^ \"]{1,32} "
    + STRUCTURED
    + rb" (?:\xef\xbb\xbf)?"
)
"""A whole header of RFC 5424, up to the text."""


def tag(program: bytes) -> bytes:
    """A pattern for a program's name and all up to its text; its groups 1 and 2 may hold the process ID, or are None.

    Args:
        program: a pattern without groups.
    """
    new = rb" (?:([0-9]{1,10})|-) [^ ]{1,32} " + STRUCTURED + rb" (?:\xef\xbb\xbf)?"
    return program + rb"(?:(?:\[([0-9]{1,10})\])?: |" + new + rb")"
