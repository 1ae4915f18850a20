"""Workflows that are not what they were, long after a fault is over.

What: Of each workflow that a fault of the fault file made fail more often, or take longer, the
instances after the fault are as before it: the success share at most five points below, and the
95th percentile at most half as long again. The later half of those that began within the bound
(`recovery_seconds`, or up to the next fault) is compared, at least five, with at least five from
before. It fails where they still are not so at the bound. Where an operator stepped in meanwhile,
nothing is concluded of the system. Backlogs that drain and caches that warm up take their time:
that is what the bound is for.

Why: An outage ends when customers are served again, and not when its cause is gone.

Fix: Bound queues and retries so that a backlog drains faster than it grows, reconnect by yourself,
and close breakers again after a probe.

Source: the purpose of the audit; its test of a worker crash.
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


def judge(evidence: Evidence) -> Judgement:
    """One unit a fault and a workflow that it harmed."""
    rows = evidence.rows(_AROUND, {"shown": SHOWN})
    return Judgement(
        tuple(Unit(_name(row), int(row["fate"] in _DECIDED), _findings(row)) for row in rows),
        note=" ".join(filter(None, map(_note, rows))),
        reason=_reason(rows),
        short_s=longest_short_s(rows),
    )


_DECIDED: Final = ("recovered", "damaged")


def _name(row: Row) -> str:
    return f"{row['workflow']} after {row['fault_id']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if row["fate"] != "damaged":
        return ()
    return (
        Finding(
            f"`{row['workflow']}` has not recovered from `{row['fault_id']}` within"
            f" {row['bound_s']:.0f} s: success {row['before']:.0%} before,"
            f" {row['after']:.0%} after; p95 {row['before_s']:.1f} s before,"
            f" {row['after_s']:.1f} s after.",
            subject=_name(row),
            fault=row["fault_id"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(row: Row) -> str:
    if row["fate"] == "unknown":
        return (
            f"Of too few of `{row['workflow']}` before `{row['fault_id']}` the outcome is known to"
            " compare with."
        )
    if row["fate"] != "recovered":
        return ""
    return (
        f"`{row['workflow']}` recovered from `{row['fault_id']}` within {row['recovered_s']:.0f} s"
        f" of its end: success {row['before']:.0%}, {row['during']:.0%}, {row['after']:.0%}; p95"
        f" {row['before_s']:.1f} s, {row['during_s']:.1f} s, {row['after_s']:.1f} s."
    )


def _reason(rows: list[Row]) -> str:
    for fate, reason in (
        ("early", "unsettled"),
        ("helped", "units"),
        ("unclear", "dropped"),
    ):
        if any(row["fate"] == fate for row in rows):
            return reason
    return ""


_AROUND: Final = """
    SELECT
        course.fault_id,
        course.workflow,
        course.fate,
        course.recovered_s,
        (course.bound_ns - fault.end_ns) / 1e9 AS bound_s,
        CASE WHEN course.fate = 'early'
            THEN course.bound_ns - (SELECT max(last_ns) FROM instance_life) END AS short_ns,
        course.ok_before AS before,
        course.ok_during AS during,
        course.ok_tail AS after,
        course.before_ms / 1e3 AS before_s,
        course.during_ms / 1e3 AS during_s,
        course.tail_ms / 1e3 AS after_s,
        (
            SELECT list(span.reference ORDER BY span.start_ns, span.reference)[:$shown]
            FROM span_reference AS span
            WHERE list_contains(course.tail_failed, span.span_no)
        ) AS evidence
    FROM fault_course AS course
    JOIN fault ON fault.id = course.fault_id
    WHERE course.is_alone AND course.fate <> 'unharmed'
    ORDER BY course.workflow, course.fault_id
"""

CHECK = Check(
    id="RSM-05",
    title="The system recovers without intervention",
    severity=Severity.HIGH,
    task=6,
    serves=("TEST-RR-RE01",),
    judge=judge,
    remedy="Bound queues and retries, reconnect by yourself, and close breakers after a probe.",
)
