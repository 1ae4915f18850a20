"""Log records as the lines of a list."""

from dataclasses import dataclass
from typing import Final

from tracejury.store.reader import Reader

_LONGEST_BODY: Final = 4000  # characters of a log record's text that a list needs

_LOG_COLUMNS: Final = f"""
    log.log_no,
    coalesce(log.trace_id, '') AS trace_id,
    coalesce(log.span_id, '') AS span_id,
    greatest(log.time_ns, log.observed_ns) AS time_ns,
    log.severity_number,
    log.severity_text,
    log.service,
    substr(coalesce(nullif(log.body, ''), log.event_name), 1, {_LONGEST_BODY}) AS body
"""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record. `span_id` is '' where it names none."""

    log_no: int
    trace_id: str
    span_id: str
    span_no: int | None
    time_ns: int
    severity_number: int
    severity_text: str
    service: str
    body: str


def log_lines(reader: Reader, trace_numbers: list[int]) -> tuple[LogLine, ...]:
    """The log records of these traces, in the order of time."""
    rows = reader.rows(
        f"""
        SELECT {_LOG_COLUMNS}, place.span_no
        FROM log_instance AS place
        JOIN log_record AS log USING (log_no)
        WHERE place.trace_no IN (SELECT unnest($numbers))
        ORDER BY greatest(log.time_ns, log.observed_ns), log.log_no
        """,  # noqa: S608 - fixed text
        {"numbers": trace_numbers},
    )
    return tuple(LogLine(**row) for row in rows)


def log_line(reader: Reader, log_no: int) -> LogLine | None:
    """One log record by its number; None where there is none."""
    rows = reader.rows(
        f"SELECT {_LOG_COLUMNS}, NULL AS span_no FROM log_record AS log WHERE log.log_no = $log_no",  # noqa: S608
        {"log_no": log_no},
    )
    return LogLine(**rows[0]) if rows else None
