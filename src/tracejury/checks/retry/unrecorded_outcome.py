"""Retries whose success nobody wrote down.

What: After an item's retry succeeded the item says that it is completed, and its batch too once all
of its items are; after one that failed, it says so and carries the new error. It fails where the
last word on an item or a batch is still the failure that its retry mended. What was said before the
retry began says nothing of it; states that are kept in a database alone are seen in its rows
(`audit --state`).

Why: Who reads the old failure repeats what is done already, or tells the customer that it failed.

Fix: Write the state of the item at the end of each attempt, and derive the state of the batch from
its items.

Source: the audit's test of retrying one failed item.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: it counts once all of its retried jobs say what came of it."""
    rows = evidence.rows(_JOBS, {"shown": SHOWN})
    return Judgement(
        tuple(
            Unit(
                row["workflow"],
                (row["recorded"] if row["recorded"] == row["jobs"] else 0) + row["denied"],
                _findings(row),
            )
            for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["denied"]:
        return ()
    who = f"`{row['item']}`" if row["item"] else "the batch"
    return (
        Finding(
            f"{counted(row['denied'], 'job')} of `{row['workflow']}`"
            f" {either(row['denied'], 'says', 'say')} after a retry that succeeded that it did"
            f" not: {who} of `{row['instance']}` stays {row['state']}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_JOBS: Final = """
    -- The last run of each item, by its span alone: what is said of it is what is judged.
    WITH last_run AS (
        SELECT
            run.instance_no,
            run.item,
            run.span_no,
            run.start_ns,
            run.number > 1 AND EXISTS (
                SELECT 1
                FROM item_run AS earlier
                WHERE earlier.instance_no = run.instance_no
                    AND earlier.item = run.item
                    AND earlier.number < run.number
                    AND earlier.failed
                    -- Two steps of an item whose own span does not name it are no two runs.
                    AND (earlier.service, earlier.name) = (run.service, run.name)
            ) AS is_retry,
            run.end_ns IS NOT NULL AND error.span_no IS NULL AND NOT run.is_fragment AS is_done,
            error.span_no IS NOT NULL AS is_failed,
            coalesce(error.error_type <> '' OR error.message <> '', false) AS has_error
        FROM item_run AS run
        LEFT JOIN span_error AS error USING (span_no)
        QUALIFY row_number() OVER (
            PARTITION BY run.instance_no, run.item
            ORDER BY run.number DESC
        ) = 1
    ),
    item_said AS (
        SELECT
            run.instance_no,
            run.item,
            arg_max(state.state, (state.time_ns, state.is_final, state.state)) AS state
        FROM last_run AS run
        JOIN state_record AS state
            ON state.instance_no = run.instance_no
            AND state.unit = run.item
            AND state.level = 'item'
            AND state.time_ns >= run.start_ns
        WHERE run.is_retry
        GROUP BY run.instance_no, run.item
    ),
    of_items AS (
        SELECT
            run.instance_no,
            max(run.start_ns) FILTER (run.is_retry) AS start_ns,
            bool_and(run.is_done) AS is_all_done,
            min(run.item) FILTER (run.is_retry AND run.is_done
                AND said.state IN ('failed', 'timeout')) AS denied_item,
            bool_and(coalesce(
                (run.is_done AND said.state = 'completed')
                OR (run.is_failed AND run.has_error AND said.state IN ('failed', 'timeout')),
                false
            )) FILTER (run.is_retry) AS is_recorded
        FROM last_run AS run
        LEFT JOIN item_said AS said USING (instance_no, item)
        GROUP BY run.instance_no
        HAVING bool_or(run.is_retry)
    ),
    -- A task that was published again, and its last attempt.
    of_task AS (
        SELECT instance.instance_no, max(node.start_ns) AS start_ns
        FROM attempt_of AS attempt
        JOIN node USING (span_no)
        JOIN trace_instance AS instance USING (trace_no)
        WHERE attempt.how = 'nested' AND attempt.number = attempt.attempts AND attempt.recovered
        GROUP BY instance.instance_no
    ),
    retried AS (
        SELECT instance_no, start_ns, is_all_done, denied_item, is_recorded
        FROM of_items
        UNION ALL
        SELECT instance_no, start_ns, true, NULL, true
        FROM of_task
        WHERE instance_no NOT IN (SELECT of_items.instance_no FROM of_items)
    ),
    job_said AS (
        SELECT
            retried.instance_no,
            arg_max(state.state, (state.time_ns, state.is_final, state.state)) AS state
        FROM retried
        JOIN state_record AS state USING (instance_no)
        WHERE state.level = 'job' AND state.is_final AND state.time_ns >= retried.start_ns
        GROUP BY retried.instance_no
    ),
    judged AS (
        SELECT
            retried.instance_no,
            retried.denied_item,
            job_said.state,
            retried.is_all_done AND job_said.state IN ('failed', 'timeout', 'partial')
                -- What is lost may be the item that is meant.
                AND retried.instance_no NOT IN (SELECT ghost.instance_no FROM ghost)
                AS is_job_denied,
            retried.is_recorded
                AND (NOT retried.is_all_done OR job_said.state = 'completed') AS is_recorded
        FROM retried
        LEFT JOIN job_said USING (instance_no)
    ),
    decided AS (
        SELECT
            judged.*,
            instance.workflow,
            instance.correlation_id,
            instance.entry_span_no,
            judged.denied_item IS NOT NULL OR coalesce(judged.is_job_denied, false) AS is_denied
        FROM judged
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
    )
    SELECT
        decided.workflow,
        count(*) AS jobs,
        count(*) FILTER (decided.is_recorded AND NOT decided.is_denied) AS recorded,
        count(*) FILTER (decided.is_denied) AS denied,
        arg_min(coalesce(decided.denied_item, ''), decided.correlation_id)
            FILTER (decided.is_denied) AS item,
        arg_min(
            CASE WHEN decided.denied_item IS NULL THEN decided.state ELSE 'failed' END,
            decided.correlation_id
        ) FILTER (decided.is_denied) AS state,
        min(decided.correlation_id) FILTER (decided.is_denied) AS instance,
        list(span.reference ORDER BY decided.correlation_id)
            FILTER (decided.is_denied)[:$shown] AS evidence
    FROM decided
    JOIN span_reference AS span ON span.span_no = decided.entry_span_no
    GROUP BY decided.workflow
    ORDER BY decided.workflow
"""

CHECK = Check(
    id="RET-09",
    title="The outcome of a retry is recorded",
    severity=Severity.MEDIUM,
    task=5,
    serves=("TEST-RR-R01",),
    judge=judge,
    judges_absence=True,
    remedy="Write an item's state at the end of each attempt, and derive the batch's from them.",
)
