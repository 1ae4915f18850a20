"""Failures that users saw and that raised no alert.

What: During each fault of the fault file, or soon after (`detection_seconds`), an alert began to
fire whose labels name the target, a caller of it or the workflow, and which does not fire without a
fault as well. It fails where workflows that called the target failed and Alertmanager, which is
heard of otherwise, told of nothing at all. Without alerts from Alertmanager nothing is concluded:
an error in telemetry is something to alert on, and no alert.

Why: An outage that nobody is called for lasts until a customer calls.

Fix: Alert on error rates and on stuck jobs, with labels that name the service, and send
Alertmanager's webhooks to `POST /api/alerts`.

Source: the audit's pattern 20, no alerting on critical failures.
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


def judge(evidence: Evidence) -> Judgement:
    """One unit a fault."""
    rows = evidence.rows(
        _TOLD, {"shown": SHOWN, "within_ns": evidence.policy.detection_seconds * 1e9}
    )
    return Judgement(
        tuple(
            Unit(row["id"], int(bool(row["alerts"] or _is_silent(row))), _findings(row))
            for row in rows
        ),
        note=" ".join(filter(None, map(_note, rows))),
        reason=_reason(rows),
        short_s=longest_short_s(filter(_is_silent, rows)),
    )


def _is_silent(row: Row) -> bool:
    return bool(row["hears"] and row["failed"] and not row["others"] and not row["alerts"])


def _findings(row: Row) -> tuple[Finding, ...]:
    if not _is_silent(row) or not row["is_over"]:
        return ()
    return (
        Finding(
            f"{counted(row['failed'], 'workflow instance')} failed in `{row['id']}`, and no alert"
            " fired.",
            subject=row["id"],
            fault=row["id"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(row: Row) -> str:
    if row["alerts"]:
        return f"`{row['alert']}` fired {row['after_s']:.0f} s after `{row['id']}` began."
    if row["others"]:
        return f"Of {counted(row['others'], 'alert')} in `{row['id']}` none names what it hit."
    if row["alertable"]:
        were = either(row["alertable"], "was", "were")
        errors = counted(row["alertable"], "error")
        return f"In `{row['id']}` {errors} {were} recorded that could raise one."
    return ""


def _reason(rows: list[Row]) -> str:
    if any(not row["hears"] for row in rows):
        return "uninstrumented"
    return "unsettled" if any(_is_silent(row) and not row["is_over"] for row in rows) else ""


_TOLD: Final = """
    WITH lasting AS (
        SELECT fault.id, fault.target, fault.workflow, fault.start_ns, fault.end_ns
        FROM fault
        JOIN run_time ON fault.start_ns <= run_time.until_ns AND fault.end_ns >= run_time.from_ns
    ),
    -- What users saw fail of what the fault hit.
    harmed AS (
        SELECT DISTINCT lasting.id, instance.instance_no, instance.entry_span_no
        FROM lasting
        JOIN workflow_instance AS instance
            ON instance.start_ns <= lasting.end_ns AND instance.end_ns >= lasting.start_ns
        WHERE instance.outcome = 'failed'
            AND NOT instance.background
            AND (
                instance.instance_no IN (
                    SELECT fault_call.instance_no
                    FROM fault_call
                    WHERE fault_call.fault_id = lasting.id
                )
                OR instance.instance_no IN (
                    SELECT crash_hit.instance_no
                    FROM crash_hit
                    WHERE lower(crash_hit.service) = lower(lasting.target)
                )
                OR lower(instance.workflow) = lower(lasting.workflow)
            )
    ),
    failure AS (
        SELECT
            harmed.id,
            count(*) AS failed,
            list(span.reference ORDER BY span.start_ns, span.reference)[:$shown] AS evidence
        FROM harmed
        JOIN span_reference AS span ON span.span_no = harmed.entry_span_no
        GROUP BY harmed.id
    ),
    alertable AS (
        SELECT lasting.id, count(*) AS records
        FROM lasting
        JOIN stored.log_record AS log
            ON log.severity_number >= 17
            AND greatest(log.time_ns, CASE WHEN log.time_ns = 0 THEN log.observed_ns END)
                BETWEEN lasting.start_ns AND lasting.end_ns
        GROUP BY lasting.id
    ),
    told AS (
        SELECT
            fault_id AS id,
            count(*) FILTER (is_about) AS alerts,
            count(*) FILTER (NOT is_about) AS others,
            arg_min(name, (starts_ns, name)) FILTER (is_about) AS alert,
            min(starts_ns) FILTER (is_about) AS first_ns
        FROM fault_alert
        GROUP BY fault_id
    )
    SELECT
        lasting.id,
        (SELECT count(*) > 0 FROM alert) AS hears,
        coalesce(told.alerts, 0) AS alerts,
        coalesce(told.others, 0) AS others,
        told.alert,
        (told.first_ns - lasting.start_ns) / 1e9 AS after_s,
        coalesce(failure.failed, 0) AS failed,
        failure.evidence,
        coalesce(failure.failed, 0) + coalesce(alertable.records, 0) AS alertable,
        coalesce(
            (SELECT max(last_ns) FROM instance_life) >= lasting.end_ns + $within_ns, false
        ) AS is_over,
        lasting.end_ns + $within_ns - (SELECT max(last_ns) FROM instance_life) AS short_ns
    FROM lasting
    LEFT JOIN told USING (id)
    LEFT JOIN failure USING (id)
    LEFT JOIN alertable USING (id)
    ORDER BY lasting.id
"""

CHECK = Check(
    id="OBS-12",
    title="Critical failures raise an alert",
    severity=Severity.HIGH,
    task=10,
    serves=("pattern-20", "TEST-RR-O01", "HIGH-7"),
    judge=judge,
    judges_absence=True,
    remedy="Alert on error rates and stuck jobs, and send Alertmanager's webhooks to /api/alerts.",
)
