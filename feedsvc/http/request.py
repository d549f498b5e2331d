"""A question as a value: what will be asked of whom, to be shown before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from feedsvc.http.credentials import Credentials
from feedsvc.http.discretion import OPEN, Discretion


@dataclass(frozen=True, slots=True)
class Token:
    """What a login brings.

    Attributes:
        seconds: for which it holds.
    """

    value: str = field(repr=False)
    seconds: float


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Login:
    """Credentials that must be asked for before they can be used: a token that holds for a while.

    Two are never equal: each has a token of its own.

    Attributes:
        request: asks for the token; proves who asks by its own credentials, or by its body.
        read: the token in the answer to that. Raises `ValueError` when there is none.
        origin: where the secrets came from: safe to show.
        header: where the token goes.
        prefix: what stands before it.
    """

    request: Request
    read: Callable[[bytes], Token]
    origin: str
    header: str = "Authorization"
    prefix: str = "Bearer "


@dataclass(frozen=True, slots=True)
class Request:
    """One question, a GET, or a POST when it has a body. Equal requests ask the same.

    Attributes:
        url: http or https, percent-encoded, without credentials.
        params: of the query; a key that must stand there is a `Credentials`, and added when it is sent.
        deadline: seconds, in place of that of the client's limits.
        max_bytes: of the answer's body, in place of that of the client's limits.
        hidden: what of the body must never be shown.
        origin: where secrets in the body came from, for messages; "" when there are none.
    """

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    credentials: Credentials | Login | None = None
    deadline: float | None = None
    max_bytes: int | None = None
    hidden: Discretion = field(default=OPEN, repr=False)
    origin: str = ""

    @property
    def method(self) -> str:
        """`GET` or `POST`."""
        return "GET" if self.body is None else "POST"

    def __str__(self) -> str:
        """`GET https://pdns.example/query/198.51.100.7`: what may be shown; no credentials are in it."""
        query = f"?{urlencode(self.params, safe=',:/')}" if self.params else ""
        return f"{self.method} {self.url}{query}"
