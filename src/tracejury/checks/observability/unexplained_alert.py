"""Alerts that do not say what to do.

What: Every alert that fired carries the address of its runbook, in the annotation `runbook_url` (or
`runbook`) or a label of that name. Alerts that always fire to show that alerting works, with the
severity none, need none. Whether the page is there, and helps, a person must try.

Why: At three in the morning, whoever is called reads the alert, and nothing else.

Fix: Write a page for each alert rule, and put its address into the rule's annotations.

Source: the audit's criterion of a runbook per alert; kube-prometheus' alerts, which carry one.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

_NONE: Final = "(no alertname)"


def judge(evidence: Evidence) -> Judgement:
    """One unit a kind of alert, by its name: how often it fired."""
    rows = evidence.rows(
        """
        WITH fired AS (
            SELECT
                alert_no,
                coalesce(name, '') AS name,
                starts_ns,
                coalesce(
                    json_extract_string(annotations, '$.runbook_url'),
                    json_extract_string(annotations, '$.runbook'),
                    json_extract_string(labels, '$.runbook_url'),
                    json_extract_string(labels, '$.runbook')
                ) AS runbook
            FROM alert
            WHERE status = 'firing'
                AND coalesce(json_extract_string(labels, '$.severity'), '') <> 'none'
        )
        SELECT
            name,
            count(*) AS alerts,
            count(*) FILTER (is_bare) AS without,
            coalesce(list(alert_no ORDER BY starts_ns, alert_no) FILTER (is_bare), [])[:$shown]
                AS bare
        FROM (
            SELECT
                *, NOT coalesce(regexp_matches(runbook, '^https?://.', 'i'), false) AS is_bare
            FROM fired
        )
        GROUP BY name
        ORDER BY name
        """,
        {"shown": SHOWN},
    )
    return Judgement(
        tuple(Unit(row["name"] or _NONE, row["alerts"], _findings(row)) for row in rows),
        note="Whether the runbooks help, a person must try." * bool(rows),
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["without"]:
        return ()
    name = row["name"] or _NONE
    return (
        Finding(
            f"{row['without']} of {counted(row['alerts'], 'alert')} `{name}`"
            f" {either(row['without'], 'carries', 'carry')} no address of a runbook.",
            subject=name,
            evidence=tuple(Reference(alert=number) for number in row["bare"]),
        ),
    )


CHECK = Check(
    id="OBS-17",
    title="Every alert has a runbook",
    severity=Severity.MEDIUM,
    task=10,
    serves=("MEDIUM-4",),
    judge=judge,
    remedy="Write a page for each alert rule, and put its address into the annotation runbook_url.",
)
