"""A netblock asked address by address: how many at once, when no more, and what the whole is called."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from feedsvc.http import HttpError
from feedsvc.model import Batch, End, Observation, Outcome
from feedsvc.names import Address, parse_netblock
from feedsvc.sources.endings import COMPLETE, after_fault, broken
from feedsvc.sources.per_address import Answer, ask_each
from tests.sources.conftest import FEW, NETBLOCK, Heard, gather

REFUSED = after_fault(HttpError("401: check the key", status=401, permanent=True), 0)


class Asked:
    """Answers each address with one name, and with the end that `ends` gives for it."""

    def __init__(self, ends: Callable[[int], End] = lambda _: COMPLETE) -> None:
        self.asked: list[str] = []
        self.closed = 0
        self._ends = ends
        self._lock = threading.Lock()

    def one(self, address: Address) -> Answer:
        with self._lock:
            self.asked.append(str(address))
            at = len(self.asked)
        try:
            yield Batch(observations=(Observation(f"n{at}.example", "A", str(address)),))
            yield Batch(end=self._ends(at))
        finally:
            with self._lock:
                self.closed += 1

    def hear(self, netblock: str = "", concurrency: int = 4, max_addresses: int = 4096) -> Heard:
        asked = parse_netblock(netblock) if netblock else NETBLOCK
        return gather(ask_each(asked, self.one, concurrency=concurrency, max_addresses=max_addresses))


def test_each_address_is_asked_once_and_the_netblock_is_complete_when_all_are() -> None:
    asked = Asked()
    heard = asked.hear()
    assert sorted(asked.asked) == sorted(str(address) for address in NETBLOCK.addresses())
    assert len(heard.observations) == 256
    assert heard.end == COMPLETE


def test_one_address_that_is_not_complete_makes_the_netblock_partial() -> None:
    heard = Asked(lambda at: broken("cut off", 1) if at == 100 else COMPLETE).hear()
    assert heard.end.outcome is Outcome.PARTIAL
    assert "cut off (255 of 256 addresses answered in full)" in heard.end.reason
    assert not heard.end.trouble


def test_a_refusal_of_the_first_question_is_the_last_question() -> None:
    asked = Asked(lambda _: REFUSED)
    heard = asked.hear()
    assert asked.asked == ["198.51.100.0"]
    assert heard.end == End(
        Outcome.FAILED,
        "198.51.100.0: 401: check the key (0 of 256 addresses answered in full)",
        stop=True,
        trouble=True,
    )


def test_a_refusal_in_the_middle_lets_only_what_is_under_way_finish() -> None:
    asked = Asked(lambda at: REFUSED if at == 50 else COMPLETE)
    heard = asked.hear()
    assert 50 <= len(asked.asked) <= 50 + 3
    assert heard.end.outcome is Outcome.PARTIAL
    assert heard.end.stop


def test_after_three_troubles_in_a_row_nothing_more_is_asked() -> None:
    asked = Asked(lambda _: broken("no connection", 0))
    heard = asked.hear()
    assert len(asked.asked) == 3
    assert heard.end.outcome is Outcome.FAILED
    assert heard.end.trouble


def test_no_more_than_the_concurrency_are_under_way() -> None:
    class Counting(Asked):
        under_way = peak = 0

        def one(self, address: Address) -> Answer:
            with self._lock:
                self.under_way += 1
                self.peak = max(self.peak, self.under_way)
            try:
                yield from super().one(address)
            finally:
                with self._lock:
                    self.under_way -= 1

    counting = Counting()
    assert counting.hear(concurrency=3).end == COMPLETE
    assert 1 <= counting.peak <= 3


def test_a_netblock_with_too_many_addresses_is_skipped_with_its_price() -> None:
    asked = Asked()
    heard = asked.hear("198.51.100.0/24", max_addresses=255)
    assert asked.asked == []
    assert heard.end.outcome is Outcome.SKIPPED
    assert "198.51.100.0/24 would cost 256 questions a poll" in heard.end.reason
    assert "raise max_addresses" in heard.end.reason
    assert "would cost 2^64 questions" in asked.hear("2001:db8::/64").end.reason


def test_answers_under_way_are_let_go_when_nobody_listens_any_more() -> None:
    asked = Asked()
    batches = ask_each(FEW, asked.one, concurrency=4, max_addresses=4)
    for _ in range(3):  # the first address, to its end, and something of those that follow it
        next(batches)
    batches.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate():
        if thread.name.startswith("pdns"):
            thread.join(timeout=10)
    assert 1 < len(asked.asked) == asked.closed


def test_what_breaks_while_asking_is_not_swallowed() -> None:
    def one(address: Address) -> Answer:
        yield Batch()
        yield Batch(end=broken("", address.value // 0))

    with pytest.raises(ZeroDivisionError):
        gather(ask_each(FEW, one, concurrency=2, max_addresses=4))
