"""Log records that do not say which span they were written in.

What: In every service, at least 95 % of the records of level WARN and above, and 80 % of all, that
were written while the process had a span open carry a trace id and a span id that lead to a span.
Ids in attributes or in a JSON body count. Frameworks that never carry ids are shown beside, and a
service with fewer than 20 such records is not judged.

Why: A log record without its trace cannot be found from the failed request, nor the request from
the record; what is left is a search by time over everything that ran then.

Fix: Use the log bridge of your OpenTelemetry SDK, or put `trace_id` and `span_id` into the log
format. In Python: `OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=true`.

Source: OpenTelemetry logs data model; compatibility/logging_trace_context.md.
"""

import re

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import semconv
from tracejury.telemetry.numbers import counted

_WARN = 13


def judge(evidence: Evidence) -> Judgement:
    """One unit a service that sent spans: its log records written inside of spans."""
    scopes = "|".join(re.escape(scope) for scope in semconv.UNCORRELATED_SCOPES)
    rows = evidence.rows(
        _LOGS, {"shown": SHOWN, "warn": _WARN, "frameworks": rf"({scopes})(\..*)?"}
    )
    return Judgement(tuple(_unit(row, evidence) for row in rows), note=_note(rows))


def _unit(row: Row, evidence: Evidence) -> Unit:
    service = row["service"] or "(no service name)"
    if row["logs"] < evidence.policy.minimum_logs:
        return Unit(service, 0)
    return Unit(service, row["logs"], _findings(row, service, evidence))


def _findings(row: Row, service: str, evidence: Evidence) -> tuple[Finding, ...]:
    policy = evidence.policy
    parts = []
    if row["warnings_carrying"] < policy.correlated_warnings_share * row["warnings"]:
        parts.append(
            f"{row['warnings_carrying']} of {counted(row['warnings'], 'record')} of level WARN and"
            " up"
        )
    if row["carrying"] < policy.correlated_logs_share * row["logs"]:
        parts.append(f"{row['carrying']} of {counted(row['logs'], 'record')}")
    if not parts:
        return ()
    return (
        Finding(
            message=f"Only {' and '.join(parts)} that {service} wrote in spans lead to one.",
            subject=service,
            evidence=tuple(Reference(log=number) for number in row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    silent = [row["service"] or "(no service name)" for row in rows if not row["received"]]
    framework = sum(row["framework"] for row in rows)
    parts = [f"No logs received from {', '.join(silent)}."] if silent else []
    if framework:
        parts.append(f"Beside: {counted(framework, 'record')} of frameworks that never carry ids.")
    return " ".join(parts)


_LOGS = """
    WITH record AS (
        SELECT
            *,
            regexp_full_match(scope_name, $frameworks) AND carries = '' AS is_framework
        FROM active_log
    ),
    received AS (
        SELECT resource.service, count(*) AS logs
        FROM stored.log_record
        JOIN resource USING (resource_id)
        GROUP BY resource.service
    ),
    judged AS (
        SELECT
            service,
            count(*) FILTER (NOT is_framework) AS logs,
            count(*) FILTER (NOT is_framework AND carries <> '') AS carrying,
            count(*) FILTER (NOT is_framework AND severity_number >= $warn) AS warnings,
            count(*) FILTER (NOT is_framework AND severity_number >= $warn AND carries <> '')
                AS warnings_carrying,
            count(*) FILTER (is_framework) AS framework,
            coalesce(list(log_no ORDER BY severity_number DESC, log_no)
                FILTER (NOT is_framework AND carries = '')[:$shown], []) AS evidence
        FROM record
        GROUP BY service
    )
    SELECT
        sender.service,
        coalesce(received.logs, 0) AS received,
        coalesce(judged.logs, 0) AS logs,
        coalesce(judged.carrying, 0) AS carrying,
        coalesce(judged.warnings, 0) AS warnings,
        coalesce(judged.warnings_carrying, 0) AS warnings_carrying,
        coalesce(judged.framework, 0) AS framework,
        coalesce(judged.evidence, []) AS evidence
    FROM (SELECT DISTINCT service FROM node) AS sender
    LEFT JOIN received USING (service)
    LEFT JOIN judged USING (service)
    ORDER BY sender.service
"""

CHECK = Check(
    id="OBS-02",
    title="Log records carry their span",
    severity=Severity.HIGH,
    task=10,
    serves=("pattern-16",),
    judge=judge,
    judges_absence=True,
    remedy="Use the SDK's log bridge, or put trace_id and span_id into the log format.",
)
