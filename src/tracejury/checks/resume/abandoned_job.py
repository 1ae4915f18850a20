"""Jobs that nobody takes up again after their worker crashed.

What: A job that was in work when its worker crashed goes on afterwards, in another process or after
the restart, without a request of a user in between. It fails where the run went on for longer than
a redelivery may take, and nothing more was recorded of the job, which had not ended.

Why: A deployment, an eviction or a crash then costs every job that was in work, until somebody asks
for it again.

Fix: Keep the message until the work is done, write a checkpoint after each item, and let whoever
starts up look for unfinished jobs.

Source: the audit's pattern 8, worker crash loses progress.
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
    """One unit a workflow: its jobs that a crash hit."""
    rows = evidence.rows(_HIT, {"shown": SHOWN})
    is_waiting = any(row["waiting"] for row in rows)
    return Judgement(
        tuple(
            Unit(row["workflow"], row["resumed"] + row["abandoned"], _findings(row)) for row in rows
        ),
        note=_note(rows),
        reason="unsettled" if is_waiting else "",
        short_s=longest_short_s(rows),
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["abandoned"]:
        return ()
    return (
        Finding(
            f"{counted(row['abandoned'], 'job')} of `{row['workflow']}`"
            f" {either(row['abandoned'], 'was', 'were')} in work when"
            f" {either(row['abandoned'], 'its', 'their')} worker crashed, and nobody took"
            f" {either(row['abandoned'], 'it', 'them')} up again, `{row['instance']}` for one.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    asked = sum(row["asked"] for row in rows)
    return f"{counted(asked, 'job')} went on only when a user asked again." if asked else ""


_HIT: Final = """
    WITH hit AS (
        SELECT instance_no, service, crashed_ns
        FROM crash_hit
    ),
    -- What the service of the crash did for the job afterwards; the first of it tells how it came.
    later AS (
        SELECT hit.instance_no, min(node.start_ns) AS start_ns
        FROM hit
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
        WHERE node.service = hit.service AND node.start_ns > hit.crashed_ns
            AND node.kind IN ('CONSUMER', 'INTERNAL', 'SERVER')
        GROUP BY hit.instance_no
    ),
    judged AS (
        SELECT
            hit.instance_no,
            later.start_ns IS NOT NULL AND NOT EXISTS (
                SELECT 1
                FROM node
                JOIN trace_instance USING (trace_no)
                WHERE trace_instance.instance_no = hit.instance_no
                    AND node.kind = 'SERVER' AND node.parent_no IS NULL
                    AND node.start_ns BETWEEN hit.crashed_ns AND later.start_ns
            ) AS is_resumed,
            later.start_ns IS NOT NULL AS goes_on,
            coalesce(said.is_final, false) AS is_ended,
            settling.is_redelivery_settled,
            settling.redelivery_short_ns
        FROM hit
        JOIN settling USING (instance_no)
        LEFT JOIN later USING (instance_no)
        LEFT JOIN (
            SELECT instance_no, arg_max(is_final, time_ns) AS is_final
            FROM state_record
            WHERE level = 'job'
            GROUP BY instance_no
        ) AS said USING (instance_no)
    ),
    decided AS (
        SELECT
            *,
            NOT goes_on AND NOT is_ended AND is_redelivery_settled AS is_abandoned
        FROM judged
    )
    SELECT
        instance.workflow,
        count(*) FILTER (decided.is_resumed) AS resumed,
        count(*) FILTER (decided.is_abandoned) AS abandoned,
        count(*) FILTER (decided.goes_on AND NOT decided.is_resumed) AS asked,
        count(*) FILTER (
            NOT decided.goes_on AND NOT decided.is_ended AND NOT decided.is_redelivery_settled
        ) AS waiting,
        max(decided.redelivery_short_ns) FILTER (NOT decided.goes_on AND NOT decided.is_ended)
            AS short_ns,
        min(instance.correlation_id) FILTER (decided.is_abandoned) AS instance,
        list(span.reference ORDER BY instance.correlation_id)
            FILTER (decided.is_abandoned)[:$shown] AS evidence
    FROM decided
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span ON span.span_no = instance.entry_span_no
    WHERE NOT instance.background
    GROUP BY instance.workflow
    ORDER BY instance.workflow
"""

CHECK = Check(
    id="RSM-01",
    title="Work resumes after a crash without a user",
    severity=Severity.HIGH,
    task=6,
    serves=("pattern-8", "TEST-RR-RE01", "HIGH-1"),
    judge=judge,
    judges_absence=True,
    remedy="Keep the message until the work is done, and take unfinished jobs up at start.",
)
