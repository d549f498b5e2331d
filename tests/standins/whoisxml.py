"""WhoisXML's Reverse IP API, version 1: names of an address, 300 a page, asked on from the last one.

As its own client asks and reads (whois-api-llc/reverse-ip-py), and as the documentation of its sister, Reverse MX, tells of
`from` (reverse-mx.whoisxmlapi.com/api/documentation/making-requests).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from tests.standins.provider import ProviderStandin, Seen
from tests.standins.server import Call, Reply

JSON = {"Content-Type": "application/json"}
KEY = "at_" + "s3cr3tk3y" * 3 + "00"
"""As the vendor's client wants keys: `at_` and 29 letters and digits."""

PAGE = 300


def refusal(status: int, text: str) -> Reply:
    return Reply(status, JSON, [json.dumps({"code": status, "messages": text}).encode()])


class Server(ProviderStandin):
    """Answers from `seen`, in the order of the names.

    Attributes:
        answers: bodies that are given as they are, by address and what it is asked from.
        credits: calls that the account has paid for; None: any number.
        inclusive: whether a page begins with the name it is asked from.
    """

    provider = "whoisxml"
    secrets: ClassVar[Mapping[str, str]] = {"api_key": KEY}

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.answers: dict[tuple[str, str], bytes] = {}
        self.credits: int | None = None
        self.inclusive = False

    def answer(self, call: Call) -> Reply:
        if call.path != "/api/v1":
            return refusal(404, "Not found")
        if "apiKey" not in call.query:
            return refusal(401, "The apiKey field is required.")
        spent = self.credits is not None and len(self.calls) > self.credits
        if call.query["apiKey"] != KEY or spent:
            return refusal(403, "Access restricted. Check credits balance or enter the correct API key.")
        return self._names(call.query.get("ip", ""), call.query.get("from"))

    def _names(self, text: str, start: str | None) -> Reply:
        try:
            seen = self.within(str(ipaddress.ip_address(text)))
        except ValueError:
            return refusal(422, "Input correct IP address.")
        if (text, start or "") in self.answers:
            return Reply(200, JSON, [self.answers[text, start or ""]])
        page = self._page(seen[: self.reach], start)
        rows = [{"name": one.name, "first_seen": str(one.first), "last_visit": str(one.last)} for one in page]
        return Reply(200, JSON, [json.dumps({"current_page": start or "0", "size": len(rows), "result": rows}).encode()])

    def _page(self, seen: Sequence[Seen], start: str | None) -> Sequence[Seen]:
        size = min(PAGE, self.cap or PAGE)
        if start is None:
            return seen[-size:]  # any, says the documentation
        ordered = sorted(seen, key=lambda one: one.name)
        return [one for one in ordered if one.name > start or (self.inclusive and one.name == start)][:size]
