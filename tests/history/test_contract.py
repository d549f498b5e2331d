"""What every engine of history promises of its transactions, and of partners, lists and notes."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from feedsvc.errors import HistoryError, UsageError
from feedsvc.history import open_history
from feedsvc.history.hunts import ReadLog
from feedsvc.history.layout import NoteRow
from feedsvc.history.port import History
from feedsvc.model import Account, Cursor, Stretch
from tests.history.making import (
    COLLECTION,
    EXPORT,
    HOUR,
    NOW,
    PARTNER,
    REFUSED,
    STOPS_HALFWAY,
    add,
    assert_untouched,
    change,
    child,
    finding,
    keep,
    kill,
    observation,
    sighting,
    stix,
    wait_for_word,
    write_much,
)

STRETCH = Stretch((1,), "zeek", "log", "", "7", "", frozenset(), 0.0)

WRITES: dict[str, Callable[[History], object]] = {
    "runs.begin": lambda history: history.runs.begin("poll/circl", NOW, NOW),
    "runs.end": lambda history: history.runs.end(1, [], NOW),
    "facts.move": lambda history: history.facts.move([Cursor("circl", "a", "1")], NOW),
    "facts.complete": lambda history: history.facts.complete("circl", ["a"], NOW),
    "facts.add_baselines": lambda history: history.facts.add_baselines([("w", "f", "s", "n")], NOW),
    "facts.store": lambda history: history.facts.store("circl", [observation()], NOW),
    "facts.sight": lambda history: history.facts.sight("zeek", [sighting()], NOW),
    "facts.refuse": lambda history: history.facts.refuse(1, "circl", [REFUSED]),
    "findings.apply": lambda history: history.findings.apply([change(finding())]),
    "facts.forget_clients": lambda history: history.facts.forget_clients(NOW),
    "hunts.begin": lambda history: history.hunts.begin({"a.example.net"}, [ReadLog("zeek", "log", "7", 7)], NOW, NOW),
    "hunts.sight": lambda history: history.hunts.sight(STRETCH, [sighting()], NOW),
    "hunts.move": lambda history: history.hunts.move(STRETCH, "7", 7, NOW),
    "hunts.lose": lambda history: history.hunts.lose(STRETCH, "why", NOW),
    "findings.extend": lambda history: history.findings.extend([finding()]),
    "feed.keep_collection": lambda history: history.feed.keep_collection("a", COLLECTION.id),
    "feed.add": lambda history: history.feed.add(COLLECTION, [stix()], NOW),
    "partners.add": lambda history: history.partners.add(PARTNER, "00"),
    "partners.rotate": lambda history: history.partners.rotate(PARTNER.name, "00"),
    "partners.remove": lambda history: history.partners.remove(PARTNER.name),
    "partners.fetched": lambda history: history.partners.fetched({PARTNER.name: NOW}),
    "exports.keep": lambda history: history.exports.keep(EXPORT),
    "quotas.keep": lambda history: history.quotas.keep(Account("circl/1f3a")),
    "keep_note": lambda history: history.keep_note("key", "text"),
    "import_rows": lambda history: history.import_rows([NoteRow("key", "text")]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_nothing_is_written_outside_a_transaction(history: History, write: Callable[[History], object]) -> None:
    with pytest.raises(HistoryError, match="outside a transaction"):
        write(history)


def test_a_block_that_raises_leaves_nothing_behind(history: History) -> None:
    def break_off() -> None:
        with history.transaction():
            write_much(history)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert_untouched(history)


def test_a_block_sees_what_it_wrote_and_others_see_it_when_it_ends(history: History, reader: History) -> None:
    with history.transaction():
        history.keep_note("key", "text")
        assert history.note("key") == "text"
        assert reader.note("key") is None
    assert reader.note("key") == "text"


def test_blocks_do_not_nest(history: History) -> None:
    with history.transaction(), pytest.raises(RuntimeError, match="do not nest"), history.transaction():
        raise AssertionError("the inner block was entered")


def test_a_block_may_follow_one_that_raised(history: History) -> None:
    with pytest.raises(ZeroDivisionError), history.transaction():
        raise ZeroDivisionError
    with history.transaction():
        history.keep_note("key", "text")
    assert history.note("key") == "text"


def test_who_opened_to_look_only_cannot_write(history: History, reader: History) -> None:
    with pytest.raises(HistoryError, match="reading alone"), reader.transaction():
        reader.keep_note("key", "text")
    with pytest.raises(HistoryError, match="reading alone"):
        reader.runs.claim("poll/circl")
    assert history.note("key") is None


def test_looking_only_makes_no_state(state: Path) -> None:
    with pytest.raises(HistoryError, match="feedsvc run"):
        open_history(state, read_only=True)
    assert not state.parent.exists()


def test_a_process_that_is_killed_in_a_block_leaves_nothing_behind(state: Path, history: History) -> None:
    with child(STOPS_HALFWAY, state) as process:
        wait_for_word(process, "halfway")
        kill(process)
    assert_untouched(history)
    keep(history, finding())
    assert history.findings.named("k3xq.example.net") == (finding(),)


STORES_AND_DIES = """
import os, sys
from pathlib import Path
from feedsvc.history import open_history
from feedsvc.history.layout import NoteRow
history = open_history(Path(sys.argv[1]))
with history.transaction():
    history.keep_note("key", "text")
os.kill(os.getpid(), 9)
"""


def test_what_a_process_stored_is_there_though_it_was_killed_right_after(state: Path) -> None:
    with child(STORES_AND_DIES, state) as process:
        assert process.wait() == -signal.SIGKILL
    with closing(open_history(state, read_only=True)) as reader:
        assert reader.note("key") == "text"


def test_a_partner_is_known_by_its_token(history: History) -> None:
    other = dataclasses.replace(PARTNER, name="bank", collections=(), exports=(), added_at=None)
    with history.transaction():
        history.partners.add(PARTNER, "aa")
        history.partners.add(other, "bb")
    assert history.partners.by_token("aa") == PARTNER
    assert history.partners.by_token("bb") == other
    assert history.partners.by_token("cc") is None
    assert history.partners.all() == (other, PARTNER)


def test_two_partners_have_neither_one_name_nor_one_token(history: History) -> None:
    with history.transaction():
        history.partners.add(PARTNER, "aa")
    with pytest.raises(UsageError, match="csirt"), history.transaction():
        history.partners.add(PARTNER, "bb")
    with pytest.raises(HistoryError), history.transaction():
        history.partners.add(dataclasses.replace(PARTNER, name="bank"), "aa")
    assert history.partners.all() == (PARTNER,)


def test_a_rotated_token_replaces_the_old_one(history: History) -> None:
    with history.transaction():
        history.partners.add(PARTNER, "aa")
        history.partners.rotate("csirt", "bb")
    assert history.partners.by_token("aa") is None
    assert history.partners.by_token("bb") == PARTNER
    with pytest.raises(UsageError, match="nobody"), history.transaction():
        history.partners.rotate("nobody", "cc")


def test_a_removed_partner_is_gone(history: History) -> None:
    with history.transaction():
        history.partners.add(PARTNER, "aa")
        history.partners.remove("csirt")
    assert history.partners.by_token("aa") is None
    with pytest.raises(UsageError, match="csirt"), history.transaction():
        history.partners.remove("csirt")


def test_the_last_fetch_never_moves_back(history: History) -> None:
    with history.transaction():
        history.partners.add(PARTNER, "aa")
        history.partners.fetched({"csirt": NOW, "gone": NOW})
        history.partners.fetched({"csirt": NOW - HOUR})
    assert history.partners.all() == (dataclasses.replace(PARTNER, last_fetch=NOW),)


def test_the_state_of_a_list_is_replaced(history: History) -> None:
    first = dataclasses.replace(EXPORT, held="", serial=1)
    with history.transaction():
        history.exports.keep(first)
        history.exports.keep(dataclasses.replace(EXPORT, name="a.rpz"))
        history.exports.keep(EXPORT)
    assert history.exports.all() == (dataclasses.replace(EXPORT, name="a.rpz"), EXPORT)


def test_notes_are_kept(history: History, reader: History) -> None:
    assert history.note("producer") is None
    for text in ("one", "two ü \n"):
        with history.transaction():
            history.keep_note("producer", text)
        assert reader.note("producer") == text


def test_objects_of_the_feed_outlive_the_process(state: Path, history: History) -> None:
    add(history, stix())
    history.close()
    with closing(open_history(state)) as again:
        assert again.feed.current(stix().id) == stix()
