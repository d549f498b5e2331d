r"""BIND's query log, in a file of its own or behind syslog: who asked for which name.

Written by named (https://bind9.readthedocs.io/). Switch on in named.conf

    logging {
      channel queries { file "/var/log/named/query.log" versions 10 size 100m; print-time iso8601-utc; };
      category queries { queries; };
    };

`print-time`, `print-category` and `print-severity` may be as you like, times in any of their spellings; behind syslog
(`syslog daemon;`, as RFC 3164, RFC 5424 or with times in ISO 8601) the lines may be anywhere among those of others. Without
`print-time` and without syslog a line has no time, and is refused.

    queries          `query: NAME CLASS TYPE …`: time, client, asked name and type
    responses        `response: NAME CLASS TYPE …` (9.20 and later, `responselog yes`): the same
    security         `query 'NAME/TYPE/CLASS' denied`: the same
    query-errors     `query failed (…) for NAME/CLASS/TYPE at …`: the same
    rpz              `rpz … rewrite NAME/TYPE/CLASS via …`: the same

One lookup may leave a line in each category. So lines of `queries` count, and those of the others only as long as the file
has had none of `queries`: who logs the others alone is served, and nobody is counted twice (but for what was under way when
a file was rotated). Of other classes than IN, and of the root, nothing is read. All other messages are no records and no
faults.

There are no answers in any of these lines: they tell who asked for a name that is known otherwise. For answers let named
write dnstap (`dnstap-output`), which the format of that name reads.

Times are local in the `tz` of the source where named does not say their zone. Behind syslog named's own time counts, if it
writes one; without it syslog's, which has no year: it is taken to be of the latest year that does not put it into the
future. Set `year` for archives that are older.

named renames by itself (`versions`, `size`: `query.log.0`, …): let `path` take in both (`/var/log/named/query.log*`).

Not verified: lines of `responses` are read as BIND's own tests look for them (`response: NAME CLASS TYPE RCODE`); what
stands behind is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, tzinfo

from feedsvc.names import Netblock
from feedsvc.sources import heads, named, spellings, stamps
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from feedsvc.sources.ranking import Ranking
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import PRESENTATION, Traces, text_traces

_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_QUERY, _OTHER = 0, 1  # ranks: see `Ranking`


Options = stamps.YearOptions


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read."""
    stamps.check_year(options.year)
    return Bind(zone, options.year)


class Bind(stamps.Undated):
    """BIND's query log: see the module's manual page."""

    def parser(self, state: str = "") -> BindParser:
        """See `LogFormat`."""
        return BindParser(Ranking(state, self._zone, self._year, self._now))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:  # noqa: ARG002
        """See `Scannable`: which lines count hangs on others; none has answers."""
        found = text_traces((), wanted, (PRESENTATION,))
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, are named's, some say something of clients, and none has answers."""
        if named.ANSWERED.search(head):
            return False  # Infoblox
        lines = heads.first_lines(head)
        of_clients = sum(map(named.is_of_client, lines))
        others = sum(named.is_own(line) and not named.is_of_client(line) for line in lines) if of_clients else 0
        return of_clients > 0 and 2 * (of_clients + others) >= len(lines)


class BindParser:
    """Reads the lines of one file."""

    def __init__(self, memory: Ranking) -> None:
        self._memory = memory

    def state(self) -> str:
        """See `LogParser`."""
        return self._memory.state()

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """See `LogParser`."""
        try:
            return self._read(line, offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def _read(self, line: bytes, offset: int) -> LogRecord | None:
        said = named.read(line)
        if said is None:
            _refuse_broken(line)
            return None
        rrname = spellings.question(said.name) if said.rrclass == b"IN" else ""
        if not rrname or not self._counts(said, rrname):
            return None
        return LogRecord(
            time=self._memory.time(said.before),
            client=spellings.client(said.client),
            rrname=rrname,
            rrtype=named.rrtype(said.rrtype),
            answers=(),
            chain=(),
            offset=offset,
        )

    def _counts(self, said: named.Said, rrname: str) -> bool:
        if said.what == "query":
            return self._memory.counts(_QUERY)
        return self._memory.counts(_OTHER, said.what, said.lookup(rrname))


def _refuse_broken(line: bytes) -> None:
    """Tell apart what is no record from what ought to be one.

    Raises:
        Unreadable: it ought to be one.
    """
    if named.ANSWERED.search(line):
        raise Unreadable('answers as Infoblox writes them; say format = "infoblox"')
    if b": query: " in line or b"queries: " in line:
        raise Unreadable("query line of another shape")
    if _CONTROL.search(line):
        raise Unreadable("control bytes, which named does not write")
