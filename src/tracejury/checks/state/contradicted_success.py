"""Jobs that say that they succeeded although a step that they need failed for good.

What: Where a step that every clean instance has (at least three of the baseline) fails and is not
made good, by another attempt, a later run for the same item or a fallback beside it, the job does
not call itself completed, and its first span not Ok. A step that is declared optional, or lies
below such a step, may fail. An answer that says that something is not there is no failure.

Why: Nobody looks at what succeeded; the customer finds out.

Fix: Let what a step needs decide its state: raise, or record partial or failed.

Source: the audit's test that there are no impossible states.
"""

from typing import Final

from tracejury.checks.check import (
    SHOWN,
    Check,
    Finding,
    Judgement,
    Requirement,
    Severity,
    Unit,
    references,
)
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

_CLEAN_INSTANCES: Final = 3
_DEEPEST: Final = 64


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its instances in which a required step failed and that say their end."""
    rows = evidence.rows(
        _INSTANCES,
        {
            "clean_instances": _CLEAN_INSTANCES,
            "optional": [
                step for declared in evidence.config.workflows for step in declared.optional
            ],
            "deepest": _DEEPEST,
            "shown": SHOWN,
        },
    )
    return Judgement(
        tuple(
            Unit(row["workflow"], row["admitted"] + row["denied"], _findings(row)) for row in rows
        ),
        reason="dropped" if any(row["unseen"] for row in rows) else "",
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["denied"]:
        return ()
    return (
        Finding(
            f"{counted(row['denied'], 'instance')} of `{row['workflow']}`"
            f" {either(row['denied'], 'says that it', 'say that they')} succeeded although a step"
            f" that {either(row['denied'], 'it needs', 'they need')} failed; of"
            f" `{row['instance']}` `{row['name']}` of {row['service'] or '(no service name)'}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_INSTANCES: Final = """
    WITH RECURSIVE failed AS (
        SELECT
            likely.instance_no,
            node.span_no, node.parent_no, node.trace_no, node.span_id,
            node.service, node.name, node.kind,
            node.start_ns,
            coalesce(node.end_ns, node.start_ns) AS end_ns,
            coalesce(record_item.item, run.item, '') AS item
        FROM span_error AS error
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        JOIN likely_workflow AS likely USING (instance_no)
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN baseline_step AS step
            ON step.entry_service = likely.entry_service
            AND step.entry_name = likely.entry_name
            AND step.service = node.service
            AND step.name = node.name
            AND step.kind = node.kind
        LEFT JOIN span_field AS field ON field.span_no = error.span_no
        LEFT JOIN record_item ON record_item.span_no = error.span_no
        LEFT JOIN item_part AS part ON part.span_no = error.span_no
        LEFT JOIN item_run AS run ON run.span_no = part.run_no
        WHERE step.fewest > 0
            AND step.instances >= $clean_instances
            AND node.start_ns IS NOT NULL
            AND node.span_no IS DISTINCT FROM instance.entry_span_no
            AND NOT coalesce(field.http_status IN ('404', '409', '410', '412', '425'), false)
            AND NOT contains(error.message, 'NoScript')
    ),
    above (span_no, at_no, height) AS (
        SELECT span_no, span_no, 0
        FROM failed
        WHERE len($optional::VARCHAR[]) > 0
        UNION ALL
        SELECT above.span_no, node.parent_no, above.height + 1
        FROM above
        JOIN node ON node.span_no = above.at_no
        WHERE node.parent_no IS NOT NULL AND above.height < $deepest
    ),
    optional AS (
        SELECT DISTINCT above.span_no
        FROM above
        JOIN node ON node.span_no = above.at_no
        WHERE list_contains($optional::VARCHAR[], node.name)
            OR list_contains($optional::VARCHAR[], node.service || ': ' || node.name)
    ),
    required AS (
        SELECT failed.*
        FROM failed
        ANTI JOIN optional USING (span_no)
    ),
    -- When each step of an instance last went well, for each item.
    success AS (
        SELECT
            instance.instance_no, node.service, node.name, node.kind,
            coalesce(record_item.item, run.item, '') AS item,
            max(node.start_ns) AS start_ns
        FROM node
        JOIN trace_instance AS instance USING (trace_no)
        SEMI JOIN required
            ON required.instance_no = instance.instance_no
            AND required.service = node.service
            AND required.name = node.name
        ANTI JOIN span_error AS error ON error.span_no = node.span_no
        LEFT JOIN record_item ON record_item.span_no = node.span_no
        LEFT JOIN item_part AS part ON part.span_no = node.span_no
        LEFT JOIN item_run AS run ON run.span_no = part.run_no
        WHERE node.end_ns IS NOT NULL
        GROUP BY ALL
    ),
    -- A span that clean instances do without, after one that failed and beside it.
    fallback AS (
        SELECT beside.parent_no, max(beside.start_ns) AS start_ns
        FROM (SELECT DISTINCT instance_no, parent_no FROM required) AS failed_below
        JOIN likely_workflow AS likely USING (instance_no)
        JOIN node AS beside ON beside.parent_no = failed_below.parent_no
        ANTI JOIN span_error AS error ON error.span_no = beside.span_no
        ANTI JOIN (FROM baseline_step WHERE fewest > 0) AS step
            ON step.entry_service = likely.entry_service
            AND step.entry_name = likely.entry_name
            AND step.service = beside.service
            AND step.name = beside.name
            AND step.kind = beside.kind
        GROUP BY beside.parent_no
    ),
    outcome AS (
        SELECT
            required.*,
            coalesce(attempt.recovered, false)
                OR coalesce(fallback.start_ns >= required.end_ns, false)
                OR coalesce(success.start_ns >= required.start_ns, false) AS is_made_good
        FROM required
        LEFT JOIN attempt_of AS attempt USING (span_no)
        LEFT JOIN fallback ON fallback.parent_no = required.parent_no
        LEFT JOIN success
            ON success.instance_no = required.instance_no
            AND success.service = required.service
            AND success.name = required.name
            AND success.kind = required.kind
            AND success.item = required.item
    ),
    said AS (
        SELECT instance_no, arg_max(state, (time_ns, is_final, state)) AS state
        FROM state_record
        WHERE level = 'job'
        GROUP BY instance_no
    ),
    judged AS (
        SELECT
            instance.workflow,
            instance.correlation_id,
            outcome.instance_no,
            coalesce(min(said.state), '') AS state,
            bool_or(NOT outcome.is_made_good) AS is_broken,
            -- What goes on after the answer is no part of what it says.
            bool_or(NOT outcome.is_made_good AND outcome.end_ns <= entry.end_ns)
                AND min(entry.status) = 'OK' AS is_called_ok,
            min(entry.status) = 'ERROR' AS is_called_failed,
            arg_min(
                outcome.span_no, (outcome.start_ns, outcome.trace_no, outcome.span_id)
            ) FILTER (NOT outcome.is_made_good) AS span_no
        FROM outcome
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN node AS entry ON entry.span_no = instance.entry_span_no
        LEFT JOIN said USING (instance_no)
        GROUP BY instance.workflow, instance.correlation_id, outcome.instance_no
    ),
    decided AS (
        SELECT
            judged.*,
            judged.is_broken
                AND (judged.state = 'completed' OR (judged.state = '' AND judged.is_called_ok))
                AS is_denied,
            CASE
                WHEN judged.is_broken
                THEN judged.state IN ('partial', 'failed', 'timeout', 'cancelled')
                    OR (judged.state = '' AND judged.is_called_failed)
                ELSE judged.state = 'completed' OR (judged.state = '' AND judged.is_called_ok)
            END AS is_admitted,
            judged.instance_no IN (SELECT ghost.instance_no FROM ghost) AS is_holed
        FROM judged
    )
    SELECT
        decided.workflow,
        count(*) FILTER (decided.is_admitted AND NOT decided.is_holed) AS admitted,
        count(*) FILTER (decided.is_admitted AND decided.is_holed) AS unseen,
        count(*) FILTER (decided.is_denied) AS denied,
        min(decided.correlation_id) FILTER (decided.is_denied) AS instance,
        arg_min(node.service, decided.correlation_id) FILTER (decided.is_denied) AS service,
        arg_min(node.name, decided.correlation_id) FILTER (decided.is_denied) AS name,
        list(span.reference ORDER BY decided.correlation_id)
            FILTER (decided.is_denied)[:$shown] AS evidence
    FROM decided
    LEFT JOIN node USING (span_no)
    LEFT JOIN span_reference AS span USING (span_no)
    GROUP BY decided.workflow
    ORDER BY decided.workflow
"""

CHECK = Check(
    id="ST-05",
    title="No success contradicts its steps",
    severity=Severity.HIGH,
    task=9,
    serves=("TEST-RR-S02",),
    judge=judge,
    requires=(Requirement.BASELINE,),
    judges_absence=True,
    remedy="Let what a step needs decide its state: raise, or record partial or failed.",
)
