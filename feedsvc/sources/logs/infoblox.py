r"""Infoblox NIOS's log of queries and responses, by syslog or as a capture file: who asked for which name, and where it led.

Written by the named of Infoblox (https://docs.infoblox.com/, "Capturing DNS Queries and Responses"). Switch on Grid DNS
Properties > Logging > responses, and let the Grid send its syslog to where it can be read.

    DATE client ADDRESS#PORT: [view VIEW:] UDP: query: NAME CLASS TYPE response: RCODE FLAGS OWNER TTL CLASS TYPE RDATA; …

Of a response are read: time, client, asked name and type, and of its records the CNAMEs that begin at the asked name and
the addresses (A and AAAA) of the last one of them. Each record says its type, so that it does not matter what was asked for:
an answer to a question for all of them (ANY) has addresses, and a text (TXT) that looks like one is none. A record ends with
`;`, which in quotes is none; what syslog has cut off in its middle is left out and, where addresses were asked for, counted.

Queries (`query: NAME CLASS TYPE …`, as BIND's), failures (`query failed (…) for …`), denials and rewrites (`rpz …`, also as
CEF) have no answers; they tell who asked for a name that is known otherwise. One lookup may leave all of these lines. In a
file with responses, lines of the others wait for the response to the same client and port; what has none within ten seconds
of the log is a record of its own. In a file without, queries count, and the others only as long as it has had no query. (Of
what was under way when a file was begun, both may count.) Of other classes than IN, and of the root, nothing is read; all
other messages are no records and no faults.

Times are local in the `tz` of the source. A response has its own with a year; of other lines syslog's has none, and is taken
to be of the latest year that does not put it into the future: set `year` for archives that are older.

Not verified: capture files (`queries and responses` on the appliance) are read as documented; of RPZ messages, the CEF ones
are read as published samples have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

import msgspec

from feedsvc import names
from feedsvc.errors import NameRefused, SourceError
from feedsvc.names import Netblock
from feedsvc.sources import heads, named, spellings, stamps
from feedsvc.sources.chains import follow
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from feedsvc.sources.ranking import Ranking
from feedsvc.sources.readings import SAMPLE, Unreadable, address_of
from feedsvc.sources.traces import PRESENTATION, Traces, text_traces

MAX_RECORDS = 512
"""Records of one response that are looked at: a message of 64 KiB has room for four thousand, no honest one uses it."""

_RESPONDED = re.compile(
    rb"(?: \([^ ]*\))?:? (?:view [^:]+: )?(?:[A-Z]{2,8}: )?"
    rb"query: (?P<name>[^ ]+) (?P<class>[^ ]+) (?P<type>[^ ]+) response: [A-Z0-9]{1,16}(?: [+-][A-Za-z]*)?(?: |$)"
)
_RECORD = re.compile(rb' *+((?>(?:[^;"\\]++|"(?>(?:[^"\\]++|\\.)*)"|\\.)*));')
_CEF = re.compile(rb"CEF:[0-9]+\|Infoblox\|NIOS\|")
_CEF_CLIENT = re.compile(b" src=(" + spellings.ADDRESS + b") spt=([0-9]{1,5}) ")
_CEF_QUESTION = re.compile(rb" rewrite ([^ ]+) \[([A-Z0-9-]{1,16})\] via ")
_NAMED = re.compile(rb"\bnamed\[[0-9]+\]: ")
IN_FLIGHT = 512
"""Lookups without a response that are held."""

PATIENCE = 10.0
"""Seconds of the log after which there will be no response any more."""

_ADDRESSED = frozenset({b"A", b"AAAA", b"ANY"})
_MAX_UNREAD = 8
_RESPONSE, _QUERY, _OTHER = 0, 1, 2  # ranks: see `Ranking`


class _Held(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A lookup whose response may come."""

    time: float
    offset: int
    client: str | None
    rrname: str
    rrtype: str

    def record(self, answer: _Answer | None = None) -> LogRecord:
        """The lookup with its answer, or with none that the log has."""
        return LogRecord(
            time=self.time,
            client=self.client,
            rrname=self.rrname,
            rrtype=self.rrtype,
            answers=answer.addresses if answer else (),
            chain=answer.chain if answer else (),
            offset=self.offset,
            unread=answer.unread if answer else (),
        )


class _State(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What a parser holds."""

    memory: str = ""
    held: dict[str, _Held] = {}


Options = stamps.YearOptions


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read."""
    stamps.check_year(options.year)
    return Infoblox(zone, options.year)


class Infoblox(stamps.Undated):
    """Infoblox's log: see the module's manual page."""

    def parser(self, state: str = "") -> InfobloxParser:
        """See `LogFormat`."""
        found = _state_from(state)
        return InfobloxParser(Ranking(found.memory, self._zone, self._year, self._now), found.held)

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: which lines count hangs on others."""
        found = text_traces(netblocks, wanted, (PRESENTATION,))
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, are what named writes, and some have answers as Infoblox writes them."""
        return named.ANSWERED.search(head) is not None and heads.mostly(head, _is_named)


class InfobloxParser:
    """Reads the lines of one file; holds lookups whose responses may come, the oldest first."""

    def __init__(self, memory: Ranking, held: dict[str, _Held]) -> None:
        self._memory = memory
        self._held = held

    def state(self) -> str:
        """See `LogParser`."""
        found = _State(self._memory.state(), self._held)
        return "" if found == _State() else msgspec.json.encode(found).decode()

    def parse(self, line: bytes, offset: int) -> tuple[LogRecord | BadLine, ...]:
        """See `LogParser`."""
        try:
            found = self._read(line, offset)
        except Unreadable as err:
            return (BadLine(offset, str(err), line[:SAMPLE]),)
        return (*self._due(), *([found] if found else []))

    def finish(self) -> tuple[LogRecord, ...]:
        """See `Waiting`."""
        held, self._held = self._held, {}
        return tuple(one.record() for one in held.values())

    def _due(self) -> Iterator[LogRecord]:
        now = self._memory.last or 0.0
        while self._held:
            oldest = next(iter(self._held))
            if len(self._held) <= IN_FLIGHT and self._held[oldest].time + PATIENCE >= now:
                return
            yield self._held.pop(oldest).record()

    def _read(self, line: bytes, offset: int) -> LogRecord | None:
        client = named.CLIENT.search(line)
        found = _RESPONDED.match(line, client.end()) if client else None
        if client is None or found is None:
            return self._asked(line, offset)
        before = line[: client.start()]
        said = named.Said(before, "response", client[1], client[2], found["name"], found["type"], found["class"])
        return self._responded(said, line[found.end() :], offset)

    def _responded(self, said: named.Said, text: bytes, offset: int) -> LogRecord | None:
        question = self._question(said, offset)
        self._memory.counts(_RESPONSE)
        if question is None:
            return None
        self._held.pop(said.lookup(question.rrname), None)
        answer = _answer(question.rrname, text, offset)
        # Of what was asked for other types, long texts are cut as a rule, and no address is lost with them.
        return question.record(answer if said.rrtype in _ADDRESSED else answer._replace(unread=()))

    def _asked(self, line: bytes, offset: int) -> LogRecord | None:
        """What a line without answers says."""
        if named.ANSWERED.search(line):
            raise Unreadable("response of another shape")
        said = _from_cef(line) if _CEF.search(line, 0, stamps.LENGTH) else named.read(line)
        if said is None:
            if b": query: " in line:
                raise Unreadable("query line of another shape")
            return None
        question = self._question(said, offset)
        if question is None:
            return None
        lookup = said.lookup(question.rrname)
        if self._memory.best == _RESPONSE:
            self._held.setdefault(lookup, question)
            return None
        rank = _QUERY if said.what == "query" else _OTHER
        return question.record() if self._memory.counts(rank, said.what, lookup) else None

    def _question(self, said: named.Said, offset: int) -> _Held | None:
        rrname = spellings.question(said.name) if said.rrclass == b"IN" else ""
        if not rrname:
            return None
        time = self._memory.time(said.before)
        return _Held(time, offset, spellings.client(said.client), rrname, named.rrtype(said.rrtype))


def _state_from(text: str) -> _State:
    try:
        return msgspec.json.decode(text, type=_State) if text else _State()
    except msgspec.MsgspecError as err:
        raise SourceError(f"the remembered state of an Infoblox log cannot be read: {err}", permanent=True) from err


class _Answer(NamedTuple):
    """What the records of a response say of the asked name."""

    addresses: tuple[names.Address, ...]
    chain: tuple[str, ...]
    unread: tuple[BadLine, ...]


def _answer(question: str, text: bytes, offset: int) -> _Answer:
    targets: dict[str, str] = {}
    addresses: dict[str, list[names.Address]] = {}
    unread: list[BadLine] = []
    records, rest = _records(text)
    for record in records:
        try:
            _add(record, targets, addresses)
        except (Unreadable, NameRefused) as err:
            unread.append(BadLine(offset, str(err), record[:SAMPLE]))
    if rest:
        unread.append(BadLine(offset, "response cut short", rest[:SAMPLE]))
    way = follow(question, targets, addresses)
    if way.fault:
        unread.append(BadLine(offset, way.fault, text[:SAMPLE]))
    # An address in the place of a name is none; it leads on all the same.
    return _Answer(way.answers, tuple(filter(None, way.chain)), tuple(unread[:_MAX_UNREAD]))


def _records(text: bytes) -> tuple[list[bytes], bytes]:
    """The records of a response, and what is left behind the last whole one."""
    found: list[bytes] = []
    at = 0
    while len(found) < MAX_RECORDS and (record := _RECORD.match(text, at)):
        found.append(record[1])
        at = record.end()
    return found, text[at:].strip()


def _add(record: bytes, targets: dict[str, str], addresses: dict[str, list[names.Address]]) -> None:
    """Take one record.

    Raises:
        Unreadable: it is none, or holds no address though it should.
        NameRefused: one of its names is none.
    """
    words = record.rstrip().split(None, 4)
    if len(words) < 5 or not words[1].isdigit():
        raise Unreadable("record of another shape")
    owner, _, _, rrtype, rdata = words
    if rrtype == b"CNAME":
        targets.setdefault(spellings.name_of(owner), spellings.name_of(rdata))
    elif rrtype in {b"A", b"AAAA"}:
        address = address_of(rdata)
        if address is None:
            raise Unreadable("address record without an address")
        addresses.setdefault(spellings.name_of(owner), []).append(address)


def _from_cef(line: bytes) -> named.Said | None:
    """What a message of RPZ says that is written as CEF."""
    client = _CEF_CLIENT.search(line)
    question = _CEF_QUESTION.search(line)
    if client is None or question is None:
        return None
    return named.Said(line[: line.index(b"CEF:")], "rewritten", client[1], client[2], question[1], question[2], b"IN")


def _is_named(line: bytes) -> bool:
    return _NAMED.search(line, 0, stamps.LENGTH) is not None or named.is_of_client(line)
