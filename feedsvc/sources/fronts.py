"""Names in front of findings: those that point at a finding's name by CNAME, which is what the malware may ask for.

A rule watches addresses, and passive DNS tells of an address only the names that have it themselves: an alias that leads to
one of these names is known by asking for the name. That costs a call a name, so few are asked about in a poll: those that
never were first, then those for which it is longest ago. When a name was asked about stands in a cursor of its own.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from feedsvc.clock import Clock, parse_rfc3339, rfc3339
from feedsvc.http import Answer, Client, HttpError, Request
from feedsvc.model import Batch, Cursor, Learnt
from feedsvc.names import parse_netblock
from feedsvc.sources.calling import Calling, Heard
from feedsvc.sources.port import Budget, Front, Fronting, Known, Poll, Provider, Question, Reply

SCOPE = "front/"
"""What the scope of a name's cursor begins with."""

AGAIN = timedelta(days=7)
"""A name is not asked about again within this."""


def chosen(known: Sequence[Known], cursors: Mapping[str, str], most: int, now: datetime) -> list[Front]:
    """The names to ask about: never asked before those asked long ago, and the newest findings before older ones."""
    due = [(at, one) for one in known if (at := _asked_at(cursors.get(SCOPE + one.name, ""))) is None or now - at >= AGAIN]
    due.sort(key=lambda pair: pair[0].timestamp() if pair[0] is not None else 0.0)
    return [Front(one.name, one.rdata) for _, one in due[:most]]


def _asked_at(text: str) -> datetime | None:
    with contextlib.suppress(ValueError):
        return parse_rfc3339(text)
    return None


def forgotten(known: Sequence[Known], cursors: Mapping[str, str]) -> list[str]:
    """The scopes of names that are findings no more."""
    names = {SCOPE + one.name for one in known}
    return [scope for scope in cursors if scope.startswith(SCOPE) and scope not in names]


class Fronts:
    """Asks for names in front of findings, on behalf of a source."""

    def __init__(self, source: str, provider: Provider, http: Client, most: int, now: Clock) -> None:
        """Make what asks for nothing yet.

        Args:
            source: its name.
            most: names asked about in a poll; with 0, or a provider that does not know, none.
        """
        self._source = source
        self._provider = provider
        self._http = http
        self._most = most
        self._now = now

    @property
    def _asks(self) -> bool:
        return isinstance(self._provider, Fronting) and self._provider.traits.fronts and self._most > 0

    def count(self, poll: Poll) -> int:
        """How many names would be asked about."""
        return len(chosen(poll.known, poll.cursors, self._most, poll.now)) if self._asks else 0

    def batches(self, poll: Poll, budget: Budget) -> Iterator[Batch]:
        """Ask, and yield what comes: without an end, as no netblock depends on it."""
        provider = self._provider
        if not isinstance(provider, Fronting) or not self._asks:
            return
        yield Batch(cursors=tuple(Cursor(self._source, scope, "") for scope in forgotten(poll.known, poll.cursors)))
        asked = chosen(poll.known, poll.cursors, self._most, poll.now)
        queue = _Fronts(asked)
        caller = _Caller(provider, provider, self._now)
        calling: Calling[Front] = Calling(self._http, caller, queue, budget, width=1, total=len(asked), now=self._now)
        for heard in calling.heard():
            yield _batch(self._source, heard, queue, rfc3339(self._now()))


def _batch(name: str, heard: Heard[Front], queue: _Fronts, moment: str) -> Batch:
    if heard.reply is None:
        return heard.batch
    if heard.reply.page:
        queue.put_back(replace(heard.asked, page=heard.reply.page))
        return heard.batch
    # An answer that was cut short is not asked for again: a name that so many point at is a host of others, not a disguise.
    return replace(heard.batch, cursors=(Cursor(name, SCOPE + heard.asked.name, moment),))


class _Fronts:
    def __init__(self, fronts: Sequence[Front]) -> None:
        self._waiting = deque(fronts)

    def take(self) -> Front | None:
        return self._waiting.popleft() if self._waiting else None

    def put_back(self, asked: Front) -> None:
        self._waiting.appendleft(asked)

    def calls(self) -> int:
        return len(self._waiting)


@dataclass(frozen=True, slots=True)
class _Caller:
    """A provider, asked about names."""

    provider: Provider
    fronting: Fronting
    now: Clock

    def request(self, asked: Front) -> Request:
        return self.fronting.front_request(asked)

    def read(self, answer: Answer, asked: Front) -> Generator[Batch, None, Reply]:
        return self.fronting.read_front(answer, asked)

    def refused(self, err: HttpError, asked: Front) -> Reply | None:
        return self.provider.refused(err, Question(parse_netblock(asked.rdata[0])))

    def quotas(self, headers: Mapping[str, str]) -> Sequence[Learnt]:
        return self.provider.quotas(headers, self.now())
