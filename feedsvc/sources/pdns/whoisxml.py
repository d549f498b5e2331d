"""WhoisXML's Reverse IP API, version 1: the names of single addresses.

Asks `GET {url}?ip={address}&from={name}` with the key of `api_key_env` in the parameter `apiKey`. It is taken nowhere else;
so it is added when a question is sent, and stands in nothing that is shown. `url` is only needed for another server than
`https://reverse-ip.whoisxmlapi.com`; `/api/v1` is put behind it when it has no path.

    Netblocks           no: each address is asked for, so a /24 costs 256 questions a poll and an IPv6 /64 is never asked
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both (`first_seen`, `last_visit`), in seconds; dates are understood as well. No count
    Cap                 300 names an answer. A full one has a next page, asked for by its last name; the first page is asked
                        for by `from=0`, as any 300 come without it. An answer with fewer names than it says is partial
    Cost of a /24       256 questions, and one for each further 300 names of an address
    Passing on          your contract decides: `green` unless `tlp` says otherwise
    Not found           200 with an empty list
    Quotas              credits of the account, bought, or 500 to begin with; what is left is told by no answer: set
                        `daily_quota` so that they last. When they are spent it says 403, as of a wrong key, or 402. Calls
                        are held to `per_second`

Not verified: whether it knows IPv6 (the vendor's own client does not ask; a refusal by the server is told); whether a page
begins with the name it is asked from, or behind it (both are understood); how many calls a second it takes (30 and 10 are
documented for two of its sisters); how many credits a call costs.

The DNS Chronicle API of the same house answers by address as well, 10,000 names at once. What its answers and its pages look
like is not documented where we could read it, so it is left out rather than guessed.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, Credentials, HttpError, Request
from feedsvc.model import Allowance, Batch, End, Outcome, Tlp
from feedsvc.sources import access, bodies, times
from feedsvc.sources.cof import Rows
from feedsvc.sources.cof_rows import Said
from feedsvc.sources.endings import COMPLETE, after_fault
from feedsvc.sources.port import Provider, Question, Reply, Traits

SERVER = "https://reverse-ip.whoisxmlapi.com"
PATH = "/api/v1"
PAGE = 300
"""Names of an answer, at most: reverse-ip, the vendor's own client, asks on when it has as many."""

BEGINNING = "0"
"""What the first page is asked from, as the vendor's own client does."""

FORM = "a list of names"
NOT_A_ROW = "not a row with a name"

_LONGEST = 1025  # characters of a name in presentation form; a longer one is none to ask on from
_NOWHERE = Reply(End(Outcome.PARTIAL, "there is a next page, but no name to ask for it from", trouble=True))
_NO_ACCESS = frozenset({402, 403})


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of WhoisXML.

    Attributes:
        per_second: questions in a second; 0 for as many as there are.
        concurrency: addresses asked at once.
        max_addresses: netblocks with more addresses are skipped.
        max_calls: questions that one netblock may cost in a poll; the next poll goes on.
        deadline: seconds for one answer.
        max_bytes: of one answer; more is none.
    """

    per_second: Annotated[int, Field(ge=0)] = 10
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    max_calls: Annotated[int, Field(ge=1)] = 4096
    deadline: Annotated[float, Field(gt=0)] = 60.0
    max_bytes: Annotated[int, Field(ge=1)] = 4 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one key; see the folder's docstring.

    Raises:
        OptionFaults: no key, or a URL that is none.
    """
    base = access.base_url(settings, SERVER, PATH)
    traits = Traits(
        reach="address",
        concurrency=options.concurrency,
        max_addresses=options.max_addresses,
        max_calls=options.max_calls,
        allowances=(Allowance("burst", options.per_second, 1.0),) if options.per_second else (),
        tlp=access.tlp(settings, Tlp.GREEN),
    )
    return _WhoisXml(base, access.query_parameter(settings, "apiKey"), options, now, traits)


class _Row(msgspec.Struct):
    name: Any = None
    first_seen: Any = None
    last_visit: Any = None


class _Body(msgspec.Struct):
    result: msgspec.Raw
    size: bodies.Scalar = None


@dataclass(frozen=True, slots=True)
class _WhoisXml(Provider):
    base: str
    credentials: Credentials
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        address = next(question.netblock.addresses())
        return Request(
            self.base,
            params={"ip": str(address), "from": question.page or BEGINNING, "outputFormat": "JSON"},
            headers={"Accept": "application/json"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        address = str(next(question.netblock.addresses()))
        body = rows.framed(answer, _Body, FORM)
        given = bodies.rows_of(answer, body.result, FORM)
        names: list[str] = []
        for raw in given:
            names += _take(raw, address, rows)
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        end = rows.end("one with a name")
        reply = _reply(len(given), bodies.number(body.size), names, question.page) if end == COMPLETE else Reply(end)
        return _NOWHERE if answer.holds_secret(reply.page) else reply

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        if err.status not in _NO_ACCESS:
            return None
        end = after_fault(err, 0)
        hint = "WhoisXML says so of a key that is wrong, and of one whose credits are spent"
        return Reply(replace(end, reason=f"{end.reason}; {hint}"))


def _take(raw: msgspec.Raw, address: str, rows: Rows) -> Sequence[str]:
    """Take one row; its name as it came, to ask on from, or nothing when it has none."""
    row, sample = bodies.one(raw, _Row), bytes(raw)
    if row is None or not isinstance(row.name, str) or not row.name:
        rows.leave_out(NOT_A_ROW, sample, understood=False)
        return ()
    rows.take(Said(row.name, [address], _moment(row.first_seen), _moment(row.last_visit)), sample)
    return (row.name,)


def _moment(value: object) -> object:
    """Seconds, as a number or as digits, or a date."""
    return value if bodies.number(value) is not None else times.from_text(value)


def _reply(given: int, size: int | None, names: Sequence[str], page: str) -> Reply:
    """The end of a page of so many rows, that says how many there are, and of which these names could be read."""
    if size is not None and size > given:
        return Reply(
            End(Outcome.PARTIAL, f"the answer says that it holds {size:,} names, and holds {given:,}", trouble=True)
        )
    if given < PAGE:
        return Reply(COMPLETE)
    last = names[-1]
    return _NOWHERE if last == page or len(last) > _LONGEST else Reply(COMPLETE, page=last)
