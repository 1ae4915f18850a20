"""Workflows that run otherwise than their owners say.

What: Every declared workflow ran within its declared duration at the 95th percentile, so did each
step that has one, and it called no external dependency that is not declared; an address of its own
machine is none. Its first run, which is slower, and runs during a fault are left out of the
durations. What can be compared with nothing decides nothing, nor does a call of which nobody
knows whom it went to. Beside it stand the steps by class,
how many there are for each item, whom it calls and where it failed.

Why: A plan that names other dependencies and other durations than the system has tests another
system.

Fix: Correct the declaration or the system: `expected_seconds`, `step_seconds` and `dependencies` of
`[workflow."name"]` in tracejury.toml.

Source: the audit's first task: workflow inventory, steps, durations and external dependencies.
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
from tracejury.config import DeclaredWorkflow
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a declared workflow: its instances that could be compared."""
    names = [workflow.name for workflow in evidence.config.workflows]
    seen = {
        row["workflow"]: row
        for row in evidence.rows(
            _WORKFLOWS,
            {
                "names": names,
                "shown": SHOWN,
                "own_machine": lexicon.OWN_MACHINE.pattern,
            },
        )
    }
    units, notes = [], []
    for workflow in evidence.config.workflows:
        row = seen.get(workflow.name)
        if row is None:
            units.append(Unit(workflow.name, 0))
            continue
        findings = (
            *_slow_workflow(workflow, row),
            *_slow_steps(workflow, row["steps"]),
            *_strangers(workflow, row["targets"]),
        )
        units.append(Unit(workflow.name, _compared(workflow, row), findings))
        notes.append(_profile(row))
    return Judgement(tuple(units), note=" ".join(notes), reason=_reason(evidence, seen))


def _reason(evidence: Evidence, seen: dict[str, Row]) -> str:
    if any(row["lossy"] for row in seen.values()):
        return "dropped"
    declaring = [one.name for one in evidence.config.workflows if one.dependencies]
    hides = any(seen[name]["nameless"] for name in declaring if name in seen)
    return "uninstrumented" if hides else ""


def _compared(workflow: DeclaredWorkflow, row: Row) -> int:
    """How many instances there are to hold against what is declared."""
    has_duration = workflow.expected_seconds is not None or bool(workflow.step_seconds)
    seen = {name for step in row["steps"] for name in _names(step)}
    if has_duration and not (row["timed"] and seen.issuperset(dict(workflow.step_seconds))):
        return 0
    return int(row["instances"]) if has_duration or workflow.dependencies else 0


def _slow_workflow(workflow: DeclaredWorkflow, row: Row) -> tuple[Finding, ...]:
    expected = workflow.expected_seconds
    if expected is None or row["p95_s"] is None or row["p95_s"] <= expected:
        return ()
    return (
        Finding(
            f"`{workflow.name}` took {row['p95_s']:.3g} s at the 95th percentile of"
            f" {counted(row['timed'], 'instance')}; {expected:g} s are declared.",
            subject=workflow.name,
            evidence=references(row["slowest"]),
        ),
    )


def _slow_steps(workflow: DeclaredWorkflow, rows: list[Row]) -> tuple[Finding, ...]:
    declared = dict(workflow.step_seconds)
    found = []
    for row in rows:
        expected = next((declared[name] for name in _names(row) if name in declared), None)
        if expected is not None and row["p95_s"] > expected:
            found.append(
                Finding(
                    f"`{row['name']}` of `{workflow.name}` took {row['p95_s']:.3g} s at the 95th"
                    f" percentile; {expected:g} s are declared.",
                    subject=workflow.name,
                    evidence=references(row["slowest"]),
                )
            )
    return tuple(found)


def _names(step: Row) -> tuple[str, str]:
    """What a declaration may call a step: the more telling name first."""
    return f"{step['service']}: {step['name']}", step["name"]


def _strangers(workflow: DeclaredWorkflow, rows: list[Row]) -> tuple[Finding, ...]:
    if not workflow.dependencies:
        return ()
    declared = {name.lower() for name in workflow.dependencies}
    return tuple(
        Finding(
            f"`{workflow.name}` called {row['target']}, which is not declared,"
            f" {counted(row['calls'], 'time')}.",
            subject=workflow.name,
            evidence=references(row["shown"]),
        )
        for row in rows
        if row["target"].lower() not in declared
    )


def _profile(row: Row) -> str:
    """A line of the inventory: what the workflow consists of."""
    steps = f"{counted(row['fixed'], 'step')}"
    per_item = f" and {row['per_item']} per item" if row["per_item"] else ""
    classes = ", ".join(f"{name} {row[name]}" for name in _CLASSES)
    targets = ", ".join(target["target"] for target in row["targets"])
    calls = f", calls {targets}" if targets else ""
    failed = f", failed at {row['failures']}" if row["failures"] else ""
    return f"`{row['workflow']}`: {steps}{per_item} ({classes}){calls}{failed}."


_CLASSES: Final = ("compute", "database", "external", "internal", "queue")

_WORKFLOWS: Final = """
    WITH declared AS (
        SELECT likely.workflow, likely.instance_no, instance.start_ns::BIGINT AS start_ns,
            instance.end_ns::BIGINT AS end_ns, instance.entry_span_no, instance.correlation_id
        FROM likely_workflow AS likely
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE list_contains($names, likely.workflow)
    ),
    -- Neither the first run nor what runs during a fault is as usual.
    timed AS (
        SELECT numbered.*
        FROM (
            SELECT *, row_number() OVER (
                PARTITION BY workflow
                ORDER BY start_ns, correlation_id
            ) AS number
            FROM declared
        ) AS numbered
        WHERE numbered.number > 1
            AND NOT EXISTS (
                SELECT 1
                FROM fault
                -- Whichever workflow it was meant for: they share workers and queues.
                WHERE fault.start_ns <= numbered.end_ns AND fault.end_ns >= numbered.start_ns
            )
    ),
    usual AS (
        SELECT
            timed.workflow,
            count(*) AS timed,
            quantile_cont((timed.end_ns - timed.start_ns)::DOUBLE, 0.95) / 1e9 AS p95_s,
            list(
                {'trace_id': lower(hex(trace.trace_id)), 'span_id': format('{:016x}', node.span_id)}
                ORDER BY timed.end_ns - timed.start_ns DESC, node.start_ns, node.span_id
            )[:$shown] AS slowest
        FROM timed
        JOIN node ON node.span_no = timed.entry_span_no
        JOIN trace USING (trace_no)
        -- How long it took nobody knows where its own span has no end.
        WHERE node.end_ns IS NOT NULL
        GROUP BY timed.workflow
    ),
    counted AS (
        SELECT
            workflow,
            count(*) FILTER (NOT is_per_item) AS fixed,
            count(*) FILTER (is_per_item) AS per_item,
            count(*) FILTER (class = 'compute') AS compute,
            count(*) FILTER (class = 'database') AS database,
            count(*) FILTER (class = 'external') AS external,
            count(*) FILTER (class = 'internal') AS internal,
            count(*) FILTER (class = 'queue') AS queue
        FROM step_class
        WHERE list_contains($names, workflow)
        GROUP BY workflow
    ),
    failure AS (
        SELECT declared.workflow, node.name, coalesce(class.short_type, '') AS error,
            count(*) AS times
        FROM declared
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
        JOIN error_class AS class USING (span_no)
        GROUP BY declared.workflow, node.name, class.short_type
        QUALIFY row_number() OVER (
            PARTITION BY declared.workflow
            ORDER BY count(*) DESC, node.name, class.short_type
        ) <= $shown
    ),
    failures AS (
        SELECT
            workflow,
            string_agg(
                '`' || name || '` ('
                || concat_ws(
                    ' ', times, CASE times WHEN 1 THEN 'time' ELSE 'times' END, nullif(error, '')
                )
                || ')',
                ', '
                ORDER BY times DESC, name, error
            ) AS failures
        FROM failure
        GROUP BY workflow
    ),
    step_time AS (
        SELECT
            timed.workflow,
            node.service,
            node.name,
            quantile_cont(node.duration_ns::DOUBLE, 0.95) / 1e9 AS p95_s,
            list(
                {'trace_id': lower(hex(trace.trace_id)), 'span_id': format('{:016x}', node.span_id)}
                ORDER BY node.duration_ns DESC, node.start_ns, node.span_id
            )[:$shown] AS slowest
        FROM timed
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
        JOIN trace USING (trace_no)
        WHERE node.duration_ns IS NOT NULL
        GROUP BY timed.workflow, node.service, node.name
    ),
    steps AS (
        SELECT
            workflow,
            list(
                {'service': service, 'name': name, 'p95_s': p95_s, 'slowest': slowest}
                ORDER BY service, name
            ) AS steps
        FROM step_time
        GROUP BY workflow
    ),
    dependency AS (
        SELECT
            declared.workflow,
            call.target,
            count(*) AS calls,
            list(
                {'trace_id': call.trace_id, 'span_id': call.span_id}
                ORDER BY call.start_ns, call.span_id
            )[:$shown] AS shown
        FROM declared
        JOIN external_call AS call USING (instance_no)
        WHERE call.is_external
            AND call.target <> '?'
            AND NOT regexp_matches(call.target, $own_machine)
        GROUP BY declared.workflow, call.target
    ),
    nameless AS (
        SELECT DISTINCT declared.workflow
        FROM declared
        JOIN external_call AS call USING (instance_no)
        WHERE call.target = '?'
    ),
    dependencies AS (
        SELECT
            workflow,
            list({'target': target, 'calls': calls, 'shown': shown} ORDER BY target) AS targets
        FROM dependency
        GROUP BY workflow
    )
    SELECT
        declared.workflow,
        count(*) AS instances,
        bool_or(declared.instance_no IN (SELECT ghost.instance_no FROM ghost)) AS lossy,
        bool_or(declared.workflow IN (SELECT nameless.workflow FROM nameless)) AS nameless,
        coalesce(max(usual.timed), 0) AS timed,
        max(usual.p95_s) AS p95_s,
        max(usual.slowest) AS slowest,
        max(counted.fixed) AS fixed,
        max(counted.per_item) AS per_item,
        max(counted.compute) AS compute,
        max(counted.database) AS database,
        max(counted.external) AS external,
        max(counted.internal) AS internal,
        max(counted.queue) AS queue,
        coalesce(max(failures.failures), '') AS failures,
        coalesce(max(steps.steps), []) AS steps,
        coalesce(max(dependencies.targets), []) AS targets
    FROM declared
    JOIN counted USING (workflow)
    LEFT JOIN usual USING (workflow)
    LEFT JOIN failures USING (workflow)
    LEFT JOIN steps USING (workflow)
    LEFT JOIN dependencies USING (workflow)
    GROUP BY declared.workflow
    ORDER BY declared.workflow
"""

CHECK = Check(
    id="INV-04",
    title="Workflows run as declared",
    severity=Severity.INFO,
    task=1,
    serves=(),
    judge=judge,
    requires=(Requirement.DECLARATION,),
    remedy="Correct the declaration in tracejury.toml, or the system.",
)
