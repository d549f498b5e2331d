"""What the SQLite engine adds to the contract: whose file it is, how it is kept, and that no question reads it all."""

from __future__ import annotations

import gzip
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from feedsvc.errors import Busy, ForeignState, HistoryError
from feedsvc.history import open_history
from feedsvc.history.files import import_file
from feedsvc.history.sqlite import SqliteHistory, open_sqlite
from feedsvc.history.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA
from feedsvc.model import Status, Tlp
from tests.history.filling import answers, rows_of
from tests.history.making import (
    COLLECTION,
    COMPLETE,
    HOUR,
    NOW,
    OTHER,
    QUOTA,
    STOPS_HALFWAY,
    add,
    ask,
    child,
    ends_well,
    everything,
    finding,
    keep,
    kill,
    observation,
    published,
    sighting,
    stix,
    stix_id,
    wait_for_word,
)

DATA = Path(__file__).parents[1] / "data" / "history"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "var" / "feedsvc.db"


@pytest.fixture
def history(state: Path) -> Iterator[SqliteHistory]:
    with closing(open_sqlite(state)) as opened:
        yield opened


def pragma(history: SqliteHistory, name: str) -> object:
    value: object = history._engine.value(f"PRAGMA {name}")
    return value


def plainly(state: Path) -> closing[sqlite3.Connection]:
    """The file as another program sees it, which commits each statement."""
    return closing(sqlite3.connect(state, isolation_level=None))


# -- whose file it is --------------------------------------------------------------------------------------------------


def test_a_new_file_says_whose_it_is_and_is_kept_safely(history: SqliteHistory, state: Path) -> None:
    assert pragma(history, "application_id") == APPLICATION_ID
    assert pragma(history, "user_version") == SCHEMA
    assert pragma(history, "journal_mode") == "wal"
    assert pragma(history, "synchronous") == 2  # FULL
    assert pragma(history, "foreign_keys") == 1
    assert pragma(history, "busy_timeout") == 30_000
    for file in (state, state.with_name("feedsvc.db-wal")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def other_database(state: Path) -> None:
    with plainly(state) as other:
        other.execute("CREATE TABLE todo (text)")


def other_application(state: Path) -> None:
    with plainly(state) as other:
        other.execute("PRAGMA application_id = 77")


def text(state: Path) -> None:
    state.write_text("my diary\n" * 1000)


def short_text(state: Path) -> None:
    state.write_text("x")


def newer(state: Path) -> None:
    open_history(state).close()
    with plainly(state) as ours:
        ours.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (other_database, "another program"),
        (other_application, "another program"),
        (text, "no SQLite database"),
        (short_text, "no SQLite database"),
        (newer, "newer feedsvc"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_by_name_and_left_alone(
    state: Path, make: Callable[[Path], None], why: str, read_only: bool
) -> None:
    state.parent.mkdir()
    make(state)
    before = state.read_bytes()
    with pytest.raises(ForeignState, match=f"{re.escape(str(state))} .*{why}"):
        open_history(state, read_only=read_only)
    assert state.read_bytes() == before


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_file_is_called_damaged(state: Path, part: float) -> None:
    with closing(open_history(state)) as history:
        add(history, *map(stix, range(500)))
    body = state.read_bytes()
    state.write_bytes(body[: int(len(body) * part)])
    with pytest.raises(HistoryError, match=f"{re.escape(str(state))} is damaged"), closing(open_history(state)) as history:
        everything(history)


def test_an_empty_file_is_a_new_state(state: Path) -> None:
    state.parent.mkdir()
    state.touch()
    with pytest.raises(HistoryError, match="feedsvc run"):
        open_history(state, read_only=True)
    with closing(open_history(state)) as history:
        assert history.note("key") is None


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "feedsvc.db"):
        for read_only in (False, True):
            with pytest.raises(HistoryError, match=re.escape(str(place))):
                open_history(place, read_only=read_only)


def test_a_place_where_no_lock_can_be_is_named(state: Path, history: SqliteHistory) -> None:
    folder = state.with_name("feedsvc.db.locks")
    shutil.rmtree(folder)
    folder.touch()
    with pytest.raises(HistoryError, match=re.escape(str(folder))):
        history.runs.claim("poll/circl").__enter__()


def test_any_file_name_will_do(tmp_path: Path) -> None:
    state = tmp_path / "50% of #1?mode=memory" / "ü &.db"
    with closing(open_history(state)) as history, history.transaction():
        history.keep_note("key", "text")
    with closing(open_history(state, read_only=True)) as reader:
        assert reader.note("key") == "text"


def test_a_job_is_held_once_whatever_way_leads_to_the_file(history: SqliteHistory, state: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(state)
    with closing(open_history(tmp_path / "link.db")) as other, history.runs.claim("poll/circl"), pytest.raises(Busy):
        other.runs.claim("poll/circl").__enter__()


# -- the schema and the roads that lead to it --------------------------------------------------------------------------


def schema(state: Path) -> list[tuple[str, str]]:
    with plainly(state) as file:
        return file.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_migrations_are_numbered_up_to_the_schema(history: SqliteHistory) -> None:
    assert [one.name for one in MIGRATIONS.applied(history._engine._db)] == [str(n) for n in range(1, SCHEMA + 1)]
    assert MIGRATIONS.pending(history._engine._db) == []


def test_a_file_of_schema_2_keeps_all_that_it_held_and_takes_what_is_new(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    old.write_bytes(gzip.decompress((DATA / "schema-2.db.gz").read_bytes()))
    import_file(new, str(DATA / "schema-2.ndjson"), lambda doing: None)
    with closing(open_history(old)) as migrated, closing(open_history(new)) as imported:
        assert rows_of(migrated) == rows_of(imported)
        assert answers(migrated) == answers(imported)
        assert {(one.client, one.count, one.kind) for _, one in migrated.facts.sightings("k3xq.example.net")} == {
            ("192.0.2.10", 1, "dns"),
            ("2001:db8::53", 3, "dns"),
        }
        with migrated.transaction():
            migrated.facts.sight("zeek", [sighting(kind="tls", process="evil.exe", log="ssl.log")], NOW)
        assert migrated.facts.clients(["k3xq.example.net"]) == {"k3xq.example.net": 2}
        assert len(migrated.facts.sightings("k3xq.example.net")) == 3
    assert schema(old) == schema(new)


@pytest.mark.parametrize("left_at", range(SCHEMA))
def test_an_older_file_becomes_what_a_new_one_is(tmp_path: Path, left_at: int) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    with closing(Database(old)) as db:
        if left_at:
            MIGRATIONS.apply(db, stop_before=str(left_at + 1))
    for state in (old, new):
        open_history(state).close()
    assert schema(old) == schema(new)


def test_a_file_of_schema_1_keeps_all_that_it_held_and_takes_what_is_new(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    old.write_bytes(gzip.decompress((DATA / "schema-1.db.gz").read_bytes()))
    import_file(new, str(DATA / "schema-1.ndjson"), lambda doing: None)
    with closing(open_history(old)) as migrated, closing(open_history(new)) as imported:
        assert rows_of(migrated) == rows_of(imported)
        assert [sum(row.table == "evidence" for row in rows_of(migrated)), migrated.quotas.all()] == [7, ()]
        assert answers(migrated) == answers(imported)
        with migrated.transaction():
            migrated.quotas.keep(QUOTA)
            migrated.facts.store("circl", [observation(tlp=Tlp.RED)], NOW)
        assert migrated.quotas.all() == (QUOTA,)
        assert [one.tlp for one in migrated.facts.evidence(observation().rrname)] == [Tlp.RED, Tlp.CLEAR]
    assert schema(old) == schema(new)


def test_a_file_of_schema_1_is_not_looked_at_before_it_is_brought_up_to_date(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    old.write_bytes(gzip.decompress((DATA / "schema-1.db.gz").read_bytes()))
    with pytest.raises(HistoryError, match="as an older feedsvc left it"):
        open_history(old, read_only=True)


def test_opening_again_changes_nothing(state: Path) -> None:
    open_history(state).close()
    before = schema(state)
    open_history(state).close()
    assert schema(state) == before


OPENS = """
import sys
from pathlib import Path
from feedsvc.history import open_history
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    history = open_history(Path(sys.argv[1]) / f"{number}.db")
    with history.transaction():
        history.keep_note(sys.argv[2], "here")
    history.close()
"""


def test_processes_that_open_new_files_at_once_all_find_them_right(tmp_path: Path) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(child(OPENS, tmp_path, number)) for number in range(6)]
        for process in processes:
            wait_for_word(process, "ready")
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert all(map(ends_well, processes))
    for number in range(20):
        with closing(open_sqlite(tmp_path / f"{number}.db")) as history:
            assert [history.note(str(writer)) for writer in range(6)] == ["here"] * 6
            assert len(MIGRATIONS.applied(history._engine._db)) == SCHEMA


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_writer_that_waits_too_long_is_told_so(state: Path, history: SqliteHistory) -> None:
    with closing(open_sqlite(state, busy_seconds=0.01)) as other, history.transaction():
        second = other.transaction()
        with pytest.raises(Busy, match=re.escape(str(state))):
            second.__enter__()


def test_a_full_disk_is_named_and_nothing_of_the_step_is_stored(state: Path, history: SqliteHistory) -> None:
    history._engine.row(f"PRAGMA max_page_count = {pragma(history, 'page_count')}")
    with pytest.raises(HistoryError, match=f"no room is left for {re.escape(str(state))}"):
        add(history, *map(stix, range(500)))
    history._engine.row("PRAGMA max_page_count = 1000000")
    add(history, stix(1))
    assert [row.id for row in everything(history)] == [stix_id(1)]


def test_who_swallows_the_error_that_ended_a_transaction_cannot_write_on(history: SqliteHistory) -> None:
    def swallow_and_go_on() -> None:
        with history.transaction():
            history._engine.write("ROLLBACK")
            history.keep_note("key", "text")

    with pytest.raises(HistoryError, match="outside a transaction"):
        swallow_and_go_on()
    with pytest.raises(HistoryError), history.transaction():
        history._engine.write("ROLLBACK")


def test_a_history_belongs_to_one_thread_and_a_closed_one_to_none(state: Path) -> None:
    history = open_history(state)
    history.close()
    with pytest.raises(sqlite3.ProgrammingError):
        history.note("key")


def test_a_file_whose_writer_was_killed_is_sound_and_can_be_looked_at(state: Path) -> None:
    with child(STOPS_HALFWAY, state) as process:
        wait_for_word(process, "halfway")
        kill(process)
    with closing(open_sqlite(state, read_only=True)) as reader:
        assert pragma(reader, "integrity_check") == "ok"
        assert everything(reader) == []


# -- what the schema itself guards -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE decision SET reason = 'nobody saw it'", "appended, never changed"),
        ("DELETE FROM decision", "appended, never removed"),
        ("REPLACE INTO decision SELECT * FROM decision", "appended, never removed"),
        ("UPDATE stix_object SET body = x'00'", "never changes"),
    ],
)
def test_the_log_of_decisions_and_published_bytes_cannot_be_changed_by_sql(
    history: SqliteHistory, statement: str, why: str
) -> None:
    keep(history, finding())
    add(history, stix())
    with pytest.raises(HistoryError, match=why), history.transaction():
        history._engine.write(statement)
    assert len(history.findings.decisions("k3xq.example.net")) == 1


def test_dates_rise_though_the_latest_rows_are_gone(history: SqliteHistory) -> None:
    add(history, stix(1), stix(2))
    latest = everything(history)[-1].date_added
    with history.transaction():
        history._engine.write("DELETE FROM member")
    add(history)
    add(history, stix(3), now=NOW - HOUR)
    assert everything(history)[0].date_added > latest


def test_a_decision_is_about_a_finding(history: SqliteHistory) -> None:
    with pytest.raises(HistoryError, match="FOREIGN KEY"), history.transaction():
        history._engine.write(
            "INSERT INTO decision (at, actor, verb, watch, name, after, reason) VALUES (0, '', '', 'w', 'n', 'held', '')"
        )


# -- cost --------------------------------------------------------------------------------------------------------------


def begin_and_end(history: SqliteHistory) -> None:
    with history.transaction():
        run = history.runs.begin("poll/circl", NOW + HOUR, NOW)
        assert run is not None
        history.runs.end(run.id, [COMPLETE], NOW)


def spend(history: SqliteHistory) -> None:
    with history.transaction():
        history.quotas.keep(QUOTA)


CHEAP: dict[str, Callable[[SqliteHistory], object]] = {
    "newest page": lambda history: history.feed.objects(ask(max_rank=1, limit=3)),
    "newest page, deep": lambda history: history.feed.objects(ask(max_rank=4, limit=3, after=10**15)),
    "newest page of a type": lambda history: history.feed.manifest(ask(types=frozenset({"indicator"}))),
    "page of every version": lambda history: history.feed.objects(ask(versions=frozenset({"all"}))),
    "page of first versions": lambda history: history.feed.objects(ask(versions=frozenset({"first", "last"}))),
    "page of exact versions": lambda history: history.feed.objects(ask(exact_versions=frozenset({"x"}))),
    "page of ids": lambda history: history.feed.objects(ask(ids=frozenset({stix_id(1)}))),
    "has": lambda history: history.feed.has(COLLECTION.id, stix_id(1), 1),
    "current": lambda history: history.feed.current(stix_id(1)),
    "feed.add": lambda history: add(history, stix(1, 7), stix(8)),
    "name_facts": lambda history: history.facts.name_facts(["k3xq.example.net", "www.example.org"]),
    "evidence": lambda history: history.facts.evidence("k3xq.example.net"),
    "sightings": lambda history: history.facts.sightings("k3xq.example.net"),
    "cursors": lambda history: history.facts.cursors("circl"),
    "findings.get": lambda history: history.findings.get("jar-callbacks", ["a.example.net"]),
    "named": lambda history: history.findings.named("a.example.net"),
    "with_status": lambda history: history.findings.with_status({Status.HELD, Status.CANDIDATE}),
    "with_status of a watch": lambda history: history.findings.with_status({Status.CANDIDATE}, "jar-callbacks"),
    "recent": lambda history: history.findings.recent({Status.HELD, Status.CANDIDATE}, 5),
    "active": lambda history: history.findings.active(),
    "expiring": lambda history: history.findings.expiring("jar-callbacks", NOW),
    "apply": lambda history: keep(history, finding("b.example.net")),
    "decisions": lambda history: history.findings.decisions("a.example.net"),
    "decision": lambda history: history.findings.decision(1),
    "decided_between": lambda history: history.findings.decided_between(NOW, NOW + HOUR),
    "runs.get": lambda history: history.runs.get(1),
    "runs.last": lambda history: history.runs.last("poll/circl"),
    "runs.between": lambda history: history.runs.between(NOW, NOW + HOUR),
    "latest_outcomes": lambda history: history.runs.latest_outcomes(),
    "runs.begin": begin_and_end,
    "by_token": lambda history: history.partners.by_token("00"),
    "quotas.get": lambda history: history.quotas.get(QUOTA.id),
    "quotas.keep": spend,
    "note": lambda history: history.note("key"),
}


@pytest.fixture
def filled(history: SqliteHistory) -> SqliteHistory:
    """A history with something in every table that grows."""
    add(history, stix(1), stix(2), stix(1, 1), to=COLLECTION)
    add(history, stix(1), to=OTHER)
    keep(history, finding("a.example.net"), published())
    with history.transaction():
        history.quotas.keep(QUOTA)
        history.facts.store("circl", [observation()], NOW)
        history.facts.sight("zeek", [sighting()], NOW)
        run = history.runs.begin("poll/circl", NOW, NOW)
        assert run is not None
        history.runs.end(run.id, [COMPLETE], NOW)
    return history


def plans(history: SqliteHistory, ask_it: Callable[[SqliteHistory], object]) -> list[str]:
    """How SQLite goes about each statement that a question runs."""
    connection = history._engine._db.conn
    ran: list[str] = []
    connection.set_trace_callback(ran.append)
    ask_it(history)
    connection.set_trace_callback(None)
    statements = [sql for sql in ran if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", sql)]
    assert statements
    return [row[3] for sql in statements for row in history._engine.rows(f"EXPLAIN QUERY PLAN {sql}")]


# json_each is the question's own list; the others are what a statement has found so far.
HARMLESS_SCAN = re.compile(r"SCAN (\w+ VIRTUAL TABLE INDEX \d+:|CONSTANT ROW|each|found|\(subquery-\d+\))")


@pytest.mark.parametrize("ask_it", CHEAP.values(), ids=CHEAP)
def test_a_question_reads_no_whole_table(filled: SqliteHistory, ask_it: Callable[[SqliteHistory], object]) -> None:
    scans = [step for step in plans(filled, ask_it) if "SCAN" in step and not HARMLESS_SCAN.fullmatch(step)]
    assert scans == []


@pytest.mark.parametrize("rank", range(len(Tlp)))
def test_a_page_walks_an_index_of_what_the_reader_gets_and_sorts_nothing(filled: SqliteHistory, rank: int) -> None:
    steps = plans(filled, lambda history: history.feed.objects(ask(max_rank=rank)))
    assert steps[0] == f"SEARCH member USING COVERING INDEX member_newest_{rank} (collection=? AND date_added>?)"
    assert "SEARCH object USING INTEGER PRIMARY KEY (rowid=?)" in steps
    assert not [step for step in steps if "TEMP B-TREE" in step]


def test_a_list_is_read_from_its_index_in_order(filled: SqliteHistory) -> None:
    steps = plans(filled, lambda history: list(history.findings.listed(["*"], Tlp.RED, 0)))
    assert steps[0] == "SCAN finding USING COVERING INDEX finding_listed"
    assert not [step for step in steps if "TEMP B-TREE" in step]


def test_a_list_may_be_read_while_others_publish(state: Path, history: SqliteHistory) -> None:
    keep(history, *(published(f"n{number}.example.net") for number in range(3)))
    listed = history.findings.listed(["*"], Tlp.RED, 0)
    first = next(listed)
    with closing(open_history(state)) as other:
        keep(other, published("n1a.example.net"))
    assert [one.name for one in (first, *listed)] == [f"n{number}.example.net" for number in range(3)]
    assert len(list(history.findings.listed(["*"], Tlp.RED, 0))) == 4


def test_known_observations_change_nothing_but_times(history: SqliteHistory) -> None:
    for hour in range(2):
        with history.transaction():
            history.facts.store("circl", [observation(time_last=100)], NOW + hour * timedelta(hours=1))
    assert history._engine.rows("SELECT count(*) FROM evidence") == [(1,)]
    assert history._engine.rows("SELECT name FROM domain") == [("example.net",)]
    (evidence,) = history.facts.evidence("k3xq.example.net")
    assert (evidence.seen_first, evidence.seen_last) == (NOW, NOW + HOUR)
