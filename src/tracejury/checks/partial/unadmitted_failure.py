"""Batches that failed in part and do not say so.

What: A job of which some items failed for good and others were completed ends in a state of its own
(partial, completed with errors), or records how many failed, in agreement with its spans. It fails
where the job calls itself completed, or where all of it is called failed. States that are kept in a
database alone cannot be seen.

Why: Called completed, nobody repeats the failed items; called failed, somebody repeats all of them.

Fix: Give jobs a partial state, and record done and failed counts on the job's span or log record.

Source: the audit's test of a batch that fails at item 7 of 20; a partial state exists.
"""

from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row

_SHOWN: Final = 5

# An attribute that counts failed items: `items.failed`, `failed_count`, `job.failures`.
_FAILED_KEY: Final = r"(^|[._])(items[._])?fail(ed|ures)?([._](items|count))?$"


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its jobs that failed in part and said how they ended."""
    rows = evidence.rows(_JOBS, {"failed_key": _FAILED_KEY, "shown": _SHOWN})
    return Judgement(
        tuple(
            Unit(row["workflow"], row["admitted"] + row["denied"], _findings(row)) for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["denied"]:
        return ()
    return (
        Finding(
            f"{row['denied']} jobs of `{row['workflow']}` failed in part and call themselves"
            f" {row['state']}; `{row['instance']}` has {row['failed']} failed and {row['done']}"
            " completed items.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=tuple(Reference(**entry) for entry in row["evidence"]),
        ),
    )


_JOBS: Final = """
    -- What became of each item in the end.
    WITH item AS (
        SELECT
            instance_no,
            item,
            arg_max(failed, number) AS failed,
            arg_max(completed, number) AS completed
        FROM item_run
        GROUP BY instance_no, item
    ),
    mixed AS (
        SELECT
            instance_no,
            count(*) FILTER (failed) AS failed,
            count(*) FILTER (completed) AS done
        FROM item
        GROUP BY instance_no
        HAVING count(*) FILTER (failed) > 0 AND count(*) FILTER (completed) > 0
    ),
    ended AS (
        SELECT
            instance_no,
            arg_max(state, time_ns) AS state,
            arg_max(span_no, time_ns) FILTER (span_no IS NOT NULL) AS span_no,
            arg_max(log_no, time_ns) FILTER (log_no IS NOT NULL) AS log_no
        FROM state_record
        WHERE level = 'job' AND is_final
        GROUP BY instance_no
    ),
    -- Counts that agree with what the spans say: the number of the failed stands beside its word.
    counted AS (
        SELECT DISTINCT mixed.instance_no
        FROM mixed
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
        JOIN stored.span_attribute AS attribute ON attribute.span_no = node.span_no
        WHERE regexp_matches(attribute.key, $failed_key)
            AND try_cast(attribute.value AS BIGINT) = mixed.failed
        UNION
        SELECT mixed.instance_no
        FROM mixed
        JOIN log_instance USING (instance_no)
        JOIN stored.log_attribute AS attribute USING (log_no)
        WHERE regexp_matches(attribute.key, $failed_key)
            AND try_cast(attribute.value AS BIGINT) = mixed.failed
    ),
    judged AS (
        SELECT
            mixed.*,
            instance.workflow,
            instance.correlation_id,
            ended.state,
            ended.state = 'partial' OR counted.instance_no IS NOT NULL AS is_admitted,
            coalesce(lower(hex(trace.trace_id)), '') AS trace_id,
            coalesce(format('{:016x}', node.span_id), '') AS span_id,
            CASE WHEN node.span_no IS NULL THEN ended.log_no END AS log
        FROM mixed
        JOIN ended USING (instance_no)
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN counted USING (instance_no)
        LEFT JOIN node ON node.span_no = ended.span_no
        LEFT JOIN trace ON trace.trace_no = node.trace_no
    )
    SELECT
        workflow,
        count(*) FILTER (is_admitted) AS admitted,
        count(*) FILTER (NOT is_admitted) AS denied,
        any_value(state) FILTER (NOT is_admitted) AS state,
        coalesce(min(correlation_id) FILTER (NOT is_admitted), '') AS instance,
        arg_min(failed, correlation_id) FILTER (NOT is_admitted) AS failed,
        arg_min(done, correlation_id) FILTER (NOT is_admitted) AS done,
        coalesce(
            list({'trace_id': trace_id, 'span_id': span_id, 'log': log} ORDER BY correlation_id)
                FILTER (NOT is_admitted)[:$shown],
            []
        ) AS evidence
    FROM judged
    GROUP BY workflow
    ORDER BY workflow
"""

CHECK = Check(
    id="PAR-03",
    title="A batch with failures is partial and says how many",
    severity=Severity.MEDIUM,
    task=4,
    serves=("TEST-RR-P01", "MEDIUM-1"),
    judge=judge,
    judges_absence=True,
    remedy="Give jobs a partial state, and record how many items were done and how many failed.",
)
