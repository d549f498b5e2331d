"""Spamhaus Passive DNS, run by Deteque: two interfaces to the same data, of which the older one knows netblocks.

`api = "deteque"` asks `GET {url}/api/query?queryType=IP&target=198.51.100.0/24&output=JSON` of pdnsapi.deteque.com, with
HTTP Basic (docs.spamhaus.com/pdns/docs/source/000-WO/Passive_DNS_API.html). `api = "v2"` logs in at `{url}/v2/login` of
api-pdns.spamhaustech.com and asks `GET {url}/v2/_search/rdata/{address}` (docs.deteque.com/pdns). Both need `username_env`
and `password_env`; the token that a login of v2 brings is kept for as long as it holds, as Spamhaus blocks who logs in for
each question.

    Netblocks           deteque: yes, as one CIDR prefix. v2: no, each address is asked for
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both, in seconds. v2 tells the first only when it is asked to (`verbose`; not verified: that it is
                        this parameter)
    Cap                 deteque: 100,000 rows, and v2: `limit`, at most what `maximum-dataset-size` of the account allows.
                        Both are silent: an answer with as many rows is taken for a cut one. deteque is then asked for halves
                        of the netblock, down to single addresses. Set `limit` to the account's own cap, if that is lower
    Cost of a /24       deteque: a /24 costs one call, and more when its answer was cut. v2: a /24 costs 256 calls
    Names in front      v2: yes, the CNAMEs that point at a name, by one call a name. deteque: no, as it is not documented
                        which of its queries goes that way
    Passing on          as your contract with Spamhaus says: `green` here, and `tlp = "amber"` raises it
    Not found           200 without rows. Not verified: v2 may say 404, which is believed when something else is known in the
                        same poll
    Quotas              by day and month, asked for free of charge (`CHECK_QUOTA`, `/v2/limits`); 429 asks for slower calls.
                        Not verified: the words of CHECK_QUOTA; figures that cannot be told apart teach nothing

Not verified: what the fields of a row are called by deteque, and whether its rows are lines, an array, or an array within an
object. Each of these is read, and the usual names are known; an answer of which no row can be read is a failure. What says
`error`, `warning`, `truncated` or a `status` that is not good, beside rows or in place of one, makes them partial, and so do
lines that end in no row. One that counts more rows (`hits`, `total`) than it gives is asked for in halves. An array or
object is held as a whole; one over 16 MiB is asked for in halves.
"""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, AnswerTooBig, Credentials, Discretion, HttpError, Login, Request, Token
from feedsvc.model import Batch, End, Learnt, Outcome, Span, Tlp
from feedsvc.plugins import OptionFaults
from feedsvc.sources import access, bodies
from feedsvc.sources.aliases import Aliases
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.guesses import LARGEST, Guesses
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

DETEQUE = "https://pdnsapi.deteque.com"
V2 = "https://api-pdns.spamhaustech.com"
CAP = 100_000
"""Rows of one answer of deteque; `query_limit` can only lower it."""

FORM = "a row of Spamhaus"
NO_ROW = f"not {FORM}"

_JSON = {"Accept": "application/json"}
_FULL = End(Outcome.PARTIAL, "the answer has as many rows as Spamhaus gives at once")
_DEADLINE = 30.0  # seconds for a login
_SMALL = 65_536  # bytes of an answer about tokens or quotas
_SHORTEST, _LONGEST = 300.0, 86_400.0  # seconds for which a token is kept, whatever our clocks make of its end


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of Spamhaus.

    Attributes:
        api: which of the two interfaces: `deteque`, which knows netblocks, or `v2`.
        limit: rows of one answer; 0 is 100,000 for deteque and 1,000 for v2.
        verbose: whether v2 is asked for the time at which a row was first seen.
        max_calls: calls that one netblock may cost in a poll; the next poll goes on.
        max_addresses: netblocks with more are skipped by v2, which asks for each address alone.
        concurrency: calls under way at once.
        deadline: seconds for one answer.
        max_bytes: of one answer; one that is longer is asked for in halves, where that can be.
    """

    api: Literal["deteque", "v2"] = "deteque"
    limit: Annotated[int, Field(ge=0, le=CAP)] = 0
    verbose: bool = True
    max_calls: Annotated[int, Field(ge=1)] = 1024
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    deadline: Annotated[float, Field(gt=0)] = 120.0
    max_bytes: Annotated[int, Field(ge=1)] = 64 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one account; see the folder's docstring.

    Raises:
        OptionFaults: no user name and password, or a URL that is none.
    """
    is_v2 = options.api == "v2"
    traits = Traits(
        reach="address" if is_v2 else "netblock",
        concurrency=options.concurrency,
        max_calls=options.max_calls,
        max_addresses=options.max_addresses,
        tlp=access.tlp(settings, Tlp.GREEN),
        fronts=is_v2,
    )
    if is_v2:
        base = access.base_url(settings, V2).removesuffix("/v2")
        return _V2(base, _login(settings, base, now), replace(options, limit=options.limit or 1_000), now, traits)
    base = access.base_url(settings, DETEQUE).removesuffix("/api/query")
    return _Deteque(base, _basic(settings), replace(options, limit=options.limit or CAP), now, traits)


def _basic(settings: SourceSettings) -> Credentials:
    credentials = access.login(settings)
    if credentials is None:
        raise _lacking(settings)
    return credentials


def _login(settings: SourceSettings, base: str, now: Clock) -> Login:
    pair = access.username_and_password(settings)
    if pair is None:
        raise _lacking(settings)
    username, password = (secret.reveal() for secret in pair)
    origin = " and ".join(secret.origin for secret in pair)
    request = Request(
        f"{base}/v2/login",
        headers={**_JSON, "Content-Type": "application/json"},
        body=msgspec.json.encode({"username": username, "password": password}),
        deadline=_DEADLINE,
        max_bytes=_SMALL,
        hidden=Discretion((password,), (username,)),
        origin=origin,
    )
    return Login(request, functools.partial(_token, now), origin)


def _lacking(settings: SourceSettings) -> OptionFaults:
    key = access.key_of(settings, "username")
    return OptionFaults({key: f"username: provider {settings.provider!r} needs username_env and password_env"})


class _Given(msgspec.Struct):
    token: str
    expires: Any = None


def _token(now: Clock, body: bytes) -> Token:
    given = bodies.one(body, _Given)
    if given is None:
        raise ValueError("no token")
    until = bodies.number(given.expires)
    seconds = _SHORTEST if until is None else until - now().timestamp()
    return Token(given.token, min(max(seconds, _SHORTEST), _LONGEST))


# -- deteque ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Deteque(Provider):
    base: str
    credentials: Credentials
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        block = question.netblock
        target = str(next(block.addresses())) if block.size == 1 else str(block)
        lower = {"query_limit": str(self.options.limit)} if self.options.limit < CAP else {}
        return Request(
            f"{self.base}/api/query",
            params={"queryType": "IP", "target": target, "output": "JSON", **lower},
            headers=_JSON,
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        guesses = Guesses(rows, FORM)
        yield from guesses.read(answer.lines(longest=LARGEST))  # all rows may stand in one
        if guesses.torn:
            return Reply(broken("the answer ends in the middle of a row", rows.understood))
        end = rows.end(FORM)
        if end != COMPLETE:
            return Reply(end)
        if guesses.astray:
            return Reply(broken("the answer ends in something that is no row", rows.understood))
        if rows.seen >= self.options.limit:
            return Reply(_FULL, limited=True)
        if guesses.lacking:
            return Reply(End(Outcome.PARTIAL, guesses.lacking), limited=True)
        return Reply(COMPLETE)

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        return _too_big(err)

    def quota_request(self) -> Request:
        return Request(
            f"{self.base}/api/query",
            params={"queryType": "CHECK_QUOTA"},
            headers=_JSON,
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=_SMALL,
        )

    def read_quota(self, body: bytes, now: datetime) -> Sequence[Learnt]:
        del now
        return _quotas(body)


# -- v2 -----------------------------------------------------------------------------------------------------------------


class _Document(msgspec.Struct):
    """The outside of every answer."""

    records: msgspec.Raw = msgspec.Raw()
    hits: bodies.Scalar = None
    error: bodies.Scalar = None
    status: bodies.Scalar = None
    message: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class _V2(Provider):
    base: str
    login: Login
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        return self._asking(str(next(question.netblock.addresses())))

    def front_request(self, front: Front) -> Request:
        return self._asking(quote(front.name, safe=""))

    def _asking(self, value: str) -> Request:
        verbose = {"verbose": "1"} if self.options.verbose else {}
        return Request(
            f"{self.base}/v2/_search/rdata/{value}",
            params={"limit": str(self.options.limit), **verbose},
            headers=_JSON,
            credentials=self.login,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        return (yield from self._read(answer, Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)))

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        return (yield from self._read(answer, Aliases(front, self.now(), answer.discretion, self.traits.tlp)))

    def _read(self, answer: Answer, rows: Rows) -> Generator[Batch, None, Reply]:
        document = rows.framed(answer, _Document, "a document of Spamhaus")
        records = bodies.rows(document.records)
        for record in records or ():
            if len(record) <= bodies.LONGEST:
                rows.feed(bytes(record))  # a `Raw` is no bytes, whatever its annotations say
            else:
                rows.leave_out(NO_ROW, bytes(record), understood=False)
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        return self._reply(document, records, rows, answer)

    def _reply(self, document: _Document, records: Sequence[msgspec.Raw] | None, rows: Rows, answer: Answer) -> Reply:
        hits, status = bodies.number(document.hits), bodies.number(document.status)
        if document.error or status not in (None, 200):
            said = answer.shown(bodies.one(document.message, str) or "it does not say why")
            return Reply(broken(f"Spamhaus could not answer: {said}", rows.understood))
        if records is None and hits != 0:
            return Reply(broken("the answer has no records: is the URL right?", 0))
        end, count = rows.end(FORM), len(records or ())
        if end.outcome is Outcome.COMPLETE and (count >= self.options.limit or (hits or 0) > count):
            return Reply(_FULL, limited=True)
        return Reply(end)

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        if err.status == 404:
            return Reply(replace(broken(str(err), 0, trouble=False), doubted=True))
        return _too_big(err)

    def quota_request(self) -> Request:
        return Request(
            f"{self.base}/v2/limits",
            headers=_JSON,
            credentials=self.login,
            deadline=self.options.deadline,
            max_bytes=_SMALL,
        )

    def read_quota(self, body: bytes, now: datetime) -> Sequence[Learnt]:
        del now
        return _quotas(body)


def _too_big(err: HttpError) -> Reply | None:
    if isinstance(err, AnswerTooBig):
        return Reply(replace(after_fault(err, 0), outcome=Outcome.PARTIAL), limited=True)
    return None


# -- quotas -------------------------------------------------------------------------------------------------------------

_SPANS: Mapping[Span, Sequence[str]] = {"day": ("day", "daily", "qpd"), "month": ("month", "qpm")}
_ROLES: Mapping[str, Sequence[str]] = {
    "left": ("left", "remain"),
    "used": ("used", "done", "made", "current"),
    "limit": ("limit", "max", "allow", "quota"),
}


def _quotas(body: bytes) -> Sequence[Learnt]:
    """What a document says of quotas, by the words of its keys: `{"limits": {"qpd": 2000}, "current": {"qpd": 88}}`."""
    told: dict[tuple[Span, str], set[int]] = {}
    for path, figure in _figures(bodies.one(body, dict[str, Any]), ""):
        spans = [span for span, words in _SPANS.items() if any(word in path for word in words)]
        role = next((role for role, words in _ROLES.items() if any(word in path for word in words)), None)
        if len(spans) == 1 and role is not None:
            told.setdefault((spans[0], role), set()).add(figure)
    # Two figures of which both might be meant are none.
    plain = {key: figures.pop() for key, figures in told.items() if len(figures) == 1}
    return [learnt for span in _SPANS if (learnt := _learnt(span, plain)) is not None]


def _figures(value: object, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict) and path.count("/") < 4:
        for name, inner in value.items():
            yield from _figures(inner, f"{path}/{str(name).lower()}")
    elif (figure := bodies.number(value)) is not None:
        yield path, figure


def _learnt(span: Span, told: Mapping[tuple[Span, str], int]) -> Learnt | None:
    limit, used, left = told.get((span, "limit")), told.get((span, "used")), told.get((span, "left"))
    if not limit:
        return None
    return Learnt(span, limit, left if left is not None or used is None else max(limit - used, 0))
