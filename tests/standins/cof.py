"""A Passive DNS server that speaks the Common Output Format, with the habits of the D4 analyzer and of CIRCL.

As D4 does (seen on the real server): an address is answered with *every* record of every name found there, so that rows
about other addresses come along; a netblock is answered with nothing, not with an error; the content type is text/html;
`/fquery/` finds the names that point at a name.
As CIRCL does: paging by `dribble-*` headers, and active resolving of what is asked unless a header forbids it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply, Standin

Row = Mapping[str, object]
HTML = {"Content-Type": "text/html; charset=UTF-8"}


def row(name: str, address: str, first: int = 1_700_000_000, last: int = 1_700_000_600, **more: object) -> Row:
    """A COF row of an A or AAAA record."""
    rrtype = "AAAA" if ":" in address else "A"
    return {"rrname": name, "rrtype": rrtype, "rdata": address, "time_first": first, "time_last": last, **more}


class CofServer(Standin):
    """Answers `/query/{address or name}` from `rows`; needs Basic or a header when told so.

    Attributes:
        answers: bodies that are given as they are, by what is asked.
        absent: the status for what is not known: 200 with nothing, or 404.
        extra: headers of every good answer.
        resolved: what CIRCL would have looked up in the DNS because nothing forbade it.
        login: user name and password that it wants.
        header: name and value of a header that it wants.
    """

    def __init__(
        self,
        rows: Iterable[Row] = (),
        *,
        login: tuple[str, str] | None = None,
        header: tuple[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.rows: list[Row] = list(rows)
        self.answers: dict[str, bytes] = {}
        self.absent = 200
        self.extra: dict[str, str] = {}
        self.resolved: list[str] = []
        self.login = login
        self.header = header

    @property
    def asked(self) -> list[str]:
        """The addresses and names that were asked, in order."""
        return [call.path.removeprefix("/query/") for call in self.calls]

    def answer(self, call: Call) -> Reply:
        if not self._lets_in(call):
            return Reply(401, {"Content-Type": "text/plain"}, [b"authentication needed"])
        if not call.path.startswith(("/query/", "/fquery/")):
            return Reply(404, {"Content-Type": "text/html"}, [b"<html>404: Not Found</html>"])
        return self._records(call, *call.path[1:].split("/", 1))

    def about(self, asked: str) -> Sequence[Row]:
        """Every record of a name, or of every name at an address."""
        names = {found["rrname"] for found in self.rows if asked in (found["rrname"], *_rdata(found))}
        return self.of(names)

    def pointing(self, name: str) -> Sequence[Row]:
        """Every record of every name that points at a name."""
        return self.of({found["rrname"] for found in self.rows if name in _rdata(found)})

    def of(self, names: set[object]) -> Sequence[Row]:
        """Every record of these names."""
        return [found for found in self.rows if found["rrname"] in names]

    def page(self, call: Call, rows: Sequence[Row]) -> tuple[Sequence[Row], Mapping[str, str]]:
        """What of an answer is given to one call, and the headers that say so."""
        wanted = call.headers.get("dribble-filter-rrtype")
        rows = [found for found in rows if wanted in (None, found["rrtype"])]
        size = int(call.headers.get("dribble-paginate-count", len(rows) or 1))
        start = int(call.headers.get("dribble-paginate-cursor", 0))
        end = start + size
        return rows[start:end], {"x-dribble-cursor": str(end)} if end < len(rows) else {}

    def _records(self, call: Call, path: str, asked: str) -> Reply:
        if "dribble-disable-active-query" not in call.headers:
            self.resolved.append(asked)
        headers = {**HTML, **self.extra}
        if asked in self.answers:
            return Reply(200, headers, [self.answers[asked]])
        rows = self.about(asked) if path == "query" else self.pointing(asked)
        if not rows:
            return Reply(self.absent, headers)
        rows, more = self.page(call, rows)
        return Reply(200, {**headers, **more}, [json.dumps(found).encode() + b"\n" for found in rows], "chunked")

    def _lets_in(self, call: Call) -> bool:
        if self.header is not None:
            name, value = self.header
            return call.headers.get(name.lower()) == value
        if self.login is not None:
            token = base64.b64encode(":".join(self.login).encode()).decode()
            return call.headers.get("authorization") == f"Basic {token}"
        return True


class Server(ProviderStandin, CofServer):
    """A partner's server by what it has seen; what it cuts off is said in a header, as CIRCL does."""

    provider: ClassVar[str] = "cof"

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.header = ("Authorization", f"Bearer {KEY}")

    def about(self, asked: str) -> Sequence[Row]:
        names = {one.name for one in self.seen if one.address == asked}
        return [row(one.name, one.address, one.first, one.last, count=one.count) for one in self.seen if one.name in names]

    def page(self, call: Call, rows: Sequence[Row]) -> tuple[Sequence[Row], Mapping[str, str]]:
        if self.cap is None or len(rows) <= self.cap:
            return rows, {}
        said = {"error": "maxset", "maxset": self.cap, "total_value": len(rows)}
        return rows[: self.cap], {"x-dribble-errors": json.dumps(said)}


def _rdata(found: Row) -> Sequence[object]:
    rdata = found["rdata"]
    return rdata if isinstance(rdata, list) else [rdata]
