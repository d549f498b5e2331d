"""Rows about names that point at a name by CNAME (RFC 1034 §3.6.2), as observations of these names.

Who knows a name that resolves into a netblock asks for its aliases, as the malware may ask for one of those. An alias has
the addresses of the name behind it: each makes an observation, with that name as its chain and the times of the CNAME.

CIRCL's own example has name and value in each other's place. A CNAME has a name on either side and does not tell, and read
the wrong way round it would make an alias of what the name itself points at: somebody else's host. So the rows with
addresses that stand in the same answer decide. Nothing here asks anybody or reads a clock.
"""

from __future__ import annotations

from datetime import datetime

from feedsvc.errors import NameRefused
from feedsvc.http import OPEN, Discretion
from feedsvc.model import Batch, Tlp
from feedsvc.names import NetblockMap, is_address, parse_name, parse_netblock
from feedsvc.sources.cof import Rows
from feedsvc.sources.cof_rows import ADDRESS_TYPES, Row, Said, Unfit, shape
from feedsvc.sources.port import Front

NO_ALIAS = "no alias of the name that was asked about"

_CNAME_TYPES = frozenset({"CNAME", "5", "TYPE5"})  # RFC 1035 §3.2.2, RFC 3597 §5


def is_alias(front: Front, alias: str, behind: str) -> bool:
    """Whether a CNAME from one to the other makes the first an alias of the name that was asked about.

    For rows of other forms, which tell on which side the alias is.
    """
    try:
        return parse_name(behind) == front.name != parse_name(alias)
    except NameRefused:
        return False


class Aliases(Rows):
    """Reads rows as `Rows` does, and keeps the aliases of one name."""

    def __init__(self, front: Front, now: datetime, discretion: Discretion = OPEN, tlp: Tlp = Tlp.CLEAR) -> None:
        """Begin; the arguments are those of `Rows`."""
        super().__init__(NetblockMap([parse_netblock(address) for address in front.rdata]), now, discretion, tlp)
        self._front = front
        self._turned = False
        self._waiting: list[tuple[Row, bytes]] = []

    def batch(self) -> Batch:
        """Everything gathered since the last call; which side the alias is on is decided by all rows until now."""
        waiting, self._waiting = self._waiting, []
        for row, line in waiting:
            self._settle(row, line)
        return super().batch()

    def _as_plain(self, line: bytes) -> None:
        """No row is plain here: one with an address is no alias, however well it reads."""

    def _read(self, row: Row, line: bytes) -> None:
        name, rdata = shape(row)
        rrtype = str(row.rrtype).upper()
        if rrtype in _CNAME_TYPES:
            self._waiting.append((row, line))
            return
        self.understood += 1
        if rrtype in ADDRESS_TYPES and is_address(name) and not is_address(str(rdata[0])):
            self._turned = True
        raise Unfit(NO_ALIAS)

    def _settle(self, row: Row, line: bytes) -> None:
        """Say what a CNAME row says, once it is known how to read it."""
        understood = self.understood + 1
        first, last, zone_first, zone_last = row.time_first, row.time_last, row.zone_time_first, row.zone_time_last
        chain = (self._front.name,)
        for alias in self._aliases(row, line):
            said = Said(alias, self._front.rdata, first, last, zone_first, zone_last, row.count, row.sensor_id, chain=chain)
            self._say(said, line)
        self.understood = understood

    def _aliases(self, row: Row, line: bytes) -> list[str]:
        name, rdata = shape(row)
        found: set[str] = set()
        for value in rdata:
            try:
                found.add(self._alias(name, value))
            except NameRefused as err:
                self.refuse(self._why_no_name(err), line)
            except Unfit as err:
                self.refuse(str(err), line)
        return sorted(found)

    def _alias(self, name: str, value: object) -> str:
        """The alias, canonical; raises when the row is about another name."""
        if not isinstance(value, str):
            raise Unfit("rdata that is no text")
        alias, behind = (value, name) if self._turned else (name, value)
        found = parse_name(alias)
        if parse_name(behind) != self._front.name or found == self._front.name:
            raise Unfit(NO_ALIAS)
        return found
