r"""Amazon Route 53 Resolver query logs: JSON lines, as they lie in S3 or come out of CloudWatch Logs and Firehose.

The VPC resolver of AWS writes them for the VPCs that a query logging configuration names (Route 53, VPC Resolver, Query
logging). It logs what it looks up; what it answers from its cache it does not log again, so that a client that asked a
little later than another is not seen. Not read: the query logs of public hosted zones, which are another format and tell who
asked the zone, not who asked inside.

Where they come from, and what they are wrapped in there:

    S3                      AWSLogs/ACCOUNT/vpcdnsquerylogs/VPC/YYYY/MM/DD/*.log.gz: one record a line
    Firehose                records one behind the other, mostly without line ends: read as well (`route53[]`)
    CloudWatch Logs         by a subscription (Firehose, Kinesis): `{"messageType":"DATA_MESSAGE",…,"logEvents":[…]}`, each
                            `message` a record; CONTROL_MESSAGE says nothing. By an export to S3: a time before each record.
                            By `aws logs filter-log-events`: `{"events":[…]}`

S3 objects do not change; let `path` take in the days (`/mirror/*/vpcdnsquerylogs/**/*.log.gz`). Envelopes over 1 MiB are
told, not read; AWS makes none.

Of a record are read: `query_timestamp` (UTC), `query_name`, `query_type`, `srcaddr` as the client (else the instance of
`srcids`), and of `answers` those of type A and AAAA, with the CNAME targets in the order in which they stand: AWS logs
neither owners nor TTLs. What a DNS Firewall rule answered in the place of the real answer (`firewall_rule_action` BLOCK) is
no answer: who asked counts all the same.

Not verified: how odd characters in names are escaped. The manual of Route 53 speaks of `\ddd` in octal; DNS has it in
decimal (RFC 1035 §5.1), and so it is read. A name in which that would spell a letter, a digit, `-` or `_`, which nobody has
to escape, is refused and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

import msgspec

from feedsvc.errors import NameRefused
from feedsvc.names import Netblock
from feedsvc.sources import heads, texts
from feedsvc.sources.answers import NOTHING, Answer, Answers, read_answers
from feedsvc.sources.json_lines import decode
from feedsvc.sources.port import BadLine, LogFormat, LogParser, LogRecord, Parsed
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import JSON, PRESENTATION_IN_JSON, Traces, text_traces

_EXPORTED = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}Z (?=\{)")
_ESCAPE = re.compile(r"\\(?:([0-9]{3})|.)", re.DOTALL)
_NEEDS_NO_ESCAPE = re.compile(r"[A-Za-z0-9_-]")
_NO_RECORD = "no JSON, or not of the shape that Route 53 writes"


@dataclass(frozen=True, slots=True)
class Options:
    """There is nothing to set: the records say all that must be known."""


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - nothing to set, and AWS writes UTC
    """The format, ready to read."""
    return Route53()


class _Instance(msgspec.Struct, gc=False):
    instance: Any = None


class _Answer(msgspec.Struct, gc=False):
    data: Any = msgspec.field(name="Rdata", default=None)
    rrtype: Any = msgspec.field(name="Type", default=None)
    rrclass: Any = msgspec.field(name="Class", default=None)


class _Event(msgspec.Struct, gc=False):
    message: str = ""


class _Line(msgspec.Struct, gc=False):
    """A record, or what CloudWatch Logs wraps around one or several."""

    time: Any = msgspec.field(name="query_timestamp", default=None)
    name: Any = msgspec.field(name="query_name", default=None)
    rrtype: Any = msgspec.field(name="query_type", default=None)
    client: Any = msgspec.field(name="srcaddr", default=None)
    source: _Instance | None = msgspec.field(name="srcids", default=None)
    answers: list[_Answer] | None = None
    action: Any = msgspec.field(name="firewall_rule_action", default=None)
    message_type: Any = msgspec.field(name="messageType", default=None)
    message: Any = None
    log_events: list[_Event] | None = msgspec.field(name="logEvents", default=None)
    events: list[_Event] | None = None

    @property
    def is_record(self) -> bool:
        return self.name is not None and self.time is not None

    @property
    def wrapped(self) -> list[_Event] | None:
        if isinstance(self.message, str) and self.name is None:
            return [_Event(self.message)]
        return self.events if self.log_events is None else self.log_events


_LINE = msgspec.json.Decoder(_Line)


class Route53:
    """The logs of the VPC resolver: see the module's manual page."""

    def parser(self, state: str = "") -> LogParser:  # noqa: ARG002 - every line stands for itself
        """See `LogFormat`."""
        return Route53Parser()

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: every line stands for itself."""
        found = text_traces(netblocks, wanted, (JSON, PRESENTATION_IN_JSON))
        return None if found is None else Traces(found, self.parser, sure=True)

    def recognises(self, head: bytes) -> bool:
        """Whether most of the first lines are such records, or wrap them."""
        return heads.mostly(head, _is_ours)


def _is_ours(line: bytes) -> bool:
    found = _decode(line)
    if found is None or found.is_record:
        return found is not None
    if found.message_type == "CONTROL_MESSAGE":
        return found.wrapped is not None
    inner = [decode(_LINE, event.message.encode()) for event in (found.wrapped or ())[: heads.LINES]]
    return any(one is not None and one.is_record for one in inner)


class Route53Parser:
    """Reads one line after the other; remembers nothing."""

    def state(self) -> str:
        """See `LogParser`: there is none."""
        return ""

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`."""
        if not line.strip():
            return None
        found = _decode(line)
        if found is None:
            return BadLine(offset, _NO_RECORD, line[:SAMPLE])
        if found.wrapped is None:
            return _record(found, line, offset)
        return tuple(_wrapped(found.wrapped, offset)) if found.message_type != "CONTROL_MESSAGE" else None


def _decode(line: bytes) -> _Line | None:
    exported = _EXPORTED.match(line)
    return decode(_LINE, line[exported.end() :] if exported else line)


def _wrapped(events: list[_Event], offset: int) -> Iterator[LogRecord | BadLine]:
    for event in events:
        message = event.message.encode("utf-8", "replace")
        found = decode(_LINE, message)
        made = BadLine(offset, _NO_RECORD, message[:SAMPLE]) if found is None else _record(found, message, offset)
        if made is not None:
            yield made


def _record(found: _Line, line: bytes, offset: int) -> LogRecord | BadLine | None:
    if not found.is_record:
        return BadLine(offset, _NO_RECORD, line[:SAMPLE])
    try:
        return _read(found, offset)
    except Unreadable as err:
        return BadLine(offset, str(err), line[:SAMPLE])


def _read(found: _Line, offset: int) -> LogRecord | None:
    rrname = texts.asked_name(found.name, _name)
    if not rrname:
        return None
    answers = _answers(found, rrname, offset)
    return LogRecord(
        time=texts.time_of(found.time),
        client=texts.client_of(found.client, found.source.instance if found.source else None),
        rrname=rrname,
        rrtype=texts.rrtype_of(found.rrtype),
        answers=answers.answers,
        chain=answers.chain,
        offset=offset,
        unread=answers.unread,
    )


def _answers(found: _Line, rrname: str, offset: int) -> Answers:
    if not found.answers or found.action == "BLOCK":
        return NOTHING
    given = (Answer(texts.rrtype_of(one.rrtype), one.data) for one in found.answers if one.rrclass in ("IN", None))
    return read_answers(rrname, given, offset, _name)


def _name(text: str) -> str:
    """As `texts.name_of`, without guessing what an escape means."""
    for escape in _ESCAPE.finditer(text) if "\\" in text else ():
        digits = escape.group(1)
        if digits and _NEEDS_NO_ESCAPE.fullmatch(chr(int(digits))):
            raise NameRefused("escape that may be octal")
    return texts.name_of(text)
