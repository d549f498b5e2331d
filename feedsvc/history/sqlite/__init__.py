"""History in one SQLite file.

    schema      every table, index and trigger, and the migrations that lead there
    opening     from a path to a connection: refuse what is not ours, bring ours up to date
    engine      one connection: transactions, statements, and what SQLite's errors mean to a person
    values      how moments, markings and lists of texts stand in columns
    claims      jobs held by file locks beside the state
    portable    the whole state as rows that any engine takes
    whole       the engine's families as one history

and `runs`, `facts`, `findings`, `feed`, `access`, `quotas`: one class a family of tables, as the port has them.
"""

from feedsvc.history.sqlite.whole import SqliteHistory, open_sqlite

__all__ = ["SqliteHistory", "open_sqlite"]
