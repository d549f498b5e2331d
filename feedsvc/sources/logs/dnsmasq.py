r"""dnsmasq's log of queries, as Pi-hole and OpenWrt keep it too: who asked for which name, and where it led.

Written by dnsmasq (https://thekelleys.org.uk/dnsmasq/doc.html), in a file of its own (`log-facility=/var/log/dnsmasq.log`;
Pi-hole: `/var/log/pihole/pihole.log`) or by syslog. Switch on

    log-queries=extra           # Pi-hole 6: `pihole-FTL --config misc.extraLogging true`

With `extra` each line says which lookup it is of, and a lookup is one record: time, client, asked name and type, the CNAMEs
and the addresses. With `log-queries` alone nothing ties an answer to its question. Then a question is a record without
answers, and lines of an answer that stand together are a record without client: names and addresses are found, and who asked
is known by name only.

    query[TYPE] NAME from CLIENT, auth[TYPE] …         the question
    forwarded NAME to …                                what the cache had of the answer does not count
    reply, cached, cached-stale NAME is ADDRESS        an answer to a question for A or AAAA; to others it is a text
    reply, cached, cached-stale NAME is <CNAME>        its target is the name of the next line of the same answer; of a long
                                                       chain in its cache, dnsmasq may leave out names
    config, DHCP, /etc/hosts, gravity blocked … is …   dnsmasq's own answer: who asked is told, the address is not

All other lines (DNSSEC's own questions, DHCP, TFTP, other programs) are no records and no faults. Of the root, of addresses
in the place of names, and of what dnsmasq writes as `<name unprintable>`, there is no record; the last is counted.

An answer is only known to be whole when the process writes about another lookup, or when nothing was written for a second:
so long the last record waits. A question that is not answered within a minute of the log is a record without answers; its
answer may stand in the file that takes the place of a renamed one. An address without its question (that was not logged yet)
cannot be told from a TXT record that looks like one: it is counted as a line that cannot be read.

Times have no zone and no year: they are local in the `tz` of the source, of the latest year that does not put them into the
future; set `year` for archives that are older. dnsmasq does not rotate by itself: with logrotate, let `path` take in both
(`/var/log/dnsmasq.log*`).

Not verified: Pi-hole's own words (`gravity blocked`, `exactly denied`, …) are read as its sources have them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Literal

import msgspec

from feedsvc.errors import SourceError
from feedsvc.names import Netblock
from feedsvc.sources import heads, spellings, stamps, syslog
from feedsvc.sources.dnsmasq_lookups import QUIET, Lookup, Loose, Said, Tied
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import PRESENTATION, Traces, text_traces

_BEGIN = re.compile(syslog.tag(rb"dnsmasq"))
_LOOKUP = re.compile(b"([0-9]{1,10}) (?:(" + spellings.ADDRESS + b")/([0-9]{1,5}) )?")
_DIGIT = re.compile(rb"[0-9]")
_QUERY = re.compile(rb"(?:query|auth)\[(type=)?([^ \]]{1,16})\] (.*)", re.DOTALL)
_NUMBERED = {
    b"64": "SVCB",
    b"65": "HTTPS",
}  # types that versions before 2.87 have no name for and clients ask for all the time
_UPSTREAM = (b"reply ", b"cached ", b"cached-stale ")

Words = tuple[Literal["query", "forwarded", "answer", "own"], bytes, bytes, str]  # kind, name, value, rrtype: see `Said`


class _State(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What a parser holds: see `Tied`, `Loose` and `Stamps`."""

    asked: dict[str, Lookup] = {}
    answered: dict[str, Lookup] = {}
    answers: dict[str, Lookup] = {}
    types: dict[str, list[str]] = {}
    last: float | None = None


Options = stamps.YearOptions


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read."""
    stamps.check_year(options.year)
    return Dnsmasq(zone, options.year)


class Dnsmasq(stamps.Undated):
    """dnsmasq's log: see the module's manual page."""

    def parser(self, state: str = "") -> DnsmasqParser:
        """See `LogFormat`."""
        found = _state_from(state)
        return DnsmasqParser(found, stamps.Stamps(self._zone, self._year, found.last, self._now), dated=not self._year)

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: a lookup has several lines."""
        found = text_traces(netblocks, wanted, (PRESENTATION,))
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, are dnsmasq's, whatever they say."""
        return heads.mostly(head, _is_dnsmasq)


class DnsmasqParser:
    """Reads the lines of one file, and joins those of one lookup."""

    def __init__(self, state: _State, clock: stamps.Stamps, *, dated: bool) -> None:
        self._tied = Tied(state.asked, state.answered)
        self._loose = Loose(state.answers, state.types)
        self._stamps = clock
        self._dated = dated

    def state(self) -> str:
        """See `LogParser`."""
        tied, loose = self._tied, self._loose
        last = None if self._dated else self._stamps.last
        found = _State(tied.asked, tied.answered, loose.answers, loose.types, last)
        return "" if found == _State() else msgspec.json.encode(found).decode()

    def carry(self) -> str:
        """See `Continuing`."""
        return self.state()

    def parse(self, line: bytes, offset: int) -> tuple[LogRecord | BadLine, ...]:
        """See `LogParser`."""
        begin = _BEGIN.search(line)
        try:
            said = self._said(line, begin, offset) if begin else None
        except Unreadable as err:
            return (BadLine(offset, str(err), line[:SAMPLE]),)
        if said is None:
            return ()
        return tuple(self._tied.take(said) if said.lookup else self._loose.take(said))

    def _said(self, line: bytes, begin: re.Match[bytes], offset: int) -> Said | None:
        """What a line says of a lookup; None when it is about none."""
        lookup = _LOOKUP.match(line, begin.end())
        if lookup is not None and lookup[2] is None:
            return None  # a question of dnsmasq's own
        words = _words(line[lookup.end() if lookup else begin.end() :])
        if words is None:
            return None
        time = self._stamps.read(line[: begin.start()])
        if time is None:
            raise Unreadable("line without a time")
        kind, name, value, rrtype = words
        client = spellings.client(value if kind == "query" else lookup[2] if lookup else b"")
        process = (begin[1] or begin[2] or b"").decode()
        key = b"%b %b/%b" % (lookup[1], lookup[2], lookup[3]) if lookup else b""
        return Said(kind, process, key.decode(), client, name, value, rrtype, time, offset, line)

    def settle(self, quiet: float) -> tuple[LogRecord, ...]:
        """See `Settling`."""
        return (*self._tied.settle(), *self._loose.settle()) if quiet >= QUIET else ()

    def finish(self) -> tuple[LogRecord | BadLine, ...]:
        """See `Waiting`."""
        return (*self._tied.finish(), *self._loose.finish())


def _words(message: bytes) -> Words | None:
    """What a message says; None for those that are about no lookup.

    Names may hold blanks, and whole sentences of these very words: what stands behind a name is looked for from the right.

    Raises:
        Unreadable: it should be about one.
    """
    if message.startswith((b"query[", b"auth[")):
        return _question(message)
    if message.startswith(b"forwarded "):
        return "forwarded", message[10:].rpartition(b" to ")[0], b"", ""
    before, verb, value = _without_remark(message).rpartition(b" is ")
    if before.startswith(_UPSTREAM):
        return "answer", before.partition(b" ")[2], value, ""
    if message.startswith(_UPSTREAM):
        raise Unreadable("answer line of another shape")
    if not verb or before.startswith(b"validation "):
        return None
    return "own", before.rpartition(b" ")[2], value, ""


def _question(message: bytes) -> Words:
    before, _, client = message.rpartition(b" from ")
    found = _QUERY.fullmatch(before)
    if found is None:
        raise Unreadable("query line of another shape")
    numbered, rrtype, name = found.groups()
    spelt = rrtype.decode("ascii", "replace")
    return "query", name, client, _NUMBERED.get(rrtype, f"TYPE{spelt}") if numbered else spelt


def _without_remark(message: bytes) -> bytes:
    """A message without what `extra` writes behind some answers."""
    message = message.removesuffix(b" (DNSSEC signed)")
    return message[: message.rindex(b" (EDE: ")] if message.endswith(b")") and b" (EDE: " in message else message


def _is_dnsmasq(line: bytes) -> bool:
    found = _BEGIN.search(line, 0, stamps.LENGTH)
    if found is None or b'"' in line[: found.start()]:
        return False
    return found[1] is not None or _DIGIT.search(line, 0, found.start()) is not None  # a package's name has neither


def _state_from(text: str) -> _State:
    try:
        return msgspec.json.decode(text, type=_State) if text else _State()
    except msgspec.MsgspecError as err:
        raise SourceError(f"the remembered state of a dnsmasq log cannot be read: {err}", permanent=True) from err
