"""Time on the critical path that belongs to no step, and steps hidden inside of others.

What: In workflow instances of a second and more, spans account for at least 80 % of the critical
path: time that a span with children spends by itself, without a log record or an event, is a gap
when it is at least a second and a fifth of the span. Leaf spans, calls and the wait between two
attempts are timing themselves. And no span swallows two or more steps that every clean instance of
the baseline, or the declaration, has as spans of their own. Shorter workflows are shown beside.

Why: A bottleneck that has no span is not found: the time shows up in whatever lies around it.

Fix: Open a span for each step of the work, not one around all of it; where that is too fine, add
span events or log records with the step's name.

Source: critical path analysis; the audit's pattern 18, no per-step timing.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

_CLEAN_INSTANCES = 3


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its instances that are long enough to have steps."""
    policy = evidence.policy
    long_enough = {"shortest_ns": int(policy.short_workflow_seconds * 1e9)}
    timed = evidence.rows(_TIMED, {**long_enough, "shown": SHOWN})
    swallowed: dict[str, list[Row]] = {}
    for row in evidence.rows(_SWALLOWED, {**long_enough, **_declared(evidence), "shown": SHOWN}):
        swallowed.setdefault(row["workflow"], []).append(row)
    units = tuple(
        Unit(
            row["workflow"],
            row["instances"],
            (
                *_gap_findings(row, policy.timed_share),
                *map(_swallowing, swallowed.get(row["workflow"], [])),
            ),
        )
        for row in timed
    )
    return Judgement(units, note=_short(evidence, long_enough))


def _declared(evidence: Evidence) -> dict[str, object]:
    steps = [
        (workflow.name, *(step.split(": ", 1) if ": " in step else ("", step)))
        for workflow in evidence.config.workflows
        for step in workflow.steps
        if step not in workflow.optional
    ]
    return {
        "workflows": [workflow for workflow, _, _ in steps],
        "services": [service for _, service, _ in steps],
        "names": [name for _, _, name in steps],
        "clean_instances": _CLEAN_INSTANCES,
    }


def _gap_findings(row: Row, share: float) -> tuple[Finding, ...]:
    accounted = 1 - row["gap_ns"] / row["critical_ns"]
    if accounted >= share:
        return ()
    return (
        Finding(
            message=f"Spans account for {accounted:.0%} of the critical path of"
            f" `{row['workflow']}`; `{row['name']}` of {row['service']} alone has"
            f" {row['longest_ms']:.0f} ms in one piece without a step.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _swallowing(row: Row) -> Finding:
    names = ", ".join(f"`{name}`" for name in row["names"])
    return Finding(
        message=f"In {counted(row['instances'], 'instance')} of `{row['workflow']}`,"
        f" {counted(len(row['names']), 'step')} {either(len(row['names']), 'has', 'have')} no span"
        f" of {either(len(row['names']), 'its', 'their')} own inside of `{row['name']}`: {names}.",
        subject=row["workflow"],
        instance=row["instance"],
        evidence=references(row["evidence"]),
    )


def _short(evidence: Evidence, long_enough: dict[str, int]) -> str:
    workflows = evidence.rows(_SHORT, long_enough)
    if not workflows:
        return ""
    names = ", ".join(f"`{row['workflow']}`" for row in workflows[:SHOWN])
    more = f" and {len(workflows) - SHOWN} more" if len(workflows) > SHOWN else ""
    seconds = evidence.policy.short_workflow_seconds
    return f"Never longer than {seconds:g} s, so not judged: {names}{more}."


_TIMED: Final = """
    WITH long_instance AS (
        SELECT instance_no, workflow, correlation_id
        FROM workflow_instance
        WHERE NOT background AND end_ns - start_ns >= $shortest_ns
    ),
    limits AS (
        SELECT
            any_value(value) FILTER (name = 'gap_seconds') * 1e9 AS gap_ns,
            any_value(value) FILTER (name = 'gap_share') AS gap_share
        FROM bound
    ),
    -- Stretches of the critical path on which nothing below the span was running.
    bare AS (
        SELECT
            critical.instance_no,
            node.span_no,
            node.trace_no,
            node.span_id,
            node.service,
            node.name,
            critical.start_ns,
            -- What outlives a span stretches it; the time after its own end is nobody's step.
            least(critical.end_ns, node.end_ns) AS end_ns
        FROM critical
        JOIN long_instance USING (instance_no)
        JOIN node USING (span_no)
        JOIN self_time USING (span_no)
        CROSS JOIN limits
        WHERE self_time.children > 0
            AND node.kind IN ('INTERNAL', 'SERVER', 'CONSUMER')
            AND least(critical.end_ns, node.end_ns) - critical.start_ns
                >= greatest(limits.gap_ns, limits.gap_share * node.duration_ns)
    ),
    unexplained AS (
        SELECT *
        FROM bare
        WHERE NOT EXISTS (
                SELECT 1
                FROM log_instance
                JOIN stored.log_record AS log USING (log_no)
                WHERE log_instance.span_no = bare.span_no
                    AND log.time_ns > bare.start_ns AND log.time_ns < bare.end_ns
            )
            AND NOT EXISTS (
                SELECT 1
                FROM stored.span_event AS event
                WHERE event.span_no = bare.span_no
                    AND event.time_ns > bare.start_ns AND event.time_ns < bare.end_ns
            )
            AND NOT EXISTS (
                SELECT 1
                FROM attempt_of AS attempt
                JOIN node AS tried ON tried.span_no = attempt.span_no
                WHERE tried.parent_no = bare.span_no
                    AND attempt.number < attempt.attempts
                    AND tried.end_ns = bare.start_ns
            )
    ),
    gaps AS (
        SELECT
            long_instance.workflow,
            sum(gap.end_ns - gap.start_ns) AS gap_ns,
            max(gap.end_ns - gap.start_ns) / 1e6 AS longest_ms,
            arg_max(gap.service, gap.end_ns - gap.start_ns) AS service,
            arg_max(gap.name, gap.end_ns - gap.start_ns) AS name,
            arg_max(long_instance.correlation_id, gap.end_ns - gap.start_ns) AS instance,
            list({'trace_id': lower(hex(trace.trace_id)), 'span_id': format('{:016x}', gap.span_id)}
                ORDER BY gap.end_ns - gap.start_ns DESC, gap.span_no)[:$shown] AS evidence
        FROM unexplained AS gap
        JOIN long_instance USING (instance_no)
        JOIN trace USING (trace_no)
        GROUP BY long_instance.workflow
    ),
    whole AS (
        SELECT
            long_instance.workflow,
            count(DISTINCT long_instance.instance_no) AS instances,
            sum(critical.end_ns - critical.start_ns) AS critical_ns
        FROM critical
        JOIN long_instance USING (instance_no)
        GROUP BY long_instance.workflow
    )
    SELECT whole.*, coalesce(gaps.gap_ns, 0) AS gap_ns,
        gaps.longest_ms, gaps.service, gaps.name, gaps.instance, gaps.evidence
    FROM whole
    LEFT JOIN gaps USING (workflow)
    ORDER BY whole.workflow
"""

_SWALLOWED: Final = """
    WITH sound AS (
        SELECT likely.*, instance.correlation_id, instance.entry_span_no
        FROM likely_workflow AS likely
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE likely.outcome <> 'failed'
            AND instance.end_ns - instance.start_ns >= $shortest_ns
    ),
    seen AS (
        SELECT
            trace_instance.instance_no, node.service, node.name, node.kind,
            -- What failed did not get to all of its steps.
            min(node.span_no) FILTER (error.span_no IS NULL) AS span_no
        FROM node
        JOIN trace_instance USING (trace_no)
        LEFT JOIN span_error AS error USING (span_no)
        GROUP BY ALL
    ),
    declared AS (
        SELECT
            unnest($workflows::VARCHAR[]) AS workflow,
            unnest($services::VARCHAR[]) AS service,
            unnest($names::VARCHAR[]) AS name
    ),
    -- Steps without a span, and the span in which they must have run.
    swallowed AS (
        SELECT sound.instance_no, sound.workflow, sound.correlation_id, step.name AS step,
            container.span_no
        FROM sound
        JOIN baseline_step AS step USING (entry_service, entry_name)
        JOIN parent_step USING (service, name, kind)
        JOIN seen AS container
            ON container.instance_no = sound.instance_no
            AND container.service = parent_step.parent_service
            AND container.name = parent_step.parent_name
            AND container.kind = parent_step.parent_kind
        WHERE step.fewest > 0
            AND step.instances >= $clean_instances
            AND container.span_no IS NOT NULL
            AND container.kind IN ('INTERNAL', 'SERVER', 'CONSUMER')
            AND NOT EXISTS (
                SELECT 1
                FROM seen
                WHERE seen.instance_no = sound.instance_no
                    AND seen.service = step.service AND seen.name = step.name
            )
        UNION
        SELECT sound.instance_no, sound.workflow, sound.correlation_id, declared.name,
            sound.entry_span_no
        FROM sound
        JOIN declared USING (workflow)
        WHERE NOT EXISTS (
            SELECT 1
            FROM seen
            WHERE seen.instance_no = sound.instance_no
                AND seen.name = declared.name
                AND (seen.service = declared.service OR declared.service = '')
        )
    ),
    container AS (
        SELECT
            instance_no, workflow, correlation_id, span_no,
            list_sort(list(DISTINCT step)) AS steps
        FROM swallowed
        GROUP BY ALL
        HAVING count(DISTINCT step) >= 2
    )
    SELECT
        container.workflow,
        node.name,
        container.steps AS names,
        count(*) AS instances,
        min(container.correlation_id) AS instance,
        list({'trace_id': lower(hex(trace.trace_id)), 'span_id': format('{:016x}', node.span_id)}
            ORDER BY node.span_no)[:$shown] AS evidence
    FROM container
    JOIN node USING (span_no)
    JOIN trace USING (trace_no)
    GROUP BY container.workflow, node.name, container.steps
    ORDER BY container.workflow, node.name
"""

_SHORT: Final = """
    SELECT workflow
    FROM workflow_instance
    WHERE NOT background
    GROUP BY workflow
    HAVING max(end_ns - start_ns) < $shortest_ns
    ORDER BY workflow
"""

CHECK = Check(
    id="OBS-08",
    title="Every step is timed",
    severity=Severity.HIGH,
    task=10,
    serves=("pattern-18", "TEST-RR-O02", "HIGH-6"),
    judge=judge,
    judges_absence=True,
    remedy="Open a span for each step of the work, not one around all of it.",
)
