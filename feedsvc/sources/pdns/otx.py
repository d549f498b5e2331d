"""OTX, the Open Threat Exchange of LevelBlue (once AlienVault): passive DNS of single addresses.

Asks `GET {url}/indicators/IPv4/{address}/passive_dns` (or `IPv6`) with the key of `api_key_env` in `X-OTX-API-KEY`. `url` is
only needed for another server than `https://otx.alienvault.com`; `/api/v1` is put behind it when it has no path. A key is
free. Without one OTX may answer as well, but has come to refuse that with 429: set a key.

    Netblocks           no: each address is asked for, so a /24 costs 256 questions a poll and an IPv6 /64 is never asked
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both, as texts in one of three forms: without a zone (taken as UTC), with one, or as RFC 1123 writes
                        them; no count
    Cap                 none that is documented, and no pages: a busy address is a large, slow answer, or a 504. One that is
                        over `max_bytes` is not used, and its address not answered. An answer that counts more rows than it
                        has, speaks of a next page, or has exactly `cap` rows, is partial
    Cost of a /24       256 questions
    Passing on          OTX's terms of use decide: `green` unless `tlp` says otherwise
    Not found           200 with an empty list
    Quotas              `per_hour` is ours, to be a good guest. 429 is the end of a poll

Rows about CNAME, PTR and other records, and those whose address is a word such as `NXDOMAIN`, come along: they are counted
and left out. A row that does not say its type is taken by its address.

Not verified: whether answers end at some number of rows without a word. They are suspected to end at 500, so that one of
exactly as many is not taken for whole; another cap cannot be seen: should many busy addresses have the same number of rows,
set `cap` to it. Nor how many questions an hour OTX allows, and that times without a zone are UTC.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, AnswerTooBig, Credentials, HttpError, Request
from feedsvc.model import Allowance, Batch, End, Outcome, Tlp
from feedsvc.sources import access, bodies, times
from feedsvc.sources.cof import OTHER_TYPE, Rows
from feedsvc.sources.cof_rows import Said
from feedsvc.sources.complaints import NOTHING
from feedsvc.sources.endings import COMPLETE, after_fault
from feedsvc.sources.port import Provider, Question, Reply, Traits

SERVER = "https://otx.alienvault.com"
PATH = "/api/v1"
FORM = "a list of passive DNS"
NOT_A_ROW = "not a row of passive DNS"

_ADDRESSES = frozenset({"A", "AAAA"})


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of OTX.

    Attributes:
        per_hour: questions in an hour; 0 for as many as there are.
        cap: rows at which an answer may have been cut without a word; 0 when it never is.
        concurrency: addresses asked at once.
        max_addresses: netblocks with more addresses are skipped.
        deadline: seconds for the answer about one address; OTX is slow about busy ones.
        max_bytes: of the answer about one address; a longer one is not used, and a row has some 350 bytes.
    """

    per_hour: Annotated[int, Field(ge=0)] = 1000
    cap: Annotated[int, Field(ge=0)] = 500
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    deadline: Annotated[float, Field(gt=0)] = 120.0
    max_bytes: Annotated[int, Field(ge=1)] = 32 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider with or without a key; see the folder's docstring.

    Raises:
        OptionFaults: a key that no header can carry, or a URL that is none.
    """
    base = access.base_url(settings, SERVER, PATH)
    traits = Traits(
        reach="address",
        concurrency=options.concurrency,
        max_addresses=options.max_addresses,
        allowances=(Allowance("burst", options.per_hour, 3600.0),) if options.per_hour else (),
        tlp=access.tlp(settings, Tlp.GREEN),
    )
    credentials = access.key(settings, "X-OTX-API-KEY") if "api_key" in settings.secrets else None
    return _Otx(base, credentials, options, now, traits)


class _Row(msgspec.Struct):
    hostname: Any = None
    address: Any = None
    record_type: Any = None
    first: Any = None
    last: Any = None


class _Body(msgspec.Struct):
    passive_dns: msgspec.Raw
    count: bodies.Scalar = None
    full_size: bodies.Scalar = None
    has_next: bodies.Scalar = None
    next: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class _Otx(Provider):
    base: str
    credentials: Credentials | None
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        address = next(question.netblock.addresses())
        return Request(
            f"{self.base}/indicators/IPv{address.version}/{address}/passive_dns",
            headers={"Accept": "application/json"},
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        rows = Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp)
        body = rows.framed(answer, _Body, FORM)
        given = bodies.rows_of(answer, body.passive_dns, FORM)
        for raw in given:
            _take(raw, rows)
            if rows.full:
                yield rows.batch()
        yield rows.batch()
        end = rows.end("one of passive DNS")
        if end != COMPLETE:
            return Reply(end)
        return _reply(body, len(given), self.options.cap)

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        end = after_fault(err, 0)
        if isinstance(err, AnswerTooBig):
            return Reply(replace(end, reason=f"{end.reason}: raise max_bytes if it is worth it", trouble=False))
        if err.status == 429 and self.credentials is None:
            return Reply(replace(end, reason=f"{end.reason}; there is no key: set api_key_env"), over="burst")
        return None


def _take(raw: msgspec.Raw, rows: Rows) -> None:
    row, sample = bodies.one(raw, _Row), bytes(raw)
    if row is None or not isinstance(row.hostname, str):
        rows.leave_out(NOT_A_ROW, sample, understood=False)
        return
    if isinstance(row.record_type, str) and row.record_type and row.record_type.upper() not in _ADDRESSES:
        rows.leave_out(OTHER_TYPE, sample, understood=True)
        return
    first, last = times.from_text(row.first), times.from_text(row.last)
    rows.take(Said(row.hostname, [row.address], first, last), sample)


def _reply(body: _Body, given: int, cap: int) -> Reply:
    """Whether a list of so many rows says of itself that it is not all, or may be cut."""
    counted = max(bodies.number(body.count) or 0, bodies.number(body.full_size) or 0)
    if counted > given:
        return Reply(End(Outcome.PARTIAL, f"it counts {counted:,} rows and gives {given:,}"), limited=True)
    if body.has_next is True or bytes(body.next) not in NOTHING:
        return Reply(End(Outcome.PARTIAL, "it speaks of a next page, which nobody knows how to ask for"), limited=True)
    if given and given == cap:
        return Reply(End(Outcome.PARTIAL, f"it has exactly {given:,} rows, so it may have been cut"), limited=True)
    return Reply(COMPLETE)
