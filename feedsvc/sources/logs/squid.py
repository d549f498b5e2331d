r"""Squid's access log: which client connected to which name, and where it was found.

Written by Squid (https://www.squid-cache.org/Doc/config/access_log/): nothing must be switched on. Read are the native
format (`access_log … squid`), `common` and `combined`, each line for what it is, and any other with the directive of
squid.conf that it is written by:

    format = "squid"
    logformat = '%ts.%03tu %6tr %>a %>p %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt "%ssl::>sni"'

    time       %ts with %tu, or %tl, or %tg
    client     %>a, else %>A
    name       the server name of TLS (%ssl::>sni); else the host of the URL (%ru), or what a CONNECT is for; else %>rd; else
               the header (%{Host}>h). An address in its place is no name, and such a line no record.
    address    %<a, when %Sh says that Squid went to the server itself (HIER_DIRECT, ORIGINAL_DST, PINNED; without HIER_ in
               old versions). Of a parent or sibling it is the other proxy's, of a cached or denied request there is none.

`common` and `combined` have no address: they tell who wanted a name, and so does a format without %Sh. Squid looks names up
itself, so that the client's own resolver may have seen other addresses. What an intercepted client says it wanted (`Host`,
the server name) need not be what it went to: such a pair is weaker than an answer. Requests that Squid could not read
(`error:invalid-request`) have no name and are no records. A line of another shape is counted as one that cannot be read.

A time with a zone, and %ts, are what they are; %tg is UTC. A name of TLS is in the log when Squid peeks at it (`ssl_bump
peek`). logrotate renames and compresses: let `path` take in both (`/var/log/squid/access.log*`). Behind syslog
(`access_log syslog:…`) the lines of Squid are read; those of others count as such that cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from feedsvc.errors import NameRefused
from feedsvc.names import Netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import heads, spellings, stamps, syslog
from feedsvc.sources.port import BadLine, Kind, LogFormat, LogRecord
from feedsvc.sources.readings import SAMPLE, Unreadable, address_of, host_of
from feedsvc.sources.squid_logformat import BUILT_IN, compile_logformat
from feedsvc.sources.traces import Traces, text_traces

_DIRECT = re.compile(rb"(?:TIMEOUT_)?(?:(?:HIER_)?DIRECT|ORIGINAL_DST|PINNED|CLOSEST_DIRECT|SOURCE_FASTEST)")
_NATIVE = re.compile(
    rb"[0-9]{9,10}\.[0-9]{3} +-?[0-9]+ [^ ]+ [A-Z_]+/[0-9]{3} -?[0-9]+ [^ ]+ [^ ]+ [^ ]+ [A-Z_]+/[^ ]+ [^ ]"
)
_COMBINED = re.compile(rb"(?:[^ \"]+ ){3}\[[^\]\"]{26}\] \"[^ \"]+ [^ ]+ [^ \"]+\" [0-9]{1,3} [0-9]+ .*\b[A-Z_]+:[A-Z_]+\Z")
_IDENT = re.compile(syslog.tag(rb"\(?squid(?:-[0-9]{1,4})?\)?") + rb" *")
_END_OF_AUTHORITY = re.compile(rb"[/?#]")


@dataclass(frozen=True, slots=True)
class Options:
    """Settings.

    Attributes:
        logformat: what the log is written by, as squid.conf has it behind `logformat NAME`, or the name of a format that
            Squid knows; "" reads the native format, common and combined.
    """

    logformat: str = ""


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:
    """The format, ready to read.

    Raises:
        OptionFaults: nothing can be read by `logformat`.
    """
    try:
        patterns = tuple(map(compile_logformat, [options.logformat] if options.logformat else BUILT_IN))
    except ValueError as err:
        raise OptionFaults({"logformat": f"logformat: {err}"}) from err
    return Squid(patterns, zone)


class Squid:
    """Squid's access log: see the module's manual page.

    Args:
        patterns: the shapes of its lines; the first that fits counts.
        zone: of times that say none.
    """

    def __init__(self, patterns: tuple[re.Pattern[bytes], ...], zone: tzinfo) -> None:
        self._patterns = patterns
        self._zone = zone

    def parser(self, state: str = "") -> SquidParser:  # noqa: ARG002 - every line stands for itself
        """See `LogFormat`."""
        return SquidParser(self._patterns, stamps.Stamps(self._zone), stamps.Stamps(UTC))

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: every line stands for itself."""
        found = text_traces(netblocks, wanted, idna=False)
        return None if found is None else Traces(found, self.parser, sure=True)

    def recognises(self, head: bytes) -> bool:
        """Whether half of the first lines, or more, are of one of the formats that Squid knows by name."""
        return heads.mostly(head, _is_squid)


class SquidParser:
    """Reads the lines of one file."""

    def __init__(self, patterns: tuple[re.Pattern[bytes], ...], local: stamps.Stamps, utc: stamps.Stamps) -> None:
        self._patterns = patterns
        self._local = local
        self._utc = utc

    def state(self) -> str:
        """See `LogParser`: every line stands for itself."""
        return ""

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """See `LogParser`."""
        if not line:
            return None
        try:
            return self._read(line, offset)
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def _read(self, line: bytes, offset: int) -> LogRecord | None:
        found = self._match(line, 0) or self._match(line, _message(line))
        if found is None:
            raise Unreadable("line of another shape than the log format has")
        rrname, kind = _name(found)
        if rrname is None:
            return None
        server = found["server"] if _DIRECT.fullmatch(found["way"]) else b""
        address = address_of(server)
        return LogRecord(
            time=self._time(found),
            client=spellings.client(found["client"]) or spellings.client(found["host_name"]),
            rrname=rrname,
            rrtype="",
            answers=(address,) if address else (),
            chain=(),
            offset=offset,
            kind=kind,
        )

    def _match(self, line: bytes, start: int) -> re.Match[bytes] | None:
        for pattern in self._patterns:
            found = pattern.match(line, start)
            if found is not None:
                return found
        return None

    def _time(self, found: re.Match[bytes]) -> float:
        if found["seconds"]:
            return float(b"%b.%b" % (found["seconds"], found["thousandths"].rjust(3, b"0")))
        seconds = self._utc.read(found["utc"]) if found["utc"] else self._local.read(found["local"])
        if seconds is None:
            raise Unreadable("line without a time")
        return seconds


def _name(found: re.Match[bytes]) -> tuple[str | None, Kind]:
    """The name that somebody wanted, and how. None for an address, and for what is no request to a host.

    Raises:
        Unreadable: what stands in its place is neither.
    """
    sni, method = found["sni"], found["method"]
    if sni not in {b"", b"-"}:
        return _host(sni), "tls"
    kind: Kind = "connection" if method == b"CONNECT" else "http"
    if found["url"] not in {b"", b"-"}:
        return _host(_authority(method, found["url"])), kind
    wanted = (host for host in (found["domain"], found["header"]) if host not in {b"", b"-"})
    return _host(next(wanted, b"")), kind


def _authority(method: bytes, url: bytes) -> bytes:
    """The host, and whatever goes with it; "" when there is none."""
    if method == b"CONNECT":
        return url
    scheme, separator, rest = url.partition(b"://")
    if not separator or scheme == b"cache_object":  # asks for Squid's own statistics
        return b""
    end = _END_OF_AUTHORITY.search(rest)
    return (rest[: end.start()] if end else rest).rpartition(b"@")[2]


def _host(authority: bytes) -> str | None:
    if authority.startswith(b"%5B"):  # an IPv6 address
        return None
    try:
        return host_of(authority)
    except NameRefused as err:
        raise Unreadable(f"host is no name: {err}") from err


def _message(line: bytes) -> int:
    """Where Squid's own text begins behind what syslog wrote."""
    found = _IDENT.search(line, 0, stamps.LENGTH)
    return found.end() if found else 0


def _is_squid(line: bytes) -> bool:
    text = line[_message(line) :]
    return _NATIVE.match(text) is not None or _COMBINED.match(text) is not None
