"""VirusTotal's API, version 3: the resolutions of an address, by pages and cursors.

As docs.virustotal.com has it: reference/ip-resolutions, reference/resolution-object, reference/errors.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply

JSON = {"Content-Type": "application/json; charset=utf-8"}
LIMIT = 40
_PATH = re.compile(r"/api/v3/ip_addresses/([^/]+)/resolutions")


def row(seen: Seen) -> Mapping[str, object]:
    """A resolution object; the statistics are those of nothing."""
    stats = {"harmless": 0, "malicious": 0, "suspicious": 0, "undetected": 0, "timeout": 0}
    return {
        "type": "resolution",
        "id": f"{seen.address}{seen.name}",
        "attributes": {
            "date": seen.last,
            "host_name": seen.name,
            "host_name_last_analysis_stats": stats,
            "ip_address": seen.address,
            "ip_address_last_analysis_stats": stats,
            "resolver": "VirusTotal",
        },
        "links": {"self": f"https://www.virustotal.com/api/v3/resolutions/{seen.address}{seen.name}"},
    }


def error(status: int, code: str, message: str) -> Reply:
    """A refusal, in lines as VirusTotal writes it."""
    body = json.dumps({"error": {"code": code, "message": message}}, indent=4)
    return Reply(status, JSON, [body.encode()])


def quota_exceeded() -> Reply:
    return error(429, "QuotaExceededError", "Quota exceeded")


def too_many_requests() -> Reply:
    return error(429, "TooManyRequestsError", "There are too many requests")


class Server(ProviderStandin):
    """Answers from `seen`, the latest first.

    Attributes:
        answers: bodies that are given as they are, by address.
        per_day: calls that the key may make; None: any number.
        era: cursors given in an earlier one are refused.
        absent: the status for an address of which nothing is known.
    """

    provider = "virustotal"
    dates: ClassVar[frozenset[str]] = frozenset({"last"})

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.answers: dict[str, bytes] = {}
        self.per_day: int | None = None
        self.era = 1
        self.absent = 200

    def answer(self, call: Call) -> Reply:
        key = call.headers.get("x-apikey")
        if key is None:
            return error(401, "AuthenticationRequiredError", "X-Apikey header is missing")
        if key != KEY:
            return error(401, "WrongCredentialsError", "Wrong API key")
        if self.per_day is not None and len(self.calls) > self.per_day:
            return quota_exceeded()
        asked = _PATH.fullmatch(call.path)
        if asked is None:
            return error(404, "NotFoundError", "Resource not found.")
        return self._resolutions(asked[1], call.query)

    def _resolutions(self, address: str, query: Mapping[str, str]) -> Reply:
        if address in self.answers:
            return Reply(200, JSON, [self.answers[address]])
        try:
            seen = self.within(str(ipaddress.ip_address(address)))
            limit = min(int(query.get("limit", 10)), self.cap or LIMIT)
            start = self._start(query.get("cursor"))
        except ValueError as err:
            return error(400, "InvalidArgumentError", str(err))
        if int(query.get("limit", 10)) > LIMIT:
            return error(400, "InvalidArgumentError", f"limit must be at most {LIMIT}")
        if not seen and self.absent == 404:
            return error(404, "NotFoundError", f'IP address "{address}" not found')
        return Reply(200, JSON, [json.dumps(self._page(address, seen, start, limit)).encode()])

    def _page(self, address: str, seen: Sequence[Seen], start: int, limit: int) -> Mapping[str, object]:
        reachable = seen[: self.reach]
        end = start + limit
        here = f"https://www.virustotal.com/api/v3/ip_addresses/{address}/resolutions?limit={limit}"
        meta: dict[str, object] = {"count": len(seen)}
        links = {"self": here}
        if end < len(reachable):
            meta["cursor"] = self._cursor(end)
            links["next"] = f"{here}&cursor={meta['cursor']}"
        return {"data": [row(one) for one in reachable[start:end]], "meta": meta, "links": links}

    def _cursor(self, start: int) -> str:
        return base64.urlsafe_b64encode(f"{self.era}:{start}".encode()).decode()

    def _start(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        era, _, start = base64.urlsafe_b64decode(cursor).decode().partition(":")
        if int(era) != self.era:
            raise ValueError("Invalid cursor")
        return int(start)
