"""The learnt inventory: every workflow, what became of its instances, and where it leads."""

from tracejury.config import DeclaredWorkflow
from tracejury.scorecard.result import WorkflowSummary
from tracejury.store.reader import Reader


def workflows(
    reader: Reader, declared: tuple[DeclaredWorkflow, ...] = ()
) -> tuple[WorkflowSummary, ...]:
    """One summary a workflow, by name. What begins it is what is `declared`, else what was seen."""
    triggers = {workflow.name: workflow.trigger for workflow in declared if workflow.trigger}
    rows = reader.rows("""
        WITH reached AS (
            SELECT workflow, list_sort(list(DISTINCT service)) AS services
            FROM workflow_step
            GROUP BY workflow
        ),
        called AS (
            SELECT instance.workflow, list_sort(list(DISTINCT call.target)) AS externals
            FROM external_call AS call
            JOIN workflow_instance AS instance USING (instance_no)
            WHERE call.is_external
            GROUP BY instance.workflow
        )
        SELECT workflow.*, reached.services, called.externals
        FROM workflow
        LEFT JOIN reached ON reached.workflow = workflow.workflow
        LEFT JOIN called ON called.workflow = workflow.workflow
        ORDER BY workflow.workflow
    """)
    return tuple(
        WorkflowSummary(
            name=row["workflow"],
            trigger=triggers.get(row["workflow"]) or row["trigger"],
            instances=row["instances"],
            ok=row["ok"],
            failed=row["failed"],
            unknown=row["unknown"],
            spans=row["spans"],
            p50_ms=row["p50_ms"],
            p95_ms=row["p95_ms"],
            services=tuple(row["services"] or ()),
            externals=tuple(row["externals"] or ()),
        )
        for row in rows
    )
