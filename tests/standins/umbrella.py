"""Cisco Umbrella: its token endpoint, and passive DNS of Investigate, as Cisco's OpenAPI description has it.

Rows by address (`/investigate/v2/pdns/ip`) and by what a CNAME points at (`/investigate/v2/pdns/domain`), pages by `limit`
and `offset`, sorting, filters by time. A list, or that list wrapped, as clients have seen it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Literal

from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply
from tests.standins.tokens import Tokens

TOKEN = "/auth/v2/token"
BY_ADDRESS, BY_NAME = "/investigate/v2/pdns/ip/", "/investigate/v2/pdns/domain/"
MOST, USUAL = 10_000, 500

Row = Mapping[str, object]


def row(name: str, rr: str, first: int, last: int, kind: str = "A") -> Row:
    """A record; `name` is what was asked about, `rr` the host, `lastSeenISO` has no seconds."""
    return {
        "minTtl": 3600,
        "maxTtl": 3600,
        "firstSeen": first * 1000,
        "lastSeen": last * 1000,
        "name": name,
        "type": kind,
        "rr": f"{rr}.",
        "securityCategories": ["Malware"],
        "contentCategories": [],
        "firstSeenISO": f"{datetime.fromtimestamp(first, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "lastSeenISO": f"{datetime.fromtimestamp(last, UTC):%Y-%m-%dT%H:%MZ}",
    }


class Server(ProviderStandin):
    """Answers from `seen`.

    Attributes:
        form: a bare list, or one in `records` with a `pageInfo`.
        aliases: pairs of a name and the name that it points at.
        answers: what data calls are answered with in place of what is known, by path.
        obeys: the parameters that it knows; it does not look at others.
    """

    provider: ClassVar[str] = "umbrella"
    secrets: ClassVar[Mapping[str, str]] = {"username": "cl1ent-1d", "password": KEY}

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.tokens = Tokens((self.secrets["username"], self.secrets["password"]), "basic")
        self.form: Literal["list", "wrapped"] = "list"
        self.aliases: list[tuple[str, str]] = []
        self.answers: dict[str, Reply] = {}
        self.obeys = {"limit", "offset", "sortby", "sortorder", "minLastSeen", "maxLastSeen"}

    def costs(self, call: Call) -> bool:
        return call.path != TOKEN

    @property
    def asked(self) -> list[Call]:
        """The calls but for logins."""
        return [call for call in self.calls if call.path != TOKEN]

    def answer(self, call: Call) -> Reply:
        if call.path == TOKEN:
            return self.tokens.answer(call)
        if not self.tokens.let_in(call):
            return _message(401, "Unauthorized")
        if call.path in self.answers:
            return self.answers[call.path]
        query = {name: value for name, value in call.query.items() if name in self.obeys}
        if call.path.startswith(BY_ADDRESS):
            return self._of_address(call.path.removeprefix(BY_ADDRESS), query)
        if call.path.startswith(BY_NAME):
            return self._page(self._pointing_at(call.path.removeprefix(BY_NAME)), query)
        return _message(404, "no Route matched with those values")

    def _of_address(self, asked: str, query: Mapping[str, str]) -> Reply:
        try:
            ipaddress.ip_address(asked)
        except ValueError:
            return _message(400, f"invalid IP: {asked}")
        kind = "AAAA" if ":" in asked else "A"
        return self._page([row(one.address, one.name, one.first, one.last, kind) for one in self.within(asked)], query)

    def _pointing_at(self, name: str) -> list[Row]:
        return [row(name, alias, 1_700_000_000, 1_700_000_600, "CNAME") for alias, target in self.aliases if target == name]

    def _page(self, rows: Sequence[Row], query: Mapping[str, str]) -> Reply:
        limit, offset = int(query.get("limit", USUAL)), int(query.get("offset", 0))
        if not 0 < limit <= MOST or offset < 0:
            return _message(400, "limit must be between 1 and 10000")
        rows = [one for one in rows if _within(one, query)]
        if "sortby" in query:
            field = query["sortby"]
            rows = sorted(rows, key=lambda one: str(one[field]), reverse=query.get("sortorder", "desc") == "desc")
        reachable = rows[: MOST if self.reach is None else self.reach]
        size = min(limit, self.cap or MOST)
        page = reachable[offset : offset + size]
        info = {
            "hasMoreRecords": offset + len(page) < len(reachable),
            "offset": offset,
            "limit": size,
            "totalNumRecords": len(reachable),
        }
        told = page if self.form == "list" else {"pageInfo": info, "records": page}
        return Reply(200, {"Content-Type": "application/json"}, [json.dumps(told).encode()])


def _within(one: Row, query: Mapping[str, str]) -> bool:
    last = int(str(one["lastSeen"]))
    return int(query.get("minLastSeen", last)) <= last <= int(query.get("maxLastSeen", last))


def _message(status: int, text: str) -> Reply:
    return Reply(status, {"Content-Type": "application/json"}, [json.dumps({"message": text}).encode()])
