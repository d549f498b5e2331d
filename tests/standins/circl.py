"""CIRCL's Passive DNS, version 2: HTTP Basic, `dribble-*` headers, and an active resolver that runs unless it is forbidden.

Follows circl.lu/services/passive-dns and CIRCL's own client, pypdns: pages are asked for by a number of rows and the place
that the page before named; without such a number as many rows come as the first version gave. Places are large numbers that
say nothing. A query value stands on either side of the rows that it brings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from tests.standins.cof import CofServer, Row, row
from tests.standins.provider import ProviderStandin, Seen
from tests.standins.server import Call, Reply

USER, PASSWORD = "jane@cert.example", "p4ssw0rd-of-jane"
MAX_SET = 1000
"""Rows without pages."""

_FIRST_PLACE = 7_346_046_680_497_455_128


class Server(ProviderStandin, CofServer):
    """CIRCL by what it has seen, and by `rows` of other types.

    Attributes:
        turned: whether name and value stand in each other's place and numbers are texts, as in the example on its page.
        forgetful: whether it knows no place of a page any more.
    """

    provider: ClassVar[str] = "circl"
    secrets: ClassVar[Mapping[str, str]] = {"username": USER, "password": PASSWORD}
    path: ClassVar[str] = "/pdns"

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.login = (USER, PASSWORD)
        self.turned = False
        self.forgetful = False

    @property
    def asked(self) -> list[str]:
        return [call.path.removeprefix("/pdns/query/") for call in self.calls]

    def answer(self, call: Call) -> Reply:
        if not call.path.startswith("/pdns/query/"):
            return Reply(404, {"Content-Type": "text/html"}, [b"<html>404: Not Found</html>"])
        place = call.headers.get("dribble-paginate-cursor")
        if place is not None and (self.forgetful or not place.isdigit() or int(place) < _FIRST_PLACE):
            return Reply(400, {"Content-Type": "text/plain"}, [b"no such cursor"])
        return super().answer(Call(call.method, call.path.removeprefix("/pdns"), call.query, call.headers, call.body))

    def about(self, asked: str) -> Sequence[Row]:
        found = [row(one.name, one.address, one.first, one.last, count=one.count) for one in self.seen_as(asked)]
        found += [one for one in self.rows if asked in (one["rrname"], one["rdata"])]
        return [_turned(one) for one in found] if self.turned else found

    def seen_as(self, asked: str) -> Sequence[Seen]:
        """What was seen with a name or an address."""
        return [one for one in self.seen if asked in (one.name, one.address)]

    def page(self, call: Call, rows: Sequence[Row]) -> tuple[Sequence[Row], Mapping[str, str]]:
        wanted = call.headers.get("dribble-filter-rrtype")
        rows = [found for found in rows if wanted in (None, found["rrtype"])]
        within = rows[: self.reach]
        start = int(call.headers.get("dribble-paginate-cursor", _FIRST_PLACE)) - _FIRST_PLACE
        size = int(call.headers.get("dribble-paginate-count", MAX_SET))
        end = start + min(size, self.cap or size)
        if end < len(within):
            return within[start:end], {"x-dribble-cursor": str(_FIRST_PLACE + end)}
        if len(within) < len(rows):
            said = {"error": "maxset", "maxset": len(within), "total_value": len(rows)}
            return within[start:end], {"x-dribble-errors": json.dumps(said)}
        return within[start:end], {}


def _turned(found: Row) -> Row:
    texts = {key: str(value) for key, value in found.items() if isinstance(value, int)}
    return {**found, **texts, "rrname": found["rdata"], "rdata": found["rrname"]}
