"""Work that goes on after its job was ended.

What: Once a job is cancelled, timed out or failed, nothing more is changed for it: no call that
changes something begins later than five seconds (policy) after the record of its end. Of a call by
another clock than that record's, so near to that bound that the clocks may differ by more, nothing
is said. Cleaning up is exempt, and so is what completed jobs of the workflow do after
their end, too, such as telling somebody. Where a user asked again, a record takes the job up again,
or its queue tries again what failed, it is no longer ended. Messages, remote procedures that may
change something, and what looks like telling somebody leave it open.

Why: Who cancelled an order is charged for it, and a job that was started again competes with its
own past.

Fix: Let workers look at the job's state before each item, and pass the cancellation on to the calls
that are under way.

Source: the audit's tests of the state after each failure mode and of a call that times out.
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

_CLEANING: Final = (
    r"clean|roll ?back|compensat|refund|releas|undo|abort|revert|cancel|unlock|dispos|purg|remov"
    r"|delet|restor"
)

_TELLING: Final = r"notif|alert|mail|sms\b|slack|webhook|callback"
_READING: Final = (
    r"(^|/)(get|list|read|find|search|check|watch|query|describe|head|lookup|count|exists|fetch)"
)


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its jobs whose last word is that they were cancelled or given up."""
    policy = evidence.policy
    rows = evidence.rows(
        _JOBS,
        {
            "grace_ns": int(policy.grace_seconds * 1e9),
            "skew_ns": int(policy.skew_seconds * 1e9),
            "cleaning": _CLEANING,
            "reading": _READING,
            "telling": _TELLING,
            "shown": SHOWN,
        },
    )
    return Judgement(
        tuple(Unit(row["workflow"], row["dead"] + row["undead"], _findings(row)) for row in rows),
        reason=_reason(rows),
        short_s=longest_short_s(rows),
    )


def _reason(rows: list[Row]) -> str:
    if any(row["waiting"] for row in rows):
        return "unsettled"
    if any(row["unseen"] for row in rows):
        return "dropped"
    return "uninstrumented" if any(row["unclear"] for row in rows) else ""


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["undead"]:
        return ()
    return (
        Finding(
            f"{counted(row['undead'], 'job')} of `{row['workflow']}`"
            f" {either(row['undead'], 'was', 'were')} worked on after"
            f" {either(row['undead'], 'its', 'their')} end;"
            f" {row['service'] or '(no service name)'} began `{row['name']}` {row['late_s']:.1f} s"
            f" after `{row['instance']}` was {row['state']}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_JOBS: Final = """
    WITH taken_up AS (
        SELECT instance_no, max(time_ns) AS at_ns
        FROM state_record
        WHERE level = 'job' AND NOT is_final
        GROUP BY instance_no
    ),
    -- How it ended first: who works on all the same may say something else in the end.
    ended AS (
        SELECT
            said.instance_no,
            arg_min(said.state, (said.time_ns, said.state)) AS state,
            min(said.time_ns) AS at_ns,
            -- By whose clock; a database has its own.
            arg_min(
                coalesce(node.host, resource.host, node.instance_id, resource.instance_id, ''),
                (said.time_ns, said.state)
            ) AS clock
        FROM state_record AS said
        LEFT JOIN taken_up USING (instance_no)
        LEFT JOIN node USING (span_no)
        LEFT JOIN stored.log_record AS log USING (log_no)
        LEFT JOIN resource ON resource.resource_id = log.resource_id
        WHERE said.level = 'job'
            AND said.is_final
            AND said.time_ns > 0
            AND coalesce(said.time_ns >= taken_up.at_ns, true)
        GROUP BY said.instance_no
    ),
    change AS (
        SELECT
            call.instance_no,
            call.service,
            call.name,
            node.span_no,
            node.span_id,
            node.trace_no,
            node.start_ns,
            ended.state,
            ended.at_ns,
            ended.clock <> '' AND ended.clock = coalesce(node.host, node.instance_id, '')
                AS is_near,
            coalesce(parent.name, '') AS above,
            coalesce(
                call.kind = 'CLIENT' AND (
                    field.http_method IN ('POST', 'PUT', 'PATCH')
                    OR call.protocol = 'genai'
                    OR field.rpc_method ILIKE '%PutObject%'
                    OR regexp_matches(
                        coalesce(field.db_operation, field.db_query, ''),
                        '^\\s*(INSERT|UPDATE|MERGE|REPLACE|COPY)\\b', 'i'
                    )
                ),
                false
            ) AS is_change,
            -- Telling somebody of the end looks like any other call.
            is_change AND NOT regexp_matches(
                concat_ws(' ', call.name, call.operation, call.target, parent.name), $telling, 'i'
            ) AS is_sure
        FROM outgoing_call AS call
        JOIN ended USING (instance_no)
        JOIN node USING (span_no)
        JOIN span_field AS field USING (span_no)
        LEFT JOIN node AS parent ON parent.span_no = node.parent_no
        WHERE node.start_ns > ended.at_ns
            -- What a message or a remote procedure changes, its name does not tell for certain.
            AND (is_change OR call.kind = 'PRODUCER' OR (
                call.protocol = 'rpc'
                AND NOT regexp_matches(coalesce(field.rpc_method, ''), $reading, 'i')
            ))
    ),
    -- What completed jobs do after their end belongs to ending.
    farewell AS (
        SELECT DISTINCT instance.workflow, change.service, change.name, change.above
        FROM change
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE change.state = 'completed'
    ),
    request AS (
        SELECT trace_instance.instance_no, node.start_ns, false AS is_queue
        FROM node
        JOIN trace_instance USING (trace_no)
        SEMI JOIN change ON change.instance_no = trace_instance.instance_no
        LEFT JOIN span_field AS field USING (span_no)
        WHERE node.kind = 'SERVER'
            AND node.parent_no IS NULL
            AND coalesce(field.http_method NOT IN ('GET', 'HEAD', 'OPTIONS'), true)
        UNION ALL
        SELECT instance_no, start_ns, true
        FROM delivery
        WHERE is_again
        UNION ALL
        SELECT trace_instance.instance_no, node.start_ns, true
        FROM attempt_of AS attempt
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        WHERE attempt.how = 'nested' AND attempt.number > 1
    ),
    late AS (
        SELECT
            change.* EXCLUDE (is_sure),
            NOT change.is_near AND change.start_ns <= change.at_ns + $grace_ns + $skew_ns
                AS is_close,
            change.is_sure AND NOT is_close AS is_sure
        FROM change
        JOIN workflow_instance AS instance USING (instance_no)
        ANTI JOIN farewell
            ON farewell.workflow = instance.workflow
            AND farewell.service = change.service
            AND farewell.name = change.name
            AND farewell.above = change.above
        WHERE change.start_ns > change.at_ns + $grace_ns
            - CASE WHEN change.is_near THEN 0 ELSE $skew_ns END
            AND NOT regexp_matches(concat_ws(' ', change.name, change.above), $cleaning, 'i')
            AND NOT EXISTS (
                SELECT 1
                FROM request
                WHERE request.instance_no = change.instance_no
                    AND request.start_ns BETWEEN change.at_ns AND change.start_ns
                    -- A queue tries again what failed, and may not what somebody called off.
                    AND NOT (request.is_queue AND change.state = 'cancelled')
            )
    ),
    first_late AS (
        SELECT *
        FROM late
        QUALIFY row_number() OVER (
            PARTITION BY instance_no
            ORDER BY is_sure DESC, is_close, start_ns, trace_no, span_id
        ) = 1
    ),
    judged AS (
        SELECT
            instance.workflow,
            instance.correlation_id,
            ended.state,
            first_late.service,
            first_late.name,
            (first_late.start_ns - ended.at_ns) / 1e9 AS late_s,
            coalesce(first_late.is_sure, false) AS is_undead,
            coalesce(NOT first_late.is_sure AND NOT first_late.is_close, false) AS is_unclear,
            coalesce(first_late.is_close, false) AS is_close,
            settling.is_settled,
            settling.short_ns,
            instance.instance_no IN (SELECT ghost.instance_no FROM ghost) AS is_holed,
            span.reference AS evidence
        FROM ended
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN settling USING (instance_no)
        LEFT JOIN first_late USING (instance_no)
        LEFT JOIN span_reference AS span USING (span_no)
        WHERE ended.state IN ('cancelled', 'timeout', 'failed')
    )
    SELECT
        workflow,
        count(*) FILTER (
            NOT is_undead AND NOT is_unclear AND NOT is_close AND is_settled AND NOT is_holed
        ) AS dead,
        count(*) FILTER (NOT is_undead AND NOT is_settled) AS waiting,
        max(short_ns) FILTER (NOT is_undead) AS short_ns,
        count(*) FILTER (NOT is_undead AND is_holed) AS unseen,
        count(*) FILTER (is_unclear) AS unclear,
        count(*) FILTER (is_undead) AS undead,
        min(correlation_id) FILTER (is_undead) AS instance,
        arg_min(state, correlation_id) FILTER (is_undead) AS state,
        arg_min(service, correlation_id) FILTER (is_undead) AS service,
        arg_min(name, correlation_id) FILTER (is_undead) AS name,
        arg_min(late_s, correlation_id) FILTER (is_undead) AS late_s,
        list(evidence ORDER BY correlation_id) FILTER (is_undead)[:$shown] AS evidence
    FROM judged
    GROUP BY workflow
    ORDER BY workflow
"""

CHECK = Check(
    id="ST-06",
    title="No work goes on after the end",
    severity=Severity.MEDIUM,
    task=9,
    serves=("TEST-RR-S01", "TEST-RR-T01"),
    judge=judge,
    remedy="Let workers look at the job's state before each item, and pass a cancellation on.",
)
