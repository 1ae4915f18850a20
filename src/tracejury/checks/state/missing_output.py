"""Jobs that are called completed and have stored nothing.

What: A job whose last word on itself is completed has made every call that stores something and
that all clean instances of its workflow make (at least three of the baseline), and at least one of
each went well. What some clean instances do without, like an upload that a cache makes needless, is
not asked for. Where the other half of the call is there, or the step around it went well, only a
span is missing. A row of the system's own database (`audit --state`) that is completed and counts
no item done is one, too; it needs no clean run.

Why: The customer is told that the result is ready, and there is none.

Fix: Write the final state after the output, in the same transaction or after reading it back.

Source: the audit's query for completed jobs without output.
"""

from collections.abc import Iterator
from typing import Final

from tracejury.checks.check import (
    SHOWN,
    Check,
    Finding,
    Judgement,
    Reference,
    Severity,
    Unit,
    references,
)
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

_CLEAN_INSTANCES: Final = 3

# How conventions and SDKs name the spans of calls that store something.
_STORES: Final = (
    r"(^|[ ./])(PUT|PutObject|UploadPart|CompleteMultipartUpload|INSERT|UPSERT|MERGE|COPY)\b|upload"
)


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow of which jobs say that they completed."""
    rows = (
        evidence.rows(
            _JOBS, {"clean_instances": _CLEAN_INSTANCES, "stores": _STORES, "shown": SHOWN}
        )
        if evidence.has_baseline
        else []
    )
    unseen = "dropped" if any(row["unseen"] for row in rows) else ""
    return Judgement(
        tuple(Unit(row["workflow"], row["whole"] + row["empty"], _findings(row)) for row in rows)
        + tuple(_of_rows(evidence)),
        reason=unseen if evidence.has_baseline else "needs-baseline",
    )


def _of_rows(evidence: Evidence) -> Iterator[Unit]:
    """A unit of the jobs that the database calls completed with nothing done."""
    [row] = evidence.rows(
        """
        SELECT
            count(*) AS empty,
            min(unit) AS unit,
            list(row_no ORDER BY unit)[:$shown] AS lines
        FROM state_row
        WHERE is_last AND state = 'completed' AND items_done = 0
        """,
        {"shown": SHOWN},
    )
    if row["empty"]:
        finding = Finding(
            f"The database calls {counted(row['empty'], 'job')} completed with no item done,"
            f" `{row['unit']}` for one.",
            subject="state rows",
            instance=row["unit"],
            evidence=tuple(Reference(row=line) for line in row["lines"]),
        )
        yield Unit("state rows", row["empty"], (finding,))


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["empty"]:
        return ()
    return (
        Finding(
            f"{counted(row['empty'], 'completed job')} of `{row['workflow']}`"
            f" {either(row['empty'], 'lacks', 'lack')} output that every clean instance has; of"
            f" `{row['instance']}` `{row['name']}` of {row['service']}"
            f" {'failed' if row['has_failed'] else 'is not there'}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_JOBS: Final = """
    WITH ended AS (
        SELECT
            instance_no,
            arg_max(state, (time_ns, state)) AS state,
            arg_max(span_no, (time_ns, state)) FILTER (span_no IS NOT NULL) AS span_no,
            arg_max(log_no, (time_ns, state)) FILTER (log_no IS NOT NULL) AS log_no,
            arg_max(row_no, (time_ns, state)) FILTER (row_no IS NOT NULL) AS row_no
        FROM state_record
        WHERE level = 'job' AND is_final
        GROUP BY instance_no
    ),
    completed AS (
        SELECT
            likely.instance_no, likely.entry_service, likely.entry_name,
            ended.span_no, ended.log_no, ended.row_no
        FROM ended
        JOIN likely_workflow AS likely USING (instance_no)
        WHERE ended.state = 'completed'
    ),
    output AS (
        SELECT entry_service, entry_name, service, name
        FROM baseline_step
        WHERE kind = 'CLIENT'
            AND fewest > 0
            AND instances >= $clean_instances
            AND regexp_matches(name, $stores, 'i')
    ),
    needed AS (
        SELECT completed.instance_no, output.service, output.name
        FROM completed
        JOIN output USING (entry_service, entry_name)
    ),
    -- What else tells of a call: the half that answers it, and the step around it.
    sign AS (
        SELECT caller AS service, caller_name AS name, callee AS other, callee_name AS other_name
        FROM (FROM pair UNION ALL BY NAME FROM baseline_pair)
        WHERE caller_kind = 'CLIENT'
        UNION
        SELECT service, name, parent_service, parent_name
        FROM baseline_parent_step
        WHERE kind = 'CLIENT' AND parent_kind = 'INTERNAL'
    ),
    seen AS (
        SELECT
            instance.instance_no, node.service, node.name,
            bool_or(error.span_no IS NULL AND node.end_ns IS NOT NULL) AS went_well,
            bool_or(node.kind = 'CLIENT') AS is_call,
            arg_max(node.span_no, (node.start_ns, node.span_id))
                FILTER (node.kind = 'CLIENT') AS span_no
        FROM completed
        JOIN trace_instance AS instance USING (instance_no)
        JOIN node USING (trace_no)
        LEFT JOIN span_error AS error ON error.span_no = node.span_no
        GROUP BY instance.instance_no, node.service, node.name
    ),
    signed AS (
        SELECT DISTINCT needed.instance_no, needed.service, needed.name
        FROM needed
        JOIN sign USING (service, name)
        JOIN seen
            ON seen.instance_no = needed.instance_no
            AND seen.service = sign.other
            AND seen.name = sign.other_name
            AND seen.went_well
    ),
    judged AS (
        SELECT
            needed.*,
            coalesce(seen.is_call, false) AS is_there,
            coalesce(seen.is_call AND seen.went_well, false) AS is_done,
            signed.instance_no IS NOT NULL AS is_signed,
            needed.instance_no IN (
                SELECT missing.instance_no
                FROM missing_in_instance AS missing
                WHERE missing.signs > 0
            ) AS is_holed,
            seen.span_no
        FROM needed
        LEFT JOIN seen USING (instance_no, service, name)
        LEFT JOIN signed USING (instance_no, service, name)
    ),
    decided AS (
        SELECT
            *,
            NOT is_done AND (is_there OR NOT (is_signed OR is_holed)) AS is_empty
        FROM judged
    ),
    job AS (
        SELECT
            instance_no,
            bool_or(is_empty) AS is_empty,
            bool_and(is_done) AS is_whole,
            arg_min(
                {'service': service, 'name': name, 'has_failed': is_there, 'span_no': span_no},
                (service, name)
            ) FILTER (is_empty) AS lack
        FROM decided
        GROUP BY instance_no
    ),
    told AS (
        SELECT
            instance.workflow,
            instance.correlation_id,
            coalesce(job.is_empty, false) AS is_empty,
            coalesce(job.is_whole, false) AS is_whole,
            coalesce(NOT job.is_empty AND NOT job.is_whole, false) AS is_unseen,
            job.lack,
            {'trace_id': coalesce(lower(hex(trace.trace_id)), ''),
             'span_id': coalesce(format('{:016x}', node.span_id), ''),
             'log': CASE WHEN node.span_no IS NULL THEN completed.log_no END,
             'row': CASE WHEN node.span_no IS NULL AND completed.log_no IS NULL
                THEN completed.row_no END} AS evidence
        FROM completed
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN job USING (instance_no)
        LEFT JOIN node ON node.span_no = coalesce(job.lack.span_no, completed.span_no)
        LEFT JOIN trace USING (trace_no)
    )
    SELECT
        workflow,
        count(*) FILTER (is_whole) AS whole,
        count(*) FILTER (is_unseen) AS unseen,
        count(*) FILTER (is_empty) AS empty,
        min(correlation_id) FILTER (is_empty) AS instance,
        arg_min(lack.service, correlation_id) FILTER (is_empty) AS service,
        arg_min(lack.name, correlation_id) FILTER (is_empty) AS name,
        arg_min(lack.has_failed, correlation_id) FILTER (is_empty) AS has_failed,
        list(evidence ORDER BY correlation_id) FILTER (is_empty)[:$shown] AS evidence
    FROM told
    GROUP BY workflow
    ORDER BY workflow
"""

CHECK = Check(
    id="ST-02",
    title="A completed job has its output",
    severity=Severity.HIGH,
    task=9,
    serves=("TEST-RR-S02",),
    judge=judge,
    judges_absence=True,
    remedy="Write the final state after the output, in the same transaction or after reading it.",
)
