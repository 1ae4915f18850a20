"""Run one query of a user's, with everything locked that a query could reach.

DuckDB exempts an open database's own file from `enable_external_access`, and takes a DELETE or a
COPY inside of a CTE for a SELECT. So the query runs on a read-only open, without any file system,
with the configuration locked, and with bounds on time and memory.
"""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from tracejury.errors import QueryError
from tracejury.store.reader import Reader

_TIME_LIMIT_S: Final = 60.0
_INTERRUPT_AGAIN_S: Final = 0.1
_MEMORY_LIMIT: Final = "4GB"
_ONE_SELECT: Final = "Ask with one SELECT over the views that docs/views.md lists."


@dataclass(frozen=True, slots=True)
class Answer:
    """Column names and rows of a query."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def ask(reader: Reader, sql: str, *, time_limit_s: float = _TIME_LIMIT_S) -> Answer:
    """The answer to exactly one SELECT over the views of `reader`.

    The reader is locked afterwards and only good for more of the same. Raises `QueryError` for
    anything else than one SELECT, for a query that fails, and for one that takes too long.
    """
    connection = reader.connection()
    _one_select(connection, sql)
    _lock(connection)
    # In a thread of its own: DuckDB swallows a Ctrl-C that arrives while it plans.
    with ThreadPoolExecutor(max_workers=1) as thread:
        answer = thread.submit(_answer, connection, sql)
        try:
            wait([answer], timeout=time_limit_s)
        finally:
            is_late = not answer.done()
            while not answer.done():
                connection.interrupt()
                wait([answer], timeout=_INTERRUPT_AGAIN_S)
    if is_late:
        raise QueryError(
            f"The query took longer than {time_limit_s:g} s.", next_step="Narrow it, or aggregate."
        )
    return answer.result()


def _answer(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    try:
        cursor = connection.execute(sql)
        columns = tuple(column[0] for column in cursor.description or ())
        return Answer(columns, cursor.fetchall())
    except duckdb.Error as error:
        raise QueryError(
            f"The query failed: {str(error).splitlines()[0].removesuffix('.')}.",
            next_step="The views and their columns are listed in docs/views.md.",
        ) from error


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    if connection.execute("SELECT current_setting('lock_configuration')").fetchall() == [(True,)]:
        return
    for statement in (
        f"SET memory_limit = '{_MEMORY_LIMIT}'",
        "SET enable_external_access = false",
        "SET disabled_filesystems = 'LocalFileSystem'",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)


def _one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(
            f"The query is not SQL: {str(error).splitlines()[0]}.", next_step=_ONE_SELECT
        ) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("The query is not exactly one SELECT.", next_step=_ONE_SELECT)
