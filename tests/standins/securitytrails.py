"""SecurityTrails, API version 1, as docs.securitytrails.com has it and as it was recorded.

It knows the present alone: which names have an address, without times. It resolves the names it lists when `include_ips` is
true, or is not said to be false, as its clients say it does.
"""

from __future__ import annotations

import functools
import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from tests.standins.provider import KEY, ProviderStandin, Seen, span
from tests.standins.server import Call, Reply

JSON = {"Content-Type": "application/json; charset=utf-8"}
LIST, USAGE = "/v1/domains/list", "/v1/account/usage"


class Server(ProviderStandin):
    """Answers `/v1/domains/list` and `/v1/account/usage`.

    Attributes:
        cnames: which names have which CNAME.
        used, allowed: questions of this month.
        a_second: questions of a second, told by a header.
        ipv6_prefixes: whether it reads IPv6 prefixes as such, or as an address that no name has.
        resolved: names that were looked up in the DNS because nothing forbade it.
        answers: bodies that are given as they are, by the value of the filter.
    """

    provider: ClassVar[str] = "securitytrails"
    dates: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.cnames: dict[str, str] = {}
        self.used, self.allowed, self.a_second = 9, 50_000, 5
        self.ipv6_prefixes = False
        self.resolved: list[str] = []
        self.answers: dict[str, bytes] = {}

    @property
    def asked(self) -> list[str]:
        """What was asked for, in order: `ipv4 198.51.100.0/24 1`, with its page."""
        return [f"{kind} {value} {call.query.get('page', 1)}" for call in self.paid for kind, value in _filter(call).items()]

    def costs(self, call: Call) -> bool:
        return call.path != USAGE

    def answer(self, call: Call) -> Reply:
        key = call.headers.get("apikey")
        if key != KEY:
            return _message(401 if key is None else 403, "Invalid authentication credentials")
        if call.path == USAGE:
            return _json({"current_monthly_usage": self.used, "allowed_monthly_usage": self.allowed})
        if call.path != LIST or call.method != "POST":
            return _message(404, "no Route matched with those values")
        if self.used >= self.allowed:
            return _message(429, "You've exceeded the usage limits for your account.")
        self.used += 1
        return self._listed(call)

    def _listed(self, call: Call) -> Reply:
        ((kind, value),) = _filter(call).items()
        if value in self.answers:
            return Reply(200, JSON, [self.answers[value]])
        names = self._names(kind, value)
        page, size = int(call.query.get("page", 1)), min(self.cap or 100, 100)
        most = 100 if self.reach is None else -(-self.reach // size)
        if page > most:
            return _message(400, "page is too large")
        shown = names[(page - 1) * size :][:size]
        if call.query.get("include_ips", "true") == "true":
            self.resolved += shown
        meta = {"total_pages": -(-len(names) // size), "query": f"{kind} = '{value}'", "page": page, "max_page": most}
        return _json(
            {"records": [_record(name) for name in shown], "record_count": len(names), "meta": meta, "endpoint": LIST},
            {"X-RateLimit-Limit-Second": str(self.a_second), "X-RateLimit-Remaining-Second": str(self.a_second - 1)},
        )

    def _names(self, kind: str, value: str) -> Sequence[str]:
        if kind == "cname":
            return sorted(name for name, target in self.cnames.items() if target == value)
        first, last = span(value)
        if first.version == 6 and first != last and not self.ipv6_prefixes:
            return []
        low, high = (first.version, int(first)), (last.version, int(last))
        return sorted({one.name for one in self.seen if low <= _number(one.address) <= high})


@functools.lru_cache(maxsize=4096)
def _number(address: str) -> tuple[int, int]:
    read = ipaddress.ip_address(address)
    return read.version, int(read)


def _filter(call: Call) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(call.body)["filter"]
    return found


def _record(name: str) -> Mapping[str, object]:
    return {
        "whois": {"registrar": "Example Registrar Ltd", "expiresDate": 1_800_000_000_000, "createdDate": 1_500_000_000_000},
        "mail_provider": [],
        "hostname": name,
        "host_provider": ["Example Hosting, Inc."],
        "computed": {"company_name": None},
        "alexa_rank": None,
    }


def _json(value: object, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(200, {**JSON, **(headers or {})}, [json.dumps(value).encode()])


def _message(status: int, message: str) -> Reply:
    return Reply(status, JSON, [json.dumps({"message": message}).encode()])
