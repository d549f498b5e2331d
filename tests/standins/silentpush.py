"""A server that answers as Silent Push does: lookups by answer, with netmask, fences, pages and a total; jobs.

Follows docs.silentpush.com/padns.html and help.silentpush.com/docs/job-id-status-1; the envelope, the total and the state of
a job are as the vendor's own connectors show them (splunk-soar-connectors/silentpush, demisto/content).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply

ROOT = "/api/v1/merge-api/explore"
JSON = {"Content-Type": "application/json"}
_LOOKUP = re.compile(re.escape(ROOT) + r"/padns/lookup/answer/(a|aaaa|cname)/(.+)")
_JOB = re.compile(re.escape(ROOT) + r"/job/([0-9]+)")

Row = Mapping[str, object]


class Server(ProviderStandin):
    """Silent Push.

    Attributes:
        aliases: names that point at a name.
        slow: how often a job is asked for before it has an answer; None: there are no jobs.
        lost: whether jobs are forgotten at once.
        state: what a job says that has no answer yet.
        accepted: the status under which a job is told.
        totals: whether the number of rows is told.
        heeds_netmask: whether a netblock is more than its first address.
    """

    provider = "silentpush"

    def __init__(self, seen: Iterable[Seen] = (), *, cap: int | None = None, reach: int | None = None) -> None:
        super().__init__(seen, cap=cap, reach=reach)
        self.aliases: dict[str, Sequence[str]] = {}
        self.slow: int | None = None
        self.lost = False
        self.state = "STARTED"
        self.accepted = 200
        self.totals = True
        self.heeds_netmask = True
        self._jobs: list[tuple[Call, list[Row]]] = []
        self._asked: dict[int, int] = {}

    def answer(self, call: Call) -> Reply:
        if call.headers.get("x-api-key") != KEY:
            return _said(403, {"status_code": 403, "error": "Forbidden", "response": None})
        if job := _JOB.fullmatch(call.path):
            return self._job(int(job[1]))
        lookup = _LOOKUP.fullmatch(call.path)
        if lookup is None:
            return _said(404, {"status_code": 404, "error": "not found", "response": None})
        try:
            rows = self._rows(call, lookup[1], lookup[2])
        except ValueError as err:
            return _said(400, {"status_code": 400, "error": f"bad request: {err}", "response": None})
        if self.slow is None:
            return self._page(call, rows)
        self._jobs.append((call, rows))
        return self._told(len(self._jobs) - 1)

    def _rows(self, call: Call, kind: str, value: str) -> list[Row]:
        if kind == "cname":
            return [_row(alias, value, "CNAME") for alias in self.aliases.get(value, ())]
        if (":" in value) is not (kind == "aaaa"):
            raise ValueError("qtype does not fit the address")
        netmask = call.query.get("netmask", "") if self.heeds_netmask else ""
        here = self.within(f"{value}/{netmask}" if netmask else value)
        after, before = (int(call.query.get(f"last_seen_{end}", at)) for end, at in (("after", 0), ("before", 1 << 40)))
        here = [one for one in here if after <= one.last <= before]
        return [_row(one.name, one.address, kind.upper(), one.first, one.last, one.count) for one in here]

    def _page(self, call: Call, rows: Sequence[Row]) -> Reply:
        skip, limit = int(call.query.get("skip", 0)), int(call.query.get("limit", 100))
        end = skip + min(limit, limit if self.cap is None else self.cap)
        found = rows[skip : end if self.reach is None else min(end, self.reach)]
        response: dict[str, object] = {"records": found}
        if call.query.get("with_metadata") == "1" and self.totals:
            response["metadata"] = {"results_returned": len(found), "results_total_at_least": len(rows), "job_id": "9"}
        return _said(200, {"status_code": 200, "error": None, "response": response})

    def _job(self, number: int) -> Reply:
        if self.lost or number >= len(self._jobs):
            return _said(404, {"status_code": 404, "error": "no such job", "response": None})
        asked = self._asked[number] = self._asked.get(number, 0) + 1
        return self._page(*self._jobs[number]) if asked > (self.slow or 0) else self._told(number)

    def _told(self, number: int) -> Reply:
        job = {"get": f"{self.url}{ROOT}/job/{number}", "job_id": str(number), "status": self.state}
        return _said(self.accepted, {"status_code": self.accepted, "error": None, "response": {"job_status": job}})


def _row(name: str, answer: str, kind: str, first: int = 1_700_000_000, last: int = 1_700_000_600, count: int = 3) -> Row:
    times = {"first_seen": _written(first), "last_seen": _written(last)}
    return {"answer": answer, "count": count, **times, "query": name, "ttl": 300, "type": kind}


def _written(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _said(status: int, document: Mapping[str, object]) -> Reply:
    return Reply(status, JSON, [json.dumps(document).encode()])
