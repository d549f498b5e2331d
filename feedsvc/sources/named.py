"""What named says of its clients, in whatever category; the logs of BIND and those of Infoblox are made of it. Pure.

What named prints of a name has no blank in it, whatever the client sent (presentation format, RFC 1035 §5.1): so blanks part
what it says. Answers are not among it; Infoblox adds them.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from feedsvc.sources import syslog
from feedsvc.sources.spellings import ADDRESS
from feedsvc.sources.stamps import LENGTH

CLIENT = re.compile(rb"client (?:@0x[0-9a-f]{1,16} )?(" + ADDRESS + rb")#([0-9]{1,5})(?=[ :/])")
"""How such a line begins behind what was written before it; group 1 is the client, group 2 its port."""

ANSWERED = re.compile(rb"query: [^ \n]+ [^ \n]+ [^ \n]+ response: ")
"""What Infoblox writes and BIND does not."""

_SAID = re.compile(
    rb"(?:/key [^ :]+)?(?: \([^ ]*\))?: (?:view [^:]+: )?"
    rb"(?:(?P<how>query|response): (?P<name>[^ ]+) (?P<class>[^ ]+) (?P<type>[^ ]+)(?: |$)"
    rb"|query (?:\(cache\) )?'(?P<denied>[^ ]+)' denied"
    rb"|query failed \([^)]*\) for (?P<failed>[^ ]+) at "
    rb"|(?:disabled )?rpz [^ ]+ [^ ]+ rewrite (?P<rewritten>[^ ]+)(?: via |$))"
)
_BEFORE = re.compile(rb"(?:" + syslog.HEADER + rb")?(?:[^\"]*[:Z0-9-] )?")
_MESSAGE = re.compile(
    syslog.tag(rb"\bnamed")
    + rb"|\A(?:[0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9:.]{8,12} |[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]{8,20} )?"
    rb"[a-z-]{2,24}: (?:debug [0-9]{1,2}|info|notice|warning|error|critical): "
)
_OTHERS = re.compile(rb"dnsmasq|unbound")
_TYPE = re.compile(rb"[A-Z0-9-]{1,16}")


What = Literal["query", "response", "denied", "failed", "rewritten"]


class Said(NamedTuple):
    """A line about a question of a client.

    Attributes:
        before: what stands before it: times, categories, what syslog wrote.
        what: what the line tells: the question, that it was answered, denied, failed, or rewritten by an RPZ.
        client, port, name, rrtype, rrclass: as they are written.
    """

    before: bytes
    what: What
    client: bytes
    port: bytes
    name: bytes
    rrtype: bytes
    rrclass: bytes

    def lookup(self, rrname: str) -> str:
        """Which lookup it is of, by the client's port and the canonical name."""
        return f"{self.client.decode()}#{self.port.decode()} {rrname}"


def read(line: bytes) -> Said | None:
    """What a line says; None when it is about no question of a client."""
    client = CLIENT.search(line)
    said = _SAID.match(line, client.end()) if client else None
    if client is None or said is None:
        return None
    before = line[: client.start()]
    if said["how"]:
        what: What = "query" if said["how"] == b"query" else "response"
        return Said(before, what, client[1], client[2], said["name"], said["type"], said["class"])
    what = "denied" if said["denied"] else "failed" if said["failed"] else "rewritten"
    name, *rest = said[what].rsplit(b"/", 2)
    if len(rest) < 2:
        return None
    rrtype, rrclass = reversed(rest) if what == "failed" else rest
    return Said(before, what, client[1], client[2], name, rrtype, rrclass)


def is_of_client(line: bytes) -> bool:
    """Whether a line is one of named about a client, whatever it says."""
    found = CLIENT.search(line, 0, LENGTH)
    before = line[: found.start()] if found else b'"'
    return _BEFORE.fullmatch(before) is not None and not _OTHERS.search(before)


def is_own(line: bytes) -> bool:
    """Whether a line is shaped as named writes all of its messages: with a category and a severity, or behind syslog."""
    found = _MESSAGE.search(line, 0, LENGTH)
    return found is not None and b'"' not in line[: found.start()]


def rrtype(spelt: bytes) -> str:
    """A record type; "" when it is none."""
    return spelt.decode() if _TYPE.fullmatch(spelt) else ""
