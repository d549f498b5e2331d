"""The answers of one record whose log says the type of each, and maybe whose it is: addresses, and the CNAMEs before them.

Pure. An address comes out of an A or AAAA answer and out of nothing else. Where owners are told, the way is followed by them
(`feedsvc.sources.chains`); else CNAME targets are taken in the order of the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from feedsvc.errors import NameRefused
from feedsvc.names import Address
from feedsvc.sources import texts
from feedsvc.sources.chains import follow
from feedsvc.sources.port import BadLine
from feedsvc.sources.readings import SAMPLE

_ADDRESSED = frozenset({"A", "AAAA"})


class Answer(NamedTuple):
    """One record of an answer section, as it was written.

    Attributes:
        rrtype: in upper case.
        owner: whose it is; None when the log does not say.
    """

    rrtype: str
    data: object
    owner: object = None


class Answers(NamedTuple):
    """What the answers of one record say; the fields are those of `port.LogRecord`."""

    answers: tuple[Address, ...] = ()
    chain: tuple[str, ...] = ()
    unread: tuple[BadLine, ...] = ()


NOTHING = Answers()


def read_answers(asked: str, answers: Iterable[Answer], offset: int, read_name: texts.NameReader = texts.name_of) -> Answers:
    """Read the answers to a question.

    Args:
        asked: the canonical name.
        offset: of the record, for what of it cannot be read.
        read_name: reads owners and targets, as `texts.name_of` does.
    """
    read = _Reading(asked, offset, read_name)
    for answer in answers:
        read.take(answer)
    return read.found()


class _Reading:
    def __init__(self, asked: str, offset: int, read_name: texts.NameReader) -> None:
        self._asked = asked
        self._read_name = read_name
        self._offset = offset
        self._owned = False
        self._addresses: dict[str, list[Address]] = {}
        self._targets: dict[str, str] = {}
        self._chain: list[str] = []
        self._unread: list[BadLine] = []

    def take(self, answer: Answer) -> None:
        try:
            if answer.rrtype in _ADDRESSED:
                self._take_address(answer)
            elif answer.rrtype == "CNAME":
                self._take_target(answer)
        except NameRefused as err:
            self._refuse(f"CNAME that is no name: {err}", answer.data)

    def found(self) -> Answers:
        if not self._owned:
            addresses = (address for found in self._addresses.values() for address in found)
            return Answers(tuple(dict.fromkeys(addresses)), tuple(self._chain), tuple(self._unread))
        way = follow(self._asked, self._targets, self._addresses)
        if way.fault:
            self._refuse(way.fault, self._asked)
        return Answers(way.answers, way.chain, tuple(self._unread))

    def _take_address(self, answer: Answer) -> None:
        address = texts.address_of(answer.data)
        if address is None:
            self._refuse("answer that is no address", answer.data)
        else:
            self._addresses.setdefault(self._owner(answer.owner), []).append(address)

    def _take_target(self, answer: Answer) -> None:
        target = self._name(answer.data)
        if target:
            self._chain.append(target)
            self._targets.setdefault(self._owner(answer.owner), target)

    def _owner(self, owner: object) -> str:
        if owner is None or owner == "":
            return self._asked
        self._owned = True
        return self._name(owner)

    def _name(self, value: object) -> str:
        if not isinstance(value, str):
            raise NameRefused("no text")
        return self._read_name(value)

    def _refuse(self, reason: str, sample: object) -> None:
        self._unread.append(BadLine(self._offset, reason, str(sample).encode("utf-8", "replace")[:SAMPLE]))
