"""Bring the file of an older version to today's layout, in one transaction, where it stands.

migrations/N.sql leads from format N to the next. A change of schema.sql comes with one.
"""

import logging
from importlib.resources import files
from pathlib import Path

import duckdb

from tracejury.errors import StoreError
from tracejury.store.connection import FORMAT_VERSION, StoreHeldError, connect, format_of

_log = logging.getLogger(__name__)


def migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Give the store behind a writing `connection` today's layout, if it has an older one.

    Raises `StoreError`, and closes, where it is no store or a newer one; `duckdb.Error` where it
    cannot be written, and then it has the layout that it had.
    """
    version = format_of(connection, path)
    if version == FORMAT_VERSION:
        return
    scripts = files("tracejury.store").joinpath("migrations")
    connection.execute("BEGIN")
    for step in range(version, FORMAT_VERSION):
        connection.execute(scripts.joinpath(f"{step}.sql").read_text(encoding="utf-8"))
    connection.execute("UPDATE stored.format SET version = ?", [FORMAT_VERSION])
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT")
    _log.warning("%s was brought from store format %d to %d.", path, version, FORMAT_VERSION)


def migrate_file(path: Path) -> None:
    """Give the closed store at `path` today's layout; raises `StoreError` where that fails."""
    try:
        connection = connect(path, read_only=False)
        with connection:
            migrate(connection, path)
    except (duckdb.Error, StoreError) as error:
        if isinstance(error, StoreHeldError):
            raise
        raise StoreError(
            f"{path} was written by an older version, and cannot be brought to this one's format: "
            f"{str(error).splitlines()[0]}.",
            next_step="Copy it to where it can be written, and name the copy.",
        ) from error
