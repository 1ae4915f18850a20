"""Parts of one workflow that no id joins.

What: Wherever a workflow goes from one process to another, both sides are in the same workflow
instance: the server half of a call, the consumer of a message, the services that the baseline or
the declaration names. What belongs together is told by evidence other than the correlation ID:
the same message id, the same destination and message type, a call and a request to the same
service and path at the same time; time alone never counts. At least 95 % of these joints hold, none
of the other sides is always apart, and 95 % of the log records written in spans belong to an
instance.

Why: Behind a break, the failed request and the work that failed are two stories, and nothing but
the clock connects them.

Fix: Pass `traceparent` on with every message and call, link the consumer's span to the producer's,
or set one business key (`job.id`, `correlation_id`) on all spans and log records. Name it in
`[correlation] keys`.

Source: W3C Trace Context; OpenTelemetry messaging conventions, trace structure.
"""

import re
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
from tracejury.telemetry import semconv
from tracejury.telemetry.numbers import counted, either

_CLEAN_INSTANCES = 3


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow of more than one process or trace: the places where it crosses over."""
    skew_ns = int(evidence.policy.skew_seconds * 1e9)
    crossings = evidence.rows(_CROSSINGS, {"skew_ns": skew_ns, "shown": SHOWN})
    apart = evidence.rows(_APART, {**_declared(evidence), "shown": SHOWN})
    logs = evidence.rows(_LOGS, {"frameworks": _frameworks(), "shown": SHOWN})
    workflows = dict.fromkeys(
        row["workflow"] for row in [*evidence.rows(_SPREAD), *crossings, *apart]
    )
    units = tuple(
        _unit(
            workflow,
            [row for row in (*crossings, *apart) if row["workflow"] == workflow],
            [row for row in logs if row["workflow"] == workflow],
            evidence,
        )
        for workflow in workflows
    )
    return Judgement(units, note="" if logs else "No log records written in spans were received.")


def _declared(evidence: Evidence) -> dict[str, object]:
    steps = [
        (workflow.name, *step.split(": ", 1))
        for workflow in evidence.config.workflows
        for step in workflow.steps
        if ": " in step and step not in workflow.optional
    ]
    return {
        "workflows": [workflow for workflow, _, _ in steps],
        "services": [service for _, service, _ in steps],
        "names": [name for _, _, name in steps],
        "clean_instances": _CLEAN_INSTANCES,
    }


def _frameworks() -> str:
    scopes = "|".join(re.escape(scope) for scope in semconv.UNCORRELATED_SCOPES)
    return rf"({scopes})(\..*)?"


def _unit(workflow: str, joints: list[Row], logs: list[Row], evidence: Evidence) -> Unit:
    share = evidence.policy.correlated_records_share
    held = sum(row["held"] for row in joints)
    whole = held + sum(row["broken"] for row in joints)
    findings = [
        _break(workflow, row)
        for row in joints
        if row["broken"] and (not row["held"] or held < share * whole)
    ]
    findings += [
        _loose_logs(workflow, row)
        for row in logs
        if row["logs"] >= evidence.policy.minimum_logs and row["joined"] < share * row["logs"]
    ]
    return Unit(workflow, whole, tuple(findings))


def _break(workflow: str, row: Row) -> Finding:
    return Finding(
        message=f"{row['broken']} of {counted(row['held'] + row['broken'], 'time')} `{workflow}`"
        f" goes on in {row['side']} under another ID: {row['how']}.",
        subject=workflow,
        instance=row["instance"],
        evidence=references(row["evidence"]),
    )


def _loose_logs(workflow: str, row: Row) -> Finding:
    return Finding(
        message=f"Only {row['joined']} of {counted(row['logs'], 'log record')} that"
        f" {row['service']} wrote in spans {either(row['joined'], 'belongs', 'belong')} to an"
        f" instance of `{workflow}` or of another workflow.",
        subject=workflow,
        evidence=tuple(Reference(log=number) for number in row["evidence"]),
    )


# Workflows with more than one process or trace: where something could have come apart.
_SPREAD: Final = """
    SELECT instance.workflow
    FROM workflow_instance AS instance
    JOIN trace_instance USING (instance_no)
    JOIN node USING (trace_no)
    WHERE NOT instance.background
    GROUP BY instance.workflow
    HAVING count(DISTINCT node.service) > 1 OR max(instance.traces) > 1
    ORDER BY instance.workflow
"""

_CROSSINGS: Final = r"""
    -- Instances whose key is too coarse or whose id was used again: their id proves no joint.
    WITH start_of AS (
        SELECT trace_instance.instance_no, node.service, node.name, count(*) AS times
        FROM node
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE node.parent_no IS NULL
            AND node.missing_parent IS NULL
            AND node.service = instance.entry_service
            AND node.name = instance.entry_name
        GROUP BY ALL
    ),
    doubtful AS (
        SELECT start_of.instance_no
        FROM start_of
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE start_of.times > 1 AND instance.correlation_key NOT IN ('trace', 'links')
    ),
    linked AS (
        SELECT linked_no AS span_no, span_no AS linking_no
        FROM linked_span
    ),
    -- Where a trace begins with work that another process asked for.
    head AS (
        SELECT
            node.span_no,
            node.kind,
            node.service,
            node.start_ns,
            trace_instance.instance_no,
            field.destination,
            coalesce(field.message_type, '') AS message_type,
            field.message_id,
            coalesce(field.http_method, field.rpc_service) AS method,
            coalesce(
                nullif(split_part(field.url_path, '?', 1), ''),
                nullif(regexp_extract(field.url_full, '^[^:/]+://[^/?#]*(/[^?#]*)', 1), ''),
                field.http_route,
                field.rpc_method
            ) AS path
        FROM node
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN span_field AS field USING (span_no)
        WHERE node.parent_no IS NULL
            AND node.missing_parent IS NULL
            AND node.kind IN ('SERVER', 'CONSUMER')
            AND NOT instance.background
    ),
    side AS (
        SELECT
            asked.span_no,
            asked.instance_no,
            instance.workflow,
            instance.correlation_id,
            asked.kind,
            asked.failed,
            asked.trace_id,
            asked.span_id,
            asked.start_ns,
            asked.start_ns + coalesce(asked.duration_ns, 0) AS end_ns,
            asked.peer,
            known_peer.callee,
            field.destination,
            coalesce(field.message_type, '') AS message_type,
            field.message_id,
            coalesce(field.http_method, field.rpc_service) AS method,
            asked.has_server_half OR linked.span_no IS NOT NULL AS is_held,
            CASE WHEN NOT is_held THEN coalesce(
                nullif(split_part(field.url_path, '?', 1), ''),
                nullif(regexp_extract(field.url_full, '^[^:/]+://[^/?#]*(/[^?#]*)', 1), ''),
                field.http_route,
                field.rpc_method
            ) END AS path,
            doubtful.instance_no IS NOT NULL AS is_doubtful
        FROM outgoing_call AS asked
        JOIN workflow_instance AS instance ON instance.instance_no = asked.instance_no
        LEFT JOIN span_field AS field USING (span_no)
        LEFT JOIN (SELECT DISTINCT span_no FROM linked) AS linked USING (span_no)
        LEFT JOIN doubtful ON doubtful.instance_no = asked.instance_no
        LEFT JOIN (
            SELECT peer, arg_max(callee, pairs) AS callee FROM pair GROUP BY peer
        ) AS known_peer ON known_peer.peer = asked.peer
        WHERE NOT instance.background
    ),
    -- A message and the head that processed it: by its id where both carry one, else by
    -- destination and type. A request: by service and path, while the call was waiting.
    met AS (
        SELECT
            side.span_no,
            head.span_no AS head_no,
            head.service,
            head.instance_no AS head_instance
        FROM side
        JOIN head ON head.message_id = side.message_id AND head.kind = 'CONSUMER'
        WHERE side.kind = 'PRODUCER' AND NOT side.is_held
        UNION ALL
        SELECT side.span_no, head.span_no, head.service, head.instance_no
        FROM side
        JOIN head
            ON head.instance_no = side.instance_no
            AND head.destination = side.destination
            AND head.message_type = side.message_type
            AND head.kind = 'CONSUMER'
        WHERE side.kind = 'PRODUCER' AND NOT side.is_held
            AND (side.message_id IS NULL OR head.message_id IS NULL)
        UNION ALL
        SELECT side.span_no, head.span_no, head.service, head.instance_no
        FROM side
        JOIN head
            ON head.path = side.path
            AND head.method IS NOT DISTINCT FROM side.method
            AND head.start_ns BETWEEN side.start_ns - $skew_ns AND side.end_ns + $skew_ns
            AND head.service
                IN (side.callee, side.peer, regexp_extract(side.peer, '^[^.:]*'))
        WHERE side.kind = 'CLIENT' AND head.kind = 'SERVER' AND NOT side.is_held
            AND NOT side.failed
    ),
    found AS (
        SELECT
            side.span_no,
            bool_or(met.head_instance = side.instance_no) AS is_together,
            min(met.service) AS service
        FROM met
        JOIN side USING (span_no)
        GROUP BY side.span_no
    ),
    -- Where no ids tell which message is whose: as many as there are heads without a producer.
    unmatched_heads AS (
        SELECT head.destination, head.message_type, min(head.service) AS service, count(*) AS heads
        FROM head
        WHERE head.kind = 'CONSUMER'
            AND head.destination IS NOT NULL
            AND head.span_no NOT IN (SELECT met.head_no FROM met)
            AND head.span_no NOT IN (SELECT linked.linking_no FROM linked)
            AND head.message_id IS NULL
        GROUP BY ALL
    ),
    judged AS (
        SELECT
            side.*,
            coalesce(
                found.service, unmatched_heads.service, side.callee, side.destination
            ) AS other,
            side.is_held OR coalesce(found.is_together AND NOT side.is_doubtful, false) AS held,
            NOT side.is_held AND found.is_together IS NOT DISTINCT FROM false AS is_apart,
            NOT side.is_held AND found.span_no IS NULL AND unmatched_heads.heads IS NOT NULL
                AND NOT side.failed AS is_apart_by_destination,
            unmatched_heads.heads
        FROM side
        LEFT JOIN found USING (span_no)
        LEFT JOIN unmatched_heads
            ON side.kind = 'PRODUCER'
            AND unmatched_heads.destination = side.destination
            AND unmatched_heads.message_type = side.message_type
    ),
    counted AS (
        SELECT
            workflow,
            coalesce(other, '?') AS side,
            kind,
            count(*) FILTER (held) AS held,
            count(*) FILTER (is_apart)
                + least(count(*) FILTER (is_apart_by_destination), coalesce(max(heads), 0))
                AS broken,
            bool_or(is_apart) AS by_id,
            coalesce(min(correlation_id) FILTER (is_apart OR is_apart_by_destination), '')
                AS instance,
            list(
                CASE WHEN is_apart OR is_apart_by_destination
                    THEN {'trace_id': lower(hex(trace_id)), 'span_id': format('{:016x}', span_id)}
                END
                ORDER BY span_no
            ) FILTER (is_apart OR is_apart_by_destination)[:$shown] AS evidence
        FROM judged
        WHERE held OR is_apart OR is_apart_by_destination
        GROUP BY workflow, coalesce(other, '?'), kind
    )
    SELECT
        *,
        CASE
            WHEN kind = 'CLIENT' THEN 'the request came in while the call waited, as a root span'
            WHEN by_id THEN 'the message has the same id there, and its span is a root span'
            ELSE 'messages of the same destination and type were processed by root spans'
        END AS how
    FROM counted
    ORDER BY workflow, side, kind
"""

# Services that the baseline or the declaration puts into a workflow, and that run apart from it.
_APART: Final = """
    WITH demanded AS (
        SELECT DISTINCT likely.workflow, step.service, step.name
        FROM likely_workflow AS likely
        JOIN baseline_step AS step USING (entry_service, entry_name)
        WHERE step.fewest > 0
            AND step.instances >= $clean_instances
            AND step.service <> step.entry_service
            AND NOT EXISTS (
                SELECT 1
                FROM baseline_step AS entry
                WHERE entry.entry_service = step.service AND entry.entry_name = step.name
            )
        UNION
        SELECT
            unnest($workflows::VARCHAR[]),
            unnest($services::VARCHAR[]),
            unnest($names::VARCHAR[])
    ),
    -- A root span is a step that runs apart where it is none of its own workflow's declaration.
    alone AS (
        SELECT
            demanded.workflow, demanded.service, count(*) AS broken,
            min(instance.correlation_id) AS instance,
            list(span.reference ORDER BY span.span_no)[:$shown] AS evidence
        FROM demanded
        JOIN workflow_instance AS instance
            ON instance.entry_service = demanded.service
            AND instance.entry_name = demanded.name
            AND NOT instance.rootless
            AND NOT instance.background
            AND instance.workflow <> demanded.workflow
        JOIN span_reference AS span ON span.span_no = instance.entry_span_no
        GROUP BY demanded.workflow, demanded.service
    ),
    together AS (
        SELECT demanded.workflow, demanded.service,
            count(DISTINCT trace_instance.instance_no) AS held
        FROM demanded
        JOIN node USING (service, name)
        JOIN trace_instance USING (trace_no)
        JOIN likely_workflow AS likely
            ON likely.instance_no = trace_instance.instance_no
            AND likely.workflow = demanded.workflow
        WHERE node.service NOT IN (
            SELECT instance.entry_service
            FROM workflow_instance AS instance
            WHERE instance.workflow = demanded.workflow
        )
        GROUP BY demanded.workflow, demanded.service
    )
    SELECT
        coalesce(together.workflow, alone.workflow) AS workflow,
        coalesce(together.service, alone.service) AS side,
        coalesce(together.held, 0) AS held,
        coalesce(alone.broken, 0) AS broken,
        'its steps belong to that workflow, and begin with a root span' AS how,
        coalesce(alone.instance, '') AS instance,
        alone.evidence
    FROM together
    FULL JOIN alone
        ON alone.workflow = together.workflow AND alone.service = together.service
    ORDER BY workflow, side
"""

_LOGS: Final = """
    WITH written AS (
        SELECT
            service,
            count(*) AS logs,
            count(instance_no) AS joined,
            coalesce(list(log_no ORDER BY log_no) FILTER (instance_no IS NULL)[:$shown], [])
                AS evidence
        FROM active_log
        WHERE NOT (carries = '' AND regexp_full_match(scope_name, $frameworks))
        GROUP BY service
    )
    SELECT part.workflow, written.*
    FROM written
    JOIN (
        SELECT DISTINCT instance.workflow, node.service
        FROM workflow_instance AS instance
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
        WHERE NOT instance.background
    ) AS part USING (service)
    ORDER BY part.workflow, written.service
"""

CHECK = Check(
    id="OBS-01",
    title="One correlation ID joins everything",
    severity=Severity.CRITICAL,
    task=10,
    serves=("pattern-16", "TEST-RR-O02", "CRITICAL-7"),
    judge=judge,
    judges_absence=True,
    remedy="Pass traceparent with every message and call, or set one business key on all records.",
)
