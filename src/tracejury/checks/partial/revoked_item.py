"""Completed items that are taken back because another item failed.

What: What was completed before an item of the same job failed stays completed. It fails where a
transaction around it is rolled back, where what it stored is deleted, where its calls that change
something are made again, or where a record says that it is in another state. Jobs whose worker died
are judged as resuming; cleaning up after the item that failed is no loss of another. Where another
step of the item went well after each call that failed, no item failed; nothing is shown by such a
job, nor by one in which spans of the step that works on items name none. Of rows that are deleted
in a database the trace does not tell whose they were.

Why: One bad item then costs the work, and the price, of all that went well.

Fix: Commit each item by itself, and let the error handling of an item touch nothing but that item.

Source: the audit's tests of a batch that fails at item 7 of 20 and of a systemic failure.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its jobs that had completed items when another item failed."""
    skew_ns = int(evidence.policy.skew_seconds * 1e9)
    rows = evidence.rows(_JOBS, {"skew_ns": skew_ns, "shown": SHOWN})
    return Judgement(
        tuple(Unit(row["workflow"], row["kept"] + row["revoked"], _findings(row)) for row in rows),
        reason=_reason(rows),
    )


def _reason(rows: list[Row]) -> str:
    if any(row["unseen"] for row in rows):
        return "dropped"
    return "no-item-identity" if any(row["unnamed"] for row in rows) else ""


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["revoked"]:
        return ()
    return (
        Finding(
            f"{counted(row['revoked'], 'job')} of `{row['workflow']}` took back what was"
            f" completed after an item had failed; `{row['item']}` of `{row['instance']}`"
            f" {row['how']}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_JOBS: Final = """
    WITH failure AS (
        SELECT instance_no, coalesce(end_ns, start_ns) AS failed_ns
        FROM item_run
        WHERE failed AND instance_no NOT IN (SELECT job.instance_no FROM job WHERE hit_by = 'crash')
    ),
    -- Completed before the failure that came next.
    done AS (
        SELECT
            run.instance_no, run.span_no, run.item, run.number, run.service, run.name, run.end_ns,
            failure.failed_ns
        FROM item_run AS run
        ASOF JOIN failure
            ON failure.instance_no = run.instance_no
            AND failure.failed_ns >= run.end_ns
        WHERE run.completed
    ),
    statement AS (
        SELECT
            call.span_no,
            node.trace_no,
            call.service,
            node.instance_id,
            call.target,
            node.start_ns,
            node.span_id,
            upper(regexp_extract(coalesce(field.db_operation, field.db_query), '^\\s*(\\w+)', 1))
                AS verb,
            coalesce(field.db_operation, field.db_query) ILIKE '%SAVEPOINT%' AS is_partial
        FROM outgoing_call AS call
        JOIN node USING (span_no)
        JOIN span_field AS field USING (span_no)
        SEMI JOIN done ON done.instance_no = call.instance_no
        WHERE call.protocol = 'db' AND node.start_ns IS NOT NULL
    ),
    transacted AS (
        SELECT
            *,
            sum(CASE WHEN verb IN ('BEGIN', 'START') THEN 1 ELSE 0 END) OVER (
                PARTITION BY trace_no, service, instance_id, target
                ORDER BY start_ns, span_id
            ) AS begun
        FROM statement
        WHERE NOT coalesce(is_partial, false)
    ),
    undone AS (
        SELECT
            trace_no, service, instance_id, target, begun,
            min(start_ns) AS at_ns,
            arg_min(span_no, (start_ns, span_id)) AS span_no
        FROM transacted
        WHERE begun > 0 AND verb IN ('COMMIT', 'END', 'ROLLBACK', 'ABORT')
        GROUP BY trace_no, service, instance_id, target, begun
        HAVING arg_min(verb, (start_ns, span_id)) IN ('ROLLBACK', 'ABORT')
    ),
    stored_object AS (
        SELECT
            call.span_no,
            call.instance_no,
            node.start_ns,
            coalesce(
                field.object_bucket || '/' || field.object_key,
                split_part(field.url_full, '?', 1)
            ) AS object,
            coalesce(field.http_method = 'DELETE', false)
                OR coalesce(field.rpc_method ILIKE '%DeleteObject%', false) AS is_removal,
            error.span_no IS NULL AS is_done
        FROM outgoing_call AS call
        JOIN node USING (span_no)
        JOIN span_field AS field USING (span_no)
        LEFT JOIN span_error AS error USING (span_no)
        SEMI JOIN done ON done.instance_no = call.instance_no
        WHERE field.http_method IN ('PUT', 'POST', 'DELETE')
            OR field.rpc_method ILIKE '%PutObject%'
            OR field.rpc_method ILIKE '%DeleteObject%'
    ),
    loss AS (
        SELECT
            done.instance_no, done.item, 'was rolled back' AS how, undone.span_no,
            NULL::BIGINT AS log_no
        FROM done
        JOIN item_part AS part ON part.run_no = done.span_no
        JOIN transacted AS change ON change.span_no = part.span_no
        JOIN undone
            ON undone.trace_no = change.trace_no
            AND undone.service = change.service
            AND undone.target = change.target
            AND undone.begun = change.begun
        WHERE change.verb IN ('INSERT', 'UPDATE', 'DELETE', 'MERGE', 'REPLACE', 'COPY')
            AND change.instance_id IS NOT DISTINCT FROM undone.instance_id
            AND undone.at_ns >= done.end_ns
        UNION ALL
        SELECT done.instance_no, done.item, 'was deleted', removed.span_no, NULL
        FROM done
        JOIN item_part AS part ON part.run_no = done.span_no
        JOIN stored_object AS put ON put.span_no = part.span_no AND NOT put.is_removal
        JOIN stored_object AS removed
            ON removed.instance_no = done.instance_no
            AND removed.object = put.object
            AND removed.is_removal
            AND removed.is_done
            AND removed.start_ns >= done.failed_ns
        UNION ALL
        SELECT done.instance_no, done.item, 'was done again', again.span_no, NULL
        FROM done
        JOIN item_run AS again
            ON again.instance_no = done.instance_no
            AND again.item = done.item
            AND again.number > done.number
            AND again.start_ns >= done.failed_ns
            -- Another step of the item is no second run of it.
            AND (again.service, again.name) = (done.service, done.name)
        WHERE NOT again.is_fragment
            AND again.span_no IN (
                SELECT part.run_no
                FROM side_effect AS effect
                JOIN item_part AS part USING (span_no)
            )
        UNION ALL
        SELECT
            done.instance_no, done.item, 'went from completed to ' || later.state, later.span_no,
            later.log_no
        FROM done
        JOIN state_record AS said
            ON said.instance_no = done.instance_no
            AND said.level = 'item'
            AND said.unit = done.item
            AND said.state = 'completed'
        JOIN state_record AS later
            ON later.instance_no = done.instance_no
            AND later.level = 'item'
            AND later.unit = done.item
            AND later.state NOT IN ('completed', 'skipped')
            AND later.time_ns > said.time_ns
                + CASE WHEN later.service = said.service THEN 0 ELSE $skew_ns END
        WHERE later.time_ns >= done.failed_ns
    ),
    worst AS (
        SELECT loss.*
        FROM loss
        LEFT JOIN node USING (span_no)
        QUALIFY row_number() OVER (
            PARTITION BY loss.instance_no
            ORDER BY loss.item, loss.how, node.start_ns, node.span_id
        ) = 1
    ),
    -- What failed were attempts, and no item, where the item went on each time.
    troubled AS (
        SELECT instance_no, bool_and(went_on OR is_unclear) AS is_handled
        FROM item_run
        WHERE failed
        GROUP BY instance_no
    ),
    judged AS (
        SELECT
            instance.workflow,
            instance.correlation_id,
            worst.item,
            worst.how,
            worst.item IS NOT NULL AS is_revoked,
            troubled.is_handled,
            batch.instance_no IN (SELECT ghost.instance_no FROM ghost) AS is_holed,
            batch.instance_no IN (SELECT half_named.instance_no FROM half_named) AS is_half_named,
            {'trace_id': coalesce(lower(hex(trace.trace_id)), ''),
             'span_id': coalesce(format('{:016x}', node.span_id), ''),
             'log': CASE WHEN node.span_no IS NULL THEN worst.log_no END} AS evidence
        FROM (SELECT DISTINCT instance_no FROM done) AS batch
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN troubled USING (instance_no)
        LEFT JOIN worst USING (instance_no)
        LEFT JOIN node ON node.span_no = worst.span_no
        LEFT JOIN trace USING (trace_no)
    )
    SELECT
        workflow,
        count(*) FILTER (
            NOT is_revoked AND NOT is_handled AND NOT is_holed AND NOT is_half_named
        ) AS kept,
        count(*) FILTER (NOT is_revoked AND is_holed) AS unseen,
        count(*) FILTER (NOT is_revoked AND NOT is_handled AND is_half_named) AS unnamed,
        count(*) FILTER (is_revoked) AS revoked,
        min(correlation_id) FILTER (is_revoked) AS instance,
        arg_min(item, correlation_id) FILTER (is_revoked) AS item,
        arg_min(how, correlation_id) FILTER (is_revoked) AS how,
        list(evidence ORDER BY correlation_id) FILTER (is_revoked)[:$shown] AS evidence
    FROM judged
    GROUP BY workflow
    ORDER BY workflow
"""

CHECK = Check(
    id="PAR-06",
    title="Completed items stay completed",
    severity=Severity.HIGH,
    task=4,
    serves=("TEST-RR-P01", "TEST-RR-P02"),
    judge=judge,
    remedy="Commit each item by itself, and touch nothing but the failed item when one fails.",
)
