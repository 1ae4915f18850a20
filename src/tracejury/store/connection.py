"""Open a store's file: what it must be, and who may hold it."""

import re
from pathlib import Path
from typing import Final

import duckdb

from tracejury.errors import StoreError

FORMAT_VERSION: Final = 6

# What DuckDB may hold of a run, where the machine would let it hold more. One that is read goes on
# in files beside the store, past this; of one that is written it would keep all that it ever
# touched, about a hundred bytes a span, and to forget of it takes a third of the speed.
_MOST_MEMORY: Final = "4 GiB"

_HOLDER: Final = re.compile(r"PID (\d+)")


class StoreHeldError(StoreError):
    """Another program has the file open for writing."""


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Connect to the DuckDB file at `path`.

    Raises `StoreHeldError` when a writer holds it, `StoreError` when it is no DuckDB file or
    cannot be reached.
    """
    if read_only and not path.exists():
        raise StoreError(
            f"There is no store at {path}.",
            next_step="Record one with `tracejury serve --store` or `tracejury import`.",
        )
    refuse_what_is_no_place(path)
    try:
        connection = duckdb.connect(
            str(path),
            read_only=read_only,
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
    except duckdb.Error as error:
        raise _explain(path, str(error)) from error
    return quiet(_held(_for_reading(connection) if read_only else connection))


def _for_reading(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """`connection`, whose derived tables grow with the run, and die with the connection."""
    # To tidy them up is no use.
    connection.execute("SET checkpoint_threshold = '1TB'")
    return connection


def _held(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """`connection`, with a bound on DuckDB's memory where the machine would let it hold more."""
    [(is_more,)] = connection.execute(
        "SELECT parse_formatted_bytes(current_setting('memory_limit')) > parse_formatted_bytes(?)",
        [_MOST_MEMORY],
    ).fetchall()
    if is_more:
        connection.execute(f"SET memory_limit = '{_MOST_MEMORY}'")
    return connection


def quiet(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """`connection`, without the progress bar that DuckDB draws on stdout, between the results."""
    return connection.execute("SET enable_progress_bar = false")


def refuse_what_is_no_place(path: Path) -> None:
    """Raise `StoreError` where no store can stand, and for the one name that it cannot have."""
    if path.is_dir():
        raise StoreError(f"{path} is a folder.", next_step="Name a file for the store.")
    if not path.parent.is_dir():
        raise StoreError(f"The folder {path.parent} does not exist.", next_step="Create it first.")
    if path.name.partition(".")[0].lower() == "stored":
        raise StoreError(
            f"DuckDB would take the file {path} for the schema of its tables, which has that name.",
            next_step="Call the file something else.",
        )


def format_of(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The layout of the store at `path`, this version's or an older one.

    Raises `StoreError`, and closes, where the file is no store or one of a newer version.
    """
    try:
        [(version,)] = connection.execute("SELECT version FROM stored.format").fetchall()
    except (duckdb.Error, ValueError) as error:
        connection.close()
        raise StoreError(
            f"{path} is a DuckDB file, but not a tracejury store.",
            next_step="Name another file; this one was left as it is.",
        ) from error
    if not 1 <= version <= FORMAT_VERSION:
        connection.close()
        raise StoreError(
            f"{path} has store format {version}; this version of tracejury reads up to "
            f"{FORMAT_VERSION}.",
            next_step="Use the version that wrote it, or a newer one.",
        )
    return int(version)


def _explain(path: Path, reason: str) -> StoreError:
    if "Could not set lock" in reason:
        holder = _HOLDER.search(reason)
        who = f"process {holder[1]}" if holder else "another program"
        return StoreHeldError(
            f"{path} is held by {who}.", next_step="Stop it, or name another --store."
        )
    if "not a valid DuckDB" in reason:
        return StoreError(
            f"{path} is not a DuckDB file.",
            next_step="OTLP files are read by `tracejury import FILE --store S`.",
        )
    copy = "Restore it from a copy (with its .wal, if it has one), or name another --store."
    return StoreError(
        f"{path} cannot be opened: {reason.splitlines()[0]}.",
        next_step=copy if path.exists() else "Name a --store in a folder that can be written to.",
    )
