r"""Unbound's log of queries and replies, in a file of its own or behind syslog: who asked for which name.

Written by unbound (https://unbound.docs.nlnetlabs.nl/). Switch on in unbound.conf

    server:
      log-queries: yes            # or log-replies: yes; one of them is enough
      log-tag-queryreply: yes     # so that these lines are told from others at once
      log-time-iso: yes           # 1.21 and later; epoch seconds without it

A file (`logfile:`) has epoch seconds, `log-time-ascii` and syslog have local times without a year, `log-time-iso` says the
zone: each is read. Of other messages and levels of verbosity nothing is read, and they are no faults.

    query: ADDRESS NAME TYPE CLASS                                 time, client, asked name and type
    reply: ADDRESS NAME TYPE CLASS RCODE TIME CACHED SIZE …        the same
    info: … ADDRESS@PORT NAME TYPE CLASS                           the same (`log-local-actions`, and `rpz-log`)

Without `log-tag-queryreply` the first two begin with `info:` too and are told apart by what they hold. One lookup may leave
all three lines. So lines of queries count; those of replies only as long as the file has had no query, those of local
actions only as long as it has had neither (but for what was under way when a file was rotated, nobody is counted twice).

There are no answers in these lines: they tell who asked for a name that is known otherwise. For answers let unbound write
dnstap, which the format of that name reads. Of a name, Unbound writes `?` for all but letters, digits, `-`, `_` and `*`:
what name that was cannot be known, so such a line is counted as one that cannot be read. Of other classes than IN, and of
the root, nothing is read.

Times without a year are taken to be of the latest year that does not put them into the future, and local in the `tz` of the
source; set `year` for archives that are older. Unbound does not rotate by itself: with logrotate, let `path` take in both
(`/var/log/unbound.log*`).

Not verified: `log-destaddr`, `log-thread-id` and `log-time-iso` are read as their documentation has them (1.17 has none).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

from feedsvc.names import Netblock
from feedsvc.sources import heads, spellings, stamps, syslog
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from feedsvc.sources.ranking import Ranking
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import PRESENTATION, Traces, text_traces

_MESSAGE = re.compile(rb"\[[0-9]{1,10}:[0-9a-f]{1,16}\] (query|reply|info): ")
_QUESTION = rb" ([^ ]+) ([A-Z0-9-]{1,16}) ([A-Z0-9]{1,16})"
_ASKED = re.compile(b"(" + spellings.ADDRESS + b")" + _QUESTION + b"(?: |$)")
_ANSWERED = re.compile(rb"[A-Z0-9]{1,16} [0-9]+\.[0-9]{6} [01] [0-9]+(?: |$)")
_ACTED = re.compile(b"(" + spellings.ADDRESS + b")@[0-9]{1,5}" + _QUESTION)
_NOTHING = re.compile(rb"[^ ]+ (?:- - - |null )")  # replies to messages that were no question, or had none
_IDENT = re.compile(rb"(?:" + syslog.tag(rb"unbound") + rb"\[|unbound\[)[0-9]+:[0-9a-f]+\] [a-z]+: ")
_QUERY, _REPLY, _ACTION = 0, 1, 2  # ranks: see `Ranking`
_RANKS = {b"query": _QUERY, b"reply": _REPLY}


Options = stamps.YearOptions


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read."""
    stamps.check_year(options.year)
    return Unbound(zone, options.year)


class Unbound(stamps.Undated):
    """Unbound's log: see the module's manual page."""

    def parser(self, state: str = "") -> UnboundParser:
        """See `LogFormat`."""
        return UnboundParser(Ranking(state, self._zone, self._year, self._now))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:  # noqa: ARG002
        """See `Scannable`: which lines count hangs on others; none has answers."""
        found = text_traces((), wanted, (PRESENTATION,))
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, are Unbound's, whatever they say."""
        return heads.mostly(head, _is_unbound)


class UnboundParser:
    """Reads the lines of one file."""

    def __init__(self, memory: Ranking) -> None:
        self._memory = memory

    def state(self) -> str:
        """See `LogParser`."""
        return self._memory.state()

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """See `LogParser`."""
        begin = _MESSAGE.search(line)
        if begin is None:
            return None
        try:
            return self._read(line, begin, offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def _read(self, line: bytes, begin: re.Match[bytes], offset: int) -> LogRecord | None:
        said = _question(line, begin)
        if said is None:
            return None
        if said.rrclass != b"IN" or not self._memory.counts(said.rank):
            return None
        if b"?" in said.name:
            raise Unreadable("name of which Unbound does not write every character")
        rrname = spellings.question(said.name)
        if not rrname:
            return None
        return LogRecord(
            time=self._memory.time(line[: begin.start()]),
            client=spellings.client(said.client),
            rrname=rrname,
            rrtype=said.rrtype.decode(),
            answers=(),
            chain=(),
            offset=offset,
        )


class _Asked(NamedTuple):
    """What a line says, as it is written."""

    rank: int
    client: bytes
    name: bytes
    rrtype: bytes
    rrclass: bytes


def _question(line: bytes, begin: re.Match[bytes]) -> _Asked | None:
    """What was asked; None when the line tells of no question.

    Raises:
        Unreadable: it should.
    """
    kind, at = begin[1], begin.end()
    asked = _ASKED.match(line, at)
    if asked is None and kind == b"info":
        return _action(line)
    if _NOTHING.match(line, at):
        return None
    if asked is None:
        raise Unreadable(f"{kind.decode()} line of another shape")
    if kind != b"info":
        return _Asked(_RANKS[kind], *asked.groups())
    if asked.end() == len(line):
        return _Asked(_QUERY, *asked.groups())
    return _Asked(_REPLY, *asked.groups()) if _ANSWERED.match(line, asked.end()) else None


def _action(line: bytes) -> _Asked | None:
    """What a local zone or an RPZ did to a question; that stands at the end of the line."""
    words = line.rsplit(b" ", 4)
    acted = _ACTED.fullmatch(b" ".join(words[-4:])) if len(words) == 5 else None
    return _Asked(_ACTION, *acted.groups()) if acted else None


def _is_unbound(line: bytes) -> bool:
    found = _IDENT.search(line, 0, stamps.LENGTH)
    return found is not None and b'"' not in line[: found.start()]
