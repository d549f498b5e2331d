"""mnemonic's Passive DNS, API version 3, as docs.mnemonic.no has it and as it was seen to answer.

Open to all with less: 1,000 rows at once, rows marked white, a quota. A question without a type is answered as it was seen
to be: rows of every type that holds the address, without their first time, each flagged `partialResult`.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply

PATH = "/pdns/v3/"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that had another one as its CNAME."""

    name: str
    target: str


class Server(ProviderStandin):
    """Answers `/pdns/v3/{address or name}`.

    Attributes:
        aliases: what it knows of CNAMEs.
        tlps: how rows are marked, by name; white where nothing is said. Without a key, others are not given.
        answers: bodies that are given as they are, by what is asked.
        left: questions that who has no key may still ask; None: as many as are wanted.
        wait: milliseconds until there are more.
    """

    provider: ClassVar[str] = "mnemonic"

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.aliases: list[Alias] = []
        self.tlps: dict[str, str] = {}
        self.answers: dict[str, bytes] = {}
        self.left: int | None = None
        self.wait: int | None = 43_210

    @property
    def asked(self) -> list[str]:
        """What was asked for, in order: `198.51.100.7 a 0`, its type and offset behind it."""
        return [
            " ".join((call.path.removeprefix(PATH), call.query.get("rrType", "-"), call.query.get("offset", "-")))
            for call in self.calls
        ]

    def answer(self, call: Call) -> Reply:
        key = call.headers.get("argus-api-key")
        asked = call.path.removeprefix(PATH)
        if key not in (None, KEY):
            return refusal(401, "User not authenticated")
        if not call.path.startswith(PATH) or "/" in asked:
            return refusal(404, "Not found")
        if key is None and not self._pay():
            return refusal(402, "Resource limit exceeded", {} if self.wait is None else {WAIT: self.wait})
        if asked in self.answers:
            return Reply(200, JSON, [self.answers[asked]])
        return self._page(
            call, self._rows(asked, call.query.get("rrType"), public=key is None), 1_000 if key is None else 10_000
        )

    def _pay(self) -> bool:
        if self.left is not None:
            self.left -= 1
        return self.left is None or self.left >= 0

    def _rows(self, asked: str, rrtype: str | None, *, public: bool) -> list[Row]:
        rows = [*self._of_address(asked), *self._of_name(asked)]
        if rrtype is None:
            rows = [{**row, "firstSeenTimestamp": 0, "flags": ["partialResult"]} for row in rows]
        else:
            rows = [row for row in rows if row["rrtype"] == rrtype.lower()]
        rows = [row for row in rows if row["tlp"] == "white" or not public]
        if self.reach is not None and len(rows) > self.reach:
            return [{**row, "flags": ["partialResult"]} for row in rows[: self.reach]]
        return rows

    def _of_address(self, asked: str) -> list[Row]:
        try:
            address = ipaddress.ip_address(asked)
        except ValueError:
            return []
        rrtype = "a" if address.version == 4 else "aaaa"
        found = [self._row(one.name, one.address, rrtype, one) for one in self.within(asked)]
        return [*found, self._row(address.reverse_pointer, "host.example", "ptr")] if found else []

    def _of_name(self, asked: str) -> list[Row]:
        either = [one for one in self.aliases if asked in (one.name, one.target)]
        return [self._row(one.name, one.target, "cname") for one in either]

    def _row(self, query: str, answer: str, rrtype: str, seen: Seen = Seen("", "")) -> Row:  # noqa: B008
        return {
            "rrclass": "in",
            "rrtype": rrtype,
            "query": query,
            "answer": answer,
            "maxTtl": 3600,
            "minTtl": 60,
            "customer": None,
            "times": seen.count,
            "tlp": self.tlps.get(query, "white"),
            "flags": [],
            "createdTimestamp": 0,
            "lastUpdatedTimestamp": 0,
            "firstSeenTimestamp": seen.first * 1000 + 397,
            "lastSeenTimestamp": seen.last * 1000 + 201,
        }

    def _page(self, call: Call, rows: Sequence[Row], most: int) -> Reply:
        limit, offset = int(call.query.get("limit", 25)), int(call.query.get("offset", 0))
        if limit > most or (limit == 0 and len(rows) > most):
            return refusal(412, f"Maximum result limit for public usage is {most}")
        size = min(limit or len(rows), self.cap or most)
        page = rows[offset : offset + size]
        frame = {"limit": limit, "offset": offset, "count": len(rows), "size": len(page), "data": page}
        return Reply(200, JSON, [json.dumps({"responseCode": 200, "metaData": {}, "messages": [], **frame}).encode()])


JSON = {"Content-Type": "application/json;charset=UTF-8"}
WAIT = "millisUntilResourcesAvailable"


def refusal(status: int, message: str, more: Mapping[str, object] | None = None) -> Reply:
    """What is not answered, in the frame of what is."""
    frame = {"responseCode": status, "limit": 0, "offset": 0, "count": 0, "size": 0, "metaData": more or {}, "data": None}
    return Reply(status, JSON, [json.dumps({**frame, "messages": [{"message": message, "type": "ACTION_ERROR"}]}).encode()])


def jumped(seen: Sequence[Seen], name: str) -> list[Seen]:
    """The same, with one name seen later than all others."""
    return [replace(one, last=max(each.last for each in seen) + 1) if one.name == name else one for one in seen]
