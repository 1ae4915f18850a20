"""Messages whose worker died and that nobody got again.

What: A message that was being processed when its worker crashed is delivered again: the same
message is processed a second time, by another process or after the crash, without having been sent
again. It fails where the run went on for longer than a redelivery may take and nothing came. A
retry that publishes the message anew is no redelivery.

Why: Acknowledged too early, the message is gone with the worker, and the job with it.

Fix: Acknowledge after the work (Celery: `acks_late` and `reject_on_worker_lost`), and let the
broker return what nobody acknowledged.

Source: the audit's test of a worker that does not acknowledge.
"""

from typing import Final

from tracejury.checks.check import (
    SHOWN,
    Check,
    Finding,
    Judgement,
    Severity,
    Unit,
    longest_short_s,
    references,
)
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a destination: the messages whose processing a crash ended."""
    rows = evidence.rows(_CRASHED, {"shown": SHOWN})
    is_waiting = any(row["waiting"] for row in rows)
    return Judgement(
        tuple(Unit(row["destination"], row["again"] + row["lost"], _findings(row)) for row in rows),
        note=_note(rows),
        reason="unsettled" if is_waiting and not any(row["lost"] for row in rows) else "",
        short_s=longest_short_s(rows),
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["lost"]:
        return ()
    return (
        Finding(
            f"{counted(row['lost'], 'message')} from `{row['destination']}`"
            f" {either(row['lost'], 'was', 'were')} in work when"
            f" {either(row['lost'], 'its', 'their')} worker crashed, and"
            f" {either(row['lost'], 'was', 'were')} never delivered again.",
            subject=row["destination"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    delays = [row["delay_s"] for row in rows if row["delay_s"] is not None]
    return f"Delivered again after {max(delays):.1f} s at the latest." if delays else ""


_CRASHED: Final = """
    -- A send whose processing is known to have begun, and was killed with its process.
    WITH hit AS (
        SELECT
            producer.span_no AS creation_no,
            producer.instance_no,
            field.destination,
            max(producer.crashed_ns) AS crashed_ns
        FROM (
            SELECT parent.span_no, ghost.instance_no, ghost.last_ns AS crashed_ns
            FROM ghost
            JOIN node AS parent ON parent.trace_no = ghost.trace_no AND parent.kind = 'PRODUCER'
            WHERE ghost.cause = 'killed'
                AND parent.start_ns <= ghost.first_ns
                -- Nobody may have taught the name of a step that never arrived.
                AND (ghost.kind = 'CONSUMER' OR (ghost.kind = '' AND ghost.side = 'local'))
            UNION ALL
            SELECT delivery.creation_no, delivery.instance_no, max(crash.time_ns)
            FROM delivery
            JOIN node AS sent ON sent.span_no = delivery.creation_no
            JOIN crash
                ON crash.service = delivery.service
                AND crash.time_ns BETWEEN sent.start_ns AND delivery.start_ns
            WHERE delivery.is_again AND delivery.number = 1
            GROUP BY delivery.creation_no, delivery.instance_no
        ) AS producer
        JOIN span_field AS field USING (span_no)
        -- Of the sends of the trace, the one that nothing but the killed span can have answered.
        WHERE field.destination IS NOT NULL
            AND NOT EXISTS (
                SELECT 1
                FROM delivery
                WHERE delivery.creation_no = producer.span_no
                    AND delivery.end_ns < producer.crashed_ns
            )
        GROUP BY ALL
    ),
    -- Which of several sends of a trace was in work can be told where somebody processes them.
    certain AS (
        SELECT *
        FROM hit
        QUALIFY count(*) OVER (PARTITION BY instance_no) = 1
            OR destination IN (SELECT delivery.destination FROM delivery)
    ),
    judged AS (
        SELECT
            certain.*,
            again.start_ns - certain.crashed_ns AS delay_ns,
            again.span_no IS NOT NULL AS is_again,
            again.span_no IS NULL AND settling.is_redelivery_settled AS is_lost,
            again.span_no IS NULL AND NOT settling.is_redelivery_settled AS is_waiting,
            settling.redelivery_short_ns AS short_ns
        FROM certain
        JOIN settling USING (instance_no)
        LEFT JOIN delivery AS again
            ON again.creation_no = certain.creation_no AND again.start_ns >= certain.crashed_ns
        QUALIFY row_number() OVER (PARTITION BY certain.creation_no ORDER BY again.start_ns) = 1
    )
    SELECT
        judged.destination,
        count(*) FILTER (judged.is_again) AS again,
        count(*) FILTER (judged.is_lost) AS lost,
        count(*) FILTER (judged.is_waiting) AS waiting,
        max(judged.short_ns) FILTER (judged.is_waiting) AS short_ns,
        max(judged.delay_ns) / 1e9 AS delay_s,
        min(instance.correlation_id) FILTER (judged.is_lost) AS instance,
        list(span.reference ORDER BY span.span_no) FILTER (judged.is_lost)[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span ON span.span_no = judged.creation_no
    GROUP BY judged.destination
    ORDER BY judged.destination
"""

CHECK = Check(
    id="Q-02",
    title="An unacknowledged message is delivered again",
    severity=Severity.HIGH,
    task=8,
    serves=("TEST-RR-Q02",),
    judge=judge,
    judges_absence=True,
    remedy="Acknowledge after the work, and let the broker return what nobody acknowledged.",
)
