"""Microsoft Graph and its token endpoint, as far as passive DNS of Defender Threat Intelligence goes.

Records by host (`/v1.0/security/threatIntelligence/hosts/{id}/passiveDnsReverse`), pages by `@odata.nextLink`, errors as
Graph writes them: 404 for a host that it does not know, 400 for a path that it does not have.
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from tests.standins.provider import FIRST, KEY, LAST, ProviderStandin, Seen
from tests.standins.server import Call, Reply
from tests.standins.tokens import Tokens

TOKEN = "/contoso.example/oauth2/v2.0/token"
HOSTS, REVERSE = "/v1.0/security/threatIntelligence/hosts/", "/passiveDnsReverse"
SCOPE = "https://graph.microsoft.com/.default"

Row = Mapping[str, object]


def path(host: str) -> str:
    return f"{HOSTS}{host}{REVERSE}"


def row(listed_under: str, found: str, kind: str = "A", first: int = FIRST, last: int = LAST) -> Row:
    """A record as it is listed under a host."""
    return {
        "@odata.type": "#microsoft.graph.security.passiveDnsRecord",
        "id": base64.b64encode(f"{listed_under}$${found}".encode()).decode(),
        "firstSeenDateTime": f"{datetime.fromtimestamp(first, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "lastSeenDateTime": f"{datetime.fromtimestamp(last, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "collectedDateTime": f"{datetime.fromtimestamp(last, UTC):%Y-%m-%dT%H:%M:%S.735Z}",
        "recordType": kind,
        "parentHost": {"id": listed_under},
        "artifact": {"@odata.type": "#microsoft.graph.security.hostname", "id": found},
    }


class Server(ProviderStandin):
    """Answers from `seen`.

    Attributes:
        aliases: pairs of a name and the name that it points at.
        answers: what data calls are answered with in place of what is known, by path.
        link: makes the next page's address out of the right one.
    """

    provider: ClassVar[str] = "mdti"
    secrets: ClassVar[Mapping[str, str]] = {"username": "cl1ent-1d", "password": KEY}
    unknown: ClassVar[int] = 404

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.tokens = Tokens((self.secrets["username"], self.secrets["password"]), "body", SCOPE)
        self.aliases: list[tuple[str, str]] = []
        self.answers: dict[str, Reply] = {}
        self.link: Callable[[str], object] = lambda right: right
        # Known only now, as the port is part of it.
        self.options: Mapping[str, object] = {"token_url": f"{self.url}{TOKEN}"}

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
            return error(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
        if call.path in self.answers:
            return self.answers[call.path]
        if not (call.path.startswith(HOSTS) and call.path.endswith(REVERSE)):
            segment = call.path.rsplit("/", 1)[-1]
            return error(400, "BadRequest", f"Resource not found for the segment '{segment}'.")
        host = call.path.removeprefix(HOSTS).removesuffix(REVERSE)
        rows = self._rows(host)
        return self._page(call, rows) if rows else error(404, "NotFound", f"Host '{host}' is not known.")

    def _rows(self, host: str) -> list[Row]:
        try:
            seen = self.within(host)
        except ValueError:
            return [row(host, alias, "CNAME") for alias, target in self.aliases if target == host]
        return [row(host, one.name, "AAAA" if ":" in host else "A", one.first, one.last) for one in seen]

    def _page(self, call: Call, rows: Sequence[Row]) -> Reply:
        size = min(int(call.query.get("$top", 100)), self.cap or 1000)
        start = int(base64.b64decode(call.query.get("$skiptoken", "")) or 0)
        told: dict[str, object] = {
            "@odata.context": f"{self.url}/v1.0/$metadata#security/threatIntelligence/hosts('x')/passiveDnsReverse",
            "value": rows[start : start + size],
        }
        if start + size < len(rows):
            skip = base64.b64encode(str(start + size).encode()).decode()
            query = urllib.parse.urlencode({"$top": str(size), "$skiptoken": skip}, safe="$")
            told["@odata.nextLink"] = self.link(f"{self.url}{urllib.parse.quote(call.path)}?{query}")
        return Reply(200, {"Content-Type": "application/json;odata.metadata=minimal"}, [json.dumps(told).encode()])


def error(status: int, code: str, message: str) -> Reply:
    """A refusal as Graph writes it."""
    told = {"error": {"code": code, "message": message, "innerError": {"request-id": "0", "date": "2026-11-24T06:00:00"}}}
    return Reply(status, {"Content-Type": "application/json"}, [json.dumps(told).encode()])
