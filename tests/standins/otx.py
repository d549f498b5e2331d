"""OTX: passive DNS of an address, unpaged, with the rows and the dates that the real one sends.

As its SDK asks (AlienVault-OTX/OTX-Python-SDK), and as answers look that others have published: dates in three forms, rows
of other types, addresses that are words.
"""

from __future__ import annotations

import email.utils
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply

JSON = {"Content-Type": "application/json"}
_PATH = re.compile(r"/api/v1/indicators/(IPv4|IPv6)/([^/]+)/passive_dns")

Row = Mapping[str, object]


def date(seconds: int, form: int) -> str:
    """A moment in the first, second or third form of OTX."""
    moment = datetime.fromtimestamp(seconds, UTC)
    forms = (moment.replace(tzinfo=None).isoformat(), moment.isoformat(), email.utils.format_datetime(moment, usegmt=True))
    return forms[form % len(forms)]


def row(name: str, address: str, first: str, last: str, rrtype: str | None) -> Row:
    """One row; `rrtype` None leaves the type out, as older rows do."""
    said = {
        "address": address,
        "first": first,
        "last": last,
        "hostname": name,
        "indicator_link": f"/indicator/hostname/{name}",
        "flag_url": "assets/images/flags/us.png",
        "flag_title": "United States of America",
        "asset_type": "hostname",
        "asn": "AS64500 example",
    }
    return said if rrtype is None else {**said, "record_type": rrtype}


def detail(status: int, text: str) -> Reply:
    return Reply(status, JSON, [json.dumps({"detail": text}).encode()])


class Server(ProviderStandin):
    """Answers from `seen`; each answer that is not empty has a CNAME and an address that is none beside.

    Attributes:
        answers: bodies that are given as they are, by address.
        anonymous: whether it answers who has no key.
    """

    provider = "otx"

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.answers: dict[str, bytes] = {}
        self.anonymous = False

    def answer(self, call: Call) -> Reply:
        key = call.headers.get("x-otx-api-key")
        if key is None and not self.anonymous:
            return detail(429, "Anonymous access to this endpoint is limited. Please authenticate.")
        if key not in (None, KEY):
            return detail(403, "Authentication required")
        asked = _PATH.fullmatch(call.path)
        return detail(404, "endpoint not found") if asked is None else self._passive_dns(asked[1], asked[2])

    def _passive_dns(self, section: str, text: str) -> Reply:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return detail(400, f"malformed ip: {text}")
        if section != f"IPv{address.version}":
            return detail(400, f"no {section} address: {text}")
        if text in self.answers:
            return Reply(200, JSON, [self.answers[text]])
        rows = _rows(self.within(text))
        return Reply(200, JSON, [json.dumps({"passive_dns": rows[: self.cap], "count": len(rows)}).encode()], "chunked")


def _rows(seen: Sequence[Seen]) -> Sequence[Row]:
    rows = []
    for form, one in enumerate(seen):
        rrtype = "AAAA" if ":" in one.address else "A"
        rows.append(row(one.name, one.address, date(one.first, form), date(one.last, form), rrtype if form % 2 else None))
    if seen:
        first, last = date(seen[0].first, 0), date(seen[0].last, 0)
        rows.append(row(f"www.{seen[0].name}", seen[0].name, first, last, "CNAME"))
        rows.append(row(f"gone.{seen[0].name}", "NXDOMAIN", first, last, "A"))
    return rows
