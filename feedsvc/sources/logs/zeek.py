r"""Zeek's dns, ssl, quic, http and conn logs, TSV or JSON: who asked for which name, or connected, and where it led.

Written by Zeek (https://docs.zeek.org/en/master/logs/index.html) wherever traffic crosses a sensor; nothing must be switched
on. A file may be TSV, JSON, or one after the other: every line is read for what it is.

TSV is read by its header: separators, the words for empty and unset, and the columns are what `#separator`,
`#set_separator`, `#empty_field`, `#unset_field`, `#path` and `#fields` say, each time they say it. Columns are found by
their names, so that logs with more or fewer of them are read alike. Lines above the first `#fields` cannot be read and are
counted.

JSON takes `id.orig_h`, `id_orig_h` and `{"id": {"orig_h": …}}`, and times as epoch seconds, epoch milliseconds or ISO 8601
(`json_timestamps`). Which log a line is of is said by `_path`, `@stream` or an object around it (`{"dns": {…}}`), and
otherwise shown by its keys: `query`, `server_name`, `host` with `trans_depth`, or `conn_state`.

    dns          time (`ts`), client (`id.orig_h`), asked name and type (`query`, `qtype_name`, else `qtype`), `answers`
    ssl, quic    time, client, name (`server_name`) and the address it was found at (`id.resp_h`)
    http         the same, the name from `host` without its port; a request to a proxy (`CONNECT`, or a whole URL in `uri`)
                 gives name and client alone: the address is the proxy's
    conn         time, client and the address (`id.resp_h`), however the connection ended: a host that tried is told as well

Lines of the others without a name, or with an address in its place, are no records. Nor are those of all other logs, and
they are no faults. conn.log has no names, so that nothing can be found in it; it tells who connected to an address that a
finding is at.

`server_name` and `host` are what the client said, and malware may say anything: such a pair is weaker than an answer. TLS
through a proxy looks in ssl.log as if the name were at the proxy's address.

Zeek does not log whose answer each one is, so CNAME targets and addresses stand in one list: for a question for A or AAAA,
what reads as an address is one, what another record type left there (`TXT 5 hello`, `RRSIG …`) is neither, and the rest are
the CNAME targets in order. Other questions give no address, whatever their answers look like. Of an answer whose question
Zeek has not seen it leaves out the type (as with resolvers of a cloud that answer from elsewhere): that is read as an answer
to a question for addresses, if there is one in it. Bytes that Zeek escaped (`\x2c`) are the bytes again before anything is
made of them.

Zeek rotates by renaming and, with zeekctl, compresses into a folder for each day: let `path` take in both the live files and
these folders (`/opt/zeek/logs/*/dns.*`).

Not verified: quic.log and the key `@stream` are read as Zeek's scripts and published data sets have them, not from a sensor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from feedsvc import names
from feedsvc.errors import NameRefused
from feedsvc.sources import heads, zeek_json, zeek_tsv
from feedsvc.sources.port import BadLine, LogFormat, LogRecord
from feedsvc.sources.readings import LATEST, SAMPLE, Unreadable, address_of, client_of, host_of, name_of
from feedsvc.sources.traces import JSON, ZEEK, Trace, Traces, text_traces
from feedsvc.sources.zeek_said import Said, unescape
from feedsvc.sources.zeek_tsv import Header

_MILLISECONDS = 1e11  # epoch seconds get there in the year 5138, epoch milliseconds were there in 1973

_ADDRESSED = frozenset({"A", "AAAA", ""})  # "" where nobody says
_NO_NAME = frozenset({b"", b".", b"<Root>"})  # the root, as Zeek's versions write it
# Zeek writes names in lower case; what it writes for records of other types begins with a word in upper case or an angle
# bracket (scripts/base/protocols/dns/main.zeek).
_OTHER_TYPE = re.compile(rb"[A-Z][A-Z0-9]*:? |<|NSEC3(?:PARAM)?\Z")
_HEADER = Trace(rb"^#", "pattern", rare=b"#")
_OF_ADDRESS = frozenset(b"0123456789abcdefABCDEF.:")


@dataclass(frozen=True, slots=True)
class Options:
    """There is nothing to set: the file itself says all that must be known."""


def build(options: Options, zone: tzinfo = UTC) -> LogFormat:  # noqa: ARG001 - nothing to set, and Zeek writes UTC
    """The format, ready to read."""
    return Zeek()


class Zeek:
    """Zeek's logs: see the module's manual page."""

    def parser(self, state: str = "") -> ZeekParser:
        """See `LogFormat`; the state is the header that holds."""
        return ZeekParser(zeek_tsv.header_from(state))

    def traces(self, netblocks: Sequence[names.Netblock], wanted: Sequence[str]) -> Traces | None:
        """See `Scannable`: of other lines, a row needs none but the headers above it."""
        found = text_traces(netblocks, wanted, (ZEEK, JSON), idna=False)
        return None if found is None else Traces((*found, _HEADER), self.parser, sure=True)

    def recognises(self, head: bytes) -> bool:
        """Whether a file begins with a Zeek header, or with a JSON line of any of Zeek's logs."""
        text = head.lstrip(b"\r\n")
        return text.startswith((b"#separator ", b"#fields\t")) or heads.mostly(text, zeek_json.is_zeek)


class ZeekParser:
    """Reads the lines of one file; remembers the header that holds at the moment."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._layout = zeek_tsv.layout_of(header)

    def state(self) -> str:
        """See `LogParser`: the header, or nothing while there was none."""
        return zeek_tsv.header_text(self._header)

    @property
    def delimits(self) -> bool:
        """See `Delimiting`: as long as separators are nothing that an address may hold."""
        return _OF_ADDRESS.isdisjoint(self._header.separator + self._header.set_separator)

    def parse(self, line: bytes, offset: int) -> LogRecord | BadLine | None:
        """See `LogParser`."""
        try:
            said = self._read(line)
            return _record(said, offset) if said else None
        except Unreadable as err:
            return BadLine(offset, str(err), line[:SAMPLE])

    def _read(self, line: bytes) -> Said | None:
        first = line[:1]
        if first == b"{":
            return zeek_json.read_json(line)
        if first == b"#":
            self._header = zeek_tsv.next_header(self._header, line)
            self._layout = zeek_tsv.layout_of(self._header)
            return None
        if not first:
            return None
        if not self._header.fields:
            raise Unreadable("line without a #fields header above it")
        return zeek_tsv.read_row(line, self._layout) if self._layout else None


def _record(said: Said, offset: int) -> LogRecord | None:
    return _exchange(said, offset) if said.kind == "dns" else _connection(said, offset)


def _exchange(said: Said, offset: int) -> LogRecord | None:
    query = unescape(said.name)
    if query in _NO_NAME:
        return None
    try:
        rrname = name_of(query)
    except NameRefused as err:
        raise Unreadable(f"query is no name: {err}") from err
    answers, chain, unread = _split_answers(said, offset)
    return LogRecord(
        time=_time(said.time),
        client=client_of(unescape(said.client)),
        rrname=rrname,
        rrtype=said.rrtype,
        answers=answers,
        chain=chain,
        offset=offset,
        unread=unread,
    )


def _connection(said: Said, offset: int) -> LogRecord | None:
    rrname = "" if said.kind == "connection" else _host(said)
    answers = tuple(address for address in map(address_of, said.answers) if address)
    if rrname is None or not (rrname or answers):
        return None
    return LogRecord(
        time=_time(said.time),
        client=client_of(unescape(said.client)),
        rrname=rrname,
        rrtype="",
        answers=answers,
        chain=(),
        offset=offset,
        kind=said.kind,
    )


def _host(said: Said) -> str | None:
    try:
        return host_of(unescape(said.name))
    except NameRefused as err:
        raise Unreadable(f"{'host' if said.kind == 'http' else 'server_name'} is no name: {err}") from err


def _split_answers(said: Said, offset: int) -> tuple[tuple[names.Address, ...], tuple[str, ...], tuple[BadLine, ...]]:
    """Addresses, CNAME targets, and what is neither though it should be."""
    if not said.answers or said.rrtype not in _ADDRESSED:
        return (), (), ()
    addresses: list[names.Address] = []
    chain: list[str] = []
    unread: list[BadLine] = []
    for spelt in said.answers:
        answer = unescape(spelt)
        address = address_of(answer)
        if address is not None:
            addresses.append(address)
        elif answer not in _NO_NAME and not _OTHER_TYPE.match(answer):
            try:
                chain.append(name_of(answer))
            except NameRefused as err:
                unread.append(BadLine(offset, f"answer is neither address nor name: {err}", spelt[:SAMPLE]))
    if not said.rrtype and not addresses:
        return (), (), ()  # these are targets of any type
    return tuple(addresses), tuple(chain), tuple(unread)


def _time(value: bytes | float | str) -> float:
    """Epoch seconds of a `ts` in any of Zeek's spellings."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = _iso_time(value)
    if seconds >= _MILLISECONDS:
        seconds /= 1000
    if not 0 <= seconds < LATEST:
        raise Unreadable("ts is no time")
    return seconds


def _iso_time(value: bytes | float | str) -> float:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise Unreadable("ts is no time") from err
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
