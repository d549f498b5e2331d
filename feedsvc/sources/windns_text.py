"""What Windows' DNS server writes into its debug log: packets, names with the lengths of their labels, local times. Pure.

    2/23/2023 5:13:14 PM 0C1C PACKET  00000005D8F8BC40 UDP Rcv 10.0.0.1  0747 R Q [8081   DR  NOERROR] A  (7)example(3)com(0)

Columns shift: there is no `R` where nothing was answered, and older servers leave out the packet's number or the asked type.
Labels are read by their lengths, so that one may hold dots and brackets; between them stand marks of compression (`[C00C]`).
"""

from __future__ import annotations

import functools
import re
from datetime import datetime, tzinfo
from typing import Literal, NamedTuple

from feedsvc import names
from feedsvc.errors import NameRefused
from feedsvc.sources import dnswire
from feedsvc.sources.readings import LATEST, Unreadable
from feedsvc.sources.records import is_name

DateOrder = Literal["auto", "mdy", "dmy", "ymd"]
Clock = Literal["auto", "12", "24"]

_PACKET = re.compile(
    rb"(?P<stamp>[^\t]{6,48}?) +[0-9A-Fa-f]{2,8} PACKET +(?:[0-9A-Fa-f]{8,16} +)?(?:UDP|TCP) +(?P<way>Snd|Rcv) +"
    rb"(?P<remote>[0-9A-Fa-f.:]{2,45})(?:%[^ ]{1,16})? +[0-9A-Fa-f]{1,4} +(?:(?P<response>R) +)?(?P<opcode>[^ ]) +"
    rb"\[[^\]]{0,64}\] *(?:(?P<type>[^ (]{1,16}) +)?(?P<name>\(.*)?",
    re.DOTALL,
)
_CONTEXT = re.compile(rb"[0-9][^\t]{5,36}? +[0-9A-Fa-f]{2,8} (?!PACKET)[A-Z]{3,12}\b")
_HEADER = re.compile(rb"DNS Server log |Log file wrap at |Message logging key")
_MARK = re.compile(rb"\[[0-9A-Fa-f]{4}\]")
_LENGTH = re.compile(rb"\(([0-9]{1,3})\)")
_TYPE_NUMBER = re.compile(r"[0-9]{1,5}")
_LONGEST_NAME = 1024  # octets as written, marks included

_STAMP = re.compile(
    rb"(?:(?P<day>[0-9]{8})"
    rb"|(?P<one>[0-9]{1,4})(?P<between>[-/.]) ?(?P<two>[0-9]{1,2})(?P=between) ?(?P<three>[0-9]{1,4})\.?)"
    rb" +(?:(?P<before>[^0-9 ][^0-9]{0,10}?) *)?"
    rb"(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})[:.](?P<second>[0-9]{2})"
    rb"(?: *(?P<behind>[^0-9 ][^0-9]{0,10}))?"
)
_BLANKS = re.compile(rb"[. \xa0]|\xc2\xa0|\xe2\x80\xaf")
_HALVES = ("am pm", "上午 下午", "午前 午後", "오전 오후", "πμ μμ")
_CODE_PAGES = ("utf-8", "gbk", "big5", "cp932", "cp949", "cp1253")


class Packet(NamedTuple):
    """One packet that the server sent or got.

    Attributes:
        stamp: when, as it is spelt.
        sent: sent and not got.
        remote: the address at the other end, as it is spelt.
        response: whether it answers a question.
        query: whether it is a query at all, and no update or notification.
        rrtype: the asked type; "" when it is not told.
        name: the asked name, as it is spelt; b"" when there is none.
    """

    stamp: bytes
    sent: bool
    remote: bytes
    response: bool
    query: bool
    rrtype: str
    name: bytes


def read_packet(line: bytes) -> Packet | None:
    """The packet of a line; None for a line of another kind.

    Raises:
        Unreadable: it is one, and cannot be read.
    """
    if b" PACKET " not in line[:96]:
        return None
    found = _PACKET.fullmatch(line.rstrip())
    if found is None:
        raise Unreadable("packet that cannot be read")
    return Packet(
        stamp=found["stamp"],
        sent=found["way"] == b"Snd",
        remote=found["remote"],
        response=found["response"] is not None,
        query=found["opcode"] == b"Q",
        rrtype=type_of(found["type"] or b""),
        name=found["name"] or b"",
    )


def is_remark(line: bytes) -> bool:
    """Whether a line is of the file's header, or tells of anything but a packet."""
    return _HEADER.match(line) is not None or _CONTEXT.match(line) is not None


def is_head(line: bytes) -> bool:
    """Whether a line is one that only the header of a debug log has."""
    return line.startswith((b"DNS Server log file creation", b"Message logging key"))


@functools.lru_cache(maxsize=1024)
def type_of(spelt: bytes) -> str:
    """A record type as it is named; by its number where it has no name here."""
    text = spelt.decode("ascii", "backslashreplace").strip()
    return dnswire.type_name(int(text)) if _TYPE_NUMBER.fullmatch(text) else {"ALL": "ANY"}.get(text, text)


def name_of(spelt: bytes) -> str:
    """The canonical name of `(3)www(7)example(3)com(0)`; "" for the root, and for an address in the place of a name.

    Raises:
        NameRefused: it is no name.
    """
    if len(spelt) > _LONGEST_NAME:
        raise NameRefused("longer than any name can be written")
    return _name(spelt)


@functools.lru_cache(maxsize=65536)
def _name(spelt: bytes) -> str:
    labels, at = [], 0
    while True:
        at = _after(_MARK, spelt, at)
        length = _LENGTH.match(spelt, at)
        if length is None:
            raise NameRefused("labels that are not as long as they say")
        begin, size = length.end(), int(length[1])
        if not size:
            break
        labels.append(spelt[begin : begin + size])
        at = begin + size
    if spelt[begin:].strip():
        raise NameRefused("something behind its end")
    name = names.encode_labels(labels) if labels else ""
    return name if is_name(name) else ""


def _after(mark: re.Pattern[bytes], text: bytes, at: int) -> int:
    found = mark.match(text, at)
    return found.end() if found else at


# -- times -------------------------------------------------------------------------------------------------------------


def _marks() -> dict[bytes, int]:
    """What stands for the first half of a day (0) and the second (12), in the languages and code pages of servers."""
    found = {b"a": 0, b"p": 12}
    for pair in _HALVES:
        for hours, mark in zip((0, 12), pair.split(), strict=True):
            for page in _CODE_PAGES:
                try:
                    found[mark.encode(page)] = hours
                except UnicodeEncodeError:
                    continue
    return found


_MARKS = _marks()


class Moments:
    """Reads the times of one log, which are local and as the server's language writes them.

    Args:
        zone: of the server.
        order, clock: as in the format's options.
        learnt: what `learnt` said when the log was read to here.

    Attributes:
        learnt: the order of days and months, where a line has shown it; "" before.
    """

    def __init__(self, zone: tzinfo, order: DateOrder, clock: Clock, learnt: str = "") -> None:
        self.learnt = learnt
        self._zone = zone
        self._order = order
        self._clock = clock
        self._known: tuple[bytes, float] | None = None

    def read(self, stamp: bytes) -> float:
        """Epoch seconds of a time. Of an hour that the clock goes through twice in autumn, the first is meant.

        Raises:
            Unreadable: it is none, or none of the order and the clock that are asked for.
        """
        if self._known is None or stamp != self._known[0]:
            self._known = (stamp, self._seconds(stamp))
        return self._known[1]

    def _seconds(self, stamp: bytes) -> float:
        found = _STAMP.fullmatch(stamp.strip())
        if found is None:
            raise Unreadable("time that cannot be read")
        hour = self._hour(found)
        year, month, day = self._date(found)
        try:
            moment = datetime(year, month, day, hour, int(found["minute"]), int(found["second"]), tzinfo=self._zone)
            seconds = moment.timestamp()
        except (ValueError, OverflowError) as err:
            raise Unreadable("time that there is not: see `date_order`") from err
        if not 0 <= seconds < LATEST:
            raise Unreadable("time that cannot be read")
        return seconds

    def _hour(self, found: re.Match[bytes]) -> int:
        hour, mark = int(found["hour"]), found["before"] or found["behind"]
        if self._clock != "auto" and (self._clock == "12") != (mark is not None):
            raise Unreadable("time of another clock than `clock` says")
        if mark is None:
            return hour
        mark = _BLANKS.sub(b"", mark)
        half = _MARKS.get(mark, _MARKS.get(mark.lower()))
        if half is None or not 1 <= hour <= 12:
            raise Unreadable("half of the day that is not known")
        return hour % 12 + half

    def _date(self, found: re.Match[bytes]) -> tuple[int, int, int]:
        if found["day"]:
            text = found["day"]
            return int(text[:4]), int(text[4:6]), int(text[6:])
        one, two, three = found["one"], found["two"], found["three"]
        if len(one) == 4 or self._order == "ymd":
            return _year(one), int(two), int(three)
        month, day = int(one), int(two)
        if self._order_of(found, month, day) == "dmy":
            month, day = day, month
        return _year(three), month, day

    def _order_of(self, found: re.Match[bytes], one: int, two: int) -> str:
        """Whether the month comes first. A number above twelve shows it, from there on."""
        if self._order != "auto":
            return self._order
        if max(one, two) > 12:
            self.learnt = "dmy" if one > 12 else "mdy"
        if self.learnt:
            return self.learnt
        # Where days come first, hours are counted to 24, and dates written with dots or hyphens; but for few.
        american = found["between"] == b"/" and (found["before"] or found["behind"])
        return "mdy" if american else "dmy"


def _year(text: bytes) -> int:
    return int(text) + 2000 if len(text) <= 2 else int(text)
