"""What every provider must do, put to each against its own stand-in: see `tests.standins.provider`.

A provider's file says what is its own; this one holds what no provider may get wrong: that an answer is called complete only
when it is, and that nothing of a key gets out.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from feedsvc import plugins
from feedsvc.http import Client
from feedsvc.model import Outcome
from feedsvc.names import Netblock, parse_address
from feedsvc.sources import plan
from tests.sources.conftest import FEW, NETBLOCK, Heard
from tests.sources.pdns.asking import Counted, built, poll
from tests.standins import faults
from tests.standins.provider import KEY, ProviderStandin, Seen
from tests.standins.server import Call, Reply, refused_url

PROVIDERS = plugins.names("pdns")
REFUSALS = [400, 401, 403, 406, 410, 418, 429]
BREAKDOWNS = [500, 502, 503, 504]


COMPLAINTS: list[Mapping[str, object]] = [
    {"error": {"code": "TransientError", "message": "retry"}},
    {"errors": ["timeout"]},
    {"Error": "quota"},
    {"errorMessage": "query timed out"},
    {"exception": "MemoryError"},
    {"fault": {"faultstring": "Rate limit quota violation"}},
    {"warning": "result set truncated"},
    {"truncated": True},
    {"code": 429, "message": "quota exceeded"},
    {"message": "Too many requests"},
]
"""What may stand around rows, or in place of one, when a server broke after it had said 200."""


COUNTS: Mapping[str, Sequence[str]] = {
    "mdti": ("@odata.count",),
    "mnemonic": ("size",),
    "otx": ("count",),
    "securitytrails": ("record_count",),
    "silentpush": ("response", "metadata", "results_total_at_least"),
    "spamhaus": ("hits",),
    "umbrella": ("pageInfo", "totalNumRecords"),
    "validin": ("records_returned",),
    "virustotal": ("meta", "count"),
    "whoisxml": ("size",),
}
"""Where a provider says how many rows there are."""

UNCOUNTED = frozenset({"circl", "cof", "dnsdb", "robtex"})
"""Those that say it nowhere."""


def standin_of(provider: str) -> type[ProviderStandin]:
    """The stand-in of a provider: the class `Server` of the module of its name."""
    module = importlib.import_module(f"tests.standins.{provider}")
    found: type[ProviderStandin] = module.Server
    assert found.provider == provider
    return found


@pytest.fixture(params=PROVIDERS)
def server(request: pytest.FixtureRequest) -> Iterator[ProviderStandin]:
    with standin_of(request.param)() as running:
        yield running


def ask(http: Client, server: ProviderStandin, url: str = "", budget: Counted | None = None, **more: object) -> Heard:
    provider = built(server.provider, (url or server.url) + server.path, server.secrets, {**server.options, **more})
    return poll(http, provider, [FEW], budget=budget)


def patient(server: ProviderStandin) -> dict[str, object]:
    """The option that lets a netblock cost many calls, where the provider has it."""
    options = plugins.load("pdns", server.provider).Options
    return {"max_calls": 4096} if any(one.name == "max_calls" for one in dataclasses.fields(options)) else {}


def altered(server: ProviderStandin, change: Callable[[bytes], bytes]) -> None:
    """Let each answer that counts have another body."""
    whole = type(server).answer

    def answer(call: Call) -> Reply:
        reply = whole(server, call)
        if not server.costs(call) or reply.status != 200:
            return reply
        body = b"".join(reply.body(server.stopping) if callable(reply.body) else reply.body)
        return Reply(200, {"Content-Type": reply.headers["Content-Type"]}, [change(body)])

    server.answer = answer  # type: ignore[method-assign]


def with_members(body: bytes, members: Mapping[str, object]) -> bytes:
    """An answer that says more: around its rows, or in a line of its own where no document is around them."""
    whole = document(body)
    return with_row(body, members) if whole is None else json.dumps({**whole, **members}).encode()


def with_row(body: bytes, row: Mapping[str, object]) -> bytes:
    """An answer with one thing more among its rows."""
    whole = document(body)
    if whole is not None:
        added(whole, row)
        return json.dumps(whole).encode()
    lines = body.splitlines(keepends=True)
    if lines and b'"cond"' in lines[-1]:
        return b"".join([*lines[:-1], json.dumps({"obj": row}).encode() + b"\n", lines[-1]])
    return body + json.dumps(row).encode() + b"\n"


def counting(way: Sequence[str], body: bytes) -> bytes:
    """A document that counts more rows than it has; `results` where rows stood by themselves."""
    whole = document(body)
    if whole is None:
        whole = {"results": [json.loads(line) for line in body.splitlines()]}
    inner = whole
    for name in way[:-1]:
        inner = inner.setdefault(name, {})
    inner[way[-1]] = len(json.dumps(whole)) + 5  # more than any document of this length has
    return json.dumps(whole).encode()


def document(body: bytes) -> dict[str, Any] | None:
    """The document that an answer is; None for lines."""
    try:
        whole = json.loads(body)
    except ValueError:
        return None
    return None if "rrname" in whole or "hostname" in whole else whole


def added(part: Any, row: Mapping[str, object]) -> bool:
    """Put a row behind those of a document, wherever they stand; whether there was a place."""
    if isinstance(part, dict):
        return any(added(inner, row) for inner in part.values())
    if isinstance(part, list) and part and isinstance(part[0], dict):
        part.append(row)
        return True
    return False


def secrets(server: ProviderStandin) -> list[str]:
    return list(server.secrets.values())


def marks(heard: Heard) -> list[str]:
    """The netblocks whose since-mark was moved; nothing else may be left of a plan that is done."""
    last = {cursor.scope: cursor.position for cursor in heard.cursors}
    return sorted(scope for scope, position in last.items() if position and scope != plan.SCOPE)


def said(heard: Heard) -> str:
    return repr((heard.refused, heard.samples, heard.ends, heard.cursors))


def test_what_was_seen_is_told_with_its_times(http: Client, server: ProviderStandin) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.5"), Seen("w7b2.example.org", "198.51.100.6", count=9)]
    heard = ask(http, server)
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert {(one.rrname, one.rrtype, one.rdata) for one in heard.observations} == {
        ("k3xq.example.net", "A", "198.51.100.5"),
        ("w7b2.example.org", "A", "198.51.100.6"),
    }
    for one in heard.observations:
        # A day is as exact as some are.
        assert ("first" in server.dates) == (one.time_first is not None)
        assert ("last" in server.dates) == (one.time_last is not None)
        assert one.time_first is None or abs(one.time_first - 1_700_000_000) < 86_400
        assert one.time_last is None or abs(one.time_last - 1_700_000_600) < 86_400


def test_an_ipv6_address_is_asked_for_as_well(http: Client, server: ProviderStandin) -> None:
    server.seen = [Seen("k3xq.example.net", "2001:db8::7")]
    provider = built(server.provider, server.url + server.path, server.secrets, server.options)
    heard = poll(http, provider, [_one("2001:db8::7")])
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert [(one.rrname, one.rrtype, one.rdata) for one in heard.observations] == [
        ("k3xq.example.net", "AAAA", "2001:db8::7")
    ]


def test_nothing_seen_is_complete_and_empty(http: Client, server: ProviderStandin) -> None:
    if server.unknown == 404:
        # An empty answer in doubt is proven by another one.
        server.seen = [Seen("k3xq.example.net", "198.51.100.4")]
    heard = ask(http, server)
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert len(heard.observations) == len(server.seen)
    assert marks(heard) == [str(FEW)]


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_no_answer_and_is_not_asked_again(http: Client, server: ProviderStandin, code: int) -> None:
    server.fault = faults.status(code, f"your key {KEY} is no good", {"Retry-After": "120"} if code == 429 else None)
    budget = Counted()
    heard = ask(http, server, budget=budget)
    assert heard.end.outcome in {Outcome.FAILED, Outcome.SKIPPED}
    assert str(code) in heard.end.reason or "login" in heard.end.reason
    assert marks(heard) == []
    assert len(server.paid) == budget.spent == 1
    assert bool(budget.overs) == (code == 429)


@pytest.mark.parametrize("code", BREAKDOWNS)
def test_a_breakdown_is_no_answer_and_is_asked_again_a_few_times(http: Client, server: ProviderStandin, code: int) -> None:
    server.fault = faults.status(code, f"your key {KEY} is no good")
    budget = Counted()
    heard = ask(http, server, budget=budget)
    assert heard.end.outcome is Outcome.FAILED
    assert marks(heard) == []
    assert 3 <= len(server.paid) <= 9
    assert budget.spent == len(server.paid)


def test_a_breakdown_that_passes_costs_no_name(http: Client, server: ProviderStandin) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.5")]
    server.faults = [faults.status(503)]
    heard = ask(http, server)
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert heard.names == ["k3xq.example.net"]


def test_garbage_is_no_answer(http: Client, server: ProviderStandin) -> None:
    for body in server.garbled:
        server.fault = Reply(200, {"Content-Type": "application/json"}, [body])
        heard = ask(http, server)
        assert heard.end.outcome is Outcome.FAILED, (body, heard.end)
        assert heard.observations == ()


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("complaint", COMPLAINTS, ids=json.dumps)
def test_an_answer_that_says_that_something_is_wrong_is_never_complete(
    http: Client, server: ProviderStandin, complaint: Mapping[str, object], rows: int
) -> None:
    # Without rows, a provider that says 404 then has no document to say it in.
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.5") for n in range(rows or server.unknown // 404)]
    altered(server, lambda body: with_members(body, complaint))
    heard = ask(http, server)
    assert heard.end.outcome in {Outcome.PARTIAL, Outcome.FAILED}
    assert marks(heard) == []


@pytest.mark.parametrize("complaint", COMPLAINTS, ids=json.dumps)
def test_a_complaint_in_place_of_a_row_is_never_passed_over(
    http: Client, server: ProviderStandin, complaint: Mapping[str, object]
) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.5")]
    altered(server, lambda body: with_row(body, complaint))
    heard = ask(http, server)
    assert heard.end.outcome in {Outcome.PARTIAL, Outcome.FAILED}
    assert marks(heard) == []


@pytest.mark.parametrize("tail", [b"<html>502 Bad Gateway</html>\n", b"Internal Server Error\n", b'{"rrname": "k3xq.ex\n'])
def test_an_answer_that_ends_in_something_else_is_never_complete(http: Client, server: ProviderStandin, tail: bytes) -> None:
    server.seen = [Seen("k3xq.example.net", "198.51.100.5")]
    altered(server, lambda body: body.rstrip(b"\n") + b"\n" + tail)
    heard = ask(http, server)
    assert heard.end.outcome in {Outcome.PARTIAL, Outcome.FAILED}
    assert marks(heard) == []


@pytest.mark.parametrize("framing", ["cut chunks", "short length"])
def test_a_cut_answer_is_never_complete(http: Client, server: ProviderStandin, framing: str) -> None:
    server.seen = [Seen(f"n{n}.example.net", "198.51.100.5") for n in range(3)]
    whole = type(server).answer

    def cut(call: Call) -> Reply:
        reply = whole(server, call)
        if not server.costs(call):
            return reply
        body = b"".join(reply.body(server.stopping) if callable(reply.body) else reply.body)
        return Reply(reply.status, reply.headers, [body[: len(body) - 2]], framing)  # type: ignore[arg-type]

    server.answer = cut  # type: ignore[method-assign]
    heard = ask(http, server)
    assert heard.end.outcome in {Outcome.PARTIAL, Outcome.FAILED}
    assert marks(heard) == []


@pytest.mark.parametrize("rows", [0, 1])
def test_an_answer_with_fewer_rows_than_it_counts_is_never_complete(
    http: Client, server: ProviderStandin, rows: int
) -> None:
    if server.provider not in COUNTS:
        assert server.provider in UNCOUNTED
        return
    server.seen = [Seen("k3xq.example.net", "198.51.100.5")] * (rows or server.unknown // 404)
    altered(server, lambda body: counting(COUNTS[server.provider], body))
    heard = ask(http, server)
    assert heard.end.outcome in {Outcome.PARTIAL, Outcome.FAILED}
    assert marks(heard) == []


def test_nobody_there_is_a_failure(http: Client, server: ProviderStandin) -> None:
    heard = ask(http, server, url=refused_url())
    assert heard.end.outcome is Outcome.FAILED
    assert "no connection" in heard.end.reason


def test_a_redirect_to_another_host_is_not_followed(http: Client, server: ProviderStandin) -> None:
    with ProviderStandin() as elsewhere:
        server.fault = faults.redirect(elsewhere.url.replace("127.0.0.1", "localhost"))
        heard = ask(http, server)
        assert heard.end.outcome is Outcome.FAILED
        assert elsewhere.calls == []


def test_an_echoed_secret_is_starred_wherever_it_stands(http: Client, server: ProviderStandin) -> None:
    for secret in secrets(server):
        for fault in (
            faults.status(400, f"no: {secret}"),
            Reply(200, {"Content-Type": "application/json"}, [f'{{"error": "{secret}", "rrname": "{secret}"}}\n'.encode()]),
            faults.redirect(f"http://localhost:1/?key={secret}"),
        ):
            server.fault = fault
            assert secret not in said(ask(http, server))


def test_a_netblock_with_forty_thousand_names_is_found_completely_behind_a_cap(
    http: Client, server: ProviderStandin
) -> None:
    server.cap = server.reach = 1_000
    server.seen = [
        Seen(f"n{n}.example.net", f"198.51.100.{n % 256}", 1_600_000_000 + n * 60, 1_600_000_030 + n * 60)
        for n in range(40_000)
    ]
    provider = built(server.provider, server.url + server.path, server.secrets, {**server.options, **patient(server)})
    budget = Counted()
    heard = poll(http, provider, [NETBLOCK], budget=budget)
    assert heard.end.outcome is Outcome.COMPLETE, heard.end
    assert {(one.rrname, one.rdata) for one in heard.observations} == {(one.name, one.address) for one in server.seen}
    assert budget.spent == len(server.paid)


def _one(address: str) -> Netblock:
    parsed = parse_address(address)
    return Netblock(parsed.version, parsed.value, parsed.value)
