"""The audit template's tables of what was observed: timeouts, queues, states, time to diagnose."""

from collections.abc import Callable

from tracejury.report.numbers import duration
from tracejury.report.section import Cell, Section, Table
from tracejury.report.words import Mark
from tracejury.scorecard.failure_tables import (
    DiagnosisRow,
    StateRow,
    diagnosis_table,
    state_table,
)
from tracejury.scorecard.queue_table import QueueAspect, queue_table
from tracejury.scorecard.result import Audit
from tracejury.scorecard.timeout_table import TimeoutRow, timeout_table
from tracejury.telemetry.numbers import short

_HELD = {"within": Mark("pass", "WITHIN"), "above": Mark("fail", "ABOVE")}


def _timeouts(audit: Audit) -> Section:
    header = ("Component", "Limits", "Default", "Bound here", "Observed cut-off", "Longest wait")
    return Section(
        "timeouts",
        "Timeouts",
        tables=(
            Table(
                "Timeouts by the audit's table, and the cut-offs that were seen",
                (*header, "Held", "What would decide it"),
                tuple(map(_timeout, timeout_table(audit))),
            ),
        ),
    )


def _queues(audit: Audit) -> Section:
    return Section(
        "queues",
        "Queue architecture",
        tables=(
            Table(
                "What was seen of the queues, and the questions that stay",
                ("Aspect", "Observed", "Outcome", "Question", "What would decide it"),
                tuple(map(_aspect, queue_table(audit))),
            ),
        ),
    )


def _states(audit: Audit) -> Section:
    header = ("Failure mode", "Fault", "Expected state", "Observed", "Accurate?")
    return Section(
        "states",
        "State after failure",
        says=(
            "Observed are the last states of all jobs that ran while the fault lasted; accuracy is"
            " judged of those that it hit.",
        ),
        tables=(
            Table(
                "The state that each failure mode leaves",
                (*header, "What would decide it"),
                tuple(map(_state, state_table(audit))),
            ),
        ),
    )


def _diagnoses(audit: Audit) -> Section:
    header = ("Failure mode", "Fault", "Alert fired?", "Time to find in logs")
    return Section(
        "diagnosis",
        "Failure diagnosis time",
        says=(
            "Times are lower bounds of what an expert needs; the audit's target, 15 minutes from"
            " alert to root cause, a person must measure with a clock.",
        ),
        tables=(
            Table(
                "TEST-RR-O01 by failure mode",
                (*header, "Root cause identifiable?", "Diagnosis time"),
                tuple(map(_diagnosis, diagnosis_table(audit))),
            ),
        ),
    )


def _timeout(row: TimeoutRow) -> tuple[Cell, ...]:
    limits = row.limits
    seen = "none"
    if limits.shortest_s is not None and limits.longest_s is not None:
        ends = [duration(1000 * end) for end in (limits.shortest_s, limits.longest_s)]
        seen = f"{' to '.join(dict.fromkeys(ends))} ({limits.cut_off:,} of {limits.exposures:,})"
    longest = limits.longest_wait_s
    return (
        limits.component,
        limits.kind,
        f"{short(limits.default_s)} s",
        "" if limits.bound_s is None else f"{short(limits.bound_s)} s",
        seen,
        "none seen" if longest is None else duration(1000 * longest),
        _HELD.get(row.held, Mark("not-observed")),
        row.would_decide,
    )


def _aspect(row: QueueAspect) -> tuple[Cell, ...]:
    return (
        f"{row.aspect} ({row.check})",
        row.seen,
        Mark(row.outcome),
        row.question,
        row.would_decide,
    )


def _state(row: StateRow) -> tuple[Cell, ...]:
    accurate = {"pass": Mark("pass", "YES"), "fail": Mark("fail", "NO")}
    return (
        row.mode,
        row.fault or "none injected",
        row.expected,
        row.observed,
        accurate.get(row.accurate, Mark(row.accurate)),
        row.would_decide,
    )


def _diagnosis(row: DiagnosisRow) -> tuple[Cell, ...]:
    alerted = row.alerted_after_s
    return (
        row.mode,
        row.fault,
        "no alert seen" if alerted is None else f"yes, after {duration(1000 * alerted)}",
        _at_least(row.find_minutes),
        _root_cause(row),
        "; ".join((_at_least(row.diagnosis_minutes), *map(_measured, row.measured_minutes))),
    )


def _at_least(minutes: float | None) -> str:
    return "no failed instance" if minutes is None else f"≥ {duration(60_000 * minutes)}"


def _measured(minutes: float) -> str:
    return f"measured {duration(60_000 * minutes)}"


def _root_cause(row: DiagnosisRow) -> str:
    if not row.root_cause:
        return "no: nothing stands out"
    if row.is_identified is None:
        return f"{row.root_cause} stands out; the fault file names no target"
    return f"yes: {row.root_cause}" if row.is_identified else f"no: {row.root_cause} stands out"


OBSERVED: tuple[Callable[[Audit], Section], ...] = (_timeouts, _queues, _states, _diagnoses)
