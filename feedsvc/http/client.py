"""The client: one question, asked again while its fault may pass, within the limits."""

from __future__ import annotations

import contextlib
import importlib.metadata
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import stamina

from feedsvc.clock import Clock, utc_now
from feedsvc.errors import UsageError
from feedsvc.http.answer import Answer, Bounds
from feedsvc.http.credentials import Credentials
from feedsvc.http.discretion import Discretion
from feedsvc.http.faults import TRANSIENT, AskFurther, HttpError, meaning, retry_after
from feedsvc.http.limits import Limits
from feedsvc.http.logins import Held, Logins
from feedsvc.http.request import Login, Request
from feedsvc.http.wire import PASSING, SILENCE, WIRE_ERRORS, Due, Grace, Transport, distrusts

_NEVER = threading.Event()  # nobody sets it: a sleep in small steps
_TICK = 0.2  # seconds after which a pause looks whether feedsvc is stopping
_OF_AN_ERROR = 4096  # bytes read of a body that explains a refusal


def user_agent(contact: str) -> str:
    """`feedsvc/0.1.0 (+soc@example.org)`: who asks, and whom to tell (RFC 9110 §10.1.5)."""
    try:
        version = importlib.metadata.version("feedsvc")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    plain = "".join(char for char in contact if char.isascii() and char.isprintable() and char not in "()\\")
    return f"feedsvc/{version} (+{plain})" if plain else f"feedsvc/{version}"


@dataclass(frozen=True, slots=True)
class _Question:
    url: httpx.URL
    request: Request
    credentials: Credentials | None
    limits: Limits

    @property
    def host(self) -> str:
        return self.url.netloc.decode("ascii")

    @property
    def discretion(self) -> Discretion:
        return self.request.hidden + self.credentials.hidden if self.credentials else self.request.hidden

    def put(self, request: Request) -> _Question:
        """The same question in other words."""
        return replace(self, url=_target(request.url, request.params), request=request)

    def bounds(self, due: Due) -> Bounds:
        return Bounds(
            host=self.host,
            due=due,
            deadline=self.limits.deadline,
            max_bytes=self.limits.max_bytes,
            max_line=self.limits.max_line,
            discretion=self.discretion,
        )


@dataclass(frozen=True, slots=True)
class Ready:
    """A request that can be sent as it is, with a token in place of its login.

    Attributes:
        held: the token.
        is_new: whether it was asked for just now.
    """

    request: Request
    held: Held | None = None
    is_new: bool = False


class Client:
    """Asks others by HTTP; may be shared by threads.

    Attributes:
        limits: of every answer, unless a request has its own.
    """

    def __init__(
        self,
        *,
        contact: str = "",
        limits: Limits | None = None,
        now: Clock = utc_now,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make a client that has asked nobody yet.

        Args:
            contact: whom a server's owner may ask about us: an address or a page.
            limits: those of `Limits` when left out.
            now: what a Retry-After with a date is compared with.
            stopping: whether the process was asked to end: nothing more is asked then but what `once` is told to; answers
                under way have the grace of the limits, and end as errors within a second behind it.

        Raises:
            UsageError: the environment names a proxy that is none.
        """
        self.limits = limits or Limits()
        self._now = now
        self._stopping = stopping
        self._logins = Logins(self.ask)
        self._client = httpx.Client(
            transport=Transport(self.limits.silence, Grace(stopping, self.limits.grace)),
            headers={"User-Agent": user_agent(contact), "Accept-Encoding": "gzip"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,  # the transport decides about proxies itself
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; what is being waited for ends as an error at once."""
        self._client.close()

    @property
    def stopping(self) -> bool:
        """Whether the process was asked to end: nothing more will be asked."""
        return self._client.is_closed or self._stopping()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the process is asked to end."""
        due = Due(seconds)
        while due.left > 0 and not self.stopping:
            _NEVER.wait(min(due.left, _TICK))

    def pause_before(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds to wait before the next attempt, for who makes attempts one by one; None when it is not worth the wait.

        Doubled and jittered as `ask` does it; none while stamina is being tested.

        Args:
            attempt: how many were made.
            retry_after: what the other side asked for.
        """
        if retry_after is not None:
            return retry_after if retry_after <= self.limits.max_wait else None
        if stamina.is_testing():
            return 0.0
        grown: float = self.limits.wait * 2 ** (attempt - 1)
        jitter: float = random.uniform(0, self.limits.wait)  # noqa: S311 - no secret
        return min(grown + jitter, self.limits.max_wait)

    @contextlib.contextmanager
    def ask(self, request: Request, *, attempts: int | None = None) -> Iterator[Answer]:
        """Ask, and hold the answer open for as long as the block lasts.

        Args:
            attempts: in place of those of the limits.

        Raises:
            HttpError: no connection, no answer, or another status than 200 and 204, or than 201 for a POST.
            UsageError: the URL is none.
        """
        question = self._question(request, attempts)
        with contextlib.closing(self._opened(question, attempts)) as opened:
            yield opened.answer

    def ready(self, request: Request) -> Ready | None:
        """A request as it can be sent at once; None when somebody has to `log_in` first."""
        if not isinstance(request.credentials, Login):
            return Ready(request)
        held = self._logins.kept(request.credentials)
        return None if held is None else Ready(request, held)

    def log_in(self, request: Request) -> Ready:
        """A request as it can be sent, with a token that is asked for where none is kept.

        Raises:
            LoginFailed: there is no token to ask with.
        """
        if not isinstance(request.credentials, Login):
            return Ready(request)
        return Ready(request, *self._logins.token(request.credentials, attempts=1))

    @contextlib.contextmanager
    def once(self, ready: Ready) -> Iterator[Answer]:
        """Ask with one request and no other, for who pays for each; what was paid for is asked even while stopping.

        Raises:
            AskFurther: there is no answer, and to get one takes another request.
            HttpError: as `ask` does.
        """
        request, held = ready.request, ready.held
        question = self._question(request)
        if isinstance(request.credentials, Credentials):
            question = replace(question, credentials=request.credentials)
        elif held is not None:
            question = replace(question, credentials=held.credentials)
        try:
            opened = self._send(question, Due(question.limits.deadline))
        except HttpError as err:
            if err.status != 401 or held is None or not isinstance(request.credentials, Login):
                raise
            self._logins.forget(request.credentials, held)
            if ready.is_new:
                raise
            raise AskFurther(err, request) from err
        with contextlib.closing(opened):
            yield opened.answer

    def _question(self, request: Request, attempts: int | None = None) -> _Question:
        limits = replace(
            self.limits,
            deadline=self.limits.deadline if request.deadline is None else request.deadline,
            max_bytes=self.limits.max_bytes if request.max_bytes is None else request.max_bytes,
            attempts=self.limits.attempts if attempts is None else attempts,
        )
        return _Question(_target(request.url, request.params), request, None, limits)

    def _opened(self, question: _Question, attempts: int | None) -> _Opened:
        wanted = question.request.credentials
        if isinstance(wanted, Login):
            return self._logins.asked(wanted, lambda token: self._insist(replace(question, credentials=token)), attempts)
        return self._insist(replace(question, credentials=wanted))

    def _insist(self, question: _Question) -> _Opened:
        limits = question.limits
        for attempt in stamina.retry_context(
            lambda err: _worth_another(err, limits.max_wait),
            attempts=limits.attempts,
            timeout=limits.deadline,
            wait_initial=limits.wait,
            wait_jitter=limits.wait,
            wait_max=limits.max_wait,
        ):
            with attempt:
                return self._follow(question)
        raise AssertionError("unreachable")

    def _follow(self, question: _Question) -> _Opened:
        due = Due(question.limits.deadline)
        for _ in range(question.limits.redirects):
            try:
                return self._asked(question, due)
            except AskFurther as err:
                question = question.put(err.request)
        return self._asked(question, due)

    def _asked(self, question: _Question, due: Due) -> _Opened:
        if self.stopping:
            raise HttpError(f"{question.host}: not asked, as feedsvc is stopping")
        return self._send(question, due)

    def _request(self, question: _Question, due: Due) -> httpx.Request:
        headers, url = dict(question.request.headers), question.url
        if question.credentials is not None and question.credentials.in_query:
            url = url.copy_merge_params({question.credentials.header: question.credentials.value})
        elif question.credentials is not None:
            headers[question.credentials.header] = question.credentials.value
        connect = question.limits.connect
        timeout = {"connect": connect, "pool": connect, "read": due, "write": due}  # see feedsvc.http.wire
        asked = question.request
        return self._client.build_request(
            asked.method, url, headers=headers, content=asked.body, extensions={"timeout": timeout}
        )

    def _send(self, question: _Question, due: Due) -> _Opened:
        """Send one request; what is no answer is raised."""
        if self._client.is_closed:
            raise HttpError(f"{question.host}: not asked, as feedsvc is stopping")
        request = self._request(question, due)
        try:
            response = self._client.send(request, stream=True)
        except WIRE_ERRORS as err:
            raise _unreached(err, question, late=due.left <= 0) from err
        except httpx.HTTPError as err:  # a Location that is no URL
            raise HttpError(f"{question.host}: redirects to nowhere: is the URL right?", permanent=True) from err
        opened = _Opened(response, Answer(response, question.bounds(due)))
        if _is_answer(opened.answer.status, request.method):
            return opened
        with contextlib.closing(opened):
            raise self._no_answer(request, opened, question)

    def _no_answer(self, request: httpx.Request, opened: _Opened, question: _Question) -> HttpError:
        following, status = opened.response.next_request, opened.answer.status
        if following is None:
            return self._refusal(opened, question)
        if not _same_place(request.url, following.url):
            place = opened.answer.shown(following.url.netloc)
            message = f"{question.host}: redirects to {place}, and is not followed there: put the final address into url"
            return HttpError(message, status=status, permanent=True)
        endless = f"{question.host}: more than {question.limits.redirects} redirects: is the URL right?"
        body = question.request.body if following.method == request.method else None  # RFC 9110 §15.4.4
        further = replace(question.request, url=str(following.url), params={}, body=body)
        return AskFurther(HttpError(endless, status=status), further)

    def _refusal(self, opened: _Opened, question: _Question) -> HttpError:
        answer, status = opened.answer, opened.answer.status
        origin = question.credentials.origin if question.credentials else question.request.origin or None
        body = answer.beginning(_OF_AN_ERROR)
        said = answer.shown(body)
        return HttpError(
            f"{question.host}: {status}: {meaning(status, origin)}" + (f" (it says: {said})" if said else ""),
            status=status,
            headers=answer.headers,
            transient=status in TRANSIENT,
            permanent=400 <= status < 500 and status not in (408, 425, 429),
            retry_after=retry_after(answer.headers.get("retry-after"), self._now()),
            body=body,
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    response: httpx.Response
    answer: Answer

    def close(self) -> None:
        self.response.close()


def _target(url: str, params: Mapping[str, str] | None) -> httpx.URL:
    try:
        target = httpx.URL(url, params=params) if params else httpx.URL(url)
    except httpx.InvalidURL as err:
        raise UsageError(f"no URL: {err}") from err
    if target.scheme not in ("http", "https") or not target.host or target.userinfo or (target.port or 0) > 65535:
        raise UsageError("a URL must begin with http:// or https://, name a host, and hold no credentials")
    return target


def _is_answer(status: int, method: str) -> bool:
    """Whether a status says that the body is what was asked for: some say 201 when a login has brought a token."""
    return status in (200, 204) or (status == 201 and method == "POST")  # RFC 9110 §15.3.2


def _worth_another(err: Exception, max_wait: float) -> bool | float:
    if not isinstance(err, HttpError) or not err.transient:
        return False
    if err.retry_after is None:
        return True
    return err.retry_after if err.retry_after <= max_wait else False


def _same_place(here: httpx.URL, there: httpx.URL) -> bool:
    """Whether credentials may follow: the same origin (RFC 6454 §5), or its own change to TLS on the default ports."""
    if here.host != there.host or there.userinfo:
        return False
    if here.scheme == there.scheme:
        return here.port == there.port
    return (here.scheme, here.port, there.scheme, there.port) == ("http", None, "https", None)


def _unreached(err: Exception, question: _Question, *, late: bool) -> HttpError:
    host, limits = question.host, question.limits
    distrust = distrusts(err)
    if distrust is not None:
        return HttpError(f"{host}: its certificate is not trusted: {distrust}", permanent=True)
    if isinstance(err, SILENCE):
        waited = limits.deadline if late else limits.silence
        return HttpError(f"{host}: no answer within {waited:g} s")
    return HttpError(f"{host}: no connection: {question.discretion.shown(str(err))}", transient=isinstance(err, PASSING))
