"""Credentials as one header, and foreign text as it may be shown: with every secret in it starred.

A provider's error page may repeat the key it was asked with, so nothing that comes from outside is shown but through
`shown`.
"""

from __future__ import annotations

import functools
import html
import json
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from feedsvc.errors import UsageError

STARS = "********"
SHOWN = 200  # characters of foreign text in an error or a sample, as model.Refused has it
_READ = 4096  # of which so many are looked at


@dataclass(frozen=True, slots=True)
class Credentials:
    """One header, or one parameter of the query, that proves who asks.

    Attributes:
        header: its name; of the parameter, with `in_query`.
        value: its value, secret.
        origin: where the secrets came from (`environment FOO`): safe to show.
        hidden: every text that must never be shown.
        in_query: the provider wants it in the URL.
    """

    header: str
    value: str = field(repr=False)
    origin: str
    hidden: tuple[str, ...] = field(repr=False)
    in_query: bool = False


def api_key(header: str, key: str, origin: str, prefix: str = "") -> Credentials:
    """A key in a header of its own, or behind a prefix such as `Bearer `.

    Raises:
        UsageError: the key is empty, or has a character that no header can carry.
    """
    if not key:
        raise UsageError(f"the key from {origin} is empty")
    if not re.fullmatch(r"[!-~]+(?: [!-~]+)*", key):
        raise UsageError(f"the key from {origin} has a character that no header can carry; a line break at its end?")
    return Credentials(header, prefix + key, origin, (key,))


def query_key(parameter: str, key: str, origin: str) -> Credentials:
    """A key in a parameter of the query, where a provider takes it nowhere else.

    Raises:
        UsageError: the key is empty, or has a control character.
    """
    if not key or re.search(r"[\x00-\x1f\x7f]", key):
        raise UsageError(f"the key from {origin} is empty or has a control character; a line break at its end?")
    return Credentials(parameter, key, origin, (key,), in_query=True)


def basic(username: str, password: str, origin: str) -> Credentials:
    """User name and password as HTTP Basic (RFC 7617), in UTF-8.

    Raises:
        UsageError: a colon in the user name, or a control character in either.
    """
    if ":" in username:
        raise UsageError(f"the user name from {origin} has a colon, which HTTP Basic cannot carry")
    if re.search(r"[\x00-\x1f\x7f]", username + password):
        raise UsageError(f"user name or password from {origin} has a control character; a line break at its end?")
    token = b64encode(f"{username}:{password}".encode()).decode("ascii")
    return Credentials("Authorization", f"Basic {token}", origin, (token, password, username))


def _spellings(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret)} - {""}


def _starred(text: str, hidden: Sequence[str]) -> str:
    spellings = sorted({spelling for secret in hidden for spelling in _spellings(secret)}, key=len, reverse=True)
    if not spellings:
        return text
    return re.sub("|".join(map(re.escape, spellings)), STARS, text, flags=re.IGNORECASE)


def holds_secret(text: str, hidden: Sequence[str]) -> bool:
    """Whether a secret stands in a text, in any of its spellings."""
    return _starred(text, hidden) != text


def shown(text: bytes | str, hidden: Sequence[str] = ()) -> str:
    """Foreign text as it may be shown: secrets starred, what does not print escaped, cut to 200 characters."""
    if isinstance(text, bytes):
        text = text[:_READ].decode("utf-8", "backslashreplace")
    text = _starred(text[:_READ].strip(), hidden)
    safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text[:SHOWN])
    return safe if len(text) <= SHOWN and len(safe) <= SHOWN else safe[: SHOWN - 1] + "…"


def discreetly(credentials: Credentials | None) -> Callable[[bytes | str], str]:
    """`shown`, with the secrets of these credentials starred."""
    return functools.partial(shown, hidden=credentials.hidden if credentials else ())
