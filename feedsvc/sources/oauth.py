"""Access by client credentials (OAuth 2.0, RFC 6749 §4.4): a client's id and secret bring a token that holds for a while.

The id is the source's `username`, the secret its `password`. A client proves itself as its server wants it (§2.3.1): by HTTP
Basic, where both go as they are, which is how servers document it, though the RFC would have them form-encoded first; or in
the body. The token then goes as a bearer (RFC 6750 §2.1).

Nothing here asks anybody: `http` logs in when a question needs a token, and again when a server takes one back.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlencode

import msgspec

from feedsvc.config import Secret, SourceSettings
from feedsvc.http import OPEN, Credentials, Discretion, Login, Request, Token
from feedsvc.plugins import OptionFaults
from feedsvc.sources import access

UNSAID = 300.0
"""Seconds that a token is taken to hold when its server does not say (§5.1)."""

LONGEST = 86_400.0
"""Seconds after which a token is asked for anew, however long it is said to hold."""

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_DEADLINE = 30.0  # seconds
_MAX_BYTES = 64 * 1024  # a token has one or two thousand


def with_basic(settings: SourceSettings, url: str) -> Login:
    """A login that proves itself by HTTP Basic.

    Args:
        url: of the token endpoint.

    Raises:
        OptionFaults: id or secret lack, HTTP Basic cannot carry them, or there is a key as well.
    """
    client = _client(settings)
    return _login(url, {}, client, credentials=access.login(settings))


def with_body(settings: SourceSettings, url: str, scope: str) -> Login:
    """A login that proves itself by its body.

    Args:
        url: of the token endpoint.
        scope: what the token is for (§3.3).

    Raises:
        OptionFaults: id or secret lack, or there is a key as well.
    """
    client = _client(settings)
    name, secret = (one.reveal() for one in client)
    fields = {"scope": scope, "client_id": name, "client_secret": secret}
    return _login(url, fields, client, hidden=Discretion((secret,), (name,)))


def _login(
    url: str,
    fields: dict[str, str],
    client: tuple[Secret, Secret],
    *,
    credentials: Credentials | None = None,
    hidden: Discretion = OPEN,
) -> Login:
    origin = " and ".join(secret.origin for secret in client)
    request = Request(
        url,
        headers=_HEADERS,
        body=urlencode({"grant_type": "client_credentials", **fields}).encode("ascii"),
        credentials=credentials,
        deadline=_DEADLINE,
        max_bytes=_MAX_BYTES,
        hidden=hidden,
        origin=origin,
    )
    return Login(request, read_token, origin)


def _client(settings: SourceSettings) -> tuple[Secret, Secret]:
    if "api_key" in settings.secrets:
        instead = "set username_env and password_env (or *_file), and take this out"
        message = f"api_key: provider {settings.provider!r} takes the id and the secret of a client and no key: {instead}"
        raise OptionFaults({access.key_of(settings, "api_key"): message})
    client = access.username_and_password(settings)
    if client is None:
        needs = "the id of a client as username_env (or username_file) and its secret as password_env (or password_file)"
        raise OptionFaults({"username_env": f"username: provider {settings.provider!r} needs {needs}"})
    return client


# -- what comes back ---------------------------------------------------------------------------------------------------


class _Answer(msgspec.Struct):
    access_token: str
    token_type: Any = None
    expires_in: Any = None


def read_token(body: bytes) -> Token:
    """The token in the answer of a token endpoint (§5.1).

    A type that is not said is taken for the one there is.

    Raises:
        ValueError: there is none, or one that is no bearer, which nobody may use who does not know its type (§7.1).
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except RecursionError:
        raise ValueError("nested without end") from None
    if answer.token_type is not None and str(answer.token_type).lower() != "bearer":
        raise ValueError("a token of another type")
    return Token(answer.access_token, _seconds(answer.expires_in))


def _seconds(value: object) -> float:
    """How long a token holds, as a number or as a text, as some servers write it."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    return UNSAID if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST)
