"""Queues whose depth nobody watches.

What: While a flood that the fault file names fills a queue, a metric of its depth or lag is stored,
and an alert begins to fire that names the queue or speaks of queues. Where either lacks, nothing is
concluded: the monitoring may be elsewhere. Beside it stands how deep the queue was, counted from
the messages that were sent and taken.

Why: A queue that grows faster than it is worked off is an outage that has not been noticed yet.

Fix: Export the broker's depth (rabbitmq_queue_messages, Kafka's consumer lag, the length of the
Redis list), alert on its growth, and send Alertmanager's webhooks here.

Source: the audit's test of backpressure.
"""

from typing import Final

from tracejury.checks.check import Check, Judgement, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted

DEPTH_METRIC: Final = (
    r"(?i)(queue|topic|stream|list|subscription)s?[._].*(message|size|depth|length|backlog|lag)"
    r"|consumer[._]?(group)?[._]?lag|queue[._]?(depth|length|size)|messages?visible|num_undelivered"
    r"|redis[._]key[._]size"
)
_ALERT: Final = r"(?i)queue|backlog|lag\b|depth|undelivered"

# Labels that say where a measurement comes from, which may be called as the queue is.
_ORIGIN: Final = (
    r'"(app|component|container|instance|job|namespace|pod|service|team)": ?"(\\.|[^"\\])*"'
)


def judge(evidence: Evidence) -> Judgement:
    """One unit a queue that was flooded."""
    rows = evidence.rows(_FLOODED, {"metric": DEPTH_METRIC, "alert": _ALERT, "origin": _ORIGIN})
    return Judgement(
        tuple(
            Unit(
                f"{row['destination']} in {row['fault_id']}", int(row["metrics"] and row["alerts"])
            )
            for row in rows
        ),
        note=" ".join(map(_note, rows)),
        reason="uninstrumented"
        if any(not (row["metrics"] and row["alerts"]) for row in rows)
        else "",
    )


def _note(row: Row) -> str:
    found = ["its depth is stored" if row["metrics"] else "no metric of its depth is stored"]
    found += ["an alert fired" if row["alerts"] else "no alert on it came"]
    depth = counted(row["depth"], "message")
    return f"`{row['destination']}` held up to {depth}; {' and '.join(found)}."


_FLOODED: Final = """
    WITH depth AS (
        SELECT point.time_ns, lower(point.attributes) AS attributes
        FROM metric_point AS point
        WHERE regexp_matches(point.metric, $metric) AND point.value IS NOT NULL
    ),
    queue AS (
        SELECT DISTINCT lower(destination) AS name
        FROM sent_message
    )
    SELECT
        flood.fault_id,
        flood.destination,
        flood.depth,
        EXISTS (
            SELECT 1
            FROM depth
            WHERE depth.time_ns BETWEEN flood.start_ns AND flood.end_ns
                AND (
                    contains(depth.attributes, to_json(lower(flood.destination))::VARCHAR)
                    -- A metric that names no queue at all is that of the only one.
                    OR ((SELECT count(*) FROM queue) = 1 AND depth.attributes = '{}')
                )
        ) AS metrics,
        EXISTS (
            SELECT 1
            FROM fault_alert AS told
            JOIN alert USING (alert_no)
            WHERE told.fault_id = flood.fault_id
                AND (
                    contains(
                        CASE WHEN regexp_matches(told.name, $alert) THEN lower(alert.labels)
                            ELSE regexp_replace(lower(alert.labels), $origin, '', 'g') END,
                        to_json(lower(flood.destination))::VARCHAR
                    )
                    OR (told.is_about AND regexp_matches(told.name, $alert))
                )
        ) AS alerts
    FROM flooded_queue AS flood
    ORDER BY flood.destination, flood.fault_id
"""

CHECK = Check(
    id="Q-08",
    title="Queue depth is monitored and alerted",
    severity=Severity.MEDIUM,
    task=8,
    serves=("TEST-RR-Q03",),
    judge=judge,
    remedy="Export the broker's queue depth, alert on its growth, and send the alerts here.",
)
