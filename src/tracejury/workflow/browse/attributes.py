"""The attributes of a span, of its resource or of a log record, as text."""

from typing import Final

from tracejury.store.reader import Reader

MOST_SHOWN: Final = 400  # of anything that one record may have many of


def span_attributes(reader: Reader, span_no: int) -> tuple[tuple[str, str], ...]:
    """The attributes of one span, by key."""
    rows = reader.rows(
        """
        SELECT key, coalesce(value, '') AS value
        FROM stored.span_attribute
        WHERE span_no = $span_no
        ORDER BY key
        LIMIT $most
        """,
        {"span_no": span_no, "most": MOST_SHOWN},
    )
    return tuple((row["key"], row["value"]) for row in rows)


def resource_attributes(reader: Reader, span_no: int) -> tuple[tuple[str, str], ...]:
    """The attributes of the resource of one span, by key."""
    rows = reader.rows(
        """
        SELECT attribute.key, coalesce(attribute.value, '') AS value
        FROM stored.span AS span
        JOIN stored.resource_attribute AS attribute USING (resource_id)
        WHERE span.span_no = $span_no
        ORDER BY attribute.key
        LIMIT $most
        """,
        {"span_no": span_no, "most": MOST_SHOWN},
    )
    return tuple((row["key"], row["value"]) for row in rows)


def log_attributes(reader: Reader, log_no: int) -> tuple[tuple[str, str], ...]:
    """The attributes of one log record, by key."""
    rows = reader.rows(
        """
        SELECT key, coalesce(value, '') AS value
        FROM stored.log_attribute
        WHERE log_no = $log_no
        ORDER BY key
        LIMIT $most
        """,
        {"log_no": log_no, "most": MOST_SHOWN},
    )
    return tuple((row["key"], row["value"]) for row in rows)
