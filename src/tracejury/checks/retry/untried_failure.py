"""Failures that would have passed by themselves, and that end a job at once.

What: A call that failed for a reason that may pass (408, 429, 5xx, a timeout, a connection that was
refused or reset) is made again, or its whole job is. It fails where a job failed with such a
failure of an HTTP call that may be repeated (GET, HEAD, PUT, DELETE), and neither was tried again.
Not to repeat a POST may be right, so nobody is blamed for it. Clients of databases, RPC and clouds
try again inside of one span, so a single span of theirs proves nothing.

Why: A provider that restarts for a second then fails every job that calls it in that second.

Fix: Retry idempotent calls a few times with growing pauses, or let the queue retry the job.

Source: the audit's high-risk step indicators: no retry mechanism.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target, or a task, with a failure that may pass by itself."""
    rows = evidence.rows(_FAILURES, {"shown": SHOWN})
    return Judgement(
        tuple(Unit(row["unit"], row["tried"] + row["untried"], _findings(row)) for row in rows)
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["untried"]:
        return ()
    return (
        Finding(
            f"{counted(row['jobs'], 'job')} failed with"
            f" {counted(row['untried'], 'transient failure')} of {row['target']} that"
            f" {row['service']} did not try again: `{row['error']}` at `{row['name']}`, for one.",
            subject=row["unit"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_FAILURES: Final = """
    WITH transient AS (
        SELECT
            call.*,
            node.end_ns,
            field.http_method,
            coalesce(call.operation, call.name) AS asked,
            coalesce(nullif(error.error_type, ''), field.http_status, '') AS error,
            attempt.number,
            attempt.attempts
        FROM external_call AS call
        JOIN node USING (span_no)
        JOIN span_error AS error USING (span_no)
        JOIN error_class AS class USING (span_no)
        LEFT JOIN span_field AS field USING (span_no)
        LEFT JOIN attempt_of AS attempt
            ON attempt.span_no = call.span_no AND attempt.how = 'siblings'
        WHERE call.kind = 'CLIENT'
            AND (
                coalesce(regexp_full_match(field.http_status, '408|429|5\\d\\d'), false)
                OR (field.http_status IS NULL AND (
                    class.is_timeout
                    OR class.is_connection
                    OR regexp_matches(
                        class.short_type, 'Reset|Aborted|Disconnected|RemoteProtocol', 'i'
                    )
                ))
                OR coalesce(upper(field.rpc_status) IN ('14', 'UNAVAILABLE'), false)
            )
            AND NOT class.is_job_limit
            AND NOT class.is_cancellation
    ),
    -- What tries a whole job again: a task that is published again, a message that comes again.
    job_retry AS (
        SELECT instance.instance_no, node.service, node.name, node.start_ns, node.span_no
        FROM attempt_of AS attempt
        JOIN node USING (span_no)
        JOIN trace_instance AS instance USING (trace_no)
        WHERE attempt.how = 'nested' AND attempt.number > 1
        UNION ALL
        SELECT instance_no, service, '', start_ns, span_no
        FROM delivery
        WHERE is_again
    ),
    last_retry AS (
        SELECT
            instance_no,
            max(start_ns) AS start_ns,
            max(start_ns) FILTER (name <> '') AS task_ns
        FROM job_retry
        GROUP BY instance_no
    ),
    -- The same call from elsewhere.
    last_asked AS (
        SELECT call.instance_no, call.service, call.target,
            coalesce(call.operation, call.name) AS asked, max(call.start_ns)::BIGINT AS start_ns
        FROM external_call AS call
        SEMI JOIN transient
            ON transient.instance_no = call.instance_no
            AND transient.service = call.service
            AND transient.target = call.target
        GROUP BY ALL
    ),
    judged AS (
        SELECT
            transient.service || ' → ' || transient.target AS unit,
            transient.service, transient.target, transient.name, transient.error,
            transient.instance_no, transient.trace_id, transient.span_id, transient.start_ns,
            coalesce(transient.number < transient.attempts, false)
                OR coalesce(last_retry.task_ns >= transient.end_ns, false) AS is_tried,
            transient.protocol = 'http'
                AND coalesce(upper(transient.http_method)
                    IN ('GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'), false)
                AND transient.attempts IS NULL
                AND instance.outcome = 'failed'
                AND coalesce(last_retry.start_ns < transient.end_ns, true)
                AND coalesce(last_asked.start_ns < transient.end_ns, true)
                -- What is lost may be the attempt that is meant.
                AND transient.instance_no NOT IN (SELECT ghost.instance_no FROM ghost)
                AS is_untried
        FROM transient
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN last_retry USING (instance_no)
        LEFT JOIN last_asked
            ON last_asked.instance_no = transient.instance_no
            AND last_asked.service = transient.service
            AND last_asked.target = transient.target
            AND last_asked.asked = transient.asked
        WHERE NOT instance.background
        UNION ALL
        SELECT
            job_retry.service || ' ' || job_retry.name, job_retry.service, '', job_retry.name, '',
            job_retry.instance_no, '', '', job_retry.start_ns, true, false
        FROM job_retry
        WHERE job_retry.name <> ''
        UNION ALL
        SELECT
            call.service || ' → ' || call.target, call.service, call.target, call.name, '',
            call.instance_no, call.trace_id, call.span_id, call.start_ns, true, false
        FROM external_call AS call
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN stored.span_attribute AS attribute USING (span_no)
        WHERE NOT instance.background
            AND attribute.key = 'retry_attempts'
            AND coalesce(try_cast(attribute.value AS BIGINT) > 0, false)
    )
    SELECT
        judged.unit,
        min(judged.service) AS service,
        min(judged.target) AS target,
        count(*) FILTER (judged.is_tried) AS tried,
        count(*) FILTER (judged.is_untried) AS untried,
        count(DISTINCT judged.instance_no) FILTER (judged.is_untried) AS jobs,
        arg_min(judged.error, (judged.start_ns, judged.span_id)) FILTER (judged.is_untried)
            AS error,
        arg_min(judged.name, (judged.start_ns, judged.span_id)) FILTER (judged.is_untried)
            AS name,
        arg_min(instance.correlation_id, (judged.start_ns, judged.span_id))
            FILTER (judged.is_untried) AS instance,
        list(
            {'trace_id': judged.trace_id, 'span_id': judged.span_id}
            ORDER BY judged.start_ns, judged.span_id
        ) FILTER (judged.is_untried)[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    GROUP BY judged.unit
    ORDER BY judged.unit
"""

CHECK = Check(
    id="RET-01",
    title="Transient failures are retried",
    severity=Severity.MEDIUM,
    task=5,
    serves=(),
    judge=judge,
    judges_absence=True,
    remedy="Retry idempotent calls a few times with growing pauses, or let the queue do it.",
)
