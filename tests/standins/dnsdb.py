"""A server that speaks DNSDB API version 2: lookups of addresses, netblocks and names, time fences, limits, quotas, SAF.

Follows the vendor's documentation: docs.domaintools.com/api/dnsdb and docs.dnsdb.info/dnsdb-saf-protocol; for the seconds at
the ends of a time fence its `dnstable`, which counts them in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tests.standins.provider import KEY, ProviderStandin, Seen, parsed, span
from tests.standins.server import Call, Reply, Standin

Row = Mapping[str, object]
PREFIX = "/dnsdb/v2"
LOOKUP = f"{PREFIX}/lookup/rdata/ip/"
NAMES = f"{PREFIX}/lookup/rdata/name/"
NDJSON = {"Content-Type": "application/x-ndjson"}


def row(name: str, address: str, first: int = 1_700_000_000, last: int = 1_700_000_600, **more: object) -> Row:
    """The `obj` of a line: one record as DNSDB writes it."""
    rrtype = "AAAA" if ":" in address else "A"
    times = {"time_first": first, "time_last": last}
    return {"count": 3, **times, "rrname": f"{name}.", "rrtype": rrtype, "rdata": [address]} | more


def alias(name: str, behind: str, first: int = 1_700_000_000, last: int = 1_700_000_600) -> Row:
    """The `obj` of a line about a CNAME."""
    return row(name, "", first, last, rrtype="CNAME", rdata=[f"{behind}."])


@dataclass(frozen=True)
class Quota:
    """What a key may ask.

    Attributes:
        kind: by the `day`, by a `block` that was bought, or `unlimited`.
        limit: lookups.
        moment: epoch seconds at which the day ends, or the block expires.
        burst: lookups in so many seconds; counted from the first one on, as the stand-in's time stands still.
    """

    kind: str = "day"
    limit: int = 1000
    moment: int = 1_795_564_800
    burst: tuple[int, int] | None = None

    def told(self, used: int) -> Mapping[str, object]:
        """As `/rate_limit` tells it."""
        if self.kind == "unlimited":
            return {"limit": "unlimited", "remaining": "n/a", "reset": "n/a"}
        left = {"limit": self.limit, "remaining": max(self.limit - used, 0)}
        return left | ({"reset": self.moment} if self.kind == "day" else {"reset": "n/a", "expires": self.moment})


class DnsdbServer(Standin):
    """Answers lookups from `rows`.

    Attributes:
        rows: records of addresses, and CNAMEs.
        results_max: rows that the key may have at once; a larger or no limit is silently brought down to it.
        now: epoch seconds, what negative fences count from.
        strict: whether a time fence leaves its own second out.
        quota: of the key.
        answers: SAF bodies that are given as they are, by value asked.
    """

    def __init__(
        self, rows: Iterable[Row] = (), *, key: str = "k", results_max: int = 1_000_000, now: int = 1_795_000_000
    ) -> None:
        super().__init__()
        self.rows: list[Row] = list(rows)
        self.results_max = results_max
        self.now = now
        self.strict = False
        self.quota = Quota()
        self.answers: dict[str, bytes] = {}
        self.key = key

    @property
    def asked(self) -> list[str]:
        """The values that were asked, in order."""
        return [call.path.removeprefix(LOOKUP) for call in self.calls if call.path.startswith(LOOKUP)]

    @property
    def used(self) -> int:
        """The lookups that the key made."""
        return sum(1 for call in self.calls if call.path.startswith((LOOKUP, NAMES)))

    def answer(self, call: Call) -> Reply:
        if call.headers.get("x-api-key") != self.key:
            return _error(403, "no permission")
        if call.path == f"{PREFIX}/ping":
            return Reply(200, {"Content-Type": "application/json"}, [b'{"ping":"ok"}'])
        if call.path == f"{PREFIX}/rate_limit":
            return Reply(200, {"Content-Type": "application/json"}, [json.dumps({"rate": self._rate()}).encode() + b"\n"])
        if not call.path.startswith((LOOKUP, NAMES)):
            return Reply(404, {"Content-Type": "text/plain"}, [b"404 page not found\n"])
        if "application/x-ndjson" not in call.headers.get("accept", ""):
            return _error(415, "unsupported media type")
        return self._refusal() or self._lookup(call)

    def known(self, call: Call) -> Sequence[Row]:
        """The rows that a path asks for; ValueError when it is none."""
        if call.path.startswith(NAMES):
            name, _, rrtype = call.path.removeprefix(NAMES).rpartition("/")
            return self._pointing(name, rrtype) if name else self._pointing(rrtype)
        value, _, rrtype = call.path.removeprefix(LOOKUP).partition("/")
        if rrtype not in {"", "A", "AAAA", "ANY"}:
            raise ValueError("an address has no such records")
        return self.at(value.replace(",", "/"))

    def at(self, netblock: str) -> Sequence[Row]:
        """The rows about a netblock."""
        first, last = span(netblock)
        return [row for row in self.rows if any(int(first) <= here <= int(last) for here in _values(row, first.version))]

    def _pointing(self, name: str, rrtype: str = "ANY") -> Sequence[Row]:
        wanted = {"CNAME", "NS"} if rrtype == "ANY" else {rrtype}
        return [row for row in self.rows if row["rrtype"] in wanted and f"{name.removesuffix('.')}." in _rdata(row)]

    def _rate(self) -> Mapping[str, object]:
        burst = self.quota.burst
        more = {"burst_size": burst[0], "burst_window": burst[1]} if burst else {}
        return {**self.quota.told(self.used), "results_max": self.results_max, **more}

    def _limits(self) -> Mapping[str, str]:
        return {f"X-RateLimit-{name.title()}": str(value) for name, value in self.quota.told(self.used).items()}

    def _refusal(self) -> Reply | None:
        quota = self.quota
        if quota.kind == "block" and quota.moment <= self.now:
            return _error(401, "Quota is expired", self._limits())
        if quota.kind != "unlimited" and self.used > quota.limit:
            return _error(429, "Rate limit exceeded", self._limits())
        if quota.burst and self.used > quota.burst[0]:
            return _error(429, "Burst rate limit exceeded", self._limits())
        return None

    def _lookup(self, call: Call) -> Reply:
        headers = {**NDJSON, **self._limits()}
        value = call.path.removeprefix(LOOKUP)
        if value in self.answers:
            return Reply(200, headers, [self.answers[value]])
        try:
            fences = {name: self._moment(text) for name, text in call.query.items() if name.startswith("time_")}
            limit = int(call.query.get("limit", 10_000))
            found = [row for row in self.known(call) if self._within(row, fences)]
        except ValueError as err:
            return _error(400, f"bad request: {err}")
        if int(call.query.get("offset", 0)):
            return _error(416, "offset value greater than maximum allowed")
        return Reply(200, headers, _saf(found, min(limit or self.results_max, self.results_max)), "chunked")

    def _moment(self, text: str) -> int:
        seconds = int(text)
        return self.now + seconds if seconds < 0 else seconds

    def _within(self, row: Row, fences: Mapping[str, int]) -> bool:
        for fence, moment in fences.items():
            end, side = fence.rsplit("_", 1)
            seen = row.get(end, row.get(f"zone_{end}"))
            if not isinstance(seen, int) or (self.strict and seen == moment):
                return False
            if seen < moment if side == "after" else seen > moment:
                return False
        return True


class Server(ProviderStandin, DnsdbServer):
    """DNSDB by what it has seen."""

    provider: ClassVar[str] = "dnsdb"

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.key = KEY

    def costs(self, call: Call) -> bool:
        return call.path.startswith((LOOKUP, NAMES))

    def answer(self, call: Call) -> Reply:
        self.results_max = self.cap or self.results_max
        return super().answer(call)

    def at(self, netblock: str) -> Sequence[Row]:
        told = [row(one.name, one.address, one.first, one.last, count=one.count) for one in self.within(netblock)]
        return [*told, *super().at(netblock)]


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, {"Content-Type": "text/plain", **(headers or {})}, [f"Error: {text}\n".encode()])


def _rdata(row: Row) -> Sequence[str]:
    rdata = row["rdata"]
    return [str(value) for value in rdata] if isinstance(rdata, list) else [str(rdata)]


def _values(row: Row, version: int) -> Iterator[int]:
    """The addresses of a row as numbers, those of this version."""
    if row["rrtype"] in {"A", "AAAA"}:
        yield from (int(address) for value in _rdata(row) if (address := parsed(value)).version == version)


def _saf(found: Sequence[Row], most: int) -> Iterator[bytes]:
    yield b'{"cond":"begin"}\n'
    for obj in found[:most]:
        yield json.dumps({"obj": obj}).encode() + b"\n"
    if len(found) > most:
        yield b'{"cond":"limited","msg":"Result limit reached"}\n'
    else:
        yield b'{"cond":"succeeded"}\n'
