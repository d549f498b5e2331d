"""A server that speaks DNSDB API version 2: lookups of addresses and netblocks, time fences, limits, SAF framing.

Follows the vendor's documentation: docs.domaintools.com/api/dnsdb and docs.dnsdb.info/dnsdb-saf-protocol.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.standins.server import Call, Reply, Standin

Row = Mapping[str, object]
LOOKUP = "/dnsdb/v2/lookup/rdata/ip/"
NDJSON = {"Content-Type": "application/x-ndjson"}


def row(name: str, address: str, first: int = 1_700_000_000, last: int = 1_700_000_600, **more: object) -> Row:
    """The `obj` of a line: one record as DNSDB writes it."""
    rrtype = "AAAA" if ":" in address else "A"
    times = {"time_first": first, "time_last": last}
    return {"count": 3, **times, "rrname": f"{name}.", "rrtype": rrtype, "rdata": [address], **more}


class DnsdbServer(Standin):
    """Answers lookups from `rows`.

    Attributes:
        results_max: rows that the key may have at once; a larger or no limit is silently brought down to it.
        now: epoch seconds, what negative fences count from.
        answers: SAF bodies that are given as they are, by value asked.
    """

    def __init__(
        self, rows: Iterable[Row] = (), *, key: str = "k", results_max: int = 1_000_000, now: int = 1_795_000_000
    ) -> None:
        super().__init__()
        self.rows: list[Row] = list(rows)
        self.results_max = results_max
        self.now = now
        self.answers: dict[str, bytes] = {}
        self._key = key

    @property
    def asked(self) -> list[str]:
        """The values that were asked, in order."""
        return [call.path.removeprefix(LOOKUP) for call in self.calls]

    def answer(self, call: Call) -> Reply:
        if call.headers.get("x-api-key") != self._key:
            return Reply(403, {"Content-Type": "text/plain"}, [b"Error: no permission\n"])
        if call.path == "/dnsdb/v2/ping":
            return Reply(200, {"Content-Type": "application/json"}, [b'{"ping":"ok"}'])
        if call.path == "/dnsdb/v2/rate_limit":
            return Reply(200, {"Content-Type": "application/json"}, [json.dumps(self._rate()).encode()])
        if not call.path.startswith(LOOKUP):
            return Reply(404, {"Content-Type": "text/plain"}, [b"404 page not found\n"])
        if "application/x-ndjson" not in call.headers.get("accept", ""):
            return Reply(415, {"Content-Type": "text/plain"}, [b"Error: unsupported media type\n"])
        return self._lookup(call, call.path.removeprefix(LOOKUP))

    def _rate(self) -> Mapping[str, object]:
        used = sum(1 for call in self.calls if call.path.startswith(LOOKUP))
        return {"rate": {"limit": 1000, "remaining": 1000 - used, "reset": 1_795_046_400, "results_max": self.results_max}}

    def _lookup(self, call: Call, value: str) -> Reply:
        if value in self.answers:
            return Reply(200, NDJSON, [self.answers[value]])
        try:
            first, last = _span(value)
            fences = {name: self._moment(text) for name, text in call.query.items() if name.startswith("time_")}
            limit = int(call.query.get("limit", 10_000))
        except ValueError as err:
            return Reply(400, {"Content-Type": "text/plain"}, [f"Error: bad request: {err}\n".encode()])
        if int(call.query.get("offset", 0)):
            return Reply(416, {"Content-Type": "text/plain"}, [b"Error: offset value greater than maximum allowed\n"])
        most = min(limit or self.results_max, self.results_max)
        found = [found for found in self.rows if _holds(first, last, found) and _within(found, fences)]
        return Reply(200, NDJSON, _saf(found, most), "chunked")

    def _moment(self, text: str) -> int:
        seconds = int(text)
        return self.now + seconds if seconds < 0 else seconds


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _span(value: str) -> tuple[Address, Address]:
    if "/" in value:
        raise ValueError("a prefix is written with a comma")
    if "-" in value:
        first, last = (ipaddress.ip_address(end) for end in value.split("-"))
        return first, last
    network = ipaddress.ip_network(value.replace(",", "/"))
    return network[0], network[-1]


def _holds(first: Address, last: Address, found: Row) -> bool:
    rdata = found["rdata"]
    addresses = [ipaddress.ip_address(str(value)) for value in (rdata if isinstance(rdata, list) else [rdata])]
    return any(address.version == first.version and int(first) <= int(address) <= int(last) for address in addresses)


def _within(found: Row, fences: Mapping[str, int]) -> bool:
    for fence, moment in fences.items():
        end, side = fence.rsplit("_", 1)
        seen = found.get(end, found.get(f"zone_{end}"))
        if not isinstance(seen, int) or (seen <= moment if side == "after" else seen >= moment):
            return False
    return True


def _saf(found: Sequence[Row], most: int) -> Iterator[bytes]:
    yield b'{"cond":"begin"}\n'
    for obj in found[:most]:
        yield json.dumps({"obj": obj}).encode() + b"\n"
    if len(found) > most:
        yield b'{"cond":"limited","msg":"Result limit reached"}\n'
    else:
        yield b'{"cond":"succeeded"}\n'
