"""A provider as a source: from where it is asked, what moves the mark, and when it is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from feedsvc.errors import SourceError
from feedsvc.http import HttpError
from feedsvc.model import Batch, Cursor, End, Observation, Outcome
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.polling import OVERLAP, PdnsSource
from feedsvc.sources.port import Question, Source
from tests.sources.conftest import NETBLOCK, NOW, gather

NETBLOCKS = [parse_netblock(f"198.51.{number}.0/24") for number in range(6)]
SEEN = Observation("k3xq.example.net", "A", "198.51.100.7")
Answers = Callable[[int], list[Batch]]


class Told:
    """A provider that gives the batches it is told to, by number of the question."""

    def __init__(self, answers: Answers = lambda _: [Batch((SEEN,)), Batch(end=COMPLETE)]) -> None:
        self.questions: list[Question] = []
        self._answers = answers

    def ask(self, question: Question) -> Iterator[Batch]:
        self.questions.append(question)
        yield from self._answers(len(self.questions))


def ends(*outcomes: End) -> Answers:
    return lambda at: [Batch(end=outcomes[at - 1])]


def read(
    provider: Told, netblocks: list[Netblock], cursors: dict[str, str] | None = None, overlap: timedelta | None = None
) -> list[Batch]:
    source: Source = PdnsSource("circl", provider, overlap)
    assert (source.name, source.kind) == ("circl", "pdns")
    return list(source.read(netblocks, cursors or {}, NOW))


def asked_since(cursor: str | None, overlap: timedelta | None = None) -> datetime | None:
    told = Told()
    read(told, [NETBLOCK], {str(NETBLOCK): cursor} if cursor is not None else {}, overlap)
    return told.questions[0].since


def test_without_a_mark_everything_is_asked_for() -> None:
    assert asked_since(None) is None
    assert asked_since("") is None


def test_with_a_mark_it_is_asked_from_there_less_the_overlap() -> None:
    mark = "2026-11-20T06:00:00.000Z"
    assert asked_since(mark, timedelta(hours=6)) == datetime.fromisoformat("2026-11-20T00:00:00Z")
    assert asked_since(mark, timedelta(0)) == datetime.fromisoformat(mark)
    assert asked_since(mark) == datetime.fromisoformat(mark) - OVERLAP


def test_the_provider_may_know_its_own_overlap() -> None:
    class Slow(Told):
        overlap = timedelta(days=3)

    slow = Slow()
    read(slow, [NETBLOCK], {str(NETBLOCK): "2026-11-20T06:00:00.000Z"})
    assert slow.questions[0].since == datetime.fromisoformat("2026-11-17T06:00:00Z")


@pytest.mark.parametrize("mark", ["yesterday", "2026-11-20", "2026-11-20T06:00:00", "0001-01-01T00:00:00Z"])
def test_a_mark_that_cannot_be_read_asks_for_everything(mark: str) -> None:
    assert asked_since(mark) is None


def test_a_mark_in_the_future_counts_as_now() -> None:
    assert asked_since("2030-01-01T00:00:00.000Z", timedelta(hours=1)) == NOW - timedelta(hours=1)


def test_a_complete_answer_moves_the_mark_to_where_the_poll_began() -> None:
    heard = gather(read(Told(), [NETBLOCK]))
    assert heard.observations == (SEEN,)
    assert heard.cursors == (Cursor("circl", "198.51.100.0/24", "2026-11-24T06:00:00.000Z"),)


def test_the_mark_stands_in_the_batch_that_ends_and_in_no_other() -> None:
    first, last = read(Told(), [NETBLOCK])
    assert first.cursors == ()
    assert (last.end, len(last.cursors)) == (COMPLETE, 1)
    assert first.scope == last.scope == (NETBLOCK,)


@pytest.mark.parametrize("outcome", [Outcome.PARTIAL, Outcome.FAILED, Outcome.SKIPPED])
def test_what_is_not_complete_moves_no_mark(outcome: Outcome) -> None:
    heard = gather(read(Told(lambda _: [Batch((SEEN,)), Batch(end=End(outcome, "why"))]), [NETBLOCK]))
    assert heard.cursors == ()
    assert heard.end.outcome is outcome


def scopes(batches: list[Batch]) -> list[Netblock]:
    return [netblock for batch in batches if batch.end for netblock in batch.scope]


def test_each_netblock_has_exactly_one_end() -> None:
    batches = read(Told(), NETBLOCKS)
    assert scopes(batches) == NETBLOCKS
    assert len(gather(batches).cursors) == 6


@pytest.mark.parametrize("status", [401, 403, 429])
def test_after_a_refusal_the_rest_is_skipped_without_a_call(status: int) -> None:
    refused = after_fault(HttpError(f"{status}: no", status=status, retry_after=60), 0)
    told = Told(ends(COMPLETE, refused))
    batches = read(told, NETBLOCKS)
    assert len(told.questions) == 2
    assert scopes(batches) == NETBLOCKS
    assert batches[-1].end == End(
        Outcome.SKIPPED, f"{len(NETBLOCKS) - 2} netblocks not asked, as asking on is pointless", retry_after=60, stop=True
    )
    assert [cursor.scope for cursor in gather(batches).cursors] == [str(NETBLOCKS[0])]


DOUBTED = End(Outcome.FAILED, "404 for each: is the URL right?", doubted=True)


@pytest.mark.parametrize("proof", range(6))
def test_an_empty_answer_in_doubt_is_complete_once_another_netblock_of_the_poll_proves_the_place(proof: int) -> None:
    told = Told(ends(*(COMPLETE if at == proof else DOUBTED for at in range(6))))
    batches = read(told, NETBLOCKS)
    assert len(told.questions) == 6
    assert sorted(scopes(batches), key=str) == sorted(NETBLOCKS, key=str)
    assert {batch.end for batch in batches if batch.end} == {COMPLETE}
    assert len(gather(batches).cursors) == 6


def test_an_empty_answer_in_doubt_stays_a_fault_where_nothing_proves_the_place() -> None:
    told = Told(lambda _: [Batch(end=DOUBTED)])
    batches = read(told, NETBLOCKS)
    assert sorted(scopes(batches), key=str) == sorted(NETBLOCKS, key=str)
    assert [batch.end for batch in batches] == [DOUBTED] * 6
    assert not any(batch.cursors for batch in batches)


def test_after_three_troubled_netblocks_the_rest_is_skipped() -> None:
    told = Told(lambda _: [Batch(end=broken("no connection", 0))])
    batches = read(told, NETBLOCKS)
    assert len(told.questions) == 3
    assert scopes(batches) == NETBLOCKS
    assert batches[-1].end is not None
    assert batches[-1].end.outcome is Outcome.SKIPPED


def test_netblocks_that_are_too_dear_do_not_keep_the_others_from_being_asked() -> None:
    told = Told(lambda at: [Batch(end=End(Outcome.SKIPPED, "too dear") if at <= 4 else COMPLETE)])
    assert [batch.end.outcome for batch in read(told, NETBLOCKS) if batch.end][-1] is Outcome.COMPLETE


def test_a_provider_that_stops_without_an_end_has_not_answered() -> None:
    assert gather(read(Told(lambda _: []), [NETBLOCK])).end.outcome is Outcome.FAILED
    heard = gather(read(Told(lambda _: [Batch((SEEN,))]), [NETBLOCK]))
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.reason == "the provider stopped without an end"


def test_a_provider_that_goes_on_after_its_end_is_not_heard() -> None:
    heard = gather(read(Told(lambda _: [Batch(end=COMPLETE), Batch((SEEN,)), Batch(end=COMPLETE)]), [NETBLOCK]))
    assert heard.observations == ()
    assert heard.end == COMPLETE


def test_a_provider_that_raises_a_source_error_has_ended_so() -> None:
    class Raising(Told):
        def ask(self, question: Question) -> Iterator[Batch]:
            yield Batch((SEEN,))
            raise SourceError("cut off", retry_after=5)

    heard = gather(read(Raising(), [NETBLOCK]))
    assert heard.end == End(Outcome.PARTIAL, "cut off", retry_after=5, trouble=True)


def test_without_netblocks_nothing_is_said() -> None:
    assert read(Told(), []) == []
