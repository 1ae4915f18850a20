"""Batches that failed in part and do not say so.

What: A job of which some items failed for good and others were completed ends in a state of its own
(partial, completed with errors), or records how many failed, and both agree with its spans. It
fails where the job calls itself completed, where all of it is called failed, or where it counts
wrong. States that are kept in a database alone are seen in its rows (`audit --state`).

Why: Called completed, nobody repeats the failed items; called failed, somebody repeats all of them.

Fix: Give jobs a partial state, and record done and failed counts on the job's span or log record.

Source: the audit's test of a batch that fails at item 7 of 20; a partial state exists.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

# An attribute that counts failed items: `items.failed`, `failed_count`, `job.failures`; what counts
# attempts or calls does not.
_FAILED_KEY: Final = (
    r"(^|[._])(items?[._]fail(ed|ures)|failed[._]items?)([._]count)?$"
    r"|^((job|batch|workflow)[._])?fail(ed|ures)([._]count)?$"
)


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its jobs that failed in part and said how they ended."""
    rows = evidence.rows(_JOBS, {"failed_key": _FAILED_KEY, "shown": SHOWN})
    return Judgement(
        tuple(
            Unit(row["workflow"], row["admitted"] + row["denied"], _findings(row)) for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["denied"]:
        return ()
    says = either(row["denied"], "does not say so", "do not say so")
    if row["state"]:
        says = f"{either(row['denied'], 'calls itself', 'call themselves')} {row['state']}"
    count = f", and counts {row['counted']} failed" if row["counted"] is not None else ""
    return (
        Finding(
            f"{counted(row['denied'], 'job')} of `{row['workflow']}` failed in part and {says};"
            f" `{row['instance']}` has {row['failed']} failed and"
            f" {counted(row['done'], 'completed item')}{count}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
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
    -- How many failed by the job's own count; the last word counts.
    said AS (
        SELECT
            instance.instance_no,
            attribute.value,
            coalesce(node.end_ns, node.start_ns) AS time_ns
        FROM stored.span_attribute AS attribute
        JOIN node USING (span_no)
        JOIN trace_instance AS instance USING (trace_no)
        ANTI JOIN record_item ON record_item.span_no = attribute.span_no
        WHERE regexp_matches(attribute.key, $failed_key)
        UNION ALL
        SELECT log_instance.instance_no, attribute.value, greatest(log.time_ns, log.observed_ns)
        FROM stored.log_attribute AS attribute
        JOIN log_instance USING (log_no)
        JOIN stored.log_record AS log USING (log_no)
        ANTI JOIN record_item ON record_item.log_no = attribute.log_no
        WHERE regexp_matches(attribute.key, $failed_key)
        UNION ALL
        SELECT instance_no, items_failed::VARCHAR, updated_ns
        FROM state_row
        WHERE instance_no IS NOT NULL AND items_failed IS NOT NULL
    ),
    counted AS (
        SELECT
            instance_no,
            -- No condition on the rows: it would be tried on every attribute of the run.
            arg_max(try_cast(value AS BIGINT), (time_ns, value))
                FILTER (try_cast(value AS BIGINT) IS NOT NULL) AS failed
        FROM said
        GROUP BY instance_no
    ),
    judged AS (
        SELECT
            mixed.*,
            instance.workflow,
            instance.correlation_id,
            coalesce(ended.state, '') AS state,
            CASE WHEN counted.failed <> mixed.failed THEN counted.failed END AS counted,
            coalesce(lower(hex(trace.trace_id)), '') AS trace_id,
            coalesce(format('{:016x}', node.span_id), '') AS span_id,
            CASE WHEN node.span_no IS NULL THEN ended.log_no END AS log
        FROM mixed
        LEFT JOIN ended USING (instance_no)
        LEFT JOIN counted USING (instance_no)
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN node ON node.span_no = coalesce(ended.span_no, instance.entry_span_no)
        LEFT JOIN trace ON trace.trace_no = node.trace_no
        WHERE ended.state IS NOT NULL OR counted.failed IS NOT NULL
    ),
    -- What a job calls itself and what it counts must both agree with its spans.
    decided AS (
        SELECT
            *,
            state IN ('', 'partial') AND counted IS NULL AS is_admitted,
            state IN ('completed', 'failed') OR counted IS NOT NULL AS is_denied
        FROM judged
    )
    SELECT
        workflow,
        count(*) FILTER (is_admitted) AS admitted,
        count(*) FILTER (is_denied) AS denied,
        arg_min(state, correlation_id) FILTER (is_denied) AS state,
        min(correlation_id) FILTER (is_denied) AS instance,
        arg_min(failed, correlation_id) FILTER (is_denied) AS failed,
        arg_min(done, correlation_id) FILTER (is_denied) AS done,
        arg_min({'failed': counted}, correlation_id) FILTER (is_denied).failed AS counted,
        list({'trace_id': trace_id, 'span_id': span_id, 'log': log} ORDER BY correlation_id)
            FILTER (is_denied)[:$shown] AS evidence
    FROM decided
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
