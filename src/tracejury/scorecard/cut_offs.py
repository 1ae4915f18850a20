"""The audit's timeout table: for each component what its timeout should be, and what was seen."""

from typing import Final

from tracejury.scorecard.result import CutOffs
from tracejury.store.reader import Reader

# Component, what is limited, the audit's default in seconds, the bound of the policy if it has one.
ROWS: Final = (
    ("connect", "Outgoing HTTP", "connect", 5.0, "connect_seconds"),
    ("read", "Outgoing HTTP", "read", 30.0, "call_seconds"),
    ("incoming", "Incoming HTTP", "request", 60.0, ""),
    ("statement", "Database", "statement", 30.0, "statement_seconds"),
    ("acquire", "Database", "connection acquire", 5.0, ""),
    ("job", "Queue job", "processing", 300.0, "job_seconds"),
    ("visibility", "Queue job", "visibility", 60.0, "redelivery_seconds"),
    ("heartbeat", "Worker", "heartbeat", 30.0, ""),
    ("upload", "Storage", "upload of a file", 120.0, "storage_seconds"),
    ("webhook", "Webhook", "attempt", 10.0, ""),
)


def cut_offs(reader: Reader) -> tuple[CutOffs, ...]:
    """One row of the table each, in the template's order."""
    seen = {row["component"]: row for row in reader.rows(_SEEN)}
    bounds = {row["name"]: row["value"] for row in reader.rows("FROM bound")}
    return tuple(
        CutOffs(
            id=name,
            component=component,
            kind=kind,
            default_s=default_s,
            bound_s=bounds.get(bound),
            exposures=seen[name]["exposures"] if name in seen else 0,
            cut_off=seen[name]["cut_off"] if name in seen else 0,
            shortest_s=seen[name]["shortest_s"] if name in seen else None,
            longest_s=seen[name]["longest_s"] if name in seen else None,
            longest_wait_s=seen[name]["longest_wait_s"] if name in seen else None,
        )
        for name, component, kind, default_s, bound in ROWS
    )


_SEEN: Final = """
    WITH waited AS (
        SELECT
            CASE
                WHEN off.waited_for = 'pool' THEN 'acquire'
                WHEN off.waited_for = 'connection' THEN
                    CASE waiting.component WHEN 'statement' THEN 'acquire' ELSE 'connect' END
                WHEN waiting.component = 'statement' THEN 'statement'
                WHEN waiting.component = 'storage' THEN 'upload'
                WHEN regexp_matches(node.name || ' ' || call.route, 'webhook|callback', 'i')
                    THEN 'webhook'
                WHEN waiting.component = 'call' THEN 'read'
            END AS component,
            node.duration_ns,
            CASE WHEN off.waited_for <> 'unclear' THEN off.duration_ns END AS off_ns
        FROM waiting_call AS waiting
        JOIN node USING (span_no)
        JOIN external_call AS call USING (span_no)
        LEFT JOIN cut_off AS off USING (span_no)
        UNION ALL
        SELECT 'incoming', node.duration_ns, NULL
        FROM node
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE node.kind = 'SERVER' AND NOT instance.background
        UNION ALL
        SELECT 'job', delivery.end_ns - delivery.start_ns, NULL
        FROM delivery
        UNION ALL
        SELECT 'job', NULL, limit_ns
        FROM ended_by_limit
        UNION ALL
        -- The delay until a message came again whose first worker did not give it back.
        SELECT 'visibility', NULL, later.start_ns - earlier.start_ns
        FROM delivery AS later
        JOIN delivery AS earlier
            ON earlier.creation_no = later.creation_no
            AND earlier.consumer_group = later.consumer_group
            AND earlier.service = later.service
            AND earlier.number = later.number - 1
        WHERE later.is_again
            AND NOT coalesce(earlier.failed, false)
            AND later.start_ns > earlier.start_ns
            AND earlier.instance_id IS DISTINCT FROM later.instance_id
    )
    SELECT
        component,
        greatest(count(duration_ns), count(off_ns)) AS exposures,
        count(off_ns) AS cut_off,
        min(off_ns) / 1e9 AS shortest_s,
        max(off_ns) / 1e9 AS longest_s,
        max(duration_ns) / 1e9 AS longest_wait_s
    FROM waited
    WHERE component IS NOT NULL
    GROUP BY component
"""
