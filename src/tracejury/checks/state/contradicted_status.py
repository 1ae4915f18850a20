"""Spans of which status and attributes contradict each other.

What: A span with an error type has the status Error; a span with the status Error is not one whose
response was a success and of which nothing else tells an error; only an error has a status message.
A status that someone set to Ok silences an error on purpose, a server's 4xx is none of its own, and
a call that its caller called off is no error, but in RPC.

Why: Whoever searches by status does not find what others find by error type, and alerts disagree
with dashboards.

Fix: Set status and `error.type` in the same place, and no message where nothing failed.

Source: semantic conventions on recording errors; the specification of a span's status.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

_WORDS: Final = {
    "unmarked": "an error type and no error status",
    "unfounded": "an error status, a response that says success, and no error",
    "chatty": "a status message and no error status",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a service: its spans that say something of an error beside their status."""
    rows = evidence.rows(_SPANS, {"shown": SHOWN})
    services = dict.fromkeys(row["service"] for row in rows)
    return Judgement(
        tuple(
            Unit(
                service or "(no service name)",
                sum(row["spans"] for row in rows if row["service"] == service),
                tuple(_finding(row) for row in rows if row["service"] == service and row["wrong"]),
            )
            for service in services
        )
    )


def _finding(row: Row) -> Finding:
    return Finding(
        f"{counted(row['spans'], 'span')} of {row['service'] or '(no service name)'}"
        f" {either(row['spans'], 'has', 'have')} {_WORDS[row['wrong']]}, `{row['name']}` for one.",
        subject=row["service"],
        evidence=references(row["evidence"]),
    )


_SPANS: Final = """
    WITH explained AS (
        SELECT span_no
        FROM span_error
        WHERE error_type <> '' OR message <> ''
    ),
    judged AS (
        SELECT
            node.service,
            node.name,
            node.span_no,
            node.span_id,
            node.trace_no,
            node.start_ns,
            CASE
                WHEN node.status = 'UNSET'
                    AND field.error_type <> ''
                    AND NOT (
                        node.kind = 'SERVER' AND (
                            regexp_full_match(field.error_type, '4\\d\\d')
                            -- So it is with RPC: these codes, and no others, are the server's own.
                            OR coalesce(upper(field.rpc_status) NOT IN (
                                '2', '4', '12', '13', '14', '15', 'UNKNOWN', 'DEADLINE_EXCEEDED',
                                'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'
                            ), false)
                        )
                    )
                    THEN 'unmarked'
                WHEN node.status = 'ERROR'
                    AND regexp_full_match(field.http_status, '2\\d\\d')
                    AND explained.span_no IS NULL
                    THEN 'unfounded'
                WHEN node.status <> 'ERROR' AND node.status_message <> '' THEN 'chatty'
                ELSE ''
            END AS wrong
        FROM node
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN span_field AS field ON field.span_no = node.span_no
        LEFT JOIN explained ON explained.span_no = node.span_no
        LEFT JOIN error_class AS class ON class.span_no = node.span_no
        WHERE NOT instance.background
            AND NOT (
                node.kind = 'CLIENT'
                AND node.status = 'UNSET'
                AND node.status_message = ''
                AND field.rpc_system IS NULL
                AND coalesce(class.is_cancellation, false)
            )
            AND (
                field.error_type <> ''
                OR node.status_message <> ''
                OR (node.status = 'ERROR' AND field.http_status IS NOT NULL)
            )
    )
    SELECT
        judged.service,
        judged.wrong,
        count(*) AS spans,
        min(judged.name) AS name,
        list(span.reference ORDER BY judged.start_ns, judged.trace_no, judged.span_id)[:$shown]
            AS evidence
    FROM judged
    JOIN span_reference AS span USING (span_no)
    GROUP BY judged.service, judged.wrong
    ORDER BY judged.service, judged.wrong
"""

CHECK = Check(
    id="ST-07",
    title="Status and attributes agree",
    severity=Severity.MEDIUM,
    task=9,
    serves=("pattern-17",),
    judge=judge,
    remedy="Set status and error.type in the same place, and no message where nothing failed.",
)
