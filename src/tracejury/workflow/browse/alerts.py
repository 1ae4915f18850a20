"""One alert, as Alertmanager told it."""

from tracejury.store.reader import Reader


def alert_text(reader: Reader, alert_no: int) -> str | None:
    """What Alertmanager said of one alert, a line each; None where there is no such alert."""
    rows = reader.rows(
        """
        SELECT unnest(list_concat(
            [concat_ws(' ', status, 'since', make_timestamp_ns(starts_ns::BIGINT)::VARCHAR)],
            list_transform(
                json_keys(labels),
                lambda key: key || ': ' || coalesce(labels::JSON ->> key, '')
            ),
            list_transform(
                json_keys(annotations),
                lambda key: key || ': ' || coalesce(annotations::JSON ->> key, '')
            )
        )) AS line
        FROM alert
        WHERE alert_no = $alert_no
        """,
        {"alert_no": alert_no},
    )
    return "\n".join(row["line"] for row in rows) if rows else None
