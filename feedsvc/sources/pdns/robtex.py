"""Passive DNS of Robtex, its free API: no key, few questions.

Asks `GET {url}/pdns/reverse/{address}` and reads one JSON object a line, COF but for `rrdata` in place of `rdata`. `url` is
only needed for another server than Robtex' own.

    Netblocks           no: each address is asked for, one at a time, and an IPv6 /64 is never asked
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both, in seconds; a count. Its records are seldom young
    Cap                 not known, and not shown: an answer that is cut on purpose cannot be told from a whole one
    Cost of a /24       a /24 costs 256 questions a poll, so it takes a quarter of an hour
    Names in front      yes: the CNAMEs that point at a name, among all records that do
    Passing on          open data: `clear` unless you set `tlp`
    Not found           200 with nothing; 404 is a wrong URL
    Quotas              strict; `per_minute` keeps below. Who asks too often gets 429, `{"status":"ratelimited"}`, or a page
                        in HTML: that ends the poll, also when it comes behind rows

The same row may come twice, and counts once.

Not verified: how many questions are allowed (20 a minute is a guess that errs on the low side), the cap, the status for what
is not known.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, AnswerIsMarkup, HttpError, Request
from feedsvc.model import Allowance, Batch, End, Outcome, Tlp
from feedsvc.sources import access
from feedsvc.sources.aliases import Aliases
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import after_fault
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

SERVER = "https://freeapi.robtex.com"


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of Robtex.

    Attributes:
        per_minute: questions in any minute.
        max_addresses: netblocks with more addresses are skipped.
        deadline: seconds for the answer about one address.
        max_bytes: of the answer about one address; more of it makes that address partial.
    """

    per_minute: Annotated[int, Field(ge=1, le=600)] = 20
    max_addresses: Annotated[int, Field(ge=1)] = 256
    deadline: Annotated[float, Field(gt=0)] = 30.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for Robtex; see the folder's docstring.

    Raises:
        OptionFaults: a URL that is none.
    """
    traits = Traits(
        reach="address",
        concurrency=1,
        max_addresses=options.max_addresses,
        allowances=(Allowance("burst", options.per_minute, 60.0),),
        tlp=access.tlp(settings, Tlp.CLEAR),
        fronts=True,
    )
    return _Robtex(access.base_url(settings, SERVER), options, now, traits)


@dataclass(frozen=True, slots=True)
class _Robtex(Provider):
    base: str
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        return self._reverse(str(next(question.netblock.addresses())))

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        return _read(answer, Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp))

    def front_request(self, front: Front) -> Request:
        return self._reverse(front.name)

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        return _read(answer, Aliases(front, self.now(), answer.discretion, self.traits.tlp))

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        if not isinstance(err, AnswerIsMarkup):
            return None
        end = after_fault(err, 0)
        return Reply(
            replace(end, reason=f"{end.reason}; Robtex shows a page to who asks too often", stop=True), over="burst"
        )

    def _reverse(self, asked: str) -> Request:
        return Request(
            f"{self.base}/pdns/reverse/{quote(asked, safe=':')}",
            headers={"Accept": "application/x-ndjson, application/json;q=0.9, */*;q=0.1"},
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )


class _Status(msgspec.Struct):
    """A line that is no row."""

    status: Any = None
    rrname: Any = None


def _read(answer: Answer, rows: Rows) -> Generator[Batch, None, Reply]:
    lines = answer.lines()
    first = next(lines, b"")
    if _is_refusal(first):
        said = answer.shown(first)
        return Reply(End(Outcome.FAILED, f"Robtex was asked too often (it says: {said})", stop=True), over="burst")
    for batch in rows.read(itertools.chain([first], lines)):
        yield replace(batch, observations=tuple(dict.fromkeys(batch.observations)))
    # Asked too often while it answered: as if it had said so at once.
    return Reply(replace(rows.end(), stop=True), over="burst") if _is_refusal(rows.complaint) else Reply(rows.end())


def _is_refusal(line: bytes) -> bool:
    """Whether it says that Robtex was asked too often; it may show a page to say so."""
    if line.lstrip()[:1] == b"<":
        return True
    try:
        said = msgspec.json.decode(line, type=_Status)
    except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
        return False
    return said.rrname is None and isinstance(said.status, str) and "rate" in said.status.lower()
