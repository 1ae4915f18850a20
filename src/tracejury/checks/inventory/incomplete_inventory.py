"""Workflows that nobody declared, and workflows of which the beginning is not recorded.

What: Every workflow that ran is declared, every declared one ran, with all the steps that it names
and does not call optional, and each begins with a recorded entry point. It fails where a workflow
begins with a CLIENT span, or is known from orphans alone. Health checks, broker polls and pages in
a browser are left out.

Why: What is not in the inventory is not tested. We cannot judge a list that we made ourselves, so
without a declaration the inventory that was learnt is shown and nothing is decided.

Fix: Declare each workflow in tracejury.toml, by the name under which it is listed here:
`[workflow."POST /orders"]`, with `steps = ["reserve stock", "payment: POST /charge"]` in any order,
`optional = [...]` for steps that may be left out, and `expected_seconds`.

Source: the audit's first task; Instrumentation Score SPA-004 (root spans are not CLIENT).
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.config import DeclaredWorkflow
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted

_LISTED = 20

_LEARNT: Final = """
    WITH entries AS (
        SELECT
            likely.workflow,
            likely.entry_service,
            instance.rootless,
            instance.instance_no,
            instance.entry_kind = 'CLIENT'
                AND NOT instance.rootless
                AND resource.sdk_language IS DISTINCT FROM 'webjs' AS headless,
            {
                'trace_id': lower(hex(span.trace_id)),
                'span_id': format('{:016x}', span.span_id)
            } AS entry
        FROM likely_workflow AS likely
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN stored.span AS span ON span.span_no = instance.entry_span_no
        LEFT JOIN resource USING (resource_id)
    ),
    step AS (
        SELECT DISTINCT likely.workflow, node.service, node.name, node.kind
        FROM likely_workflow AS likely
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
    ),
    steps AS (
        SELECT workflow,
            list(DISTINCT name) || list(DISTINCT service || ': ' || name) AS names,
            count(*) AS steps
        FROM step
        GROUP BY workflow
    ),
    calls AS (
        SELECT likely.workflow, list(DISTINCT call.target ORDER BY call.target) AS targets
        FROM likely_workflow AS likely
        JOIN external_call AS call USING (instance_no)
        WHERE call.is_external
        GROUP BY likely.workflow
    )
    SELECT
        entries.workflow,
        min(entries.entry_service) AS service,
        count(*) AS instances,
        bool_and(entries.rootless) AS rootless,
        count(*) FILTER (entries.headless) AS headless,
        list(entries.entry ORDER BY entries.instance_no)
            FILTER (entries.headless OR entries.rootless)[:$shown] AS broken,
        list(entries.entry ORDER BY entries.instance_no)[:$shown] AS shown,
        any_value(steps.names) AS names,
        any_value(steps.steps) AS steps,
        coalesce(any_value(calls.targets), []) AS targets,
        coalesce(any_value(workflow.trigger), 'unclassified') AS trigger,
        any_value(workflow.p95_ms) AS p95_ms
    FROM entries
    JOIN steps USING (workflow)
    LEFT JOIN calls USING (workflow)
    LEFT JOIN workflow USING (workflow)
    GROUP BY entries.workflow
    ORDER BY entries.workflow
"""


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow, declared or seen: its instances."""
    declared = {workflow.name: workflow for workflow in evidence.config.workflows}
    seen = evidence.rows(_LEARNT, {"shown": SHOWN})
    units = [Unit(row["workflow"], row["instances"], _findings(row, declared)) for row in seen]
    names = {row["workflow"] for row in seen}
    units += [Unit(name, 0) for name in declared if name not in names]
    return Judgement(
        tuple(units),
        note=_inventory(seen, declared),
        reason="" if declared or not seen else "needs-declaration",
    )


def _findings(row: Row, declared: dict[str, DeclaredWorkflow]) -> tuple[Finding, ...]:
    workflow = declared.get(row["workflow"])
    said = []
    if row["rootless"]:
        said.append(f"`{row['workflow']}` is known from spans alone whose root never arrived.")
    elif row["headless"]:
        said.append(
            f"{row['headless']} of {counted(row['instances'], 'instance')} of `{row['workflow']}`"
            f" began with a CLIENT span of {row['service']}: what started them was not recorded."
        )
    elif declared and workflow is None:
        said.append(f"`{row['workflow']}` of {row['service']} ran and is not declared.")
    if workflow is not None:
        said.extend(
            f"No instance of `{row['workflow']}` has the declared step `{step}`."
            for step in workflow.steps
            if step not in workflow.optional and step not in row["names"]
        )
    evidence = references(row["broken"] or row["shown"])
    return tuple(Finding(message, subject=row["workflow"], evidence=evidence) for message in said)


def _inventory(seen: list[Row], declared: dict[str, DeclaredWorkflow]) -> str:
    lines = []
    for row in seen[:_LISTED]:
        workflow = declared.get(row["workflow"])
        trigger = (workflow.trigger if workflow else "") or row["trigger"]
        parts = [trigger, f"instances {row['instances']}", f"steps {row['steps']}"]
        if row["p95_ms"] is not None:
            parts.append(f"p95 {row['p95_ms']:.0f} ms")
        if row["targets"]:
            parts.append(f"calls {', '.join(row['targets'])}")
        lines.append(f"`{row['workflow']}` ({', '.join(parts)})")
    if len(seen) > _LISTED:
        lines.append(f"and {len(seen) - _LISTED} more")
    return f"Learnt: {'; '.join(lines)}." if lines else ""


CHECK = Check(
    id="INV-01",
    title="The workflow inventory is complete",
    severity=Severity.INFO,
    task=1,
    serves=(),
    judge=judge,
    judges_absence=True,
    remedy="Declare every workflow in tracejury.toml, and instrument what starts it.",
)
