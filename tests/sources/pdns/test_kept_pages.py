"""What is kept of an answer to ask for its rest with: it stands in the state, so nothing of a key may be in it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from feedsvc.http import HttpError
from feedsvc.model import Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.port import Question
from tests.sources.conftest import KEY
from tests.sources.pdns.reading import answer, drained
from tests.sources.pdns.room import provider

ONE = parse_netblock("198.51.100.7")
ADDRESS = "198.51.100.7"
BODIES: Mapping[str, object] = {
    "mdti": {"value": [], "@odata.nextLink": f"http://pdns.example/v1/hosts?$skiptoken={KEY}"},
    "silentpush": {"status_code": 200, "response": {"job_status": {"job_id": KEY, "status": "STARTED"}}},
    "virustotal": {
        "data": [{"attributes": {"host_name": "k3xq.example.net", "ip_address": ADDRESS, "date": 1_700_000_000}}],
        "meta": {"cursor": f"of-{KEY}"},
    },
    "whoisxml": {"result": [*({"name": f"n{n}.example.net"} for n in range(299)), {"name": f"{KEY}.example.net"}]},
}
"""Answers that go on, each with a key where it says how."""


@pytest.mark.parametrize("name", BODIES)
def test_no_page_is_kept_that_holds_a_key(name: str) -> None:
    _, reply = drained(provider(name).read(answer(json.dumps(BODIES[name]).encode()), Question(ONE)))
    assert reply.page == ""
    assert reply.end.outcome in {Outcome.PARTIAL, Outcome.FAILED}
    assert KEY not in repr(reply)


@pytest.mark.parametrize(("job", "is_kept"), [(KEY, False), ("another", True)])
def test_a_job_that_is_told_under_another_status_is_kept_without_a_key_alone(job: str, is_kept: bool) -> None:
    body = json.dumps({"response": {"job_status": {"job_id": job, "status": "STARTED"}}}).encode()
    reply = provider("silentpush").refused(HttpError("no", status=202, body=body), Question(ONE))
    assert (reply is not None) == is_kept


@pytest.mark.parametrize("name", BODIES)
def test_a_page_without_a_key_is_kept(name: str) -> None:
    body = json.dumps(BODIES[name]).replace(KEY, "another")
    _, reply = drained(provider(name).read(answer(body.encode()), Question(ONE)))
    assert "another" in reply.page
