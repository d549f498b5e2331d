"""Tokens that logins brought, kept for as long as they hold (RFC 6749 §4.4, §5.1)."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from feedsvc.clock import monotonic
from feedsvc.errors import UsageError
from feedsvc.http.answer import Answer
from feedsvc.http.credentials import Credentials, api_key
from feedsvc.http.discretion import OPEN
from feedsvc.http.faults import HttpError, LoginFailed
from feedsvc.http.request import Login, Request, Token

_EARLY = 30.0  # seconds before its end, or half of its time, at which a token is no longer begun with
_Got = TypeVar("_Got")


class _Ask(Protocol):
    def __call__(self, request: Request, *, attempts: int | None = None) -> AbstractContextManager[Answer]: ...


@dataclass(frozen=True, slots=True)
class Held:
    """A token ready to be sent, and the moment of the clock from which on it is not begun with."""

    credentials: Credentials
    until: float


class Logins:
    """One token a login, for as long as somebody has the login.

    May be shared by threads: one of them asks, the others wait for what it gets, be it an error.
    """

    def __init__(self, ask: _Ask, clock: Callable[[], float] = monotonic) -> None:
        """Begin without any token.

        Args:
            ask: sends the request of a login.
            clock: seconds that never step back.
        """
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: weakref.WeakKeyDictionary[Login, Held] = weakref.WeakKeyDictionary()
        self._under_way: dict[Login, Future[Held]] = {}

    def asked(self, login: Login, question: Callable[[Credentials], _Got], attempts: int | None = None) -> _Got:
        """Put a question with the login's token; once more with a new one when a kept one is refused.

        A server may take a token back before its time. A new token that is refused (401) is refused for good.

        Args:
            question: puts it with the credentials it is given.
            attempts: how often a login is tried, in place of what `ask` has.

        Raises:
            LoginFailed: there is no token to ask with.
            HttpError: as the question does.
        """
        held, is_new = self.token(login, attempts)
        try:
            return question(held.credentials)
        except HttpError as err:
            if err.status != 401:
                raise
            self.forget(login, held)
            if is_new:
                raise
        held, _ = self.token(login, attempts)
        return question(held.credentials)

    def kept(self, login: Login) -> Held | None:
        """The token that is kept, as long as it holds; asks nobody."""
        with self._lock:
            held = self._kept.get(login)
        return held if held is not None and self._clock() < held.until else None

    def token(self, login: Login, attempts: int | None) -> tuple[Held, bool]:
        """A token that holds, and whether it was asked for just now.

        Raises:
            LoginFailed: there is none.
        """
        with self._lock:
            held = self._kept.get(login)
            if held is not None and self._clock() < held.until:
                return held, False
            awaited = self._under_way.get(login)
            if awaited is None:
                mine = self._under_way[login] = Future()
        return (self._fetched(login, mine, attempts) if awaited is None else awaited.result()), True

    def _fetched(self, login: Login, awaited: Future[Held], attempts: int | None) -> Held:
        """Log in, and tell those who wait how it ended."""
        try:
            held = self._log_in(login, attempts)
            with self._lock:
                self._kept[login] = held
            awaited.set_result(held)
        except LoginFailed as err:
            awaited.set_exception(err)
            raise
        finally:
            if not awaited.done():  # an interrupt: nobody may wait for ever
                awaited.set_exception(LoginFailed(f"the login with {login.origin} was given up"))
            with self._lock:
                del self._under_way[login]
        return held

    def forget(self, login: Login, refused: Held) -> None:
        """Keep a token no longer that was refused."""
        with self._lock:
            if self._kept.get(login) is refused:  # another thread may have brought a new one
                del self._kept[login]

    def _log_in(self, login: Login, attempts: int | None) -> Held:
        since = self._clock()
        try:
            with self._ask(login.request, attempts=attempts) as answer:
                body = answer.read()
        except HttpError as err:
            raise LoginFailed(f"the login with {login.origin} failed: {err}", err) from err
        try:
            token = login.read(body)
            return Held(_credentials(login, token), since + token.seconds - min(_EARLY, token.seconds / 2))
        except (ValueError, UsageError):
            # What they say may hold what was answered, which may be half a token.
            raise LoginFailed(f"the login with {login.origin} was answered with something that is no token") from None


def _credentials(login: Login, token: Token) -> Credentials:
    """The token in its header; what proved who asks is hidden along with it, as a server may repeat that as well."""
    bare = api_key(login.header, token.value, login.origin, login.prefix)
    asked_with = login.request.credentials
    of_login = asked_with.hidden if isinstance(asked_with, Credentials) else OPEN
    return Credentials(bare.header, bare.value, bare.origin, bare.hidden + of_login + login.request.hidden)
