"""The whole state as rows of `feedsvc.history.layout`, given and taken back: the engine's part of export and import.

What SQLite keeps for itself (indexes, triggers, the list of its migrations) is no part of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import groupby
from typing import Any

from msgspec.structs import astuple, fields

from feedsvc.errors import HistoryError, UsageError
from feedsvc.history import layout
from feedsvc.history.sqlite import engine as sqlite
from feedsvc.history.sqlite.engine import Engine
from feedsvc.history.sqlite.values import array, texts

# Types of the layout that SQLite has not, as it keeps them and back.
_KEEPS: Mapping[object, Callable[[Any], object]] = {tuple[str, ...]: array, bool: int}
_GIVES: Mapping[object, Callable[[Any], object]] = {tuple[str, ...]: texts, bool: bool}


def is_empty(engine: Engine) -> bool:
    """Whether no table has a row."""
    return not any(engine.value(f'SELECT EXISTS (SELECT 1 FROM "{one.table}")') for one in layout.TABLES)  # noqa: S608


@contextmanager
def export_rows(engine: Engine) -> Iterator[Iterator[layout.Row]]:
    """Every row, table by table, of one moment."""
    with engine.one_moment(), closing(_rows(engine)) as rows:
        yield rows


def _rows(engine: Engine) -> Generator[layout.Row, None, None]:
    for table in layout.TABLES:
        given = _converted(table, _GIVES)
        with closing(engine.stream(_select(table))) as found:
            for columns in found:
                yield table(*given(columns))


def _select(table: type[layout.Row]) -> str:
    return f'SELECT {_names(table.__struct_fields__)} FROM "{table.table}" ORDER BY {_names(table.order)}'  # noqa: S608


def _insert(table: type[layout.Row]) -> str:
    columns = table.__struct_fields__
    places = ", ".join("?" * len(columns))
    return f'INSERT INTO "{table.table}" ({_names(columns)}) VALUES ({places})'  # noqa: S608


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _converted(
    table: type[layout.Row], by_type: Mapping[object, Callable[[Any], object]]
) -> Callable[[sqlite.Row], sqlite.Row]:
    """A function over a row's values that converts those of these types."""
    places = [(at, by_type[field.type]) for at, field in enumerate(fields(table)) if field.type in by_type]

    def convert(values: sqlite.Row) -> sqlite.Row:
        converted = list(values)
        for at, function in places:
            converted[at] = function(converted[at])
        return tuple(converted)

    return convert if places else tuple


def import_rows(engine: Engine, rows: Iterable[layout.Row]) -> None:
    """Store rows as they are."""
    with _without_triggers(engine):
        for table, of_table in groupby(rows, type):
            kept = _converted(table, _KEEPS)
            _fill(engine, _insert(table), (kept(astuple(row)) for row in of_table))


def _fill(engine: Engine, insert: str, rows: Iterator[sqlite.Row]) -> None:
    try:
        engine.write_many(insert, rows)
    except HistoryError as err:
        if isinstance(err.__cause__, sqlite3.IntegrityError):
            raise UsageError(f"this row does not fit those before it ({err.__cause__})") from err
        raise


@contextmanager
def _without_triggers(engine: Engine) -> Iterator[None]:
    """Rows that a trigger would add are among those that come; it would add others, by the suffix list of today."""
    triggers = engine.rows("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    for name, _ in triggers:
        engine.write(f'DROP TRIGGER "{name}"')
    yield
    # Whoever leaves by an error has its transaction undone, and with it this.
    for _, sql in triggers:
        engine.write(sql)
