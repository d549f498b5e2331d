"""Documents of the Elastic Common Schema: what Beats, Agent, Logstash and Elasticsearch hand out, whoever saw it first.

One JSON document a line (file output of Beats and Logstash, elasticdump), an array of them, or what `_search` answers.
Fields may be nested or dotted, or both; Elasticsearch's `_source` or `fields` around them is looked through, and the action
lines of bulk files are passed by. The indices of Packetbeat, Elastic Defend, Winlogbeat and Elastic Agent, and what
Filebeat's modules make of the logs of Zeek, Suricata, CoreDNS and clouds, are such documents.

Read are, of each document, the first of these that is there:

    dns.question.name          an exchange: `dns.question.type`, `dns.answers`, `dns.resolved_ip`
    tls.client.server_name     kind tls: that name, and `destination.ip` (else `server.ip`)
    url.domain                 kind http: the same, for the host of a URL

The time is `@timestamp`; the client `client.ip`, else `source.ip`, else, where the document tells of a process, `host.name`;
the process `process.executable`, else `process.name`. The source of a DNS answer is the server in what some sensors write:
there the end without a DNS port (53, 853, 5353) is the client. Documents without any of these names are no records.

`dns.answers` is a list of objects, or one object, or columns (`dns.answers.data: […]`). Addresses come from answers of type
A and AAAA. Where answers have no type, as Zeek's have none, those to a question for A or AAAA are addresses when they look
like one, and CNAME targets otherwise. With owners (`dns.answers.name`) the way is followed by them, and an answer to which
it does not lead is told and left out. `dns.resolved_ip` counts where `dns.answers` holds no addresses, for questions for A
and AAAA, and for those whose type nobody says (Sysmon): pipelines gather it from all answers.

A request that was sent to a proxy (CONNECT, or a whole URL in `url.original`) tells who wanted the name, and no address: it
went to that of the proxy. `destination.domain` is not read: it comes from reverse lookups as well, where whoever holds an
address says what he wants.

Elasticsearch also holds logs that nobody brought into the schema. What stands in `_source` and is none of its documents, and
Windows events of which only `winlog.event_data` tells names, are told apart as a file of their own would be (Zeek, Suricata,
Sysmon, …). Lines that a shipper left unparsed in `message` are not read.

Indices roll over; an export is a file that does not change. Not verified: the CSV reports of Kibana are not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from feedsvc.errors import NameRefused
from feedsvc.names import Address, Netblock
from feedsvc.sources import ecs_documents, heads, readings, texts
from feedsvc.sources.answers import Answers
from feedsvc.sources.ecs_answers import answers_of
from feedsvc.sources.ecs_documents import DOMAIN, NAME, SERVER_NAME, TIME, Document, Path, nature_of
from feedsvc.sources.inner import Inner
from feedsvc.sources.logs import Formats
from feedsvc.sources.port import BadLine, Kind, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import SAMPLE, Unreadable
from feedsvc.sources.traces import Traces
from feedsvc.sources.wiretraces import shipped_traces

_WRAPPERS = ("ecs", "splunk")  # what may not stand in a document again
_DNS_PORTS = frozenset({"53", "853", "5353"})

_TYPE = Path("dns.question.type")
_CLIENT, _SOURCE, _DESTINATION, _SERVER = (Path(f"{end}.ip") for end in ("client", "source", "destination", "server"))
_SOURCE_PORT, _DESTINATION_PORT = Path("source.port"), Path("destination.port")
_HOST, _HOST_NAME = Path("host.name"), Path("host.hostname")
_EXECUTABLE, _PROCESS, _PROCESS_ID = Path("process.executable"), Path("process.name"), Path("process.pid")
_METHOD, _URL = Path("http.request.method"), Path("url.original")

_MARKS = (b"question", b"server_name", b"domain", b'"_source"', b"event_data")  # a line without any gives no record


@dataclass(frozen=True, slots=True)
class Options:
    """There is nothing to set: the documents say all that must be known."""


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - nothing to set
    """The format, ready to read.

    Args:
        zone: for logs within Elasticsearch's documents; the documents themselves are in UTC.
    """
    return Ecs(Formats(zone=zone, without=_WRAPPERS))


class Ecs:
    """Documents of the schema: see the module's manual page."""

    def __init__(self, inner: Formats) -> None:
        self._inner = inner

    def parser(self, state: str = "") -> EcsParser:
        """See `LogFormat`; the state is that of the logs within."""
        return EcsParser(Inner(self._inner, state))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: the lines of logs within may hang together."""
        found = shipped_traces(netblocks, wanted)
        return None if found is None else Traces(found)

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, are Elastic's, and neither all nor most of them raw Windows events."""
        lines = heads.first_lines(head)
        natures = Counter(map(_nature, lines))
        own, windows = natures["names"] + natures["elastic"], natures["windows"] + natures["raw windows"]
        if natures["raw windows"] and 2 * windows >= len(lines):
            return False
        return own > 0 and 2 * (own + windows + natures[""]) >= len(lines)


def _nature(line: bytes) -> str:
    """The nature of a line's document; "" for a line that only belongs there, "other" for one that does not."""
    wrapped = ecs_documents.read(line)
    if wrapped is None:
        return "other"
    if wrapped.document is None:
        return ""
    nature = nature_of(wrapped.document)
    return "elastic" if nature == "other" and wrapped.place else nature  # of Elasticsearch, whatever it holds


class EcsParser:
    """Reads one line after the other; the logs within have parsers that remember."""

    def __init__(self, inner: Inner) -> None:
        self._inner = inner

    def state(self) -> str:
        """See `LogParser`."""
        return self._inner.state()

    def finish(self) -> Parsed:
        """See `Waiting`: what the logs within were waiting for."""
        return self._inner.finish()

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`."""
        text = line.strip()
        if not text or (text[0] == 0x7B and text[-1] == 0x7D and not any(mark in text for mark in _MARKS)):
            return None
        wrapped = ecs_documents.read(text)
        if wrapped is None:
            return BadLine(offset, "no JSON object", line[:SAMPLE])
        if wrapped.document is None:
            return None
        nature = nature_of(wrapped.document)
        if nature == "names":
            return _record_or_fault(wrapped.document, line, offset)
        if nature == "raw windows" or (nature == "other" and wrapped.place):
            return self._inner.parse(ecs_documents.source_of(text), wrapped.place, offset)
        return None if nature != "other" else BadLine(offset, "document without @timestamp, or of no schema", line[:SAMPLE])


def _record_or_fault(document: Document, line: bytes, offset: int) -> LogRecord | BadLine | None:
    try:
        if NAME.of(document) is not None:
            return _exchange(document, offset)
        return _connection(document, offset)
    except Unreadable as err:
        return BadLine(offset, str(err), line[:SAMPLE])


def _exchange(document: Document, offset: int) -> LogRecord | None:
    rrname = texts.asked_name(NAME.text_of(document))
    if not rrname:
        return None
    rrtype = texts.rrtype_of(ecs_documents.first(_TYPE.of(document)))
    found: Answers = answers_of(document, rrname, rrtype, offset)
    return LogRecord(
        time=_time(document),
        client=_asker(document),
        rrname=rrname,
        rrtype=rrtype,
        answers=found.answers,
        chain=found.chain,
        offset=offset,
        unread=found.unread,
        process=_process(document),
    )


def _connection(document: Document, offset: int) -> LogRecord | None:
    kind: Kind = "tls" if SERVER_NAME.of(document) is not None else "http"
    host = (SERVER_NAME if kind == "tls" else DOMAIN).text_of(document)
    try:
        rrname = readings.host_of(host.encode("utf-8", "replace"))
    except NameRefused as err:
        raise Unreadable(f"host is no name: {err}") from err
    if rrname is None:
        return None
    return LogRecord(
        time=_time(document),
        client=texts.client_of(_CLIENT.text_of(document), _SOURCE.text_of(document), *_endpoint(document)),
        rrname=rrname,
        rrtype="",
        answers=_destination(document, kind),
        chain=(),
        offset=offset,
        kind=kind,
        process=_process(document),
    )


def _time(document: Document) -> float:
    return texts.time_of(ecs_documents.first(TIME.of(document)))


def _asker(document: Document) -> str | None:
    client, source = _CLIENT.text_of(document), _SOURCE.text_of(document)
    if not client and _is_dns(_SOURCE_PORT, document) and not _is_dns(_DESTINATION_PORT, document):
        source = _DESTINATION.text_of(document)
    return texts.client_of(client, source, *_endpoint(document))


def _endpoint(document: Document) -> tuple[str, ...]:
    """The names of the host, where it is the one that asked: that of a network sensor is not."""
    if all(field.of(document) is None for field in (_EXECUTABLE, _PROCESS, _PROCESS_ID)):
        return ()
    return _HOST.text_of(document), _HOST_NAME.text_of(document)


def _is_dns(port: Path, document: Document) -> bool:
    return str(ecs_documents.first(port.of(document))) in _DNS_PORTS


def _process(document: Document) -> str:
    return texts.shown(_EXECUTABLE.text_of(document) or _PROCESS.text_of(document))


def _destination(document: Document, kind: Kind) -> tuple[Address, ...]:
    method, url = (
        _METHOD.text_of(document).upper().encode("utf-8", "replace"),
        _URL.text_of(document).encode("utf-8", "replace"),
    )
    if kind == "http" and readings.is_for_proxy(method, url):
        return ()
    address = texts.address_of(_DESTINATION.text_of(document)) or texts.address_of(_SERVER.text_of(document))
    return () if address is None else (address,)
