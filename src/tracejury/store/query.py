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
# An answer is written as a whole, and its rows are Python's by then.
_ROW_LIMIT: Final = 1_000_000
_BYTES_LIMIT: Final = 256 * 2**20
_FETCHED: Final = 2048
_ONE_SELECT: Final = "Ask with one SELECT over the views that docs/views.md lists."


@dataclass(frozen=True, slots=True)
class Answer:
    """Column names and rows of a query."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def ask(reader: Reader, sql: str, *, time_limit_s: float = _TIME_LIMIT_S) -> Answer:
    """The answer to exactly one SELECT over the views of `reader`.

    The reader is locked afterwards and only good for more of the same. Raises `QueryError` for
    anything else than one SELECT, for a query that fails, and for one that takes too long or gives
    too much.
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
        return Answer(columns, _rows(cursor))
    except duckdb.Error as error:
        raise QueryError(
            f"The query failed: {_reason(error)}",
            next_step="The views and their columns are listed in docs/views.md.",
        ) from error


def _rows(cursor: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    size = 0
    while fetched := cursor.fetchmany(_FETCHED):
        rows += fetched
        size += sum(_size(row) for row in fetched)
        if len(rows) > _ROW_LIMIT or size > _BYTES_LIMIT:
            raise QueryError(
                f"The answer has more than {_ROW_LIMIT:,} rows or {_BYTES_LIMIT >> 20} MiB.",
                next_step="Aggregate, or add a LIMIT; `export` writes all that is stored.",
            )
    return rows


def _size(cell: object) -> int:
    """About the bytes of a value as it is written; values may hold values, but few levels deep."""
    match cell:
        case str() | bytes():
            return len(cell)
        case list() | tuple():
            return sum(map(_size, cell))
        case dict():
            return sum(map(_size, cell.values()))
        case _:
            return 8


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
            f"The query is not SQL: {_reason(error)}", next_step=_ONE_SELECT
        ) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("The query is not exactly one SELECT.", next_step=_ONE_SELECT)


def _reason(error: duckdb.Error) -> str:
    """What DuckDB says, and which name it takes to be meant; not the query again."""
    said = " ".join(str(error).split("\n\n")[0].splitlines())
    return said if said.endswith((".", "!", "?")) else f"{said}."
