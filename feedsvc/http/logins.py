"""Tokens that a login brought, kept for as long as they hold (RFC 6749 §4.4, §5.1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from feedsvc.clock import monotonic
from feedsvc.errors import UsageError
from feedsvc.http.answer import Answer
from feedsvc.http.credentials import Credentials, api_key
from feedsvc.http.faults import HttpError
from feedsvc.http.request import Login, Request

_EARLY = 30.0  # seconds before its end at which a token is no longer begun with


class Logins:
    """One token a login; may be shared by threads, of which one asks while the others wait for what it gets."""

    def __init__(self, ask: Callable[[Request], AbstractContextManager[Answer]]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[Login, Credentials, float]] = {}

    def credentials(self, login: Login) -> Credentials:
        """The token's header, asked for if there is none that holds.

        Raises:
            HttpError: the login was refused, or its answer holds no token.
        """
        with self._lock:
            kept = self._kept.get(id(login))
            if kept is not None and monotonic() < kept[2]:
                return kept[1]
            credentials, seconds = self._log_in(login)
            self._kept[id(login)] = login, credentials, monotonic() + seconds - _EARLY
            return credentials

    def forget(self, login: Login) -> None:
        """The token is no good any more."""
        with self._lock:
            self._kept.pop(id(login), None)

    def _log_in(self, login: Login) -> tuple[Credentials, float]:
        try:
            with self._ask(login.request) as answer:
                token = login.read(answer.read())
            credentials = api_key(login.header, token.value, login.origin, login.prefix)
        except (ValueError, UsageError) as err:
            raise HttpError(f"the login with {login.origin} was answered with something that is no token") from err
        asked_with = login.request.credentials
        of_login = asked_with.hidden if isinstance(asked_with, Credentials) else ()
        hidden = (*credentials.hidden, *of_login, *login.request.hidden)
        return Credentials(credentials.header, credentials.value, login.origin, hidden), token.seconds
