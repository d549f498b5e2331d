"""Names in front of findings: those that point at a finding's name by CNAME, which is what the malware may ask for.

A rule watches addresses, and passive DNS tells of an address only the names that have it themselves: an alias that leads to
one of these names is known by asking for the name. That costs a call a name, so few are asked about in a poll: those that
never were first, then those for which it is longest ago. When a name may be asked about again stands in a cursor of its own.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from feedsvc.clock import Clock, parse_rfc3339, rfc3339
from feedsvc.http import Answer, Client, HttpError, Request
from feedsvc.model import Batch, Cursor, End, Learnt, Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.calling import Calling, Heard
from feedsvc.sources.port import Budget, Front, Fronting, Known, Poll, Provider, Question, Reply

SCOPE = "front/"
"""What the scope of a name's cursor begins with."""

AGAIN = timedelta(days=7)
"""A name that was asked about is left alone for so long."""

SOON = timedelta(days=1)
"""One that was asked about in vain is left alone for so long, so that it does not keep others from their turn."""

PAGES = 50
"""So many pages at most are read of the names in front of one, where its provider sets no end to them."""

log = structlog.get_logger(__name__)
_NEVER = datetime.min.replace(tzinfo=UTC)


def chosen(known: Sequence[Known], cursors: Mapping[str, str], most: int, now: datetime) -> list[Front]:
    """The names to ask about: never asked before those asked long ago, and the newest findings before older ones."""
    due = [(_due(cursors.get(SCOPE + one.name, ""), now), one) for one in known if one.rdata]
    due = sorted((pair for pair in due if pair[0] <= now), key=lambda pair: pair[0])
    return [Front(one.name, one.rdata) for _, one in due[:most]]


def _due(text: str, now: datetime) -> datetime:
    """When a name may be asked about; what a clock wrote that has stepped back since is as if it had not been asked."""
    with contextlib.suppress(ValueError, OverflowError):
        due = parse_rfc3339(text)
        return due if due <= now + AGAIN else _NEVER
    return _NEVER


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

    def count(self, poll: Poll) -> int:
        """How many names would be asked about."""
        return len(self._chosen(poll))

    def batches(self, poll: Poll, budget: Budget) -> Iterator[Batch]:
        """Ask, and yield what comes; no netblock depends on it, so an end is about none of them.

        It says which names were not told in full, and is there only when some were not.
        """
        gone = tuple(Cursor(self._source, scope, "") for scope in forgotten(poll.known, poll.cursors))
        if gone:
            yield Batch(cursors=gone)
        fronts, provider = self._chosen(poll), self._provider
        if not fronts or not isinstance(provider, Fronting):
            return
        queue, caller = _Queue(fronts), _Caller(provider, provider, self._now)
        calling: Calling[Front] = Calling(self._http, caller, queue, budget, width=1, made=0, now=self._now)
        with contextlib.closing(calling.heard()) as round_of_calls:
            for heard in round_of_calls:
                yield self._batch(heard, queue)
        if lacking := queue.lacking():
            yield Batch(end=self._told(lacking, len(fronts)))

    def _told(self, lacking: Mapping[str, str], asked: int) -> End:
        """What is said of names of which not all, or nothing, could be learnt: for each, why."""
        name, why = next(iter(lacking.items()))
        log.warning("fronts.lacking", source=self._source, names=len(lacking), asked=asked, first=name, reason=why)
        reason = f"names in front: {len(lacking)} of {asked} findings could not be asked about in full: {name}: {why}"
        return End(Outcome.COMPLETE, reason)

    def _chosen(self, poll: Poll) -> list[Front]:
        asks = isinstance(self._provider, Fronting) and self._provider.traits.fronts
        return chosen(poll.known, poll.cursors, self._most, poll.now) if asks else []

    def _batch(self, heard: Heard[Front], queue: _Queue) -> Batch:
        if heard.reply is None or queue.turns_page(heard.asked, heard.reply):
            return heard.batch
        end = heard.reply.end
        queue.answered(heard.asked, end)
        if end.stop:
            return heard.batch
        again = self._now() + (SOON if end.trouble else AGAIN)
        cursor = Cursor(self._source, SCOPE + heard.asked.name, rfc3339(again))
        return replace(heard.batch, cursors=(cursor,))


class _Queue:
    """What is to be asked, and what of it was told in full."""

    def __init__(self, fronts: Sequence[Front]) -> None:
        self._waiting = deque(fronts)
        self._pages: Counter[str] = Counter()
        self._ends: list[tuple[Front, End]] = []

    def take(self) -> Front | None:
        return self._waiting.popleft() if self._waiting else None

    def put_back(self, asked: Front) -> None:
        self._waiting.appendleft(asked)

    def calls(self) -> int:
        return len(self._waiting)

    def answered(self, asked: Front, end: End) -> None:
        """A name was asked about to its last page."""
        self._ends.append((asked, end))

    def lacking(self) -> Mapping[str, str]:
        """Why names were not told in full; one that is not known is, where another is known."""
        known = any(end.outcome is Outcome.COMPLETE for _, end in self._ends)
        bad = [(asked, end) for asked, end in self._ends if end.outcome is not Outcome.COMPLETE]
        return {asked.name: end.reason for asked, end in bad if not (known and end.doubted)}

    def turns_page(self, asked: Front, reply: Reply) -> bool:
        """Whether there is a next page that is worth a call, which is then the next one."""
        self._pages[asked.name] += 1
        goes_on = reply.end.outcome is Outcome.COMPLETE and reply.page not in ("", asked.page)
        if not goes_on or self._pages[asked.name] >= PAGES:
            return False
        self.put_back(replace(asked, page=reply.page))
        return True


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
