"""Pages that are asked for by their place, of a server that heeds none: the first page again is no further one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from feedsvc.model import End, Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.pages import fingerprint
from feedsvc.sources.port import Front, Fronting, Question
from tests.sources.pdns.reading import answer, drained
from tests.sources.pdns.room import provider

ONE = parse_netblock("198.51.100.7")
ADDRESS, NAME = "198.51.100.7", "k3xq.example.net"
ALIASES = [f"front{n}.example.net" for n in range(2)]
NAMES = [f"n{n}.example.net" for n in range(2)]


def mnemonic(rows: list[dict[str, object]]) -> dict[str, object]:
    return {"responseCode": 200, "count": 2 * len(rows), "data": rows}


def securitytrails(rows: list[dict[str, object]]) -> dict[str, object]:
    return {"record_count": 2 * len(rows), "records": rows}


def silentpush(rows: list[dict[str, object]]) -> dict[str, object]:
    return {"status_code": 200, "response": {"records": rows, "metadata": {"results_total_at_least": 2 * len(rows)}}}


def umbrella(rows: list[dict[str, object]]) -> dict[str, object]:
    return {"records": rows, "pageInfo": {"totalNumRecords": 2 * len(rows)}}


ABOUT_ADDRESS: Mapping[str, dict[str, object]] = {
    "mnemonic": mnemonic([{"query": name, "answer": ADDRESS, "rrtype": "a"} for name in NAMES]),
    "securitytrails": securitytrails([{"hostname": name} for name in NAMES]),
    "silentpush": silentpush([{"query": name, "answer": ADDRESS, "type": "A"} for name in NAMES]),
    "umbrella": umbrella([{"name": ADDRESS, "rr": name, "type": "A", "lastSeen": 1_700_000_000_000} for name in NAMES]),
}
ABOUT_NAME: Mapping[str, dict[str, object]] = {
    "mnemonic": mnemonic([{"query": alias, "answer": NAME, "rrtype": "cname"} for alias in ALIASES]),
    "securitytrails": securitytrails([{"hostname": alias} for alias in ALIASES]),
    "silentpush": silentpush([{"query": alias, "answer": NAME, "type": "CNAME"} for alias in ALIASES]),
    "umbrella": umbrella([{"name": NAME, "rr": alias, "type": "CNAME"} for alias in ALIASES]),
}


def ended(name: str, body: bytes, *, front: bool = False) -> tuple[End, int]:
    """How an answer ends of which every page is the same, and how many pages were read."""
    asked, page = provider(name), ""
    for count in range(1, 20):
        if front:
            assert isinstance(asked, Fronting)
            _, reply = drained(asked.read_front(answer(body), Front(NAME, (ADDRESS,), page)))
        else:
            _, reply = drained(asked.read(answer(body), Question(ONE, page=page)))
        if not reply.page:
            return reply.end, count
        page = reply.page
    raise AssertionError("without end")


@pytest.mark.parametrize("name", ABOUT_ADDRESS)
def test_a_page_that_comes_again_is_no_further_page(name: str) -> None:
    end, count = ended(name, json.dumps(ABOUT_ADDRESS[name]).encode())
    assert (end.outcome, count) == (Outcome.PARTIAL, 2)
    assert "the same rows came again in place of its next page" in end.reason


@pytest.mark.parametrize("name", ABOUT_NAME)
def test_a_page_of_names_in_front_that_comes_again_is_no_further_page(name: str) -> None:
    end, count = ended(name, json.dumps(ABOUT_NAME[name]).encode(), front=True)
    assert (end.outcome, count) == (Outcome.PARTIAL, 2)


def test_rows_are_told_from_others_whatever_they_hold() -> None:
    assert fingerprint([b"ab", b"c"]) != fingerprint([b"a", b"bc"]) != fingerprint([])
    assert fingerprint([b"ab"]) == fingerprint(iter([b"ab"]))
