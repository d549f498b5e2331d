"""A server that answers as Spamhaus' two interfaces do: queries of addresses and netblocks; a login, and a search with it.

Follows docs.spamhaus.com/pdns/docs/source/000-WO/Passive_DNS_API.html for deteque, and docs.deteque.com/pdns (accessing the
API, returned data, account limits) for v2. What the fields of a row of deteque, and those of CHECK_QUOTA, are called is not
documented: they are made up here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply

JSON = {"Content-Type": "application/json"}
NOW = 1_795_500_000  # 2026-11-24 06:00 UTC
CAP = 100_000
USER = "jane.doe"
_SEARCH = re.compile(r"/v2/_search/rdata/(.+)")

Row = Mapping[str, object]


class Server(ProviderStandin):
    """Spamhaus.

    Attributes:
        aliases: names that point at a name.
        a_day, a_month: queries that the account has.
        expires: epoch seconds at which tokens of v2 end.
        shape: how deteque gives its rows: `lines`, an `array`, or an `object` with an array in it.
    """

    provider = "spamhaus"
    secrets: ClassVar[Mapping[str, str]] = {"username": USER, "password": KEY}
    options: Mapping[str, object] = {"limit": 1_000}  # what the account may have at once: both interfaces cut without a word

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.aliases: dict[str, Sequence[str]] = {}
        self.a_day, self.a_month = 2_000, 10_000
        self.expires: object = NOW + 86_400
        self.shape = "lines"
        self.tokens: list[str] = []

    def costs(self, call: Call) -> bool:
        return call.path not in {"/v2/login", "/v2/limits"} and call.query.get("queryType") != "CHECK_QUOTA"

    def answer(self, call: Call) -> Reply:
        if call.path == "/api/query":
            return self._query(call)
        if call.path == "/v2/login":
            return self._login(call)
        if call.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _said(401, {"status": "error", "message": "Not authorized", "error": 401})
        if call.path == "/v2/limits":
            return _said(200, self._limits())
        search = _SEARCH.fullmatch(call.path)
        return self._search(call, search[1]) if search else _said(404, {"error": True, "status": 404})

    # -- deteque --------------------------------------------------------------------------------------------------------

    def _query(self, call: Call) -> Reply:
        login = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {login}":
            return Reply(401, {"WWW-Authenticate": "Basic"}, [b"401 Unauthorized\n"])
        if call.query.get("queryType") == "CHECK_QUOTA":
            used = len(self.paid)
            day, month = {"used": used, "allowed": self.a_day}, {"used": used, "allowed": self.a_month}
            return _said(200, {"daily": day, "monthly": month})
        if call.query.get("queryType") != "IP" or call.query.get("output") != "JSON":
            return Reply(400, {}, [b"unknown queryType\n"])
        try:
            here = self.within(call.query.get("target", ""))
        except ValueError:
            return Reply(400, {}, [b"bad target\n"])
        most = min(int(call.query.get("query_limit", CAP)), CAP if self.cap is None else self.cap)
        return self._given([_line(one) for one in here[:most]])

    def _given(self, rows: Sequence[Row]) -> Reply:
        if self.shape == "array":
            return Reply(200, JSON, [json.dumps(rows, indent=1).encode()])
        if self.shape == "object":
            return Reply(200, JSON, [json.dumps({"count": len(rows), "results": rows}).encode()])
        return Reply(200, {"Content-Type": "text/plain"}, [json.dumps(row).encode() + b"\n" for row in rows], "chunked")

    # -- v2 -------------------------------------------------------------------------------------------------------------

    def _login(self, call: Call) -> Reply:
        if call.method != "POST" or json.loads(call.body) != {"username": USER, "password": KEY}:
            return _said(401, {"status": "error", "message": "Not authorized", "error": 401})
        self.tokens.append(f"eyJ0eXAi.{len(self.tokens)}.pVH3wEDSVM")
        return _said(201, {"status": "ok", "token": self.tokens[-1], "expires": self.expires})

    def _limits(self) -> Mapping[str, object]:
        used = len(self.paid)
        return {
            "account": {"id": "12345678", "maximum-dataset-size": 5_000, "allow-over-quota": 0, "realtime-sockets": 0},
            "limits": {"qpm": self.a_month, "qpd": self.a_day},
            "current": {"qpm": used, "qpd": used, "rpm": 2_296, "rpd": 2_296},
            "status": 200,
        }

    def _search(self, call: Call, value: str) -> Reply:
        try:
            rows = [_record(one.name, one.address, one.first, one.last) for one in self.within(value)]
        except ValueError:
            rows = [_record(alias, value) for alias in self.aliases.get(value, ())]
            rows += [{**_record("ns.example.com", value), "rrtype": "NS"}]
        most = min(int(call.query.get("limit", 100)), 5_000 if self.cap is None else self.cap)
        verbose = call.query.get("verbose") == "1"
        given = [row if verbose else {**row, "time_first": None} for row in rows[:most]]
        told = {"hits": len(given), "status": 200, "verbose": int(verbose)}
        return _said(200, {"error": False, "elapsed-ms": 1, "records": given, **told})


def _line(one: Seen) -> Row:
    times = {"first_seen": one.first, "last_seen": one.last}
    return {"hostname": one.name, "ip": one.address, **times, "count": one.count}


def _record(name: str, rdata: str, first: int = 1_700_000_000, last: int = 1_700_000_600) -> Row:
    kind = "AAAA" if ":" in rdata else "A" if rdata[-1].isdigit() else "CNAME"
    times = {"time_first": first, "time_last": last}
    return {"id": "76B92A16A9DD74A0", "rrname": name, "rrclass": "IN", "rrtype": kind, "rdata": rdata, **times}


def _said(status: int, document: Mapping[str, object]) -> Reply:
    return Reply(status, JSON, [json.dumps(document).encode()])
