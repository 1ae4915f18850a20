"""How many records were acknowledged, kept outside the store: so that a loss is noticed.

DuckDB opens a file whose log was cut off, or damaged at the wrong byte, without a word and without
the rows. While a writer lives, a line beside the store says how many records it had told
its clients of. A clean end removes it: then everything is in the file itself, under its checksums.
"""

import os
import re
from pathlib import Path
from typing import Final

import duckdb

_LINE: Final = re.compile(rb"tracejury ([0-9a-f-]{36}) ([0-9]{20})\n")

_STORED: Final = """
    SELECT any_value(store_id), sum(records)::BIGINT
    FROM (
        SELECT store_id, 0 AS records FROM stored.format
        UNION ALL
        SELECT NULL, count(*) FROM stored.span
        UNION ALL
        SELECT NULL, count(*) FROM stored.log_record
        UNION ALL
        SELECT NULL, count(*) FROM stored.metric_point
        UNION ALL
        SELECT NULL, count(*) FROM stored.alert
        UNION ALL
        SELECT NULL, spans + logs + points + alerts FROM stored.pruning
        UNION ALL
        SELECT NULL, records FROM stored.loss
    )
"""


class Acknowledged:
    """The line beside the store at `path`, for its one writer."""

    def __init__(self, store: Path) -> None:
        self._path = _beside(store)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def write(self, store_id: str, records: int) -> None:
        """Say that `records` were acknowledged in all.

        It outlives the process at once, and a loss of power as soon as the system writes it. One
        that stayed behind accuses nobody: the store then has more than it says.
        """
        os.pwrite(self._file, b"tracejury %s %020d\n" % (store_id.encode(), records), 0)

    def close(self, *, is_clean: bool) -> None:
        """Stop; after a clean end of the writer nothing remains."""
        os.close(self._file)
        if is_clean:
            self._path.unlink(missing_ok=True)


def stored_records(connection: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """Which store it is, and how many records it holds, or knows to have been pruned or lost."""
    [(store_id, records)] = connection.execute(_STORED).fetchall()
    return str(store_id), int(records)


def missing_records(connection: duckdb.DuckDBPyConnection, store: Path) -> int:
    """How many records were acknowledged that the store at `store` neither has nor accounts for."""
    store_id, records = stored_records(connection)
    told = _read(_beside(store))
    if told is None or told[0] != store_id:
        return 0
    return max(0, told[1] - records)


def is_of_another_store(connection: duckdb.DuckDBPyConnection, store: Path) -> bool:
    """Whether a store that was written and not ended cleanly stood where `store` stands."""
    told = _read(_beside(store))
    return told is not None and told[0] != stored_records(connection)[0] and told[1] > 0


def _beside(store: Path) -> Path:
    return store.with_name(f"{store.name}.ack")


def _read(path: Path) -> tuple[str, int] | None:
    try:
        found = _LINE.fullmatch(path.read_bytes())
    except OSError:
        return None
    return None if found is None else (found[1].decode(), int(found[2]))
