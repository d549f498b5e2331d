"""What can go wrong with an answer, in words that say what to do, and Retry-After (RFC 9110 §10.2.3, §15)."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime

from feedsvc.errors import SourceError
from feedsvc.http.request import Request

REFUSALS = frozenset({401, 403, 429})
TRANSIENT = frozenset({500, 502, 503, 504})
LONGEST_STAY = 86_400.0  # seconds; providers reset their quotas once a day

_MEANINGS: Mapping[int, str] = {
    400: "the server does not understand the question",
    404: "the server knows no such address: is the URL right?",
    406: "the server cannot answer in the format that was asked for: is the URL right?",
    407: "the proxy wants credentials: put them into the proxy's URL",
    429: "the quota is spent, or questions came too fast",
    500: "the server has a fault",
    502: "the server behind the gateway cannot be reached",
    503: "the server is overloaded or under maintenance",
    504: "the server behind the gateway does not answer",
}


class HttpError(SourceError):
    """The other side could not be reached, refused, or its answer is no good. The message names the host.

    Attributes:
        status: of the answer; None when none came, or only a part of one.
        headers: of the answer, their names in lower case.
        transient: the same question may succeed in a moment.
        body: how it began, where a refusal explains itself; may repeat secrets, so it is read and never shown.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        transient: bool = False,
        permanent: bool = False,
        retry_after: float | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message, permanent=permanent, retry_after=retry_after)
        self.status = status
        self.body = body
        self.headers: Mapping[str, str] = headers or {}
        self.transient = transient

    @property
    def refused(self) -> bool:
        """The server wants no more questions of us: a bad key, a spent quota."""
        return self.status in REFUSALS


class AnswerIsMarkup(HttpError):
    """The answer is HTML or XML where lines were expected: a page to sign in at, a page that refuses."""


class AnswerTooBig(HttpError):
    """The answer went on past its limit; what came before it was good."""


class AskFurther(HttpError):
    """No answer yet: to get one takes another request, to the same server.

    It sends us to another address of its own, or has taken a token back. Who asks no further may take it for what it says.

    Attributes:
        request: what to ask.
    """

    def __init__(self, err: HttpError, request: Request) -> None:
        """Say so.

        Args:
            err: what it is to those who ask no further.
            request: what to ask.
        """
        super().__init__(
            str(err),
            status=err.status,
            headers=err.headers,
            transient=err.transient,
            permanent=err.permanent,
            retry_after=err.retry_after,
            body=err.body,
        )
        self.request = request


class LoginFailed(HttpError):
    """There is no token to ask with, so the question was not put: `status` and all else of an answer to it is empty."""

    def __init__(self, message: str, cause: HttpError | None = None) -> None:
        """Say so.

        Args:
            message: what failed, and with which secrets.
            cause: how the login was refused; None when its answer was no good.
        """
        super().__init__(
            message,
            transient=cause is not None and cause.transient,
            permanent=cause is not None and cause.permanent,
            retry_after=None if cause is None else cause.retry_after,
        )
        self._refused = cause is not None and cause.refused

    @property
    def refused(self) -> bool:
        """Whether the login was refused: nobody else who asks with it will fare better."""
        return self._refused


def meaning(status: int, origin: str | None) -> str:
    """What a status means, and what to do.

    Args:
        origin: where the credentials came from; None when none were sent.
    """
    if status == 401 and origin is None:
        return "the server wants credentials: set api_key_env, or username_env and password_env"
    if status == 401:
        return f"the server refused the key from {origin}: check it"
    if status == 403 and origin is not None:
        return f"the server forbids this to the key from {origin}: check its rights, and whether our address is allowed"
    if status == 403:
        return "the server forbids this: does it want credentials, or another address of ours?"
    return _MEANINGS.get(status, "not the answer of a server that is asked rightly: is the URL right?")


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After asks us to stay away, at most a day; None when it says nothing that is understood."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:10]), LONGEST_STAY)
    return stay_until(_http_date(value), now)


def stay_until(moment: datetime | None, now: datetime) -> float | None:
    """Seconds until a moment, between none and a day."""
    if moment is None:
        return None
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_STAY)


def _http_date(value: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
