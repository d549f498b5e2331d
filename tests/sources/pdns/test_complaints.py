"""A server that breaks after it has begun to answer in lines: what it says in place of a row is heard."""

from __future__ import annotations

import pytest

from feedsvc.model import Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.port import Front, Fronting, Question
from tests.sources.conftest import KEY
from tests.sources.pdns.reading import answer, drained
from tests.sources.pdns.room import provider

ONE = parse_netblock("198.51.100.7")
ROW = b'{"rrname":"k3xq.example.net","rrtype":"A","rdata":"198.51.100.7"}\n'
ALIAS = b'{"rrname":"front.example.net","rrtype":"CNAME","rdata":"k3xq.example.net"}\n'
SERVERS = ["circl", "cof", "robtex"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"error": "query timed out, %b"}' % KEY.encode(),
        b'{"detail": "Internal Server Error"}',
        b'{"errors": [{"code": 7}]}',
        b'{"exception": "MemoryError"}',
        b'{"status": "ratelimited"}',
        b'{"status": "Error"}',
        b'{"status": "generated"}',
        b'{"status": 429}',
        b'{"code": "429", "message": "quota exceeded"}',
        b'{"message": "Too many requests"}',
        b'{"msg": "timeout"}',
        b'{"Error": "quota"}',
        b'{"errorMessage": "x"}',
        b'{"fault": {"faultstring": "Rate limit quota violation"}}',
        b'{"warning": "result set truncated"}',
        b'{"truncated": true, "total": 5000}',
        b'{"rrname": null, "error": "quota"}',
        b"<html><body>502 Bad Gateway</body></html>",
    ],
)
@pytest.mark.parametrize("name", SERVERS)
def test_a_complaint_behind_rows_makes_them_partial(name: str, line: bytes) -> None:
    asked = provider(name)
    for body in (ROW + line + b"\n", ROW + line, ROW + line + b"\n" + ROW):
        batches, reply = drained(asked.read(answer(body), Question(ONE)))
        assert sum(len(batch.observations) for batch in batches) >= 1
        assert reply.end.outcome is Outcome.PARTIAL
        assert "the server broke off with a complaint (it says: " in reply.end.reason
        assert KEY not in reply.end.reason
        assert reply.page == ""


@pytest.mark.parametrize("name", ["circl", "robtex"])
def test_a_complaint_about_names_in_front_is_heard_too(name: str) -> None:
    asked = provider(name)
    assert isinstance(asked, Fronting)
    front = Front("k3xq.example.net", ("198.51.100.7",))
    _, reply = drained(asked.read_front(answer(ALIAS + b'{"error": "no more"}\n'), front))
    assert reply.end.outcome is Outcome.PARTIAL


@pytest.mark.parametrize(
    "line",
    [
        b'{"error": null, "count": 1}',
        b'{"status": "ok"}',
        b'{"rrname": "a.example", "rrtype": "A", "rdata": "198.51.100.7", "error": "not ours"}',
        b'{"total": 1, "status": 200, "code": "200"}',
        b"{}",
        b"",
    ],
)
@pytest.mark.parametrize("name", SERVERS)
def test_what_is_no_complaint_is_a_row_or_none(name: str, line: bytes) -> None:
    _, reply = drained(provider(name).read(answer(ROW + line + b"\n"), Question(ONE)))
    assert reply.end.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    "tail",
    [
        b"Internal Server Error",
        b"<html>\n<body>slow down</body>\n</html>",
        b"null",
        b"[]",
        b'"error"',
        b'{"total": 2}',
        b'{"next": "/query?page=2"}',
        b'{"meta": {"took": 7}}',
        b'{"rrname": "k3xq.exam',
        b'{"rrtype": "A", "rdata": "198.51.100.7"}',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("name", SERVERS)
def test_lines_that_end_in_no_row_are_not_known_to_be_whole(name: str, tail: bytes) -> None:
    batches, reply = drained(provider(name).read(answer(ROW + tail + b"\n\n"), Question(ONE)))
    assert sum(len(batch.observations) for batch in batches) == 1
    assert reply.end.outcome is Outcome.PARTIAL
    assert reply.page == ""


@pytest.mark.parametrize("name", SERVERS)
def test_what_is_no_row_between_rows_is_counted(name: str) -> None:
    batches, reply = drained(provider(name).read(answer(ROW + b'{"rrname": "k3xq.exam\n' + ROW), Question(ONE)))
    assert reply.end.outcome is Outcome.COMPLETE
    assert [refused.count for batch in batches for refused in batch.refused] == [1]


@pytest.mark.parametrize("page", [b"<html><body>slow down</body></html>\n", b"<html>\n<body>slow down</body></html>\n"])
def test_a_page_of_robtex_behind_rows_ends_the_poll(page: bytes) -> None:
    _, reply = drained(provider("robtex").read(answer(ROW + page), Question(ONE)))
    assert (reply.end.outcome, reply.over, reply.end.stop) == (Outcome.PARTIAL, "burst", True)


def test_robtex_wants_to_be_left_alone_however_late_it_says_so() -> None:
    _, reply = drained(provider("robtex").read(answer(ROW + b'{"status":"ratelimited"}\r\n'), Question(ONE)))
    assert (reply.over, reply.end.stop) == ("burst", True)
