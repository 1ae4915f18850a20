"""The audit's first task: every workflow, its steps, its time, its dependencies and failures.

What is declared beats what was learnt, and stands beside it.
"""

from dataclasses import dataclass, replace
from typing import Final

from tracejury.checks.evidence import Evidence
from tracejury.config import DeclaredWorkflow
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.workflow.step_risk import StepRisk, step_risks, workflow_ranks

# Ways a workflow can begin; an audit looks for each of them.
TRIGGERS: Final = ("user", "cron", "webhook", "admin", "queue")

_FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a workflow. Times are seconds, of instances that went well; None: none did.

    `is_required`: every instance that went well has it. `declared_s` and `declared_class` are what
    the configuration says; None and '' where it says nothing.
    """

    service: str
    name: str
    kind: str
    step_class: str
    is_per_item: bool
    is_required: bool
    spans: int
    p50_s: float | None
    p95_s: float | None
    longest_s: float | None
    declared_s: float | None
    declared_class: str

    @property
    def full_name(self) -> str:
        """As a declaration names it."""
        return f"{self.service}: {self.name}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a workflow failed, with the short type of the error ('' where none), and how often."""

    step: str
    error: str
    times: int


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow that ran, or that was declared and did not. Times are seconds.

    `unseen` are declared steps that nothing recorded.
    """

    name: str
    trigger: str
    is_declared: bool
    instances: int
    ok: int
    failed: int
    is_rootless: bool  # in no instance is the span stored that began it
    p50_s: float | None
    p95_s: float | None
    longest_s: float | None  # of those that went well
    expected_s: float | None
    items: str  # the attribute that names its items; '' where none does
    steps: tuple[Step, ...]
    dependencies: tuple[str, ...]
    undeclared: tuple[str, ...]  # of the dependencies, where any are declared
    failures: tuple[Failure, ...]
    unseen: tuple[str, ...]
    riskiest: StepRisk | None  # its step with the highest risk; None: it did not run


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the completeness checklist, and what stands against it ('': nothing)."""

    text: str
    against: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """All workflows by name, and whether the list can be trusted to be whole."""

    workflows: tuple[Workflow, ...]
    checklist: tuple[Item, ...]


def inventory(evidence: Evidence) -> Inventory:
    """The inventory of a prepared run."""
    declared = {workflow.name: workflow for workflow in evidence.config.workflows}
    rows = evidence.rows(_WORKFLOWS)
    steps = _by_workflow(evidence.rows(_STEPS))
    failures = _by_workflow(evidence.rows(_FAILED, {"shown": _FAILURES}))
    risks = workflow_ranks(step_risks(evidence.reader))
    learnt = [
        replace(
            _workflow(
                row, steps.get(row["workflow"], []), failures.get(row["workflow"], []), declared
            ),
            riskiest=risks.get(row["workflow"]),
        )
        for row in rows
    ]
    names = {workflow.name for workflow in learnt}
    unseen = [_unseen(workflow) for name, workflow in declared.items() if name not in names]
    workflows = tuple(sorted([*learnt, *unseen], key=lambda workflow: workflow.name))
    return Inventory(workflows, _checklist(workflows))


def is_own_machine(target: str) -> bool:
    """Whether it is an address that names a proxy or a stub, and may be another one tomorrow."""
    return bool(lexicon.OWN_MACHINE.match(target))


def _by_workflow(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["workflow"], []).append(row)
    return found


def _workflow(
    row: Row, steps: list[Row], failures: list[Row], declared: dict[str, DeclaredWorkflow]
) -> Workflow:
    said = declared.get(row["workflow"])
    known = said or DeclaredWorkflow(row["workflow"])
    names = {name for step in steps for name in (step["name"], _full(step))}
    targets = tuple(row["targets"])
    allowed = {target.lower() for target in known.dependencies}
    return Workflow(
        name=row["workflow"],
        trigger=known.trigger or row["trigger"],
        is_declared=said is not None,
        instances=row["instances"],
        ok=row["ok"],
        failed=row["failed"],
        is_rootless=row["rootless"],
        p50_s=row["p50_s"],
        p95_s=row["p95_s"],
        longest_s=row["longest_s"],
        expected_s=known.expected_seconds,
        items=known.items or row["items"],
        steps=tuple(_step(step, known) for step in steps),
        dependencies=targets,
        undeclared=tuple(
            target
            for target in targets
            if allowed and target.lower() not in allowed and not is_own_machine(target)
        ),
        failures=tuple(Failure(f["name"], f["error"], f["times"]) for f in failures),
        unseen=tuple(step for step in known.steps if step not in names),
        riskiest=None,
    )


def _step(row: Row, declared: DeclaredWorkflow) -> Step:
    names = (_full(row), row["name"])
    seconds, classes = dict(declared.step_seconds), dict(declared.step_class)
    return Step(
        service=row["service"],
        name=row["name"],
        kind=row["kind"],
        step_class=row["class"],
        is_per_item=row["is_per_item"],
        is_required=row["is_required"],
        spans=row["spans"],
        p50_s=row["p50_s"],
        p95_s=row["p95_s"],
        longest_s=row["longest_s"],
        declared_s=next((seconds[name] for name in names if name in seconds), None),
        declared_class=next((classes[name] for name in names if name in classes), ""),
    )


def _full(row: Row) -> str:
    return f"{row['service']}: {row['name']}"


def _unseen(declared: DeclaredWorkflow) -> Workflow:
    return Workflow(
        name=declared.name,
        trigger=declared.trigger or "unclassified",
        is_declared=True,
        instances=0,
        ok=0,
        failed=0,
        is_rootless=False,
        p50_s=None,
        p95_s=None,
        longest_s=None,
        expected_s=declared.expected_seconds,
        items=declared.items,
        steps=(),
        dependencies=declared.dependencies,
        undeclared=(),
        failures=(),
        unseen=declared.steps,
        riskiest=None,
    )


def _checklist(workflows: tuple[Workflow, ...]) -> tuple[Item, ...]:
    seen = [workflow for workflow in workflows if workflow.instances]
    absent = [
        trigger for trigger in TRIGGERS if trigger not in {workflow.trigger for workflow in seen}
    ]

    def those(text: str, lacking: list[Workflow]) -> Item:
        return Item(text, ", ".join(workflow.name for workflow in lacking))

    return (
        Item("Every way to begin a workflow was looked for", ", ".join(absent)),
        those("Every workflow is declared", [w for w in workflows if not w.is_declared]),
        those("Every declared workflow ran", [w for w in workflows if not w.instances]),
        those("Every workflow's beginning is recorded", [w for w in seen if w.is_rootless]),
        those("Every trigger is classified", [w for w in seen if w.trigger == "unclassified"]),
        those("Every workflow went well at least once", [w for w in seen if not w.ok]),
        those("Every declared step was seen", [w for w in seen if w.unseen]),
        those("Every dependency has a name", [w for w in seen if "?" in w.dependencies]),
        those("Every duration has a bound", [w for w in seen if w.expected_s is None]),
        those("Failure modes were seen of every workflow", [w for w in seen if not w.failures]),
    )


_WORKFLOWS: Final = """
    WITH member AS (
        SELECT
            likely.workflow,
            likely.outcome,
            instance.instance_no,
            instance.rootless,
            (instance.end_ns::BIGINT - instance.start_ns::BIGINT) / 1e9 AS seconds
        FROM likely_workflow AS likely
        JOIN workflow_instance AS instance USING (instance_no)
    ),
    called AS (
        SELECT member.workflow, list(DISTINCT call.target ORDER BY call.target) AS targets
        FROM member
        JOIN external_call AS call USING (instance_no)
        WHERE call.is_external
        GROUP BY member.workflow
    ),
    item AS (
        SELECT member.workflow, mode(record_item.key ORDER BY record_item.key) AS key
        FROM member
        JOIN item_run USING (instance_no)
        JOIN record_item ON record_item.span_no = item_run.span_no
        GROUP BY member.workflow
    )
    SELECT
        member.workflow,
        coalesce(any_value(workflow.trigger), 'unclassified') AS trigger,
        count(*) AS instances,
        count(*) FILTER (member.outcome = 'ok') AS ok,
        count(*) FILTER (member.outcome = 'failed') AS failed,
        bool_and(member.rootless) AS rootless,
        quantile_cont(member.seconds, 0.5) FILTER (member.outcome = 'ok') AS p50_s,
        quantile_cont(member.seconds, 0.95) FILTER (member.outcome = 'ok') AS p95_s,
        max(member.seconds) FILTER (member.outcome = 'ok') AS longest_s,
        coalesce(any_value(item.key), '') AS items,
        coalesce(any_value(called.targets), []) AS targets
    FROM member
    LEFT JOIN workflow USING (workflow)
    LEFT JOIN called USING (workflow)
    LEFT JOIN item USING (workflow)
    GROUP BY member.workflow
    ORDER BY member.workflow
"""

_STEPS: Final = """
    WITH well AS (
        SELECT workflow, count(*) AS instances
        FROM likely_workflow
        WHERE outcome = 'ok'
        GROUP BY workflow
    ),
    timed AS (
        SELECT
            likely.workflow,
            node.service,
            node.name,
            node.kind,
            count(*) AS spans,
            count(DISTINCT likely.instance_no) FILTER (likely.outcome = 'ok') AS instances,
            quantile_cont(node.duration_ns / 1e9, 0.5) FILTER (likely.outcome = 'ok') AS p50_s,
            quantile_cont(node.duration_ns / 1e9, 0.95) FILTER (likely.outcome = 'ok') AS p95_s,
            max(node.duration_ns / 1e9) FILTER (likely.outcome = 'ok') AS longest_s,
            min(node.start_ns - instance.start_ns::BIGINT) AS after_ns
        FROM likely_workflow AS likely
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
        GROUP BY likely.workflow, node.service, node.name, node.kind
    )
    SELECT
        timed.*,
        step_class.class,
        step_class.is_per_item,
        coalesce(timed.instances = well.instances, false) AS is_required
    FROM timed
    JOIN step_class USING (workflow, service, name, kind)
    LEFT JOIN well USING (workflow)
    ORDER BY timed.workflow, timed.after_ns, timed.service, timed.name, timed.kind
"""

_FAILED: Final = """
    SELECT likely.workflow, node.name, coalesce(class.short_type, '') AS error, count(*) AS times
    FROM likely_workflow AS likely
    JOIN trace_instance USING (instance_no)
    JOIN node USING (trace_no)
    JOIN error_class AS class USING (span_no)
    GROUP BY likely.workflow, node.name, class.short_type
    QUALIFY row_number() OVER (
        PARTITION BY likely.workflow
        ORDER BY count(*) DESC, node.name, class.short_type
    ) <= $shown
    ORDER BY likely.workflow, times DESC, node.name, error
"""
