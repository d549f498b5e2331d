"""Pages that each name the next one, by a server that names one that was read: a circle ends, and is no whole answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from feedsvc.http import Answer, Request
from feedsvc.model import End, Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.pages import Trail
from feedsvc.sources.port import Front, Fronting, Question
from tests.sources.pdns.reading import answer, drained
from tests.sources.pdns.room import provider

ONE = parse_netblock("198.51.100.7")
CIRCLES = [(0, 1), (0, 2), (1, 1), (2, 3), (5, 7)]
"""Pages before a circle, and in it."""


def circl(named: str) -> Answer:
    row = b'{"rrname":"k3xq.example.net","rrtype":"A","rdata":"198.51.100.7"}\n'
    return answer(row, headers={"x-dribble-cursor": named})


def virustotal(named: str) -> Answer:
    row = {"attributes": {"host_name": "k3xq.example.net", "ip_address": "198.51.100.7", "date": 1_700_000_000}}
    return answer(json.dumps({"data": [row], "meta": {"cursor": named, "count": 9_999}}).encode())


def mdti(named: str) -> Answer:
    row = {"recordType": "A", "parentHost": {"id": "198.51.100.7"}, "artifact": {"id": "k3xq.example.net"}}
    link = f"http://pdns.example/v1/hosts?$skiptoken={named}"
    return answer(json.dumps({"value": [row], "@odata.nextLink": link}).encode())


SERVERS: Mapping[str, tuple[Callable[[str], Answer], Callable[[Request], str]]] = {
    "circl": (circl, lambda asked: asked.headers.get("dribble-paginate-cursor", "1")),
    "virustotal": (virustotal, lambda asked: asked.params.get("cursor", "1")),
    "mdti": (mdti, lambda asked: asked.url.partition("$skiptoken=")[2] or "1"),
}
"""What each answers, naming the next page, and which page was asked for."""


def walked(name: str, before: int, within: int, *, front: bool) -> tuple[int, End]:
    """Turn pages until there is no next one; how many there were, and how the last one ended."""
    said, place = SERVERS[name]
    asked, page = provider(name), ""
    for count in range(1, 100):
        if front:
            assert isinstance(asked, Fronting)
            about = Front("k3xq.example.net", ("198.51.100.7",), page)
            here = int(place(asked.front_request(about)))
            _, reply = drained(asked.read_front(said(str(_next(here, before, within))), about))
        else:
            here = int(place(asked.request(Question(ONE, page=page))))
            _, reply = drained(asked.read(said(str(_next(here, before, within))), Question(ONE, page=page)))
        if not reply.page:
            return count, reply.end
        page = reply.page
    raise AssertionError("without end")


def _next(page: int, before: int, within: int) -> int:
    return page + 1 if page < before + within else before + 1


@pytest.mark.parametrize(("before", "within"), CIRCLES)
@pytest.mark.parametrize("name", SERVERS)
def test_pages_in_a_circle_end_and_are_no_whole_answer(name: str, before: int, within: int) -> None:
    count, end = walked(name, before, within, front=False)
    assert end.outcome is Outcome.PARTIAL
    assert before + within <= count <= 3 * (before + within) + 3


@pytest.mark.parametrize("name", ["circl", "mdti"])
def test_pages_in_a_circle_about_names_in_front_end_too(name: str) -> None:
    assert walked(name, 2, 3, front=True)[1].outcome is Outcome.PARTIAL


def test_a_trail_sees_no_circle_where_there_is_none() -> None:
    trail: Trail | None = Trail()
    for number in range(2, 5_000):
        assert trail is not None
        trail = Trail.of(str(trail)).onward(f"page {number}")
        assert trail is not None
        assert trail.number == number


@pytest.mark.parametrize("text", ["", "x", "0.", "2", "2.x", "2.5d41402abc4", "-1."])
def test_what_is_no_trail_is_the_beginning_of_one(text: str) -> None:
    assert Trail.of(text) == Trail()
