"""Jobs whose states follow each other in an order that cannot be.

What: The states that records say of a job come in a legal order: queued, processing, then one end.
It fails where a job that ended is queued or processed again and nobody asked for that, or ends in
another way without having been taken up again; a request that only reads asks for nothing. Records
of two processes closer together than their clocks may differ have no order. Constraints of the
database cannot be seen.

Why: A job that leaves its end was never over for those who acted on it: the customer was told, the
invoice was sent.

Fix: Check the transition where the state is written, and let the database refuse the others.

Source: the audit's pattern 15, impossible states possible.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its jobs that said at least two states, an end among them."""
    skew_ns = evidence.policy.skew_seconds * 1e9
    rows = evidence.rows(_JOBS, {"skew_ns": skew_ns, "shown": SHOWN})
    return Judgement(
        tuple(Unit(row["workflow"], row["jobs"], _findings(row)) for row in rows),
        note="Whether the database would refuse an illegal transition cannot be seen." * bool(rows),
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["wrong"]:
        return ()
    return (
        Finding(
            f"{counted(row['wrong'], 'job')} of `{row['workflow']}` made an illegal transition;"
            f" `{row['instance']}` went from {row['before']} to {row['state']}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_JOBS: Final = """
    -- A record that repeats the state before it is no transition.
    WITH said AS (
        SELECT
            *,
            lag(state) OVER job AS before,
            lag(is_final) OVER job AS was_final,
            lag(service) OVER job AS said_by,
            lag(time_ns) OVER job AS before_ns
        FROM state_record
        WHERE level = 'job'
        WINDOW job AS (PARTITION BY instance_no ORDER BY time_ns, state)
    ),
    -- What begins an ended job anew: a request that asks for work, or a message that is taken.
    begun AS (
        SELECT trace_instance.instance_no, node.start_ns, node.kind = 'CONSUMER' AS is_work
        FROM node
        JOIN trace_instance USING (trace_no)
        LEFT JOIN span_field AS field USING (span_no)
        WHERE (
                node.kind = 'SERVER'
                AND upper(coalesce(field.http_method, split_part(node.name, ' ', 1)))
                    NOT IN ('GET', 'HEAD', 'OPTIONS')
            )
            OR (
                node.kind = 'CONSUMER'
                AND coalesce(field.messaging_operation NOT IN ('receive', 'poll'), true)
            )
    ),
    judged AS (
        SELECT
            said.*,
            said.before IS NOT NULL
                AND said.state <> said.before
                AND said.was_final
                AND (said.service = said.said_by OR said.time_ns - said.before_ns > $skew_ns)
                AND said.state <> 'retrying'
                AND NOT EXISTS (
                    SELECT 1
                    FROM begun
                    WHERE begun.instance_no = said.instance_no
                        AND begun.start_ns > said.before_ns AND begun.start_ns <= said.time_ns
                        -- Who asks for work has not done it.
                        AND (begun.is_work OR NOT said.is_final)
                ) AS is_wrong
        FROM said
    ),
    job AS (
        SELECT
            instance_no,
            bool_or(is_wrong) AS is_wrong,
            arg_min(before, time_ns) FILTER (is_wrong) AS before,
            arg_min(state, time_ns) FILTER (is_wrong) AS state,
            arg_min(span_no, time_ns) FILTER (is_wrong AND span_no IS NOT NULL) AS span_no,
            arg_min(log_no, time_ns) FILTER (is_wrong AND log_no IS NOT NULL) AS log_no,
            arg_min(row_no, time_ns) FILTER (is_wrong AND row_no IS NOT NULL) AS row_no
        FROM judged
        GROUP BY instance_no
        HAVING count(DISTINCT state) > 1 AND bool_or(is_final)
    )
    SELECT
        instance.workflow,
        count(*) AS jobs,
        count(*) FILTER (job.is_wrong) AS wrong,
        min(instance.correlation_id) FILTER (job.is_wrong) AS instance,
        arg_min(job.before, instance.correlation_id) FILTER (job.is_wrong) AS before,
        arg_min(job.state, instance.correlation_id) FILTER (job.is_wrong) AS state,
        list(
            {'trace_id': coalesce(lower(hex(trace.trace_id)), ''),
             'span_id': coalesce(format('{:016x}', node.span_id), ''),
             'log': CASE WHEN node.span_no IS NULL THEN job.log_no END,
             'row': CASE WHEN node.span_no IS NULL AND job.log_no IS NULL THEN job.row_no END}
            ORDER BY instance.correlation_id
        ) FILTER (job.is_wrong)[:$shown] AS evidence
    FROM job
    JOIN workflow_instance AS instance USING (instance_no)
    LEFT JOIN node USING (span_no)
    LEFT JOIN trace USING (trace_no)
    WHERE NOT instance.background
    GROUP BY instance.workflow
    ORDER BY instance.workflow
"""

CHECK = Check(
    id="ST-04",
    title="Jobs make legal transitions only",
    severity=Severity.HIGH,
    task=9,
    serves=("pattern-15", "HIGH-5"),
    judge=judge,
    judges_absence=True,
    remedy="Check transitions where the state is written, and let the database refuse the others.",
)
