"""A state as a file and back: what the lines are, which files are refused and why, and that nothing is ever half done."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import FieldInfo, fields

from feedsvc.errors import Busy, HistoryError, PublishError, UsageError
from feedsvc.history import layout, open_history
from feedsvc.history.files import Moved, export_file, import_file
from feedsvc.history.layout import EvidenceRow, NoteRow, Row
from feedsvc.history.portable import LONGEST_LINE, Reader, Writer
from feedsvc.history.sqlite import SqliteHistory, open_sqlite, portable
from tests.history.filling import answers, exported, fill, filled, rows_of
from tests.history.making import HOUR, NOW, child, kill, observation, write_much

Lines = list[bytes]
DATA = Path(__file__).parents[1] / "data" / "history"


def written(rows: list[Row]) -> bytes:
    """These rows as a file."""
    out = io.BytesIO()
    writer = Writer(out.write, NOW)
    for row in rows:
        writer.row(row)
    writer.end()
    return out.getvalue()


def read(body: bytes) -> list[Row]:
    reader = Reader(io.BytesIO(body).readline)
    reader.begin()
    return list(reader.rows())


def bring(state: Path, file: Path) -> Moved:
    return import_file(state, str(file), lambda doing: None)


# -- the lines ---------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES: dict[object, st.SearchStrategy[Any]] = {
    str: TEXTS,
    str | None: st.none() | TEXTS,
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    tuple[str, ...]: st.lists(TEXTS, max_size=3).map(tuple),
    layout.Whole: (NUMBERS := st.integers(-(2**63), 2**63 - 1)),
    layout.Whole | None: st.none() | NUMBERS,
}


def any_of(table: type[Row]) -> st.SearchStrategy[Row]:
    described: tuple[FieldInfo, ...] = fields(table)
    return st.builds(table, *(VALUES[column.type] for column in described))


ANY_ROWS = st.lists(st.one_of(*map(any_of, layout.TABLES)), max_size=6)
FEW: list[Row] = [NoteRow("key", "text"), NoteRow("other", "é")]


@given(ANY_ROWS)
def test_any_rows_are_read_as_they_were_written(rows: list[Row]) -> None:
    assert read(written(rows)) == rows


@given(ANY_ROWS, st.data())
def test_a_file_that_was_cut_anywhere_is_refused(rows: list[Row], data: st.DataObject) -> None:
    body = written(rows)
    with pytest.raises(UsageError, match=r"cut|no history"):
        read(body[: data.draw(st.integers(0, len(body) - 1))])


@given(st.data())
def test_a_file_of_which_any_byte_was_changed_is_refused(data: st.DataObject) -> None:
    body = bytearray(written(FEW))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255).filter(lambda value: value != body[at]))
    with pytest.raises(UsageError):
        read(bytes(body))


@given(st.integers(0, 3), st.binary() | st.sampled_from([b"[" * 100_000, b"null", b"{}", b'{"table":"note","row":[]}']))
def test_whatever_stands_in_a_line_is_refused_in_our_words(at: int, text: bytes) -> None:
    lines = written(FEW).splitlines(keepends=True)
    lines[at] = text + b"\n"
    with pytest.raises(UsageError):
        read(b"".join(lines))


def test_the_first_line_says_what_it_is_and_the_last_one_what_was_before() -> None:
    first, *rows, last = written(FEW).splitlines(keepends=True)
    assert json.loads(first) == {"feedsvc-history": 1, "schema": 3, "exported_at": "2026-11-24T06:52:32.123Z"}
    assert json.loads(rows[0]) == {"table": "note", "row": {"key": "key", "text": "text"}}
    trailer = json.loads(last)
    assert trailer["sha256"] == hashlib.sha256(b"".join([first, *rows])).hexdigest()
    assert {table: count for table, count in trailer["rows"].items() if count} == {"note": 2}
    assert set(trailer["rows"]) == {table.table for table in layout.TABLES}


def test_no_more_of_a_line_is_read_than_a_row_can_have() -> None:
    asked: list[int] = []

    def endless(limit: int) -> bytes:
        asked.append(limit)
        return b"{" * limit

    with pytest.raises(UsageError, match="a line of more than"):
        Reader(endless).begin()
    assert asked == [LONGEST_LINE + 1]


# -- files that are refused --------------------------------------------------------------------------------------------


def sealed(lines: Lines) -> Lines:
    """With a last line that is right for what stands before it now."""
    trailer = json.loads(lines[-1])
    trailer["sha256"] = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    return [*lines[:-1], json.dumps(trailer).encode() + b"\n"]


def header(**fields: object) -> Callable[[Lines], Lines]:
    return lambda lines: sealed([json.dumps(json.loads(lines[0]) | fields).encode() + b"\n", *lines[1:]])


def second(text: bytes) -> Callable[[Lines], Lines]:
    return lambda lines: sealed([lines[0], text + b"\n", *lines[2:]])


FAULTS: dict[str, tuple[Callable[[Lines], Lines], int, str]] = {
    "empty": (lambda lines: [], 1, "cut"),
    "other text": (lambda lines: [b"my diary\n"], 1, "no history that feedsvc exported"),
    "other JSON": (lambda lines: [b'{"a":1}\n'], 1, "no history that feedsvc exported"),
    "compressed": (lambda lines: [gzip.compress(b"".join(lines)) + b"\n"], 1, r"ends in \.gz"),
    "newer schema": (header(schema=4), 1, r"newer feedsvc \(schema 4, this one knows 3\); install that one"),
    "newer format": (header(**{"feedsvc-history": 2}), 1, "newer feedsvc"),
    "no schema of ours": (header(schema=0), 1, "there is no schema 0"),
    "no format of ours": (header(**{"feedsvc-history": -1}), 1, "there is no format -1"),
    "odd header": (header(more=1), 1, "no history that feedsvc exported"),
    "no JSON": (second(b'{"table":'), 2, "no row of a history"),
    "no UTF-8": (second(b'{"table":"note","row":{"key":"\xff","text":""}}'), 2, "no row of a history"),
    "no row": (second(b'{"table":"note"}'), 2, "no table and row"),
    "unknown table": (second(b'{"table":"to\\u001bdo","row":{}}'), 2, r"no table 'to\\x1bdo'"),
    "unknown column": (second(b'{"table":"note","row":{"key":"","text":"","\\u001b":1}}'), 2, r"unknown field `\\x1b`"),
    "missing column": (second(b'{"table":"note","row":{"key":""}}'), 2, "missing required field `text`"),
    "null": (second(b'{"table":"note","row":{"key":"","text":null}}'), 2, "got `null`"),
    "other type": (second(b'{"table":"note","row":{"key":"","text":7}}'), 2, "Expected `str`, got `int`"),
    "large number": (second(b'{"table":"mark","row":{"source":"","netblock":"","at":%d}}' % 2**63), 2, "Expected `int` <="),
    "twice": (lambda lines: sealed([*lines[:3], *lines[2:]]), 4, "does not fit those before it.*UNIQUE"),
    "of no run": (
        second(b'{"table":"outcome","row":{"run":9,"position":0,"source":"","outcome":"","reason":""}}'),
        2,
        "does not fit those before it.*FOREIGN KEY",
    ),
    "a row less": (lambda lines: [*lines[:2], *lines[3:]], 3, "it was damaged"),
    "other order": (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 4, "it was damaged"),
    "other count": (lambda lines: sealed([*lines[:2], *lines[3:]]), 3, "counts other rows"),
    "cut": (lambda lines: lines[:3], 4, "cut"),
    "cut in a line": (lambda lines: [*lines[:2], lines[2][:9]], 3, "cut"),
    "more": (lambda lines: [*lines, lines[1]], 5, "something follows"),
}


@pytest.mark.parametrize(("change", "line", "why"), FAULTS.values(), ids=FAULTS)
def test_a_file_at_fault_is_refused_by_name_and_line_and_nothing_of_it_is_stored(
    tmp_path: Path, change: Callable[[Lines], Lines], line: int, why: str
) -> None:
    state, file = tmp_path / "new.db", tmp_path / "history.ndjson"
    file.write_bytes(b"".join(change(written(FEW).splitlines(keepends=True))))
    with pytest.raises(UsageError, match=f"history.ndjson:{line}: .*{why}") as told:
        bring(state, file)
    assert str(told.value).isprintable()
    with closing(open_history(state)) as history:
        assert history.is_empty()


def test_a_file_that_is_no_history_makes_no_state(tmp_path: Path) -> None:
    for file, why in (("nothing.ndjson", "cannot be read: No such file"), (".", "cannot be read: Is a directory")):
        with pytest.raises(UsageError, match=why):
            bring(tmp_path / "var" / "new.db", tmp_path / file)
    (tmp_path / "diary").write_text("dear diary")
    with pytest.raises(UsageError, match="diary:1"):
        bring(tmp_path / "var" / "new.db", tmp_path / "diary")
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda body: body[: len(body) // 2], "cannot be read on"),
        (lambda body: body[:-4], "cannot be read on"),
        (lambda body: body[:900] + b"\x00\xff\x00\xff" + body[904:], "cannot be read on|no row"),
        (gzip.decompress, "cannot be read on"),
        (lambda body: body + b"more", "cannot be read on|something follows"),
        (lambda body: b"", "cut"),
    ],
    ids=["half", "no end", "damaged", "not compressed", "more", "empty"],
)
def test_a_compressed_file_at_fault_is_refused_and_nothing_of_it_is_stored(
    tmp_path: Path, change: Callable[[bytes], bytes], why: str
) -> None:
    file = exported(filled(tmp_path / "one.db"), tmp_path / "history.ndjson.gz")
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(UsageError, match=rf"history.ndjson.gz:\d+: .*({why}).*; nothing was imported"):
        bring(tmp_path / "two.db", file)
    with closing(open_history(tmp_path / "two.db")) as history:
        assert history.is_empty()


def test_a_state_that_holds_anything_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = exported(filled(tmp_path / "one.db"), tmp_path / "history.ndjson")
    with closing(open_history(tmp_path / "two.db")) as history:
        with history.transaction():
            history.keep_note("key", "text")
        before = rows_of(history)
        with pytest.raises(UsageError, match=r"two.db holds a history already.*name another file as `state`"):
            bring(tmp_path / "two.db", file)
        assert rows_of(history) == before


# -- there and back ----------------------------------------------------------------------------------------------------


def body(lines: bytes) -> Lines:
    """All that does not depend on when the file was written."""
    return lines.splitlines(keepends=True)[1:-1]


@pytest.mark.parametrize("name", ["history.ndjson", "history.ndjson.gz"])
def test_a_state_that_went_through_a_file_is_the_same(tmp_path: Path, name: str) -> None:
    one, two = filled(tmp_path / "one.db"), tmp_path / "var" / "two.db"
    file = exported(one, tmp_path / name)
    moved = bring(two, file)
    again = tmp_path / f"again-{name}"
    export_file(two, str(again), NOW + HOUR, lambda doing: None, Event())
    first, second = (gzip.decompress(one.read_bytes()) if name.endswith("gz") else one.read_bytes() for one in (file, again))
    assert body(first) == body(second)
    assert json.loads(first.splitlines()[-1])["rows"] == json.loads(second.splitlines()[-1])["rows"] == moved.counts
    assert moved.exported_at == "2026-11-24T06:52:32.123Z"
    assert moved.rows == len(body(first))
    with closing(open_history(one)) as before, closing(open_history(two)) as after:
        assert answers(after) == answers(before)


@pytest.mark.parametrize("name", ["history.ndjson", "history.ndjson.gz"])
def test_one_state_gives_the_same_bytes_wherever_it_is_written(tmp_path: Path, name: str) -> None:
    state = filled(tmp_path / "one.db")
    (tmp_path / "else").mkdir()
    assert exported(state, tmp_path / name).read_bytes() == exported(state, tmp_path / "else" / f"other-{name}").read_bytes()


@pytest.mark.parametrize("schema", [1, 2])
def test_a_file_of_an_earlier_schema_has_all_that_it_has_and_nothing_that_came_later(tmp_path: Path, schema: int) -> None:
    old, new = DATA / f"schema-{schema}.ndjson", tmp_path / "new.ndjson"
    moved = bring(tmp_path / "new.db", old)
    exported(tmp_path / "new.db", new)
    before, after = ([json.loads(line) for line in body(file.read_bytes())] for file in (old, new))
    assert after == [one | {"row": later(one["table"], one["row"])} for one in before]
    assert moved.counts == json.loads(old.read_text().splitlines()[-1])["rows"]


def later(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row with what later schemas keep of it."""
    of_schema_3: dict[str, dict[str, Any]] = {
        "evidence": {"claimed": False},
        "finding": {"claimed": False},
        "sighting": {"kind": "dns", "process": "", "log": "", "seen_last": 1_000_000 * (row.get("time_last") or 0)},
    }
    of_schema_2: dict[str, Any] = {"tlp": 0, "chain": "", "sensor_id": None} if table == "evidence" else {}
    return of_schema_2 | row | of_schema_3.get(table, {})


def test_a_file_of_schema_1_has_no_table_of_a_later_one(tmp_path: Path) -> None:
    lines = (DATA / "schema-1.ndjson").read_bytes().splitlines(keepends=True)
    row = {"table": "quota_call", "row": {"account": "", "at": 0, "calls": 1}}
    (tmp_path / "file").write_bytes(b"".join(sealed([*lines[:-1], json.dumps(row).encode() + b"\n", lines[-1]])))
    with pytest.raises(UsageError, match="no table 'quota_call'"):
        bring(tmp_path / "new.db", tmp_path / "file")


def test_a_file_may_come_through_a_pipe(tmp_path: Path) -> None:
    file = exported(filled(tmp_path / "one.db"), tmp_path / "history.ndjson")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", file, pipe]) as copy:
        assert bring(tmp_path / "two.db", pipe).rows == len(body(file.read_bytes()))
    assert copy.returncode == 0


def test_what_is_done_is_told_now_and_then(tmp_path: Path) -> None:
    told: list[str] = []
    with closing(open_history(tmp_path / "one.db")) as history, history.transaction():
        history.facts.store("circl", [observation(f"n{number}.example.net") for number in range(20_001)], NOW)
    export_file(tmp_path / "one.db", str(tmp_path / "file"), NOW, told.append, Event())
    import_file(tmp_path / "two.db", str(tmp_path / "file"), told.append)
    assert told == [
        f"{doing} evidence: {count} rows" for doing in ("exporting", "importing") for count in ("10,000", "20,000")
    ]


def test_memory_does_not_grow_with_the_state(tmp_path: Path) -> None:
    with closing(open_history(tmp_path / "one.db")) as history, history.transaction():
        history.facts.store("circl", [observation(f"n{number}.example.net") for number in range(20_000)], NOW)
    file = exported(tmp_path / "one.db", tmp_path / "warm-up")  # what is imported on demand is no cost of the rows
    tracemalloc.start()
    try:
        exported(tmp_path / "one.db", tmp_path / "history.ndjson")
        bring(tmp_path / "two.db", file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < file.stat().st_size / 10


# -- the file itself ---------------------------------------------------------------------------------------------------


def test_the_file_is_for_its_owner_alone_and_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    file = tmp_path / "history.ndjson"
    file.write_text("the last one")
    file.chmod(0o644)
    exported(filled(tmp_path / "one.db"), file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().startswith(b'{"feedsvc-history":1')
    assert [path.name for path in tmp_path.iterdir() if "history" in path.name] == ["history.ndjson"]


def test_an_export_that_is_ended_leaves_the_last_file_and_nothing_else(tmp_path: Path) -> None:
    file, stop = tmp_path / "history.ndjson", Event()
    file.write_text("the last one")
    stop.set()
    state = filled(tmp_path / "var" / "one.db")
    with pytest.raises(PublishError, match="asked to end"):
        export_file(state, str(file), NOW, lambda doing: None, stop)
    assert file.read_text() == "the last one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.ndjson", "var"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "history.ndjson", tmp_path / "link"
    link.symlink_to(file)
    exported(filled(tmp_path / "one.db"), link)
    assert link.is_symlink()
    assert not file.is_symlink()
    assert file.read_bytes().startswith(b'{"feedsvc-history":1')


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    state = filled(tmp_path / "one.db")
    with pytest.raises(PublishError, match=r"nowhere/history\.ndjson could not be written: No such file or directory"):
        exported(state, tmp_path / "nowhere" / "history.ndjson")
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match=f"{place} is no file that can be replaced"):
            exported(state, place)


def test_a_state_that_is_not_there_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="feedsvc run"):
        exported(tmp_path / "one.db", tmp_path / "history.ndjson")
    assert list(tmp_path.iterdir()) == []


def itself(state: Path) -> Path:
    return state


def its_log(state: Path) -> Path:
    return state.with_name("one.db-wal")


def its_memory(state: Path) -> Path:
    return state.with_name("one.db-shm")


def linked(state: Path) -> Path:
    (other := state.with_name("soft")).symlink_to(state)
    return other


def linked_hard(state: Path) -> Path:
    (other := state.with_name("hard")).hardlink_to(state)
    return other


@pytest.mark.parametrize("place", [itself, its_log, its_memory, linked, linked_hard])
def test_the_state_is_neither_written_over_nor_read_as_a_file(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    state = filled(tmp_path / "one.db")
    with closing(open_history(state)) as history:
        assert history.note("key") is None  # the log is there as long as somebody looks
        before = rows_of(history)
        file = place(state)
        for move in (exported, bring):
            with pytest.raises(UsageError, match="belongs to the state itself"):
                move(state, file)
        assert rows_of(history) == before


# -- dying -------------------------------------------------------------------------------------------------------------

IMPORTS = """
import sys
from pathlib import Path
from feedsvc.history.files import import_file
import_file(Path(sys.argv[1]), "-", lambda doing: None)
"""


def test_an_import_that_is_killed_in_the_middle_leaves_an_empty_state(tmp_path: Path) -> None:
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    with closing(open_history(one)) as history, history.transaction():
        write_much(history)
    text = exported(one, tmp_path / "history.ndjson").read_text()
    with child(IMPORTS, two) as process:
        assert process.stdin is not None
        process.stdin.write(text[: len(text) * 9 // 10])
        process.stdin.flush()  # returns when all was read but what a pipe and a buffer hold
        with closing(open_sqlite(two, busy_seconds=0)) as another:
            transaction = another.transaction()
            with pytest.raises(Busy):
                transaction.__enter__()
        kill(process)
    with closing(open_history(two)) as history:
        assert history.is_empty()
    bring(two, tmp_path / "history.ndjson")
    with closing(open_history(two)) as after, closing(open_history(one)) as before:
        assert rows_of(after) == rows_of(before)


# -- what SQLite adds --------------------------------------------------------------------------------------------------


@pytest.fixture
def history(tmp_path: Path) -> Iterator[SqliteHistory]:
    with closing(open_sqlite(tmp_path / "one.db")) as opened:
        yield opened


def asked(history: SqliteHistory, sql: str) -> list[tuple[Any, ...]]:
    return history._engine.rows(sql)


def test_the_layout_has_every_table_and_column_of_the_schema(history: SqliteHistory) -> None:
    """Whoever adds one to the schema adds it to the layout, or it would be left behind by every export."""
    tables = asked(history, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'")
    assert {name for (name,) in tables} == {table.table for table in layout.TABLES}
    for table in layout.TABLES:
        columns = asked(history, f"SELECT name, \"notnull\" OR pk FROM pragma_table_info('{table.table}') ORDER BY cid")
        described = [(column.name, type(None) not in get_args(column.type)) for column in fields(table)]
        assert sorted(described) == sorted((name, bool(needed)) for name, needed in columns), table.table


def test_an_import_leaves_the_schema_as_it_was(history: SqliteHistory, tmp_path: Path) -> None:
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    fill(history)
    with closing(open_sqlite(tmp_path / "two.db")) as other:
        before = asked(other, schema)
        with other.transaction():
            other.import_rows(rows_of(history))
        assert asked(other, schema) == before
        with pytest.raises(HistoryError, match="appended, never removed"), other.transaction():
            other._engine.write("DELETE FROM decision")


def test_an_import_adds_no_row_of_its_own(history: SqliteHistory) -> None:
    """The suffix list of this machine may say otherwise which domains there are; the file is what was known."""
    none = (None, None, None, None, None)
    row = EvidenceRow("198.51.100.7", "a.example.net", "A", "x", *none, 0, 0, 1, "", None, False)
    with history.transaction():
        history.import_rows([row])
    assert [type(row) for row in rows_of(history)] == [EvidenceRow]
    with history.transaction():
        history.facts.store("y", [observation()], NOW)
    assert asked(history, "SELECT name FROM domain") == [("example.net",)]


@pytest.mark.parametrize("table", layout.TABLES, ids=lambda table: str(table.table))
def test_a_table_is_exported_in_order_without_sorting(history: SqliteHistory, table: type[Row]) -> None:
    plan = [step for *_, step in asked(history, f"EXPLAIN QUERY PLAN {portable._select(table)}")]
    assert len(plan) == 1
    assert plan[0].startswith(f"SCAN {table.table}")
