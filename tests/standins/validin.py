"""A server that answers as Validin does: history of addresses and netblocks, aliases of names, what is left of the quotas.

Follows docs.validin.com/docs/standard-response and app.validin.com/guide/faq (times in windows of six hours); the usage is
in the form that the public client `goValidin` reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply

NOW = 1_795_500_000  # 2026-11-24 06:00 UTC
JSON = {"Content-Type": "application/json"}
WINDOW = 6 * 3600
_ADDRESS = re.compile(r"/api/axon/ip/dns/history/([0-9a-f.:]+)(/[0-9]{1,3})?")
_NAME = re.compile(r"/api/axon/domain/dns/extra/([^/]+)")

Row = Mapping[str, object]


class Server(ProviderStandin):
    """Validin.

    Attributes:
        aliases: names that point at a name.
        now: epoch seconds, from which `lookback` counts.
        a_day, a_month: what the plan allows.
    """

    provider = "validin"

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.aliases: dict[str, Sequence[str]] = {}
        self.now = NOW
        self.a_day, self.a_month = 500, 3_000

    def costs(self, call: Call) -> bool:
        return call.path != "/api/profile/usage"

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization", "").lower() != f"bearer {KEY}":
            return _said(401, {"status": "error", "error": "Unauthorized"})
        if call.path == "/api/profile/usage":
            return _said(200, self._usage())
        if address := _ADDRESS.fullmatch(call.path):
            return self._history(call, address[1], address[1] + (address[2] or ""))
        if name := _NAME.fullmatch(call.path):
            return self._finished(
                call, name[1], {"CNAME_FOR": [_row(name[1], one, "dom") for one in self._aliases(name[1])]}
            )
        return _said(404, {"status": "error", "error": "no such path"})

    def _usage(self) -> Mapping[str, object]:
        used = len(self.paid)
        left = {"daily": self.a_day - used, "monthly": self.a_month - used}
        return {"usage": {"total": {"daily": used, "monthly": used}}, "remaining": left}

    def _aliases(self, name: str) -> Sequence[str]:
        return self.aliases.get(name, ())

    def _history(self, call: Call, address: str, netblock: str) -> Reply:
        try:
            here = self.within(netblock)
        except ValueError:
            return _said(400, {"status": "error", "error": "Invalid IP or CIDR"})
        if "lookback" in call.query:
            since = self.now - 86_400 * int(call.query["lookback"])
            here = [one for one in here if one.last >= since]
        kind = "AAAA" if ":" in address else "A"
        others = {"PTR": [_row(address, "ptr.example.net", "dom")], "NS_FOR": []} if here else {}
        return self._finished(call, address, {kind: [_seen(one, n) for n, one in enumerate(here)], **others}, kind)

    def _finished(self, call: Call, key: str, records: Mapping[str, Sequence[Row]], kind: str = "CNAME_FOR") -> Reply:
        most = min(int(call.query.get("limit", self.cap or 20_000)), self.cap or 20_000)
        limited = len(records[kind]) > most
        given = {one: list(rows)[:most] for one, rows in records.items() if rows}
        return _said(
            200,
            {
                "query_opts": {"type": "ip4", "limit": most},
                "query_key": key,
                "status": "finished",
                "records": given,
                "records_returned": sum(map(len, given.values())),
                "limited": limited,
            },
        )


def _row(key: str, value: str, value_type: str, first: int = 1_700_000_000, last: int = 1_700_000_600) -> Row:
    """One row, its times brought to the windows in which Validin keeps them."""
    windows = {"first_seen": first // WINDOW * WINDOW, "last_seen": -(-last // WINDOW) * WINDOW}
    return {"key": key, "value": value, "value_type": value_type, **windows}


def _seen(one: Seen, number: int) -> Row:
    """A name at an address, each second row with its sides the other way round."""
    if number % 2:
        return _row(one.name, one.address, "IP6" if ":" in one.address else "IP4", one.first, one.last)
    return _row(one.address, one.name, "dom", one.first, one.last)


def _said(status: int, document: Mapping[str, object]) -> Reply:
    return Reply(status, JSON, [json.dumps(document).encode()])
