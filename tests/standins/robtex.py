"""Robtex' free API: rows with `rrdata`, CRLF behind each, the same row twice, and a refusal of who asks too often.

Follows robtex.com/api as public clients quote it: `/pdns/reverse/{address or name}` brings the records whose value that is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from tests.standins.provider import ProviderStandin, Seen
from tests.standins.server import Call, Reply

Row = Mapping[str, object]
REVERSE = "/pdns/reverse/"


def row(name: str, value: str, rrtype: str = "A", first: int = 1_700_000_000, last: int = 1_700_000_600) -> Row:
    """A row as Robtex writes it."""
    return {"rrname": name, "rrdata": value, "rrtype": rrtype, "time_first": first, "time_last": last, "count": 3}


class Server(ProviderStandin):
    """Robtex by what it has seen, and by `rows` of other types.

    Attributes:
        most: calls that it answers before it says that they are too many.
    """

    provider: ClassVar[str] = "robtex"
    secrets: ClassVar[Mapping[str, str]] = {}

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.rows: list[Row] = []
        self.most: int | None = None

    def answer(self, call: Call) -> Reply:
        if not call.path.startswith(REVERSE):
            return Reply(404, {"Content-Type": "text/html"}, [b"<html>404</html>"])
        if self.most is not None and len(self.calls) > self.most:
            return Reply(429, {"Content-Type": "application/json"}, [b'{"status":"ratelimited"}'])
        found = [json.dumps(one).encode() + b"\r\n" for one in self._pointing_at(call.path.removeprefix(REVERSE))]
        return Reply(200, {"Content-Type": "application/json"}, [*found[:1], *found[: self.cap]])

    def _pointing_at(self, value: str) -> Sequence[Row]:
        rrtype = "AAAA" if ":" in value else "A"
        seen = [row(one.name, value, rrtype, one.first, one.last) for one in self.seen if one.address == value]
        return [*seen, *(one for one in self.rows if one["rrdata"] == value)]
