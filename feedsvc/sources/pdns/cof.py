"""Any server of the Passive DNS Common Output Format: the D4 analyzer, a CERT's own, a partner's.

Asks `GET {url}/query/{address}` and reads one JSON object a line (draft-dulaunoy-dnsop-passive-dns-cof). `url` is the
address without `/query`. Access: `username_env` and `password_env` for HTTP Basic, or `api_key_env` for a key in the header
that `header` names, or nothing.

    Netblocks           no: each address is asked for, and an IPv6 /64 is never asked
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both, in seconds; a count where the server has one
    Cap                 the server's own, and mostly silent. What says in `x-dribble-errors` or `x-dribble-cursor` that there
                        is more than it gave is believed, and a line that tells an error in place of a row, and an
                        answer whose last line is no row: that is partial. D4 leaves out names with 200
                        addresses and more, and names that were taken in with capital letters, and says nothing:
                        that cannot be seen
    Cost of a /24       a /24 costs 256 questions a poll
    Names in front      where `front_path` names the place: for D4 that is `fquery`
    Passing on          whatever you have agreed with whoever runs it: set `tlp`; `clear` otherwise
    Not found           200 with nothing; some servers say 404, see `not_found`
    Quotas              none that are told; 429 ends the poll for as long as it says

CIRCL's server has a provider of its own, `circl`; it is spoken to here as well, without its pages. It resolves what it is
asked about unless told not to, which would warn whoever runs the name: the header `dribble-disable-active-query` that
forbids it goes with every question. Rows about addresses outside the netblock, which D4 sends along, are counted and left
out.

Not verified: that a server finds an IPv6 address however it spells it itself; it is asked for as RFC 5952 writes it. Nor
that any server but CIRCL's knows that header. Do not use this provider for a server that resolves what it is asked about and
cannot be told not to.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.http import Answer, Credentials, HttpError, Request
from feedsvc.model import Batch, Tlp
from feedsvc.plugins import OptionFaults
from feedsvc.sources import access, dribble
from feedsvc.sources.aliases import Aliases
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import COMPLETE, broken
from feedsvc.sources.port import Front, Provider, Question, Reply, Traits

_HEADERS = {"Accept": "application/x-ndjson, application/json;q=0.9, */*;q=0.1", **dribble.QUIET}
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:: *([!-~]+))?")  # RFC 9110 §5.1, and perhaps an auth scheme


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of a COF server.

    Attributes:
        header: where the API key goes: `X-API-Key`, or with a word before the key, `Authorization: Bearer`.
        concurrency: addresses asked at once.
        max_addresses: netblocks with more addresses are skipped.
        not_found: what 404 means: `empty`, no record; `fault`, a wrong URL; `auto`, no record if the server knew another
            address in the same poll, as a wrong URL is wrong for all.
        front_path: what stands in place of `query` to ask which names point at a name, where the server knows; empty: it
            does not.
        deadline: seconds for the answer about one address.
        max_bytes: of the answer about one address; more of it makes that address partial.
    """

    header: str = "Authorization: Bearer"
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    not_found: Literal["auto", "empty", "fault"] = "auto"
    front_path: Literal["", "query", "fquery"] = ""
    deadline: Annotated[float, Field(gt=0)] = 30.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, now: Clock) -> Provider:
    """A provider for one COF server; see the folder's docstring.

    Raises:
        OptionFaults: no URL, secrets that do not go together, a `header` that is none.
    """
    base = access.base_url(settings).removesuffix("/query")
    traits = Traits(
        reach="address",
        concurrency=options.concurrency,
        max_addresses=options.max_addresses,
        tlp=access.tlp(settings, Tlp.CLEAR),
        fronts=options.front_path != "",
    )
    return _CofServer(base, _credentials(settings, options), options, now, traits)


def _credentials(settings: SourceSettings, options: Options) -> Credentials | None:
    header = _HEADER.fullmatch(options.header)
    if header is None:
        raise OptionFaults({"header": "header: give a header's name, or its name and a word: 'Authorization: Bearer'"})
    login = access.login(settings)
    if "api_key" not in settings.secrets:
        return login
    if login is not None:
        raise OptionFaults({"username_env": "username_env: there is an api_key as well: keep one of the two"})
    return access.key(settings, header[1], f"{header[2]} " if header[2] else "")


@dataclass(frozen=True, slots=True)
class _CofServer(Provider):
    base: str
    credentials: Credentials | None
    options: Options
    now: Clock
    traits: Traits

    def request(self, question: Question) -> Request:
        return self._query("query", str(next(question.netblock.addresses())))

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        return self._reading(answer, Rows(question.netblock, self.now(), answer.discretion, self.traits.tlp))

    def front_request(self, front: Front) -> Request:
        return self._query(self.options.front_path, front.name)

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        return self._reading(answer, Aliases(front, self.now(), answer.discretion, self.traits.tlp))

    def _query(self, path: str, asked: str) -> Request:
        return Request(
            f"{self.base}/{path}/{quote(asked, safe=':')}",
            headers=_HEADERS,
            credentials=self.credentials,
            deadline=self.options.deadline,
            max_bytes=self.options.max_bytes,
        )

    def _reading(self, answer: Answer, rows: Rows) -> Generator[Batch, None, Reply]:
        yield from rows.read(answer.lines())
        if said := dribble.errors(answer):
            return _cut_short(rows, f"{dribble.ERRORS}: {said}")
        if cursor := dribble.cursor(answer):
            return _cut_short(rows, f"{dribble.CURSOR}: {answer.shown(cursor)}")
        return Reply(rows.end())

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        del question
        if err.status != 404 or self.options.not_found == "fault":
            return None
        if self.options.not_found == "empty":
            return Reply(COMPLETE)
        reason = (
            f"{self.base}/query/: 404 for each address: is the URL right? "
            'If this server says 404 where it knows nothing, set not_found = "empty"'
        )
        return Reply(replace(broken(reason, 0, trouble=False), doubted=True))


def _cut_short(rows: Rows, said: str) -> Reply:
    return Reply(broken(f"the server has more than it gave ({said})", rows.understood, trouble=False))
