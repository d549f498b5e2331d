"""Credentials as one header, or one parameter of a query, and what of them must never be shown."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field

from feedsvc.errors import UsageError
from feedsvc.http.discretion import Discretion


@dataclass(frozen=True, slots=True)
class Credentials:
    """One header, or one parameter of the query, that proves who asks.

    Attributes:
        header: its name; of the parameter, with `in_query`.
        value: its value, secret.
        origin: where the secrets came from (`environment FOO`): safe to show.
        hidden: what must never be shown.
        in_query: the provider wants it in the URL.
    """

    header: str
    value: str = field(repr=False)
    origin: str
    hidden: Discretion = field(repr=False)
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
    return Credentials(header, prefix + key, origin, Discretion((key,)))


def query_key(parameter: str, key: str, origin: str) -> Credentials:
    """A key in a parameter of the query, where a provider takes it nowhere else.

    Raises:
        UsageError: the key is empty, or has a control character.
    """
    if not key or re.search(r"[\x00-\x1f\x7f]", key):
        raise UsageError(f"the key from {origin} is empty or has a control character; a line break at its end?")
    return Credentials(parameter, key, origin, Discretion((key,)), in_query=True)


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
    return Credentials("Authorization", f"Basic {token}", origin, Discretion((token, password), (username,)))
