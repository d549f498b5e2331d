"""The details that Windows' DNS server writes below a packet when it is told to: its answer section. Pure.

    UDP response info at 00000005D8F8BC40
      …
        ACOUNT    1
      …
        ANSWER SECTION:
        Offset = 0x0055, RR count = 0
        Name      "[C00C](3)www(7)example(3)com(0)"
          TYPE   A  (1)
          CLASS  1
          TTL    60
          DLEN   4
          DATA   198.51.100.7

Texts are written into it as they came, and one with line ends in it could look like more answers. So each answer is read
once behind its `Offset`, and where there are more of them than `ACOUNT` says, none is believed.
"""

from __future__ import annotations

import re

import msgspec

from feedsvc.errors import NameRefused
from feedsvc.names import Address
from feedsvc.sources import chains, texts, windns_text

MAX_ANSWERS = 4096
"""Answers that are remembered of a packet: one of 64 KiB has no room for more."""

_BEGIN = re.compile(rb"(?:UDP|TCP) [a-z]{1,16} info at ")
_SECTION = re.compile(rb"\s+([A-Z]{1,16}) SECTION:\s*")
_COUNT = re.compile(rb"\s+ACOUNT\s+([0-9]{1,5})\s*")
_OFFSET = re.compile(rb"\s+Offset = 0x[0-9a-fA-F]{1,4}, RR count = [0-9]{1,5}\s*")
_FIELD = re.compile(rb"\s+(Name|TYPE|CLASS|DATA)\s+(.*?)\s*", re.DOTALL)
_NUMBER = re.compile(rb"\(([0-9]{1,5})\)\Z")
_ADDRESSES, _CNAME = frozenset({b"1", b"28"}), b"5"


class Way(msgspec.Struct, frozen=True):
    """What the details say of a question."""

    answers: tuple[Address, ...] = ()
    chain: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Details(msgspec.Struct):
    """What is known of the details of one packet so far."""

    begun: bool = False
    section: str = ""
    expected: int = -1
    seen: int = 0
    open: bool = False
    owner: bytes = b""
    kind: bytes = b""
    kind_class: bytes = b""
    targets: dict[str, str] = {}
    addresses: dict[str, list[Address]] = {}
    faults: list[str] = []

    def begins(self, line: bytes) -> bool:
        """Whether details begin with a line; they are read from there on."""
        if _BEGIN.match(line) is None:
            return False
        self.begun = True
        return True

    def take(self, line: bytes) -> None:
        """Read one line of them."""
        if not self.begun:
            return
        section = _SECTION.fullmatch(line)
        if section is not None:
            self.section = section[1].decode("ascii")
        elif self.section == "ANSWER":
            self._take_answer(line)
        elif not self.section and (count := _COUNT.fullmatch(line)) is not None:
            self.expected = int(count[1])

    def way(self, rrname: str) -> Way:
        """Where the asked name leads."""
        if 0 <= self.expected < self.seen:
            return Way(faults=("details with more answers than the packet has",))
        found = chains.follow(rrname, self.targets, self.addresses)
        faults = dict.fromkeys((*self.faults, found.fault))
        return Way(found.answers, found.chain, tuple(fault for fault in faults if fault))

    def _take_answer(self, line: bytes) -> None:
        if _OFFSET.fullmatch(line) is not None:
            self.seen += 1
            self.open = self.seen <= MAX_ANSWERS
            self.owner = self.kind = self.kind_class = b""
            return
        field = _FIELD.fullmatch(line) if self.open else None
        if field is None:
            return
        match field[1]:
            case b"Name":
                self.owner = self.owner or field[2]
            case b"TYPE":
                number = _NUMBER.search(field[2])
                self.kind = self.kind or (number[1] if number else b"")
            case b"CLASS":
                self.kind_class = self.kind_class or field[2]
            case _:
                self.open = False
                self._take_data(field[2])

    def _take_data(self, data: bytes) -> None:
        if self.kind_class != b"1" or (self.kind not in _ADDRESSES and self.kind != _CNAME):
            return
        try:
            owner = windns_text.name_of(self.owner.strip(b'"'))
            if self.kind == _CNAME:
                self._take_target(owner, windns_text.name_of(data))
            else:
                self._take_address(owner, data)
        except NameRefused as err:
            self._tell(f"answer is no name: {err}")

    def _take_target(self, owner: str, target: str) -> None:
        if target:
            self.targets.setdefault(owner, target)

    def _take_address(self, owner: str, data: bytes) -> None:
        address = texts.address_of(data.strip(b"[]").decode("ascii", "replace"))
        if address is None:
            self._tell("answer that is no address")
        else:
            self.addresses.setdefault(owner, []).append(address)

    def _tell(self, fault: str) -> None:
        if fault not in self.faults and len(self.faults) < 8:
            self.faults.append(fault)
