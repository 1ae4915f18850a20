"""Jobs that are open although the process that had them is gone.

What: After a crash, every job that has not ended belongs to a process that was heard of within the
last five minutes (policy) of the run. It fails where a job is open, its process has been silent for
longer, another process of the same service goes on, and the run went on for longer than a message
may wait. A worker without work is silent, too, so only processes that have an open job are judged.
Where rows of the system's own database (`audit --state`) name the worker, it is the process whose
instance ID, or process ID, that is.

Why: Nobody is at work on such a job, and nobody knows.

Fix: Let workers renew a lease on the job they hold, and give a job whose lease ran out to another.

Source: the audit's query for processing without a live worker.
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
    """One unit a workflow of which a crash hit jobs, or jobs are open after one."""
    rows = evidence.rows(
        _JOBS, {"silence_ns": int(evidence.policy.silence_seconds * 1e9), "shown": SHOWN}
    )
    return Judgement(
        tuple(
            Unit(row["workflow"], row["held"] + row["ownerless"], _findings(row)) for row in rows
        ),
        reason="unsettled" if any(row["waiting"] for row in rows) else "",
        short_s=longest_short_s(rows),
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["ownerless"]:
        return ()
    return (
        Finding(
            f"{counted(row['ownerless'], 'job')} of `{row['workflow']}`"
            f" {either(row['ownerless'], 'is', 'are')} open without a live worker; process"
            f" {row['process']} of {row['service'] or '(no service name)'}, which had"
            f" `{row['instance']}`, has been silent for {row['silent_s']:.0f} s.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_JOBS: Final = """
    -- Who takes the messages of a workflow; the last of them to work on a job has it.
    WITH worker AS (
        SELECT DISTINCT instance.workflow, delivery.service
        FROM delivery
        JOIN workflow_instance AS instance USING (instance_no)
    ),
    crashes AS (
        SELECT max(time_ns) AS last_ns
        FROM crash
    ),
    spoken_owner AS (
        SELECT state_row.instance_no, life.service, life.instance_id AS process
        FROM state_row
        JOIN instance_life AS life
            ON life.instance_id = state_row.worker
            OR ends_with(life.instance_id, ':' || state_row.worker)
            OR life.instance_id = 'pid ' || state_row.worker
        JOIN worker ON worker.service = life.service
        WHERE state_row.is_last AND state_row.worker <> '' AND state_row.instance_no IS NOT NULL
        -- Two hosts may have used one process ID.
        QUALIFY count(DISTINCT life.instance_id) OVER (PARTITION BY state_row.instance_no) = 1
    ),
    seen_owner AS (
        SELECT
            job.instance_no,
            arg_max(node.service, (coalesce(node.end_ns, node.start_ns), node.span_id)) AS service,
            arg_max(node.instance_id, (coalesce(node.end_ns, node.start_ns), node.span_id))
                AS process,
            arg_max(node.span_no, (coalesce(node.end_ns, node.start_ns), node.span_id)) AS span_no
        FROM job
        JOIN worker USING (workflow)
        JOIN trace_instance USING (instance_no)
        JOIN node ON node.trace_no = trace_instance.trace_no AND node.service = worker.service
        WHERE NOT job.is_ended AND node.start_ns IS NOT NULL AND node.instance_id IS NOT NULL
        GROUP BY job.instance_no
    ),
    owner AS (
        SELECT
            seen.instance_no,
            coalesce(spoken.service, seen.service) AS service,
            coalesce(spoken.process, seen.process) AS process,
            seen.span_no
        FROM seen_owner AS seen
        LEFT JOIN (SELECT DISTINCT * FROM spoken_owner) AS spoken USING (instance_no)
    ),
    judged AS (
        SELECT
            job.workflow,
            job.job,
            job.is_ended,
            owner.service,
            owner.process,
            owner.span_no,
            settling.run_end_ns - life.last_ns AS silent_ns,
            -- Who was last heard of before a crash may be the one that crashed.
            life.last_ns > crashes.last_ns AS is_alive,
            settling.is_redelivery_settled AS is_settled,
            settling.redelivery_short_ns AS short_ns,
            EXISTS (
                SELECT 1
                FROM instance_life AS other
                WHERE other.service = owner.service
                    AND other.instance_id <> owner.process
                    AND other.last_ns >= settling.run_end_ns - $silence_ns
            ) AS has_successor
        FROM job
        JOIN settling USING (instance_no)
        LEFT JOIN owner USING (instance_no)
        LEFT JOIN instance_life AS life
            ON life.service = owner.service
            AND life.instance_id = owner.process
        CROSS JOIN crashes
        WHERE crashes.last_ns IS NOT NULL
            AND (job.hit_by = 'crash' OR NOT job.is_ended)
    ),
    decided AS (
        SELECT
            *,
            CASE
                WHEN is_ended THEN 'held'
                WHEN silent_ns <= $silence_ns AND is_alive AND is_settled THEN 'held'
                WHEN silent_ns > $silence_ns AND has_successor AND is_settled THEN 'ownerless'
                ELSE 'waiting'
            END AS verdict
        FROM judged
    )
    SELECT
        decided.workflow,
        count(*) FILTER (decided.verdict = 'held') AS held,
        count(*) FILTER (decided.verdict = 'waiting') AS waiting,
        max(decided.short_ns) FILTER (decided.verdict = 'waiting') AS short_ns,
        count(*) FILTER (decided.verdict = 'ownerless') AS ownerless,
        min(decided.job) FILTER (decided.verdict = 'ownerless') AS instance,
        arg_min(decided.service, decided.job) FILTER (decided.verdict = 'ownerless') AS service,
        arg_min(decided.process, decided.job) FILTER (decided.verdict = 'ownerless') AS process,
        arg_min(decided.silent_ns, decided.job) FILTER (decided.verdict = 'ownerless') / 1e9
            AS silent_s,
        list(span.reference ORDER BY decided.job)
            FILTER (decided.verdict = 'ownerless')[:$shown] AS evidence
    FROM decided
    LEFT JOIN span_reference AS span ON span.span_no = decided.span_no
    GROUP BY decided.workflow
    ORDER BY decided.workflow
"""

CHECK = Check(
    id="ST-09",
    title="No work is open without a live worker",
    severity=Severity.HIGH,
    task=9,
    serves=("TEST-RR-S02",),
    judge=judge,
    judges_absence=True,
    remedy="Let workers renew a lease on the job they hold, and hand on what nobody renews.",
)
