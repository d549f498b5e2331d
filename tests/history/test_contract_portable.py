"""What every engine of history promises of export and import: another place has the same state, and goes on the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace as replace_fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from feedsvc.errors import UsageError
from feedsvc.history import layout, open_history
from feedsvc.history.layout import DecisionRow, NoteRow, OutcomeRow, Row, StixObjectRow
from feedsvc.history.port import History
from feedsvc.model import Account, Cursor, Refused
from tests.history.filling import answers, fill, rows_of
from tests.history.making import (
    COLLECTION,
    DAY,
    ENGINES,
    EXPORT,
    HOUR,
    NOW,
    PARTNER,
    QUOTA,
    add,
    change,
    finding,
    fresh,
    keep,
    observation,
    sighting,
    stix,
)


@pytest.fixture
def other(request: pytest.FixtureRequest, state: Path, tmp_path: Path) -> Iterator[History]:
    """A second state, empty, of the same engine."""
    engine = next(name for name, place in ENGINES.items() if place(tmp_path) == state)
    with closing(open_history(ENGINES[engine](tmp_path / "other"))) as opened:
        yield opened


def take(history: History, rows: list[Row]) -> None:
    with history.transaction():
        history.import_rows(rows)


def test_what_fills_a_state_here_leaves_no_table_out(history: History) -> None:
    fill(history)
    assert {type(row) for row in rows_of(history)} == set(layout.TABLES)


def test_an_imported_state_has_the_same_rows_and_gives_the_same_answers(history: History, other: History) -> None:
    fill(history)
    take(other, rows_of(history))
    assert rows_of(other) == rows_of(history)
    assert answers(other) == answers(history)


def go_on(history: History) -> None:
    """What a poll finds after the move, on a machine whose clock is behind."""
    now = NOW - DAY
    with history.transaction():
        run = history.runs.begin("poll/circl", now, now)
        assert run is not None
        history.facts.refuse(run.id, "circl", [Refused("no name", 1, "x")])
        history.facts.store("circl", [observation("a1.example.net"), observation("b2.example.com")], now)
        history.facts.sight("zeek", [sighting()], NOW)
        account = history.quotas.get(QUOTA.id)
        history.quotas.keep(replace_fields(account, recent=(*account.recent[1:], NOW + DAY)))
    keep(history, finding("a1.example.net"))
    add(history, stix(1, 3), stix(7), now=now)
    with history.transaction():
        history.partners.fetched({"csirt": NOW + DAY})


def test_an_imported_state_goes_on_as_the_first_one_would(history: History, other: History) -> None:
    fill(history)
    take(other, rows_of(history))
    go_on(history)
    go_on(other)
    assert rows_of(other) == rows_of(history)
    assert answers(other) == answers(history)


def test_rows_come_in_one_order_each_after_those_it_refers_to(history: History) -> None:
    fill(history)
    rows = rows_of(history)
    places = [(layout.TABLES.index(type(row)), *(_ordered(getattr(row, column)) for column in row.order)) for row in rows]
    assert places == sorted(places)
    assert rows_of(history) == rows


def _ordered(value: object) -> object:
    return value.encode() if isinstance(value, str) else value


def test_an_export_is_of_one_moment_though_others_store_all_the_while(state: Path, history: History) -> None:
    fill(history)
    before = rows_of(history)
    with closing(open_history(state, read_only=True)) as reader, reader.export_rows() as rows:
        seen = [next(rows)]
        for number, row in enumerate(rows):
            seen.append(row)
            keep(history, finding(f"n{number}.example.net"))
            add(history, stix(1000 + number))
    assert seen == before
    assert len(rows_of(history)) > len(before)


def test_an_export_that_is_broken_off_lets_the_state_be_written_again(history: History) -> None:
    def break_off() -> None:
        with history.export_rows() as rows:
            next(rows)
            raise ZeroDivisionError

    fill(history)
    with pytest.raises(ZeroDivisionError):
        break_off()
    with history.export_rows() as rows:
        next(rows)
    with history.transaction():
        history.keep_note("key", "text")
    assert history.note("key") == "text"


def test_an_export_is_no_part_of_a_transaction(history: History) -> None:
    with history.transaction(), pytest.raises(RuntimeError, match="do not nest"), history.export_rows():
        raise AssertionError("the export began")


LITTLE: dict[str, Callable[[History], object]] = {
    "note": lambda history: history.keep_note("key", ""),
    "cursor": lambda history: history.facts.move([Cursor("circl", "a", "1")], NOW),
    "run": lambda history: history.runs.begin("poll/circl", NOW, NOW),
    "alias": lambda history: history.feed.keep_collection("a", COLLECTION.id),
    "collection": lambda history: history.feed.add(COLLECTION, [], NOW),
    "partner": lambda history: history.partners.add(PARTNER, "00"),
    "export": lambda history: history.exports.keep(EXPORT),
    "finding": lambda history: history.findings.apply([change(finding())]),
    "observation": lambda history: history.facts.store("circl", [observation()], NOW),
    "sighting": lambda history: history.facts.sight("zeek", [sighting()], NOW),
    "mark": lambda history: history.facts.complete("circl", ["a"], NOW),
    "quota": lambda history: history.quotas.keep(Account("circl/1f3a")),
    "baseline": lambda history: history.facts.add_baselines([("w", "f", "s", "n")], NOW),
}


@pytest.mark.parametrize("write", LITTLE.values(), ids=LITTLE)
def test_a_state_is_empty_until_anything_is_stored(history: History, write: Callable[[History], object]) -> None:
    assert history.is_empty()
    with history.transaction():
        write(history)
        assert not history.is_empty()
    assert not history.is_empty()


NOTE = NoteRow("key", "text")
OUTCOME = OutcomeRow(77, 0, "circl", "complete", "")
UNDO = DecisionRow(1, 0, "ann", "undo", "w", "n", None, "held", "", 9)
OBJECT = StixObjectRow(1, "identity--1", "v", 0, "identity", 0, None, None, revoked=False, body=b"")


@pytest.mark.parametrize(
    ("rows", "taken"),
    [
        ([NOTE, NOTE, NOTE], 2),
        ([NOTE, OUTCOME, NOTE], 2),
        ([UNDO, NOTE], 1),
        ([OBJECT, NOTE, replace(OBJECT, number=2)], 3),
    ],
    ids=["twice", "of no run", "of no decision", "two bodies of a version"],
)
def test_rows_that_contradict_each_other_are_refused_at_the_one_that_does(
    history: History, rows: list[Row], taken: int
) -> None:
    left = iter(rows)
    with pytest.raises(UsageError, match="does not fit those before it"), history.transaction():
        history.import_rows(left)
    assert len(rows) - len(list(left)) == taken
    assert history.is_empty()


def test_rows_that_end_in_an_error_leave_nothing_behind(history: History, other: History) -> None:
    fill(history)

    def rows() -> Iterator[Row]:
        yield from rows_of(history)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), other.transaction():
        other.import_rows(rows())
    assert other.is_empty()
    take(other, rows_of(history))
    assert rows_of(other) == rows_of(history)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize("engine", ENGINES)
@given(
    notes=st.dictionaries(TEXTS, TEXTS, max_size=5),
    reasons=st.dictionaries(TEXTS, NUMBERS, max_size=5),
    bodies=st.lists(st.binary(max_size=50), max_size=5),
    listed=st.lists(TEXTS, max_size=3),
)
@settings(max_examples=25)
def test_whatever_is_stored_arrives_as_it_is(
    engine: str, notes: dict[str, str], reasons: dict[str, int], bodies: list[bytes], listed: list[str]
) -> None:
    with fresh(engine) as one, fresh(engine) as two:
        with one.transaction():
            run = one.runs.begin("poll/circl", NOW, NOW + HOUR)
            assert run is not None
            one.facts.refuse(run.id, "circl", [Refused(why, count, why[:3]) for why, count in reasons.items()])
            one.findings.apply([change(finding(rdata=tuple(listed), sources=tuple(reversed(listed))))])
            one.feed.add(COLLECTION, [stix(number, body=body) for number, body in enumerate(bodies)], NOW)
            for key, text in notes.items():
                one.keep_note(key, text)
        take(two, rows_of(one))
        assert rows_of(two) == rows_of(one)
        assert two.runs.get(run.id) == one.runs.get(run.id)
        assert {key: two.note(key) for key in notes} == notes
        assert [two.feed.current(stix(number).id) for number in range(len(bodies))] == [
            stix(number, body=body) for number, body in enumerate(bodies)
        ]
