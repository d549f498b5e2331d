r"""CoreDNS's query log, from a file, a pod or the journal: who asked for which name.

Written by CoreDNS (https://coredns.io/plugins/log/). Switch on in the Corefile

    . {
        log            # or `log . {combined}`; formats of your own are not read
    }

    [INFO] ADDRESS:PORT - ID "TYPE CLASS NAME PROTOCOL SIZE DO BUFFER" RCODE FLAGS SIZE TIME ["OPCODE"]

Read are time, client, asked name and type. CoreDNS writes a line when it has answered, so that each lookup leaves one. There
are no answers in it: it tells who asked for a name that is known otherwise. For answers let CoreDNS write dnstap, which the
format of that name reads. Of other classes than IN, and of the root, nothing is read; all other messages are no records and
no faults. In Kubernetes the clients are pods, and pods behind a node-local cache are that cache.

CoreDNS writes no times, but for old versions. What takes its output does: the files of container runtimes
(`/var/log/pods/*coredns*/coredns/*.log*`: `TIME stdout F …`, or Docker's JSON `{"log": …, "time": …}`), `kubectl logs
--timestamps`, and syslog. A line without a time of any of them is taken to be of the moment at which it is read, which holds
for a log that is followed, and does not for one that is swept later. Set `undated = "refuse"` to have such lines refused.

Times without a year are taken to be of the latest year that does not put them into the future, and local in the `tz` of the
source. Container runtimes rotate by renaming; `path` above takes in both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal

import msgspec

from feedsvc.clock import Clock, utc_now
from feedsvc.names import Netblock
from feedsvc.sources import heads, spellings, stamps, syslog
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import JSON, PRESENTATION, Traces, text_traces

_ADDRESS = rb"(?:\[(" + spellings.ADDRESS + rb")\]|(" + spellings.ADDRESS + rb"))(?::[0-9]{1,5})?"
# Of a name, blanks and quotes stand behind a backslash.
_LINE = re.compile(
    rb"(?:plugin/[a-z]+: )?" + _ADDRESS + rb" - (?:\[([^\]\"]{1,40})\] )?(?:[0-9]{1,5} )?"
    rb"\"([A-Z0-9-]{1,16}) ([A-Z0-9]{1,16}) ((?:[^\\\" ]|\\.){1,1100}) [a-z]{2,8} [0-9]+ "
)
_INFO = b"[INFO] "
_SYSLOG = re.compile(syslog.HEADER)
# What it says when it begins, and of its plugins.
_OTHER = re.compile(
    rb"[^\"]{0,200}\[(?:INFO|WARNING|ERROR)\] (?![^ ]+ - )|CoreDNS-[0-9]|[a-z]+/[a-z0-9]+, go[0-9]|maxprocs: "
    rb"|[^ \"]{0,64}:[0-9]{1,5}\Z"
)
_SHAPE = re.compile(rb" - (?:[0-9]{1,5} )?\"[A-Z0-9-]{1,16} (?:IN|CH|HS|ANY|NONE|CLASS[0-9]+) ")


class _Docker(msgspec.Struct, gc=False):
    """A line of Docker's JSON log."""

    log: str
    time: str


_DOCKER = msgspec.json.Decoder(_Docker)


@dataclass(frozen=True, slots=True)
class Options:
    """Settings.

    Attributes:
        undated: what becomes of lines without a time: `now`, the moment at which they are read, or `refuse`.
    """

    undated: Literal["now", "refuse"] = "now"


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read."""
    return CoreDns(zone, undated=options.undated == "now")


class CoreDns:
    """CoreDNS's log: see the module's manual page.

    Args:
        zone: of times that say none.
        undated: whether lines without a time are read.
        now: asked for the moment of reading.
    """

    def __init__(self, zone: tzinfo, *, undated: bool, now: Clock = utc_now) -> None:
        self._zone = zone
        self._undated = undated
        self._now = now

    def parser(self, state: str = "") -> CoreDnsParser:  # noqa: ARG002 - every line stands for itself
        """See `LogFormat`."""
        return CoreDnsParser(stamps.Stamps(self._zone, now=self._now), self._now if self._undated else None)

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:  # noqa: ARG002
        """See `Scannable`: every line stands for itself, and has no answers."""
        found = text_traces((), wanted, (PRESENTATION, JSON))
        return None if found is None else Traces(found, self.parser, sure=True)

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, are CoreDNS's, and some of them of queries."""
        lines = heads.first_lines(head)
        queries = sum(map(_is_coredns, lines))
        others = sum(map(_is_other, lines)) if queries else 0
        return queries > 0 and 2 * (queries + others) >= len(lines)


class CoreDnsParser:
    """Reads the lines of one file."""

    def __init__(self, clock: stamps.Stamps, now: Clock | None) -> None:
        self._stamps = clock
        self._now = now

    def state(self) -> str:
        """See `LogParser`: every line stands for itself."""
        return ""

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """See `LogParser`."""
        try:
            return self._read(line, offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def _read(self, line: bytes, offset: int) -> LogRecord | None:
        before, text = _parted(line)
        found = _LINE.match(text)
        if found is None:
            if _SHAPE.search(text, 0, stamps.LENGTH):
                raise Unreadable("query line of another shape")
            return None
        bracketed, plain, moment, rrtype, rrclass, name = found.groups()
        rrname = spellings.question(name) if rrclass == b"IN" else ""
        if not rrname:
            return None
        return LogRecord(
            time=self._time(moment or before),
            client=spellings.client(bracketed or plain),
            rrname=rrname,
            rrtype=rrtype.decode(),
            answers=(),
            chain=(),
            offset=offset,
        )

    def _time(self, before: bytes) -> float:
        seconds = self._stamps.read(before)
        if seconds is not None:
            return seconds
        if self._now is None:
            raise Unreadable("line without a time")
        return self._now().timestamp()


def _parted(line: bytes) -> tuple[bytes, bytes]:
    """What others wrote before CoreDNS's message, and the message."""
    if line.startswith(b"{") and b'"log"' in line:
        line = _undocked(line)
    at = line.find(_INFO, 0, stamps.LENGTH)
    return (line[:at], line[at + len(_INFO) :]) if at >= 0 else (b"", line)


def _undocked(line: bytes) -> bytes:
    """A line of Docker's JSON log as it would be with the time in front.

    Raises:
        Unreadable: it is none.
    """
    try:
        found = _DOCKER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise Unreadable("no JSON, or not of the shape that Docker writes") from err
    return f"{found.time} {found.log}".rstrip("\n").encode("utf-8", "replace")


def _is_coredns(line: bytes) -> bool:
    try:
        before, text = _parted(line)
    except Unreadable:
        return False
    return (b'"' not in before or _SYSLOG.fullmatch(before) is not None) and _LINE.match(text) is not None


def _is_other(line: bytes) -> bool:
    return _OTHER.match(line) is not None
