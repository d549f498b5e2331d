"""Rows of the Passive DNS Common Output Format (draft-dulaunoy-dnsop-passive-dns-cof-13 §3) as observations.

Real servers bend the format: numbers as texts or fractions, types as numbers or in lower case, `rdata` as one text or as an
array or called `rrdata`, name and address in each other's place. All of that is understood row by row. What is not
understood, or is not about the question, is counted by its reason with one sample each: no row is lost without being
counted. Names that decode are kept however odd they are; `names.publishable` judges them later.

Nothing here asks anybody or reads a clock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from feedsvc.errors import NameRefused, SourceError
from feedsvc.http import OPEN, Answer, Discretion
from feedsvc.model import Batch, End, Observation, Refused, Tlp
from feedsvc.names import Netblock, NetblockMap, parse_name
from feedsvc.sources import bodies, times
from feedsvc.sources.bodies import Shape
from feedsvc.sources.cof_rows import ADDRESS_TYPES, Plain, Row, Said, Unfit, shape
from feedsvc.sources.complaints import Strays
from feedsvc.sources.endings import COMPLETE, broken
from feedsvc.sources.places import Place, Places
from feedsvc.sources.records import is_name

BATCH = 5_000
"""Rows after which a batch is full: what bounds the memory of a read."""

NOT_JSON = "not a JSON object"
NOT_A_NAME = "not a domain name"
OUTSIDE = "outside the asked netblock"
OTHER_TYPE = "not an address record"
TWO_ADDRESSES = "an address on both sides"
BETRAYAL = "a secret that was asked with, in the place of a name"
IN_FUTURE = "time in the future, taken as now"
BACKWARDS = "time_first after time_last, taken the other way round"
NO_TIME = "time that is no number of seconds, left out"

_ROW = re.compile(rb'\s*+\{.*"rrname".*\}\s*', re.DOTALL)
_REASONS = 50  # why names were refused, told apart; a hostile answer may invent a new reason for each row


class Rows:
    """Reads rows about one netblock and gathers what they say until `batch` takes it.

    Attributes:
        understood: how many rows were COF, whatever they were about; 0 after a whole answer: it was something else.
        seen: how many rows there were; blank lines are none.
    """

    def __init__(
        self, netblock: Netblock | NetblockMap, now: datetime, discretion: Discretion = OPEN, tlp: Tlp = Tlp.CLEAR
    ) -> None:
        """Begin.

        Args:
            netblock: addresses outside it, or outside all of them, were not asked for.
            now: no observation is later.
            discretion: of the `http.Answer`: a server may repeat what it was asked with, in a row too.
            tlp: how far the rows may be passed on, when they do not say so themselves.
        """
        self.understood = 0
        self.seen = 0
        self._now = math.ceil(now.timestamp())
        self._discretion = discretion
        self._seek_secret = discretion.seeker()
        self._tlp = tlp
        self._decoder = msgspec.json.Decoder(Row)
        self._plain_decoder = msgspec.json.Decoder(Plain)
        self._places = Places(netblock)
        self._observations: list[Observation] = []
        self._plain: list[Plain] = []  # what came since, to become observations
        self._refused: dict[str, Refused] = {}
        self._reasons: set[str] = set()
        self._gathered = 0
        self._torn = False
        self._strays = Strays()
        self._ended_astray = False

    @property
    def complaint(self) -> bytes:
        """What stood around the rows, or in place of one, and says that something is wrong; b"" when nothing does."""
        return self._strays.complaint

    @property
    def full(self) -> bool:
        """Whether it is time to take the batch."""
        return self._room <= 0

    @property
    def _room(self) -> int:
        return BATCH - max(self._gathered, len(self._observations) + len(self._plain))

    def read(self, lines: Iterable[bytes]) -> Iterator[Batch]:
        """Feed the lines of a whole answer and yield what they say; also what came before the answer broke.

        Raises:
            SourceError: as the lines do.
        """
        waiting = iter(lines)
        try:
            while (odd := self._take_plain(waiting)) is not None:
                self._torn = not self._feed_odd(odd) and not odd.endswith(b"\n")
                if self.full:
                    yield self.batch()
        except SourceError:
            yield self.batch()
            raise
        self._ended_astray = self._strays.ends_astray(self.seen - 1)
        yield self.batch()

    def framed(self, answer: Answer, shape: type[Shape], what: str) -> Shape:
        """The document in which the rows stand, as `bodies.whole` has it; what it says is wrong with it is heard.

        Raises:
            SourceError: as `bodies.whole` and `bodies.members` do.
        """
        body = answer.read()
        document = bodies.decoded(answer, body, shape, what)
        self.frame(body)
        return document

    def frame(self, document: bytes) -> None:
        """Hear what a document in which rows stand says is wrong with it.

        Raises:
            SourceError: as `bodies.members` does.
        """
        self._strays.take_frame(document)

    def feed(self, row: bytes) -> bool:
        """Read one row; whatever it holds, this does not raise. Returns whether it was JSON at all, or nothing."""
        plain = self._as_plain(row)
        if plain is None:
            return self._feed_odd(row)
        self._plain.append(plain)
        self._count_plain(1)
        return True

    def _take_plain(self, lines: Iterator[bytes]) -> bytes | None:
        """Take rows while they are plain. Returns the first that is not, b"" when the batch is full, None at the end."""
        before = len(self._plain)
        try:
            for line in islice(lines, max(self._room, 0)):
                row = self._as_plain(line)
                if row is None:
                    return line
                self._plain.append(row)
        finally:
            self._count_plain(len(self._plain) - before)
        return b"" if self.full else None

    def _count_plain(self, rows: int) -> None:
        self.seen += rows
        self.understood += rows
        self._gathered += rows
        if rows:
            self._torn = False
            self._strays.take_row()

    def _as_plain(self, line: bytes) -> Plain | None:
        """A row as `_feed_odd` would read it, if it is plain."""
        try:
            row = self._plain_decoder.decode(line)
            name = row.rrname = parse_name(row.rrname)
        except (ValueError, RecursionError, NameRefused):
            return None
        # What ends in a digit or has an escape may be an address; no name of the public DNS does (RFC 3696 §2).
        if name[-1] <= "9" or "\\" in name or (self._seek_secret is not None and self._seek_secret(name)):
            return None
        place = self._places[row.rdata]
        if place is None or not place.inside or not row.time_first <= row.time_last <= self._now:
            return None
        row.rrtype, row.rdata, _ = place
        if row.sensor_id is not None:
            row.sensor_id = self._sensor_id(row.sensor_id)
        row.chain, row.tlp = (), self._tlp
        return row

    def _feed_odd(self, row: bytes) -> bool:
        if not row.strip():
            return True
        self.seen += 1
        self._gathered += 1
        decoded = self._decode(row)
        # Whoever chooses a name can make its row unreadable: that must not make the answer look broken.
        if isinstance(decoded.rrname, str) if decoded else _ROW.fullmatch(row):
            self._strays.take_row()
        else:
            self._strays.take(row)
        try:
            if decoded is None:
                self.refuse(NOT_JSON, row)
            else:
                self._read(decoded, row)
        except Unfit as err:
            self.refuse(str(err), row)
        return decoded is not None

    def refuse(self, reason: str, sample: bytes) -> None:
        """Count something that could not be used, and keep the first sample of its kind."""
        known = self._refused.get(reason)
        if known is None:
            self._refused[reason] = Refused(reason, 1, self._discretion.shown(sample))
        else:
            self._refused[reason] = Refused(reason, known.count + 1, known.sample)

    def batch(self) -> Batch:
        """Everything gathered since the last call."""
        self._make_observations()
        batch = Batch(observations=tuple(self._observations), refused=tuple(self._refused.values()))
        self._observations, self._refused, self._gathered = [], {}, 0
        return batch

    def end(self, form: str = "COF") -> End:
        """What the rows alone say about the end of an answer that was read whole.

        Args:
            form: what the rows should have been, for the message.
        """
        said = self._discretion.shown(self._strays.complaint or self._strays.last)
        if self._strays.complaint and (self.understood or not self.seen):
            return broken(f"the server broke off with a complaint (it says: {said})", self.understood)
        if self._torn:
            return broken("the answer ends in the middle of a row", self.understood)
        if self.seen and not self.understood:
            return broken(f"none of the {self.seen:,} rows of the answer is {form}: is the URL right?", 0)
        if self._ended_astray:
            return broken(f"the answer ends in something that is no row (it says: {said})", self.understood)
        return COMPLETE

    def _decode(self, row: bytes) -> Row | None:
        try:
            return self._decoder.decode(row)
        except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
            return None

    def take(self, said: Said, sample: bytes) -> None:
        """Take one row of a provider that does not speak COF; whatever it holds, this does not raise.

        Args:
            sample: the row as it came, shown where it cannot be used.
        """
        self.seen += 1
        self._gathered += 1
        try:
            self._say(said, sample)
        except Unfit as err:
            self.refuse(str(err), sample)

    def leave_out(self, reason: str, sample: bytes, *, understood: bool) -> None:
        """Count one row of a provider that does not speak COF and that is not taken.

        Args:
            understood: whether it has the form of a row, and is merely of no use here.
        """
        self.seen += 1
        self.understood += understood
        self._gathered += 1
        if not understood:
            self._strays.take(sample)
        self.refuse(reason, sample)

    def _read(self, row: Row, line: bytes) -> None:
        name, rdata = shape(row)
        if str(row.rrtype).upper() not in ADDRESS_TYPES:
            self.understood += 1
            raise Unfit(OTHER_TYPE)
        first, last, zone_first, zone_last = row.time_first, row.time_last, row.zone_time_first, row.zone_time_last
        self._say(Said(name, rdata, first, last, zone_first, zone_last, row.count, row.sensor_id), line)

    def _say(self, said: Said, line: bytes) -> None:
        if not isinstance(said.rrname, str):
            self._strays.take(line)
            raise Unfit("no rrname")
        self.understood += 1
        if any(map(self._discretion.holds_secret, said.chain)):
            raise Unfit(BETRAYAL)
        pairs = dict.fromkeys(self._pairs(said.rrname, said.rdata, line))
        if not pairs:
            return
        first, last = self._span(said.time_first, said.time_last, line)
        zone_first, zone_last = self._span(said.zone_time_first, said.zone_time_last, line)
        count, sensor_id = times.whole(said.count), self._sensor_id(said.sensor_id)
        tlp = self._tlp if said.tlp is None else said.tlp
        self._make_observations()
        self._observations += [
            Observation(
                owner, place.rrtype, place.rdata, first, last, zone_first, zone_last, count, sensor_id, said.chain, tlp
            )
            for owner, place in pairs
        ]

    def _make_observations(self) -> None:
        """Of the plain rows so far, so that observations stand in the order of their rows."""
        self._observations += msgspec.convert(self._plain, list[Observation], from_attributes=True)
        self._plain.clear()

    def _pairs(self, name: str, rdata: Sequence[Any], line: bytes) -> Iterator[tuple[str, Place]]:
        """Canonical name and address of each value that is inside the netblock."""
        for value in rdata:
            try:
                owner, place = self._oriented(name, value)
                yield self._kept(parse_name(owner)), place
            except NameRefused as err:
                self.refuse(self._why_no_name(err), line)
            except Unfit as err:
                self.refuse(str(err), line)

    def _kept(self, name: str) -> str:
        """A canonical name that may become an observation."""
        if not is_name(name):
            raise Unfit(TWO_ADDRESSES)
        if self._discretion.holds_secret(name):
            raise Unfit(BETRAYAL)
        return name

    def _sensor_id(self, value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        return self._discretion.shown(value) if isinstance(value, str) and value else None

    def _why_no_name(self, err: NameRefused) -> str:
        reason = f"{NOT_A_NAME}: {err}"
        if reason not in self._reasons and len(self._reasons) >= _REASONS:
            return NOT_A_NAME
        self._reasons.add(reason)
        return reason

    def _oriented(self, name: str, value: object) -> tuple[str, Place]:
        """Name and address, whichever side the address is on: CIRCL's own example has them in each other's place."""
        if not isinstance(value, str):
            raise Unfit("rdata that is no text")
        owner, place = name, self._places[value]
        if place is None:
            owner, place = value, self._places[name]
        if place is None:
            raise Unfit("no address on either side")
        if not place.inside:
            raise Unfit(OUTSIDE)
        return owner, place

    def _span(self, first: object, last: object, line: bytes) -> tuple[int | None, int | None]:
        if first is None and last is None:
            return None, None
        start, end = self._moment(first, line), self._moment(last, line)
        if start is not None and end is not None and start > end:
            self.refuse(BACKWARDS, line)
            return end, start
        return start, end

    def _moment(self, value: object, line: bytes) -> int | None:
        if value is None:
            return None
        moment = times.whole(value)
        if moment is None:
            self.refuse(NO_TIME, line)
            return None
        if moment > self._now:
            self.refuse(IN_FUTURE, line)
            return self._now
        return moment
