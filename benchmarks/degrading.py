"""Take evidence away from a run that is loaded once: its logs, its calls, most traces, its ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracejury.receiver.inputs import open_inputs
from tracejury.store.reader import Reader
from tracejury.telemetry import semconv

# What is kept of the traces where they are sampled.
SAMPLED: Final = 0.25

_TABLES: Final = ("span", "span_value", "span_event", "span_link", "log_record", "log_value")


@dataclass(frozen=True, slots=True)
class Degradation:
    """What is taken away: statements over `stored`, and their values."""

    name: str
    statements: tuple[str, ...]
    values: tuple[object, ...] = ()


_WITHOUT_SPAN: Final = tuple(
    f"DELETE FROM stored.{table} WHERE span_no IN (FROM gone)" for table in _TABLES[:4]
)

WHOLE: Final = Degradation("whole", ())

DEGRADATIONS: Final = (
    Degradation("no logs", ("DELETE FROM stored.log_record", "DELETE FROM stored.log_value")),
    Degradation(
        "no CLIENT spans",
        (
            "CREATE OR REPLACE TEMP TABLE gone AS SELECT span_no FROM stored.span WHERE kind = 3",
            *_WITHOUT_SPAN,
        ),
    ),
    Degradation(
        f"{SAMPLED:.0%} of the traces",
        (
            f"""
            CREATE OR REPLACE TEMP TABLE gone AS
            SELECT span_no
            FROM stored.span
            WHERE md5_number_lower(lower(hex(trace_id))) >= {SAMPLED} * 18446744073709551616.0
            """,
            *_WITHOUT_SPAN,
        ),
    ),
    Degradation(
        "no ids",
        (
            "UPDATE stored.log_record SET trace_id = NULL, span_id = NULL",
            f"""
            CREATE OR REPLACE TEMP TABLE named AS
            SELECT key_no
            FROM stored.attribute_key
            WHERE key IN ({", ".join(f"'{key}'" for key in semconv.UNIT_KEYS)})
            """,
            "DELETE FROM stored.span_value WHERE key_no IN (FROM named)",
            "DELETE FROM stored.log_value WHERE key_no IN (FROM named)",
        ),
    ),
)


class Degradable:
    """A run in memory, of which evidence is taken again and again."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.reader: Reader = open_inputs(paths, lambda *_: None, lambda _: lambda *_: None)
        self._sql = self.reader.connection().execute
        self._sql("CREATE SCHEMA whole")
        for table in _TABLES:
            self._sql(f"CREATE TABLE whole.{table} AS FROM stored.{table}")

    def degrade(self, degradation: Degradation) -> None:
        """Make the store what it was, and take away what `degradation` says."""
        for table in _TABLES:
            self._sql(f"CREATE OR REPLACE TABLE stored.{table} AS FROM whole.{table}")
        for statement in degradation.statements:
            self._sql(statement)

    def close(self) -> None:
        """Free its memory."""
        self.reader.close()
