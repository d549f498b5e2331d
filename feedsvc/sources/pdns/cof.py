"""Any server of the Passive DNS Common Output Format: CIRCL, the D4 analyzer, a CERT's own.

Asks `GET {url}/query/{address}` and reads one JSON object a line (draft-dulaunoy-dnsop-passive-dns-cof). `url` is the
address without `/query`, for CIRCL `https://www.circl.lu/pdns`. Access: `username_env` and `password_env` for HTTP Basic,
or `api_key_env` for a key in the header that `header` names, or nothing.

    Netblocks           no: each address is asked for, so a /24 costs 256 questions a poll and an IPv6 /64 is never asked
    Time filter         no: every poll brings everything, and history knows what of it is new; `overlap` means nothing here
    First / last seen   both, in seconds; a count where the server has one
    Cap                 the server's own, and mostly silent. CIRCL says in `x-dribble-errors` or `x-dribble-cursor` that
                        there is more than it gave: that is partial. D4 leaves out names with 200 addresses and more, and
                        says nothing: that cannot be seen
    Not found           200 with nothing; some servers say 404, see `not_found`

CIRCL's server resolves what it is asked about unless told not to, which would warn whoever runs the name: the header
`dribble-disable-active-query` that forbids it goes with every question. Rows about addresses outside the netblock, which
D4 sends along, are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from feedsvc.clock import Clock
from feedsvc.config import SourceSettings
from feedsvc.errors import SourceError
from feedsvc.http import Answer, Client, Credentials, HttpError, discreetly
from feedsvc.model import Batch, End
from feedsvc.names import Address, Netblock
from feedsvc.plugins import OptionFaults
from feedsvc.sources import access, per_address
from feedsvc.sources.cof import Rows
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.port import Provider, Question

_HEADERS = {"Accept": "application/x-ndjson, application/json;q=0.9, */*;q=0.1", "dribble-disable-active-query": "1"}
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:: *([!-~]+))?")  # RFC 9110 §5.1, and perhaps an auth scheme


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of a COF server.

    Attributes:
        header: where the API key goes: `X-API-Key`, or with a word before the key, `Authorization: Bearer`.
        concurrency: addresses asked at once; the HTTP client lets four go to one host.
        max_addresses: netblocks with more addresses are skipped.
        not_found: what 404 means: `empty`, no record; `fault`, a wrong URL; `auto`, no record if the server knew another
            address in the same poll, as a wrong URL is wrong for all.
        deadline: seconds for the answer about one address.
        max_bytes: of the answer about one address; more of it makes that address partial.
    """

    header: str = "Authorization: Bearer"
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    max_addresses: Annotated[int, Field(ge=1)] = 4096
    not_found: Literal["auto", "empty", "fault"] = "auto"
    deadline: Annotated[float, Field(gt=0)] = 30.0
    max_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024


def build(settings: SourceSettings, options: Options, http: Client, now: Clock) -> Provider:
    """A provider for one COF server; see the folder's docstring.

    Raises:
        OptionFaults: no URL, secrets that do not go together, a `header` that is none.
    """
    base = access.base_url(settings).removesuffix("/query")
    return _CofServer(base, _credentials(settings, options), options, http, now)


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
class _CofServer:
    base: str
    credentials: Credentials | None
    options: Options
    http: Client
    now: Clock

    def ask(self, question: Question) -> Iterator[Batch]:
        """Ask for each address of the netblock; `since` is of no use to this server."""
        absent: list[Address] = []
        for batch in per_address.ask_each(
            question.netblock,
            lambda address: self._ask_one(address, question.netblock, absent),
            concurrency=self.options.concurrency,
            max_addresses=self.options.max_addresses,
        ):
            yield self._doubted(batch, question.netblock, absent)

    def _ask_one(self, address: Address, netblock: Netblock, absent: list[Address]) -> per_address.Answer:
        rows = Rows(netblock, self.now(), discreetly(self.credentials))
        try:
            with self.http.get(
                f"{self.base}/query/{address}",
                headers=_HEADERS,
                credentials=self.credentials,
                deadline=self.options.deadline,
                max_bytes=self.options.max_bytes,
            ) as answer:
                yield from rows.read(answer.lines())
                end = _end(answer, rows)
        except SourceError as err:
            end = after_fault(err, rows.understood)
            if self._says_empty(err):
                absent.append(address)
                end = COMPLETE
        yield replace(rows.batch(), end=end)

    def _says_empty(self, err: SourceError) -> bool:
        return isinstance(err, HttpError) and err.status == 404 and self.options.not_found != "fault"

    def _doubted(self, batch: Batch, netblock: Netblock, absent: list[Address]) -> Batch:
        """An answer of nothing but 404 is as likely one of a server that is asked at the wrong place."""
        if self.options.not_found != "auto" or batch.end is None or len(absent) < netblock.size:
            return batch
        reason = (
            f"{self.base}/query/: 404 for each of the {netblock.size} addresses: is the URL right? "
            'If this server says 404 where it knows nothing, set not_found = "empty"'
        )
        return replace(batch, end=replace(broken(reason, 0, trouble=False), doubted=True))


def _end(answer: Answer, rows: Rows) -> End:
    for header in ("x-dribble-errors", "x-dribble-cursor"):
        if header in answer.headers:
            said = answer.shown(answer.headers[header])
            return broken(f"the server has more than it gave ({header}: {said})", rows.understood, trouble=False)
    return rows.end()
