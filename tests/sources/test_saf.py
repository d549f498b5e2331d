"""Answers framed by SAF: whole only when their last line says so, and no line of them is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.http import AnswerTooBig, shown
from feedsvc.model import Outcome
from feedsvc.sources.cof import BATCH, Rows
from feedsvc.sources.port import Reply
from feedsvc.sources.saf import NOT_SAF, Saf
from tests.sources.conftest import NETBLOCK, NOW, Heard, gather
from tests.standins.dnsdb import row

ONE = json.dumps({"obj": row("k3xq.example.net", "198.51.100.7")}).encode()
THREE = b"".join(json.dumps({"obj": row(f"n{n}.example.net", "198.51.100.7")}).encode() + b"\n" for n in range(3))
BEGIN, END = b'{"cond":"begin"}\n', b'{"cond":"succeeded"}\n'


def read(lines: Iterable[bytes]) -> tuple[Heard, Reply]:
    replies = []

    def batches() -> Iterator[object]:
        replies.append((yield from Saf(Rows(NETBLOCK, NOW), shown).read(lines)))

    heard = gather(batches())  # type: ignore[arg-type]
    return heard, replies[0]


def broken_off(body: bytes, err: SourceError) -> Iterator[bytes]:
    yield from body.splitlines(keepends=True)
    raise err


@pytest.mark.parametrize(
    ("body", "outcome", "words"),
    [
        (BEGIN + END, Outcome.COMPLETE, ""),
        (BEGIN + b"{}\n" + THREE + b"{}\n\r\n" + END, Outcome.COMPLETE, ""),
        (BEGIN + b'{"cond":null,"obj":null}\n' + THREE + END.strip(), Outcome.COMPLETE, ""),
        (
            BEGIN + b'{"rrname":"k3xq.example.net","rrtype":"A","rdata":"198.51.100.7"}\n' + END,
            Outcome.FAILED,
            "not a line of SAF",
        ),
        (BEGIN, Outcome.FAILED, "its last line (SAF) did not come"),
        (BEGIN + THREE, Outcome.PARTIAL, "its last line (SAF) did not come"),
        (b"", Outcome.FAILED, "its last line (SAF) did not come"),
        (BEGIN + b'{"cond":"failed"}\n', Outcome.FAILED, "could not finish: it does not say why"),
        (BEGIN + THREE + b'{"cond":"failed","msg":["\\u001b"]}\n', Outcome.PARTIAL, "could not finish: ['\\x1b']"),
        (BEGIN + THREE + b'{"cond":"what\\u001b"}\n' + END, Outcome.PARTIAL, "unknown cond what\\x1b"),
        (BEGIN + THREE + b'{"cond":7}\n' + END, Outcome.PARTIAL, "unknown cond 7"),
        (BEGIN + THREE + END + THREE, Outcome.PARTIAL, "it goes on after its last line"),
        (BEGIN + THREE + b'{"cond": \n' + END, Outcome.PARTIAL, "not a line of SAF"),
        (BEGIN + THREE + b'{"cond": ', Outcome.PARTIAL, "not a line of SAF"),
        (BEGIN + b'{"obj":{"count":1}}\n' + END, Outcome.FAILED, "none of the 1 rows of the answer is COF"),
        (BEGIN + b'{"cond":"limited"}\n', Outcome.PARTIAL, "the answer was limited to 0 rows"),
    ],
)
def test_an_answer_is_complete_only_when_its_last_line_says_so(body: bytes, outcome: Outcome, words: str) -> None:
    _, reply = read(body.splitlines(keepends=True))
    assert reply.end.outcome is outcome
    assert words in reply.end.reason
    assert reply.limited == ("limited" in reply.end.reason)


def test_a_limited_answer_keeps_its_rows_and_that_of_its_last_line() -> None:
    last = json.dumps({"cond": "limited", "msg": "Result limit reached", "obj": row("last.example.net", "198.51.100.9")})
    heard, reply = read([BEGIN, *THREE.splitlines(keepends=True), last.encode() + b"\n"])
    assert heard.names == ["last.example.net", "n0.example.net", "n1.example.net", "n2.example.net"]
    assert reply.limited
    assert reply.end.reason == "the answer was limited to 4 rows"
    assert not reply.end.trouble


def test_a_long_answer_comes_in_batches() -> None:
    lines = [BEGIN, *[ONE + b"\n"] * (2 * BATCH + 1), END]
    batches = Saf(Rows(NETBLOCK, NOW), shown).read(lines)
    assert [len(batch.observations) for batch in batches] == [BATCH, BATCH, 1]


def test_a_connection_that_breaks_before_the_last_line_is_an_error_and_keeps_the_rows() -> None:
    batches = Saf(Rows(NETBLOCK, NOW), shown).read(broken_off(BEGIN + THREE, SourceError("cut off")))
    assert len(next(batches).observations) == 3
    with pytest.raises(SourceError, match="cut off"):
        next(batches)


def test_a_connection_that_breaks_after_the_last_line_does_not_matter() -> None:
    _, reply = read(broken_off(BEGIN + THREE + END, SourceError("cut off")))
    assert reply.end.outcome is Outcome.COMPLETE


def test_an_answer_that_is_too_big_would_fit_if_it_were_asked_for_in_parts() -> None:
    heard, reply = read(broken_off(BEGIN + THREE, AnswerTooBig("too big")))
    assert len(heard.names) == 3
    assert (reply.limited, reply.end.outcome, reply.end.reason) == (True, Outcome.PARTIAL, "too big")
    with pytest.raises(AnswerTooBig):
        read(broken_off(BEGIN + b"{}\n" * 9, AnswerTooBig("too big")))


LINE = st.sampled_from(
    [ONE, BEGIN, END, b"{}", b'{"cond":"limited"}', b'{"obj":[]}', b'{"x":1}', b'{"obj":1,"cond":"failed"}', b"[" * 9999]
)


@given(st.lists(LINE | st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"")), max_size=8))
def test_no_frame_raises_and_none_but_a_whole_one_is_complete(lines: list[bytes]) -> None:
    heard, reply = read(line.strip() + b"\n" for line in lines)
    assert len(heard.observations) == lines.count(ONE)
    if reply.end.outcome is Outcome.COMPLETE:
        kept = [line for line in lines if line.strip()]
        assert kept[-1] == END
        assert not {b'{"cond":"limited"}', b'{"obj":1,"cond":"failed"}', b'{"x":1}', b"[" * 9999} & set(kept)
        assert NOT_SAF not in heard.refused
