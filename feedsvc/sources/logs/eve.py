r"""Suricata's eve.json: dns of all versions, tls, quic and http events: who asked for or connected to which name.

Written by Suricata (https://docs.suricata.io/en/latest/output/eve/eve-json-output.html) with an `eve-log` output of filetype
`regular`, threaded or not, or of `syslog` where what stands before an event ends with it (`@cee: `). Of its `types` there
should be `dns` (with `requests` and `responses` on, any `version`, any `formats`), `tls` (with `extended: yes`), `http` and
`quic`; all may stand in one file, beside events of other types, which are no records and no faults. Read are:

    dns          time, asked name and type, client, and of the answer section CNAME, A and AAAA records, each by its owner:
                 the addresses that the asked name leads to over its CNAMEs. Of other names' nothing is used, and that is
                 told. `grouped` answers have no owners: their CNAMEs are the chain and their addresses its end
    tls, quic    time, client (`src_ip`), name (`sni`) and the address it was found at (`dest_ip`)
    http         the same, the name from `hostname`; a request to a proxy (`CONNECT`, or a whole URL) gives name and client
                 alone: the address is the proxy's

A lookup is one record, though Suricata writes two events: a request waits for its answer (the same `flow_id` and `id`) for
10 seconds of the log and is a record of its own, without answers, when none comes, or when the file is left alone. An answer
whose request is not there says all by itself.

dns version 1 (Suricata up to 4.0) has an event for each record of an answer. They are joined with their request, each
address makes a record, and the CNAMEs before it are its chain. Where requests are not logged, the first owner is taken for
what was asked. An address that nothing leads to is a record of its owner.

The client is the end of the flow that is not the server's: Suricata has written answers with the server first (up to 4.1,
and in version 3), and with the client first (5.0.1 to 7). The end with port 53, 853, 5353 or 443 is the server; where both
are or none is, `flow` and `direction` tell, and where they do not, the client of an answer is unknown.

Not read: authority and additional records; DNS in alerts, for it stands in a dns event too and would count twice; mdns and
llmnr events; flow and fileinfo events. `sni` and `hostname` are what the client said, and malware may say anything: such a
pair is weaker than an answer. TLS through a proxy looks as if the name were at the proxy's address.

Addresses may be written in full (`2001:0db8:0000:…`), names in any case; where octets of a name are no UTF-8, `\xNN` stands
for them. A time without a zone, which Suricata does not write, is taken to be in the `tz` of the source.

Suricata writes on when its file is renamed, until it is told to open it anew (SIGHUP): logrotate's `create` with a
`postrotate` is followed as it is. Let `path` take in all threads' files and those that were rotated
(`/var/log/suricata/eve*.json*`).

Not verified: a file of Suricata 8 (its documentation and source were read); DNS over HTTPS/2 as it logs it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from feedsvc.errors import NameRefused
from feedsvc.names import Netblock
from feedsvc.sources import heads
from feedsvc.sources.eve_answers import Seen, is_single, join, questions_of, whole_answer
from feedsvc.sources.eve_events import Dns, Event, asker_of, end_of, is_event, octets_of, read_event, time_of
from feedsvc.sources.eve_lookups import Asked, Key, Lookup, Lookups
from feedsvc.sources.port import BadLine, Kind, LogFormat, LogRecord, Parsed
from feedsvc.sources.readings import SAMPLE, Unreadable, address_of, host_of, is_for_proxy
from feedsvc.sources.traces import JSON, Entangled, Traces, text_traces

_REQUESTS = frozenset({"query", "request"})
_ANSWERS = frozenset({"answer", "response"})
# What version 1 also writes as answers, though nobody asked for their owners: records of the authority section.
_AUTHORITY = frozenset({"SOA", "NS", "DS", "RRSIG", "NSEC", "NSEC3"})


@dataclass(frozen=True, slots=True)
class Options:
    """There is nothing to set: each event says what it is."""


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - nothing to set
    """The format, ready to read."""
    return Eve(zone)


class Eve:
    """Suricata's eve.json: see the module's manual page."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def parser(self, state: str = "") -> EveParser:
        """See `LogFormat`; the state is the lookups that wait for their answers."""
        return EveParser(Lookups(state), self._zone)

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: an answer of version 2 or 3 tells all by itself; what does not has the log read as a whole."""
        found = text_traces(netblocks, wanted, (JSON,), idna=False)
        return None if found is None else Traces(found, lambda: _Apart(self._zone, requests=bool(wanted)))

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, are events."""
        return heads.mostly(head, is_event)


class EveParser:
    """Reads the lines of one file; remembers the lookups that wait for their answers."""

    def __init__(self, lookups: Lookups, zone: tzinfo) -> None:
        self._lookups = lookups
        self._zone = zone

    @property
    def delimits(self) -> bool:
        """See `Delimiting`: an address is a whole text."""
        return True

    def state(self) -> str:
        """See `LogParser`: the lookups, or nothing when there are none."""
        return self._lookups.text()

    def carry(self) -> str:
        """See `Continuing`."""
        return self._lookups.text()

    def finish(self) -> Parsed:
        """See `Waiting`: lookups that nobody answered."""
        return _parsed(self._lookups.rest())

    def parse(self, line: bytes, offset: int) -> Parsed:
        """See `LogParser`."""
        try:
            event = read_event(line)
            if event is None:
                return None
            time = time_of(event, self._zone)
            found = self._exchange(event, time, offset) if event.event_type == "dns" else _connection(event, time, offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])
        return _parsed([*self._lookups.before(time), *found])

    def _exchange(self, event: Event, time: float, offset: int) -> list[LogRecord]:
        dns = event.dns or Dns()
        is_request = dns.type in _REQUESTS
        if not is_request and dns.type not in _ANSWERS:
            raise Unreadable("dns event that is neither request nor answer")
        seen = Seen(time, asker_of(event, is_request=is_request), offset)
        questions = questions_of(dns)
        if is_request:
            return self._ask(_key(event, dns), questions, seen)
        if is_single(dns):
            return self._take_one(_key(event, dns), dns, questions, seen)
        return self._take_whole(_key(event, dns), dns, questions, seen)

    def _ask(self, key: Key | None, questions: list[tuple[str, str]], seen: Seen) -> list[LogRecord]:
        asked = [Asked(seen.time, seen.client, rrname, rrtype, seen.offset) for rrname, rrtype in questions]
        return self._lookups.ask(key, asked) if key and asked else [one.record() for one in asked]

    def _take_whole(self, key: Key | None, dns: Dns, questions: list[tuple[str, str]], seen: Seen) -> list[LogRecord]:
        lookup = self._lookups.answered(key, [rrname for rrname, _ in questions])
        if lookup is not None:
            questions = questions or [(asked.rrname, asked.rrtype) for asked in lookup.asked]
            seen = seen._replace(client=seen.client or lookup.asked[0].client)
        return whole_answer(dns, questions, seen)

    def _take_one(self, key: Key | None, dns: Dns, questions: list[tuple[str, str]], seen: Seen) -> list[LogRecord]:
        """One record of an answer, or word that there is none, in an event of its own."""
        if not questions:
            return []
        owner, rrtype = questions[0]
        lookup = self._lookups.get(key)
        if lookup is not None:
            return join(lookup, (owner, rrtype), dns.rdata, seen)
        if rrtype in _AUTHORITY:
            return []
        # Its request is not in the log: the first owner is what was asked.
        asked = Asked(seen.time, seen.client, owner, "" if rrtype == "CNAME" else rrtype, seen.offset)
        lookup = Lookup(key or (0, 0), [asked])
        found = join(lookup, (owner, rrtype), dns.rdata, seen)
        return [*self._lookups.put(lookup), *found] if key else found or lookup.open()


class _Apart(EveParser):
    """Reads events without those between them, as long as they tell all by themselves.

    Args:
        zone: as of the format.
        requests: whether lookups without answers are sought. What becomes of a request shows with events that are not here.
    """

    def __init__(self, zone: tzinfo, *, requests: bool) -> None:
        super().__init__(Lookups(), zone)
        self._requests = requests

    def _ask(self, *_: object) -> list[LogRecord]:
        if self._requests:
            raise Entangled
        return []

    def _take_whole(self, _: Key | None, dns: Dns, questions: list[tuple[str, str]], seen: Seen) -> list[LogRecord]:
        if not questions or seen.client is None:
            raise Entangled
        return whole_answer(dns, questions, seen)

    def _take_one(self, *_: object) -> list[LogRecord]:
        raise Entangled


def _key(event: Event, dns: Dns) -> Key | None:
    """What a request and its answer share; Suricata 2 had no `flow_id`."""
    if dns.id is None:
        return None
    if event.flow_id is not None:
        return event.flow_id, dns.id
    ends = sorted((f"{event.src_ip} {event.src_port}", f"{event.dest_ip} {event.dest_port}"))
    return zlib.crc32(" ".join(ends).encode("utf-8", "surrogatepass")), dns.id


def _connection(event: Event, time: float, offset: int) -> list[LogRecord]:
    """A connection by name."""
    kind: Kind = "http" if event.event_type == "http" else "tls"
    spelt, to_proxy = _host(event)
    try:
        rrname = host_of(octets_of(spelt))
    except NameRefused as err:
        raise Unreadable(f"{'hostname' if kind == 'http' else 'sni'} is no name: {err}") from err
    if rrname is None:
        return []
    address = None if to_proxy else address_of(octets_of(event.dest_ip))
    answers = () if address is None else (address,)
    return [LogRecord(time, end_of(event.src_ip), rrname, "", answers, (), offset, kind=kind)]


def _host(event: Event) -> tuple[str | None, bool]:
    """The name that was wanted, and whether a proxy was asked to go there."""
    if event.event_type == "http":
        http = event.http
        if http is None:
            return None, False
        return http.hostname, is_for_proxy((http.method or "").encode(), octets_of(http.url))
    tls = event.tls if event.event_type == "tls" else event.quic
    return (None if tls is None else tls.sni), False


def _parsed(records: list[LogRecord]) -> Parsed:
    if len(records) < 2:
        return records[0] if records else None
    return tuple(records)
