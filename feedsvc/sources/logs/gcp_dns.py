r"""Google Cloud DNS query logs: log entries as JSON lines, or as the array that `gcloud logging read` prints.

Cloud DNS writes them for networks that have logging switched on in a DNS server policy (`gcloud dns policies create
--enable-logging`), for managed zones in their own settings. A sink of Cloud Logging brings them to Cloud Storage
(`dns.googleapis.com/dns_queries/YYYY/MM/DD/*.json`), where objects do not change, or to Pub/Sub. Entries of other logs may
stand between them: they are no records, and no faults.

Of an entry are read: `timestamp`, and of its `jsonPayload` `queryName`, `queryType`, `sourceIP` as the client (else
`vmInstanceName`), and the answers: `structuredRdata` where it is there, else `rdata`. Both say whose each answer is: the way
goes from the asked name over CNAMEs to the addresses, and an answer to which it does not lead is told and left out.

`rdata` is zone file text, one answer a line, its cells behind tabs, types in lower case. Google cuts it at 260 bytes, with
`...` at its end: the answer that the cut goes through is not used, and the cut is told, for there was more.

Answers that are not from A and AAAA records give no address. Who asked counts also where there is no answer.

Not verified: BigQuery exports, whose columns are named otherwise, are not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

import msgspec

from feedsvc.names import Netblock
from feedsvc.sources import heads, texts
from feedsvc.sources.answers import Answer, Answers, read_answers
from feedsvc.sources.json_lines import decode
from feedsvc.sources.port import BadLine, LogFormat, LogParser, LogRecord
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import JSON, PRESENTATION_IN_JSON, Traces, text_traces

_LONGEST_RDATA = 260  # bytes, by Google's documentation; the dots come on top
_CUT = "..."
_NO_ENTRY = "no JSON, or no log entry of Google Cloud"


@dataclass(frozen=True, slots=True)
class Options:
    """There is nothing to set: the entries say all that must be known."""


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - nothing to set, and Google writes UTC
    """The format, ready to read."""
    return GcpDns()


class _Answer(msgspec.Struct, gc=False):
    owner: Any = msgspec.field(name="domainName", default=None)
    rrtype: Any = msgspec.field(name="type", default=None)
    data: Any = msgspec.field(name="rvalue", default=None)


class _Payload(msgspec.Struct, gc=False):
    name: Any = msgspec.field(name="queryName", default=None)
    rrtype: Any = msgspec.field(name="queryType", default=None)
    client: Any = msgspec.field(name="sourceIP", default=None)
    instance: Any = msgspec.field(name="vmInstanceName", default=None)
    rdata: Any = None
    answers: list[_Answer] | None = msgspec.field(name="structuredRdata", default=None)


class _Entry(msgspec.Struct, gc=False):
    log: Any = msgspec.field(name="logName", default=None)
    time: Any = msgspec.field(name="timestamp", default=None)
    payload: _Payload | None = msgspec.field(name="jsonPayload", default=None)


_ENTRY = msgspec.json.Decoder(_Entry)


class GcpDns:
    """The query logs of Cloud DNS: see the module's manual page."""

    def parser(self, state: str = "") -> LogParser:  # noqa: ARG002 - every line stands for itself
        """See `LogFormat`."""
        return GcpDnsParser()

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: every line stands for itself."""
        found = text_traces(netblocks, wanted, (JSON, PRESENTATION_IN_JSON))
        return None if found is None else Traces(found, self.parser, sure=True)

    def recognises(self, head: bytes) -> bool:
        """Whether most of the first lines are log entries about queries."""
        return heads.mostly(head, _is_ours)


def _is_ours(line: bytes) -> bool:
    found = decode(_ENTRY, line)
    return found is not None and found.payload is not None and found.payload.name is not None


class GcpDnsParser:
    """Reads one line after the other; remembers nothing."""

    def state(self) -> str:
        """See `LogParser`: there is none."""
        return ""

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """See `LogParser`."""
        if not line.strip():
            return None
        found = decode(_ENTRY, line)
        if found is None or (found.payload is None and found.log is None):
            return BadLine(offset, _NO_ENTRY, line[:SAMPLE])
        try:
            return _read(found, found.payload, offset) if found.payload else None
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])


def _read(entry: _Entry, payload: _Payload, offset: int) -> LogRecord | None:
    rrname = texts.asked_name(payload.name)
    if not rrname:
        return None
    answers = _answers(payload, rrname, offset)
    return LogRecord(
        time=texts.time_of(entry.time),
        client=texts.client_of(payload.client, payload.instance),
        rrname=rrname,
        rrtype=texts.rrtype_of(payload.rrtype),
        answers=answers.answers,
        chain=answers.chain,
        offset=offset,
        unread=answers.unread,
    )


def _answers(payload: _Payload, rrname: str, offset: int) -> Answers:
    if payload.answers:
        given = (Answer(texts.rrtype_of(one.rrtype), one.data, one.owner) for one in payload.answers)
        return read_answers(rrname, given, offset)
    text = payload.rdata if isinstance(payload.rdata, str) else ""
    *lines, last = text.split("\n")
    is_cut = text.endswith(_CUT) or len(text.encode("utf-8", "replace")) >= _LONGEST_RDATA
    unread = [("answers that Google cut short", last)] if is_cut else []
    given_as_text: list[Answer] = []
    for line in filter(None, lines if is_cut else [*lines, last]):
        answer = _zone_file_answer(line)
        if answer is None:
            unread.append(("answer that is no line of a zone file", line))
        else:
            given_as_text.append(answer)
    found = read_answers(rrname, given_as_text, offset)
    told = (BadLine(offset, why, line.encode("utf-8", "replace")[:SAMPLE]) for why, line in unread)
    return found._replace(unread=(*found.unread, *told))


def _zone_file_answer(line: str) -> Answer | None:
    owner, *cells = line.split("\t", 4)
    if len(cells) != 4:
        return None
    _, _, rrtype, data = cells
    return Answer(texts.rrtype_of(rrtype), data, owner)
