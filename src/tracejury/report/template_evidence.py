"""What stands behind the audit: suspects, spans by service, timing, calls, bounds, next steps."""

from collections.abc import Callable

from tracejury.report.course_rows import HEADER as COURSE_HEADER
from tracejury.report.course_rows import course_rows, noticed
from tracejury.report.difficulty_rows import HEADER as DIFFICULTY_HEADER
from tracejury.report.difficulty_rows import difficulty_rows
from tracejury.report.next_steps import Step, next_steps
from tracejury.report.numbers import clock, duration
from tracejury.report.section import Cell, Section, Table
from tracejury.report.service_rows import not_missing, service_rows
from tracejury.report.state_queries import are_asked_for, state_queries
from tracejury.report.step_rows import (
    BUDGET_HEADER,
    GAP_HEADER,
    WHAT_IF_HEADER,
    budget_rows,
    gap_rows,
    what_if_rows,
)
from tracejury.report.stopwatch_rows import HEADER, stopwatch_rows
from tracejury.scorecard.result import Audit, FaultResult
from tracejury.telemetry.numbers import percent, short


def _faults(audit: Audit) -> Section:
    header = ("Fault", "What", "When (UTC)", "Noticed", "Suspects", "Rank of the target")
    return Section(
        "suspects",
        "Suspects by fault",
        tables=(
            Table("Who looks guilty in each fault", header, tuple(map(_suspects, audit.faults))),
        ),
    )


def _suspects(fault: FaultResult) -> tuple[str | int, ...]:
    names = [f"{suspect.service} {suspect.step}" for suspect in fault.suspects[:3]]
    return (
        fault.id,
        f"{fault.kind} {fault.target}",
        f"{clock(fault.start_ns)}, {duration((fault.end_ns - fault.start_ns) / 1e6)}",
        noticed(fault),
        "; ".join(
            filter(None, (fault.why_none_stands_out or ", ".join(names), fault.about_window))
        ),
        "" if fault.rank_of_target is None else fault.rank_of_target,
    )


def _courses(audit: Audit) -> Section:
    return Section(
        "courses",
        "Around each fault",
        says=("Of the instances of each workflow, before → during → after the fault.",),
        tables=(Table("Recovery", COURSE_HEADER, tuple(course_rows(audit.faults))),),
    )


def _services(audit: Audit) -> Section:
    completeness = audit.completeness
    is_whole = completeness is None or not completeness.missing
    header = ("Received", "Spans", "Missing", "Service", "Who says so", "Why they are missing")
    rows = () if is_whole or completeness is None else tuple(service_rows(completeness))
    said = not_missing(completeness) if completeness else ""
    return Section(
        "services",
        "Spans by service",
        says=(said,) if said else (),
        tables=(Table("Spans received and known missing", header, rows),),
    )


def _missing(audit: Audit) -> Section:
    missing = audit.completeness.missing if audit.completeness else ()
    rows = tuple((short(m.missing), m.service, m.step, m.cause, m.evidence) for m in missing)
    header = ("Missing", "Service", "Step", "Likeliest cause", "Evidence")
    return Section(
        "missing", "Missing spans", tables=(Table("Spans known to have existed", header, rows),)
    )


def _timing(audit: Audit) -> Section:
    header = ("Workflow", "Service", "Step", "Kind", "Spans", "Errors", "p50", "p95", "p99", "Self")
    steps = audit.timing.steps if audit.timing else ()
    unexplained = audit.timing.unexplained if audit.timing else ()
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            *(step.workflow, step.service, step.name, step.kind, step.count, step.errors),
            *map(duration, (step.p50_ms, step.p95_ms, step.p99_ms, step.self_ms)),
            "-" if step.critical_share is None else percent(step.critical_share),
            duration(step.baseline_p95_ms),
        )
        for step in steps
    )
    return Section(
        "timing",
        "Timing per step",
        says=(
            "What if: how much sooner a workflow would end, on average and at most, if a step took"
            " half of its own time, or none.",
        ),
        tables=(
            Table("How long steps took", (*header, "Critical path", "Clean p95"), rows),
            Table("Unexplained gaps", GAP_HEADER, tuple(gap_rows(unexplained))),
            Table("What if", WHAT_IF_HEADER, tuple(what_if_rows(steps))),
            Table("Declared budgets", BUDGET_HEADER, tuple(budget_rows(steps))),
        ),
    )


def _targets(audit: Audit) -> Section:
    rows = tuple(
        (
            *(target.service, target.target, "yes" if target.is_external else "no"),
            *(target.calls, target.with_request, target.with_response, target.with_duration),
            ", ".join(target.missing),
        )
        for target in (audit.external_calls.targets if audit.external_calls else ())
    )
    header = ("From", "To", "External", "Calls", "Request", "Response", "Duration", "Not recorded")
    return Section(
        "calls", "External calls", tables=(Table("What was recorded of calls", header, rows),)
    )


def _difficulty(audit: Audit) -> Section:
    return Section(
        "difficulty",
        "Difficulty of diagnosis",
        says=("How long it takes at least to find each cause.",),
        tables=(Table("What a diagnosis takes", DIFFICULTY_HEADER, tuple(difficulty_rows(audit))),),
    )


def _measured(audit: Audit) -> Section:
    measured = audit.diagnosis.measured if audit.diagnosis else ()
    rows = tuple(tuple(row) for row in stopwatch_rows(measured))
    return Section(
        "stopwatch",
        "Stopwatch",
        says=("How long persons took from the alert to the root.",),
        tables=(Table("Measured diagnoses", tuple(HEADER), rows),),
    )


def _bounds(audit: Audit) -> Section:
    rows = tuple((name, f"{value:g}") for name, value in sorted(audit.bounds.items()))
    return Section(
        "bounds",
        "Bounds",
        says=("The policy that these verdicts used.",),
        tables=(Table("The policy", ("Bound", "Value"), rows),),
    )


def _state_rows(audit: Audit) -> Section:
    queries = state_queries(audit) if are_asked_for(audit) else ()
    return Section(
        "state-rows",
        "State rows",
        says=("Your own database may decide which jobs are in a wrong state.",),
        steps=tuple(Step(query.sql, query.finds) for query in queries),
    )


def _next(audit: Audit) -> Section:
    return Section("next", "Next steps", steps=tuple(next_steps(audit)))


EVIDENCE: tuple[Callable[[Audit], Section], ...] = (
    _faults,
    _courses,
    _services,
    _missing,
    _timing,
    _targets,
    _difficulty,
    _measured,
    _bounds,
    _state_rows,
    _next,
)
