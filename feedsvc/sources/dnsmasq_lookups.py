"""The lines that dnsmasq writes of one lookup, joined: what was asked, by whom, and the whole answer. Pure.

With `log-queries=extra` each line says by a serial and the client's port which lookup it is of: those are `Tied`. With
`log-queries` alone nothing says so, and the lines are `Loose`: a question is a record at once, and lines of an answer that
stand together are another one, of nobody. Whether what stands there is an address, and no text that looks like one, is known
by the questions above.

What is held is bounded: lookups in flight, answers that may go on, and for how long in the time of the log itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from feedsvc.errors import NameRefused
from feedsvc.sources.port import BadLine, LogRecord
from feedsvc.sources.readings import SAMPLE, address_of
from feedsvc.sources.records import MAX_WAY
from feedsvc.sources.spellings import name_of_octets

IN_FLIGHT = 512
"""Questions without an answer that are held, and names of which is held what was asked about them."""

PATIENCE = 60.0
"""Seconds of the log after which a question will not be answered any more; dnsmasq itself gives up after 10."""

SIDE_BY_SIDE = 8
"""Answers that may go on: the processes that dnsmasq starts for questions over TCP write in between each other."""

QUIET = 1.0
"""Seconds by the file's own clock without a line after which an answer does not go on: its lines are written at once."""

PAUSE = 2.0
"""Seconds of the log after which an answer does not go on: its lines are written at once, and two whole seconds of the log
may be next to each other."""

ADDRESSES = 256
"""Addresses of one answer that are told; no honest one has as many."""

NOT_HELD = "answer to a question that the log does not hold"

_ADDRESSED = ("A", "AAAA")
# Of these, dnsmasq writes no more than the type (`<MX>`). A TXT record is written as its text; what is not here may be too.
_WITHOUT_TEXT = {*_ADDRESSED, "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "SVCB"}
_CNAME = b"<CNAME>"
_UNPRINTABLE = b"<name unprintable>"


class Said(NamedTuple):
    """One line.

    Attributes:
        kind: a question, that it was passed on, an answer from upstream or from the cache, or one of dnsmasq's own.
        process: which process wrote it; "" when it does not say.
        lookup: which lookup of that process it is of; "" when it does not say.
        client: who asked; None when it does not say.
        name: as it is written.
        value: what the name is, of an answer.
        rrtype: what was asked, of a question.
        time, offset, line: when it was written, where it stands, and the line itself.
    """

    kind: Literal["query", "forwarded", "answer", "own"]
    process: str
    lookup: str
    client: str | None
    name: bytes
    value: bytes
    rrtype: str
    time: float
    offset: int
    line: bytes

    def bad(self, reason: str) -> BadLine:
        """The line as one that cannot be read."""
        return BadLine(self.offset, reason, self.line[:SAMPLE])


class Lookup(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A lookup as far as it is known.

    Attributes:
        rrname: what was asked; "" when it is nothing to look for.
        owner: the name that the next line of its answer is about.
        redirected: the last line was a CNAME: its target is the name of the next line, whatever that is.
        last: the time of its last line.
        kinds: what its lines were, where nothing says what was asked.
    """

    time: float
    offset: int
    client: str | None
    rrname: str
    rrtype: str
    owner: str
    last: float
    redirected: bool = False
    chain: list[str] = []
    answers: list[str] = []
    kinds: list[str] = []

    def follow(self, owner: str) -> bool:
        """Whether a line about this name goes on with the answer; the target of a CNAME is taken into the chain."""
        if self.redirected:
            self.redirected = False
            self.owner = owner
            if owner and len(self.chain) < MAX_WAY:
                self.chain.append(owner)
        return owner == self.owner

    def add(self, address: str) -> None:
        """Take one more address."""
        if len(self.answers) < ADDRESSES:
            self.answers.append(address)

    def begin_again(self) -> None:
        """It is passed on: the rest of a chain that the cache had is not the answer."""
        self.owner, self.redirected, self.chain = self.rrname, False, []

    def record(self) -> LogRecord:
        """What there is to tell of it."""
        addresses = (address_of(address.encode()) for address in self.answers)
        return LogRecord(
            time=self.time,
            client=self.client,
            rrname=self.rrname,
            rrtype=self.rrtype,
            answers=tuple(address for address in addresses if address is not None),
            chain=tuple(self.chain) if self.answers else (),
            offset=self.offset,
        )


# -- lines that say which lookup they are of ---------------------------------------------------------------------------


class Tied:
    """Joins lines that say which lookup they are of.

    Args:
        asked: lookups without an answer, by process and lookup; the oldest first.
        answered: those with an answer that may go on.
    """

    def __init__(self, asked: dict[str, Lookup], answered: dict[str, Lookup]) -> None:
        self.asked = asked
        self.answered = answered

    def take(self, said: Said) -> Iterator[LogRecord | BadLine]:
        """Take one line; yields what became whole by it, or cannot be read."""
        key = f"{said.process} {said.lookup}"
        if said.kind == "query":
            yield from self._ask(key, said)
        elif said.kind == "forwarded":
            self._pass_on(key)
        else:
            yield from self._answer(key, said)
        yield from _told(self._due(key, said))

    def finish(self) -> Iterator[LogRecord]:
        """All that was waited for."""
        yield from _told([*self.answered.values(), *self.asked.values()])
        self.answered.clear()
        self.asked.clear()

    def settle(self) -> Iterator[LogRecord]:
        """The lookups that are answered: nothing more of their answers will come."""
        yield from _told(list(self.answered.values()))
        self.answered.clear()

    def _ask(self, key: str, said: Said) -> Iterator[LogRecord | BadLine]:
        former = [held.pop(key) for held in (self.answered, self.asked) if key in held]
        yield from _told(former)  # a serial comes again after a restart
        rrname, reason = _name(said.name)
        self.asked[key] = _begun(said, rrname)
        if reason:
            yield said.bad(reason)

    def _pass_on(self, key: str) -> None:
        found = self.answered.pop(key, None)
        if found is not None:
            found.begin_again()
            self.asked[key] = found

    def _answer(self, key: str, said: Said) -> Iterator[BadLine]:
        found = self.answered.get(key) or self.asked.pop(key, None)
        if found is None:
            if said.kind == "answer" and address_of(said.value):
                yield said.bad(NOT_HELD)
            return
        self.answered[key] = found
        found.last = said.time
        if said.kind == "answer":
            yield from _add(found, said)

    def _due(self, key: str, said: Said) -> Iterator[Lookup]:
        """Lookups that are whole: a process writes an answer without pause, and nothing else in between."""
        others = [other for other in self.answered if other != key]
        crowd = len(others) - SIDE_BY_SIDE + 1
        for number, other in enumerate(others):
            same = said.process != "" and other.startswith(f"{said.process} ")
            if same or number < crowd or self.answered[other].last + PAUSE <= said.time:
                yield self.answered.pop(other)
        while self.asked:
            oldest = next(iter(self.asked))
            if len(self.asked) <= IN_FLIGHT and self.asked[oldest].time + PATIENCE >= said.time:
                return
            yield self.asked.pop(oldest)


def _add(found: Lookup, said: Said) -> Iterator[BadLine]:
    """Take a line of the answer to a question that is known."""
    owner, _ = _name(said.name)
    if not found.follow(owner):
        if found.rrtype in _ADDRESSED and address_of(said.value):
            yield said.bad("address of another name than was asked for")
    elif said.value == _CNAME:
        found.redirected = True
    elif found.rrtype in _ADDRESSED and address_of(said.value):
        found.add(said.value.decode())


# -- lines that do not -------------------------------------------------------------------------------------------------


class Loose:
    """Joins lines that do not say which lookup they are of.

    Args:
        answers: those that may go on, by process; their questions are not known.
        types: what was asked lately, by process and name, and not answered yet; the oldest first.
    """

    def __init__(self, answers: dict[str, Lookup], types: dict[str, list[str]]) -> None:
        self.answers = answers
        self.types = types

    def take(self, said: Said) -> Iterator[LogRecord | BadLine]:
        """Take one line; yields what became whole by it, or cannot be read."""
        if said.kind == "query":
            yield from self._end(said.process)
            yield from self._ask(said)
        elif said.kind == "answer":
            yield from self._answer(said)
        elif said.kind == "own":
            yield from self._end(said.process)
            self._forget(f"{said.process} {_name(said.name)[0]}", [_kind(said.value)])
        else:
            yield from self._pass_on(said)
        for process in [other for other, found in self.answers.items() if found.last + PAUSE <= said.time]:
            if process != said.process:
                yield from self._end(process)

    def settle(self) -> Iterator[LogRecord]:
        """The answers: nothing more of them will come."""
        for process in list(self.answers):
            yield from self._end(process)

    def finish(self) -> Iterator[LogRecord]:
        """All that was waited for."""
        yield from self.settle()
        self.types.clear()

    def _ask(self, said: Said) -> Iterator[LogRecord | BadLine]:
        rrname, reason = _name(said.name)
        if reason:
            yield said.bad(reason)
        if not rrname:
            return
        key = f"{said.process} {rrname}"
        types = self.types.pop(key, [])
        self.types[key] = types if said.rrtype in types else [*types, said.rrtype][-SIDE_BY_SIDE:]
        if len(self.types) > IN_FLIGHT:
            del self.types[next(iter(self.types))]
        yield _begun(said, rrname).record()

    def _pass_on(self, said: Said) -> Iterator[LogRecord]:
        found = self.answers.get(said.process)
        same = found is not None and found.rrname == _name(said.name)[0]
        yield from self._end(said.process, answered=not same)

    def _answer(self, said: Said) -> Iterator[LogRecord | BadLine]:
        owner, _ = _name(said.name)
        kind = _kind(said.value)
        found = self.answers.get(said.process)
        if found is not None and not _goes_on(found, owner, kind):
            yield from self._end(said.process)
            found = None
        if found is None:
            if not owner:
                return
            if len(self.answers) >= SIDE_BY_SIDE:
                yield from self._end(next(iter(self.answers)))
            found = self.answers[said.process] = _begun(said, owner)
        found.last = said.time
        found.follow(owner)
        yield from self._add(found, kind, said)

    def _add(self, found: Lookup, kind: str, said: Said) -> Iterator[BadLine]:
        if kind not in found.kinds:
            found.kinds.append(kind)
        if kind == "CNAME":
            found.redirected = True
        elif address_of(said.value):
            types = self.types.get(f"{said.process} {found.rrname}")
            if types is None:
                yield said.bad(NOT_HELD)
            elif kind in types and not _WITHOUT_TEXT.issuperset(types):
                yield said.bad("address or text: both were asked for")
            elif kind in types:
                found.rrtype = kind
                found.add(said.value.decode())

    def _end(self, process: str, *, answered: bool = True) -> Iterator[LogRecord]:
        """No more of the answer will come; `answered` says whether it was one, or will be asked for elsewhere."""
        found = self.answers.pop(process, None)
        if found is None:
            return
        if answered:
            self._forget(f"{process} {found.rrname}", found.kinds)
        if found.answers:
            yield found.record()

    def _forget(self, key: str, kinds: Iterable[str]) -> None:
        """These were answered."""
        left = self.types.get(key, [])
        for kind in kinds:
            if kind == "NXDOMAIN":
                left = []
            elif kind in _ADDRESSED:
                left = [asked for asked in left if asked != kind]
            elif kind == "text":
                left = [asked for asked in left if asked in _ADDRESSED]
        if left:
            self.types[key] = left
        else:
            self.types.pop(key, None)


def _goes_on(found: Lookup, owner: str, kind: str) -> bool:
    """Whether a line belongs to the answer above it."""
    if found.redirected:
        return True
    # After a text comes another one, whatever it looks like: a TXT record may have several.
    return owner == found.owner and found.kinds[-1:] in ([kind], ["text"])


def _kind(value: bytes) -> str:
    """What a line of an answer is: what it answers, CNAME, NXDOMAIN or text."""
    if value == _CNAME:
        return "CNAME"
    if value == b"NODATA-IPv4":
        return "A"
    if value == b"NODATA-IPv6":
        return "AAAA"
    if value == b"NXDOMAIN":
        return "NXDOMAIN"
    if address_of(value):
        return "AAAA" if b":" in value else "A"
    return "text"


# -- what both need ----------------------------------------------------------------------------------------------------


def _begun(said: Said, rrname: str) -> Lookup:
    return Lookup(said.time, said.offset, said.client, rrname, said.rrtype, owner=rrname, last=said.time)


def _told(lookups: Iterable[Lookup]) -> Iterator[LogRecord]:
    return (lookup.record() for lookup in lookups if lookup.rrname)


def _name(spelt: bytes) -> tuple[str, str]:
    """The name, "" for none, and why it cannot be read."""
    if spelt == _UNPRINTABLE:
        return "", "name that dnsmasq does not write"
    try:
        return name_of_octets(spelt), ""
    except NameRefused as err:
        return "", f"query is no name: {err}"
