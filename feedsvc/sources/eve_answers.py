"""What the dns events of Suricata answer: whole answers of versions 2 and 3, single records of version 1, as records. Pure.

Names on the way to the addresses are followed by the owners of the answers; `grouped` answers have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from feedsvc.errors import NameRefused
from feedsvc.names import Address
from feedsvc.sources.chains import follow, leads_to
from feedsvc.sources.eve_events import Answer, Dns, dns_address, dns_name, dns_target, rrtype_of
from feedsvc.sources.eve_lookups import MAX_TARGETS, Lookup
from feedsvc.sources.port import BadLine, LogRecord
from feedsvc.sources.readings import SAMPLE, Unreadable

_ADDRESSED = ("A", "AAAA")
_NO_ADDRESS = "answer that is no address"
_MOST_UNREAD = 64  # parts of an answer that are told: one line of an attacker has room for tens of thousands


class Seen(NamedTuple):
    """What all records of an event have in common."""

    time: float
    client: str | None
    offset: int


def questions_of(dns: Dns) -> list[tuple[str, str]]:
    """What was asked: names, the root left out, and types.

    Raises:
        Unreadable: one is no name.
    """
    asked = [(dns.rrname, dns.rrtype)] if dns.queries is None else [(one.rrname, one.rrtype) for one in dns.queries]
    try:
        named = [(dns_name(name), rrtype_of(rrtype)) for name, rrtype in asked]
    except NameRefused as err:
        raise Unreadable(f"rrname is no name: {err}") from err
    return [(name, rrtype) for name, rrtype in named if name]


def is_single(dns: Dns) -> bool:
    """Whether an answer is one record of many, as version 1 writes them."""
    whole = dns.answers is not None or dns.grouped is not None or dns.queries is not None
    return not whole and (not isinstance(dns.version, int) or dns.version < 2)


def whole_answer(dns: Dns, questions: Sequence[tuple[str, str]], seen: Seen) -> list[LogRecord]:
    """The records of an answer that is one event."""
    if not dns.answers and dns.grouped:
        return [_grouped(dns.grouped, question, seen) for question in questions[:1]]
    found = _Answers(dns.answers or (), seen.offset)
    return [found.record(question, seen) for question in questions or found.first_owner()]


class _Answers:
    """The answer section of one event, by the owners of its records."""

    def __init__(self, answers: Iterable[Answer], offset: int) -> None:
        self._offset = offset
        self._targets: dict[str, str] = {}
        self._addresses: dict[str, list[Address]] = {}
        self._unread: list[BadLine] = []
        for answer in answers:
            self._take(answer)

    def first_owner(self) -> list[tuple[str, str]]:
        """What was asked, where the answer does not say: nothing else comes first."""
        return [(owner, "") for owner in (*self._targets, *self._addresses)[:1]]

    def record(self, question: tuple[str, str], seen: Seen) -> LogRecord:
        """What it answers to a question."""
        rrname, rrtype = question
        way = follow(rrname, self._targets, self._addresses)
        unread = tuple(self._unread)
        if way.fault:
            unread += (BadLine(seen.offset, way.fault, rrname.encode()[:SAMPLE]),)
        return LogRecord(seen.time, seen.client, rrname, rrtype, way.answers, way.chain, seen.offset, unread)

    def _take(self, answer: Answer) -> None:
        try:
            if answer.rrtype == "CNAME":
                self._targets.setdefault(_owner(answer), dns_target(answer.rdata))
            elif answer.rrtype in _ADDRESSED:
                self._addresses.setdefault(_owner(answer), []).append(_address(answer.rdata))
        except NameRefused as err:
            self._tell(f"answer is no name: {err}", answer)
        except Unreadable as err:
            self._tell(str(err), answer)

    def _tell(self, reason: str, answer: Answer) -> None:
        if len(self._unread) == _MOST_UNREAD:
            return
        sample = f"{answer.rrname} {answer.rrtype} {answer.rdata}"
        self._unread.append(BadLine(self._offset, reason, sample.encode("utf-8", "replace")[:SAMPLE]))


def _owner(answer: Answer) -> str:
    owner = dns_name(answer.rrname)
    if not owner:
        raise Unreadable("answer without an owner")
    return owner


def _address(rdata: object) -> Address:
    address = dns_address(rdata)
    if address is None:
        raise Unreadable(_NO_ADDRESS)
    return address


def _grouped(grouped: Mapping[str, list[Any]], question: tuple[str, str], seen: Seen) -> LogRecord:
    """An answer by types: its CNAMEs are the chain, its addresses stand at the end of it."""
    unread: list[BadLine] = []
    addresses: dict[Address, None] = {}
    chain: dict[str, None] = {}
    for rdata in (value for rrtype in _ADDRESSED for value in grouped.get(rrtype, ())):
        address = dns_address(rdata)
        if address is None:
            unread.append(BadLine(seen.offset, _NO_ADDRESS, str(rdata).encode("utf-8", "replace")[:SAMPLE]))
        else:
            addresses[address] = None
    for rdata in grouped.get("CNAME", ()):
        try:
            chain[dns_target(rdata)] = None
        except NameRefused as err:
            unread.append(BadLine(seen.offset, f"answer is no name: {err}", str(rdata).encode("utf-8", "replace")[:SAMPLE]))
    rrname, rrtype = question
    told = tuple(unread[:_MOST_UNREAD])
    return LogRecord(seen.time, seen.client, rrname, rrtype, tuple(addresses), tuple(chain), seen.offset, told)


def join(lookup: Lookup, answer: tuple[str, str], rdata: object, seen: Seen) -> list[LogRecord]:
    """Put one record of an answer to what is known of its lookup; tells it when it is an address.

    Args:
        answer: its owner and its type.

    Raises:
        Unreadable: it is not what its type says.
    """
    owner, rrtype = answer
    if rrtype == "CNAME" and len(lookup.targets) < MAX_TARGETS:
        try:
            lookup.targets.setdefault(owner, dns_target(rdata))
        except NameRefused as err:
            raise Unreadable(f"answer is no name: {err}") from err
    if rrtype not in _ADDRESSED:
        return []
    address = _address(rdata)
    client = seen.client or lookup.asked[0].client
    for asked in lookup.asked:
        chain = leads_to(asked.rrname, lookup.targets, owner)
        if chain is not None:
            lookup.told = True
            return [LogRecord(seen.time, client, asked.rrname, asked.rrtype or rrtype, (address,), chain, seen.offset)]
    return [LogRecord(seen.time, client, owner, rrtype, (address,), (), seen.offset)]
