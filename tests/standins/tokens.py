"""The token endpoint of stand-ins that let in by client credentials (RFC 6749 §4.4), strict where servers are."""

from __future__ import annotations

import base64
import binascii
import json
import urllib.parse
from collections.abc import Mapping
from typing import Literal

from tests.standins.server import Call, Reply

FORM = "application/x-www-form-urlencoded"


class Tokens:
    """Gives tokens and knows which of them hold.

    Attributes:
        scope: that must be asked for; "" for none.
        holds: seconds that it says of a token.
        given: how many it gave.
    """

    def __init__(self, client: tuple[str, str], proof: Literal["basic", "body"], scope: str = "") -> None:
        self.scope = scope
        self.holds = 3600
        self.given = 0
        self._client = client
        self._proof = proof
        self._valid: set[str] = set()

    def take_back(self) -> None:
        """End all tokens before their time."""
        self._valid.clear()

    def let_in(self, call: Call) -> bool:
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and token in self._valid

    def answer(self, call: Call) -> Reply:
        if call.method != "POST" or call.headers.get("content-type") != FORM:
            return _refused(400, "invalid_request", "a form must be posted")
        fields = dict(urllib.parse.parse_qsl(call.body.decode()))
        if self._client_of(call, fields) != self._client:
            return _refused(401, "invalid_client", "who is that?")
        if fields.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "client_credentials alone")
        if fields.get("scope", "") != self.scope:
            return _refused(400, "invalid_scope", f"not {fields.get('scope')}")
        return self._new()

    def _client_of(self, call: Call, fields: Mapping[str, str]) -> tuple[str, str]:
        if self._proof == "body":
            return fields.get("client_id", ""), fields.get("client_secret", "")
        try:
            text = base64.b64decode(call.headers.get("authorization", "").removeprefix("Basic "), validate=True)
        except binascii.Error:
            return "", ""
        client, _, secret = text.decode().partition(":")
        return client, secret

    def _new(self) -> Reply:
        self.given += 1
        token = f"t0k3n.{self.given}.of-many_letters"
        self._valid.add(token)
        # The type is in lower case at one vendor and not at the other; §5.1 makes no difference.
        told = {"token_type": "bearer", "access_token": token, "expires_in": self.holds}
        return Reply(200, {"Content-Type": "application/json", "Cache-Control": "no-store"}, [json.dumps(told).encode()])


def _refused(status: int, error: str, why: str) -> Reply:
    told = {"error": error, "error_description": why}
    return Reply(status, {"Content-Type": "application/json"}, [json.dumps(told).encode()])
